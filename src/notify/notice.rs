//! From an event of the store to what is told of it: who, what, how long; not why, and no value.

use serde::Serialize;

use super::words::{is_safe_ticket, shown};
use crate::audit::{Strings, normalize};
use crate::config::NoticeKind;
use crate::grant::{
    Grant, GrantEvent, GrantId, RecordedEvent, Request, RequestId, RowPredicate, Runs, Signalled,
    Subject,
};
use crate::model::Timestamp;

/// What [`Notice::version`] says. Grows when a field means something else; new fields do not count.
const VERSION: u32 = 1;

/// Something that happened, as it is told outside. Every text in it is without control characters
/// and of bounded length. Field by field this is the JSON payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    pub version: u32,
    /// The same whenever the same event is delivered: its store and its number there.
    pub delivery: String,
    #[serde(serialize_with = "word")]
    pub event: NoticeKind,
    pub at: Timestamp,
    pub request: Option<RequestId>,
    pub grant: Option<GrantId>,
    /// Who did it; None: a policy, or time.
    pub by: Option<String>,
    /// None only if it is so long ago that nobody knows any more.
    pub access: Option<Access>,
    /// Of requests.
    pub approval: Option<Approval>,
    /// None, too, when it does not look like a ticket's number.
    pub ticket: Option<String>,
    /// Of signals, and absent of everything else: the rule, counts, and what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signalled>,
    /// Where the rest can be read, the reason above all.
    pub link: Option<String>,
    /// Whom mail about it is for.
    #[serde(skip)]
    pub told: Told,
}

/// What is granted, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Access {
    /// Who may: `alice`, `group:support`.
    pub subject: String,
    pub requester: String,
    /// None: every database.
    pub database: Option<String>,
    pub resource: String,
    /// The class of the column, if the resource is one column.
    pub class: Option<String>,
    pub actions: Vec<&'static str>,
    pub rows: Rows,
    pub duration_secs: Option<u64>,
    pub not_before: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// How long it lasts from its first use, if its time runs from then.
    pub from_first_use_secs: Option<u64>,
    /// From where and when it counts: `Mon-Fri 08:00-18:00 UTC`.
    pub conditions: Option<String>,
    /// How far it reaches: `at most 10 rows`.
    pub limits: Option<String>,
    /// None: a DBA's own GRANT.
    pub policy: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rows {
    pub restricted: bool,
    /// The condition with `?` for every constant.
    pub shape: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approval {
    pub needed: u32,
    pub given: usize,
    /// Who may approve.
    pub approvers: Vec<String>,
    pub approved_by: Vec<String>,
}

/// Whom a notice concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub users: Vec<String>,
    /// Who may approve; the requester is none of them.
    pub approvers: Vec<Subject>,
    pub requester: String,
}

/// Where what an event refers to by number is looked up.
pub struct Past<'a> {
    pub request: &'a dyn Fn(RequestId) -> Option<Request>,
    pub grant: &'a dyn Fn(GrantId) -> Option<Grant>,
}

/// Who tells, and where its console is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    pub store_id: String,
    pub console_url: Option<String>,
}

