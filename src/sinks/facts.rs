//! How urgent a record is, for receivers that sort by it.

use crate::audit::{ConfigurationStep, Decision, Kind, Record, Urgency};

/// How much somebody should care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Info,
    Notice,
    Warning,
    Critical,
}

impl Severity {
    /// RFC 5424, 6.2.1.
    pub(super) fn syslog(self) -> u8 {
        match self {
            Self::Info => 6,
            Self::Notice => 5,
            Self::Warning => 4,
            Self::Critical => 2,
        }
    }

    /// Number and short name of OpenTelemetry's log data model.
    pub(super) fn otlp(self) -> (u8, &'static str) {
        match self {
            Self::Info => (9, "INFO"),
            Self::Notice => (10, "INFO2"),
            Self::Warning => (13, "WARN"),
            Self::Critical => (21, "FATAL"),
        }
    }

    /// By the record's kind, and by what was decided.
    pub(super) fn of(record: &Record) -> Self {
        match record.kind {
            Kind::Statement if !record.honey.is_empty() => Self::Critical,
            Kind::Statement => match record.decision {
                Some(Decision::Refused | Decision::Cut) => Self::Warning,
                Some(Decision::Raw | Decision::Observed) => Self::Notice,
                Some(Decision::Clear | Decision::Shown | Decision::Computed | Decision::Local)
                | None => Self::Info,
            },
            Kind::Signal => match record.severity.as_deref() {
                Some("info" | "low") => Self::Notice,
                Some("high" | "critical") => Self::Critical,
                Some(_) | None => Self::Warning,
            },
            Kind::LoginFailed | Kind::Repaired => Self::Warning,
            Kind::Lost => Self::Critical,
            Kind::Grant => match is(&record.urgency, &Urgency::BreakGlass) {
                true => Self::Warning,
                false => Self::Notice,
            },
            Kind::Configuration => match is(&record.step, &ConfigurationStep::Refused) {
                true => Self::Warning,
                false => Self::Notice,
            },
            Kind::Release
            | Kind::Explored
            | Kind::Catalog
            | Kind::Retired
            | Kind::Started
            | Kind::Stopped
            | Kind::Other => Self::Notice,
            Kind::Login | Kind::Logout | Kind::Checkpoint => Self::Info,
        }
    }
}

/// Whether a member of a record is that word.
fn is(member: &Option<String>, word: &impl serde::Serialize) -> bool {
    let word = serde_json::to_value(word).ok();
    member.as_deref().is_some_and(|text| word.as_ref().and_then(|w| w.as_str()) == Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_should_see_is_more_than_information() {
        for (rest, severity) in [
            (r#""kind":"statement","decision":"clear""#, Severity::Info),
            (r#""kind":"statement","decision":"raw""#, Severity::Notice),
            (r#""kind":"statement","decision":"refused""#, Severity::Warning),
            (r#""kind":"statement","decision":"raw","honey":["public.c"]"#, Severity::Critical),
            (r#""kind":"signal","severity":"low""#, Severity::Notice),
            (r#""kind":"signal","severity":"medium""#, Severity::Warning),
            (r#""kind":"signal","severity":"high""#, Severity::Critical),
            (r#""kind":"login""#, Severity::Info),
            (r#""kind":"login_failed""#, Severity::Warning),
            (r#""kind":"grant","step":"granted","urgency":"ordinary""#, Severity::Notice),
            (r#""kind":"grant","step":"granted","urgency":"break_glass""#, Severity::Warning),
            (r#""kind":"configuration","step":"refused""#, Severity::Warning),
            (r#""kind":"lost""#, Severity::Critical),
            (r#""kind":"of a later version""#, Severity::Notice),
        ] {
            let line = format!(r#"{{"seq":1,"time":"2026-01-02T03:04:05Z",{rest}}}"#);
            assert_eq!(Severity::of(&Record::of(line.as_bytes()).unwrap()), severity, "{rest}");
        }
    }
}
