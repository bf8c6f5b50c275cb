mod shop;

use std::sync::Arc;

use super::*;
use crate::analysis::sensitive::{Origin, Tag, Tags, Unclassified};
use crate::catalog::{DeclaredFunction, Honey};
use crate::discovery::{Confidence, Finding};
use crate::model::{ColumnId, ColumnPath};
use crate::schema::{Constraint, ConstraintKind, Function, RelationKind};
use shop::{
    BYTES, CUSTOMERS, INT, ORDERS, Shop, TEXT, VARCHAR, catalogued, customers, function, table,
};

use DriftKind as Kind;
use Severity::{Note, Problem as Wrong, Warning};

#[test]
fn what_fits_has_no_drift() {
    Shop::with(vec![customers(&[("balance", INT)])]).seen().finds(&[]);
}

#[test]
fn what_the_catalog_names_and_is_not_there_is_a_problem_with_its_line() {
    let mut shop = Shop::with(vec![customers(&[])]);
    shop.catalog.tables[0].columns.insert("ssn".into(), "other".into());
    shop.catalog.tables.push(catalogued("suppliers", &[("email", "email")]));
    let (signature, class) = ("public.gone()".to_owned(), "email".to_owned());
    let place = "shop.toml:40".to_owned();
    shop.catalog.functions.push(DeclaredFunction { signature, class, place });
    shop.finds(&[
        (Wrong, Kind::Dangling, "there is no column public.customers.ssn"),
        (Wrong, Kind::Dangling, "there is no function public.gone()"),
        (Wrong, Kind::Dangling, "there is no relation public.suppliers"),
    ]);
    let found = shop.find();
    let places: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert!(places[0].starts_with("shop.toml:9: there is no column"), "{places:?}");
    assert_eq!(found[0].column.as_deref(), Some("ssn"));
}

#[test]
fn a_renamed_column_is_told_with_both_names() {
    let renamed = table(CUSTOMERS, "clients", &[("id", INT), ("mail", TEXT)]);
    let mut shop = Shop::with(vec![renamed]);
    let relation = RelationName::new("public", "customers");
    let path = Arc::new(ColumnPath { relation, column: "email".into() });
    let (root, origin) = (path.clone(), Origin::Catalogued);
    let tag = Tag { path, class: "email".into(), root, origin };
    shop.tags = Tags([(ColumnId { relation: CUSTOMERS, number: 2 }, tag)].into());
    shop.finds(&[(
        Wrong,
        Kind::Renamed,
        "public.customers.email is now called public.clients.mail",
    )]);
    assert_eq!(shop.find()[0].table, Some(RelationName::new("public", "clients")));
}

#[test]
fn another_type_is_told_until_somebody_has_looked() {
    let mut shop = Shop::with(vec![customers(&[])]).seen();
    shop.relations = vec![table(CUSTOMERS, "customers", &[("id", INT), ("email", VARCHAR)])];
    let still = "was text and is character varying now: class \"email\" still fits";
    shop.finds(&[(Note, Kind::Retyped, still)]);

    shop.relations = vec![table(CUSTOMERS, "customers", &[("id", INT), ("email", INT)])];
    let unfit = "was text and is integer now: its mask does not fit any longer";
    shop.finds(&[(Warning, Kind::Retyped, unfit)]);
    shop.catalog.tables[0].columns.insert("email".into(), "other".into());
    shop.finds(&[]);

    // A mask that fits everything hides it; whether enough is another question.
    let mut shop = shop.seen();
    shop.relations = vec![table(CUSTOMERS, "customers", &[("id", INT), ("email", BYTES)])];
    shop.finds(&[(Warning, Kind::Retyped, "look whether class \"other\" still hides it")]);
}

#[test]
fn what_was_clear_may_be_so_no_longer_when_its_type_changes() {
    let mut shop = Shop::with(vec![customers(&[("extra", INT)])]);
    shop.catalog.tables[0].columns.insert("extra".into(), "clear".into());
    let mut shop = shop.seen();
    shop.relations = vec![customers(&[("extra", TEXT)])];
    shop.finds(&[(Warning, Kind::Retyped, "look whether it still is \"clear\"")]);
}

#[test]
fn a_mask_that_does_not_fit_is_told_once_for_a_table_and_its_partitions() {
    let parent = table(CUSTOMERS, "customers", &[("id", INT), ("email", INT)]);
    let mut child = table(ORDERS, "customers_1", &[("id", INT), ("email", INT)]);
    child.parents = vec![CUSTOMERS];
    let unfit = "public.customers.email is integer, which the mask of class \"email\" does not fit";
    Shop::with(vec![parent, child]).seen().finds(&[(Warning, Kind::Mask, unfit)]);
}

