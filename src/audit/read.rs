//! Records read back: for searches, reports, rules and whoever else asks the log.
//!
//! Readers look only at what they know: members and kinds that a later version adds change nothing
//! here. `keyhole audit schema` describes all of them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer};

use super::GrantStep;
use super::record::{Analysis, Decision, Mention, Provenance};
use crate::model::Timestamp;

/// A line of the log. What its kind does not have is empty, absent or 0.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    pub seq: u64,
    pub time: Timestamp,
    pub kind: Kind,
    pub session: Option<u64>,
    /// The statement's number within its session.
    pub statement: Option<u64>,
    pub user: Option<String>,
    #[serde(default)]
    pub groups: Vec<String>,
    pub address: Option<IpAddr>,
    pub application: Option<String>,
    pub database: Option<String>,
    pub fingerprint: Option<String>,
    /// Without literals.
    pub text: Option<String>,
    #[serde(default)]
    pub relations: Vec<String>,
    /// Every PII column touched, `schema.table.column`. In the catalog's records it is a number.
    #[serde(default, deserialize_with = "names")]
    pub pii_columns: Vec<String>,
    /// Shown raw. A release names them before the first byte leaves, a statement at its end.
    #[serde(default, alias = "columns")]
    pub raw_columns: Vec<String>,
    /// Compared with values of the client, as they are stored.
    #[serde(default, alias = "lookups")]
    pub looked_up_columns: Vec<String>,
    #[serde(default)]
    pub masked_columns: Vec<String>,
    pub gates: Option<GatesRead>,
    pub decision: Option<Decision>,
    #[serde(default)]
    pub grants: Vec<u64>,
    /// Rows of a statement. In a grant's record `rows` is its predicate: [`Record::predicate`].
    #[serde(default)]
    rows: Rows,
    #[serde(default)]
    pub bytes: u64,
    #[serde(default)]
    pub duration_us: u64,
    pub sqlstate: Option<String>,
    /// Whose rows were shown raw, by table.
    #[serde(default)]
    pub subjects: BTreeMap<String, SubjectsRead>,
    /// Tables of which a decoy was shown raw.
    #[serde(default)]
    pub honey: Vec<String>,
    /// Of a login, a logout, a failed login: how, and why.
    pub method: Option<String>,
    pub reason: Option<String>,
    /// What happened to a grant, the configuration or the catalog.
    pub step: Option<String>,
    pub request: Option<u64>,
    pub grant: Option<u64>,
    /// Whom a grant is for: `alice` or `group:support`.
    pub subject: Option<String>,
    #[serde(default)]
    pub resources: Vec<String>,
    #[serde(default)]
    pub actions: Vec<String>,
    pub by: Option<String>,
    #[serde(default)]
    pub approvers: Vec<String>,
    pub policy: Option<String>,
    pub not_before: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub urgency: Option<String>,
    /// Of a signal.
    pub rule: Option<String>,
    pub severity: Option<String>,
    /// The number of the record that made it one.
    pub trigger: Option<u64>,
    /// Of a start: the version of [`super::schema`] that records follow from there on.
    pub schema: Option<u64>,
    #[serde(default)]
    pub figures: BTreeMap<String, u64>,
}

/// Whose rows of a table a statement showed: [`super::SubjectsOf`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SubjectsRead {
    #[serde(default)]
    pub by: Vec<String>,
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    pub rows: u64,
    #[serde(default)]
    pub more: u64,
    #[serde(default)]
    pub unknown: u64,
}

/// What each gate said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct GatesRead {
    pub mention: Mention,
    pub analysis: Analysis,
    pub provenance: Provenance,
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Statement,
    Release,
    Login,
    LoginFailed,
    Logout,
    Explored,
    Grant,
    Signal,
    Configuration,
    Catalog,
    Repaired,
    Retired,
    Checkpoint,
    Lost,
    Started,
    Stopped,
    /// Of a later version.
    Other,
}

impl Kind {
    const ALL: [(&'static str, Self); 16] = [
        ("statement", Self::Statement),
        ("release", Self::Release),
        ("login", Self::Login),
        ("login_failed", Self::LoginFailed),
        ("logout", Self::Logout),
        ("explored", Self::Explored),
        ("grant", Self::Grant),
        ("signal", Self::Signal),
        ("configuration", Self::Configuration),
        ("catalog", Self::Catalog),
        ("repaired", Self::Repaired),
        ("retired", Self::Retired),
        ("checkpoint", Self::Checkpoint),
        ("lost", Self::Lost),
        ("started", Self::Started),
        ("stopped", Self::Stopped),
    ];

    /// Every kind that is known, by its word.
    pub fn words() -> impl Iterator<Item = (&'static str, Self)> {
        Self::ALL.into_iter()
    }

    /// The kind of that word; [`Kind::Other`] of any that is not known.
    pub fn of(word: &str) -> Self {
        Self::ALL.iter().find(|(known, _)| *known == word).map_or(Self::Other, |(_, kind)| *kind)
    }

    /// The kind of that word, if it is known.
    pub fn named(word: &str) -> Option<Self> {
        Some(Self::of(word)).filter(|kind| *kind != Self::Other)
    }

    /// The record's word; `other` of those that are not known.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("other", |(word, _)| word)
    }

