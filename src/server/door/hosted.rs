//! A session from its greeting to its logout.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::super::crowd::Member;
use super::super::databases::Site;
use super::super::house::House;
use super::super::keys::Issued;
use super::super::proof::while_proven;
use super::super::threshold::Newcomer;
use crate::audit::{Event, Logout};
use crate::model::{Client, Timestamp};
use crate::net::Stream;
use crate::relay::{self, Attached, Ended, Parties};
use crate::telemetry::sessions;

/// A session that begins.
pub(in crate::server) struct Hosted {
    pub(super) house: Arc<House>,
    pub(super) site: Arc<Site>,
    pub(super) entry: sessions::Entry,
    pub(super) client: Arc<Client>,
    /// When the proof of who the client is ends.
    pub(super) until: Option<Timestamp>,
    /// None: the client has left already.
    pub(super) parties: Option<Parties<Stream, Stream>>,
    pub(super) _stays: Stays,
}

/// What a session holds on to as long as it lives.
#[expect(dead_code, reason = "it is there to be dropped")]
pub(super) struct Stays {
    pub(super) newcomer: Newcomer,
    pub(super) attached: Attached,
    pub(super) place: OwnedSemaphorePermit,
    pub(super) member: Member<Arc<str>>,
    pub(super) issued: Option<Issued>,
}

impl Hosted {
    /// Runs the session to its end.
    pub(in crate::server) async fn run(self) {
        let Self { house, site, entry, client, until, parties, _stays } = self;
        let listed = entry.session();
        house.metrics.sessions.inc();
        let _counted = Counted(&house.metrics.sessions);
        let ended = match parties {
            Some(parties) => {
                // In a box: as an argument it would have room here several times over.
                let running = Box::pin(relay::run(&house.around, &site.database, listed, parties));
                while_proven(until, &house, listed, running).await
            }
            None => Some(Ended { reason: "client_lost" }),
        };
        let reason = ended.map_or("no_world", |ended| ended.reason);
        let event = logout(&house, listed, client, reason);
        if house.record(event).await.is_err() {
            tracing::error!("a logout is not on record: the audit log is closed");
        }
    }
}

fn logout(
    house: &House,
    listed: &sessions::Session,
    client: Arc<Client>,
    reason: &'static str,
) -> Event {
    let lived = house.now().duration_since(listed.facts.since);
    let lived = Duration::try_from(lived).unwrap_or_default();
    Event::Logout(Logout {
        session: listed.id,
        client,
        statements: listed.statements(),
        duration_us: u64::try_from(lived.as_micros()).unwrap_or(u64::MAX),
        reason,
        by: None,
    })
}

/// Counted among the sessions until dropped, even by a panic.
struct Counted<'a>(&'a prometheus::IntGauge);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
