//! `[ldap]`: the directory that checks passwords and knows who is in which group.

use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;

use super::builder::Builder;
use super::raw::{self, Text};
use super::values;
use crate::model::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
const USER: &str = "{user}";

/// A directory, by all its servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdapConfig {
    /// `ldap://` and `ldaps://` URLs of host and port; the first that answers is asked.
    pub servers: Vec<String>,
    pub start_tls: StartTls,
    /// None: the system's authorities are trusted.
    pub ca_file: Option<PathBuf>,
    pub way: LdapWay,
    /// As whom to search; None: as nobody, and as the person once they have proven who they are.
    pub service: Option<LdapService>,
    /// The attribute whose only value is the person's name here, letter by letter.
    pub user_attribute: String,
    /// The attribute of a person's entry that lists their groups.
    pub member_of: Option<String>,
    /// Groups below this entry count, others do not.
    pub group_base: Option<String>,
    /// Finds a person's groups, by `{dn}` or `{user}`.
    pub group_filter: Option<String>,
    /// The attribute that names a group.
    pub group_attribute: String,
    pub require_group: Option<String>,
    /// For each server, TLS included.
    pub connect_timeout: Duration,
    /// For everything that one server is asked for one login.
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTls {
    Off,
    On,
}

/// How a name becomes an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LdapWay {
    /// The entry's name is this text with the user's name for `{user}`.
    Bind { dn: String },
    /// The entry is the only one below `base` that this filter matches.
    Search { base: String, filter: String },
}

/// The account that searches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdapService {
    pub dn: String,
    pub password: Secret,
}

pub(super) fn build(
    builder: &mut Builder<'_>,
    raw: Option<Spanned<raw::Ldap>>,
) -> Option<LdapConfig> {
    let raw = raw?;
    let span = raw.span();
    let raw = raw.into_inner();
    let start_tls = if raw.starttls.unwrap_or(false) { StartTls::On } else { StartTls::Off };
    if raw.servers.get_ref().is_empty() {
        builder.wrong(raw.servers.span(), "servers in [ldap] names none");
    }
    let mut servers = Vec::new();
    for server in raw.servers.into_inner() {
        if let Err(message) = check_server(server.get_ref(), start_tls) {
            builder.wrong(server.span(), format!("servers in [ldap]: {message}"));
        }
        servers.push(server.into_inner());
    }
    for (key, filter) in
        [("filter", raw.filter.as_ref()), ("group_filter", raw.group_filter.as_ref())]
    {
        check_filter(builder, key, filter);
    }
    if let (Some(filter), None) = (&raw.group_filter, &raw.group_base) {
        builder.wrong(filter.span(), "group_filter in [ldap] needs group_base");
    }
    let service = service(builder, raw.service_dn, raw.password_env, raw.password_file);
    let (way, own_attribute) = way(builder, &span, raw.bind_dn, raw.base, raw.filter);
    let user_attribute = raw.user_attribute.map(Spanned::into_inner).or(own_attribute);
    if user_attribute.is_none() {
        let message = "[ldap] needs user_attribute, the attribute that holds a user's name";
        builder.wrong(span.clone(), message);
    }
    let groups_known = raw.member_of.is_some() || raw.group_filter.is_some();
    if let Some(group) = raw.require_group.as_ref().filter(|_| !groups_known) {
        let message = "require_group in [ldap] needs member_of or group_filter";
        builder.wrong(group.span(), message);
    }
    let [connect_timeout, timeout] = [
        ("connect_timeout in [ldap]", raw.connect_timeout, CONNECT_TIMEOUT),
        ("timeout in [ldap]", raw.timeout, TIMEOUT),
    ]
    .map(|(key, text, default)| builder.duration(key, text, default));
    Some(LdapConfig {
        servers,
        start_tls,
        ca_file: raw.ca_file.map(|file| builder.file("ca_file in [ldap]", &file)),
        way: way?,
        service,
        user_attribute: user_attribute?,
        member_of: raw.member_of.map(Spanned::into_inner),
        group_base: raw.group_base.map(Spanned::into_inner),
        group_filter: raw.group_filter.map(Spanned::into_inner),
        group_attribute: raw.group_attribute.map_or_else(|| "cn".to_owned(), Spanned::into_inner),
        require_group: raw.require_group.map(Spanned::into_inner),
        connect_timeout,
        timeout,
    })
}

