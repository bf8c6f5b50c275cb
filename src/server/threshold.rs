//! Before the door: a connection of which nothing is known, until somebody has logged in on it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::crowd::Member;
use super::desk::login_failure;
use super::door::Guest;
use super::house::House;
use super::passage::Passage;
use super::setup::Setup;
use crate::audit::{Event, LoginFailed};
use crate::auth::login::{self, Accepted, Arrival, LoginError};
use crate::auth::rules::Origin;
use crate::auth::throttle::neighbourhood;
use crate::model::{Report, SqlState};
use crate::net::listen::Silence;
use crate::net::proxy_header::{self, HeaderError, Source};
use crate::net::{Socket, Stream};
use crate::relay::Phase;
use crate::telemetry::labels::LoginResult;
use crate::wire::write;

/// Connections from one address beyond `connections_per_address` that may log in to be told so in
/// order; more than these are hung up on.
const TOLD_MAX: usize = 16;

/// Where a connection comes from, and how many others do.
pub(super) struct Newcomer {
    /// None on a Unix socket.
    pub(super) peer: Option<SocketAddr>,
    /// Counts the connection as long as it lives.
    member: Option<Member<IpAddr>>,
}

impl Newcomer {
    /// Somebody on a Unix socket.
    #[cfg(test)]
    pub(super) fn local() -> Self {
        Self { peer: None, member: None }
    }

    /// How many connections there are beyond those that its address may have, with this one.
    pub(super) fn excess(&self, setup: &Setup) -> usize {
        let limit = setup.config.data.connections.per_address;
        let number = self.member.as_ref().map(|member| member.number);
        number.zip(limit).map_or(0, |(number, limit)| number.saturating_sub(limit))
    }
}

/// What a connection turned out to be.
enum Arrived {
    Client { accepted: Box<Accepted>, newcomer: Newcomer, place: Option<OwnedSemaphorePermit> },
    Cancel { pid: i32, secret: Vec<u8>, stream: Stream },
}

/// Why a connection comes to nothing.
enum Away {
    Header(HeaderError),
    Crowded,
    /// It has gone before anything was known of it.
    Gone,
    Login(Option<SocketAddr>, LoginError),
}

/// One connection from its first byte to its last.
pub(super) async fn welcome(house: Arc<House>, socket: Socket, peer: Option<SocketAddr>) {
    let setup = house.setup.load_full();
    let deadline = Instant::now() + setup.config.data.login_timeout;
    let mut phase = house.phase.subscribe();
    let arrived = tokio::select! {
        // In a box of its own, as a session is not to keep the room that its login took.
        arrived = Box::pin(arrive(&house, &setup, socket, peer, deadline)) => arrived,
        // Who has not logged in by now would be sent away right afterwards.
        _ = phase.wait_for(|phase| *phase != Phase::Serving) => return,
    };
    match arrived {
        Err(away) => turned_away(&house, &away),
        Ok(Arrived::Cancel { pid, secret, mut stream }) => {
            if let Some(call) = house.keys.find(pid, secret) {
                call().await;
            }
            // Now, and not before, as clients take the end for the answer. Who has left has left.
            let _ = stream.shutdown().await;
        }
        Ok(Arrived::Client { accepted, newcomer, place }) => {
            let guest = Guest { house, setup, newcomer, place, deadline };
            // In a box of its own, too.
            if let Some(hosted) = Box::pin(guest.enter(*accepted)).await {
                hosted.run().await;
            }
        }
    }
}

