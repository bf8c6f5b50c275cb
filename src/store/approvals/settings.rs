use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Clock, EventSink};
use crate::grant::{Approvers, Policies, Standing};
use crate::model::SigningKey;

/// What [`super::Approvals::open`] needs to know.
#[derive(Clone)]
pub struct Settings {
    pub location: Location,
    /// The folder in which this proxy remembers which store it works with and how far it got: that
    /// of its audit log, as the numbers of grants in there are those of one store.
    pub local: PathBuf,
    /// How long grants count while the store is out of reach.
    pub max_staleness: Duration,
    pub policies: Policies,
    pub standing: Vec<Standing>,
    /// How approvers prove themselves.
    pub approvers: Approvers,
    /// Signs every approval and grant.
    pub key: SigningKey,
    pub clock: Clock,
    pub on_event: EventSink,
}

/// Where the store is.
#[derive(Clone, Debug)]
pub enum Location {
    /// A file; one proxy at a time.
    Sqlite(PathBuf),
    /// Schema `keyhole` of a database.
    Postgres(Shared),
}

/// A store for several proxies.
#[derive(Clone)]
pub struct Shared {
    /// Host, port and database: no user, no password.
    pub place: String,
    pub connect: Connect,
    /// How long a connection may take.
    pub connect_patience: Duration,
    /// How often it is read even if nobody says that there is news.
    pub poll: Duration,
}

/// Opens a connection to a server of the store's that can be written, and has `news` told of each
/// notification and of its loss.
pub type Connect = Arc<dyn Fn(Arc<Notify>) -> Connecting + Send + Sync>;

/// A connection on its way.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Link, ConnectFailure>> + Send>>;

/// Why there is none.
pub type ConnectFailure = Box<dyn std::error::Error + Send + Sync>;

/// A connection to the database.
pub struct Link {
    pub client: tokio_postgres::Client,
    /// Has to be polled for the client to get anywhere; ends with the connection.
    pub driver: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("place", &self.place).finish_non_exhaustive()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}
