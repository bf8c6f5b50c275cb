//! However the bytes are cut, the same happens; whatever they are, nothing panics.

use std::cell::RefCell;
use std::sync::Arc;

use keyhole::discovery::drift::Candidate;
use keyhole::model::ColumnId;
use keyhole::session::{Candidates, Hold, Sample};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::bench::{Bench, Log, at, path_answer};
use super::messages::{ask, one_column, row, tell};

#[derive(Clone, Debug)]
enum Step {
    Client(Vec<u8>),
    Server(Vec<u8>),
    Release,
    Refreshed,
    Grant,
    Revoke,
}

/// Everything that can be seen of a session from outside.
#[derive(Debug, PartialEq)]
struct Seen {
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    audit: Vec<String>,
    cancels: usize,
    idle: Idle,
    /// What was copied of results.
    samples: Vec<String>,
}

#[derive(Debug, PartialEq)]
enum Idle {
    Yes,
    No,
}

#[derive(Clone, Copy)]
enum Sampled {
    No,
    /// Some columns, of which one is hidden.
    Yes,
}

fn sample(bench: &Bench) {
    let columns = [(20_000, 1), (20_000, 3), (20_000, 6), (20_001, 3), (30_000, 1)];
    let candidates = columns.map(|(relation, number)| {
        let id = ColumnId { relation, number };
        Candidate { id, told_at: id, type_oid: 25 }
    });
    bench.sampling.look_at(Arc::new(Candidates::new(&candidates)));
}

/// Plays the steps; `pieces` says how long the pieces of their bytes are, over and over.
fn play(steps: &[Step], pieces: &[usize], sampled: Sampled, log: &Log) -> Seen {
    let mut bench = Bench::fresh();
    if let Sampled::Yes = sampled {
        sample(&bench);
    }
    let mut pieces = pieces.iter().copied().cycle();
    let mut cut = |bytes: &[u8], feed: &mut dyn FnMut(&[u8])| {
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = pieces.next().unwrap_or(usize::MAX).clamp(1, rest.len());
            feed(&rest[..len]);
            rest = &rest[len..];
        }
    };
    for step in steps {
        match step {
            Step::Client(bytes) => cut(bytes, &mut |piece| bench.client(piece)),
            Step::Server(bytes) => cut(bytes, &mut |piece| bench.server(piece)),
            Step::Release => bench.release(log),
            Step::Refreshed => bench.refreshed(),
            Step::Grant => bench.grant("email", 60),
            Step::Revoke => {
                bench.revoke();
                bench.tick();
            }
        }
        bench.client(b"");
    }
    Seen {
        to_server: bench.sent(),
        to_client: bench.shown(),
        audit: bench.out.audit.iter().map(|event| format!("{event:?}")).collect(),
        cancels: bench.cancels,
        idle: if bench.session.is_idle() { Idle::Yes } else { Idle::No },
        samples: bench.out.samples.iter().flat_map(values).collect(),
    }
}

fn values(sample: &Sample) -> Vec<String> {
    sample.values().map(|(column, value)| format!("{column:?} {value}")).collect()
}

fn transcripts() -> Vec<Vec<Step>> {
    let first = || {
        let id = ask(|to| to.query("SELECT id FROM customers"));
        let nothing = tell(|to| {
            to.describes(&[("id", 20_000, 1, 0)]);
            to.completes("SELECT 0");
            to.ready(b'I');
        });
        vec![Step::Client(id), Step::Server(path_answer()), Step::Server(nothing)]
    };
    let with = |steps: Vec<Step>| [first(), steps].concat();
    vec![with(simple()), with(batches()), with(cut()), with(refreshed()), with(long())]
}

/// Clear, shown, refused, computed and clear again in one pipeline.
fn simple() -> Vec<Step> {
    let asks = ask(|to| {
        to.query("SELECT total FROM orders");
        to.query("SELECT id, email FROM customers");
        to.query("SELECT salary FROM hr.employees");
        to.query("SELECT lower(email) FROM customers");
        to.query("SELECT 1; SELECT total FROM orders");
    });
    let tells = tell(|to| {
        to.describes(&[("total", 20_001, 3, 0)]);
        row(to, &[Some("12"), None]);
        row(to, &[Some(&"long ".repeat(100))]);
        to.completes("SELECT 2");
        to.ready(b'I');
        to.describes(&[("id", 20_000, 1, 0), ("email", 20_000, 3, 0)]);
        row(to, &[Some("1"), Some("ann@example.com")]);
        row(to, &[Some("2"), None]);
        to.completes("SELECT 2");
        to.ready(b'I');
        to.error("42601", "syntax error");
        to.ready(b'I');
        one_column(to, "lower");
        row(to, &[Some("a***@example.com")]);
        to.notice("something hidden");
        to.error("22012", "division by zero");
        to.ready(b'I');
        one_column(to, "?column?");
        row(to, &[Some("1")]);
        to.completes("SELECT 1");
        to.describes(&[("total", 20_001, 3, 0)]);
        to.completes("SELECT 0");
        to.ready(b'I');
    });
    vec![Step::Client(asks), Step::Server(tells)]
}

