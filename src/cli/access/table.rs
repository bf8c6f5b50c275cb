//! Requests and grants for people to read.

use serde_json::Value;

use crate::cli::api::Connection;
use crate::cli::say;

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    Request,
    Grant,
}

const REQUEST: &[&str] = &[
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
];
const GRANT: &[&str] =
    &["id", "state", "subject", "database", "resource", "actions", "rows", "expires_at", "reason"];

impl Shown {
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Request => REQUEST,
            Self::Grant => GRANT,
        }
    }

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
        if connection.json {
            return list.iter().for_each(say);
        }
        let columns = self.columns();
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
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
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
        assert_eq!(words(&json!("a\nb\u{1b}[2J")), "a b [2J");
        assert_eq!(words(&json!({ "max_rows": 3, "unused": null })), "max_rows 3");
        assert_eq!(words(&json!(["a", "b"])), "a, b");
    }
}
