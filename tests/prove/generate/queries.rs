//! Whole queries: with common table expressions, set operations, an order and limits; and the
//! smaller ones inside of others.

use super::super::shop::{Column, Type};
use super::super::statement::Order;
use super::Gen;
use super::scope::Cte;
use super::selects::{Naming, Query};

impl Gen {
    /// A statement of its own, and whether it orders its rows totally.
    pub(super) fn query(&mut self) -> (String, Order) {
        match self.dice.below(40) {
            0 => return self.table_statement(),
            1 => return self.values_statement(),
            2 => return self.failing_statement(),
            _ => {}
        }
        let with = if self.dice.chance(25) { self.with() } else { String::new() };
        let query = if self.dice.chance(15) {
            self.set_operation(2)
        } else {
            self.select(&[], 2, Naming::Some)
        };
        let (tail, order) = self.tail(&query);
        (format!("{with}{}{tail}", query.sql), order)
    }

    /// ORDER BY, LIMIT, OFFSET, FOR UPDATE.
    fn tail(&mut self, query: &Query) -> (String, Order) {
        let (mut tail, mut order) = (String::new(), Order::Any);
        if self.dice.chance(85)
            && let Some(by) = self.total_order(query)
        {
            tail = format!(" ORDER BY {by}");
            order = Order::Total;
            let count = self.dice.between(1, 20);
            tail += &match self.dice.below(10) {
                0 | 1 => format!(" LIMIT {count}"),
                2 => format!(" LIMIT {count} OFFSET {}", count / 2),
                3 => format!(" OFFSET {} ROWS FETCH FIRST {count} ROWS ONLY", count / 3),
                4 => format!(" FETCH FIRST {count} ROWS WITH TIES"),
                5 => " LIMIT ALL".to_owned(),
                _ => String::new(),
            };
        }
        if query.lockable && !tail.contains("FETCH") && self.dice.chance(15) {
            let strength = self.dice.pick(&["UPDATE", "SHARE", "NO KEY UPDATE", "KEY SHARE"]);
            let wait = self.dice.pick(&["", "", " NOWAIT", " SKIP LOCKED"]);
            tail += &format!(" FOR {strength}{wait}");
        }
        (tail, order)
    }

    fn total_order(&mut self, query: &Query) -> Option<String> {
        let directions = ["", "", " DESC", " ASC NULLS FIRST", " DESC NULLS LAST"];
        if let Some(keys) = &query.inner_keys
            && (query.counted.is_none() || self.dice.chance(40))
        {
            let mut by: Vec<_> = keys.clone();
            if self.dice.chance(30) {
                by.reverse();
            }
            return Some(by.join(", "));
        }
        let mut by: Vec<_> = (1..=query.counted?).collect();
        let turn = self.dice.below(by.len());
        by.rotate_left(turn);
        let by = by.iter().map(|at| format!("{at}{}", self.dice.pick(&directions)));
        Some(by.collect::<Vec<_>>().join(", "))
    }

    fn table_statement(&mut self) -> (String, Order) {
        let relation = self.relation();
        let name = self.spelled(relation);
        // Keys of several columns, or hidden ones, do not come first.
        let first = relation.columns.first().is_some_and(|it| relation.keys == [it.name.clone()]);
        (format!("TABLE {name} ORDER BY 1"), if first { Order::Total } else { Order::Any })
    }

    fn values_statement(&mut self) -> (String, Order) {
        self.scopes.push(Vec::new());
        let rows = self.dice.between(1, 3);
        let rows = (0..rows).map(|at| {
            let value = self.scalar_query(Type::Text);
            format!("({at}, {value})")
        });
        let sql = format!("VALUES {} ORDER BY 1", rows.collect::<Vec<_>>().join(", "));
        self.scopes.pop();
        (sql, Order::Total)
    }

