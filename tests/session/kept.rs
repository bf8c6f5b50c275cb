//! Plans that are kept: a prepared statement is not looked at anew as long as what it rests on is
//! the same, and is as soon as it is not.

use std::collections::HashMap;
use std::sync::Arc;

use keyhole::catalog::MaskSpec;
use keyhole::grant::{Claim, Limits, LiveTable, Origin};
use keyhole::model::{Epoch, Report, SqlState};
use keyhole::session::Hold;
use keyhole::wire::frontend::{self, Frontend, Target};
use keyhole::wire::write;
use proptest::prelude::*;

use super::bench::{Bench, Log, at};
use super::messages::{ask, asked, frames, one_column, row, tell};
use super::small_shop;

const COMPUTED: &str = "SELECT lower(email) FROM customers";

/// A server that does what it is told, and knows what it has.
struct Server {
    path: &'static str,
    statements: HashMap<String, String>,
    skipping: bool,
    /// The text of the last Query, or of the statement that was bound last.
    ran: Option<String>,
}

/// Our own question for the path, by the name of its statement.
const OWN: &str = "keyhole's own";
const PUBLIC: &str = r#"["pg_catalog","public"]"#;
const HR: &str = r#"["pg_catalog","hr","public"]"#;

impl Server {
    fn new(path: &'static str) -> Self {
        Self { path, statements: HashMap::new(), skipping: false, ran: None }
    }

    fn answer(&mut self, asked: &[u8]) -> Vec<u8> {
        let mut answers = Vec::new();
        for (tag, payload) in frames(asked) {
            let message = frontend::read(tag, payload).unwrap();
            if !self.skipping || matches!(message, Frontend::Sync) {
                answers.extend(self.one(tag, message));
            }
        }
        answers
    }

    fn one(&mut self, tag: u8, message: Frontend<'_>) -> Vec<u8> {
        let refused = |sql: &str| sql.starts_with("keyhole refused");
        tell(|to| match message {
            Frontend::Query(sql) if refused(sql) => {
                to.error("42601", "syntax error");
                to.ready(b'I');
            }
            Frontend::Query(sql) => {
                self.ran = Some(sql.to_owned());
                one_column(to, "lower");
                to.completes("SELECT 0");
                to.ready(b'I');
            }
            Frontend::Parse(parse) if refused(parse.sql) => {
                self.skipping = true;
                to.error("42601", "syntax error");
            }
            Frontend::Parse(parse) => {
                self.statements.insert(parse.name.to_owned(), parse.sql.to_owned());
                to.parsed();
            }
            Frontend::Bind(bind) => {
                if bind.statement != OWN {
                    self.ran = self.statements.get(bind.statement).cloned();
                }
                to.bound();
            }
            Frontend::Describe(_) => one_column(to, "lower"),
            Frontend::Execute(execute) if execute.portal == OWN => {
                row(to, &[Some(self.path)]);
                to.completes("SELECT 1");
            }
            Frontend::Execute(_) => to.completes("SELECT 0"),
            Frontend::Close(Target::Statement(name)) => {
                self.statements.remove(name);
                to.closed();
            }
            Frontend::Close(Target::Portal(_)) => to.closed(),
            Frontend::Sync => {
                self.skipping = false;
                to.ready(b'I');
            }
            Frontend::Flush => {}
            Frontend::Terminate
            | Frontend::CopyData(_)
            | Frontend::CopyDone
            | Frontend::CopyFail
            | Frontend::FunctionCall
            | Frontend::Password(_) => panic!("nothing here sends a {}", char::from(tag)),
        })
    }
}

/// What became of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ran {
    /// This text, with these fields masked on the wire.
    Masked(String),
    /// Not before its release is on record.
    Raw,
    Refused,
}

