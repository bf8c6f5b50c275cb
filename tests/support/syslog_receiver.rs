//! A receiver of syslog of the tests' own: over UDP, over TCP and over TLS with octet counting.

use std::io::Read;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use keyhole::net::tls::{ClientCertificates, server_config};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::wait::{PATIENCE, until};

pub(crate) struct SyslogReceiver {
    port: u16,
    messages: Arc<Mutex<Vec<String>>>,
    closed: Arc<AtomicBool>,
}

impl SyslogReceiver {
    pub(crate) fn udp() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
        let receiver = Self::at(socket.local_addr().expect("bound").port());
        let messages = Arc::clone(&receiver.messages);
        let closed = Arc::clone(&receiver.closed);
        std::thread::spawn(move || {
            let mut datagram = vec![0; 65_536];
            while let Ok(len) = socket.recv(&mut datagram) {
                if closed.load(Ordering::Relaxed) {
                    return;
                }
                let text = String::from_utf8(datagram[..len].to_vec()).expect("UTF-8");
                messages.lock().expect("unpoisoned").push(text);
            }
        });
        receiver
    }

    pub(crate) fn tcp() -> Self {
        Self::listening(None)
    }

    /// With the certificate that [`super::certificates::make`] put there.
    pub(crate) fn tls(dir: &Path) -> Self {
        let read = |name: &str| std::fs::read(dir.join(name)).expect("it was made");
        let tls = server_config(&read("tls.pem"), &read("tls.key"), ClientCertificates::Ignored);
        let mut tls = Arc::unwrap_or_clone(tls.expect("good certificates"));
        tls.alpn_protocols.clear();
        Self::listening(Some(Arc::new(tls)))
    }

    fn listening(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let receiver = Self::at(listener.local_addr().expect("bound").port());
        let messages = Arc::clone(&receiver.messages);
        let closed = Arc::clone(&receiver.closed);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if closed.load(Ordering::Relaxed) {
                    return;
                }
                stream.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
                match &tls {
                    None => read_frames(stream, &messages),
                    Some(tls) => {
                        let connection = ServerConnection::new(Arc::clone(tls));
                        let connection = connection.expect("good settings");
                        read_frames(StreamOwned::new(connection, stream), &messages);
                    }
                }
            }
        });
        receiver
    }

    fn at(port: u16) -> Self {
        Self { port, messages: Arc::default(), closed: Arc::default() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        self.messages.lock().expect("unpoisoned").clone()
    }

    /// Waits until one of the messages has that in it.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) -> Vec<String> {
        until(text, || {
            let messages = self.messages();
            messages.iter().any(|message| message.contains(text)).then_some(messages)
        })
    }
}

impl Drop for SyslogReceiver {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// Until the sender closes its side; then this side is closed, too.
fn read_frames(mut stream: impl Read, messages: &Mutex<Vec<String>>) {
    let mut byte = [0];
    loop {
        let mut len = 0;
        loop {
            match stream.read(&mut byte) {
                Ok(1) if byte[0].is_ascii_digit() => len = len * 10 + usize::from(byte[0] - b'0'),
                Ok(1) if byte[0] == b' ' => break,
                Ok(1) => panic!("{byte:?} in a message's length"),
                Ok(_) | Err(_) => return,
            }
        }
        let mut message = vec![0; len];
        if stream.read_exact(&mut message).is_err() {
            return;
        }
        let message = String::from_utf8(message).expect("UTF-8");
        messages.lock().expect("unpoisoned").push(message);
    }
}
