//! People who are proven by a directory (slapd) and by an issuer of tokens (oidc-provider).

#[path = "idp/directory.rs"]
mod directory;
#[path = "idp/oauthbearer.rs"]
mod oauthbearer;
#[path = "idp/pages.rs"]
mod pages;
#[path = "idp/tokens.rs"]
mod tokens;

use std::sync::Once;

use serde_json::Value;

use crate::support::keyhole::Config;
use crate::support::traps::{self, Variant};
use crate::support::wait::until;
use crate::support::{Client, Keyhole, Postgres, Target};

/// One database of which nothing is hidden, and what everybody in the group `dba` may do.
fn config() -> Config {
    static MADE: Once = Once::new();
    let server = Postgres::shared();
    MADE.call_once(|| drop(traps::create(server, "idp", Variant::A)));
    let mut config = Config::new().database("shop", server, "idp", "");
    config.push("group", "name = 'dba'\nroles = ['control']");
    config
}

fn data(proxy: &Keyhole, user: &str, password: &str) -> Target {
    proxy.data(user, "shop").password(password)
}

fn console(proxy: &Keyhole, user: &str, password: &str) -> Target {
    proxy.control(user).password(password)
}

/// The SQLSTATE that a login is refused with; empty: it was not refused.
#[track_caller]
fn refused(target: &Target) -> String {
    match Client::connect(target) {
        Ok(_) => String::new(),
        Err(error) => {
            assert_ne!(error.code(), "", "no error but {error}");
            error.code().to_owned()
        }
    }
}

/// The last login on the data port that is on record, as JSON.
#[track_caller]
fn last_login(proxy: &Keyhole, user: &str) -> Value {
    let quoted = format!("\"{user}\"");
    until("the login is on record", || {
        let text = proxy.audit_text();
        let records = text.lines().rev().filter_map(|line| serde_json::from_str(line).ok());
        let mut logins = records.filter(|record: &Value| record["kind"] == "login");
        logins.find(|record| record.to_string().contains(&quoted))
    })
}
