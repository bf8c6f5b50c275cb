//! What stands in FROM: relations, queries, values, functions, and how they are joined.

use super::super::shop::{Column, Kind, Relation, Type, relations};
use super::super::statement::Trust;
use super::Gen;
use super::scope::Source;

/// What an item of FROM may refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    /// What is outside of the FROM.
    Outside,
    /// The items before it too.
    Left,
}

impl Gen {
    /// Opens a scope and fills it: the text after FROM.
    pub(super) fn from(&mut self, depth: usize, most: usize) -> String {
        self.scopes.push(Vec::new());
        let mut text = self.add_source(depth, Sees::Outside);
        let count = 1 + [0, 0, 0, 1, 1, 1, 1, 2][self.dice.below(8)];
        let mut by_text = 0;
        for _ in 1..count.min(most) {
            let sees = if self.dice.chance(25) { Sees::Left } else { Sees::Outside };
            let source = self.add_source(depth, sees);
            text = self.join(text, &source, &mut by_text);
        }
        text
    }

    fn join(&mut self, left: String, right: &str, by_text: &mut usize) -> String {
        let scope = self.scopes.last().expect("just opened");
        let (new, old) = scope.split_last().expect("just added");
        let (new, old) = (new.clone(), old.to_vec());
        let lateral = right.starts_with("LATERAL");
        let shared: Vec<String> = new.columns.iter().map(|column| column.name.clone()).collect();
        let single = |name: &String| {
            let of = |source: &Source| source.columns.iter().find(|it| it.name == *name).cloned();
            let found: Vec<_> = old.iter().filter_map(of).collect();
            let mine = new.columns.iter().find(|column| column.name == *name);
            found.len() == 1
                && mine.is_some_and(|mine| mine.of == found[0].of && mine.of == Type::Int)
        };
        let shared: Vec<String> = shared.into_iter().filter(single).collect();
        if old.len() == 1 && !shared.is_empty() && self.dice.chance(30) {
            let kind = self.dice.pick(&["JOIN", "LEFT JOIN", "FULL JOIN"]);
            let kind = if lateral { "LEFT JOIN" } else { kind };
            // NATURAL with every column of the same name; USING with one.
            if self.dice.chance(30) && !lateral && self.same_types(&old[0], &new) {
                return format!("{left} NATURAL {kind} {right}");
            }
            let column = self.dice.of(&shared).clone();
            return format!("{left} {kind} {right} USING ({column})");
        }
        let pairs = |of: Type| {
            let mut pairs = Vec::new();
            for source in &old {
                for a in source.columns.iter().filter(|column| column.of == of) {
                    for b in new.columns.iter().filter(|column| column.of == of) {
                        let key = new.keys.len() == 1 && new.keys.contains(&b.name);
                        if of != Type::Int || key {
                            pairs.push(format!(
                                "{}.{} = {}.{}",
                                source.alias, a.name, new.alias, b.name
                            ));
                        }
                    }
                }
            }
            pairs
        };
        let (ints, texts) = (pairs(Type::Int), pairs(Type::Text));
        let on = match (ints.is_empty(), texts.is_empty() || *by_text > 0) {
            // Masks are alike: such joins are large, and inside of others too large.
            (_, false) if self.scopes.len() == 1 && self.dice.chance(30) => {
                *by_text += 1;
                self.dice.of(&texts).clone()
            }
            (false, _) => self.dice.of(&ints).clone(),
            (true, _) if right.starts_with("(VALUES") || self.scopes.len() == 1 => {
                return format!("{left} CROSS JOIN {right}");
            }
            (true, _) => return format!("{left} LEFT JOIN {right} ON false"),
        };
        if lateral {
            let kind = self.dice.pick(&["JOIN", "LEFT JOIN"]);
            return format!("{left} {kind} {right} ON true AND {on}");
        }
        match self.dice.below(8) {
            0 => format!("{left} FULL JOIN {right} ON {on}"),
            1 => format!("{left} RIGHT JOIN {right} ON {on}"),
            2 | 3 => format!("{left} LEFT JOIN {right} ON {on}"),
            4 => format!("{left} JOIN {right} ON {on} AND {}", self.join_condition()),
            _ => format!("{left} JOIN {right} ON {on}"),
        }
    }

    pub(super) fn join_condition(&mut self) -> String {
        let subqueries = std::mem::replace(&mut self.subqueries, false);
        let condition = self.condition(0);
        self.subqueries = subqueries;
        condition
    }

    fn same_types(&self, one: &Source, other: &Source) -> bool {
        let conflict = |column: &Column| {
            let same = other.columns.iter().find(|it| it.name == column.name);
            same.is_some_and(|it| it.of != column.of)
        };
        !one.columns.iter().any(conflict)
    }

