//! `[[login]]` and `[data] auth`: which clients prove who they are in which way; `[[group]]`: what
//! the groups of people may do who are not named in the file.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;

use super::builder::Builder;
use super::raw::{self, Text, Texts};
use super::source::{Place, unknown_word};
use super::{DatabaseName, IdentityMap, LdapConfig, OidcConfig, Role};
use crate::grant::{Network, Subject};

/// How clients prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    Scram,
    Cert,
    Ldap,
    /// A token as password.
    Oidc,
    /// A token in the exchange that is made for it.
    OauthBearer,
    /// The database's own SCRAM exchange, passed on.
    Passthrough,
    Peer,
    /// Whoever connects is who they say; only ever from loopback addresses.
    Trust,
    /// Nobody is let in.
    Reject,
}

/// `[[login]]`: a rule; the first that matches decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginConfig {
    pub when: LoginWhen,
    pub method: AuthMethod,
    /// For `cert`.
    pub cert_identity: CertIdentity,
    /// For `cert` and `peer`.
    pub map: IdentityMap,
    pub place: Place,
}

/// Which name of a certificate is its owner's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertIdentity {
    #[default]
    Cn,
    /// The whole subject, as RFC 4514 writes it.
    Dn,
    SanEmail,
    SanDns,
    SanUri,
}

/// Whom a rule is about. All four have to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginWhen {
    pub databases: Vec<DatabaseName>,
    pub users: Vec<Subject>,
    /// Empty: everywhere.
    pub networks: Vec<LoginNetwork>,
    pub tls: LoginTls,
}

/// Where clients are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginNetwork {
    /// On a Unix socket.
    Local,
    Of(Network),
}

/// Whether a rule is about encrypted connections, about others, or about both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginTls {
    Any,
    Require,
    Off,
}

/// `[[group]]`: what everybody in the group may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    pub name: String,
    pub roles: Vec<Role>,
    pub place: Place,
}

impl AuthMethod {
    const EVERY: [Self; 9] = [
        Self::Scram,
        Self::Cert,
        Self::Ldap,
        Self::Oidc,
        Self::OauthBearer,
        Self::Passthrough,
        Self::Peer,
        Self::Trust,
        Self::Reject,
    ];

    /// None: no method is called so.
    pub fn parse(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|method| method.as_str() == word)
    }

    /// The word of the configuration, and of the records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scram => "scram",
            Self::Cert => "cert",
            Self::Ldap => "ldap",
            Self::Oidc => "oidc",
            Self::OauthBearer => "oauthbearer",
            Self::Passthrough => "passthrough",
            Self::Peer => "peer",
            Self::Trust => "trust",
            Self::Reject => "reject",
        }
    }
}

impl Default for LoginWhen {
    /// Everybody, everywhere.
    fn default() -> Self {
        Self {
            databases: vec![DatabaseName::Any],
            users: vec![Subject::Anyone],
            networks: Vec::new(),
            tls: LoginTls::Any,
        }
    }
}

impl LoginConfig {
    /// The rule that there is without rules.
    pub(super) fn of_everybody(method: AuthMethod, place: Place) -> Self {
        Self {
            when: LoginWhen::default(),
            method,
            cert_identity: CertIdentity::default(),
            map: IdentityMap::default(),
            place,
        }
    }
}

impl LoginWhen {
    /// Whether the rule is about the database that clients call `name`.
    pub(super) fn is_about(&self, name: &str) -> bool {
        self.databases.iter().any(|database| match database {
            DatabaseName::Any => true,
            DatabaseName::Named(own) => own == name,
        })
    }

    /// Whether only clients on this machine can be meant.
    pub(super) fn is_near(&self) -> bool {
        const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
        let loopback = LOOPBACK.map(|text| Network::parse(text).ok());
        let near = |network: &LoginNetwork| match network {
            LoginNetwork::Local => true,
            LoginNetwork::Of(network) => loopback.iter().flatten().any(|all| all.covers(network)),
        };
        !self.networks.is_empty() && self.networks.iter().all(near)
    }

    /// Whether a client at `address` is where the rule says; None: on a Unix socket.
    pub fn is_from(&self, address: Option<IpAddr>) -> bool {
        let holds = |network: &LoginNetwork| match (network, address) {
            (LoginNetwork::Local, None) => true,
            (LoginNetwork::Of(network), Some(address)) => network.contains(address),
            (LoginNetwork::Local, Some(_)) | (LoginNetwork::Of(_), None) => false,
        };
        self.networks.is_empty() || self.networks.iter().any(holds)
    }
}

/// The method of `[data] auth`.
pub(super) fn auth(builder: &mut Builder<'_>, raw: Option<Text>) -> AuthMethod {
    raw.map_or(AuthMethod::Scram, |text| method(builder, "auth in [data]", &text))
}

pub(super) fn rules(builder: &mut Builder<'_>, raw: Vec<Spanned<raw::Login>>) -> Vec<LoginConfig> {
    let mut rules = Vec::new();
    for entry in raw {
        let place = builder.source.place(entry.span());
        let raw = entry.into_inner();
        let when = LoginWhen {
            databases: databases(builder, raw.databases),
            users: users(builder, raw.users),
            networks: networks(builder, raw.networks),
            tls: builder.word(
                "tls in [[login]]",
                raw.tls,
                &[("any", LoginTls::Any), ("require", LoginTls::Require), ("off", LoginTls::Off)],
                LoginTls::Any,
            ),
        };
        let method = method(builder, "method in [[login]]", &raw.method);
        let cert_identity = cert_identity(builder, method, raw.cert_identity);
        let map = map(builder, method, raw.map);
        rules.push(LoginConfig { when, method, cert_identity, map, place });
    }
    rules
}

