//! Backend messages, cut by their length, and what a test reads out of them.

use std::fmt;

/// How results are asked for in Bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Binary,
}

impl Format {
    pub(crate) fn code(self) -> i16 {
        match self {
            Self::Text => 0,
            Self::Binary => 1,
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", char::from(self.tag), self.body.escape_ascii())
    }
}

/// One column of a RowDescription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) table_oid: u32,
    pub(crate) number: i16,
    pub(crate) type_oid: u32,
    pub(crate) format: i16,
}

/// An ErrorResponse or NoticeResponse by its field codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerError {
    pub(crate) fields: Vec<(char, String)>,
}

impl ServerError {
    pub(crate) fn field(&self, code: char) -> Option<&str> {
        self.fields.iter().find(|(c, _)| *c == code).map(|(_, text)| text.as_str())
    }

    pub(crate) fn code(&self) -> &str {
        self.field('C').unwrap_or("")
    }

    pub(crate) fn text(&self) -> &str {
        self.field('M').unwrap_or("")
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.text())?;
        for (code, text) in self.fields.iter().filter(|(code, _)| matches!(code, 'D' | 'H')) {
            write!(f, " [{code} {text}]")?;
        }
        Ok(())
    }
}

impl Message {
    pub(crate) fn row(&self) -> Vec<Option<Vec<u8>>> {
        let mut reader = Reader(&self.body);
        (0..reader.i16())
            .map(|_| {
                let len = reader.i32();
                (len >= 0).then(|| reader.bytes(len.unsigned_abs() as usize).to_vec())
            })
            .collect()
    }

    pub(crate) fn columns(&self) -> Vec<Column> {
        let mut reader = Reader(&self.body);
        (0..reader.i16())
            .map(|_| {
                let name = reader.string();
                let table_oid = reader.u32();
                let number = reader.i16();
                let type_oid = reader.u32();
                reader.bytes(6);
                Column { name, table_oid, number, type_oid, format: reader.i16() }
            })
            .collect()
    }

    pub(crate) fn error(&self) -> ServerError {
        let mut reader = Reader(&self.body);
        let mut fields = Vec::new();
        while let Some(code) = reader.byte().filter(|code| *code != 0) {
            fields.push((char::from(code), reader.string()));
        }
        ServerError { fields }
    }

    pub(crate) fn string(&self) -> String {
        Reader(&self.body).string()
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(len);
        self.0 = tail;
        head
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().expect("as many bytes as asked for")
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.array())
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.array())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    fn string(&mut self) -> String {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        let text = String::from_utf8_lossy(self.bytes(end)).into_owned();
        self.byte();
        text
    }
}

/// Everything up to (and with) a ReadyForQuery, or up to the end of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) messages: Vec<Message>,
}

impl Reply {
    fn tagged(&self, tag: u8) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |message| message.tag == tag)
    }

    pub(crate) fn raw_rows(&self) -> Vec<Vec<Option<Vec<u8>>>> {
        self.tagged(b'D').map(Message::row).collect()
    }

    /// Rows as text, NULL as `∅`.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let text = |field: Option<Vec<u8>>| match field {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => "∅".to_owned(),
        };
        self.raw_rows().into_iter().map(|row| row.into_iter().map(text).collect()).collect()
    }

    /// The first field of the first row; panics without one.
    #[track_caller]
    pub(crate) fn scalar(&self) -> String {
        match self.rows().into_iter().next().and_then(|row| row.into_iter().next()) {
            Some(value) => value,
            None => panic!("no row in {self:?}"),
        }
    }

    pub(crate) fn columns(&self) -> Vec<Column> {
        self.tagged(b'T').next().map(Message::columns).unwrap_or_default()
    }

    pub(crate) fn tags(&self) -> Vec<String> {
        self.tagged(b'C').map(Message::string).collect()
    }

    pub(crate) fn error(&self) -> Option<ServerError> {
        self.tagged(b'E').next().map(Message::error)
    }

    /// SQLSTATE of the first error, empty without one.
    pub(crate) fn code(&self) -> String {
        self.error().map(|error| error.code().to_owned()).unwrap_or_default()
    }

    pub(crate) fn notices(&self) -> Vec<ServerError> {
        self.tagged(b'N').map(Message::error).collect()
    }

    pub(crate) fn copied(&self) -> Vec<u8> {
        self.tagged(b'd').flat_map(|message| message.body.clone()).collect()
    }

    /// `I`, `T` or `E`; None when the connection ended first.
    pub(crate) fn status(&self) -> Option<char> {
        self.messages.last().filter(|m| m.tag == b'Z').map(|m| char::from(m.body[0]))
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        if let Some(error) = self.error() {
            panic!("the server refused: {error}");
        }
        assert!(self.status().is_some(), "the connection ended: {self:?}");
        self
    }
}
