//! Golden files: what the analysis decides and what runs, for a small shop seen by somebody without
//! grants. A change here is a change of meaning: read the difference before accepting it.

use std::fmt::Write as _;
use std::sync::Arc;

use keyhole::analysis::parse::parse;
use keyhole::analysis::sensitive::{Sensitive, Tags, Unclassified};
use keyhole::analysis::{Context, SearchPath, analyse};
use keyhole::catalog::{Catalog, Class, Hiding, MaskSpec, Table};
use keyhole::decision::{
    Dates, Encoding, Forms, Mode, Notice, Persist, Rules, Standpoint, Way, World, Writes, decide,
};
use keyhole::grant::{CatalogView, LiveTable};
use keyhole::model::{Client, Epoch, RelationName, Timestamp, User};
use keyhole::rewrite::{Decided, rewrite};
use keyhole::schema::{
    Column, Constraint, ConstraintKind, Relation, RelationKind, Snapshot, ValueType,
};

fn column(number: i16, name: &str, oid: u32, sql: &str, category: u8) -> Column {
    let value = ValueType { oid, typmod: -1, sql: sql.to_owned(), category };
    let name = name.to_owned();
    Column { number, name, type_oid: oid, value, not_null: false, generated_from: None }
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

fn world() -> World {
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
    let schema = Snapshot::new(
        Epoch(1),
        150_000,
        vec![customers, orders, employees, open, hidden, view],
        Vec::new(),
        vec!["public".into(), "hr".into(), "pg_catalog".into()],
    );
    let class = |name: &str, hiding| {
        (name.to_owned(), Class { name: name.to_owned(), hiding, sensitivity: None })
    };
    let catalog = Catalog {
        classes: [
            class("email", Hiding::Mask(MaskSpec::Email)),
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
    };
    let (sensitive, _, problems) =
        Sensitive::bind(&schema, &catalog, &Tags::default(), Unclassified::Allow)
            .expect("the catalog binds");
    assert!(problems.is_empty(), "{problems:?}");
    let view = CatalogView::new("shop", &catalog, Some(&schema));
    let rules = Rules {
        mode: Mode::Enforce,
        persist: Persist::Refuse,
        writes: Writes::Allow,
        notice: Notice::PerStatement,
    };
    World::new(Epoch(1), "shop".into(), schema, sensitive, view, rules).0
}

fn outcome(world: &World, sql: &str) -> String {
    let hits = world.sensitive.mention.scan(sql.as_bytes());
    if hits.is_empty() {
        return "clear (gate 1)".to_owned();
    }
    let parsed = match parse(sql) {
        Ok(parsed) => parsed,
        Err(error) => return format!("refuse: {error}"),
    };
    let path = SearchPath(vec!["pg_catalog".into(), "public".into()]);
    let context = Context { schema: &world.schema, sensitive: &world.sensitive, path: &path };
    let client = Client {
        user: User { name: "alice".into(), groups: Arc::from([]), roles: Arc::from([]) },
        address: None,
        application: "golden".into(),
        database: "shop".into(),
    };
    let grants = LiveTable::default();
    let standpoint = Standpoint {
        world,
        client: &client,
        grants: &grants,
        now: Timestamp::UNIX_EPOCH,
        forms: Forms { encoding: Encoding::Utf8, dates: Dates::Iso },
    };
    let analyses: Vec<_> =
        (0..parsed.statements.len()).map(|index| analyse(&parsed, index, context)).collect();
    let decisions: Vec<_> = analyses.iter().map(|analysis| decide(analysis, standpoint)).collect();
    for decision in &decisions {
        if let Way::Refuse(report) = &decision.way {
            return format!("refuse {}: {}", report.state, report.message);
        }
    }
    let decided: Vec<_> = analyses
        .iter()
        .zip(&decisions)
        .map(|(analysis, decision)| Decided { analysis, decision })
        .collect();
    let ways: Vec<&str> = decisions
        .iter()
        .map(|decision| match decision.way {
            Way::Forward => "forward",
            Way::Show => "show",
            Way::Compute => "compute",
            Way::Refuse(_) => "refuse",
        })
        .collect();
    match rewrite(sql, &parsed, &decided, &[], context, standpoint) {
        Ok(text) if text == sql => ways.join(", "),
        Ok(text) => format!("{}\n   {}", ways.join(", "), text.replace('\n', "\n   ")),
        Err(error) => format!("refuse: {error}"),
    }
}

/// Masks are long; the golden files show only that one is there.
fn shortened(text: &str) -> String {
    let mut text = text.to_owned();
    let world = world();
    for (id, pii) in &world.sensitive.columns {
        let column = world.schema.column(*id).expect("a column");
        let spec = world.mask_spec(*id);
        let relation = world.schema.relation(id.relation).expect("a relation");
        let aliases = ["c", "x", relation.name.name.as_str()];
        let quoted = format!("\"{}\"", column.name);
        let names = aliases.iter().map(|alias| format!("\"{alias}\".{quoted}"));
        for name in names.chain([quoted.clone()]) {
            let mask = keyhole::mask::sql_expression(spec, &pii.value, &name);
            text = text.replace(&mask, &format!("MASK({name})"));
        }
    }
    text
}

fn golden(name: &str, cases: &str) {
    let world = world();
    let mut all = String::new();
    for sql in cases.split("\n\n").map(str::trim).filter(|sql| !sql.is_empty()) {
        let _ = writeln!(all, "{sql}\n-> {}\n", shortened(&outcome(&world, sql)));
    }
    insta::with_settings!({snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, all);
    });
}

#[test]
fn queries_are_clear_shown_computed_or_refused() {
    golden("queries", include_str!("golden/queries.sql"));
}

#[test]
fn writes_store_what_the_client_sends_and_nothing_derived() {
    golden("writes", include_str!("golden/writes.sql"));
}

#[test]
fn other_statements_are_no_way_round() {
    golden("others", include_str!("golden/others.sql"));
}

#[test]
fn texts_that_other_parsers_misread_are_read_as_postgresql_reads_them() {
    golden("parsers", include_str!("golden/parsers.sql"));
}

fn catalogued(schema: &str, name: &str, columns: &[(&str, &str)]) -> Table {
    Table {
        name: RelationName::new(schema, name),
        columns: columns.iter().map(|(c, class)| ((*c).to_owned(), (*class).to_owned())).collect(),
        place: "catalog.toml:1".to_owned(),
    }
}
