//! The kinds of events that somebody can be told of.

/// What can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    Requested,
    Approved,
    Denied,
    Cancelled,
    Granted,
    Revoked,
    Expired,
}

impl NoticeKind {
    pub const ALL: [Self; 7] = [
        Self::Requested,
        Self::Approved,
        Self::Denied,
        Self::Cancelled,
        Self::Granted,
        Self::Revoked,
        Self::Expired,
    ];

    /// The word of the configuration and of payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Granted => "granted",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}
