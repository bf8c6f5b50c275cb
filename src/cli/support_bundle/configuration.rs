//! What of a configuration is nobody's: keys and words that are documented, numbers, durations.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use toml::Table;

/// Every key there is, and every word that one may take.
const DOCUMENTED: &str = include_str!("../../../proxy.toml");

const REMOVED: &str = "(removed)";

/// Keys whose values are words of a closed list.
const WORDY: &[&str] = &[
    "actions",
    "algorithms",
    "auth",
    "cert_identity",
    "events",
    "facility",
    "format",
    "from",
    "kind",
    "kinds",
    "method",
    "mode",
    "persist",
    "roles",
    "second_factor",
    "severity",
    "severity_min",
    "tls",
    "unclassified",
    "writes",
];

/// Parameters of a database's URL whose values are words of a closed list.
const PARAMETERS: &[&str] =
    &["channel_binding", "load_balance_hosts", "sslmode", "sslnegotiation", "target_session_attrs"];

/// Characters of the longest measure: `1h 30min`.
const MEASURE_LEN_MAX: usize = 12;

/// The same configuration, with everything replaced that is not known to be harmless.
pub(super) fn harmless(table: &Table) -> Value {
    let mut shown = Map::new();
    for (key, value) in table {
        let key = if is_documented_key(key) { key } else { REMOVED };
        shown.insert(key.to_owned(), harmless_value(key, value));
    }
    Value::Object(shown)
}

fn harmless_value(key: &str, value: &toml::Value) -> Value {
    match value {
        toml::Value::Boolean(it) => json!(it),
        // Numbers of the configuration are limits and counts.
        toml::Value::Integer(it) => json!(it),
        toml::Value::Float(it) => json!(it),
        toml::Value::Datetime(_) => json!(REMOVED),
        toml::Value::String(text) => json!(harmless_text(key, text)),
        toml::Value::Array(list) => list.iter().map(|it| harmless_value(key, it)).collect(),
        toml::Value::Table(table) => harmless(table),
    }
}

fn harmless_text(key: &str, text: &str) -> String {
    match key {
        "listen" | "http" => listens(text),
        "url" | "upstream" => scheme(text),
        _ if is_measure(text) => text.to_owned(),
        _ if WORDY.contains(&key) && is_documented_word(text) => text.to_owned(),
        _ => REMOVED.to_owned(),
    }
}

fn is_documented_key(key: &str) -> bool {
    let names = |(at, _): (usize, &str)| {
        let before = DOCUMENTED[..at].chars().next_back();
        let after = DOCUMENTED[at + key.len()..].trim_start_matches(' ');
        let begins = before.is_none_or(|c| !(c.is_ascii_alphanumeric() || c == '_'));
        begins && (after.starts_with('=') || after.starts_with(']') || after.starts_with('.'))
    };
    !key.is_empty() && DOCUMENTED.match_indices(key).any(names)
}

fn is_documented_word(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.chars().all(is_part) && DOCUMENTED.split(|c| !is_part(c)).any(|word| word == text)
}

/// `30s`, `1h 30min`, `64MiB`: numbers with the units that there are.
fn is_measure(text: &str) -> bool {
    const UNITS: [&str; 9] = ["ms", "s", "min", "m", "h", "d", "KiB", "MiB", "GiB"];
    let part = |part: &str| {
        let unit = part.trim_start_matches(|c: char| c.is_ascii_digit());
        unit.len() < part.len() && UNITS.contains(&unit)
    };
    !text.is_empty() && text.len() <= MEASURE_LEN_MAX && text.split(' ').all(part)
}

/// Whether it is open to this machine, or to all, and on which port.
fn listens(text: &str) -> String {
    if text.starts_with("unix:") {
        return "unix:…".to_owned();
    }
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() || address.ip().is_unspecified() => {
            text.to_owned()
        }
        Ok(address) => format!("(address):{}", address.port()),
        Err(_) => REMOVED.to_owned(),
    }
}

/// How a server is reached, without where it is and who asks.
fn scheme(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once(':').filter(|(it, _)| is_documented_scheme(it))
    else {
        return REMOVED.to_owned();
    };
    let parameters = rest.split_once('?').map_or("", |(_, parameters)| parameters);
    let known = parameters.split('&').filter(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        PARAMETERS.contains(&name) && is_documented_word(value)
    });
    let known: Vec<_> = known.collect();
    let mark = if known.is_empty() { "" } else { "?" };
    format!("{scheme}:…{mark}{}", known.join("&"))
}

fn is_documented_scheme(scheme: &str) -> bool {
    ["sqlite", "postgres", "postgresql", "http", "https", "ldap", "ldaps", "smtp", "smtps", "tcp"]
        .into_iter()
        .chain(["smtp+starttls", "tls", "udp"])
        .any(|known| known == scheme)
}

fn text_of<'a>(table: &'a Table, section: &str, key: &str) -> Option<&'a str> {
    table.get(section)?.get(key)?.as_str()
}

/// Where the HTTP port of this machine's proxy is.
pub(super) fn url(table: &Table) -> String {
    let address = text_of(table, "control", "http").and_then(|text| text.parse().ok());
    let mut address = address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8432)));
    if address.ip().is_unspecified() {
        address.set_ip([127, 0, 0, 1].into());
    }
    let scheme = if tls(table).is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// Its own certificate, to trust.
pub(super) fn certificate(table: &Table, folder: &Path) -> Option<PathBuf> {
    Some(folder.join(tls(table)?.get("cert")?.as_str()?))
}

fn tls(table: &Table) -> Option<&toml::Value> {
    table.get("data")?.get("tls")
}

pub(super) fn audit_dir(table: &Table, folder: &Path) -> PathBuf {
    folder.join(text_of(table, "audit", "dir").unwrap_or("audit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_could_be_somebodys_is_removed() {
        let text = r#"
            hunter2 = 1
            [data]
            listen = ["127.0.0.1:6432", "10.1.2.3:6432", "unix:/run/ada"]
            auth = "scram"
            idle_timeout = "1h 30min"
            [store]
            url = "postgres://ada:hunter2@db.example.com/keyhole?sslmode=require&password=hunter2"
            [[user]]
            name = "ada"
            email = "ada@example.com"
            roles = ["control", "hunter2"]
            scram = "SCRAM-SHA-256$4096:hunter2"
            [[policy]]
            max_rows = 10
            reason = "INC-[0-9]+"
        "#;
        let shown = harmless(&toml::from_str(text).unwrap());
        let expected = json!({
            "(removed)": 1,
            "data": {
                "listen": ["127.0.0.1:6432", "(address):6432", "unix:…"],
                "auth": "scram",
                "idle_timeout": "1h 30min",
            },
            "store": { "url": "postgres:…?sslmode=require" },
            "user": [{
                "name": "(removed)",
                "email": "(removed)",
                "roles": ["control", "(removed)"],
                "scram": "(removed)",
            }],
            "policy": [{ "max_rows": 10, "reason": "(removed)" }],
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_proxy_is_asked_where_it_listens() {
        let table = |text: &str| toml::from_str::<Table>(text).unwrap();
        let plain = table("[control]\nhttp = \"0.0.0.0:9\"");
        assert_eq!(url(&plain), "http://127.0.0.1:9");
        let tls = table("[data]\ntls = { cert = \"a.crt\" }\n[control]\nhttp = \"10.0.0.1:9\"");
        assert_eq!(url(&tls), "https://10.0.0.1:9");
        assert_eq!(certificate(&tls, Path::new("/etc")), Some("/etc/a.crt".into()));
    }
}
