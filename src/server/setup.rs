//! What a configuration means for the running process: certificates read, verifiers made, policies
//! resolved. Built aside and swapped whole.

mod channels;
mod identity;
mod logins;
mod people;
mod served;
mod sinks;
mod stored;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::analysis::sensitive::{Unclassified, Watch};
use crate::audit::plain_name;
use crate::auth::token::MachineToken;
use crate::auth::{Authenticated, Lasting, rules};
use crate::catalog::Catalog;
use crate::config::{
    Config, DatabaseName, DiscoveryConfig, Enforcement, EnforcementMode, Persist, UpstreamUrl,
    Writes,
};
use crate::decision::{self, Rules};
use crate::grant::{Policies, Standing};
use crate::model::{Secret, User};
use crate::store::approvals::Location;
use crate::upstream::connect::Target;
pub(super) use channels::Plan as ChannelPlan;
use identity::Identity;
use people::People;
use served::Served;
pub(super) use served::{Accounts, NoAccount};
pub(super) use sinks::Plan as SinkPlan;

/// A configuration in force.
pub(super) struct Setup {
    pub(super) config: Config,
    /// How clients log in, on either port.
    pub(super) rules: rules::Rules,
    pub(super) policies: Policies,
    pub(super) standing: Vec<Standing>,
    /// Who is told of requests and grants.
    pub(super) channels: Vec<ChannelPlan>,
    /// Where else the records of the audit log go.
    pub(super) sinks: Vec<SinkPlan>,
    /// Where requests and grants are kept.
    pub(super) store: Location,
    /// When the ports' certificate ends, in seconds since 1970.
    pub(super) certificate_end: Option<i64>,
    identity: Identity,
    /// What machines sign in with on the control port.
    pub(super) tokens: Arc<[MachineToken]>,
    /// SHA-256 of the configuration file, in hexadecimal digits.
    pub(super) digest: String,
    people: People,
    served: Vec<Served>,
}

/// How long a database's world is kept up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upkeep {
    Always,
    /// Only while it has sessions: `*` serves whatever is there, and that may be dropped again.
    WhileUsed,
}

/// Whether anybody has the role `ddl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Definers {
    None,
    Some,
}

/// All that the world of one database is made from, except its schema.
#[derive(Clone)]
pub(super) struct Spec {
    /// As clients name it.
    pub(super) name: Arc<str>,
    /// As whom the schema is read.
    pub(super) target: Arc<Target>,
    /// As whom sessions run.
    pub(super) accounts: Arc<Accounts>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) rules: Rules,
    pub(super) unclassified: Unclassified,
    pub(super) watch: Watch,
    pub(super) definers: Definers,
    /// How often its schema is read again.
    pub(super) refresh: Duration,
    /// What is looked at beside the schema.
    pub(super) discovery: DiscoveryConfig,
    pub(super) upkeep: Upkeep,
}

/// Where a URL leads.
pub(super) fn target_of(url: &UpstreamUrl, password: Option<Secret>) -> Result<Target, String> {
    served::target(url, served::servers(url), password)
}

impl Setup {
    /// Reads certificates and derives verifiers, which takes milliseconds for each user. Blocks.
    ///
    /// # Errors
    /// One line for each problem.
    pub(super) fn build(
        config: Config,
        lasting: &Lasting,
        before: Option<&Self>,
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut collect = |problem: String| problems.push(problem);
        let views = config.catalog_views();
        let policies = config.grant_policies(&views).map_err(|error| collect(error.to_string()));
        let standing = config.grant_standing(&views).map_err(|error| collect(error.to_string()));
        let before = before.map(|before| &before.identity);
        let identity = Identity::new(&config, &lasting.clock, before);
        let rules = |identity| logins::rules(&config, lasting, identity);
        let list = identity.as_ref().map_err(String::clone).and_then(rules).map_err(&mut collect);
        let tls = logins::tls(config.data.tls.as_ref()).map_err(&mut collect);
        let served: Result<Vec<_>, _> = config.databases.iter().map(Served::new).collect();
        let served = served.map_err(&mut collect);
        let channels = channels::plans(&config).map_err(&mut collect);
        let sinks = sinks::plans(&config).map_err(&mut collect);
        let store = stored::location(&config.store).map_err(&mut collect);
        let digest = fs::read(&config.path)
            .map(|bytes| hex(&Sha256::digest(bytes)))
            .map_err(|error| collect(format!("{}: {error}", config.path.display())));
        // What is wrong with the identity is among the problems by the list.
        let logins = list.and_then(|list| Ok((identity.map_err(drop)?, list)));
        let tls_and_logins = tls.and_then(|tls| Ok((tls, logins?)));
        let served = served.and_then(|served| Ok((served, store?, channels?, sinks?)));
        let (
            Ok(policies),
            Ok(standing),
            Ok(ready),
            Ok((served, store, channels, sinks)),
            Ok(digest),
        ) = (policies, standing, tls_and_logins, served, digest)
        else {
            return Err(problems);
        };
        let (encryption, (identity, list)) = ready;
        let logins::Encryption { tls, end_point, end } = encryption;
        let rules = rules::Rules {
            tls,
            end_point,
            list,
            groups: logins::groups(&config),
            database: None,
            limit: config.data.login_timeout,
            throttle: Arc::clone(&lasting.throttle),
        };
        let people = People::of(&config);
        let tokens = logins::tokens(&config);
        Ok(Self {
            config,
            tokens,
            rules,
            policies,
            standing,
            channels,
            sinks,
            store,
            certificate_end: end,
            identity,
            digest,
            people,
            served,
        })
    }

