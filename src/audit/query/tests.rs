use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::*;

const STATEMENT: &str = r#"{"seq":3,"time":"2026-01-31T09:00:00.000006Z","kind":"statement","session":4,"statement":9,"user":"alice","groups":["support"],"address":"10.1.2.3","application":"psql","database":"shop","fingerprint":"278375a469c13309","text":"SELECT \"Email\" FROM customers WHERE id = ?","relations":["public.customers"],"pii_columns":["public.customers.email"],"raw_columns":["public.customers.email"],"gates":{"mention":"hit","analysis":"show","provenance":"passed"},"decision":"raw","grants":[3,17],"rows":3,"bytes":12,"duration_us":8,"prev":"","hash":""}"#;
const GRANT: &str = r#"{"seq":4,"time":"2026-01-31T10:00:00.000000Z","kind":"grant","step":"approved","request":5,"subject":"group:support","database":"shop","resources":["public.customers"],"actions":["read"],"rows":"name = ?","reason":"INC-42: refund","by":"dora","approvers":["dora"],"urgency":"ordinary","prev":"","hash":""}"#;

fn class(column: &str) -> Class {
    let column = ClassColumn { database: Some("shop".to_owned()), column: column.to_owned() };
    Class { name: "contact".to_owned(), columns: vec![column] }
}

fn found(query: &Query, line: &str) -> bool {
    match Search::new(query.clone()).look(line.as_bytes()) {
        Found::Yes(_) => true,
        Found::No => false,
        Found::Unreadable => panic!("{line}"),
    }
}

/// Whether the statement and the grant are what is asked for.
fn both(query: &Query) -> [bool; 2] {
    [found(query, STATEMENT), found(query, GRANT)]
}

#[test]
fn names_find_who_and_what() {
    let ask = Query::default;
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    assert_eq!(both(&ask()), [true, true], "nothing is asked for");
    for (query, expected) in [
        (Query { users: list(&["alice"]), ..ask() }, [true, false]),
        (Query { users: list(&["dora"]), ..ask() }, [false, true]),
        (Query { users: list(&["dora", "alice"]), ..ask() }, [true, true]),
        (Query { users: list(&["ali"]), ..ask() }, [false, false]),
        (Query { groups: list(&["support"]), ..ask() }, [true, true]),
        (Query { groups: list(&["group:support"]), ..ask() }, [false, false]),
        (Query { columns: list(&["email"]), ..ask() }, [true, false]),
        (Query { columns: list(&["Customers.EMAIL"]), ..ask() }, [true, true]),
        (Query { columns: list(&["mail"]), ..ask() }, [false, false]),
        (Query { columns: list(&["orders.email"]), ..ask() }, [false, false]),
        (Query { tables: list(&["customers"]), ..ask() }, [true, true]),
        (Query { tables: list(&["public.customers"]), ..ask() }, [true, true]),
        (Query { tables: list(&["public"]), ..ask() }, [false, true]),
        (Query { classes: vec![class("public.customers.email")], ..ask() }, [true, false]),
        (Query { classes: vec![class("public.customers")], ..ask() }, [false, true]),
        (Query { classes: vec![class("public.customers.ssn")], ..ask() }, [false, false]),
        (Query { steps: list(&["approved"]), ..ask() }, [false, true]),
        (Query { applications: list(&["psql"]), ..ask() }, [true, false]),
        (Query { databases: list(&["shop"]), ..ask() }, [true, true]),
        (Query { databases: list(&["Shop"]), ..ask() }, [false, false]),
        (Query { fingerprints: list(&["278375a469c13309"]), ..ask() }, [true, false]),
        (Query { words: list(&["select", "\"email\""]), ..ask() }, [true, false]),
        (Query { words: list(&["select", "refund"]), ..ask() }, [false, false]),
        (Query { words: list(&["Refund"]), ..ask() }, [false, true]),
        (Query { words: list(&["name"]), ..ask() }, [false, true]),
    ] {
        assert_eq!(both(&query), expected, "{query:?}");
    }
}

