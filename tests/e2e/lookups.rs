//! `lookup`: who holds it may ask whether a value is there, by equality, and sees masks.

use crate::desk::{Shop, email, masked};
use crate::support::message::Format;
use crate::support::traps::{self, Variant};
use crate::support::wait::until;

/// Alice may look up addresses and dates of birth.
fn granted(name: &str) -> Shop {
    let shop = Shop::open_with(name, |config| config.set("enforcement", "lookups_per_minute", 500));
    let mut dba = shop.dba();
    for column in ["email", "dob", "ssn"] {
        dba.say(&format!(
            "GRANT LOOKUP ON shop.public.customers.{column} TO alice FOR '30 minutes' \
             REASON 'INC-7: a test'"
        ));
    }
    shop
}

/// Finds customer 5, or nobody.
fn finding() -> Vec<String> {
    let (email, other) = (email(), traps::stored(Variant::A, "customers.email", 7));
    let dob = traps::stored(Variant::A, "customers.dob", 5);
    [
        format!("SELECT id, email FROM customers WHERE email = '{email}'"),
        format!("SELECT * FROM customers WHERE '{email}' = email"),
        format!("SELECT c.*, c.email FROM customers c WHERE c.email = '{email}'::text AND id < 9"),
        format!("SELECT id FROM customers c WHERE email IN ('x', '{email}') ORDER BY c.email"),
        format!("SELECT id FROM public.customers AS c WHERE dob = '{dob}' AND email = '{email}'"),
        format!("SELECT id FROM customers WHERE dob IN ('1900-01-01', '{dob}') AND id = 5"),
        format!(
            "SELECT c.id FROM customers c JOIN orders o ON o.customer_id = c.id \
                 WHERE c.email = '{email}' GROUP BY c.id"
        ),
        format!(
            "SELECT c.id FROM customers c LEFT JOIN kyc_checks k ON k.id = c.id \
                 WHERE c.email = '{email}'"
        ),
        format!(
            "SELECT id FROM customers WHERE id IN (SELECT id FROM customers c \
                 WHERE c.email = '{email}')"
        ),
        format!("WITH x AS (SELECT id FROM customers WHERE email = '{email}') SELECT id FROM x"),
        format!(
            "SELECT id FROM customers WHERE email = '{email}' UNION \
                 SELECT id FROM customers WHERE email = '{email}' AND email <> '{other}'"
        ),
    ]
    .into()
}

#[test]
fn a_stored_value_is_found_and_stays_masked() {
    let shop = granted("lookup_found");
    let mut alice = shop.alice().connect();
    for sql in finding() {
        for rows in [alice.query(&sql).ok().rows(), alice.extended(&sql, &[], Format::Text).rows()]
        {
            assert_eq!(rows.len(), 1, "{sql}");
            assert_eq!(rows[0][0], "5", "{sql}");
            assert!(!rows[0].contains(&email()), "{sql}");
        }
    }
    let shown = alice.query(&finding()[0]).ok().rows();
    assert_eq!(shown[0][1], masked(&email()));
    let sql = "SELECT id, email FROM customers WHERE email = $1";
    let found = alice.extended(sql, &[Some(&email())], Format::Text);
    assert_eq!(found.rows(), [["5".to_owned(), masked(&email())]]);
}

#[test]
fn without_the_grant_conditions_see_masks() {
    let shop = granted("lookup_masks");
    let mut bob = shop.bob().connect();
    for sql in finding() {
        assert!(bob.query(&sql).ok().rows().is_empty(), "{sql}");
    }
}

/// Whatever is not equality with a value of the client's sees masks, for holders as well.
#[test]
fn nothing_but_equality_sees_what_is_stored() {
    let shop = granted("lookup_equality");
    let (email, mut alice) = (email(), shop.alice().connect());
    let start = &email[..5];
    for condition in [
        format!("email LIKE '{start}%'"),
        format!("email >= '{email}' AND email <= '{email}'"),
        format!("NOT email = '{email}' AND id = 5 AND false"),
        format!("(email = '{email}' OR false)"),
        format!("lower(email) = '{email}'"),
        format!("email || '' = '{email}'"),
        format!("email = '{email}' || ''"),
        format!("email = (SELECT '{email}')"),
        format!("email = ANY (ARRAY['{email}'])"),
        format!("email = ('{email}')"),
        format!("(email) = '{email}'"),
        format!("email IN (SELECT '{email}')"),
        format!("email IN ('{email}' || '')"),
        format!("email BETWEEN '{email}' AND '{email}'"),
        format!("email IS NOT DISTINCT FROM '{email}'"),
        format!("CASE WHEN email = '{email}' THEN true END"),
        format!("phone = '{}'", traps::stored(Variant::A, "customers.phone", 5)),
    ] {
        let reply = alice.query(&format!("SELECT id FROM customers WHERE {condition}"));
        assert!(reply.rows().is_empty(), "{condition}");
    }
    for sql in [
        format!("SELECT bool_or(email = '{email}') FROM customers"),
        format!("SELECT count(*) FROM customers HAVING max(email) = '{email}' AND false"),
        format!(
            "SELECT c.id FROM orders o LEFT JOIN customers c ON c.email = '{email}' \
                 WHERE c.id = 5"
        ),
        format!(
            "SELECT c.id FROM orders o LEFT JOIN customers c ON c.id = o.customer_id \
                 WHERE c.email = '{email}'"
        ),
        format!("SELECT id FROM v_customers WHERE email = '{email}'"),
        format!("UPDATE customers SET balance = 1 WHERE email = '{email}' RETURNING id"),
    ] {
        let rows = alice.query(&sql).rows();
        assert!(rows.is_empty() || rows[0][0] == "f" || rows[0][0] == "0", "{sql}: {rows:?}");
    }
}