/// Sends this and lets the server answer until all is quiet.
fn ran(bench: &mut Bench, server: &mut Server, message: &[u8]) -> Ran {
    server.ran = None;
    bench.client(message);
    let mut raw = false;
    for _ in 0..20 {
        match bench.session.hold() {
            Some(Hold::Release(_)) => {
                raw = true;
                bench.not_released();
            }
            Some(Hold::Spend(_)) => {
                raw = true;
                bench.spent(Err(Report::error(SqlState::INSUFFICIENT_PRIVILEGE, "not now")));
            }
            Some(Hold::Refresh) => bench.refreshed(),
            Some(Hold::Server) | None => {}
            Some(other) => panic!("{other:?}"),
        }
        let sent = bench.sent();
        if sent.is_empty() && bench.session.hold().is_none() {
            break;
        }
        bench.server(&server.answer(&sent));
        bench.client(b"");
    }
    assert!(bench.session.is_idle());
    let refused = !bench.told().states.is_empty();
    match server.ran.take() {
        _ if raw => Ran::Raw,
        Some(text) if !refused => Ran::Masked(text),
        Some(_) | None => Ran::Refused,
    }
}

fn bound() -> Vec<u8> {
    ask(|to| {
        to.bind("", "s", 0);
        to.execute("");
        to.sync();
    })
}

/// A session that has prepared `sql` and run it.
fn settled(sql: &str) -> (Bench, Server) {
    let (mut bench, mut server) = (Bench::new(), Server::new(PUBLIC));
    let parse = ask(|to| {
        to.parse("s", sql);
        to.sync();
    });
    ran(&mut bench, &mut server, &parse);
    ran(&mut bench, &mut server, &bound());
    (bench, server)
}

fn status(name: &str, value: &str) -> Vec<u8> {
    let mut message = Vec::new();
    write::parameter_status(&mut message, name, value).unwrap();
    message
}

fn masked(sql: &str) -> Ran {
    Ran::Masked(sql.to_owned())
}

#[test]
fn nothing_is_sent_but_the_clients_messages_while_nothing_changes() {
    for sql in [COMPUTED, "SELECT id, email FROM customers"] {
        let (mut bench, mut server) = settled(sql);
        for _ in 0..2 {
            bench.client(&bound());
            let sent = bench.sent();
            assert_eq!(sent, bound());
            bench.server(&server.answer(&sent));
        }
    }
}

#[test]
fn a_grant_that_begins_by_itself_counts_from_its_beginning_to_its_end() {
    let (mut bench, mut server) = settled(COMPUTED);
    let hidden = ran(&mut bench, &mut server, &bound());
    bench.grant("email", 60);
    // The table was published before: only time goes by.
    for (seconds, shows) in [(-1, false), (0, true), (59, true), (60, false)] {
        bench.now = at(seconds);
        let wanted = if shows { Ran::Raw } else { hidden.clone() };
        assert_eq!(ran(&mut bench, &mut server, &bound()), wanted, "{seconds}");
        let query = ask(|to| to.query(COMPUTED));
        assert_eq!(ran(&mut bench, &mut server, &query), wanted, "{seconds}");
    }
}

#[test]
fn what_is_kept_for_those_without_grants_is_not_for_those_with_one() {
    let (world, cache) = (Arc::new(small_shop::world()), Arc::default());
    let query = ask(|to| to.query(COMPUTED));
    let mut without = Bench::of(Arc::clone(&world), Arc::clone(&cache));
    let mut with = Bench::of(world, cache);
    with.grant("email", 60);
    for _ in 0..2 {
        let hidden = ran(&mut without, &mut Server::new(PUBLIC), &query);
        assert!(matches!(hidden, Ran::Masked(text) if text != COMPUTED));
        assert_eq!(ran(&mut with, &mut Server::new(PUBLIC), &query), Ran::Raw);
    }
}

#[test]
fn a_budget_that_is_used_up_is_used_up_for_what_is_prepared() {
    let (mut bench, mut server) = settled(COMPUTED);
    let hidden = ran(&mut bench, &mut server, &bound());
    let limits = Limits { max_uses: Some(1), ..Limits::default() };
    let budget = bench.grant_limited("email", 60, limits).unwrap();
    assert_eq!(ran(&mut bench, &mut server, &bound()), Ran::Raw);
    let used = budget.meet(Claim::Use { grant: budget.grant(), statements: 1 }).unwrap().unwrap();
    budget.stored(&used, Origin::Here, at(0));
    assert_eq!(ran(&mut bench, &mut server, &bound()), hidden);
}

