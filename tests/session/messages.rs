//! What clients and servers say, in a few words each.

use keyhole::model::{Report, SqlState};
use keyhole::wire::backend::{DataRow, ErrorFields, Field};
use keyhole::wire::frontend::{self, Frontend, Parse, Target};
use keyhole::wire::{FrameHeader, TxStatus, write};

/// Messages of a client, one after another.
#[derive(Default)]
pub(crate) struct Asks(Vec<u8>);

pub(crate) fn ask(say: impl FnOnce(&mut Asks)) -> Vec<u8> {
    let mut asks = Asks::default();
    say(&mut asks);
    asks.0
}

impl Asks {
    pub(crate) fn query(&mut self, sql: &str) {
        write::query(&mut self.0, sql).unwrap();
    }

    pub(crate) fn parse(&mut self, name: &str, sql: &str) {
        write::parse(&mut self.0, name, sql, []).unwrap();
    }

    /// Results in this format, 0 text or 1 binary; no parameters.
    pub(crate) fn bind(&mut self, portal: &str, statement: &str, format: i16) {
        write::bind(&mut self.0, portal, statement, [], [], [format]).unwrap();
    }

    /// One parameter; results in this format.
    pub(crate) fn bind_value(&mut self, portal: &str, statement: &str, value: &[u8], format: i16) {
        write::bind(&mut self.0, portal, statement, [0], [Some(value)], [format]).unwrap();
    }

    pub(crate) fn copy_data(&mut self, bytes: &[u8]) {
        write::copy_data(&mut self.0, bytes).unwrap();
    }

    pub(crate) fn describe_portal(&mut self, portal: &str) {
        write::describe(&mut self.0, Target::Portal(portal)).unwrap();
    }

    pub(crate) fn describe_statement(&mut self, name: &str) {
        write::describe(&mut self.0, Target::Statement(name)).unwrap();
    }

    pub(crate) fn close_statement(&mut self, name: &str) {
        write::close(&mut self.0, Target::Statement(name)).unwrap();
    }

    pub(crate) fn execute(&mut self, portal: &str) {
        write::execute(&mut self.0, portal, 0).unwrap();
    }

    pub(crate) fn flush(&mut self) {
        write::flush(&mut self.0);
    }

    pub(crate) fn sync(&mut self) {
        write::sync(&mut self.0);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Messages of a server, one after another.
#[derive(Default)]
pub(crate) struct Tells(Vec<u8>);

pub(crate) fn tell(say: impl FnOnce(&mut Tells)) -> Vec<u8> {
    let mut tells = Tells::default();
    say(&mut tells);
    tells.0
}

impl Tells {
    /// A RowDescription: name, relation, column, format.
    pub(crate) fn describes(&mut self, fields: &[(&str, u32, i16, i16)]) {
        let fields = fields.iter().map(|(name, relation, column, format)| Field {
            name: name.as_bytes(),
            relation: *relation,
            column: *column,
            type_oid: 25,
            type_len: -1,
            typmod: -1,
            format: *format,
        });
        write::row_description(&mut self.0, fields).unwrap();
    }

    pub(crate) fn row(&mut self, values: &[Option<&[u8]>]) {
        write::data_row(&mut self.0, values.iter().copied()).unwrap();
    }

    pub(crate) fn completes(&mut self, tag: &str) {
        write::command_complete(&mut self.0, tag).unwrap();
    }

    pub(crate) fn ready(&mut self, status: u8) {
        let status = match status {
            b'I' => TxStatus::Idle,
            b'T' => TxStatus::InTransaction,
            _ => TxStatus::Failed,
        };
        write::ready_for_query(&mut self.0, status);
    }

    pub(crate) fn error(&mut self, state: &str, text: &str) {
        let state = SqlState::parse(state.as_bytes()).unwrap();
        write::error(&mut self.0, &Report::error(state, text).detail(text));
    }

    pub(crate) fn notice(&mut self, text: &str) {
        write::notice(&mut self.0, &Report::notice(text));
    }

    pub(crate) fn parsed(&mut self) {
        write::parse_complete(&mut self.0);
    }

    pub(crate) fn bound(&mut self) {
        write::bind_complete(&mut self.0);
    }

    pub(crate) fn closed(&mut self) {
        write::close_complete(&mut self.0);
    }

    pub(crate) fn takes_no_parameters(&mut self) {
        write::parameter_description(&mut self.0, []).unwrap();
    }

    pub(crate) fn no_data(&mut self) {
        write::no_data(&mut self.0);
    }

    pub(crate) fn copy_data(&mut self, bytes: &[u8]) {
        write::copy_data(&mut self.0, bytes).unwrap();
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// A column that comes from no relation.
pub(crate) fn one_column(to: &mut Tells, name: &str) {
    to.describes(&[(name, 0, 0, 0)]);
}

pub(crate) fn row(to: &mut Tells, values: &[Option<&str>]) {
    let values: Vec<_> = values.iter().map(|value| value.map(str::as_bytes)).collect();
    to.row(&values);
}

/// Frames one after another: tag and payload. The bytes must be whole messages.
pub(crate) fn frames(bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let (mut rest, mut frames) = (bytes, Vec::new());
    while !rest.is_empty() {
        let header = FrameHeader::peek(rest, usize::MAX >> 1).unwrap().expect("a whole header");
        frames.push((header.tag, &rest[5..header.len]));
        rest = &rest[header.len..];
    }
    frames
}

/// What a client was told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The tags of the messages, in order.
    pub(crate) tags: String,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    /// SQLSTATEs of the errors.
    pub(crate) states: Vec<String>,
    /// Messages of errors and notices, details included.
    pub(crate) words: String,
}

impl Told {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut told = Self {
            tags: String::new(),
            rows: Vec::new(),
            states: Vec::new(),
            words: String::new(),
        };
        for (tag, payload) in frames(bytes) {
            told.tags.push(char::from(tag));
            match tag {
                b'D' => told.rows.push(values(payload)),
                b'E' | b'N' => told.report(tag, payload),
                _ => {}
            }
        }
        told
    }

    fn report(&mut self, tag: u8, payload: &[u8]) {
        let fields = ErrorFields::read(payload).unwrap();
        let text = |code| String::from_utf8_lossy(fields.get(code).unwrap_or(b"")).into_owned();
        if tag == b'E' {
            self.states.push(text(b'C'));
        }
        self.words.push_str(&format!("{} {}\n", text(b'M'), text(b'D')));
    }
}

fn values(payload: &[u8]) -> Vec<Option<String>> {
    let row = DataRow::read(payload).unwrap();
    let fields = row.fields().map(Result::unwrap);
    fields.map(|value| value.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())).collect()
}

/// What a server was asked: tags, and texts of Query and Parse.
pub(crate) fn asked(bytes: &[u8]) -> (String, Vec<String>) {
    let (mut tags, mut texts) = (String::new(), Vec::new());
    for (tag, payload) in frames(bytes) {
        tags.push(char::from(tag));
        let message = frontend::read(tag, payload).unwrap();
        if let Frontend::Query(sql) | Frontend::Parse(Parse { sql, .. }) = message {
            texts.push(sql.to_owned());
        }
    }
    (tags, texts)
}
