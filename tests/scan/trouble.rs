//! What stands in the way of a scan: locks, rights, slow tables, interruptions.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::keyhole::{Config, Keyhole, password, signal};
use crate::support::postgres::APP_PASSWORD;
use crate::support::programs::run;
use crate::support::wait::until;
use crate::support::{Client, Postgres};
use crate::{Bed, EVERYTHING, clean, columns, servers};

fn skipped(report: &Value) -> Vec<(String, String)> {
    let list = report["skipped"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    list.iter().map(|it| (text(&it["table"]), text(&it["why"]))).collect()
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_read() {
    for server in servers() {
        let bed = Bed::new(server, "scan_closed", EVERYTHING, "");
        let mut admin = server.admin(&bed.name);
        for sql in [
            "CREATE TABLE closed (email text)",
            "CREATE TABLE half (id integer, email text, pay text); GRANT SELECT (id, email) ON half TO app",
            "INSERT INTO half SELECT n, 'zq7half' || n || '@example.com', 'zq7' FROM generate_series(1, 9) n",
            "CREATE SCHEMA vault; CREATE TABLE vault.email (email text)",
            "CREATE TABLE slow AS SELECT 'zq7slow@example.com' AS email; GRANT SELECT ON slow TO app",
            "ALTER TABLE slow ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY slow ON slow USING (pg_sleep(60) IS NOT NULL)",
            "CREATE TABLE broken AS SELECT 'zq7broken' AS email; GRANT SELECT ON broken TO app",
            "ALTER TABLE broken ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY broken ON broken USING (email::integer = 1)",
            "CREATE FOREIGN DATA WRAPPER away; CREATE SERVER away FOREIGN DATA WRAPPER away",
            "CREATE FOREIGN TABLE far (email text) SERVER away; GRANT SELECT ON far TO app",
        ] {
            admin.query(sql).ok();
        }
        let mut holder = bed.server.direct(&bed.name).connect();
        holder.query("BEGIN").ok();
        holder.query("LOCK TABLE people IN ACCESS EXCLUSIVE MODE").ok();
        let quick = ["--statement-timeout", "700ms", "--lock-timeout", "200ms"];
        let report = bed.json(&quick);
        let expected = [
            ("public.broken", "the database gave an error, SQLSTATE 22P02"),
            ("public.closed", "the account may not read it"),
            ("public.half", "the account may not read 1 of its 3 columns"),
            ("public.people", "it was locked by somebody else for longer than --lock-timeout"),
            ("public.slow", "it could not be read within --statement-timeout"),
            ("vault.email", "the account may not read it"),
        ];
        let expected = expected.map(|(table, why)| (table.to_owned(), why.to_owned()));
        assert_eq!(skipped(&report), expected);
        let notes = report["notes"].as_array().expect("a list");
        let noted: Vec<&Value> = notes.iter().map(|note| &note["table"]).collect();
        assert_eq!(noted, ["public.broken", "public.far", "public.slow"]);
        // Names are looked at all the same, and everything else is read.
        let new = columns(&report, "new");
        for expected in
            ["public.closed.email", "public.half.email", "public.large.email", "public.far.email"]
        {
            assert!(new.iter().any(|column| column == expected), "{expected} in {new:#?}");
        }
        let foreign: Vec<&str> = quick.iter().chain(&["--foreign"]).copied().collect();
        let with_foreign = skipped(&bed.json(&foreign));
        assert!(with_foreign.iter().any(|(table, _)| table == "public.far"), "{with_foreign:?}");
        holder.query("ROLLBACK").ok();
        let left = activity(&mut admin);
        assert_eq!(left, "0", "nothing of the scan goes on");
    }
}

fn activity(admin: &mut Client) -> String {
    until("the scan's sessions end", || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'keyhole scan'";
        let count = admin.query(sql).ok().scalar();
        (count == "0").then_some(count)
    })
}

#[test]
fn masks_of_a_proxy_are_not_taken_for_values() {
    let own = format!(
        "{EVERYTHING};\nCREATE SCHEMA keyhole; CREATE TABLE keyhole.catalog (resource text);"
    );
    let bed = Bed::new(Postgres::shared(), "scan_proxied", &own, "");
    let proxy = Keyhole::start(Config::new().database("shop", bed.server, &bed.name, ""));
    until("it is ready", || (proxy.http("/readyz").0 == 200).then_some(()));
    let scan = |url: &str, secret: &str| {
        let mut command = bed.config.command(&["scan", "--url", url, "--only", "public.people"]);
        command.env("PGPASSWORD", secret).stdin(Stdio::null());
        run(command, "")
    };
    let through = format!("postgres://alice@127.0.0.1:{}/shop", proxy.data_port());
    let ran = scan(&through, password("alice"));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("leads to a Keyhole proxy"), "{ran:?}");
    assert!(ran.out.is_empty(), "{ran:?}");
    // A table of that name makes no proxy of a database.
    let direct = format!("postgres://app@127.0.0.1:{}/{}", bed.server.port(), bed.name);
    assert_eq!(scan(&direct, APP_PASSWORD).code, Some(5));
}

