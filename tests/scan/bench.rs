//! What a scan costs: `make scan-bench` prints it for many tables.

use std::process::Stdio;

use serde_json::Value;

use crate::support::keyhole::signal;
use crate::support::wait::until;
use crate::support::{Client, Postgres};
use crate::{Bed, clean};

/// Columns of each table.
const COLUMNS: usize = 20;

/// How many tables; few, unless somebody wants figures.
fn tables() -> usize {
    std::env::var("KEYHOLE_SCAN_TABLES").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

fn schema(client: &mut Client, tables: usize) {
    let columns: Vec<String> = (0..COLUMNS)
        .map(|at| match at {
            0 => "id integer PRIMARY KEY".to_owned(),
            1 => "email text".to_owned(),
            2 => "phone varchar(40)".to_owned(),
            3 => "full_name text".to_owned(),
            4 => "created_at timestamptz".to_owned(),
            5..10 => format!("amount_{at} numeric(12,2)"),
            10..15 => format!("code_{at} text"),
            _ => format!("count_{at} bigint"),
        })
        .collect();
    let values: Vec<String> = (0..COLUMNS)
        .map(|at| match at {
            0 => "n".to_owned(),
            1 => "'zq7' || n || '@example.com'".to_owned(),
            2 => "'+49 30 90' || (100000 + n)".to_owned(),
            3 => "'zq7 Lovelace ' || n".to_owned(),
            4 => "now()".to_owned(),
            5..10 => format!("n * {at} + 0.5"),
            10..15 => format!("md5(n::text || '{at}')"),
            _ => format!("n * {at}"),
        })
        .collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    for number in 0..tables {
        // Every tenth is large enough to have its pages chosen.
        let rows = if number % 10 == 0 { 20_000 } else { 1_500 };
        client.query(&format!("CREATE TABLE t{number} ({columns})")).ok();
        client
            .query(&format!(
                "INSERT INTO t{number} SELECT {values} FROM generate_series(1, {rows}) n"
            ))
            .ok();
    }
    client.query("ANALYZE").ok();
}

/// As long as it takes: who wants figures has many tables.
fn patiently(bed: &Bed, args: &[&str]) -> Value {
    let args: Vec<&str> = ["--json"].iter().chain(args).copied().collect();
    let output = bed.command(&args).stdin(Stdio::null()).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    clean(&text);
    serde_json::from_str(&text).expect("JSON")
}

/// Rows, blocks, transactions and bytes that the server counts for the database.
fn counted(client: &mut Client, name: &str) -> Vec<i64> {
    let sql = format!(
        "SELECT xact_commit + xact_rollback, tup_returned, blks_hit + blks_read, temp_bytes
         FROM pg_stat_database WHERE datname = '{name}'"
    );
    client.query(&sql).ok().rows()[0].iter().map(|cell| cell.parse().expect("a number")).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "figures, for whoever asked for them")]
fn what_a_scan_costs_is_bounded() {
    let tables = tables();
    let bed = Bed::new(Postgres::shared(), "scan_bench", "SELECT 1", "");
    schema(&mut bed.server.direct(&bed.name).connect(), tables);
    let mut admin = bed.server.admin("postgres");
    let before = counted(&mut admin, &bed.name);
    let report = patiently(&bed, &[]);
    let number = |name: &str| report["measured"][name].as_f64().expect("a number");
    let after = until("the server has counted", || {
        let after = counted(&mut admin, &bed.name);
        // A session hands its counts in when it ends.
        (after[1] - before[1] >= i64::try_from(tables * 1_000).expect("few")).then_some(after)
    });
    let [transactions, rows, blocks, temporary] =
        [0, 1, 2, 3].map(|at: usize| after[at] - before[at]);
    println!(
        "{tables} tables x {COLUMNS} columns: {:.2} s, {} queries, {:.1} MiB of values; \
         the server: {transactions} transactions, {rows} rows returned, {blocks} blocks, \
         {temporary} B of temporary files",
        number("seconds"),
        number("queries"),
        number("bytes") / f64::from(1 << 20),
    );
    let queries = report["measured"]["queries"].as_u64().expect("a number");
    let tables_u64 = u64::try_from(tables).expect("few");
    assert!(queries <= 3 * tables_u64 + 20, "{queries} queries");
    assert_eq!(report["totals"]["rows"], serde_json::json!(tables * 1_000));
    assert!(transactions < i64::try_from(tables).expect("few") + 40, "{transactions}");
    assert_eq!(temporary, 0);

    let state = bed.path("state");
    let mut command = bed.command(&["--resume", &state, "--jobs", "2"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it runs");
    let lines = || std::fs::read_to_string(&state).map_or(0, |text| text.lines().count());
    until("half of the tables are read", || (lines() > tables / 2).then_some(()));
    signal(child.id(), "KILL");
    clean(&String::from_utf8_lossy(&child.wait_with_output().expect("it ends").stdout));
    let report = patiently(&bed, &["--resume", &state, "--jobs", "2"]);
    println!(
        "killed after {} tables and resumed: {:.2} s, {} queries, {} tables in all",
        report["measured"]["resumed"],
        report["measured"]["seconds"].as_f64().expect("a number"),
        report["measured"]["queries"],
        report["totals"]["tables"],
    );
    assert_eq!(report["totals"]["rows"], serde_json::json!(tables * 1_000));
    assert_eq!(report["totals"]["tables"], serde_json::json!(tables));
}
