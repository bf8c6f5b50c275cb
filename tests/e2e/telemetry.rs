//! What operators see over HTTP.

use crate::desk::{EMAIL, Shop};
use crate::support::keyhole::USERS;
use crate::support::traps::{self, Variant};
use crate::support::wait::until;

#[test]
fn health_and_readiness_answer() {
    let shop = Shop::open("http_health");
    assert_eq!(shop.proxy.http("/healthz").0, 200);
    assert_eq!(shop.proxy.http("/readyz").0, 200);
    assert_eq!(shop.proxy.http("/no/such/page").0, 404);
}

#[test]
fn metrics_count_statements_and_name_nobody() {
    let shop = Shop::open("http_metrics");
    let sum = |text: &str| -> f64 {
        let statements = text.lines().filter(|line| {
            line.starts_with("keyhole_") && line.contains("statements") && !line.contains("bucket")
        });
        statements.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let (status, before) = shop.proxy.http("/metrics");
    assert_eq!(status, 200);
    assert!(before.contains("# TYPE keyhole_"), "{before}");
    let mut session = shop.alice().connect();
    shop.dba().grant("public.customers.email", "alice");
    for _ in 0..5 {
        session.query(EMAIL).ok();
        session.query("SELECT ssn FROM customers WHERE id = 5").ok();
        session.query("SELECT ssn INTO t FROM customers");
    }
    let after = until("the statements are counted", || {
        let (_, text) = shop.proxy.http("/metrics");
        (sum(&text) >= sum(&before) + 15.0).then_some(text)
    });
    // A sample's figure has digits by chance; only names and labels could hold a value.
    let names: Vec<_> = after.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    let names: String = names.iter().map(|(name, _)| format!("{name}\n")).collect();
    assert_eq!(traps::finder(Variant::A).find(names.as_bytes(), b""), []);
    for (user, _) in USERS {
        assert!(!after.contains(user), "{user} is named in the metrics");
    }
    let elsewhere = |line: &&str| !line.starts_with("keyhole_column_") && !line.starts_with('#');
    let names_a_column = |line: &&str| line.contains("ssn");
    let named: Vec<_> = after.lines().filter(elsewhere).filter(names_a_column).collect();
    assert!(named.is_empty(), "a column is named where none is counted: {named:?}");
    for line in [
        "keyhole_column_masked_cells_total{column=\"public.customers.ssn\"} 5",
        "keyhole_refused_total{reason=\"denied\"} 5",
    ] {
        assert!(after.lines().any(|it| it == line), "{line} is not in\n{after}");
    }
    let decided = after.lines().find_map(|it| it.strip_prefix("keyhole_decision_seconds_count "));
    assert!(decided.is_some_and(|count| count.parse::<u64>().unwrap() >= 15), "{decided:?}");
}
