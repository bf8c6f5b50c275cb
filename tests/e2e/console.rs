//! The web console in a real browser, with a psql session beside it.

use std::process::{Command, Stdio};

use crate::support::keyhole::{Config, USERS};
use crate::support::{Keyhole, Postgres, Target, programs, traps};

const SHOP: &str = include_str!("../../demo/shop.sql");
const CATALOG: &str = include_str!("../../catalog/shop.toml");

/// What nobody has catalogued yet.
const PROSPECTS: &str = "CREATE TABLE prospects (id int, mail text, phone_number text);
    INSERT INTO prospects SELECT i, format('p%s@example.com', i), format('+49 30 90182%s', 100 + i)
    FROM generate_series(1, 40) i;
    GRANT SELECT ON prospects TO app";

/// Of dora's second factor.
const TOTP_SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

const POLICIES: [&str; 3] = [
    r#"name = "support reads contact data"
subjects = ["group:support"]
resources = ["class:email", "class:phone"]
actions = ["read"]
max_duration = "1h"
approvals = 0
reason = "INC-[0-9]+"
"#,
    r#"name = "on call, in an emergency"
subjects = ["group:support"]
resources = ["*"]
actions = ["read"]
max_duration = "15m"
approvals = 0
approvers = ["group:dba"]
break_glass = true
review_within = "24h"
"#,
    r#"name = "anything else"
subjects = ["*"]
resources = ["*"]
actions = ["read", "lookup", "write", "export"]
max_duration = "30m"
approvals = 1
approvers = ["group:dba"]
second_factor = "totp"
"#,
];

#[test]
fn the_console_works_in_a_browser_with_and_without_script() {
    let server = Postgres::shared();
    // It makes the account that the proxy uses.
    traps::prepare(server);
    server.create_database("console_shop", "template0");
    server.direct("console_shop").connect().query(SHOP).ok();
    server.direct("console_shop").connect().query(PROSPECTS).ok();
    let mut config = Config::new().database("shop", server, "console_shop", CATALOG);
    config.remove("policy");
    for policy in POLICIES {
        config.push("policy", policy);
    }
    let text = config.text().replace("name = \"dora\"", "name = \"dora\"\ntotp_file = 'dora.totp'");
    let catalog = "catalog = [\"shop.toml\"]";
    assert!(text.contains(catalog), "{text}");
    let text = text.replace(catalog, &format!("{catalog}\nfindings = \"found.json\""));
    std::fs::write(config.path().join("dora.totp"), TOTP_SECRET).expect("writable");
    let proxy = Keyhole::start(config.with_text(&text));
    let file = proxy.config.file();
    let scan = proxy.config.command(&["scan", "--config", file.to_str().expect("UTF-8")]);
    assert_eq!(programs::run(scan, "").code, Some(5), "something is found");
    let told = browser(&proxy, &proxy.data("alice", "shop"))
        .stdin(Stdio::null())
        .output()
        .expect("python runs; `make setup` installs what it needs");
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{out}\n{err}");
    let audit = proxy.audit_text();
    assert!(audit.contains(r#""kind":"explored""#), "who looked at the log is on record");
    assert!(audit.contains(r#""asked":["user","period"]"#), "and by which fields");
    let (is_whole, words) = proxy.audit_verify();
    assert!(is_whole, "{words}");
}

fn browser(proxy: &Keyhole, alice: &Target) -> Command {
    let mut command = programs::python("console_story.py", alice);
    let passwords: serde_json::Map<_, _> =
        USERS.iter().map(|(user, password)| ((*user).to_owned(), (*password).into())).collect();
    let root = env!("CARGO_MANIFEST_DIR");
    command
        .env("CONSOLE_URL", format!("http://127.0.0.1:{}", proxy.http_port()))
        .env("CONSOLE_PASSWORDS", serde_json::Value::Object(passwords).to_string())
        .env("CONSOLE_TOTP", TOTP_SECRET)
        .env("CONSOLE_AXE", format!("{root}/tests/clients/node/node_modules/axe-core/axe.min.js"));
    command
}
