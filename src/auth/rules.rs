//! Which way of proving who they are is asked of whom: the first rule that matches decides, as in
//! pg_hba.conf. No match: nobody is let in.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use super::Credentials;
use super::certificate::Certificates;
use super::ldap::Directory;
use super::oidc::Issuer;
use super::throttle::Throttle;
use crate::config::{AuthMethod, DatabaseName, IdentityMap, LoginTls, LoginWhen};
use crate::grant::Subject;
use crate::model::Timestamp;

/// Whether clients may, must or cannot use TLS.
#[derive(Clone, Debug)]
pub enum Tls {
    Off,
    Prefer(Arc<ServerConfig>),
    Require(Arc<ServerConfig>),
}

/// How clients prove who they are, with all that it takes to check it.
#[derive(Clone, Debug)]
pub enum Method {
    Scram(Arc<Credentials>),
    Ldap(Arc<Directory>),
    /// A token as password.
    Oidc(Arc<Issuer>),
    /// A token in the exchange that is made for it.
    OauthBearer(Arc<Issuer>),
    /// The certificate that the client showed in the handshake.
    Cert(Arc<Certificates>),
    /// The operating system's user at the other end of a Unix socket.
    Peer(Arc<IdentityMap>),
    /// What the database asks for, which is passed on.
    Passthrough,
    /// Whoever connects is believed. The configuration allows it to clients on this machine only.
    Trust,
    /// Nobody is let in.
    Reject,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    pub when: LoginWhen,
    pub method: Method,
}

/// The rules of one port.
#[derive(Clone, Debug)]
pub struct Rules {
    pub tls: Tls,
    /// The hash of the certificate of `tls`, to which SCRAM binds logins; None: it cannot be bound
    /// to.
    pub end_point: Option<Arc<[u8]>>,
    /// In order.
    pub list: Vec<Rule>,
    /// The groups of the configured users, which `group:NAME` in a rule is about.
    pub groups: HashMap<String, Arc<[String]>>,
    /// What rules call the database of a port that has only one, whatever clients call it.
    pub database: Option<&'static str>,
    /// From the first byte to the end of the login.
    pub limit: Duration,
    pub throttle: Arc<Throttle>,
}

/// Where a client connects from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Address(IpAddr),
    /// A Unix socket, and the operating system's number for the user of the process at its other
    /// end.
    Local {
        uid: u32,
    },
}

/// Whether others can read what a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    None,
    Tls,
}

/// Somebody who wants to be let in, as far as they can be known before they prove anything.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    pub database: &'a str,
    pub user: &'a str,
    pub origin: Origin,
    pub encryption: Encryption,
}

impl Method {
    /// What the records call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Scram(_) => AuthMethod::Scram,
            Self::Ldap(_) => AuthMethod::Ldap,
            Self::Oidc(_) => AuthMethod::Oidc,
            Self::OauthBearer(_) => AuthMethod::OauthBearer,
            Self::Cert(_) => AuthMethod::Cert,
            Self::Peer(_) => AuthMethod::Peer,
            Self::Passthrough => AuthMethod::Passthrough,
            Self::Trust => AuthMethod::Trust,
            Self::Reject => AuthMethod::Reject,
        }
        .as_str()
    }
}

impl Rules {
    /// One rule for everybody, a clock that stands still.
    pub fn one(tls: Tls, method: Method) -> Self {
        let list = vec![Rule { when: LoginWhen::default(), method }];
        Self {
            tls,
            end_point: None,
            list,
            groups: HashMap::new(),
            database: None,
            limit: Duration::from_secs(60),
            throttle: Arc::new(Throttle::new(Arc::new(|| Timestamp::UNIX_EPOCH))),
        }
    }

    /// What is asked of somebody; None: no rule is about them. Where there is no database to ask,
    /// rules that leave it to the database are passed over.
    pub fn choose(&self, asking: &Asking<'_>) -> Option<&Method> {
        let groups = self.groups.get(asking.user).map_or(&[][..], |groups| groups);
        let has_database = self.database.is_none();
        let possible = |rule: &&Rule| match rule.method {
            Method::Passthrough => has_database,
            Method::Scram(_)
            | Method::Ldap(_)
            | Method::Oidc(_)
            | Method::OauthBearer(_)
            | Method::Cert(_)
            | Method::Peer(_)
            | Method::Trust
            | Method::Reject => true,
        };
        let mut possible = self.list.iter().filter(possible);
        possible.find(|rule| matches(&rule.when, asking, groups)).map(|rule| &rule.method)
    }
}

fn matches(when: &LoginWhen, asking: &Asking<'_>, groups: &[String]) -> bool {
    let LoginWhen { databases, users, networks: _, tls } = when;
    let database = |name: &DatabaseName| match name {
        DatabaseName::Any => true,
        DatabaseName::Named(name) => name == asking.database,
    };
    let user = |subject: &Subject| match subject {
        Subject::Anyone => true,
        Subject::User(name) => name == asking.user,
        Subject::Group(name) => groups.contains(name),
    };
    let encryption = match tls {
        LoginTls::Any => true,
        LoginTls::Require => asking.encryption == Encryption::Tls,
        LoginTls::Off => asking.encryption == Encryption::None,
    };
    encryption
        && databases.iter().any(database)
        && users.iter().any(user)
        && when.is_from(asking.origin.address())
}

