//! PostgreSQL's messages (protocol versions 3.0 and 3.2) as bytes: cut by their declared length,
//! read as borrowed views, written into a buffer. No I/O, and no panic on any input.
//!
//! A view accounts for every byte of its message. A message that is too short, has bytes left
//! over, or carries text that is not UTF-8 is refused, never guessed at: what is analysed has to be
//! exactly what is forwarded.

pub mod backend;
mod cursor;
pub mod frame;
pub mod frontend;
pub mod startup;
pub mod write;

pub use backend::TxStatus;
pub use frame::{FRAME_LEN_MAX_DEFAULT, FrameHeader};

use cursor::Cursor;

/// What is wrong with a message; to the peer this is a protocol violation (08P01). Holds no data.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum WireError {
    #[error("invalid message length")]
    Length,
    #[error("message ends before its last field")]
    Truncated,
    #[error("message has bytes after its last field")]
    Leftover,
    #[error("string in message lacks its terminating zero")]
    Unterminated,
    #[error("string in message is not valid UTF-8")]
    NotUtf8,
    #[error("string for a message contains a zero byte")]
    ZeroInString,
    #[error("number of elements does not fit the message")]
    Count,
    #[error("number of format codes does not match the number of values")]
    FormatCount,
    #[error("unsupported format code")]
    FormatCode,
    #[error("unknown message type")]
    UnknownTag,
    #[error("field in message has an undefined value")]
    Value,
    #[error("unsupported frontend protocol version")]
    Version,
}

/// A list of type OIDs: Parse and ParameterDescription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oids<'a> {
    bytes: &'a [u8],
}

impl<'a> Oids<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        let count = cursor.count()?;
        Ok(Self { bytes: cursor.take(count * 4).map_err(|_| WireError::Count)? })
    }

    pub fn len(&self) -> usize {
        self.bytes.len() / 4
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + Clone + use<'a> {
        self.bytes.as_chunks::<4>().0.iter().map(|oid| u32::from_be_bytes(*oid))
    }
}

/// A list of format codes (0 text, 1 binary) under the rules of Bind: none means text for all, one
/// is for all, else one for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Formats<'a> {
    bytes: &'a [u8],
}

impl<'a> Formats<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        let count = cursor.count()?;
        let formats = Self { bytes: cursor.take(count * 2).map_err(|_| WireError::Count)? };
        if formats.iter().any(|code| code != 0 && code != 1) {
            return Err(WireError::FormatCode);
        }
        Ok(formats)
    }

    /// How many codes were sent, which is not the number of columns.
    pub fn len(&self) -> usize {
        self.bytes.len() / 2
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = i16> + Clone + use<'a> {
        self.bytes.as_chunks::<2>().0.iter().map(|code| i16::from_be_bytes(*code))
    }

    /// The format code of `column` (from 0) among `columns`.
    ///
    /// # Errors
    /// `FormatCount` if so many codes cannot stand for `columns` columns, or there is no such
    /// column.
    pub fn code(&self, column: usize, columns: usize) -> Result<i16, WireError> {
        if column >= columns {
            return Err(WireError::FormatCount);
        }
        let index = match self.len() {
            0 => return Ok(0),
            1 => 0,
            n if n == columns => column,
            _ => return Err(WireError::FormatCount),
        };
        self.iter().nth(index).ok_or(WireError::FormatCount)
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    fn formats(codes: &[i16]) -> Vec<u8> {
        let mut bytes = (codes.len() as u16).to_be_bytes().to_vec();
        codes.iter().for_each(|code| bytes.extend(code.to_be_bytes()));
        bytes
    }

    #[test]
    fn format_codes_follow_the_rules_of_bind() {
        for (codes, column, columns, expected) in [
            (&[][..], 0, 1, Ok(0)),
            (&[], 1, 1, Err(WireError::FormatCount)),
            (&[1], 0, 3, Ok(1)),
            (&[1], 2, 3, Ok(1)),
            (&[1], 3, 3, Err(WireError::FormatCount)),
            (&[0, 1], 0, 2, Ok(0)),
            (&[0, 1], 1, 2, Ok(1)),
            (&[0, 1], 0, 3, Err(WireError::FormatCount)),
            (&[0, 1, 1], 0, 2, Err(WireError::FormatCount)),
        ] {
            let bytes = formats(codes);
            let read = Formats::read(&mut Cursor::new(&bytes)).unwrap();
            assert_eq!(read.code(column, columns), expected, "{codes:?} {column}/{columns}");
        }
    }

    #[test]
    fn an_unknown_format_code_is_refused() {
        for code in [2, -1, 256] {
            let bytes = formats(&[0, code]);
            assert_eq!(Formats::read(&mut Cursor::new(&bytes)), Err(WireError::FormatCode));
        }
    }

    #[test]
    fn a_count_larger_than_the_message_is_refused() {
        assert_eq!(Formats::read(&mut Cursor::new(&[0, 2, 0, 1])), Err(WireError::Count));
        assert_eq!(Oids::read(&mut Cursor::new(&[0, 1, 0, 1])), Err(WireError::Count));
        assert_eq!(Oids::read(&mut Cursor::new(&[0xff, 0xff])), Err(WireError::Count));
    }
}
