//! `keyhole audit search` and `keyhole audit report` after a real session.

use crate::desk::{EMAIL, Shop, email};

#[test]
fn a_session_is_found_by_who_what_and_how() {
    let shop = Shop::open("search");
    shop.alice().connect().query(EMAIL).ok();
    shop.dba().grant("public.customers.email", "alice");
    let mut alice = shop.alice().connect();
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    shop.bob().connect().query(EMAIL).ok();
    // Its own record, and all before it, are durable when it is answered.
    shop.dba().grant("public.customers.phone", "bob");
    let dir = shop.proxy.config.path().join("audit");
    let search = |filters: &[&str]| -> (Option<i32>, Vec<String>) {
        let args =
            [&["audit", "search", "--json", "--dir", dir.to_str().unwrap()], filters].concat();
        let output = shop.proxy.config.command(&args).output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        (output.status.code(), text.lines().map(str::to_owned).collect())
    };
    for (filters, found) in [
        (&["--user", "alice", "--decision", "raw"][..], 1),
        (&["--user", "alice", "--decision", "shown"], 1),
        (&["--user", "bob", "--kind", "statement"], 1),
        (&["--kind", "release", "--grant", "1", "--column", "public.customers.email"], 1),
        (&["--kind", "release", "--grant", "2"], 0),
        (&["--kind", "release", "--column", "public.customers.phone"], 0),
        (&["--kind", "statement", "--text", "email customers", "--since", "1 hour ago"], 3),
        (&["--kind", "statement", "--until", "1 hour ago"], 0),
    ] {
        let (code, lines) = search(filters);
        assert_eq!((code, lines.len()), (Some(0), found), "{filters:?}: {lines:#?}");
        assert!(lines.iter().all(|line| !line.contains(&email())), "no value");
    }
}

#[test]
fn a_session_is_counted_by_person_column_and_grant() {
    let shop = Shop::open("report");
    shop.alice().connect().query(EMAIL).ok();
    shop.dba().grant("public.customers.email", "alice");
    let mut alice = shop.alice().connect();
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    // Its own record, and all before it, are durable when it is answered.
    shop.dba().grant("public.customers.phone", "bob");
    let dir = shop.proxy.config.path().join("audit");
    let report = |by: &str| -> Vec<String> {
        let args = ["audit", "report", "--dir", dir.to_str().unwrap(), "--by", by, "--csv", "-"];
        let output = shop.proxy.config.command(&args).output().expect("it runs");
        assert!(output.status.success(), "{by}");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(!text.contains(&email()), "no value");
        text.lines().map(str::to_owned).collect()
    };
    // statements, raw, rows_raw, looked_up, masked, refused, cut, observed, sessions
    for (by, begins) in [
        ("person", "person,alice,2,1,1,0,1,0,0,0,2,"),
        ("column", "column,shop,public.customers.email,,2,1,1,0,1,0,0,0,2,"),
        ("grant", "grant,1,used,alice,"),
        ("grant", "grant,2,unused,bob,"),
    ] {
        let lines = report(by);
        assert!(lines.iter().any(|line| line.starts_with(begins)), "{begins}: {lines:#?}");
    }
}
