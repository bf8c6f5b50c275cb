mod stored;

use super::*;
use crate::analysis::mention::Hits;
use crate::catalog::{Class, DeclaredFunction, MaskSpec, Table};
use crate::model::Epoch;
use crate::schema::{
    Code, Column, Constraint, ConstraintKind, Function, Relation, RelationKind, TypeCode,
};

const CUSTOMERS: Oid = 20_000;
const ARCHIVE: Oid = 20_001;
const STORED: Oid = 20_002;
const ORDERS: Oid = 20_003;
const VIEW: Oid = 20_004;

fn relation(oid: Oid, name: &str, kind: RelationKind, columns: &[&str]) -> Relation {
    let mut relation = Relation::new(oid, RelationName::new("public", name), kind);
    relation.row_type = oid + 10_000;
    for (at, name) in columns.iter().enumerate() {
        relation.columns.push(Column {
            number: ColumnNumber::try_from(at + 1).unwrap(),
            name: (*name).to_owned(),
            type_oid: 25,
            value: ValueType { oid: 25, typmod: -1, sql: "text".to_owned(), category: b'S' },
            not_null: false,
            default: crate::schema::ColumnDefault::Null,
            generated_from: None,
        });
    }
    relation
}

fn function(oid: Oid, name: &str, language: &str, body: &str) -> Function {
    Function {
        oid,
        name: RelationName::new("public", name),
        arguments: String::new(),
        signature: format!("public.{name}(integer,text)"),
        argument_types: vec![23, 25],
        output_types: Vec::new(),
        return_type: 25,
        language: language.to_owned(),
        body: body.to_owned(),
        defaults: String::new(),
        reads: Vec::new(),
        extension: None,
        runs: Vec::new(),
    }
}

/// customers (id, email, lower, note) with a partition's worth of relatives.
fn relations() -> Vec<Relation> {
    let mut customers =
        relation(CUSTOMERS, "customers", RelationKind::Table, &["id", "email", "lower", "note"]);
    customers.primary_key = vec![1];
    customers.columns[2].generated_from = Some(vec![2]);
    let mut archive =
        relation(ARCHIVE, "archive", RelationKind::Table, &["id", "email", "lower", "note", "own"]);
    archive.columns[2].generated_from = Some(vec![2]);
    archive.parents = vec![CUSTOMERS];
    let mut stored = relation(STORED, "stored", RelationKind::MaterializedView, &["id", "domain"]);
    stored.reads = vec![CUSTOMERS];
    stored.definition = Some("SELECT id, email FROM public.customers".to_owned());
    let orders = relation(ORDERS, "orders", RelationKind::Table, &["id", "customer"]);
    let mut view = relation(VIEW, "v_stored", RelationKind::View, &["id"]);
    view.reads = vec![STORED];
    view.definition = Some("SELECT id FROM public.stored".to_owned());
    vec![customers, archive, stored, orders, view]
}

fn schema(relations: Vec<Relation>, functions: Vec<Function>) -> Snapshot {
    Snapshot::new(Epoch(1), 150_000, relations, functions, vec!["public".to_owned()])
}

fn catalog(entries: &[(&str, &str, &str)]) -> Catalog {
    let mut catalog = Catalog::default();
    let email = Hiding::Mask(MaskSpec::Email);
    for (name, hiding) in [("email", email), ("secret", Hiding::Deny)] {
        let class = Class { name: name.to_owned(), hiding, sensitivity: None };
        catalog.classes.insert(name.to_owned(), class);
    }
    for (table, column, class) in entries {
        catalog.tables.push(Table {
            name: RelationName::new("public", *table),
            columns: [((*column).to_owned(), (*class).to_owned())].into(),
            subject: None,
            place: format!("{table}.{column}"),
        });
    }
    catalog
}

fn bind(schema: &Snapshot, catalog: &Catalog, tags: &Tags) -> (Sensitive, Tags, Vec<String>) {
    let bound = Sensitive::bind(schema, catalog, tags, Unclassified::Allow);
    let (sensitive, tags, problems) = bound.expect("a gate");
    (sensitive, tags, problems.iter().map(Problem::to_string).collect())
}