#[test]
fn a_new_column_of_a_catalogued_table_is_told_until_the_catalog_names_it() {
    let mut shop = Shop::with(vec![customers(&[])]).seen();
    shop.relations = vec![customers(&[("shade", INT), ("mobile_phone", TEXT)])];
    let (phone, shade) = ("public.customers.mobile_phone is new", "public.customers.shade is new");
    shop.finds(&[(Warning, Kind::New, phone), (Warning, Kind::New, shade)]);
    let words = shop.find().remove(0).words;
    assert!(words.contains("it looks like class \"phone\" (the name says"), "{words}");

    // Neither a restart nor another change of the catalog makes it known.
    let mut shop = shop.seen();
    shop.catalog.tables[0].columns.insert("mobile_phone".into(), "other".into());
    let mut shop = shop.seen();
    shop.finds(&[(Warning, Kind::New, shade)]);
    shop.catalog.tables[0].columns.insert("shade".into(), "clear".into());
    shop.finds(&[]);
}

#[test]
fn a_new_column_that_is_hidden_meanwhile_is_a_note() {
    let mut shop = Shop::with(vec![customers(&[])]).seen();
    shop.unclassified = Unclassified::Mask;
    shop.relations = vec![customers(&[("shade", INT)])];
    shop.finds(&[(Note, Kind::New, "is new in a catalogued table, and is hidden meanwhile")]);
}

#[test]
fn what_looks_like_personal_data_is_told_wherever_it_is() {
    let orders = table(ORDERS, "orders", &[("id", INT), ("total", INT), ("contact_email", TEXT)]);
    let mut partition = table(20_002, "orders_1", &[("id", INT), ("contact_email", TEXT)]);
    partition.parents = vec![ORDERS];
    let mut view = table(20_003, "v_orders", &[("contact_email", TEXT)]);
    view.kind = RelationKind::View;
    view.definition = Some("SELECT contact_email FROM public.orders".to_owned());
    let mut system = table(20_004, "pg_people", &[("email", TEXT)]);
    system.name.schema = "pg_catalog".to_owned();
    let mut shop = Shop::with(vec![customers(&[]), orders, partition, view, system]);
    let looks = "public.orders.contact_email is not in the catalog: it looks like class \"email\"";
    shop.finds(&[(Warning, Kind::Uncatalogued, looks)]);
    shop.catalog.tables.push(catalogued("orders", &[("contact_email", "clear")]));
    shop.finds(&[]);
}

#[test]
fn what_values_say_is_told_with_who_saw_them() {
    let columns = [("c7", TEXT), ("contact_email", TEXT)];
    let mut shop = Shop::with(vec![customers(&columns)]).seen();
    let by_name = "contact_email is not in the catalog: it looks like class \"email\" (the name";
    shop.finds(&[(Warning, Kind::Uncatalogued, by_name)]);

    let (c7, contact) = (path("c7"), path("contact_email"));
    shop.values.used.insert(c7.clone(), vec![email(80), email(40)]);
    let used = "c7 is not in the catalog: it looks like class \"email\" (of what clients saw of it: \
                e-mail addresses)";
    let told = [(Warning, Kind::Uncatalogued, used), (Warning, Kind::Uncatalogued, by_name)];
    shop.finds(&told);

    // More values of the same kind are no news.
    let before = shop.find();
    shop.values.used.insert(c7.clone(), vec![email(90)]);
    assert_eq!(shop.find(), before);

    // A sample of the whole table takes the name's word back, and not what clients saw.
    shop.values.sampled.insert(contact, Vec::new());
    shop.values.sampled.insert(c7.clone(), vec![email(59)]);
    shop.finds(&told[..1]);
    let sampled = "c7 is not in the catalog: it looks like class \"email\" (of its values at \
                   $.mail: e-mail addresses)";
    let inside = Finding { path: Some("$.mail".into()), ..email(95) };
    shop.values.sampled.insert(c7, vec![inside]);
    shop.finds(&[(Warning, Kind::Uncatalogued, sampled)]);

    shop.catalog.tables[0].columns.insert("c7".into(), "clear".into());
    shop.finds(&[]);
}

