//! Being told at once what others write. Who is told nothing reads now and then all the same.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use crate::store::approvals::settings::{Link, Shared};

/// A channel of the store's database.
pub(super) const CHANNEL: &str = "keyhole_store";

const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Keeps a connection that hears of every append and tells `news`, until it is aborted. One that
/// has not answered for `patience` is given up.
pub(super) async fn listen(store: Shared, news: Arc<Notify>, patience: Duration) {
    let mut pause = RETRY_MIN;
    loop {
        let connecting = (store.connect)(Arc::clone(&news));
        match timeout(store.connect_patience, connecting).await {
            Ok(Ok(Link { client, driver })) => {
                tokio::select! {
                    () = driver => {}
                    heard = attend(&client, &news, patience) => match heard {
                        Heard::Something => pause = RETRY_MIN,
                        Heard::Nothing => {}
                    },
                }
                tracing::warn!(
                    "not told of what is new in the approval store: reading now and then"
                );
            }
            Ok(Err(error)) => tracing::debug!(%error, "cannot listen to the approval store"),
            Err(_) => tracing::debug!("cannot listen to the approval store in time"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

enum Heard {
    Nothing,
    Something,
}

/// Returns when the connection is good for nothing any more.
async fn attend(client: &Client, news: &Notify, patience: Duration) -> Heard {
    let listening = client.batch_execute("LISTEN keyhole_store");
    if !matches!(timeout(patience, listening).await, Ok(Ok(()))) {
        return Heard::Nothing;
    }
    // There may have been something before.
    news.notify_one();
    loop {
        sleep(patience).await;
        if !matches!(timeout(patience, client.batch_execute("")).await, Ok(Ok(()))) {
            return Heard::Something;
        }
    }
}
