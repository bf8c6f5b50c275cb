//! The API as its document says it is, for each who asks; keys; and the examples of the README.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::desk::Shop;
use crate::support::keyhole::{Config, password};
use crate::support::programs;

fn with_an_auditor(mut config: Config) -> Config {
    let text = config.text().replace("name = \"bob\"\n", "name = \"bob\"\nroles = [\"auditor\"]\n");
    config = config.with_text(&text);
    config
}

#[derive(Debug, Deserialize)]
struct Counts {
    cases: u64,
    failures: u64,
    errors: u64,
}

/// `make test-api` has minutes for it, and another seed each time.
#[test]
fn the_server_keeps_to_its_document_whatever_is_sent() {
    let seconds = std::env::var("KEYHOLE_API_SECONDS");
    let shop = Shop::open_with("api_document", |config| {
        with_an_auditor(config).set("control", "requests_per_minute", 100_000)
    });
    let document = shop.proxy.config.path().join("openapi.json");
    let printed = shop.proxy.config.command(&["openapi"]).output().expect("it runs");
    assert!(printed.status.success() && printed.stderr.is_empty());
    std::fs::write(&document, &printed.stdout).expect("a writable directory");
    let served: Value = serde_json::from_str(&shop.proxy.http("/api/v1/openapi.json").1).unwrap();
    assert_eq!(served, serde_json::from_slice::<Value>(&printed.stdout).unwrap());
    let login = |user: &str| format!("{user}:{}", password(user));
    let logins = json!({
        "operator": login("dora"), "user": login("alice"), "auditor": login("bob"),
    });
    let mut program = programs::python("api_schema.py", &shop.alice());
    program
        .env("KEYHOLE_URL", format!("http://127.0.0.1:{}", shop.proxy.http_port()))
        .env("KEYHOLE_DOCUMENT", &document)
        .env("KEYHOLE_LOGINS", logins.to_string())
        .env("KEYHOLE_API_RANDOM", if seconds.is_ok() { "1" } else { "0" })
        .env("KEYHOLE_API_SECONDS", seconds.unwrap_or_else(|_| "10".to_owned()));
    // It bounds its own time.
    let ran = program.output().expect("python runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    let counts: BTreeMap<String, Counts> =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    // How much was tried belongs to the answer, whether it is good or bad.
    writeln!(std::io::stdout(), "schemathesis: {counts:?}").expect("written");
    for (role, Counts { cases, failures, errors }) in &counts {
        assert!(*cases >= 100 && *failures == 0 && *errors == 0, "{role}: {counts:?}\n{said}");
    }
    assert_eq!(counts.len(), 3);
    assert!(!shop.proxy.log().contains("panicked"), "{}", shop.proxy.log());
}

#[test]
fn nobody_is_told_anything_but_the_document() {
    let shop = Shop::open("api_nobody");
    let document: Value = serde_json::from_str(&shop.proxy.http("/api/v1/openapi.json").1).unwrap();
    let (mut count, mut open) = (0, 0);
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let path = path.replace("{id}", "1").replace("{user}", "alice");
            let asked = path.strip_prefix("/api/v1").expect("the API's prefix");
            let method = method.to_ascii_uppercase();
            let answer = shop.ask_with("", &method, asked, Some(&json!({})));
            // The document says which are for everybody: itself, and signing in.
            let is_open = operation["security"] == json!([{}]);
            assert_eq!(answer.status != 401, is_open, "{method} {path}: {answer:?}");
            open += usize::from(is_open);
            count += 1;
        }
    }
    assert!(count > 30 && open == 3, "{count}, {open}");
    assert_eq!(shop.proxy.http("/api").0, 200);
}

