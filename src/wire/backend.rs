//! What the server says.

use super::cursor::Cursor;
use super::{Formats, Oids, WireError};
use crate::model::Oid;

/// The first byte of each message.
pub mod tag {
    pub const AUTHENTICATION: u8 = b'R';
    pub const BACKEND_KEY_DATA: u8 = b'K';
    pub const BIND_COMPLETE: u8 = b'2';
    pub const CLOSE_COMPLETE: u8 = b'3';
    pub const COMMAND_COMPLETE: u8 = b'C';
    pub const COPY_BOTH_RESPONSE: u8 = b'W';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_IN_RESPONSE: u8 = b'G';
    pub const COPY_OUT_RESPONSE: u8 = b'H';
    pub const DATA_ROW: u8 = b'D';
    pub const EMPTY_QUERY_RESPONSE: u8 = b'I';
    pub const ERROR_RESPONSE: u8 = b'E';
    pub const FUNCTION_CALL_RESPONSE: u8 = b'V';
    pub const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
    pub const NO_DATA: u8 = b'n';
    pub const NOTICE_RESPONSE: u8 = b'N';
    pub const NOTIFICATION_RESPONSE: u8 = b'A';
    pub const PARAMETER_DESCRIPTION: u8 = b't';
    pub const PARAMETER_STATUS: u8 = b'S';
    pub const PARSE_COMPLETE: u8 = b'1';
    pub const PORTAL_SUSPENDED: u8 = b's';
    pub const READY_FOR_QUERY: u8 = b'Z';
    pub const ROW_DESCRIPTION: u8 = b'T';
}

/// The longest secret of a BackendKeyData or CancelRequest (protocol 3.2).
pub const SECRET_LEN_MAX: usize = 256;

/// Where a session stands, in the words of ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TxStatus {
    Idle,
    InTransaction,
    Failed,
}

/// The columns of a result; checked to the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowDescription<'a> {
    count: usize,
    bytes: &'a [u8],
}

/// One column of a RowDescription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    pub name: &'a [u8],
    /// Zero: not a column of a relation.
    pub relation: Oid,
    pub column: i16,
    pub type_oid: Oid,
    /// Negative: variable.
    pub type_len: i16,
    pub typmod: i32,
    /// 0 text, 1 binary; 0 too where it is not known yet (Describe of a statement).
    pub format: i16,
}

impl<'a> RowDescription<'a> {
    pub fn read(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(payload);
        let count = cursor.count()?;
        let bytes = cursor.rest();
        // A field is at least its name's zero and 18 bytes of numbers.
        if count * 19 > bytes.len() {
            return Err(WireError::Count);
        }
        for _ in 0..count {
            let field = Field::read(&mut cursor)?;
            if field.format != 0 && field.format != 1 {
                return Err(WireError::FormatCode);
            }
        }
        cursor.finish()?;
        Ok(Self { count, bytes })
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + Clone + use<'a> {
        let mut cursor = Cursor::new(self.bytes);
        // `read` walked over the same bytes, so no field fails here.
        (0..self.count).map_while(move |_| Field::read(&mut cursor).ok())
    }
}

impl<'a> Field<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        Ok(Self {
            name: cursor.string()?,
            relation: cursor.u32()?,
            column: cursor.i16()?,
            type_oid: cursor.u32()?,
            type_len: cursor.i16()?,
            typmod: cursor.i32()?,
            format: cursor.i16()?,
        })
    }
}

