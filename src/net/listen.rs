//! Listening that does not end with one bad connection.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that the kernel completes before they are accepted.
pub(super) const BACKLOG: u32 = 1024;

/// How long to wait after an error of accept, which is mostly "too many open files" and comes back
/// at once.
pub(super) const ERROR_PAUSE: Duration = Duration::from_millis(100);

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
                    if tcp.set_nodelay(true).is_ok() {
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

/// A socket with keepalive, which accepted connections inherit: the peer that vanished without a
/// word is noticed, and its session ends.
fn socket_for(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_keepalive(true)?;
    Ok(socket)
}

/// Connects to `address` as connections are accepted: keepalive, no delay.
pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let tcp = socket_for(address)?.connect(address).await?;
    tcp.set_nodelay(true)?;
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
    }
}