    /// The kind of a line, without reading the rest of it; None where the line does not begin as
    /// the log writes them, so that only reading all of it tells.
    pub fn of_line(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(b"{\"seq\":")?;
        let rest = &rest[rest.iter().position(|byte| !byte.is_ascii_digit())?..];
        let rest = rest.strip_prefix(b",\"time\":\"")?;
        let rest = &rest[rest.iter().position(|byte| *byte == b'"')?..];
        let rest = rest.strip_prefix(b"\",\"kind\":\"")?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        // An escape in it may spell any other.
        let word = std::str::from_utf8(&rest[..end]).ok().filter(|word| !word.contains('\\'));
        word.map(Self::of)
    }
}

/// The number of a line as the log writes them, without reading the rest of it.
pub fn seq_of_line(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'_, str>>::deserialize(from).map(|word| Self::of(&word))
    }
}

fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let read = serde_json::Value::deserialize(from)?;
    if read.is_number() {
        return Ok(Vec::new());
    }
    serde_json::from_value(read).map_err(serde::de::Error::custom)
}

/// A number in one kind of record and a text in another.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
enum Rows {
    Count(u64),
    Predicate(String),
    #[default]
    None,
}

impl Record {
    /// # Errors
    /// The line is none of a record.
    pub fn of(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// Rows sent to the client, or affected.
    pub fn rows(&self) -> u64 {
        match self.rows {
            Rows::Count(rows) => rows,
            Rows::Predicate(_) | Rows::None => 0,
        }
    }

    /// Which rows a grant is about, without constants.
    pub fn predicate(&self) -> Option<&str> {
        match &self.rows {
            Rows::Predicate(text) => Some(text),
            Rows::Count(_) | Rows::None => None,
        }
    }

    /// Of a grant's record.
    pub fn grant_step(&self) -> Option<GrantStep> {
        let step = self.step.as_deref().filter(|_| self.kind == Kind::Grant)?;
        serde_json::from_value(step.into()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_kind_are_read() {
        let statement = Record::of(
            br#"{"seq":3,"time":"2026-01-02T03:04:05.000006Z","kind":"statement","session":4,"statement":9,"user":"alice","database":"shop","pii_columns":["public.c.email"],"gates":{"mention":"hit","analysis":"show","provenance":"passed"},"decision":"shown","rows":3,"bytes":12,"duration_us":8,"later":{"x":1},"prev":"","hash":""}"#,
        )
        .unwrap();
        assert_eq!((statement.seq, statement.kind, statement.rows()), (3, Kind::Statement, 3));
        assert_eq!(statement.decision, Some(Decision::Shown));
        assert_eq!(statement.predicate(), None);
        let grant = Record::of(
            br#"{"seq":4,"time":"2026-01-02T03:04:05Z","kind":"grant","step":"granted","rows":"id = ?"}"#,
        )
        .unwrap();
        assert_eq!((grant.predicate(), grant.rows()), (Some("id = ?"), 0));
        assert_eq!(grant.grant_step(), Some(GrantStep::Granted));
        let catalog = br#"{"seq":4,"time":"2026-01-02T03:04:05Z","kind":"catalog","step":"loaded","database":"shop","epoch":1,"pii_columns":12}"#;
        assert_eq!(Record::of(catalog).unwrap().pii_columns, [""; 0]);
        let later = br#"{"seq":5,"time":"2026-01-02T03:04:05Z","kind":"dream"}"#;
        assert_eq!(Record::of(later).unwrap().kind, Kind::Other);
        assert!(Record::of(b"{}").is_err());
    }

    #[test]
    fn a_number_is_found_without_reading_the_line() {
        assert_eq!(seq_of_line(br#"{"seq":17,"time":"t"#), Some(17));
        for other in ["{}", "{\"seq\":", "{\"seq\":17", "{\"seq\":x,", " {\"seq\":17,"] {
            assert_eq!(seq_of_line(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_kind_is_found_without_reading_the_line() {
        for (word, kind) in Kind::ALL {
            let line =
                format!(r#"{{"seq":1,"time":"t","kind":"{word}","text":"\",\"kind\":\"x"}}"#);
            assert_eq!(Kind::of_line(line.as_bytes()), Some(kind));
            assert_eq!(kind.as_str(), word);
        }
        for other in [
            r#"{"seq":1,"x":{"a":1,"kind":"statement"},"time":"t","kind":"grant"}"#,
            r#"{"kind":"grant","seq":1,"time":"t"}"#,
            r#"{"seq":1,"time":"t","kind":""#,
            r#"{"seq":1,"time":"t"}"#,
            r#"{"seq":1,"time":"t","kind":"gr\u0061nt"}"#,
            "{}",
        ] {
            assert_eq!(Kind::of_line(other.as_bytes()), None, "{other}");
        }
    }
}
