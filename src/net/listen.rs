//! Listening that does not end with one bad connection.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that the kernel completes before they are accepted.
pub(super) const BACKLOG: u32 = 1024;

/// How long to wait after an error of accept, which is mostly "too many open files" and comes back
/// at once.
pub(super) const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection may be silent before the peer is asked whether it is still there.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// Questions without an answer that end a connection.
const KEEPALIVE_PROBES: u32 = 4;

/// A TCP listener.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
}

impl Listener {
    /// Binds `address` (port 0: any free one). Has to run inside the runtime.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = socket_for(address)?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self { tcp: socket.listen(BACKLOG)? })
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
                    if tcp.set_nodelay(true).is_ok()
                        && keep_alive(&tcp, Some(KEEPALIVE_IDLE)).is_ok()
                    {
                        return (tcp, peer);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
            }
        }
    }
}

fn socket_for(address: SocketAddr) -> io::Result<TcpSocket> {
    if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

/// Has the kernel ask after a peer that was silent for `idle`, so that one that vanished without a
/// word is noticed within twice that time, and its session ends. None: never.
pub fn keep_alive(tcp: &TcpStream, idle: Option<Duration>) -> io::Result<()> {
    let socket = SockRef::from(tcp);
    let Some(idle) = idle else { return socket.set_keepalive(false) };
    let interval = (idle / KEEPALIVE_PROBES).max(Duration::from_secs(1));
    let probes = TcpKeepalive::new().with_time(idle.max(Duration::from_secs(1)));
    socket.set_tcp_keepalive(&probes.with_interval(interval).with_retries(KEEPALIVE_PROBES))
}

/// Connects to `address` as connections are accepted: keepalive, no delay.
pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let tcp = socket_for(address)?.connect(address).await?;
    tcp.set_nodelay(true)?;
    keep_alive(&tcp, Some(KEEPALIVE_IDLE))?;
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
        let (client, (server, peer)) = tokio::join!(connect(address), listener.accept());
        let client = client.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(client.nodelay().unwrap() && server.nodelay().unwrap());
        for end in [&client, &server] {
            assert_eq!(SockRef::from(end).tcp_keepalive_time().unwrap(), KEEPALIVE_IDLE);
        }
        keep_alive(&server, Some(Duration::from_secs(8))).unwrap();
        let socket = SockRef::from(&server);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(2));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
        keep_alive(&server, None).unwrap();
        assert!(!socket.keepalive().unwrap());
    }
}