/// An operator `=` of the attacker's own, in front of PostgreSQL's, compares nothing stored.
#[test]
fn an_operator_of_the_clients_own_sees_masks() {
    let shop = granted("lookup_operator");
    let mut alice = shop.alice().connect();
    for sql in [
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine.eq(a text, b text) RETURNS boolean LANGUAGE sql AS \
         $$ SELECT a LIKE b $$",
        "CREATE OPERATOR mine.= (leftarg = text, rightarg = text, function = mine.eq)",
        "SET search_path = mine, pg_catalog, public",
    ] {
        alice.query(sql);
    }
    let sql = format!("SELECT id FROM customers WHERE email = '{}%'", &email()[..5]);
    assert!(alice.query(&sql).rows().is_empty());
    let sql = format!("SELECT id FROM customers WHERE email = '{}'", email());
    assert_eq!(alice.query(&sql).ok().scalar(), "5");
}

#[test]
fn so_many_values_a_minute_and_no_more() {
    let shop = Shop::open_with("lookup_limit", |config| {
        config.set("enforcement", "lookups_per_minute", 4)
    });
    shop.dba().say(
        "GRANT LOOKUP ON shop.public.customers.email TO alice FOR '30 minutes' REASON 'INC-7: x'",
    );
    let mut alice = shop.alice().connect();
    let five = "SELECT id FROM customers WHERE email IN ('a', 'b', 'c', 'd', 'e')";
    let one = "SELECT id FROM customers WHERE email = $1";
    assert_eq!(alice.query(five).code(), "53400");
    for _ in 0..4 {
        alice.extended(one, &[Some("a")], Format::Text).ok();
    }
    assert_eq!(alice.extended(one, &[Some("a")], Format::Text).code(), "53400");
    assert_eq!(shop.alice().connect().query(five).code(), "53400");
    alice.query("SELECT id, email FROM customers WHERE id = 5").ok();
}

#[test]
fn lookups_are_on_record_before_they_run_and_end_with_their_grant() {
    let shop = granted("lookup_record");
    let mut alice = shop.alice().connect();
    let sql = format!("SELECT id FROM customers WHERE email = '{}'", email());
    let prepared = [
        crate::support::client::parse("p", "SELECT id FROM customers WHERE email = $1"),
        crate::support::client::sync(),
    ];
    alice.send(&prepared.concat()).expect("alive");
    alice.until_ready().ok();
    assert_eq!(alice.query(&sql).ok().scalar(), "5");
    let log = shop.proxy.audit_text();
    assert!(log.contains("\"lookups\":[\"public.customers.email\"]"), "{log}");
    until("the statement's own record", || {
        let log = shop.proxy.audit_text();
        log.contains("\"looked_up_columns\":[\"public.customers.email\"]").then_some(())
    });
    let log = shop.proxy.audit_text();
    assert!(!log.contains(&email()));
    let mut dba = shop.dba();
    for grant in 1..=3 {
        dba.say(&format!("REVOKE {grant}"));
    }
    assert!(alice.query(&sql).ok().rows().is_empty());
    let run = [
        crate::support::client::bind("", "p", &[Some(&email())], Format::Text),
        crate::support::client::execute("", 0),
        crate::support::client::sync(),
    ];
    alice.send(&run.concat()).expect("alive");
    assert!(alice.until_ready().ok().rows().is_empty());
}

