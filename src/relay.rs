//! One session from its first query to its end: two connections, and [`crate::session`] between
//! them. Bytes in, effects out; what is decided is decided there.
//!
//! **Invariant:** the effects of a step are performed top down: audit records, then bytes for the
//! server, then bytes for the client. Nothing is sent whose record was not taken.

mod bell;
mod cancels;
mod database;
mod ends;
mod in_band;
mod line;
mod patience;
mod tally;
mod wait;

#[cfg(test)]
pub(crate) mod tests;

use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::audit::{Pseudonyms, Receipt};
use crate::decision::World;
use crate::grant::Claim;
use crate::model::{Report, Timestamp};
use crate::session::{Cancel, Effects, Env, Hold, InBandTable, Reach, Session, Start};
use crate::store::approvals::{Approvals, Clock};
use crate::store::audit_log::{AuditError, AuditLog};
use crate::telemetry::labels::CutCause;
use crate::telemetry::{Metrics, sessions};

use bell::{Bell, Watched};
pub use cancels::{CancelRequest, CancelRequests, cancel_requests};
pub use database::{Attached, Database, Refreshing, Stale};
use ends::End;
pub use ends::{Ended, Phase};
use in_band::Asker;
use line::Line;
pub use patience::Patience;
use patience::Waiting;

/// What all sessions of the process share.
pub struct Surroundings {
    pub clock: Clock,
    pub audit: AuditLog,
    pub approvals: Approvals,
    pub metrics: Arc<Metrics>,
    pub pseudonyms: Arc<Pseudonyms>,
    pub phase: watch::Receiver<Phase>,
}

/// A connection, and what was read of it already.
pub struct Peer<S> {
    pub stream: S,
    pub leftover: Vec<u8>,
}

/// Stops what the database does for this session; resolves when it was told.
pub type CancelCall = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The two ends of a session, logged in both.
pub struct Parties<C, S> {
    pub start: Start,
    pub client: Peer<C>,
    pub server: Peer<S>,
    pub cancel: CancelCall,
    /// What the client asks for on connections of their own.
    pub cancel_requests: CancelRequests,
    pub patience: Patience,
}

/// Something that a session waits for besides bytes.
enum Done {
    Spent(Vec<Claim>, Result<(), Report>),
    Released(Result<Receipt, AuditError>),
    Refreshed(Result<(), Stale>),
    Answered(Vec<Result<InBandTable, Report>>),
}

type Work<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

struct Relay<'a, C, S> {
    around: &'a Surroundings,
    database: &'a Arc<Database>,
    worlds: &'a ArcSwap<World>,
    listed: &'a sessions::Session,
    session: Session,
    effects: Effects,
    client: Line<C>,
    server: Line<S>,
    cancel_call: CancelCall,
    /// The end of the hold.
    work: Work<Done>,
    /// The client's next message must not be hit by it.
    cancelling: Work<()>,
    cancel_requests: CancelRequests,
    watched: Watched,
    bell: Bell<'a>,
    phase: Phase,
    now: Timestamp,
    /// The last deadline that the session was told of.
    struck: Option<Timestamp>,
    cut_cause: CutCause,
    exposed: tally::Exposed,
    ends: ends::Signs,
    waiting: Waiting,
}

/// Runs a session until it ends. Nothing is left open or running afterwards. None when there is
/// no world to decide by yet.
pub async fn run<C, S>(
    around: &Surroundings,
    database: &Arc<Database>,
    listed: &sessions::Session,
    parties: Parties<C, S>,
) -> Option<Ended>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Parties { start, client, server, cancel, cancel_requests, patience } = parties;
    let mut watched = Watched {
        grants: around.approvals.subscribe(),
        world: database.subscribe(),
        phase: around.phase.clone(),
    };
    let phase = *watched.phase.borrow_and_update();
    let bell = Bell::new(watched.clone(), cancel_requests.chime(), listed);
    let mut relay = Relay {
        around,
        database,
        worlds: database.worlds(&start.client.user)?,
        listed,
        session: Session::new(start),
        effects: Effects::default(),
        client: Line::new(client.stream, &client.leftover),
        server: Line::new(server.stream, &server.leftover),
        cancel_call: cancel,
        work: None,
        cancelling: None,
        cancel_requests,
        bell,
        watched,
        phase,
        now: (around.clock)(),
        struck: None,
        cut_cause: CutCause::Expired,
        exposed: tally::Exposed::default(),
        ends: ends::Signs::default(),
        waiting: Waiting::new(patience),
    };
    let end = loop {
        if let Err(end) = relay.turn().await {
            break end;
        }
    };
    // In a box, as every session would keep room for its end.
    Some(Box::pin(relay.finish(end)).await)
}

