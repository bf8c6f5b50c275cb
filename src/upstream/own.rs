//! The proxy's own connections, for reading the schema.

use std::future::poll_fn;

use tokio::sync::Notify;
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls};

use super::connect::{ConnectError, Target, stream};
use crate::net::Stream;

/// What the proxy calls itself at the database.
pub const APPLICATION_NAME: &str = "keyhole";

/// Why the proxy has no connection of its own.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{}", told(.0))]
    Login(#[from] tokio_postgres::Error),
}

/// Connects and logs in, encrypted as the target says. The connection has to be polled for the
/// client to get anywhere; it ends when the client is dropped. Waits as long as it takes.
///
/// # Errors
/// If the database cannot be reached or does not let the proxy in.
pub async fn connect(
    target: &Target,
) -> Result<(Client, Connection<Stream, NoTlsStream>), OwnError> {
    let stream = stream(target).await?;
    let mut settings = tokio_postgres::Config::new();
    settings.user(&target.user).dbname(&target.database).application_name(APPLICATION_NAME);
    if let Some(password) = &target.password {
        settings.password(password.expose());
    }
    // Encryption is settled: the stream is what it is.
    settings.ssl_mode(tokio_postgres::config::SslMode::Disable);
    Ok(settings.connect_raw(stream, NoTls).await?)
}

/// Polls the connection until it ends; `news` is told of every notification of any channel that
/// was subscribed to, and of a connection that was lost: who listens may have missed some.
pub async fn attend(mut connection: Connection<Stream, NoTlsStream>, news: &Notify) {
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
