//! `[store]`, ready for use.

use std::sync::Arc;
use std::time::Duration;

use super::served;
use crate::config::{SharedStoreConfig, StoreConfig, StoreLocation};
use crate::store::approvals::{Location, SharedStore};
use crate::upstream::own;

/// A host of the store's that does not answer is passed over so soon: changes wait for it.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(2);

/// A host of the store's that says nothing for so long is asked whether it is there.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// The longest that the store's host may leave bytes unacknowledged.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(5);

/// # Errors
/// Certificates that cannot be read.
pub(super) fn location(config: &StoreConfig) -> Result<Location, String> {
    match &config.location {
        StoreLocation::Sqlite(path) => Ok(Location::Sqlite(path.clone())),
        StoreLocation::Postgres(shared) => Ok(Location::Postgres(store(shared)?)),
    }
}

fn store(config: &SharedStoreConfig) -> Result<SharedStore, String> {
    let mut servers = served::servers(&config.url);
    servers.connect_timeout = servers.connect_timeout.min(CONNECT_TIMEOUT_MAX);
    let silence = &mut servers.silence;
    silence.idle = Some(silence.idle.map_or(IDLE_MAX, |idle| idle.min(IDLE_MAX)));
    let unacknowledged = silence.unacknowledged.unwrap_or(UNACKNOWLEDGED_MAX);
    silence.unacknowledged = Some(unacknowledged.min(UNACKNOWLEDGED_MAX));
    let connect_patience = servers.patience();
    let target = served::target(&config.url, servers, config.password.clone());
    let target = target.map_err(|error| format!("{}: {error}", config.place))?;
    Ok(SharedStore {
        place: format!("{}/{}", target.servers, target.database),
        connect: own::for_store(Arc::new(target)),
        connect_patience,
        poll: config.poll,
    })
}
