use std::fmt;

use serde::{Deserialize, Serialize};

use super::Action;

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<Action>", into = "Vec<Action>")]
pub struct Actions(u8);

impl Actions {
    pub const READ: Self = Self(Action::Read.bit());

    pub fn contains(self, action: Action) -> bool {
        self.0 & action.bit() != 0
    }

    pub fn is_subset(self, of: Self) -> bool {
        self.0 & !of.0 == 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::EVERY.into_iter().filter(move |action| self.contains(*action))
    }
}

impl Action {
    /// All of them, in the order in which they are shown.
    pub const EVERY: [Self; 4] = [Self::Read, Self::Lookup, Self::Write, Self::Export];

    /// The word in configuration and on the console.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Lookup => "lookup",
            Self::Write => "write",
            Self::Export => "export",
        }
    }

    /// The action of that name, in upper or lower case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|action| action.as_str().eq_ignore_ascii_case(word))
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        Self(actions.into_iter().fold(0, |bits, action| bits | action.bit()))
    }
}

impl From<Vec<Action>> for Actions {
    fn from(actions: Vec<Action>) -> Self {
        actions.into_iter().collect()
    }
}

impl From<Actions> for Vec<Action> {
    fn from(actions: Actions) -> Self {
        actions.iter().collect()
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, action) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", action.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_a_set_of_words() {
        let some: Actions = [Action::Export, Action::Read, Action::Read].into_iter().collect();
        assert_eq!(some.to_string(), "read, export");
        assert!(Actions::READ.is_subset(some) && !some.is_subset(Actions::READ));
        assert_eq!(serde_json::to_string(&some).unwrap(), r#"["read","export"]"#);
        assert_eq!(Action::parse("LookUp"), Some(Action::Lookup));
        assert_eq!(Action::parse("delete"), None);
    }
}
