//! The console's listener: one task per connection, all owned here.

mod commands;
mod connection;
mod encode;
mod hint;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::desk::Desk;
use crate::model::{Report, SqlState};
use crate::net::Listener;
use crate::wire::write;

/// Connections at one time, those that are logging in included.
pub const CONNECTIONS_MAX: usize = 64;

/// How long connections may take to end after a shutdown.
const FAREWELL: Duration = Duration::from_secs(2);

/// Answers connections until `shutdown` completes; then those open are told so and ended.
///
/// Nothing a client does ends the listener: a connection that fails or panics is its own end.
pub async fn serve(listener: Listener, desk: Arc<Desk>, shutdown: impl Future<Output = ()>) {
    let closing = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    let mut last_id = 0_i32;
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => note(ended),
            (tcp, peer) = listener.accept() => {
                if connections.len() >= CONNECTIONS_MAX {
                    turn_away(&tcp);
                    continue;
                }
                last_id = last_id.checked_add(1).unwrap_or(1);
                let desk = Arc::clone(&desk);
                connections.spawn(connection::run(tcp, peer, last_id, desk, closing.subscribe()));
            }
        }
    }
    drop(listener);
    closing.send_replace(true);
    let all = async {
        while let Some(ended) = connections.join_next().await {
            note(ended);
        }
    };
    if timeout(FAREWELL, all).await.is_err() {
        connections.shutdown().await;
    }
}

/// Says why and hangs up. What does not fit into the socket's empty buffer at once is not worth
/// a task.
fn turn_away(tcp: &TcpStream) {
    let _ = tcp.try_write(&too_many_connections());
}

fn too_many_connections() -> Vec<u8> {
    let report =
        Report::fatal(SqlState::TOO_MANY_CONNECTIONS, "too many connections to the console")
            .hint("At most 64 are open at one time; end one of them.");
    let mut message = Vec::new();
    write::error(&mut message, &report);
    message
}

/// The error is not told: it repeats what the panic said, which may be data.
fn note(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a console connection has panicked");
    }
}
