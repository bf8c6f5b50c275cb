//! Who may change definitions over personal data does not see through them before they are known.

use crate::desk::{Shop, email, masked};
use crate::support::message::Format;
use crate::support::traps::{self, Variant};
use crate::support::{Client, Target};

/// A shop, and Mia, who has the role `ddl`.
fn shop(name: &str) -> (Shop, Client) {
    let shop = Shop::open_with(name, |mut config| {
        let mia = "name = 'mia'\nroles = ['ddl']\nscram_env = 'KEYHOLE_BOB_PASSWORD'";
        config.push("user", mia);
        config
    });
    let mia = Target::new(shop.proxy.data_port(), "mia", "bob-secret", "shop").connect();
    (shop, mia)
}

const DEFINITIONS: [(&str, &str); 8] = [
    (
        "CREATE VIEW fresh AS SELECT email || '' AS x FROM customers WHERE id = 5",
        "SELECT x FROM fresh",
    ),
    (
        "ALTER TABLE customers RENAME COLUMN email TO x",
        "SELECT x || '' FROM customers WHERE id = 5",
    ),
    ("ALTER TABLE customers RENAME TO fresh", "SELECT email || '' FROM fresh WHERE id = 5"),
    ("ALTER TABLE customers SET SCHEMA hr", "SELECT email || '' FROM hr.customers WHERE id = 5"),
    (
        "CREATE OR REPLACE VIEW v_catalogue AS SELECT email::text AS sku, ''::text AS name, \
         0::numeric(10,2) AS price FROM customers WHERE id = 5",
        "SELECT sku || '' FROM v_catalogue",
    ),
    (
        "CREATE FUNCTION fresh() RETURNS text LANGUAGE sql AS \
         'SELECT email FROM customers WHERE id = 5'",
        "SELECT fresh()",
    ),
    ("ALTER FUNCTION get_customer_email(int) RENAME TO fresh", "SELECT fresh(5)"),
    (
        "CREATE MATERIALIZED VIEW fresh AS SELECT email || '' AS x FROM customers WHERE id = 5",
        "SELECT x || '' FROM fresh",
    ),
];

#[test]
fn definitions_of_an_open_transaction_are_not_seen_through() {
    let (_shop, mut mia) = shop("migrations_open");
    let email = email();
    for (define, read) in DEFINITIONS {
        let ways: [&dyn Fn(&mut Client) -> String; 4] = [
            &|mia| {
                mia.query("BEGIN").ok();
                mia.query(define);
                mia.query(read).code()
            },
            &|mia| {
                mia.query("BEGIN").ok();
                mia.query(define);
                mia.extended(read, &[], Format::Text).code()
            },
            &|mia| mia.query(&format!("BEGIN; {define}; {read}")).code(),
            &|mia| {
                mia.query("BEGIN").ok();
                mia.query(define);
                mia.query(&format!("COPY ({read}) TO STDOUT")).code()
            },
        ];
        for way in ways {
            let code = way(&mut mia);
            mia.query("ROLLBACK");
            assert!(["42501", "25P02", "42P01", "42883"].contains(&&*code), "{define}: {code}");
        }
    }
    let heard = String::from_utf8_lossy(&mia.heard).into_owned();
    assert!(!heard.contains(&email), "shown");
    assert!(traps::finder(Variant::A).find(&mia.heard, b"").is_empty());
}

#[test]
fn definitions_are_known_as_soon_as_they_are_committed() {
    let (shop, mut mia) = shop("migrations_committed");
    mia.query("BEGIN").ok();
    mia.query("CREATE VIEW fresh AS SELECT id, email AS x FROM customers").ok();
    mia.query("CREATE INDEX ON customers (balance)").ok();
    mia.query("SELECT count(*) FROM products").ok();
    mia.query("COMMIT").ok();
    for session in [&mut mia, &mut shop.bob().connect()] {
        let seen = session.query("SELECT x FROM fresh WHERE id = 5").ok().scalar();
        assert_eq!(seen, masked(&email()));
    }
    // In one batch, too: what comes behind the definition waits for it or is refused.
    let one = "CREATE VIEW fresher AS SELECT email AS y FROM customers WHERE id = 5";
    let batch = [
        crate::support::client::query(one),
        crate::support::client::query("SELECT y || '' FROM fresher"),
    ];
    mia.send(&batch.concat()).expect("alive");
    mia.until_ready().ok();
    let second = mia.until_ready();
    assert!(second.code() == "42501" || second.scalar() == masked(&email()), "{}", second.code());
}
