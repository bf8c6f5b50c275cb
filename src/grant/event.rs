use serde::{Deserialize, Serialize};

use super::factor::Factor;
use super::{Grant, GrantId, Request, RequestId, Restriction, Signalled, Usage};
use crate::model::Timestamp;
use crate::model::receipt::{Attestation, FactorKind, OwnSignature};

/// Everything that can happen to requests and grants. The store appends these and nothing else;
/// state is what replaying them gives. Holds no data values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GrantEvent {
    Requested {
        request: Box<Request>,
    },
    /// One approval; the grant, or its longer life, follows when there are enough.
    Approved {
        request: RequestId,
        by: String,
        #[serde(default, skip_serializing_if = "Proven::is_empty")]
        proven: Proven,
        /// None before it is stored, and in stores from before there were receipts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<Box<Attestation>>,
    },
    /// One denial; the request is closed when there are enough.
    Denied {
        request: RequestId,
        by: String,
        reason: Option<String>,
    },
    Cancelled {
        request: RequestId,
        by: String,
    },
    /// Nobody decided in time.
    Lapsed {
        request: RequestId,
    },
    Granted {
        grant: Box<Grant>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<Box<Attestation>>,
    },
    /// A grant lasts longer than it did.
    Extended {
        grant: GrantId,
        request: RequestId,
        expires_at: Timestamp,
        approvers: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<Box<Attestation>>,
    },
    /// A grant whose time runs from its first use was used.
    Started {
        grant: GrantId,
        expires_at: Timestamp,
    },
    /// What one proxy has used of a limited grant since it last told.
    Used {
        grant: GrantId,
        /// The process that counted.
        proxy: String,
        #[serde(flatten)]
        usage: Usage,
    },
    /// A limit is reached.
    Exhausted {
        grant: GrantId,
    },
    /// Somebody has looked at what was done in an emergency.
    Reviewed {
        grant: GrantId,
        by: String,
        note: String,
    },
    Revoked {
        grant: GrantId,
        by: String,
    },
    Expired {
        grant: GrantId,
    },
    /// A standing grant appeared in the configuration.
    StandingAdded {
        grant: Box<Grant>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<Box<Attestation>>,
    },
    /// A standing grant is no longer in the configuration.
    StandingRemoved {
        grant: GrantId,
    },
    /// A code of the user's second factor was taken for an approval; it is not taken again.
    FactorUsed {
        user: String,
        request: RequestId,
        factor: Factor,
    },
    /// A code was wrong, so the approval was refused.
    FactorFailed {
        user: String,
        request: RequestId,
    },
    /// Something is taken from a user for a time.
    Restricted {
        user: String,
        restriction: Restriction,
        /// None: until somebody lifts it.
        until: Option<Timestamp>,
        by: String,
        reason: String,
    },
    /// Everything that was taken from the user is given back.
    Lifted {
        user: String,
        by: String,
    },
    /// A rule over the audit log has something to tell.
    Signalled {
        signal: Box<Signalled>,
    },
}

/// What proved that an approval is the approver's, beside the login.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnSignature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<FactorKind>,
}

impl Proven {
    fn is_empty(&self) -> bool {
        self.own.is_none() && self.factor.is_none()
    }
}

/// An event in its place in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Grows by one with each event; a sink that sees a number twice sees the same event.
    pub sequence: u64,
    pub at: Timestamp,
    pub event: GrantEvent,
}

impl GrantEvent {
    /// The grant it is about.
    pub fn grant(&self) -> Option<GrantId> {
        match self {
            Self::Granted { grant, .. } | Self::StandingAdded { grant, .. } => Some(grant.id),
            Self::Extended { grant, .. }
            | Self::Started { grant, .. }
            | Self::Used { grant, .. }
            | Self::Exhausted { grant }
            | Self::Reviewed { grant, .. }
            | Self::Revoked { grant, .. }
            | Self::Expired { grant }
            | Self::StandingRemoved { grant } => Some(*grant),
            Self::Requested { .. }
            | Self::Approved { .. }
            | Self::Denied { .. }
            | Self::Cancelled { .. }
            | Self::Lapsed { .. }
            | Self::FactorUsed { .. }
            | Self::FactorFailed { .. }
            | Self::Restricted { .. }
            | Self::Lifted { .. }
            | Self::Signalled { .. } => None,
        }
    }

    /// The request that was filed.
    pub fn requested(&self) -> Option<RequestId> {
        if let Self::Requested { request } = self { Some(request.id) } else { None }
    }

    /// Whether it stands for an approval that was refused for a wrong code.
    pub fn is_failed_factor(&self) -> bool {
        matches!(self, Self::FactorFailed { .. })
    }

    /// The closed label of logs, metrics and the store's `kind` column.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "requested",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::Cancelled { .. } => "cancelled",
            Self::Lapsed { .. } => "lapsed",
            Self::Granted { .. } => "granted",
            Self::Extended { .. } => "extended",
            Self::Started { .. } => "started",
            Self::Used { .. } => "used",
            Self::Exhausted { .. } => "exhausted",
            Self::Reviewed { .. } => "reviewed",
            Self::Revoked { .. } => "revoked",
            Self::Expired { .. } => "expired",
            Self::StandingAdded { .. } => "standing_added",
            Self::StandingRemoved { .. } => "standing_removed",
            Self::FactorUsed { .. } => "factor_used",
            Self::FactorFailed { .. } => "factor_failed",
            Self::Restricted { .. } => "restricted",
            Self::Lifted { .. } => "lifted",
            Self::Signalled { .. } => "signalled",
        }
    }
}
