//! Statements of the log made into statements again: a constant of some kind in the place of each
//! one that was removed.
//!
//! Of what a statement touches nothing hangs on the values of its constants, but PostgreSQL's grammar
//! wants texts here and numbers there, and `?` is an operator as well. Guesses are made from what
//! stands around, and changed where the grammar says that it stopped.

mod guess;

use self::guess::{Before, last_word};
use crate::analysis::parse::{ParseError, Parsed, parse};
use crate::analysis::tree::Deeper;

/// Why a statement is not replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(super) enum Lost {
    #[error("its text is not on record, as it was not certain where its constants end")]
    NotShown,
    #[error("only the beginning of its text is on record")]
    Cut,
    #[error("a quoted name in it is not on record, as it looks like a value")]
    Name,
    #[error("it does not parse without its constants")]
    Syntax,
    #[error("what it runs was prepared or opened earlier, and is looked at there")]
    Earlier,
    #[error("the proxy itself answered it")]
    Local,
    #[error("no [[database]] of the configuration serves its database")]
    Database,
    #[error("there are too many different statements")]
    TooMany,
}

/// What the normalizer writes for a text that it is not sure of begins so.
const NOT_SHOWN: &str = "(not shown: ";

/// Stands behind a text that is longer than a record keeps.
const CUT: char = '…';

/// Further items of a list, further rows of VALUES.
const MORE: &str = ", ...";

/// Stands for a quoted name that looks like a value. As the name of an output column it does not
/// matter.
const HIDDEN_NAME: &str = "\"?\"";

/// So often a text is parsed, at most.
const ATTEMPTS_MAX: usize = 24;

/// The text with constants again, as one that parses.
///
/// # Errors
/// [`Lost`]: there is none, or it says nothing by itself.
pub(super) fn restored(text: &str) -> Result<String, Lost> {
    if text.starts_with(NOT_SHOWN) {
        return Err(Lost::NotShown);
    }
    if text.ends_with(CUT) {
        return Err(Lost::Cut);
    }
    if text.match_indices(HIDDEN_NAME).any(|(at, _)| !names_output(&text[..at])) {
        return Err(Lost::Name);
    }
    let mut draft = Draft::of(without_more(text));
    for _ in 0..ATTEMPTS_MAX {
        let whole = draft.text();
        match parse(&whole) {
            Ok(parsed) if names_earlier(&parsed) => return Err(Lost::Earlier),
            Ok(_) => return Ok(whole),
            Err(ParseError::Syntax(error)) => {
                let at = error.position.and_then(|position| byte_of(&whole, position));
                if !draft.change_up_to(at.unwrap_or(whole.len())) {
                    return Err(Lost::Syntax);
                }
            }
            Err(
                ParseError::Length | ParseError::Nesting | ParseError::Size | ParseError::Parser,
            ) => return Err(Lost::Syntax),
        }
    }
    Err(Lost::Syntax)
}

/// Whether what follows is the name of an output column, or of a relation in the statement.
fn names_output(before: &str) -> bool {
    let before = before.trim_end();
    before.len() > 3 && last_word(before).eq_ignore_ascii_case("as")
}

/// Whether it runs what has a name in its session.
fn names_earlier(parsed: &Parsed) -> bool {
    let mut found = false;
    for statement in &parsed.statements {
        statement.tree.walk(&mut |node| {
            found |= matches!(node.kind, "ExecuteStmt" | "FetchStmt");
            if found { Deeper::No } else { Deeper::Yes }
        });
    }
    found
}

/// The byte at which a character, counted from 1, begins.
fn byte_of(text: &str, position: usize) -> Option<usize> {
    let end = (position == text.chars().count() + 1).then_some(text.len());
    text.char_indices().nth(position.checked_sub(1)?).map(|(at, _)| at).or(end)
}

/// Lists as if they had ended before what was left out.
fn without_more(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let (mut begin, mut at) = (0, 0);
    while at < text.len() {
        match text.as_bytes()[at] {
            b'"' => at = behind_quoted(text, at),
            b',' if text[at..].starts_with(MORE) => {
                short.push_str(&text[begin..at]);
                at += MORE.len();
                begin = at;
            }
            _ => at += 1,
        }
    }
    short.push_str(&text[begin..]);
    short
}

fn behind_quoted(text: &str, at: usize) -> usize {
    text[at + 1..].find('"').map_or(text.len(), |length| at + length + 2)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    Text,
    Number,
    Operator,
}

impl Spelling {
    const ALL: usize = 3;

    fn as_str(self) -> &'static str {
        match self {
            Self::Text => "''",
            Self::Number => " 0 ",
            Self::Operator => "?",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Text => Self::Number,
            Self::Number => Self::Operator,
            Self::Operator => Self::Text,
        }
    }
}

/// A `?` of the text, and what stands in its place for now.
#[derive(Clone, Copy, Debug)]
struct Hole {
    at: usize,
    spelling: Spelling,
    /// Spellings that were tried, the present one included.
    tried: usize,
}

struct Draft {
    normalized: String,
    holes: Vec<Hole>,
}

impl Draft {
    fn of(normalized: String) -> Self {
        let mut holes: Vec<Hole> = Vec::new();
        let mut at = 0;
        while at < normalized.len() {
            match normalized.as_bytes()[at] {
                b'"' => at = behind_quoted(&normalized, at),
                b'?' => {
                    let last = holes.last().filter(|last| {
                        normalized[last.at + 1..at].chars().all(char::is_whitespace)
                    });
                    let before = Before::of(&normalized[..at], last.map(|last| last.spelling));
                    let spelling = before.guess(&normalized[at + 1..]);
                    holes.push(Hole { at, spelling, tried: 1 });
                    at += 1;
                }
                _ => at += 1,
            }
        }
        Self { normalized, holes }
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity(self.normalized.len() + 2 * self.holes.len());
        let mut begin = 0;
        for hole in &self.holes {
            text.push_str(&self.normalized[begin..hole.at]);
            text.push_str(hole.spelling.as_str());
            begin = hole.at + 1;
        }
        text.push_str(&self.normalized[begin..]);
        text
    }

    /// Spells the last hole that begins up to the byte of [`Draft::text`], and was not spelled in
    /// every way, in the next; whether there is one.
    fn change_up_to(&mut self, byte: usize) -> bool {
        let mut grown = 0;
        let mut up_to = 0;
        for hole in &self.holes {
            if hole.at + grown > byte {
                break;
            }
            grown += hole.spelling.as_str().len() - 1;
            up_to += 1;
        }
        let changed = (0..up_to).rev().find(|index| self.holes[*index].tried < Spelling::ALL);
        let Some(index) = changed else { return false };
        let hole = &mut self.holes[index];
        hole.spelling = hole.spelling.next();
        hole.tried += 1;
        true
    }
}

#[cfg(test)]
mod tests;
