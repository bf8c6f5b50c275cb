//! Before the door: a connection of which nothing is known, until somebody has logged in on it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::desk::login_failure;
use super::door::Guest;
use super::house::House;
use crate::audit::{Event, LoginFailed};
use crate::auth::login::{self, Arrival, LoginError};
use crate::auth::rules::Origin;
use crate::net::Socket;
use crate::telemetry::labels::LoginResult;

/// One connection from its first byte to its last.
pub(super) async fn welcome(house: Arc<House>, socket: Socket, peer: Option<SocketAddr>) {
    let setup = house.setup.load_full();
    let deadline = Instant::now() + setup.config.data.login_timeout;
    let Some(origin) = origin(&socket, peer) else { return };
    match login::accept(socket, origin, &setup.rules).await {
        Err(error) => turned_away(&house, peer, &error),
        Ok(Arrival::Cancel { pid, secret }) => {
            if let Some(call) = house.keys.find(pid, secret) {
                call().await;
            }
        }
        Ok(Arrival::Client(accepted)) => {
            let guest = Guest { house, setup, peer, deadline };
            guest.serve(*accepted).await;
        }
    }
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
fn turned_away(house: &House, peer: Option<SocketAddr>, error: &LoginError) {
    match error {
        LoginError::Refused { attempt, report } => {
            house.metrics.logins.of(LoginResult::of_refusal(report.state)).inc();
            if let Some(delay) = attempt.delay {
                house.metrics.login_delays.of(delay).inc();
            }
            house.note(Event::LoginFailed(LoginFailed {
                session: 0,
                user: attempt.user.clone(),
                address: peer.map(|peer| peer.ip()),
                database: attempt.database.clone(),
                method: attempt.method,
                reason: login_failure(report.state),
            }));
        }
        LoginError::Timeout => {
            house.metrics.logins.of(LoginResult::Timeout).inc();
            tracing::info!("a login took too long");
        }
        LoginError::Certificate(_) => {
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
        LoginError::Gone(_) | LoginError::Io(_) | LoginError::Tls(_) => {
            tracing::debug!(%error, "a login was left");
        }
    }
}
