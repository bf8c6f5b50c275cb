//! Attacks: a login without a grant tries to learn hidden values.
//!
//! Each attack of the corpus runs on two databases that differ only in hidden values. It succeeds
//! when a canary is in any byte to the client, or when the two sessions differ in any byte. Whether
//! the proxy masked or refused does not matter. Each is tried on a direct connection first: there
//! it must succeed, or the corpus tests nothing.

mod adaptive;
mod corpus;
mod lab;
mod session;

use corpus::Attack;
use lab::Lab;
use session::Form;

/// One test a class, named like it.
macro_rules! classes {
    ($($class:ident)*) => {
        $(
            #[test]
            fn $class() {
                let text = include_str!(concat!("../attacks/", stringify!($class), ".toml"));
                withstand(stringify!($class), &corpus::read(text));
            }
        )*

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
}

const ATTACKS_MIN: usize = 5;

fn withstand(class: &str, attacks: &[Attack]) {
    assert!(attacks.len() >= ATTACKS_MIN, "{class} has only {} attacks", attacks.len());
    let mut lab = Lab::open(class);
    let mut failures = Vec::new();
    for attack in attacks {
        if let Err(harmless) = lab.try_directly(attack) {
            failures.push(format!("{}: without the proxy it fails: {harmless}", attack.title));
        }
        if std::env::var_os("DIRECT").is_some() {
            continue;
        }
        for form in Form::of(attack) {
            if let Err(leak) = lab.try_proxied(attack, form) {
                failures.push(format!("{} ({form:?}): {leak}", attack.title));
            }
        }
    }
    let (count, all) = (failures.len(), attacks.len());
    assert!(failures.is_empty(), "{class}: {count} of {all}:\n- {}", failures.join("\n- "));
}
