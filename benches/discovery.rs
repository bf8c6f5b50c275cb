//! What it costs to look at values: nanoseconds for each kind, through an `Observer`.
//!
//! Prints one line of JSON for each measurement: `make bench-discovery`.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures and prints")]

use std::hint::black_box;
use std::time::Instant;

use keyhole::discovery::{ColumnFacts, Observer};
use keyhole::model::RelationName;

/// Values of one measurement.
const VALUES: u64 = 2_000;
/// Each is made so often; the fastest counts.
const TRIES: usize = 60;
/// Columns of the table whose findings are made.
const COLUMNS: usize = 20;

/// A kind of values, the column's type, and how the nth is made.
type Kind = (&'static str, &'static str, fn(u64) -> String);

const KINDS: &[Kind] = &[
    ("small number", "integer", |n| (n % 1_000).to_string()),
    ("price", "numeric(10,2)", |n| format!("{}.{:02}", n % 900, n % 100)),
    ("timestamp", "timestamp", |n| format!("2024-02-{:02} 12:00:00", 1 + n % 28)),
    ("uuid", "uuid", |n| format!("0190163d-8694-739b-aea5-{n:012x}")),
    ("hash", "text", |n| format!("{:040x}", u128::from(n).wrapping_mul(HASH))),
    ("label", "text", |n| ["NEW", "PAID", "SENT"][n as usize % 3].to_owned()),
    ("16 digits", "text", |n| format!("4{:015}", n * 7_919)),
    ("11 digits", "text", |n| format!("{:011}", n * 982_451_653 % 99_999_999_999)),
    ("e-mail address", "text", |n| format!("user{n}@example.com")),
    ("telephone number", "text", |n| format!("+44 20 7946 {:04}", n % 10_000)),
    ("person", "text", |n| format!("{} Miller", ["Maria", "John", "Xyz"][n as usize % 3])),
    ("product", "text", |n| format!("Table lamp {}", ["red", "blue", "big"][n as usize % 3])),
    ("address", "text", |n| format!("{n} Main Street")),
    ("sentence", "text", |n| format!("{SENTENCE}{n}.")),
    ("document", "jsonb", |n| {
        format!(r#"{{"a": {n}, "email": "u{n}@example.com", "tags": ["x", "y"]}}"#)
    }),
];

const HASH: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

const SENTENCE: &str = "The quick brown fox jumps over the lazy dog and then sleeps for a while in \
                        the sun, all day long, until it wakes and counts to ";

fn facts(column: &str, data_type: &str) -> ColumnFacts {
    ColumnFacts {
        table: RelationName::new("public", "customers"),
        column: column.into(),
        data_type: data_type.into(),
        comment: None,
        table_comment: None,
        checks: Vec::new(),
        labels: Vec::new(),
        unique: false,
        primary_key: false,
        references: None,
    }
}

fn main() {
    let mut sum = 0.0;
    for (kind, data_type, make) in KINDS {
        let values: Vec<String> = (0..VALUES).map(make).collect();
        let mut fastest = f64::MAX;
        for _ in 0..TRIES {
            let mut observer = Observer::new(facts("c1", data_type));
            let start = Instant::now();
            for value in &values {
                observer.see(Some(value));
            }
            fastest = fastest.min(start.elapsed().as_secs_f64());
            black_box(observer.findings(&[]));
        }
        let nanos = fastest * 1e9 / VALUES as f64;
        sum += nanos;
        println!(r#"{{"values": "{kind}", "nanos": {nanos:.0}}}"#);
    }
    let mean = sum / KINDS.len() as f64;
    println!(r#"{{"values": "mean", "nanos": {mean:.0}, "per_second": {:.0}}}"#, 1e9 / mean);

    let names: Vec<String> = (0..COLUMNS).map(|n| format!("customer_column_{n}")).collect();
    let siblings: Vec<&str> = names.iter().map(String::as_str).collect();
    let start = Instant::now();
    for name in &names {
        let mut observer = Observer::new(facts(name, "text"));
        observer.see(Some("x"));
        black_box(observer.findings(&siblings));
    }
    let micros = start.elapsed().as_secs_f64() * 1e6 / COLUMNS as f64;
    println!(r#"{{"findings": "a column among {COLUMNS}", "micros": {micros:.1}}}"#);
}
