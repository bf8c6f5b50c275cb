//! What a shell is told: exit codes, what became of a request that somebody waited for, JSON.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::desk::Shop;
use crate::support::keyhole::signal;
use crate::support::wait::until;

const ASK: [&str; 6] =
    ["request", "customers.email", "--for", "20 minutes", "--reason", "INC-42: refund"];

impl Shop {
    fn waiting(&self, more: &[&str]) -> Child {
        self.keyhole("alice", &[&ASK, more].concat()).spawn().expect("it runs")
    }

    /// The request as dora sees it.
    fn asked(&self, id: u64) -> Value {
        let (code, list, said) = self.run_as("dora", &["requests", "--json"]);
        assert_eq!(code, 0, "{said}");
        let all = list.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        all.into_iter().find(|request| request["id"] == id).unwrap_or_default()
    }

    fn filed(&self, id: u64) {
        until("the request is filed", || (self.asked(id)["state"] == "pending").then_some(()));
    }
}

/// Exit code, standard output, standard error.
fn finish(child: Child) -> (i32, String, String) {
    let output = child.wait_with_output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("it exits"), text(output.stdout), text(output.stderr))
}

#[test]
fn who_stops_waiting_takes_the_request_back() {
    let shop = Shop::open("cli_wait");
    let (code, shown, said) = finish(shop.waiting(&["--timeout", "200ms", "--json"]));
    assert!(code == 4 && said.contains("nobody decided on request 1 in time"), "{code} {said}");
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&shown["state"], &shop.asked(1)["state"]), (&json!("cancelled"), &shown["state"]));

    let interrupted = shop.waiting(&["--", "sh", "-c", "echo it ran"]);
    shop.filed(2);
    signal(interrupted.id(), "INT");
    let (code, shown, said) = finish(interrupted);
    assert!(code == 130 && said.contains("request 2 waited; it was taken back"), "{code} {said}");
    assert_eq!(shown, "", "the command does not run");
    assert_eq!(shop.asked(2)["state"], "cancelled");
}

#[test]
fn what_became_of_a_request_is_an_exit_code() {
    let shop = Shop::open("cli_decided");
    let denied = shop.waiting(&["--wait"]);
    shop.filed(1);
    assert_eq!(shop.run_as("dora", &["deny", "1", "--reason", "no ticket"]).0, 0);
    let (code, shown, said) = finish(denied);
    assert!(code == 3 && said.contains("request 1 was denied by dora: no ticket"), "{said}");
    assert!(said.contains("HINT:  ") && shown.contains("denied"), "{shown}{said}");

    let script = "echo $KEYHOLE_REQUEST $KEYHOLE_GRANT $KEYHOLE_DATABASE $KEYHOLE_RESOURCE; \
                  test -n \"$KEYHOLE_EXPIRES_AT\" && exit 7";
    let running = shop.waiting(&["--timeout", "5min", "--", "sh", "-c", script]);
    shop.filed(2);
    assert_eq!(shop.run_as("dora", &["approve", "2"]).0, 0);
    let (code, shown, said) = finish(running);
    assert_eq!((code, shown.trim()), (7, "2 1 shop public.customers.email"), "{said}");
}

#[test]
fn what_there_is_and_who_is_there_is_listed_and_ended() {
    let shop = Shop::open("cli_look");
    let mut session = shop.alice().connect();
    session.query("SELECT 1").ok();
    let run = |user: &str, args: &[&str]| {
        let (code, shown, said) = shop.run_as(user, args);
        assert_eq!(code, 0, "{args:?}: {said}");
        shown
    };
    let sessions = run("dora", &["sessions"]);
    assert!(sessions.starts_with("id  user") && sessions.contains("alice"), "{sessions}");
    let one: Value = serde_json::from_str(&run("alice", &["sessions", "--json"])).expect("JSON");
    assert_eq!((&one["user"], &one["statements"]), (&json!("alice"), &json!(1)), "{one}");
    let id = one["id"].to_string();
    let (code, _, said) = shop.run_as("alice", &["sessions", "end", &id]);
    assert!(code == 3 && said.contains("role \"control\""), "{code} {said}");
    assert!(run("dora", &["sessions", "end", &id]).contains("is asked to end"));
    until("the session is gone", || {
        run("dora", &["sessions"]).lines().nth(1).is_none().then_some(())
    });
    assert_eq!(shop.run_as("dora", &["sessions", "end", &id]).0, 3, "there is none");

    let columns = run("alice", &["catalog", "--table", "customers", "--class", "email"]);
    assert!(columns.lines().count() == 2 && columns.contains("exists"), "{columns}");
    let access = run("dora", &["catalog", "access", "customers.email"]);
    assert!(access.contains("Could ask for it:") && access.contains("max_duration"), "{access}");
    assert!(run("alice", &["databases"]).contains("shop"));
    assert!(run("alice", &["policies", "--resource", "customers.email"]).contains("group:dba"));
    assert!(run("dora", &["sinks"]).starts_with("name"));
    let me: Value = serde_json::from_str(&run("dora", &["whoami", "--json"])).expect("JSON");
    assert_eq!((&me["user"], &me["roles"]), (&json!("dora"), &json!(["control"])));

    let suspend = ["restrictions", "suspend", "alice", "--for", "1 hour", "--reason", "INC-9"];
    assert_eq!(shop.run_as("alice", &suspend).0, 3, "not for her");
    assert!(run("dora", &suspend).contains("suspended"));
    assert!(run("dora", &["restrictions"]).contains("INC-9"));
    assert_eq!(run("dora", &["restrictions", "lift", "alice"]).trim(), "lifted: alice");
    assert_eq!(run("dora", &["restrictions"]).lines().count(), 1, "the titles");
}

#[test]
fn programs_read_what_people_read() {
    let shop = Shop::open("cli_json");
    let file = shop.proxy.config.file();
    let file = file.to_str().expect("UTF-8");
    let run = |args: &[&str]| {
        let mut command = shop.proxy.config.command(args);
        finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs"))
    };
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let (code, shown, said) = run(&["check", "--json", "--config", file]);
    let checked = read(&shown);
    assert_eq!(
        (code, &checked["ok"], &checked["problems"]),
        (0, &json!(true), &json!([])),
        "{said}"
    );

    let dir = shop.proxy.config.path().join("audit");
    let dir = dir.to_str().expect("UTF-8");
    until("a record is on the disk", || {
        let (code, shown, _) = run(&["audit", "verify", "--json", "--dir", dir]);
        (code == 0 && read(&shown)["records"].as_u64() > Some(0)).then_some(())
    });
    let (code, shown, _) = run(&["audit", "verify", "--json", "--dir", "/nowhere"]);
    assert_eq!((code, &read(&shown)["ok"]), (1, &json!(false)), "{shown}");

    let (code, script, _) = run(&["completions", "bash"]);
    assert!(code == 0 && script.contains("complete -F _keyhole"), "{script}");
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().to_str().expect("UTF-8");
    assert_eq!(run(&["man", "--dir", pages]).0, 0);
    for page in ["keyhole.1", "keyhole-request.1", "keyhole-audit-verify.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).expect(page);
        assert!(text.contains(".SH NAME"), "{page}: {text}");
    }
    assert_eq!(run(&["frobnicate"]).0, 2);
}