#[test]
fn a_request_with_a_key_is_carried_out_once() {
    let shop = Shop::open("api_once");
    let post = |user: &str, key: &str, path: &str, body: &Value| {
        let head = format!("{}Idempotency-Key: {key}\r\n", super::api::login(user));
        let answer = shop.ask_with(&head, "POST", path, Some(body));
        let replayed = answer.head.contains("idempotent-replayed: true");
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        (answer.status, replayed, body)
    };
    let wish = |reason: &str| json!({ "resource": "customers.email", "duration": "20 minutes", "reason": reason });
    let first = post("alice", "k1", "/requests", &wish("INC-1"));
    assert_eq!((first.0, first.1, &first.2["id"]), (201, false, &json!(1)));
    assert_eq!(post("alice", "k1", "/requests", &wish("INC-1")), (201, true, first.2));
    let other = post("alice", "k1", "/requests", &wish("INC-2"));
    assert_eq!((other.0, &other.2["type"]), (422, &json!("/api#idempotency-key-reused")));
    assert_eq!(post("bob", "k1", "/requests", &wish("INC-1")).2["id"], 2, "keys are a user's own");
    let refused = post("alice", "k2", "/grants", &with_subject(wish("INC-1")));
    assert_eq!((refused.0, refused.1), (403, false));
    assert_eq!(
        post("alice", "k2", "/grants", &with_subject(wish("INC-1"))),
        (403, true, refused.2)
    );
    assert_eq!(post("alice", "a b", "/requests", &wish("INC-1")).0, 400);
    let granted = post("dora", "k3", "/grants", &with_subject(wish("INC-3")));
    assert_eq!(post("dora", "k3", "/grants", &with_subject(wish("INC-3"))), (201, true, granted.2));
    let (_, all) = shop.ask("dora", "GET", "/grants", None);
    assert_eq!(all["items"].as_array().expect("a list").len(), 1, "{all}");
}

fn with_subject(mut wish: Value) -> Value {
    wish["subject"] = json!("bob");
    wish
}

#[test]
fn each_sees_and_does_what_is_theirs() {
    let shop = Shop::open_with("api_roles", with_an_auditor);
    let session = shop.alice().connect();
    let suspend = json!({ "user": "alice", "reason": "INC-9: looks odd" });
    let question = json!({ "database": "shop", "statement": "SELECT email FROM customers" });
    let mut of_dora = question.clone();
    of_dora["as"] = json!("dora");
    // alice: nothing special; bob: auditor; dora: control.
    for (method, path, body, expected) in [
        ("GET", "/me", None, [200, 200, 200]),
        ("GET", "/status", None, [200, 200, 200]),
        ("GET", "/databases", None, [200, 200, 200]),
        ("GET", "/catalog", None, [200, 200, 200]),
        ("GET", "/catalog/access?resource=customers.email", None, [200, 200, 200]),
        ("GET", "/catalog/access?resource=nowhere.email", None, [404, 404, 404]),
        ("GET", "/policies", None, [200, 200, 200]),
        ("GET", "/sessions", None, [200, 200, 200]),
        ("GET", "/sinks", None, [403, 403, 200]),
        ("GET", "/drift", None, [403, 403, 200]),
        ("GET", "/restrictions", None, [403, 403, 200]),
        ("GET", "/audit/records", None, [403, 200, 200]),
        ("GET", "/audit/report", None, [403, 200, 200]),
        ("POST", "/explain", Some(&question), [200, 200, 200]),
        ("POST", "/explain", Some(&of_dora), [403, 200, 200]),
        ("POST", "/sessions/1/kill", Some(&json!({})), [403, 403, 200]),
        ("POST", "/restrictions", Some(&suspend), [403, 403, 201]),
        ("POST", "/restrictions/alice/lift", Some(&json!({})), [403, 403, 200]),
        ("GET", "/nothing", None, [404, 404, 404]),
        ("DELETE", "/requests", None, [405, 405, 405]),
    ] {
        for (user, status) in ["alice", "bob", "dora"].into_iter().zip(expected) {
            let (got, answer) = shop.ask(user, method, path, body);
            assert_eq!(got, status, "{user}: {method} {path}: {answer}");
            let kind = answer["type"].as_str().unwrap_or_default();
            assert_eq!(kind.starts_with("/api#"), status >= 400, "{answer}");
        }
    }
    drop(session);
    let (_, bobs) = shop.ask("bob", "GET", "/sessions", None);
    assert_eq!(bobs["items"], json!([]), "others' sessions are none of theirs");
    let (_, upstream) = shop.ask("alice", "GET", "/databases", None);
    assert_eq!(upstream["items"][0]["upstream"], Value::Null);
    let (_, explained) = shop.ask("alice", "POST", "/explain", Some(&question));
    assert_eq!(explained["verdict"], "shown", "{explained}");
    let needed = json!([{ "resource": "public.customers.email", "actions": ["read"] }]);
    assert_eq!(explained["smallest_grant"], needed);
}

