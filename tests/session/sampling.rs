//! What is copied of what clients are shown: candidates, of the first rows, and not too often.

use std::sync::Arc;

use keyhole::audit::Decision;
use keyhole::discovery::drift::Candidate;
use keyhole::model::ColumnId;
use keyhole::session::{Candidates, Sample};

use super::bench::{Bench, Log, at};
use super::messages::{ask, asked, row, tell};

const CUSTOMERS: u32 = 20_000;
const ORDERS: u32 = 20_001;
const CONTACTS: u32 = 20_003;

fn column(relation: u32, number: i16) -> ColumnId {
    ColumnId { relation, number }
}

/// Candidates are these columns, whose values have these types.
fn looks_at(bench: &Bench, columns: &[(ColumnId, u32)]) {
    let candidate =
        |(id, type_oid): &(ColumnId, u32)| Candidate { id: *id, told_at: *id, type_oid: *type_oid };
    let candidates: Vec<Candidate> = columns.iter().map(candidate).collect();
    bench.sampling.look_at(Arc::new(Candidates::new(&candidates)));
}

/// A bench on which public.contacts.email, in no catalog, is a candidate.
fn looking() -> Bench {
    let bench = Bench::new();
    looks_at(&bench, &[(column(CONTACTS, 2), 25)]);
    bench
}

fn taken(bench: &mut Bench) -> Vec<(ColumnId, String)> {
    let samples = std::mem::take(&mut bench.out.samples);
    let values = |sample: &Sample| -> Vec<_> {
        sample.values().map(|(id, value)| (id, value.to_owned())).collect()
    };
    samples.iter().flat_map(values).collect()
}

fn texts(bench: &mut Bench) -> Vec<String> {
    taken(bench).into_iter().map(|(_, value)| value).collect()
}

/// The addresses from `first` on, so many rows of them.
fn contacts(first: u32, rows: u32) -> Vec<u8> {
    tell(|to| {
        to.describes(&[("id", CONTACTS, 1, 0), ("email", CONTACTS, 2, 0)]);
        for number in first..first + rows {
            row(to, &[Some("1"), Some(&format!("u{number}@example.com"))]);
        }
        to.completes(&format!("SELECT {rows}"));
        to.ready(b'I');
    })
}

/// A client asks for contacts and is shown exactly what the server says.
fn reads(bench: &mut Bench, first: u32, rows: u32) {
    bench.client(&ask(|to| to.query("SELECT * FROM contacts")));
    let answer = contacts(first, rows);
    bench.server(&answer);
    assert_eq!(bench.shown(), answer);
}

#[test]
fn nothing_is_taken_unless_somebody_said_what() {
    let mut bench = Bench::new();
    reads(&mut bench, 0, 3);
    assert_eq!(texts(&mut bench), [""; 0]);
    looks_at(&bench, &[(column(CONTACTS, 2), 25)]);
    reads(&mut bench, 0, 3);
    assert_eq!(texts(&mut bench).len(), 3);
    bench.sampling.stop();
    bench.now = at(1);
    reads(&mut bench, 0, 3);
    assert_eq!(texts(&mut bench), [""; 0]);
}

#[test]
fn the_first_rows_of_a_candidate_are_taken_and_nothing_else() {
    let mut bench = looking();
    reads(&mut bench, 0, 100);
    let expected: Vec<_> =
        (0..16).map(|n| (column(CONTACTS, 2), format!("u{n}@example.com"))).collect();
    assert_eq!(taken(&mut bench), expected);
    assert_eq!(bench.records(), [(Decision::Clear, None)]);
    // A result may be shorter, or come in pieces.
    bench.now = at(1);
    bench.client(&ask(|to| to.query("SELECT * FROM contacts")));
    let answer = contacts(0, 2);
    answer.chunks(3).for_each(|piece| bench.server(piece));
    assert_eq!(bench.shown(), answer);
    assert_eq!(texts(&mut bench), ["u0@example.com", "u1@example.com"]);
    bench.works();
}

