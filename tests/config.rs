//! Configuration as the operator meets it: what a good file means, and what a bad one is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyhole::audit::Kind;
use keyhole::catalog::{Hiding, MaskSpec};
use keyhole::config::{
    AuthMethod, Config, Confirm, Credential, DatabaseName, EnforcementMode, Facility, LogFormat,
    LoginNetwork, LoginTls, LoginWhen, NoticeKind, Persist, Role, SinkStart, SinkWay,
    SmtpEncryption, SslMode, StoreLocation, SyslogWay, TlsDemand, Unclassified, UpstreamDatabase,
    WebhookFormat, Writes,
};
use keyhole::grant::Subject;
use keyhole::model::{RelationName, Secret};
use keyhole::risk::{Reaction, Rule, Severity, Use};

const SAMPLE: &str = include_str!("../proxy.toml");
const CATALOG: &str = include_str!("../catalog/shop.toml");

fn environment(name: &str) -> Option<String> {
    let known = name.ends_with("_PASSWORD") || name.ends_with("_SECRET");
    known.then(|| format!("secret of {name}"))
}

/// A folder with these files, removed with the value.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

fn load(proxy: &str, catalog: &str) -> Result<Config, Vec<String>> {
    let folder = folder(&[("proxy.toml", proxy), ("catalog/shop.toml", catalog)]);
    let prefix = format!("{}/", folder.path().display());
    Config::load_with(&folder.path().join("proxy.toml"), &environment).map_err(|problems| {
        problems.0.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
    })
}

/// What is said about the sample after `from` was replaced by `to` in it.
fn complaints(from: &str, to: &str) -> Vec<String> {
    assert!(SAMPLE.contains(from), "{from}");
    load(&SAMPLE.replacen(from, to, 1), CATALOG).expect_err(to)
}

/// The number of the sample's line that begins with `start`, which is its first.
fn line(text: &str, start: &str) -> usize {
    1 + text.lines().position(|line| line.starts_with(start)).expect(start)
}

#[test]
fn the_sample_means_what_it_says() {
    let config = load(SAMPLE, CATALOG).expect("the sample is good");
    assert_eq!(config.data.listen.tcp, ["127.0.0.1:6432".parse().expect("an address")]);
    assert!(config.data.listen.unix.is_empty() && config.data.listen.unix_mode == 0o770);
    assert_eq!(config.data.auth, AuthMethod::Scram);
    assert_eq!(config.data.tls, None);
    assert_eq!(config.data.frame_len_max, 256 << 20);
    assert_eq!(config.data.login_timeout, Duration::from_secs(60));
    assert_eq!(config.data.connections_max, 1000);
    let connections = &config.data.connections;
    assert_eq!((connections.per_user, connections.per_address), (None, None));
    assert_eq!((connections.idle, connections.idle_in_transaction), (None, None));
    assert_eq!(connections.keepalive, Some(Duration::from_secs(60)));
    assert_eq!(connections.tcp_user_timeout, None);
    assert_eq!(connections.client_stall, Some(Duration::from_secs(3600)));
    assert!(connections.balancers.is_empty());
    assert_eq!(config.control.listen.expect("a console").port(), 6433);
    assert_eq!(config.control.http.expect("a web port").port(), 8432);
    assert_eq!(config.store.max_staleness, Duration::from_secs(30));
    assert_eq!(config.enforcement.mode, EnforcementMode::Enforce);
    assert_eq!(config.enforcement.unclassified, Unclassified::Allow);
    assert_eq!(config.enforcement.persist, Persist::Refuse);
    assert_eq!(config.enforcement.writes, Writes::Allow);
    assert!(config.enforcement.notice);
    assert_eq!(config.enforcement.lookups_per_minute, 20);
    assert_eq!(config.log.format, LogFormat::Text);

    let shop = config.database("shop").expect("the database");
    assert_eq!(shop.upstream.user, "app");
    assert_eq!(shop.upstream.database, UpstreamDatabase::Named("shop".to_owned()));
    assert_eq!(shop.upstream.tls.mode, SslMode::Prefer);
    assert!(shop.accounts.is_empty());
    assert_eq!(shop.application_name, None);
    assert_eq!(config.warnings(), []);
    assert_eq!(shop.password, Some(Secret::new("secret of KEYHOLE_UPSTREAM_PASSWORD")));
    assert!(config.database("another").is_none());

    let dora = config.user("dora").expect("the user");
    assert_eq!(dora.roles, [Role::Control]);
    let password = Secret::new("secret of KEYHOLE_DORA_PASSWORD");
    assert_eq!(dora.credential, Some(Credential::Password(password)));
    assert!(dora.principal().in_group("dba") && dora.principal().has_role("control"));
}

#[test]
fn policies_and_standing_grants_are_resolved_against_the_catalog() {
    let config = load(SAMPLE, CATALOG).expect("the sample is good");
    let views = config.catalog_views();
    let policies = config.grant_policies(&views).expect("they were checked").0;
    assert_eq!(policies.len(), 2);
    assert_eq!(policies[0].approvals, 0);
    assert_eq!(policies[0].max_duration, Duration::from_secs(3600));
    assert_eq!(policies[0].reason.as_ref().expect("a pattern").as_str(), "INC-[0-9]+");
    assert_eq!(policies[1].approvers, [Subject::Group("dba".to_owned())]);
    let standing = config.grant_standing(&views).expect("they were checked");
    assert_eq!(standing[0].actions.to_string(), "read, lookup");
    assert_eq!(standing[0].conditions.networks[0].to_string(), "10.2.0.0/16");
    assert_eq!(standing[0].resources[0].to_string(), "public.customers.email");
    assert_eq!(config.standing[0].place.line, line(SAMPLE, "[[standing]]"));
}

#[test]
fn the_catalog_comes_with_its_places() {
    let config = load(SAMPLE, CATALOG).expect("the sample is good");
    let catalog = &config.databases[0].catalog;
    let national_id = &catalog.classes["national_id"];
    assert_eq!(national_id.hiding, Hiding::Mask(MaskSpec::Partial { keep_first: 0, keep_last: 4 }));
    assert_eq!(national_id.sensitivity.as_deref(), Some("high"));
    assert_eq!(catalog.classes["pay"].hiding, Hiding::Deny);
    let name = RelationName::new("public", "customers");
    let customers = catalog.tables.iter().find(|t| t.name == name).expect("the table");
    assert_eq!(customers.columns["ssn"], "national_id");
    let at = line(CATALOG, "name = \"public.customers\"");
    assert!(customers.place.ends_with(&format!("catalog/shop.toml:{at}")), "{}", customers.place);
    assert_eq!(catalog.functions[0].signature, "public.customer_email(integer)");
}

#[test]
fn subjects_are_one_column_or_several_and_decoys_are_of_catalogued_tables() {
    const TABLE: &str = "name = \"public.customers\"\n";
    for (written, read) in [
        ("", None),
        ("subject = \"ssn\"\n", Some(vec!["ssn".to_owned()])),
        ("subject = [\"id\", \"email\"]\n", Some(vec!["id".to_owned(), "email".to_owned()])),
        ("subject = []\n", Some(Vec::new())),
    ] {
        let catalog = CATALOG.replacen(TABLE, &format!("{TABLE}{written}"), 1);
        let config = load(SAMPLE, &catalog).expect(written);
        let tables = &config.databases[0].catalog.tables;
        let table = tables.iter().find(|it| it.name.name == "customers").expect("the table");
        assert_eq!(table.subject, read, "{written}");
    }
    let honey = |table: &str, values: &str| {
        format!("{CATALOG}\n[[honey]]\ntable = '{table}'\nkey = 'id'\nvalues = {values}\n")
    };
    let config = load(SAMPLE, &honey("public.customers", "['9000001']")).expect("a decoy");
    assert_eq!(config.databases[0].catalog.honey[0].values, ["9000001"]);
    assert!(!format!("{config:?}").contains("9000001"), "decoys are not printed");
    for (catalog, complaint) in [
        (honey("public.nowhere", "['1']"), "public.nowhere is no catalogued table"),
        (honey("public.customers", "[]"), "names no values"),
        (honey("customers", "['1']"), "table in [[honey]]"),
    ] {
        let said = load(SAMPLE, &catalog).expect_err(complaint);
        assert!(said.len() == 1 && said[0].contains(complaint), "{said:?}");
        assert!(said[0].starts_with("catalog/shop.toml:"), "{said:?}");
    }
}

