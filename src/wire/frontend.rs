//! What a client says after login.

mod pieces;

pub use pieces::{BindHead, BindRest, bind_head};

use super::cursor::Cursor;
use super::{Formats, Oids, WireError};

/// The first byte of each message.
pub mod tag {
    pub const BIND: u8 = b'B';
    pub const CLOSE: u8 = b'C';
    pub const COPY_DATA: u8 = b'd';
    pub const COPY_DONE: u8 = b'c';
    pub const COPY_FAIL: u8 = b'f';
    pub const DESCRIBE: u8 = b'D';
    pub const EXECUTE: u8 = b'E';
    pub const FLUSH: u8 = b'H';
    pub const FUNCTION_CALL: u8 = b'F';
    pub const PARSE: u8 = b'P';
    /// PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse alike.
    pub const PASSWORD: u8 = b'p';
    pub const QUERY: u8 = b'Q';
    pub const SYNC: u8 = b'S';
    pub const TERMINATE: u8 = b'X';
}

/// The longest frame of messages that carry values or text: PostgreSQL's `MaxAllocSize`.
const LARGE_LEN_MAX: usize = 0x3fff_ffff + 1;
/// The longest frame of all others (`PQ_SMALL_MESSAGE_LIMIT`).
const SMALL_LEN_MAX: usize = 10_000 + 1;

/// The longest frame of this tag that PostgreSQL takes, tag and length word included; None: there
/// is no such message.
pub fn len_max(tag: u8) -> Option<usize> {
    match tag {
        tag::QUERY | tag::PARSE | tag::BIND | tag::FUNCTION_CALL | tag::COPY_DATA => {
            Some(LARGE_LEN_MAX)
        }
        tag::CLOSE
        | tag::COPY_DONE
        | tag::COPY_FAIL
        | tag::DESCRIBE
        | tag::EXECUTE
        | tag::FLUSH
        | tag::PASSWORD
        | tag::SYNC
        | tag::TERMINATE => Some(SMALL_LEN_MAX),
        _ => None,
    }
}

/// One message of a client, borrowed from its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frontend<'a> {
    Query(&'a str),
    Parse(Parse<'a>),
    Bind(Bind<'a>),
    Describe(Target<'a>),
    Execute(Execute<'a>),
    Close(Target<'a>),
    Flush,
    Sync,
    Terminate,
    CopyData(&'a [u8]),
    CopyDone,
    CopyFail,
    /// The fast path is refused by the proxy, so its arguments are not read.
    FunctionCall,
    /// Meaningful during login only: see [`password`] and [`sasl_initial_response`].
    Password(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parse<'a> {
    /// Empty: the unnamed statement.
    pub name: &'a str,
    pub sql: &'a str,
    pub parameter_types: Oids<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    pub portal: &'a str,
    pub statement: &'a str,
    /// Fits the number of `parameters`.
    pub parameter_formats: Formats<'a>,
    pub parameters: Parameters<'a>,
    pub result_formats: Formats<'a>,
}

/// The values of a Bind; None is NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters<'a> {
    count: usize,
    bytes: &'a [u8],
}

/// What Describe and Close speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    Statement(&'a str),
    Portal(&'a str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execute<'a> {
    pub portal: &'a str,
    /// Zero or less: all rows.
    pub rows_max: i32,
}

/// Reads the payload (the frame without tag and length word) of a client's message.
///
/// # Errors
/// Whatever keeps the payload from being exactly one well-formed message of that tag.
pub fn read(tag: u8, payload: &[u8]) -> Result<Frontend<'_>, WireError> {
    let mut cursor = Cursor::new(payload);
    let message = match tag {
        tag::QUERY => Frontend::Query(cursor.text()?),
        tag::PARSE => Frontend::Parse(Parse {
            name: cursor.text()?,
            sql: cursor.text()?,
            parameter_types: Oids::read(&mut cursor)?,
        }),
        tag::BIND => Frontend::Bind(Bind::read(&mut cursor)?),
        tag::DESCRIBE => Frontend::Describe(Target::read(&mut cursor)?),
        tag::EXECUTE => {
            Frontend::Execute(Execute { portal: cursor.text()?, rows_max: cursor.i32()? })
        }
        tag::CLOSE => Frontend::Close(Target::read(&mut cursor)?),
        tag::FLUSH => Frontend::Flush,
        tag::SYNC => Frontend::Sync,
        tag::TERMINATE => Frontend::Terminate,
        tag::COPY_DATA => return Ok(Frontend::CopyData(payload)),
        tag::COPY_DONE => Frontend::CopyDone,
        tag::COPY_FAIL => {
            // The reason, in the client's encoding.
            cursor.string()?;
            Frontend::CopyFail
        }
        tag::FUNCTION_CALL => return Ok(Frontend::FunctionCall),
        tag::PASSWORD => return Ok(Frontend::Password(payload)),
        _ => return Err(WireError::UnknownTag),
    };
    cursor.finish()?;
    Ok(message)
}

/// The payload of a Query or Parse with U+FFFD for what is not UTF-8 in the statement; ASCII stays as
/// it is. None for any other message.
pub fn readable(tag: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let start = match tag {
        tag::QUERY => 0,
        tag::PARSE => payload.iter().position(|byte| *byte == 0)? + 1,
        _ => return None,
    };
    let len = payload[start..].iter().position(|byte| *byte == 0)?;
    let (before, rest) = payload.split_at(start);
    let (statement, after) = rest.split_at(len);
    Some([before, String::from_utf8_lossy(statement).as_bytes(), after].concat())
}

impl<'a> Bind<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        let portal = cursor.text()?;
        let statement = cursor.text()?;
        let parameter_formats = Formats::read(cursor)?;
        let parameters = Parameters::read(cursor)?;
        if parameter_formats.len() > 1 && parameter_formats.len() != parameters.len() {
            return Err(WireError::FormatCount);
        }
        let result_formats = Formats::read(cursor)?;
        Ok(Self { portal, statement, parameter_formats, parameters, result_formats })
    }
}

impl<'a> Parameters<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        let count = cursor.count()?;
        let start = cursor.rest();
        if count * 4 > start.len() {
            return Err(WireError::Count);
        }
        for _ in 0..count {
            cursor.value()?;
        }
        let bytes = &start[..start.len() - cursor.rest().len()];
        Ok(Self { count, bytes })
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = Option<&'a [u8]>> + Clone + use<'a> {
        let mut cursor = Cursor::new(self.bytes);
        // `read` walked over the same bytes, so no value fails here.
        (0..self.count).map_while(move |_| cursor.value().ok())
    }
}

impl<'a> Target<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        let kind = cursor.u8()?;
        let name = cursor.text()?;
        match kind {
            b'S' => Ok(Self::Statement(name)),
            b'P' => Ok(Self::Portal(name)),
            _ => Err(WireError::Value),
        }
    }

    pub fn name(&self) -> &'a str {
        match self {
            Self::Statement(name) | Self::Portal(name) => name,
        }
    }
}

/// The password in a PasswordMessage.
pub fn password(payload: &[u8]) -> Result<&[u8], WireError> {
    let mut cursor = Cursor::new(payload);
    let password = cursor.string()?;
    cursor.finish()?;
    Ok(password)
}

/// Mechanism and first data of a SASLInitialResponse.
pub fn sasl_initial_response(payload: &[u8]) -> Result<(&str, Option<&[u8]>), WireError> {
    let mut cursor = Cursor::new(payload);
    let mechanism = cursor.text()?;
    let data = cursor.value()?;
    cursor.finish()?;
    Ok((mechanism, data))
}

#[cfg(test)]
mod tests;
