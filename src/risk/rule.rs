use serde::{Deserialize, Serialize};

/// What is looked for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Raw access at an hour of the day at which the user was never seen.
    UnusualHour,
    /// The user's first raw access to a column.
    FirstTouch,
    /// Many masked statements in a short time.
    MaskedBurst,
    /// Many refused statements in a short time.
    RefusedBurst,
    /// Many lookups of one shape, or many different subjects.
    Enumeration,
    /// Far more raw rows or bytes in a day than on the user's own days before.
    Volume,
    /// Many errors over data on statements that touch PII.
    ErrorProbing,
    /// A grant ended and nobody had used it.
    UnusedGrant,
    /// A catalogued decoy was read or compared.
    Honey,
    /// Many failed logins, of one name or from one address.
    LoginFailures,
}

impl Rule {
    pub const ALL: [Self; 10] = [
        Self::UnusualHour,
        Self::FirstTouch,
        Self::MaskedBurst,
        Self::RefusedBurst,
        Self::Enumeration,
        Self::Volume,
        Self::ErrorProbing,
        Self::UnusedGrant,
        Self::Honey,
        Self::LoginFailures,
    ];

    /// The word of the configuration, of records and of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnusualHour => "unusual_hour",
            Self::FirstTouch => "first_touch",
            Self::MaskedBurst => "masked_burst",
            Self::RefusedBurst => "refused_burst",
            Self::Enumeration => "enumeration",
            Self::Volume => "volume",
            Self::ErrorProbing => "error_probing",
            Self::UnusedGrant => "unused_grant",
            Self::Honey => "honey",
            Self::LoginFailures => "login_failures",
        }
    }

    /// Whether what it tells is about somebody who has logged in. Who fails to may claim any name,
    /// and must not have its owner suspended.
    pub fn knows_whom(self) -> bool {
        match self {
            Self::LoginFailures => false,
            Self::UnusualHour
            | Self::FirstTouch
            | Self::MaskedBurst
            | Self::RefusedBurst
            | Self::Enumeration
            | Self::Volume
            | Self::ErrorProbing
            | Self::UnusedGrant
            | Self::Honey => true,
        }
    }
}

/// How much it matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
