//! Sessions that end with what proved who their client is: an access token.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use tokio::time::sleep;

use super::house::House;
use crate::model::Timestamp;
use crate::telemetry::sessions::{Dismissal, Session};

/// How long the end of a proof may be overlooked when the clock is set.
const PROOF_NAP_MAX: Duration = Duration::from_secs(30);

/// Runs a session, which is told to end when the proof of who its client is does.
pub(super) async fn while_proven<T>(
    until: Option<Timestamp>,
    house: &House,
    listed: &Session,
    running: impl Future<Output = T>,
) -> T {
    tokio::select! {
        ended = running => ended,
        never = end_with_proof(until, house, listed) => match never {},
    }
}

async fn end_with_proof(until: Option<Timestamp>, house: &House, listed: &Session) -> Infallible {
    if let Some(until) = until {
        while let Some(left) = left(until, house.now()) {
            // In short naps, as the clock may be set.
            sleep(left.min(PROOF_NAP_MAX)).await;
        }
        tracing::info!(session = listed.id, "the token of a session has expired");
        listed.dismiss(Dismissal::LoginExpired);
    }
    pending().await
}

/// None: the moment has come.
fn left(until: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(until.duration_since(now)).ok().filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_has_come_is_not_waited_for() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(left(at(10), at(7)), Some(Duration::from_secs(3)));
        assert_eq!(left(at(10), at(10)), None);
        assert_eq!(left(at(10), at(11)), None);
        assert!(left(Timestamp::MAX, Timestamp::MIN).is_some());
    }
}
