//! The approval store: every change of requests and grants is an event, durable before it is
//! acknowledged; the live table is published before the caller hears of it.

mod clock;
mod error;
mod feed;
mod journal;
mod lifetime;
mod peek;
mod restrict;
mod settings;
mod shared;
mod writer;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};

use self::shared::Shared;
use self::writer::{Command, Work, Writer};
use crate::grant::seal::matter;
use crate::grant::{
    Approvers, Approving, Ask, CatalogView, DirectGrant, GrantId, GrantView, LiveTable, Policies,
    Proof, RecordedEvent, Request, RequestId, Scope, Standing, Wish,
};
use crate::model::receipt::Challenge;
use crate::model::{Client, Epoch, Report, SqlState, Timestamp, User};

pub use clock::{Clock, steady_clock};
pub use error::StoreError;
pub use peek::{adopt, identify, peek, standing_only};
pub use settings::{
    Connect, ConnectFailure, Connecting, Link, Location, Settings, Shared as SharedStore,
};

/// So many changes may wait for the disk; further ones are refused.
const QUEUE_MAX: usize = 1_024;

/// Shorter would ask more of a disk than it keeps, longer would be no limit.
const STALENESS_MIN: Duration = Duration::from_secs(1);
const STALENESS_MAX: Duration = Duration::from_secs(3_600);

/// Receives every event at least once, in order, on the store's own thread, before the caller of
/// the change is answered; an error keeps the event, which is handed over again later.
/// A repeated event has the same [`RecordedEvent::sequence`].
pub type EventSink = Arc<dyn Fn(&RecordedEvent) -> Result<(), String> + Send + Sync>;

/// A handle to the store; cheap to clone. When the last one is dropped, what was acknowledged is
/// on the disk already, and the file is closed.
#[derive(Clone)]
pub struct Approvals {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    /// None while the handle is being dropped.
    inbox: Option<mpsc::Sender<Command>>,
    threads: Vec<JoinHandle<()>>,
}

impl Approvals {
    /// Opens the store, replays it and publishes the first live table. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read and written; the proxy must not start then.
    pub fn open(settings: Settings) -> Result<Self, StoreError> {
        let max_staleness = settings.max_staleness;
        if !(STALENESS_MIN..=STALENESS_MAX).contains(&max_staleness) {
            return Err(StoreError::Staleness(max_staleness));
        }
        let (clock, policies) = (Arc::clone(&settings.clock), settings.policies.clone());
        let shared = Arc::new(Shared::new(clock, policies, settings.approvers.clone()));
        let (inbox, commands) = mpsc::channel(QUEUE_MAX);
        let threads = start(&shared, settings, commands)?;
        Ok(Self { inner: Arc::new(Inner { shared, inbox: Some(inbox), threads }) })
    }

    /// The grants that count now. Takes no lock; ask again for every statement.
    pub fn table(&self) -> Arc<LiveTable> {
        self.inner.shared.table.load_full()
    }

    /// Wakes at every change of the live table, when a grant begins or ends by time, and when
    /// the store has been out of reach for too long.
    pub fn subscribe(&self) -> watch::Receiver<Epoch> {
        self.inner.shared.epoch.subscribe()
    }

    /// The policies that decide now.
    pub fn policies(&self) -> Arc<Policies> {
        self.inner.shared.policies.load_full()
    }

    /// How long ago it was certain that nothing in the store is unknown here.
    pub fn sync_age(&self) -> Duration {
        self.inner.shared.sync_age()
    }

    /// The time as the store sees it.
    pub fn now(&self) -> Timestamp {
        (self.inner.shared.clock)()
    }

    /// Files a request; where the policy needs no approval, the grant comes with it.
    /// `catalog` is that of the database as the client named it.
    ///
    /// Cancel safety: for this and every other change, dropping the future after its first poll
    /// does not undo the change.
    ///
    /// # Errors
    /// The report says why not, in the words of the policy or the catalog.
    pub async fn request(
        &self,
        requester: &Client,
        catalog: &CatalogView,
        ask: Ask,
    ) -> Result<Request, Report> {
        let wish = Wish { client: requester.clone(), catalog: catalog.clone(), ask };
        self.request_all(vec![wish]).await?.pop().ok_or_else(stopped)
    }