    /// The user that a login is about; None: nobody whom this configuration knows.
    pub(super) fn person(&self, login: &Authenticated) -> Option<User> {
        self.people.person(login)
    }

    /// Who failed to log in, as records tell it: names that nobody has are not written down, as
    /// people type passwords in their place. Where a directory knows the names, one that looks like
    /// a name is.
    pub(super) fn claimed(&self, user: &str, method: &str) -> String {
        let by_directory = !matches!(method, "scram" | "trust" | "reject" | "token" | "session");
        match self.user(user) {
            Some(_) => user.to_owned(),
            None if by_directory => plain_name(user).into_owned(),
            None => "?".to_owned(),
        }
    }

    /// The database that was asked for, likewise.
    pub(super) fn claimed_database(&self, name: &str) -> String {
        match self.spec(name) {
            Some(_) if self.names().any(|own| own == name) => name.to_owned(),
            Some(_) => plain_name(name).into_owned(),
            None => "?".to_owned(),
        }
    }

    /// The configured user of that name.
    pub(super) fn user(&self, name: &str) -> Option<&User> {
        self.people.user(name)
    }

    /// Who has that name, whether configured or not, and brought these groups to their login.
    pub(super) fn named(&self, name: &str, groups: &[String]) -> User {
        self.people.named(name, groups)
    }

    /// What everybody in the group may do.
    pub(super) fn roles_of(&self, group: &str) -> &[String] {
        self.people.roles_of(group)
    }

    /// Logs what is served and should still be looked at.
    pub(super) fn warn(&self) {
        for warning in self.config.warnings() {
            tracing::warn!(%warning, "the configuration is taken, but");
        }
    }

    /// What a client gets that asks for database `name`; None: there is no such database.
    pub(super) fn spec(&self, name: &str) -> Option<Spec> {
        let own = |served: &&Served| match &served.name {
            DatabaseName::Named(own) => own == name,
            DatabaseName::Any => false,
        };
        let any = |served: &&Served| served.name == DatabaseName::Any;
        let served = self.served.iter().find(own).or_else(|| self.served.iter().find(any))?;
        Some(Spec {
            name: name.into(),
            target: Arc::new(served.target(name)),
            accounts: Arc::clone(&served.accounts),
            catalog: Arc::clone(&served.catalog),
            rules: enforcement(&self.config.enforcement),
            unclassified: self.config.enforcement.unclassified,
            watch: self.watch(),
            definers: self.people.definers(),
            refresh: self.config.schema.refresh,
            discovery: self.config.discovery,
            upkeep: match served.name {
                DatabaseName::Named(_) => Upkeep::Always,
                DatabaseName::Any => Upkeep::WhileUsed,
            },
        })
    }

    /// One database leads to another (other sessions' statements, files, foreign servers), so there
    /// is nothing to hide only where no catalog names anything.
    fn watch(&self) -> Watch {
        let nothing = self.served.iter().all(|served| served.catalog.names_nothing());
        if nothing { Watch::Nothing } else { Watch::Something }
    }

    /// The databases that have a name of their own.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.served.iter().filter_map(|served| match &served.name {
            DatabaseName::Named(name) => Some(name.as_str()),
            DatabaseName::Any => None,
        })
    }

    /// For each `[[database]]` in order: its name, where it is, its catalog.
    pub(super) fn databases(&self) -> impl Iterator<Item = (&str, String, &Arc<Catalog>)> {
        self.served.iter().map(|served| (served.name.as_str(), served.place(), &served.catalog))
    }
}

fn enforcement(enforcement: &Enforcement) -> Rules {
    Rules {
        mode: match enforcement.mode {
            EnforcementMode::Enforce => decision::Mode::Enforce,
            EnforcementMode::Observe => decision::Mode::Observe,
        },
        persist: match enforcement.persist {
            Persist::Refuse => decision::Persist::Refuse,
            Persist::Masked => decision::Persist::Masked,
        },
        lookups_per_minute: enforcement.lookups_per_minute,
        writes: match enforcement.writes {
            Writes::Allow => decision::Writes::Allow,
            Writes::Refuse => decision::Writes::Refuse,
        },
        notice: if enforcement.notice {
            decision::Notice::PerStatement
        } else {
            decision::Notice::Silent
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_written_in_pairs_of_digits() {
        assert_eq!(hex(&[0, 0xab, 0x10]), "00ab10");
    }
}