/// Batches: shown, refused in the middle, clear with our Describe, COPY.
fn batches() -> Vec<Step> {
    let asks = ask(|to| {
        to.parse("s", "SELECT id, email FROM customers");
        to.describe_statement("s");
        to.bind("", "s", 1);
        to.execute("");
        to.sync();
        to.parse("", "SELECT total FROM orders");
        to.bind("", "", 0);
        to.execute("");
        to.parse("", "SELECT salary FROM hr.employees");
        to.bind("", "", 0);
        to.execute("");
        to.sync();
        to.query("COPY orders TO STDOUT");
    });
    let tells = tell(|to| {
        to.parsed();
        to.takes_no_parameters();
        to.describes(&[("id", 20_000, 1, 0), ("email", 20_000, 3, 0)]);
        to.bound();
        to.describes(&[("id", 20_000, 1, 0), ("email", 20_000, 3, 0)]);
        to.row(&[Some(&[0, 0, 0, 1]), Some(b"ann@example.com")]);
        to.completes("SELECT 1");
        to.ready(b'I');
        to.parsed();
        to.bound();
        to.describes(&[("total", 20_001, 3, 0)]);
        row(to, &[Some("12")]);
        to.completes("SELECT 1");
        to.error("42601", "syntax error");
        to.ready(b'I');
        to.raw(b"H\0\0\0\x09\0\0\x01\0\0");
        to.copy_data(&[b'1'; 200]);
        to.copy_data(b"2\n");
        to.raw(b"c\0\0\0\x04");
        to.completes("COPY 2");
        to.ready(b'I');
    });
    // The schema is looked at before a COPY.
    vec![Step::Client(asks), Step::Refreshed, Step::Server(tells)]
}

