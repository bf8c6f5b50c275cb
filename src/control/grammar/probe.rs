//! What drivers say on their own: settings, and whether somebody is there.

use super::cursor::{Cursor, Piece};
use super::{Command, Probe, SELECT_HINT, SyntaxError};

/// Settings that drivers send on their own and that change nothing in what the console answers.
const IGNORED_SETTINGS: &[&str] = &[
    "application_name",
    "bytea_output",
    "client_min_messages",
    "datestyle",
    "default_transaction_read_only",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "intervalstyle",
    "lock_timeout",
    "search_path",
    "statement_timeout",
    "timezone",
];

pub(super) fn set(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    let start = cursor.position();
    let _ = cursor.take("SESSION");
    let name = cursor.name("a setting")?;
    if IGNORED_SETTINGS.contains(&name.as_str()) {
        Ok(Command::Set)
    } else {
        Err(cursor.error_at(format!("the console has no setting {name}"), start))
    }
}

pub(super) fn probe(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    cursor.expect_form(SELECT_HINT);
    let start = cursor.position();
    let no_database = |cursor: &Cursor<'_>| cursor.error_at("the console runs no queries", start);
    let probe = match cursor.number("a number") {
        Ok(number) => Probe::Number(i32::try_from(number).map_err(|_| no_database(cursor))?),
        Err(_) => {
            let _ = cursor.take("pg_catalog").and_then(|()| cursor.take_piece(&Piece::Period));
            cursor
                .take("version")
                .and_then(|()| cursor.take_piece(&Piece::Open))
                .and_then(|()| cursor.take_piece(&Piece::Close))
                .ok_or_else(|| no_database(cursor))?;
            Probe::Version
        }
    };
    match cursor.peek() {
        None => Ok(Command::Probe(probe)),
        Some(_) => Err(no_database(cursor)),
    }
}