#[test]
fn nulls_and_long_values_take_no_more_room_than_there_is() {
    let mut bench = looking();
    bench.client(&ask(|to| to.query("SELECT email FROM contacts")));
    let long = "é".repeat(3_000);
    let answer = tell(|to| {
        to.describes(&[("email", CONTACTS, 2, 0)]);
        row(to, &[None]);
        (0..8).for_each(|_| row(to, &[Some(&long)]));
        to.completes("SELECT 9");
        to.ready(b'I');
    });
    bench.server(&answer);
    assert_eq!(bench.shown(), answer);
    let texts = texts(&mut bench);
    assert_eq!(texts, vec!["é".repeat(2_048); 4]);
}

#[test]
fn binary_values_are_taken_where_they_are_easily_text() {
    let mut bench = Bench::new();
    let uuid = 0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8_u128.to_be_bytes();
    let (small, large) = ((-7_i16).to_be_bytes(), 5_000_000_000_i64.to_be_bytes());
    // Type, the value as it is sent, what is read.
    let values: [(u32, &[u8], Option<&str>); 10] = [
        (25, "ann@example.com".as_bytes(), Some("ann@example.com")),
        (1043, b"x", Some("x")),
        (114, b"{\"a\": 1}", Some("{\"a\": 1}")),
        (3802, b"\x01{\"a\": 1}", Some("{\"a\": 1}")),
        (3802, b"\x02{}", None),
        (2950, &uuid, Some("6ba7b810-9dad-11d1-80b4-00c04fd430c8")),
        (21, &small, Some("-7")),
        (20, &large, Some("5000000000")),
        // A date, and a number of another length than its type has.
        (1082, &[0, 0, 0, 1], None),
        (23, &[0, 0, 0], None),
    ];
    for (number, (type_oid, value, read)) in values.into_iter().enumerate() {
        bench.now = at(number as i64);
        looks_at(&bench, &[(column(CONTACTS, 2), type_oid)]);
        bench.client(&ask(|to| {
            to.parse("", "SELECT email FROM contacts");
            to.bind("", "", 1);
            to.describe_portal("");
            to.execute("");
            to.sync();
        }));
        let describes = asked(&bench.sent()).0.matches('D').count();
        bench.server(&tell(|to| {
            to.parsed();
            to.bound();
            (0..describes).for_each(|_| to.describes(&[("email", CONTACTS, 2, 1)]));
            to.row(&[Some(value)]);
            to.completes("SELECT 1");
            to.ready(b'I');
        }));
        assert!(bench.shown().windows(value.len()).any(|part| part == value));
        let read: Vec<String> = read.into_iter().map(str::to_owned).collect();
        assert_eq!(texts(&mut bench), read, "type {type_oid}");
    }
}

#[test]
fn what_is_hidden_or_granted_is_never_taken_even_if_somebody_calls_it_a_candidate() {
    let log = Log::new();
    let mut bench = Bench::new();
    looks_at(
        &bench,
        &[(column(CUSTOMERS, 3), 25), (column(CUSTOMERS, 4), 25), (column(CUSTOMERS, 6), 23)],
    );
    let question = ask(|to| to.query("SELECT email, ssn, balance FROM customers"));
    let answer = tell(|to| {
        let fields = [("email", 3), ("ssn", 4), ("balance", 6)];
        to.describes(&fields.map(|(name, number)| (name, CUSTOMERS, number, 0)));
        row(to, &[Some("ann@example.com"), Some("900-12-3456"), Some("12")]);
        row(to, &[Some("bob@example.com"), None, Some("13")]);
        to.completes("SELECT 2");
        to.ready(b'I');
    });
    let balances =
        [(column(CUSTOMERS, 6), "12".to_owned()), (column(CUSTOMERS, 6), "13".to_owned())];
    bench.client(&question);
    bench.server(&answer);
    let masked = bench.told();
    assert_eq!(masked.rows[0][0].as_deref(), Some("a***@example.com"));
    assert_eq!(taken(&mut bench), balances);

    bench.grant("email", 60);
    bench.now = at(1);
    bench.client(&question);
    bench.release(&log);
    bench.server(&answer);
    let granted = bench.told();
    assert_eq!(granted.rows[0][0].as_deref(), Some("ann@example.com"));
    assert_eq!(taken(&mut bench), balances);
}