impl<C, S> Relay<'_, C, S>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    async fn turn(&mut self) -> Result<(), End> {
        self.now = (self.around.clock)();
        self.look_around()?;
        self.feed();
        self.perform().await?;
        // Behind the bytes: what the client has said before is what it is about. One at a time, as
        // the next is about what comes after the one before.
        if self.cancelling.is_none()
            && let Some(request) = self.cancel_requests.take()
        {
            self.cancel(request);
        }
        if self.phase != Phase::Serving {
            // A statement that is done by now is the last.
            self.look_around()?;
        }
        self.wait().await
    }

    /// Looks at everything that ends or changes a session. Here and not only where the session
    /// waits, as bytes that never stop must not keep a revocation from being seen.
    fn look_around(&mut self) -> Result<(), End> {
        if has_changed(&mut self.watched.phase) {
            self.phase = *self.watched.phase.borrow();
        }
        match self.phase {
            Phase::Serving => {}
            Phase::Draining if !self.session.is_idle() || !self.client.inbox.is_empty() => {}
            Phase::Draining | Phase::Ending => return Err(End::Shutdown),
        }
        if let Some(why) = self.listed.dismissal() {
            return Err(End::Dismissed(why));
        }
        if self.database.is_expired() {
            return Err(End::Stale);
        }
        if let Some((at, end)) = self.waiting.limit()
            && at <= self.now
        {
            return Err(end);
        }
        let changed = has_changed(&mut self.watched.grants) | has_changed(&mut self.watched.world);
        let struck = self.deadline().filter(|at| *at <= self.now);
        if changed || struck.is_some() {
            self.cut_cause = if struck.is_some() { CutCause::Expired } else { CutCause::Revoked };
            self.struck = struck.or(self.struck);
            self.step(|session, env, out| session.tick(env, out));
        }
        Ok(())
    }

    /// Hands the session what has arrived, as far as it may look at it.
    fn feed(&mut self) {
        if self.server.news && !self.session.holds_server() {
            self.server.news = false;
            let mut inbox = std::mem::take(&mut self.server.inbox);
            self.step(|session, env, out| session.server_bytes(&mut inbox, env, out));
            self.server.inbox = inbox;
        }
        let held = self.session.waits() || self.cancelling.is_some();
        if self.client.news && !held && self.effects.close.is_none() {
            self.client.news = false;
            let mut inbox = std::mem::take(&mut self.client.inbox);
            self.step(|session, env, out| session.client_bytes(&mut inbox, env, out));
            self.client.inbox = inbox;
        }
    }

    /// One step of the session in the world as it is now.
    fn step(&mut self, act: impl FnOnce(&mut Session, Env<'_>, &mut Effects)) {
        let world = self.worlds.load();
        let grants = self.around.approvals.table();
        let env = Env {
            world: &world,
            grants: &grants,
            now: self.now,
            cache: &self.database.cache,
            lookups: &self.database.lookups,
            pseudonyms: &self.around.pseudonyms,
            sampling: &self.database.sampling,
        };
        let waited = self.session.waits();
        act(&mut self.session, env, &mut self.effects);
        if waited && !self.session.waits() {
            self.client.news = true;
            self.server.news = true;
        }
    }

    /// Performs what the last steps ask for, in the order of [`Effects`].
    async fn perform(&mut self) -> Result<(), End> {
        self.tally();
        for event in self.effects.audit.drain(..) {
            let audit = &self.around.audit;
            if let Some(event) = audit.try_append(event, self.now).map_err(|_| End::Audit)? {
                // In a box, as every session would keep room for it.
                let waiting = Box::pin(audit.append(event, self.now));
                waiting.await.map_err(|_| End::Audit)?;
            }
        }
        self.ends.note(&self.effects.to_client);
        self.server.send(&mut self.effects.to_server);
        self.client.send(&mut self.effects.to_client);
        if let Some(Cancel::Statement) = self.effects.cancel.take() {
            self.cancelling = Some((self.cancel_call)());
        }
        if self.effects.close.is_some() {
            return Err(End::Said);
        }
        self.start_work();
        self.write_at_once().await?;
        if self.session.is_idle() {
            self.give_back();
        }
        self.waiting.note_rest(self.session.rest(), self.now);
        self.waiting.note_backlog(self.client.backlog_len(), self.now);
        Ok(())
    }

    /// Starts what the session's hold asks for, unless it is under way.
    fn start_work(&mut self) {
        if self.work.is_some() {
            return;
        }
        match self.session.hold() {
            None | Some(Hold::Server) => {}
            Some(Hold::Spend(claims)) => {
                let (approvals, claims) = (self.around.approvals.clone(), claims.clone());
                self.work = Some(Box::pin(async move {
                    let result = approvals.spend(claims.clone()).await;
                    Done::Spent(claims, result)
                }));
            }
            Some(Hold::Release(event)) => {
                let (audit, event, now) = (self.around.audit.clone(), (**event).clone(), self.now);
                self.show_release(&event);
                let synced = self.around.metrics.audit_sync.start_timer();
                self.work = Some(Box::pin(async move {
                    let receipt = audit.append_durable(event, now).await;
                    synced.observe_duration();
                    Done::Released(receipt)
                }));
            }
            Some(Hold::Refresh) => {
                let database = Arc::clone(self.database);
                self.work =
                    Some(Box::pin(async move { Done::Refreshed(database.refresh().await) }));
            }
            Some(Hold::InBand(calls)) => {
                let calls = calls.clone();
                let asker = Asker {
                    approvals: self.around.approvals.clone(),
                    world: self.worlds.load_full(),
                    client: Arc::clone(self.session.client()),
                };
                self.work =
                    Some(Box::pin(async move { Done::Answered(asker.answer(&calls).await) }));
            }
        }
    }

    /// Gives memory back that only bulk needed.
    fn give_back(&mut self) {
        self.client.give_back();
        self.server.give_back();
        for buffer in [&mut self.effects.to_client, &mut self.effects.to_server] {
            if buffer.is_empty() && buffer.capacity() > line::KEPT_LEN {
                *buffer = Vec::new();
            }
        }
    }

    /// The client wants stopped what its session does.
    fn cancel(&mut self, request: CancelRequest) {
        match self.session.cancel() {
            // The request is answered when it is dropped.
            Reach::Here => {
                // A decision may be long in coming; what was asked for stays asked for.
                if let Some(Hold::InBand(_)) = self.session.hold() {
                    self.work = Some(Box::pin(std::future::ready(Done::Answered(Vec::new()))));
                }
                drop(request);
            }
            Reach::Server => {
                let call = (self.cancel_call)();
                self.cancelling = Some(Box::pin(async move {
                    call.await;
                    drop(request);
                }));
            }
        }
    }

    /// Tells the session how its hold ended.
    fn done(&mut self, done: Done) -> Result<(), End> {
        // Another hold may have been behind this one; what waited for this one goes on.
        self.client.news = true;
        self.server.news = true;
        match done {
            Done::Spent(claims, result) => {
                self.step(|session, env, out| session.spent(&claims, result, env, out));
            }
            Done::Released(Ok(receipt)) => {
                self.step(|session, env, out| session.released(receipt, env, out));
            }
            Done::Released(Err(error)) => {
                tracing::warn!(%error, "nothing raw is released");
                self.step(|session, env, out| session.not_released(env, out));
            }
            Done::Refreshed(Ok(())) => {
                self.step(|session, env, out| session.refreshed(env, out));
            }
            // What the session defined is not known, so nothing can be decided any more.
            Done::Refreshed(Err(Stale)) => return Err(End::Stale),
            Done::Answered(answers) => {
                self.step(|session, env, out| session.answered(answers, env, out));
            }
        }
        Ok(())
    }
}

/// Takes note of a change.
fn has_changed<T>(value: &mut watch::Receiver<T>) -> bool {
    let changed = value.has_changed().unwrap_or(false);
    if changed {
        value.mark_unchanged();
    }
    changed
}
