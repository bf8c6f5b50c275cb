//! The console's language: text in, [`Command`]s out. Case does not matter, a semicolon ends a
//! command, several may stand in one query.

mod approve;
mod cursor;
mod grant;
mod help;
mod probe;
mod restrict;

use std::time::Duration;

use self::cursor::{Cursor, Lexeme, Piece, lex};
use crate::grant::{Action, GrantId, Limits, Proof, RequestId, Runs, Urgency};
use crate::model::{Report, SqlState, Timestamp};
use crate::telemetry::sessions::SessionId;

pub use help::HELP;

/// Commands in one query.
pub const COMMANDS_MAX: usize = 100;

/// What a DBA may say on the control port.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Show(Topic),
    Grant(Box<GrantWords>),
    /// For oneself.
    Request(Box<AskWords>),
    /// A longer life of one's own grant.
    Extend {
        grant: GrantId,
        by: Duration,
        reason: String,
    },
    /// One's own request is taken back.
    Cancel(RequestId),
    /// What an approver's own key signs.
    Challenge(RequestId),
    Approve {
        request: RequestId,
        proof: Proof,
    },
    Deny {
        request: RequestId,
        reason: String,
    },
    Revoke(Revoked),
    /// Break-glass access has been looked at.
    Review {
        grant: GrantId,
        note: String,
    },
    KillSession(SessionId),
    /// Nothing counts for the user until then, or until it is lifted.
    Suspend {
        user: String,
        duration: Option<Duration>,
        reason: String,
    },
    /// What was taken from the user is given back.
    Lift(String),
    Reload,
    /// Understood, and refused: nothing behind the proxy can be paused yet.
    Pause,
    Resume,
    /// A client's setting that changes nothing here.
    Set,
    Probe(Probe),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Help,
    Version,
    Grants,
    Requests,
    Sessions,
    Catalog,
    Policies,
    Databases,
    Sinks,
    Restrictions,
    Stats,
}

impl Topic {
    pub const ALL: [Self; 11] = [
        Self::Help,
        Self::Version,
        Self::Grants,
        Self::Requests,
        Self::Sessions,
        Self::Catalog,
        Self::Policies,
        Self::Databases,
        Self::Sinks,
        Self::Restrictions,
        Self::Stats,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Help => "HELP",
            Self::Version => "VERSION",
            Self::Grants => "GRANTS",
            Self::Requests => "REQUESTS",
            Self::Sessions => "SESSIONS",
            Self::Catalog => "CATALOG",
            Self::Policies => "POLICIES",
            Self::Databases => "DATABASES",
            Self::Sinks => "SINKS",
            Self::Restrictions => "RESTRICTIONS",
            Self::Stats => "STATS",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    One(GrantId),
    All,
    /// `ALL FROM alice`
    AllFrom(SubjectWords),
    /// `ALL ON customers.email IN shop`
    AllOn {
        resource: ResourceWords,
        database: Option<String>,
    },
}

/// What drivers ask to see whether somebody is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// `SELECT 1`
    Number(i32),
    /// `SELECT version()`
    Version,
}

/// A GRANT as it was written; names are not looked up yet.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantWords {
    pub subject: SubjectWords,
    pub ask: AskWords,
}