#[test]
fn an_incomplete_scan_that_found_nothing_new_is_no_success() {
    let bed = Bed::new(Postgres::shared(), "scan_incomplete", "CREATE TABLE t (id integer)", "");
    assert_eq!(bed.scan(&[]).code, Some(0));
    bed.server.admin(&bed.name).query("CREATE TABLE closed (id integer)").ok();
    let ran = bed.scan(&[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("public.closed: the account may not read it"), "{}", ran.out);
    let ran = bed.scan(&["--except", "public.closed"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn nothing_is_written_to_the_database() {
    let bed = Bed::new(
        Postgres::shared(),
        "scan_read_only",
        "CREATE TABLE t (email text); INSERT INTO t VALUES ('zq7@example.com');
         CREATE TABLE log (at text);
         CREATE FUNCTION tell(text) RETURNS boolean LANGUAGE plpgsql AS
           'BEGIN INSERT INTO public.log VALUES (1); RETURN true; END';
         CREATE TABLE spying (email text); INSERT INTO spying VALUES ('zq7@example.com');
         ALTER TABLE spying ENABLE ROW LEVEL SECURITY; ALTER TABLE spying FORCE ROW LEVEL SECURITY;
         CREATE POLICY spy ON spying USING (tell(email))",
        "",
    );
    let report = bed.json(&[]);
    let why = "the database gave an error, SQLSTATE 25006";
    assert_eq!(skipped(&report), [("public.spying".to_owned(), why.to_owned())]);
    let mut client = bed.server.direct(&bed.name).connect();
    assert_eq!(client.query("SELECT count(*) FROM log").ok().scalar(), "0");
}

/// Tables enough to be interrupted among.
fn many(count: usize) -> String {
    format!(
        "DO $$ BEGIN FOR n IN 1..{count} LOOP
           EXECUTE format('CREATE TABLE t%s (id integer, email text)', n);
           EXECUTE format('INSERT INTO t%s SELECT n, ''zq7m'' || n || ''@example.com''
                           FROM generate_series(1, 10) n', n);
         END LOOP; END $$"
    )
}

fn lines(bed: &Bed, file: &str) -> usize {
    std::fs::read_to_string(bed.path(file)).map_or(0, |text| text.lines().count())
}

#[test]
fn a_scan_that_was_killed_goes_on_where_it_was() {
    for (name, how, code) in [("scan_killed", "KILL", None), ("scan_interrupted", "INT", Some(130))]
    {
        let bed = Bed::new(Postgres::shared(), name, &many(60), "");
        let state = bed.path("state");
        let slowly = ["--resume", &state, "--pause", "100ms"];
        let mut command = bed.command(&slowly);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("it runs");
        until("some tables are read", || (lines(&bed, "state") > 5).then_some(()));
        signal(child.id(), how);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), code, "{output:?}");
        clean(&String::from_utf8_lossy(&output.stdout));
        clean(&bed.read("state"));
        let mut client = bed.server.direct(&bed.name).connect();
        // One that was read, and is another table now; one that is gone.
        client.query("ALTER TABLE t1 ADD other_email text").ok();
        client.query("DROP TABLE t10").ok();
        let report = bed.json(&["--resume", &state]);
        let resumed = report["measured"]["resumed"].as_u64().expect("a number");
        assert!((3..59).contains(&resumed), "{resumed}");
        let new = columns(&report, "new");
        assert_eq!(new.len(), 60, "59 tables, one of them with two: {new:?}");
        assert!(new.contains(&"public.t1.other_email".to_owned()));
        assert_eq!(report["totals"]["rows"], json!(590));
        let queries = report["measured"]["queries"].as_u64().expect("a number");
        assert!(queries < 3 * (59 - resumed) + 20, "{queries} queries, {resumed} resumed");
        assert!(bed.read("state").lines().last().is_some_and(|line| line.contains("finished")));
        // The next one begins anew.
        assert_eq!(bed.json(&["--resume", &state])["measured"]["resumed"], json!(0));
        activity(&mut bed.server.admin(&bed.name));
    }
}

#[test]
fn a_report_that_nobody_reads_can_be_interrupted() {
    let bed = Bed::new(Postgres::shared(), "scan_unread", &many(300), "");
    let mut command = bed.command(&["--json", "--resume", &bed.path("state")]);
    // More than a pipe holds.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it runs");
    let state = || std::fs::read_to_string(bed.path("state")).unwrap_or_default();
    until("the tables are read", || state().contains("finished").then_some(()));
    let status = until("it leaves", || {
        let ended = child.try_wait().expect("ours");
        if ended.is_none() {
            signal(child.id(), "INT");
        }
        ended
    });
    assert_eq!(status.code(), Some(130));
}

#[test]
fn a_state_of_another_database_is_refused() {
    let one = Bed::new(Postgres::shared(), "scan_state_one", &many(2), "");
    let other = Bed::new(Postgres::shared(), "scan_state_other", &many(2), "");
    let state = one.path("state");
    assert_eq!(one.scan(&["--resume", &state]).code, Some(5));
    let ran = other.scan(&["--resume", &state]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("another database"), "{}", ran.err);
}
