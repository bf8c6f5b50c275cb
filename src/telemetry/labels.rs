//! Every value that a metric's label may take, as types: what is not here cannot become a series.

use crate::discovery::drift::DriftKind;
use crate::model::SqlState;
use crate::risk::Rule;

/// A closed set of label values.
pub trait Label: Copy + 'static {
    /// The label's name in the exposition format.
    const NAME: &'static str;
    const ALL: &'static [Self];

    fn as_str(self) -> &'static str;
    /// Where the value stands in [`Label::ALL`].
    fn index(self) -> usize;
}

macro_rules! labels {
    ($(#[$about:meta])* $name:ident as $label:literal { $($variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($variant,)+ }

        impl Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

labels! {
    /// How a login on either port ended.
    LoginResult as "result" {
        Ok = "ok",
        // An unknown user and a wrong password are one: a metric is no oracle either.
        Refused = "refused",
        NotAllowed = "not_allowed",
        Protocol = "protocol",
        Timeout = "timeout",
        Upstream = "upstream",
        // Who would have had to say whether the proof is one did not answer.
        Unavailable = "unavailable",
        // It was good, and could not be put on record.
        Audit = "audit",
    }
}

labels! {
    /// What became of the answer to somebody who failed before.
    LoginDelay as "outcome" {
        Waited = "waited",
        // Too many were waiting.
        Crowded = "crowded",
    }
}

impl LoginResult {
    /// For a login that was refused with this code.
    pub fn of_refusal(state: SqlState) -> Self {
        if state == SqlState::INVALID_PASSWORD {
            Self::Refused
        } else if state == SqlState::INVALID_AUTHORIZATION
            || state == SqlState::INVALID_CATALOG_NAME
            || state == SqlState::TOO_MANY_CONNECTIONS
        {
            Self::NotAllowed
        } else if state == SqlState::CONNECTION_FAILURE || state == SqlState::CANNOT_CONNECT_NOW {
            Self::Unavailable
        } else {
            Self::Protocol
        }
    }
}

labels! {
    /// What became of a statement.
    Verdict as "verdict" {
        Clear = "clear",
        Show = "show",
        Compute = "compute",
        Refuse = "refuse",
    }
}

labels! {
    /// Why a statement was refused.
    Refusal as "reason" {
        // Personal data that no grant covers, side doors, DDL, writes, cut results.
        Denied = "denied",
        Unparsable = "unparsable",
        Unresolved = "unresolved",
        // Too long, too deep, too many names.
        Limit = "limit",
        Unsupported = "unsupported",
        // The record of the release could not be written.
        Audit = "audit",
        Cancelled = "cancelled",
        Other = "other",
    }
}

impl Refusal {
    /// What a refusal with this code is counted as.
    pub fn of(state: Option<SqlState>) -> Self {
        let known = [
            (SqlState::INSUFFICIENT_PRIVILEGE, Self::Denied),
            (SqlState::SYNTAX_ERROR, Self::Unparsable),
            (SqlState::UNDEFINED_TABLE, Self::Unresolved),
            (SqlState::UNDEFINED_OBJECT, Self::Unresolved),
            (SqlState::PROGRAM_LIMIT_EXCEEDED, Self::Limit),
            (SqlState::STATEMENT_TOO_COMPLEX, Self::Limit),
            (SqlState::CONFIGURATION_LIMIT_EXCEEDED, Self::Limit),
            (SqlState::FEATURE_NOT_SUPPORTED, Self::Unsupported),
            (SqlState::IO_ERROR, Self::Audit),
            (SqlState::QUERY_CANCELED, Self::Cancelled),
        ];
        let found = known.into_iter().find(|(code, _)| Some(*code) == state);
        found.map_or(Self::Other, |(_, reason)| reason)
    }
}

labels! {
    /// What has to be in order for the proxy to be ready.
    Part as "part" {
        Store = "store",
        Audit = "audit",
        Schema = "schema",
        // It drains, or ends.
        Shutdown = "shutdown",
    }
}

labels! {
    /// Why a result was cut or a session ended by us.
    CutCause as "cause" {
        Expired = "expired",
        Revoked = "revoked",
        Exhausted = "exhausted",
        Stale = "stale",
        Provenance = "provenance",
        Audit = "audit",
        Killed = "killed",
        LoginExpired = "login_expired",
        Configuration = "configuration",
        Shutdown = "shutdown",
        Idle = "idle",
        Stalled = "stalled",
    }
}

labels! {
    Refresh as "result" {
        Ok = "ok",
        Failed = "failed",
    }
}

labels! {
    /// What went wrong towards the database.
    UpstreamError as "kind" {
        Connect = "connect",
        Login = "login",
        Lost = "lost",
        Protocol = "protocol",
    }
}

labels! {
    /// Between whom bytes went.
    Direction as "direction" {
        FromClient = "from_client",
        ToClient = "to_client",
        FromServer = "from_server",
        ToServer = "to_server",
    }
}

labels! {
    /// How somebody is told of requests and grants.
    NoticeChannel as "channel" {
        Webhook = "webhook",
        Slack = "slack",
        Mail = "mail",
    }
}

impl Label for Rule {
    const NAME: &'static str = "rule";
    const ALL: &'static [Self] = &Self::ALL;

    fn as_str(self) -> &'static str {
        Self::as_str(self)
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl Label for DriftKind {
    const NAME: &'static str = "kind";
    const ALL: &'static [Self] = &Self::ALL;

    fn as_str(self) -> &'static str {
        Self::as_str(self)
    }

    fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_value_stands_at_its_index<L: Label>() {
        for (index, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.index(), index, "{}", value.as_str());
        }
    }

    #[test]
    fn every_label_stands_at_its_index() {
        every_value_stands_at_its_index::<LoginResult>();
        every_value_stands_at_its_index::<LoginDelay>();
        every_value_stands_at_its_index::<Verdict>();
        every_value_stands_at_its_index::<Refusal>();
        every_value_stands_at_its_index::<CutCause>();
        every_value_stands_at_its_index::<Refresh>();
        every_value_stands_at_its_index::<UpstreamError>();
        every_value_stands_at_its_index::<Direction>();
        every_value_stands_at_its_index::<NoticeChannel>();
        every_value_stands_at_its_index::<Rule>();
        every_value_stands_at_its_index::<Part>();
        every_value_stands_at_its_index::<DriftKind>();
    }

    #[test]
    fn a_refusal_counts_by_its_code() {
        assert_eq!(Refusal::of(Some(SqlState::SYNTAX_ERROR)), Refusal::Unparsable);
        assert_eq!(Refusal::of(Some(SqlState::INTERNAL_ERROR)), Refusal::Other);
        assert_eq!(Refusal::of(None), Refusal::Other);
    }
}
