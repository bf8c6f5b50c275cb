//! `keyhole scan` on real databases: what it reads, what it writes, and what it never says.

#[path = "support/fixture.rs"]
mod support;

#[path = "scan/bench.rs"]
mod bench;
#[path = "scan/catalog.rs"]
mod catalog;
#[path = "scan/hostile.rs"]
mod hostile;
#[path = "scan/review.rs"]
mod review;
#[path = "scan/trouble.rs"]
mod trouble;

use std::process::Stdio;

use serde_json::Value;
use support::keyhole::Config;
use support::postgres::{APP_PASSWORD, Postgres};
use support::programs::{Ran, run};

const EVERYTHING: &str = include_str!("scan/everything.sql");

/// In every value that nobody may see.
const CANARY: &str = "zq7";

/// A database of the application's account, and the directory of whoever scans it.
struct Bed {
    server: &'static Postgres,
    name: String,
    config: Config,
}

impl Bed {
    fn new(server: &'static Postgres, name: &str, sql: &str, catalog: &str) -> Self {
        server.template("the application's account", |server| {
            let sql = format!("CREATE ROLE app LOGIN PASSWORD '{APP_PASSWORD}'");
            server.admin("postgres").query(&sql).ok();
        });
        server.drop_database(name);
        server.admin("postgres").query(&format!("CREATE DATABASE {name} OWNER app")).ok();
        server.direct(name).connect().query(sql).ok();
        let config = Config::new().database("shop", server, name, catalog);
        config.write();
        Self { server, name: name.to_owned(), config }
    }

    fn path(&self, name: &str) -> String {
        self.config.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("it was written")
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let file = self.path("proxy.toml");
        let all: Vec<&str> = ["scan", "--config", &file].iter().chain(args).copied().collect();
        self.config.command(&all)
    }

    /// Scans; nothing that it says holds a canary.
    #[track_caller]
    fn scan(&self, args: &[&str]) -> Ran {
        self.scan_with(args, "")
    }

    #[track_caller]
    fn scan_with(&self, args: &[&str], input: &str) -> Ran {
        let ran = run(self.command(args), input);
        clean(&ran.out);
        clean(&ran.err);
        ran
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = ["--json"].iter().chain(args).copied().collect();
        let ran = self.scan(&args);
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("no JSON: {ran:?}"))
    }

    fn check(&self) -> Ran {
        run(self.config.command(&["check", "--config", &self.path("proxy.toml")]), "")
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.server.drop_database(&self.name);
    }
}

#[track_caller]
fn clean(text: &str) {
    assert!(!text.to_lowercase().contains(CANARY), "a value is told:\n{text}");
}

fn columns(report: &Value, standing: &str) -> Vec<String> {
    let all = report["columns"].as_array().expect("a list");
    let those = all.iter().filter(|column| column["standing"] == standing);
    those
        .map(|column| {
            let text = |name: &str| column[name].as_str().expect("a text").to_owned();
            format!("{}.{}", text("table"), text("column"))
        })
        .collect()
}

fn servers() -> [&'static Postgres; 2] {
    [Postgres::shared(), Postgres::shared_18()]
}

#[test]
fn one_of_everything_is_looked_at() {
    for server in servers() {
        let bed = Bed::new(server, "scan_everything", EVERYTHING, "");
        let report = bed.json(&[]);
        let new = columns(&report, "new");
        for expected in [
            "public.people.email",
            "public.people.lower_email",
            "public.Weird \"Table\".E-Mail Address",
            "public.events.user_email",
            "public.parent.email",
            "public.child.extra_email",
            "public.wide.email",
            "public.large.email",
            "public.m_people.email",
            "Other Schema.contacts.mail",
        ] {
            assert!(new.iter().any(|column| column == expected), "{expected} in {new:#?}");
        }
        for follows in ["public.child.email", "public.events_2024.user_email"] {
            assert!(!new.iter().any(|column| column == follows), "{follows} in {new:#?}");
        }
        assert_eq!(columns(&report, "follows"), ["public.v_people.email"]);
        assert_eq!(report["skipped"], serde_json::json!([]));
        let rows = report["totals"]["rows"].as_u64().expect("a number");
        // people, weird, events (a share of each partition), parent with child, child, wide,
        // large, m_people, contacts
        let expected = 300 + 50 + 334 + 36 + 20 + 20 + 40 + 1_000 + 300 + 1;
        assert_eq!(rows, expected, "{report:#}");
        let ran = bed.scan(&[]);
        assert_eq!(ran.code, Some(5), "{ran:?}");
        assert!(ran.out.contains("public.people.email"), "{}", ran.out);
    }
}

#[test]
fn a_url_and_a_password_are_enough() {
    let bed = Bed::new(Postgres::shared(), "scan_url", EVERYTHING, "");
    let port = bed.server.port();
    let url = format!("postgres://app@127.0.0.1:{port}/{}", bed.name);
    let mut command = bed.config.command(&["scan", "--url", &url, "--only", "public.people"]);
    command.env("PGPASSWORD", APP_PASSWORD).stdin(Stdio::null());
    let ran = run(command, "");
    assert_eq!(ran.code, Some(5), "{ran:?}");
    clean(&ran.out);
    let pass = bed.path("pgpass");
    std::fs::write(&pass, format!("127.0.0.1:{port}:*:app:{APP_PASSWORD}\n")).expect("writable");
    let again = |mode: u32| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&pass, permissions).expect("ours");
        let mut command = bed.config.command(&["scan", "--url", &url, "--only", "public.people"]);
        command.env("PGPASSFILE", &pass).env_remove("PGPASSWORD");
        run(command, "")
    };
    let ran = again(0o600);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    let ran = again(0o644);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("may be read by others"), "{}", ran.err);
}

#[test]
fn samples_are_masked_and_only_on_request() {
    let bed = Bed::new(Postgres::shared(), "scan_samples", EVERYTHING, "");
    let state = bed.path("state");
    let html = bed.path("page.html");
    // Masked, the first letter of an address is shown.
    let ran = bed.scan(&["--show-samples", "3", "--resume", &state, "--html", &html]);
    assert!(ran.out.contains("masked: z***@example.com"), "{}", ran.out);
    for file in ["state", "page.html"] {
        let text = bed.read(file);
        clean(&text);
        assert!(!text.contains("example.com"), "{file}:\n{text}");
    }
    let ran = bed.scan(&[]);
    assert!(!ran.out.contains("example.com"), "{}", ran.out);
}
