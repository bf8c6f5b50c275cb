//! A Bind that is too long to be kept: its head says what is bound, its values pass, and its tail
//! says in which formats the results come.

use super::super::cursor::Cursor;
use super::super::{Formats, WireError};

/// What stands before the values of a Bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindHead<'a> {
    pub portal: &'a str,
    pub statement: &'a str,
    /// How many values follow.
    pub count: usize,
    /// Bytes of payload up to the first value.
    pub len: usize,
}

/// The head at the start of a payload of which `start` has arrived; None if it ends later.
///
/// # Errors
/// Whatever keeps it from being the head of a well-formed Bind.
pub fn bind_head(start: &[u8]) -> Result<Option<BindHead<'_>>, WireError> {
    match read_head(start) {
        Ok(head) => Ok(Some(head)),
        Err(WireError::Truncated | WireError::Unterminated | WireError::Count) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_head(start: &[u8]) -> Result<BindHead<'_>, WireError> {
    let mut cursor = Cursor::new(start);
    let (portal, statement) = (cursor.text()?, cursor.text()?);
    let formats = Formats::read(&mut cursor)?;
    let count = cursor.count()?;
    if formats.len() > 1 && formats.len() != count {
        return Err(WireError::FormatCount);
    }
    Ok(BindHead { portal, statement, count, len: start.len() - cursor.rest().len() })
}

/// The rest of a Bind whose head was read, taken in pieces of any length.
#[derive(Debug)]
pub struct BindRest {
    /// Bytes that are still to come.
    left: usize,
    /// Values whose length is still to come.
    values: usize,
    /// Bytes of the current value that are still to come.
    value_len: usize,
    /// A length word as far as it has come; after the last value, the tail.
    kept: Vec<u8>,
}

impl BindRest {
    /// `left` bytes of payload with `values` values follow.
    pub fn new(values: usize, left: usize) -> Self {
        Self { left, values, value_len: 0, kept: Vec::new() }
    }

    /// Bytes that are still to come.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Takes what comes next, at most `left` bytes.
    ///
    /// # Errors
    /// The values do not fit the message.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<(), WireError> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(WireError::Leftover)?;
        let mut behind = self.left + bytes.len();
        while !bytes.is_empty() {
            let wanted = match (self.value_len, self.values) {
                (0, 0) => {
                    // The tail: a count and at most as many formats as two bytes can say.
                    if self.kept.len() + behind > 2 + 2 * usize::from(u16::MAX) {
                        return Err(WireError::Leftover);
                    }
                    self.kept.extend_from_slice(bytes);
                    return Ok(());
                }
                (0, _) => 4 - self.kept.len(),
                (len, _) => len,
            };
            let (piece, rest) = bytes.split_at(wanted.min(bytes.len()));
            bytes = rest;
            behind -= piece.len();
            if self.value_len > 0 {
                self.value_len -= piece.len();
                continue;
            }
            self.kept.extend_from_slice(piece);
            if let Some(word) = self.kept.first_chunk::<4>() {
                self.value_len = match i32::from_be_bytes(*word) {
                    -1 => 0,
                    len => usize::try_from(len).map_err(|_| WireError::Length)?,
                };
                if self.value_len > behind {
                    return Err(WireError::Truncated);
                }
                self.values -= 1;
                self.kept.clear();
            }
        }
        Ok(())
    }

    /// The formats of the results, once everything has come.
    ///
    /// # Errors
    /// What came is not the rest of a well-formed Bind.
    pub fn finish(self) -> Result<Vec<i16>, WireError> {
        if self.left > 0 || self.values > 0 || self.value_len > 0 {
            return Err(WireError::Truncated);
        }
        let mut cursor = Cursor::new(&self.kept);
        let formats = Formats::read(&mut cursor)?;
        cursor.finish()?;
        Ok(formats.iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::write;

    /// What the pieces of a payload say, and what is read of it as a whole.
    fn in_pieces(payload: &[u8], piece_len: usize) -> Result<Vec<i16>, WireError> {
        let head = (0..=payload.len()).find_map(|len| bind_head(&payload[..len]).transpose());
        let head = head.ok_or(WireError::Truncated)??;
        let mut rest = BindRest::new(head.count, payload.len() - head.len);
        for piece in payload[head.len..].chunks(piece_len) {
            rest.take(piece)?;
        }
        rest.finish()
    }

    #[test]
    fn pieces_say_what_the_whole_says() {
        let values = [Some(&b"one"[..]), None, Some(b""), Some(&[7; 300])];
        for formats in [&[][..], &[1], &[0, 1, 1]] {
            let mut frame = Vec::new();
            write::bind(&mut frame, "p", "s", [1], values, formats.iter().copied()).unwrap();
            for piece_len in [1, 2, 3, 5, 64, 1000] {
                assert_eq!(in_pieces(&frame[5..], piece_len), Ok(formats.to_vec()));
            }
        }
    }

    #[test]
    fn what_is_malformed_as_a_whole_is_malformed_in_pieces() {
        let mut frame = Vec::new();
        write::bind(&mut frame, "p", "s", [], [Some(&b"one"[..]), None], [1]).unwrap();
        let payload = &frame[5..];
        for at in 0..payload.len() {
            for byte in [0, 1, 2, 127, 128, 255] {
                let mut wrong = payload.to_vec();
                wrong[at] = byte;
                let whole = super::super::read(super::super::tag::BIND, &wrong);
                let pieces = in_pieces(&wrong, 3);
                assert_eq!(pieces.is_ok(), whole.is_ok(), "{at} {byte}: {pieces:?} {whole:?}");
            }
            let cut = &payload[..at];
            assert!(in_pieces(cut, 2).is_err(), "{at}");
        }
        assert!(in_pieces(&[payload, b"\0"].concat(), 4).is_err());
    }
}
