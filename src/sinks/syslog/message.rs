//! One message of RFC 5424.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::super::facts::Severity;
use crate::audit::Record;

/// The name of the structured data. Keyhole has no number of its own; this one is for examples
/// (RFC 5612), and so nobody else's.
const STRUCTURED: &str = "keyhole@32473";

const MACHINE_LEN_MAX: usize = 255;

/// What all messages say of who sends them.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    facility: u8,
    machine: String,
    process: u32,
}

impl Sender {
    pub(super) fn new(facility: u8, machine: &str) -> Self {
        let fits = (1..=MACHINE_LEN_MAX).contains(&machine.len())
            && machine.bytes().all(|byte| byte.is_ascii_graphic());
        let machine = if fits { machine } else { "-" }.to_owned();
        Self { facility, machine, process: std::process::id() }
    }

    pub(super) fn message(&self, log: &str, seq: u64, line: &[u8]) -> Vec<u8> {
        self.message_with(log, seq, line, line)
    }

    /// About the record `line`, with `text` in its place.
    pub(super) fn message_with(&self, log: &str, seq: u64, line: &[u8], text: &[u8]) -> Vec<u8> {
        let record = Record::of(line).ok();
        let severity = record.as_ref().map_or(Severity::Notice, Severity::of);
        let priority = u32::from(self.facility) * 8 + u32::from(severity.syslog());
        let time = record.as_ref().map_or("-".to_owned(), |it| format!("{:.6}", it.time));
        let kind = record.as_ref().map_or("-", |record| record.kind.as_str());
        let Self { machine, process, .. } = self;
        let mut head = format!("<{priority}>1 {time} {machine} keyhole {process} {kind} ");
        head.push_str(&structured(log, seq, record.as_ref()));
        head.push(' ');
        let mut message = head.into_bytes();
        message.extend_from_slice(text);
        message
    }
}

/// Few members: the message has all.
fn structured(log: &str, seq: u64, record: Option<&Record>) -> String {
    let mut text = format!("[{STRUCTURED} log=\"{log}\" seq=\"{seq}\"");
    let mut add = |name: &str, value: Option<&str>| {
        let Some(value) = value else { return };
        text.push(' ');
        text.push_str(name);
        text.push_str("=\"");
        for c in value.chars() {
            if matches!(c, '"' | '\\' | ']') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    };
    if let Some(record) = record {
        let decision = record.decision.and_then(|it| serde_json::to_value(it).ok());
        add("user", record.user.as_deref());
        add("database", record.database.as_deref());
        add("decision", decision.as_ref().and_then(Value::as_str));
        add("sqlstate", record.sqlstate.as_deref());
        add("step", record.step.as_deref());
    }
    text.push(']');
    text
}

/// What is kept of a record that is too long, as long as it fits.
const MATTERS: [&str; 27] = [
    "seq",
    "time",
    "kind",
    "session",
    "statement",
    "user",
    "database",
    "decision",
    "step",
    "request",
    "grant",
    "grants",
    "sqlstate",
    "hash",
    "fingerprint",
    "address",
    "application",
    "subject",
    "by",
    "resources",
    "actions",
    "raw_columns",
    "columns",
    "looked_up_columns",
    "lookups",
    "rows",
    "duration_us",
];

/// Room for what says that something is missing.
const NOTE_LEN: usize = 48;

/// A JSON object of at most `room` bytes with the members that matter, `cut`: how many are missing,
/// and `len`: how long all of the record is. A room of fewer than [`NOTE_LEN`] bytes holds just
/// these two.
pub(super) fn cut_to(line: &[u8], room: usize) -> Vec<u8> {
    let members: Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
    let mut text = String::from("{");
    let mut kept = 0;
    for key in MATTERS {
        let Some(value) = members.get(key) else { continue };
        let member = format!("\"{key}\":{value},");
        if text.len() + member.len() + NOTE_LEN <= room {
            text.push_str(&member);
            kept += 1;
        }
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "\"cut\":{},\"len\":{}}}", members.len() - kept, line.len());
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With another process's number, everything in a message is known.
    fn sender(machine: &str) -> Sender {
        Sender { process: 42, ..Sender::new(16, machine) }
    }

    fn message(machine: &str, line: &str) -> String {
        String::from_utf8(sender(machine).message("0f", 7, line.as_bytes())).unwrap()
    }

    #[test]
    fn messages_are_of_rfc_5424() {
        let line = r#"{"seq":7,"time":"2026-01-02T03:04:05.000006Z","kind":"statement","user":"al\"i]c\\e","database":"shop","text":"SELECT ?","decision":"refused","sqlstate":"42501"}"#;
        assert_eq!(
            message("db1.example.com", line),
            format!(
                "<132>1 2026-01-02T03:04:05.000006Z db1.example.com keyhole 42 statement \
                 [keyhole@32473 log=\"0f\" seq=\"7\" user=\"al\\\"i\\]c\\\\e\" database=\"shop\" \
                 decision=\"refused\" sqlstate=\"42501\"] {line}"
            )
        );
        let login = r#"{"seq":7,"time":"2026-01-02T03:04:05Z","kind":"login","user":"alice"}"#;
        assert_eq!(
            message("", login),
            format!(
                "<134>1 2026-01-02T03:04:05.000000Z - keyhole 42 login \
                 [keyhole@32473 log=\"0f\" seq=\"7\" user=\"alice\"] {login}"
            )
        );
        assert_eq!(
            message("two words", "{}"),
            "<133>1 - - keyhole 42 - [keyhole@32473 log=\"0f\" seq=\"7\"] {}"
        );
    }

    #[test]
    fn what_is_too_long_keeps_what_matters_and_says_so() {
        let text = "x".repeat(5_000);
        let line = format!(
            r#"{{"seq":7,"time":"2026-01-02T03:04:05Z","kind":"statement","user":"alice","text":"{text}","decision":"raw","prev":"p","hash":"h"}}"#
        );
        for room in [0, 10, 60, 100, 200, 1_000] {
            let cut = cut_to(line.as_bytes(), room);
            assert!(cut.len() <= room.max(NOTE_LEN), "{room}: {}", cut.len());
            let value: Value = serde_json::from_slice(&cut).unwrap();
            assert_eq!(value["len"], line.len(), "{room}");
            let kept = value.as_object().unwrap().len() as u64 - 2;
            assert_eq!(value["cut"], 8 - kept, "{room}");
            assert!(value["text"].is_null());
        }
        let cut: Value = serde_json::from_slice(&cut_to(line.as_bytes(), 1_000)).unwrap();
        assert_eq!(
            (&cut["user"], &cut["decision"], &cut["cut"]),
            (&"alice".into(), &"raw".into(), &2.into())
        );
    }
}
