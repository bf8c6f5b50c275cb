//! The files word for word: every key there is, and nothing else. What the words mean is `build`'s
//! matter; spans stay so that it can say where it disagrees.

use serde::Deserialize;
use toml::Spanned;

pub(super) use self::catalog::{CatalogFile, Class, Function, Honey, Table};
pub(super) use self::notify::{Notify, Smtp, Webhook};
pub(super) use self::policy::{Policy, PolicyFile, Standing};
pub(super) use self::risk::{Risk, RiskRule};
pub(super) use self::sink::Sink;
use super::one_or_many::OneOrMany;

mod catalog;
mod notify;
mod policy;
mod risk;
mod sink;

pub(super) type Text = Spanned<String>;
pub(super) type Texts = Vec<Spanned<String>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proxy {
    pub(super) data: Data,
    #[serde(default)]
    pub(super) control: Control,
    #[serde(default)]
    pub(super) store: Store,
    #[serde(default)]
    pub(super) audit: Audit,
    #[serde(default)]
    pub(super) receipts: Receipts,
    #[serde(default)]
    pub(super) enforcement: Enforcement,
    #[serde(default)]
    pub(super) schema: Schema,
    #[serde(default)]
    pub(super) discovery: Discovery,
    #[serde(default)]
    pub(super) log: Log,
    #[serde(default)]
    pub(super) shutdown: Shutdown,
    pub(super) ldap: Option<Spanned<Ldap>>,
    pub(super) oidc: Option<Spanned<Oidc>>,
    #[serde(default)]
    pub(super) notify: Notify,
    #[serde(default)]
    pub(super) sink: Vec<Spanned<Sink>>,
    #[serde(default)]
    pub(super) risk: Risk,
    #[serde(default)]
    pub(super) database: Vec<Spanned<Database>>,
    #[serde(default)]
    pub(super) login: Vec<Spanned<Login>>,
    #[serde(default)]
    pub(super) user: Vec<Spanned<User>>,
    #[serde(default)]
    pub(super) group: Vec<Spanned<Group>>,
    #[serde(default)]
    pub(super) token: Vec<Spanned<Token>>,
    #[serde(default)]
    pub(super) policy: Vec<Spanned<Policy>>,
    #[serde(default)]
    pub(super) standing: Vec<Spanned<Standing>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    pub(super) listen: Spanned<OneOrMany>,
    pub(super) unix_mode: Option<Text>,
    pub(super) auth: Option<Text>,
    pub(super) tls: Option<Spanned<Tls>>,
    pub(super) frame_len_max: Option<Text>,
    pub(super) login_timeout: Option<Text>,
    pub(super) connections_max: Option<Spanned<u32>>,
    pub(super) connections_per_user: Option<Spanned<u32>>,
    pub(super) connections_per_address: Option<Spanned<u32>>,
    pub(super) proxy_protocol: Option<Texts>,
    pub(super) keepalive: Option<Text>,
    pub(super) tcp_user_timeout: Option<Text>,
    pub(super) idle_timeout: Option<Text>,
    pub(super) idle_in_transaction_timeout: Option<Text>,
    pub(super) client_stall_timeout: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) cert: Option<Text>,
    pub(super) key: Option<Text>,
    pub(super) client_ca: Option<Text>,
    pub(super) crl: Option<Text>,
    pub(super) mode: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Control {
    pub(super) listen: Option<Text>,
    pub(super) http: Option<Text>,
    pub(super) session: Option<Text>,
    pub(super) session_idle: Option<Text>,
    pub(super) session_key_file: Option<Text>,
    pub(super) requests_per_minute: Option<Spanned<u32>>,
    pub(super) requests_per_minute_unsigned: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) name: Text,
    pub(super) sha256: Text,
    pub(super) user: Text,
    #[serde(default)]
    pub(super) roles: Texts,
    pub(super) expires: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) url: Option<Text>,
    pub(super) password_env: Option<Text>,
    pub(super) password_file: Option<Text>,
    pub(super) poll: Option<Text>,
    pub(super) max_staleness: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Audit {
    pub(super) dir: Option<Text>,
    pub(super) segment_len_max: Option<Text>,
    pub(super) segment_age_max: Option<Text>,
    pub(super) compress: Option<bool>,
    pub(super) retention: Option<Text>,
    pub(super) checkpoint_every: Option<Text>,
    pub(super) subject_key_file: Option<Text>,
    pub(super) subjects_max: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receipts {
    pub(super) key_file: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enforcement {
    pub(super) mode: Option<Text>,
    pub(super) unclassified: Option<Text>,
    pub(super) persist: Option<Text>,
    pub(super) writes: Option<Text>,
    pub(super) notice: Option<bool>,
    pub(super) lookups_per_minute: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Schema {
    pub(super) refresh: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Discovery {
    pub(super) every: Option<Text>,
    pub(super) suggest: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shutdown {
    pub(super) drain: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ldap {
    pub(super) servers: Spanned<Texts>,
    pub(super) starttls: Option<bool>,
    pub(super) ca_file: Option<Text>,
    pub(super) bind_dn: Option<Text>,
    pub(super) base: Option<Text>,
    pub(super) filter: Option<Text>,
    pub(super) user_attribute: Option<Text>,
    pub(super) service_dn: Option<Text>,
    pub(super) password_env: Option<Text>,
    pub(super) password_file: Option<Text>,
    pub(super) member_of: Option<Text>,
    pub(super) group_base: Option<Text>,
    pub(super) group_filter: Option<Text>,
    pub(super) group_attribute: Option<Text>,
    pub(super) require_group: Option<Text>,
    pub(super) connect_timeout: Option<Text>,
    pub(super) timeout: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Oidc {
    pub(super) issuer: Text,
    pub(super) audience: Spanned<Texts>,
    pub(super) jwks_url: Option<Text>,
    pub(super) ca_file: Option<Text>,
    pub(super) algorithms: Option<Spanned<Texts>>,
    pub(super) user_claim: Option<Text>,
    pub(super) user_map: Option<Text>,
    pub(super) groups_claim: Option<Text>,
    pub(super) scope: Option<Text>,
    pub(super) client_id: Option<Text>,
    pub(super) client_secret_env: Option<Text>,
    pub(super) client_secret_file: Option<Text>,
    pub(super) sign_in_scope: Option<Text>,
    pub(super) leeway: Option<Text>,
    pub(super) refresh: Option<Text>,
    pub(super) refresh_min: Option<Text>,
    pub(super) stale_max: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) session_ends_with_token: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Database {
    pub(super) name: Text,
    pub(super) upstream: Text,
    pub(super) password_env: Option<Text>,
    pub(super) password_file: Option<Text>,
    pub(super) application_name: Option<Text>,
    #[serde(default)]
    pub(super) account: Vec<Spanned<Account>>,
    #[serde(default)]
    pub(super) catalog: Texts,
    pub(super) findings: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub(super) users: Spanned<Texts>,
    pub(super) user: Text,
    pub(super) password_env: Option<Text>,
    pub(super) password_file: Option<Text>,
    pub(super) sslcert: Option<Text>,
    pub(super) sslkey: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) name: Text,
    #[serde(default)]
    pub(super) groups: Texts,
    #[serde(default)]
    pub(super) roles: Texts,
    pub(super) scram_env: Option<Text>,
    pub(super) scram: Option<Text>,
    pub(super) email: Option<Text>,
    pub(super) approval_key: Option<Text>,
    pub(super) totp_env: Option<Text>,
    pub(super) totp_file: Option<Text>,
    #[serde(default)]
    pub(super) recovery_codes: Texts,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    pub(super) databases: Option<Spanned<Texts>>,
    pub(super) users: Option<Spanned<Texts>>,
    pub(super) networks: Option<Spanned<Texts>>,
    pub(super) tls: Option<Text>,
    pub(super) method: Text,
    pub(super) cert_identity: Option<Text>,
    #[serde(default)]
    pub(super) map: Vec<Spanned<LoginMap>>,
}

/// An entry of `map` in `[[login]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginMap {
    pub(super) identity: Text,
    pub(super) user: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) name: Text,
    #[serde(default)]
    pub(super) roles: Texts,
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    const SAMPLE: &str = include_str!("../../proxy.toml");

    /// The keys that `T` knows, as its own refusal of an unknown one lists them.
    fn keys<T: DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
        let error = toml::from_str::<T>("no_such_key = 0").expect_err("unknown keys are refused");
        let message = error.message().to_owned();
        assert!(message.starts_with("unknown field `no_such_key`"), "{message}");
        message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
    }

    /// The lines of every table of that name, headers left out. A table that the sample does not
    /// use has its header behind `# `.
    fn section(header: &str) -> String {
        let mut inside = false;
        let mut lines = String::new();
        for line in SAMPLE.lines() {
            let start = line.strip_prefix("# ").unwrap_or(line);
            if start.starts_with('[') {
                inside = start.split('#').next().unwrap_or(start).trim() == header;
            } else if inside {
                lines.push_str(line);
                lines.push('\n');
            }
        }
        lines
    }

    fn shows<T: DeserializeOwned + std::fmt::Debug>(header: &str) {
        let lines = section(header);
        let keys = keys::<T>();
        assert!(!keys.is_empty());
        for key in keys {
            let shown = lines.lines().any(|line| {
                let line = line.strip_prefix('#').unwrap_or(line);
                let name = line.split_once('=').map_or("", |(name, _)| name.trim());
                name == key
            });
            assert!(shown, "{key} of {header} is not in proxy.toml");
        }
    }

    #[test]
    fn the_sample_shows_every_key() {
        shows::<Data>("[data]");
        shows::<Control>("[control]");
        shows::<Store>("[store]");
        shows::<Audit>("[audit]");
        shows::<Receipts>("[receipts]");
        shows::<Enforcement>("[enforcement]");
        shows::<Schema>("[schema]");
        shows::<Log>("[log]");
        shows::<Shutdown>("[shutdown]");
        shows::<Ldap>("[ldap]");
        shows::<Oidc>("[oidc]");
        shows::<Webhook>("[[notify.webhook]]");
        shows::<Smtp>("[notify.smtp]");
        shows::<Sink>("[[sink]]");
        shows::<Database>("[[database]]");
        shows::<Login>("[[login]]");
        shows::<User>("[[user]]");
        shows::<Group>("[[group]]");
        shows::<Policy>("[[policy]]");
        shows::<Standing>("[[standing]]");
        for key in keys::<Account>() {
            let shown = section("[[database]]").contains(&format!("{key} = "));
            assert!(shown, "[[database]] shows no {key} of an account");
        }
        for key in keys::<Notify>() {
            let shown = SAMPLE.contains(&format!("# {key} = "))
                || SAMPLE.contains(&format!("notify.{key}]"));
            assert!(shown, "{key} of [notify] is not in proxy.toml");
        }
        for table in keys::<Proxy>() {
            assert!(SAMPLE.contains(&format!("[{table}]")), "there is no [{table}] in proxy.toml");
        }
        for key in keys::<LoginMap>() {
            assert!(section("[[login]]").contains(&format!("{key} = ")), "map shows no {key}");
        }
        for key in keys::<Tls>() {
            assert!(section("[data]").contains(&format!("{key} = ")), "tls shows no {key}");
        }
    }
}
