//! Finding names in bytes: one automaton, every occurrence, identifier boundaries checked.

mod lanes;

use std::ops::Range;

use aho_corasick::{BuildError, PatternID};

use lanes::Machine;

/// `NAMEDATALEN - 1`: PostgreSQL cuts longer identifiers to at most this many bytes.
const NAME_BYTES_MAX: usize = 63;

/// The cut falls on a character's boundary, so a name may end up to three bytes earlier.
const NAME_BYTES_CUT: usize = NAME_BYTES_MAX - 3;

/// Up to so many bytes of patterns the automaton is a full table (about 250 bytes of memory per
/// byte of pattern); beyond, a compact one that is about half as fast.
const TABLE_PATTERN_BYTES_MAX: usize = 64 * 1024;

/// Where an occurrence must not be part of a longer identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::analysis) enum Boundary {
    Both,
    /// A prefix: what follows does not matter.
    Before,
    None,
}

/// Bytes to look for, ASCII letters in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::analysis) struct Pattern {
    bytes: Vec<u8>,
    boundary: Boundary,
}

impl Pattern {
    pub(in crate::analysis) fn new(text: &str, boundary: Boundary) -> Self {
        Self { bytes: text.as_bytes().to_vec(), boundary }
    }

    /// How a stored name can be written in a statement: as it is, and with its double quotes
    /// doubled. A name that may be the cut form of a longer spelling matches as a prefix.
    pub(in crate::analysis) fn of_name(name: &str) -> impl Iterator<Item = Self> {
        let boundary = if name.len() >= NAME_BYTES_CUT { Boundary::Before } else { Boundary::Both };
        let doubled = name.contains('"').then(|| name.replace('"', "\"\""));
        [Some(name.to_owned()), doubled]
            .into_iter()
            .flatten()
            .filter(|text| !text.is_empty())
            .map(move |text| Self { bytes: text.into_bytes(), boundary })
    }
}

/// An automaton over patterns, each with a value.
#[derive(Clone, Debug)]
pub(in crate::analysis) struct Names<V> {
    machine: Machine,
    values: Vec<(Boundary, V)>,
}

impl<V> Names<V> {
    pub(in crate::analysis) fn new(
        patterns: impl IntoIterator<Item = (Pattern, V)>,
    ) -> Result<Self, BuildError> {
        let (bytes, values): (Vec<_>, Vec<_>) = patterns
            .into_iter()
            .map(|(pattern, value)| (pattern.bytes, (pattern.boundary, value)))
            .unzip();
        let machine = if bytes.iter().map(Vec::len).sum::<usize>() <= TABLE_PATTERN_BYTES_MAX {
            Machine::table(bytes)?
        } else {
            Machine::compact(bytes)?
        };
        Ok(Self { machine, values })
    }

    /// Calls `found` for every occurrence, overlapping ones included, that stands on the
    /// boundaries its pattern asks for, in the order of their ends.
    pub(in crate::analysis) fn each(&self, text: &[u8], mut found: impl FnMut(Range<usize>, &V)) {
        self.machine.in_order(text, &mut |at, id| self.check(text, at, id, &mut found));
    }

    /// The same in any order, which takes a third of the time in a long text.
    pub(in crate::analysis) fn each_in_any_order(
        &self,
        text: &[u8],
        mut found: impl FnMut(Range<usize>, &V),
    ) {
        self.machine.in_any_order(text, &mut |at, id| self.check(text, at, id, &mut found));
    }

    fn check(
        &self,
        text: &[u8],
        at: Range<usize>,
        id: PatternID,
        found: &mut impl FnMut(Range<usize>, &V),
    ) {
        if let Some((boundary, value)) = self.values.get(id.as_usize())
            && stands_alone(text, &at, *boundary)
        {
            found(at, value);
        }
    }
}

fn stands_alone(text: &[u8], at: &Range<usize>, boundary: Boundary) -> bool {
    let begins = || at.start == 0 || !text.get(at.start - 1).is_some_and(|b| joins_next(*b));
    let ends = || !text.get(at.end).is_some_and(|b| joins_previous(*b));
    match boundary {
        Boundary::Both => begins() && ends(),
        Boundary::Before => begins(),
        Boundary::None => true,
    }
}

/// A byte that makes what follows a part of the same identifier. Digits do not: older servers read
/// `1select` as two tokens. Neither does `$`, which also opens and closes `$$quotes$$`.
fn joins_next(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// A byte that continues the identifier before it; `$` as above does not count.
fn joins_previous(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