#[test]
fn every_default_in_the_sample_is_the_default() {
    let key =
        |line: &str| line.strip_prefix('#').is_some_and(|l| l.starts_with(char::is_lowercase));
    let spelled_out: Vec<&str> =
        SAMPLE.lines().map(|line| if key(line) { &line[1..] } else { line }).collect();
    assert!(SAMPLE.lines().filter(|line| key(line)).count() >= 8);
    let folder = folder(&[("proxy.toml", SAMPLE), ("catalog/shop.toml", CATALOG)]);
    let path = folder.path().join("proxy.toml");
    let silent = Config::load_with(&path, &environment).expect("the sample is good");
    fs::write(&path, spelled_out.join("\n")).expect("a file");
    let spelled_out = Config::load_with(&path, &environment).expect("the defaults are good");
    assert_eq!(format!("{silent:?}"), format!("{spelled_out:?}"));
}

#[test]
fn paths_are_relative_to_the_file() {
    let folder = folder(&[("etc/proxy.toml", SAMPLE), ("etc/catalog/shop.toml", CATALOG)]);
    let etc = folder.path().join("etc");
    let config = Config::load_with(&etc.join("proxy.toml"), &environment).expect("good");
    assert_eq!(config.audit.dir, etc.join("audit"));
    assert_eq!(config.store.location, StoreLocation::Sqlite(etc.join("keyhole.db")));
    let absolute = SAMPLE.replace("dir = \"audit\"", "dir = \"/var/log/keyhole\"");
    let config = load(&absolute, CATALOG).expect("good");
    assert_eq!(config.audit.dir, PathBuf::from("/var/log/keyhole"));
}

#[test]
fn a_store_in_postgresql_has_hosts_a_password_and_a_poll() {
    let shared = |keys: &str| {
        let url = "postgres://keyhole@db1,db2:5433/approvals?sslmode=disable";
        let keys = format!("url = \"{url}\"\n{keys}");
        load(&SAMPLE.replace("url = \"sqlite:keyhole.db\"", &keys), CATALOG)
    };
    let config =
        shared("poll = \"250ms\"\npassword_env = \"KEYHOLE_DORA_PASSWORD\"").expect("good");
    let StoreLocation::Postgres(store) = &config.store.location else { panic!("shared") };
    assert_eq!(store.url.hosts.len(), 2);
    assert_eq!(store.url.database, UpstreamDatabase::Named("approvals".to_owned()));
    assert_eq!(store.poll, Duration::from_millis(250));
    assert!(store.password.is_some());
    let config = shared("").expect("good");
    let StoreLocation::Postgres(store) = &config.store.location else { panic!("shared") };
    assert_eq!((store.poll, store.password.is_some()), (Duration::from_secs(1), false));
    for poll in ["50ms", "11s"] {
        let problems = shared(&format!("poll = \"{poll}\"")).expect_err("refused");
        let told = problems.join("\n");
        assert!(told.contains("between 100ms and 10s"), "{told}");
    }
}

#[test]
fn a_misspelled_key_is_named_with_its_line_and_the_nearest_one() {
    let at = line(SAMPLE, "listen");
    assert_eq!(
        complaints("listen =", "listn ="),
        [format!("proxy.toml:{at}: unknown key \"listn\" in [data] (did you mean \"listen\"?)")]
    );
    let at = line(SAMPLE, "approvals");
    assert_eq!(
        complaints("approvals    =", "approval    ="),
        [format!(
            "proxy.toml:{at}: unknown key \"approval\" in [[policy]] (did you mean \
             \"approvals\"?)"
        )]
    );
    let at = line(SAMPLE, "[schema]");
    assert_eq!(
        complaints("[schema]", "[shcema]\nrefresh = \"1s\"\n[schema]"),
        [format!("proxy.toml:{at}: unknown table [shcema] (did you mean \"schema\"?)")]
    );
}

/// What is replaced by what, the key at the start of the line that is named, and why.
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    ("\"127.0.0.1:6432\"", "\"localhost\"", "listen", "listen in [data]: an address is IP:port"),
    ("\"127.0.0.1:6432\"", "\"unix:/run\"", "listen", "an IP:port is needed"),
    ("\"127.0.0.1:6432\"", "[\"[::1]:1\", \"x\"]", "listen", "an address is IP:port"),
    ("\"127.0.0.1:6432\"", "[\"[::1]:1\", \"[::1]:1\"]", "listen", "is named twice"),
    ("\"127.0.0.1:6432\"", "6432", "listen", "expected a string or a list of strings"),
    ("#unix_mode = \"0770\"", "unix_mode = \"rwx\"", "unix_mode", "are octal digits"),
    ("\"127.0.0.1:6433\"", "6433", "listen ", "listen in [control]: invalid type: integer"),
    ("\"scram\" ", "\"ldap\" ", "auth", "auth in [data]: \"ldap\" needs a table [ldap]"),
    ("\"scram\" ", "\"scarm\" ", "auth", "unknown value \"scarm\" (did you mean \"scram\"?)"),
    ("#frame_len_max = \"256MiB\"", "frame_len_max = \"1MB\"", "frame_len_max", "a size is"),
    ("#frame_len_max = \"256MiB\"", "frame_len_max = \"1KiB\"", "frame_len_max", "64KiB"),
    ("#connections_max = 1000", "connections_max = 0", "connections_max", "at least 1"),
    ("# connections_per_user = 50", "connections_per_user = 0", "connections_per_user", "at least"),
    ("# connections_per_address = 100", "connections_per_address = 0", "connections_per_a", "1"),
    ("# proxy_protocol = [\"10.0.0.0/8", "proxy_protocol = [\"lb", "proxy_pro", "is not a network"),
    ("#keepalive = \"60s\"", "keepalive = \"never\"", "keepalive", "a duration is"),
    ("# tcp_user_timeout = \"2min\"", "tcp_user_timeout = \"2\"", "tcp_user_t", "a duration is"),
    ("# idle_timeout = \"30min\"", "idle_timeout = \"0s\"", "idle_timeout", "longer than nothing"),
    ("#login_timeout = \"60s\"", "login_timeout = \"60\"", "login_timeout", "a duration is"),
    ("sqlite:keyhole.db", "postgres://k@h/*", "url", "url in [store]: a store is in one database"),
    ("sqlite:keyhole.db", "postgres://h/k", "url", "url in [store]: the URL names no user"),
    ("sqlite:keyhole.db", "postgres://k:p@h/k", "url", "a password does not belong into the URL"),
    ("sqlite:keyhole.db", "postgres://k@h/k?target_session_attrs=standby", "url", "is written"),
    ("# poll = \"1s\"", "poll = \"1s\"", "poll", "this key is for a store in PostgreSQL"),
    ("sqlite:keyhole.db", "keyhole.db", "url", "url in [store]: a store is sqlite:"),
    ("\"enforce\" ", "\"enforced\" ", "mode", "(did you mean \"enforce\"?)"),
    ("\"allow\" ", "\"no\" ", "unclassified", "unknown value \"no\""),
    (
        "notice       = true ",
        "notice       = \"yes\" ",
        "notice",
        "notice in [enforcement]: invalid type: string",
    ),
    ("app@127.0.0.1:5432/shop", "app:pw@h/shop", "upstream", "password_env or password_file"),
    ("\"KEYHOLE_UPSTREAM_PASSWORD\"", "\"NOPE\"", "password_env", "NOPE is not set"),
    ("[\"control\"]", "[\"contol\"]", "roles", "roles of user \"dora\": unknown value"),
    ("\"dora\"", "\"alice\"", "name   = \"alice\"", "user \"alice\" is defined twice"),
    ("\"INC-[0-9]+\"", "\"INC-[0-9+\"", "reason", "reason: error: unclosed"),
    (
        "max_duration = \"1h\"",
        "max_duration = \"1 fortnight\"",
        "max_duration",
        "unknown unit of time \"fortnight\"",
    ),
    ("[\"group:support\"]", "[]", "subjects", "policy \"support reads contact data\": subjects:"),
    ("\"class:phone\"", "\"phone\"", "resources", "\"phone\" is not in any catalog"),
    ("[\"group:dba\"]            #", "[] #", "approvers", "approvers: approvals are needed"),
    ("10.2.0.0/16", "10.2.0.1/16", "networks", "has bits set behind its prefix"),
    ("\"billing_app\"", "\"*\"", "subject ", "a standing grant names its subject"),
];

