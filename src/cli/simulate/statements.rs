//! Statements of a file, as psql takes them: each ends with a semicolon. Lines of comments between
//! them may say whose they are, and hold for all that follow:
//!
//! ```sql
//! -- user: alice
//! -- application: crm
//! -- database: shop
//! SELECT email FROM customers WHERE id = 5;
//! -- count: 200
//! SELECT id FROM customers;
//! ```
//!
//! `count` is of the next statement alone.

use std::io::{self, BufRead};

use crate::analysis::parse::TEXT_LEN_MAX;

/// How often one statement may be said: sums of many have to fit.
const COUNT_MAX: u64 = 1_000_000_000;

/// How a file is cut into statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Semicolons,
    /// Each line is one.
    Lines,
}

/// Whose a statement is, as far as the file says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Headers {
    pub(super) user: Option<String>,
    pub(super) application: Option<String>,
    pub(super) database: Option<String>,
}

/// A statement of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) headers: &'a Headers,
    pub(super) sql: &'a [u8],
    /// How often it is said.
    pub(super) count: u64,
}

/// What the next byte belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Within {
    Nothing,
    /// `'…'`, with backslashes that escape or without.
    Text(Escapes),
    Identifier,
    Comment(usize),
    Dollars(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escapes {
    No,
    Yes,
}

struct Splitter<'f> {
    cut: Cut,
    headers: Headers,
    count: u64,
    within: Within,
    sql: Vec<u8>,
    found: &'f mut dyn FnMut(Found<'_>),
}

/// Hands each statement to `found`. Takes no more memory than the longest of them, and of a longer
/// one than can be analysed only the beginning.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read(
    mut from: impl BufRead,
    cut: Cut,
    found: &mut dyn FnMut(Found<'_>),
) -> io::Result<()> {
    let headers = Headers::default();
    let within = Within::Nothing;
    let mut splitter = Splitter { cut, headers, count: 1, within, sql: Vec::new(), found };
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        splitter.line(&line);
        line.clear();
    }
    splitter.end();
    Ok(())
}

