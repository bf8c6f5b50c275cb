//! How sessions end, and what both sides are told.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::Relay;
use crate::model::{Report, SqlState};
use crate::telemetry::labels::{CutCause, UpstreamError};
use crate::telemetry::sessions::Dismissal;
use crate::wire::backend::{ErrorFields, tag};
use crate::wire::{FrameHeader, write};

/// How long both sides may take to hear the last words.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long a database may go on with what a client that has left had it begin. It is what a
/// client without a proxy could count on: what was sent is done, though nobody waits for it.
const PARTING: Duration = Duration::from_secs(5);

/// How the process stands; sessions end accordingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Serving,
    /// Sessions end when they are idle.
    Draining,
    /// Sessions end now.
    Ending,
}

/// What is left of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// A word for the record.
    pub reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The session said so: the client left, or was told why it has to.
    Said,
    ClientGone,
    ServerGone,
    /// It was asked to end, by whom it may be.
    Dismissed(Dismissal),
    Shutdown,
    /// A record could not be taken, so what it is about must not be sent.
    Audit,
    /// The schema changed and could not be read again.
    Stale,
    /// The client said nothing for too long, between transactions.
    Idle,
    /// The same in a transaction.
    IdleInTransaction,
    /// The client took nothing for too long.
    Stalled,
}

/// What the client was told by the server itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Signs {
    #[default]
    None,
    /// An error that ends the connection.
    Fatal,
}

impl Signs {
    /// Looks at what is on its way to the client. A server that ends a session says so in a
    /// message of its own, mostly at the start of what it sends.
    pub(super) fn note(&mut self, to_client: &[u8]) {
        if to_client.first() != Some(&tag::ERROR_RESPONSE) {
            return;
        }
        if let Ok(Some(header)) = FrameHeader::peek(to_client, to_client.len())
            && let Some(payload) = to_client.get(5..header.len)
            && let Ok(fields) = ErrorFields::read(payload)
            && let Some(b"FATAL" | b"PANIC") = fields.get(b'V').or_else(|| fields.get(b'S'))
        {
            *self = Self::Fatal;
        }
    }
}

impl End {
    fn reason(self) -> &'static str {
        match self {
            Self::Said => "client",
            Self::ClientGone => "client_lost",
            Self::ServerGone => "server_lost",
            Self::Dismissed(Dismissal::Killed) => "killed",
            Self::Dismissed(Dismissal::LoginExpired) => "login_expired",
            Self::Dismissed(Dismissal::Configuration) => "configuration",
            Self::Shutdown => "shutdown",
            Self::Audit => "audit",
            Self::Stale => "schema",
            Self::Idle => "idle",
            Self::IdleInTransaction => "idle_in_transaction",
            Self::Stalled => "stalled",
        }
    }

    /// What the client has to be told.
    fn report(self) -> Option<Report> {
        let report = match self {
            Self::Said | Self::ClientGone => return None,
            Self::ServerGone => {
                Report::fatal(SqlState::CONNECTION_FAILURE, "the database closed the connection")
            }
            Self::Dismissed(why) => dismissed(why),
            Self::Shutdown => {
                Report::fatal(SqlState::ADMIN_SHUTDOWN, "terminating connection: the proxy stops")
            }
            Self::Audit => Report::fatal(SqlState::IO_ERROR, "the audit log takes no more records"),
            Self::Stale => Report::fatal(
                SqlState::CANNOT_CONNECT_NOW,
                "the database's schema could not be read again",
            )
            .hint("Connect again in a moment."),
            Self::Idle => Report::fatal(
                SqlState::IDLE_SESSION_TIMEOUT,
                "terminating connection due to idle-session timeout",
            ),
            Self::IdleInTransaction => Report::fatal(
                SqlState::IDLE_IN_TRANSACTION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout",
            ),
            Self::Stalled => Report::fatal(
                SqlState::CONNECTION_FAILURE,
                "terminating connection: nothing of the result was taken for too long",
            ),
        };
        Some(report)
    }
}

/// All in the class that pools and drivers take for "connect again".
fn dismissed(why: Dismissal) -> Report {
    let of = |message| Report::fatal(SqlState::ADMIN_SHUTDOWN, message);
    match why {
        Dismissal::Killed => of("terminating connection due to administrator command"),
        Dismissal::LoginExpired => of("terminating connection because its login has expired")
            .hint("Connect again with a new token."),
        Dismissal::Configuration => {
            of("terminating connection because its user or database was configured anew")
                .hint("Connect again.")
        }
    }
}