#[test]
fn numbers_kinds_and_times_find_what_they_say() {
    let ask = Query::default;
    let time = |text: &str| Some(text.parse().unwrap());
    let network = |text: &str| vec![text.parse().unwrap()];
    for (query, expected) in [
        (Query { grants: vec![17], ..ask() }, [true, false]),
        (Query { grants: vec![1], ..ask() }, [false, false]),
        (Query { requests: vec![5], ..ask() }, [false, true]),
        (Query { sessions: vec![4], ..ask() }, [true, false]),
        (Query { sessions: vec![9, 44], ..ask() }, [false, false]),
        (Query { kinds: vec![Kind::Grant], ..ask() }, [false, true]),
        (Query { kinds: vec![Kind::Grant, Kind::Statement], ..ask() }, [true, true]),
        (Query { decisions: vec![Decision::Raw], ..ask() }, [true, false]),
        (Query { decisions: vec![Decision::Refused], ..ask() }, [false, false]),
        (Query { addresses: network("10.1.2.3"), ..ask() }, [true, false]),
        (Query { addresses: network("10.1.2.0/24"), ..ask() }, [true, false]),
        (Query { addresses: network("10.1.2.4"), ..ask() }, [false, false]),
        (Query { since: time("2026-01-31T09:00:00.000006Z"), ..ask() }, [true, true]),
        (Query { since: time("2026-01-31T09:00:00.000006001Z"), ..ask() }, [false, true]),
        (Query { until: time("2026-01-31T09:00:00.000006Z"), ..ask() }, [false, false]),
        (Query { until: time("2026-01-31T09:00:00.000006001Z"), ..ask() }, [true, false]),
        (Query { until: time("2026-01-31T12:00:00+02"), ..ask() }, [true, false]),
    ] {
        assert_eq!(both(&query), expected, "{query:?}");
    }
}

#[test]
fn long_names_are_found_by_what_is_kept_of_them() {
    let long = "n".repeat(70);
    let line = STATEMENT.replace("alice", &long[..63]);
    assert!(found(&Query { users: vec![long], ..Query::default() }, &line));
}

