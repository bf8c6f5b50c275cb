use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::show_duration;

/// How far a grant reaches. Each field that is set narrows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Result rows with raw values, over all statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rows: Option<u64>,
    /// Statements that show or look up raw values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u64>,
    /// Different people (rows of different subject keys) whose values are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_subjects: Option<u64>,
    /// Without a use for so long, the grant ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unused: Option<Duration>,
}

impl Limits {
    /// Whether anybody has to count.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The narrower of both, field by field.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
            match (one, other) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            }
        }
        Self {
            max_rows: least(self.max_rows, other.max_rows),
            max_uses: least(self.max_uses, other.max_uses),
            max_subjects: least(self.max_subjects, other.max_subjects),
            unused: least(self.unused, other.unused),
        }
    }
}

/// `at most 10 rows, 3 uses`; nothing where there are no limits.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted =
            [(self.max_rows, "rows"), (self.max_uses, "uses"), (self.max_subjects, "subjects")];
        let mut parts: Vec<String> = counted
            .iter()
            .filter_map(|(limit, what)| limit.map(|limit| format!("at most {limit} {what}")))
            .collect();
        parts.extend(self.unused.map(|span| format!("ends unused for {}", show_duration(span))));
        f.write_str(&parts.join(", "))
    }
}

/// From when a grant's time runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runs {
    /// From its approval, or from the moment it was asked for.
    #[default]
    FromApproval,
    /// From the first statement that uses it.
    FromFirstUse,
}

impl Runs {
    pub fn is_from_approval(&self) -> bool {
        *self == Self::FromApproval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_limit_counts() {
        let one = Limits { max_rows: Some(5), max_uses: Some(9), ..Limits::default() };
        let other = Limits { max_rows: Some(7), max_subjects: Some(1), ..Limits::default() };
        let both = one.and(other);
        assert_eq!(both, other.and(one));
        assert_eq!(both.to_string(), "at most 5 rows, at most 9 uses, at most 1 subjects");
        assert!(Limits::default().is_none() && !both.is_none());
        assert_eq!(serde_json::to_string(&Limits::default()).unwrap(), "{}");
    }
}