#[test]
fn every_mistake_names_line_and_key() {
    for &(from, to, key, expected) in MISTAKES {
        let said = complaints(from, to);
        assert_eq!(said.len(), 1, "{to}: {said:?}");
        let text = SAMPLE.replacen(from, to, 1);
        let lines: Vec<usize> =
            (1..).zip(text.lines()).filter(|(_, l)| l.starts_with(key)).map(|(n, _)| n).collect();
        let named = lines.iter().any(|at| said[0].starts_with(&format!("proxy.toml:{at}: ")));
        assert!(named && said[0].contains(expected), "{to}: {}", said[0]);
    }
}

#[test]
fn trust_is_for_loopback_only() {
    let trusting = SAMPLE.replace("auth   = \"scram\"", "auth   = \"trust\"");
    let config = load(&trusting, CATALOG).expect("every port is on loopback");
    assert_eq!(config.data.auth, AuthMethod::Trust);
    for (port, key) in [("6432", "listen in [data]"), ("6433", "[control]"), ("8432", "http")] {
        let open = trusting.replace(&format!("127.0.0.1:{port}\""), &format!("0.0.0.0:{port}\""));
        let said = load(&open, CATALOG).expect_err("anybody could be anybody");
        assert!(said[0].contains("trust") && said[0].contains(key), "{said:?}");
    }
}

/// The sample with a `[[login]]` in front of its users.
fn with_login(rule: &str) -> String {
    SAMPLE.replacen("\n[[user]]", &format!("\n[[login]]\n{rule}\n\n[[user]]"), 1)
}

#[test]
fn rules_of_logins_say_whom_they_are_about() {
    let rule = "databases = [\"shop\", \"*\"]\nusers = [\"alice\", \"group:dba\"]\n\
                networks = [\"local\", \"10.0.0.0/8\"]\ntls = \"require\"\nmethod = \"scram\"";
    let config = load(&with_login(rule), CATALOG).expect("a good rule");
    let LoginWhen { databases, users, networks, tls } = &config.logins[0].when;
    assert_eq!(databases, &[DatabaseName::Named("shop".to_owned()), DatabaseName::Any]);
    assert_eq!(users[1], Subject::Group("dba".to_owned()));
    assert_eq!((networks.len(), networks[0]), (2, LoginNetwork::Local));
    assert_eq!((*tls, config.logins[0].method), (LoginTls::Require, AuthMethod::Scram));
    let config = load(&with_login("method = \"reject\""), CATALOG).expect("a good rule");
    assert_eq!(config.logins[0].when, LoginWhen::default());
    assert!(load(SAMPLE, CATALOG).expect("good").logins.is_empty());
}

#[test]
fn with_rules_a_user_may_do_without_a_password() {
    let text = with_login("method = \"trust\"").replacen(
        "scram_env = \"KEYHOLE_ALICE_PASSWORD\"",
        "# ",
        1,
    );
    assert_eq!(load(&text, CATALOG).expect("good").users[0].credential, None);
}

#[test]
fn trust_by_a_rule_is_for_this_machine_only() {
    let open = |rule: &str| with_login(rule).replace("127.0.0.1:6432", "0.0.0.0:6432");
    for networks in ["[\"local\"]", "[\"127.0.0.1\", \"::1\", \"local\"]"] {
        let rule = format!("method = \"trust\"\nnetworks = {networks}");
        assert!(load(&open(&rule), CATALOG).is_ok(), "{networks}");
    }
    for rest in ["", "networks = [\"local\", \"10.0.0.0/8\"]", "networks = [\"0.0.0.0/0\"]"] {
        let text = open(&format!("method = \"trust\"\n{rest}"));
        let said = load(&text, CATALOG).expect_err("anybody could be anybody");
        let at = line(&text, "[[login]]");
        assert!(said[0].starts_with(&format!("proxy.toml:{at}: method = \"trust\"")), "{said:?}");
        assert!(load(&with_login("method = \"trust\""), CATALOG).is_ok(), "on loopback");
    }
}

#[test]
fn mistakes_in_rules_of_logins_are_told_with_their_line() {
    for (rule, start, expected) in [
        ("method = \"scrum\"", "method", "did you mean \"scram\"?"),
        ("method = \"cert\"", "[[login]]", "needs tls in [data] with \"client_ca\""),
        ("method = \"ldap\"", "[[login]]", "\"ldap\" needs a table [ldap]"),
        ("method = \"oauthbearer\"", "[[login]]", "\"oauthbearer\" needs a table [oidc]"),
        ("users = [\"alice\"]", "[[login]]", "[[login]] has no key \"method\", which it needs"),
        ("method = \"scram\"\nusers = []", "users", "users in [[login]] is empty"),
        ("method = \"scram\"\nusers = [\"group:\"]", "users", "a subject is a user, group:name"),
        ("method = \"scram\"\nnetworks = [\"near\"]", "networks", "or \"local\""),
        ("method = \"scram\"\ntls = \"on\"", "tls = \"on", "unknown value \"on\""),
        ("method = \"scram\"\nport = 1", "port", "unknown key \"port\""),
    ] {
        let text = with_login(rule);
        let said = load(&text, CATALOG).expect_err(rule);
        let at = line(&text, start);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(&format!("proxy.toml:{at}: ")), "{rule}: {said:?}");
        assert!(said[0].contains(expected), "{rule}: {said:?}");
    }
}

/// The sample with rules of these tables, and `more` behind the URL of its database.
fn with_rules(rules: &[&str], more: &str) -> String {
    let rules: String = rules.iter().map(|rule| format!("\n[[login]]\n{rule}\n")).collect();
    let text = SAMPLE.replacen("\n[[user]]", &format!("{rules}\n[[user]]"), 1);
    text.replacen("127.0.0.1:5432/shop\"", &format!("127.0.0.1:5432/shop{more}\""), 1)
}

#[test]
fn what_is_passed_through_needs_a_database_and_leaves_the_console_to_others() {
    const PASS: &str = "method = \"passthrough\"";
    const BOUND: &str = "?sslmode=require&channel_binding=require";
    let named = |name: &str| format!("{PASS}\ndatabases = [\"{name}\"]");
    let (shop, keyhole, other) = (named("shop"), named("keyhole"), named("other"));
    let console = "method = \"scram\"\ndatabases = [\"keyhole\"]";
    let elsewhere = "method = \"scram\"\ndatabases = [\"shop\"]";
    let config = load(&with_rules(&[PASS, console], ""), CATALOG).expect("good");
    assert_eq!(config.logins[0].method, AuthMethod::Passthrough);
    for good in
        [&[&*shop, console][..], &[PASS, "method = \"scram\""], &[&shop, "method = \"reject\""]]
    {
        assert!(load(&with_rules(good, ""), CATALOG).is_ok(), "{good:?}");
    }
    assert!(load(&with_rules(&[&other, console], BOUND), CATALOG).is_ok(), "another database");
    for (rules, more, expected) in [
        (&[PASS][..], "", "does not open the control port, and nothing else does"),
        (&[&*shop, elsewhere], "", "does not open the control port, and nothing else does"),
        (&[&*keyhole, console], "", "\"keyhole\", has no database behind it"),
        (&[&*shop, console], BOUND, "\"shop\" has channel_binding=require"),
        (&[PASS, console], BOUND, "\"shop\" has channel_binding=require"),
    ] {
        let text = with_rules(rules, more);
        let said = load(&text, CATALOG).expect_err(expected);
        let at = line(&text, "[[login]]");
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(&format!("proxy.toml:{at}: \"passthrough\"")), "{said:?}");
        assert!(said[0].contains(expected), "{said:?}");
    }
}

