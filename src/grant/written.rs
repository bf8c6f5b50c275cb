use serde::{Deserialize, Deserializer};

use super::ask::invalid;
use super::{Action, Actions, Ask, Limits, Runs, Urgency};
use crate::model::{Report, Timestamp, parse_duration};

/// An [`Ask`] in words, as it comes from a session, the command line or the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AskText {
    pub resource: String,
    /// `30 minutes`
    pub duration: String,
    pub reason: String,
    /// `read, export`; nothing: `read`.
    pub actions: Option<String>,
    /// `id = 42`
    pub rows: Option<String>,
    pub ticket: Option<String>,
    /// `2026-01-31 09:00+01`
    pub starting: Option<String>,
    #[serde(deserialize_with = "scalar")]
    pub max_rows: Option<String>,
    #[serde(deserialize_with = "scalar")]
    pub max_uses: Option<String>,
    #[serde(deserialize_with = "scalar")]
    pub max_subjects: Option<String>,
    /// `10 minutes`
    pub unused: Option<String>,
    #[serde(deserialize_with = "scalar")]
    pub first_use: Option<String>,
    #[serde(deserialize_with = "scalar")]
    pub break_glass: Option<String>,
}

/// A number or a boolean as JSON has it, or as text.
fn scalar<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Scalar {
        Text(String),
        Number(u64),
        Bool(bool),
    }
    Ok(Option::deserialize(from)?.map(|scalar| match scalar {
        Scalar::Text(text) => text,
        Scalar::Number(number) => number.to_string(),
        Scalar::Bool(said) => said.to_string(),
    }))
}

impl AskText {
    /// The field of that name; None: there is none.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "actions" => Some(&mut self.actions),
            "rows" => Some(&mut self.rows),
            "ticket" => Some(&mut self.ticket),
            "starting" => Some(&mut self.starting),
            "max_rows" => Some(&mut self.max_rows),
            "max_uses" => Some(&mut self.max_uses),
            "max_subjects" => Some(&mut self.max_subjects),
            "unused" => Some(&mut self.unused),
            "first_use" => Some(&mut self.first_use),
            "break_glass" => Some(&mut self.break_glass),
            _ => None,
        }
    }

    /// What the words mean.
    ///
    /// # Errors
    /// The report says which cannot be read.
    pub fn read(&self) -> Result<Ask, Report> {
        let duration =
            parse_duration(&self.duration).map_err(|error| invalid(error.to_string()))?;
        let starting = self.starting.as_deref().map(|text| {
            text.parse::<Timestamp>().map_err(|_| {
                invalid("starting needs a date, a time and an offset: '2026-01-31 09:00+01'")
            })
        });
        let unused = self
            .unused
            .as_deref()
            .map(|text| parse_duration(text).map_err(|error| invalid(format!("unused: {error}"))));
        let limits = Limits {
            max_rows: number("max_rows", self.max_rows.as_deref())?,
            max_uses: number("max_uses", self.max_uses.as_deref())?,
            max_subjects: number("max_subjects", self.max_subjects.as_deref())?,
            unused: unused.transpose()?,
        };
        Ok(Ask {
            resource: self.resource.trim().to_owned(),
            actions: self.actions.as_deref().map_or(Ok(Actions::READ), actions)?,
            duration,
            rows: self.rows.clone(),
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            not_before: starting.transpose()?,
            limits,
            runs: match yes("first_use", self.first_use.as_deref())? {
                Said::Yes => Runs::FromFirstUse,
                Said::No => Runs::FromApproval,
            },
            urgency: match yes("break_glass", self.break_glass.as_deref())? {
                Said::Yes => Urgency::BreakGlass,
                Said::No => Urgency::Ordinary,
            },
        })
    }
}

/// The answer to a question of yes and no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    Yes,
    No,
}

/// Reads a boolean as PostgreSQL writes it; nothing is no.
///
/// # Errors
/// The report names the field.
pub fn yes(name: &str, text: Option<&str>) -> Result<Said, Report> {
    match text.map(str::trim).map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "false" | "f" | "no" | "off" | "0") => Ok(Said::No),
        Some("true" | "t" | "yes" | "on" | "1") => Ok(Said::Yes),
        Some(_) => Err(invalid(format!("{name} is true or false"))),
    }
}

fn actions(text: &str) -> Result<Actions, Report> {
    let read = |word: &str| {
        Action::parse(word.trim())
            .ok_or_else(|| invalid("actions are read, lookup, write and export, with commas"))
    };
    text.split(',').map(read).collect()
}

fn number(name: &str, text: Option<&str>) -> Result<Option<u64>, Report> {
    let read = |text: &str| {
        text.trim().parse().map_err(|_| invalid(format!("{name} is a number, such as 10")))
    };
    text.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(field: &str, value: &str) -> Result<Ask, Report> {
        let mut text = AskText {
            resource: "customers.email".into(),
            duration: "30 minutes".into(),
            reason: "INC-42".into(),
            ..AskText::default()
        };
        *text.field_mut(field).unwrap() = Some(value.to_owned());
        text.read()
    }

    #[test]
    fn every_word_has_its_meaning() {
        assert_eq!(asked("actions", "read, EXPORT").unwrap().actions.to_string(), "read, export");
        assert_eq!(asked("max_rows", "10").unwrap().limits.max_rows, Some(10));
        assert_eq!(asked("first_use", "t").unwrap().runs, Runs::FromFirstUse);
        assert_eq!(asked("break_glass", "false").unwrap().urgency, Urgency::Ordinary);
        assert!(asked("starting", "2026-01-31 09:00+01").unwrap().not_before.is_some());
        for (field, wrong) in [
            ("actions", "read, delete"),
            ("actions", ""),
            ("max_rows", "-1"),
            ("max_uses", "many"),
            ("first_use", "maybe"),
            ("starting", "tomorrow"),
            ("unused", "10"),
        ] {
            let error = asked(field, wrong).unwrap_err();
            assert_eq!(error.state, crate::model::SqlState::INVALID_PARAMETER_VALUE, "{field}");
        }
        assert!(AskText::default().field_mut("subject").is_none());
    }
}
