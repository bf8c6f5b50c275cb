//! Words that ask for a parse whatever else a statement says.

use std::ops::Range;

use super::Hits;
use super::names::{Boundary, Pattern};

/// By kind. Each stands alone as a word; inside strings and comments they count too.
const WORDS: &[(Hits, &[&str])] = &[
    (Hits::DYNAMIC, &["do", "call"]),
    (
        // Those after `drop` change no object, but reach tables that they do not name.
        Hits::DDL,
        &[
            "create", "alter", "drop", "grant", "load", "security", "import", "reassign",
            "truncate", "reindex", "cluster", "refresh", "vacuum", "analyze", "analyse",
        ],
    ),
    (Hits::PREPARED, &["prepare", "execute", "deallocate"]),
    (Hits::CURSOR, &["declare", "fetch", "move", "close"]),
    (Hits::COPY, &["copy"]),
    (
        Hits::PATH,
        &[
            "search_path",
            "set_config",
            "schema",
            "role",
            "authorization",
            "session_authorization",
            "reset",
            "discard",
            "client_encoding",
            "names",
            "standard_conforming_strings",
            "backslash_quote",
            "row_security",
        ],
    ),
    (Hits::KEYHOLE, &["keyhole"]),
    (Hits::ROLLBACK, &["rollback", "abort", "chain"]),
];

pub(super) fn patterns() -> impl Iterator<Item = (Pattern, Hits)> {
    let words = WORDS
        .iter()
        .flat_map(|(kind, words)| words.iter().map(|word| (*word, *kind)))
        .map(|(word, kind)| (Pattern::new(word, Boundary::Both), kind));
    words.chain([(Pattern::new("u&", Boundary::Before), Hits::UNICODE)])
}

/// Whether the word at `at` is the DO of `ON CONFLICT DO NOTHING` or `DO UPDATE`: the statement
/// DO continues with a string or LANGUAGE, never with these.
pub(super) fn is_upsert(statement: &[u8], at: Range<usize>, kind: Hits) -> bool {
    if kind != Hits::DYNAMIC || at.len() != "do".len() {
        return false;
    }
    let rest = statement.get(at.end..).unwrap_or_default().trim_ascii_start();
    let letters = rest.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(rest.len());
    let word = &rest[..letters];
    word.eq_ignore_ascii_case(b"nothing") || word.eq_ignore_ascii_case(b"update")
}
