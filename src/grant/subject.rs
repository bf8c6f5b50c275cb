use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::User;

/// Who may: written `alice`, `group:support`, `*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    User(String),
    Group(String),
    Anyone,
}

/// A subject that could not be read.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum SubjectError {
    #[error("a subject is a user, group:name, or *")]
    Empty,
    #[error("a subject has no blanks or control characters at its ends or within")]
    Shape,
}

impl Subject {
    /// Reads the written form.
    ///
    /// # Errors
    /// [`SubjectError`] for an empty name or one with blanks or control characters.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        let (name, of): (&str, fn(String) -> Self) = match text.strip_prefix("group:") {
            Some(group) => (group, Self::Group),
            None if text == "*" => return Ok(Self::Anyone),
            None => (text, Self::User),
        };
        if name.is_empty() {
            return Err(SubjectError::Empty);
        }
        if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(SubjectError::Shape);
        }
        Ok(of(name.to_owned()))
    }

    pub fn includes(&self, user: &User) -> bool {
        match self {
            Self::User(name) => **name == *user.name,
            Self::Group(group) => user.in_group(group),
            Self::Anyone => true,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => f.write_str(name),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Anyone => f.write_str("*"),
        }
    }
}

impl TryFrom<String> for Subject {
    type Error = SubjectError;

    fn try_from(text: String) -> Result<Self, SubjectError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_read_as_they_are_written() {
        for text in ["alice", "group:support", "*"] {
            assert_eq!(Subject::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Subject::parse("group:"), Err(SubjectError::Empty));
        assert_eq!(Subject::parse(""), Err(SubjectError::Empty));
        assert_eq!(Subject::parse(" alice"), Err(SubjectError::Shape));
    }

    #[test]
    fn a_user_called_star_is_stored_as_a_user() {
        let stored = serde_json::to_string(&Subject::User("*".into())).unwrap();
        assert_eq!(serde_json::from_str::<Subject>(&stored).unwrap(), Subject::User("*".into()));
    }
}