fn method(builder: &mut Builder<'_>, key: &str, text: &Text) -> AuthMethod {
    let words = AuthMethod::EVERY.map(AuthMethod::as_str);
    AuthMethod::parse(text.get_ref()).unwrap_or_else(|| {
        builder.wrong(text.span(), unknown_word(key, text.get_ref(), &words));
        AuthMethod::Reject
    })
}

/// The tables that methods need are there.
pub(super) fn methods_have_tables(
    builder: &mut Builder<'_>,
    (auth, auth_span): (AuthMethod, Range<usize>),
    logins: &[LoginConfig],
    (ldap, oidc): (Option<&LdapConfig>, Option<&OidcConfig>),
) {
    let missing = |method: AuthMethod| match method {
        AuthMethod::Ldap => ldap.is_none().then_some("[ldap]"),
        AuthMethod::Oidc | AuthMethod::OauthBearer => oidc.is_none().then_some("[oidc]"),
        AuthMethod::Scram
        | AuthMethod::Cert
        | AuthMethod::Passthrough
        | AuthMethod::Peer
        | AuthMethod::Trust
        | AuthMethod::Reject => None,
    };
    let message = |key: &str, method: AuthMethod, table: &str| {
        format!("{key}: \"{}\" needs a table {table}", method.as_str())
    };
    if let Some(table) = missing(auth) {
        builder.wrong(auth_span, message("auth in [data]", auth, table));
    }
    for login in logins {
        if let Some(table) = missing(login.method) {
            let message = message("method in [[login]]", login.method, table);
            builder.problems.0.push(login.place.problem(message));
        }
    }
}

fn cert_identity(builder: &mut Builder<'_>, method: AuthMethod, raw: Option<Text>) -> CertIdentity {
    if let (Some(text), true) = (&raw, method != AuthMethod::Cert) {
        builder.wrong(text.span(), "cert_identity in [[login]] is for method = \"cert\"");
    }
    let known = [
        ("cn", CertIdentity::Cn),
        ("dn", CertIdentity::Dn),
        ("san:email", CertIdentity::SanEmail),
        ("san:dns", CertIdentity::SanDns),
        ("san:uri", CertIdentity::SanUri),
    ];
    builder.word("cert_identity in [[login]]", raw, &known, CertIdentity::Cn)
}

fn map(
    builder: &mut Builder<'_>,
    method: AuthMethod,
    raw: Vec<Spanned<raw::LoginMap>>,
) -> IdentityMap {
    let mut map = IdentityMap::default();
    for entry in raw {
        let span = entry.span();
        let raw::LoginMap { identity, user } = entry.into_inner();
        if !matches!(method, AuthMethod::Cert | AuthMethod::Peer) {
            let message = "map in [[login]] is for method = \"cert\" and method = \"peer\"";
            builder.wrong(span.clone(), message);
        }
        if let Err(error) = map.add(identity.get_ref(), user.get_ref()) {
            builder.wrong(span, format!("map in [[login]]: {error}"));
        }
    }
    map
}

/// The list, which has something in it where it is given.
fn listed(builder: &mut Builder<'_>, key: &str, raw: Option<Spanned<Texts>>) -> Option<Texts> {
    let raw = raw?;
    if raw.get_ref().is_empty() {
        builder.wrong(raw.span(), format!("{key} in [[login]] is empty: the rule matches nobody"));
    }
    Some(raw.into_inner())
}

fn databases(builder: &mut Builder<'_>, raw: Option<Spanned<Texts>>) -> Vec<DatabaseName> {
    let Some(names) = listed(builder, "databases", raw) else { return vec![DatabaseName::Any] };
    let name = |text: Text| match text.get_ref().as_str() {
        "*" => DatabaseName::Any,
        name => DatabaseName::Named(name.to_owned()),
    };
    names.into_iter().map(name).collect()
}

fn users(builder: &mut Builder<'_>, raw: Option<Spanned<Texts>>) -> Vec<Subject> {
    let Some(names) = listed(builder, "users", raw) else { return vec![Subject::Anyone] };
    let mut users = Vec::new();
    for name in names {
        match Subject::parse(name.get_ref()) {
            Ok(subject) => users.push(subject),
            Err(error) => builder.wrong(name.span(), format!("users in [[login]]: {error}")),
        }
    }
    users
}

fn networks(builder: &mut Builder<'_>, raw: Option<Spanned<Texts>>) -> Vec<LoginNetwork> {
    let mut networks = Vec::new();
    for text in listed(builder, "networks", raw).unwrap_or_default() {
        match (text.get_ref().as_str(), Network::parse(text.get_ref())) {
            ("local", _) => networks.push(LoginNetwork::Local),
            (_, Ok(network)) => networks.push(LoginNetwork::Of(network)),
            (_, Err(error)) => {
                builder.wrong(text.span(), format!("networks in [[login]]: {error}, or \"local\""));
            }
        }
    }
    networks
}

pub(super) fn groups(builder: &mut Builder<'_>, raw: Vec<Spanned<raw::Group>>) -> Vec<GroupConfig> {
    let mut seen = BTreeSet::new();
    let mut groups = Vec::new();
    for entry in raw {
        let place = builder.source.place(entry.span());
        let raw = entry.into_inner();
        let name = raw.name.get_ref().clone();
        if name.is_empty() || !seen.insert(name.clone()) {
            let problem = if name.is_empty() { "has no name" } else { "is defined twice" };
            builder.wrong(raw.name.span(), format!("group \"{name}\" {problem}"));
        }
        let roles = builder.words(&format!("roles of group \"{name}\""), raw.roles, &Role::WORDS);
        groups.push(GroupConfig { name, roles, place });
    }
    groups
}