#[test]
fn a_new_search_path_makes_the_same_name_another_relation() {
    let sql = "SELECT upper(email) FROM contacts";
    let (mut bench, mut server) = settled(sql);
    let open = ran(&mut bench, &mut server, &bound());
    let set = ask(|to| to.query("SET search_path = hr, public"));
    server.path = HR;
    ran(&mut bench, &mut server, &set);
    let hidden = ran(&mut bench, &mut server, &bound());
    assert_ne!(open, hidden);
    assert!(
        matches!(&hidden, Ran::Masked(text) if text.contains(r#""hr"."contacts""#)),
        "{hidden:?}"
    );
    server.path = PUBLIC;
    ran(&mut bench, &mut server, &ask(|to| to.query("RESET search_path")));
    assert_eq!(ran(&mut bench, &mut server, &bound()), open);
    // A role of another path is asked for, too.
    server.path = HR;
    ran(&mut bench, &mut server, &ask(|to| to.query("SET ROLE other")));
    assert_eq!(ran(&mut bench, &mut server, &bound()), hidden);
}

#[test]
fn a_new_world_is_looked_at_before_the_next_bind() {
    let (mut bench, mut server) = settled(COMPUTED);
    let before = ran(&mut bench, &mut server, &bound());
    bench.world = Arc::new(small_shop::world_of(Epoch(2), MaskSpec::Redact));
    let after = ran(&mut bench, &mut server, &bound());
    assert_ne!(before, after);
    bench.world = Arc::new(small_shop::world_of(Epoch(3), MaskSpec::Email));
    assert_eq!(ran(&mut bench, &mut server, &bound()), before);
}

#[test]
fn texts_that_are_read_otherwise_by_now_are_not_bound() {
    let sql = "SELECT email FROM customers WHERE dob = 'a\\b'";
    let (mut bench, mut server) = settled(sql);
    assert_eq!(ran(&mut bench, &mut server, &bound()), masked(sql));
    bench.server(&status("standard_conforming_strings", "off"));
    assert_eq!(ran(&mut bench, &mut server, &bound()), Ran::Refused);
    bench.server(&status("standard_conforming_strings", "on"));
    assert_eq!(ran(&mut bench, &mut server, &bound()), masked(sql));
    // A mask that can be put on the wire in UTF-8 only is put into the text elsewhere.
    bench.server(&status("client_encoding", "LATIN1"));
    assert_ne!(ran(&mut bench, &mut server, &bound()), masked(sql));
    bench.server(&status("client_encoding", "UTF8"));
    assert_eq!(ran(&mut bench, &mut server, &bound()), masked(sql));
}

#[test]
fn a_grant_between_bind_and_execute_shows_nothing_more_and_a_new_world_masks_no_less() {
    let (mut bench, _) = settled("SELECT email FROM customers");
    let head = ask(|to| {
        to.bind("", "s", 0);
        to.flush();
    });
    let rest = ask(|to| {
        to.execute("");
        to.sync();
    });
    let rows = |world: u64| {
        tell(|to| {
            if world > 1 {
                // The shape was another world's: it is asked for again.
                to.describes(&[("email", 20_000, 3, 0)]);
            }
            row(to, &[Some("ann@example.com")]);
            to.completes("SELECT 1");
            to.ready(b'I');
        })
    };
    let shape = ask(|to| {
        to.bind("", "s", 0);
        to.describe_portal("");
        to.sync();
    });
    bench.client(&shape);
    bench.server(&tell(|to| {
        to.bound();
        to.describes(&[("email", 20_000, 3, 0)]);
        to.ready(b'I');
    }));
    for world in [1, 2] {
        bench.revoke();
        bench.sent();
        bench.client(&head);
        bench.server(&tell(|to| to.bound()));
        bench.told();
        if world == 1 {
            bench.grant("email", 60);
        } else {
            bench.world = Arc::new(small_shop::world_of(Epoch(2), MaskSpec::Redact));
        }
        bench.client(&rest);
        assert!(bench.session.hold().is_none());
        bench.server(&rows(world));
        let told = bench.told();
        assert_eq!(told.rows.len(), 1, "{} {}", told.tags, told.words);
        assert_ne!(told.rows[0][0].as_deref(), Some("ann@example.com"));
    }
    bench.works();
}

#[test]
fn a_fetch_that_was_prepared_before_its_cursor_shows_no_more_than_any_other() {
    let log = Log::new();
    for begun in ["before Bind", "before Execute"] {
        let (mut bench, mut server) = settled("FETCH ALL FROM c");
        let head = ask(|to| to.bind("p", "s", 0));
        let declare = |to: &mut super::messages::Asks| {
            to.parse("d", "DECLARE c CURSOR FOR SELECT lower(email) FROM customers");
            to.bind("", "d", 0);
            to.execute("");
        };
        bench.grant("email", 60);
        let (first, second) = match begun {
            "before Bind" => (ask(declare), head),
            _ => ([head, ask(declare)].concat(), Vec::new()),
        };
        bench.client(&first);
        while !matches!(bench.session.hold(), Some(Hold::Release(_))) {
            let sent = bench.sent();
            assert!(!sent.is_empty(), "{begun}");
            bench.server(&server.answer(&sent));
            bench.client(b"");
        }
        bench.release(&log);
        bench.now = at(60);
        bench.tick();
        bench.client(&second);
        bench.client(&ask(|to| {
            to.execute("p");
            to.sync();
        }));
        let (_, texts) = asked(&bench.sent());
        let refused = texts.iter().any(|text| text.starts_with("keyhole refused"));
        assert!(refused, "{begun}: the grant is over: {texts:?}");
    }
}

/// What may change between two runs.
#[derive(Clone, Copy, Debug)]
enum Change {
    Nothing,
    Granted { column: &'static str, until: i64 },
    Revoked,
    Now(i64),
    Path(&'static str),
    Status(&'static str, &'static str),
    World(u64),
}

fn changes() -> impl Strategy<Value = Change> {
    let statuses = [
        ("client_encoding", "LATIN1"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "German"),
        ("DateStyle", "ISO, MDY"),
        ("standard_conforming_strings", "off"),
        ("standard_conforming_strings", "on"),
    ];
    prop_oneof![
        Just(Change::Nothing),
        (prop::sample::select(vec!["email", "ssn", "*"]), 1..100_i64)
            .prop_map(|(column, until)| Change::Granted { column, until }),
        Just(Change::Revoked),
        (-20..120_i64).prop_map(Change::Now),
        prop::sample::select(vec![PUBLIC, HR]).prop_map(Change::Path),
        prop::sample::select(statuses.to_vec()).prop_map(|(name, to)| Change::Status(name, to)),
        (1..3_u64).prop_map(Change::World),
    ]
}

fn world(number: u64) -> Arc<keyhole::decision::World> {
    let email = if number == 1 { MaskSpec::Email } else { MaskSpec::Redact };
    Arc::new(small_shop::world_of(Epoch(number), email))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever has changed meanwhile, a prepared statement does what its text would do if it were
    /// sent now, in a session that remembers nothing.
    #[test]
    fn what_is_prepared_does_what_its_text_would_do_now(
        sql in prop::sample::select(vec![
            COMPUTED,
            "SELECT email, ssn FROM customers",
            "SELECT email FROM contacts",
            "SELECT upper(email) FROM contacts WHERE email <> 'a\\b'",
            "SELECT dob FROM customers WHERE ssn = '1'",
            "SELECT salary FROM hr.employees",
        ]),
        changes in prop::collection::vec(changes(), 1..12),
    ) {
        let (mut bench, mut server) = settled(sql);
        let mut statuses = HashMap::new();
        let query = ask(|to| to.query(sql));
        for change in changes {
            match change {
                Change::Nothing => {}
                Change::Granted { column, until } => bench.grant(column, until),
                Change::Revoked => bench.revoke(),
                Change::Now(seconds) => bench.now = at(seconds),
                Change::Path(path) => {
                    server.path = path;
                    ran(&mut bench, &mut server, &ask(|to| to.query("SET search_path = a")));
                }
                Change::Status(name, value) => {
                    statuses.insert(name, value);
                    bench.server(&status(name, value));
                }
                Change::World(number) => bench.world = world(number),
            }
            let mut fresh = Bench::of(Arc::clone(&bench.world), Arc::default());
            (fresh.grants, fresh.now) = (LiveTable::clone(&bench.grants), bench.now);
            for (name, value) in &statuses {
                fresh.server(&status(name, value));
            }
            let wanted = ran(&mut fresh, &mut Server::new(server.path), &query);
            let prepared = ran(&mut bench, &mut server, &bound());
            prop_assert_eq!(&prepared, &wanted, "bound, after {:?}", change);
            let queried = ran(&mut bench, &mut server, &query);
            prop_assert_eq!(&queried, &wanted, "queried, after {:?}", change);
        }
    }
}