#[test]
fn a_column_is_looked_at_once_in_a_second() {
    let mut bench = looking();
    reads(&mut bench, 0, 1);
    reads(&mut bench, 1, 1);
    assert_eq!(texts(&mut bench), ["u0@example.com"]);
    bench.now = at(1);
    reads(&mut bench, 2, 1);
    assert_eq!(texts(&mut bench), ["u2@example.com"]);
}

#[test]
fn twenty_results_are_looked_at_in_a_second() {
    let mut bench = Bench::new();
    let numbers = 1..=50;
    let columns: Vec<_> = numbers.clone().map(|number| (column(ORDERS, number), 25)).collect();
    looks_at(&bench, &columns);
    let read = |bench: &mut Bench| {
        for number in numbers.clone() {
            bench.client(&ask(|to| to.query("SELECT total FROM orders")));
            bench.server(&tell(|to| {
                to.describes(&[("total", ORDERS, number, 0)]);
                row(to, &[Some(&number.to_string())]);
                to.completes("SELECT 1");
                to.ready(b'I');
            }));
        }
        texts(bench)
    };
    let first: Vec<String> = (1..=20).map(|number: i16| number.to_string()).collect();
    assert_eq!(read(&mut bench), first);
    assert_eq!(read(&mut bench), [""; 0]);
    bench.now = at(1);
    assert_eq!(read(&mut bench).len(), 20);
}

#[test]
fn of_many_columns_those_that_were_not_looked_at_come_first() {
    let mut bench = Bench::new();
    let columns: Vec<_> = (1..=50).map(|number| (column(ORDERS, number), 25)).collect();
    looks_at(&bench, &columns);
    let fields: Vec<_> = (1..=50).map(|number| ("c", ORDERS, number, 0)).collect();
    let mut seen = Vec::new();
    for second in 0..2 {
        bench.now = at(second);
        bench.client(&ask(|to| to.query("SELECT * FROM orders")));
        bench.server(&tell(|to| {
            to.describes(&fields);
            to.row(&[Some(&b"1"[..]); 50]);
            to.completes("SELECT 1");
            to.ready(b'I');
        }));
        seen.push(taken(&mut bench).into_iter().map(|(id, _)| id.number).collect::<Vec<_>>());
    }
    assert_eq!(seen[0], (1..=32).collect::<Vec<i16>>());
    assert_eq!(seen[1], (1..=14).chain(33..=50).collect::<Vec<i16>>());
}