#[test]
fn the_audit_log_is_read_in_pages() {
    let shop = Shop::open_with("api_audit", with_an_auditor);
    let mut session = shop.alice().connect();
    for _ in 0..5 {
        session.query("SELECT email FROM customers WHERE id = 5").ok();
    }
    drop(session);
    let path = "/audit/records?user=alice&kind=statement&column=email&limit=2";
    // Records are written soon, not at once.
    let mut seqs = Vec::new();
    crate::support::wait::until("five records", || {
        seqs.clear();
        let mut next = path.to_owned();
        loop {
            let (status, page) = shop.ask("bob", "GET", &next, None);
            assert_eq!((status, &page["stopped"]), (200, &Value::Null), "{page}");
            for item in page["items"].as_array().expect("a list") {
                assert_eq!((&item["user"], &item["kind"]), (&json!("alice"), &json!("statement")));
                seqs.push(item["seq"].as_u64().expect("a number"));
            }
            match page["next_before"].as_u64() {
                Some(before) => next = format!("{path}&before={before}"),
                None => return (seqs.len() == 5).then_some(()),
            }
        }
    });
    assert!(seqs.is_sorted_by(|one, other| one > other), "{seqs:?}");
    let (status, report) = shop.ask("bob", "GET", "/audit/report?by=person", None);
    assert_eq!((status, &report["chain"]["whole"]), (200, &json!(true)), "{report}");
    let dir = shop.proxy.config.path().join("audit");
    let dir = dir.to_str().expect("UTF-8");
    let (code, printed, said) =
        shop.run_as("bob", &["audit", "report", "--json", "--by", "person", "--dir", dir]);
    assert_eq!(code, 0, "{said}");
    let printed: Value = serde_json::from_str(&printed).expect("JSON");
    let alice = |report: &Value| {
        let people = report["people"]["items"].as_array().expect("people");
        people.iter().find(|row| row["person"] == "alice").expect("alice").clone()
    };
    assert_eq!(alice(&printed), alice(&report), "both tell the same");
    assert_eq!((&alice(&report)["statements"], &alice(&report)["masked"]), (&json!(5), &json!(5)));
    for wrong in ["kind=dream", "colour=red", "limit=0", "since=yesterday"] {
        assert_eq!(shop.ask("bob", "GET", &format!("/audit/records?{wrong}"), None).0, 400);
    }
}

#[test]
fn the_examples_of_the_readme_work() {
    let shop = Shop::open_with("api_readme", with_an_auditor);
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("<!-- api examples -->").nth(1).expect("the section");
    let script = section.split("```").nth(1).and_then(|block| block.split_once('\n')).unwrap().1;
    let mut count = 0;
    for line in script.lines().filter(|line| line.contains("curl")) {
        let mut shell = Command::new("sh");
        shell.args(["-c", &line.replace("curl ", "curl --fail-with-body ")]);
        shell.env("API", format!("http://127.0.0.1:{}/api/v1", shop.proxy.http_port()));
        for user in ["alice", "bob", "dora"] {
            let login = format!("{user}:{}", password(user));
            shell.env(user.to_uppercase(), login);
        }
        let ran = shell.output().expect("sh runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{line}\n{}\n{said}", String::from_utf8_lossy(&ran.stdout));
        serde_json::from_slice::<Value>(&ran.stdout).unwrap_or_else(|_| panic!("{line}: no JSON"));
        count += 1;
    }
    assert!(count >= 8, "{count} examples");
}
