//! What the rules go by.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Rule, Severity};
use crate::grant::Subject;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// What is done about a signal, beside putting it on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reaction {
    /// Counted by rule.
    Metric,
    /// Told over the channels of notifications.
    Webhook,
    /// The user's requests need one approval more.
    SecondApproval,
    /// No grant counts for the user.
    Suspend,
    /// The session ends.
    Kill,
}

impl Reaction {
    pub const ALL: [Self; 5] =
        [Self::Metric, Self::Webhook, Self::SecondApproval, Self::Suspend, Self::Kill];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::Webhook => "webhook",
            Self::SecondApproval => "second_approval",
            Self::Suspend => "suspend",
            Self::Kill => "kill",
        }
    }

    /// Whether it is done to the user.
    pub fn is_against_user(self) -> bool {
        match self {
            Self::SecondApproval | Self::Suspend | Self::Kill => true,
            Self::Metric | Self::Webhook => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    On,
    Off,
}

/// What can be tuned; each rule goes by some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Count,
    Within,
    Factor,
    Learn,
    Days,
    Rows,
    Bytes,
    Subjects,
    Margin,
}

impl Key {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Within => "within",
            Self::Factor => "factor",
            Self::Learn => "learn",
            Self::Days => "days",
            Self::Rows => "rows",
            Self::Bytes => "bytes",
            Self::Subjects => "subjects",
            Self::Margin => "margin",
        }
    }
}

/// One rule's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub state: Use,
    /// Whom it is about; empty: everybody.
    pub users: Vec<Subject>,
    /// Whom it is not about.
    pub except: Vec<Subject>,
    pub severity: Severity,
    pub actions: Vec<Reaction>,
    /// How long what is taken from a user stays taken; None: until somebody lifts it.
    pub lasts: Option<Duration>,
    /// Further signals about the same user are folded for so long.
    pub quiet: Duration,
    /// So many …
    pub count: u64,
    /// … in so long a time are a burst.
    pub within: Duration,
    /// How many times the user's own highest is far above it.
    pub factor: u64,
    /// How long a user is only watched.
    pub learn: Duration,
    /// How many of the user's active days are looked back on.
    pub days: u32,
    /// Raw rows in a day, at least.
    pub rows: u64,
    /// Bytes of raw results in a day, at least.
    pub bytes: u64,
    /// Different subjects in a day, at least.
    pub subjects: u64,
    /// Hours next to those at which the user was seen are none that are unusual.
    pub margin: u8,
}

impl Settings {
    fn of(rule: Rule) -> Self {
        let base = Self {
            state: Use::On,
            users: Vec::new(),
            except: Vec::new(),
            severity: Severity::Medium,
            actions: vec![Reaction::Metric],
            lasts: None,
            quiet: HOUR,
            count: 1,
            within: MINUTE,
            factor: 5,
            learn: 3 * DAY,
            days: 30,
            rows: 10_000,
            bytes: 10 << 20,
            subjects: 200,
            margin: 2,
        };
        match rule {
            Rule::UnusualHour => Self { learn: 14 * DAY, quiet: 12 * HOUR, ..base },
            Rule::FirstTouch => Self { learn: 14 * DAY, ..base },
            Rule::MaskedBurst => Self { count: 600, ..base },
            Rule::RefusedBurst => Self { count: 20, within: 5 * MINUTE, ..base },
            Rule::Enumeration => Self {
                count: 60,
                within: 10 * MINUTE,
                severity: Severity::High,
                quiet: 4 * HOUR,
                ..base
            },
            Rule::Volume => {
                Self { learn: 7 * DAY, severity: Severity::High, quiet: 12 * HOUR, ..base }
            }
            Rule::ErrorProbing => {
                Self { count: 20, within: 10 * MINUTE, severity: Severity::High, ..base }
            }
            Rule::UnusedGrant => Self { severity: Severity::Low, ..base },
            Rule::Honey => Self {
                severity: Severity::Critical,
                actions: vec![Reaction::Metric, Reaction::Suspend, Reaction::Kill],
                quiet: 10 * MINUTE,
                ..base
            },
            Rule::LoginFailures => Self { count: 10, within: 5 * MINUTE, ..base },
        }
    }

    /// What of it the rule goes by.
    pub fn keys(rule: Rule) -> &'static [Key] {
        match rule {
            Rule::UnusualHour => &[Key::Learn, Key::Margin],
            Rule::FirstTouch => &[Key::Learn],
            Rule::MaskedBurst | Rule::RefusedBurst | Rule::ErrorProbing => {
                &[Key::Count, Key::Within, Key::Factor, Key::Learn, Key::Days]
            }
            Rule::Enumeration => {
                &[Key::Count, Key::Within, Key::Factor, Key::Learn, Key::Days, Key::Subjects]
            }
            Rule::Volume => &[Key::Factor, Key::Learn, Key::Days, Key::Rows, Key::Bytes],
            Rule::UnusedGrant | Rule::Honey => &[],
            Rule::LoginFailures => &[Key::Count, Key::Within],
        }
    }

    /// Whether the rule looks at somebody of that name in those groups.
    pub fn concern(&self, user: &str, groups: &[String]) -> bool {
        let one_of = |subjects: &[Subject]| subjects.iter().any(|who| is_among(who, user, groups));
        self.state == Use::On
            && (self.users.is_empty() || one_of(&self.users))
            && !one_of(&self.except)
    }
}

fn is_among(subject: &Subject, user: &str, groups: &[String]) -> bool {
    match subject {
        Subject::User(name) => name == user,
        Subject::Group(name) => groups.contains(name),
        Subject::Anyone => true,
    }
}

/// All rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Whose hours and days count.
    pub zone: TimeZone,
    /// What matters less is no signal.
    pub severity_min: Severity,
    settings: BTreeMap<Rule, Settings>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            severity_min: Severity::Low,
            settings: Rule::ALL.map(|rule| (rule, Settings::of(rule))).into(),
        }
    }
}

impl Rules {
    pub fn of(&self, rule: Rule) -> &Settings {
        // Every rule has an entry from the start.
        &self.settings[&rule]
    }

    pub fn set(&mut self, rule: Rule, settings: Settings) {
        self.settings.insert(rule, settings);
    }

    /// The same, telling of what matters so little, too.
    pub fn from_severity(self, severity_min: Severity) -> Self {
        Self { severity_min, ..self }
    }

    /// Without any rule.
    pub fn off() -> Self {
        let mut rules = Self::default();
        for settings in rules.settings.values_mut() {
            settings.state = Use::Off;
        }
        rules
    }
}
