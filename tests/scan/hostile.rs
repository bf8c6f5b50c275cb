//! Databases whose owners mean harm to whoever scans them, or never heard of UTF-8.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::Postgres;
use crate::support::programs::Ran;
use crate::support::wait::until;
use crate::{Bed, clean, columns, servers};

#[test]
fn no_function_of_a_types_owner_runs() {
    for server in servers() {
        let sql =
            "CREATE TYPE mood AS ENUM ('zq7a', 'zq7b'); CREATE TYPE pair AS (one text, other text);
            CREATE FUNCTION spy(mood) RETURNS text LANGUAGE plpgsql AS
              $$ BEGIN RAISE EXCEPTION 'it runs as %', current_user; END $$;
            CREATE FUNCTION spy(pair) RETURNS text LANGUAGE plpgsql AS
              $$ BEGIN RAISE EXCEPTION 'it runs as %', current_user; END $$;
            CREATE CAST (mood AS text) WITH FUNCTION spy(mood);
            CREATE CAST (pair AS text) WITH FUNCTION spy(pair);
            CREATE TABLE moods (mail text, mood mood, moods mood[], pair pair);
            INSERT INTO moods SELECT 'zq7' || n || '@example.com', 'zq7a', '{zq7a,zq7b}',
              ROW('zq7', NULL)::pair FROM generate_series(1, 9) n;
            INSERT INTO moods VALUES (NULL, NULL, NULL, NULL)";
        let bed = Bed::new(server, "scan_casts", sql, "");
        let report = bed.json(&[]);
        assert_eq!(report["skipped"], json!([]));
        assert_eq!(report["totals"]["rows"], json!(10));
        assert_eq!(columns(&report, "new"), ["public.moods.mail"]);
    }
}

/// What takes a table's place after it was listed would run with the rights of whoever scans.
#[test]
fn a_view_in_the_place_of_a_table_is_not_read() {
    for server in servers() {
        let sql = "CREATE TABLE a (email text); CREATE TABLE b (email text);
            INSERT INTO b VALUES ('zq7@example.com')";
        let bed = Bed::new(server, "scan_swap", sql, "");
        let mut owner = bed.server.direct(&bed.name).connect();
        owner.query("BEGIN").ok();
        owner.query("LOCK TABLE a IN ACCESS EXCLUSIVE MODE").ok();
        let mut command =
            bed.command(&["--json", "--lock-timeout", "60s", "--statement-timeout", "90s"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("it runs");
        let mut admin = server.admin(&bed.name);
        until("the scan waits for the first table", || {
            let sql =
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass";
            (admin.query(sql).ok().scalar() == "1").then_some(())
        });
        owner.query("ALTER TABLE b RENAME TO c").ok();
        owner.query("CREATE VIEW b AS SELECT email FROM c").ok();
        owner.query("COMMIT").ok();
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout);
        clean(&said);
        let report: Value = serde_json::from_str(&said).expect("JSON");
        let why = "it is not there any more, or not as it was";
        assert_eq!(report["skipped"], json!([{"table": "public.b", "why": why}]));
    }
}

#[test]
fn bytes_that_are_no_text_keep_nothing_from_being_read() {
    for server in servers() {
        let bed = Bed::new(server, "scan_ascii", "SELECT 1", "");
        server.drop_database(&bed.name);
        let mut admin = server.admin("postgres");
        let sql = "CREATE DATABASE scan_ascii OWNER app ENCODING 'SQL_ASCII' TEMPLATE template0
                   LC_COLLATE 'C' LC_CTYPE 'C'";
        admin.query(sql).ok();
        let sql = r"CREATE TABLE people (mail text, town text);
            INSERT INTO people SELECT 'zq7' || n || '@example.com', E'zq7 caf\351 ' || n
              FROM generate_series(1, 9) n;
            COMMENT ON COLUMN people.town IS E'd\351j\340';
            DO $$ BEGIN EXECUTE format('CREATE TABLE %I (email text)', E't\351'); END $$";
        bed.server.direct(&bed.name).connect().query(sql).ok();
        let report = bed.json(&[]);
        let why = "it is not there any more, or not as it was";
        assert_eq!(report["skipped"], json!([{"table": "public.t\u{fffd}", "why": why}]));
        assert_eq!(report["totals"]["rows"], json!(9));
        let new = columns(&report, "new");
        assert!(new.contains(&"public.people.mail".to_owned()), "{new:?}");
    }
}

#[test]
fn a_draft_takes_no_catalogs_place() {
    let sql = "CREATE TABLE people (email text)";
    let bed = Bed::new(Postgres::shared(), "scan_draft", sql, "");
    let draft = bed.path("draft.toml");
    std::fs::write(&draft, "# by hand\n").expect("writable");
    let Ran { code, err, .. } = bed.scan(&["--draft", &draft]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("is there already"), "{err}");
    assert_eq!(bed.read("draft.toml"), "# by hand\n");
}
