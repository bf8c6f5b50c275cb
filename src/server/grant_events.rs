//! From the approval store's events to audit records.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::audit::{Event, Grant as Record, GrantStep, StatementText, Strings, Urgency};
use crate::grant;
use crate::grant::{Grant, GrantEvent, GrantId, RecordedEvent, Request, RequestId};
use crate::model::Timestamp;
use crate::model::receipt::Attestation;
use crate::store::approvals::{Approvals, EventSink};
use crate::store::audit_log::AuditLog;

/// Writes each event of the store into the audit log before the store acknowledges the change.
pub(super) struct GrantEvents {
    audit: AuditLog,
    runtime: Handle,
    memory: Mutex<Memory>,
}

/// What later events name by number only.
#[derive(Default)]
struct Memory {
    requests: HashMap<RequestId, Record>,
    grants: HashMap<GrantId, Record>,
    /// The last event that is in the log; the store may hand over an event twice. It may also hand
    /// over another one of that number, after it was set back.
    last: Option<RecordedEvent>,
}

impl GrantEvents {
    pub(super) fn new(audit: AuditLog, runtime: Handle) -> Arc<Self> {
        Arc::new(Self { audit, runtime, memory: Mutex::default() })
    }

    /// For the store, which calls it on a thread of its own: waiting for the disk is right there.
    pub(super) fn sink(self: &Arc<Self>) -> EventSink {
        let this = Arc::clone(self);
        Arc::new(move |recorded| this.record(recorded))
    }

    /// Learns what the store knew before this process started.
    pub(super) fn learn(&self, approvals: &Approvals) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        for request in approvals.requests() {
            memory.requests.insert(request.id, of_request(&request));
        }
        for view in approvals.grants() {
            memory.grants.insert(view.grant.id, of_grant(&view.grant));
        }
    }

    fn record(&self, recorded: &RecordedEvent) -> Result<(), String> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.last.as_ref() == Some(recorded) {
            return Ok(());
        }
        let Some(record) = memory.describe(&recorded.event) else {
            memory.last = Some(recorded.clone());
            return Ok(());
        };
        let written = self.audit.append_durable(Event::Grant(Box::new(record)), recorded.at);
        self.runtime.block_on(written).map_err(|error| error.to_string())?;
        memory.forget(&recorded.event);
        memory.last = Some(recorded.clone());
        Ok(())
    }
}

impl Memory {
    /// None: another record says it.
    fn describe(&mut self, event: &GrantEvent) -> Option<Record> {
        Some(match event {
            // Each statement's own says by which grants it showed how many rows; a signal is on
            // record when it was acted upon.
            GrantEvent::Used { .. } | GrantEvent::Signalled { .. } => return None,
            GrantEvent::Requested { request } => {
                let record = of_request(request);
                self.requests.insert(request.id, record.clone());
                record
            }
            GrantEvent::Approved { request, by, receipt, .. } => {
                let record = self.on_request(*request, GrantStep::Approved, by);
                attested(record, receipt.as_deref())
            }
            GrantEvent::Denied { request, by, reason } => {
                let mut record = self.on_request(*request, GrantStep::Denied, by);
                record.reason.clone_from(reason);
                record
            }
            GrantEvent::Cancelled { request, by } => {
                self.on_request(*request, GrantStep::Cancelled, by)
            }
            GrantEvent::Lapsed { request } => {
                let mut record = self.on_request(*request, GrantStep::Lapsed, "");
                record.by = None;
                record
            }
            GrantEvent::Extended { grant, request, expires_at, approvers, receipt } => {
                let asked = self.requests.get(request);
                let reason = asked.and_then(|asked| asked.reason.clone());
                let record = self.until(*grant, GrantStep::Extended, *expires_at);
                let approvers = approvers.clone();
                let record = Record { request: Some(*request), approvers, reason, ..record };
                attested(record, receipt.as_deref())
            }
            GrantEvent::Started { grant, expires_at } => {
                self.until(*grant, GrantStep::Started, *expires_at)
            }
            GrantEvent::Restricted { user, restriction, until, by, reason } => Record {
                actions: vec![restriction.as_str().to_owned()],
                expires_at: *until,
                reason: Some(reason.clone()),
                ..of_user(GrantStep::Restricted, user, by)
            },
            GrantEvent::Lifted { user, by } => of_user(GrantStep::Lifted, user, by),
            GrantEvent::Exhausted { grant } => self.on_grant(*grant, GrantStep::Exhausted, None),
            GrantEvent::Reviewed { grant, by, note } => {
                let mut record = self.on_grant(*grant, GrantStep::Reviewed, Some(by));
                record.reason = Some(note.clone());
                record
            }
            GrantEvent::Granted { grant, receipt }
            | GrantEvent::StandingAdded { grant, receipt } => {
                let record = of_grant(grant);
                self.grants.insert(grant.id, record.clone());
                attested(record, receipt.as_deref())
            }
            GrantEvent::Revoked { grant, by } => {
                self.on_grant(*grant, GrantStep::Revoked, Some(by))
            }
            GrantEvent::Expired { grant } => self.on_grant(*grant, GrantStep::Expired, None),
            GrantEvent::StandingRemoved { grant } => {
                self.on_grant(*grant, GrantStep::Revoked, Some(CONFIGURATION))
            }
            GrantEvent::FactorUsed { user, request, .. } => {
                self.on_request(*request, GrantStep::FactorUsed, user)
            }
            GrantEvent::FactorFailed { user, request } => {
                self.on_request(*request, GrantStep::FactorFailed, user)
            }
        })
    }

