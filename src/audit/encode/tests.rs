//! Lines as they have always been, byte by byte: what is remembered must not show.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::audit::record::{Analysis, Logout, Lost, Mention, Provenance};
use crate::audit::{StatementText, Strings};
use crate::model::{Client, SqlState, User};

fn client(application: &str) -> Arc<Client> {
    Arc::new(Client {
        user: User {
            name: "al\"ice".into(),
            groups: Arc::new(["support".to_owned(), "eu".to_owned()]),
            roles: Arc::default(),
        },
        address: Some([10, 1, 2, 3].into()),
        application: application.into(),
        database: "shop".into(),
    })
}

fn names<const N: usize>(names: [&str; N]) -> Names {
    names.map(str::to_owned).into_iter().collect()
}

fn text(sql: &str) -> StatementText {
    StatementText::new(Bytes::copy_from_slice(sql.as_bytes()), Strings::Standard)
}

fn statement(client: &Arc<Client>, sql: &str) -> Statement {
    Statement {
        session: 7,
        statement: 12,
        client: Arc::clone(client),
        text: text(sql),
        relations: Names::default(),
        pii_columns: Names::default(),
        raw_columns: Names::default(),
        looked_up_columns: Names::default(),
        masked_columns: Names::default(),
        gates: Gates {
            mention: Mention::Clear,
            analysis: Analysis::NotRun,
            provenance: Provenance::Passed,
        },
        decision: Decision::Clear,
        grants: Vec::new(),
        rows: 0,
        bytes: u64::MAX,
        duration_us: 187,
        sqlstate: None,
        subjects: None,
    }
}

fn full(client: &Arc<Client>) -> Statement {
    Statement {
        relations: names(["public.customers"]),
        pii_columns: names(["public.customers.email", "public.customers.s\"s\u{1}n"]),
        raw_columns: names(["public.customers.email"]),
        looked_up_columns: names(["public.customers.id"]),
        masked_columns: names(["public.customers.é"]),
        gates: Gates {
            mention: Mention::Hit,
            analysis: Analysis::Compute,
            provenance: Provenance::Violated,
        },
        decision: Decision::Cut,
        grants: vec![3, 17],
        sqlstate: SqlState::parse(b"42P01"),
        ..statement(client, "select \"E\", 'x' from customers")
    }
}

/// The line without its place in the chain, which others test.
fn line(encoder: &mut Encoder, event: &Event, micros: i64) -> String {
    let mut out = Vec::new();
    let time = Timestamp::from_microsecond(micros).unwrap();
    encoder.encode(event, time, &mut out).unwrap();
    let line = String::from_utf8(out).unwrap();
    let (line, place) = line.split_once(",\"prev\":").unwrap();
    assert!(place.ends_with("\"}\n"), "{place}");
    line.to_owned()
}

const WHO: &str = "\"user\":\"al\\\"ice\",\"groups\":[\"support\",\"eu\"],\
    \"address\":\"10.1.2.3\",\"application\":\"psql\",\"database\":\"shop\"";

#[test]
fn a_clear_statement_has_no_lists() {
    let mut encoder = Encoder::from(Chain::start());
    let client = client("psql");
    for seq in 1..4 {
        let event = Event::Statement(statement(&client, "SELECT a FROM t WHERE b = 4711;"));
        let expected = format!(
            "{{\"seq\":{seq},\"time\":\"2023-11-14T22:13:20.000{seq:03}Z\",\
             \"kind\":\"statement\",\"session\":7,\"statement\":12,{WHO},\
             \"fingerprint\":\"278375a469c13309\",\"text\":\"SELECT a FROM t WHERE b = ?\",\
             \"gates\":{{\"mention\":\"clear\",\"analysis\":\"not_run\",\
             \"provenance\":\"passed\"}},\"decision\":\"clear\",\"rows\":0,\
             \"bytes\":18446744073709551615,\"duration_us\":187"
        );
        assert_eq!(line(&mut encoder, &event, 1_700_000_000_000_000 + seq), expected);
    }
}

