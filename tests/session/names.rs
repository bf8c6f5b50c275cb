//! Names that the server has dropped: all at once, and behind which others may have been made.

use super::bench::{Bench, Log, at};
use super::messages::{ask, asked, row, tell};

const RAW: &str = "SELECT lower(email) FROM customers";

/// A session with a statement, a portal and a cursor that were made under a grant, in a
/// transaction; the grant is over.
fn laden(log: &Log) -> Bench {
    let mut bench = Bench::new();
    bench.grant("email", 60);
    bench.client(&ask(|to| to.query("BEGIN")));
    bench.server(&tell(|to| {
        to.completes("BEGIN");
        to.ready(b'T');
    }));
    bench.client(&ask(|to| {
        to.parse("s", RAW);
        to.bind("p", "s", 0);
        to.sync();
    }));
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        to.ready(b'T');
    }));
    bench.client(&ask(|to| to.query(&format!("DECLARE c CURSOR FOR {RAW}"))));
    bench.release(log);
    bench.server(&tell(|to| {
        to.completes("DECLARE CURSOR");
        to.ready(b'T');
    }));
    bench.sent();
    bench.told();
    bench.now = at(60);
    bench.tick();
    bench
}

/// What the server is asked, once the session knows the path.
fn texts(bench: &mut Bench) -> Vec<String> {
    let (_, texts) = asked(&bench.sent());
    if !texts[0].contains("current_schemas") {
        return texts;
    }
    bench.server(&tell(|to| {
        to.parsed();
        to.bound();
        row(to, &[Some(r#"["pg_catalog","public"]"#)]);
        to.completes("SELECT 1");
        to.closed();
        to.closed();
        to.ready(b'T');
    }));
    asked(&bench.sent()).1
}

/// Whether the session knows what the name stands for, and that it is over.
fn refuses(bench: &mut Bench, sql: &str) -> bool {
    bench.client(&ask(|to| to.query(sql)));
    let texts = texts(bench);
    bench.server(&tell(|to| {
        to.error("34000", "no such name");
        to.ready(b'T');
    }));
    bench.told();
    texts[0].contains("refused")
}

fn runs(bench: &mut Bench, sql: &str, tag: &str) {
    bench.client(&ask(|to| to.query(sql)));
    assert_eq!(asked(&bench.sent()).1, [sql]);
    bench.server(&tell(|to| {
        to.completes(tag);
        to.ready(b'T');
    }));
    bench.told();
}

#[test]
fn what_is_closed_deallocated_or_discarded_is_forgotten() {
    let log = Log::new();
    let kinds = ["FETCH c", "FETCH p"];
    let mut bench = laden(&log);
    assert!(kinds.iter().all(|sql| refuses(&mut bench, sql)));
    runs(&mut bench, "CLOSE ALL", "CLOSE CURSOR ALL");
    for sql in kinds {
        assert!(!refuses(&mut bench, sql), "{sql}: the server may say that there is none");
    }
    for (sql, tag) in [("DEALLOCATE ALL", "DEALLOCATE ALL"), ("DISCARD ALL", "DISCARD ALL")] {
        let mut bench = laden(&log);
        runs(&mut bench, sql, tag);
        bench.client(&ask(|to| to.query("EXECUTE s")));
        assert_eq!(texts(&mut bench), ["EXECUTE s"], "{sql}");
    }
    let mut bench = laden(&log);
    runs(&mut bench, "discard /* it */ all", "DISCARD ALL");
    assert!(!kinds.iter().any(|sql| refuses(&mut bench, sql)));
}

#[test]
fn what_the_server_has_not_dropped_is_still_known() {
    let log = Log::new();
    for (sql, answer) in [
        ("DISCARD ALL", "error"),
        ("CLOSE ALL", "error"),
        ("DISCARD TEMP", "DISCARD TEMP"),
        ("DISCARD PLANS", "DISCARD PLANS"),
    ] {
        let mut bench = laden(&log);
        bench.client(&ask(|to| to.query(sql)));
        bench.sent();
        bench.server(&tell(|to| {
            match answer {
                "error" => to.error("25001", "cannot run inside a transaction block"),
                tag => to.completes(tag),
            }
            to.ready(b'T');
        }));
        assert!(refuses(&mut bench, "FETCH c") && refuses(&mut bench, "FETCH p"), "{sql}");
    }
}

#[test]
fn what_is_made_behind_it_is_kept() {
    let log = Log::new();
    for (sql, tag) in [("CLOSE c", "CLOSE CURSOR"), ("CLOSE ALL", "CLOSE CURSOR ALL")] {
        let mut bench = laden(&log);
        bench.grant("email", 120);
        bench.client(&ask(|to| {
            to.parse("", sql);
            to.bind("", "", 0);
            to.execute("");
            to.parse("", &format!("DECLARE c CURSOR FOR {RAW}"));
            to.bind("", "", 0);
            to.execute("");
            to.sync();
        }));
        bench.release(&log);
        bench.sent();
        bench.server(&tell(|to| {
            for tag in [tag, "DECLARE CURSOR"] {
                to.parsed();
                to.bound();
                to.no_data();
                to.completes(tag);
            }
            to.ready(b'T');
        }));
        bench.told();
        bench.now = at(120);
        bench.tick();
        assert!(refuses(&mut bench, "FETCH c"), "{sql}: it was opened under a grant that is over");

        // The same in one message.
        let mut bench = laden(&log);
        bench.grant("email", 120);
        bench.client(&ask(|to| to.query(&format!("{sql}; DECLARE c CURSOR FOR {RAW}"))));
        bench.release(&log);
        bench.sent();
        bench.server(&tell(|to| {
            to.completes(tag);
            to.completes("DECLARE CURSOR");
            to.ready(b'T');
        }));
        bench.told();
        bench.now = at(120);
        bench.tick();
        assert!(refuses(&mut bench, "FETCH c"), "{sql} in one message");
    }
}