    /// Drops what no later event will name.
    fn forget(&mut self, event: &GrantEvent) {
        match event {
            GrantEvent::Cancelled { request, .. }
            | GrantEvent::Lapsed { request }
            | GrantEvent::Extended { request, .. } => {
                self.requests.remove(request);
            }
            GrantEvent::Granted { grant, .. } => {
                if let Some(request) = grant.request {
                    self.requests.remove(&request);
                }
            }
            GrantEvent::Revoked { grant, .. }
            | GrantEvent::Expired { grant }
            | GrantEvent::StandingRemoved { grant } => {
                self.grants.remove(grant);
            }
            // A denial may not be the last; a grant that is used goes on.
            GrantEvent::Requested { .. }
            | GrantEvent::Approved { .. }
            | GrantEvent::Denied { .. }
            | GrantEvent::Started { .. }
            | GrantEvent::Used { .. }
            | GrantEvent::Exhausted { .. }
            | GrantEvent::Reviewed { .. }
            | GrantEvent::StandingAdded { .. }
            | GrantEvent::FactorUsed { .. }
            | GrantEvent::FactorFailed { .. }
            | GrantEvent::Restricted { .. }
            | GrantEvent::Lifted { .. }
            | GrantEvent::Signalled { .. } => {}
        }
    }

    fn on_request(&self, id: RequestId, step: GrantStep, by: &str) -> Record {
        let known = self.requests.get(&id).cloned();
        let record = known.unwrap_or_else(|| unknown(step));
        Record { step, request: Some(id), by: Some(by.to_owned()), ..record }
    }

    /// A step that gives the grant another end.
    fn until(&mut self, id: GrantId, step: GrantStep, end: Timestamp) -> Record {
        if let Some(known) = self.grants.get_mut(&id) {
            known.expires_at = Some(end);
        }
        Record { expires_at: Some(end), ..self.on_grant(id, step, None) }
    }

    fn on_grant(&self, id: GrantId, step: GrantStep, by: Option<&str>) -> Record {
        let known = self.grants.get(&id).cloned();
        let record = known.unwrap_or_else(|| unknown(step));
        Record { step, grant: Some(id), by: by.map(str::to_owned), ..record }
    }
}

/// The record with its receipt, which also tells what the memory does not: an approval may reach
/// the log at the next start, before the store could be asked what it was about.
fn attested(record: Record, receipt: Option<&Attestation>) -> Record {
    let Some(signed) = receipt else { return record };
    let matter = &signed.receipt.matter;
    let record = if record.subject.is_empty() {
        Record {
            subject: matter.subject.clone(),
            database: matter.database.clone(),
            resources: vec![matter.resource.clone()],
            actions: matter.actions.clone(),
            not_before: matter.not_before,
            policy: signed.receipt.policy.clone(),
            ..record
        }
    } else {
        record
    };
    Record { receipt: Some(Box::new(signed.clone())), ..record }
}

/// Who adds and removes standing grants.
const CONFIGURATION: &str = "configuration";

/// What is said of a number whose earlier records are out of reach.
fn unknown(step: GrantStep) -> Record {
    Record {
        step,
        request: None,
        grant: None,
        subject: String::new(),
        database: String::new(),
        resources: Vec::new(),
        actions: Vec::new(),
        rows: None,
        not_before: None,
        expires_at: None,
        reason: None,
        by: None,
        approvers: Vec::new(),
        policy: None,
        conditions: None,
        limits: None,
        urgency: Urgency::Ordinary,
        receipt: None,
    }
}

/// A step that is about a user and no grant.
fn of_user(step: GrantStep, user: &str, by: &str) -> Record {
    Record { subject: user.to_owned(), by: Some(by.to_owned()), ..unknown(step) }
}

