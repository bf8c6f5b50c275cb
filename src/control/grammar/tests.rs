use super::*;
use crate::model::Secret;

fn one(text: &str) -> Command {
    let mut commands = parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    assert_eq!(commands.len(), 1, "{text}");
    commands.remove(0)
}

fn granted(text: &str) -> GrantWords {
    let command = one(text);
    let Command::Grant(words) = command else { panic!("{text}: {command:?}") };
    *words
}

fn refused(text: &str) -> SyntaxError {
    parse(text).expect_err(text)
}

fn path(parts: &[&str]) -> ResourceWords {
    ResourceWords::Path(parts.iter().map(|part| (*part).to_owned()).collect())
}

#[test]
fn commands_read_in_any_case_with_and_without_semicolon() {
    for (text, command) in [
        ("show grants", Command::Show(Topic::Grants)),
        (" SHOW  Grants ; ", Command::Show(Topic::Grants)),
        ("/* who */ SHOW SESSIONS -- now", Command::Show(Topic::Sessions)),
        ("APPROVE 3", Command::Approve { request: 3, proof: Proof::default() }),
        ("SHOW CHALLENGE 3", Command::Challenge(3)),
        ("deny 3 reason 'no ticket'", Command::Deny { request: 3, reason: "no ticket".into() }),
        ("REVOKE 7", Command::Revoke(Revoked::One(7))),
        ("REVOKE ALL;", Command::Revoke(Revoked::All)),
        ("Kill Session 12", Command::KillSession(12)),
        ("RELOAD;;", Command::Reload),
        ("PAUSE", Command::Pause),
        ("RESUME", Command::Resume),
        ("SELECT 1", Command::Probe(Probe::Number(1))),
        ("select version();", Command::Probe(Probe::Version)),
        ("SELECT pg_catalog.version()", Command::Probe(Probe::Version)),
        ("SET extra_float_digits = 3", Command::Set),
        ("SET SESSION TimeZone TO 'UTC'", Command::Set),
    ] {
        assert_eq!(one(text), command, "{text}");
    }
    for topic in Topic::ALL {
        assert_eq!(one(&format!("SHOW {}", topic.word())), Command::Show(topic));
    }
}

#[test]
fn requests_are_made_in_the_words_of_grants() {
    let text = "READ ON customers.email WHERE id IN (42, 43) FOR '30 minutes' \
                REASON 'INC-42' MAX 3 USES";
    let Command::Request(asked) = one(&format!("REQUEST {text} BREAK GLASS")) else {
        panic!("{text}")
    };
    let granted = granted(&format!("GRANT {}", text.replace(" FOR", " TO alice FOR")));
    assert_eq!(asked.urgency, Urgency::BreakGlass);
    assert_eq!(AskWords { urgency: Urgency::Ordinary, ..*asked }, granted.ask);
    let extension = Command::Extend {
        grant: 7,
        by: Duration::from_secs(600),
        reason: "INC-42: more".to_owned(),
    };
    assert_eq!(one("EXTEND 7 FOR '10 minutes' REASON 'INC-42: more'"), extension);
    assert_eq!(one("CANCEL 3"), Command::Cancel(3));
    for wrong in [
        "REQUEST READ ON customers.email TO bob FOR '1h' REASON 'r'",
        "REQUEST READ ON customers.email REASON 'r'",
        "REQUEST READ ON customers.email FOR '1h'",
        "GRANT READ ON customers.email TO bob FOR '1h' REASON 'r' BREAK GLASS",
        "EXTEND 7 FOR '10 minutes'",
        "CANCEL",
    ] {
        let _ = refused(wrong);
    }
}

#[test]
fn several_commands_stand_in_one_query() {
    assert_eq!(
        parse("SHOW GRANTS; REVOKE 7; ; SHOW GRANTS").unwrap(),
        [
            Command::Show(Topic::Grants),
            Command::Revoke(Revoked::One(7)),
            Command::Show(Topic::Grants)
        ]
    );
    assert_eq!(parse("").unwrap(), []);
    assert_eq!(parse(" -- nothing\n;").unwrap(), []);
    assert!(parse(&"RELOAD;".repeat(COMMANDS_MAX)).is_ok());
    assert!(parse(&"RELOAD;".repeat(COMMANDS_MAX + 1)).is_err());
}

#[test]
fn a_grant_says_what_to_whom_how_long_and_why() {
    let words = granted(
        "GRANT READ ON shop.public.customers.email TO alice FOR '30 minutes' REASON 'INC-42'",
    );
    assert_eq!(
        words,
        GrantWords {
            subject: SubjectWords::User("alice".into()),
            ask: AskWords {
                actions: vec![Action::Read],
                resource: path(&["shop", "public", "customers", "email"]),
                database: None,
                rows: None,
                duration: Duration::from_secs(1800),
                starting: None,
                reason: "INC-42".into(),
                ticket: None,
                limits: Limits::default(),
                runs: Runs::FromApproval,
                urgency: Urgency::Ordinary,
            },
        }
    );
}

