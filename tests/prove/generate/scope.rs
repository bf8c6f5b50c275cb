//! What can be named: sources of FROM with their columns, and common table expressions.

use super::super::shop::{Column, Relation, Type};
use super::super::statement::Trust;
use super::Gen;

/// The sources of one FROM.
pub(super) type Scope = Vec<Source>;

#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) alias: String,
    pub(super) columns: Vec<Column>,
    /// Columns that no two of its rows share; none are known if empty.
    pub(super) keys: Vec<String>,
    /// A list of column aliases stands behind its name.
    pub(super) renamed: bool,
    /// None for queries, values and functions.
    pub(super) relation: Option<&'static Relation>,
}

#[derive(Clone, Debug)]
pub(super) struct Cte {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) keys: Vec<String>,
}

impl Gen {
    /// A column of that type, hidden ones first, or None.
    pub(super) fn column(&mut self, of: Type) -> Option<String> {
        let outer_percent = self.outer_percent;
        let outermost = if self.dice.chance(outer_percent) { 0 } else { self.scopes.len() - 1 };
        let mut found = Vec::new();
        for (level, scope) in self.scopes.iter().enumerate().skip(outermost) {
            for source in scope {
                for column in source.columns.iter().filter(|column| column.of == of) {
                    let times = if column.hidden { 4 } else { 1 };
                    found.extend([(level, source, column)].repeat(times));
                }
            }
        }
        if found.is_empty() {
            return None;
        }
        let (level, source, column) = found[self.dice.below(found.len())];
        let innermost = level + 1 == self.scopes.len();
        let same = self.scopes[level].iter().flat_map(|source| &source.columns);
        let alone = same.filter(|other| other.name == column.name).count() == 1;
        let reference = format!("{}.{}", source.alias, column.name);
        let bare = column.name.clone();
        let bare_percent = self.bare_percent;
        Some(if innermost && alone && self.dice.chance(bare_percent) { bare } else { reference })
    }

    /// A source of the innermost scope.
    pub(super) fn source(&mut self) -> Source {
        let scope = self.scopes.last().expect("inside of a query");
        let source = scope[self.dice.below(scope.len())].clone();
        if source.renamed && source.relation.is_some() {
            // As a whole, a row of a table has the table's names, one of a subselect the aliases.
            self.trust = Trust::Variants;
        }
        source
    }

    /// Columns that together tell all rows of the innermost FROM apart, if that is known.
    pub(super) fn keys(&self) -> Option<Vec<String>> {
        let scope = self.scopes.last().expect("inside of a query");
        if scope.iter().any(|source| source.keys.is_empty()) {
            return None;
        }
        let keys = |source: &Source| {
            let alias = source.alias.clone();
            source.keys.clone().into_iter().map(move |key| format!("{alias}.{key}"))
        };
        Some(scope.iter().flat_map(keys).collect())
    }

    /// The types of hidden columns in sight, each as often as it occurs, or text.
    pub(super) fn some_type(&mut self) -> Type {
        let mut types = Vec::new();
        for source in self.scopes.last().into_iter().flatten() {
            for column in &source.columns {
                types.extend([column.of].repeat(if column.hidden { 3 } else { 1 }));
            }
        }
        if types.is_empty() || self.dice.chance(25) {
            return *self.dice.of(&[Type::Text, Type::Int, Type::Bool, Type::Text, Type::Json]);
        }
        *self.dice.of(&types)
    }
}