/// What is granted or requested.
#[derive(Clone, Debug, PartialEq)]
pub struct AskWords {
    pub actions: Vec<Action>,
    pub resource: ResourceWords,
    /// `IN shop`, for resources that do not name their database.
    pub database: Option<String>,
    /// The condition after WHERE, as written.
    pub rows: Option<String>,
    pub duration: Duration,
    pub starting: Option<Timestamp>,
    pub reason: String,
    pub ticket: Option<String>,
    pub limits: Limits,
    pub runs: Runs,
    pub urgency: Urgency,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceWords {
    /// `[[[database.]schema.]table.]column` or `[[database.]schema.]table`: one to four parts.
    Path(Vec<String>),
    Class(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectWords {
    User(String),
    Group(String),
}

/// Text that is no command.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{message}")]
pub struct SyntaxError {
    pub message: String,
    /// The right form.
    pub hint: &'static str,
    /// Where, in characters from 1: ErrorResponse's field P.
    pub position: usize,
}

impl SyntaxError {
    fn new(message: String, hint: &'static str, text: &str, byte: usize) -> Self {
        let position = text.get(..byte).map_or(1, |before| before.chars().count() + 1);
        Self { message, hint, position }
    }
}

impl From<SyntaxError> for Report {
    fn from(error: SyntaxError) -> Self {
        Self::error(SqlState::SYNTAX_ERROR, error.message).hint(error.hint)
    }
}

/// Shown where no command's own form can be.
pub const HELP_HINT: &str = "SHOW HELP lists the commands of this console.";
const SHOW_FORM: &str = "SHOW HELP | VERSION | GRANTS | REQUESTS | SESSIONS | CATALOG | POLICIES | \
                         DATABASES | SINKS | RESTRICTIONS | STATS | CHALLENGE 3";
const DENY_FORM: &str = "DENY 3 REASON 'no ticket', with the id that SHOW REQUESTS lists";
const CANCEL_FORM: &str = "CANCEL 3, with the id that SHOW REQUESTS lists";
const REVOKE_FORM: &str = "REVOKE 7, with the id that SHOW GRANTS lists, or REVOKE ALL \
     [FROM alice | FROM GROUP support | ON customers.email | ON CLASS email [IN shop]]";
const REVIEW_FORM: &str = "REVIEW 7 REASON 'incident 42 was real', with the id of a grant";
const KILL_FORM: &str = "KILL SESSION 12, with the id that SHOW SESSIONS lists";
const SELECT_HINT: &str =
    "This is the console, not a database: SHOW HELP lists its commands. Data is on the data port.";
const TRANSACTION_HINT: &str =
    "Every command takes effect at once; switch the driver to autocommit.";

/// What people mean for the data port.
const DATABASE_VERBS: &[&str] = &[
    "ALTER",
    "ANALYZE",
    "CALL",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DISCARD",
    "DO",
    "DROP",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "INSERT",
    "LISTEN",
    "LOCK",
    "MERGE",
    "PREPARE",
    "REFRESH",
    "REINDEX",
    "RESET",
    "TABLE",
    "TRUNCATE",
    "UNLISTEN",
    "UPDATE",
    "VACUUM",
    "VALUES",
    "WITH",
];

/// Reads a query: any number of commands, none for an empty text.
///
/// # Errors
/// The first thing that is no command; nothing of the query is then to be run.
pub fn parse(text: &str) -> Result<Vec<Command>, SyntaxError> {
    let lexemes = lex(text)?;
    let parts: Vec<&[Lexeme]> =
        lexemes.split(|l| l.piece == Piece::Semicolon).filter(|part| !part.is_empty()).collect();
    if parts.len() > COMMANDS_MAX {
        let message = format!("more than {COMMANDS_MAX} commands in one query");
        return Err(SyntaxError::new(message, HELP_HINT, text, 0));
    }
    parts.into_iter().map(|part| command(text, part)).collect()
}

fn command(text: &str, lexemes: &[Lexeme]) -> Result<Command, SyntaxError> {
    let mut cursor = Cursor::new(text, lexemes, HELP_HINT);
    let verb = match cursor.peek().map(|lexeme| &lexeme.piece) {
        Some(Piece::Word(word)) => word.to_ascii_uppercase(),
        _ => String::new(),
    };
    let start = cursor.position();
    cursor.advance();
    let command = match verb.as_str() {
        "SHOW" => show(&mut cursor)?,
        "GRANT" => Command::Grant(Box::new(grant::read(&mut cursor)?)),
        "REQUEST" => Command::Request(Box::new(grant::read_request(&mut cursor)?)),
        "EXTEND" => grant::read_extension(&mut cursor)?,
        "CANCEL" => {
            cursor.expect_form(CANCEL_FORM);
            Command::Cancel(cursor.number("the id of a request")?)
        }
        "APPROVE" => approve::read(&mut cursor)?,
        "DENY" => deny(&mut cursor)?,
        "REVOKE" => revoke(&mut cursor)?,
        "REVIEW" => {
            cursor.expect_form(REVIEW_FORM);
            let grant = cursor.number("the id of a grant")?;
            cursor.expect("REASON")?;
            Command::Review { grant, note: reason(&mut cursor)? }
        }
        "KILL" => {
            cursor.expect_form(KILL_FORM);
            cursor.expect("SESSION")?;
            Command::KillSession(cursor.number("the id of a session")?)
        }
        "SUSPEND" => restrict::suspend(&mut cursor)?,
        "LIFT" => restrict::lift(&mut cursor)?,
        "RELOAD" => Command::Reload,
        "PAUSE" => Command::Pause,
        "RESUME" => Command::Resume,
        "SET" => return probe::set(&mut cursor),
        "SELECT" => return probe::probe(&mut cursor),
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT" => {
            cursor.expect_form(TRANSACTION_HINT);
            return Err(cursor.error_at("the console has no transactions", start));
        }
        _ if DATABASE_VERBS.contains(&verb.as_str()) => {
            cursor.expect_form(SELECT_HINT);
            return Err(cursor.error_at(format!("{verb} is no command of the console"), start));
        }
        _ => {
            let word = &text[lexemes[0].start..lexemes[0].end];
            return Err(cursor.error_at(format!("unknown command {word}"), start));
        }
    };
    cursor.end()?;
    Ok(command)
}

fn show(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    cursor.expect_form(SHOW_FORM);
    if cursor.take("CHALLENGE").is_some() {
        return cursor.number("the id of a request").map(Command::Challenge);
    }
    match Topic::ALL.into_iter().find(|topic| cursor.at(topic.word())) {
        Some(topic) => {
            cursor.advance();
            Ok(Command::Show(topic))
        }
        None => Err(cursor.unexpected("something to show")),
    }
}

fn deny(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    cursor.expect_form(DENY_FORM);
    let request = cursor.number("the id of a request")?;
    cursor.expect("REASON")?;
    let reason = reason(cursor)?;
    Ok(Command::Deny { request, reason })
}

fn revoke(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    cursor.expect_form(REVOKE_FORM);
    if cursor.take("ALL").is_some() {
        let what = if cursor.take("FROM").is_some() {
            Revoked::AllFrom(grant::subject(cursor)?)
        } else if cursor.take("ON").is_some() {
            let (resource, database) = grant::placed(cursor)?;
            Revoked::AllOn { resource, database }
        } else {
            Revoked::All
        };
        return Ok(Command::Revoke(what));
    }
    cursor.number("the id of a grant, or ALL").map(|grant| Command::Revoke(Revoked::One(grant)))
}

/// A reason is read by people later: it must say something.
fn reason(cursor: &mut Cursor<'_>) -> Result<String, SyntaxError> {
    let start = cursor.position();
    let text = cursor.string("a reason in quotes")?;
    if text.trim().is_empty() {
        return Err(cursor.error_at("the reason is empty", start));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