#[test]
fn a_grant_may_be_limited() {
    let words = granted(
        "GRANT READ ON customers TO alice FOR '1h' REASON 'x' MAX 10 ROWS MAX 3 USES \
         max 2 subjects UNUSED '10 minutes' FROM FIRST USE",
    );
    let Limits { max_rows, max_uses, max_subjects, unused } = words.ask.limits;
    assert_eq!((max_rows, max_uses, max_subjects), (Some(10), Some(3), Some(2)));
    assert_eq!((unused, words.ask.runs), (Some(Duration::from_secs(600)), Runs::FromFirstUse));
    for wrong in ["MAX ROWS", "MAX 10 ROWS MAX 9 ROWS", "MAX 10 COLUMNS", "FROM FIRST", "UNUSED 10"]
    {
        let text = format!("GRANT READ ON customers TO alice FOR '1h' REASON 'x' {wrong}");
        assert!(parse(&text).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_revoked_can_be_said() {
    let one = |text: &str| parse(text).unwrap().remove(0);
    let subject = SubjectWords::Group("support".into());
    assert_eq!(one("REVOKE ALL FROM GROUP support"), Command::Revoke(Revoked::AllFrom(subject)));
    let resource = ResourceWords::Class("email".into());
    let database = Some("shop".to_owned());
    assert_eq!(
        one("revoke all on class email in shop"),
        Command::Revoke(Revoked::AllOn { resource, database })
    );
    let note = "it was real".to_owned();
    assert_eq!(one("REVIEW 7 REASON 'it was real'"), Command::Review { grant: 7, note });
}

#[test]
fn a_grant_may_say_more() {
    let words = granted(
        "grant read, lookup on class Email in Shop where id = 42 to group Support \
         for '2h' starting '2026-01-31 09:00+01' reason 'it''s INC-42' ticket 'T-1';",
    );
    assert_eq!(words.ask.actions, [Action::Read, Action::Lookup]);
    assert_eq!(words.ask.resource, ResourceWords::Class("email".into()));
    assert_eq!(words.ask.database.as_deref(), Some("shop"));
    assert_eq!(words.ask.rows.as_deref(), Some("id = 42"));
    assert_eq!(words.subject, SubjectWords::Group("support".into()));
    assert_eq!(words.ask.starting, Some("2026-01-31T08:00:00Z".parse().unwrap()));
    assert_eq!(words.ask.reason, "it's INC-42");
    assert_eq!(words.ask.ticket.as_deref(), Some("T-1"));
}

#[test]
fn names_fold_unless_they_are_quoted() {
    let words = granted("GRANT READ ON \"Class\".\"A.b\" TO \"Ann\" FOR '1h' REASON 'r'");
    assert_eq!(words.ask.resource, path(&["Class", "A.b"]));
    assert_eq!(words.subject, SubjectWords::User("Ann".into()));
    let words = granted("GRANT READ ON Customers TO 'ann@example.com' REASON 'r' FOR '1h'");
    assert_eq!(words.ask.resource, path(&["customers"]));
    assert_eq!(words.subject, SubjectWords::User("ann@example.com".into()));
}

#[test]
fn a_condition_is_kept_as_it_was_written() {
    for condition in [
        "id = 42",
        "name = 'to' AND (a, b) IN (SELECT 1, 2)",
        "name SIMILAR TO 'x%'",
        "(a SIMILAR TO 'x' OR to_char(at, 'YYYY') = '2026')",
        "note = 'ä\n; TO bob' /* TO */  AND \"to\" = 1",
        "a = $$ TO $$ AND b[1] = 2",
    ] {
        let text = format!("GRANT READ ON t.c WHERE {condition} TO alice FOR '1h' REASON 'r'");
        assert_eq!(granted(&text).ask.rows.as_deref(), Some(condition));
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (text, message, position) in [
        ("SHOW", "expected something to show at the end of the command", 5),
        ("SHOW TABLES", "expected something to show, found TABLES", 6),
        ("SHOW GRANTS 7", "expected the end of the command, found 7", 13),
        ("FROBNICATE", "unknown command FROBNICATE", 1),
        ("42", "unknown command 42", 1),
        ("INSERT INTO t VALUES (1)", "INSERT is no command of the console", 1),
        ("SHOW GRANTS; SELECT * FROM t", "the console runs no queries", 21),
        ("SELECT 1 FROM t", "the console runs no queries", 8),
        ("BEGIN", "the console has no transactions", 1),
        ("APPROVE", "expected the id of a request at the end of the command", 8),
        ("APPROVE three", "expected the id of a request, found three", 9),
        ("APPROVE -3", "expected the id of a request, found -", 9),
        (
            "APPROVE 99999999999999999999",
            "expected the id of a request, found \
          99999999999999999999",
            9,
        ),
        ("DENY 3", "expected REASON at the end of the command", 7),
        ("DENY 3 REASON ' '", "the reason is empty", 15),
        ("REVOKE", "expected the id of a grant, or ALL at the end of the command", 7),
        ("KILL 12", "expected SESSION, found 12", 6),
        ("SET client_encoding = 'LATIN1'", "the console has no setting client_encoding", 5),
    ] {
        let error = refused(text);
        assert_eq!((error.message.as_str(), error.position), (message, position), "{text}");
        assert!(!error.hint.is_empty());
    }
}

#[test]
fn a_grant_that_is_wrong_shows_the_right_form() {
    let rest = "TO alice FOR '1h' REASON 'r'";
    for (text, message) in [
        (
            format!("GRANT SELECT ON t.c {rest}"),
            "expected READ, LOOKUP, WRITE or EXPORT, found \
          select",
        ),
        (format!("GRANT READ, READ ON t.c {rest}"), "read stands twice"),
        (format!("GRANT READ t.c {rest}"), "expected ON, found t"),
        (
            format!("GRANT READ ON a.b.c.d.e {rest}"),
            "a column is database.schema.table.column at \
          most",
        ),
        (format!("GRANT READ ON t.c WHERE {rest}"), "expected a condition, found TO"),
        (format!("GRANT READ ON t.c WHERE a) {rest}"), "expected TO, found )"),
        (
            "GRANT READ ON t.c TO alice FOR 'soon' REASON 'r'".into(),
            "a duration is a number and a \
          unit, such as '30 minutes' or '2h'",
        ),
        (
            "GRANT READ ON t.c TO alice FOR 30 REASON 'r'".into(),
            "expected a duration in quotes, \
          found 30",
        ),
        (
            "GRANT READ ON t.c TO alice REASON 'r'".into(),
            "expected FOR and a duration at the end \
          of the command",
        ),
        (
            "GRANT READ ON t.c TO alice FOR '1h'".into(),
            "expected REASON and a reason at the end of \
          the command",
        ),
        (format!("GRANT READ ON t.c {rest} FOR '2h'"), "the clause stands twice"),
        (
            format!("GRANT READ ON t.c {rest} STARTING 'tomorrow'"),
            "the timestamp needs a date, a \
          time and an offset, such as '2026-01-31 09:00+01'",
        ),
        ("GRANT READ ON t.c TO '' FOR '1h' REASON 'r'".into(), "the name is empty"),
    ] {
        let error = refused(&text);
        assert_eq!(error.message, message, "{text}");
        assert_eq!(error.hint, grant::FORM);
    }
}

#[test]
fn text_without_an_end_is_refused() {
    for text in ["DENY 3 REASON 'x", "SHOW \"GRANTS", "SHOW GRANTS /* x", "DENY 3 REASON $a$x$$"] {
        refused(text);
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_grammar_panic(text in "\\PC{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_words_make_the_grammar_panic(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "GRANT", "READ", ",", "ON", "t", ".", "c", "CLASS", "IN", "WHERE", "(", ")", "TO",
                "GROUP", "FOR", "'1h'", "REASON", "'é'", "7", ";", "$$", "--", "/*", "\n",
            ]),
            0..30,
        )
    ) {
        let _ = parse(&words.join(" "));
    }
}

#[test]
fn the_help_shows_commands_that_work() {
    for (example, _) in HELP.iter().filter(|(example, _)| !example.contains('…')) {
        one(example);
    }
}

#[test]
fn an_approval_comes_with_what_proves_it() {
    let signature = format!("{}==", "A".repeat(86));
    for text in [
        format!("APPROVE 3 SIGNATURE '{signature}' CODE '123456'"),
        format!("approve 3 code '123456' signature '{signature}'"),
    ] {
        let Command::Approve { request: 3, proof } = one(&text) else { panic!("{text}") };
        assert_eq!(proof.signature.unwrap().to_string(), signature);
        assert_eq!(proof.code, Some(Secret::new("123456")));
    }
    for (text, message) in [
        ("APPROVE 3 SIGNATURE 'AAAA'", "a signature is 64 bytes in Base64"),
        ("APPROVE 3 SIGNATURE", "expected a signature in quotes at the end of the command"),
        ("APPROVE 3 CODE 123456", "expected a code in quotes, found 123456"),
        ("APPROVE 3 CODE '1' CODE '2'", "APPROVE takes one SIGNATURE and one CODE"),
        ("APPROVE 3 now", "APPROVE takes one SIGNATURE and one CODE"),
        ("SHOW CHALLENGE", "expected the id of a request at the end of the command"),
    ] {
        assert_eq!(parse(text).unwrap_err().message, message, "{text}");
    }
}
