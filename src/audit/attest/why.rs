//! Why a statement was shown what it was: the release, its grants, their approvals.

use std::fmt;

use serde::Serialize;

use super::line::ReleaseLine;
use super::{Attestor, Flaw, Granted};
use crate::audit::Kind;
use crate::model::Timestamp;
use crate::model::receipt::{FactorKind, Way};

/// Which statement is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Sessions count from 1 in every process.
    Statement { session: u64, statement: u64 },
    /// The record of its release, or of its end.
    Record(u64),
}

/// What was released, and under which grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The number of the record.
    pub record: u64,
    pub time: String,
    pub session: u64,
    pub statement: u64,
    pub user: String,
    pub database: String,
    pub columns: Vec<String>,
    pub lookups: Vec<String>,
    pub links: Vec<Link>,
    /// What is wrong with the release itself.
    pub problems: Vec<String>,
    pub ok: bool,
}

/// One grant of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Link {
    pub grant: u64,
    /// The number of the record that made it; None: there is none.
    pub record: Option<u64>,
    pub request: Option<u64>,
    pub subject: String,
    pub resource: String,
    pub actions: Vec<String>,
    pub not_before: Option<String>,
    pub expires_at: Option<String>,
    pub requester: Option<String>,
    pub reason: Option<String>,
    pub policy: Option<String>,
    pub way: Option<Way>,
    pub approvals: Vec<Said>,
    /// Where it was ended before the release was recorded: how, and in which record.
    pub ended: Option<String>,
    pub key: Option<String>,
    /// What is wrong with it; empty: receipt and signatures are valid.
    pub problems: Vec<String>,
}

/// Somebody's approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    pub by: String,
    pub at: Timestamp,
    pub factor: Option<FactorKind>,
    /// Whether it carries a signature of the approver's own key.
    pub own_key: Option<OwnKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnKey {
    Checked,
    /// The key was not given.
    Unchecked,
}

impl Question {
    /// Whether the record is one that answers it.
    pub fn concerns(self, line: &[u8]) -> bool {
        matches!(Kind::of_line(line), Some(Kind::Release | Kind::Statement) | None)
            && serde_json::from_slice(line).is_ok_and(|line: ReleaseLine| self.is_about(&line))
    }

    pub(super) fn is_about(self, line: &ReleaseLine) -> bool {
        match self {
            Self::Statement { session, statement } => {
                // Its end tells the same once more.
                line.kind == "release" && (line.session, line.statement) == (session, statement)
            }
            Self::Record(seq) => line.seq == seq,
        }
    }
}

impl Attestor {
    pub(super) fn explain(&mut self, line: &ReleaseLine) {
        let links: Vec<Link> = line.grants.iter().map(|id| self.link(*id, line)).collect();
        let mut problems = Vec::new();
        if line.grants.is_empty() && !(line.columns.is_empty() && line.lookups.is_empty()) {
            problems.push("it names no grant".to_owned());
        }
        for column in line.columns.iter().chain(&line.lookups) {
            if !links.iter().any(|link| covers(&link.resource, column)) {
                problems.push(format!("no grant of it is on {column}"));
            }
        }
        let ok = problems.is_empty() && links.iter().all(|link| link.problems.is_empty());
        self.explanations.push(Explanation {
            record: line.seq,
            time: line.time.clone(),
            session: line.session,
            statement: line.statement,
            user: line.user.clone(),
            database: line.database.clone(),
            columns: line.columns.clone(),
            lookups: line.lookups.clone(),
            links,
            problems,
            ok,
        });
    }

    fn link(&self, id: u64, release: &ReleaseLine) -> Link {
        let Some(granted) = self.granted.get(&id).and_then(|grants| grants.last()) else {
            let problems = vec!["the log holds no grant of this number before it".to_owned()];
            return Link { grant: id, problems, ..Link::default() };
        };
        let Granted { line, receipt, flaws, ended } = granted;
        let mut problems: Vec<String> = flaws.iter().map(Flaw::to_string).collect();
        problems.extend(misfits(granted, release).map(str::to_owned));
        let signed = receipt.as_ref();
        let receipt = signed.map(|signed| &signed.receipt);
        let said =
            receipt.into_iter().flat_map(|receipt| &receipt.approvals).map(|approval| Said {
                by: approval.by.clone(),
                at: approval.at,
                factor: approval.factor,
                own_key: approval.own.as_ref().map(|_| {
                    let given = self.trust.approver_keys.contains_key(&approval.by);
                    if given { OwnKey::Checked } else { OwnKey::Unchecked }
                }),
            });
        Link {
            grant: id,
            record: Some(line.seq),
            request: line.request,
            subject: line.subject.clone(),
            resource: line.resources.join(", "),
            actions: line.actions.clone(),
            not_before: line.not_before.clone(),
            expires_at: line.expires_at.clone(),
            requester: receipt.map(|receipt| receipt.matter.requester.clone()),
            reason: line.reason.clone(),
            policy: line.policy.clone(),
            way: receipt.map(|receipt| receipt.way),
            approvals: said.collect(),
            ended: ended.as_ref().map(|(step, by, seq)| match by {
                Some(by) => format!("{} by {by} in record {seq}", step.as_str()),
                None => format!("{} in record {seq}", step.as_str()),
            }),
            key: signed.map(|signed| signed.key.to_string()),
            problems,
        }
    }
}