impl Origin {
    /// None: a Unix socket.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Local { .. } => None,
        }
    }

    /// Whether nothing that is sent leaves this machine.
    pub fn is_near(self) -> bool {
        self.address().is_none_or(|address| address.to_canonical().is_loopback())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Local { .. } => f.write_str("[local]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LoginNetwork;
    use crate::grant::Network;

    /// A rule as a line of words: databases, users, networks, tls; its method stays `trust` or
    /// `reject`.
    fn rule(line: &str) -> Rule {
        let words: Vec<_> = line.split(' ').collect();
        let [databases, users, networks, tls, method] = words[..] else { panic!("{line}") };
        let database = |name: &str| match name {
            "*" => DatabaseName::Any,
            name => DatabaseName::Named(name.to_owned()),
        };
        let network = |text: &str| match text {
            "local" => LoginNetwork::Local,
            text => LoginNetwork::Of(Network::parse(text).unwrap()),
        };
        let when = LoginWhen {
            databases: databases.split(',').map(database).collect(),
            users: users.split(',').map(|u| Subject::parse(u).unwrap()).collect(),
            networks: networks.split(',').filter(|text| *text != "*").map(network).collect(),
            tls: match tls {
                "any" => LoginTls::Any,
                "require" => LoginTls::Require,
                "off" => LoginTls::Off,
                other => panic!("{other}"),
            },
        };
        let method = if method == "trust" { Method::Trust } else { Method::Reject };
        Rule { when, method }
    }

    fn rules(lines: &[&str]) -> Rules {
        let list = lines.iter().map(|line| rule(line)).collect();
        let groups = HashMap::from([("alice".to_owned(), ["support".to_owned()].into())]);
        Rules { groups, ..Rules { list, ..Rules::one(Tls::Off, Method::Reject) } }
    }

    fn chosen(lines: &[&str], database: &str, user: &str, from: &str, tls: Encryption) -> String {
        let origin = match from {
            "local" => Origin::Local { uid: 7 },
            address => Origin::Address(address.parse().unwrap()),
        };
        let asking = Asking { database, user, origin, encryption: tls };
        rules(lines).choose(&asking).map_or("none", Method::name).to_owned()
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let lines = ["shop alice * any reject", "shop * * any trust", "* alice * any trust"];
        for (database, user, method) in [
            ("shop", "alice", "reject"),
            ("shop", "bob", "trust"),
            ("other", "alice", "trust"),
            ("other", "bob", "none"),
        ] {
            let found = chosen(&lines, database, user, "192.0.2.1", Encryption::Tls);
            assert_eq!(found, method, "{database} {user}");
        }
    }

    #[test]
    fn a_rule_for_a_group_is_about_its_configured_users() {
        let lines = ["* group:support * any trust"];
        for (user, method) in [("alice", "trust"), ("support", "none"), ("group:support", "none")] {
            let found = chosen(&lines, "shop", user, "192.0.2.1", Encryption::None);
            assert_eq!(found, method, "{user}");
        }
    }

    #[test]
    fn networks_tell_addresses_and_unix_sockets_apart() {
        let lines = ["* * 10.0.0.0/8 any trust", "* * local any reject"];
        for (from, method) in [
            ("10.1.2.3", "trust"),
            ("::ffff:10.1.2.3", "trust"),
            ("11.0.0.1", "none"),
            ("::1", "none"),
            ("local", "reject"),
        ] {
            assert_eq!(chosen(&lines, "shop", "bob", from, Encryption::None), method, "{from}");
        }
        let everywhere = ["* * * any trust"];
        for from in ["local", "::1"] {
            assert_eq!(chosen(&everywhere, "shop", "bob", from, Encryption::None), "trust");
        }
    }

    #[test]
    fn a_rule_can_be_about_encrypted_connections_or_about_others() {
        let lines = ["* * * require trust", "* * * off reject"];
        for (tls, method) in [(Encryption::Tls, "trust"), (Encryption::None, "reject")] {
            assert_eq!(chosen(&lines, "shop", "bob", "192.0.2.1", tls), method);
        }
    }

    #[test]
    fn without_a_database_nothing_is_left_to_the_database() {
        let pass = Rule { when: LoginWhen::default(), method: Method::Passthrough };
        let rules = |database| Rules {
            database,
            list: vec![pass.clone(), rule("keyhole * * any trust")],
            ..rules(&[])
        };
        let asking = Asking {
            database: "keyhole",
            user: "bob",
            origin: Origin::Local { uid: 7 },
            encryption: Encryption::Tls,
        };
        for (database, method) in [(None, "passthrough"), (Some("keyhole"), "trust")] {
            assert_eq!(rules(database).choose(&asking).map(Method::name), Some(method));
        }
    }

    #[test]
    fn a_name_is_its_own_and_no_pattern() {
        for line in ["sho bob * any trust", "SHOP bob * any trust", "shop BOB * any trust"] {
            assert_eq!(chosen(&[line], "shop", "bob", "::1", Encryption::None), "none", "{line}");
        }
        assert_eq!(chosen(&[], "shop", "bob", "::1", Encryption::Tls), "none");
    }
}
