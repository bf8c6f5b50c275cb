//! The port's connections: limited in number and life, each with TLS or without, as its client
//! begins.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::auth::rules::{Encryption, Tls};
use crate::auth::throttle::neighbourhood;
use crate::control::Desk;
use crate::net::{Listener, Socket, Stream};

/// Connections at one time; more wait in the listener's queue.
const CONNECTIONS_MAX: usize = 256;

/// Of one address, so that nobody alone keeps everybody else out. Others' machines only: who serves
/// the console to people from this one has all of their connections.
const OF_ADDRESS_MAX: usize = 192;

/// However slowly a client reads and writes, its place is free again after this.
const CONNECTION_LIFE_MAX: Duration = Duration::from_secs(60);

/// From the first packet to the end of the handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// What a TLS handshake begins with, and no request of HTTP.
const TLS_HANDSHAKE: u8 = 0x16;

/// Who is at the other end, and whether others can read what is said.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) encryption: Encryption,
    /// What the client has shown and proven to own (DER), if it has.
    pub(super) certificate: Option<Arc<[u8]>>,
}

impl Peer {
    pub(super) fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// Whether a password may come this way.
    pub(super) fn is_private(&self) -> bool {
        self.encryption == Encryption::Tls || self.ip().to_canonical().is_loopback()
    }
}

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        stream.remote_addr().clone()
    }
}

pub(super) struct Bounded {
    listener: Listener,
    places: Arc<Semaphore>,
    crowd: Crowd,
    desk: Arc<Desk>,
    /// Connections whose first bytes are awaited.
    opening: JoinSet<Option<(BoundedStream, Peer)>>,
}

impl Bounded {
    pub(super) fn new(listener: Listener, desk: Arc<Desk>) -> Self {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { listener, places, crowd: Crowd::default(), desk, opening: JoinSet::new() }
    }
}

impl axum::serve::Listener for Bounded {
    type Io = BoundedStream;
    type Addr = Peer;

    async fn accept(&mut self) -> (BoundedStream, Peer) {
        loop {
            let next = async {
                // The semaphore is never closed, so `place` is only ever Ok; without one nothing is
                // lost but the limit.
                let place = Arc::clone(&self.places).acquire_owned().await.ok();
                (place, self.listener.accept().await)
            };
            tokio::select! {
                Some(opened) = self.opening.join_next() => {
                    if let Ok(Some(opened)) = opened {
                        return opened;
                    }
                }
                (place, (tcp, address)) = next => {
                    // Whoever has that many sees one that is closed.
                    let Some(seat) = self.crowd.enter(address.ip()) else { continue };
                    let tls = (self.desk.rules)().tls;
                    self.opening.spawn(async move {
                        let life = Box::pin(sleep(CONNECTION_LIFE_MAX));
                        let opened = timeout(HANDSHAKE_MAX, open(tcp, tls)).await.ok()??;
                        let (stream, encryption) = opened;
                        let certificate = stream.peer_certificate().map(Arc::from);
                        let stream = BoundedStream { stream, life, _place: place, _seat: seat };
                        Some((stream, Peer { address, encryption, certificate }))
                    });
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        let address = self.listener.local_addr()?;
        Ok(Peer { address, encryption: Encryption::None, certificate: None })
    }
}

/// With TLS if the client begins with it; None: it left, or there is no TLS for it.
async fn open(tcp: TcpStream, tls: Tls) -> Option<(Stream, Encryption)> {
    let socket = Socket::Tcp(tcp);
    if socket.first_byte().await.ok()? != Some(TLS_HANDSHAKE) {
        return Some((Stream::Plain(socket), Encryption::None));
    }
    let config = match tls {
        Tls::Off => return None,
        Tls::Prefer(config) | Tls::Require(config) => for_http(&config),
    };
    let accepted = TlsAcceptor::from(config).accept(socket).await;
    let stream =
        accepted.inspect_err(|error| tracing::debug!(%error, "a handshake failed")).ok()?;
    Some((Stream::ServerTls(Box::new(stream)), Encryption::Tls))
}

fn for_http(config: &ServerConfig) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

pub(super) struct BoundedStream {
    stream: Stream,
    life: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
    _seat: Seat,
}

/// How many connections each address has.
#[derive(Clone, Debug, Default)]
struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
struct Seat {
    crowd: Crowd,
    whose: IpAddr,
}

impl Crowd {
    /// None: the address has too many.
    fn enter(&self, address: IpAddr) -> Option<Seat> {
        let whose = neighbourhood(address);
        let mut counts = self.counts();
        let count = counts.entry(whose).or_default();
        if *count >= OF_ADDRESS_MAX && !address.to_canonical().is_loopback() {
            return None;
        }
        *count += 1;
        Some(Seat { crowd: self.clone(), whose })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts();
        if let Some(count) = counts.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.whose);
            }
        }
    }
}

impl BoundedStream {
    fn poll_over(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.life.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_over(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_over(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_the_places_of_all() {
        let crowd = Crowd::default();
        let enter = |address: &str| crowd.enter(address.parse().unwrap());
        let mut seats: Vec<_> = (0..OF_ADDRESS_MAX).map(|_| enter("192.0.2.1")).collect();
        assert!(seats.iter().all(Option::is_some));
        assert!(enter("192.0.2.1").is_none() && enter("::ffff:192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        seats.pop();
        assert!(enter("192.0.2.1").is_some());
        // A network is one address.
        seats.extend((0..OF_ADDRESS_MAX).map(|number| enter(&format!("2001:db8::{number:x}"))));
        assert!(enter("2001:db8::ffff").is_none() && enter("2001:db8:0:1::1").is_some());
        // A web server in front, with everybody behind it.
        seats.extend((0..2 * OF_ADDRESS_MAX).map(|_| enter("127.0.0.1")));
        assert!(seats.iter().all(Option::is_some));
        drop(seats);
        assert!(crowd.counts().is_empty(), "who has left is forgotten");
    }
}
