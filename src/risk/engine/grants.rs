//! Grants: who approved them, and whether anybody used them.

use std::collections::BTreeMap;

use super::{Engine, Moment, folded};
use crate::audit::{GrantStep, Record};
use crate::model::Timestamp;
use crate::risk::state::Known;
use crate::risk::{Rule, Signal};

/// Who ends a grant that nobody uses: see `grant::ledger`.
const DISUSE: &str = "disuse";

impl Engine {
    pub(super) fn grant(&mut self, record: &Record, moment: Moment) -> Vec<Signal> {
        let (Some(id), Some(step)) = (record.grant, record.grant_step()) else {
            return Vec::new();
        };
        match step {
            GrantStep::Granted => {
                let known = Known {
                    subject: record.subject.clone().unwrap_or_default(),
                    granted_at: moment.at,
                    granted_seq: moment.seq,
                    approvers: record.approvers.clone(),
                    used: false,
                };
                self.state.granted(id, known);
                Vec::new()
            }
            GrantStep::Extended => {
                if let Some(known) = self.state.grant(id) {
                    known.approvers.extend(record.approvers.iter().cloned());
                }
                Vec::new()
            }
            // Its time began with a use, and a limit is reached by using it.
            GrantStep::Started | GrantStep::Exhausted => {
                if let Some(known) = self.state.grant(id) {
                    known.used = true;
                }
                Vec::new()
            }
            GrantStep::Expired => self.unused(id, moment),
            GrantStep::Revoked if record.by.as_deref() == Some(DISUSE) => self.unused(id, moment),
            GrantStep::Revoked => {
                self.state.ended(id);
                Vec::new()
            }
            GrantStep::Requested
            | GrantStep::Approved
            | GrantStep::Denied
            | GrantStep::Cancelled
            | GrantStep::Lapsed
            | GrantStep::Reviewed
            | GrantStep::FactorUsed
            | GrantStep::FactorFailed
            | GrantStep::Restricted
            | GrantStep::Lifted => Vec::new(),
        }
    }

    /// It ended by itself.
    fn unused(&mut self, id: u64, moment: Moment) -> Vec<Signal> {
        let Some(known) = self.state.ended(id).filter(|known| !known.used) else {
            return Vec::new();
        };
        let settings = self.rules.of(Rule::UnusedGrant);
        let group = known.subject.strip_prefix("group:").map(str::to_owned);
        let groups: Vec<String> = group.into_iter().collect();
        if !settings.concern(&known.subject, &groups) || settings.severity < self.rules.severity_min
        {
            return Vec::new();
        }
        let person = self.state.person(&known.subject, moment.at);
        let before = person.quiet().remove(&Rule::UnusedGrant);
        let (quiet, folded) = folded(before, settings, moment);
        person.quiet().insert(Rule::UnusedGrant, quiet);
        let Some(folded) = folded else { return Vec::new() };
        let mut figures = BTreeMap::from([("grant", id), ("secs", secs(known.granted_at, moment))]);
        if folded > 0 {
            figures.insert("folded", folded);
        }
        vec![Signal {
            rule: Rule::UnusedGrant,
            severity: settings.severity,
            user: Some(known.subject),
            address: None,
            session: None,
            trigger: moment.seq,
            at: moment.at,
            since: known.granted_at,
            figures,
            columns: Vec::new(),
            records: vec![known.granted_seq, moment.seq],
        }]
    }
}

fn secs(since: Timestamp, moment: Moment) -> u64 {
    u64::try_from(moment.at.duration_since(since).as_secs()).unwrap_or_default()
}
