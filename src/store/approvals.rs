//! The approval store: every change of requests and grants is an event, durable before it is
//! acknowledged; the live table is published before the caller hears of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::grant::{
    Ask, CatalogView, DirectGrant, GrantId, GrantView, LiveTable, Policies, RecordedEvent, Request,
    RequestId, Standing,
};
use crate::model::{Epoch, Report, SqlState, Timestamp, User};

/// Asks for the time. Hand the same one to everything that compares times with grants.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

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
    #[error("a store in PostgreSQL is not supported yet")]
    Postgres,
    #[error("store {path}: {source}")]
    Sqlite { path: PathBuf, source: rusqlite::Error },
}

/// A handle to the store; cheap to clone.
#[derive(Clone)]
pub struct Approvals {
    shared: Arc<Shared>,
}

struct Shared {
    table: arc_swap::ArcSwap<LiveTable>,
    epoch: watch::Sender<Epoch>,
}

impl Approvals {
    /// Opens the store, replays it and publishes the first live table.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read and written; the proxy must not start then.
    pub fn open(settings: Settings) -> Result<Self, StoreError> {
        if settings.url.starts_with("postgres") {
            return Err(StoreError::Postgres);
        }
        Err(StoreError::Url(settings.url))
    }

    /// The grants that count now. Takes no lock; ask again for every statement.
    pub fn table(&self) -> Arc<LiveTable> {
        self.shared.table.load_full()
    }

    /// Wakes at every change of the live table, and when a grant begins or ends by time.
    pub fn subscribe(&self) -> watch::Receiver<Epoch> {
        self.shared.epoch.subscribe()
    }

    /// Files a request; where the policy needs no approval, the grant comes with it.
    ///
    /// Cancel safety: for this and every other change, dropping the future after its first poll
    /// does not undo the change.
    ///
    /// # Errors
    /// The report says why not, in the words of the policy or the catalog.
    pub async fn request(
        &self,
        requester: &User,
        catalog: &CatalogView,
        ask: Ask,
    ) -> Result<Request, Report> {
        let _ = (requester, catalog, ask);
        Err(unsupported())
    }

    /// Adds one approval; the last one needed makes the grant.
    ///
    /// # Errors
    /// Unknown, not pending, one's own, or not among the approvers.
    pub async fn approve(&self, approver: &User, id: RequestId) -> Result<Request, Report> {
        let _ = (approver, id);
        Err(unsupported())
    }

    /// Closes a request for good.
    ///
    /// # Errors
    /// As [`Self::approve`].
    pub async fn deny(
        &self,
        approver: &User,
        id: RequestId,
        reason: Option<String>,
    ) -> Result<Request, Report> {
        let _ = (approver, id, reason);
        Err(unsupported())
    }

    /// Takes one's own request back.
    ///
    /// # Errors
    /// Unknown, not pending, or somebody else's.
    pub async fn cancel(&self, by: &User, id: RequestId) -> Result<Request, Report> {
        let _ = (by, id);
        Err(unsupported())
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
        let _ = (by, catalog, ask);
        Err(unsupported())
    }

    /// Ends a grant now. Its subject may, and whoever has the role `control`.
    ///
    /// # Errors
    /// Unknown, over already, standing, or not allowed.
    pub async fn revoke(&self, by: &User, id: GrantId) -> Result<GrantView, Report> {
        let _ = (by, id);
        Err(unsupported())
    }

    /// Ends every grant but the standing ones.
    ///
    /// # Errors
    /// Needs the role `control`.
    pub async fn revoke_all(&self, by: &User) -> Result<Vec<GrantView>, Report> {
        let _ = by;
        Err(unsupported())
    }

    /// Takes over a new configuration; standing grants that left it end.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn replace_policies(
        &self,
        policies: Policies,
        standing: Vec<Standing>,
    ) -> Result<(), Report> {
        let _ = (policies, standing);
        Err(unsupported())
    }

    /// Requests that are pending or were decided in the last day, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        Vec::new()
    }

    /// Grants that count, will count or ended in the last day, and standing ones.
    pub fn grants(&self) -> Vec<GrantView> {
        Vec::new()
    }
}

fn unsupported() -> Report {
    Report::error(SqlState::FEATURE_NOT_SUPPORTED, "grants are not kept yet")
}