/// `relation.column class`, in order.
fn tagged(schema: &Snapshot, sensitive: &Sensitive) -> Vec<String> {
    let mut lines: Vec<String> = sensitive
        .columns
        .iter()
        .map(|(id, pii)| {
            let relation = schema.relation(id.relation).unwrap();
            let column = relation.column_numbered(id.number).unwrap();
            format!("{}.{} {}", relation.name.name, column.name, pii.class)
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn a_tag_spreads_to_children_generated_columns_and_stored_views() {
    let schema = schema(relations(), Vec::new());
    let (sensitive, _, problems) =
        bind(&schema, &catalog(&[("customers", "email", "email")]), &Tags::default());
    assert_eq!(problems, [""; 0]);
    assert_eq!(
        tagged(&schema, &sensitive),
        [
            "archive.email email",
            "archive.lower email",
            "customers.email email",
            "customers.lower email",
            "stored.domain email",
        ]
    );
    let lower = sensitive.column(ColumnId { relation: CUSTOMERS, number: 3 }).unwrap();
    assert_eq!(lower.hiding, Hiding::Mask(MaskSpec::Redact), "the value is another one");
    assert_eq!(sensitive.reach(STORED), Some(&Reach::Stored));
    let Some(Reach::View { columns, opaque }) = sensitive.reach(VIEW) else { panic!("a view") };
    assert_eq!((columns.len(), opaque.len()), (1, 0));
    assert_eq!(sensitive.reach(ORDERS), None);
    let numbers: Vec<_> = sensitive.columns_of(CUSTOMERS).map(|(number, _)| number).collect();
    assert_eq!(numbers, [2, 3]);
}

#[test]
fn a_childs_tag_reaches_the_parent_and_its_other_children() {
    let mut relations = relations();
    relations[3].parents = vec![CUSTOMERS];
    relations[3].columns[1].name = "note".to_owned();
    let schema = schema(relations, Vec::new());
    // A parent that is declared clear still shows its children's rows.
    let catalog = catalog(&[("archive", "note", "secret"), ("customers", "note", "clear")]);
    let (sensitive, ..) = bind(&schema, &catalog, &Tags::default());
    let found = tagged(&schema, &sensitive);
    for line in ["archive.note secret", "customers.note secret", "orders.note secret"] {
        assert!(found.contains(&line.to_owned()), "{line} in {found:?}");
    }
}

#[test]
fn clear_is_a_decision_on_derived_columns() {
    let schema = schema(relations(), Vec::new());
    let catalog = catalog(&[
        ("customers", "email", "email"),
        ("archive", "email", "clear"),
        ("stored", "id", "clear"),
        ("stored", "domain", "clear"),
        ("customers", "lower", "clear"),
    ]);
    let (sensitive, ..) = bind(&schema, &catalog, &Tags::default());
    assert_eq!(tagged(&schema, &sensitive), ["customers.email email"]);
    assert_eq!((sensitive.reach(STORED), sensitive.reach(VIEW)), (None, None));
}

#[test]
fn a_decision_for_clear_follows_its_column_and_not_its_name() {
    let mut before = relations();
    before[2].columns[0].name = "id".to_owned();
    let catalog = catalog(&[("customers", "email", "email"), ("stored", "id", "clear")]);
    let first = schema(before.clone(), Vec::new());
    let (sensitive, tags, _) = bind(&first, &catalog, &Tags::default());
    assert!(sensitive.column(ColumnId { relation: STORED, number: 1 }).is_none());
    // The two columns of the materialized view swap their names.
    before[2].columns[0].name = "domain".to_owned();
    before[2].columns[1].name = "id".to_owned();
    let (sensitive, ..) = bind(&schema(before, Vec::new()), &catalog, &tags);
    assert!(sensitive.column(ColumnId { relation: STORED, number: 2 }).is_some());
}

#[test]
fn a_decision_for_clear_can_be_taken_and_taken_back() {
    let schema = schema(relations(), Vec::new());
    let pii = catalog(&[("customers", "email", "email")]);
    let clear = catalog(&[("customers", "email", "email"), ("customers", "lower", "clear")]);
    let lower = ColumnId { relation: CUSTOMERS, number: 3 };
    let (sensitive, tags, _) = bind(&schema, &pii, &Tags::default());
    assert!(sensitive.column(lower).is_some());
    let (sensitive, tags, _) = bind(&schema, &clear, &tags);
    assert!(sensitive.column(lower).is_none());
    let (sensitive, tags, _) = bind(&schema, &pii, &tags);
    assert!(sensitive.column(lower).is_some());
    let (sensitive, ..) = bind(&schema, &Catalog::default(), &tags);
    assert!(sensitive.columns.is_empty() && sensitive.relations.is_empty());
}

#[test]
fn a_rename_keeps_the_tag_and_says_so() {
    let catalog = catalog(&[("customers", "email", "email")]);
    let mut after = relations();
    let (_, tags, _) = bind(&schema(after.clone(), Vec::new()), &catalog, &Tags::default());
    after[0].name.name = "people".to_owned();
    after[0].columns[1].name = "sku".to_owned();
    after[1].parents.clear();
    after[1].columns[2].generated_from = None;
    let schema = schema(after, Vec::new());
    let (sensitive, _, problems) = bind(&schema, &catalog, &tags);
    assert_eq!(
        problems,
        ["customers.email: public.customers.email is now called public.people.sku; it stays \
          tagged, and the catalog should follow"]
    );
    let found = tagged(&schema, &sensitive);
    assert_eq!(
        found[..4],
        ["archive.email email", "archive.lower email", "people.lower email", "people.sku email"]
    );
    let renamed = sensitive.column(ColumnId { relation: CUSTOMERS, number: 2 }).unwrap();
    assert_eq!(renamed.path.to_string(), "public.customers.email");
    assert!(sensitive.mention.scan(b"TABLE people").contains(Hits::NAME));
}

#[test]
fn a_new_column_under_the_old_name_is_personal_too() {
    let catalog = catalog(&[("customers", "email", "email")]);
    let mut after = relations();
    let (_, tags, _) = bind(&schema(after.clone(), Vec::new()), &catalog, &Tags::default());
    after[0].columns[1].name = "old".to_owned();
    after[0].columns[3].name = "email".to_owned();
    let (sensitive, ..) = bind(&schema(after, Vec::new()), &catalog, &tags);
    for number in [2, 4] {
        assert!(sensitive.column(ColumnId { relation: CUSTOMERS, number }).is_some(), "{number}");
    }
}

#[test]
fn what_the_catalog_names_wrongly_is_said_with_its_place() {
    let schema = schema(relations(), Vec::new());
    let mut catalog = catalog(&[
        ("nowhere", "a", "email"),
        ("customers", "mail", "email"),
        ("customers", "note", "nonsense"),
        ("v_stored", "id", "email"),
    ]);
    for (signature, class) in [("public.f(integer)", "email"), ("public.g(int, text)", "nonsense")]
    {
        let (signature, class) = (signature.to_owned(), class.to_owned());
        catalog.functions.push(DeclaredFunction { signature, class, place: "f".to_owned() });
    }
    let mut schema = schema;
    schema.functions.push(function(30_000, "g", "sql", "SELECT 1"));
    let (sensitive, _, problems) = bind(&schema, &catalog, &Tags::default());
    assert_eq!(
        problems,
        [
            "customers.note: public.customers.note has class \"nonsense\", which does not exist; \
             it is hidden by redact",
            "nowhere.a: there is no relation public.nowhere",
            "customers.mail: there is no column public.customers.mail",
            "v_stored.id: public.v_stored is a view: the columns of its tables are what can be \
             catalogued",
            "f: there is no function public.f(integer)",
            "f: function public.g(int, text) has class \"nonsense\", which does not exist; it \
             stays refused",
        ]
    );
    let note = sensitive.column(ColumnId { relation: CUSTOMERS, number: 4 }).unwrap();
    assert_eq!(note.hiding, Hiding::Mask(MaskSpec::Redact));
    assert_eq!(sensitive.functions[&30_000].declared, None);
}

#[test]
fn unclassified_columns_are_hidden_where_that_is_wanted() {
    let schema = schema(relations(), Vec::new());
    let catalog = catalog(&[("customers", "email", "email"), ("archive", "own", "clear")]);
    let (sensitive, tags, _) =
        Sensitive::bind(&schema, &catalog, &Tags::default(), Unclassified::Mask).expect("a gate");
    let found = tagged(&schema, &sensitive);
    assert!(found.contains(&"customers.note unclassified".to_owned()), "{found:?}");
    assert!(!found.iter().any(|line| line.starts_with("customers.id")), "{found:?}");
    assert!(!found.iter().any(|line| line.starts_with("archive.own")), "{found:?}");
    let (sensitive, ..) = bind(&schema, &catalog, &tags);
    assert!(!tagged(&schema, &sensitive).iter().any(|line| line.ends_with("unclassified")));
}

#[test]
fn functions_are_sensitive_by_what_they_mention_and_by_what_nobody_can_read() {
    let mut functions = vec![
        function(1, "reads", "sql", "SELECT email FROM Public.\"customers\""),
        function(2, "calls", "plpgsql", "BEGIN RETURN reads(1); END"),
        function(3, "pure", "sql", "SELECT lo_price + customers_total FROM t"),
        function(4, "dynamic", "plpgsql", "BEGIN Execute q; END"),
        function(5, "escaped", "sql", "SELECT 1 FROM U&\"c\\0075stomers\""),
        function(6, "python", "plpython3u", "return 1"),
        function(7, "native", "c", "native"),
        function(8, "trigram", "c", "similarity"),
        function(9, "door", "sql", "SELECT \"lo_get\" /* of */ (1)"),
        function(10, "row", "sql", "SELECT 1"),
        function(11, "total", "aggregate", "reads"),
        function(12, "defaulted", "sql", "SELECT 1"),
        function(13, "clean", "sql", "SELECT 1"),
    ];
    functions[7].extension = Some("pg_trgm".to_owned());
    functions[9].argument_types = vec![CUSTOMERS + 10_000];
    functions[10].runs = vec![1];
    functions[11].defaults = "reads(1)".to_owned();
    let schema = schema(relations(), functions);
    let mut catalog = catalog(&[("customers", "email", "email")]);
    for (name, class) in [("reads", "email"), ("clean", "clear")] {
        let signature = format!("public.{name}( int , text)");
        let (class, place) = (class.to_owned(), String::new());
        catalog.functions.push(DeclaredFunction { signature, class, place });
    }
    let (sensitive, _, problems) = bind(&schema, &catalog, &Tags::default());
    assert_eq!(problems, [""; 0]);
    let mut found: Vec<_> = sensitive.functions.iter().map(|(oid, f)| (*oid, &f.why)).collect();
    found.sort_by_key(|(oid, _)| *oid);
    let mentions = |name: &str| Why::Mentions(name.to_owned());
    assert_eq!(
        found,
        [
            (1, &Why::Declared),
            (2, &mentions("reads")),
            (4, &Why::Opaque(Opaque::DynamicSql)),
            (5, &Why::Opaque(Opaque::UnicodeEscapes)),
            (6, &Why::Opaque(Opaque::Language)),
            (7, &Why::Opaque(Opaque::Language)),
            (9, &mentions("lo_")),
            (10, &Why::RowOf(RelationName::new("public", "customers"))),
            (11, &mentions("reads")),
            (12, &mentions("reads")),
            (13, &Why::Declared),
        ]
    );
    let hiding = Hiding::Mask(MaskSpec::Email);
    let declared = DeclaredResult::Pii { class: Arc::from("email"), hiding };
    assert_eq!(sensitive.functions[&1].declared, Some(declared));
    assert_eq!(sensitive.functions[&13].declared, Some(DeclaredResult::Clear));
    assert_eq!(sensitive.functions_named("calls").count(), 1);
    assert_eq!(sensitive.notifies, Notifies::No);
}

#[test]
fn code_that_runs_beside_a_statement_makes_its_table_a_carrier() {
    let reads = || function(1, "reads", "sql", "SELECT email FROM customers");
    let code = || Code { reads: Vec::new(), calls: vec![1], text: String::new() };
    let carrier = |change: &dyn Fn(&mut Relation)| {
        let mut relations = relations();
        change(&mut relations[3]);
        let mut schema = schema(relations, vec![reads()]);
        let name = RelationName::new("public", "checked");
        schema.types.push(TypeCode { oid: 77, name, calls: vec![1] });
        let catalog = catalog(&[("customers", "email", "email")]);
        let (sensitive, ..) = bind(&schema, &catalog, &Tags::default());
        assert!(sensitive.types.contains("checked"));
        match sensitive.reach(ORDERS) {
            Some(Reach::Carrier(touch)) => Some(*touch),
            _ => None,
        }
    };
    assert_eq!(carrier(&|_| {}), None);
    assert_eq!(carrier(&|orders| orders.triggers = vec![1]), Some(Touch::Write));
    assert_eq!(carrier(&|orders| orders.on_write = code()), Some(Touch::Write));
    assert_eq!(carrier(&|orders| orders.policies = code()), Some(Touch::Read));
    assert_eq!(carrier(&|orders| orders.reads = vec![CUSTOMERS]), Some(Touch::Write));
    assert_eq!(carrier(&|orders| orders.columns[1].type_oid = 77), Some(Touch::Write));
    assert_eq!(
        carrier(&|orders| orders.on_write.text = "lo_get(id)".to_owned()),
        Some(Touch::Write)
    );
    let cascade = |orders: &mut Relation| {
        let (kind, other) = (ConstraintKind::ReferencedBy, Some(CUSTOMERS));
        orders.constraints.push(Constraint { kind, columns: vec![1], other, cascades: true });
    };
    assert_eq!(carrier(&cascade), Some(Touch::Write));
}

#[test]
fn a_trigger_that_notifies_through_another_function_is_noticed() {
    let functions = vec![
        function(1, "tell", "plpgsql", "BEGIN PERFORM pg_notify('c', x); END"),
        function(2, "changed", "plpgsql", "BEGIN PERFORM tell(NEW.id); END"),
    ];
    let mut relations = relations();
    relations[0].triggers = vec![2];
    let schema = schema(relations, functions);
    let (sensitive, ..) =
        bind(&schema, &catalog(&[("customers", "email", "email")]), &Tags::default());
    assert_eq!(sensitive.notifies, Notifies::Yes);
    assert!(sensitive.functions.is_empty(), "a trigger's function cannot be called by itself");
}