    /// An error that depends on what a column holds.
    fn failing_statement(&mut self) -> (String, Order) {
        let relation = self.relation();
        let name = self.spelled(relation);
        let columns = relation.columns.iter().filter(|column| column.of == Type::Text);
        let columns: Vec<_> = columns.collect();
        let Some(column) = columns.get(self.dice.below(columns.len().max(1))) else {
            return (format!("TABLE {name}"), Order::Any);
        };
        let x = &column.name;
        let id = self.dice.between(1, 60);
        let value = match self.dice.below(6) {
            0 => format!("{x}::int"),
            1 => format!("1 / (ascii(substr({x}, 3, 1)) - 42)"),
            2 => format!("right({x}, 4)::date"),
            3 => format!("{x}::jsonb"),
            4 => format!("('{{' || {x})::text[]"),
            _ => format!("'a' ~ ('(' || {x})"),
        };
        (format!("SELECT {value} FROM {name} ORDER BY 1 LIMIT {id}"), Order::Any)
    }

    fn set_operation(&mut self, depth: usize) -> Query {
        let count = self.dice.between(1, 3);
        let types = [Type::Text, Type::Text, Type::Int, Type::Date, Type::Texts, Type::Bool];
        let types: Vec<_> = (0..count).map(|_| *self.dice.of(&types)).collect();
        let first = self.select(&types, depth - 1, Naming::Every);
        let mut sql = first.sql;
        let mut distinct = true;
        for _ in 0..self.dice.between(1, 2) {
            let operator =
                *self.dice.of(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL"]);
            let next = self.select(&types, depth - 1, Naming::Every);
            distinct = !operator.ends_with("ALL");
            sql = match self.dice.chance(30) {
                true => format!("({sql}) {operator} ({})", next.sql),
                false => format!("{sql} {operator} {}", next.sql),
            };
        }
        let names = first.columns.iter().map(|column| column.name.clone());
        let keys = if distinct { Vec::from_iter(names) } else { Vec::new() };
        Query {
            sql,
            counted: Some(first.columns.len()),
            columns: first.columns,
            keys,
            inner_keys: None,
            lockable: false,
        }
    }

    /// For FROM or WITH: all columns named; rows in any order.
    pub(super) fn table_query(&mut self, depth: usize) -> Query {
        let mut query = match self.dice.below(10) {
            0 if depth > 0 => self.set_operation(depth),
            _ => self.select(&[], depth, Naming::Every),
        };
        if self.dice.chance(12)
            && let Some(by) = self.total_order(&query)
        {
            query.sql = format!("{} ORDER BY {by} LIMIT {}", query.sql, self.dice.between(1, 30));
        }
        query
    }

    /// WITH …, its names now known.
    fn with(&mut self) -> String {
        if self.dice.chance(20) {
            return self.recursive();
        }
        let mut list = Vec::new();
        for _ in 0..self.dice.between(1, 2) {
            if self.dice.chance(8) {
                list.push(self.writing_cte());
                continue;
            }
            let query = self.table_query(1);
            let mut name = self.name("q");
            let shadow = ["customers", "newsletter", "orders", "v_customers", "leads"];
            if self.dice.chance(25) {
                let shadow = *self.dice.of(&shadow);
                if !self.shadowed.iter().any(|known| known == shadow) {
                    shadow.clone_into(&mut name);
                    self.shadowed.push(name.clone());
                }
            }
            let hint = self.dice.pick(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
            let (mut columns, mut keys) = (query.columns, query.keys);
            let mut head = name.clone();
            if self.dice.chance(25) {
                for column in &mut columns {
                    let new = self.name("y");
                    for key in keys.iter_mut().filter(|key| **key == column.name) {
                        key.clone_from(&new);
                    }
                    column.name = new;
                }
                let names: Vec<_> = columns.iter().map(|column| &*column.name).collect();
                head = format!("{name} ({})", names.join(", "));
            }
            list.push(format!("{head} AS {hint}({})", query.sql));
            self.ctes.push(Cte { name, columns, keys });
        }
        format!("WITH {} ", list.join(", "))
    }

    fn recursive(&mut self) -> String {
        let tables = ["customers", "newsletter", "hr.employees", "v_customers", "hr.contacts"];
        let table = super::super::shop::named(self.dice.pick(&tables));
        let text = table.columns.iter().find(|column| column.of == Type::Text && column.hidden);
        let text = &text.expect("each has one").name;
        let (name, start) = (self.name("r"), self.dice.between(1, 9));
        let spelled = table.qualified();
        let all = self.dice.pick(&["ALL ", ""]);
        let step = self.dice.pick(&[
            "t.id = r.n + 1",
            "t.id = r.n + 2",
            "left(t.X, 1) > left(r.v, 1) AND t.id = r.n + 1",
        ]);
        let step = step.replace('X', text);
        let columns = vec![
            Column { name: "n".to_owned(), of: Type::Int, hidden: false },
            Column { name: "v".to_owned(), of: Type::Text, hidden: true },
        ];
        self.ctes.push(Cte { name: name.clone(), columns, keys: vec!["n".to_owned()] });
        format!(
            "WITH RECURSIVE {name} (n, v) AS (SELECT id, {text} FROM {spelled} WHERE id = {start} \
             UNION {all}SELECT t.id, left(r.v || t.{text}, 40) \
             FROM {spelled} t JOIN {name} r ON {step} WHERE r.n < {}) ",
            start + 6
        )
    }

    fn writing_cte(&mut self) -> String {
        let name = self.name("q");
        let (sql, column, hidden) = *self.dice.of(&[
            ("DELETE FROM newsletter WHERE addr LIKE 'b%' RETURNING id, addr", "addr", true),
            (
                "DELETE FROM contact_points WHERE customer_id < 4 \
                 RETURNING customer_id AS id, emails[1] AS e",
                "e",
                true,
            ),
            ("UPDATE leads SET source = 'x' WHERE id < 5 RETURNING id, source", "source", false),
            (
                "UPDATE support_tickets SET state = 'done' WHERE body = '***' RETURNING id, body",
                "body",
                true,
            ),
        ]);
        let columns = vec![
            Column { name: "id".to_owned(), of: Type::Int, hidden: false },
            Column { name: column.to_owned(), of: Type::Text, hidden },
        ];
        self.ctes.push(Cte { name: name.clone(), columns, keys: vec!["id".to_owned()] });
        format!("{name} AS ({sql})")
    }

    /// `(SELECT …)` of one value.
    pub(super) fn scalar_query(&mut self, of: Type) -> String {
        let subqueries = std::mem::replace(&mut self.subqueries, false);
        let from = self.from(0, 1);
        let sql = if self.dice.chance(45) {
            let value = self.aggregate(of);
            let condition = self.condition(0);
            format!("(SELECT {value} FROM {from} WHERE {condition})")
        } else {
            let value = self.value(of, 1);
            let condition = self.condition(0);
            match self.keys() {
                Some(keys) => {
                    let keys = keys.join(", ");
                    format!(
                        "(SELECT {value} FROM {from} WHERE {condition} ORDER BY {keys} LIMIT 1)"
                    )
                }
                None => {
                    format!("(SELECT {value} FROM {from} WHERE {condition} ORDER BY 1 LIMIT 1)")
                }
            }
        };
        self.scopes.pop();
        self.subqueries = subqueries;
        sql
    }

    pub(super) fn list_query(&mut self, types: &[Type]) -> String {
        let subqueries = std::mem::replace(&mut self.subqueries, false);
        let from = self.from(0, 1);
        let values: Vec<_> = types.iter().map(|of| self.leaf(*of)).collect();
        let filter = self.filter(0);
        self.scopes.pop();
        self.subqueries = subqueries;
        format!("SELECT {} FROM {from}{filter}", values.join(", "))
    }

    pub(super) fn exists_query(&mut self) -> String {
        let subqueries = std::mem::replace(&mut self.subqueries, false);
        let from = self.from(0, 1);
        let scope = self.scopes.last().expect("open");
        let inner = scope[0].clone();
        let key = inner.columns.iter().find(|column| column.of == Type::Int);
        let outer = self.scopes.iter().rev().nth(1).and_then(|outer| {
            let source = outer.first()?;
            let column = source.columns.iter().find(|column| column.of == Type::Int)?;
            Some(format!("{}.{}", source.alias, column.name))
        });
        let condition = self.condition(0);
        let list = self.dice.pick(&["", "1", "*"]);
        self.scopes.pop();
        self.subqueries = subqueries;
        match (key, outer) {
            (Some(key), Some(outer)) => format!(
                "SELECT {list} FROM {from} WHERE {}.{} = {outer} AND {condition}",
                inner.alias, key.name
            ),
            (_, _) => format!("SELECT {list} FROM {from} WHERE {condition}"),
        }
    }
}
