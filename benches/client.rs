//! A client that does as little as possible with what it reads.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use crate::Failure;

/// Larger than a socket's buffer, so that the reader is never the bottleneck.
const READ_LEN: usize = 1 << 20;

const HEADER_LEN: usize = 5;

/// The size of an answer, up to and with ReadyForQuery.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) bytes: u64,
    /// DataRow and CopyData messages.
    pub(crate) rows: u64,
}

pub(crate) struct Connection {
    stream: TcpStream,
    room: Vec<u8>,
    out: BytesMut,
    /// The ParameterStatus messages of the login.
    parameters: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(port: u16) -> Result<Self, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut connection =
            Self { stream, room: vec![0; READ_LEN], out: BytesMut::new(), parameters: Vec::new() };
        connection.log_in()?;
        Ok(connection)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "parameters, keys and notices tell nothing")]
    fn log_in(&mut self) -> Result<(), Failure> {
        let password = std::env::var("PGPASSWORD")?;
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        frontend::startup_message([("user", "bench"), ("database", "bench")], &mut self.out)?;
        self.send()?;
        let mut arrived = BytesMut::new();
        loop {
            match self.message(&mut arrived)? {
                // All endpoints offer SCRAM-SHA-256.
                Message::AuthenticationSasl(_) => {
                    let first = scram.message();
                    frontend::sasl_initial_response(SCRAM_SHA_256, first, &mut self.out)?;
                }
                Message::AuthenticationSaslContinue(body) => {
                    scram.update(body.data())?;
                    frontend::sasl_response(scram.message(), &mut self.out)?;
                }
                Message::AuthenticationSaslFinal(body) => scram.finish(body.data())?,
                Message::ErrorResponse(_) => return Err("the login was refused".into()),
                Message::ReadyForQuery(_) => return Ok(()),
                Message::ParameterStatus(body) => self.note(body.name()?, body.value()?),
                // Keys and notices.
                _ => {}
            }
            self.send()?;
        }
    }

    fn note(&mut self, name: &str, value: &str) {
        let body = [name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat();
        let len = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
        self.parameters.push(b'S');
        self.parameters.extend_from_slice(&len.to_be_bytes());
        self.parameters.extend_from_slice(&body);
    }

    pub(crate) fn parameters(&self) -> &[u8] {
        &self.parameters
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Every byte of the answer, up to and with ReadyForQuery.
    pub(crate) fn whole_answer(&mut self, sql: &str) -> Result<Vec<u8>, Failure> {
        frontend::query(sql, &mut self.out)?;
        self.send()?;
        let mut answer = Vec::new();
        // Nothing but ReadyForQuery ends like this at the end of what has been sent.
        while !answer.ends_with(&[b'Z', 0, 0, 0, 5, b'I']) {
            let len = self.read()?;
            answer.extend_from_slice(&self.room[..len]);
        }
        Ok(answer)
    }

    fn message(&mut self, arrived: &mut BytesMut) -> Result<Message, Failure> {
        loop {
            if let Some(message) = Message::parse(arrived)? {
                return Ok(message);
            }
            let len = self.read()?;
            arrived.extend_from_slice(&self.room[..len]);
        }
    }

    pub(crate) fn simple_query(&mut self, sql: &str) -> Result<Answer, Failure> {
        frontend::query(sql, &mut self.out)?;
        self.send()?;
        self.drain()
    }

    /// Prepares `sql`, whose `$1` is an integer, for [`Connection::execute`].
    pub(crate) fn prepare(&mut self, sql: &str) -> Result<(), Failure> {
        frontend::parse("lookup", sql, [], &mut self.out)?;
        frontend::sync(&mut self.out);
        self.send()?;
        self.drain().map(drop)
    }

    /// One row is expected.
    pub(crate) fn execute(&mut self, key: u32) -> Result<(), Failure> {
        let value = key.to_string();
        let bound = frontend::bind(
            "",
            "lookup",
            [],
            [value.as_bytes()],
            |value, out| {
                out.extend_from_slice(value);
                Ok(postgres_protocol::IsNull::No)
            },
            [],
            &mut self.out,
        );
        bound.map_err(|_| "a Bind that is too long")?;
        frontend::execute("", 0, &mut self.out)?;
        frontend::sync(&mut self.out);
        self.send()?;
        match self.drain()?.rows {
            1 => Ok(()),
            rows => Err(format!("{rows} rows instead of one").into()),
        }
    }

    fn send(&mut self) -> Result<(), Failure> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    fn read(&mut self) -> Result<usize, Failure> {
        match self.stream.read(&mut self.room)? {
            0 => Err("the connection was closed".into()),
            len => Ok(len),
        }
    }

    /// Reads up to ReadyForQuery and looks at nothing but the headers.
    fn drain(&mut self) -> Result<Answer, Failure> {
        let mut answer = Answer::default();
        // A header may be cut by the end of a read; `left` is how much of its body is to come.
        let (mut header, mut header_len, mut left) = ([0; HEADER_LEN], 0, 0);
        loop {
            let len = self.read()?;
            answer.bytes += len as u64;
            let mut bytes = &self.room[..len];
            loop {
                if left > 0 {
                    let skip = left.min(bytes.len());
                    bytes = &bytes[skip..];
                    left -= skip;
                }
                if bytes.is_empty() {
                    break;
                }
                let take = (HEADER_LEN - header_len).min(bytes.len());
                header[header_len..header_len + take].copy_from_slice(&bytes[..take]);
                bytes = &bytes[take..];
                header_len += take;
                if header_len < HEADER_LEN {
                    break;
                }
                header_len = 0;
                let [kind, body_len @ ..] = header;
                left = (u32::from_be_bytes(body_len) as usize).saturating_sub(4);
                match kind {
                    b'D' | b'd' => answer.rows += 1,
                    b'E' => {
                        let fields = &bytes[..left.min(bytes.len())];
                        return Err(String::from_utf8_lossy(fields).replace('\0', " ").into());
                    }
                    // One byte of status, which the next read would find.
                    b'Z' if bytes.len() >= left => return Ok(answer),
                    b'Z' => {
                        answer.bytes += self.read()? as u64;
                        return Ok(answer);
                    }
                    _ => {}
                }
            }
        }
    }
}
