use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CatalogView, Resource};

/// A condition on the rows of one relation, safe as SQL text under every setting a client can
/// make: names in quotes, operators of `pg_catalog`, literals in ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPredicate {
    /// For people: `"id" = 42`.
    pub shown: String,
    /// For the database: `"id" OPERATOR(pg_catalog.=) 42`, since a client's `search_path` could
    /// put another `=` before PostgreSQL's.
    pub sql: Arc<str>,
}

/// A row predicate that was refused.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum PredicateError {
    #[error("rows can only be chosen on a column or a table, not on {0}")]
    Resource(String),
    #[error("the columns of {0} are not known yet")]
    Schema(String),
    #[error("row predicates are not read yet")]
    Syntax,
}

impl RowPredicate {
    /// Reads a condition such as `id = 42 AND region IN ('north', 'south')`.
    ///
    /// # Errors
    /// [`PredicateError`] for anything but comparisons of plain columns with literals.
    pub fn parse(
        _text: &str,
        _resource: &Resource,
        _view: &CatalogView,
    ) -> Result<Self, PredicateError> {
        Err(PredicateError::Syntax)
    }
}
