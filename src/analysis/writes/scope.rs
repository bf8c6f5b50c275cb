//! Whose rows the names in a write mean, and which of its values are the client's own.

use std::collections::HashSet;

use super::super::facts::{OtherItem, Source};
use super::super::names::{Names, Reach};
use super::super::relations::is_renamed;
use super::super::tree::{Deeper, Node, Value};
use super::super::walk::Walker;

/// Every name by which rows go in `statement`, but that of its `target`.
pub(super) fn aliases(statement: &Node, target: &Node) -> HashSet<String> {
    let mut names = HashSet::new();
    statement.walk(&mut |node| {
        for alias in ["alias", "join_using_alias"] {
            if let Some(alias) = node.node(alias)
                && !std::ptr::eq(node, target)
            {
                names.insert(alias.text("aliasname").to_owned());
            }
        }
        if node.kind == "RangeVar" && !node.has("alias") && !std::ptr::eq(node, target) {
            names.insert(node.text("relname").to_owned());
        }
        Deeper::Yes
    });
    names
}

/// `old` and `new`, and what `RETURNING WITH (OLD AS …, NEW AS …)` calls them.
pub(super) fn versions(statement: &Node) -> Vec<String> {
    let mut names = vec!["old".to_owned(), "new".to_owned()];
    if let Some(returning) = statement.node("returning_clause") {
        names.extend(returning.nodes("options").map(|option| option.text("value").to_owned()));
    }
    names
}

impl Walker<'_> {
    /// Walks items of FROM, and notes what each is.
    pub(super) fn others(&mut self, items: &[Value]) {
        for node in items.iter().filter_map(Value::as_node) {
            self.other(node);
        }
    }

    pub(super) fn other(&mut self, node: &Node) {
        if node.kind == "JoinExpr" && !node.has("alias") && !node.has("join_using_alias") {
            for side in ["larg", "rarg"] {
                if let Some(side) = node.node(side) {
                    self.other(side);
                }
            }
            return self.value(node.get("quals"));
        }
        let before = self.sensitive_names;
        self.node(node);
        let source =
            if self.sensitive_names == before { Source::Harmless } else { Source::Sensitive };
        let is_cte =
            node.text("schemaname").is_empty() && self.ctes.is_in_scope(node.text("relname"));
        let is_relation = node.kind == "RangeVar" && !is_renamed(node) && !is_cte;
        let relation = is_relation.then(|| self.meant(node)).flatten().map(|it| it.oid);
        let alias = match node.node("alias") {
            Some(alias) => Some(alias.text("aliasname")),
            None if node.kind == "RangeVar" => Some(node.text("relname")),
            None => None,
        };
        let alias = alias.map(str::to_owned);
        if let Some(level) = self.levels.last_mut() {
            level.others.push(OtherItem { alias, relation, source });
        }
    }

    /// Constants and parameters, casts aside, `excluded.column`, and columns of items that read
    /// nothing sensitive: values that the client sent, or may see.
    pub(super) fn is_plain(&self, value: &Node) -> bool {
        match value.kind {
            "AConst" | "ParamRef" => true,
            "TypeCast" => value.node("arg").is_some_and(|value| self.is_plain(value)),
            "ColumnRef" => match value.names("fields").as_slice() {
                ["excluded", _] => true,
                [row, _] => self.levels.last().is_some_and(|level| {
                    level.others.iter().any(|other| {
                        other.alias.as_deref() == Some(*row) && other.source == Source::Harmless
                    })
                }),
                _ => false,
            },
            _ => false,
        }
    }

    /// The names that a stored value reads; of a subquery or CTE that reads something sensitive
    /// its columns' names tell nothing.
    pub(super) fn reads(&self, value: &Value) -> Names {
        let mut names = Names::of_value(value);
        value.walk(&mut |node| {
            let renames = match node.kind {
                "RangeVar" => self.ctes.is_sensitive(node.text("relname")),
                "ColumnRef" => self.may_be_renamed(&node.names("fields")),
                _ => false,
            };
            if renames {
                names.reach = Reach::Everything;
            }
            Deeper::Yes
        });
        names
    }

    /// Whether a column may be one of a subquery or CTE that reads something sensitive.
    fn may_be_renamed(&self, column: &[&str]) -> bool {
        let Some(level) = self.levels.last() else { return false };
        let mut opaque = level
            .others
            .iter()
            .filter(|other| other.source == Source::Sensitive && other.relation.is_none());
        match column {
            [only] => {
                let target = level.target.and_then(|oid| self.context.schema.relation(oid));
                opaque.next().is_some() && target.is_none_or(|it| it.column(only).is_none())
            }
            [row, ..] => opaque.any(|other| other.alias.as_deref().is_none_or(|it| it == *row)),
            [] => false,
        }
    }
}