#[test]
fn candidates_are_columns_that_are_neither_named_nor_hidden() {
    let more = [("c7", TEXT), ("c8", TEXT), ("photo", BYTES)];
    let mut orders = table(ORDERS, "orders", &[("id", INT), ("c1", VARCHAR)]);
    orders.kind = RelationKind::PartitionedTable;
    let mut partition = table(20_002, "orders_1", &[("c1", VARCHAR), ("id", INT)]);
    partition.parents = vec![ORDERS];
    let mut part = table(20_003, "orders_1_1", &[("c1", VARCHAR), ("id", INT), ("own", TEXT)]);
    part.parents = vec![20_002];
    let mut view = table(20_004, "v_orders", &[("c1", VARCHAR)]);
    view.kind = RelationKind::View;
    let mut shop = Shop::with(vec![customers(&more), orders, partition, part, view]);
    shop.catalog.tables[0].columns.insert("c8".into(), "clear".into());
    let all = |shop: &Shop| shop.seen_by(candidates);
    let shown = |shop: &Shop| {
        let short = |id: ColumnId| (id.relation, id.number);
        let all = all(shop).into_iter();
        all.map(|it| (short(it.id), short(it.told_at), it.type_oid)).collect::<Vec<_>>()
    };
    let of_orders = [
        ((ORDERS, 1), (ORDERS, 1), 23),
        ((ORDERS, 2), (ORDERS, 2), 1043),
        ((20_002, 1), (ORDERS, 2), 1043),
        ((20_002, 2), (ORDERS, 1), 23),
        ((20_003, 1), (ORDERS, 2), 1043),
        ((20_003, 2), (ORDERS, 1), 23),
        ((20_003, 3), (20_003, 3), 25),
    ];
    let own = [((CUSTOMERS, 1), (CUSTOMERS, 1), 23), ((CUSTOMERS, 3), (CUSTOMERS, 3), 25)];
    assert_eq!(shown(&shop), [&own[..], &of_orders].concat());

    // What is hidden until somebody decides needs no values to be told.
    shop.unclassified = Unclassified::Mask;
    assert_eq!(shown(&shop), of_orders);
    // What a table's column is called decides for its partitions.
    shop.catalog.tables.push(catalogued("orders", &[("c1", "clear"), ("id", "clear")]));
    shop.unclassified = Unclassified::Allow;
    assert_eq!(shown(&shop), [&own[..], &of_orders[6..]].concat());
}

fn path(column: &str) -> ColumnPath {
    ColumnPath { relation: RelationName::new("public", "customers"), column: column.into() }
}

fn email(percent: u8) -> Finding {
    let (kind, confidence) = (crate::discovery::Kind::Email, Confidence(percent));
    Finding { kind, confidence, reasons: Vec::new(), path: None, seen: 90, matched: 80 }
}

#[test]
fn what_comments_and_the_names_of_types_say_counts() {
    let mut shop = Shop::with(vec![customers(&[("c7", TEXT)])]).seen();
    shop.finds(&[]);
    let relation = RelationName::new("public", "customers");
    let path = ColumnPath { relation: relation.clone(), column: "c7".into() };
    let facts = ColumnFacts {
        table: relation,
        column: "c7".into(),
        data_type: "public.email_address".into(),
        comment: Some("the e-mail address that bills go to".into()),
        table_comment: None,
        checks: Vec::new(),
        labels: Vec::new(),
        unique: false,
        primary_key: false,
        references: None,
    };
    shop.facts.insert(path, facts);
    shop.finds(&[(Warning, Kind::Uncatalogued, "public.customers.c7 is not in the catalog")]);
}

#[test]
fn a_foreign_key_to_personal_data_holds_the_same_values() {
    let constraint = |kind, column, other| Constraint {
        kind,
        columns: vec![column],
        other: Some(other),
        cascades: false,
    };
    let mut people = customers(&[]);
    people.constraints = vec![constraint(ConstraintKind::ReferencedBy, 2, ORDERS)];
    let mut orders = table(ORDERS, "orders", &[("id", INT), ("buyer", TEXT)]);
    orders.constraints = vec![constraint(ConstraintKind::ForeignKey, 2, CUSTOMERS)];
    let mut shop = Shop::with(vec![people, orders]);
    let copied = "public.orders.buyer is not in the catalog: it holds values of \
                  public.customers.email (class \"email\"), by a foreign key";
    shop.finds(&[(Warning, Kind::Uncatalogued, copied)]);
    shop.catalog.tables.push(catalogued("orders", &[("buyer", "email")]));
    shop.finds(&[]);
    // A key to what is not personal is nothing.
    shop.catalog.tables.pop();
    shop.relations[0].constraints[0].columns = vec![1];
    shop.finds(&[]);
}