#[test]
fn without_a_console_everybody_may_be_the_databases() {
    let auth = |text: &str| text.replacen("auth   = \"scram\"", "auth   = \"passthrough\"", 1);
    let said = load(&auth(SAMPLE), CATALOG).expect_err("dora cannot log in");
    let at = line(SAMPLE, "auth   =");
    assert!(said[0].starts_with(&format!("proxy.toml:{at}: \"passthrough\"")), "{said:?}");
    let shut = auth(SAMPLE).replacen("listen = \"127.0.0.1:6433\"", "#", 1);
    let config = load(&shut, CATALOG).expect("nobody has to get in");
    assert_eq!(config.data.auth, AuthMethod::Passthrough);
}

/// The sample with such a table in front of its users.
fn with_table(table: &str) -> String {
    SAMPLE.replacen("\n[[user]]", &format!("\n{table}\n\n[[user]]"), 1)
}

const LDAP: &str =
    "[ldap]\nservers = [\"ldaps://ldap.example.com\"]\nbind_dn = \"uid={user},ou=p\"";
const OIDC: &str = "[oidc]\nissuer = \"https://login.example.com\"\naudience = [\"keyhole\"]";

#[test]
fn a_directory_and_an_issuer_have_defaults() {
    let config = load(&with_table(&format!("{LDAP}\n\n{OIDC}")), CATALOG).expect("good");
    let ldap = config.ldap.expect("a directory");
    assert_eq!((ldap.user_attribute.as_str(), ldap.group_attribute.as_str()), ("uid", "cn"));
    assert_eq!(ldap.timeout, Duration::from_secs(10));
    let oidc = config.oidc.expect("an issuer");
    assert_eq!((oidc.user_claim.as_str(), oidc.scope.as_str()), ("sub", "openid"));
    assert_eq!((oidc.leeway, oidc.algorithms.len()), (Duration::from_secs(30), 9));
}

/// Both tables as the sample shows them, with the keys that exclude others left out.
#[test]
fn the_tables_in_the_sample_are_good() {
    let shown = |table: &str, without: &[&str]| {
        let lines = SAMPLE.lines().skip_while(|line| !line.starts_with(&format!("# [{table}]")));
        let lines = lines.take_while(|line| !line.is_empty());
        let lines = lines.filter_map(|line| line.strip_prefix("# "));
        let lines = lines.filter(|line| line.starts_with(|c: char| c.is_lowercase() || c == '['));
        let lines = lines.filter(|line| !without.iter().any(|key| line.starts_with(key)));
        lines.collect::<Vec<_>>().join("\n")
    };
    let without = ["bind_dn", "password_file", "ca_file", "client_secret_file"];
    let text = with_table(&format!("{}\n{}", shown("ldap", &without), shown("oidc", &without)));
    let config = load(&text, CATALOG).expect("good");
    assert_eq!(config.ldap.expect("a directory").servers.len(), 2);
    let notify = ["notify", "[notify.webhook]", "notify.smtp"];
    let without = ["url_env", "secret_file", "password_file", "ca_file"];
    let text = format!("{SAMPLE}\n{}", notify.map(|table| shown(table, &without)).join("\n"));
    let notify = load(&text, CATALOG).expect("good").notify;
    assert_eq!((notify.webhooks.len(), notify.smtp.is_some()), (1, true));
    let without =
        ["path", "facility", "confirm", "datagram_len_max", "secret_", "table", "password_"];
    let without = [&without[..], &["ca_file", "authorization_"]].concat();
    let sink = shown("[sink]", &without);
    let sinks = load(&format!("{SAMPLE}\n{sink}"), CATALOG).expect("good").sinks;
    assert_eq!(sinks.len(), 1);
    let map = config.oidc.expect("an issuer").user_map.expect("a pattern");
    assert!(map.is_match("alice@example.com") && !map.is_match("alice@example.com.org"));
}

#[test]
fn mistakes_about_a_directory_or_an_issuer_are_told_with_their_line() {
    for (table, from, to, start, expected) in [
        (LDAP, "ldaps://", "ldap://", "servers", "would go there in clear"),
        (LDAP, "{user}", "alice", "bind_dn", "with {user} in it"),
        (LDAP, "uid={user},ou=p", "{user}@example.com", "bind_dn", "distinguished name"),
        (LDAP, "uid={user},", "uid=x{user},", "[ldap]", "user_attribute"),
        (LDAP, "bind_dn", "base = \"ou=p\"\nbind_dn", "bind_dn", "excludes base and filter"),
        (LDAP, "bind_dn", "group_filter = \"(a={dn})\"\nbind_dn", "group_filter", "group_base"),
        (LDAP, "bind_dn", "require_group = \"a\"\nbind_dn", "require_group", "member_of"),
        (LDAP, "bind_dn", "service_dn = \"cn=a\"\nbind_dn", "service_dn", "needs password_env"),
        (LDAP, "bind_dn", "sevice_dn = \"cn=a\"\nbind_dn", "sevice_dn", "service_dn"),
        (
            LDAP,
            "bind_dn = \"uid={user},ou=p\"",
            "base = \"ou=p\"\nfilter = \"(uid={user}\"",
            "filter",
            "no LDAP filter",
        ),
        (OIDC, "https://", "http://", "issuer", "use https://"),
        (OIDC, "[\"keyhole\"]", "[]", "audience", "names none"),
        (OIDC, "audience", "algorithms = [\"HS256\"]\naudience", "algorithms", "\"HS256\""),
        (OIDC, "audience", "algorithms = [\"none\"]\naudience", "algorithms", "\"none\""),
        (OIDC, "audience", "leeway = \"1h\"\naudience", "leeway", "at most 5min"),
        (OIDC, "audience", "stale_max = \"1s\"\naudience", "stale_max", "at least refresh"),
        (OIDC, "audience", "user_map = \"a)|(b\"\naudience", "user_map", "no regular expression"),
        (OIDC, "audience", "user_map = \"alice\"\naudience", "user_map", "one group"),
        (
            OIDC,
            "audience",
            "client_secret_env = \"A_SECRET\"\naudience",
            "client_secret_env",
            "goes with client_id",
        ),
        (
            OIDC,
            "audience",
            "client_id = \"a\"\nsign_in_scope = \"email\"\naudience",
            "sign_in_scope",
            "\"openid\"",
        ),
    ] {
        let text = with_table(&table.replacen(from, to, 1));
        let said = load(&text, CATALOG).expect_err(to);
        let at = line(&text, start);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(&format!("proxy.toml:{at}: ")), "{to}: {said:?}");
        assert!(said[0].contains(expected), "{to}: {said:?}");
    }
}

const APPROVAL_KEY: &str = "ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";

/// The sample with more keys for dora, beside two files of secrets.
fn with_approver(keys: &str) -> Result<Config, String> {
    let name = "name   = \"dora\"\n";
    assert!(SAMPLE.contains(name));
    let text = SAMPLE.replacen(name, &format!("{name}{keys}\n"), 1);
    let folder = folder(&[
        ("proxy.toml", &text),
        ("catalog/shop.toml", CATALOG),
        ("dora.totp", "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n"),
        ("short.totp", "GEZDGNBV\n"),
    ]);
    let loaded = Config::load_with(&folder.path().join("proxy.toml"), &environment);
    loaded.map_err(|problems| problems.to_string())
}

