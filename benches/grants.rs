//! What a grant costs: asking the live table, changing it, keeping it in memory.
//!
//! Prints one line of JSON for each number of grants: `make bench-grants`.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures and prints")]

#[path = "people.rs"]
mod people;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use keyhole::grant::{Action, Asked, Counting, GrantEvent, Ledger, Live, LiveTable, RecordedEvent};
use keyhole::model::{Client, ColumnPath, Epoch, Timestamp};

use people::{GRANTS_PER_USER, client, column, grant};

/// Questions that are timed together.
const QUESTIONS: u32 = 200_000;

/// Resident bytes of this process.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number") * 4096
}

/// Nanoseconds for each of `count` calls.
fn nanos(count: u32, mut call: impl FnMut(u32)) -> f64 {
    let began = Instant::now();
    for number in 0..count {
        call(number);
    }
    began.elapsed().as_nanos() as f64 / f64::from(count)
}

fn measure(count: u64) {
    let now = Timestamp::from_second(1_800_000_000).expect("in range");
    let before = resident();
    let mut ledger = Ledger::of("bench");
    for id in 1..=count {
        let event = GrantEvent::Granted { grant: Box::new(grant(id, now)), receipt: None };
        let recorded = RecordedEvent { sequence: id, at: now, event };
        ledger.apply(&recorded).expect("they follow each other");
    }
    let mut table = LiveTable::of(Epoch(1), ledger.open().cloned());
    let kept = resident().saturating_sub(before);
    // Clients and columns that the questions go through, so that caches do not answer them.
    let users = (count / GRANTS_PER_USER).max(1);
    let clients: Vec<Client> =
        (0..1_000).map(|n| client(format!("user_{}", n * 7_919 % users))).collect();
    let columns: Vec<ColumnPath> = (0..GRANTS_PER_USER).map(column).collect();
    let stranger = client("nobody".into());
    let asked = |counting| Asked { action: Action::Read, now, counting };
    let question = |n: u32| {
        let n = n as usize;
        (&clients[n % clients.len()], &columns[n % columns.len()])
    };
    let mut found = 0_u32;
    let covered = nanos(QUESTIONS, |n| {
        let (client, column) = question(n);
        let cover = table.cover(client, column, "email", asked(Counting::Uses));
        found += u32::from(black_box(cover).is_some());
    });
    let refused = nanos(QUESTIONS, |n| {
        let (_, column) = question(n);
        black_box(table.cover(&stranger, column, "email", asked(Counting::Uses)));
    });
    let changed = nanos(200, |n| {
        let mut next = table.clone();
        let live = Live::from(Arc::new(grant(count + u64::from(n) + 1, now)));
        next.insert(live.clone());
        table = next;
        let mut next = table.clone();
        next.remove(&live.grant);
        table = next;
    }) / 2.0;
    println!(
        "{{\"grants\": {count}, \"covered_ns\": {covered:.0}, \"refused_ns\": {refused:.0}, \
         \"change_us\": {:.1}, \"bytes_per_grant\": {}, \"found\": {}}}",
        changed / 1_000.0,
        kept as u64 / count,
        f64::from(found) / f64::from(QUESTIONS)
    );
}

fn main() {
    for count in [10, 10_000, 1_000_000] {
        measure(count);
    }
}