/// A raw result that is cut while it streams.
fn cut() -> Vec<Step> {
    let asks = ask(|to| {
        to.parse("", "SELECT email FROM customers");
        to.bind("", "", 0);
        to.describe_portal("");
        to.execute("");
        to.sync();
        to.query("SELECT 1");
    });
    let before = tell(|to| {
        to.parsed();
        to.bound();
        // Once for the client, once for us.
        to.describes(&[("email", 20_000, 3, 0)]);
        to.describes(&[("email", 20_000, 3, 0)]);
        row(to, &[Some("ann@example.com")]);
    });
    let after = tell(|to| {
        row(to, &[Some("bob@example.com")]);
        to.error("57014", "canceled");
        to.ready(b'I');
        one_column(to, "?column?");
        row(to, &[Some("1")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    });
    vec![
        Step::Grant,
        Step::Client(asks),
        Step::Release,
        Step::Server(before),
        Step::Revoke,
        Step::Server(after),
    ]
}

/// A relation that the snapshot does not know.
fn refreshed() -> Vec<Step> {
    let tells = tell(|to| {
        to.describes(&[("id", 30_000, 1, 0)]);
        row(to, &[Some("1")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    });
    let asks = ask(|to| to.query("SELECT * FROM made_just_now"));
    vec![Step::Client(asks), Step::Server(tells), Step::Refreshed]
}

/// Messages that pass in pieces: values, COPY data both ways, rows with a mask at their head.
fn long() -> Vec<Step> {
    let value = "v".repeat(70_000);
    let asks = ask(|to| {
        to.parse("", "SELECT id, email, balance FROM customers WHERE id = $1");
        to.bind_value("", "", value.as_bytes(), 1);
        to.execute("");
        to.sync();
        to.query("COPY orders FROM STDIN");
    });
    let begins = tell(|to| {
        to.parsed();
        to.bound();
        to.describes(&[("id", 20_000, 1, 1), ("email", 20_000, 3, 1), ("balance", 20_000, 6, 1)]);
        to.row(&[Some(&[0, 0, 0, 1]), Some(b"ann@example.com"), Some(value.as_bytes())]);
        to.row(&[Some(&[0, 0, 0, 2]), None, Some(value.as_bytes())]);
        to.completes("SELECT 2");
        to.ready(b'I');
        to.raw(b"G\0\0\0\x07\0\0\0");
    });
    let data = ask(|to| {
        to.copy_data(&[b'1'; 90_000]);
        to.sync();
        to.copy_data(b"2\n");
        to.raw(b"c\0\0\0\x04");
    });
    let copied = tell(|to| {
        to.completes("COPY 2");
        to.ready(b'I');
    });
    let out = ask(|to| to.query("COPY orders TO STDOUT"));
    let copies = tell(|to| {
        to.raw(b"H\0\0\0\x07\0\0\0");
        to.copy_data(&[b'3'; 80_000]);
        to.raw(b"c\0\0\0\x04");
        to.completes("COPY 1");
        to.ready(b'I');
    });
    vec![
        Step::Client(asks),
        Step::Server(begins),
        Step::Client(data),
        Step::Server(copied),
        Step::Client(out),
        Step::Refreshed,
        Step::Server(copies),
    ]
}

#[test]
fn any_split_of_the_bytes_has_the_same_effects() {
    let log = Log::new();
    let transcripts = transcripts();
    let all = |sampled| -> Vec<Seen> {
        transcripts.iter().map(|steps| play(steps, &[usize::MAX], sampled, &log)).collect()
    };
    let whole = all(Sampled::No);
    let looked_at = all(Sampled::Yes);
    assert!(looked_at.iter().filter(|seen| !seen.samples.is_empty()).count() > 2);
    for (number, seen) in whole.iter().enumerate() {
        assert_eq!(seen.idle, Idle::Yes, "transcript {number} comes to its end");
        let small = play(&transcripts[number], &[1], Sampled::No, &log);
        assert_eq!(&small, seen, "transcript {number}");
        let taken = looked_at[number].samples.clone();
        assert!(taken.iter().all(|value| !value.contains("@")), "{taken:?}");
        let small = play(&transcripts[number], &[1], Sampled::Yes, &log);
        assert_eq!(small, looked_at[number], "transcript {number}");
        assert_eq!(&Seen { samples: Vec::new(), ..small }, seen, "transcript {number}");
    }
    let lengths = prop_oneof![1..8_usize, 1..200_usize, 1..70_000_usize];
    let pieces = prop::collection::vec(lengths, 1..12);
    let input = (0..transcripts.len(), pieces);
    TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() })
        .run(&input, |(number, pieces)| {
            let plain = play(&transcripts[number], &pieces, Sampled::No, &log);
            prop_assert_eq!(&plain, &whole[number]);
            let looked_at_now = play(&transcripts[number], &pieces, Sampled::Yes, &log);
            prop_assert_eq!(&looked_at_now, &looked_at[number]);
            Ok(())
        })
        .unwrap();
}

const TEXTS: &[&str] = &[
    "SELECT 1",
    "",
    "SELECT email FROM customers",
    "SELECT lower(email) FROM customers; SELECT 1",
    "SELECT salary FROM hr.employees",
    "SELECT * FROM keyhole.catalog",
    "SET search_path = hr",
    "PREPARE s AS SELECT ssn FROM customers",
    "EXECUTE s",
    "DECLARE p CURSOR FOR SELECT email FROM customers",
    "FETCH p",
    "COPY customers TO STDOUT",
    "CREATE TABLE t (id int)",
    "ROLLBACK",
    "SELECT email FROM customers WHERE (",
];

fn client_message() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec!["", "s", "p"]);
    let text = prop::sample::select(TEXTS);
    prop_oneof![
        4 => text.clone().prop_map(|text| ask(|to| to.query(text))),
        4 => (name.clone(), text).prop_map(|(name, text)| ask(|to| to.parse(name, text))),
        4 => (name.clone(), name.clone(), 0..2_i16)
            .prop_map(|(portal, name, format)| ask(|to| to.bind(portal, name, format))),
        4 => name.clone().prop_map(|name| ask(|to| to.execute(name))),
        1 => name.clone().prop_map(|name| ask(|to| to.describe_portal(name))),
        1 => name.clone().prop_map(|name| ask(|to| to.describe_statement(name))),
        1 => name.prop_map(|name| ask(|to| to.close_statement(name))),
        3 => Just(ask(|to| to.sync())),
        1 => Just(ask(|to| to.flush())),
        1 => frame(b"QPBDECSHXFdcfpz"),
        1 => prop::collection::vec(any::<u8>(), 0..24).prop_map(|b| ask(|to| to.raw(&b))),
    ]
}