#[test]
fn keys_that_are_not_there_are_a_problem_and_what_cannot_be_one_a_warning() {
    let mut shop = Shop::with(vec![customers(&[("blob", BYTES)])]);
    shop.catalog.tables[0].subject = Some(vec!["id".into(), "blob".into(), "number".into()]);
    shop.catalog.honey.push(Honey {
        table: RelationName::new("public", "customers"),
        key: "decoy".into(),
        values: vec!["7".into()],
        place: "shop.toml:50".into(),
    });
    let shop = shop.seen();
    shop.finds(&[
        (Wrong, Kind::Key, "there is no key column public.customers.decoy: nobody is told"),
        (Wrong, Kind::Key, "there is no key column public.customers.number: whose rows are shown"),
        (Warning, Kind::Key, "public.customers.blob is a key of type bytea, which cannot be one"),
    ]);
    assert_eq!(shop.find()[0].place, "shop.toml:50");
}

#[test]
fn a_renamed_key_is_told_with_its_new_name() {
    let mut shop = Shop::with(vec![customers(&[])]);
    shop.catalog.tables[0].subject = Some(vec!["id".into()]);
    let mut shop = shop.seen();
    shop.finds(&[]);
    shop.relations = vec![table(CUSTOMERS, "customers", &[("number", INT), ("email", TEXT)])];
    let renamed = "there is no key column public.customers.id, it is number now";
    shop.finds(&[(Wrong, Kind::Key, renamed)]);
    assert_eq!(shop.find()[0].place, "shop.toml:9");
}

#[test]
fn what_derives_personal_data_is_told_until_it_is_decided() {
    let mut stored = table(20_010, "summary", &[("shortened", TEXT)]);
    stored.kind = RelationKind::MaterializedView;
    stored.reads = vec![CUSTOMERS];
    stored.definition = Some("SELECT lower(email) AS shortened FROM public.customers".to_owned());
    let mut view = table(20_011, "v_first", &[("first", TEXT)]);
    view.kind = RelationKind::View;
    view.calls = vec![30_000];
    view.definition = Some("SELECT public.first_email() AS first".to_owned());
    let mut shop = Shop::with(vec![customers(&[]), stored, view]).seen();
    let trigger = Function {
        return_type: 2279,
        language: "plpgsql".into(),
        ..function(30_001, "on_change", "BEGIN PERFORM FROM public.customers; RETURN NEW; END")
    };
    let opaque = Function { language: "plpython3u".into(), ..function(30_002, "guess", "pass") };
    let of_extension = Function {
        language: "c".into(),
        extension: Some("unheard_of".into()),
        ..function(30_003, "st_something", "st_something")
    };
    shop.functions = vec![
        function(30_000, "first_email", "SELECT email FROM public.customers LIMIT 1"),
        trigger,
        opaque,
        of_extension,
    ];
    shop.finds(&[
        (Warning, Kind::Undecided, "function public.first_email() reads customers: refused until"),
        (Warning, Kind::Undecided, "public.summary stores what is computed"),
        (Warning, Kind::Undecided, "view public.v_first may show personal data by way of public.f"),
        (Note, Kind::Undecided, "1 functions of extension unheard_of"),
        (Note, Kind::Undecided, "function public.guess() is in a language that is not read"),
    ]);
    let declared = |signature: &str, class: &str| DeclaredFunction {
        signature: signature.to_owned(),
        class: class.to_owned(),
        place: "shop.toml:60".to_owned(),
    };
    shop.catalog.tables.push(catalogued("summary", &[("shortened", "other")]));
    shop.catalog.functions = vec![
        declared("public.first_email()", "clear"),
        declared("public.guess()", "clear"),
        declared("public.st_something()", "clear"),
    ];
    shop.finds(&[]);
}

#[test]
fn what_is_found_again_is_known_since_it_was_found_first() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let drift = |words: &str| Drift {
        severity: Warning,
        kind: Kind::New,
        table: None,
        column: None,
        place: String::new(),
        words: words.to_owned(),
    };
    let first = carried(&[], vec![drift("one"), drift("two")], at(1));
    let second = carried(&first, vec![drift("two"), drift("three")], at(2));
    let since: Vec<_> = second.iter().map(|it| (&*it.drift.words, it.since)).collect();
    assert_eq!(since, [("two", at(1)), ("three", at(2))]);
    assert_eq!(carried(&second, vec![drift("one")], at(3))[0].since, at(3));
}
