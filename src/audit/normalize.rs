//! Statements without their literals.

mod lexer;
mod writer;

use std::sync::Arc;

use bytes::Bytes;

/// Longest normalized text, in bytes; what is longer ends in `…`.
pub const TEXT_BYTES_MAX: usize = 4096;

/// Texts remembered by a [`Normalizer`].
const CACHE_ENTRIES_MAX: usize = 1024;
/// Longer statements are not remembered: 2 MiB at most are held.
const CACHE_TEXT_BYTES_MAX: usize = 2048;

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
    let written = match std::str::from_utf8(sql) {
        Ok(sql) => lexer::run(sql, strings),
        Err(_) => Err(lexer::Unsure::Encoding),
    };
    let (text, hash) = written.unwrap_or_else(|unsure| {
        let text = unsure.to_string();
        let hash = writer::hash_of(text.as_bytes());
        (text, hash)
    });
    Normalized { text, fingerprint: format!("{hash:016x}") }
}

/// [`normalize`] with a memory for the texts that come again and again.
pub struct Normalizer {
    cache: quick_cache::unsync::Cache<(Bytes, Strings), Arc<Normalized>>,
}

impl Default for Normalizer {
    fn default() -> Self {
        Self { cache: quick_cache::unsync::Cache::new(CACHE_ENTRIES_MAX) }
    }
}

impl Normalizer {
    pub fn normalize(&mut self, sql: &Bytes, strings: Strings) -> Arc<Normalized> {
        if sql.len() > CACHE_TEXT_BYTES_MAX {
            return Arc::new(normalize(sql, strings));
        }
        let key = (sql.clone(), strings);
        if let Some(known) = self.cache.get(&key) {
            return Arc::clone(known);
        }
        let normalized = Arc::new(normalize(sql, strings));
        // A copy: the statement's own bytes are a slice of a large read buffer.
        self.cache.insert((Bytes::copy_from_slice(sql), strings), Arc::clone(&normalized));
        normalized
    }
}

#[cfg(test)]
mod tests;
