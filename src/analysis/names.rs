//! Which names a statement uses: a superset of the columns it may read.
//!
//! A column's value can be reached only by its name, by a star, by a whole row, or by position
//! through an alias that renames columns. Collecting those over the whole statement, scopes
//! ignored, errs on the side of "touched".

use std::collections::HashSet;

use super::tree::{Deeper, Node, Value};

/// The names of one statement (or of one part of it).
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Every identifier in a place where a column's name can stand.
    pub columns: HashSet<String>,
    /// Names that may mean a whole row: the last part of a reference.
    pub rows: HashSet<String>,
    /// `q.f` pairs: `f` may be a function applied to the row `q`.
    pub qualified: HashSet<(String, String)>,
    /// Aliases of joins: their whole rows hold every column below.
    join_aliases: HashSet<String>,
    pub reach: Reach,
}

/// How far a statement reaches beyond the names it writes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    #[default]
    Named,
    /// A star, a NATURAL join or an alias with column names: every column may be read.
    Everything,
}

/// System columns of every table (`heap.c`, SysAtt).
pub const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];

impl Names {
    /// The names used in `node` and everything below it.
    pub fn of(node: &Node) -> Self {
        let mut names = Self::default();
        node.walk(&mut |node| {
            names.note(node);
            Deeper::Yes
        });
        names
    }

    pub fn of_value(value: &Value) -> Self {
        let mut names = Self::default();
        value.walk(&mut |node| {
            names.note(node);
            Deeper::Yes
        });
        names
    }

    fn note(&mut self, node: &Node) {
        match node.kind {
            "ColumnRef" => self.column_ref(node),
            "AIndirection" => {
                self.columns.extend(node.names("indirection").into_iter().map(str::to_owned));
                self.star_in(node.list("indirection"));
            }
            "FuncCall" => {
                if let Some(last) = node.names("funcname").last() {
                    self.columns.insert((*last).to_owned());
                }
            }
            "JoinExpr" => {
                self.columns.extend(node.names("using_clause").into_iter().map(str::to_owned));
                if node.is("is_natural") {
                    self.reach = Reach::Everything;
                }
                for alias in ["alias", "join_using_alias"] {
                    if let Some(alias) = node.node(alias) {
                        self.join_aliases.insert(alias.text("aliasname").to_owned());
                    }
                }
                self.renaming(node);
            }
            "RangeVar" => self.renaming(node),
            "IndexElem" => {
                self.columns.insert(node.text("name").to_owned());
            }
            _ => {}
        }
    }

    fn renaming(&mut self, node: &Node) {
        if node.node("alias").is_some_and(|alias| alias.has("colnames")) {
            self.reach = Reach::Everything;
        }
    }

    fn star_in(&mut self, parts: &[Value]) {
        if parts.iter().filter_map(Value::as_node).any(|part| part.kind == "AStar") {
            self.reach = Reach::Everything;
        }
    }

    fn column_ref(&mut self, node: &Node) {
        let parts = node.names("fields");
        self.star_in(node.list("fields"));
        self.columns.extend(parts.iter().map(|part| (*part).to_owned()));
        match parts.as_slice() {
            [] => {}
            [only] => {
                self.rows.insert((*only).to_owned());
            }
            [first, rest @ ..] => {
                self.rows.extend(rest.iter().map(|part| (*part).to_owned()));
                self.qualified.insert(((*first).to_owned(), rest[0].to_owned()));
                if let [.., qualifier, last] = parts.as_slice() {
                    self.qualified.insert(((*qualifier).to_owned(), (*last).to_owned()));
                }
            }
        }
    }

    /// Whether the row called by one of `row_names`, with these `columns`, may be read whole.
    pub fn reads_row(&self, row_names: &[&str], columns: &HashSet<&str>) -> bool {
        self.reach == Reach::Everything
            || row_names.iter().any(|name| self.rows.contains(*name))
            || self.join_aliases.iter().any(|name| self.rows.contains(name))
            || self.qualified.iter().any(|(qualifier, field)| {
                row_names.contains(&qualifier.as_str())
                    && !columns.contains(field.as_str())
                    && !SYSTEM_COLUMNS.contains(&field.as_str())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn reads_row(sql: &str) -> bool {
        let parsed = parse(sql).expect("parses");
        let names = Names::of(&parsed.statements[0].tree);
        names.reads_row(&["c"], &HashSet::from(["id", "email"]))
    }

    #[test]
    fn a_whole_row_is_noticed_in_all_its_forms() {
        for sql in [
            "select * from customers c",
            "select c from customers c",
            "select to_jsonb(c) from customers c",
            "select (c).email from customers c",
            "select c.row_to_json from customers c",
            "select public.c from customers c",
            "select j from (customers c join b using (id)) j",
            "select x from customers as c(x, y)",
            "select 1 from customers c natural join b",
            "table c",
        ] {
            assert!(reads_row(sql), "{sql}");
        }
    }

    #[test]
    fn named_columns_are_no_whole_row() {
        for sql in [
            "select c.id, count(*) from customers c group by c.id",
            "select id from customers c where c.ctid = '(0,1)'",
            "select 1 from customers c join b using (id)",
        ] {
            assert!(!reads_row(sql), "{sql}");
        }
    }

    #[test]
    fn functional_notation_counts_as_a_column() {
        let parsed = parse("select email(c.id), (x).phone from c").expect("parses");
        let names = Names::of(&parsed.statements[0].tree);
        assert!(names.columns.contains("email") && names.columns.contains("phone"));
    }
}
