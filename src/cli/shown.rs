//! What the API answers, for people to read.

use serde_json::Value;

use super::api::Connection;
use super::say;
use crate::model::misleads;

/// A kind of thing that is shown: by these of its fields, where there are many of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown(&'static [&'static str]);

pub(super) const REQUEST: Shown = Shown(&[
    "id",
    "state",
    "requester",
    "database",
    "resource",
    "actions",
    "rows",
    "duration",
    "reason",
    "grant",
]);

pub(super) const GRANT: Shown = Shown(&[
    "id",
    "state",
    "subject",
    "database",
    "resource",
    "actions",
    "rows",
    "expires_at",
    "reason",
]);

pub(super) const SESSION: Shown = Shown(&[
    "id",
    "user",
    "database",
    "address",
    "application",
    "state",
    "since",
    "statements",
    "raw_columns",
    "grants",
]);

pub(super) const RESTRICTION: Shown =
    Shown(&["user", "restriction", "since", "until", "by", "reason"]);

pub(super) const DATABASE: Shown =
    Shown(&["name", "upstream", "server_version", "catalogued_columns", "relations"]);

pub(super) const COLUMN: Shown =
    Shown(&["database", "schema", "table", "column", "class", "hiding", "sensitivity", "upstream"]);

pub(super) const POLICY: Shown = Shown(&[
    "position",
    "name",
    "subjects",
    "resources",
    "actions",
    "max_duration",
    "approvals",
    "approvers",
    "urgency",
]);

pub(super) const SINK: Shown = Shown(&[
    "name",
    "kind",
    "state",
    "records",
    "behind_records",
    "behind_seconds",
    "delivered",
    "failures",
    "refused",
    "missed",
]);

pub(super) const WHOEVER: Shown = Shown(&["user", "groups", "roles", "policies", "restriction"]);

impl Shown {
    /// One object: as it is, or a line per field that says something.
    pub(super) fn one(self, connection: &Connection, object: &Value) {
        if connection.json {
            return say(object);
        }
        let Value::Object(fields) = object else { return say(object) };
        let width = fields.keys().map(String::len).max().unwrap_or_default();
        for (name, value) in fields {
            let text = words(value);
            if !text.is_empty() {
                say(format_args!("{name:width$}  {text}"));
            }
        }
    }

    /// A list: one object per line, or a table.
    pub(super) fn list(self, connection: &Connection, list: &[Value]) {
        if connection.json { list.iter().for_each(say) } else { self.table(list) }
    }

    pub(super) fn table(self, list: &[Value]) {
        let Self(columns) = self;
        let cells = |object: &Value| columns.iter().map(|name| words(&object[*name])).collect();
        let rows: Vec<Vec<String>> = list.iter().map(cells).collect();
        let widths: Vec<usize> = columns
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let longest = rows.iter().map(|row| row[at].chars().count()).max();
                longest.unwrap_or_default().max(name.len())
            })
            .collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let names: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        say(line(&names));
        rows.iter().for_each(|row| say(line(row)));
    }
}

/// A value in words; nothing for what says nothing. Lines of its own are made of nothing that
/// somebody wrote.
pub(super) fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.chars().map(|c| if misleads(c) { ' ' } else { c }).collect(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let said = fields.iter().map(|(name, value)| (name, words(value)));
            let said = said.filter(|(_, text)| !text.is_empty());
            said.map(|(name, text)| format!("{name} {text}")).collect::<Vec<_>>().join(", ")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_somebody_wrote_stays_on_its_line() {
        assert_eq!(words(&json!("a\nb\u{1b}[2J\u{202e}c")), "a b [2J c");
        assert_eq!(words(&json!({ "max_rows": 3, "unused": null })), "max_rows 3");
        assert_eq!(words(&json!(["a", "b"])), "a, b");
    }
}
