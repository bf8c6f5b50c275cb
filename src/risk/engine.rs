//! The rules at work, one file for each thing that they look at.

mod access;
mod bursts;
mod grants;
mod logins;
mod volume;

use std::collections::BTreeMap;
use std::sync::Arc;

use memchr::memmem;

use super::person::{Person, Quiet};
use super::{Rule, Rules, Settings, Severity, Signal, State};
use crate::audit::{Decision, Kind, Record};
use crate::model::Timestamp;

/// Takes the records of a log in their order.
#[derive(Clone, Debug)]
pub struct Engine {
    rules: Arc<Rules>,
    state: State,
}

/// When and where a record is, in the zone of the rules.
#[derive(Clone, Copy)]
struct Moment {
    at: Timestamp,
    /// Days since 1970.
    day: i32,
    hour: u8,
    seq: u64,
}

/// A signal in the making.
struct Finding {
    rule: Rule,
    severity: Severity,
    since: Timestamp,
    figures: BTreeMap<&'static str, u64>,
    columns: Vec<String>,
    records: Vec<u64>,
}

/// Whether any rule wants to know of the line, told without reading all of it.
pub fn concerns(line: &[u8]) -> bool {
    let Some(kind) = Kind::of_line(line) else { return true };
    match kind {
        Kind::Release | Kind::Login | Kind::LoginFailed | Kind::Grant => true,
        // In values, quotation marks are escaped, so these are members.
        Kind::Statement => {
            const MEMBERS: [&[u8]; 3] =
                [b"\"pii_columns\":", b"\"decision\":\"refused\"", b"\"honey\":"];
            MEMBERS.iter().any(|member| memmem::find(line, member).is_some())
        }
        Kind::Signal
        | Kind::Logout
        | Kind::Explored
        | Kind::Configuration
        | Kind::Catalog
        | Kind::Repaired
        | Kind::Retired
        | Kind::Checkpoint
        | Kind::Lost
        | Kind::Started
        | Kind::Stopped
        | Kind::Other => false,
    }
}

impl Engine {
    /// Goes on with what is remembered.
    pub fn new(rules: Arc<Rules>, state: State) -> Self {
        Self { rules, state }
    }

    /// What is remembered now.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Goes by other rules from now on.
    pub fn replace(&mut self, rules: Arc<Rules>) {
        self.rules = rules;
    }

    /// The next record; what it makes known. Records in which [`concerns`] finds nothing change
    /// nothing, so they may be left out. What risk itself has put on record is none of them.
    pub fn take(&mut self, record: &Record) -> Vec<Signal> {
        let local = record.time.to_zoned(self.rules.zone.clone());
        let day = local.date().duration_since(jiff::civil::date(1970, 1, 1)).as_hours() / 24;
        let moment = Moment {
            at: record.time,
            day: i32::try_from(day).unwrap_or(i32::MAX),
            hour: u8::try_from(local.hour()).unwrap_or_default(),
            seq: record.seq,
        };
        match record.kind {
            Kind::Statement | Kind::Release => self.statement(record, moment),
            Kind::Login => {
                if let Some(name) = &record.user {
                    self.state.person(name, moment.at).seen(moment.at, moment.day, moment.hour);
                }
                Vec::new()
            }
            Kind::LoginFailed => self.login_failed(record, moment),
            Kind::Grant => self.grant(record, moment),
            Kind::Signal
            | Kind::Logout
            | Kind::Explored
            | Kind::Configuration
            | Kind::Catalog
            | Kind::Repaired
            | Kind::Retired
            | Kind::Checkpoint
            | Kind::Lost
            | Kind::Started
            | Kind::Stopped
            | Kind::Other => Vec::new(),
        }
    }