/// The values of one row. Reading checks the number of values only; the values are checked while
/// [`DataRow::fields`] walks over them, as rows are the hot path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataRow<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> DataRow<'a> {
    pub fn read(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(payload);
        let count = cursor.count()?;
        let bytes = cursor.rest();
        if count * 4 > bytes.len() {
            return Err(WireError::Count);
        }
        if count == 0 {
            cursor.finish()?;
        }
        Ok(Self { count, bytes })
    }

    /// The row whose payload begins with `start`: only the values that lie in it can be read.
    pub fn begin(start: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(start);
        let count = cursor.count()?;
        Ok(Self { count, bytes: cursor.rest() })
    }

    /// How many bytes of payload hold the first `values` values, of which at least those that lie
    /// in `start` are counted: `Err` with how many are known to be needed, if that is more.
    pub fn extent(start: &[u8], values: usize) -> Result<usize, usize> {
        let mut end = 2;
        for _ in 0..values {
            let word = start.get(end..end + 4).and_then(|word| word.first_chunk::<4>());
            end += 4;
            let Some(word) = word else { return Err(end) };
            end += usize::try_from(i32::from_be_bytes(*word)).unwrap_or(0);
        }
        if end <= start.len() { Ok(end) } else { Err(end) }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The values as they stand in the message, each behind its length word.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where in [`DataRow::bytes`] the values end of which the first begins at `at`.
    ///
    /// # Errors
    /// `Truncated` or `Length` if there are not so many.
    pub fn skip(&self, mut at: usize, values: usize) -> Result<usize, WireError> {
        for _ in 0..values {
            let rest = self.bytes.get(at..).ok_or(WireError::Truncated)?;
            let word = rest.first_chunk::<4>().ok_or(WireError::Truncated)?;
            let len = match i32::from_be_bytes(*word) {
                -1 => 0,
                len => usize::try_from(len).map_err(|_| WireError::Length)?,
            };
            at += 4 + len;
        }
        if at <= self.bytes.len() { Ok(at) } else { Err(WireError::Truncated) }
    }

    /// The values in order, None for NULL. A value that does not fit the message, or bytes after
    /// the last value (reported in its place), give an error and end the walk: whoever has seen
    /// `len()` values without one has seen the whole row.
    pub fn fields(&self) -> DataFields<'a> {
        DataFields { remaining: self.count, cursor: Cursor::new(self.bytes) }
    }
}

/// See [`DataRow::fields`].
#[derive(Clone, Debug)]
pub struct DataFields<'a> {
    remaining: usize,
    cursor: Cursor<'a>,
}

impl<'a> Iterator for DataFields<'a> {
    type Item = Result<Option<&'a [u8]>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.remaining = self.remaining.checked_sub(1)?;
        let field = match self.cursor.value() {
            Ok(value) if self.remaining > 0 => Ok(value),
            Ok(value) => self.cursor.finish().map(|()| value),
            Err(error) => Err(error),
        };
        if field.is_err() {
            self.remaining = 0;
        }
        Some(field)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining.min(1), Some(self.remaining))
    }
}

impl std::iter::FusedIterator for DataFields<'_> {}

/// The fields of an ErrorResponse or NoticeResponse: `(code, value)`, values in the client's
/// encoding.
#[derive(Clone, Debug)]
pub struct ErrorFields<'a> {
    cursor: Cursor<'a>,
}

impl<'a> ErrorFields<'a> {
    /// Checks the whole payload.
    pub fn read(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(payload);
        while cursor.u8()? != 0 {
            cursor.string()?;
        }
        cursor.finish()?;
        Ok(Self { cursor: Cursor::new(payload) })
    }

    /// The first field of that code among those not yet walked over.
    pub fn get(&self, code: u8) -> Option<&'a [u8]> {
        self.clone().find_map(|(found, value)| (found == code).then_some(value))
    }
}

impl<'a> Iterator for ErrorFields<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let code = self.cursor.u8().ok().filter(|code| *code != 0)?;
        Some((code, self.cursor.string().ok()?))
    }
}

