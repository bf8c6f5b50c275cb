//! A server of mail of the tests' own: keeps every letter, speaks STARTTLS if it has a certificate,
//! and refuses whom it was told to refuse.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use keyhole::net::tls::{ClientCertificates, server_config};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::wait::{PATIENCE, until};

/// One letter that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) encrypted: bool,
    /// What followed AUTH, if anything did.
    pub(crate) login: Option<String>,
    /// The address of RCPT TO.
    pub(crate) to: String,
    pub(crate) text: String,
}

#[derive(Default)]
struct State {
    taken: Vec<Taken>,
    /// Whose next RCPT TO is answered how.
    refusals: VecDeque<(String, u16)>,
    /// Every command line that was heard.
    commands: Vec<String>,
}

#[derive(Clone, Copy)]
enum Greeting {
    InClear,
    Encrypted,
}

pub(crate) struct MailServer {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl MailServer {
    /// Without TLS.
    pub(crate) fn start() -> Self {
        Self::with(None, Greeting::InClear)
    }

    /// With STARTTLS, and the certificate that [`super::certificates::make`] put there.
    pub(crate) fn start_tls(dir: &Path) -> Self {
        Self::with(Some(certified(dir)), Greeting::InClear)
    }

    /// With TLS from the first byte.
    pub(crate) fn start_wrapped(dir: &Path) -> Self {
        Self::with(Some(certified(dir)), Greeting::Encrypted)
    }

    fn with(tls: Option<Arc<ServerConfig>>, greeting: Greeting) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, tls) = (Arc::clone(&shared), tls.clone());
                // A client that leaves is none that has to be told.
                std::thread::spawn(move || drop(converse(stream, tls, greeting, &state)));
            }
        });
        Self { port, state }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The next letter to that address is answered with this code.
    pub(crate) fn refuse(&self, address: &str, code: u16) {
        self.state.lock().expect("unpoisoned").refusals.push_back((address.to_owned(), code));
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state.lock().expect("unpoisoned").taken.clone()
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.state.lock().expect("unpoisoned").commands.clone()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Taken> {
        until(&format!("{count} letters"), || {
            let taken = self.taken();
            (taken.len() >= count).then_some(taken)
        })
    }
}

impl Taken {
    /// The value of a header, unfolded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.text.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        let prefix = format!("{name}: ");
        head.lines().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
    }
}

enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Line {
    fn say(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(text.as_bytes()),
            Self::Tls(stream) => {
                stream.write_all(text.as_bytes())?;
                stream.flush()
            }
        }
    }

    /// Byte by byte, so that nothing of what follows is taken along.
    fn hear(&mut self, end: &[u8]) -> io::Result<String> {
        let mut heard = Vec::new();
        let mut byte = [0];
        while !heard.ends_with(end) {
            match self {
                Self::Plain(stream) => stream.read_exact(&mut byte)?,
                Self::Tls(stream) => stream.read_exact(&mut byte)?,
            }
            heard.push(byte[0]);
        }
        heard.truncate(heard.len() - end.len());
        Ok(String::from_utf8_lossy(&heard).into_owned())
    }
}

fn certified(dir: &Path) -> Arc<ServerConfig> {
    let read = |name: &str| std::fs::read(dir.join(name)).expect("it was made");
    let tls = server_config(&read("tls.pem"), &read("tls.key"), ClientCertificates::Ignored);
    tls.expect("good certificates")
}

fn encrypted_line(stream: TcpStream, tls: &Arc<ServerConfig>) -> Line {
    let connection = ServerConnection::new(Arc::clone(tls)).expect("good settings");
    Line::Tls(Box::new(StreamOwned::new(connection, stream)))
}

fn converse(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    greeting: Greeting,
    state: &Mutex<State>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = match (&tls, greeting) {
        (Some(tls), Greeting::Encrypted) => encrypted_line(stream, tls),
        (_, _) => Line::Plain(stream),
    };
    let (mut login, mut to) = (None, String::new());
    line.say("220 tests\r\n")?;
    loop {
        let command = line.hear(b"\r\n")?;
        state.lock().expect("unpoisoned").commands.push(command.clone());
        let encrypted = matches!(line, Line::Tls(_));
        let verb = command.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        match verb.as_str() {
            "EHLO" => {
                let offer = if tls.is_some() && !encrypted { "250-STARTTLS\r\n" } else { "" };
                line.say(&format!("250-tests\r\n{offer}250 AUTH PLAIN\r\n"))?;
            }
            "STARTTLS" => {
                line.say("220 go on\r\n")?;
                let Line::Plain(stream) = line else { return Ok(()) };
                let settings = tls.clone().expect("only offered with TLS");
                line = encrypted_line(stream, &settings);
            }
            "AUTH" => {
                login = command.split(' ').nth(2).map(str::to_owned);
                line.say("235 welcome\r\n")?;
            }
            "RCPT" => {
                to = command.trim_start_matches("RCPT TO:<").split('>').next().unwrap_or("").into();
                let mut state = state.lock().expect("unpoisoned");
                let refused = state.refusals.iter().position(|(address, _)| *address == to);
                let refused = refused.and_then(|at| state.refusals.remove(at));
                let code = refused.map_or(250, |(_, code)| code);
                line.say(&format!("{code} {to}\r\n"))?;
            }
            "DATA" => {
                line.say("354 go on\r\n")?;
                let text = line.hear(b"\r\n.\r\n")?;
                let taken = Taken { encrypted, login: login.clone(), to: to.clone(), text };
                state.lock().expect("unpoisoned").taken.push(taken);
                line.say("250 taken\r\n")?;
            }
            "QUIT" => return line.say("221 bye\r\n"),
            _ => line.say("250 ok\r\n")?,
        }
    }
}