    fn statement(&mut self, record: &Record, moment: Moment) -> Vec<Signal> {
        let Some(name) = &record.user else { return Vec::new() };
        // What `concerns` looks for.
        let refused = record.decision == Some(Decision::Refused);
        let clear = record.pii_columns.is_empty() && record.honey.is_empty() && !refused;
        if record.kind == Kind::Statement && clear {
            return Vec::new();
        }
        let rules = Arc::clone(&self.rules);
        let mut findings = Vec::new();
        let raw = !(record.raw_columns.is_empty() && record.looked_up_columns.is_empty());
        let explained = raw && self.explains(record, name);
        let colleagues = self.colleagues(record);
        let person = self.state.person(name, moment.at);
        if !record.honey.is_empty() {
            findings.extend(access::honey(person, record, &rules, moment));
        }
        if raw {
            findings.extend(access::hour(person, rules.of(Rule::UnusualHour), moment));
            let touch = access::Touch { columns: &record.raw_columns, explained, colleagues };
            findings.extend(access::touch(person, touch, rules.of(Rule::FirstTouch), moment));
        }
        person.seen(moment.at, moment.day, moment.hour);
        if record.kind == Kind::Statement {
            findings.extend(bursts::statement(person, record, &rules, moment));
            findings.extend(volume::statement(person, record, &rules, moment));
        }
        let about = |finding| about(name, record, finding, moment);
        let signals = findings.into_iter().filter_map(|finding: Finding| {
            let settings = rules.of(finding.rule);
            let wanted =
                settings.concern(name, &record.groups) && finding.severity >= rules.severity_min;
            wanted.then(|| fold(person, finding, settings, moment)).flatten().map(about)
        });
        let signals = signals.collect();
        if raw {
            self.state.group_touches(&record.groups, &record.raw_columns);
        }
        signals
    }

    /// Columns of the record that colleagues have seen.
    fn colleagues(&self, record: &Record) -> Vec<String> {
        let known = |column: &&String| self.state.colleague_knows(&record.groups, column);
        record.raw_columns.iter().filter(known).cloned().collect()
    }

    /// Marks the grants that the record rests on as used; whether somebody else approved one.
    fn explains(&mut self, record: &Record, user: &str) -> bool {
        let mut explained = false;
        for id in &record.grants {
            if let Some(known) = self.state.grant(*id) {
                known.used = true;
                explained |= known.approvers.iter().any(|name| name != user);
            }
        }
        explained
    }
}

fn about(user: &str, record: &Record, finding: Finding, moment: Moment) -> Signal {
    Signal {
        rule: finding.rule,
        severity: finding.severity,
        user: Some(user.to_owned()),
        address: record.address,
        session: record.session,
        trigger: moment.seq,
        at: moment.at,
        since: finding.since,
        figures: finding.figures,
        columns: finding.columns,
        records: finding.records,
    }
}

/// The finding with what was folded into it, unless it is folded itself.
fn fold(
    person: &mut Person,
    mut finding: Finding,
    settings: &Settings,
    moment: Moment,
) -> Option<Finding> {
    let quiet = person.quiet().remove(&finding.rule);
    let (quiet, folded) = folded(quiet, settings, moment);
    person.quiet().insert(finding.rule, quiet);
    let folded = folded?;
    if folded > 0 {
        finding.figures.insert("folded", folded);
    }
    Some(finding)
}

/// The quiet time from now on; and how many were folded since the last signal, if this is one.
fn folded(before: Option<Quiet>, settings: &Settings, moment: Moment) -> (Quiet, Option<u64>) {
    match before {
        Some(quiet) if moment.at < quiet.until => {
            (Quiet { folded: quiet.folded.saturating_add(1), ..quiet }, None)
        }
        before => {
            let until = moment.at.checked_add(settings.quiet).unwrap_or(Timestamp::MAX);
            let folded = before.map_or(0, |quiet| quiet.folded);
            (Quiet { until, folded: 0 }, Some(folded))
        }
    }
}

/// Whether a user is known for as long as a rule wants to watch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habits {
    Known,
    Learned,
}

impl Habits {
    fn of(person: &Person, settings: &Settings, moment: Moment) -> Self {
        let known = person.first.checked_add(settings.learn).is_ok_and(|end| moment.at >= end);
        if known { Self::Known } else { Self::Learned }
    }
}

/// What is too many for a user whose highest was so many before. As long as habits are
/// only learned, it is more.
fn threshold(floor: u64, highest: u64, settings: &Settings, habits: Habits) -> u64 {
    let own = highest.saturating_mul(settings.factor);
    let floor = match habits {
        Habits::Known => floor,
        Habits::Learned => floor.saturating_mul(settings.factor),
    };
    floor.max(own)
}
