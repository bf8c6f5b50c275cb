//! The approval store: every change of requests and grants is an event, durable before it is
//! acknowledged; the live table is published before the caller hears of it.

mod clock;
mod feed;
mod journal;
mod peek;
mod shared;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use self::journal::Journal;
use self::shared::Shared;
use self::writer::{Command, Work, Writer};
use crate::grant::{
    Ask, CatalogView, Claim, DirectGrant, GrantId, GrantView, LedgerError, LiveTable, Policies,
    RecordedEvent, Request, RequestId, RequestState, Scope, Standing,
};
use crate::model::{Client, Epoch, Report, SqlState, Timestamp, User};

pub use clock::{Clock, steady_clock};
pub use peek::{peek, standing_only};

/// So many changes may wait for the disk; further ones are refused.
const QUEUE_MAX: usize = 1_024;

/// Shorter would ask more of a disk than it keeps, longer would be no limit.
const STALENESS_MIN: Duration = Duration::from_secs(1);
const STALENESS_MAX: Duration = Duration::from_secs(3_600);

/// Receives every event at least once, in order, on the store's own thread, before the caller of
/// the change is answered; an error keeps the event, which is handed over again later.
/// A repeated event has the same [`RecordedEvent::sequence`].
pub type EventSink = Arc<dyn Fn(&RecordedEvent) -> Result<(), String> + Send + Sync>;

/// What [`Approvals::open`] needs to know.
#[derive(Clone)]
pub struct Settings {
    /// `sqlite:keyhole.db`.
    pub url: String,
    /// What a relative path is relative to.
    pub base_dir: PathBuf,
    /// How long grants count while the store is out of reach.
    pub max_staleness: Duration,
    pub policies: Policies,
    pub standing: Vec<Standing>,
    pub clock: Clock,
    pub on_event: EventSink,
}

