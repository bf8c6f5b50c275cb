use super::*;
use crate::audit::subject::Canonical;

fn pseudonyms() -> Pseudonyms {
    Pseudonyms::new(&[1; 32], 10)
}

fn id(number: i64) -> String {
    pseudonyms().column("public.customers", "id").of(Canonical::Integer(number)).to_string()
}

fn question() -> Question {
    Question::new("public.customers", &[("id".to_owned(), "42".to_owned())], &pseudonyms())
}

fn line(kind: &str, session: u64, statement: u64, more: &str) -> String {
    format!(
        r#"{{"seq":1,"time":"2026-01-02T03:04:05.000000Z","kind":"{kind}","session":{session},"statement":{statement},"user":"u{session}","database":"shop"{more}}}"#
    )
}

fn release(session: u64, statement: u64) -> String {
    line("release", session, statement, r#","columns":["public.customers.email"],"grants":[3]"#)
}

fn statement(session: u64, statement: u64, rows: u64, subjects: &str) -> String {
    let more = format!(
        r#","raw_columns":["public.customers.email"],"grants":[3],"rows":{rows},"bytes":9,"subjects":{{"public.customers":{subjects}}}"#
    );
    line("statement", session, statement, &more)
}

fn told(keys: &[String], rows: u64, more: u64, unknown: u64) -> String {
    let mut keys = keys.to_vec();
    keys.sort();
    let keys = serde_json::to_string(&keys).unwrap();
    format!(r#"{{"by":["id"],"keys":{keys},"rows":{rows},"more":{more},"unknown":{unknown}}}"#)
}

fn ask(question: &Question, lines: &[String]) -> Exposure {
    let mut exposure = Exposure::default();
    lines.iter().filter_map(|line| question.pick(line.as_bytes())).for_each(|it| exposure.take(it));
    exposure.finished()
}

/// Sessions that saw it, and that may have, with the reason.
fn sessions(exposure: &Exposure) -> (Vec<u64>, Vec<(u64, Doubt)>) {
    let doubt = |sight: &Sight| (sight.session, sight.doubt.clone().unwrap());
    (
        exposure.saw.iter().map(|sight| sight.session).collect(),
        exposure.may_have_seen.iter().map(doubt).collect(),
    )
}

#[test]
fn who_saw_the_row_is_told_from_who_saw_others_and_who_may_have() {
    let other_keys = told(&[], 1, 0, 0).replace("\"id\"", "\"email\"");
    let lines = [
        statement(1, 1, 2, &told(&[id(7), id(42)], 2, 0, 0)),
        statement(2, 1, 1, &told(&[id(7)], 1, 0, 0)),
        statement(3, 1, 3, &told(&[id(7)], 3, 0, 2)),
        statement(4, 1, 3, &told(&[id(7)], 3, 2, 0)),
        statement(5, 1, 1, &other_keys),
        line("statement", 6, 1, r#","raw_columns":["public.customers.email"],"rows":1"#),
        line("statement", 7, 1, r#","raw_columns":["public.customers.email"],"rows":0,"bytes":0"#),
        line("statement", 8, 1, r#","raw_columns":["public.customers2.email"],"rows":1"#),
        line("statement", 9, 1, r#","masked_columns":["public.customers.email"],"rows":1"#),
        statement(10, 1, 9, &told(&[id(42)], 9, 2, 3)),
        statement(11, 1, 4, &told(&[], 0, 0, 0)),
    ];
    let (saw, may) = sessions(&ask(&question(), &lines));
    assert_eq!(saw, [1, 10]);
    let by = vec!["email".to_owned()];
    let doubts = [
        (3, Doubt::Unknown { rows: 2 }),
        (4, Doubt::Beyond { rows: 2 }),
        (5, Doubt::OtherKeys { by }),
        (6, Doubt::NotRecorded),
    ];
    assert_eq!(may, doubts);
}

#[test]
fn a_release_without_an_end_may_have_shown_it() {
    let ended = |session, number| line("statement", session, number, r#","rows":0"#);
    let logout = |session| line("logout", session, 0, "");
    let lines = [
        release(1, 5),
        statement(1, 5, 1, &told(&[id(42)], 1, 0, 0)),
        // Of a message with two statements, the first failed.
        release(2, 1),
        ended(2, 1),
        ended(2, 2),
        // The session went on without a word about it.
        release(3, 1),
        ended(3, 2),
        release(4, 1),
        logout(4),
        // A pipeline: the second is released before the first has ended.
        release(5, 1),
        release(5, 2),
        statement(5, 1, 1, &told(&[id(7)], 1, 0, 0)),
        statement(5, 2, 1, &told(&[id(7)], 1, 0, 0)),
        // Killed in the middle.
        release(6, 1),
        r#"{"seq":9,"time":"2026-01-02T03:04:05Z","kind":"started"}"#.to_owned(),
        statement(6, 1, 1, &told(&[id(7)], 1, 0, 0)),
        // Under way at the end of the log.
        release(7, 1),
    ];
    let (saw, may) = sessions(&ask(&question(), &lines));
    assert_eq!(saw, [1]);
    let sessions: Vec<u64> = may.iter().map(|(session, _)| *session).collect();
    assert_eq!(sessions, [3, 4, 6, 7]);
    assert!(may.iter().all(|(_, doubt)| *doubt == Doubt::NoEnd));
}

#[test]
fn grants_are_told_with_reason_and_people() {
    let lines = [
        r#"{"seq":1,"time":"2026-01-02T03:04:05Z","kind":"grant","step":"requested","request":8,"by":"alice"}"#,
        r#"{"seq":2,"time":"2026-01-02T03:04:05Z","kind":"grant","step":"granted","request":8,"grant":3,"subject":"alice","reason":"INC-42","approvers":["dora"],"policy":"support"}"#,
    ];
    let exposure = ask(&question(), &lines.map(str::to_owned));
    let said = exposure.grant(3).unwrap();
    assert_eq!((said.by.as_deref(), said.reason.as_deref()), (Some("alice"), Some("INC-42")));
    assert_eq!(said.approvers, ["dora"]);
    assert!(exposure.grant(4).is_none());
}

#[test]
fn the_time_and_the_database_narrow_it() {
    let lines = [statement(1, 1, 1, &told(&[id(42)], 1, 0, 0))];
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    for (since, until, database, found) in [
        (None, None, None, 1),
        (at("2026-01-02T03:04:05Z"), at("2026-01-02T03:04:06Z"), Some("shop"), 1),
        (at("2026-01-02T03:04:06Z"), None, None, 0),
        (None, at("2026-01-02T03:04:05Z"), None, 0),
        (None, None, Some("other"), 0),
    ] {
        let question =
            Question { since, until, database: database.map(str::to_owned), ..question() };
        assert_eq!(ask(&question, &lines).saw.len(), found);
    }
}