#[test]
fn an_approver_has_a_key_and_a_second_factor() {
    let hash = "0a".repeat(32);
    let keys = format!(
        "approval_key = \"{APPROVAL_KEY}\"\ntotp_file = \"dora.totp\"\n\
         recovery_codes = [\"sha256:{hash}\"]"
    );
    let config = with_approver(&keys).expect("good keys");
    assert!(config.receipts.key_file.ends_with("keyhole.key"));
    let approvers = config.approvers();
    let dora = &approvers.0["dora"];
    assert_eq!(dora.key.map(|key| key.to_string()).as_deref(), Some(APPROVAL_KEY));
    assert!(dora.totp.is_some());
    assert_eq!(dora.recovery.iter().map(ToString::to_string).collect::<Vec<_>>(), [hash]);
    let alice = &approvers.0["alice"];
    assert!(alice.key.is_none() && alice.totp.is_none() && alice.recovery.is_empty());
}

#[test]
fn mistakes_about_approvers_are_told() {
    let twice = format!(
        "approval_key = \"{APPROVAL_KEY}\"\n[[user]]\nname = \"dan\"\n\
         approval_key = \"{APPROVAL_KEY}\"\nscram_env = \"DAN_PASSWORD\"\n[[user]]\nname = \"eve\""
    );
    for (keys, said) in [
        ("approval_key = \"ed25519:AAAA\"", "approval_key of user \"dora\": a public key is"),
        (&*twice, "approval_key of user \"dan\" is that of user \"dora\""),
        ("totp_file = \"none.totp\"", "totp_file of user \"dora\""),
        ("totp_file = \"short.totp\"", "a TOTP secret is Base32 of at least 16 bytes"),
        ("totp_env = \"DORA_PASSWORD\"", "a TOTP secret is Base32 of at least 16 bytes"),
        ("totp_env = \"A_PASSWORD\"\ntotp_file = \"dora.totp\"", "excludes totp_env"),
        ("totp_file = \"dora.totp\"\nrecovery_codes = [\"ABCD\"]", "each is \"sha256:\""),
        ("totp_file = \"dora.totp\"\nrecovery_codes = [\"sha256:AB\"]", "each is \"sha256:\""),
        ("recovery_codes = []\ntotp_file = \"dora.totp\"\nfactor = 1", "factor"),
    ] {
        let problems = with_approver(keys).expect_err(keys);
        assert!(problems.contains(said), "{keys}: {problems}");
        assert!(!problems.contains("GEZD"), "no secret is told: {problems}");
    }
    let alone = format!("recovery_codes = [\"sha256:{}\"]", "0a".repeat(32));
    let problems = with_approver(&alone).expect_err("codes alone");
    assert!(problems.contains("go with totp_env or totp_file"), "{problems}");
    let said = complaints("approvals    = 1", "approvals = 1\nsecond_factor = \"sms\"");
    assert!(said[0].contains("second_factor of policy \"anything else\""), "{said:?}");
}

const TOKEN: &str = "[[token]]
name = 'ci'
sha256 = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
user = 'dora'
roles = ['control']
expires = '2027-01-31T00:00:00Z'
";

#[test]
fn machines_have_tokens_and_people_sessions() {
    let config = load(&format!("{SAMPLE}\n{TOKEN}"), CATALOG).expect("good");
    let [token] = &config.tokens[..] else { panic!("{:?}", config.tokens) };
    assert_eq!((token.name.as_str(), token.user.as_str()), ("ci", "dora"));
    assert_eq!(
        (&token.roles[..], token.expires.as_second()),
        (&[Role::Control][..], 1_801_353_600)
    );
    assert_eq!(config.control.session, Duration::from_secs(12 * 3600));
    assert_eq!(config.control.session_idle, Some(Duration::from_secs(30 * 60)));
    for (from, to, expected) in [
        (
            "'dora'",
            "'dara'",
            "user of token \"ci\": there is no [[user]] \"dara\" (did you mean \"dora\"?)",
        ),
        ("'9f86", "'9F86", "sha256 of token \"ci\" is 64 hexadecimal digits"),
        ("'control'", "'admin'", "roles of token \"ci\""),
        ("2027-01-31T00:00:00Z", "tomorrow", "expires of token \"ci\": a time is"),
        ("'ci'", "''", "has no name"),
        ("roles", "rolls", "rolls"),
    ] {
        let said = load(&format!("{SAMPLE}\n{}", TOKEN.replacen(from, to, 1)), CATALOG);
        let said = said.expect_err(to);
        assert!(said.len() == 1 && said[0].contains(expected), "{to}: {said:?}");
    }
    let twice = load(&format!("{SAMPLE}\n{TOKEN}{TOKEN}"), CATALOG).expect_err("twice");
    assert!(twice.iter().any(|said| said.contains("is defined twice")), "{twice:?}");
    assert!(twice.iter().any(|said| said.contains("is that of token \"ci\"")), "{twice:?}");
    let wrong = "[control]\nsession = \"31d\"\nsession_idle = \"1min\"\nrequests_per_minute = 0";
    let control = complaints("[control]", wrong);
    assert_eq!(control.len(), 3, "{control:?}");
    let off = SAMPLE.replacen("#session_idle = \"30min\"", "session_idle = \"off\"", 1);
    let off = load(&off, CATALOG).expect("good");
    assert_eq!(off.control.session_idle, None);
}

#[test]
fn groups_have_roles() {
    let group = |text: &str| SAMPLE.replacen("\n[[policy]]", &format!("\n{text}\n[[policy]]"), 1);
    let config = load(&group("[[group]]\nname = \"ops\"\nroles = [\"control\"]"), CATALOG);
    let config = config.expect("a good group");
    assert_eq!(
        (config.groups[0].name.as_str(), &config.groups[0].roles[..]),
        ("ops", &[Role::Control][..])
    );
    for (text, expected) in [
        ("[[group]]\nname = \"ops\"\n[[group]]\nname = \"ops\"", "group \"ops\" is defined twice"),
        ("[[group]]\nname = \"ops\"\nroles = [\"dll\"]", "did you mean \"ddl\"?"),
        ("[[group]]\nname = \"\"", "has no name"),
    ] {
        let said = load(&group(text), CATALOG).expect_err(text);
        assert!(said[0].contains(expected), "{said:?}");
    }
}

#[test]
fn what_is_off_is_off_and_balancers_exclude_trust() {
    let text = SAMPLE
        .replacen("#keepalive = \"60s\"", "keepalive = \"off\"", 1)
        .replacen("#client_stall_timeout = \"60min\"", "client_stall_timeout = \"off\"", 1)
        .replacen("# proxy_protocol", "proxy_protocol", 1);
    let connections = load(&text, CATALOG).expect("all of it is good").data.connections;
    assert_eq!((connections.keepalive, connections.client_stall), (None, None));
    assert_eq!(connections.balancers.len(), 1);
    let trusting = text.replace("auth   = \"scram\"", "auth   = \"trust\"");
    let said = load(&trusting, CATALOG).expect_err("whoever connects to a balancer is anywhere");
    assert!(said[0].contains("trust") && said[0].contains("proxy_protocol"), "{said:?}");
}

#[test]
fn clients_can_connect_in_several_places() {
    let list = "[\"127.0.0.1:6432\", \"unix:run\", \"[::1]:6432\"]";
    let text = SAMPLE.replacen("\"127.0.0.1:6432\"", list, 1);
    let listen = load(&text, CATALOG).expect("all of them are good").data.listen;
    let tcp: Vec<_> = listen.tcp.iter().map(ToString::to_string).collect();
    assert_eq!(tcp, ["127.0.0.1:6432", "[::1]:6432"]);
    assert!(listen.unix.len() == 1 && listen.unix[0].ends_with("run"), "{listen:?}");
    assert!(listen.unix[0].is_absolute(), "beside the file");
}

