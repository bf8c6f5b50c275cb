//! Statements without their literals.

mod lexer;
mod writer;

use std::hash::BuildHasher as _;
use std::io::Write as _;
use std::mem;

/// Longest normalized text, in bytes; what is longer ends in `…`.
pub const TEXT_BYTES_MAX: usize = 4096;

/// Texts remembered by a [`Normalizer`]; each has one place.
const SLOTS: usize = 1024;
/// Longer statements are not remembered: 2 MiB of texts at most, and as much of what became of them.
const KNOWN_TEXT_BYTES_MAX: usize = 2048;

/// How the server reads `'…'`: its `standard_conforming_strings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strings {
    /// On: a backslash is a backslash.
    Standard,
    /// Off: a backslash escapes.
    Escapes,
}

/// A statement as it may be remembered: constants, parameters' values and comments removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normalized {
    pub text: String,
    /// 16 hexadecimal digits; the same for statements that differ in constants, white space,
    /// comments, the case of keywords and the length of IN and VALUES lists only.
    pub fingerprint: String,
}

/// The statement with every constant replaced by `?`, comments dropped, white space folded.
///
/// Where it is not certain what is a constant (unterminated, not UTF-8, characters that SQL does
/// not have), nothing of the statement is shown.
pub fn normalize(sql: &[u8], strings: Strings) -> Normalized {
    let (text, hash) = written(sql, strings, String::new());
    Normalized { text, fingerprint: format!("{hash:016x}") }
}

/// The text, in the memory of `room`, and its fingerprint.
fn written(sql: &[u8], strings: Strings, room: String) -> (String, u64) {
    let written = match std::str::from_utf8(sql) {
        Ok(sql) => lexer::run(sql, strings, room),
        Err(_) => Err(lexer::Unsure::Encoding),
    };
    written.unwrap_or_else(|unsure| {
        let text = unsure.to_string();
        let hash = writer::hash_of(text.as_bytes());
        (text, hash)
    })
}

/// Bytes of `,"fingerprint":"0123456789abcdef"`.
pub(super) const FINGERPRINT_FIELD_LEN: usize = 33;

/// [`normalize`] as members of a record's line, with a memory for the texts that come again and
/// again.
pub(super) struct Normalizer {
    slots: Vec<Slot>,
    seed: foldhash::fast::RandomState,
    text: String,
    members: Vec<u8>,
}

/// A text that came again, and what was in its place before it came twice.
#[derive(Default)]
struct Slot {
    known: Option<Known>,
    /// The hash of the last other text. Most texts with constants in them come once: those are
    /// not worth a copy.
    missed: u64,
}

struct Known {
    sql: Box<[u8]>,
    strings: Strings,
    members: Box<[u8]>,
}

impl Default for Normalizer {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            seed: foldhash::fast::RandomState::default(),
            text: String::new(),
            members: Vec::new(),
        }
    }
}

impl Normalizer {
    /// `,"fingerprint":"…","text":"…"`
    pub(super) fn members(&mut self, sql: &[u8], strings: Strings) -> &[u8] {
        if sql.len() > KNOWN_TEXT_BYTES_MAX {
            return self.render(sql, strings);
        }
        let hash = self.seed.hash_one((sql, strings));
        let at = hash as usize % SLOTS;
        let slot = &mut self.slots[at];
        let is_known = slot.known.as_ref().is_some_and(|k| *k.sql == *sql && k.strings == strings);
        if !is_known {
            if mem::replace(&mut slot.missed, hash) != hash {
                return self.render(sql, strings);
            }
            let members = self.render(sql, strings).into();
            self.slots[at].known = Some(Known { sql: sql.into(), strings, members });
        }
        self.slots[at].known.as_ref().map_or(&[], |known| &known.members)
    }

    fn render(&mut self, sql: &[u8], strings: Strings) -> &[u8] {
        let (text, hash) = written(sql, strings, mem::take(&mut self.text));
        self.members.clear();
        // Writing text into memory cannot fail.
        let _ = write!(self.members, ",\"fingerprint\":\"{hash:016x}\",\"text\":");
        let _ = serde_json::to_writer(&mut self.members, &text);
        self.text = text;
        &self.members
    }
}

#[cfg(test)]
mod tests;
