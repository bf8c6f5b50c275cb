//! What of the server's words a client may hear: errors and notices of statements that touch hidden
//! data keep their SQLSTATE and nothing else.

use super::queue::Run;
use crate::analysis::parse::ParseError;
use crate::decision::{Scrub, scrubbed};
use crate::mask::REFUSED_MARK;
use crate::model::{Report, Severity, SqlState};
use crate::wire::backend::ErrorFields;
use crate::wire::{WireError, write};

/// Whether words are scrubbed, by this statement or by an earlier one of the transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ScrubState {
    transaction: Option<Scrub>,
    ever: Option<Scrub>,
}

impl ScrubState {
    /// A statement that scrubs up to the end of the transaction has been sent.
    pub(super) fn sent(&mut self, scrub: Scrub) {
        if scrub == Scrub::Transaction {
            self.transaction = Some(scrub);
        }
        if scrub != Scrub::No {
            self.ever = Some(scrub);
        }
    }

    /// What goes to the server's log (and to clients that ask for it by `client_min_messages`) may
    /// come after the statement that it is about.
    pub(super) fn is_log_of_earlier(self, notice: &[u8]) -> bool {
        let severity = ErrorFields::read(notice).ok().and_then(|fields| fields.get(b'V'));
        self.ever.is_some() && !matches!(severity, Some(b"NOTICE" | b"WARNING" | b"INFO"))
    }

    /// Whether nothing has been scrubbed in this session yet.
    pub(super) fn is_clean(self) -> bool {
        self.ever.is_none()
    }

    pub(super) fn transaction_ended(&mut self) {
        self.transaction = None;
    }

    pub(super) fn applies(self, statement: Scrub) -> bool {
        statement != Scrub::No || self.transaction.is_some()
    }
}

/// The SQLSTATE of an ErrorResponse.
pub(super) fn state_of(payload: &[u8]) -> SqlState {
    ErrorFields::read(payload)
        .ok()
        .and_then(|fields| fields.get(b'C').and_then(SqlState::parse))
        .unwrap_or(SqlState::INTERNAL_ERROR)
}

/// Whether a write failed because it set a guarded column to something new.
pub(super) fn changes_what_it_may_not(payload: &[u8], run: &Run) -> bool {
    let message = ErrorFields::read(payload).ok().and_then(|fields| fields.get(b'M'));
    let mark = REFUSED_MARK.as_bytes();
    !run.guarded.is_empty()
        && message.is_some_and(|it| it.windows(mark.len()).any(|window| window == mark))
}

/// Appends the ErrorResponse without the server's words.
pub(super) fn scrubbed_error(payload: &[u8], out: &mut Vec<u8>) {
    let mut report = scrubbed(state_of(payload));
    let severity = ErrorFields::read(payload).ok().and_then(|fields| fields.get(b'V'));
    if matches!(severity, Some(b"FATAL" | b"PANIC")) {
        report.severity = Severity::Fatal;
    }
    write::error(out, &report);
}

/// Appends a notice that says only that there was one.
pub(super) fn scrubbed_notice(out: &mut Vec<u8>) {
    write::notice(out, &Report::notice("a message of the server is hidden"));
}

/// The text sent in place of a refused statement: the server answers with a syntax error, which
/// puts transaction and batch into the state that a failed statement leaves, and into its log.
pub(super) const REFUSED_SQL: &str = "keyhole refused a statement of this session";

/// The audit log cannot be written: no raw data (law 8).
pub(super) fn audit_unavailable() -> Report {
    Report::error(SqlState::IO_ERROR, "the audit log cannot be written")
        .detail("Personal data is shown only when its record is durable.")
        .hint("Ask the proxy's administrator; statements without personal data go on.")
}

pub(super) fn violation() -> Report {
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        "the result holds personal data that is not granted",
    )
    .detail("It was found by where the server says its columns come from; nothing was released.")
    .hint("Ask for access to the columns, or report the statement: it should have been masked.")
}

pub(super) fn unmaskable() -> Report {
    Report::error(SqlState::INSUFFICIENT_PRIVILEGE, "a value of the result cannot be masked")
        .hint("Cast the column to text, or ask for access to it.")
}