#[test]
fn every_problem_is_told_in_one_run() {
    let text = SAMPLE.replace("\"127.0.0.1:8432\"", "\"8432\"").replace("\"read\"", "\"raed\"");
    let said = load(&text, CATALOG).expect_err("much is wrong");
    assert_eq!(said.len(), 4, "{said:?}");
}

#[test]
fn a_password_comes_from_one_place() {
    let both = SAMPLE.replace("# password_file = \"up", "password_file = \"up");
    let said = load(&both, CATALOG).expect_err("two sources");
    assert!(said[0].contains("password_file of database \"shop\" excludes password_env"));
    let file = both.replace("password_env = ", "# password_env = ");
    let said = load(&file, CATALOG).expect_err("no such file");
    assert!(said[0].contains("upstream.password cannot be read"), "{said:?}");
    let folder = folder(&[
        ("proxy.toml", file.as_str()),
        ("catalog/shop.toml", CATALOG),
        ("upstream.password", "hunter2\n"),
    ]);
    let config = Config::load_with(&folder.path().join("proxy.toml"), &environment).expect("good");
    assert_eq!(config.databases[0].password, Some(Secret::new("hunter2")));
    assert!(!format!("{config:?}").contains("hunter2"), "a password is never printed");
}

#[test]
fn a_user_without_a_password_cannot_log_in_with_scram() {
    let said = complaints("scram_env = \"KEYHOLE_ALICE_PASSWORD\"", "# ");
    assert!(said[0].contains("user \"alice\" has neither scram_env nor scram"), "{said:?}");
    let said = complaints("# scram = \"SCRAM-SHA-256", "scram = \"SCRAM-SHA-256");
    assert!(said[0].contains("scram of user \"alice\" excludes scram_env"), "{said:?}");
}

#[test]
fn tls_names_files_that_exist() {
    let table = "tls = { cert = \"server.crt\", key = \"server.key\", mode = \"require\" }";
    let text = SAMPLE.replacen("# tls = {", &format!("{table}\n# tls = {{"), 1);
    let said = load(&text, CATALOG).expect_err("no such files");
    assert!(said[0].contains("cert of tls in [data]") && said.len() == 2, "{said:?}");
    let folder = folder(&[
        ("proxy.toml", text.as_str()),
        ("catalog/shop.toml", CATALOG),
        ("server.crt", ""),
        ("server.key", ""),
    ]);
    let config = Config::load_with(&folder.path().join("proxy.toml"), &environment).expect("good");
    assert_eq!(config.data.tls.expect("a table").demand, TlsDemand::Require);
    let off = text.replace("mode = \"require\" }\n", "mode = \"off\" }\n");
    assert_eq!(load(&off, CATALOG).expect("off needs no files").data.tls, None);
    let half = text.replace("key = \"server.key\", ", "");
    let said = load(&half, CATALOG).expect_err("no key");
    assert!(said[0].contains("needs both"), "{said:?}");
}

#[test]
fn a_wildcard_serves_every_other_name() {
    let text = SAMPLE
        .replace("name     = \"shop\"", "name     = \"*\"")
        .replace("5432/shop\"", "5432/*\"")
        .replace("[\"catalog/shop.toml\"]", "[]");
    let config = load(&text, CATALOG).expect("good");
    let any = config.database("whatever").expect("any name");
    assert_eq!(any.name, DatabaseName::Any);
    assert_eq!(any.upstream_database("whatever"), "whatever");
    assert!(any.catalog.tables.is_empty());
    let said = load(&text.replace("5432/*\"", "5432/shop\""), CATALOG).expect_err("one for all");
    assert!(said[0].contains("ends in \"/*\""), "{said:?}");
}

#[test]
fn catalog_mistakes_name_their_own_file() {
    let cases: &[(&str, &str, &str)] = &[
        ("deny = true", "deny = true\nmask = { kind = \"null\" }", "both a mask and deny"),
        ("deny = true", "deny = false", "neither a mask nor deny"),
        ("salary = \"pay\"", "salary = \"apy\"", "no class \"apy\" (did you mean \"pay\"?)"),
        ("kind = \"email\"", "kind = \"emial\"", "unknown value \"emial\" (did you mean"),
        ("keep_last = 4", "keep_lsat = 4", "unknown key \"keep_lsat\""),
        ("\"hr.employees\"", "\"employees\"", "is not of the form schema.name"),
        ("\"hr.employees\"", "\"public.customers\"", "described at catalog/shop.toml:"),
        ("name = \"national_id\"", "name = \"email\"", "defined at catalog/shop.toml:"),
        ("name = \"pay\"", "name = \"clear\"", "class \"clear\" is built in"),
        ("customer_email(integer)", "customer_email", "a function is schema.name(type, …)"),
    ];
    for (from, to, expected) in cases {
        assert!(CATALOG.contains(from), "{from}");
        let text = CATALOG.replacen(from, to, 1);
        let said = load(SAMPLE, &text).expect_err(to);
        let whole = said.join("\n");
        assert!(whole.starts_with("catalog/shop.toml:"), "{to}: {whole}");
        let known = whole.contains(expected);
        assert!(known, "{to}: {whole}");
    }
}

#[test]
fn a_column_can_be_declared_clear() {
    let text = CATALOG.replace("email = \"email\"\nphone", "email = \"clear\"\nphone");
    assert_ne!(text, CATALOG);
    let config = load(SAMPLE, &text).expect("clear is built in");
    assert_eq!(config.databases[0].catalog.tables[0].columns["email"], "clear");
}

#[test]
fn findings_have_a_file_of_their_own() {
    let findings = |value: &str| {
        let from = "# findings = \"findings/shop.json\"";
        assert!(SAMPLE.contains(from));
        load(&SAMPLE.replace(from, &format!("findings = \"{value}\"")), CATALOG)
    };
    let config = findings("found/shop.json").expect("it need not be there yet");
    let found = config.databases[0].findings.as_ref().expect("a file");
    assert!(found.ends_with("found/shop.json") && found.is_absolute(), "{found:?}");
    let said = findings("catalog/shop.toml").expect_err("the catalog's").join("\n");
    let is_said = "findings of database \"shop\": that is a file of the catalog";
    assert!(said.contains(is_said), "{said}");
    let any = "[[database]]\nname = '*'\nupstream = 'postgres://app@127.0.0.1/*'\n";
    let said = said_of(&format!("{any}findings = 'all.json'\n"));
    assert!(said.iter().any(|said| said.contains("several databases would share it")), "{said:?}");
}

