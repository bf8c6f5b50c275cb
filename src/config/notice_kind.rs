//! The kinds of events that somebody can be told of.

/// What can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    Requested,
    Approved,
    Denied,
    Cancelled,
    /// Nobody decided in time.
    Lapsed,
    Granted,
    /// Granted at once in an emergency, to be reviewed.
    BreakGlass,
    Extended,
    /// Somebody has looked at break-glass access.
    Reviewed,
    Revoked,
    Expired,
    /// A limit is reached.
    Exhausted,
    /// A rule over the audit log has something to tell.
    Signal,
}

impl NoticeKind {
    pub const ALL: [Self; 13] = [
        Self::Requested,
        Self::Approved,
        Self::Denied,
        Self::Cancelled,
        Self::Lapsed,
        Self::Granted,
        Self::BreakGlass,
        Self::Extended,
        Self::Reviewed,
        Self::Revoked,
        Self::Expired,
        Self::Exhausted,
        Self::Signal,
    ];

    /// The word of the configuration and of payloads.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Lapsed => "lapsed",
            Self::Granted => "granted",
            Self::BreakGlass => "break_glass",
            Self::Extended => "extended",
            Self::Reviewed => "reviewed",
            Self::Exhausted => "exhausted",
            Self::Signal => "signal",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}
