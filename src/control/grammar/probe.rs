//! What drivers say on their own: settings, and whether somebody is there.

use super::cursor::{Cursor, Lexeme, Piece};
use super::{Command, Probe, SELECT_HINT, SyntaxError};

const CATALOG_HINT: &str = "Tables are on the data port; SHOW CATALOG lists what is hidden there, \
                            SHOW DATABASES the databases, SHOW HELP the commands of this console.";

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
    if let Some(prefix) = setting_prefix(cursor.rest()) {
        return Ok(Command::Probe(Probe::Topics(prefix)));
    }
    if cursor.rest().iter().any(|lexeme| says(lexeme, "pg_catalog"))
        && cursor.rest().iter().any(|lexeme| says(lexeme, "FROM"))
    {
        cursor.expect_form(CATALOG_HINT);
        return Err(cursor.error_at("the console has no tables to list", start));
    }
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

/// The beginning of a name that psql looks for among settings, which are what SHOW shows in a
/// database: `SELECT … FROM pg_catalog.pg_settings WHERE … LIKE …('gr%')`.
fn setting_prefix(query: &[Lexeme]) -> Option<String> {
    query.iter().find(|lexeme| says(lexeme, "pg_settings"))?;
    let like = query.iter().position(|lexeme| says(lexeme, "LIKE"))?;
    let pattern = query[like..].iter().find_map(|lexeme| match &lexeme.piece {
        Piece::Text(pattern) => Some(pattern),
        Piece::Word(_)
        | Piece::Quoted(_)
        | Piece::Number(_)
        | Piece::Comma
        | Piece::Period
        | Piece::Semicolon
        | Piece::Open
        | Piece::Close
        | Piece::Other => None,
    })?;
    Some(pattern.strip_suffix('%')?.replace('\\', "").to_ascii_lowercase())
}

fn says(lexeme: &Lexeme, word: &str) -> bool {
    matches!(&lexeme.piece, Piece::Word(said) if said.eq_ignore_ascii_case(word))
}