/// What is told of an event; None: nothing. The one place that knows the kinds of events.
pub fn notice_of(recorded: &RecordedEvent, past: &Past<'_>, party: &Party) -> Option<Notice> {
    let about = |kind| About { kind, recorded, party };
    Some(match &recorded.event {
        GrantEvent::Requested { request } => {
            about(NoticeKind::Requested).request(request.id, Some(request), None)
        }
        GrantEvent::Approved { request: id, by, proven: _, receipt: _ } => {
            about(NoticeKind::Approved).request(*id, (past.request)(*id).as_ref(), Some(by))
        }
        // The reason of a denial is free text as well, and stays here.
        GrantEvent::Denied { request: id, by, reason: _ } => {
            about(NoticeKind::Denied).request(*id, (past.request)(*id).as_ref(), Some(by))
        }
        GrantEvent::Cancelled { request: id, by } => {
            about(NoticeKind::Cancelled).request(*id, (past.request)(*id).as_ref(), Some(by))
        }
        GrantEvent::Lapsed { request: id } => {
            about(NoticeKind::Lapsed).request(*id, (past.request)(*id).as_ref(), None)
        }
        GrantEvent::Granted { grant, receipt: _ } => {
            // With the last approval it comes by itself; others somebody made.
            let by = grant.request.is_none().then_some(&grant.requester);
            let kind = match grant.review {
                None => NoticeKind::Granted,
                Some(_) => NoticeKind::BreakGlass,
            };
            about(kind).grant(grant.id, Some(grant), by)
        }
        GrantEvent::Extended { grant: id, request: _, expires_at, approvers: _, receipt: _ } => {
            let grant =
                (past.grant)(*id).map(|grant| Grant { expires_at: Some(*expires_at), ..grant });
            about(NoticeKind::Extended).grant(*id, grant.as_ref(), None)
        }
        GrantEvent::Reviewed { grant: id, by, note: _ } => {
            about(NoticeKind::Reviewed).grant(*id, (past.grant)(*id).as_ref(), Some(by))
        }
        GrantEvent::Exhausted { grant: id } => {
            about(NoticeKind::Exhausted).grant(*id, (past.grant)(*id).as_ref(), None)
        }
        // What is done under a grant is for the audit log.
        GrantEvent::Started { .. } | GrantEvent::Used { .. } => return None,
        // The approval tells of itself; what was tried in vain is for the audit log.
        GrantEvent::FactorUsed { .. } | GrantEvent::FactorFailed { .. } => return None,
        GrantEvent::Revoked { grant: id, by } => {
            about(NoticeKind::Revoked).grant(*id, (past.grant)(*id).as_ref(), Some(by))
        }
        GrantEvent::Expired { grant: id } => {
            about(NoticeKind::Expired).grant(*id, (past.grant)(*id).as_ref(), None)
        }
        GrantEvent::Signalled { signal } => about(NoticeKind::Signal).signal(signal),
        // The signal before it tells of it; what a DBA says is for the audit log.
        GrantEvent::Restricted { .. } | GrantEvent::Lifted { .. } => return None,
        // The configuration's own; whoever changes it is told by the change.
        GrantEvent::StandingAdded { .. } | GrantEvent::StandingRemoved { .. } => return None,
    })
}

/// What all notices have in common.
struct About<'a> {
    kind: NoticeKind,
    recorded: &'a RecordedEvent,
    party: &'a Party,
}

impl About<'_> {
    fn request(self, id: RequestId, request: Option<&Request>, by: Option<&String>) -> Notice {
        let told = request.map_or_else(Told::default, |request| self.told_of(request));
        Notice {
            request: Some(id),
            access: request.map(access_of_request),
            approval: request.map(|request| self.approval(request, by)),
            ticket: request.and_then(|request| ticket(request.terms.ticket.as_deref())),
            link: self.link("requests", id),
            ..self.notice(by, told)
        }
    }

    fn grant(self, id: GrantId, grant: Option<&Grant>, by: Option<&String>) -> Notice {
        let told = grant.map_or_else(Told::default, told_of_grant);
        let request = grant.and_then(|grant| grant.request);
        Notice {
            request,
            grant: Some(id),
            access: grant.map(access_of_grant),
            ticket: grant.and_then(|grant| ticket(grant.ticket.as_deref())),
            link: request.map_or_else(|| self.link("grants", id), |id| self.link("requests", id)),
            ..self.notice(by, told)
        }
    }

    fn signal(self, signal: &Signalled) -> Notice {
        let signal = Signalled { user: signal.user.as_deref().map(shown), ..signal.clone() };
        // Mail goes to those who are told of everything, not to whom it is about.
        Notice { signal: Some(signal), ..self.notice(None, Told::default()) }
    }

    fn notice(&self, by: Option<&String>, told: Told) -> Notice {
        Notice {
            version: VERSION,
            delivery: format!("{}-{}", self.party.store_id, self.recorded.sequence),
            event: self.kind,
            at: self.recorded.at,
            request: None,
            grant: None,
            by: by.map(|by| shown(by)),
            access: None,
            approval: None,
            ticket: None,
            signal: None,
            link: None,
            told,
        }
    }

    fn link(&self, what: &str, id: u64) -> Option<String> {
        self.party.console_url.as_ref().map(|console| format!("{console}/{what}/{id}"))
    }

    /// What was approved when this happened: the request may have gone on since.
    fn approval(&self, request: &Request, by: Option<&String>) -> Approval {
        let until = if self.kind == NoticeKind::Requested {
            0
        } else if self.kind == NoticeKind::Approved {
            let own = request.approved_by.iter().position(|approver| Some(approver) == by);
            own.map_or(request.approved_by.len(), |own| own + 1)
        } else {
            request.approved_by.len()
        };
        let approved_by: Vec<_> =
            request.approved_by.iter().take(until).map(|n| shown(n)).collect();
        Approval {
            needed: request.approvals_needed,
            given: approved_by.len(),
            approvers: request.approvers.iter().map(|who| shown(&who.to_string())).collect(),
            approved_by,
        }
    }

    /// Approvers of what waits for them or waits no more, the requester of everything else.
    fn told_of(&self, request: &Request) -> Told {
        let requester = request.requester.clone();
        if matches!(self.kind, NoticeKind::Requested | NoticeKind::Cancelled) {
            Told { users: Vec::new(), approvers: request.approvers.clone(), requester }
        } else {
            Told { users: vec![requester.clone()], approvers: Vec::new(), requester }
        }
    }
}

