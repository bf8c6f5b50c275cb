//! The first and the last that a client hears of the door.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::model::Report;
use crate::net::Stream;
use crate::wire::{TxStatus, write};

/// How long a client may take to take in the first or the last that it hears.
const FAREWELL: Duration = Duration::from_secs(15);

/// Tells a client why it does not come in, and closes the connection.
pub(super) async fn turn_away(stream: &mut Stream, report: &Report) {
    let mut message = Vec::new();
    write::error(&mut message, report);
    // Whoever left does not hear it.
    if say(stream, &message).await.is_ok() {
        let _ = timeout(FAREWELL, stream.shutdown()).await;
    }
}

/// Sends all of it to a client that takes it within reasonable time.
pub(super) async fn say(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    let saying = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    timeout(FAREWELL, saying).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// What follows AuthenticationOk, up to the first ReadyForQuery.
pub(super) fn greet(out: &mut Vec<u8>, parameters: &[(String, String)], key: Option<(i32, &[u8])>) {
    for (name, value) in parameters {
        // They came as such messages, so they fit into one.
        let written = write::parameter_status(out, name, value);
        debug_assert_eq!(written, Ok(()));
    }
    if let Some((pid, secret)) = key {
        let written = write::backend_key_data(out, pid, secret);
        debug_assert_eq!(written, Ok(()));
    }
    write::ready_for_query(out, TxStatus::Idle);
}
