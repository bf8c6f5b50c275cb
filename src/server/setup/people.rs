//! Who somebody is after the login: what the configuration says of the name, and what the login
//! brought.

use std::collections::{BTreeSet, HashMap};

use crate::auth::Authenticated;
use crate::config::Config;
use crate::grant::Subject;
use crate::model::{ROLE_DDL as DDL, User};

use super::Definers;

/// The people of a configuration.
pub(super) struct People {
    /// Without the roles of their groups.
    users: HashMap<String, User>,
    roles_by_group: HashMap<String, Vec<String>>,
}

impl People {
    pub(super) fn of(config: &Config) -> Self {
        let users = config.users.iter().map(|user| (user.name.clone(), user.principal()));
        let groups = config.groups.iter().map(|group| {
            let roles = group.roles.iter().map(|role| role.as_str().to_owned());
            (group.name.clone(), roles.collect())
        });
        Self { users: users.collect(), roles_by_group: groups.collect() }
    }

    /// The configured user of that name.
    pub(super) fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    pub(super) fn roles_of(&self, group: &str) -> &[String] {
        self.roles_by_group.get(group).map_or(&[], Vec::as_slice)
    }

    /// Whether anybody, or any group, has the role `ddl`.
    pub(super) fn definers(&self) -> Definers {
        let by_users = self.users.values().any(|user| user.has_role(DDL));
        let by_groups = self.roles_by_group.values().flatten().any(|role| role == DDL);
        if by_users || by_groups { Definers::Some } else { Definers::None }
    }

    /// Who has that name, and brought these groups to their login.
    pub(super) fn named(&self, name: &str, groups: &[String]) -> User {
        let base = self.users.get(name).cloned().unwrap_or_else(|| User::nobody(name));
        self.complete(base, groups)
    }

    /// The user that a login is about; None: nobody.
    pub(super) fn person(&self, login: &Authenticated) -> Option<User> {
        let base = match self.users.get(&**login.user()) {
            Some(user) => user.clone(),
            None if login.proves_person() && is_name(login.user()) => User::nobody(login.user()),
            None => return None,
        };
        Some(self.complete(base, login.groups()))
    }

    /// The user with the groups of the login, too, and the roles of all groups.
    fn complete(&self, base: User, groups: &[String]) -> User {
        let groups: BTreeSet<String> = base.groups.iter().chain(groups).cloned().collect();
        let lent = groups.iter().flat_map(|group| self.roles_of(group));
        let roles: BTreeSet<String> = base.roles.iter().chain(lent).cloned().collect();
        User {
            name: base.name,
            groups: groups.into_iter().collect(),
            roles: roles.into_iter().collect(),
        }
    }
}

/// Whether grants can be about somebody of that name: neither `*` nor `group:NAME`.
fn is_name(name: &str) -> bool {
    Subject::parse(name).is_ok_and(|subject| subject == Subject::User(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, groups: &[&str], roles: &[&str]) -> User {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        User { name: name.into(), groups: list(groups), roles: list(roles) }
    }

    fn people() -> People {
        let alice = user("alice", &["support"], &["ddl"]);
        People {
            users: HashMap::from([("alice".to_owned(), alice)]),
            roles_by_group: HashMap::from([("dba".to_owned(), vec!["control".to_owned()])]),
        }
    }

    #[test]
    fn what_a_login_brings_is_added_to_what_the_configuration_says() {
        let people = people();
        let alice = people.user("alice").unwrap().clone();
        let brought = ["dba".to_owned(), "support".to_owned()];
        let expected = user("alice", &["dba", "support"], &["control", "ddl"]);
        assert_eq!(people.complete(alice.clone(), &brought), expected);
        assert_eq!(people.complete(alice.clone(), &[]), alice);
        let stranger = people.complete(User::nobody("zoe"), &["dba".to_owned()]);
        assert_eq!(stranger, user("zoe", &["dba"], &["control"]));
    }

    #[test]
    fn nobody_is_called_like_a_group() {
        for (name, fits) in
            [("zoe", true), ("zoe@example.com", true), ("*", false), ("group:dba", false)]
        {
            assert_eq!(is_name(name), fits, "{name}");
        }
    }
}
