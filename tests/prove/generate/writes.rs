//! INSERT, UPDATE, DELETE, MERGE. What they store in hidden columns is what a mask shows of it, so
//! that the twin stores the same; anything else is compared between the variants only.

use super::super::shop::{Column, Kind, Relation, Type, named};
use super::super::statement::Trust;
use super::Gen;
use super::conditions::mask;
use super::scope::Source;
use crate::support::traps::{self, Variant};

pub(super) struct Write {
    pub(super) sql: String,
    /// A query for what is in the table now.
    pub(super) check: String,
}

const TARGETS: [&str; 17] = [
    "customers",
    "customers",
    "vip_customers",
    "payments",
    "hr.employees",
    "events",
    "events_2024_03",
    "\"UserProfiles\"",
    "\"клиенты\"",
    "hr.contacts",
    "leads",
    "newsletter",
    "newsletter",
    "contact_points",
    "id_scans",
    "support_tickets",
    "products",
];

/// A constraint rests on them: writing them is refused.
const BOUND: [&str; 2] = ["ssn", "salary"];

impl Gen {
    pub(super) fn write(&mut self) -> Write {
        let target = named(self.dice.pick(&TARGETS));
        let alias = if self.dice.chance(60) { self.name("t") } else { String::new() };
        let called = if alias.is_empty() {
            target.name.rsplit('.').next().expect("a name").to_owned()
        } else {
            alias.clone()
        };
        let (columns, keys) = (target.columns.clone(), target.keys.clone());
        let source =
            Source { alias: called, columns, keys, renamed: false, relation: Some(target) };
        self.scopes.push(vec![source]);
        let sql = match self.dice.below(12) {
            0..=4 => self.update(target, &alias),
            5..=7 => self.delete(target, &alias),
            8..=10 => self.insert(target, &alias),
            _ => self.merge(target),
        };
        self.scopes.pop();
        let order: Vec<_> = (1..=target.columns.len()).map(|at| at.to_string()).collect();
        let check = format!("SELECT * FROM {} ORDER BY {}", target.name, order.join(", "));
        Write { sql, check }
    }

    fn named_target(&mut self, target: &Relation, alias: &str) -> String {
        let spelled = self.spelled(target);
        let only = if self.dice.chance(8) { "ONLY " } else { "" };
        match alias {
            "" => format!("{only}{spelled}"),
            alias => format!("{only}{spelled} AS {alias}"),
        }
    }

    fn update(&mut self, target: &Relation, alias: &str) -> String {
        let name = self.named_target(target, alias);
        let mut sets = Vec::new();
        let clear =
            target.columns.iter().filter(|it| !it.hidden && !target.keys.contains(&it.name));
        let clear: Vec<_> = clear.filter(|it| it.of != Type::Time).collect();
        for column in clear {
            if sets.is_empty() || self.dice.chance(20) {
                sets.push(format!("{} = {}", column.name, self.stored(column)));
            }
        }
        let generated = |column: &&Column| matches!(&*column.name, "email_lower" | "email_md5");
        let hidden = target.columns.iter().filter(|column| column.hidden && !generated(column));
        let hidden: Vec<_> = hidden.collect();
        if !hidden.is_empty() && self.dice.chance(45) {
            let column = *self.dice.of(&hidden);
            if !BOUND.contains(&&*column.name) || self.dice.chance(10) {
                sets.push(format!("{} = {}", column.name, self.shown(target, column)));
            }
        }
        if sets.is_empty() {
            sets.push(format!("{0} = {0}", target.keys[0]));
        }
        let from = self.beside("FROM");
        let filter = self.write_filter(target);
        let returning = self.returning();
        self.close_beside();
        format!("UPDATE {name} SET {}{from}{filter}{returning}", sets.join(", "))
    }

    fn delete(&mut self, target: &Relation, alias: &str) -> String {
        let name = self.named_target(target, alias);
        let from = self.beside("USING");
        let filter = self.write_filter(target);
        let returning = self.returning();
        self.close_beside();
        format!("DELETE FROM {name}{from}{filter}{returning}")
    }

