//! One SELECT: what it gives out, grouped, distinct, over windows or plain.

use super::super::shop::{Column, Type};
use super::Gen;

/// Which output columns have a name of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    Every,
    Some,
}

/// What stands in GROUP BY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Column,
    Computed,
}

/// A query and what it gives out.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) columns: Vec<Column>,
    /// Names of output columns that no two rows share.
    pub(super) keys: Vec<String>,
    /// What ORDER BY may name besides output columns, if rows differ in it.
    pub(super) inner_keys: Option<Vec<String>>,
    /// How many columns it gives out, if that is known: ORDER BY can name them by position.
    pub(super) counted: Option<usize>,
    /// Its rows can be locked.
    pub(super) lockable: bool,
}

const ORDERED_SETS: [&str; 2] =
    ["percentile_disc(0.5) WITHIN GROUP (ORDER BY {})", "mode() WITHIN GROUP (ORDER BY {})"];

impl Gen {
    /// Without ORDER BY; closes the scope that FROM opens. `want`: types of the columns, any if
    /// empty.
    pub(super) fn select(&mut self, want: &[Type], depth: usize, naming: Naming) -> Query {
        let most = if depth > 1 { 3 } else { 2 };
        let from = self.from(depth, most);
        let filter = self.filter(depth);
        let query = match self.dice.below(12) {
            0..=2 => self.grouped(want, &from, &filter, naming),
            3 | 4 => self.windowed(want, &from, &filter, naming),
            5 => self.distinct(want, &from, &filter, naming),
            6 | 7 if want.is_empty() && naming == Naming::Some => self.starred(&from, &filter),
            _ => self.listed_columns(want, &from, &filter, naming),
        };
        self.scopes.pop();
        query
    }

    pub(super) fn filter(&mut self, depth: usize) -> String {
        match self.dice.chance(60) {
            true => format!(" WHERE {}", self.condition(depth.min(2))),
            false => String::new(),
        }
    }

    /// Types wanted, or some.
    fn types(&mut self, want: &[Type]) -> Vec<Type> {
        if !want.is_empty() {
            return want.to_vec();
        }
        let count = self.dice.between(1, 5);
        (0..count).map(|_| self.some_type()).collect()
    }

    /// `expression AS name`, and the column that comes of it.
    fn output(&mut self, value: &str, of: Type, naming: Naming) -> (String, Column) {
        let name = self.name("x");
        let column = Column { name: name.clone(), of, hidden: true };
        if naming == Naming::Every || self.dice.chance(60) {
            let word = self.dice.pick(&["AS ", ""]);
            return (format!("{value} {word}{name}"), column);
        }
        (value.to_owned(), column)
    }