/// Passwords go to this server: over TLS, or not off this machine.
fn check_server(url: &str, start_tls: StartTls) -> Result<(), String> {
    const SHAPE: &str = "a server is ldaps://host:port or ldap://host:port";
    let (authority, plain) = match url.strip_prefix("ldaps://") {
        Some(authority) => (authority, false),
        None => (url.strip_prefix("ldap://").ok_or(SHAPE)?, start_tls == StartTls::Off),
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let server = values::host_of(authority).ok_or(SHAPE)?;
    if !plain && start_tls == StartTls::On && url.starts_with("ldaps://") {
        return Err("starttls is for ldap://, and ldaps:// has TLS from the start".to_owned());
    }
    if plain && !values::is_loopback(server) {
        return Err("passwords would go there in clear: use ldaps:// or starttls = true".to_owned());
    }
    Ok(())
}

fn check_filter(builder: &mut Builder<'_>, key: &str, filter: Option<&Text>) {
    let Some(text) = filter else { return };
    let filter = text.get_ref();
    let sample = filter.replace(USER, "x").replace("{dn}", "x");
    let placeholder = filter.contains(USER) || (key == "group_filter" && filter.contains("{dn}"));
    if ldap3::parse_filter(&sample).is_err() {
        builder.wrong(text.span(), format!("{key} in [ldap] is no LDAP filter"));
    } else if !placeholder {
        let what = if key == "filter" { "{user}" } else { "{dn} or {user}" };
        builder.wrong(text.span(), format!("{key} in [ldap] does not mention {what}"));
    }
}

fn service(
    builder: &mut Builder<'_>,
    dn: Option<Text>,
    variable: Option<Text>,
    file: Option<Text>,
) -> Option<LdapService> {
    let span = variable.as_ref().or(file.as_ref()).map(Spanned::span);
    let password = builder.password(&|key| format!("{key} in [ldap]"), variable, file);
    match (dn, span) {
        (None, None) => None,
        (None, Some(span)) => {
            builder.wrong(span, "[ldap] has a password and no service_dn that it belongs to");
            None
        }
        (Some(dn), None) => {
            // A bind without a password succeeds as nobody.
            builder.wrong(dn.span(), "service_dn in [ldap] needs password_env or password_file");
            None
        }
        (Some(dn), Some(_)) => Some(LdapService { dn: dn.into_inner(), password: password? }),
    }
}

/// The way, and the attribute in it that is the user's name.
fn way(
    builder: &mut Builder<'_>,
    span: &std::ops::Range<usize>,
    bind_dn: Option<Text>,
    base: Option<Text>,
    filter: Option<Text>,
) -> (Option<LdapWay>, Option<String>) {
    match (bind_dn, base, filter) {
        (Some(dn), None, None) => {
            let attribute = attribute_of(dn.get_ref(), &[',', '+']);
            if !dn.get_ref().contains(USER) || !dn.get_ref().contains('=') {
                let message = "bind_dn in [ldap] is a distinguished name with {user} in it";
                builder.wrong(dn.span(), message);
                return (None, Some(String::new()));
            }
            (Some(LdapWay::Bind { dn: dn.into_inner() }), attribute)
        }
        (None, Some(base), Some(filter)) => {
            let attribute = attribute_of(filter.get_ref(), &['(']);
            let (base, filter) = (base.into_inner(), filter.into_inner());
            (Some(LdapWay::Search { base, filter }), attribute)
        }
        (Some(dn), _, _) => {
            builder.wrong(dn.span(), "bind_dn in [ldap] excludes base and filter");
            (None, Some(String::new()))
        }
        (None, _, _) => {
            builder.wrong(span.clone(), "[ldap] needs bind_dn, or base and filter");
            (None, Some(String::new()))
        }
    }
}

/// `uid` in `uid={user},ou=people` and in `(&(uid={user})(objectClass=person))`.
fn attribute_of(template: &str, before: &[char]) -> Option<String> {
    let (head, tail) = template.split_once("={user}")?;
    let whole = tail.is_empty() || tail.starts_with([')', ',', '+']);
    let attribute = head.rsplit(before).next().unwrap_or(head).trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    (whole && !attribute.is_empty() && attribute.chars().all(plain)).then(|| attribute.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_in_the_attribute_before_the_placeholder() {
        let of_dn = |text| attribute_of(text, &[',', '+']);
        let of_filter = |text| attribute_of(text, &['(']);
        assert_eq!(of_dn("uid={user},ou=people,dc=example").as_deref(), Some("uid"));
        assert_eq!(of_dn("ou=x, cn={user}").as_deref(), Some("cn"));
        assert_eq!(of_dn("{user}@example.com"), None);
        let filter = "(&(objectClass=person)(sAMAccountName={user}))";
        assert_eq!(of_filter(filter).as_deref(), Some("sAMAccountName"));
        assert_eq!(of_filter("(mail={user}@example.com)"), None);
        assert_eq!(of_filter("(|(uid~={user})(x=y))"), None);
    }

    #[test]
    fn passwords_do_not_leave_the_machine_in_clear() {
        for (url, start_tls, fits) in [
            ("ldaps://ldap.example.com", StartTls::Off, true),
            ("ldaps://ldap.example.com:636/", StartTls::Off, true),
            ("ldap://ldap.example.com", StartTls::On, true),
            ("ldap://ldap.example.com", StartTls::Off, false),
            ("ldap://127.0.0.1:389", StartTls::Off, true),
            ("ldap://localhost:389", StartTls::Off, true),
            ("ldap://[::1]:389", StartTls::Off, true),
            ("ldap://127.0.0.1.example.com", StartTls::Off, false),
            ("ldaps://ldap.example.com", StartTls::On, false),
            ("ldapi:///", StartTls::Off, false),
            ("ldaps://", StartTls::Off, false),
            ("ldaps://user@host", StartTls::Off, false),
            ("ldaps://host/dc=example", StartTls::Off, false),
            ("ldaps://host:port", StartTls::Off, false),
        ] {
            assert_eq!(check_server(url, start_tls).is_ok(), fits, "{url}");
        }
    }
}