/// What an Authentication message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication<'a> {
    Ok,
    CleartextPassword,
    Md5Password {
        salt: [u8; 4],
    },
    Sasl(Mechanisms<'a>),
    SaslContinue(&'a [u8]),
    SaslFinal(&'a [u8]),
    /// Kerberos, GSSAPI, SSPI and what may come.
    Other(u32),
}

/// SASL mechanisms that a server offers, the preferred first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mechanisms<'a> {
    bytes: &'a [u8],
}

impl<'a> Mechanisms<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        let bytes = cursor.rest();
        while !cursor.text()?.is_empty() {}
        Ok(Self { bytes })
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let mut cursor = Cursor::new(self.bytes);
        std::iter::from_fn(move || cursor.text().ok().filter(|name| !name.is_empty()))
    }
}

pub fn authentication(payload: &[u8]) -> Result<Authentication<'_>, WireError> {
    let mut cursor = Cursor::new(payload);
    let request = match cursor.u32()? {
        0 => Authentication::Ok,
        3 => Authentication::CleartextPassword,
        5 => Authentication::Md5Password { salt: cursor.u32()?.to_be_bytes() },
        10 => Authentication::Sasl(Mechanisms::read(&mut cursor)?),
        11 => return Ok(Authentication::SaslContinue(cursor.rest())),
        12 => return Ok(Authentication::SaslFinal(cursor.rest())),
        other => return Ok(Authentication::Other(other)),
    };
    cursor.finish()?;
    Ok(request)
}

pub fn ready_status(payload: &[u8]) -> Result<TxStatus, WireError> {
    match payload {
        b"I" => Ok(TxStatus::Idle),
        b"T" => Ok(TxStatus::InTransaction),
        b"E" => Ok(TxStatus::Failed),
        [] => Err(WireError::Truncated),
        [_] => Err(WireError::Value),
        [_, _, ..] => Err(WireError::Leftover),
    }
}

/// Name and value of a setting that the server reports.
pub fn parameter_status(payload: &[u8]) -> Result<(&str, &str), WireError> {
    let mut cursor = Cursor::new(payload);
    let pair = (cursor.text()?, cursor.text()?);
    cursor.finish()?;
    Ok(pair)
}

/// Process id and secret: four bytes in protocol 3.0, up to [`SECRET_LEN_MAX`] in 3.2.
pub fn backend_key(payload: &[u8]) -> Result<(i32, &[u8]), WireError> {
    let mut cursor = Cursor::new(payload);
    let pid = cursor.i32()?;
    match cursor.rest() {
        [] => Err(WireError::Truncated),
        secret if secret.len() > SECRET_LEN_MAX => Err(WireError::Leftover),
        secret => Ok((pid, secret)),
    }
}

/// The tag of a CommandComplete: `SELECT 3`.
pub fn command_tag(payload: &[u8]) -> Result<&str, WireError> {
    let mut cursor = Cursor::new(payload);
    let tag = cursor.text()?;
    cursor.finish()?;
    Ok(tag)
}

/// Notifying process, channel and payload.
pub fn notification(payload: &[u8]) -> Result<(i32, &[u8], &[u8]), WireError> {
    let mut cursor = Cursor::new(payload);
    let notification = (cursor.i32()?, cursor.string()?, cursor.string()?);
    cursor.finish()?;
    Ok(notification)
}

/// The parameter types of a described statement.
pub fn parameter_description(payload: &[u8]) -> Result<Oids<'_>, WireError> {
    let mut cursor = Cursor::new(payload);
    let types = Oids::read(&mut cursor)?;
    cursor.finish()?;
    Ok(types)
}

/// What a CopyInResponse, CopyOutResponse or CopyBothResponse announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyFormats<'a> {
    /// 0 text, 1 binary.
    pub overall: i16,
    /// One per column.
    pub columns: Formats<'a>,
}

pub fn copy_formats(payload: &[u8]) -> Result<CopyFormats<'_>, WireError> {
    let mut cursor = Cursor::new(payload);
    let overall = match cursor.u8()? {
        code @ (0 | 1) => i16::from(code),
        _ => return Err(WireError::FormatCode),
    };
    let columns = Formats::read(&mut cursor)?;
    cursor.finish()?;
    Ok(CopyFormats { overall, columns })
}

#[cfg(test)]
mod tests;
