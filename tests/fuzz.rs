//! Random inputs to whatever the network reaches first: framing, startup packets, SCRAM, and whole
//! sequences of the extended protocol; and to what looks for personal data in values. Seeded, so
//! that each input can be had again:
//!
//! - `FUZZ_INPUTS=n` makes n inputs for each target (default 20,000; `make fuzz`: millions),
//! - `SEED=n` begins elsewhere,
//! - `FUZZ_ONLY=sequences:17` repeats one input.
//!
//! The targets take their decisions from [`choices::Choices`], which a coverage-guided fuzzer can
//! feed as well (`fuzz/`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "session/bench.rs"]
#[expect(dead_code, reason = "shared with the transcripts of sessions")]
mod bench;
#[path = "fuzz/bytes.rs"]
mod bytes;
#[path = "fuzz/choices.rs"]
#[expect(dead_code, reason = "fuzzers that bring their own bytes are elsewhere")]
mod choices;
#[path = "fuzz/framing.rs"]
mod framing;
#[path = "session/messages.rs"]
#[expect(dead_code, reason = "shared with the transcripts of sessions")]
mod messages;
#[path = "fuzz/scram.rs"]
mod scram;
#[path = "fuzz/sequences.rs"]
mod sequences;
#[path = "fuzz/server.rs"]
mod server;
#[path = "support/small_shop.rs"]
mod small_shop;
#[path = "fuzz/startup.rs"]
mod startup;
#[path = "fuzz/values.rs"]
mod values;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use choices::Choices;

type Target = fn(&mut Choices<'_>);

const INPUTS: u64 = 20_000;

/// An input takes microseconds; one that takes this long never ends.
const HANG: Duration = Duration::from_secs(60);

/// What the process may grow by between the first tenth of a run and its end: allocators keep
/// some, caches are bounded.
const GROWTH_KIB_MAX: u64 = 64 << 10;

#[test]
fn framing_reads_what_is_there() {
    feed("framing", framing::run);
}

#[test]
fn startup_packets_are_read_to_the_byte() {
    feed("startup", startup::run);
}

#[test]
fn scram_lets_nobody_in_but_by_proof() {
    feed("scram", scram::run);
}

#[test]
fn sequences_show_nothing_raw_and_come_to_an_end() {
    feed("sequences", sequences::run);
}

#[test]
fn values_are_looked_at_and_not_told() {
    feed("values", values::run);
}

fn feed(name: &'static str, target: Target) {
    let seed = number("SEED").unwrap_or(20_261_127);
    // The stack that the proxy's workers have, too.
    let on_a_worker_stack = std::thread::Builder::new().stack_size(16 << 20);
    let thread = on_a_worker_stack.spawn(move || match only(name) {
        Only::This(index) => target(&mut Choices::seeded(seed, index)),
        Only::Others => {}
        Only::All => run(name, target, seed, number("FUZZ_INPUTS").unwrap_or(INPUTS)),
    });
    assert!(thread.unwrap().join().is_ok(), "see above: SEED={seed}");
}

fn run(name: &'static str, target: Target, seed: u64, inputs: u64) {
    let at = Arc::new(AtomicU64::new(0));
    let _watched = watch(name, seed, &at);
    let mut early_kib = 0;
    for index in 0..inputs {
        at.store(index, Ordering::Relaxed);
        if index == inputs / 10 {
            early_kib = resident_kib();
        }
        let input = std::panic::AssertUnwindSafe(|| target(&mut Choices::seeded(seed, index)));
        if let Err(panic) = std::panic::catch_unwind(input) {
            eprintln!("repeat it with SEED={seed} FUZZ_ONLY={name}:{index}");
            std::panic::resume_unwind(panic);
        }
    }
    let grown_kib = resident_kib().saturating_sub(early_kib);
    eprintln!("{name}: {inputs} inputs, seed {seed}, grown by {grown_kib} KiB");
    assert!(grown_kib < GROWTH_KIB_MAX, "{name} grew by {grown_kib} KiB");
}

/// Ends the process if an input takes too long, until what it returns is dropped.
fn watch(name: &'static str, seed: u64, at: &Arc<AtomicU64>) -> mpsc::Sender<()> {
    let (done, ended) = mpsc::channel();
    let at = Arc::clone(at);
    std::thread::spawn(move || {
        let mut last = u64::MAX;
        while ended.recv_timeout(HANG) == Err(mpsc::RecvTimeoutError::Timeout) {
            let index = at.load(Ordering::Relaxed);
            if index == last {
                eprintln!("hangs: SEED={seed} FUZZ_ONLY={name}:{index}");
                std::process::abort();
            }
            last = index;
        }
    });
    done
}

/// Memory of this process; 0 where the system does not say.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

enum Only {
    All,
    This(u64),
    Others,
}

fn only(name: &str) -> Only {
    let Some(text) = std::env::var("FUZZ_ONLY").ok().filter(|text| !text.is_empty()) else {
        return Only::All;
    };
    match text.split_once(':') {
        Some((target, index)) if target == name => Only::This(index.parse().unwrap()),
        _ if text == name => Only::All,
        _ => Only::Others,
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}