/// A store that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("store url \"{0}\": a store is sqlite:path")]
    Url(String),
    #[error("a store in PostgreSQL is not supported yet; use sqlite:path")]
    Postgres,
    #[error("max_staleness must be from 1s to 1h, not {0:?}")]
    Staleness(Duration),
    #[error("store {} is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("store {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("store {}: {source}", path.display())]
    Sqlite { path: PathBuf, source: rusqlite::Error },
    #[error("store {} is of version {found}, which this program does not know", path.display())]
    Version { path: PathBuf, found: String },
    #[error("store {}: event {event} cannot be read", path.display())]
    Corrupt { path: PathBuf, event: i64 },
    #[error("the store's events contradict each other: {0}")]
    Events(#[from] LedgerError),
    #[error("the store cannot be written: {0}")]
    Write(#[source] rusqlite::Error),
    #[error("the store's thread cannot be started: {0}")]
    Thread(#[source] std::io::Error),
    #[error("the store has stopped")]
    Stopped,
}

/// A handle to the store; cheap to clone. When the last one is dropped, what was acknowledged is
/// on the disk already, and the file is closed.
#[derive(Clone)]
pub struct Approvals {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    store_id: String,
    /// None while the handle is being dropped.
    inbox: Option<SyncSender<Command>>,
    threads: Vec<JoinHandle<()>>,
}

impl Approvals {
    /// Opens the store, replays it and publishes the first live table. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read and written; the proxy must not start then.
    pub fn open(settings: Settings) -> Result<Self, StoreError> {
        let Settings { url, base_dir, max_staleness, policies, standing, clock, on_event } =
            settings;
        if !(STALENESS_MIN..=STALENESS_MAX).contains(&max_staleness) {
            return Err(StoreError::Staleness(max_staleness));
        }
        let journal = Journal::open(&url, &base_dir)?;
        let store_id = journal.store_id().map_err(StoreError::Write)?;
        let shared = Arc::new(Shared::new(clock, policies));
        let writer =
            Writer::start(journal, Arc::clone(&shared), on_event, max_staleness, &standing)?;
        let (inbox, commands) = sync_channel(QUEUE_MAX);
        let threads = start(&shared, writer, commands).map_err(StoreError::Thread)?;
        Ok(Self { inner: Arc::new(Inner { shared, store_id, inbox: Some(inbox), threads }) })
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
        let (requester, catalog) = (requester.clone(), catalog.clone());
        let events = self
            .change(Box::new(move |ledger, policies, now| {
                ledger.request(policies, &requester, &catalog, &ask, now)
            }))
            .await?;
        let id = events.iter().find_map(|recorded| recorded.event.requested());
        self.request_view(id)
    }

    /// Files a request for a longer life of one's own grant.
    ///
    /// # Errors
    /// The report says why not, in the words of the policy.
    pub async fn extend(
        &self,
        requester: &Client,
        grant: GrantId,
        by: Duration,
        reason: String,
    ) -> Result<Request, Report> {
        let requester = requester.clone();
        let events = self
            .change(Box::new(move |ledger, policies, now| {
                ledger.extend(policies, &requester, grant, by, &reason, now)
            }))
            .await?;
        let id = events.iter().find_map(|recorded| recorded.event.requested());
        self.request_view(id)
    }

    /// Waits until the request is decided, or taken back, or has lapsed.
    ///
    /// # Errors
    /// It is not known, or the store has stopped.
    pub async fn decided(&self, id: RequestId) -> Result<Request, Report> {
        let mut changes = self.recorded();
        loop {
            changes.mark_unchanged();
            let request = self.request_view(Some(id))?;
            if request.state != RequestState::Pending {
                return Ok(request);
            }
            changes.changed().await.map_err(|_| stopped())?;
        }
    }

    /// Counts what sessions want to use. When this returns, it is durable.
    ///
    /// # Errors
    /// A grant does not count any more or is used up, or the store cannot be written.
    pub async fn spend(&self, claims: Vec<Claim>) -> Result<(), Report> {
        let work: Work = Box::new(move |ledger, _, now| ledger.spend(&claims, now));
        self.change(work).await.map(drop)
    }

    /// Says that somebody has looked at what was done under a break-glass grant.
    ///
    /// # Errors
    /// Unknown, no break-glass grant, reviewed already, one's own, or not among the reviewers.
    pub async fn review(
        &self,
        by: &User,
        grant: GrantId,
        note: String,
    ) -> Result<GrantView, Report> {
        let by = by.clone();
        let work: Work = Box::new(move |ledger, _, _| ledger.review(&by, grant, &note));
        let events = self.change(work).await?;
        self.ended_or_begun(&events).pop().ok_or_else(stopped)
    }

    /// Adds one approval; the last one needed makes the grant.
    ///
    /// # Errors
    /// Unknown, not pending, one's own, not among the approvers, approved already, or no longer
    /// allowed by the policies.
    pub async fn approve(&self, approver: &User, id: RequestId) -> Result<Request, Report> {
        let approver = approver.clone();
        self.change(Box::new(move |ledger, policies, now| {
            ledger.approve(policies, &approver, id, now)
        }))
        .await?;
        self.request_view(Some(id))
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

    /// A DBA's own GRANT: needs the role `control`, and is never to oneself.
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
        let events = self
            .change(Box::new(move |ledger, _, now| ledger.grant(&by, &catalog, &ask, now)))
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

    async fn change(&self, work: Work) -> Result<Vec<RecordedEvent>, Report> {
        let (answer, done) = oneshot::channel();
        self.send(Command::Change { work, answer })?;
        done.await.map_err(|_| stopped())?
    }

    fn send(&self, command: Command) -> Result<(), Report> {
        let inbox = self.inner.inbox.as_ref().ok_or_else(stopped)?;
        inbox.try_send(command).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(_) => Report::error(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "too many changes wait for the approval store",
            )
            .hint("Try again in a moment."),
            std::sync::mpsc::TrySendError::Disconnected(_) => stopped(),
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

fn start(
    shared: &Arc<Shared>,
    writer: Writer,
    commands: Receiver<Command>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let time = Arc::clone(shared);
    let watch = named("approvals-time").spawn(move || time.watch_time())?;
    let write = named("approvals").spawn(move || writer.run(&commands));
    match write {
        Ok(write) => Ok(vec![write, watch]),
        Err(error) => {
            shared.stop();
            Err(error)
        }
    }
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
