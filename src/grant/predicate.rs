//! Row predicates: our own small language, read with `sqlparser` and printed from our own tree,
//! so that what runs is what was shown to the approver and nothing that was written around it.

mod literal;
mod print;
mod read;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CatalogView, Resource};

/// Longer predicates are refused.
const TEXT_BYTES_MAX: usize = 2_000;

/// A condition on the rows of one relation, safe as SQL text under every setting a client can
/// make: names in quotes, operators of `pg_catalog`, literals in ASCII, dates in ISO form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPredicate {
    /// For people: `"id" = 42`.
    pub shown: String,
    /// For the database: `("id" OPERATOR(pg_catalog.=) 42)`, since a client's `search_path` could
    /// put another `=` before PostgreSQL's.
    pub sql: Arc<str>,
}

/// A row predicate that was refused.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum PredicateError {
    #[error("rows can be chosen on a column or a table, not on {0}")]
    Resource(String),
    #[error("rows of {0} cannot be chosen, since its columns are not known")]
    Schema(String),
    #[error("a row predicate has at most {TEXT_BYTES_MAX} bytes and some 40 levels")]
    Length,
    #[error("a row predicate is a condition such as: id = 42 AND region IN ('north', 'south')")]
    Syntax,
    #[error(
        "a row predicate compares columns with literals, by = <> < <= > >=, IN, BETWEEN, \
         IS NULL, AND, OR, NOT; it has no {0}"
    )]
    Form(&'static str),
    #[error(
        "\"{0}\" is not a column over which rows can be chosen: it does not exist, or it is \
         personal data itself"
    )]
    Column(String),
    #[error("rows cannot be chosen by \"{column}\", since it is of type {type_sql}")]
    Type { column: String, type_sql: String },
    #[error("\"{column}\" is compared with {wanted}")]
    Literal { column: String, wanted: &'static str },
}

/// What was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Compare { column: String, operator: Operator, literal: Literal },
    In { column: String, literals: Vec<Literal> },
    Between { column: String, low: Literal, high: Literal },
    Null { column: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A literal in the form that PostgreSQL reads the same under every setting.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Literal {
    /// Digits with at most one point and a minus sign.
    Number(String),
    Boolean(bool),
    Text(String),
}

impl RowPredicate {
    /// Reads a condition such as `id = 42 AND region IN ('north', 'south')` over the columns of
    /// the resource's relation. Columns that are personal data are refused: which rows are shown
    /// would tell what they hide, and the predicate itself is kept in requests and in the audit.
    ///
    /// # Errors
    /// [`PredicateError`] for anything but comparisons of plain columns with literals.
    pub fn parse(
        text: &str,
        resource: &Resource,
        view: &CatalogView,
    ) -> Result<Self, PredicateError> {
        let no_relation = || PredicateError::Resource(resource.to_string());
        let relation = resource.relation().ok_or_else(no_relation)?;
        let unknown = || PredicateError::Schema(relation.to_string());
        let columns = view.plain_columns(relation).ok_or_else(unknown)?;
        let condition = read::condition(text, columns)?;
        Ok(Self { shown: print::shown(&condition), sql: print::sql(&condition).into() })
    }
}

#[cfg(test)]
mod tests;
