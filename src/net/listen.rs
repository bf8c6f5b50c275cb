//! Listening that does not end with one bad connection.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

/// Connections that the kernel completes before they are accepted.
pub(super) const BACKLOG: u32 = 1024;

/// How long to wait after an error of accept, which is mostly "too many open files" and comes back
/// at once.
pub(super) const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// A second warning of accept comes this long after the first, at the earliest.
const WARNING_PAUSE: Duration = Duration::from_secs(10);

/// How long a connection may be silent before the peer is asked whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// Questions without an answer that end a connection.
const KEEPALIVE_PROBES: u32 = 4;

/// When a peer that does not answer is taken for gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// After so long without a word it is asked whether it is still there, and given up at twice
    /// that. None: never.
    pub idle: Option<Duration>,
    /// Bytes for it were not acknowledged, or not taken, for so long. None: the system's patience,
    /// which is some 15 minutes on Linux, and endless for a peer that answers and takes nothing.
    pub unacknowledged: Option<Duration>,
}

impl Default for Silence {
    fn default() -> Self {
        Self { idle: Some(KEEPALIVE_IDLE), unacknowledged: None }
    }
}

/// A TCP listener.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    warnings: Warnings,
}

/// Errors of accept come at every attempt; what is logged of them is the first of a while, and how
/// many there were since the one before.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    state: Mutex<Warned>,
}

#[derive(Debug, Default)]
struct Warned {
    last: Option<Instant>,
    hushed: u64,
}

impl Warnings {
    /// How many errors were not logged before this one, if it is to be logged itself.
    fn due(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < WARNING_PAUSE) {
            state.hushed += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.hushed))
    }

    /// Takes note of an error and waits until the next attempt. Cancel safe.
    pub(super) async fn pause(&self, error: &io::Error) {
        if let Some(hushed) = self.due(Instant::now()) {
            tracing::warn!(%error, hushed, "cannot accept a connection");
        }
        tokio::time::sleep(ERROR_PAUSE).await;
    }
}

impl Listener {
    /// Binds `address` (port 0: any free one). Has to run inside the runtime.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = socket_for(address)?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self { tcp: socket.listen(BACKLOG)?, warnings: Warnings::default() })
    }

    /// The address that was bound, with its port.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    pub(super) fn poll_accept(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.tcp.poll_accept(context)
    }

    /// The next connection. Errors are logged and survived, as they belong to one connection or
    /// pass. Cancel safe.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.tcp.accept().await {
                Ok((tcp, peer)) => {
                    // Messages are written whole; waiting for more would only cost time. A failure
                    // means that the peer has gone, which the first read will tell.
                    if tcp.set_nodelay(true).is_ok() && keep_alive(&tcp, Silence::default()).is_ok()
                    {
                        return (tcp, peer);
                    }
                }
                Err(error) => self.warnings.pause(&error).await,
            }
        }
    }
}

fn socket_for(address: SocketAddr) -> io::Result<TcpSocket> {
    if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

/// Has the kernel notice a peer that vanished without a word, so that its session ends.
pub fn keep_alive(tcp: &TcpStream, silence: Silence) -> io::Result<()> {
    let socket = SockRef::from(tcp);
    socket.set_tcp_user_timeout(silence.unacknowledged)?;
    let Some(idle) = silence.idle else { return socket.set_keepalive(false) };
    let interval = (idle / KEEPALIVE_PROBES).max(Duration::from_secs(1));
    let probes = TcpKeepalive::new().with_time(idle.max(Duration::from_secs(1)));
    socket.set_tcp_keepalive(&probes.with_interval(interval).with_retries(KEEPALIVE_PROBES))
}

/// Connects to `address`, without delay of what is sent.
pub async fn connect(address: SocketAddr, silence: Silence) -> io::Result<TcpStream> {
    let tcp = socket_for(address)?.connect(address).await?;
    tcp.set_nodelay(true)?;
    keep_alive(&tcp, silence)?;
    Ok(tcp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_ends_send_without_delay() {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        assert_ne!(address.port(), 0);
        let connecting = connect(address, Silence::default());
        let (client, (server, peer)) = tokio::join!(connecting, listener.accept());
        let client = client.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(client.nodelay().unwrap() && server.nodelay().unwrap());
        for end in [&client, &server] {
            assert_eq!(SockRef::from(end).tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        }
        let silence = |idle| Silence { idle, unacknowledged: Some(Duration::from_secs(9)) };
        keep_alive(&server, silence(Some(Duration::from_secs(8)))).unwrap();
        let socket = SockRef::from(&server);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(2));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(9)));
        keep_alive(&server, silence(None)).unwrap();
        assert!(!socket.keepalive().unwrap());
    }

    #[test]
    fn errors_that_come_back_at_once_are_logged_now_and_then() {
        let (warnings, begin) = (Warnings::default(), Instant::now());
        // For 25 seconds, a hundred in each.
        let times = (0..2500).map(|number| begin + number * Duration::from_millis(10));
        let logged: Vec<_> = times.filter_map(|now| warnings.due(now)).collect();
        assert_eq!(logged, [0, 999, 999]);
    }
}
