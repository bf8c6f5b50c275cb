//! The proof that nothing leaks: statements run on a database whose personal data is physically
//! masked, and through the proxy, without a grant, on two that differ only in what is hidden.
//!
//! - *Twin*: columns, rows, tags, SQLSTATEs through the proxy are those of the masked database.
//! - *Noninterference*: both others give the same bytes.
//! - *Canary*: no piece of a hidden value is in any byte.
//! - *Grants*: the same with random grants, which change every few statements while the sessions
//!   stay open. What they cover is raw in the twin and alike in both others; grants of others, of
//!   other databases, of tomorrow and of yesterday, and under conditions that do not hold cover
//!   nothing.
//! - *Narrower*: a grant with one more field shows no more.
//!
//! `make prove N=100000 SEED=1` for a long run; `ONLY=random:17`, `ONLY=basics:12`,
//! `ONLY=granted:17` or `ONLY=narrower:3` repeats one; `SQL='SELECT …'` tries one of your own, in
//! all forms.

#[path = "prove/compare.rs"]
mod compare;
#[path = "prove/corpus.rs"]
mod corpus;
#[path = "prove/dice.rs"]
mod dice;
#[path = "prove/generate/random.rs"]
mod generate;
#[path = "prove/grants.rs"]
mod grants;
#[path = "prove/holder.rs"]
mod holder;
#[path = "prove/known.rs"]
mod known;
#[path = "prove/narrower.rs"]
mod narrower;
#[path = "prove/run.rs"]
mod run;
#[path = "prove/shelf.rs"]
mod shelf;
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

use grants::{By, For, Grant, On, Round};
use holder::Holder;
use run::Run;
use statement::{Form, Statement};
use support::traps::{self, Variant};
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

/// Statements for which the same grants are held.
const STATEMENTS_PER_ROUND: usize = 25;

#[test]
fn grants_show_what_they_cover_and_nothing_else() {
    let wish = Wish::read();
    if wish.sql.is_some() {
        return;
    }
    let count = if wish.long { wish.random / 2 } else { 600 };
    eprintln!("SEED={} N={count}, with grants", wish.seed);
    let mut holder = Holder::open("granted");
    let corpus = corpus::read();
    let corpus: Vec<_> = corpus.iter().filter(|it| it.origin != "admin").collect();
    let mut held: Option<(usize, Round)> = None;
    for number in 0..count {
        if !wish.wants(&format!("granted:{number}")) || holder.run.enough() {
            continue;
        }
        let at = number / STATEMENTS_PER_ROUND;
        if held.as_ref().is_none_or(|(held, _)| *held != at) {
            let round = Round::new(wish.seed, at);
            holder.hold(&round.grants);
            held = Some((at, round));
        }
        let (mut statement, mut dice) = generate::statement(wish.seed, number);
        if dice.chance(20) {
            statement = (*dice.of(&corpus)).clone();
        }
        let by = held.as_ref().map_or(By::Anything, |(_, round)| round.by);
        if hangs_on_more(&statement, by) {
            continue;
        }
        (statement.origin, statement.number) = ("granted".to_owned(), number);
        let form = *dice.of(&Form::of(&statement));
        if wish.only.is_some() {
            let held = &holder.run.held;
            eprintln!("{form:?}: {}\n    with {:?}{held}", statement.sql, statement.params);
        }
        holder.run.is_proven(&statement, form);
    }
    eprintln!("{}", holder.run.tally);
    let found = &holder.run.differences;
    assert!(
        found.is_empty(),
        "SEED={}: {} differences:\n{}",
        wish.seed,
        found.len(),
        found.join("\n")
    );
}

/// What row-scoped grants mean in every kind of statement and form: what is granted is raw, and
/// nothing else.
#[test]
fn a_granted_row_is_raw_and_no_other() {
    let wish = Wish::read();
    let mut holder = Holder::open("one_row");
    let on = |table: &str, rows: &str| Grant {
        on: On::Table(table.to_owned()),
        rows: Some(rows.to_owned()),
        whom: For::User,
    };
    holder.hold(&[
        on("public.customers", "id = 5"),
        on("public.customers", "id IN (62, 5)"),
        on("public.events", "id = 5"),
        // Everybody's is 1, or not known.
        on("hr.employees", "manager_id <> 1"),
    ]);
    let row = |id| {
        ["email", "ssn"].map(|column| traps::stored(Variant::A, &format!("customers.{column}"), id))
    };
    let raw: Vec<String> = [row(5), row(62)].concat();
    let mut refused = Vec::new();
    for statement in corpus::of_text("one_row", &traps::with_guesses(ONE_ROW)) {
        for form in Form::of(&statement) {
            if !wish.wants(&statement.name()) {
                continue;
            }
            let answers = holder.run.try_one(&statement, form);
            let heard = String::from_utf8_lossy(&answers.a.bytes).into_owned();
            if let Some(why) = compare::refusal(&answers.a, &answers.twin) {
                refused.push(format!("{form:?}: {}: {why}", statement.sql));
            } else if compare::code(&answers.a).is_empty() {
                assert!(raw.iter().any(|raw| heard.contains(raw)), "{form:?}: {}", statement.sql);
            }
        }
    }
    eprintln!("{}", holder.run.tally);
    assert!(holder.run.differences.is_empty(), "{}", holder.run.differences.join("\n"));
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn a_grant_with_one_more_field_shows_no_more() {
    let wish = Wish::read();
    if wish.sql.is_some() {
        return;
    }
    let pairs = if wish.long { wish.random / 50 } else { 60 };
    let mut holder = Holder::open("narrower");
    let found = narrower::differences(&mut holder, wish.seed, pairs, |name| wish.wants(name));
    assert!(found.is_empty(), "SEED={}: {}", wish.seed, found.join("\n"));
}

const ONE_ROW: &str = include_str!("prove/one_row.sql");

/// On where rows lie, be it for a last digit, which is not the same in both databases once values
/// have been granted; or on rows that it moves into a grant.
fn hangs_on_more(statement: &Statement, by: By) -> bool {
    let upper = statement.sql.to_ascii_uppercase();
    let places =
        ["TABLESAMPLE", "CTID", "XMIN", "CORR(", "COVAR_"].iter().any(|word| upper.contains(word));
    places || (by == By::Anything && statement.writes())
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
