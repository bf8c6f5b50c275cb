use std::fs;

use serde_json::{Value, json};

use super::*;
use crate::config::Config;

const PROXY: &str = r#"
[data]
listen = "127.0.0.1:0"
auth = "trust"

[[database]]
name = "shop"
upstream = "postgres://app@127.0.0.1:1/shop"
catalog = ["shop.toml"]

[[user]]
name = "alice"
groups = ["support"]
"#;

const CATALOG: &str = r#"
[[class]]
name = "email"
mask = { kind = "email" }

[[table]]
name = "public.customers"
columns = { email = "email" }
"#;

fn policy(more: &str) -> String {
    format!(
        "[[policy]]\nname = 'p'\nsubjects = ['group:support']\nresources = ['class:email']\n\
         actions = ['read']\n{more}\n"
    )
}

/// The configuration with this policy.
fn rehearsal(policies: &str) -> Rehearsal {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.toml");
    fs::write(&path, format!("{PROXY}{policies}")).unwrap();
    fs::write(folder.path().join("shop.toml"), CATALOG).unwrap();
    let config = Config::load_with(&path, &|_| None).unwrap();
    Rehearsal::new(config).map_err(|error| error.to_string()).unwrap()
}

/// The record of a step on a request for a quarter of an hour, with other members.
fn step(step: &str, day: u32, more: &Value) -> Record {
    let mut record = json!({
        "seq": 1, "time": format!("2026-01-{day:02}T10:00:00Z"), "kind": "grant", "step": step,
        "subject": "alice", "database": "shop", "resources": ["public.customers.email"],
        "actions": ["read"], "reason": "INC-1", "urgency": "ordinary",
        "not_before": format!("2026-01-{day:02}T10:00:00Z"),
        "expires_at": format!("2026-01-{day:02}T10:15:00Z"),
    });
    let more = more.as_object().unwrap().clone();
    record.as_object_mut().unwrap().extend(more);
    Record::of(record.to_string().as_bytes()).unwrap()
}

fn answers(asks: Asks<'_>) -> Vec<(Answer, Answer, u64)> {
    let found = asks.into_found();
    found.asked.iter().map(|(asked, count)| (asked.before, asked.after, *count)).collect()
}

#[test]
fn what_a_policy_grants_at_once_in_a_week_is_counted_as_it_was() {
    let capped = "max_duration = '1h'\napprovals = 0\nauto_per_week = 2\napprovers = ['dora']";
    let before = rehearsal(&policy(capped));
    let after = rehearsal(&policy("max_duration = '1h'\napprovals = 0"));
    let mut asks = Asks::new([&before, &after]);
    for (number, day) in [1, 2, 3, 10, 20].into_iter().enumerate() {
        asks.step(&step("granted", day, &json!({ "request": number, "grant": number })));
    }
    let at_once = Answer::AtOnce;
    // The third within a week; by the tenth, the first two are longer ago.
    let expected = [(at_once, at_once, 4), (Answer::AfterApprovals(1), at_once, 1)];
    assert_eq!(answers(asks), expected);
}

#[test]
fn each_answer_follows_from_the_policy() {
    let open = rehearsal(&policy("max_duration = '1h'\napprovals = 0"));
    for (more, expected) in [
        ("max_duration = '1h'\napprovals = 2\napprovers = ['x']", Answer::AfterApprovals(2)),
        ("max_duration = '10m'\napprovals = 0", Answer::Refused),
        ("max_duration = '1h'\napprovals = 0\nreason = 'OPS-[0-9]+'", Answer::Refused),
        (
            "max_duration = '1h'\napprovals = 0\nbreak_glass = true\napprovers = ['x']",
            Answer::Refused,
        ),
    ] {
        let after = rehearsal(&policy(more));
        let mut asks = Asks::new([&open, &after]);
        asks.step(&step("requested", 1, &json!({ "request": 1, "expires_at": null })));
        asks.step(&step("granted", 1, &json!({ "request": 1, "grant": 1 })));
        asks.end();
        assert_eq!(answers(asks), [(Answer::AtOnce, expected, 1)], "{more}");
    }
    // Of a request that nobody granted, the duration is not on record, so none is too long.
    let short = rehearsal(&policy("max_duration = '10m'\napprovals = 0"));
    let mut asks = Asks::new([&open, &short]);
    asks.step(&step("requested", 1, &json!({ "request": 1, "expires_at": null })));
    asks.step(&step("denied", 1, &json!({ "request": 1, "expires_at": null })));
    asks.end();
    assert_eq!(answers(asks), [(Answer::AtOnce, Answer::AtOnce, 1)]);
    // What nobody hides needs no request.
    let mut asks = Asks::new([&open, &open]);
    let other = json!({ "request": 1, "grant": 1, "resources": ["public.customers.phone"] });
    asks.step(&step("granted", 1, &other));
    assert_eq!(answers(asks), [(Answer::NotNeeded, Answer::NotNeeded, 1)]);
}

#[test]
fn grants_are_there_where_their_request_would_be_granted() {
    let open = rehearsal(&policy("max_duration = '1h'\napprovals = 0"));
    let closed = rehearsal("");
    let mut asks = Asks::new([&open, &closed]);
    asks.step(&step("granted", 1, &json!({ "request": 1, "grant": 1, "rows": "id = ?" })));
    asks.step(&step("granted", 1, &json!({ "request": 2, "grant": 2, "rows": "id = ?" })));
    asks.step(&step("granted", 1, &json!({ "grant": 3, "by": "dora" })));
    asks.step(&step("granted", 1, &json!({ "grant": 4, "expires_at": null })));
    assert_eq!(*asks.terms_of(&[1, 2, 4], 10), [0], "alike, and a standing one");
    assert_eq!(*asks.terms_of(&[3, 1], 10), [0, 1]);
    assert_eq!(*asks.terms_of(&[9], 7), [0_u64; 0]);
    let found = asks.into_found();
    assert_eq!(found.unknown, 7);
    let there: Vec<[bool; 2]> = found.terms.iter().map(|terms| terms.there).collect();
    assert_eq!(there, [[true, false], [true, true]], "a DBA's own hangs on no policy");
    assert_eq!(found.terms[0].rows.as_deref(), Some("id = ?"));
}
