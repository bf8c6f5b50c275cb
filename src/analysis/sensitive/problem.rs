//! What is wrong between catalog and schema, for `check`, logs and metrics.

use std::fmt;

use super::reach::Reaching;
use crate::model::{ColumnPath, RelationName};
use crate::schema::Snapshot;

/// One thing to be put right in the catalog. Never a reason to hide less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the catalog says so: `catalog/shop.toml:33`; empty for what no line of it says.
    pub place: String,
    pub kind: ProblemKind,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    #[error("there is no relation {0}")]
    NoRelation(RelationName),
    #[error("there is no column {0}")]
    NoColumn(ColumnPath),
    #[error("{0} is a view: the columns of its tables are what can be catalogued")]
    View(RelationName),
    #[error("{path} has class \"{class}\", which does not exist; it is hidden by redact")]
    NoClass { path: ColumnPath, class: String },
    #[error("{path} is now called {now}; it stays tagged, and the catalog should follow")]
    Renamed { path: ColumnPath, now: ColumnPath },
    #[error("there is no function {0}")]
    NoFunction(String),
    #[error("function {signature} has class \"{class}\", which does not exist; it stays refused")]
    NoFunctionClass { signature: String, class: String },
    #[error("a cast of type {0} runs a function over personal data, and nobody sees it called")]
    Cast(String),
    #[error(
        "statements with {symbol} are refused, as an operator of that name runs {function}, which \
         reads personal data or cannot be looked into; declare it if it is clear"
    )]
    Operator { symbol: String, function: String },
}

/// Symbols without which few statements do.
const COMMON: &[&str] = &["=", "<>", "<", ">", "<=", ">=", "+", "-", "*", "/", "||", "~~", "->>"];

/// Operators that close a symbol which everybody uses.
pub(super) fn closed_operators(schema: &Snapshot, reaching: &Reaching<'_>) -> Vec<Problem> {
    let common = schema.operators.iter().filter(|it| COMMON.contains(&&*it.symbol));
    let closed = common.filter(|operator| reaching.reveals(operator.function)).map(|operator| {
        let function = schema.functions.iter().find(|it| it.oid == operator.function);
        let function = function.map_or(&operator.function_name, |it| &it.signature).clone();
        let kind = ProblemKind::Operator { symbol: operator.symbol.clone(), function };
        Problem { place: String::new(), kind }
    });
    closed.collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            write!(f, "{}", self.kind)
        } else {
            write!(f, "{}: {}", self.place, self.kind)
        }
    }
}