    /// One item of FROM, now in scope.
    fn add_source(&mut self, depth: usize, sees: Sees) -> String {
        let (text, source) = match self.dice.below(20) {
            0 | 1 if !self.ctes.is_empty() => self.cte_source(),
            2..=4 if depth > 0 => self.derived(depth - 1, sees),
            5 => self.values_source(),
            6 if sees == Sees::Left => self.unnested(),
            _ => self.relation_source(),
        };
        self.scopes.last_mut().expect("just opened").push(source);
        text
    }

    pub(super) fn relation(&mut self) -> &'static Relation {
        let all = relations();
        let mut at = self.dice.below(all.iter().map(|relation| relation.weight).sum());
        for relation in all {
            if at < relation.weight {
                return relation;
            }
            at -= relation.weight;
        }
        &all[0]
    }

    /// Its name, in one of the ways in which it can be written.
    pub(super) fn spelled(&mut self, relation: &Relation) -> String {
        if self.shadowed.iter().any(|name| name == relation.name) || self.dice.chance(20) {
            return relation.qualified();
        }
        let plain = relation.name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        match self.dice.below(12) {
            0 if plain => relation.name.to_uppercase(),
            1 if plain => format!("\"{}\"", relation.name),
            2 if relation.name.starts_with("hr.") => relation.name.replace("hr.", "\"hr\" . "),
            _ => relation.name.to_owned(),
        }
    }

    fn relation_source(&mut self) -> (String, Source) {
        let relation = self.relation();
        let spelled = self.spelled(relation);
        let table = relation.kind == Kind::Table;
        let mut text = spelled;
        if table && self.dice.chance(6) {
            text = format!("ONLY {text}");
        } else if table && self.dice.chance(4) {
            text = format!("{text} *");
        }
        let alias = self.name("t");
        let mut columns = relation.columns.clone();
        let mut keys = relation.keys.clone();
        let renamed = self.dice.chance(8);
        text = format!("{text} {}{alias}", self.dice.pick(&["", "AS "]));
        if renamed {
            let count = self.dice.between(1, columns.len());
            for column in &mut columns[..count] {
                let name = self.name("n");
                for key in keys.iter_mut().filter(|key| **key == column.name) {
                    key.clone_from(&name);
                }
                column.name = name;
            }
            let names: Vec<_> = columns[..count].iter().map(|column| &*column.name).collect();
            text = format!("{text} ({})", names.join(", "));
        }
        if table && self.dice.chance(4) {
            let method = self.dice.pick(&["SYSTEM", "BERNOULLI"]);
            let share = *self.dice.of(&[100, 100, 60]);
            if share < 100 {
                // Which rows it takes is decided by where they lie.
                self.trust = Trust::Variants;
            }
            text = format!("{text} TABLESAMPLE {method} ({share}) REPEATABLE (7)");
        }
        (text, Source { alias, columns, keys, renamed, relation: Some(relation) })
    }

    fn cte_source(&mut self) -> (String, Source) {
        let cte = self.ctes[self.dice.below(self.ctes.len())].clone();
        let alias = self.name("w");
        let text = format!("{} {alias}", cte.name);
        let (columns, keys) = (cte.columns, cte.keys);
        (text, Source { alias, columns, keys, renamed: false, relation: None })
    }

    fn derived(&mut self, depth: usize, sees: Sees) -> (String, Source) {
        // Without LATERAL it sees nothing of the FROM that it stands in.
        let own = if sees == Sees::Left { None } else { self.scopes.pop() };
        let query = self.table_query(depth);
        self.scopes.extend(own);
        let alias = self.name("d");
        let word = if sees == Sees::Left { "LATERAL " } else { "" };
        let text = format!("{word}({}) AS {alias}", query.sql);
        let (columns, keys) = (query.columns, query.keys);
        (text, Source { alias, columns, keys, renamed: false, relation: None })
    }

    fn values_source(&mut self) -> (String, Source) {
        let alias = self.name("v");
        let [key, name] = ["k", "s"].map(|prefix| self.name(prefix));
        let mut rows = Vec::new();
        for id in 1..=self.dice.between(1, 4) {
            let constant = self.constant(Type::Text);
            rows.push(format!("({id}, {constant})"));
        }
        let text = format!("(VALUES {}) {alias} ({key}, {name})", rows.join(", "));
        let columns = vec![
            Column { name: key.clone(), of: Type::Int, hidden: false },
            Column { name, of: Type::Text, hidden: false },
        ];
        (text, Source { alias, columns, keys: vec![key], renamed: false, relation: None })
    }

    fn unnested(&mut self) -> (String, Source) {
        let [alias, value, number] = ["u", "e", "o"].map(|prefix| self.name(prefix));
        let array = self.value(Type::Texts, 1);
        let text = format!("LATERAL unnest({array}) WITH ORDINALITY {alias} ({value}, {number})");
        let columns = vec![
            Column { name: value, of: Type::Text, hidden: true },
            Column { name: number.clone(), of: Type::Int, hidden: false },
        ];
        (text, Source { alias, columns, keys: vec![number], renamed: false, relation: None })
    }
}
