//! Tends the audit log's closed files: compressed soon after they are closed, removed in time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::house::House;
use crate::store::audit_log::Keeping;

/// Time between looks at closed files while nothing was closed.
const LOOK_EVERY: Duration = Duration::from_mins(10);

/// Runs until the log is closed.
pub(super) async fn keep(house: Arc<House>) {
    loop {
        let Some(mut end) = house.audit.end() else { return };
        let file = end.borrow_and_update().end.file;
        tend(&house).await;
        tokio::select! {
            closed = end.wait_for(|durable| durable.end.file != file) => if closed.is_err() { return },
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

async fn tend(house: &House) {
    let audit = house.setup.load().config.audit.clone();
    let before = audit.retention.map(|age| house.now() - age);
    let keeping = Keeping { compress: audit.compress, before, needed: house.sinks.behind() };
    match house.audit.tend(keeping, house.now()).await {
        Ok(tended) => {
            if let Some(through) = tended.retired {
                tracing::info!(through, "audit records are removed: their time is over");
            }
        }
        Err(error) => tracing::error!(%error, "closed audit files cannot be tended"),
    }
}
