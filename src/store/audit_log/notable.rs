//! Where in the log the records are that rules look for, as far as this process has written it: who
//! looks for no others need not read what lies between.

use std::collections::VecDeque;

use super::follow::Position;

/// More stretches than these are forgotten, the oldest first: who is so far behind reads.
const STRETCHES_MAX: usize = 4096;

/// Records next to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Before the first of them.
    pub(super) from: Position,
    /// Behind the last.
    pub(super) to: Position,
}

/// How far the log is durable, and what of it is notable.
#[derive(Debug)]
pub struct Durable {
    pub end: Position,
    /// All before this place may be notable.
    known_from: Position,
    notable: VecDeque<Stretch>,
}

impl Durable {
    /// A log of which nothing is known yet.
    pub(super) fn new(end: Position) -> Self {
        Self { end, known_from: end, notable: VecDeque::new() }
    }

    /// The log is durable up to `end`; of what is new, `notable` is, which is emptied.
    pub(super) fn advance(&mut self, end: Position, notable: &mut Vec<Stretch>) {
        self.end = end;
        for stretch in notable.drain(..) {
            match self.notable.back_mut() {
                Some(last) if last.to.seq == stretch.from.seq => last.to = stretch.to,
                Some(_) | None => self.notable.push_back(stretch),
            }
            if self.notable.len() > STRETCHES_MAX
                && let Some(oldest) = self.notable.pop_front()
            {
                self.known_from = oldest.to;
            }
        }
    }

    /// What is to be read next by who has come to `at`: nothing, if it is empty.
    pub(super) fn next(&self, at: Position) -> Stretch {
        if at.seq < self.known_from.seq {
            return Stretch { from: at, to: self.known_from };
        }
        let next = self.notable.partition_point(|stretch| stretch.to.seq <= at.seq);
        match self.notable.get(next) {
            Some(stretch) if stretch.from.seq <= at.seq => Stretch { from: at, to: stretch.to },
            Some(stretch) => *stretch,
            None => Stretch { from: self.end, to: self.end },
        }
    }
}

/// Adds a record to stretches that are not durable yet.
pub(super) fn note(stretches: &mut Vec<Stretch>, record: Stretch) {
    match stretches.last_mut() {
        Some(last) if last.to.seq == record.from.seq => last.to = record.to,
        Some(_) | None => stretches.push(record),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Four records in a file.
    fn place(seq: u64) -> Position {
        Position { file: u32::try_from(seq / 4).unwrap(), offset: seq % 4 * 10, seq }
    }

    fn stretch(from: u64, to: u64) -> Stretch {
        Stretch { from: place(from), to: place(to) }
    }

    #[test]
    fn what_this_process_has_not_written_is_read() {
        let mut durable = Durable::new(place(10));
        assert_eq!(durable.next(place(3)), stretch(3, 10));
        assert_eq!(durable.next(place(10)), stretch(10, 10));
        durable.advance(place(20), &mut vec![stretch(12, 13)]);
        assert_eq!(durable.next(place(3)), stretch(3, 10));
        assert_eq!(durable.next(place(10)), stretch(12, 13));
        assert_eq!(durable.next(place(13)), stretch(20, 20));
    }

    #[test]
    fn stretches_are_forgotten_in_their_order() {
        let mut durable = Durable::new(place(0));
        let last = STRETCHES_MAX as u64 + 2;
        for seq in 0..last {
            durable.advance(place(3 * seq + 3), &mut vec![stretch(3 * seq + 1, 3 * seq + 2)]);
        }
        assert_eq!(durable.notable.len(), STRETCHES_MAX);
        assert_eq!(durable.next(place(0)), stretch(0, 5), "the first two are forgotten");
        assert_eq!(durable.next(place(5)), stretch(7, 8));
        assert_eq!(durable.next(place(3 * last - 1)), stretch(3 * last, 3 * last));
    }

    proptest! {
        /// Whoever goes from stretch to stretch, some records at a time, comes to every notable one.
        #[test]
        fn no_notable_record_is_passed_over(
            records in prop::collection::vec((any::<bool>(), prop::bool::weighted(0.3)), 1..80),
            some in 1_u64..5,
            start in 0_u64..40,
        ) {
            let mut durable = Durable::new(place(0));
            let (mut pending, mut at, mut read) = (Vec::new(), place(0), Vec::new());
            let (all, start) = (records.len() as u64, start.min(records.len() as u64 - 1));
            for (seq, (notable, sync)) in (0..).zip(&records) {
                if *notable {
                    note(&mut pending, stretch(seq, seq + 1));
                }
                if *sync || seq + 1 == all {
                    durable.advance(place(seq + 1), &mut pending);
                    // Some look at once, some only later.
                    while seq >= start && at != durable.end {
                        let next = durable.next(at);
                        let to = next.to.seq.min(next.from.seq + some);
                        prop_assert!(next.from.seq >= at.seq && to <= durable.end.seq);
                        read.extend(next.from.seq..to);
                        at = place(to);
                    }
                }
            }
            let is_notable = |seq: &u64| records[usize::try_from(*seq).unwrap()].0;
            let wanted: Vec<u64> = (0..all).filter(is_notable).collect();
            prop_assert_eq!(read, wanted);
        }
    }
}