impl Splitter<'_> {
    fn line(&mut self, line: &[u8]) {
        let blank = self.sql.trim_ascii().is_empty() && self.within == Within::Nothing;
        if blank && self.header(line) {
            return;
        }
        match self.cut {
            Cut::Lines => {
                self.sql.extend_from_slice(line);
                self.end();
            }
            Cut::Semicolons => self.scan(line),
        }
    }

    /// Whether the line is a comment and no part of a statement.
    fn header(&mut self, line: &[u8]) -> bool {
        let Some(said) = line.trim_ascii().strip_prefix(b"--") else { return false };
        let Ok(said) = std::str::from_utf8(said) else { return true };
        let Some((name, value)) = said.split_once(':') else { return true };
        let value = value.trim().to_owned();
        match name.trim() {
            "user" => self.headers.user = Some(value),
            "application" => self.headers.application = Some(value),
            "database" => self.headers.database = Some(value),
            "count" => self.count = value.parse().unwrap_or(1).min(COUNT_MAX),
            _ => {}
        }
        true
    }

    fn scan(&mut self, line: &[u8]) {
        let mut at = 0;
        while at < line.len() {
            let rest = &line[at..];
            if self.within == Within::Nothing && rest[0] == b';' {
                self.end();
                at += 1;
                continue;
            }
            let taken = self.token(rest);
            let room = TEXT_LEN_MAX.saturating_sub(self.sql.len());
            self.sql.extend_from_slice(&rest[..taken.min(room)]);
            at += taken;
        }
    }

    /// How many bytes belong together; notes where they lead.
    fn token(&mut self, rest: &[u8]) -> usize {
        match (&mut self.within, rest) {
            (Within::Nothing, [b'-', b'-', ..]) => rest.len(),
            (Within::Nothing | Within::Comment(_), [b'/', b'*', ..]) => {
                let depth = match &self.within {
                    Within::Comment(depth) => depth + 1,
                    Within::Nothing | Within::Text(_) | Within::Identifier | Within::Dollars(_) => {
                        1
                    }
                };
                self.within = Within::Comment(depth);
                2
            }
            (Within::Comment(depth), [b'*', b'/', ..]) => {
                *depth -= 1;
                if *depth == 0 {
                    self.within = Within::Nothing;
                }
                2
            }
            (Within::Nothing, [b'\'', ..]) => {
                self.within = Within::Text(self.escapes());
                1
            }
            (Within::Text(Escapes::Yes), [b'\\', _, ..]) => 2,
            // Of a doubled one, the second begins it again.
            (Within::Text(_), [b'\'', ..]) | (Within::Identifier, [b'"', ..]) => {
                self.within = Within::Nothing;
                1
            }
            (Within::Nothing, [b'"', ..]) => {
                self.within = Within::Identifier;
                1
            }
            (Within::Nothing, [b'$', ..]) => match self.dollars(rest) {
                Some(tag) => {
                    let len = tag.len();
                    self.within = Within::Dollars(tag);
                    len
                }
                None => 1,
            },
            (Within::Dollars(tag), _) if rest.starts_with(tag) => {
                let len = tag.len();
                self.within = Within::Nothing;
                len
            }
            (_, _) => 1,
        }
    }

    /// Whether a text that begins now is one with escapes: `E'…'`.
    fn escapes(&self) -> Escapes {
        match *self.sql {
            // A doubled quote goes on with what it was in.
            [.., before, b'e' | b'E'] if !is_word(before) => Escapes::Yes,
            [b'e' | b'E'] => Escapes::Yes,
            _ => Escapes::No,
        }
    }

    /// The `$tag$` that begins here.
    fn dollars(&self, rest: &[u8]) -> Option<Vec<u8>> {
        let inside = self.sql.last().is_some_and(|before| is_word(*before));
        let end = rest[1..].iter().position(|byte| *byte == b'$' || !is_word(*byte))?;
        let tag = &rest[..end + 2];
        let fits = tag.ends_with(b"$") && !tag[1].is_ascii_digit();
        (fits && !inside).then(|| tag.to_vec())
    }

    fn end(&mut self) {
        let sql = std::mem::take(&mut self.sql);
        self.within = Within::Nothing;
        let text = sql.trim_ascii();
        let text = text.strip_suffix(b";").unwrap_or(text);
        if !text.is_empty() {
            let count = std::mem::replace(&mut self.count, 1);
            (self.found)(Found { headers: &self.headers, sql: text, count });
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, cut: Cut) -> Vec<(String, String, u64)> {
        let mut all = Vec::new();
        read(text.as_bytes(), cut, &mut |found: Found<'_>| {
            let sql = String::from_utf8(found.sql.to_vec()).unwrap();
            all.push((found.headers.user.clone().unwrap_or_default(), sql, found.count));
        })
        .unwrap();
        all
    }

    #[test]
    fn semicolons_end_statements_where_they_are_none_of_a_constant() {
        for (text, expected) in [
            ("SELECT 1; SELECT 2", &["SELECT 1", "SELECT 2"][..]),
            (
                "SELECT ';', \";\" /* ; /* ; */ ; */; a",
                &["SELECT ';', \";\" /* ; /* ; */ ; */", "a"],
            ),
            ("SELECT 'it''s; '; b", &["SELECT 'it''s; '", "b"]),
            ("SELECT E'\\'; '; b", &["SELECT E'\\'; '", "b"]),
            ("SELECT name'\\'; b", &["SELECT name'\\'", "b"]),
            ("DO $$ a; b $$; c", &["DO $$ a; b $$", "c"]),
            ("DO $x$ a; $$ $y$ $x$; c", &["DO $x$ a; $$ $y$ $x$", "c"]),
            ("SELECT a$1; SELECT $1", &["SELECT a$1", "SELECT $1"]),
            ("SELECT 1 -- ; no\n, 2;\n\n;;", &["SELECT 1 -- ; no\n, 2"]),
            ("SELECT\n1\n;", &["SELECT\n1"]),
        ] {
            let found: Vec<String> =
                split(text, Cut::Semicolons).into_iter().map(|found| found.1).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn lines_of_comments_say_whose_statements_are() {
        let text = "-- user: alice\n-- nothing\nSELECT 1; SELECT 2;\n-- count: 7\n-- user: bob\n\
                    SELECT 3;\nSELECT 4\n";
        let expected = [
            ("alice", "SELECT 1", 1),
            ("alice", "SELECT 2", 1),
            ("bob", "SELECT 3", 7),
            ("bob", "SELECT 4", 1),
        ];
        let expected = expected.map(|(user, sql, count)| (user.to_owned(), sql.to_owned(), count));
        assert_eq!(split(text, Cut::Semicolons), expected);
    }

    #[test]
    fn no_count_makes_a_sum_too_large() {
        let found = split("-- count: 18446744073709551615\nSELECT 1;\n", Cut::Semicolons);
        assert_eq!(found[0].2, COUNT_MAX);
    }

    #[test]
    fn each_line_may_be_one() {
        let found = split("SELECT 1\nSELECT ';' -- x;\n\n-- user: bob\nSELECT 3;\n", Cut::Lines);
        let sql: Vec<&str> = found.iter().map(|found| &*found.1).collect();
        assert_eq!(sql, ["SELECT 1", "SELECT ';' -- x", "SELECT 3"]);
        assert_eq!(found[2].0, "bob");
    }
}
