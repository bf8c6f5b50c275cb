//! What is delivered in one go.

use std::sync::Arc;

use bytes::Bytes;

use crate::audit::Kind;
use crate::store::audit_log::Batch;

/// Some records of one log, in order; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shipment {
    log: Arc<str>,
    /// Whole lines, line ends included.
    lines: Bytes,
    /// For each record its number, and where its line ends.
    records: Arc<[(u64, usize)]>,
    /// Which of them are in `lines`, and where those begin.
    range: (usize, usize),
    start: usize,
}

impl Shipment {
    /// The records of a batch that are of these kinds; None: all.
    pub fn of(log: &Arc<str>, batch: &Batch, kinds: Option<&[Kind]>) -> Self {
        let wanted = |line: &[u8]| match (kinds, Kind::of_line(line)) {
            (None, _) => true,
            (Some(kinds), Some(kind)) => kinds.contains(&kind),
            (Some(_), None) => false,
        };
        let mut lines = Vec::new();
        let mut records = Vec::new();
        for (seq, line) in (batch.from.seq..).zip(batch.records()) {
            if wanted(line) {
                let seq = own_number(line).unwrap_or(seq);
                lines.extend_from_slice(line);
                lines.push(b'\n');
                records.push((seq, lines.len()));
            }
        }
        let range = (0, records.len());
        let (lines, records) = (Bytes::from(lines), records.into());
        Self { log: Arc::clone(log), lines, records, range, start: 0 }
    }

    /// The log that the numbers are of.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// JSON lines, line ends included.
    pub fn lines(&self) -> Bytes {
        self.lines.clone()
    }

    /// Each record's number and line, without its end.
    pub fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let ends = &self.records[self.range.0..self.range.1];
        let mut from = 0;
        ends.iter().map(move |(seq, end)| {
            let end = end - self.start;
            let line = &self.lines[from..end - 1];
            from = end;
            (*seq, line)
        })
    }

    pub fn len(&self) -> u64 {
        (self.range.1 - self.range.0) as u64
    }

    pub fn is_empty(&self) -> bool {
        self.range.0 == self.range.1
    }

    /// The numbers of the first and the last record; 0 of an empty one.
    pub fn span(&self) -> (u64, u64) {
        let records = &self.records[self.range.0..self.range.1];
        let seq = |record: Option<&(u64, usize)>| record.map_or(0, |(seq, _)| *seq);
        (seq(records.first()), seq(records.last()))
    }

    /// Tells this shipment from every other: who hears of it twice has heard of the same records
    /// twice. Of digits and letters.
    pub fn id(&self) -> String {
        let (first, last) = self.span();
        format!("{}-{first}-{last}-{}", self.log, self.len())
    }

    /// Both halves, if it has any.
    pub fn halves(&self) -> Option<(Self, Self)> {
        let (first, end) = self.range;
        let middle = first + (end - first) / 2;
        if middle == first {
            return None;
        }
        let cut = self.records[middle - 1].1;
        let half = |range, lines, start| Self {
            log: Arc::clone(&self.log),
            lines,
            records: Arc::clone(&self.records),
            range,
            start,
        };
        let at = cut - self.start;
        let left = half((first, middle), self.lines.slice(..at), self.start);
        let right = half((middle, end), self.lines.slice(at..), cut);
        Some((left, right))
    }
}

/// The number that the line begins with: that of its place, unless the log was tampered with.
fn own_number(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::audit_log::Position;

    /// A shipment of these lines, numbered from 7.
    pub(crate) fn shipment(lines: &[&str], kinds: Option<&[Kind]>) -> Shipment {
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let position = |seq| Position { file: 1, offset: 0, seq };
        let (from, to) = (position(7), position(7 + lines.len() as u64));
        let batch = Batch { lines: text.into_bytes(), from, to };
        Shipment::of(&"0f".into(), &batch, kinds)
    }

    const LINES: [&str; 4] = [
        r#"{"seq":7,"time":"t","kind":"login"}"#,
        r#"{"seq":8,"time":"t","kind":"statement"}"#,
        r#"{"seq":9,"time":"t","kind":"grant"}"#,
        r#"{"seq":10,"time":"t","kind":"login"}"#,
    ];

    #[test]
    fn kinds_that_are_not_wanted_are_left_out() {
        let all = shipment(&LINES, None);
        assert_eq!((all.len(), all.span(), &*all.id()), (4, (7, 10), "0f-7-10-4"));
        let some = shipment(&LINES, Some(&[Kind::Login]));
        let records: Vec<_> = some.records().collect();
        assert_eq!(records, [(7, LINES[0].as_bytes()), (10, LINES[3].as_bytes())]);
        assert!(shipment(&LINES, Some(&[Kind::Lost])).is_empty());
    }

    #[test]
    fn halves_of_halves_are_single_records() {
        let mut parts = vec![shipment(&LINES[..3], None)];
        let mut single = Vec::new();
        while let Some(part) = parts.pop() {
            match part.halves() {
                Some((left, right)) => parts.extend([right, left]),
                None => single.push(part),
            }
        }
        let seen: Vec<_> = single.iter().flat_map(Shipment::records).collect();
        assert_eq!(single.len(), 3);
        assert_eq!(seen, [7, 8, 9].map(|seq| (seq, LINES[seq as usize - 7].as_bytes())));
        for part in &single {
            assert_eq!(part.lines().len(), part.records().next().unwrap().1.len() + 1);
        }
    }
}
