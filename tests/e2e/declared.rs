//! Functions of which the catalog says what comes out of them.

use crate::support::traps::{self, Variant};
use crate::support::wait::until;
use crate::support::{Keyhole, Postgres};

/// An `=` of somebody's own, and what calls its function.
const DEFINITIONS: &str = "CREATE TYPE pair AS (a int, b int); \
    CREATE FUNCTION same(pair, pair) RETURNS bool LANGUAGE plpgsql AS \
        $$DECLARE it bool; BEGIN EXECUTE 'SELECT $1.a IS NOT DISTINCT FROM $2.a' INTO it \
        USING $1, $2; RETURN it; END$$; \
    CREATE OPERATOR = (FUNCTION = same, LEFTARG = pair, RIGHTARG = pair); \
    CREATE FUNCTION caller() RETURNS bool LANGUAGE sql AS 'SELECT same((1, 2), (1, 3))'; \
    CREATE VIEW shown AS SELECT same((1, 2), (1, 3)) AS is_same; \
    GRANT SELECT ON shown TO PUBLIC";

const READS: [&str; 4] = [
    "SELECT sku IS NOT NULL FROM products WHERE id = 1",
    "SELECT (1, 2)::pair = (1, 3)::pair",
    "SELECT caller()",
    "SELECT is_same FROM shown",
];

#[test]
fn what_is_declared_clear_closes_nothing() {
    let server = Postgres::shared();
    let name = "declared_clear";
    traps::create(server, name, Variant::A);
    server.admin(name).query(DEFINITIONS).ok();
    let closed = Keyhole::serve(server, name, traps::CATALOG);
    let mut alice = closed.data("alice", "shop").connect();
    for read in READS {
        assert_eq!(alice.query(read).code(), "42501", "{read}");
    }
    until("it is said", || closed.log().contains("statements with = are refused").then_some(()));
    let declared =
        "[[function]]\nname = 'public.same(public.pair, public.pair)'\nclass = 'clear'\n";
    let open = Keyhole::serve(server, name, &format!("{}\n{declared}", traps::CATALOG));
    let mut alice = open.data("alice", "shop").connect();
    for read in READS {
        assert_eq!(alice.query(read).ok().scalar(), "t", "{read}");
    }
    // Other functions are told at the same time.
    until("it is looked at", || open.log().contains("does not fit the schema").then_some(()));
    assert!(!open.log().contains("are refused"), "{}", open.log());
}
