//! Reads a schema full of traps from a real PostgreSQL and checks what is found to be sensitive.
//!
//! Every PostgreSQL whose `bin` folder is in `KEYHOLE_TEST_PG_BIN` (separated by colons) is tried;
//! without it, those in the usual place of Debian's packages.

#![expect(clippy::unwrap_used, reason = "a test that finds nothing shall end")]

#[path = "introspect/catalog_file.rs"]
mod catalog_file;
#[path = "introspect/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use keyhole::analysis::mention::Hits;
use keyhole::analysis::sensitive::{Reach, Sensitive, Tags, Unclassified};
use keyhole::catalog::Catalog;
use keyhole::model::{ColumnId, Epoch, RelationName};
use keyhole::schema::{ConstraintKind, Relation, Snapshot};
use keyhole::upstream::introspect;
use server::Server;
use tokio_postgres::Client;

const TRAPS: &str = include_str!("data/traps.sql");

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_of_traps_is_seen_through() {
    for bin in server::installed() {
        let server = Server::start(&bin);
        let mut client = server.connect().await;
        client.batch_execute(TRAPS).await.expect("the traps load");
        let schema = introspect::read(&mut client, Epoch(7)).await.expect("the schema is read");
        assert_eq!(schema.epoch, Epoch(7));
        assert!(schema.server_version >= 150_000, "{}", schema.server_version);

        what_was_read(&schema);
        let catalog = catalog_file::read(include_str!("data/traps_catalog.toml"));
        let (sensitive, tags, problems) =
            Sensitive::bind(&schema, &catalog, &Tags::default(), Unclassified::Allow)
                .expect("a gate");
        assert_eq!(problems, []);
        insta::assert_snapshot!("traps", shown(&schema, &sensitive));
        the_gate_knows(&sensitive);

        renames_do_not_launder(&mut client, &catalog, &schema, &tags).await;
        versions_change(&client).await;
        if schema.server_version >= 180_000 {
            virtual_columns_are_generated_columns(&mut client).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_relations_are_read_in_seconds() {
    for bin in server::installed() {
        let server = Server::start(&bin);
        let mut client = server.connect().await;
        client.batch_execute(PARTITIONS).await.expect("partitions");
        for n in 0..100 {
            // In portions, for the sake of the server's lock table.
            let views = (0..100).map(|m| format!("CREATE VIEW v_{n}_{m} AS TABLE customers;"));
            client.batch_execute(&views.collect::<String>()).await.expect("views");
        }
        let reading =
            tokio::time::timeout(Duration::from_secs(60), introspect::read(&mut client, Epoch(1)));
        let schema = reading.await.expect("in time").expect("the schema is read");
        assert!(schema.relations.len() > 10_000, "{}", schema.relations.len());
        let version = introspect::schema_version(&client).await.expect("a version");
        assert_eq!(schema.version, version);
    }
}

const PARTITIONS: &str = "
CREATE TABLE customers (id integer PRIMARY KEY, email text, note text DEFAULT 'x')
  PARTITION BY RANGE (id);
DO $$
DECLARE n integer;
BEGIN
  FOR n IN 1..40 LOOP
    EXECUTE format('CREATE TABLE part_%s PARTITION OF customers FOR VALUES FROM (%s) TO (%s)',
                   n, n, n + 1);
  END LOOP;
END $$;";

fn what_was_read(schema: &Snapshot) {
    let customers = find(schema, "public", "customers");
    assert_eq!(customers.primary_key, [1]);
    assert_eq!(customers.triggers.len(), 1);
    assert_eq!(customers.column("email_md5").unwrap().generated_from, Some(vec![3]));
    assert_eq!(customers.column("email").unwrap().generated_from, None);
    let referenced: Vec<_> = customers
        .constraints
        .iter()
        .filter(|constraint| constraint.kind == ConstraintKind::ReferencedBy && constraint.cascades)
        .map(|constraint| (constraint.columns.clone(), constraint.other))
        .collect();
    let kyc = find(schema, "public", "kyc_checks");
    assert_eq!(referenced, [(vec![5], Some(kyc.oid))]);
    assert!(find(schema, "public", "support_tickets").row_security);

    // Keys, an expression, a predicate; INCLUDEd columns cannot be told from those of expressions.
    let employees = find(schema, "hr", "employees");
    let unique = employees.constraints.iter().find(|constraint| constraint.columns.len() == 4);
    let columns: BTreeSet<_> = unique.expect("the partial index").columns.iter().copied().collect();
    let expected =
        ["dept", "email", "salary", "hired"].map(|n| employees.column(n).unwrap().number);
    assert_eq!(columns, BTreeSet::from(expected));

    let sized = find(schema, "public", "sized");
    let types: Vec<_> = sized
        .columns
        .iter()
        .map(|column| (column.value.sql.as_str(), column.value.category))
        .collect();
    assert_eq!(
        types,
        [
            ("character varying(80)", b'S'),
            ("numeric(10,2)", b'N'),
            ("text", b'S'),
            ("bit(3)[]", b'A'),
            ("timestamp(3) with time zone", b'D'),
        ]
    );
    let view = find(schema, "public", "v_catalogue");
    let definition = view.definition.as_deref().expect("a view");
    assert!(definition.contains("public.products") && !definition.ends_with(';'), "{definition}");
    // Gate 3 knows PostgreSQL's own relations by OID, and nothing more of them.
    let system = schema.relation(1259).expect("pg_class");
    assert_eq!(
        (system.name.to_string().as_str(), &system.definition),
        ("pg_catalog.pg_class", &None)
    );
    assert!(find(schema, "information_schema", "tables").columns.len() > 5);
    let signature = |name| schema.functions.iter().find(|f| f.name.name == name).unwrap();
    assert_eq!(signature("find_customer").signature, "public.find_customer(integer)");
}

fn the_gate_knows(sensitive: &Sensitive) {
    for (statement, hits) in [
        ("SELECT sku, name FROM products", Hits::NONE),
        ("SELECT harmless(1), vat(2)", Hits::NONE),
        ("SELECT @+@ 2", Hits::NONE),
        ("SELECT * FROM v_catalogue", Hits::NONE),
        ("SELECT 1 ?=? 'x'", Hits::NAME),
        ("SELECT ref FROM V_RENAMED", Hits::NAME),
        ("SELECT \"UserProfiles\".*", Hits::NAME),
        ("SELECT * FROM \"клиенты\"", Hits::NAME),
        ("TABLE pg_stats", Hits::SIDE_DOOR),
    ] {
        assert_eq!(sensitive.mention.scan(statement.as_bytes()), hits, "{statement}");
    }
}

async fn renames_do_not_launder(
    client: &mut Client,
    catalog: &Catalog,
    before: &Snapshot,
    tags: &Tags,
) {
    client
        .batch_execute(
            "ALTER TABLE customers RENAME ssn TO sku;
             ALTER TABLE newsletter RENAME TO bulletin;
             CREATE TABLE newsletter (id integer, addr text);
             ALTER TABLE events DETACH PARTITION events_2024_02;
             ALTER TABLE customers ALTER email_md5 DROP EXPRESSION;
             ALTER TABLE hr.contacts SET SCHEMA public2",
        )
        .await
        .expect_err("there is no such schema, so nothing happened");
    client
        .batch_execute(
            "CREATE SCHEMA public2;
             ALTER TABLE customers RENAME ssn TO sku;
             ALTER TABLE newsletter RENAME TO bulletin;
             CREATE TABLE newsletter (id integer, addr text);
             ALTER TABLE events DETACH PARTITION events_2024_02;
             ALTER TABLE customers ALTER email_md5 DROP EXPRESSION;
             ALTER TABLE hr.contacts SET SCHEMA public2",
        )
        .await
        .expect("an owner can do that");
    let schema = introspect::read(client, Epoch(8)).await.expect("the schema is read");
    let (sensitive, _, problems) =
        Sensitive::bind(&schema, catalog, tags, Unclassified::Allow).expect("a gate");

    let id = |schema: &Snapshot, relation: &str, column: &str| {
        let (namespace, name) = relation.split_once('.').unwrap_or(("public", relation));
        find(schema, namespace, name).id_of(column).expect("the column")
    };
    let ssn = id(before, "customers", "ssn");
    assert_eq!(id(&schema, "customers", "sku"), ssn);
    assert_eq!(sensitive.column(ssn).unwrap().path.to_string(), "public.customers.ssn");
    for (relation, column) in [
        ("bulletin", "addr"),
        ("newsletter", "addr"),
        ("events_2024_02", "ip"),
        ("customers", "email_md5"),
        ("vip_customers", "email_md5"),
        ("public2.contacts", "email"),
    ] {
        let found = sensitive.column(id(&schema, relation, column));
        assert!(found.is_some(), "{relation}.{column}");
    }
    assert!(sensitive.mention.scan(b"TABLE bulletin").contains(Hits::NAME));
    let problems: BTreeSet<String> =
        problems.into_iter().map(|problem| problem.kind.to_string()).collect();
    let expected = [
        ("hr.contacts.email", "public2.contacts.email"),
        ("public.customers.ssn", "public.customers.sku"),
        ("public.newsletter.addr", "public.bulletin.addr"),
    ];
    let expected = expected.map(|(was, now)| {
        format!("{was} is now called {now}; it stays tagged, and the catalog should follow")
    });
    assert_eq!(problems, expected.into());
}

async fn versions_change(client: &Client) {
    let mut before = introspect::schema_version(client).await.expect("a version");
    for change in [
        "ALTER TABLE products RENAME name TO title",
        "ALTER TABLE products ADD COLUMN extra text",
        "ALTER TABLE products DROP COLUMN extra",
        "CREATE OR REPLACE VIEW v_spend AS SELECT 1 AS customer_id, 2::bigint AS n, 3.0 AS total",
        "CREATE OR REPLACE FUNCTION harmless(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 2'",
        "CREATE TRIGGER t BEFORE UPDATE ON products FOR EACH ROW EXECUTE FUNCTION trg_leads()",
        "ALTER TABLE events DETACH PARTITION events_2024_03",
        "ALTER TABLE products ADD CONSTRAINT c CHECK (stock < 100)",
        "CREATE POLICY p ON products USING (true)",
        "ALTER TABLE products ALTER title SET DEFAULT 'none'",
        "ALTER SCHEMA hr RENAME TO staff",
        "CREATE UNIQUE INDEX i ON products (price, stock)",
        "ALTER DOMAIN email_addr DROP CONSTRAINT email_addr_check",
        "CREATE CAST (order_status AS integer) WITH FUNCTION pg_catalog.hashenum(anyenum)",
        "DROP OPERATOR @+@ (NONE, integer)",
    ] {
        client.batch_execute(change).await.unwrap_or_else(|e| panic!("{change}: {e:?}"));
        let after = introspect::schema_version(client).await.expect("a version");
        assert_ne!(before, after, "{change}");
        before = after;
    }
    let quiet = "CREATE TEMP TABLE t (a integer PRIMARY KEY DEFAULT 1, b text CHECK (b <> ''));
                 INSERT INTO products (sku, title, category, price) VALUES ('a', 'b', 'c', 1);
                 ANALYZE products";
    client.batch_execute(quiet).await.expect("no change of the schema");
    let after = introspect::schema_version(client).await.expect("a version");
    assert_eq!(before, after);
}

async fn virtual_columns_are_generated_columns(client: &mut Client) {
    let table = "CREATE TABLE seen (a text, b text GENERATED ALWAYS AS (lower(a)) VIRTUAL)";
    client.batch_execute(table).await.expect("a table");
    let schema = introspect::read(client, Epoch(9)).await.expect("the schema is read");
    let column = find(&schema, "public", "seen").column("b").expect("the column");
    assert_eq!(column.generated_from, Some(vec![1]));
}

/// Everything sensitive but side doors and extensions, which not every server has.
fn shown(schema: &Snapshot, sensitive: &Sensitive) -> String {
    let mut lines = BTreeSet::new();
    for (id, column) in &sensitive.columns {
        let name = column_name(schema, *id);
        let path = column.path.to_string();
        let path = if path == name { String::new() } else { format!(" as {path}") };
        lines.insert(format!("column {name}{path}: {} {:?}", column.class, column.hiding));
    }
    for (oid, reach) in &sensitive.relations {
        let name = &schema.relation(*oid).unwrap().name;
        match reach {
            Reach::SideDoor => continue,
            Reach::View { columns, opaque } => {
                let columns: Vec<_> = columns.iter().map(|id| column_name(schema, *id)).collect();
                let opaque: Vec<_> = opaque.iter().map(|oid| object_name(schema, *oid)).collect();
                lines.insert(format!("view {name}: {columns:?} opaque {opaque:?}"));
            }
            Reach::Table | Reach::Stored | Reach::Carrier(_) => {
                lines.insert(format!("relation {name}: {reach:?}"));
            }
        }
    }
    for (oid, reach) in &sensitive.functions {
        let function = schema.functions.iter().find(|f| f.oid == *oid).unwrap();
        if function.extension.is_none() {
            lines.insert(format!("function {}: {:?}", function.signature, reach.why));
        }
    }
    let mut text = lines.into_iter().collect::<Vec<_>>().join("\n");
    let (operators, types) = (&sensitive.operators, &sensitive.types);
    let notifies = sensitive.notifies;
    write!(text, "\noperators {operators:?}\ntypes {types:?}\nnotifies {notifies:?}").unwrap();
    text
}

fn find<'a>(schema: &'a Snapshot, namespace: &str, name: &str) -> &'a Relation {
    let found = schema.find(namespace, name);
    found.unwrap_or_else(|| panic!("no {}", RelationName::new(namespace, name)))
}

fn column_name(schema: &Snapshot, id: ColumnId) -> String {
    let relation = schema.relation(id.relation).unwrap();
    format!("{}.{}", relation.name, schema.column(id).unwrap().name)
}

fn object_name(schema: &Snapshot, oid: u32) -> String {
    if oid == 0 {
        return "(side door)".to_owned();
    }
    let relation = schema.relation(oid).map(|relation| relation.name.to_string());
    relation.unwrap_or_else(|| {
        schema.functions.iter().find(|f| f.oid == oid).unwrap().signature.clone()
    })
}
