//! Who may do what: every route and every command of the console, by everybody there is.

use keyhole::control::grammar::HELP;
use keyhole::control::http::{ROUTES, Route};

use super::signing_in::{Answer, OURS, basic, bearer};
use super::*;

/// Everybody, in the order of the columns below.
const WHO: [&str; 8] =
    ["nobody", "wrong", "expired", "alice", "bert", "olga", "dora", "dora's token"];

/// What is sent.
#[derive(Clone, Copy)]
pub(super) enum Sent {
    Nothing,
    Json(&'static str),
    Form(&'static str),
}

use Sent::{Form, Json, Nothing};

const WISH: &str =
    "{\"resource\":\"customers.email\",\"duration\":\"20 minutes\",\"reason\":\"INC-42\"}";
const GRANT: &str = "{\"resource\":\"customers.email\",\"duration\":\"20 minutes\",\
                     \"reason\":\"INC-42\",\"subject\":\"olga\"}";
const REASON: &str = "{\"reason\":\"no ticket\"}";
const LONGER: &str = "{\"duration\":\"10 minutes\",\"reason\":\"INC-42\"}";
const PASSWORD: &str = "{\"user\":\"alice\",\"password\":\"secret of alice\"}";

/// Open to everybody, whoever they say they are.
const ALL: [u16; 8] = [200; 8];

/// For each route what is sent, and what is answered to nobody, a wrong token, an expired one, a
/// user (alice, who has asked and been granted), an approver (bert, who approves what she asks
/// for), an approver of others' requests (olga), an operator (dora, an approver, too), and a token
/// of dora's without her role.
const TABLE: &[(Route, Sent, [u16; 8])] = &[
    (("GET", "/"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    (
        ("POST", "/"),
        Form("deed=request&resource=customers.email&duration=20+minutes&reason=INC-42"),
        [401, 401, 401, 303, 303, 303, 303, 303],
    ),
    (("GET", "/api"), Nothing, ALL),
    (("GET", "/api/v1/audit/records"), Nothing, [401, 401, 401, 403, 403, 403, 200, 403]),
    (("GET", "/api/v1/audit/report"), Nothing, [401, 401, 401, 403, 403, 403, 200, 403]),
    (("GET", "/api/v1/catalog"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    // Of what, is not said.
    (("GET", "/api/v1/catalog/access"), Nothing, [401, 401, 401, 400, 400, 400, 400, 400]),
    (("GET", "/api/v1/databases"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    (("GET", "/api/v1/drift"), Nothing, [401, 401, 401, 403, 403, 403, 200, 403]),
    (
        ("POST", "/api/v1/explain"),
        Json("{\"database\":\"shop\",\"statement\":\"SELECT email FROM customers\"}"),
        [401, 401, 401, 200, 200, 200, 200, 200],
    ),
    (("GET", "/api/v1/grants"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    (("POST", "/api/v1/grants"), Json(GRANT), [401, 401, 401, 403, 403, 403, 201, 403]),
    (
        ("POST", "/api/v1/grants/revoke"),
        Json("{\"all\":true}"),
        [401, 401, 401, 403, 403, 403, 200, 403],
    ),
    (("GET", "/api/v1/grants/{id}"), Nothing, [401, 401, 401, 200, 200, 404, 200, 404]),
    (
        ("POST", "/api/v1/grants/{id}/extend"),
        Json(LONGER),
        [401, 401, 401, 201, 403, 404, 403, 404],
    ),
    (
        // It was no emergency, so nothing is to be looked at.
        ("POST", "/api/v1/grants/{id}/review"),
        Json("{\"note\":\"seen\"}"),
        [401, 401, 401, 422, 422, 404, 422, 404],
    ),
    (("POST", "/api/v1/grants/{id}/revoke"), Json("{}"), [401, 401, 401, 200, 200, 404, 200, 404]),
    (("GET", "/api/v1/me"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    (("GET", "/api/v1/openapi.json"), Nothing, ALL),
    (("GET", "/api/v1/policies"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    (("GET", "/api/v1/requests"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    (("POST", "/api/v1/requests"), Json(WISH), [401, 401, 401, 201, 201, 201, 201, 201]),
    (("GET", "/api/v1/requests/{id}"), Nothing, [401, 401, 401, 200, 200, 404, 200, 200]),
    (
        ("POST", "/api/v1/requests/{id}/approve"),
        Json("{}"),
        [401, 401, 401, 403, 200, 404, 200, 200],
    ),
    (
        ("POST", "/api/v1/requests/{id}/cancel"),
        Json("{}"),
        [401, 401, 401, 200, 403, 404, 403, 403],
    ),
    (("GET", "/api/v1/requests/{id}/challenge"), Nothing, [401, 401, 401, 200, 200, 404, 200, 200]),
    (
        ("POST", "/api/v1/requests/{id}/deny"),
        Json(REASON),
        [401, 401, 401, 403, 200, 404, 200, 200],
    ),
    (("GET", "/api/v1/restrictions"), Nothing, [401, 401, 401, 403, 403, 403, 200, 403]),
    (
        ("POST", "/api/v1/restrictions"),
        Json("{\"user\":\"mallory\",\"reason\":\"INC-42\"}"),
        [401, 401, 401, 403, 403, 403, 201, 403],
    ),
    // There is no such user, so nothing to lift.
    (
        ("POST", "/api/v1/restrictions/{user}/lift"),
        Json("{}"),
        [401, 401, 401, 403, 403, 403, 404, 403],
    ),
    // Nobody here comes with a session.
    (("DELETE", "/api/v1/session"), Nothing, [401, 401, 401, 404, 404, 404, 404, 404]),
    (("GET", "/api/v1/session"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    // Who they are is what they send.
    (("POST", "/api/v1/session"), Json(PASSWORD), [201; 8]),
    (
        ("POST", "/api/v1/session/end_all"),
        Json("{\"user\":\"mallory\"}"),
        [401, 401, 401, 403, 403, 403, 204, 403],
    ),
    // There is no issuer here.
    (("GET", "/api/v1/session/oidc"), Nothing, [404; 8]),
    (("GET", "/api/v1/sessions"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    // There is none of that number.
    (("POST", "/api/v1/sessions/{id}/kill"), Json("{}"), [401, 401, 401, 403, 403, 403, 404, 403]),
    (("GET", "/api/v1/sinks"), Nothing, [401, 401, 401, 403, 403, 403, 200, 403]),
    (("GET", "/api/v1/status"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    (("GET", "/audit"), Nothing, [401, 401, 401, 403, 403, 403, 200, 403]),
    (("GET", "/console.js"), Nothing, ALL),
    (("GET", "/grants/{id}"), Nothing, [401, 401, 401, 200, 200, 404, 200, 404]),
    (("POST", "/grants/{id}"), Form("deed=revoke"), [401, 401, 401, 303, 303, 404, 303, 404]),
    (("GET", "/healthz"), Nothing, ALL),
    (("GET", "/icon.svg"), Nothing, ALL),
    (("GET", "/inbox"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    // There is none of that number, so it is nobody's.
    (("POST", "/inbox"), Form("deed=approve&request=0"), [401, 401, 401, 404, 404, 404, 404, 404]),
    (("GET", "/live"), Nothing, [401, 401, 401, 403, 403, 403, 200, 403]),
    (("POST", "/live"), Form("deed=panic&sure=yes"), [401, 401, 401, 403, 403, 403, 303, 403]),
    (("GET", "/login"), Nothing, ALL),
    (("POST", "/login"), Form("user=alice&password=secret+of+alice"), [303; 8]),
    (("GET", "/login/oidc"), Nothing, [404; 8]),
    (("GET", "/login/oidc/callback"), Nothing, [403; 8]),
    (("POST", "/logout"), Form(""), [401, 401, 401, 303, 303, 303, 303, 303]),
    (("GET", "/map"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    (("GET", "/map/findings"), Nothing, [401, 401, 401, 403, 403, 403, 200, 403]),
    // No scan has left anything.
    (("POST", "/map/findings"), Form("deed=patch"), [401, 401, 401, 403, 403, 403, 404, 403]),
    (("GET", "/metrics"), Nothing, ALL),
    (("GET", "/policy"), Nothing, [401, 401, 401, 200, 200, 200, 200, 200]),
    (("GET", "/readyz"), Nothing, ALL),
    (("GET", "/requests/{id}"), Nothing, [401, 401, 401, 200, 200, 404, 200, 200]),
    (("POST", "/requests/{id}"), Form("deed=approve"), [401, 401, 401, 403, 303, 404, 303, 303]),
    (("GET", "/risk"), Nothing, [401, 401, 401, 403, 403, 403, 200, 403]),
    (("GET", "/style.css"), Nothing, ALL),
];

impl Office {
    /// What alice has asked for, and nobody has decided on.
    async fn wish(&self, path: &str) -> String {
        if path.contains("/requests/") {
            return self.request("alice").await.to_string();
        }
        // Hers since bert has said so.
        let id = self.request("alice").await.to_string();
        let approved = self.post(
            &format!("/api/v1/requests/{id}/approve"),
            &basic("bert", &password("bert")),
            &serde_json::json!({}),
        );
        assert_eq!(approved.status, 200, "{approved:?}");
        approved.json()["grant"].to_string()
    }

    pub(super) fn send(&self, (method, path): (&str, &str), head: &str, sent: Sent) -> Answer {
        match sent {
            Nothing => self.ask(method, path, head, "", ""),
            Json(body) => self.ask(method, path, head, "application/json", body),
            Form(body) => {
                let kind = "application/x-www-form-urlencoded";
                self.ask(method, path, &format!("{head}{OURS}"), kind, body)
            }
        }
    }
}

#[test]
fn every_route_is_for_whom_the_table_says() {
    let tested: Vec<Route> = TABLE.iter().map(|(route, _, _)| *route).collect();
    assert_eq!(tested, ROUTES, "every route, in the order of the list");
    with_office(|office| async move {
        let expired = office.machine("dora", &["control"]);
        office.wait(3_601);
        let wrong = token::text_of([0x77; 32]);
        for ((method, path), sent, expected) in TABLE {
            for (who, expected) in WHO.into_iter().zip(expected) {
                // What was guessed before is forgotten, and there is room for more requests.
                office.wait(16 * 60);
                let head = match who {
                    "nobody" => String::new(),
                    "wrong" => bearer(wrong.expose()),
                    "expired" => bearer(&expired),
                    "dora's token" => bearer(&office.machine("dora", &[])),
                    name => basic(name, &password(name)),
                };
                let path = &path.replace("{user}", "mallory2");
                let path = match path.split_once("{id}") {
                    Some((before, after)) => format!("{before}{}{after}", office.wish(path).await),
                    None => path.clone(),
                };
                let answer = office.send((method, &path), &head, *sent);
                assert_eq!(answer.status, *expected, "{method} {path} by {who}: {answer:?}");
            }
        }
    });
}

#[test]
fn what_a_browser_sends_by_itself_changes_nothing() {
    with_office(|office| async move {
        let changing = TABLE.iter().filter(|((method, _), _, _)| *method != "GET");
        // Whom the cookie names is nothing to who signs in anew.
        let anew = [("POST", "/login"), ("POST", "/api/v1/session")];
        for ((method, path), sent, expected) in changing.filter(|row| !anew.contains(&row.0)) {
            for (name, expected) in WHO.into_iter().zip(expected).skip(3).take(4) {
                office.wait(16 * 60);
                let path = match path.split_once("{id}") {
                    Some((before, after)) => format!("{before}{}{after}", office.wish(path).await),
                    None => path.replace("{user}", "mallory2"),
                };
                let (cookie, form) = office.browser(name);
                let send = |token: &str, head: &str| {
                    let head = format!("{cookie}{head}");
                    let answer = match sent {
                        Nothing | Json(_) if !token.is_empty() => {
                            let head = format!("{head}X-CSRF-Token: {token}\r\n");
                            office.send((method, &path), &head, *sent)
                        }
                        Form(fields) if !token.is_empty() => {
                            let kind = "application/x-www-form-urlencoded";
                            let body = format!("{fields}&csrf={token}");
                            office.ask(method, &path, &head, kind, &body)
                        }
                        Nothing | Json(_) | Form(_) => office.send((method, &path), &head, *sent),
                    };
                    answer.status
                };
                let case = format!("{method} {path} by {name}");
                let (_, others) = office.browser(if name == "alice" { "bert" } else { "alice" });
                assert_eq!(send("", OURS), 403, "{case} without the token");
                assert_eq!(send(&others, OURS), 403, "{case} with another session's");
                for site in ["Sec-Fetch-Site: cross-site\r\n", "Origin: null\r\n"] {
                    assert_eq!(send(&form, site), 403, "{case} from {site}");
                }
                // There is a session to end.
                let expected = if *method == "DELETE" { 204 } else { *expected };
                assert_eq!(send(&form, OURS), expected, "{case}");
            }
        }
    });
}

#[test]
fn what_was_done_in_an_emergency_is_looked_at_by_its_reviewers_only() {
    with_office(|office| async move {
        let alice = basic("alice", &password("alice"));
        let wish = serde_json::json!({
            "resource": "customers.email", "duration": "20 minutes", "reason": "INC-42: down",
            "break_glass": true,
        });
        let note = Json("{\"note\":\"seen\"}");
        let form = Form("deed=review&reason=seen");
        let by_api = [401, 401, 401, 403, 200, 404, 200, 200];
        let by_page = [401, 401, 401, 403, 303, 404, 303, 303];
        for (place, sent, expected) in
            [("/api/v1/grants/{id}/review", note, by_api), ("/grants/{id}", form, by_page)]
        {
            for (who, expected) in WHO.into_iter().zip(expected) {
                office.wait(16 * 60);
                let head = match who {
                    "nobody" => String::new(),
                    "wrong" => bearer(token::text_of([0x77; 32]).expose()),
                    "expired" => {
                        let expired = bearer(&office.machine("dora", &["control"]));
                        office.wait(3_601);
                        expired
                    }
                    "dora's token" => bearer(&office.machine("dora", &[])),
                    name => basic(name, &password(name)),
                };
                let filed = office.post("/api/v1/requests", &alice, &wish);
                assert_eq!(filed.status, 201, "{filed:?}");
                let path = place.replace("{id}", &filed.json()["grant"].to_string());
                let answer = office.send(("POST", &path), &head, sent);
                assert_eq!(answer.status, expected, "{path} by {who}: {answer:?}");
                // Once is enough.
                if expected < 400 {
                    let again = office.send(("POST", &path), &head, sent);
                    assert_eq!(again.status, 422, "{path} by {who}");
                }
            }
        }
    });
}

#[test]
fn what_is_not_listed_is_not_served() {
    let office = Office::open();
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/grants", 405),
        ("GET", "/logout", 405),
        ("DELETE", "/api/v1/requests/1", 405),
        ("TRACE", "/metrics", 405),
    ] {
        let answer = office.ask(method, path, "", "", "");
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {path}");
    }
    assert_eq!(office.ask("PUT", "/api/v1/grants", "", "", "").header("allow"), Some("GET, POST"));
}

#[test]
fn drift_is_told_to_operators_as_json_and_on_the_map() {
    with_office(|office| async move {
        let head = |user: &str| basic(user, &password(user));
        let answer = office.ask("GET", "/api/v1/drift", &head("dora"), "", "");
        let expected = serde_json::json!({
            "database": "shop",
            "severity": "warning",
            "kind": "uncatalogued",
            "schema": "public",
            "table": "leads",
            "column": "contact",
            "what": "public.leads.contact is not in the catalog",
            "place": null,
            "since": "2023-11-14T22:13:20Z",
        });
        assert_eq!(answer.json()["items"], serde_json::json!([expected]), "{answer:?}");
        let words = "public.leads.contact is not in the catalog";
        assert!(office.ask("GET", "/map", &head("dora"), "", "").body.contains(words));
        let theirs = office.ask("GET", "/map", &head("alice"), "", "");
        assert!(theirs.status == 200 && !theirs.body.contains(words), "{theirs:?}");
    });
}

#[test]
fn nobody_decides_on_their_own_by_any_way() {
    with_office(|office| async move {
        let own = office.request("dora").await;
        let head = basic("dora", &password("dora"));
        let token = bearer(&office.machine("dora", &["control"]));
        let session = bearer(&office.session("dora"));
        for head in [&head, &token, &session] {
            let path = format!("/api/v1/requests/{own}/approve");
            let refused = office.post(&path, head, &serde_json::json!({}));
            assert_eq!(refused.status, 403, "{refused:?}");
        }
        let page = ("POST", &*format!("/requests/{own}"));
        assert_eq!(office.send(page, &head, Form("deed=approve")).status, 403);
        let dora = office.connect("dora").await.expect("dora may");
        let refused = dora.simple_query(&format!("APPROVE {own}")).await;
        assert_eq!(code(&refused.expect_err("her own")), "42501");
        // The same request, by somebody else.
        let erik = office.connect("erik").await.expect("erik may");
        erik.simple_query(&format!("APPROVE {own}")).await.expect("an approval");
    });
}

#[test]
fn every_command_of_the_console_is_for_operators() {
    with_office(|office| async move {
        for name in ["alice", "bert", "olga"] {
            let refused = office.connect(name).await.expect_err(name);
            assert_eq!(code(&refused), "28000", "{name} has no role");
        }
        assert_eq!(code(&office.connect_with("dora", "wrong").await.expect_err("wrong")), "28P01");
        let machine = office.machine("dora", &["control"]);
        let refused = office.connect_with("dora", &machine).await;
        assert_eq!(code(&refused.expect_err("a token is for HTTP")), "28P01");
        // Variants of the same command stand there with an ellipsis.
        let commands = HELP.iter().map(|(command, _)| *command).filter(|c| !c.contains('…'));
        let commands: Vec<&str> = commands.collect();
        assert!(commands.len() > 20, "{commands:?}");
        for command in &commands {
            let dora = office.connect("dora").await.expect("dora may");
            if let Err(error) = dora.simple_query(command).await {
                let state = code(&error);
                assert!(!["28000", "42601"].contains(&state), "{command}: {error:?}");
            }
        }
        for command in &commands {
            office.is_demoted.store(false, Ordering::SeqCst);
            let dora = office.connect("dora").await.expect("dora may");
            office.is_demoted.store(true, Ordering::SeqCst);
            let refused = dora.simple_query(command).await.expect_err(command);
            assert_eq!(code(&refused), "28000", "{command}");
        }
    });
}