impl<C, S> Relay<'_, C, S>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Says the last words to whoever is still there, and hangs up.
    pub(super) async fn finish(mut self, end: End) -> Ended {
        let idle = self.session.is_idle();
        // A Terminate behind half a message would be read as part of it.
        let between_messages = idle && self.client.inbox.is_empty();
        if end == End::Audit {
            self.effects.to_server.clear();
            self.effects.to_client.clear();
        }
        if let Some(report) = end.report()
            && !(end == End::ServerGone && self.ends == Signs::Fatal)
        {
            self.session.terminate(&report, &mut self.effects);
        }
        self.step(|session, env, out| session.abandon(env, out));
        self.tally();
        for event in self.effects.audit.drain(..) {
            if self.around.audit.append(event, self.now).await.is_err() {
                tracing::error!("the last records of a session are lost: the audit log is closed");
                break;
            }
        }
        self.client.send(&mut self.effects.to_client);
        self.server.send(&mut self.effects.to_server);
        if between_messages {
            write::terminate(&mut self.effects.to_server);
            self.server.send(&mut self.effects.to_server);
        }
        let stop = match end {
            End::Dismissed(_) | End::Shutdown | End::Audit | End::Stale | End::Stalled => true,
            End::Said | End::ClientGone | End::ServerGone | End::Idle | End::IdleInTransaction => {
                false
            }
        };
        if stop && !idle && self.cancelling.is_none() {
            self.cancelling = Some((self.cancel_call)());
        }
        self.count_end(end);
        // Whoever is gone, or too slow, does not hear it: nothing is to be done about that.
        let client = async {
            if end != End::ClientGone {
                let _ = timeout(FAREWELL, self.client.close()).await;
            }
        };
        let server = async {
            if let Some(cancelling) = &mut self.cancelling {
                let _ = timeout(FAREWELL, cancelling).await;
            }
            if end != End::ServerGone {
                let _ = timeout(FAREWELL, self.server.close()).await;
            }
            let left = matches!(end, End::Said | End::ClientGone);
            if left && !idle && timeout(PARTING, self.server.exhaust()).await.is_err() {
                let _ = timeout(FAREWELL, (self.cancel_call)()).await;
            }
        };
        tokio::join!(client, server);
        Ended { reason: end.reason() }
    }

    fn count_end(&self, end: End) {
        let metrics = &self.around.metrics;
        match end {
            End::Said | End::ClientGone => {}
            End::ServerGone => {
                metrics.upstream_errors.of(UpstreamError::Lost).inc();
                self.database.suspect();
            }
            End::Dismissed(Dismissal::Killed) => metrics.cuts.of(CutCause::Killed).inc(),
            End::Dismissed(Dismissal::LoginExpired) => {
                metrics.cuts.of(CutCause::LoginExpired).inc();
            }
            End::Dismissed(Dismissal::Configuration) => {
                metrics.cuts.of(CutCause::Configuration).inc();
            }
            End::Shutdown => metrics.cuts.of(CutCause::Shutdown).inc(),
            End::Audit => metrics.cuts.of(CutCause::Audit).inc(),
            End::Stale => metrics.cuts.of(CutCause::Stale).inc(),
            End::Idle | End::IdleInTransaction => metrics.cuts.of(CutCause::Idle).inc(),
            End::Stalled => metrics.cuts.of(CutCause::Stalled).inc(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_ends_the_connection_is_noticed() {
        let mut message = Vec::new();
        write::error(&mut message, &Report::error(SqlState::ADMIN_SHUTDOWN, "x"));
        let mut signs = Signs::default();
        signs.note(&message);
        assert_eq!(signs, Signs::None, "an ordinary error ends nothing");
        message.clear();
        write::error(&mut message, &Report::fatal(SqlState::ADMIN_SHUTDOWN, "x"));
        signs.note(&message[..message.len() - 1]);
        assert_eq!(signs, Signs::None, "half a message says nothing");
        signs.note(&message);
        assert_eq!(signs, Signs::Fatal);
    }
}
