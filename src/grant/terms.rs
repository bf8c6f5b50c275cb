use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Actions, Budget, Conditions, GrantId, Limits, Pattern, RequestId, Resource, RowPredicate, Runs,
    Subject,
};
use crate::model::Timestamp;
use crate::model::receipt::Approval;

/// What somebody asks for, as written.
#[derive(Clone, Debug)]
pub struct Ask {
    /// `customers.email`, `public.customers`, `class:email`, `*`: see [`Resource`].
    pub resource: String,
    pub actions: Actions,
    pub duration: Duration,
    /// Over plain columns of the relation: `id = 42`. See [`RowPredicate`].
    pub rows: Option<String>,
    pub reason: String,
    pub ticket: Option<String>,
    /// When the time starts to run; None: on approval.
    pub not_before: Option<Timestamp>,
    pub limits: Limits,
    pub runs: Runs,
    pub urgency: Urgency,
}

impl Ask {
    /// To read all rows, without further conditions.
    pub fn to_read(
        resource: impl Into<String>,
        duration: Duration,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            resource: resource.into(),
            actions: Actions::READ,
            duration,
            rows: None,
            reason: reason.into(),
            ticket: None,
            not_before: None,
            limits: Limits::default(),
            runs: Runs::FromApproval,
            urgency: Urgency::Ordinary,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    #[default]
    Ordinary,
    /// At once, under a policy for emergencies, and looked at afterwards.
    BreakGlass,
}

impl Urgency {
    pub fn is_ordinary(&self) -> bool {
        *self == Self::Ordinary
    }
}

/// What a DBA grants without a request: `GRANT READ ON … TO …`.
#[derive(Clone, Debug)]
pub struct DirectGrant {
    pub subject: Subject,
    pub ask: Ask,
}

/// An [`Ask`] that was understood: its names are resolved, its rows are safe SQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub database: String,
    pub resource: Resource,
    /// The class of the column, when the resource is one column.
    pub class: Option<String>,
    pub actions: Actions,
    pub duration: Duration,
    pub rows: Option<RowPredicate>,
    pub not_before: Option<Timestamp>,
    pub reason: String,
    pub ticket: Option<String>,
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    #[serde(default, skip_serializing_if = "Runs::is_from_approval")]
    pub runs: Runs,
    #[serde(default, skip_serializing_if = "Urgency::is_ordinary")]
    pub urgency: Urgency,
}

/// A permission. Each field that is set narrows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: GrantId,
    pub subject: Subject,
    /// The database as clients name it; None only for standing grants: every database.
    pub database: Option<String>,
    pub resource: Resource,
    pub actions: Actions,
    /// None: every row.
    pub rows: Option<RowPredicate>,
    #[serde(flatten)]
    pub conditions: Conditions,
    #[serde(default, skip_serializing_if = "Limits::is_none")]
    pub limits: Limits,
    /// How long it lasts from its first use, which has not happened; its time runs then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_first_use: Option<Duration>,
    /// 1970 for standing grants: they have no beginning.
    pub not_before: Timestamp,
    /// The first moment at which it no longer holds; None only for standing grants.
    pub expires_at: Option<Timestamp>,
    pub reason: String,
    pub ticket: Option<String>,
    /// Who asked for it; for standing grants, `configuration`.
    pub requester: String,
    pub approvers: Vec<String>,
    pub request: Option<RequestId>,
    /// The policy that allowed it; None for a DBA's own GRANT.
    pub policy: Option<String>,
    /// Of a grant that nobody approved, as it was an emergency: what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
}

impl Grant {
    /// One without a beginning, an end or a history, in every database: to be narrowed.
    pub fn boundless(subject: Subject, resource: Resource, actions: Actions) -> Self {
        Self {
            id: 0,
            subject,
            database: None,
            resource,
            actions,
            rows: None,
            conditions: Conditions::default(),
            limits: Limits::default(),
            from_first_use: None,
            not_before: Timestamp::UNIX_EPOCH,
            expires_at: None,
            reason: String::new(),
            ticket: None,
            requester: String::new(),
            approvers: Vec::new(),
            request: None,
            policy: None,
            review: None,
        }
    }
}

/// An emergency has to be looked at afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    pub due: Timestamp,
    pub reviewers: Vec<Subject>,
}

/// A grant with what is left of it.
#[derive(Clone, Debug)]
pub struct Live {
    pub grant: Arc<Grant>,
    /// None: without limits.
    pub budget: Option<Arc<Budget>>,
}

impl From<Arc<Grant>> for Live {
    fn from(grant: Arc<Grant>) -> Self {
        let budget = Budget::of(&grant);
        Self { grant, budget }
    }
}

/// A grant of the configuration: no request, no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub subject: Subject,
    pub resources: Vec<Pattern>,
    pub actions: Actions,
    pub conditions: Conditions,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantState {
    Active,
    /// Approved, but its time has not come.
    Scheduled,
    Expired,
    Revoked,
    /// A limit was reached.
    Exhausted,
    Standing,
}

/// A grant as reports show it.
#[derive(Clone, Debug)]
pub struct GrantView {
    pub grant: Arc<Grant>,
    pub state: GrantState,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who revoked it.
    pub ended_by: Option<String>,
    /// What of its limits is used; None without limits.
    pub used: Option<Used>,
    /// Of a grant that has to be reviewed, who has.
    pub reviewed_by: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    pub rows: u64,
    pub uses: u64,
    pub subjects: u64,
}

impl GrantView {
    /// Whether it counts or will.
    pub fn is_open(&self) -> bool {
        match self.state {
            GrantState::Active | GrantState::Scheduled | GrantState::Standing => true,
            GrantState::Expired | GrantState::Revoked | GrantState::Exhausted => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    Pending,
    Approved,
    Denied,
    Cancelled,
    /// Nobody decided in time.
    Lapsed,
}

/// A request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: RequestId,
    pub requester: String,
    /// The requester's groups when it was made.
    pub groups: Vec<String>,
    pub terms: Terms,
    /// The policy that let it be requested.
    pub policy: String,
    pub approvals_needed: u32,
    /// Who may approve it.
    pub approvers: Vec<Subject>,
    pub requested_at: Timestamp,
    pub state: RequestState,
    /// Who has approved it so far.
    pub approved_by: Vec<String>,
    /// Who denied or cancelled it, and why.
    pub closed_by: Option<String>,
    pub closed_reason: Option<String>,
    pub decided_at: Option<Timestamp>,
    /// The grant that came of it.
    pub grant: Option<GrantId>,
    /// How many must deny it before it is denied.
    #[serde(default = "one")]
    pub denials_needed: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_by: Vec<String>,
    /// It lapses then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decide_by: Option<Timestamp>,
    /// The grant that is to last longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<GrantId>,
    #[serde(default, skip_serializing_if = "Conditions::is_none")]
    pub conditions: Conditions,
    /// The approvals so far, as receipts name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
}

fn one() -> u32 {
    1
}

impl GrantState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Scheduled => "scheduled",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Exhausted => "exhausted",
            Self::Standing => "standing",
        }
    }
}

impl RequestState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Lapsed => "lapsed",
        }
    }
}
