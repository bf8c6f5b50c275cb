//! The console's language: text in, [`Command`]s out. Case does not matter, a semicolon ends a
//! command, several may stand in one query.

mod approve;
mod cursor;
mod grant;
mod help;
mod probe;
mod restrict;
mod verb;

use std::borrow::Cow;
use std::time::Duration;

use self::cursor::{Cursor, Lexeme, Piece, lex};
use self::verb::Verb;
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
    Drift,
    Sinks,
    Restrictions,
    Stats,
}

impl Topic {
    pub const ALL: [Self; 12] = [
        Self::Help,
        Self::Version,
        Self::Grants,
        Self::Requests,
        Self::Sessions,
        Self::Catalog,
        Self::Policies,
        Self::Databases,
        Self::Drift,
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
            Self::Drift => "DRIFT",
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
    /// psql's tab completion behind SHOW: what there is to show that begins so, in lower case.
    Topics(String),
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
    pub hint: Cow<'static, str>,
    /// Where, in characters from 1: ErrorResponse's field P.
    pub position: usize,
}

impl SyntaxError {
    fn new(message: String, hint: &'static str, text: &str, byte: usize) -> Self {
        let position = text.get(..byte).map_or(1, |before| before.chars().count() + 1);
        Self { message, hint: Cow::Borrowed(hint), position }
    }

    /// With what may have been meant ahead of its hint.
    fn meant(mut self, meant: Option<String>) -> Self {
        if let Some(meant) = meant {
            self.hint = Cow::Owned(format!("Did you mean {meant}? {}", self.hint));
        }
        self
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
                         DATABASES | DRIFT | SINKS | RESTRICTIONS | STATS | CHALLENGE 3";
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
    let word = match cursor.peek().map(|lexeme| &lexeme.piece) {
        Some(Piece::Word(word)) => word.to_ascii_uppercase(),
        _ => String::new(),
    };
    let start = cursor.position();
    cursor.advance();
    let Some(verb) = Verb::of(&word) else { return Err(unknown(&mut cursor, &word, start)) };
    let command = match verb {
        Verb::Show => show(&mut cursor)?,
        Verb::Grant => Command::Grant(Box::new(grant::read(&mut cursor)?)),
        Verb::Request => Command::Request(Box::new(grant::read_request(&mut cursor)?)),
        Verb::Extend => grant::read_extension(&mut cursor)?,
        Verb::Cancel => {
            cursor.expect_form(CANCEL_FORM);
            Command::Cancel(cursor.number("the id of a request")?)
        }
        Verb::Approve => approve::read(&mut cursor)?,
        Verb::Deny => deny(&mut cursor)?,
        Verb::Revoke => revoke(&mut cursor)?,
        Verb::Review => {
            cursor.expect_form(REVIEW_FORM);
            let grant = cursor.number("the id of a grant")?;
            cursor.expect("REASON")?;
            Command::Review { grant, note: reason(&mut cursor)? }
        }
        Verb::Kill => {
            cursor.expect_form(KILL_FORM);
            cursor.expect("SESSION")?;
            Command::KillSession(cursor.number("the id of a session")?)
        }
        Verb::Suspend => restrict::suspend(&mut cursor)?,
        Verb::Lift => restrict::lift(&mut cursor)?,
        Verb::Reload => Command::Reload,
        Verb::Pause => Command::Pause,
        Verb::Resume => Command::Resume,
        Verb::Set => return probe::set(&mut cursor),
        Verb::Select => return probe::probe(&mut cursor),
    };
    cursor.end()?;
    Ok(command)
}

/// A first word, in upper case, that begins no command.
fn unknown(cursor: &mut Cursor<'_>, word: &str, start: usize) -> SyntaxError {
    if ["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "SAVEPOINT"].contains(&word) {
        cursor.expect_form(TRANSACTION_HINT);
        return cursor.error_at("the console has no transactions", start);
    }
    if DATABASE_VERBS.contains(&word) {
        cursor.expect_form(SELECT_HINT);
        return cursor.error_at(format!("{word} is no command of the console"), start);
    }
    cursor.error_at(format!("unknown command {}", cursor.first()), start).meant(verb::meant(word))
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
        None => {
            let meant = cursor.word().and_then(verb::meant_topic);
            Err(cursor.unexpected("something to show").meant(meant))
        }
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