    /// Another relation with whose key the target's rows are matched, at most one for each.
    fn beside(&mut self, word: &str) -> String {
        if !self.dice.chance(25) {
            return String::new();
        }
        let other = named(self.dice.pick(&["orders", "customers", "newsletter", "hr.contacts"]));
        let (spelled, alias) = (self.spelled(other), self.name("o"));
        let source = Source {
            alias: alias.clone(),
            columns: other.columns.clone(),
            keys: other.keys.clone(),
            renamed: false,
            relation: Some(other),
        };
        self.scopes.last_mut().expect("the target").push(source);
        format!(" {word} {spelled} {alias}")
    }

    fn close_beside(&mut self) {
        self.scopes.last_mut().expect("the target").truncate(1);
    }

    fn write_filter(&mut self, target: &Relation) -> String {
        let condition = self.condition(1);
        let scope = self.scopes.last().expect("the target");
        if scope.len() > 1 {
            let joined = format!("{}.id = {}.{}", scope[1].alias, scope[0].alias, target.keys[0]);
            return format!(" WHERE {joined} AND {condition}");
        }
        if self.dice.chance(10) { String::new() } else { format!(" WHERE {condition}") }
    }

    fn returning(&mut self) -> String {
        if !self.dice.chance(75) {
            return String::new();
        }
        let alone = self.scopes.last().expect("the target").len() == 1;
        if alone && self.dice.chance(25) {
            return " RETURNING *".to_owned();
        }
        let subqueries = std::mem::replace(&mut self.subqueries, false);
        let count = self.dice.between(1, 3);
        let values = (0..count).map(|_| {
            let of = self.some_type();
            if self.dice.chance(60) { self.leaf(of) } else { self.value(of, 1) }
        });
        let values = values.collect::<Vec<_>>().join(", ");
        self.subqueries = subqueries;
        format!(" RETURNING {values}")
    }

    fn insert(&mut self, target: &Relation, alias: &str) -> String {
        let spelled = self.spelled(target);
        let name = match alias {
            "" => spelled,
            alias => format!("{spelled} AS {alias}"),
        };
        let mut chosen: Vec<&Column> = Vec::new();
        for column in &target.columns {
            let needed = !column.hidden || matches!(&*column.name, "full_name" | "email");
            let generated = matches!(&*column.name, "email_lower" | "email_md5");
            let bound = BOUND.contains(&&*column.name) || generated;
            if needed || (!bound && self.dice.chance(50)) {
                chosen.push(column);
            }
        }
        let rows = self.dice.between(1, 2);
        let mut values = Vec::new();
        for row in 0..rows {
            let fields = chosen.iter().map(|column| match () {
                () if target.keys.contains(&column.name) => {
                    let new = [900 + row, row + 2][usize::from(self.dice.chance(30))];
                    new.to_string()
                }
                () if column.hidden => self.shown(target, column),
                () => self.stored(column),
            });
            values.push(format!("({})", fields.collect::<Vec<_>>().join(", ")));
        }
        let names: Vec<_> = chosen.iter().map(|column| &*column.name).collect();
        let conflict = self.on_conflict(target);
        let returning = self.returning();
        format!(
            "INSERT INTO {name} ({}) VALUES {}{conflict}{returning}",
            names.join(", "),
            values.join(", ")
        )
    }

