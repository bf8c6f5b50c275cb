//! A PostgreSQL client that hides nothing: blocking, frame by frame, keeping every byte it heard.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::frontend;

use super::message::{Format, Message, Reply, ServerError};
use super::wait::PATIENCE;

/// Where to, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    pub(crate) options: Vec<(String, String)>,
    /// What is sent before anything else, as by a load balancer.
    pub(crate) preamble: Vec<u8>,
}

impl Target {
    pub(crate) fn new(port: u16, user: &str, password: &str, database: &str) -> Self {
        let [user, password, database] = [user, password, database].map(str::to_owned);
        Self { port, user, password, database, options: Vec::new(), preamble: Vec::new() }
    }

    /// With one more startup parameter.
    pub(crate) fn option(mut self, name: &str, value: &str) -> Self {
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With bytes before the startup packet.
    pub(crate) fn preamble(mut self, bytes: Vec<u8>) -> Self {
        self.preamble = bytes;
        self
    }

    pub(crate) fn password(mut self, password: &str) -> Self {
        password.clone_into(&mut self.password);
        self
    }

    /// `postgres://…`, as drivers and psql take it.
    pub(crate) fn url(&self) -> String {
        let Self { port, user, password, database, .. } = self;
        format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
    }

    #[track_caller]
    pub(crate) fn connect(&self) -> Client {
        match Client::connect(self) {
            Ok(client) => client,
            Err(error) => panic!("{}@{}: {error}", self.user, self.database),
        }
    }
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("refused: {0}")]
    Server(ServerError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl ConnectError {
    /// SQLSTATE, or empty for a connection that never spoke.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Server(error) => error.code(),
            Self::Io(_) => "",
        }
    }
}

pub(crate) struct Client {
    stream: TcpStream,
    /// Every byte received since login, in order.
    pub(crate) heard: Vec<u8>,
    /// How much of `heard` has been cut into messages.
    cut: usize,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) key: (i32, i32),
    port: u16,
}

impl Client {
    pub(crate) fn connect(target: &Target) -> Result<Self, ConnectError> {
        let mut client = Self::open(target.port)?;
        client.send(&target.preamble)?;
        let mut parameters = vec![("user", &*target.user), ("database", &*target.database)];
        parameters.extend(target.options.iter().map(|(name, value)| (&**name, &**value)));
        client.send_with(|buf| frontend::startup_message(parameters, buf))?;
        client.log_in(&target.password)?;
        client.heard.clear();
        client.cut = 0;
        Ok(client)
    }

    /// A connection on which nothing has been said yet.
    pub(crate) fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (heard, parameters) = (Vec::new(), Vec::new());
        Ok(Self { stream, heard, cut: 0, parameters, key: (0, 0), port })
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn log_in(&mut self, password: &str) -> Result<(), ConnectError> {
        let mut scram = None;
        loop {
            let message =
                self.read()?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            let body = &message.body[..];
            match message.tag {
                b'R' => self.answer(password, &mut scram, body)?,
                b'S' => {
                    let name = message.string();
                    let value = String::from_utf8_lossy(&body[name.len() + 1..body.len() - 1]);
                    self.parameters.push((name, value.into_owned()));
                }
                b'K' => {
                    let number = |at: usize| body[at..at + 4].try_into().map(i32::from_be_bytes);
                    self.key = (number(0).expect("pid"), number(4).expect("secret"));
                }
                b'E' => return Err(ConnectError::Server(message.error())),
                b'Z' => return Ok(()),
                b'N' => {}
                _ => return Err(io::Error::other(format!("at login: {message:?}")).into()),
            }
        }
    }

