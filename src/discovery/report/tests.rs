use super::*;
use crate::catalog::{Class, DatePrecision};

fn found(class: &str, confidence: u8) -> Found {
    Found {
        kind: class.to_owned(),
        class: class.to_owned(),
        confidence,
        reasons: vec![format!("the name says {class}")],
        path: None,
        seen: 100,
        matched: 90,
        mask: Some(Mask(MaskSpec::Redact)),
    }
}

fn column(name: &str, findings: Vec<Found>) -> ScannedColumn {
    ScannedColumn {
        name: name.to_owned(),
        data_type: "text".to_owned(),
        findings,
        value: None,
        samples: Vec::new(),
    }
}

fn table(name: &str, kind: TableKind, columns: Vec<ScannedColumn>) -> ScannedTable {
    let (schema, name) = ("public".to_owned(), name.to_owned());
    ScannedTable { schema, name, kind, rows: 100, skipped: None, note: None, columns }
}

fn catalog(columns: &[(&str, &str)]) -> Catalog {
    let class = |name: &str| Class {
        name: name.to_owned(),
        hiding: Hiding::Mask(MaskSpec::Redact),
        sensitivity: None,
    };
    Catalog {
        classes: columns.iter().map(|(_, name)| ((*name).to_owned(), class(name))).collect(),
        tables: vec![Table {
            name: RelationName::new("public", "people"),
            columns: columns.iter().map(|(c, k)| ((*c).to_owned(), (*k).to_owned())).collect(),
            subject: None,
            place: String::new(),
        }],
        ..Catalog::default()
    }
}

fn people() -> Vec<ScannedTable> {
    let columns = vec![
        column("email", vec![found("email", 97)]),
        column("mail2", vec![found("email", 60)]),
        column("town", vec![found("postal_address", 59)]),
        column("phone", vec![found("phone", 80), found("email", 70)]),
        column("label", vec![found("person_name", 90)]),
        column("nick", vec![found("person_name", 40)]),
        column("sku", vec![found("phone", 29)]),
        column("id", Vec::new()),
    ];
    let view = vec![column("email", vec![found("email", 90)])];
    let mut locked = table("locked", TableKind::Table, vec![column("x", Vec::new())]);
    locked.skipped = Some("it was locked".to_owned());
    vec![
        table("people", TableKind::Table, columns),
        table("v_people", TableKind::View, view),
        locked,
    ]
}

#[test]
fn each_column_is_held_against_the_catalog() {
    let tables = people();
    let catalog = catalog(&[
        ("email", "email"),
        ("phone", "email"),
        ("town", "address"),
        ("label", "clear"),
        ("nick", "name"),
    ]);
    let report = Report::new("shop", &tables, &catalog, AT_LEAST_DEFAULT);
    let standings: Vec<(&str, Standing)> =
        report.columns.iter().map(|column| (column.column, column.standing)).collect();
    assert_eq!(
        standings,
        [
            ("email", Standing::Agrees),
            ("mail2", Standing::New),
            ("town", Standing::Declared),
            ("phone", Standing::Agrees),
            ("label", Standing::Clear),
            ("nick", Standing::Declared),
            ("email", Standing::Follows),
        ]
    );
    assert!(report.has_news());
    assert_eq!(report.skipped.len(), 1);
    let stricter = Report::new("shop", &tables, &catalog, 61);
    let mail2 = stricter.columns.iter().find(|column| column.column == "mail2");
    assert_eq!(mail2.map(|column| column.standing), Some(Standing::Doubtful));
    assert!(!stricter.has_news());
}

#[test]
fn another_class_is_told_apart_from_the_same() {
    let tables = people();
    let catalog = catalog(&[("label", "phone")]);
    let report = Report::new("shop", &tables, &catalog, AT_LEAST_DEFAULT);
    let label = report.columns.iter().find(|column| column.column == "label").expect("it is");
    assert_eq!((label.standing, label.catalogued), (Standing::Differs, Some("phone")));
}

#[test]
fn a_key_that_may_be_data_is_no_part_of_a_path() {
    for (given, kept) in [
        ("$.contact.email", "$.contact.email"),
        ("$.tags[*].name", "$.tags[*].name"),
        ("$.alice@example.com", "$.*.com"),
        ("$.Ada Lovelace.age", "$.*.age"),
        ("$.4711.age", "$.*.age"),
        ("$.a[17]", "$.a[*]"),
        ("$.über", "$.*"),
    ] {
        assert_eq!(path(given), kept, "{given}");
    }
}

#[test]
fn what_is_kept_is_read_back() {
    let mut tables = people();
    tables[0].columns[0].findings[0].mask = Some(Mask(MaskSpec::Date { to: DatePrecision::Year }));
    tables[0].columns[1].findings[0].mask = None;
    tables[0].columns[1].samples = vec!["a***@example.com".to_owned()];
    for table in &mut tables {
        let line = serde_json::to_string(table).expect("words and counts");
        assert!(!line.contains("example.com"), "{line}");
        table.columns.iter_mut().for_each(|column| column.samples.clear());
        let read: ScannedTable = serde_json::from_str(&line).expect("as it was written");
        assert_eq!(read, *table);
    }
}

#[test]
fn the_page_is_whole_and_escapes_names() {
    let mut tables = people();
    tables[0].columns[1].name = "<script>alert(1)</script>\n".to_owned();
    let catalog = Catalog::default();
    let page = Report::new("sh<o>p", &tables, &catalog, AT_LEAST_DEFAULT).html("2026-11-28");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for part in ["Not in the catalog (4)", "sh&lt;o&gt;p", "it was locked", "</html>"] {
        assert!(page.contains(part), "{part}");
    }
    for outside in ["http://", "https://", "src="] {
        assert!(!page.contains(outside), "{outside}");
    }
}
