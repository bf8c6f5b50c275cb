//! A small shop, made by hand: its schema, its catalog, and the world that they give.
//!
//! `customers` has email (3), ssn (4) and name (2); `hr.employees.salary` is denied.

use keyhole::analysis::sensitive::{Sensitive, Tags, Unclassified};
use keyhole::catalog::{Catalog, Class, Hiding, Honey, MaskSpec, Table};
use keyhole::decision::{Mode, Notice, Persist, Rules, World, Writes};
use keyhole::grant::CatalogView;
use keyhole::model::{Epoch, RelationName};
use keyhole::schema::{
    Column, Constraint, ConstraintKind, Relation, RelationKind, Snapshot, ValueType,
};

fn column(number: i16, name: &str, oid: u32, sql: &str, category: u8) -> Column {
    let value = ValueType { oid, typmod: -1, sql: sql.to_owned(), category };
    let name = name.to_owned();
    Column {
        number,
        name,
        type_oid: oid,
        value,
        not_null: false,
        default: keyhole::schema::ColumnDefault::Null,
        generated_from: None,
    }
}

fn table(oid: u32, schema: &str, name: &str, columns: &[(&str, u32, &str, u8)]) -> Relation {
    let mut relation = Relation::new(oid, RelationName::new(schema, name), RelationKind::Table);
    relation.columns = columns
        .iter()
        .zip(1..)
        .map(|((name, oid, sql, category), number)| column(number, name, *oid, sql, *category))
        .collect();
    relation
}

const INT: (u32, &str, u8) = (23, "integer", b'N');
const TEXT: (u32, &str, u8) = (25, "text", b'S');
const DATE: (u32, &str, u8) = (1082, "date", b'D');

fn with<'a>(name: &'a str, of: (u32, &'a str, u8)) -> (&'a str, u32, &'a str, u8) {
    (name, of.0, of.1, of.2)
}

fn schema() -> Snapshot {
    let mut customers = table(
        20_000,
        "public",
        "customers",
        &[
            with("id", INT),
            with("name", TEXT),
            with("email", TEXT),
            with("ssn", TEXT),
            with("dob", DATE),
            with("balance", INT),
        ],
    );
    customers.primary_key = vec![1];
    customers.constraints = vec![Constraint {
        kind: ConstraintKind::Unique,
        columns: vec![4],
        cascades: false,
        other: None,
    }];
    let orders = table(
        20_001,
        "public",
        "orders",
        &[with("id", INT), with("customer_id", INT), with("total", INT)],
    );
    let employees = table(20_002, "hr", "employees", &[with("id", INT), with("salary", INT)]);
    let open = table(20_003, "public", "contacts", &[with("id", INT), with("email", TEXT)]);
    let hidden = table(20_004, "hr", "contacts", &[with("id", INT), with("email", TEXT)]);
    let mut view = table(20_005, "public", "v_customers", &[with("id", INT), with("email", TEXT)]);
    view.kind = RelationKind::View;
    view.reads = vec![20_000];
    view.definition =
        Some("SELECT customers.id,\n    customers.email\n   FROM public.customers".to_owned());
    Snapshot::new(
        Epoch(1),
        150_000,
        vec![customers, orders, employees, open, hidden, view],
        Vec::new(),
        vec!["public".into(), "hr".into(), "pg_catalog".into()],
    )
}

pub(crate) fn world() -> World {
    world_of(Epoch(1), MaskSpec::Email)
}

/// The same, published as `epoch`, with this mask on email addresses.
pub(crate) fn world_of(epoch: Epoch, email: MaskSpec) -> World {
    let schema = schema();
    let class = |name: &str, hiding| {
        (name.to_owned(), Class { name: name.to_owned(), hiding, sensitivity: None })
    };
    let catalog = Catalog {
        classes: [
            class("email", Hiding::Mask(email)),
            class("id", Hiding::Mask(MaskSpec::Partial { keep_first: 0, keep_last: 4 })),
            class("name", Hiding::Mask(MaskSpec::Redact)),
            class("pay", Hiding::Deny),
        ]
        .into(),
        tables: vec![
            catalogued(
                "public",
                "customers",
                &[("email", "email"), ("ssn", "id"), ("name", "name")],
            ),
            catalogued("hr", "employees", &[("salary", "pay")]),
            catalogued("hr", "contacts", &[("email", "email")]),
        ],
        functions: Vec::new(),
        honey: vec![Honey {
            table: RelationName::new("public", "customers"),
            key: "id".to_owned(),
            values: vec!["9000001".to_owned()],
            place: "catalog.toml:9".to_owned(),
        }],
    };
    let (sensitive, _, problems) =
        Sensitive::bind(&schema, &catalog, &Tags::default(), Unclassified::Allow)
            .expect("the catalog binds");
    assert!(problems.is_empty(), "{problems:?}");
    let view = CatalogView::new("shop", &catalog, Some(&schema));
    let rules = Rules {
        lookups_per_minute: 20,
        mode: Mode::Enforce,
        persist: Persist::Refuse,
        writes: Writes::Allow,
        notice: Notice::PerStatement,
    };
    World::new(epoch, "shop".into(), schema, sensitive, view, rules).0
}

fn catalogued(schema: &str, name: &str, columns: &[(&str, &str)]) -> Table {
    Table {
        name: RelationName::new(schema, name),
        columns: columns.iter().map(|(c, class)| ((*c).to_owned(), (*class).to_owned())).collect(),
        subject: None,
        place: "catalog.toml:1".to_owned(),
    }
}