    fn answer(
        &mut self,
        password: &str,
        scram: &mut Option<ScramSha256>,
        body: &[u8],
    ) -> io::Result<()> {
        let (kind, data) = body.split_at(4);
        match (kind, scram) {
            ([0, 0, 0, 0], _) => Ok(()),
            ([0, 0, 0, 3], _) => {
                self.send_with(|buf| frontend::password_message(password.as_bytes(), buf))
            }
            ([0, 0, 0, 10], scram) => {
                let state = scram
                    .insert(ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported()));
                let first = state.message().to_vec();
                self.send_with(|buf| frontend::sasl_initial_response(SCRAM_SHA_256, &first, buf))
            }
            ([0, 0, 0, 11], Some(state)) => {
                state.update(data)?;
                let last = state.message().to_vec();
                self.send_with(|buf| frontend::sasl_response(&last, buf))
            }
            ([0, 0, 0, 12], Some(state)) => state.finish(data),
            (kind, _) => Err(io::Error::other(format!("authentication {kind:?}"))),
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// A second handle for another thread that writes.
    pub(crate) fn writer(&self) -> TcpStream {
        let stream = self.stream.try_clone().expect("a live connection");
        stream.set_write_timeout(None).expect("no timeout");
        stream
    }

    fn send_with(&mut self, build: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> io::Result<()> {
        let mut buf = BytesMut::new();
        build(&mut buf)?;
        self.send(&buf)
    }

    /// The next message, None at the end of the connection.
    pub(crate) fn read(&mut self) -> io::Result<Option<Message>> {
        loop {
            let rest = &self.heard[self.cut..];
            if let Some((tag, len)) = header(rest)
                && rest.len() > len
            {
                let message = Message { tag, body: rest[5..=len].to_vec() };
                self.cut += len + 1;
                return Ok(Some(message));
            }
            let mut chunk = [0; 16 * 1024];
            let count = match self.stream.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
                other => other?,
            };
            if count == 0 {
                return Ok(None);
            }
            self.heard.extend_from_slice(&chunk[..count]);
        }
    }

    /// Drops what has been heard and cut; for streams too big to keep.
    pub(crate) fn forget(&mut self) {
        if self.cut > 1 << 20 {
            self.heard.drain(..self.cut);
            self.cut = 0;
        }
    }

    /// Everything up to the next ReadyForQuery or the end.
    #[track_caller]
    pub(crate) fn until_ready(&mut self) -> Reply {
        let mut reply = Reply::default();
        while let Some(message) = self.read().expect("a reply in time") {
            let ready = message.tag == b'Z';
            reply.messages.push(message);
            if ready {
                break;
            }
        }
        reply
    }

    /// What comes within `quiet`, until it is quiet for that long.
    pub(crate) fn drain(&mut self, quiet: Duration) -> Reply {
        let mut reply = Reply::default();
        self.stream.set_read_timeout(Some(quiet)).expect("a positive timeout");
        while let Ok(Some(message)) = self.read() {
            reply.messages.push(message);
        }
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
        reply
    }

    #[track_caller]
    pub(crate) fn query(&mut self, sql: &str) -> Reply {
        self.start(sql);
        self.until_ready()
    }

    /// Sends a Query and does not wait.
    #[track_caller]
    pub(crate) fn start(&mut self, sql: &str) {
        self.send(&query(sql)).expect("a live connection");
    }

    /// Parse, Bind, Describe, Execute, Sync with the unnamed statement; parameters as text.
    #[track_caller]
    pub(crate) fn extended(&mut self, sql: &str, params: &[Option<&str>], form: Format) -> Reply {
        let frames = [
            parse("", sql),
            bind("", "", params, form),
            frame(b'D', b"P\0"),
            execute("", 0),
            frame(b'S', b""),
        ];
        self.send(&frames.concat()).expect("a live connection");
        self.until_ready()
    }

    pub(crate) fn shut_down_writes(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).expect("a live connection");
    }

    /// Asks the same port to cancel what this session runs.
    pub(crate) fn cancel(&self) -> io::Result<()> {
        let mut other = Self::open(self.port)?;
        other.send_with(|buf| {
            frontend::cancel_request(self.key.0, self.key.1, buf);
            Ok(())
        })?;
        other.read().map(|_| ())
    }
}

fn header(bytes: &[u8]) -> Option<(u8, usize)> {
    let (head, _) = bytes.split_first_chunk::<5>()?;
    let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    Some((head[0], len as usize))
}

/// One frontend frame with its true length.
pub(crate) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 4).expect("a frame below 4 GiB");
    [&[tag][..], &len.to_be_bytes(), body].concat()
}

pub(crate) fn query(sql: &str) -> Vec<u8> {
    frame(b'Q', &[sql.as_bytes(), b"\0"].concat())
}

pub(crate) fn parse(name: &str, sql: &str) -> Vec<u8> {
    frame(b'P', &[name.as_bytes(), b"\0", sql.as_bytes(), b"\0\0\0"].concat())
}

pub(crate) fn bind(portal: &str, name: &str, params: &[Option<&str>], form: Format) -> Vec<u8> {
    let mut body = [portal.as_bytes(), b"\0", name.as_bytes(), b"\0\0\0"].concat();
    let count = i16::try_from(params.len()).expect("few parameters");
    body.extend(count.to_be_bytes());
    for param in params {
        match param {
            Some(text) => {
                let len = i32::try_from(text.len()).expect("a short parameter");
                body.extend(len.to_be_bytes());
                body.extend(text.as_bytes());
            }
            None => body.extend((-1i32).to_be_bytes()),
        }
    }
    body.extend([0, 1]);
    body.extend(form.code().to_be_bytes());
    frame(b'B', &body)
}

pub(crate) fn execute(portal: &str, rows_max: i32) -> Vec<u8> {
    frame(b'E', &[portal.as_bytes(), b"\0", &rows_max.to_be_bytes()].concat())
}

/// Describe a statement (`b'S'`) or a portal (`b'P'`).
pub(crate) fn describe(kind: u8, name: &str) -> Vec<u8> {
    frame(b'D', &[&[kind], name.as_bytes(), b"\0"].concat())
}

/// Close a statement (`b'S'`) or a portal (`b'P'`).
pub(crate) fn close(kind: u8, name: &str) -> Vec<u8> {
    frame(b'C', &[&[kind], name.as_bytes(), b"\0"].concat())
}

pub(crate) fn sync() -> Vec<u8> {
    frame(b'S', b"")
}
