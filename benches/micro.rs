//! Times of the core's hot paths, by criterion: `make microbench`, some of them by name with
//! `make microbench ONLY=lookup`.
#![expect(clippy::disallowed_methods, reason = "it measures time")]

#[path = "../tests/session/messages.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests of sessions")]
mod messages;
#[path = "paths.rs"]
mod paths;
#[path = "people.rs"]
mod people;
#[path = "../tests/support/small_shop.rs"]
mod small_shop;

use std::time::{Duration, Instant};

use criterion::{Bencher, Criterion};

use paths::{PATHS, Path, Ready};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, make) in PATHS {
        criterion.bench_function(name, |bencher| measure(bencher, &mut *make()));
    }
    criterion.final_summary();
}

fn measure(bencher: &mut Bencher<'_>, path: &mut dyn Path) {
    match path.prepare() {
        Ready::Still => bencher.iter(|| path.run()),
        // What is made ready takes no part in the time.
        Ready::Anew => bencher.iter_custom(|times| {
            let mut taken = Duration::ZERO;
            for _ in 0..times {
                path.prepare();
                let began = Instant::now();
                path.run();
                taken += began.elapsed();
            }
            taken
        }),
    }
}
