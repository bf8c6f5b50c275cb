//! Stops what a session of the database is doing.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::{BackendKey, ConnectError, Target, Way, open};
use crate::wire::startup;

/// Sends a CancelRequest the way that the session's own connection took (a name may have several
/// addresses), encrypted as that connection. Done when the database has taken it, which is
/// no promise that a query was hit. Waits as long as it takes: the caller sets the limit.
///
/// # Errors
/// If the database cannot be reached.
pub async fn cancel(way: &Way, target: &Target, key: &BackendKey) -> Result<(), ConnectError> {
    let mut stream = open(way, &target.tls, target.servers.silence).await?;
    let mut out = Vec::new();
    startup::cancel_request(&mut out, key.pid, &key.secret)?;
    stream.write_all(&out).await?;
    stream.flush().await?;
    // The server answers by closing, with or without TLS's farewell.
    let mut end = [0; 64];
    while stream.read(&mut end).await.is_ok_and(|len| len > 0) {}
    Ok(())
}
