//! What leaves the house holds nothing of anybody's, and says why a proxy is not ready.

use std::path::Path;
use std::process::Command;

use crate::desk::{EMAIL, Shop};
use crate::support::keyhole::{Keyhole, USERS};
use crate::support::traps::{self, Variant};
use crate::support::wait::until;

/// Planted in the configuration, in statements and in what clients call themselves.
const PLANTED: [&str; 10] = [
    "hunter2secret",
    "T0K3NwebHook",
    "mallory@corp.example",
    "Mallory Corp",
    "cn=bind,dc=corp",
    "ldap.corp.example",
    "hooks.corp.example",
    "literal-4711-secret",
    "ada.approver@corp.example",
    "INC-42-because-of-mallory",
];

/// Everything in a bundle, file by file.
fn bundle(proxy: &Keyhole, folder: &Path, more: &[&str]) -> Vec<(String, String)> {
    let (config, out) = (proxy.config.file(), folder.join("bundle.tar.gz"));
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (config, url) = (text(&config), format!("http://127.0.0.1:{}", proxy.http_port()));
    let out_text = text(&out);
    let mut args = vec!["support-bundle", "--config", &config, "--url", &url, "--out", &out_text];
    args.extend(more);
    let run = proxy.config.command(&args).output().expect("it runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let unpacked = Command::new("tar").arg("-xzf").arg(&out).arg("-C").arg(folder).status();
    assert!(unpacked.is_ok_and(|status| status.success()));
    let listed = Command::new("tar").arg("-tzf").arg(&out).output().expect("it lists");
    let names = String::from_utf8(listed.stdout).expect("UTF-8");
    let file = |name: &str| {
        let content = std::fs::read_to_string(folder.join(name)).expect("UTF-8");
        (name.to_owned(), content)
    };
    names.lines().map(file).collect()
}

fn nothing_of_anybodys(files: &[(String, String)]) {
    for (name, text) in files {
        for planted in PLANTED {
            assert!(!text.contains(planted), "{planted} is in {name}:\n{text}");
        }
        let samples = name == "metrics.txt" || name == "version.json" || name == "audit.json";
        if !samples {
            assert_eq!(traps::finder(Variant::A).find(text.as_bytes(), b""), [], "{name}");
        }
        for (user, password) in USERS {
            let words = |word: &str| text.split(|c: char| !c.is_alphanumeric()).any(|w| w == word);
            assert!(!words(user) && !text.contains(password), "{user} is in {name}:\n{text}");
        }
    }
}

#[test]
fn a_bundle_holds_no_secret_and_nothing_of_anybodys() {
    let shop = Shop::open_with("support_bundle", |mut config| {
        config.push(
            "user",
            "name = 'mallory@corp.example'\nemail = 'ada.approver@corp.example'\n\
             scram_env = 'KEYHOLE_ALICE_PASSWORD'\n",
        );
        config.push(
            "policy",
            "name = 'Mallory Corp'\nsubjects = ['mallory@corp.example']\nresources = ['*']\n\
             actions = ['read']\nmax_duration = '1h'\napprovals = 0\n\
             reason = 'INC-42-because-of-mallory'\n",
        );
        config
    });
    let mut session = shop.alice().connect();
    shop.dba().grant("public.customers.email", "alice");
    session.query(EMAIL).ok();
    session.query("SELECT ssn FROM customers WHERE email = 'literal-4711-secret'").ok();
    session.query("SELECT ssn INTO t FROM customers WHERE email = 'mallory@corp.example'");
    session.query("SET application_name = 'Mallory Corp'").ok();
    until("the refusal is counted", || {
        let (_, text) = shop.proxy.http("/metrics");
        text.contains("keyhole_refused_total{reason=\"denied\"} 1").then_some(())
    });
    // What the running proxy has no use for, as a supporter would find it written down.
    let config = shop.proxy.config.file();
    let mut text = std::fs::read_to_string(&config).expect("readable");
    text.push_str(
        "[ldap]\nservers = ['ldaps://ldap.corp.example']\nservice_dn = 'cn=bind,dc=corp'\n\
         password = 'hunter2secret'\n[[notify.webhook]]\nname = 'siem'\n\
         url = 'https://hooks.corp.example/T0K3NwebHook'\n",
    );
    std::fs::write(&config, text).expect("writable");
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut lines = shop.proxy.log();
    lines.push_str(
        "2026-03-01T12:00:00Z  WARN keyhole::server: no for \"mallory@corp.example\" \
         password=hunter2secret\nthread panicked: literal-4711-secret\n",
    );
    std::fs::write(&log, lines).expect("writable");
    let files = bundle(&shop.proxy, folder.path(), &["--log", log.to_str().expect("UTF-8")]);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "README.txt",
            "version.json",
            "configuration.json",
            "catalog.json",
            "readiness.txt",
            "metrics.txt",
            "audit.json",
            "log.txt"
        ]
    );
    nothing_of_anybodys(&files);
    let of = |wanted: &str| &files.iter().find(|(name, _)| name == wanted).expect("it is there").1;
    assert!(of("readiness.txt").starts_with("200\nready\n"), "{}", of("readiness.txt"));
    assert!(of("metrics.txt").contains("keyhole_refused_total{reason=\"denied\"} 1"));
    assert!(!of("metrics.txt").contains("customers"), "{}", of("metrics.txt"));
    let audit: serde_json::Value = serde_json::from_str(of("audit.json")).expect("JSON");
    assert!(audit["chain"].as_str().is_some_and(|it| it.starts_with("ok, ")), "{audit}");
    assert!(audit["records_by_kind"]["release"].as_u64() >= Some(1), "{audit}");
    assert!(of("log.txt").contains("keyhole::server"), "{}", of("log.txt"));
    assert!(of("configuration.json").contains("\"scram\""), "{}", of("configuration.json"));
}

#[test]
fn who_asks_hears_why_a_proxy_is_not_ready() {
    let mut shop = Shop::open("support_ready");
    let url = format!("http://127.0.0.1:{}", shop.proxy.http_port());
    let ask = |shop: &Shop, more: &[&str]| {
        let mut args = vec!["ready", "--url", &url];
        args.extend(more);
        let run = shop.proxy.config.command(&args).output().expect("it runs");
        (run.status.code(), String::from_utf8_lossy(&run.stdout).into_owned())
    };
    assert_eq!(ask(&shop, &[]), (Some(0), "ready\n".to_owned()));
    // A session that works keeps the proxy from ending: it drains.
    let mut session = shop.alice().connect();
    session.query("BEGIN").ok();
    shop.proxy.signal("TERM");
    let said = until("it drains", || {
        let (code, said) = ask(&shop, &[]);
        (code == Some(1)).then_some(said)
    });
    assert_eq!(said, "not ready\nshutdown: it ends: no new sessions\n");
    assert_eq!(ask(&shop, &["--alive"]).0, Some(0));
    drop(session);
    shop.proxy.wait();
    assert_eq!(ask(&shop, &[]).0, Some(2));
}
