//! Times of records: most fall into the second of the one before.

use std::io::{self, Write as _};

use crate::model::Timestamp;

/// The last second that was written.
#[derive(Default)]
pub(super) struct Stamp {
    second: Option<i64>,
    /// `2026-01-31T23:59:59.`
    written: Vec<u8>,
}

impl Stamp {
    /// Writes the time as `{time:.6}` does.
    pub(super) fn write(&mut self, time: Timestamp, out: &mut Vec<u8>) -> io::Result<()> {
        let Ok(nanos) = u32::try_from(time.subsec_nanosecond()) else {
            // Before 1970 a second's parts count backwards.
            return write!(out, "{time:.6}");
        };
        let second = time.as_second();
        if self.second != Some(second) {
            self.second = None;
            self.written.clear();
            write!(self.written, "{time:.0}")?;
            // The point takes the place of the `Z`.
            self.written.pop();
            self.written.push(b'.');
            self.second = Some(second);
        }
        out.extend_from_slice(&self.written);
        let mut micros = nanos / 1000;
        let mut digits = *b"000000Z";
        for digit in digits[..6].iter_mut().rev() {
            *digit += (micros % 10) as u8;
            micros /= 10;
        }
        out.extend_from_slice(&digits);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_reads_as_it_is_displayed(
            seconds in prop::collection::vec(-5_000_000_000..5_000_000_000_i64, 1..4),
            parts in prop::collection::vec((0..4_usize, 0..1_000_000_000), 1..20),
        ) {
            let mut stamp = Stamp::default();
            for (index, nanos) in parts {
                let second = seconds[index % seconds.len()];
                let time = Timestamp::new(second, nanos).unwrap();
                let mut out = Vec::new();
                stamp.write(time, &mut out).unwrap();
                prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{time:.6}"));
            }
        }
    }
}
