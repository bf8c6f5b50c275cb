//! Requests, approvals and grants over HTTP and on the command line.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use toml::Table;

use crate::desk::{EMAIL, Shop, email, masked};
use crate::support::keyhole::{HttpAnswer, password};
use crate::support::traps::{self, Variant};
use crate::support::wait::until;

impl Shop {
    pub(crate) fn ask(
        &self,
        user: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let answer = self.ask_with(&sign_in(user, password(user)), method, path, body);
        let body = serde_json::from_str(&answer.body);
        (answer.status, body.unwrap_or_else(|_| panic!("no JSON: {answer:?}")))
    }

    pub(crate) fn ask_with(
        &self,
        head: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> HttpAnswer {
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        self.proxy.http_raw(&format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: keyhole\r\nConnection: close\r\n{head}{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    #[track_caller]
    fn post(&self, user: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(user, "POST", path, Some(&body));
        assert!((200..300).contains(&status), "{path} {body}: {status} {answer}");
        answer
    }

    #[track_caller]
    fn refused(&self, user: &str, path: &str, body: Value) -> (u16, String) {
        let (status, answer) = self.ask(user, "POST", path, Some(&body));
        assert!(status >= 400, "{path} {body}: {status} {answer}");
        assert_eq!(answer["status"], status, "{answer}");
        (status, answer["detail"].as_str().expect("a detail").to_owned())
    }

    pub(crate) fn keyhole(&self, user: &str, args: &[&str]) -> Command {
        let mut command = self.proxy.config.command(args);
        command
            .env("KEYHOLE_URL", format!("http://127.0.0.1:{}", self.proxy.http_port()))
            .env("KEYHOLE_USER", user)
            .env("KEYHOLE_PASSWORD", password(user))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run_as(&self, user: &str, args: &[&str]) -> (i32, String, String) {
        finish(self.keyhole(user, args).spawn().expect("it runs"))
    }

    fn sees(&self) -> String {
        self.alice().connect().query(EMAIL).ok().scalar()
    }
}

fn finish(child: Child) -> (i32, String, String) {
    let output = child.wait_with_output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("it exits"), text(output.stdout), text(output.stderr))
}

pub(crate) fn login(user: &str) -> String {
    sign_in(user, password(user))
}

fn sign_in(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

fn wish() -> Value {
    json!({ "resource": "customers.email", "duration": "20 minutes", "reason": "INC-42: refund" })
}

#[test]
fn access_is_asked_for_decided_extended_and_ended() {
    let shop = Shop::open("api_loop");
    let filed = shop.post("alice", "/requests", wish());
    assert_eq!((&filed["id"], &filed["state"]), (&json!(1), &json!("pending")), "{filed}");
    assert_eq!(filed["database"], "shop", "the only one that knows the resource");
    assert_eq!(shop.sees(), masked(&email()));
    let (_, list) = shop.ask("dora", "GET", "/requests?state=pending", None);
    assert_eq!(list["items"][0]["resource"], "public.customers.email", "{list}");

    let approved = shop.post("dora", "/requests/1/approve", json!({}));
    assert_eq!((&approved["state"], &approved["grant"]), (&json!("approved"), &json!(1)));
    assert_eq!(shop.sees(), email());
    let (_, grant) = shop.ask("alice", "GET", "/grants/1", None);
    assert_eq!((&grant["state"], &grant["approvers"]), (&json!("active"), &json!(["dora"])));

    let longer = json!({ "duration": "5 minutes", "reason": "INC-42: not done" });
    let extension = shop.post("alice", "/grants/1/extend", longer);
    assert_eq!(extension["extends"], 1, "{extension}");
    shop.post("dora", "/requests/2/deny", json!({ "reason": "enough" }));
    let (_, denied) = shop.ask("alice", "GET", "/requests/2", None);
    assert_eq!((&denied["state"], &denied["closed_reason"]), (&json!("denied"), &json!("enough")));

    let revoked = shop.post("dora", "/grants/1/revoke", json!({}));
    assert_eq!((&revoked["state"], &revoked["ended_by"]), (&json!("revoked"), &json!("dora")));
    assert_eq!(shop.sees(), masked(&email()));

    shop.post("alice", "/requests", wish());
    assert_eq!(shop.post("alice", "/requests/3/cancel", json!({}))["state"], "cancelled");
    let (_, page) = shop.ask("alice", "GET", "/requests?limit=2", None);
    assert_eq!((&page["items"][1]["id"], &page["next_before"]), (&json!(2), &json!(2)));
    let (_, page) = shop.ask("alice", "GET", "/requests?limit=2&before=2", None);
    assert_eq!((&page["items"][0]["id"], &page["next_before"]), (&json!(1), &Value::Null));
    let text = shop.proxy.audit_text();
    assert!(text.contains("INC-42: refund") && text.contains("\"kind\":\"login\""));
}

#[test]
fn all_terms_of_a_request_reach_its_grant() {
    let shop = Shop::open("api_terms");
    let asked = json!({
        "resource": "customers.email", "duration": "20 minutes", "reason": "INC-1: all of it",
        "database": "shop", "actions": "read", "rows": "id = 5", "ticket": "INC-1",
        "max_rows": 3, "max_uses": "2", "max_subjects": 1, "unused": "5 minutes", "first_use": true,
    });
    let filed = shop.post("alice", "/requests", asked);
    assert_eq!(filed["actions"], "read");
    assert_eq!(filed["rows"], "\"id\" = 5");
    assert_eq!(filed["runs_from"], "first use");
    let limits = json!({ "max_rows": 3, "max_uses": 2, "max_subjects": 1, "unused": "5min" });
    assert_eq!(filed["limits"], limits);
    shop.post("dora", "/requests/1/approve", json!({}));
    let (_, grant) = shop.ask("alice", "GET", "/grants/1", None);
    assert_eq!((&grant["limits"], &grant["rows"]), (&filed["limits"], &filed["rows"]));
}

#[test]
fn what_is_wrong_is_refused_and_said() {
    let shop = Shop::open("api_bad");
    let with = |field: &str, value: Value| {
        let mut wish = wish();
        wish[field] = value;
        wish
    };
    for (body, status, words) in [
        (json!([]), 422, "expected"),
        (json!({}), 422, "resource"),
        (with("subject", json!("bob")), 422, "unknown field `subject`"),
        (with("max_rows", json!(-1)), 422, "did not match"),
        (with("database", json!(7)), 422, "expected a string"),
        (with("database", json!("nowhere")), 404, "does not exist"),
        (with("resource", json!("nowhere.email")), 404, "nowhere.email"),
        (with("rows", json!("id IN (SELECT 1)")), 422, "rows"),
        (with("rows", json!("random() < 1")), 422, "rows"),
        (with("duration", json!("2 hours")), 403, "at most 30min"),
        (with("reason", json!(" ")), 422, "a reason is needed"),
    ] {
        let (got, detail) = shop.refused("alice", "/requests", body.clone());
        assert!(got == status && detail.contains(words), "{body}: {got} {detail}");
    }
    for (user, path, body, status) in [
        ("alice", "/requests/1/approve", json!({}), 404),
        ("alice", "/requests/x/cancel", json!({}), 400),
        ("alice", "/grants/1/revoke", json!({}), 404),
        ("alice", "/grants/revoke", json!({ "all": true }), 403),
        ("dora", "/grants/revoke", json!({}), 422),
        ("dora", "/grants/revoke", json!({ "all": true, "subject": "alice" }), 422),
        ("alice", "/grants", with("subject", json!("alice")), 403),
        ("dora", "/grants", with("subject", json!("dora")), 403),
        ("dora", "/grants", with("subject", json!("*")), 422),
        ("dora", "/grants", wish(), 422),
    ] {
        assert_eq!(shop.refused(user, path, body.clone()).0, status, "{user} {path} {body}");
    }
    assert_eq!(shop.proxy.http("/api/v1/nothing").0, 404);
    let (status, _) = shop.ask("alice", "GET", "/grants?colour=red", None);
    assert_eq!(status, 400);
    let long = with("reason", json!("x".repeat(100_000)));
    assert_eq!(shop.refused("alice", "/requests", long).0, 413);
}

#[test]
fn nobody_decides_on_their_own_or_sees_what_is_not_theirs() {
    let shop = Shop::open("api_who");
    shop.post("alice", "/requests", wish());
    for path in ["/requests/1", "/requests/1/challenge"] {
        assert_eq!(shop.ask("bob", "GET", path, None).0, 404, "{path}");
    }
    for deed in ["approve", "cancel"] {
        assert_eq!(shop.refused("bob", &format!("/requests/1/{deed}"), json!({})).0, 404);
    }
    let (_, list) = shop.ask("bob", "GET", "/requests", None);
    assert_eq!(list["items"], json!([]));
    assert_eq!(shop.refused("alice", "/requests/1/approve", json!({})).0, 403);
    assert_eq!(shop.refused("dora", "/requests/1/cancel", json!({})).0, 403);
    shop.post("dora", "/requests", wish());
    assert_eq!(shop.refused("dora", "/requests/2/approve", json!({})).0, 403);
    shop.post("dora", "/requests/1/approve", json!({}));
    assert_eq!(shop.ask("bob", "GET", "/grants/1", None).0, 404);
    assert_eq!(shop.refused("bob", "/grants/1/revoke", json!({})).0, 404);
    assert_eq!(shop.sees(), email());
    let to_bob = json!({
        "resource": "customers.email", "duration": "20 minutes", "reason": "INC-2", "subject": "bob"
    });
    assert_eq!(shop.post("dora", "/grants", to_bob)["warning"], Value::Null);
    let ended = shop.post("dora", "/grants/revoke", json!({ "resource": "customers.email" }));
    assert_eq!(ended, json!({ "revoked": [1, 2] }));
}

#[test]
fn an_approver_needs_no_console() {
    let shop = Shop::open_with("api_approver", |config| {
        let text = config.text();
        let text = text.replace("approvers = [\"group:dba\"]", "approvers = [\"bob\"]");
        config.with_text(&text)
    });
    shop.post("alice", "/requests", wish());
    assert_eq!(shop.refused("dora", "/requests/1/approve", json!({})).0, 403);
    shop.post("bob", "/requests/1/approve", json!({}));
    assert_eq!(shop.sees(), email());
    let (_, grants) = shop.ask("bob", "GET", "/grants", None);
    assert_eq!(grants["items"][0]["id"], 1, "what he has approved is his business");
    let more = json!({
        "resource": "customers.ssn", "duration": "5m", "reason": "INC-3", "subject": "alice"
    });
    assert_eq!(shop.refused("bob", "/grants", more.clone()).0, 403);
    shop.post("dora", "/grants", more);
    assert_eq!(shop.refused("bob", "/grants/2/revoke", json!({})).0, 404);
    assert_eq!(shop.post("bob", "/grants/1/revoke", json!({}))["state"], "revoked");
}

#[test]
fn only_who_proves_it_is_let_in_and_no_page_of_another_site() {
    let shop = Shop::open("api_login");
    let right = sign_in("alice", password("alice"));
    let ask = |head: &str| shop.ask_with(head, "POST", "/requests", Some(&wish()));
    for (head, status) in [
        (String::new(), 401),
        (sign_in("alice", "wrong"), 401),
        (sign_in("nobody", "alice-secret"), 401),
        (sign_in("alice", ""), 401),
        ("Authorization: Bearer abc\r\n".to_owned(), 401),
        (format!("{right}Origin: https://elsewhere.example\r\n"), 403),
        (format!("{right}Sec-Fetch-Site: cross-site\r\n"), 403),
        (format!("{right}Sec-Fetch-Site: same-origin\r\n"), 201),
        (format!("{right}Origin: http://keyhole\r\n"), 201),
    ] {
        let answer = ask(&head);
        assert_eq!(answer.status, status, "{head}: {answer:?}");
        let challenged = answer.head.contains("www-authenticate: Basic");
        assert_eq!(challenged, status == 401, "{answer:?}");
    }
    let form = format!(
        "POST /api/v1/requests HTTP/1.1\r\nHost: keyhole\r\nConnection: close\r\n{right}\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{}",
        wish().to_string().len(),
        wish()
    );
    assert_eq!(shop.proxy.http_raw(&form).status, 415, "no form can send JSON");
    let text = shop.proxy.audit_text();
    let failures = text.matches("\"kind\":\"login_failed\"").count();
    assert_eq!(failures, 4, "each that gave a password, an empty one, or a token: {text}");
    assert!(!text.contains("secret") && !shop.proxy.log().contains("alice-secret"));
}

#[test]
fn the_page_that_messages_link_to_decides() {
    let shop = Shop::open("api_page");
    let mut wish = wish();
    wish["reason"] = json!("INC-42: <b>\"bold\"</b>");
    shop.post("alice", "/requests", wish);
    let page = |user: &str, path: &str| {
        shop.proxy.http_raw(&format!(
            "GET {path} HTTP/1.1\r\nHost: keyhole\r\nConnection: close\r\n{}\r\n",
            sign_in(user, password(user))
        ))
    };
    let send = |user: &str, path: &str, origin: &str, form: &str| {
        shop.proxy.http_raw(&format!(
            "POST {path} HTTP/1.1\r\nHost: keyhole\r\nConnection: close\r\n{}{origin}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            sign_in(user, password(user)),
            form.len()
        ))
    };
    let shown = page("dora", "/requests/1");
    assert!(shown.head.contains("content-security-policy: default-src 'none'"), "{}", shown.head);
    for part in
        ["INC-42: &lt;b&gt;", "value=\"approve\"", "wants to read <code>public.customers.email"]
    {
        assert!(shown.body.contains(part), "{part}: {}", shown.body);
    }
    assert!(!page("alice", "/requests/1").body.contains("value=\"approve\""));
    assert_eq!(page("bob", "/requests/1").status, 404);
    assert_eq!(shop.proxy.http("/requests/1").0, 401);
    assert_eq!(shop.proxy.http("/style.css").0, 200);

    let ours = "Origin: http://keyhole\r\n";
    assert_eq!(send("dora", "/requests/1", "", "deed=approve").status, 403);
    let other = "Origin: http://elsewhere.example\r\n";
    assert_eq!(send("dora", "/requests/1", other, "deed=approve").status, 403);
    assert_eq!(send("dora", "/requests/1", ours, "deed=deny&reason=+").status, 422);
    assert_eq!(send("alice", "/requests/1", ours, "deed=approve").status, 403);
    assert_eq!(send("dora", "/requests/1", ours, "deed=approve&code=&reason=").status, 303);
    assert_eq!(shop.sees(), email());
    assert!(page("dora", "/requests/1").body.contains("href=\"/grants/1\""));
    assert!(page("dora", "/grants/1").body.contains("value=\"revoke\""));
    assert_eq!(send("dora", "/grants/1", ours, "deed=revoke").status, 303);
    assert_eq!(shop.sees(), masked(&email()));
}

#[test]
fn the_command_line_asks_waits_and_runs() {
    let shop = Shop::open("api_cli");
    let port = shop.proxy.data_port().to_string();
    let args = [
        "request",
        "customers.email",
        "--for",
        "20 minutes",
        "--reason",
        "INC-42: refund",
        "--rows",
        "id = 5",
        "--",
        "psql",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-U",
        "alice",
        "-d",
        "shop",
        "-Atc",
        EMAIL,
    ];
    let waiting = shop.keyhole("alice", &args).env("PGPASSWORD", password("alice")).spawn();
    let waiting = waiting.expect("it runs");
    until("the request is filed", || {
        let (_, list, _) = shop.run_as("dora", &["requests", "--state", "pending"]);
        list.contains("public.customers.email").then_some(())
    });
    let (code, _, said) = shop.run_as("alice", &["approve", "1"]);
    assert!(code == 3 && said.contains("HINT") | said.contains("own"), "{said}");
    let (code, shown, said) = shop.run_as("dora", &["approve", "1"]);
    assert!(code == 0 && shown.contains("approved"), "{shown}{said}");
    let (code, shown, said) = finish(waiting);
    assert_eq!((code, shown.trim()), (0, &*email()), "{said}");
    assert!(said.contains("request 1 waits for 1 by group:dba"), "{said}");

    let (_, grants, _) = shop.run_as("alice", &["grants", "--json"]);
    let grant: Value = serde_json::from_str(grants.trim()).expect("one line of JSON");
    assert_eq!((&grant["id"], &grant["rows"]), (&json!(1), &json!("\"id\" = 5")));
    let (code, shown, said) = shop.run_as("dora", &["revoke", "--of", "alice"]);
    assert_eq!((code, shown.as_str()), (0, "revoked: 1\n"), "{said}");
    assert_eq!(shop.sees(), masked(&email()));

    let granted = shop.run_as(
        "dora",
        &["grant", "customers.email", "--to", "alice", "--for", "5m", "--reason", "INC-7"],
    );
    assert!(granted.0 == 0 && granted.1.contains("active"), "{granted:?}");
    let longer = ["extend", "2", "--for", "5m", "--reason", "INC-7: more"];
    assert_eq!(shop.run_as("alice", &longer).0, 0);
    assert_eq!(shop.run_as("dora", &["deny", "2", "--reason", "enough"]).0, 0);
    assert_eq!(shop.run_as("dora", &["revoke", "2"]).0, 0);
    let refused = ["request", "customers.email", "--for", "9 hours", "--reason", "INC-1"];
    let (code, _, said) = shop.run_as("alice", &refused);
    assert!(code == 3 && said.contains("at most 30min"), "{said}");
    let mut wrong = shop.keyhole("alice", &["grants"]);
    let (code, _, said) = finish(wrong.env("KEYHOLE_PASSWORD", "no").spawn().expect("it runs"));
    assert!(code == 2 && said.contains("password authentication failed"), "{said}");
    let mut far = shop.keyhole("alice", &["grants"]);
    let far = far.env("KEYHOLE_URL", "http://db.example:1").spawn().expect("it runs");
    let (code, _, said) = finish(far);
    assert!(code == 2 && said.contains("use https"), "{said}");
    let log = shop.proxy.log();
    assert_eq!(traps::finder(Variant::A).find(log.as_bytes(), b""), []);
}

#[test]
fn over_tls_the_api_is_for_other_machines_too() {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/auth/login/tests");
    let file = |name: &str| keys.join(name).to_str().expect("UTF-8").to_owned();
    let shop = Shop::open_with("api_tls", |config| {
        let mut tls = Table::new();
        tls.insert("cert".to_owned(), file("localhost.crt").into());
        tls.insert("key".to_owned(), file("localhost.key").into());
        config.set("data", "tls", tls)
    });
    let url = format!("https://localhost:{}", shop.proxy.http_port());
    let ca = file("localhost.crt");
    let (code, shown, said) =
        shop.run_as("alice", &["grants", "--url", &url, "--ca", &ca, "--json", "--state", "all"]);
    assert_eq!((code, shown.as_str()), (0, ""), "{said}");
    let (code, _, said) = shop.run_as("alice", &["grants", "--url", &url]);
    assert!(code == 2 && said.contains("TLS handshake failed"), "{said}");
    assert_eq!(shop.proxy.http("/healthz").0, 200, "and plain, as before");
}

#[test]
fn the_command_line_signs_in_once_and_machines_have_tokens() {
    let mut shop = Shop::open("api_sessions");
    let home = tempfile::tempdir().expect("a folder");
    let run = |shop: &Shop, user: &str, password: Option<&str>, args: &[&str]| {
        let mut command = shop.keyhole(user, args);
        command.env("XDG_CONFIG_HOME", home.path()).env_remove("KEYHOLE_PASSWORD");
        if let Some(password) = password {
            command.env("KEYHOLE_PASSWORD", password);
        }
        finish(command.spawn().expect("it runs"))
    };
    let (code, said, _) = run(&shop, "alice", Some(password("alice")), &["login"]);
    assert!(code == 0 && said.starts_with("signed in as alice until 2"), "{said}");
    let file = home.path().join("keyhole/credentials");
    let kept = std::fs::read_to_string(&file).expect("it is kept");
    assert!(kept.contains("khs_") && !kept.contains(password("alice")));
    assert_eq!(run(&shop, "alice", None, &["requests"]).0, 0);
    let (code, _, said) = run(&shop, "dora", None, &["requests"]);
    assert_eq!(code, 2, "the session is alice's, and dora gave no password: {said}");
    assert_eq!(run(&shop, "alice", Some("wrong"), &["requests"]).0, 2, "what is given counts");

    // A restart signs nobody out.
    shop.proxy.restart();
    let moved = kept.replace(
        kept.split('"').nth(1).expect("a place"),
        &format!("http://127.0.0.1:{}", shop.proxy.http_port()),
    );
    std::fs::write(&file, moved).expect("it is ours");
    assert_eq!(run(&shop, "alice", None, &["requests"]).0, 0);
    assert_eq!(run(&shop, "alice", None, &["logout"]).0, 0);
    assert_ne!(run(&shop, "alice", None, &["requests"]).0, 0);

    let made =
        ["token", "new", "-U", "dora", "--role", "control", "--expires", "90d", "--name", "ci"];
    let (code, lines, told) = run(&shop, "dora", None, &made);
    assert_eq!(code, 0, "{told}");
    let token = told.lines().find(|line| line.starts_with("kht_")).expect("a token").to_owned();
    assert!(!lines.contains("kht_"), "{lines}");
    let text = shop.proxy.config.text();
    shop.proxy.config.write_text(&format!("{text}\n{lines}"));
    shop.proxy.signal("HUP");
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let status = || shop.ask_with(&bearer, "GET", "/session", None).status;
    until("the token counts", || (status() == 200).then_some(()));
    let mut command = shop.keyhole("dora", &["grants"]);
    command.env_remove("KEYHOLE_PASSWORD").env("KEYHOLE_TOKEN", &token);
    assert_eq!(finish(command.spawn().expect("it runs")).0, 0);
    shop.proxy.config.write_text(&text);
    shop.proxy.signal("HUP");
    until("the token counts no more", || (status() == 401).then_some(()));
    let text = until("it is on record", || {
        let text = shop.proxy.audit_text();
        let method = text.contains("\"method\":\"token\"");
        (method && text.contains("\"reason\":\"signed_out\"")).then_some(text)
    });
    let told = format!("{text}{}", shop.proxy.log());
    assert!(!told.contains("kht_") && !told.contains("khs_"), "no token is told");
}

#[test]
fn sessions_end_everywhere() {
    let shop = Shop::open("api_everywhere");
    let begin = |user: &str| {
        let begun =
            shop.post(user, "/session", json!({ "user": user, "password": password(user) }));
        format!("Authorization: Bearer {}\r\n", begun["token"].as_str().expect("a token"))
    };
    let (alice, dora) = (begin("alice"), begin("dora"));
    let status = |head: &str| shop.ask_with(head, "GET", "/session", None).status;
    let (code, _, told) = shop.run_as("alice", &["logout", "--of", "dora"]);
    assert!(code != 0 && told.contains("role \"control\""), "{code} {told}");
    assert_eq!((status(&alice), status(&dora)), (200, 200));
    let (code, told, _) = shop.run_as("dora", &["logout", "--of", "alice"]);
    assert_eq!((code, told.trim()), (0, "all sessions of alice have ended"));
    assert_eq!((status(&alice), status(&dora)), (401, 200));
    let run = |args: &[&str]| {
        let mut command = shop.keyhole("alice", args);
        command.env("XDG_CONFIG_HOME", shop.proxy.config.path());
        finish(command.spawn().expect("it runs")).0
    };
    let browser = begin("alice");
    assert_eq!((run(&["login"]), status(&browser)), (0, 200));
    assert_eq!((run(&["logout", "--everywhere"]), status(&browser)), (0, 401));
    until("both are on record", || {
        let text = shop.proxy.audit_text();
        let by = |name: &str| {
            text.contains(&format!("\"reason\":\"signed_out_everywhere\",\"by\":\"{name}\""))
        };
        (by("dora") && by("alice")).then_some(())
    });
    let (fine, told) = shop.proxy.audit_verify();
    assert!(fine, "{told}");
}

#[test]
fn what_a_client_calls_itself_misleads_nobody() {
    let shop = Shop::open("api_called");
    let mut alice = shop.alice();
    let name = "p\u{202e}sql\u{7}é";
    alice.options.push(("application_name".to_owned(), name.to_owned()));
    let _session = alice.connect();
    let (_, sessions) = shop.ask("dora", "GET", "/sessions", None);
    assert_eq!(sessions["items"][0]["application"], "p?sql?é", "{sessions}");
}
