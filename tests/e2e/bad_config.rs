//! A configuration that is wrong is named by file, line and key, before any port opens.

use crate::support::Postgres;
use crate::support::keyhole::{Config, Keyhole};
use crate::support::traps::{self, Variant};

struct Case {
    what: &'static str,
    replace: (&'static str, &'static str),
    /// In the message: the key, or the value that is wrong.
    named: &'static str,
}

const GOOD: &str = r#"
[data]
listen = "127.0.0.1:0"
auth = "scram"

[control]
listen = "127.0.0.1:0"
http = "127.0.0.1:0"

[store]
url = "sqlite:keyhole.db"
max_staleness = "30s"

[audit]
dir = "audit"

[enforcement]
mode = "enforce"

[[database]]
name = "shop"
upstream = "postgres://app@127.0.0.1:PORT/bad_config"
password_env = "KEYHOLE_UPSTREAM_PASSWORD"
catalog = ["catalog.toml"]

[[user]]
name = "alice"
groups = ["support"]
scram_env = "KEYHOLE_ALICE_PASSWORD"

[[policy]]
name = "all"
subjects = ["*"]
resources = ["*"]
actions = ["read"]
max_duration = "30m"
approvals = 1
approvers = ["group:dba"]
"#;

const CASES: &[Case] = &[
    Case { what: "an unknown key", replace: ("auth = ", "oauth = "), named: "oauth" },
    Case { what: "an unknown section", replace: ("[audit]", "[adit]"), named: "adit" },
    Case { what: "no TOML", replace: ("auth = \"scram\"", "auth = = 1"), named: "auth" },
    Case { what: "an unknown method", replace: ("\"scram\"", "\"telepathy\""), named: "telepathy" },
    Case {
        what: "a wrong type",
        replace: ("approvals = 1", "approvals = \"one\""),
        named: "approvals",
    },
    Case { what: "a bad duration", replace: ("\"30m\"", "\"a while\""), named: "max_duration" },
    Case {
        what: "a bad address",
        replace: ("\"127.0.0.1:0\"\nauth", "\"here\"\nauth"),
        named: "listen",
    },
    Case { what: "a bad mode", replace: ("\"enforce\"", "\"enfroce\""), named: "enfroce" },
    Case {
        what: "no catalog there",
        replace: ("\"catalog.toml\"", "\"nope.toml\""),
        named: "nope.toml",
    },
    Case {
        what: "a bad upstream",
        replace: ("postgres://app@", "mysql://app@"),
        named: "upstream",
    },
    Case {
        what: "an upstream that cannot be verified",
        replace: ("PORT/bad_config", "PORT/bad_config?sslmode=verify-full"),
        named: "sslrootcert",
    },
    Case {
        what: "an authority that is not there",
        replace: ("PORT/bad_config", "PORT/bad_config?sslrootcert=nope.crt"),
        named: "nope.crt",
    },
    Case {
        what: "an account of nobody",
        replace: ("catalog = [", "account = [{ users = [], user = 'x' }]\ncatalog = ["),
        named: "users in [[database.account]]",
    },
    Case {
        what: "an account with half a certificate",
        replace: (
            "catalog = [",
            "account = [{ users = ['*'], user = 'x', sslkey = 'k' }]\ncatalog = [",
        ),
        named: "sslcert in [[database.account]]",
    },
    Case {
        what: "an unknown placeholder",
        replace: ("catalog = [", "application_name = '{group}'\ncatalog = ["),
        named: "application_name",
    },
    Case {
        what: "an unset variable",
        replace: ("KEYHOLE_ALICE_", "KEYHOLE_UNSET_"),
        named: "scram_env",
    },
    Case { what: "an unknown action", replace: ("[\"read\"]", "[\"raed\"]"), named: "raed" },
];

fn config(text: &str, catalog: &str) -> Config {
    let config = Config::new();
    let port = Postgres::shared().port().to_string();
    config.write_text(&text.replace("PORT", &port));
    std::fs::write(config.path().join("catalog.toml"), catalog).expect("writable");
    config
}

/// The number of the first line that differs, counted from one.
fn line_of_change(before: &str, after: &str) -> usize {
    1 + before.lines().zip(after.lines()).take_while(|(before, after)| before == after).count()
}