/// A newcomer's way until it has proven who it is.
async fn arrive(
    house: &House,
    setup: &Setup,
    mut socket: Socket,
    peer: Option<SocketAddr>,
    deadline: Instant,
) -> Result<Arrived, Away> {
    let connections = &setup.config.data.connections;
    let silence =
        Silence { idle: connections.keepalive, unacknowledged: connections.tcp_user_timeout };
    socket.keep_alive(silence).map_err(|_| Away::Gone)?;
    let balancer =
        peer.filter(|peer| connections.balancers.iter().any(|network| network.contains(peer.ip())));
    let peer = match balancer {
        None => peer,
        Some(balancer) => {
            let header = timeout_at(deadline, proxy_header::receive(&mut socket)).await;
            let header = header.map_err(|_| Away::Login(peer, LoginError::Timeout))?;
            match header.map_err(Away::Header)? {
                Source::Balancer => Some(balancer),
                Source::Client(client) => Some(client),
            }
        }
    };
    let member = peer.map(|peer| house.addresses.enter(neighbourhood(peer.ip())));
    let newcomer = Newcomer { peer, member };
    if newcomer.excess(setup) > TOLD_MAX {
        let mut message = Vec::new();
        write::error(&mut message, &too_many_from_there());
        // What does not fit into the socket's empty buffer is not worth waiting for.
        let _ = socket.try_write(&message);
        return Err(Away::Crowded);
    }
    let origin = origin(&socket, peer).ok_or(Away::Gone)?;
    let failed = |error| Away::Login(peer, error);
    let (accepted, place) =
        match login::accept(socket, origin, &setup.rules).await.map_err(failed)? {
            Arrival::Cancel { pid, secret, stream } => {
                return Ok(Arrived::Cancel { pid, secret, stream });
            }
            Arrival::Client(accepted) => (accepted, None),
            Arrival::Pending(pending) => {
                let passage = Passage { house, setup, newcomer: &newcomer, deadline };
                let (accepted, place) = passage.lead(*pending).await.map_err(failed)?;
                (Box::new(accepted), Some(place))
            }
        };
    Ok(Arrived::Client { accepted, newcomer, place })
}

pub(super) fn too_many_from_there() -> Report {
    Report::fatal(SqlState::TOO_MANY_CONNECTIONS, "too many connections from your address")
        .hint("connections_per_address in [data] is the limit.")
}

/// Where a connection comes from; None if it has gone already.
fn origin(socket: &Socket, peer: Option<SocketAddr>) -> Option<Origin> {
    match (peer, socket.peer_credentials()) {
        (Some(peer), _) => Some(Origin::Address(peer.ip())),
        (None, Some(Ok(credentials))) => Some(Origin::Local { uid: credentials.uid() }),
        (None, Some(Err(_)) | None) => None,
    }
}

/// Somebody who could not prove who they are has been told so.
fn turned_away(house: &House, away: &Away) {
    match away {
        Away::Header(HeaderError::Closed) | Away::Gone => {}
        Away::Header(error) => {
            house.metrics.logins.of(LoginResult::Protocol).inc();
            tracing::warn!(%error, "a load balancer is not believed");
        }
        Away::Crowded => house.metrics.logins.of(LoginResult::NotAllowed).inc(),
        Away::Login(peer, LoginError::Refused { attempt, report }) => {
            house.metrics.logins.of(LoginResult::of_refusal(report.state)).inc();
            if let Some(delay) = attempt.delay {
                house.metrics.login_delays.of(delay).inc();
            }
            let setup = house.setup.load();
            house.note(Event::LoginFailed(LoginFailed {
                session: 0,
                user: setup.claimed(&attempt.user, attempt.method),
                address: peer.map(|peer| peer.ip()),
                database: setup.claimed_database(&attempt.database),
                method: attempt.method,
                reason: login_failure(report.state),
            }));
        }
        Away::Login(_, LoginError::Timeout) => {
            house.metrics.logins.of(LoginResult::Timeout).inc();
            tracing::info!("a login took too long");
        }
        Away::Login(peer, error @ LoginError::Certificate(_)) => {
            house.metrics.logins.of(LoginResult::NotAllowed).inc();
            house.note(Event::LoginFailed(LoginFailed {
                session: 0,
                // The handshake comes before any name.
                user: String::new(),
                address: peer.map(|peer| peer.ip()),
                database: String::new(),
                method: "cert",
                reason: "certificate",
            }));
            tracing::debug!(%error, "a certificate is refused");
        }
        Away::Login(_, error @ (LoginError::Gone(_) | LoginError::Io(_) | LoginError::Tls(_))) => {
            tracing::debug!(%error, "a login was left");
        }
    }
}
