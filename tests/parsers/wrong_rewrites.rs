//! The comparison itself: it must notice what a wrong rewrite would do.

use keyhole::analysis::parse::parse;

use crate::unsplice::compare;

#[test]
fn a_rewrite_that_says_something_else_is_noticed() {
    let shop = crate::shop();
    let rows = "(SELECT id, '***' AS name, '***' AS email, '***' AS ssn, dob, balance \
                FROM public.customers)";
    let by_hand = |old: &str, new: &str| {
        let new = new.replace("MASKED", rows);
        let [old, new] = [old, &new].map(|text| parse(text).expect("SQL"));
        compare(&shop, &old, &new)
    };
    let old = "SELECT c.ssn FROM customers c WHERE c.id = 5 AND c.email = 'x'";
    assert!(by_hand(old, "SELECT c.ssn FROM MASKED c WHERE c.id = 5 AND c.email = 'x'").is_ok());
    for new in [
        // Something else outside the mask.
        "SELECT c.ssn FROM MASKED c WHERE c.id = 6 AND c.email = 'x'",
        "SELECT c.ssn FROM MASKED c WHERE c.id = 5 OR c.email = 'x'",
        "SELECT c.ssn, c.id FROM MASKED c WHERE c.id = 5 AND c.email = 'x'",
        "SELECT c.ssn FROM MASKED c, customers d WHERE c.id = 5 AND c.email = 'x'",
        "SELECT c.ssn AS x FROM MASKED c WHERE c.id = 5 AND c.email = 'x'",
        "SELECT c.ssn FROM MASKED c WHERE c.id = 5 AND c.email = 'x'; SELECT 1",
        // No such mask.
        "SELECT c.ssn FROM MASKED d WHERE c.id = 5 AND c.email = 'x'",
        "SELECT c.ssn FROM (SELECT * FROM public.customers) c WHERE c.id = 5 AND c.email = 'x'",
        "SELECT c.ssn FROM (SELECT id, name, '***' AS email, '***' AS ssn, dob, balance \
         FROM public.customers) c WHERE c.id = 5 AND c.email = 'x'",
        "SELECT c.ssn FROM (SELECT id, '***' AS name, email::text AS email, '***' AS ssn, dob, \
         balance FROM public.customers) c WHERE c.id = 5 AND c.email = 'x'",
        "SELECT c.ssn FROM (SELECT id, '***' AS name, '***' AS email, '***' AS ssn, dob, balance \
         FROM public.orders) c WHERE c.id = 5 AND c.email = 'x'",
        "SELECT c.ssn FROM (SELECT id, '***' AS name, '***' AS email, '***' AS ssn, dob, balance \
         FROM ONLY public.customers) c WHERE c.id = 5 AND c.email = 'x'",
        "SELECT c.ssn FROM (SELECT id, '***' AS name, '***' AS email, '***' AS ssn, dob, balance \
         FROM public.customers WHERE id > 1) c WHERE c.id = 5 AND c.email = 'x'",
    ] {
        assert!(by_hand(old, new).is_err(), "{new}");
    }
    let update = "UPDATE customers SET email = 'x' WHERE customers.ssn = '1' RETURNING *";
    let right = "UPDATE customers SET email = CASE WHEN ('x') IS NOT DISTINCT FROM '*' \
                 THEN customers.email ELSE 'x' END WHERE '*' = '1' RETURNING customers.id, \
                 '*' AS name, '*' AS email, '*' AS ssn, customers.dob, customers.balance";
    by_hand(update, right).expect("the same");
    for (was, is) in [
        ("ELSE 'x'", "ELSE 'y'"),
        ("('x')", "('y')"),
        ("THEN customers.email", "THEN customers.id"),
        ("'*' = '1'", "customers.ssn = '1'"),
        ("'*' AS ssn", "customers.ssn"),
        ("'*' AS name, ", ""),
        ("customers.dob", "customers.ssn"),
    ] {
        let wrong = right.replace(was, is);
        assert!(by_hand(update, &wrong).is_err(), "{wrong}");
    }
}
