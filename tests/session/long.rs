//! Messages that are too long to be kept.

use keyhole::audit::Decision;

use super::bench::{Bench, Log};
use super::messages::{Told, ask, asked, tell};

const MIB: usize = 1 << 20;

/// The bench keeps messages up to one MiB.
fn long_value() -> Vec<u8> {
    vec![b'v'; 3 * MIB]
}

#[test]
fn a_value_of_any_length_passes_and_what_comes_behind_it_is_understood() {
    let mut bench = Bench::new();
    let batch = ask(|to| {
        to.parse("", "SELECT id, email FROM customers WHERE balance = $1");
        to.bind_value("", "", &long_value(), 1);
        to.describe_portal("");
        to.execute("");
        to.sync();
    });
    for piece in batch.chunks(100_000) {
        bench.client(piece);
    }
    let (tags, _) = asked(&bench.sent());
    assert_eq!(tags, "PBDDES", "nothing but our Describe was added");
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.describes(&[("id", 20_000, 1, 1), ("email", 20_000, 3, 1)]);
        to.describes(&[("id", 20_000, 1, 1), ("email", 20_000, 3, 1)]);
        to.row(&[Some(&[0, 0, 0, 1]), Some(b"ann@example.com")]);
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    let shown = bench.shown();
    assert!(shown.windows(4).any(|w| w == b"a***") && !shown.windows(4).any(|w| w == b"ann@"));
    bench.works();
}

#[test]
fn texts_and_calls_that_are_too_long_are_refused_and_the_session_goes_on() {
    let mut bench = Bench::new();
    let long = " ".repeat(2 * MIB);
    bench.client(&ask(|to| to.query(&format!("SELECT 1{long}"))));
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("EZ", "54000"));
    bench.client(&ask(|to| {
        to.parse("", &format!("SELECT 1{long}"));
        to.bind("", "", 0);
        to.sync();
    }));
    bench.server(&tell(|to| {
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().states, ["54000"]);
    bench.client(&ask(|to| {
        to.parse("", "SELECT * FROM keyhole.explain($1)");
        to.bind_value("", "", &long_value(), 0);
        to.execute("");
        to.sync();
    }));
    bench.server(&tell(|to| {
        to.parsed();
        to.error("42601", "syntax error");
        to.ready(b'I');
    }));
    assert_eq!(bench.told().states, ["54000"]);
    bench.works();
}

#[test]
fn a_message_that_nobody_would_take_ends_the_session() {
    for bytes in [&b"S\0\0\x40\0"[..], b"d\x7f\xff\xff\xff", b"Q\x40\0\0\0"] {
        let mut bench = Bench::new();
        bench.client(bytes);
        assert_eq!(bench.told().states, ["08P01"]);
        assert!(bench.is_closed());
    }
}

#[test]
fn values_that_do_not_fit_their_message_end_the_session_before_the_message_does() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| to.parse("", "SELECT $1")));
    let mut bind = ask(|to| to.bind_value("", "", &long_value(), 1));
    let length = bind.len() as u32;
    // The value claims to be longer than all of the message.
    let at = 5 + 2 + 4 + 2;
    bind[at..at + 4].copy_from_slice(&length.to_be_bytes());
    bench.client(&bind);
    assert!(bench.is_closed());
    assert_eq!(bench.told().states, ["08P01"]);
    assert!(bench.sent().len() < MIB, "the server waits for the rest in vain");
}

#[test]
fn fields_behind_the_last_mask_stream_and_those_before_it_are_limited() {
    let mut bench = Bench::new();
    bench.client(&ask(|to| to.query("SELECT email, balance FROM customers")));
    bench.server(&tell(|to| to.describes(&[("e", 20_000, 3, 0), ("b", 20_000, 6, 0)])));
    let row = tell(|to| to.row(&[Some(b"ann@example.com"), Some(&long_value())]));
    bench.server(&row[..100_000]);
    assert!(bench.out.to_client.len() > 90_000, "it does not wait for the end");
    bench.server(&row[100_000..]);
    let masked = tell(|to| {
        to.describes(&[("e", 20_000, 3, 0), ("b", 20_000, 6, 0)]);
        to.row(&[Some(b"a***@example.com"), Some(&long_value())]);
    });
    assert!(bench.shown() == masked, "all of it, masked");
    bench.server(&tell(|to| {
        to.completes("SELECT 1");
        to.ready(b'I');
    }));
    bench.told();
    bench.works();
    bench.client(&ask(|to| to.query("SELECT balance, email FROM customers")));
    bench.server(&tell(|to| {
        to.describes(&[("b", 20_000, 6, 0), ("e", 20_000, 3, 0)]);
        to.row(&[Some(&long_value()), Some(b"ann@example.com")]);
        to.row(&[Some(b"1"), Some(b"bob@example.com")]);
        to.error("57014", "canceled");
        to.ready(b'I');
    }));
    let told = bench.told();
    assert_eq!((told.tags.as_str(), told.states[0].as_str()), ("TEZ", "54000"));
    assert_eq!(bench.cancels, 1);
    bench.works();
}

/// A raw row of three MiB of which a third has been shown.
fn in_the_middle(log: &Log) -> Bench {
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query("SELECT email FROM customers")));
    bench.release(log);
    bench.server(&tell(|to| to.describes(&[("email", 20_000, 3, 0)])));
    let row = tell(|to| to.row(&[Some(&long_value())]));
    bench.server(&row[..MIB]);
    assert!(bench.shown().len() > MIB, "what is granted streams");
    bench
}

#[test]
fn a_raw_row_whose_grant_ends_in_its_middle_is_not_finished() {
    let log = Log::new();
    let mut bench = in_the_middle(&log);
    bench.revoke();
    bench.tick();
    assert!(bench.is_closed());
    assert_eq!(bench.cancels, 1);
    assert_eq!(bench.shown(), b"", "no word fits into the middle of a row");
    assert_eq!(bench.records(), [(Decision::Cut, Some("42501".to_owned()))]);
    let mut bench = in_the_middle(&log);
    bench.now = super::bench::at(60);
    bench.server(&[b'v'; 1000]);
    assert_eq!(bench.shown(), b"");
    assert!(bench.is_closed());
}

#[test]
fn the_last_words_of_a_session_are_not_said_into_the_middle_of_a_row() {
    let log = Log::new();
    let mut bench = in_the_middle(&log);
    bench.client(b"S\0\0\x40\0");
    assert!(bench.is_closed());
    assert_eq!(bench.shown(), b"");
}

#[test]
fn no_more_is_taken_from_a_client_than_the_server_can_owe() {
    let mut bench = Bench::new();
    let syncs = ask(|to| (0..100_000).for_each(|_| to.sync()));
    bench.client(&syncs);
    let taken = bench.sent().len() / 5;
    assert!((2_000..20_000).contains(&taken), "{taken}");
    assert!(bench.session.waits());
    let mut left = 100_000 - taken;
    bench.server(&tell(|to| (0..taken).for_each(|_| to.ready(b'I'))));
    while left > 0 {
        bench.client(b"");
        let taken = bench.sent().len() / 5;
        assert!(taken > 0, "it goes on");
        left -= taken;
        bench.server(&tell(|to| (0..taken).for_each(|_| to.ready(b'I'))));
    }
    assert_eq!(Told::read(&bench.shown()).tags.len(), 100_000);
    bench.works();
}