#[test]
fn two_catalog_files_must_not_say_the_same_thing_twice() {
    let both = SAMPLE.replace("[\"catalog/shop.toml\"]", "[\"catalog/shop.toml\", \"more.toml\"]");
    let more = "[[table]]\nname = \"public.visits\"\ncolumns = { email = \"email\" }\n";
    let files = |more| {
        folder(&[
            ("proxy.toml", both.as_str()),
            ("catalog/shop.toml", CATALOG),
            ("more.toml", more),
        ])
    };
    let read = |folder: &Path| Config::load_with(&folder.join("proxy.toml"), &environment);
    let good = files(more);
    let config = read(good.path()).expect("a class of one file serves the other");
    assert!(config.databases[0].catalog.tables.iter().any(|table| table.name.name == "visits"));
    let twice = files("[[table]]\nname = \"public.customers\"\ncolumns = { id = \"email\" }\n");
    let said = read(twice.path()).expect_err("two places").to_string();
    let at = line(CATALOG, "name = \"public.customers\"");
    assert!(said.contains("more.toml:2:"), "{said}");
    assert!(said.contains(&format!("catalog/shop.toml:{at} already")), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let missing = Path::new("no/such/proxy.toml");
    let said = Config::load_with(missing, &environment).expect_err("no file").to_string();
    assert!(said.starts_with("no/such/proxy.toml: cannot be read:"), "{said}");
    let said = complaints("[\"catalog/shop.toml\"]", "[\"catalog/shp.toml\"]");
    let at = line(SAMPLE, "catalog ");
    assert!(said[0].starts_with(&format!("proxy.toml:{at}: catalog: ")), "{said:?}");
}

/// What is said about these lines, put at the end of the sample.
fn said_of(text: &str) -> Vec<String> {
    let sample = format!("{SAMPLE}\n{text}");
    let start = SAMPLE.lines().count() + 2;
    let Err(problems) = load(&sample, CATALOG) else { return Vec::new() };
    let relative = |problem: String| {
        let (line, said) = problem.trim_start_matches("proxy.toml:").split_once(": ")?;
        let line: usize = line.parse().ok()?;
        Some(format!("{}: {said}", line + 1 - start))
    };
    problems.into_iter().map(|problem| relative(problem.clone()).unwrap_or(problem)).collect()
}

const HOOK: &str = "[[notify.webhook]]\nname = 'siem'\nsecret_env = 'S_PASSWORD'\n";
const MAIL: &str = "[notify.smtp]\nfrom = 'keyhole@example.com'\n";

#[test]
fn channels_of_notifications_mean_what_they_say() {
    let text = format!(
        "{SAMPLE}\n[notify]\nconsole_url = 'https://keyhole.example/'\nage_max = '2h'\n\
         {HOOK}url = 'https://siem.example.com/in?x=y'\n\
         [[notify.webhook]]\nname = 'chat'\nurl_env = 'URL_PASSWORD'\nformat = 'slack'\n\
         events = ['requested', 'revoked']\nplaintext = true\n\
         {MAIL}url = 'smtp+starttls://mail.example.com'\nuser = 'k'\npassword_env = 'P_PASSWORD'\n"
    );
    let text = text.replace("name   = \"alice\"", "name = 'alice'\nemail = 'Al <al@example.com>'");
    let folder = folder(&[("proxy.toml", &text), ("catalog/shop.toml", CATALOG)]);
    let environment = |name: &str| match name {
        "URL_PASSWORD" => Some("http://chat.example.com/T0/B0".to_owned()),
        other => environment(other),
    };
    let config = Config::load_with(&folder.path().join("proxy.toml"), &environment);
    let config = config.expect("it is good");
    let notify = &config.notify;
    assert_eq!(notify.console_url.as_deref(), Some("https://keyhole.example"));
    assert_eq!(notify.age_max, Duration::from_secs(7200));
    let [siem, chat] = &notify.webhooks[..] else { panic!("two webhooks") };
    assert_eq!((siem.format, siem.events.len()), (WebhookFormat::Json, NoticeKind::ALL.len()));
    assert_eq!(siem.secret, Some(Secret::new("secret of S_PASSWORD")));
    assert_eq!(chat.events, [NoticeKind::Requested, NoticeKind::Revoked]);
    assert_eq!(chat.url, Secret::new("http://chat.example.com/T0/B0"));
    let mail = notify.smtp.as_ref().expect("mail");
    assert_eq!((mail.host.as_str(), mail.port), ("mail.example.com", 587));
    assert_eq!(mail.encryption, SmtpEncryption::StartTls);
    let alice = config.user("alice").expect("the user").email.as_ref();
    assert_eq!(alice.expect("an address").email.to_string(), "al@example.com");
    assert!(!format!("{config:?}").contains("chat.example.com"), "the address is a secret");
}

#[test]
fn channels_of_notifications_that_cannot_be_are_told_by_line() {
    for (text, expected) in [
        (
            "[notify]\nconsole_url = 'keyhole'",
            "2: console_url in [notify]: an address is https://host/path",
        ),
        ("[notify]\nage_max = '25h'", "2: age_max in [notify] is at most 24h"),
        (
            "[notify]\ncolour = 'red'",
            "2: unknown key \"colour\" in [notify] (known: console_url, age_max, webhook, smtp)",
        ),
        (HOOK, "2: webhook \"siem\" has neither url nor url_env"),
        (
            &format!("{HOOK}url = 'siem'"),
            "4: url of webhook \"siem\": an address is https://host/path",
        ),
        (
            &format!("{HOOK}url = 'http://siem.example.com/'"),
            "4: url of webhook \"siem\": anybody in between could read along: use https://, or say plaintext = true",
        ),
        (
            "[[notify.webhook]]\nname = 'siem'\nurl = 'https://siem.example.com/'",
            "2: webhook \"siem\" has neither secret_env nor secret_file",
        ),
        (
            "[[notify.webhook]]\nname = 'a/b'\nurl = 'https://a.example/'\nformat = 'slack'",
            "2: name in [[notify.webhook]]: a name has 1 to 64 letters, digits, _ and -",
        ),
        (
            &format!("{HOOK}url = 'https://a.example/'\nevents = ['granted', 'revokd']"),
            "5: events of webhook \"siem\": unknown value \"revokd\" (did you mean \"revoked\"?)",
        ),
        (
            &format!("{HOOK}url = 'https://a.example/'\nevents = []"),
            "5: events of webhook \"siem\" names none",
        ),
        (
            &format!("{HOOK}url = 'https://a.example/'\ntimeout = '2min'"),
            "5: timeout of webhook \"siem\" is at most 1min",
        ),
        (
            &format!("{MAIL}url = 'mail.example.com'"),
            "3: url in [notify.smtp]: a server is smtps://host:port, smtp+starttls://host:port or smtp://host:port",
        ),
        (
            &format!(
                "{MAIL}url = 'smtp://mail.example.com'\nuser = 'k'\npassword_env = 'P_PASSWORD'\nplaintext = true"
            ),
            "3: url in [notify.smtp]: anybody in between could read along: use smtps:// or smtp+starttls://, or, without a password, say plaintext = true",
        ),
        (
            &format!("{MAIL}url = 'smtps://mail.example.com'\nuser = 'k'"),
            "4: user in [notify.smtp] needs a password",
        ),
        (
            "[notify.smtp]\nfrom = \"a@example.com\\r\\nBcc: b@example.com\"\nurl = 'smtps://a.example'",
            "2: from in [notify.smtp]: \"a@example.com\\r\\nBcc: b@example.com\" is no address of mail",
        ),
        (
            "[[user]]\nname = 'zoe'\nscram_env = 'Z_PASSWORD'\nemail = 'zoe'",
            "4: email of user \"zoe\": \"zoe\" is no address of mail",
        ),
    ] {
        assert_eq!(said_of(text), [expected], "{text}");
    }
    let twice = format!("{HOOK}url = 'https://a.example/'\n{HOOK}url = 'https://b.example/'");
    let said = said_of(&twice);
    assert!(said.len() == 1 && said[0].starts_with("6: webhook \"siem\" is named at "), "{said:?}");
    let plain = format!("{MAIL}url = 'smtp://mail.example.com'\nplaintext = true");
    assert_eq!(said_of(&plain), Vec::<String>::new());
}

/// A sink of that kind.
fn sink(kind: &str, rest: &str) -> String {
    format!("[[sink]]\nname = 'siem'\nkind = '{kind}'\n{rest}")
}

#[test]
fn sinks_mean_what_they_say() {
    let text = [
        "[[sink]]\nname = 'a'\nkind = 'syslog'\nurl = 'tls://logs.example.com'",
        "[[sink]]\nname = 'b'\nkind = 'syslog'\nurl = 'udp://127.0.0.1:5514'\nfacility = 'audit'\n\
         kinds = ['release', 'grant']\nfrom = 'now'\nevery = '5s'\ndatagram_len_max = '8KiB'",
        "[[sink]]\nname = 'c'\nkind = 'http'\nurl = 'https://siem.example.com/in'\n\
         authorization_env = 'A_SECRET'\nsecret_env = 'B_SECRET'",
        "[[sink]]\nname = 'd'\nkind = 'postgres'\nurl = 'postgres://k@db.example.com/audit?sslmode=disable'\n\
         table = 'logs.keyhole'\npassword_env = 'P_PASSWORD'",
    ];
    let config = load(&format!("{SAMPLE}\n{}\n", text.join("\n")), CATALOG).expect("good");
    let [a, b, c, d] = &config.sinks[..] else { panic!("four sinks") };
    let SinkWay::Syslog(tls) = &a.way else { panic!("syslog") };
    assert_eq!(
        (tls.host.as_str(), tls.port, tls.facility),
        ("logs.example.com", 6514, Facility(16))
    );
    assert_eq!(tls.way, SyslogWay::Tls { ca_file: None, confirm: Confirm::Closed });
    assert_eq!((a.from, a.every, &a.kinds), (SinkStart::Oldest, Duration::from_secs(1), &None));
    let SinkWay::Syslog(udp) = &b.way else { panic!("syslog") };
    assert_eq!(udp.way, SyslogWay::Udp { datagram_len_max: 8192 });
    assert_eq!(
        (b.from, b.every, udp.facility),
        (SinkStart::Now, Duration::from_secs(5), Facility(13))
    );
    assert_eq!(b.kinds.as_deref(), Some(&[Kind::Release, Kind::Grant][..]));
    let SinkWay::Http(http) = &c.way else { panic!("http") };
    assert_eq!(http.authorization, Some(Secret::new("secret of A_SECRET")));
    assert_eq!(http.secret, Some(Secret::new("secret of B_SECRET")));
    let SinkWay::Postgres(table) = &d.way else { panic!("a table") };
    assert_eq!((table.schema.as_deref(), table.table.as_str()), (Some("logs"), "keyhole"));
    assert!(!format!("{config:?}").contains("secret of"));
}

#[test]
fn sinks_that_cannot_be_are_told_by_line() {
    let names = "[[sink]]\nname = 'a b'\nkind = 'stdout'";
    for (text, expected) in [
        (names, "2: name in [[sink]]: a name has 1 to 64 letters, digits, _ and -"),
        (
            &sink("sylog", ""),
            "3: kind of sink \"siem\": unknown value \"sylog\" (did you mean \"syslog\"?)",
        ),
        (
            &sink("stdout", "kinds = ['grants']"),
            "4: kinds of sink \"siem\": unknown value \"grants\" (did you mean \"grant\"?)",
        ),
        (&sink("stdout", "kinds = []"), "4: kinds of sink \"siem\" names none"),
        (
            &sink("stdout", "path = 'x'"),
            "4: path of sink \"siem\": kind = \"stdout\" has no such key",
        ),
        (&sink("stdout", "every = '2min'"), "4: every of sink \"siem\" is at most 1min"),
        (&sink("file", ""), "2: sink \"siem\" needs path"),
        (&sink("http", ""), "2: sink \"siem\" needs url"),
        (
            &sink("http", "url = 'http://siem.example.com/'"),
            "4: url of sink \"siem\": anybody in between could read along: use https://, or, without authorization, say plaintext = true",
        ),
        (
            &sink(
                "otlp",
                "url = 'http://siem.example.com/'\nplaintext = true\nauthorization_env = 'A_SECRET'",
            ),
            "4: url of sink \"siem\": anybody in between could read along: use https://, or, without authorization, say plaintext = true",
        ),
        (
            &sink("syslog", "url = 'logs.example.com'"),
            "4: url of sink \"siem\": a receiver is tls://host:port, tcp://host:port or udp://host:port",
        ),
        (
            &sink("syslog", "url = 'udp://logs.example.com'"),
            "4: url of sink \"siem\": anybody in between could read along: use tls://, or say plaintext = true",
        ),
        (
            &sink("syslog", "url = 'udp://127.0.0.1'\nconfirm = true"),
            "5: confirm of sink \"siem\": there is no such thing over udp",
        ),
        (
            &sink("syslog", "url = 'udp://127.0.0.1'\ndatagram_len_max = '100B'"),
            "5: datagram_len_max of sink \"siem\" lies between 480B and 65507B",
        ),
        (
            &sink("postgres", "url = 'postgres://k@127.0.0.1/*'"),
            "4: url of sink \"siem\": a table is in one database",
        ),
        (
            &sink("postgres", "url = 'postgres://k@127.0.0.1/a'\ntable = 'a.b.c'"),
            "5: table of sink \"siem\": a table is table or schema.table",
        ),
        (
            &sink("http", "url = 'https://a.example/'\nsecret_env = 'NOT_SET'"),
            "5: secret_env of sink \"siem\": the environment variable NOT_SET is not set",
        ),
    ] {
        assert_eq!(said_of(text), [expected], "{text}");
    }
    let twice = said_of(&[sink("file", "path = 'a'"), sink("file", "path = 'b'")].join("\n"));
    assert!(twice.len() == 1 && twice[0].starts_with("6: sink \"siem\" is named at "), "{twice:?}");
    let out = "[[sink]]\nname = 'b'\nkind = 'stdout'";
    let twice = said_of(&format!("{}\n{out}", sink("stdout", "")));
    assert!(twice.len() == 1 && twice[0].contains("one standard output"), "{twice:?}");
    let missing = said_of(&sink("file", "path = 'not/there.jsonl'"));
    assert!(missing.len() == 1 && missing[0].contains("no file in a folder"), "{missing:?}");
}

/// The sample with these rules in front of the first user.
fn with_risk(rules: &str) -> Result<Config, Vec<String>> {
    load(&SAMPLE.replacen("\n[[user]]", &format!("\n{rules}\n[[user]]"), 1), CATALOG)
}

#[test]
fn rules_of_risk_are_changed_one_by_one() {
    let config = with_risk(
        "[[risk.rule]]\nname = \"masked_burst\"\ncount = 50\nwithin = \"2min\"\n\
         users = [\"group:support\", \"bob\"]\nactions = [\"log\", \"suspend\", \"webhook\"]\n\
         lasts = \"24h\"\n[[risk.rule]]\nname = \"volume\"\nenabled = false\n",
    );
    let rules = config.expect("good").risk;
    let burst = rules.of(Rule::MaskedBurst);
    assert_eq!((burst.count, burst.within), (50, Duration::from_secs(120)));
    assert_eq!(burst.actions, [Reaction::Webhook, Reaction::Suspend]);
    assert_eq!(burst.lasts, Some(Duration::from_secs(86_400)));
    assert_eq!(burst.users, [Subject::Group("support".into()), Subject::User("bob".into())]);
    assert_eq!(rules.of(Rule::Volume).state, Use::Off);
    let honey = rules.of(Rule::Honey);
    assert_eq!(honey.actions, [Reaction::Metric, Reaction::Suspend, Reaction::Kill]);
    assert_eq!((honey.state, rules.severity_min), (Use::On, Severity::Low));
}

#[test]
fn mistakes_in_rules_of_risk_are_told_with_their_place() {
    for (keys, told) in [
        ("name = \"masked_brust\"", "did you mean \"masked_burst\"?"),
        ("name = \"honey\"\ncount = 5", "rule \"honey\" does not go by \"count\""),
        ("name = \"volume\"\ndays = 61", "days of rule \"volume\" lies between 1 and 60"),
        ("name = \"volume\"\nactions = [\"kil\"]", "did you mean \"kill\"?"),
        ("name = \"volume\"\nlasts = \"1h\"", "which it does not do"),
        ("name = \"masked_burst\"\nwithin = \"2d\"", "is at most 24h"),
        (
            "name = \"login_failures\"\nactions = [\"suspend\"]",
            "\"suspend\" in actions of rule \"login_failures\" would let anybody",
        ),
        ("name = \"honey\"\n[[risk.rule]]\nname = \"honey\"", "\"honey\" is there twice"),
        ("name = \"honey\"\nexcept = [\"a b\"]", "except of rule \"honey\""),
    ] {
        let problems = with_risk(&format!("[[risk.rule]]\n{keys}\n")).expect_err(keys);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with("proxy.toml:") && problems[0].contains(told),
            "{problems:?}"
        );
    }
    let problems = complaints("#time_zone = \"UTC\"", "time_zone = \"Mars/Olympus\"");
    assert!(problems[0].contains("time_zone in [risk]"), "{problems:?}");
}