/// A type of the client's own brings its own collation along.
#[test]
fn a_collation_of_the_clients_own_finds_nothing_else() {
    let shop = granted("lookup_collation");
    let mut alice = shop.alice().connect();
    for sql in [
        "CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level1-ka-shifted', \
         deterministic = false)",
        "CREATE DOMAIN loose AS text COLLATE folded",
        "CREATE DOMAIN loosely AS loose",
    ] {
        assert_eq!(alice.query(sql).code(), "42501", "{sql}");
        shop.direct().connect().query(sql).ok();
    }
    let guess = email().to_uppercase();
    let mut seen = Vec::new();
    for sql in [
        format!("SELECT id FROM customers WHERE email = '{guess}'::loose"),
        format!("SELECT id FROM customers WHERE email = '{guess}'::loosely"),
        format!("SELECT id FROM customers WHERE email = '{guess}'::loose::text"),
        format!("SELECT id FROM customers WHERE email IN ('{guess}'::loose)"),
        format!(
            "PREPARE p(loose) AS SELECT id FROM customers WHERE email = $1; EXECUTE p('{guess}')"
        ),
    ] {
        let reply = alice.query(&sql);
        if !reply.rows().is_empty() {
            seen.push(sql);
        }
    }
    let oid: i32 = alice.query("SELECT 'loose'::regtype::oid").ok().scalar().parse().expect("OID");
    let body = [&b"q\0SELECT id FROM customers WHERE email = $1\0\0\x01"[..], &oid.to_be_bytes()];
    let messages = [
        crate::support::client::frame(b'P', &body.concat()),
        crate::support::client::bind("", "q", &[Some(&guess)], Format::Text),
        crate::support::client::execute("", 0),
        crate::support::client::sync(),
    ];
    alice.send(&messages.concat()).expect("alive");
    if !alice.until_ready().rows().is_empty() {
        seen.push("a parameter of the domain".to_owned());
    }
    assert!(seen.is_empty(), "{seen:#?}");
}

/// Rows of other types are compared column by column, and fail where they are equal so far.
#[test]
fn a_composite_value_is_looked_up_whole() {
    let shop = granted("lookup_composite");
    shop.dba().say(
        "GRANT LOOKUP ON shop.public.leads.who TO alice FOR '30 minutes' REASON 'INC-7: a test'",
    );
    let sql = "SELECT (who).full_name FROM leads WHERE id = 5";
    let name = shop.direct().connect().query(sql).ok().scalar();
    let mut alice = shop.alice().connect();
    shop.direct().connect().query("CREATE TYPE odd AS (a text, b int, c int)").ok();
    let [right, wrong] = [name.as_str(), "nobody"].map(|name| {
        let sql = format!("SELECT id FROM leads WHERE who = '(\"{name}\",1,1)'::odd");
        alice.query(&sql).code().to_owned()
    });
    assert_eq!(right, wrong);
}

/// An implicit cast of the column's type would be given what is stored.
#[test]
fn a_cast_of_the_clients_own_sees_nothing() {
    let shop = granted("lookup_cast");
    shop.dba().say(
        "GRANT LOOKUP ON shop.public.leads.who TO alice FOR '30 minutes' REASON 'INC-7: a test'",
    );
    let mut alice = shop.alice().connect();
    let mut said = Vec::new();
    for sql in [
        "CREATE TABLE seen (what text)",
        "CREATE FUNCTION peek(a person_t) RETURNS text LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO seen VALUES (a.email); RETURN 'x'; END $$",
        "CREATE CAST (person_t AS text) WITH FUNCTION peek(person_t) AS IMPLICIT",
        "SELECT id FROM leads WHERE who = 'x'::text",
    ] {
        said.push(format!("{sql}: {}", alice.query(sql).code()));
    }
    let seen = shop.direct().connect().query("SELECT * FROM seen").ok().rows();
    assert!(seen.is_empty(), "{seen:?} {said:#?}");
}

/// However they are asked.
#[test]
fn every_way_of_asking_counts() {
    let shop = Shop::open_with("lookup_counts", |config| {
        config.set("enforcement", "lookups_per_minute", 4)
    });
    shop.dba().say(
        "GRANT LOOKUP ON shop.public.customers.email TO alice FOR '30 minutes' REASON 'INC-7: x'",
    );
    let mut alice = shop.alice().connect();
    let prepare = "PREPARE p(text) AS SELECT id FROM customers WHERE email = $1";
    let many = "EXECUTE p('a'); ".repeat(8);
    let reply = alice.query(&format!("{prepare}; {many}"));
    assert_ne!(reply.code(), "", "so many at once: {:?}", reply.tags());
    alice.query("DEALLOCATE ALL");
    let reply = alice.query(&format!("BEGIN; {prepare}; COMMIT; {many}"));
    assert_ne!(reply.code(), "", "so many at once: {:?}", reply.tags());
}

/// A view's own conditions are no lookups of the client's: nobody would know of them.
#[test]
fn conditions_of_views_are_no_lookups() {
    let shop = granted("lookup_view");
    let sql = format!(
        "CREATE VIEW v_one AS SELECT id, balance FROM customers WHERE email = '{}'",
        email()
    );
    shop.direct().connect().query(&sql).ok();
    let mut alice = shop.alice().connect();
    alice.query("CREATE TABLE anything (a int)").ok();
    let rows = until("the view is known", || {
        let reply = alice.query("SELECT id FROM v_one");
        (reply.error().is_none()).then(|| reply.rows())
    });
    let log = shop.proxy.audit_text();
    assert!(rows.is_empty() || log.contains("\"lookups\""), "a lookup that nobody counts");
}
