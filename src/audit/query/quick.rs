//! Lines that cannot match, known by their bytes.
//!
//! **Invariant:** dismissing a line never loses a match. A value that a record must have stands in
//! its line byte by byte, unless JSON escapes some of it: what may be escaped in short (`"`, `\`,
//! `/`, control characters) is never looked for, and a line with a `\u`, which can stand for
//! anything, is always read.

use std::net::IpAddr;

use aho_corasick::{AhoCorasick, MatchKind};

use super::{Addresses, Query};
use crate::audit::read::Kind;
use crate::audit::record::{Decision, cut_name};

/// Stands in lines in which anything may be escaped.
const ESCAPED: &str = "\\u";
/// `{"seq":`, of a line as the log writes it.
const SEQ_KEY: &[u8] = b"{\"seq\":";
const TIME_KEY: &[u8] = b",\"time\":\"";
/// `2026-01-31T23:59:59.999999Z`.
const TIME_LEN: usize = 27;

#[derive(Debug, Default)]
pub(super) struct Quick {
    since: Option<String>,
    until: Option<String>,
    kinds: Vec<Kind>,
    sessions: Vec<u64>,
    /// Each has to be found in the line.
    clauses: Vec<AhoCorasick>,
}

#[derive(Clone, Copy)]
enum Case {
    Exact,
    Ascii,
}

impl Quick {
    pub(super) fn of(query: &Query) -> Self {
        let time = |time| Some(format!("{time:.6}")).filter(|text| text.len() == TIME_LEN);
        let mut quick = Self {
            since: query.since.and_then(time),
            until: query.until.and_then(time),
            kinds: query.kinds.clone(),
            sessions: query.sessions.clone(),
            clauses: Vec::new(),
        };
        let words = |words: &[String]| words.iter().map(|word| whole(word)).collect();
        quick.clause(Case::Exact, query.users.iter().map(|user| whole(user)).collect());
        let group = |group: &String| vec![whole(group), whole(&format!("group:{group}"))];
        quick.clause(Case::Exact, query.groups.iter().flat_map(group).collect());
        quick.clause(Case::Exact, words(&query.applications));
        quick.clause(Case::Exact, words(&query.databases));
        quick.clause(Case::Exact, words(&query.fingerprints));
        quick.clause(Case::Exact, words(&query.steps));
        quick.clause(Case::Exact, query.decisions.iter().map(|is| decision(*is)).collect());
        let addresses = query.addresses.iter().flat_map(|asked| address(*asked));
        quick.clause(Case::Ascii, addresses.collect());
        let column = |column: &String| {
            let table = column.rsplit_once('.').map(|(table, _)| end(table));
            [Some(part(column)), table].into_iter().flatten().collect::<Vec<_>>()
        };
        quick.clause(Case::Ascii, query.columns.iter().flat_map(column).collect());
        quick.clause(Case::Ascii, query.tables.iter().map(|table| part(table)).collect());
        let mut classes = Vec::new();
        for class in &query.classes {
            classes.push(whole(&format!("class:{}", class.name)));
            classes.extend(class.columns.iter().map(|known| part(&known.column)));
        }
        quick.clause(Case::Exact, classes);
        for (key, numbers) in [("\"grant", &query.grants), ("\"request", &query.requests)] {
            if !numbers.is_empty() {
                quick.clause(Case::Exact, vec![key.to_owned()]);
                quick.clause(Case::Exact, numbers.iter().map(u64::to_string).collect());
            }
        }
        for word in &query.words {
            quick.clause(Case::Ascii, vec![part(word)]);
        }
        quick
    }

    /// Any of these has to be in a line. Nothing that can be looked for is in any.
    fn clause(&mut self, case: Case, mut any: Vec<String>) {
        if any.is_empty() || any.iter().any(String::is_empty) {
            return;
        }
        any.push(ESCAPED.to_owned());
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::Standard).ascii_case_insensitive(matches!(case, Case::Ascii));
        // Too much for an automaton is not looked for.
        self.clauses.extend(builder.build(any));
    }

    /// Whether the line is certainly not wanted.
    pub(super) fn dismisses(&self, line: &[u8]) -> bool {
        if !self.kinds.is_empty()
            && Kind::of_line(line).is_some_and(|kind| !self.kinds.contains(&kind))
        {
            return true;
        }
        if (self.since.is_some() || self.until.is_some())
            && let Some(time) = time_of(line)
            // As precise as the log, so what is as late as the end has to be read.
            && (self.since.as_ref().is_some_and(|since| time < since.as_bytes())
                || self.until.as_ref().is_some_and(|until| time > until.as_bytes()))
        {
            return true;
        }
        self.clauses.iter().any(|clause| !clause.is_match(line))
            || !(self.sessions.is_empty() || may_be_of(line, &self.sessions))
    }
}

/// The time of a line that begins as the log writes them.
fn time_of(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(SEQ_KEY)?;
    let rest = &rest[rest.iter().position(|byte| !byte.is_ascii_digit())?..];
    let rest = rest.strip_prefix(TIME_KEY)?;
    let (time, rest) = rest.split_at_checked(TIME_LEN)?;
    let shape = |(at, byte): (usize, &u8)| match at {
        4 | 7 => *byte == b'-',
        10 => *byte == b'T',
        13 | 16 => *byte == b':',
        // A leap second is read as the one before.
        17 => (b'0'..=b'5').contains(byte),
        19 => *byte == b'.',
        26 => *byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    (rest.first() == Some(&b'"') && time.iter().enumerate().all(shape)).then_some(time)
}

/// Whether a member `session` of the line, wherever it is, has one of these numbers.
fn may_be_of(line: &[u8], sessions: &[u64]) -> bool {
    const KEY: &[u8] = b"\"session\"";
    let mut rest = line;
    while let Some(at) = rest.iter().position(|byte| *byte == b'"') {
        rest = &rest[at..];
        let Some(behind) = rest.strip_prefix(KEY) else {
            rest = &rest[1..];
            continue;
        };
        let value = behind.trim_ascii_start();
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii_start();
        let digits = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
        let number = std::str::from_utf8(&value[..digits]).ok().and_then(|text| text.parse().ok());
        if number.is_some_and(|number: u64| sessions.contains(&number)) {
            return true;
        }
        rest = behind;
    }
    line.windows(ESCAPED.len()).any(|pair| pair == ESCAPED.as_bytes())
}

/// A string that is this value, or the beginning of it that records keep.
fn whole(value: &str) -> String {
    let kept = cut_name(value);
    if kept.len() == value.len() && part(value).len() == value.len() {
        return format!("\"{value}\"");
    }
    part(kept)
}

/// A string that ends in this.
fn end(value: &str) -> String {
    let part = part(value);
    if part.len() == value.len() { format!("{part}\"") } else { part }
}

/// The longest part that stands in JSON as it is.
fn part(value: &str) -> String {
    let parts = value.split(|c: char| matches!(c, '"' | '\\' | '/') || c.is_control());
    parts.max_by_key(|part| part.len()).unwrap_or_default().to_owned()
}

fn decision(decision: Decision) -> String {
    serde_json::to_string(&decision).unwrap_or_default()
}

/// There are several ways to write an address of IPv6. One of IPv4 may be mapped into it.
fn address(asked: Addresses) -> [String; 2] {
    match asked.only() {
        Some(IpAddr::V4(address)) => [address.to_string(), ":ffff:".to_owned()],
        Some(IpAddr::V6(_)) | None => Default::default(),
    }
}
