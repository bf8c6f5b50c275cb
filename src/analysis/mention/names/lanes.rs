//! Running an automaton over a text: in one place, or in several at once. Each step through its
//! table waits for the one before, so that four abreast take little longer than one.

use std::ops::Range;
use std::sync::Arc;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous;
use aho_corasick::{Anchored, BuildError, MatchKind, PatternID, dfa};

/// Places of a long text that are read at once.
const LANES: usize = 4;

/// Bytes that each of them has to be worth, beside those that it reads twice.
const LANE_LEN_MIN: usize = 64;

/// An automaton over patterns, ASCII letters in any case.
#[derive(Clone, Debug)]
pub(super) enum Machine {
    /// A full table.
    Table(Arc<dfa::DFA>),
    Compact(Arc<contiguous::NFA>),
}

impl Machine {
    pub(super) fn table(patterns: Vec<Vec<u8>>) -> Result<Self, BuildError> {
        let built = dfa::Builder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(patterns)?;
        Ok(Self::Table(Arc::new(built)))
    }

    pub(super) fn compact(patterns: Vec<Vec<u8>>) -> Result<Self, BuildError> {
        let built = contiguous::Builder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(patterns)?;
        Ok(Self::Compact(Arc::new(built)))
    }

    /// Every occurrence, overlapping ones included, in the order of their ends.
    pub(super) fn in_order(&self, text: &[u8], found: &mut impl FnMut(Range<usize>, PatternID)) {
        match self {
            Self::Table(table) => in_order(&**table, text, found),
            Self::Compact(compact) => in_order(&**compact, text, found),
        }
    }

    /// The same in any order.
    pub(super) fn in_any_order(
        &self,
        text: &[u8],
        found: &mut impl FnMut(Range<usize>, PatternID),
    ) {
        match self {
            Self::Table(table) => in_any_order(&**table, text, found),
            Self::Compact(compact) => in_any_order(&**compact, text, found),
        }
    }
}

/// Where one search stands.
#[derive(Clone, Copy)]
struct Lane {
    state: StateID,
    /// The next byte that it reads.
    at: usize,
    /// It tells of occurrences that end behind this, and up to `to`.
    from: usize,
    to: usize,
}

fn in_order<A: Automaton>(
    automaton: &A,
    text: &[u8],
    found: &mut impl FnMut(Range<usize>, PatternID),
) {
    Lane { state: start(automaton), at: 0, from: 0, to: text.len() }.finish(automaton, text, found);
}

fn in_any_order<A: Automaton>(
    automaton: &A,
    text: &[u8],
    found: &mut impl FnMut(Range<usize>, PatternID),
) {
    // What ends in a lane may begin so many bytes before it.
    let before = automaton.max_pattern_len().saturating_sub(1);
    let lane_len = text.len() / LANES;
    if lane_len < LANE_LEN_MIN + before {
        return in_order(automaton, text, found);
    }
    let lanes: [Lane; LANES] = std::array::from_fn(|n| {
        let from = n * lane_len;
        let to = if n + 1 == LANES { text.len() } else { from + lane_len };
        Lane { state: start(automaton), at: from.saturating_sub(before), from, to }
    });
    let next = |state, byte| automaton.next_state(Anchored::No, state, byte);
    // Each state in a variable of its own, which the processor keeps in a register.
    let [mut a, mut b, mut c, mut d] = lanes.map(|lane| lane.state);
    let [at_a, at_b, at_c, at_d] = lanes.map(|lane| &text[lane.at..lane.at + lane_len]);
    let abreast = at_a.iter().zip(at_b).zip(at_c.iter().zip(at_d));
    for (step, ((of_a, of_b), (of_c, of_d))) in abreast.enumerate() {
        (a, b, c, d) = (next(a, *of_a), next(b, *of_b), next(c, *of_c), next(d, *of_d));
        let states = [a, b, c, d];
        if states.iter().any(|state| automaton.is_special(*state)) {
            for (lane, state) in lanes.iter().zip(states) {
                Lane { state, ..*lane }.tell(automaton, lane.at + step + 1, found);
            }
        }
    }
    for (lane, state) in lanes.iter().zip([a, b, c, d]) {
        Lane { state, at: lane.at + lane_len, ..*lane }.finish(automaton, text, found);
    }
}

fn start<A: Automaton>(automaton: &A) -> StateID {
    automaton.start_state(Anchored::No).expect("built for searches that begin anywhere")
}

impl Lane {
    /// Reads what is left of the lane.
    fn finish<A: Automaton>(
        mut self,
        automaton: &A,
        text: &[u8],
        found: &mut impl FnMut(Range<usize>, PatternID),
    ) {
        let next = |state, byte| automaton.next_state(Anchored::No, state, byte);
        let (fours, rest) = text[self.at..self.to].as_chunks::<4>();
        let (mut state, mut end) = (self.state, self.at);
        for [first, second, third, fourth] in fours {
            let a = next(state, *first);
            let b = next(a, *second);
            let c = next(b, *third);
            state = next(c, *fourth);
            let states = [a, b, c, state];
            if states.iter().any(|state| automaton.is_special(*state)) {
                for (state, end) in states.into_iter().zip(end + 1..) {
                    self.state = state;
                    self.tell(automaton, end, found);
                }
            }
            end += 4;
        }
        for byte in rest {
            state = next(state, *byte);
            end += 1;
            if automaton.is_special(state) {
                self.state = state;
                self.tell(automaton, end, found);
            }
        }
    }

    /// Tells what ends here, if anything does.
    fn tell<A: Automaton>(
        &self,
        automaton: &A,
        end: usize,
        found: &mut impl FnMut(Range<usize>, PatternID),
    ) {
        if end <= self.from || !automaton.is_match(self.state) {
            return;
        }
        for index in 0..automaton.match_len(self.state) {
            let id = automaton.match_pattern(self.state, index);
            found(end - automaton.pattern_len(id)..end, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(patterns: &[Vec<u8>], text: &[u8]) -> Vec<(usize, usize, usize)> {
        let mut all = Vec::new();
        for (id, pattern) in patterns.iter().enumerate() {
            for (begins, window) in text.windows(pattern.len()).enumerate() {
                if window.eq_ignore_ascii_case(pattern) {
                    all.push((begins + pattern.len(), begins, id));
                }
            }
        }
        all.sort_unstable();
        all
    }

    proptest! {
        #[test]
        fn every_occurrence_is_found_however_the_text_is_read(
            patterns in prop::collection::vec("[abB_]{1,9}".prop_map(String::into_bytes), 1..6),
            text in prop::collection::vec(prop::sample::select(b"aAbB_ ".to_vec()), 0..700),
        ) {
            let wanted = naive(&patterns, &text);
            for machine in
                [Machine::table(patterns.clone()).unwrap(), Machine::compact(patterns.clone()).unwrap()]
            {
                let (mut ordered, mut any) = (Vec::new(), Vec::new());
                let note = |at: Range<usize>, id: PatternID| (at.end, at.start, id.as_usize());
                machine.in_order(&text, &mut |at, id| ordered.push(note(at, id)));
                machine.in_any_order(&text, &mut |at, id| any.push(note(at, id)));
                prop_assert!(ordered.is_sorted_by_key(|found| found.0));
                ordered.sort_unstable();
                any.sort_unstable();
                prop_assert_eq!(&ordered, &wanted);
                prop_assert_eq!(&any, &wanted);
            }
        }
    }
}