/// A frame of one of these tags with a payload of anything.
fn frame(tags: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let payload = prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..40);
    (prop::sample::select(tags), payload).prop_map(|(tag, payload)| {
        let len = u32::try_from(payload.len() + 4).unwrap();
        [&[tag][..], &len.to_be_bytes(), &payload].concat()
    })
}

fn server_message() -> impl Strategy<Value = Vec<u8>> {
    let columns = prop::sample::select(vec![
        (0_u32, 0_i16),
        (20_000, 3),
        (20_000, 4),
        (20_001, 3),
        (20_002, 2),
        (20_005, 2),
        (30_000, 1),
    ]);
    let columns = prop::collection::vec((columns, 0..2_i16), 0..4);
    let values = prop::collection::vec(prop::option::of("[a-z@.0-9-]{0,12}"), 0..4);
    let tags = vec!["SELECT 1", "SET", "CREATE TABLE", "ROLLBACK", "PREPARE", "DECLARE CURSOR"];
    prop_oneof![
        4 => columns.prop_map(|columns| {
            let fields = columns.into_iter().map(|((oid, number), format)| ("c", oid, number, format));
            let fields: Vec<_> = fields.collect();
            tell(|to| to.describes(&fields))
        }),
        6 => values.prop_map(|values| {
            let values: Vec<_> = values.iter().map(Option::as_deref).collect();
            tell(|to| row(to, &values))
        }),
        4 => prop::sample::select(tags).prop_map(|tag| tell(|to| to.completes(tag))),
        4 => prop::sample::select(&b"ITE"[..]).prop_map(|status| tell(|to| to.ready(status))),
        2 => Just(tell(|to| to.error("42601", "words"))),
        1 => Just(tell(|to| to.notice("words"))),
        4 => prop_oneof![
            Just(tell(|to| to.parsed())),
            Just(tell(|to| to.bound())),
            Just(tell(|to| to.closed())),
            Just(tell(|to| to.no_data())),
            Just(tell(|to| to.takes_no_parameters())),
            Just(path_answer()),
        ],
        1 => frame(b"TDCZENS123ntsGHWdcAVIKR?"),
        1 => prop::collection::vec(any::<u8>(), 0..24).prop_map(|b| tell(|to| to.raw(&b))),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => client_message().prop_map(Step::Client),
        8 => server_message().prop_map(Step::Server),
        2 => Just(Step::Release),
        2 => Just(Step::Refreshed),
        1 => Just(Step::Grant),
        1 => Just(Step::Revoke),
    ]
}

/// Does what the session waits for, whatever that is; a release is recorded or not.
fn end_hold(bench: &mut Bench, log: &Log, count: usize) {
    match bench.session.hold() {
        Some(Hold::Release(_)) if count.is_multiple_of(2) => bench.release(log),
        Some(Hold::Release(_)) => bench.not_released(),
        Some(Hold::Spend(_)) => bench.spent(Ok(())),
        Some(Hold::Refresh) => bench.refreshed(),
        Some(Hold::InBand(_)) => bench.refuse_calls(),
        Some(Hold::Server) | None => {}
    }
}

#[test]
fn no_bytes_make_a_session_panic() {
    let log = Log::new();
    let closed = RefCell::new(0_usize);
    let steps = prop::collection::vec(any_step(), 1..40);
    TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() })
        .run(&steps, |steps| {
            let mut bench = Bench::new();
            sample(&bench);
            for (count, step) in steps.iter().enumerate() {
                match step {
                    Step::Client(bytes) => bench.client(bytes),
                    Step::Server(bytes) => bench.server(bytes),
                    Step::Release | Step::Refreshed => end_hold(&mut bench, &log, count),
                    Step::Grant => bench.grant("email", 60),
                    Step::Revoke => {
                        bench.now = at(61);
                        bench.tick();
                    }
                }
                if bench.is_closed() {
                    *closed.borrow_mut() += 1;
                    break;
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(*closed.borrow() < 400, "some sessions get on");
}