/// What keeps a grant from being one of this release.
fn misfits(granted: &Granted, release: &ReleaseLine) -> impl Iterator<Item = &'static str> {
    let line = &granted.line;
    let subject = line.subject == release.user
        || line
            .subject
            .strip_prefix("group:")
            .is_some_and(|group| release.groups.iter().any(|own| own == group));
    let database = line.database == "*" || line.database == release.database;
    let at = release.time.parse::<Timestamp>().ok();
    let within = at.is_some_and(|at| {
        let moment = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
        let begun = moment(&line.not_before).is_some_and(|begin: Timestamp| begin <= at);
        // Standing grants have no end.
        let open = match &line.expires_at {
            Some(_) => moment(&line.expires_at).is_some_and(|end: Timestamp| at < end),
            None => true,
        };
        begun && open
    });
    [
        (subject, "it is to somebody else"),
        (database, "it is on another database"),
        (within, "it did not hold at that time"),
    ]
    .into_iter()
    .filter_map(|(fits, problem)| (!fits).then_some(problem))
}

/// Whether a resource may hold the column; what a class holds, the log does not tell.
fn covers(resource: &str, column: &str) -> bool {
    resource == "*"
        || resource.starts_with("class:")
        || resource == column
        || column.strip_prefix(resource).is_some_and(|rest| rest.starts_with('.'))
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, time, session, statement, user, database, .. } = self;
        writeln!(
            f,
            "statement {statement} of session {session} (record {record}), by {user} on {database} \
             at {time}"
        )?;
        if !self.columns.is_empty() {
            writeln!(f, "  released {}", self.columns.join(", "))?;
        }
        if !self.lookups.is_empty() {
            writeln!(f, "  looked up {}", self.lookups.join(", "))?;
        }
        for problem in &self.problems {
            writeln!(f, "  BROKEN: {problem}")?;
        }
        for link in &self.links {
            write!(f, "{link}")?;
        }
        let verdict = if self.ok { "explained: every link holds" } else { "NOT explained" };
        write!(f, "  {verdict}")
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  under grant {}", self.grant)?;
        if let Some(record) = self.record {
            write!(
                f,
                " (record {record}): {} on {} to {}",
                self.actions.join(", "),
                self.resource,
                self.subject
            )?;
            if let (Some(begin), Some(end)) = (&self.not_before, &self.expires_at) {
                write!(f, ", from {begin} until {end}")?;
            }
        }
        writeln!(f)?;
        let reason = self.reason.as_deref().unwrap_or_default();
        match (self.way, self.request, &self.requester) {
            (Some(Way::Approvals | Way::Policy), Some(request), Some(requester)) => {
                writeln!(f, "    request {request} of {requester}: {reason}")?;
            }
            (Some(Way::Direct), _, Some(by)) => writeln!(f, "    granted by {by}: {reason}")?,
            (Some(Way::Standing), ..) => writeln!(f, "    standing: {reason}")?,
            (Some(Way::Approvals | Way::Policy | Way::Direct) | None, ..) => {}
        }
        if let Some(policy) = &self.policy {
            let alone =
                if self.way == Some(Way::Policy) { ", which needs no approval" } else { "" };
            writeln!(f, "    policy \"{policy}\"{alone}")?;
        }
        for said in &self.approvals {
            writeln!(f, "    {said}")?;
        }
        if let Some(ended) = &self.ended {
            writeln!(f, "    {ended}")?;
        }
        for problem in &self.problems {
            writeln!(f, "    BROKEN: {problem}")?;
        }
        match (&self.key, self.problems.as_slice()) {
            (Some(key), []) => writeln!(f, "    receipt valid (key {key})"),
            (Some(_) | None, _) => writeln!(f, "    receipt NOT valid"),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "approved by {} at {:.6}", self.by, self.at)?;
        match self.factor {
            None => {}
            Some(FactorKind::Totp) => write!(f, ", with a second factor")?,
            Some(FactorKind::Recovery) => write!(f, ", with a recovery code")?,
        }
        match self.own_key {
            None => Ok(()),
            Some(OwnKey::Checked) => write!(f, ", signed by their own key"),
            Some(OwnKey::Unchecked) => {
                write!(f, ", signed by a key of their own that was not checked")
            }
        }
    }
}