    fn on_conflict(&mut self, target: &Relation) -> String {
        // Their keys are in no index.
        if target.name.starts_with("events") || target.name == "vip_customers" {
            return String::new();
        }
        let key = &target.keys[0];
        let clear =
            target.columns.iter().filter(|it| !it.hidden && !target.keys.contains(&it.name));
        let clear: Vec<_> = clear.collect();
        match self.dice.below(5) {
            0 => " ON CONFLICT DO NOTHING".to_owned(),
            1 => format!(" ON CONFLICT ({key}) DO NOTHING"),
            2 | 3 if !clear.is_empty() => {
                let column = &self.dice.of(&clear).name;
                let filter = match self.dice.chance(40) {
                    true => {
                        // Bare names are EXCLUDED's too.
                        let bare_percent = std::mem::replace(&mut self.bare_percent, 0);
                        let condition = self.join_condition();
                        self.bare_percent = bare_percent;
                        format!(" WHERE {condition}")
                    }
                    false => String::new(),
                };
                format!(" ON CONFLICT ({key}) DO UPDATE SET {column} = EXCLUDED.{column}{filter}")
            }
            _ => String::new(),
        }
    }

    fn merge(&mut self, target: &Relation) -> String {
        let (spelled, key) = (self.spelled(target), &target.keys[0]);
        let clear = target.columns.iter().find(|it| !it.hidden && !target.keys.contains(&it.name));
        let action = match clear {
            Some(column) => format!("UPDATE SET {} = {}", column.name, self.stored(column)),
            None => "DELETE".to_owned(),
        };
        let source = self.dice.pick(&["orders", "newsletter", "(VALUES (1), (2), (77))"]);
        let columns = if source.starts_with('(') { " (id)" } else { "" };
        format!(
            "MERGE INTO {spelled} AS m USING {source} AS s{columns} ON m.{key} = s.id \
             WHEN MATCHED THEN {action} WHEN NOT MATCHED THEN DO NOTHING"
        )
    }

    /// A value for a column that is not hidden.
    fn stored(&mut self, column: &Column) -> String {
        if column.name == "customer_id" || column.name == "order_id" {
            return self.dice.between(1, 40).to_string();
        }
        if column.name == "at" {
            return "'2024-03-04 00:00:00+00'".to_owned();
        }
        if matches!(column.of, Type::Text) {
            let text = self.dice.pick(&["x", "***", "done", "жук"]).to_owned();
            return self.literal(&text);
        }
        if column.of == Type::Num {
            return self.dice.pick(&["10.25", "0", "99.5"]).to_owned();
        }
        match self.constant(column.of) {
            null if null.starts_with("NULL") => "DEFAULT".to_owned(),
            constant => constant,
        }
    }

    /// A value for a hidden column: what a mask could show there, seldom another.
    fn shown(&mut self, target: &Relation, column: &Column) -> String {
        let id = self.dice.between(1, 15) as u32;
        let email = |which| mask("customers.email", &traps::stored(Variant::A, which, id));
        let text = match (column.of, &*column.name) {
            (Type::Text, "email" | "\"E-mail\"" | "addr") if self.dice.chance(20) => {
                self.trust = Trust::Variants;
                format!("new{id}@mail.test")
            }
            (Type::Text, "email") => email("customers.email"),
            (Type::Text, "\"E-mail\"") => email("UserProfiles.E-mail"),
            (Type::Text, "addr") => email("newsletter.addr"),
            (Type::Text, "phone") => {
                mask("customers.phone", &traps::stored(Variant::A, "customers.phone", id))
            }
            (Type::Text, "\"телефон\"") => {
                mask("customers.phone", &traps::stored(Variant::A, "клиенты.телефон", id))
            }
            (Type::Text, "card_number") => format!("***************{:04}", 2000 + id),
            (Type::Text, "national_id" | "ssn") => format!("********{:04}", 3000 + id),
            (Type::Text, _) => "***".to_owned(),
            (Type::Date, _) => format!("19{}-01-01", 50 + id),
            (
                Type::Int
                | Type::Num
                | Type::Time
                | Type::Bool
                | Type::Json
                | Type::Texts
                | Type::Inet
                | Type::Bytes
                | Type::Person
                | Type::Status,
                _,
            ) => return "NULL".to_owned(),
        };
        debug_assert!(target.kind == Kind::Table, "views are not written to");
        self.literal(&text)
    }
}
