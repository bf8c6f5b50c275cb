//! What the log says of grants.

use std::collections::BTreeMap;

use crate::audit::{GrantStep, Record};
use crate::model::Timestamp;

/// A grant as its records tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub request: Option<u64>,
    pub subject: Option<String>,
    pub database: Option<String>,
    pub resources: Vec<String>,
    pub reason: Option<String>,
    /// Who made it; who asked for it is told by the request.
    pub by: Option<String>,
    pub approvers: Vec<String>,
    pub policy: Option<String>,
    pub break_glass: bool,
    /// When somebody looked at it afterwards.
    pub reviewed: Option<Timestamp>,
    /// When it was recorded; None if that is older than the log.
    pub granted: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// How and when it ended: revoked, expired, exhausted.
    pub ended: Option<(GrantStep, Timestamp)>,
}

impl Said {
    /// Whether it is one that lasts until the configuration says otherwise.
    pub fn is_standing(&self) -> bool {
        self.granted.is_some() && self.request.is_none() && self.expires_at.is_none()
    }

    /// Whether it was there at some time of the period.
    pub fn is_within(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> bool {
        let begun = self.granted.is_none_or(|time| until.is_none_or(|until| time < until));
        let end = self.ended.map(|(_, time)| time);
        begun && end.is_none_or(|time| since.is_none_or(|since| time >= since))
    }

    /// Takes in what was said later.
    fn merge(&mut self, later: Self) {
        let Self { break_glass, reviewed, ended, expires_at, .. } = self.clone();
        if later.granted.is_some() {
            *self = later.clone();
        }
        self.break_glass = break_glass || later.break_glass;
        self.reviewed = later.reviewed.or(reviewed);
        self.ended = later.ended.or(ended);
        self.expires_at = later.expires_at.or(expires_at);
    }
}

/// Grants and requests by number, the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    pub grants: BTreeMap<u64, Said>,
    requesters: BTreeMap<u64, String>,
    keys_max: usize,
    /// Grants for which there was no room.
    pub forgotten: u64,
}

impl Book {
    pub(super) fn new(keys_max: usize) -> Self {
        Self { grants: BTreeMap::new(), requesters: BTreeMap::new(), keys_max, forgotten: 0 }
    }

    pub fn get(&self, grant: u64) -> Option<&Said> {
        self.grants.get(&grant)
    }

    /// Who asked for it, or made it.
    pub fn requester<'a>(&'a self, said: &'a Said) -> Option<&'a str> {
        let asked = said.request.and_then(|request| self.requesters.get(&request));
        asked.or(said.by.as_ref()).map(String::as_str)
    }

    pub(super) fn take(&mut self, step: GrantStep, record: Record) {
        if step == GrantStep::Requested {
            if let (Some(request), Some(by)) = (record.request, record.by) {
                self.requesters.insert(request, by);
            }
            return self.shrink();
        }
        let Some(grant) = record.grant else { return };
        let break_glass = record.urgency.as_deref() == Some("break_glass");
        let said = match step {
            GrantStep::Granted => Said {
                request: record.request,
                subject: record.subject,
                database: record.database,
                resources: record.resources,
                reason: record.reason,
                by: record.by,
                approvers: record.approvers,
                policy: record.policy,
                break_glass,
                granted: Some(record.time),
                expires_at: record.expires_at,
                ..Said::default()
            },
            GrantStep::Extended | GrantStep::Started => {
                Said { break_glass, expires_at: record.expires_at, ..Said::default() }
            }
            GrantStep::Reviewed => {
                Said { break_glass, reviewed: Some(record.time), ..Said::default() }
            }
            GrantStep::Revoked | GrantStep::Expired | GrantStep::Exhausted => {
                Said { break_glass, ended: Some((step, record.time)), ..Said::default() }
            }
            GrantStep::Requested
            | GrantStep::Approved
            | GrantStep::Denied
            | GrantStep::Cancelled
            | GrantStep::Lapsed
            | GrantStep::FactorUsed
            | GrantStep::FactorFailed
            | GrantStep::Restricted
            | GrantStep::Lifted => return,
        };
        self.grants.entry(grant).or_default().merge(said);
        self.shrink();
    }

    pub(super) fn merge(&mut self, later: Self) {
        for (grant, said) in later.grants {
            self.grants.entry(grant).or_default().merge(said);
        }
        self.requesters.extend(later.requesters);
        self.forgotten += later.forgotten;
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.grants.len() > self.keys_max {
            self.forgotten += u64::from(self.grants.pop_first().is_some());
        }
        while self.requesters.len() > self.keys_max {
            self.requesters.pop_first();
        }
    }
}