fn of_request(request: &Request) -> Record {
    let terms = &request.terms;
    Record {
        step: GrantStep::Requested,
        request: Some(request.id),
        grant: None,
        subject: request.requester.clone(),
        database: terms.database.clone(),
        resources: vec![terms.resource.to_string()],
        actions: terms.actions.iter().map(|action| action.as_str().to_owned()).collect(),
        rows: terms.rows.as_ref().map(|rows| text(&rows.shown)),
        not_before: terms.not_before,
        expires_at: None,
        reason: Some(terms.reason.clone()),
        by: Some(request.requester.clone()),
        approvers: Vec::new(),
        policy: Some(request.policy.clone()),
        conditions: words(&request.conditions),
        limits: words(&terms.limits),
        urgency: match terms.urgency {
            grant::Urgency::Ordinary => Urgency::Ordinary,
            grant::Urgency::BreakGlass => Urgency::BreakGlass,
        },
        receipt: None,
    }
}

fn of_grant(grant: &Grant) -> Record {
    // A grant that was requested comes by itself with the last approval; others somebody made.
    let by = grant.request.is_none().then(|| grant.requester.clone());
    Record {
        step: GrantStep::Granted,
        request: grant.request,
        grant: Some(grant.id),
        subject: grant.subject.to_string(),
        database: grant.database.clone().unwrap_or_else(|| "*".to_owned()),
        resources: vec![grant.resource.to_string()],
        actions: grant.actions.iter().map(|action| action.as_str().to_owned()).collect(),
        rows: grant.rows.as_ref().map(|rows| text(&rows.shown)),
        not_before: Some(grant.not_before),
        expires_at: grant.expires_at,
        reason: Some(grant.reason.clone()),
        by,
        approvers: grant.approvers.clone(),
        policy: grant.policy.clone(),
        conditions: words(&grant.conditions),
        limits: words(&grant.limits),
        urgency: match grant.review {
            None => Urgency::Ordinary,
            Some(_) => Urgency::BreakGlass,
        },
        receipt: None,
    }
}

fn words(words: &impl ToString) -> Option<String> {
    Some(words.to_string()).filter(|words| !words.is_empty())
}

fn text(rows: &str) -> StatementText {
    StatementText::new(Bytes::copy_from_slice(rows.as_bytes()), Strings::Standard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::attest::{Attestor, Trust};
    use crate::audit::{Chain, Encoder};
    use crate::grant::Proven;
    use crate::model::receipt::{Approval, Matter, ReceiptBody, Step, Way};
    use crate::model::{Digest, SigningKey};

    #[test]
    fn a_step_on_a_number_that_is_not_known_still_names_the_number() {
        let event = GrantEvent::Revoked { grant: 7, by: "dora".to_owned() };
        let record = Memory::default().describe(&event).unwrap();
        assert_eq!((record.grant, record.by.as_deref()), (Some(7), Some("dora")));
        assert_eq!(record.step, GrantStep::Revoked);
    }

    #[test]
    fn an_approval_that_comes_late_is_told_by_its_receipt() {
        let matter = Matter {
            store: "one".to_owned(),
            request: Some(3),
            requester: "alice".to_owned(),
            subject: "alice".to_owned(),
            database: "shop".to_owned(),
            resource: "public.customers.email".to_owned(),
            actions: vec!["read".to_owned()],
            rows: None,
            reason: Digest::of(b"INC-42"),
            ticket: None,
            duration_ms: Some(1),
            not_before: None,
            terms: Digest::of(b"terms"),
        };
        let approval = Approval {
            by: "dora".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            factor: None,
            own: None,
            receipt: None,
        };
        let body = ReceiptBody {
            step: Step::Approved,
            matter,
            policy: Some("p".to_owned()),
            way: Way::Approvals,
            approvals: vec![approval],
            outcome: None,
        };
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let event = GrantEvent::Approved {
            request: 3,
            by: "dora".to_owned(),
            proven: Proven::default(),
            receipt: Some(Box::new(body.sign(&key))),
        };
        // Nothing was learned yet: the event is of the process before this one.
        let record = Memory::default().describe(&event).unwrap();
        let mut line = Vec::new();
        let event = Event::Grant(Box::new(record));
        Encoder::from(Chain::start()).encode(&event, Timestamp::UNIX_EPOCH, &mut line).unwrap();
        let trust = Trust { receipt_keys: vec![key.public()], ..Trust::default() };
        let mut attestor = Attestor::new(trust);
        attestor.line("audit-00000001.jsonl", 1, line.trim_ascii_end());
        assert_eq!((attestor.flawed(), attestor.receipts()), ([].as_slice(), 1));
    }
}
