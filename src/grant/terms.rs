use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Actions, GrantId, Network, Pattern, RequestId, Resource, RowPredicate, Subject};
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
    /// Not enforced yet, so asking for it is refused.
    pub max_rows: Option<u64>,
    /// Not enforced yet, so asking for it is refused.
    pub max_uses: Option<u64>,
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
    /// Where the client must connect from; empty: from anywhere.
    pub networks: Vec<Network>,
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
}

/// A grant of the configuration: no request, no end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub subject: Subject,
    pub resources: Vec<Pattern>,
    pub actions: Actions,
    pub networks: Vec<Network>,
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
    Standing,
}

/// A grant as reports show it.
#[derive(Clone, Debug)]
pub struct GrantView {
    pub grant: Arc<Grant>,
    pub state: GrantState,
    /// When it was revoked or expired.
    pub ended_at: Option<Timestamp>,
    /// Who revoked it.
    pub ended_by: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    Pending,
    Approved,
    Denied,
    Cancelled,
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
    /// The approvals so far, as receipts name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
}

impl GrantState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Scheduled => "scheduled",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
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
        }
    }
}