pub(super) fn protocol(why: impl std::fmt::Display) -> Report {
    Report::fatal(SqlState::PROTOCOL_VIOLATION, format!("protocol violation: {why}"))
}

/// A type byte that PostgreSQL does not know either; it says the same.
pub(super) fn unknown_message(tag: u8) -> Report {
    let text = format!("invalid frontend message type {tag}");
    Report::fatal(SqlState::PROTOCOL_VIOLATION, text)
}

/// A message that cannot be read: like any failed statement, as the server has it.
pub(super) fn malformed(error: WireError) -> Report {
    let state = match error {
        WireError::NotUtf8 => SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        WireError::FormatCode => SqlState::INVALID_PARAMETER_VALUE,
        WireError::Length
        | WireError::Truncated
        | WireError::Leftover
        | WireError::Unterminated
        | WireError::ZeroInString
        | WireError::Count
        | WireError::FormatCount
        | WireError::UnknownTag
        | WireError::Value
        | WireError::Version => SqlState::PROTOCOL_VIOLATION,
    };
    Report::error(state, error.to_string())
}

/// A message that has to be looked at as a whole, and is longer than what is kept.
pub(super) fn too_long(frame_len_max: usize) -> Report {
    Report::error(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        format!("a message is longer than the {frame_len_max} bytes that the proxy looks at"),
    )
    .hint("Send bulk data by COPY or as parameters, or raise frame_len_max in [data].")
}

pub(super) fn fast_path() -> Report {
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        "function calls over the fast path are not allowed",
    )
    .hint("Use SELECT function(…).")
}

pub(super) fn unchecked_parameters() -> Report {
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        "parameters of user-defined types cannot be declared in this database",
    )
    .detail("Some of its types are checked by code over personal data, which would tell.")
    .hint("Leave the parameter's type to the server, or cast in the statement.")
}

pub(super) fn unreadable() -> Report {
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        "the statement cannot be checked with this client_encoding",
    )
    .hint("SET client_encoding = 'UTF8'.")
}

pub(super) fn unwatched() -> Report {
    Report::fatal(SqlState::ADMIN_SHUTDOWN, "a catalog was loaded where there was none")
        .detail("What this session has prepared and opened was not looked at.")
        .hint("Connect again.")
}

/// What is no SQL is told so in PostgreSQL's words.
pub(super) fn unparsable(error: &ParseError) -> Report {
    let state = match error {
        ParseError::Length | ParseError::Size => SqlState::PROGRAM_LIMIT_EXCEEDED,
        ParseError::Nesting => SqlState::STATEMENT_TOO_COMPLEX,
        ParseError::Syntax(error) => {
            let report = Report::error(SqlState::SYNTAX_ERROR, error.message.clone());
            return Report { position: error.position, ..report };
        }
        ParseError::Parser => SqlState::SYNTAX_ERROR,
    };
    Report::error(state, error.to_string())
        .hint("A statement that mentions personal data must be one that the proxy can read.")
}

pub(super) fn executes_hidden(name: &str) -> Report {
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for prepared statement \"{name}\""),
    )
    .detail("It is not known to touch no personal data; EXPLAIN tells, and CREATE TABLE AS stores.")
    .hint("Write the statement itself instead of EXECUTE.")
}

pub(super) fn executes_executing(name: &str) -> Report {
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for prepared statement \"{name}\""),
    )
    .detail("It is an EXECUTE itself.")
    .hint("Execute the statement that it names.")
}

pub(super) fn prepared_lookup() -> Report {
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        "a lookup is prepared or opened beside other statements",
    )
    .detail("Values that are looked up are counted, message by message.")
    .hint("Send PREPARE or DECLARE as a message of its own.")
}

pub(super) fn too_many_lookups(per_minute: u32, seconds: Option<u64>) -> Report {
    let report = Report::error(
        SqlState::CONFIGURATION_LIMIT_EXCEEDED,
        format!("too many values looked up: {per_minute} in a minute are allowed"),
    );
    match seconds {
        Some(seconds) => report.hint(format!("Try again in {seconds} seconds.")),
        None => report.hint("Ask for fewer values at once, or for access to the column."),
    }
}

pub(super) fn too_many_names() -> Report {
    Report::error(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        "too many prepared statements, portals or cursors in this session",
    )
    .hint("Close or deallocate some.")
}
