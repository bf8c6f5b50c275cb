//! From the names that a certificate or the operating system proves to those of users, as with
//! pg_ident.conf.

use regex::Regex;

/// Which users somebody may be. Empty: only the one of the same name.
#[derive(Clone, Debug, Default)]
pub struct IdentityMap {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Matches whole identities only.
    pattern: Regex,
    /// May hold `\1`.
    user: String,
}

/// What stands for the pattern's first group in a user's name.
const GROUP: &str = "\\1";

impl PartialEq for IdentityMap {
    fn eq(&self, other: &Self) -> bool {
        let text = |entry: &Entry| (entry.pattern.as_str().to_owned(), entry.user.clone());
        self.entries.iter().map(text).eq(other.entries.iter().map(text))
    }
}

impl Eq for IdentityMap {}

impl IdentityMap {
    /// Adds: whoever's identity the regular expression matches from its beginning to its end may
    /// be `user`.
    ///
    /// # Errors
    /// What is wrong with the expression.
    pub(super) fn add(&mut self, identity: &str, user: &str) -> Result<(), String> {
        let pattern = Regex::new(&format!("\\A(?:{identity})\\z")).map_err(|error| {
            // The error is a drawing of several lines; the last one says it.
            error.to_string().lines().last().unwrap_or_default().to_owned()
        })?;
        if user.contains(GROUP) && pattern.captures_len() < 2 {
            return Err(format!("user has {GROUP}, but identity has no group"));
        }
        self.entries.push(Entry { pattern, user: user.to_owned() });
        Ok(())
    }

    /// Whether somebody who has proven to be `identity` may be `user`.
    pub fn allows(&self, identity: &str, user: &str) -> bool {
        self.users(identity).iter().any(|own| own == user)
    }

    /// All users that somebody may be who has proven to be `identity`.
    pub fn users(&self, identity: &str) -> Vec<String> {
        let user = |entry: &Entry| {
            let found = entry.pattern.captures(identity)?;
            let group = found.get(1).map_or("", |group| group.as_str());
            Some(entry.user.replace(GROUP, group))
        };
        match &self.entries[..] {
            [] => vec![identity.to_owned()],
            entries => entries.iter().filter_map(user).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> IdentityMap {
        let mut map = IdentityMap::default();
        for (identity, user) in entries {
            map.add(identity, user).unwrap();
        }
        map
    }

    #[test]
    fn without_a_map_names_are_equal() {
        assert!(map(&[]).allows("alice", "alice"));
        for (identity, user) in [("alice", "Alice"), ("alice", "bob"), ("alice ", "alice")] {
            assert!(!map(&[]).allows(identity, user), "{identity} {user}");
        }
    }

    #[test]
    fn a_map_says_who_may_be_whom() {
        let map = map(&[("(.*)@example\\.com", "\\1"), ("root|admin", "dora")]);
        for (identity, user, allowed) in [
            ("alice@example.com", "alice", true),
            ("alice@example.com", "alice@example.com", false),
            ("alice@example.com.evil.org", "alice", false),
            ("x\nalice@example.com", "alice", false),
            ("alice@example_com", "alice", false),
            ("admin", "dora", true),
            ("root", "dora", true),
            ("administrator", "dora", false),
            ("xroot", "dora", false),
            ("alice", "alice", false),
        ] {
            assert_eq!(map.allows(identity, user), allowed, "{identity} {user}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut map = IdentityMap::default();
        assert!(map.add("(", "x").is_err());
        assert!(map.add("a.*", "\\1").is_err());
        assert_eq!(map, IdentityMap::default());
    }
}
