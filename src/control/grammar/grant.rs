//! `GRANT READ ON … [WHERE …] TO … FOR … REASON …`, and requests in the same words.

use std::time::Duration;

use super::cursor::{Cursor, Piece};
use super::{AskWords, Command, GrantWords, ResourceWords, SubjectWords, SyntaxError};
use crate::grant::{Action, Limits, Runs, Urgency};
use crate::model::{Timestamp, parse_duration};

pub(super) const FORM: &str = "GRANT READ[, LOOKUP, WRITE, EXPORT] ON shop.public.customers.email \
     | ON CLASS email [IN shop] [WHERE id = 42] TO alice | TO GROUP support FOR '30 minutes' \
     [STARTING '2026-01-31 09:00+01' | FROM FIRST USE] REASON 'INC-42' [TICKET 'INC-42'] \
     [MAX 10 ROWS | USES | SUBJECTS] [UNUSED '10 minutes']";

/// Parts of the longest path: database, schema, table, column.
const PATH_PARTS_MAX: usize = 4;

pub(super) const REQUEST_FORM: &str = "REQUEST READ[, LOOKUP, WRITE, EXPORT] ON \
     shop.public.customers.email | ON CLASS email [IN shop] [WHERE id = 42] FOR '30 minutes' \
     [STARTING '2026-01-31 09:00+01' | FROM FIRST USE | BREAK GLASS] REASON 'INC-42' \
     [TICKET 'INC-42'] [MAX 10 ROWS | USES | SUBJECTS] [UNUSED '10 minutes']";

const EXTEND_FORM: &str =
    "EXTEND 7 FOR '10 minutes' REASON 'INC-42', with the id that SHOW GRANTS lists";

/// Reads what follows the word GRANT.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<GrantWords, SyntaxError> {
    cursor.expect_form(FORM);
    let what = What::read(cursor, "TO")?;
    cursor.expect("TO")?;
    let subject = subject(cursor)?;
    let start = cursor.position();
    let ask = Terms::read(cursor)?.of(what, cursor)?;
    match ask.urgency {
        Urgency::Ordinary => Ok(GrantWords { subject, ask }),
        Urgency::BreakGlass => {
            Err(cursor.error_at("a GRANT needs no BREAK GLASS: it is in force at once", start))
        }
    }
}

/// Reads what follows the word REQUEST.
pub(super) fn read_request(cursor: &mut Cursor<'_>) -> Result<AskWords, SyntaxError> {
    cursor.expect_form(REQUEST_FORM);
    let what = What::read(cursor, "FOR")?;
    Terms::read(cursor)?.of(what, cursor)
}

/// Reads what follows the word EXTEND.
pub(super) fn read_extension(cursor: &mut Cursor<'_>) -> Result<Command, SyntaxError> {
    cursor.expect_form(EXTEND_FORM);
    let grant = cursor.number("the id of a grant")?;
    cursor.expect("FOR")?;
    let by = duration(cursor)?;
    cursor.expect("REASON")?;
    Ok(Command::Extend { grant, by, reason: super::reason(cursor)? })
}

/// What stands before the terms.
struct What {
    actions: Vec<Action>,
    resource: ResourceWords,
    database: Option<String>,
    rows: Option<String>,
}

impl What {
    /// A condition on rows goes on up to the word `next`.
    fn read(cursor: &mut Cursor<'_>, next: &str) -> Result<Self, SyntaxError> {
        let actions = actions(cursor)?;
        cursor.expect("ON")?;
        let (resource, database) = placed(cursor)?;
        let rows = match cursor.take("WHERE") {
            Some(()) => Some(cursor.text_until(next)?.to_owned()),
            None => None,
        };
        Ok(Self { actions, resource, database, rows })
    }
}

/// A resource, and the database it is in if that is said.
pub(super) fn placed(
    cursor: &mut Cursor<'_>,
) -> Result<(ResourceWords, Option<String>), SyntaxError> {
    let resource = resource(cursor)?;
    let database = match cursor.take("IN") {
        Some(()) => Some(cursor.name("the name of a database")?),
        None => None,
    };
    Ok((resource, database))
}

fn actions(cursor: &mut Cursor<'_>) -> Result<Vec<Action>, SyntaxError> {
    let mut actions = Vec::new();
    loop {
        let start = cursor.position();
        let word = cursor.name("READ, LOOKUP, WRITE or EXPORT")?;
        match Action::parse(&word) {
            Some(action) if !actions.contains(&action) => actions.push(action),
            Some(_) => return Err(cursor.error_at(format!("{word} stands twice"), start)),
            None => {
                let message = format!("expected READ, LOOKUP, WRITE or EXPORT, found {word}");
                return Err(cursor.error_at(message, start));
            }
        }
        if cursor.take_piece(&Piece::Comma).is_none() {
            return Ok(actions);
        }
    }
}

