//! What a refused or masked client is told: which columns, why, and how to ask.

use crate::analysis::facts::Obstacle;
use crate::decision::World;
use crate::model::{ColumnId, Report, SqlState, quote_literal};

/// The columns in the catalog's words, sorted, each once.
pub(super) fn names(world: &World, columns: &[ColumnId]) -> Vec<String> {
    let mut names: Vec<String> = columns
        .iter()
        .filter_map(|id| world.sensitive.column(*id))
        .map(|column| column.path.dotted())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// How to ask for the first of `columns`, as a statement that can be pasted.
pub fn ask_for(world: &World, columns: &[ColumnId]) -> String {
    ask_for_first(&names(world, columns))
}

fn ask_for_first(names: &[String]) -> String {
    let what = names.first().map_or("table.column", String::as_str);
    format!(
        "Ask for access: SELECT * FROM keyhole.request({}, '30 minutes', 'why you need it').",
        quote_literal(what)
    )
}

/// The notice of a statement whose result holds masks.
pub fn hidden_notice(world: &World, columns: &[ColumnId]) -> Report {
    let names = names(world, columns);
    Report::notice(format!("masked: {}", names.join(", "))).hint(ask_for_first(&names))
}

pub(super) fn denied(world: &World, columns: &[ColumnId], why: &str) -> Report {
    let names = names(world, columns);
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for personal data: {}", names.join(", ")),
    )
    .detail(why)
    .hint(ask_for_first(&names))
}

/// A write would have changed one of `columns`, on which constraints over hidden values rest.
pub fn may_not_change(world: &World, columns: &[ColumnId]) -> Report {
    let mut names: Vec<String> = columns
        .iter()
        .filter_map(|id| {
            let relation = world.schema.relation(id.relation)?;
            let column = relation.column_numbered(id.number)?;
            Some(format!("{}.{}", relation.name, column.name))
        })
        .collect();
    names.sort();
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("permission denied: the statement changes one of {}", names.join(", ")),
    )
    .detail(
        "A constraint over hidden values rests on them: success or failure would tell whether a \
         value exists. What was shown may be written back.",
    )
    .hint("It takes a grant for write on the hidden columns of the constraint.")
}

pub(super) fn obstacle(obstacle: &Obstacle) -> Report {
    let denied = |message: String| Report::error(SqlState::INSUFFICIENT_PRIVILEGE, message);
    match obstacle {
        Obstacle::SideDoor(name) => denied(format!("permission denied for {name}"))
            .detail("It leads around the tables to values that are hidden.")
            .hint("Ask an administrator; there is no grant for it."),
        Obstacle::Function(name) => denied(format!("permission denied for {name}"))
            .detail("It reads personal data, or cannot be looked into.")
            .hint("An administrator can declare it in the catalog: [[function]] with its class."),
        Obstacle::OpaqueView(name) => denied(format!("permission denied for view {name}"))
            .detail("It reads through a function that cannot be looked into.")
            .hint("An administrator can declare that function in the catalog."),
        Obstacle::Ddl(what) => denied(format!("permission denied for {what}"))
            .detail("It mentions personal data or opens a way around the proxy.")
            .hint("It needs the role \"ddl\"."),
        Obstacle::Unsupported(what) => denied(format!("{what} is not supported over hidden data"))
            .hint("Ask for access to the columns, or write the statement another way."),
        Obstacle::Unknown { name } => {
            Report::error(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
        }
    }
}

/// What remains of an error of a statement that touches hidden data: its SQLSTATE and a text that
/// depends on nothing else.
pub fn scrubbed(state: SqlState) -> Report {
    let message = match &state.as_str()[..2] {
        "22" => "invalid value",
        "23" => "a constraint was violated",
        "25" | "40" => "the transaction cannot go on",
        "42" => "the statement is not valid here",
        "53" | "54" => "a limit of the server was reached",
        "55" => "an object is not available",
        "57" => "the statement was interrupted",
        _ => "the statement failed",
    };
    Report::error(state, message)
        .detail("The server's own words are hidden, because the statement touches hidden data.")
}
