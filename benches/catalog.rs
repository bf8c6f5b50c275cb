//! What the size of a catalog costs: building gate 1, keeping it in memory, and reading with it.
//!
//! Prints one line of JSON for each number of sensitive names: `make bench-catalog`.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures and prints")]

use std::hint::black_box;
use std::time::Instant;

use keyhole::analysis::mention::Mention;

/// Texts of both kinds that are read for one figure, one after the other.
const ROUNDS: usize = 20_000;

const LOOKUP: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;";

/// Beginnings that the names share, as those of one schema do.
const WORDS: [&str; 10] = [
    "customers",
    "patient",
    "v_payroll",
    "audit_of",
    "orders",
    "staging",
    "archive",
    "hr_absence",
    "placed_offers",
    "region_contacts",
];

/// Resident bytes of this process.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number") * 4096
}

/// A report's query of 4 KiB that names nothing sensitive, though some words begin like it.
fn report() -> String {
    let line = "       SUM(CASE WHEN o.placed_at >= $1 THEN o.total ELSE 0 END) AS \"Month 1\",\n";
    let mut text = format!("SELECT o.region, -- by region\n{}", line.repeat(64));
    text.truncate(4_096);
    text
}

/// Nanoseconds to read `text` once.
fn nanos(mention: &Mention, text: &str) -> f64 {
    assert!(mention.scan(text.as_bytes()).is_empty(), "it names nothing");
    let began = Instant::now();
    for _ in 0..ROUNDS {
        black_box(mention.scan(black_box(text.as_bytes())));
    }
    began.elapsed().as_nanos() as f64 / ROUNDS as f64
}

fn measure(count: usize) {
    let names: Vec<String> =
        (0..count).map(|n| format!("{}_{n:06}", WORDS[n % WORDS.len()])).collect();
    let before = resident();
    let began = Instant::now();
    let mention = Mention::new(names.iter().map(String::as_str), []).expect("it is built");
    let build_ms = began.elapsed().as_secs_f64() * 1_000.0;
    let kept = resident().saturating_sub(before);
    let report = report();
    println!(
        "{{\"names\": {count}, \"build_ms\": {build_ms:.1}, \"kib\": {}, \"gb_per_s\": {:.2}, \
         \"lookup_ns\": {:.0}}}",
        kept / 1024,
        report.len() as f64 / nanos(&mention, &report),
        nanos(&mention, LOOKUP),
    );
}

fn main() {
    for count in [10, 100, 1_000, 10_000, 100_000] {
        measure(count);
    }
}
