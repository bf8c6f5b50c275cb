//! Records as the log writes them, in the order of their times.

use std::sync::Arc;

use keyhole::audit::Record;
use keyhole::model::Timestamp;
use keyhole::risk::{Engine, Rules, Signal, State, concerns};
use serde_json::{Value, json};

/// A Monday, at midnight.
const BEGIN_SECS: i64 = 1_767_571_200;

pub(crate) fn day(number: i64) -> i64 {
    number * 86_400
}

pub(crate) fn hour(number: i64) -> i64 {
    number * 3_600
}

pub(crate) fn time(secs: i64) -> Timestamp {
    Timestamp::from_second(BEGIN_SECS + secs).unwrap()
}

/// Records to come; times are seconds since the beginning.
#[derive(Default)]
pub(crate) struct Script(Vec<(i64, &'static str, Value)>);

impl Script {
    pub(crate) fn add(&mut self, at: i64, kind: &'static str, members: Value) {
        self.0.push((at, kind, members));
    }

    pub(crate) fn login(&mut self, at: i64, user: &str, group: &str) {
        self.add(at, "login", json!({"session": 1, "user": user, "groups": [group]}));
    }

    pub(crate) fn login_failed(&mut self, at: i64, user: &str, address: &str) {
        let members = json!({"session": 1, "user": user, "address": address, "reason": "password"});
        self.add(at, "login_failed", members);
    }

    /// A statement's end; `more` overrides what is usual.
    pub(crate) fn statement(&mut self, at: i64, who: (&str, &str), more: Value) {
        let number = self.0.len();
        let mut members = json!({
            "session": 7, "statement": number, "user": who.0, "groups": [who.1],
            "database": "shop", "fingerprint": "f0", "decision": "computed", "rows": 1, "bytes": 40,
        });
        for (name, value) in more.as_object().unwrap() {
            members[name.as_str()] = value.clone();
        }
        self.add(at, "statement", members);
    }

    pub(crate) fn masked(&mut self, at: i64, who: (&str, &str), column: &str) {
        let more = json!({"pii_columns": [column], "masked_columns": [column]});
        self.statement(at, who, more);
    }

    /// A release and its statement.
    pub(crate) fn raw(&mut self, at: i64, who: (&str, &str), column: &str, more: Value) {
        let release = json!({
            "session": 7, "statement": self.0.len() + 1, "user": who.0, "groups": [who.1],
            "columns": [column], "grants": more["grants"],
        });
        self.add(at, "release", release);
        let mut members = more;
        members["pii_columns"] = json!([column]);
        members["raw_columns"] = json!([column]);
        members["decision"] = json!("raw");
        self.statement(at, who, members);
    }

    pub(crate) fn granted(&mut self, at: i64, grant: u64, subject: &str, approvers: &[&str]) {
        let members = json!({"step": "granted", "grant": grant, "subject": subject,
                             "approvers": approvers});
        self.add(at, "grant", members);
    }

    pub(crate) fn grant_ends(&mut self, at: i64, grant: u64) {
        self.add(at, "grant", json!({"step": "expired", "grant": grant}));
    }

    /// The lines, from that number on.
    pub(crate) fn lines(mut self, seq: u64) -> Vec<String> {
        self.0.sort_by_key(|(at, ..)| *at);
        let line = |(seq, (at, kind, members)): (u64, (i64, &str, Value))| {
            let at = time(at);
            let members = members.to_string();
            format!("{{\"seq\":{seq},\"time\":\"{at}\",\"kind\":\"{kind}\",{}", &members[1..])
        };
        (seq..).zip(self.0).map(line).collect()
    }
}

/// An engine that reads lines.
pub(crate) struct Reader {
    pub(crate) engine: Engine,
    pub(crate) seq: u64,
}

impl Reader {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { engine: Engine::new(Arc::new(rules), State::default()), seq: 1 }
    }

    pub(crate) fn read(&mut self, script: Script) -> Vec<Signal> {
        let lines = script.lines(self.seq);
        self.seq += lines.len() as u64;
        lines.iter().flat_map(|line| self.line(line)).collect()
    }

    pub(crate) fn line(&mut self, line: &str) -> Vec<Signal> {
        if !concerns(line.as_bytes()) {
            return Vec::new();
        }
        self.engine.take(&Record::of(line.as_bytes()).unwrap())
    }
}