#[test]
fn the_good_configuration_serves() {
    traps::create(Postgres::shared(), "bad_config", Variant::A);
    let started = Keyhole::launch(config(GOOD, traps::CATALOG));
    let proxy = started.map_err(|ended| ended.log).expect("it is good");
    assert_eq!(proxy.data("alice", "shop").connect().query("SELECT 1").scalar(), "1");
}

#[test]
fn a_wrong_key_is_named_with_its_line() {
    for case in CASES {
        let (from, to) = case.replace;
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{}", case.what);
        let line = line_of_change(GOOD, &text);
        let ended = Keyhole::launch(config(&text, traps::CATALOG)).err().expect(case.what);
        assert_eq!(ended.status.code(), Some(2), "{}: {}", case.what, ended.log);
        let place = format!("proxy.toml:{line}");
        assert!(ended.log.contains(&place), "{}: {place} is not in: {}", case.what, ended.log);
        assert!(ended.log.contains(case.named), "{}: {}", case.what, ended.log);
    }
}

#[test]
fn trust_for_the_world_is_refused() {
    let (near, far) = ("127.0.0.1:0\"\nauth = \"scram\"", "0.0.0.0:0\"\nauth = \"trust\"");
    let text = GOOD.replacen(near, far, 1);
    assert_ne!(text, GOOD);
    let ended = Keyhole::launch(config(&text, traps::CATALOG)).err().expect("anybody could come");
    assert_eq!(ended.status.code(), Some(2), "{}", ended.log);
    // Of the two lines it is that of the method.
    let place = format!("proxy.toml:{}: auth", line_of_change(GOOD, &text) + 1);
    assert!(ended.log.contains(&place) && ended.log.contains("trust"), "{}", ended.log);
}

#[test]
fn a_wrong_catalog_is_named_with_its_line() {
    let class = "[[class]]\nname = \"email\"\nmask = { kind = \"email\" }\n";
    for (what, catalog, line, named) in [
        ("an unknown mask", "[[class]]\nname = \"a\"\nmask = { kind = \"blur\" }\n", 3, "blur"),
        ("an unknown key", "[[class]]\nname = \"a\"\nmsak = { kind = \"email\" }\n", 3, "msak"),
        (
            "an unknown class",
            &format!(
                "{class}\n[[table]]\nname = \"public.customers\"\ncolumns = {{ email = \"emial\" }}\n"
            ),
            7,
            "emial",
        ),
    ] {
        let ended = Keyhole::launch(config(GOOD, catalog)).err().expect(what);
        assert_eq!(ended.status.code(), Some(2), "{what}: {}", ended.log);
        let place = format!("catalog.toml:{line}");
        assert!(ended.log.contains(&place), "{what}: {place} is not in: {}", ended.log);
        assert!(ended.log.contains(named), "{what}: {}", ended.log);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let config = Config::new();
    let ended = Keyhole::launch(config).err().expect("there is no file");
    assert_eq!(ended.status.code(), Some(2), "{}", ended.log);
    assert!(ended.log.contains("proxy.toml"), "{}", ended.log);
}

#[test]
fn check_finds_what_the_live_schema_does_not_have() {
    let server = Postgres::shared();
    traps::create(server, "bad_check", Variant::A);
    let check = |catalog: &str| {
        let config = Config::new().database("shop", server, "bad_check", catalog);
        config.write();
        let file = config.file();
        let file = file.to_str().expect("UTF-8");
        let output = config.command(&["check", "--config", file]).output().expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (code, said) = check(traps::CATALOG);
    assert_eq!(code, Some(0), "{said}");
    let class = "[[class]]\nname = \"email\"\nmask = { kind = \"email\" }\n\n";
    let columns = "[[table]]\nname = \"public.customers\"\ncolumns = { e_mail = \"email\" }\n";
    let (code, said) = check(&format!("{class}{columns}"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("shop.toml:") && said.contains("e_mail"), "{said}");
    let table = "[[table]]\nname = \"public.customer\"\ncolumns = { email = \"email\" }\n";
    let (code, said) = check(&format!("{class}{table}"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("shop.toml:6") && said.contains("public.customer"), "{said}");
}
