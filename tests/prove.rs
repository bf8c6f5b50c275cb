//! The proof that nothing leaks: statements run on a database whose personal data is physically
//! masked, and through the proxy, without a grant, on two that differ only in what is hidden.
//!
//! - *Twin*: columns, rows, tags, SQLSTATEs through the proxy are those of the masked database.
//! - *Noninterference*: both others give the same bytes.
//! - *Canary*: no piece of a hidden value is in any byte.
//!
//! `make prove N=100000 SEED=1` for a long run; `ONLY=random:17` or `ONLY=basics:12` repeats one;
//! `SQL='SELECT …'` tries one of your own, in all forms.

#[path = "prove/compare.rs"]
mod compare;
#[path = "prove/corpus.rs"]
mod corpus;
#[path = "prove/dice.rs"]
mod dice;
#[path = "prove/generate/random.rs"]
mod generate;
#[path = "prove/known.rs"]
mod known;
#[path = "prove/run.rs"]
mod run;
#[path = "prove/shop.rs"]
mod shop;
#[path = "prove/statement.rs"]
mod statement;
#[path = "support/fixture.rs"]
mod support;
#[path = "prove/tally.rs"]
mod tally;
#[path = "prove/trio.rs"]
mod trio;

use run::Run;
use statement::Form;
use trio::Way;

/// What `make prove` passes; without it the run is short and the same every time.
struct Wish {
    random: usize,
    seed: u64,
    only: Option<String>,
    sql: Option<String>,
    long: bool,
}

impl Wish {
    fn read() -> Self {
        let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let number = |name: &str| get(name).map(|text| text.parse().expect("a number"));
        let random = number("KEYHOLE_PROVE_N");
        Self {
            long: random.is_some(),
            random: random.unwrap_or(1000) as usize,
            seed: number("KEYHOLE_PROVE_SEED").unwrap_or(20_241_122),
            only: get("KEYHOLE_PROVE_ONLY"),
            sql: get("KEYHOLE_PROVE_SQL"),
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == name)
    }
}

#[test]
fn nothing_leaks() {
    let wish = Wish::read();
    eprintln!("SEED={} N={}", wish.seed, wish.random);
    let mut run = Run::open("prove", Way::Proxied);
    if let Some(sql) = &wish.sql {
        let statement = corpus::statement("asked", 1, sql);
        for form in Form::of(&statement) {
            run.is_proven(&statement, form);
        }
        eprintln!("{}", run.tally);
        return;
    }
    for (index, statement) in corpus::read().into_iter().enumerate() {
        let forms = Form::of(&statement);
        for (turn, form) in forms.iter().enumerate() {
            // In a short run the forms take turns.
            let due = wish.long || wish.only.is_some() || index % forms.len() == turn;
            let due = due && wish.wants(&statement.name()) && !run.enough();
            if due && !run.is_proven(&statement, *form) {
                break;
            }
        }
    }
    for number in 0..wish.random {
        if wish.wants(&format!("random:{number}")) && !run.enough() {
            let (statement, mut dice) = generate::statement(wish.seed, number);
            let form = *dice.of(&Form::of(&statement));
            if wish.only.is_some() {
                eprintln!("{form:?}: {}\n    with {:?}", statement.sql, statement.params);
            }
            run.is_proven(&statement, form);
        }
    }
    run.read_audit_log();
    eprintln!("{}", run.tally);
    let found = &run.differences;
    assert!(
        found.is_empty(),
        "SEED={}: {} differences:\n{}",
        wish.seed,
        found.len(),
        found.join("\n")
    );
}

/// A proof that cannot fail proves nothing.
#[test]
fn without_the_proxy_the_proof_fails() {
    let mut run = Run::open("naked", Way::Direct);
    for statement in corpus::read().iter().filter(|statement| statement.origin == "basics") {
        run.try_one(statement, Form::Simple);
    }
    for oracle in ["unlike the twin", "A and B are told apart", "canaries"] {
        let found = run.differences.iter().filter(|text| text.contains(oracle)).count();
        assert!(found >= 60, "{oracle}: only {found}");
    }
}
