//! Logins that fail: of one name, or from one address under many.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Engine, Moment, folded};
use crate::audit::Record;
use crate::risk::{Rule, Signal};

/// Behind one address there may be many people, each of whom mistypes now and then.
const PEOPLE_PER_ADDRESS: u64 = 5;

impl Engine {
    pub(super) fn login_failed(&mut self, record: &Record, moment: Moment) -> Vec<Signal> {
        let name = record.user.clone().filter(|name| !name.is_empty());
        let by_name = name.and_then(|name| {
            let key = format!("name:{name}");
            self.failures(key, 1, Some(name), None, moment)
        });
        let by_address = record.address.and_then(|address| {
            let key = format!("address:{address}");
            self.failures(key, PEOPLE_PER_ADDRESS, None, Some(address), moment)
        });
        let about = |signal: Signal| Signal { address: record.address, ..signal };
        by_name.map(about).into_iter().chain(by_address).collect()
    }

    fn failures(
        &mut self,
        key: String,
        people: u64,
        user: Option<String>,
        address: Option<IpAddr>,
        moment: Moment,
    ) -> Option<Signal> {
        let settings = self.rules.of(Rule::LoginFailures);
        let stranger = self.state.stranger(key, moment.at);
        let count = stranger.window.add(moment.at, settings.within, moment.seq);
        let threshold = settings.count.saturating_mul(people);
        let concerned = settings.concern(user.as_deref().unwrap_or_default(), &[])
            && settings.severity >= self.rules.severity_min;
        if count < threshold || !concerned {
            return None;
        }
        let (quiet, folded) = folded(stranger.quiet.take(), settings, moment);
        stranger.quiet = Some(quiet);
        let folded = folded?;
        let mut figures = BTreeMap::from([("failures", count), ("threshold", threshold)]);
        if folded > 0 {
            figures.insert("folded", folded);
        }
        Some(Signal {
            rule: Rule::LoginFailures,
            severity: settings.severity,
            user,
            address,
            session: None,
            trigger: moment.seq,
            at: moment.at,
            since: stranger.window.since(moment.at),
            figures,
            columns: Vec::new(),
            records: stranger.window.proofs.list(count),
        })
    }
}