    fn listed_columns(&mut self, want: &[Type], from: &str, filter: &str, naming: Naming) -> Query {
        let types = self.types(want);
        let (mut items, mut columns, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for of in types {
            let value = self.value(of, 2);
            let (item, column) = self.output(&value, of, naming);
            items.push(item);
            columns.push(column);
        }
        if want.is_empty() && naming == Naming::Some && self.dice.chance(12) {
            items.push(self.row_item());
            columns.push(Column { name: String::new(), of: Type::Person, hidden: true });
        }
        let inner = self.keys();
        if let (Some(inner), true, true) =
            (&inner, naming == Naming::Every && want.is_empty(), self.dice.chance(75))
        {
            for key in inner {
                let of = self.type_of(key);
                let (item, column) = self.output(key, of, Naming::Every);
                items.push(item);
                keys.push(column.name.clone());
                columns.push(Column { hidden: false, ..column });
            }
        }
        let sql = format!("SELECT {} FROM {from}{filter}", items.join(", "));
        let scope = self.scopes.last().expect("open");
        let lockable = scope.iter().all(|source| source.relation.is_some())
            && !["FULL", "LEFT", "RIGHT", "v_", "mv_"].iter().any(|word| from.contains(word));
        Query { sql, counted: Some(columns.len()), columns, keys, inner_keys: inner, lockable }
    }

    /// A whole row or a system column.
    fn row_item(&mut self) -> String {
        let source = self.source();
        let alias = &source.alias;
        let stored = source.relation.is_some_and(|it| it.kind == super::super::shop::Kind::Table);
        match self.dice.below(5) {
            0 if stored => format!("{alias}.tableoid::regclass::text"),
            1 if stored => format!("({alias}.xmin IS NOT NULL)"),
            2 => format!("ROW({alias}.*)"),
            _ => alias.clone(),
        }
    }

    fn type_of(&self, reference: &str) -> Type {
        let scope = self.scopes.last().expect("open");
        let found = scope.iter().find_map(|source| {
            let name = reference.strip_prefix(&format!("{}.", source.alias))?;
            source.columns.iter().find(|column| column.name == name).map(|column| column.of)
        });
        found.unwrap_or(Type::Int)
    }

    fn starred(&mut self, from: &str, filter: &str) -> Query {
        let scope = self.scopes.last().expect("open").clone();
        let merged = from.contains(" USING (") || from.contains("NATURAL ");
        let all = || scope.iter().flat_map(|source| source.columns.clone()).collect::<Vec<_>>();
        let (list, columns) = match self.dice.below(4) {
            0 | 1 => ("*".to_owned(), all()),
            2 => {
                let source = self.source();
                let value = self.value(Type::Text, 1);
                let mut columns = source.columns.clone();
                columns.push(Column { name: String::new(), of: Type::Text, hidden: true });
                (format!("{}.*, {value}", source.alias), columns)
            }
            _ => {
                let lists: Vec<_> =
                    scope.iter().map(|source| format!("{}.*", source.alias)).collect();
                (lists.join(", "), all())
            }
        };
        let inner_keys = self.keys();
        let sql = format!("SELECT {list} FROM {from}{filter}");
        let counted = (!merged || list != "*").then_some(columns.len());
        Query { sql, columns, keys: Vec::new(), inner_keys, counted, lockable: false }
    }

    fn distinct(&mut self, want: &[Type], from: &str, filter: &str, naming: Naming) -> Query {
        let types = self.types(want);
        let (mut items, mut columns) = (Vec::new(), Vec::new());
        for of in types {
            let value = self.value(of, 1);
            let (item, column) = self.output(&value, of, naming);
            items.push(item);
            columns.push(column);
        }
        let keys = columns.iter().map(|column| column.name.clone()).collect();
        let sql = format!("SELECT DISTINCT {} FROM {from}{filter}", items.join(", "));
        Query {
            sql,
            counted: Some(columns.len()),
            columns,
            keys,
            inner_keys: None,
            lockable: false,
        }
    }

    fn grouped(&mut self, want: &[Type], from: &str, filter: &str, naming: Naming) -> Query {
        let types = self.types(want);
        let (mut items, mut columns, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        for (index, of) in types.into_iter().enumerate() {
            let group = index == 0 && self.dice.chance(75) || index == 1 && self.dice.chance(25);
            let value = match group {
                true => self.group_by(of, &mut groups),
                false => self.aggregate(of),
            };
            let (item, column) = self.output(&value, of, naming);
            items.push(item);
            columns.push(column);
        }
        let sets = self.grouping(&groups);
        let having = match self.dice.below(5) {
            0 => format!(" HAVING count(*) > {}", self.dice.below(3)),
            1 => format!(" HAVING {} IS NOT NULL", self.aggregate(Type::Text)),
            _ => String::new(),
        };
        let sql = format!("SELECT {} FROM {from}{filter}{sets}{having}", items.join(", "));
        Query {
            sql,
            counted: Some(columns.len()),
            columns,
            keys: Vec::new(),
            inner_keys: None,
            lockable: false,
        }
    }

    /// A value to group by, added to `groups` with whether it is a column.
    fn group_by(&mut self, of: Type, groups: &mut Vec<(String, Group)>) -> String {
        let before = (self.subqueries, self.params_percent, self.outer_percent);
        (self.subqueries, self.params_percent, self.outer_percent) = (false, 0, 0);
        let (value, group) = match self.column(of) {
            Some(column) if self.dice.chance(60) => (column, Group::Column),
            _ => (self.value(of, 1), Group::Computed),
        };
        (self.subqueries, self.params_percent, self.outer_percent) = before;
        groups.push((value.clone(), group));
        value
    }

    /// GROUP BY. Only columns stand in grouping sets: whether a constant there becomes NULL hangs
    /// on the plan (before PostgreSQL 18).
    fn grouping(&mut self, groups: &[(String, Group)]) -> String {
        if groups.is_empty() {
            return String::new();
        }
        let columns = groups.iter().all(|(_, group)| *group == Group::Column);
        let values: Vec<_> = groups.iter().map(|(value, _)| value.as_str()).collect();
        let list = values.join(", ");
        match self.dice.below(10) {
            0 if columns => format!(" GROUP BY ROLLUP ({list})"),
            1 if columns => format!(" GROUP BY CUBE ({list})"),
            2 if columns => format!(" GROUP BY GROUPING SETS (({list}), ())"),
            3 => format!(" GROUP BY DISTINCT {list}"),
            _ => format!(" GROUP BY {list}"),
        }
    }

    /// An aggregate of that type over columns of the innermost FROM.
    pub(super) fn aggregate(&mut self, of: Type) -> String {
        let (outer_percent, subqueries) = (self.outer_percent, self.subqueries);
        (self.outer_percent, self.subqueries) = (0, false);
        let call = self.aggregate_call(of);
        let filter = match self.dice.chance(15) && !call.ends_with(']') {
            true => format!(" FILTER (WHERE {})", self.condition(0)),
            false => String::new(),
        };
        (self.outer_percent, self.subqueries) = (outer_percent, subqueries);
        let cast = if of == Type::Int { "::int" } else { "" };
        format!("({call}{filter}){cast}")
    }

    fn aggregate_call(&mut self, of: Type) -> String {
        let distinct = self.dice.pick(&["", "DISTINCT "]);
        match of {
            Type::Text => {
                let x = self.value(Type::Text, 1);
                match self.dice.below(6) {
                    0 => format!("string_agg({x}, ',' ORDER BY {x})"),
                    1 => format!("string_agg(DISTINCT {x}, '|')"),
                    2 => self.dice.pick(&ORDERED_SETS).replace("{}", &x),
                    _ => format!("{}({x})", self.dice.pick(&["min", "max"])),
                }
            }
            Type::Int => {
                let any = self.some_type();
                let x = self.value(any, 1);
                match self.dice.below(5) {
                    0 => "count(*)".to_owned(),
                    1 => format!("sum({})", self.leaf(Type::Int)),
                    2 => format!("count({})", self.source().alias),
                    _ => format!("count({distinct}{x})"),
                }
            }
            Type::Num => {
                let word = self.dice.pick(&["sum", "avg", "max", "min", "var_samp"]);
                format!("{word}({distinct}{})", self.value(Type::Num, 1))
            }
            Type::Bool => {
                let word = self.dice.pick(&["bool_and", "bool_or", "every"]);
                format!("{word}({})", self.condition(0))
            }
            Type::Json => {
                let x = self.value(Type::Text, 1);
                format!("jsonb_agg({x} ORDER BY {x})")
            }
            Type::Texts => {
                let x = self.value(Type::Text, 1);
                format!("array_agg({distinct}{x} ORDER BY {x})")
            }
            Type::Date | Type::Time | Type::Inet | Type::Status => {
                format!("{}({})", self.dice.pick(&["min", "max"]), self.leaf(of))
            }
            Type::Bytes | Type::Person => {
                let x = self.leaf(of);
                format!("array_agg({x} ORDER BY {x})").replacen("array_agg", "(array_agg", 1)
                    + ")[1]"
            }
        }
    }

    fn windowed(&mut self, want: &[Type], from: &str, filter: &str, naming: Naming) -> Query {
        let keys = self.keys();
        let types = self.types(want);
        let (mut items, mut columns) = (Vec::new(), Vec::new());
        let partition = self.value(Type::Text, 1);
        for of in types {
            let value = match self.dice.chance(60) {
                true => self.over(of, keys.as_deref()),
                false => self.value(of, 1),
            };
            let (item, column) = self.output(&value, of, naming);
            items.push(item);
            columns.push(column);
        }
        let window = format!(" WINDOW w AS (PARTITION BY {partition})");
        let sql = format!("SELECT {} FROM {from}{filter}{window}", items.join(", "));
        Query {
            sql,
            counted: Some(columns.len()),
            columns,
            keys: Vec::new(),
            inner_keys: keys,
            lockable: false,
        }
    }

    /// A window function whose result does not hang on the order of peers.
    fn over(&mut self, of: Type, keys: Option<&[String]>) -> String {
        let by = self.value(Type::Text, 1);
        let direction = self.dice.pick(&["", " DESC", " NULLS FIRST"]);
        let partition = match self.dice.chance(40) {
            true => format!("PARTITION BY {} ", self.leaf(Type::Text)),
            false => String::new(),
        };
        let peers = format!("({partition}ORDER BY {by}{direction})");
        let Some(keys) = keys.filter(|_| self.dice.chance(65)) else {
            return match of {
                Type::Int => {
                    let call = self.dice.pick(&["rank()", "dense_rank()", "count(*)"]);
                    format!("({call} OVER {peers})::int")
                }
                Type::Text => format!("max({}) OVER w", self.leaf(Type::Text)),
                Type::Num => format!("sum({}) OVER {peers}", self.leaf(Type::Num)),
                Type::Date
                | Type::Time
                | Type::Bool
                | Type::Json
                | Type::Texts
                | Type::Inet
                | Type::Bytes
                | Type::Person
                | Type::Status => {
                    format!("first_value({}) OVER (PARTITION BY 1 ORDER BY 1)", self.constant(of))
                }
            };
        };
        let total = format!("{partition}ORDER BY {by}{direction}, {}", keys.join(", "));
        let frame = self.dice.pick(&[
            "",
            " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
            " ROWS UNBOUNDED PRECEDING",
        ]);
        let x = self.leaf(of);
        match (of, self.dice.below(5)) {
            (Type::Int, 0) => format!("(row_number() OVER ({total}))::int"),
            (Type::Int, 1) => format!("ntile(4) OVER ({total})"),
            (_, 0 | 1) => format!("lag({x}) OVER ({total})"),
            (_, 2) => format!("lead({x}, 2) OVER ({total})"),
            (_, 3) => format!("nth_value({x}, 2) OVER ({total}{frame})"),
            (..) => format!("first_value({x}) OVER ({total}{frame})"),
        }
    }
}