/// Each reads the seconds that the other writes; a sort that does so panics.
#[test]
fn sessions_that_look_at_many_columns_at_once_do_not_disturb_each_other() {
    let candidate = |number| {
        let id = column(ORDERS, number);
        Candidate { id, told_at: id, type_oid: 25 }
    };
    let candidates = Arc::new(Candidates::new(&(1..=300).map(candidate).collect::<Vec<_>>()));
    let fields: Vec<_> = (1..=300).map(|number| ("c", ORDERS, number, 0)).collect();
    let answer = tell(|to| {
        to.describes(&fields);
        to.completes("SELECT 0");
        to.ready(b'I');
    });
    let read = |parity: i64| {
        let mut bench = Bench::new();
        bench.sampling.look_at(Arc::clone(&candidates));
        for second in 0..500 {
            bench.now = at(2 * second + parity);
            bench.client(&ask(|to| to.query("SELECT * FROM orders")));
            bench.server(&answer);
            assert_eq!(bench.shown(), answer);
        }
    };
    std::thread::scope(|scope| {
        let threads = [0, 1, 0, 1].map(|parity| scope.spawn(move || read(parity)));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_clock_that_is_set_back_ends_nothing() {
    let mut bench = looking();
    bench.now = at(86_400);
    reads(&mut bench, 0, 1);
    bench.now = at(0);
    reads(&mut bench, 1, 1);
    bench.now = at(1);
    reads(&mut bench, 2, 1);
    let texts = texts(&mut bench);
    assert_eq!(texts, ["u0@example.com", "u1@example.com", "u2@example.com"]);
}

/// As a rule adds one (`DO ALSO SELECT`).
#[test]
fn a_result_in_a_result_is_not_taken_for_the_first() {
    let mut bench = looking();
    bench.client(&ask(|to| to.query("SELECT email FROM contacts")));
    bench.server(&tell(|to| {
        to.describes(&[("email", CONTACTS, 2, 0)]);
        row(to, &[Some("ann@example.com")]);
    }));
    bench.sampling.stop();
    bench.server(&tell(|to| {
        to.describes(&[("total", ORDERS, 1, 0)]);
        row(to, &[Some("12")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    assert_eq!(taken(&mut bench), []);
    bench.works();
}

#[test]
fn a_row_that_passes_in_pieces_is_not_looked_at_and_what_was_taken_before_is_kept() {
    let mut bench = looking();
    bench.client(&ask(|to| to.query("SELECT email FROM contacts")));
    let long = "v".repeat(100_000);
    let begin = tell(|to| {
        to.describes(&[("email", CONTACTS, 2, 0)]);
        row(to, &[Some("ann@example.com")]);
    });
    let rest = tell(|to| {
        row(to, &[Some(&long)]);
        row(to, &[Some("bob@example.com")]);
        to.completes("SELECT 3");
        to.ready(b'I');
    });
    bench.server(&begin);
    bench.server(&rest[..1_000]);
    assert_eq!(bench.shown(), [&begin, &rest[..1_000]].concat(), "it does not wait");
    bench.server(&rest[1_000..]);
    assert_eq!(bench.shown(), &rest[1_000..]);
    assert_eq!(texts(&mut bench), ["ann@example.com"]);
    bench.works();
}

#[test]
fn prepared_statements_and_cursors_are_results_like_others() {
    let mut bench = looking();
    bench.client(&ask(|to| {
        to.parse("s", "SELECT email FROM contacts");
        to.describe_statement("s");
        to.sync();
    }));
    bench.server(&tell(|to| {
        to.parsed();
        to.takes_no_parameters();
        to.describes(&[("email", CONTACTS, 2, 0)]);
        to.ready(b'I');
    }));
    bench.shown();
    for second in 0..2 {
        bench.now = at(second);
        bench.client(&ask(|to| {
            to.bind("p", "s", 0);
            to.execute("p");
            to.sync();
        }));
        let answer = tell(|to| {
            to.bound();
            row(to, &[Some(&format!("u{second}@example.com"))]);
            // So many rows as the client wanted.
            to.raw(b"s\0\0\0\x04");
            to.ready(b'T');
        });
        bench.server(&answer);
        assert_eq!(bench.shown(), answer);
    }
    assert_eq!(texts(&mut bench), ["u0@example.com", "u1@example.com"]);

    bench.now = at(2);
    bench.client(&ask(|to| to.query("FETCH 2 FROM c")));
    let answer = contacts(7, 2);
    bench.server(&answer);
    assert_eq!(bench.shown(), answer);
    assert_eq!(texts(&mut bench), ["u7@example.com", "u8@example.com"]);
}

#[test]
fn of_a_copy_of_what_fails_and_in_other_encodings_nothing_is_taken() {
    let mut bench = looking();
    bench.client(&ask(|to| to.query("COPY orders TO STDOUT")));
    bench.refreshed();
    bench.server(&tell(|to| {
        to.raw(b"H\0\0\0\x07\0\0\0");
        to.copy_data(b"ann@example.com\n");
        to.raw(b"c\0\0\0\x04");
        to.completes("COPY 1");
        to.ready(b'I');
    }));
    bench.client(&ask(|to| to.query("SELECT email FROM contacts")));
    bench.server(&tell(|to| {
        to.describes(&[("email", CONTACTS, 2, 0)]);
        row(to, &[Some("ann@example.com")]);
        to.error("22012", "division by zero");
        to.ready(b'I');
    }));
    bench.now = at(1);
    bench.server(b"S\0\0\0\x1bclient_encoding\0LATIN1\0");
    bench.shown();
    reads(&mut bench, 0, 3);
    assert_eq!(texts(&mut bench), [""; 0]);
}

#[test]
fn a_sample_does_not_tell_its_values() {
    let mut bench = looking();
    reads(&mut bench, 0, 3);
    assert_eq!(format!("{:?}", bench.out.samples), "[Sample(3 values)]");
}