#[test]
fn what_is_no_record_is_told_and_not_passed_over() {
    let search = Search::new(Query::default());
    assert!(matches!(search.look(br#"{"seq":1,"kind":"statement"}"#), Found::Unreadable));
}

/// Values of which some hold others, or what JSON escapes.
const VALUES: &[&str] = &[
    "a", "A", "ab", "a.b", "b.A", "x.a.b", "a\"b", "a\\b", "a/b", "\\", "é.a", "\u{1}", "group:a",
];
const TIMES: &[&str] = &[
    "2026-01-31T09:00:00.000000Z",
    "2026-01-31T09:00:00.000001Z",
    "2026-01-31T09:00:00Z",
    "2026-01-31T11:00:00+02:00",
];
const ADDRESSES: &[&str] = &["10.1.2.3", "::ffff:10.1.2.3", "::ffff:a01:203", "::1", "0:0::1"];

fn value() -> impl Strategy<Value = String> {
    select(VALUES).prop_map(str::to_owned)
}

fn values() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(value(), 1..3)]
}

/// The members of a record, each there or not.
fn record() -> impl Strategy<Value = Map<String, Value>> {
    const TEXTS: [&str; 9] = [
        "user",
        "application",
        "database",
        "fingerprint",
        "text",
        "subject",
        "by",
        "step",
        "reason",
    ];
    const LISTS: [&str; 7] = [
        "groups",
        "relations",
        "pii_columns",
        "raw_columns",
        "masked_columns",
        "resources",
        "approvers",
    ];
    (
        prop::collection::vec(prop::option::of(value()), TEXTS.len()),
        prop::collection::vec(values(), LISTS.len()),
        prop::collection::vec(0..12_u64, 3),
        prop::option::of(select(ADDRESSES)),
        prop::option::of(select(&["raw", "shown"][..])),
        (select(TIMES), select(&["grant", "statement", "later"][..])),
    )
        .prop_map(|(texts, lists, numbers, address, decision, (time, kind))| {
            let mut map = Map::new();
            map.insert("time".to_owned(), json!(time));
            map.insert("kind".to_owned(), json!(kind));
            map.insert("session".to_owned(), json!(numbers[0]));
            map.insert("grants".to_owned(), json!([numbers[1]]));
            map.insert("request".to_owned(), json!(numbers[2]));
            map.extend(TEXTS.iter().zip(texts).map(|(key, text)| ((*key).to_owned(), json!(text))));
            map.extend(LISTS.iter().zip(lists).map(|(key, list)| ((*key).to_owned(), json!(list))));
            map.insert("address".to_owned(), json!(address));
            map.insert("decision".to_owned(), json!(decision));
            map
        })
}

/// How a line is written: as the log does, with spaces, with escapes that nobody needs.
#[derive(Clone, Copy, Debug)]
enum Style {
    Log,
    Spaced,
    Escaped,
    Slashes,
}

fn written(map: Map<String, Value>, style: Style) -> String {
    // The log's own order: number, time, kind.
    let mut line = "{\"seq\":1".to_owned();
    let (colon, comma) = if matches!(style, Style::Spaced) { (" : ", " , ") } else { (":", ",") };
    let text = |value: &Value| match style {
        Style::Log | Style::Spaced => value.to_string(),
        Style::Escaped => value.to_string().replace('a', "\\u0061"),
        Style::Slashes => value.to_string().replace('/', "\\/"),
    };
    for first in ["time", "kind"] {
        line.push_str(&format!("{comma}\"{first}\"{colon}{}", text(&map[first])));
    }
    for (key, value) in map.iter().filter(|(key, _)| *key != "time" && *key != "kind") {
        line.push_str(&format!("{comma}{}{colon}{}", text(&json!(key)), text(value)));
    }
    line + "}"
}

fn query() -> impl Strategy<Value = Query> {
    let numbers =
        || prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(0..12_u64, 1..3)];
    let time = || prop::option::of(select(TIMES).prop_map(|time| time.parse().unwrap()));
    let kinds = select(vec![vec![], vec![Kind::Grant], vec![Kind::Statement, Kind::Other]]);
    let decisions = select(vec![vec![], vec![], vec![Decision::Raw]]);
    let addresses = select(vec!["", "", "10.1.2.3", "::1", "10.0.0.0/8"]);
    let classes = prop_oneof![
        2 => Just(Vec::new()),
        1 => (value(), prop::option::of(value()), value()).prop_map(|(name, database, column)| {
            vec![Class { name, columns: vec![ClassColumn { database, column }] }]
        }),
    ];
    // One or two conditions: more of them match nothing.
    (
        (0..13_u32, 0..13_u32),
        prop::collection::vec(values(), 8),
        (numbers(), numbers(), numbers()),
        (time(), time()),
        (kinds, decisions, addresses, classes),
    )
        .prop_map(
            |((one, two), mut texts, numbers, times, (kinds, decisions, addresses, classes))| {
                let (full, mut query) = (one == 12, Query::default());
                let wanted = |at| full || at == one || at == two;
                let lists = [
                    &mut query.users,
                    &mut query.groups,
                    &mut query.columns,
                    &mut query.tables,
                    &mut query.applications,
                    &mut query.databases,
                    &mut query.fingerprints,
                    &mut query.words,
                ];
                for (at, list) in (0..).zip(lists) {
                    if wanted(at) {
                        *list = std::mem::take(&mut texts[at as usize]);
                    }
                }
                if wanted(8) {
                    (query.grants, query.requests, query.sessions) = numbers;
                }
                if wanted(9) {
                    (query.since, query.until) = times;
                }
                if wanted(10) {
                    (query.kinds, query.decisions) = (kinds, decisions);
                }
                if wanted(11) {
                    query.classes = classes;
                    query.addresses.extend(addresses.parse::<Addresses>());
                }
                query
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn nothing_that_matches_is_dismissed(
        query in query(),
        record in record(),
        style in select(&[Style::Log, Style::Spaced, Style::Escaped, Style::Slashes][..]),
    ) {
        let line = written(record, style);
        let wanted = Record::of(line.as_bytes()).is_ok_and(|record| query.matches(&record));
        let found = matches!(Search::new(query).look(line.as_bytes()), Found::Yes(_));
        prop_assert_eq!(found, wanted, "{}", line);
    }
}
