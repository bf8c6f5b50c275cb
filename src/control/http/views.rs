//! Requests and grants as JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::grant::{GrantState, GrantView, Limits, Request, Subject};
use crate::model::{Timestamp, show_duration};

/// What limits a grant, beside its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Limits)]
pub struct LimitsView {
    pub max_rows: Option<u64>,
    pub max_uses: Option<u64>,
    pub max_subjects: Option<u64>,
    /// `10 minutes`
    pub unused: Option<String>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Request)]
pub struct RequestView {
    pub id: u64,
    /// `pending`, `approved`, `denied`, `cancelled` or `lapsed`
    pub state: String,
    pub requester: String,
    pub groups: Vec<String>,
    pub database: String,
    pub resource: String,
    /// `read`, `lookup`, `write`, `export`
    pub actions: String,
    /// The condition of the rows; None: all of them.
    pub rows: Option<String>,
    /// `30 minutes`
    pub duration: String,
    pub not_before: Option<Timestamp>,
    pub limits: LimitsView,
    /// `approval` or `first use`: from when its time runs.
    pub runs_from: String,
    /// `ordinary` or `break-glass`
    pub urgency: String,
    pub conditions: Option<String>,
    pub reason: String,
    pub ticket: Option<String>,
    pub policy: String,
    pub requested_at: Timestamp,
    pub decide_by: Option<Timestamp>,
    pub approvals_needed: u32,
    pub approvers: Vec<String>,
    pub approved_by: Vec<String>,
    pub denied_by: Vec<String>,
    pub decided_at: Option<Timestamp>,
    pub closed_by: Option<String>,
    pub closed_reason: Option<String>,
    /// The grant that came of it.
    pub grant: Option<u64>,
    /// The grant that is to last longer.
    pub extends: Option<u64>,
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Grant)]
pub struct GrantJson {
    pub id: u64,
    /// `active`, `scheduled`, `expired`, `revoked`, `exhausted` or `standing`
    pub state: String,
    /// `alice`, `group:support` or `*`
    pub subject: String,
    /// None: every database.
    pub database: Option<String>,
    pub resource: String,
    pub actions: String,
    pub rows: Option<String>,
    pub conditions: Option<String>,
    pub limits: LimitsView,
    pub used: Option<UsedView>,
    /// None: a standing grant.
    pub not_before: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// How long it lasts from its first use, which has not happened.
    pub from_first_use: Option<String>,
    pub reason: String,
    pub ticket: Option<String>,
    pub requester: String,
    pub approvers: Vec<String>,
    pub request: Option<u64>,
    pub policy: Option<String>,
    pub ended_at: Option<Timestamp>,
    pub ended_by: Option<String>,
    pub review_due: Option<Timestamp>,
    pub reviewed_by: Option<String>,
}

/// What of its limits a grant has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Used)]
pub struct UsedView {
    pub rows: u64,
    pub uses: u64,
    pub subjects: u64,
}

/// Some of a list, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Ask for those `before` this id for the next page; None: that was all.
    pub next_before: Option<u64>,
}

impl From<&Limits> for LimitsView {
    fn from(limits: &Limits) -> Self {
        let Limits { max_rows, max_uses, max_subjects, unused } = *limits;
        Self { max_rows, max_uses, max_subjects, unused: unused.map(show_duration) }
    }
}

impl From<&Request> for RequestView {
    fn from(request: &Request) -> Self {
        let terms = &request.terms;
        Self {
            id: request.id,
            state: request.state.as_str().to_owned(),
            requester: request.requester.clone(),
            groups: request.groups.clone(),
            database: terms.database.clone(),
            resource: terms.resource.to_string(),
            actions: terms.actions.to_string(),
            rows: terms.rows.as_ref().map(|rows| rows.shown.clone()),
            duration: show_duration(terms.duration),
            not_before: terms.not_before,
            limits: (&terms.limits).into(),
            runs_from: if terms.runs.is_from_approval() { "approval" } else { "first use" }.into(),
            urgency: if terms.urgency.is_ordinary() { "ordinary" } else { "break-glass" }.into(),
            conditions: words(&request.conditions),
            reason: terms.reason.clone(),
            ticket: terms.ticket.clone(),
            policy: request.policy.clone(),
            requested_at: request.requested_at,
            decide_by: request.decide_by,
            approvals_needed: request.approvals_needed,
            approvers: request.approvers.iter().map(Subject::to_string).collect(),
            approved_by: request.approved_by.clone(),
            denied_by: request.denied_by.clone(),
            decided_at: request.decided_at,
            closed_by: request.closed_by.clone(),
            closed_reason: request.closed_reason.clone(),
            grant: request.grant,
            extends: request.extends,
        }
    }
}

impl From<&GrantView> for GrantJson {
    fn from(view: &GrantView) -> Self {
        let grant = &view.grant;
        let used = view.used.map(|used| UsedView {
            rows: used.rows,
            uses: used.uses,
            subjects: used.subjects,
        });
        Self {
            id: grant.id,
            state: view.state.as_str().to_owned(),
            subject: grant.subject.to_string(),
            database: grant.database.clone(),
            resource: grant.resource.to_string(),
            actions: grant.actions.to_string(),
            rows: grant.rows.as_ref().map(|rows| rows.shown.clone()),
            conditions: words(&grant.conditions),
            limits: (&grant.limits).into(),
            used,
            not_before: (view.state != GrantState::Standing).then_some(grant.not_before),
            expires_at: grant.expires_at,
            from_first_use: grant.from_first_use.map(show_duration),
            reason: grant.reason.clone(),
            ticket: grant.ticket.clone(),
            requester: grant.requester.clone(),
            approvers: grant.approvers.clone(),
            request: grant.request,
            policy: grant.policy.clone(),
            ended_at: view.ended_at,
            ended_by: view.ended_by.clone(),
            review_due: grant.review.as_ref().map(|review| review.due),
            reviewed_by: view.reviewed_by.clone(),
        }
    }
}

/// None for nothing.
pub(super) fn words(words: &impl ToString) -> Option<String> {
    Some(words.to_string()).filter(|words| !words.is_empty())
}
