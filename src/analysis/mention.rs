//! Gate 1: does a statement's text mention anything that needs a closer look?
//!
//! One automaton over the raw bytes, before any parsing. No hit means that the statement cannot
//! name personal data whatever its syntax: identifiers fold ASCII letters only (UTF-8 server),
//! truncation to 63 bytes keeps a prefix, and only `U&""` spells an identifier in escapes. With
//! another `client_encoding` and non-ASCII names, or with `standard_conforming_strings` off, the
//! caller has no fast path.
//!
//! **Invariant:** false alarms cost a parse, a missed mention costs a secret; so every test here
//! errs towards a hit.

pub(super) mod names;
pub(super) mod side_doors;
mod words;

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use names::{Boundary, Names, Pattern};
pub use side_doors::{side_door_function, side_door_of_sessions, side_door_relation};

/// What kinds of mention a statement has.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Hits(u32);

impl Hits {
    pub const NONE: Self = Self(0);
    /// A sensitive relation, function, operator or type of this database.
    pub const NAME: Self = Self(1);
    /// PostgreSQL's or an extension's own way around the tables: statistics, activity, files,
    /// functions that run SQL from text.
    pub const SIDE_DOOR: Self = Self(1 << 1);
    /// DO and CALL: code that runs unseen.
    pub const DYNAMIC: Self = Self(1 << 2);
    /// Statements that change objects, or work through all of them without naming any.
    pub const DDL: Self = Self(1 << 3);
    /// PREPARE, EXECUTE, DEALLOCATE.
    pub const PREPARED: Self = Self(1 << 4);
    /// DECLARE, FETCH, MOVE, CLOSE.
    pub const CURSOR: Self = Self(1 << 5);
    pub const COPY: Self = Self(1 << 6);
    /// Settings that change what names mean or how text is read: `search_path`, roles, encoding.
    pub const PATH: Self = Self(1 << 7);
    /// `U&`: identifiers may be spelled in escapes.
    pub const UNICODE: Self = Self(1 << 8);
    /// The proxy's own schema.
    pub const KEYHOLE: Self = Self(1 << 9);
    /// ROLLBACK, ABORT, AND CHAIN: settings made in the transaction may be undone.
    pub const ROLLBACK: Self = Self(1 << 10);

    const NAMED: [(Self, &'static str); 11] = [
        (Self::NAME, "name"),
        (Self::SIDE_DOOR, "side door"),
        (Self::DYNAMIC, "dynamic"),
        (Self::DDL, "ddl"),
        (Self::PREPARED, "prepared"),
        (Self::CURSOR, "cursor"),
        (Self::COPY, "copy"),
        (Self::PATH, "path"),
        (Self::UNICODE, "unicode"),
        (Self::KEYHOLE, "keyhole"),
        (Self::ROLLBACK, "rollback"),
    ];

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All kinds of `other` are among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// At least one kind of `other` is among these.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These kinds without those of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Hits {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Hits {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = Self::NAMED.iter().filter(|(kind, _)| self.contains(*kind));
        f.debug_set().entries(kinds.map(|(_, name)| name)).finish()
    }
}

/// The kinds, separated by commas.
impl fmt::Display for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = Self::NAMED.iter().filter(|(kind, _)| self.contains(*kind));
        for (index, (_, name)) in kinds.enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

/// A mention gate that could not be built.
#[derive(Debug, thiserror::Error)]
#[error("sensitive names are too many for one automaton")]
pub struct MentionError(#[from] aho_corasick::BuildError);

/// The automaton over everything that needs a closer look in one database.
#[derive(Clone, Debug)]
pub struct Mention {
    names: Names<Hits>,
}

impl Mention {
    /// A gate over `names` (of sensitive relations, functions and types, as stored) and
    /// `operators` (their symbols), together with side doors and words that always count.
    ///
    /// # Errors
    /// [`MentionError`] when the automaton would outgrow its index type.
    pub fn new<'a>(
        names: impl IntoIterator<Item = &'a str>,
        operators: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, MentionError> {
        let mut patterns: Vec<(Pattern, Hits)> = Vec::new();
        for name in names {
            patterns.extend(Pattern::of_name(name).map(|pattern| (pattern, Hits::NAME)));
        }
        for operator in operators {
            patterns.push((Pattern::new(operator, Boundary::None), Hits::NAME));
        }
        patterns.extend(side_doors::patterns().map(|(pattern, _)| (pattern, Hits::SIDE_DOOR)));
        patterns.extend(words::patterns());
        Ok(Self { names: Names::new(patterns)? })
    }

    /// The gate where there is nothing to hide: the proxy's own schema, and what changes the
    /// meaning of names there.
    ///
    /// # Errors
    /// [`MentionError`], as in [`Self::new`].
    pub fn of_nothing() -> Result<Self, MentionError> {
        let kept = Hits::KEYHOLE | Hits::PATH | Hits::ROLLBACK;
        let patterns: Vec<_> = words::patterns().filter(|(_, kind)| kept.contains(*kind)).collect();
        Ok(Self { names: Names::new(patterns)? })
    }

    /// Every kind of mention in `statement`. Allocates nothing.
    pub fn scan(&self, statement: &[u8]) -> Hits {
        let mut hits = Hits::NONE;
        self.names.each_in_any_order(statement, |at, kind| {
            if !hits.contains(*kind) && !words::is_upsert(statement, at, *kind) {
                hits |= *kind;
            }
        });
        hits
    }
}

#[cfg(test)]
mod tests;
