//! A relay between a client and the proxy that keeps every byte sent to the client.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::client::Target;

/// Listens until dropped; bytes of all connections, mixed as they came.
pub(crate) struct Tap {
    port: u16,
    to_client: Arc<Mutex<Vec<u8>>>,
    to_server: Arc<Mutex<Vec<u8>>>,
    clients: Arc<Mutex<Vec<TcpStream>>>,
}

impl Tap {
    pub(crate) fn new(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (to_client, to_server) = <(Arc<Mutex<Vec<u8>>>, Arc<Mutex<Vec<u8>>>)>::default();
        let (keep_out, keep_in) = (Arc::clone(&to_client), Arc::clone(&to_server));
        let clients = Arc::<Mutex<Vec<TcpStream>>>::default();
        let keep = Arc::clone(&clients);
        // The thread ends with the process: it holds nothing but a port.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else { continue };
                relay(&client, &server, Arc::clone(&keep_in));
                relay(&server, &client, Arc::clone(&keep_out));
                keep.lock().expect("unpoisoned").push(client);
            }
        });
        Self { port, to_client, to_server, clients }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The same target, through this tap.
    pub(crate) fn through(&self, target: &Target) -> Target {
        Target { port: self.port, ..target.clone() }
    }

    /// From now on, whatever clients send is lost on the way, on the connections that are there.
    pub(crate) fn lose_all(&self) {
        self.clients.lock().expect("unpoisoned").iter().for_each(lose_all);
    }

    /// Ends the connections that are there.
    pub(crate) fn cut(&self) {
        for client in self.clients.lock().expect("unpoisoned").drain(..) {
            client.shutdown(Shutdown::Both).ok();
        }
    }

    pub(crate) fn to_client(&self) -> Vec<u8> {
        self.to_client.lock().expect("unpoisoned").clone()
    }

    pub(crate) fn to_server(&self) -> Vec<u8> {
        self.to_server.lock().expect("unpoisoned").clone()
    }
}

/// From now on, every packet for this socket is lost before the kernel acknowledges it: its peer
/// hears nothing, as from a host without power. (A classic BPF filter of one instruction, "take
/// nothing".)
pub(crate) fn lose_all(stream: &TcpStream) {
    const RETURN_CONSTANT: u16 = 0x06;
    let filter = [socket2::SockFilter::new(RETURN_CONSTANT, 0, 0, 0)];
    socket2::SockRef::from(stream).attach_filter(&filter).expect("a socket of Linux");
}

fn relay(from: &TcpStream, to: &TcpStream, keep: Arc<Mutex<Vec<u8>>>) {
    for stream in [from, to] {
        stream.set_nodelay(true).expect("a connected socket");
    }
    let mut from = from.try_clone().expect("a descriptor");
    let mut to = to.try_clone().expect("a descriptor");
    std::thread::spawn(move || {
        let mut chunk = [0; 16 * 1024];
        while let Ok(count) = from.read(&mut chunk) {
            if count == 0 {
                break;
            }
            keep.lock().expect("unpoisoned").extend_from_slice(&chunk[..count]);
            if to.write_all(&chunk[..count]).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Write).ok();
    });
}