fn told_of_grant(grant: &Grant) -> Told {
    let mut users = vec![grant.requester.clone()];
    match &grant.subject {
        Subject::User(user) if *user != grant.requester => users.push(user.clone()),
        Subject::User(_) | Subject::Group(_) | Subject::Anyone => {}
    }
    // Whoever has to look at it.
    let approvers = grant.review.as_ref().map(|review| review.reviewers.clone());
    Told { users, approvers: approvers.unwrap_or_default(), requester: grant.requester.clone() }
}

fn access_of_request(request: &Request) -> Access {
    let terms = &request.terms;
    Access {
        subject: shown(&request.requester),
        requester: shown(&request.requester),
        database: Some(shown(&terms.database)),
        resource: shown(&terms.resource.to_string()),
        class: terms.class.as_deref().map(shown),
        actions: terms.actions.iter().map(crate::grant::Action::as_str).collect(),
        rows: rows(terms.rows.as_ref()),
        duration_secs: Some(terms.duration.as_secs()),
        not_before: terms.not_before,
        expires_at: None,
        from_first_use_secs: match terms.runs {
            Runs::FromApproval => None,
            Runs::FromFirstUse => Some(terms.duration.as_secs()),
        },
        conditions: words(&request.conditions),
        limits: words(&terms.limits),
        policy: Some(shown(&request.policy)),
    }
}

fn access_of_grant(grant: &Grant) -> Access {
    let length = grant.expires_at.map(|end| end.duration_since(grant.not_before).as_secs());
    Access {
        subject: shown(&grant.subject.to_string()),
        requester: shown(&grant.requester),
        database: grant.database.as_deref().map(shown),
        resource: shown(&grant.resource.to_string()),
        class: None,
        actions: grant.actions.iter().map(crate::grant::Action::as_str).collect(),
        rows: rows(grant.rows.as_ref()),
        duration_secs: length.and_then(|secs| secs.try_into().ok()),
        not_before: Some(grant.not_before),
        expires_at: grant.expires_at,
        from_first_use_secs: grant.from_first_use.map(|duration| duration.as_secs()),
        conditions: words(&grant.conditions),
        limits: words(&grant.limits),
        policy: grant.policy.as_deref().map(shown),
    }
}

/// Which rows, told by columns and operators only.
fn rows(predicate: Option<&RowPredicate>) -> Rows {
    let shape =
        |rows: &RowPredicate| shown(&normalize(rows.shown.as_bytes(), Strings::Standard).text);
    Rows { restricted: predicate.is_some(), shape: predicate.map(shape) }
}

fn words(words: &impl ToString) -> Option<String> {
    Some(shown(&words.to_string())).filter(|words| !words.is_empty())
}

fn ticket(ticket: Option<&str>) -> Option<String> {
    ticket.filter(|ticket| is_safe_ticket(ticket)).map(str::to_owned)
}

fn word<S: serde::Serializer>(kind: &NoticeKind, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(kind.as_str())
}
