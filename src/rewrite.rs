//! The verdict as SQL: masks are pushed below the query by replacing bytes of the client's text.
//!
//! Nothing is printed from a tree. A relation's name in FROM becomes a masked subselect, a column
//! of a write's target becomes its mask; every other byte stays. The result is parsed again and
//! held against the original (`verify`): what differs must lie inside bytes inserted here.

mod relation;
mod verify;
mod write;

use std::ops::Range;

use crate::analysis::facts::{Analysis, Place};
use crate::analysis::parse::{Parsed, parse};
use crate::analysis::{Context, analyse};
use crate::decision::{Decision, Standpoint, Way};

/// A statement of a text together with its verdict.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    pub analysis: &'a Analysis,
    pub decision: &'a Decision,
}

/// Why a text could not be rewritten; it is refused then.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RewriteError {
    #[error("{0} over hidden columns")]
    Unsupported(&'static str),
    #[error("views are nested too deeply")]
    Nesting,
    #[error("the definition of view {0} cannot be rewritten")]
    View(String),
    #[error("the rewritten statement does not say the same")]
    Verification,
}

/// Views inside views inside views: how deep.
const VIEWS_NESTED_MAX: usize = 16;

/// Bytes of the original and what replaces them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    pub range: Range<usize>,
    pub text: String,
}

/// The proxy's answer in place of an in-band reference: a FROM item without its alias.
#[derive(Clone, Debug)]
pub struct InBandAnswer {
    pub sql: String,
    pub default_alias: String,
}

/// Rewrites `text`, whose statements were `decided`; `answers` stand for the in-band references of
/// all statements, in order.
///
/// # Errors
/// [`RewriteError`]: the text must not run.
pub fn rewrite(
    text: &str,
    parsed: &Parsed,
    decided: &[Decided<'_>],
    answers: &[InBandAnswer],
    context: Context<'_>,
    standpoint: Standpoint<'_>,
) -> Result<String, RewriteError> {
    let mut splices = Vec::new();
    let mut answers = answers.iter();
    for (index, one) in decided.iter().enumerate() {
        let statement = Builder { text, parsed, index, context, standpoint, depth: 0 };
        statement.splices(*one, &mut splices)?;
        for reference in &one.analysis.in_band {
            let answer = answers.next().ok_or(RewriteError::Verification)?;
            let alias = match &reference.alias {
                Some(_) => String::new(),
                None => format!(" AS {}", answer.default_alias),
            };
            splices.push(Splice {
                range: reference.span.clone(),
                text: format!("{}{alias}", answer.sql),
            });
        }
    }
    let (rewritten, inserted) = apply(text, splices)?;
    let again = parse(&rewritten).map_err(|_| RewriteError::Verification)?;
    verify::same_outside(parsed, &again, &inserted)?;
    for (index, one) in decided.iter().enumerate() {
        if one.decision.way == Way::Compute {
            nothing_left(&again, index, one, context, &inserted)?;
        }
    }
    Ok(rewritten)
}

/// Every reference that hides something must lie inside inserted bytes now.
fn nothing_left(
    again: &Parsed,
    index: usize,
    decided: &Decided<'_>,
    context: Context<'_>,
    inserted: &[Inserted],
) -> Result<(), RewriteError> {
    let hides = |relation| {
        let references = decided.analysis.references.iter().zip(&decided.decision.hidden);
        references.into_iter().any(|(reference, hidden)| {
            reference.relation == relation && !hidden.is_empty() && is_read(reference.place)
        })
    };
    let analysis = analyse(again, index, context);
    for reference in &analysis.references {
        let ours = inserted.iter().any(|piece| {
            piece.new.start <= reference.span.start && reference.span.end <= piece.new.end
        });
        if !ours && is_read(reference.place) && hides(reference.relation) {
            return Err(RewriteError::Verification);
        }
    }
    Ok(())
}

fn is_read(place: Place) -> bool {
    matches!(place, Place::From | Place::TableCommand | Place::Sampled | Place::Copy)
}

/// One replaced piece: where it was, where its replacement is.
#[derive(Clone, Debug)]
struct Inserted {
    old: Range<usize>,
    new: Range<usize>,
}

/// Letters, digits, quotes and what PostgreSQL's scanner takes for letters.
fn is_part_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'"' | b'\'') || !byte.is_ascii()
}

fn apply(text: &str, mut splices: Vec<Splice>) -> Result<(String, Vec<Inserted>), RewriteError> {
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let mut out = String::with_capacity(text.len() + 256 * splices.len());
    let (mut inserted, mut at) = (Vec::with_capacity(splices.len()), 0);
    for splice in splices {
        let before = text.get(at..splice.range.start).ok_or(RewriteError::Verification)?;
        out.push_str(before);
        // `FROM contacts"x"`, `RETURNING"email"`: what touched before must not run together.
        let sticks = |byte: Option<&u8>| byte.is_some_and(|byte| is_part_of_a_name(*byte));
        if sticks(out.as_bytes().last()) {
            out.push(' ');
        }
        let start = out.len();
        out.push_str(&splice.text);
        inserted.push(Inserted { old: splice.range.clone(), new: start..out.len() });
        at = splice.range.end;
        if sticks(text.as_bytes().get(at)) {
            out.push(' ');
        }
    }
    out.push_str(text.get(at..).ok_or(RewriteError::Verification)?);
    Ok((out, inserted))
}

/// Builds the splices of one statement.
#[derive(Clone, Copy)]
struct Builder<'a> {
    text: &'a str,
    parsed: &'a Parsed,
    /// The statement's place among those of the text.
    index: usize,
    context: Context<'a>,
    standpoint: Standpoint<'a>,
    /// How many views deep the text lies.
    depth: usize,
}

impl Builder<'_> {
    fn splices(self, one: Decided<'_>, splices: &mut Vec<Splice>) -> Result<(), RewriteError> {
        for qualify in &one.analysis.qualify {
            if let Some(relation) = self.context.schema.relation(qualify.relation) {
                let text = relation.name.quoted();
                splices.push(Splice { range: qualify.span.clone(), text });
            }
        }
        if one.decision.way != Way::Compute {
            return Ok(());
        }
        for (reference, hidden) in one.analysis.references.iter().zip(&one.decision.hidden) {
            if !hidden.is_empty() {
                self.reference(reference, hidden, splices)?;
            }
        }
        for write in &one.analysis.writes {
            self.write(write, one, splices)?;
        }
        self.rows_by_schema(one, splices);
        Ok(())
    }
}
