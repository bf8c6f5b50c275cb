//! Several listeners as one.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use super::listen::Warnings;
use super::unix::UnixPort;
use super::{Listener, Socket};

/// Every address of one port, TCP first.
#[derive(Debug)]
pub struct Ports {
    tcp: Vec<Listener>,
    unix: Vec<UnixPort>,
    /// Where the next round of questions begins, so that no address keeps the others waiting.
    turn: usize,
    warnings: Warnings,
}

impl Ports {
    pub fn new(tcp: Vec<Listener>, unix: Vec<UnixPort>) -> Self {
        Self { tcp, unix, turn: 0, warnings: Warnings::default() }
    }

    /// Every address in order, as text: `127.0.0.1:6432`, `unix:/run/keyhole/.s.PGSQL.6432`.
    ///
    /// # Errors
    /// A listener is lost.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let tcp = self.tcp.iter().map(|port| port.local_addr().map(|address| address.to_string()));
        let unix = self.unix.iter().map(|port| Ok(format!("unix:{}", port.path().display())));
        tcp.chain(unix).collect()
    }

    /// The next connection, and where it comes from unless it is a Unix socket. Errors are logged
    /// and survived, as they belong to one connection or pass. Cancel safe.
    pub async fn accept(&mut self) -> (Socket, Option<SocketAddr>) {
        loop {
            match poll_fn(|context| self.poll_accept(context)).await {
                Ok((Socket::Tcp(tcp), peer)) => {
                    // As in [`Listener::accept`].
                    if tcp.set_nodelay(true).is_ok() {
                        return (Socket::Tcp(tcp), peer);
                    }
                }
                Ok(unix) => return unix,
                Err(error) => self.warnings.pause(&error).await,
            }
        }
    }

    fn poll_accept(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(Socket, Option<SocketAddr>)>> {
        let count = self.tcp.len() + self.unix.len();
        let first = self.turn;
        self.turn = (first + 1) % count.max(1);
        let mut order = (first..count).chain(0..first.min(count));
        let accepted = order.find_map(|index| match self.poll_one(index, context) {
            Poll::Ready(accepted) => Some(accepted),
            Poll::Pending => None,
        });
        accepted.map_or(Poll::Pending, Poll::Ready)
    }

    fn poll_one(
        &self,
        index: usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(Socket, Option<SocketAddr>)>> {
        if let Some(port) = self.tcp.get(index) {
            let (tcp, peer) = ready!(port.poll_accept(context))?;
            return Poll::Ready(Ok((tcp.into(), Some(peer))));
        }
        match self.unix.get(index - self.tcp.len()) {
            Some(port) => {
                let unix = ready!(port.poll_accept(context))?;
                Poll::Ready(Ok((unix.into(), None)))
            }
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixStream;

    use super::*;
    use crate::net::listen::{Silence, connect};

    #[tokio::test]
    async fn clients_come_in_at_every_address() {
        let dir = tempfile::tempdir().unwrap();
        let tcp = ["127.0.0.1:0", "127.0.0.1:0"];
        let tcp: Vec<_> =
            tcp.iter().map(|at| Listener::bind(at.parse().unwrap()).unwrap()).collect();
        let addresses: Vec<_> = tcp.iter().map(|port| port.local_addr().unwrap()).collect();
        let unix = UnixPort::bind(dir.path(), 6432, 0o700).unwrap();
        let path = unix.path().to_owned();
        let mut ports = Ports::new(tcp, vec![unix]);
        assert_eq!(ports.names().unwrap()[2], format!("unix:{}", path.display()));
        let first = connect(addresses[0], Silence::default()).await.unwrap();
        let second = connect(addresses[1], Silence::default()).await.unwrap();
        let third = UnixStream::connect(&path).await.unwrap();
        let mut peers = Vec::new();
        for _ in 0..3 {
            peers.push(ports.accept().await.1);
        }
        for peer in [Some(first.local_addr().unwrap()), Some(second.local_addr().unwrap()), None] {
            assert!(peers.contains(&peer), "{peer:?} {peers:?}");
        }
        drop(third);
    }
}
