//! What the control port needs from the rest of the process, in one struct.

use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::explorer::Explorer;
use super::sign_in::SignIn;
use crate::auth::Authenticated;
use crate::auth::rules::Rules;
use crate::catalog::Catalog;
use crate::decision::World;
use crate::discovery::drift::Found;
use crate::grant::{CatalogView, GrantState, GrantView, Policies, Request, RequestState};
use crate::model::{Client, SqlState, Timestamp, User};
use crate::schema::Snapshot;
use crate::store::approvals::{Approvals, Clock};
pub use crate::telemetry::labels::Part;
use crate::telemetry::{Metrics, sessions};

/// Gives what holds now; asked again for every command, so a reload shows at once.
pub type Source<T> = Box<dyn Fn() -> T + Send + Sync>;

/// Finds the user that a login is about.
pub type Directory = Box<dyn Fn(&Authenticated) -> Option<User> + Send + Sync>;

/// The user of that name in the configuration.
pub type Names = Box<dyn Fn(&str) -> Option<User> + Send + Sync>;

/// Remembers what happened.
pub type Recorder = Box<dyn Fn(&Occurrence) + Send + Sync>;

/// A reload under way: a line that says what was taken over, or one line per problem.
pub type Reloading = Pin<Box<dyn Future<Output = Result<String, Vec<String>>> + Send>>;

/// Everything that console and HTTP work with; shared by all their connections.
pub struct Desk {
    pub approvals: Approvals,
    pub sessions: Arc<sessions::Registry>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    /// In the order of the configuration.
    pub databases: Source<Vec<Database>>,
    pub policies: Source<Policies>,
    /// How clients of the control port prove who they are, and whether they use TLS.
    pub rules: Source<Rules>,
    /// How people and machines sign in over HTTP.
    pub sign_in: Arc<SignIn>,
    /// The user that the login is about; None: nobody.
    pub users: Directory,
    pub named: Names,
    /// Reads configuration and catalogs again.
    pub reload: Source<Reloading>,
    /// What keeps the proxy from serving now; empty: nothing.
    pub unready: Source<Vec<Unready>>,
    /// Where else the records of the audit log go, and how far each is.
    pub sinks: Source<Vec<Sink>>,
    /// What was written into the audit log.
    pub explorer: Explorer,
    /// Told of every login and every command that changes something.
    pub record: Recorder,
}

/// The role in the configuration that opens the control port.
pub(super) const CONTROL: &str = "control";

impl Desk {
    /// The user as the configuration has it now, if the control port is open to them. Asked again
    /// for every command: who loses the role or a group has lost it in open sessions too.
    pub fn operator(&self, login: &Authenticated) -> Option<User> {
        (self.users)(login).filter(|user| user.has_role(CONTROL))
    }

    /// Brings the gauges that count what stands elsewhere up to date; call it before they are
    /// read.
    pub fn take_stock(&self) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let in_force = |view: &GrantView| match view.state {
            GrantState::Active | GrantState::Standing => true,
            GrantState::Scheduled
            | GrantState::Expired
            | GrantState::Revoked
            | GrantState::Exhausted => false,
        };
        let is_open = |request: &Request| request.state == RequestState::Pending;
        let grants = self.approvals.grants().iter().filter(|view| in_force(view)).count();
        let requests = self.approvals.requests().iter().filter(|r| is_open(r)).count();
        self.metrics.grants_live.set(count(grants));
        self.metrics.requests_open.set(count(requests));
        self.metrics.store_sync_age.set(self.approvals.sync_age().as_secs_f64());
        self.metrics.sessions.set(count(self.sessions.len()));
    }
}

/// One database behind the proxy.
#[derive(Clone, Debug)]
pub struct Database {
    /// As clients name it; [`Database::ANY`] stands for every name without an entry of its own.
    pub name: String,
    /// Host, port and database: no user, no password.
    pub upstream: String,
    pub catalog: Arc<Catalog>,
    /// What holds there; None as long as it could not be read.
    pub world: Option<Arc<World>>,
    /// Where catalog and schema have moved apart: of the database itself, or of each that
    /// [`Database::ANY`] stands for by now.
    pub drift: Vec<Drifted>,
    /// None: no scan leaves anything to be reviewed.
    pub review: Option<Arc<Review>>,
}

/// What has moved apart in one database.
#[derive(Clone, Debug)]
pub struct Drifted {
    /// The database, as clients name it.
    pub database: Arc<str>,
    pub found: Arc<Vec<Found>>,
}

/// What a review is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Where scans leave what they find; it may not be there yet.
    pub findings: PathBuf,
    /// The files of the catalog, which would be changed.
    pub files: Vec<CatalogFile>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogFile {
    /// As the configuration names it, in whose folder a patch is taken.
    pub name: PathBuf,
    pub path: PathBuf,
}

impl Drifted {
    /// Each with the name of the database.
    pub fn each(&self) -> impl Iterator<Item = (&str, &Found)> {
        self.found.iter().map(|found| (&*self.database, found))
    }
}

impl Database {
    pub const ANY: &'static str = "*";

    pub fn schema(&self) -> Option<&Snapshot> {
        self.world.as_ref().map(|world| &*world.schema)
    }

