//! Attacks: a login without a grant tries to learn hidden values.
//!
//! Each attack of the corpus runs on two databases that differ only in hidden values. It succeeds
//! when a canary is in any byte to the client, or when the two sessions differ in any byte. Whether
//! the proxy masked or refused does not matter. Each is tried on a direct connection too: there it
//! must succeed, or the corpus tests nothing.

mod adaptive;
mod corpus;
mod lab;
mod session;
mod wrap;

use corpus::Attack;
use lab::{Lab, Look, Wear};
use session::Form;

/// Two tests a class, named like it.
macro_rules! classes {
    ($($class:ident)*) => {
        /// Each attack succeeds where there is no proxy.
        mod unprotected {
            $(
                #[test]
                fn $class() {
                    super::succeed(stringify!($class));
                }
            )*
        }

        /// Each attack fails through the proxy.
        mod protected {
            $(
                #[test]
                fn $class() {
                    super::fail(stringify!($class));
                }
            )*
        }

        #[test]
        fn every_file_of_the_corpus_is_a_test() {
            let mut files: Vec<_> = std::fs::read_dir(
                std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/attacks"),
            )
            .expect("the corpus is there")
            .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
            .collect();
            files.sort();
            let mut tests = vec![$(concat!(stringify!($class), ".toml")),*];
            tests.sort_unstable();
            assert_eq!(files, tests);
        }
    };
}

classes! {
    alias boolean_oracle catalog_stats copy cursor_prepare ddl_laundering dml_returning
    dynamic_sql_functions error_oracle errors_and_notices explain functions laundering
    mask_composition matrix order_group_window parser_differential procedural protocol
    session_guc_notify setops_joins subquery_cte superuser timing_lock types views_partitions
    whole_row
    constraints hijack lazy merge own_objects rewired settings
}

const ATTACKS_MIN: usize = 5;

/// Of the attacks that seem slow, one in so many is shown to succeed directly by default.
const UNPROTECTED_SHARE: usize = 4;

/// With `KEYHOLE_ATTACKS=all` every attack is tried, in every form; it takes many minutes.
fn is_thorough() -> bool {
    std::env::var("KEYHOLE_ATTACKS").is_ok_and(|value| value == "all")
}

fn share(attacks: Vec<Attack>, one_in: usize) -> Vec<Attack> {
    let mut slow = 0;
    let taken = attacks.into_iter().filter(|attack| {
        slow += usize::from(attack.seems_slow());
        is_thorough() || !attack.seems_slow() || slow % one_in == 1
    });
    taken.collect()
}

fn succeed(class: &str) {
    let attacks = corpus::read(class);
    assert!(attacks.len() >= ATTACKS_MIN, "{class} has only {} attacks", attacks.len());
    let attacks = share(attacks, UNPROTECTED_SHARE);
    let mut lab = Lab::open(&format!("{class}_direct"));
    let tried = attacks.iter().map(|attack| (&attack.title, lab.try_directly(attack)));
    report(tried.filter_map(|(title, tried)| Some(format!("{title}: {}", tried.err()?))).collect());
}

/// By default an attack after which the databases have to be made anew takes only its first form.
fn fail(class: &str) {
    let attacks = corpus::read(class);
    let mut lab = Lab::open(class);
    let mut failures = Vec::new();
    for attack in &attacks {
        lab.expect_masks();
        if let Some(why) = &attack.gap {
            // So that the list of gaps does not outlive them.
            if Form::of(attack)
                .into_iter()
                .all(|form| lab.try_proxied(attack, form, Look::AtOnce).is_ok())
            {
                failures.push(format!("{}: no gap any more ({why}): say so", attack.title));
            }
            continue;
        }
        let mut look = Look::AtOnce;
        for form in Form::of(attack) {
            match lab.try_proxied(attack, form, look) {
                Ok(Wear::MadeAnew) if !is_thorough() => break,
                Ok(Wear::MadeAnew) => {}
                // It will do no more to them in other forms, or little.
                Ok(Wear::Untouched) => look = Look::Later,
                Err(leak) => failures.push(format!("{} ({form:?}): {leak}", attack.title)),
            }
        }
        if look == Look::Later {
            lab.clean_up();
        }
    }
    report(failures);
}

#[track_caller]
fn report(failures: Vec<String>) {
    assert!(failures.is_empty(), "{}:\n- {}", failures.len(), failures.join("\n- "));
}
