//! Parsers against each other: PostgreSQL's own grammar decides what a statement says, and here is
//! what must hold of any text, of texts that other parsers misread, of their mutants, of every
//! statement in the tests, and (`make regress`) of PostgreSQL's own regression suite.
//!
//! `FUZZ=n` makes the mutants n per test, `FUZZ_SECONDS=s` lets the fuzz targets run for s seconds,
//! `SEED=n` begins elsewhere.

#![expect(clippy::unwrap_used, reason = "a test that finds nothing shall end")]

#[path = "parsers/bench.rs"]
mod bench;
#[path = "introspect/catalog_file.rs"]
mod catalog_file;
#[path = "parsers/corpus.rs"]
mod corpus;
#[path = "parsers/crosscheck.rs"]
mod crosscheck;
#[path = "parsers/dependencies.rs"]
mod dependencies;
#[path = "masks/dice.rs"]
#[expect(dead_code, reason = "integers are for masks")]
mod dice;
#[path = "parsers/fuzz.rs"]
mod fuzz;
#[path = "parsers/live.rs"]
mod live;
#[path = "parsers/mutants.rs"]
mod mutants;
#[path = "parsers/regress.rs"]
mod regress;
#[path = "support/small_shop.rs"]
mod small_shop;
#[path = "support/fixture.rs"]
mod support;
#[path = "parsers/unsplice.rs"]
mod unsplice;
#[path = "parsers/wrong_rewrites.rs"]
mod wrong_rewrites;

use std::collections::BTreeMap;
use std::time::Duration;

use bench::{Bench, Outcome};
use crosscheck::Opinions;
use dependencies::Compared;
use dice::Dice;
use fuzz::Length;
use mutants::mutant;
use support::Postgres;
use support::traps::{self, Variant};

/// The small shop, whose `search_path` is the default one.
fn shop() -> Bench {
    Bench::new(small_shop::world(), &["pg_catalog", "public"])
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

fn seed() -> u64 {
    number("SEED").unwrap_or(20_261_122)
}

/// The stack that the proxy's workers have, too.
fn on_a_worker_stack<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(job).unwrap();
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

#[derive(Default)]
struct Tally {
    outcomes: BTreeMap<Outcome, usize>,
    violations: Vec<String>,
}

impl Tally {
    fn check(&mut self, bench: &Bench, text: &str) {
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bench.check(text)));
        match checked {
            Ok(Ok(outcome)) => *self.outcomes.entry(outcome).or_default() += 1,
            Ok(Err(why)) => self.violations.push(format!("{text:?}\n  {why}")),
            Err(_) => self.violations.push(format!("{text:?}\n  panicked")),
        }
    }

    #[track_caller]
    fn assert_none_violated(&self) {
        eprintln!("{:?}", self.outcomes);
        let shown: Vec<_> = self.violations.iter().take(20).map(String::as_str).collect();
        let count = self.violations.len();
        assert!(count == 0, "{count} violations:\n{}", shown.join("\n\n"));
    }

    fn of(&self, outcome: Outcome) -> usize {
        self.outcomes.get(&outcome).copied().unwrap_or_default()
    }
}

#[test]
fn what_other_parsers_misread_is_never_forwarded() {
    on_a_worker_stack(|| {
        let shop = shop();
        let mut tally = Tally::default();
        for (class, sql) in corpus::CLASSES {
            tally.check(&shop, sql);
            let passes = [Outcome::Clear, Outcome::Forward, Outcome::Unreadable];
            let passed = shop.check(sql).is_ok_and(|outcome| passes.contains(&outcome));
            assert!(!passed, "{class}: {sql}");
        }
        tally.assert_none_violated();
        assert!(tally.of(Outcome::Compute) + tally.of(Outcome::Show) >= 25, "{:?}", tally.outcomes);
    });
}

#[test]
fn every_statement_in_the_tests_keeps_the_properties() {
    on_a_worker_stack(|| {
        let shop = shop();
        let mut tally = Tally::default();
        for text in corpus::all() {
            tally.check(&shop, &text);
        }
        tally.assert_none_violated();
        assert!(tally.of(Outcome::Compute) > 100, "{:?}", tally.outcomes);
    });
}

#[test]
fn mutants_of_every_statement_keep_the_properties() {
    on_a_worker_stack(|| {
        let (shop, texts) = (shop(), corpus::all());
        let (mut tally, mut dice) = (Tally::default(), Dice::new(seed()));
        for _ in 0..number("FUZZ").unwrap_or(40_000) {
            let [one, other] = [(); 2].map(|()| &texts[dice.below(texts.len() as u64) as usize]);
            tally.check(&shop, &mutant(one, other, &mut dice));
        }
        eprintln!("seed {}", seed());
        tally.assert_none_violated();
        // The mutants are not all nonsense.
        assert!(tally.of(Outcome::Compute) > 100, "{:?}", tally.outcomes);
    });
}

#[test]
fn a_parser_of_another_make_finds_the_same_relations() {
    on_a_worker_stack(|| {
        let shop = shop();
        let mut opinions = Opinions::default();
        for text in corpus::all() {
            opinions.add(&shop, &text);
        }
        let Opinions { unread, agree, sensitive, explained, different } = opinions;
        eprintln!("{agree} agree, {sensitive} of them sensitive, {unread} unread, {explained:?}");
        assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
        let explained: usize = explained.values().sum();
        assert!(sensitive > 200 && explained * 10 < agree, "{sensitive} {agree} {explained}");
        assert!(explained >= 5, "{explained}: it is trusted by nobody, for a reason");
    });
}

#[test]
fn no_bytes_violate_a_fuzz_target() {
    let length = match number("FUZZ_SECONDS") {
        Some(seconds) => Length::Time(Duration::from_secs(seconds)),
        None => Length::Inputs(10_000),
    };
    eprintln!("seed {}, {length:?}", seed());
    let count = on_a_worker_stack(move || fuzz::run(seed(), length));
    eprintln!("{count} inputs for each of {} targets", fuzz::TARGETS.len());
}

#[test]
fn the_traps_are_read_as_postgresql_reads_them() {
    let server = Postgres::shared();
    traps::create(server, "parsers_traps", Variant::A);
    let bench = live::bench(server, "parsers_traps", traps::CATALOG);
    on_a_worker_stack(move || {
        let (mut tally, mut compared) = (Tally::default(), Compared::default());
        let mut session = server.direct("parsers_traps").connect();
        let texts = corpus::all();
        for text in &texts {
            tally.check(&bench, text);
            compared.add(&bench, &mut session, text);
        }
        let mut dice = Dice::new(seed());
        for _ in 0..number("FUZZ").unwrap_or(10_000) {
            let [one, other] = [(); 2].map(|()| &texts[dice.below(texts.len() as u64) as usize]);
            tally.check(&bench, &mutant(one, other, &mut dice));
        }
        tally.assert_none_violated();
        compared.assert_none_different();
        assert!(compared.sensitive > 200, "{compared:?}");
    });
}