    /// The catalog as grants see it, for clients that call the database `name`.
    pub fn view(&self, name: &str) -> CatalogView {
        let Some(world) = &self.world else {
            return CatalogView::new(name, &self.catalog, None);
        };
        CatalogView::new(name, &self.catalog, Some(&*world.schema))
            .without(&world.schema, |column| world.sensitive.column(column).is_some())
    }
}

/// A part of the process that is not ready, and why: no data, no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unready {
    pub part: Part,
    pub reason: String,
}

/// A sink of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    pub name: String,
    /// The word of the configuration.
    pub kind: &'static str,
    /// Which records, in words.
    pub kinds: String,
    /// The number of the record that it ships next; None as long as it does not know.
    pub next: Option<u64>,
    pub behind_records: u64,
    pub behind_secs: u64,
    /// Records, since the start.
    pub delivered: u64,
    /// Attempts.
    pub failures: u64,
    /// Records that the receiver does not take.
    pub refused: u64,
    /// Records that were removed from the log before they were shipped.
    pub missed: u64,
    pub last_delivery: Option<Timestamp>,
    /// Why the last attempt was in vain.
    pub failing: Option<String>,
}

impl Sink {
    /// `working`, `failing`, or `starting`.
    pub fn state(&self) -> &'static str {
        match (&self.failing, self.next) {
            (Some(_), _) => "failing",
            (None, Some(_)) => "working",
            (None, None) => "starting",
        }
    }
}

/// Who is at the console.
#[derive(Clone, Debug)]
pub struct Operator {
    pub user: User,
    pub address: IpAddr,
    pub application: Arc<str>,
}

impl Operator {
    /// As the one who asks for access to `database`.
    pub fn client(&self, database: &str) -> Client {
        Client {
            user: self.user.clone(),
            address: Some(self.address),
            application: Arc::clone(&self.application),
            database: database.into(),
        }
    }
}

/// Something that happened on the control port and has to be remembered.
#[derive(Clone, Debug)]
pub struct Occurrence {
    pub at: Timestamp,
    /// After a login that failed, nobody but the name that the client gave.
    pub user: User,
    pub address: IpAddr,
    pub application: Arc<str>,
    pub deed: Deed,
    /// The SQLSTATE it was refused with.
    pub refused: Option<SqlState>,
    /// Somebody else whom it is about, where that is no part of another record.
    pub about: Option<Arc<str>>,
}

/// Requests and grants are events of the store too, with all their terms; here it is what was
/// said on the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Login {
        method: &'static str,
    },
    /// A session over HTTP is ended before its time.
    SignOut {
        after: Duration,
    },
    /// All of somebody's sessions over HTTP are.
    SignOutAll,
    Grant,
    Request,
    Extend(u64),
    Cancel(u64),
    Approve(u64),
    Deny(u64),
    Revoke(u64),
    RevokeAll,
    Review(u64),
    KillSession(u64),
    Suspend,
    Lift,
    Reload,
    /// The audit log was looked at, or what somebody else is shown.
    Explore(Asked),
}

/// What the audit log was asked about: fields that were filled in; `report`, for a report;
/// `explain`, for what a statement of somebody else would be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(u32);

impl Asked {
    /// All that there are.
    pub const NAMES: [&'static str; 21] = [
        "user",
        "group",
        "column",
        "table",
        "class",
        "database",
        "kind",
        "decision",
        "address",
        "application",
        "grant",
        "request",
        "session",
        "words",
        "period",
        "since",
        "until",
        "step",
        "fingerprint",
        "report",
        "explain",
    ];

    /// Those for which `is_filled`.
    pub fn of(is_filled: impl Fn(&str) -> bool) -> Self {
        let filled = Self::NAMES.iter().enumerate().filter(|(_, name)| is_filled(name));
        Self(filled.fold(0, |bits, (at, _)| bits | 1 << at))
    }

    pub fn names(self) -> Vec<&'static str> {
        let asked = Self::NAMES.iter().enumerate().filter(|(at, _)| self.0 & 1 << at != 0);
        asked.map(|(_, name)| *name).collect()
    }
}

impl Deed {
    pub fn verb(self) -> &'static str {
        match self {
            Self::Login { .. } => "login",
            Self::SignOut { .. } => "sign out",
            Self::SignOutAll => "sign out everywhere",
            Self::Grant => "grant",
            Self::Request => "request",
            Self::Extend(_) => "extend",
            Self::Cancel(_) => "cancel",
            Self::Approve(_) => "approve",
            Self::Deny(_) => "deny",
            Self::Revoke(_) => "revoke",
            Self::RevokeAll => "revoke all",
            Self::Review(_) => "review",
            Self::KillSession(_) => "kill session",
            Self::Suspend => "suspend",
            Self::Lift => "lift",
            Self::Reload => "reload",
            Self::Explore(_) => "explore",
        }
    }

    /// The id of the request, grant or session it was done to.
    pub fn subject_id(self) -> Option<u64> {
        match self {
            Self::Approve(id)
            | Self::Extend(id)
            | Self::Cancel(id)
            | Self::Deny(id)
            | Self::Revoke(id)
            | Self::Review(id)
            | Self::KillSession(id) => Some(id),
            Self::Login { .. }
            | Self::SignOut { .. }
            | Self::SignOutAll
            | Self::Grant
            | Self::Request
            | Self::RevokeAll
            | Self::Suspend
            | Self::Lift
            | Self::Reload
            | Self::Explore(_) => None,
        }
    }
}