fn resource(cursor: &mut Cursor<'_>) -> Result<ResourceWords, SyntaxError> {
    // A table may be called "class"; then it is quoted or qualified.
    if cursor.take("CLASS").is_some() {
        return cursor.name("the name of a class").map(ResourceWords::Class);
    }
    let start = cursor.position();
    let mut parts = vec![cursor.name("a table or column, or CLASS and its name")?];
    while cursor.take_piece(&Piece::Period).is_some() {
        parts.push(cursor.name("a name")?);
    }
    if parts.len() > PATH_PARTS_MAX {
        return Err(cursor.error_at("a column is database.schema.table.column at most", start));
    }
    Ok(ResourceWords::Path(parts))
}

pub(super) fn subject(cursor: &mut Cursor<'_>) -> Result<SubjectWords, SyntaxError> {
    if cursor.take("GROUP").is_some() {
        return who(cursor, "the name of a group").map(SubjectWords::Group);
    }
    who(cursor, "a user, or GROUP and its name").map(SubjectWords::User)
}

/// A name, or a string for names that are no identifiers.
fn who(cursor: &mut Cursor<'_>, what: &str) -> Result<String, SyntaxError> {
    let start = cursor.position();
    let name = match cursor.peek().map(|lexeme| &lexeme.piece) {
        Some(Piece::Text(_)) => cursor.string(what)?,
        _ => cursor.name(what)?,
    };
    if name.trim().is_empty() {
        return Err(cursor.error_at("the name is empty", start));
    }
    Ok(name)
}

/// The clauses after TO, each at most once, in any order.
#[derive(Default)]
struct Terms {
    duration: Option<Duration>,
    starting: Option<Timestamp>,
    reason: Option<String>,
    ticket: Option<String>,
    limits: Limits,
    runs: Option<Runs>,
    urgency: Option<Urgency>,
}

impl Terms {
    /// With what they are the terms of.
    fn of(self, what: What, cursor: &mut Cursor<'_>) -> Result<AskWords, SyntaxError> {
        let What { actions, resource, database, rows } = what;
        Ok(AskWords {
            actions,
            resource,
            database,
            rows,
            duration: self.duration.ok_or_else(|| cursor.unexpected("FOR and a duration"))?,
            starting: self.starting,
            reason: self.reason.ok_or_else(|| cursor.unexpected("REASON and a reason"))?,
            ticket: self.ticket,
            limits: self.limits,
            runs: self.runs.unwrap_or_default(),
            urgency: self.urgency.unwrap_or_default(),
        })
    }

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let mut terms = Self::default();
        while cursor.peek().is_some() {
            let start = cursor.position();
            let again = if cursor.take("FOR").is_some() {
                terms.duration.replace(duration(cursor)?).is_some()
            } else if cursor.take("STARTING").is_some() {
                terms.starting.replace(timestamp(cursor)?).is_some()
            } else if cursor.take("REASON").is_some() {
                terms.reason.replace(super::reason(cursor)?).is_some()
            } else if cursor.take("TICKET").is_some() {
                terms.ticket.replace(cursor.string("a ticket in quotes")?).is_some()
            } else if cursor.take("MAX").is_some() {
                terms.limit(cursor)?
            } else if cursor.take("UNUSED").is_some() {
                terms.limits.unused.replace(duration(cursor)?).is_some()
            } else if cursor.take("FROM").is_some() {
                cursor.expect("FIRST")?;
                cursor.expect("USE")?;
                terms.runs.replace(Runs::FromFirstUse).is_some()
            } else if cursor.take("BREAK").is_some() {
                cursor.expect("GLASS")?;
                terms.urgency.replace(Urgency::BreakGlass).is_some()
            } else {
                let clauses = "FOR, STARTING, REASON, TICKET, MAX, UNUSED or FROM FIRST USE";
                return Err(cursor.unexpected(clauses));
            };
            if again {
                return Err(cursor.error_at("the clause stands twice", start));
            }
        }
        Ok(terms)
    }

    /// `10 ROWS`; whether it was said before.
    fn limit(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, SyntaxError> {
        let number = cursor.number("how many ROWS, USES or SUBJECTS")?;
        let kinds = [
            ("ROWS", &mut self.limits.max_rows),
            ("USES", &mut self.limits.max_uses),
            ("SUBJECTS", &mut self.limits.max_subjects),
        ];
        for (word, limit) in kinds {
            if cursor.take(word).is_some() {
                return Ok(limit.replace(number).is_some());
            }
        }
        Err(cursor.unexpected("ROWS, USES or SUBJECTS"))
    }
}

pub(super) fn duration(cursor: &mut Cursor<'_>) -> Result<Duration, SyntaxError> {
    let start = cursor.position();
    let text = cursor.string("a duration in quotes")?;
    parse_duration(&text).map_err(|error| cursor.error_at(error.to_string(), start))
}

fn timestamp(cursor: &mut Cursor<'_>) -> Result<Timestamp, SyntaxError> {
    let start = cursor.position();
    let text = cursor.string("a timestamp in quotes")?;
    text.parse().map_err(|_| {
        cursor.error_at(
            "the timestamp needs a date, a time and an offset, such as '2026-01-31 09:00+01'",
            start,
        )
    })
}
