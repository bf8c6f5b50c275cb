//! A web server of the tests' own, which receives webhooks: it keeps what it heard and answers as it
//! was told to.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use keyhole::net::tls::{ClientCertificates, server_config};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::wait::{PATIENCE, now, until};

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    /// `POST /hook`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What it does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    /// Status and a header line, which may be empty.
    Say(u16, String),
    /// Says nothing, and keeps the connection.
    Hang,
    /// Closes the connection without a word.
    Cut,
    /// 200, and a body that never ends.
    Endless,
}

#[derive(Default)]
struct State {
    heard: Vec<Heard>,
    turns: VecDeque<Turn>,
    kept: Vec<TcpStream>,
}

pub(crate) struct Receiver {
    port: u16,
    state: Arc<Mutex<State>>,
    closed: Arc<AtomicBool>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        Self::on(0, None)
    }

    /// Where another one was before.
    pub(crate) fn start_on(port: u16) -> Self {
        Self::on(port, None)
    }

    /// With the certificate that [`super::certificates::make`] put there.
    pub(crate) fn start_tls(dir: &Path) -> Self {
        let read = |name: &str| std::fs::read(dir.join(name)).expect("it was made");
        let tls = server_config(&read("tls.pem"), &read("tls.key"), ClientCertificates::Ignored);
        Self::on(0, Some(tls.expect("good certificates")))
    }

    fn on(port: u16, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = until("the port is free", || TcpListener::bind(("127.0.0.1", port)).ok());
        let port = listener.local_addr().expect("bound").port();
        let receiver = Self { port, state: Arc::default(), closed: Arc::default() };
        let (state, closed) = (Arc::clone(&receiver.state), Arc::clone(&receiver.closed));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if closed.load(Ordering::Relaxed) {
                    return;
                }
                let (state, tls) = (Arc::clone(&state), tls.clone());
                std::thread::spawn(move || serve(stream, tls, &state));
            }
        });
        receiver
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The next requests are answered so; later ones with 200.
    pub(crate) fn then(&self, turns: impl IntoIterator<Item = Turn>) {
        self.state.lock().expect("unpoisoned").turns.extend(turns);
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state.lock().expect("unpoisoned").heard.clone()
    }

    /// Waits for so many requests, and returns all.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Heard> {
        until(&format!("{count} requests"), || {
            let heard = self.heard();
            (heard.len() >= count).then_some(heard)
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, which then closes the port.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Heard {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(crate) fn event(&self) -> String {
        self.json()["event"].as_str().expect("a word").to_owned()
    }

    pub(crate) fn delivery(&self) -> String {
        self.headers["x-keyhole-delivery"].clone()
    }
}

fn serve(stream: TcpStream, tls: Option<Arc<ServerConfig>>, state: &Mutex<State>) {
    stream.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
    let socket = stream.try_clone().expect("a socket");
    match tls {
        None => answer(stream, socket, state),
        Some(tls) => {
            let connection = ServerConnection::new(tls).expect("good settings");
            answer(StreamOwned::new(connection, stream), socket, state);
        }
    }
}

/// None when the client has left.
fn answer(mut stream: impl Read + Write, socket: TcpStream, state: &Mutex<State>) {
    let Some(heard) = read(&mut stream) else { return };
    let turn = {
        let mut state = state.lock().expect("unpoisoned");
        state.heard.push(heard);
        state.turns.pop_front().unwrap_or(Turn::Say(200, String::new()))
    };
    match turn {
        Turn::Say(status, header) => {
            let header = if header.is_empty() { header } else { format!("{header}\r\n") };
            let head = format!("HTTP/1.1 {status} X\r\n{header}Content-Length: 2\r\n\r\nok");
            // Whether it is read is not the server's business.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.flush());
        }
        Turn::Hang => state.lock().expect("unpoisoned").kept.push(socket),
        Turn::Cut => {}
        Turn::Endless => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let mut going = stream.write_all(head.as_bytes());
            while going.is_ok() {
                going = stream.write_all(b"1\r\nx\r\n").and_then(|()| stream.flush());
            }
        }
    }
}

fn read(stream: &mut impl Read) -> Option<Heard> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("a head in ASCII");
    let mut lines = head.lines();
    let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<_, _> =
        pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).expect("UTF-8");
    Some(Heard { at: now(), line, headers, body })
}
