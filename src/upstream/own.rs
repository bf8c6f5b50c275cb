//! The proxy's own connections, for reading the schema and for a store that proxies share.
//!
//! They log in as clients' connections do (hosts, certificates, channel binding, what may be sent
//! in clear text), and a driver takes over from there: it is handed the end of that login.

mod handover;

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use self::handover::Handover;
use super::connect::{ConnectError, Target, connect_wanting, startup_parameters};
use super::servers::Wanted;
use crate::store::approvals::{Connect, Link};

/// What the proxy calls itself at the database.
pub const APPLICATION_NAME: &str = "keyhole";

/// A connection of the proxy's own, after its login.
pub type Connection = tokio_postgres::Connection<Handover, NoTlsStream>;

/// Why the proxy has no connection of its own.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{}", told(.0))]
    Login(#[from] tokio_postgres::Error),
}

/// Connects and logs in, encrypted as the target says; to the primary if it can be reached, as a
/// standby does not know yet what was just defined. The connection has to be polled for the client
/// to get anywhere; it ends when the client is dropped. Waits as long as it takes.
///
/// # Errors
/// If the database cannot be reached or does not let the proxy in.
pub async fn connect(target: &Target) -> Result<(Client, Connection), OwnError> {
    connect_wanting_one(Wanted::PreferPrimary, target).await
}

/// How the approval store gets its connections: to a server that can be written, whichever it is
/// by now.
pub fn for_store(target: Arc<Target>) -> Connect {
    Arc::new(move |news| {
        let target = Arc::clone(&target);
        Box::pin(async move {
            let (client, connection) = connect_wanting_one(Wanted::ReadWrite, &target).await?;
            let driver = Box::pin(async move { attend(connection, &news).await });
            Ok(Link { client, driver })
        })
    })
}

async fn connect_wanting_one(
    wanted: Wanted,
    target: &Target,
) -> Result<(Client, Connection), OwnError> {
    let own = [("client_encoding", "UTF8"), ("application_name", APPLICATION_NAME)];
    let parameters = startup_parameters(target, &[], &own);
    let connected = connect_wanting(wanted, target, &parameters).await?;
    let mut settings = tokio_postgres::Config::new();
    settings.user(&target.user).dbname(&target.database);
    // Encryption is settled: the stream is what it is.
    settings.ssl_mode(tokio_postgres::config::SslMode::Disable);
    Ok(settings.connect_raw(Handover::new(connected).map_err(ConnectError::Wire)?, NoTls).await?)
}

/// Whether the connection leads to a proxy of this kind, which shows masks where values are: schema
/// `keyhole` is answered there without a table behind it. A database that has none logs an error.
///
/// # Errors
/// If the connection is lost.
pub async fn is_proxied(client: &Client) -> Result<bool, tokio_postgres::Error> {
    match client.prepare("SELECT * FROM keyhole.catalog").await {
        Ok(catalog) => Ok(catalog.columns().iter().all(|column| column.table_oid().is_none())),
        Err(error) if error.as_db_error().is_some() && !client.is_closed() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Polls the connection until it ends; `news` is told of every notification of any channel that
/// was subscribed to, and of a connection that was lost: who listens may have missed some.
pub async fn attend(mut connection: Connection, news: &Notify) {
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(_))) => news.notify_one(),
            // Notices.
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "the proxy's own connection is lost");
                news.notify_one();
                return;
            }
            None => return,
        }
    }
}

/// The database's own words where it has some.
fn told(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => error.to_string(),
    }
}