#[test]
fn a_statement_tells_everything_it_has() {
    let mut encoder = Encoder::from(Chain::start());
    let event = Event::Statement(full(&client("psql")));
    let expected = format!(
        "{{\"seq\":1,\"time\":\"1969-12-31T23:59:59.999999Z\",\"kind\":\"statement\",\
         \"session\":7,\"statement\":12,{WHO},\"fingerprint\":\"1dbb55ad0133d898\",\
         \"text\":\"select \\\"E\\\", ? from customers\",\"relations\":[\"public.customers\"],\
         \"pii_columns\":[\"public.customers.email\",\"public.customers.s\\\"s\\u0001n\"],\
         \"raw_columns\":[\"public.customers.email\"],\
         \"looked_up_columns\":[\"public.customers.id\"],\
         \"masked_columns\":[\"public.customers.é\"],\
         \"gates\":{{\"mention\":\"hit\",\"analysis\":\"compute\",\"provenance\":\"violated\"}},\
         \"decision\":\"cut\",\"grants\":[3,17],\"rows\":0,\"bytes\":18446744073709551615,\
         \"duration_us\":187,\"sqlstate\":\"42P01\""
    );
    assert_eq!(line(&mut encoder, &event, -1), expected);
}

#[test]
fn a_release_tells_its_columns_and_no_text() {
    let mut encoder = Encoder::from(Chain::start());
    let release = Release {
        session: 7,
        statement: 12,
        client: client("psql"),
        text: text("select 'x'"),
        columns: Names::default(),
        lookups: Names::default(),
        grants: Vec::new(),
    };
    let begins = format!(
        "{{\"seq\":1,\"time\":\"1970-01-01T00:00:00.000000Z\",\"kind\":\"release\",\
         \"session\":7,\"statement\":12,{WHO},\"fingerprint\":\"f32f4833084567c6\","
    );
    let event = Event::Release(Box::new(release.clone()));
    let expected = format!("{begins}\"columns\":[],\"grants\":[]");
    assert_eq!(line(&mut encoder, &event, 0), expected);
    let more = Release {
        columns: names(["public.customers.email"]),
        lookups: names(["public.customers.id"]),
        grants: vec![9],
        ..release
    };
    let event = Event::Release(Box::new(more));
    let begins = begins.replace("\"seq\":1", "\"seq\":2");
    let expected = format!(
        "{begins}\"columns\":[\"public.customers.email\"],\
         \"lookups\":[\"public.customers.id\"],\"grants\":[9]"
    );
    assert_eq!(line(&mut encoder, &event, 0), expected);
}

#[test]
fn other_events_keep_their_own_form() {
    let mut encoder = Encoder::from(Chain::start());
    let logout = Event::Logout(Logout {
        session: 7,
        client: client("psql"),
        statements: 3,
        duration_us: 4,
        reason: "client",
        by: None,
    });
    let expected = format!(
        "{{\"seq\":1,\"time\":\"1970-01-01T00:00:00.000001Z\",\"kind\":\"logout\",\
         \"session\":7,{WHO},\"statements\":3,\"duration_us\":4,\"reason\":\"client\""
    );
    assert_eq!(line(&mut encoder, &logout, 1), expected);
    let lost = Event::Lost(Lost { records: 2, since: Some(Timestamp::UNIX_EPOCH) });
    let expected = "{\"seq\":2,\"time\":\"1970-01-01T00:00:01.000000Z\",\"kind\":\"lost\",\
                    \"records\":2,\"since\":\"1970-01-01T00:00:00.000000Z\"";
    assert_eq!(line(&mut encoder, &lost, 1_000_000), expected);
}

#[test]
fn a_session_that_calls_itself_something_else_is_told_so() {
    let mut encoder = Encoder::from(Chain::start());
    let mut told = |session, client: &Arc<Client>| {
        let event = Event::Statement(Statement { session, ..statement(client, "select 1") });
        let line = line(&mut encoder, &event, 0);
        let value: serde_json::Value = serde_json::from_str(&(line + "}")).unwrap();
        value["application"].as_str().unwrap().to_owned()
    };
    let (psql, jobs) = (client("psql"), client("jobs"));
    assert_eq!(told(7, &psql), "psql");
    assert_eq!(told(7, &jobs), "jobs");
    assert_eq!(told(7, &psql), "psql");
    // In the same place, and clients that come and go: memory is used again.
    for n in 0..50 {
        let own = format!("app {n}");
        assert_eq!(told(7 + 1024, &client(&own)), own);
        assert_eq!(told(7, &psql), "psql");
    }
}