    /// Files several requests at once, or none of them.
    ///
    /// # Errors
    /// As [`Approvals::request`], of the first that cannot be filed.
    pub async fn request_all(&self, wishes: Vec<Wish>) -> Result<Vec<Request>, Report> {
        let events = self
            .change(Box::new(move |ledger, policies, now| {
                ledger.request_all(policies, &wishes, now)
            }))
            .await?;
        let filed = events.iter().filter_map(|recorded| recorded.event.requested());
        filed.map(|id| self.request_view(Some(id))).collect()
    }

    /// Adds one approval; the last one needed makes the grant.
    ///
    /// # Errors
    /// Unknown, not pending, one's own, not among the approvers, approved already, no longer
    /// allowed by the policies, or not proven as approver and policy want it. A wrong code is
    /// recorded.
    pub async fn approve(
        &self,
        approver: &User,
        id: RequestId,
        proof: Proof,
    ) -> Result<Request, Report> {
        let (approver, shared) = (approver.clone(), Arc::clone(&self.inner.shared));
        let events = self
            .change(Box::new(move |ledger, policies, now| {
                let store = shared.store_id();
                let approving =
                    Approving { approver: &approver, request: id, proof: &proof, store };
                ledger.approve_proven(policies, &shared.approvers.load(), approving, now)
            }))
            .await?;
        let failed = |recorded: &RecordedEvent| recorded.event.is_failed_factor();
        if events.iter().any(failed) {
            return Err(Report::error(SqlState::INSUFFICIENT_PRIVILEGE, "the code is wrong")
                .detail("It may be too old, or used already: every code counts once."));
        }
        self.request_view(Some(id))
    }

    /// What the own key of an approver signs to approve the request.
    ///
    /// # Errors
    /// Unknown.
    pub fn challenge(&self, id: RequestId) -> Result<(Request, Challenge), Report> {
        let request = self.inner.shared.ledger().request_view(id).ok_or_else(|| {
            Report::error(SqlState::UNDEFINED_OBJECT, format!("there is no request {id}"))
        })?;
        let matter = matter(&request, self.inner.shared.store_id())
            .map_err(|error| Report::error(SqlState::INTERNAL_ERROR, error.to_string()))?;
        let challenge = matter.challenge();
        Ok((request, challenge))
    }

    /// Takes over how approvers prove themselves.
    pub fn replace_approvers(&self, approvers: Approvers) {
        self.inner.shared.approvers.store(Arc::new(approvers));
    }

    /// Closes a request for good.
    ///
    /// # Errors
    /// Unknown, not pending, one's own, or not among the approvers.
    pub async fn deny(
        &self,
        approver: &User,
        id: RequestId,
        reason: Option<String>,
    ) -> Result<Request, Report> {
        let approver = approver.clone();
        self.change(Box::new(move |ledger, _, now| {
            ledger.deny(&approver, id, reason.as_deref(), now)
        }))
        .await?;
        self.request_view(Some(id))
    }

    /// Takes one's own request back.
    ///
    /// # Errors
    /// Unknown, not pending, or somebody else's.
    pub async fn cancel(&self, by: &User, id: RequestId) -> Result<Request, Report> {
        let by = by.clone();
        self.change(Box::new(move |ledger, _, now| ledger.cancel(&by, id, now))).await?;
        self.request_view(Some(id))
    }

    /// A DBA's own GRANT: needs the role `control`, is never to oneself, and never of who has
    /// registered a key of their own.
    ///
    /// # Errors
    /// The report says why not.
    pub async fn grant(
        &self,
        by: &User,
        catalog: &CatalogView,
        ask: DirectGrant,
    ) -> Result<GrantView, Report> {
        let (by, catalog) = (by.clone(), catalog.clone());
        let shared = Arc::clone(&self.inner.shared);
        let events = self
            .change(Box::new(move |ledger, _, now| {
                ledger.grant_proven(&shared.approvers.load(), &by, &catalog, &ask, now)
            }))
            .await?;
        self.ended_or_begun(&events).pop().ok_or_else(stopped)
    }

    /// Ends a grant now. Its user may, who approved it, and whoever has the role `control`.
    ///
    /// # Errors
    /// Unknown, over already, standing, or not allowed.
    pub async fn revoke(&self, by: &User, id: GrantId) -> Result<GrantView, Report> {
        let by = by.clone();
        let events =
            self.change(Box::new(move |ledger, _, now| ledger.revoke(&by, id, now))).await?;
        self.ended_or_begun(&events).pop().ok_or_else(stopped)
    }

    /// Ends every grant of the scope but the standing ones.
    ///
    /// # Errors
    /// Needs the role `control`.
    pub async fn revoke_all(&self, by: &User, scope: Scope) -> Result<Vec<GrantView>, Report> {
        let by = by.clone();
        let events = self
            .change(Box::new(move |ledger, _, now| ledger.revoke_all(&by, &scope, now)))
            .await?;
        Ok(self.ended_or_begun(&events))
    }

    /// Takes over a new configuration; standing grants that left it end, grants that policies
    /// gave go on.
    ///
    /// # Errors
    /// The store cannot be written; the old configuration goes on.
    pub async fn replace_policies(
        &self,
        policies: Policies,
        standing: Vec<Standing>,
    ) -> Result<(), Report> {
        let (answer, done) = oneshot::channel();
        self.send(Command::Replace { policies, standing, answer })?;
        done.await.map_err(|_| stopped())?.map(drop)
    }

    /// Requests that are pending or were decided in the last day, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.inner.shared.ledger().requests()
    }

    /// Grants that count, will count or ended in the last day, and standing ones, oldest first.
    pub fn grants(&self) -> Vec<GrantView> {
        self.inner.shared.ledger().grants(self.now())
    }

    /// How many break-glass grants wait for their review.
    pub fn unreviewed_count(&self) -> usize {
        self.inner.shared.ledger().unreviewed_count()
    }

    async fn change(&self, work: Work) -> Result<Vec<RecordedEvent>, Report> {
        let (answer, done) = oneshot::channel();
        self.send(Command::Change { work, answer })?;
        done.await.map_err(|_| stopped())?
    }

    fn send(&self, command: Command) -> Result<(), Report> {
        let inbox = self.inner.inbox.as_ref().ok_or_else(stopped)?;
        inbox.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Report::error(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "too many changes wait for the approval store",
            )
            .hint("Try again in a moment."),
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })
    }

    fn request_view(&self, id: Option<RequestId>) -> Result<Request, Report> {
        id.and_then(|id| self.inner.shared.ledger().request_view(id)).ok_or_else(stopped)
    }

    fn ended_or_begun(&self, events: &[RecordedEvent]) -> Vec<GrantView> {
        let ledger = self.inner.shared.ledger();
        let now = self.now();
        let ids = events.iter().filter_map(|recorded| recorded.event.grant());
        ids.filter_map(|id| ledger.grant_view(id, now)).collect()
    }
}

/// Returns when the store is open; what works with it does so on a thread of its own, since it
/// waits for disks and databases.
fn start(
    shared: &Arc<Shared>,
    settings: Settings,
    commands: mpsc::Receiver<Command>,
) -> Result<Vec<JoinHandle<()>>, StoreError> {
    let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let (opened, outcome) = std::sync::mpsc::sync_channel(1);
    let writing = Arc::clone(shared);
    let write = named("approvals").spawn(move || match Writer::open(settings, writing) {
        Ok(writer) => {
            // Whoever opens it waits for this.
            let _ = opened.send(Ok(()));
            writer.run(commands);
        }
        Err(error) => drop(opened.send(Err(error))),
    });
    let write = write.map_err(StoreError::Thread)?;
    if let Err(error) = outcome.recv().unwrap_or(Err(StoreError::Stopped)) {
        // What it held is free again when this returns.
        let _ = write.join();
        return Err(error);
    }
    let time = Arc::clone(shared);
    match named("approvals-time").spawn(move || time.watch_time()) {
        Ok(watch) => Ok(vec![write, watch]),
        Err(error) => Err(StoreError::Thread(error)),
    }
}

/// A runtime for one thread, which drives what waits there.
fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.inbox = None;
        self.shared.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the approval store had panicked");
            }
        }
    }
}

fn stopped() -> Report {
    Report::error(SqlState::IO_ERROR, "the approval store has stopped")
}
