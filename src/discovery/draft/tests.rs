use std::path::PathBuf;

use super::super::report::{AT_LEAST_DEFAULT, ScannedTable, TableKind};
use super::*;
use crate::catalog::{self, DatePrecision};

fn found(class: &str, confidence: u8, mask: Option<MaskSpec>) -> Found {
    Found {
        kind: class.to_owned(),
        class: class.to_owned(),
        confidence,
        reasons: vec![format!("the name says {class}"), "90 of 100 fit".to_owned()],
        path: None,
        seen: 100,
        matched: 90,
        mask: mask.map(Mask),
    }
}

fn inside(path: &str, found: Found) -> Found {
    Found { path: Some(path.to_owned()), ..found }
}

fn column(name: &str, sql: &str, findings: Vec<Found>) -> ScannedColumn {
    let (oid, category) = match sql {
        "text" => (25, b'S'),
        "jsonb" => (3802, b'U'),
        _ => (1082, b'D'),
    };
    ScannedColumn {
        name: name.to_owned(),
        data_type: sql.to_owned(),
        findings,
        value: Some(ValueType { oid, typmod: -1, sql: sql.to_owned(), category }),
        samples: Vec::new(),
    }
}

fn tables() -> Vec<ScannedTable> {
    let email = |confidence| found("email", confidence, Some(MaskSpec::Email));
    let phone = || found("phone", 70, Some(MaskSpec::Partial { keep_first: 0, keep_last: 2 }));
    let table = |schema: &str, name: &str, columns| ScannedTable {
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind: TableKind::Table,
        rows: 100,
        skipped: None,
        note: None,
        columns,
    };
    vec![
        table(
            "public",
            "people",
            vec![
                column("email", "text", vec![email(97), phone()]),
                column(
                    "Born \"on\"",
                    "date",
                    vec![found("birth_date", 80, Some(MaskSpec::Date { to: DatePrecision::Year }))],
                ),
                column("contact", "jsonb", vec![inside("$.mail", email(90))]),
                column(
                    "more",
                    "jsonb",
                    vec![inside("$.mail", email(90)), inside("$.tel", phone())],
                ),
                column("token", "text", vec![found("secret", 95, None)]),
                column("town", "text", vec![found("city", 40, Some(MaskSpec::Redact))]),
            ],
        ),
        table("My Schema", "orders", vec![column("mail", "text", vec![email(60)])]),
    ]
}

fn proposals(tables: &[ScannedTable], catalog: &Catalog) -> Vec<Proposal> {
    Proposal::all(&Report::new("shop", tables, catalog, AT_LEAST_DEFAULT), catalog)
}

#[test]
fn a_draft_has_classes_tables_and_reasons() {
    let (tables, none) = (tables(), Catalog::default());
    insta::assert_snapshot!(catalog("shop", &proposals(&tables, &none)), @r##"
    # Drafted by `keyhole scan` of database "shop": 6 columns to be looked through before they count.
    # Above each column: how sure it is, and why.

    [[class]]
    name = "birth_date"
    mask = { kind = "date", to = "year" }

    [[class]]
    name = "email"
    mask = { kind = "email" }

    [[class]]
    name = "email_redacted"
    mask = { kind = "redact" }

    [[class]]
    name = "personal_document"
    mask = { kind = "redact" }

    [[class]]
    name = "secret"
    deny = true

    [[table]]
    name = "public.people"
    [table.columns]
    # 97 %: the name says email; 90 of 100 fit; also phone (70 %)
    email = "email"
    # 80 %: the name says birth_date; 90 of 100 fit
    "Born \"on\"" = "birth_date"
    # 90 % at $.mail: the name says email; 90 of 100 fit
    contact = "email_redacted"
    # 90 % at $.mail: the name says email; 90 of 100 fit; also phone at $.tel (70 %)
    more = "personal_document"
    # 95 %: the name says secret; 90 of 100 fit
    token = "secret"

    [[table]]
    name = "\"My Schema\".orders"
    [table.columns]
    # 60 %: the name says email; 90 of 100 fit
    mail = "email"
    "##);
}

const EXISTING: &str = r#"# Ours.

[[class]]
name = "email"          # as the team calls it
mask = { kind = "redact" }

# Tables, by hand.
[[table]]
name = "public.people"  # who
[table.columns]
ssn = "national_id"     # do not touch

[[table]]
name = "\"My Schema\".orders"
columns = { note = "free_text" }

[[function]]
name = "public.f(integer)"
class = "email"
"#;

fn existing() -> Catalog {
    let class = |name: &str, mask| {
        let hiding = Hiding::Mask(mask);
        (name.to_owned(), catalog::Class { name: name.to_owned(), hiding, sensitivity: None })
    };
    Catalog {
        classes: [
            class("email", MaskSpec::Redact),
            class("national_id", MaskSpec::Redact),
            class("free_text", MaskSpec::Redact),
        ]
        .into(),
        ..Catalog::default()
    }
}

#[test]
fn a_patch_adds_in_place_and_keeps_everything_else() {
    let (tables, existing) = (tables(), existing());
    let proposals = proposals(&tables, &existing);
    let files = [(PathBuf::from("catalog/shop.toml"), EXISTING.to_owned())];
    let changed = patched(&files, &proposals, &existing).expect("it can be added to");
    // Unchanged empty lines are a blank, which no editor keeps.
    let told = diff(&changed[0]);
    let told: Vec<&str> = told.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(told.join("\n"), @r##"
    --- catalog/shop.toml
    +++ catalog/shop.toml
    @@ -4,15 +4,38 @@
     name = "email"          # as the team calls it
     mask = { kind = "redact" }

    +[[class]]
    +name = "birth_date"
    +mask = { kind = "date", to = "year" }
    +
    +[[class]]
    +name = "personal_document"
    +mask = { kind = "redact" }
    +
    +[[class]]
    +name = "secret"
    +deny = true
    +
     # Tables, by hand.
     [[table]]
     name = "public.people"  # who
     [table.columns]
     ssn = "national_id"     # do not touch
    +# 97 %: the name says email; 90 of 100 fit; also phone (70 %)
    +email = "email"
    +# 80 %: the name says birth_date; 90 of 100 fit
    +'Born "on"' = "birth_date"
    +# 90 % at $.mail: the name says email; 90 of 100 fit
    +contact = "email"
    +# 90 % at $.mail: the name says email; 90 of 100 fit; also phone at $.tel (70 %)
    +more = "personal_document"
    +# 95 %: the name says secret; 90 of 100 fit
    +token = "secret"

     [[table]]
     name = "\"My Schema\".orders"
    -columns = { note = "free_text" }
    +# mail: 60 %: the name says email; 90 of 100 fit
    +columns = { note = "free_text", mail = "email" }

     [[function]]
     name = "public.f(integer)"
    "##);
    let again = [(changed[0].path.clone(), changed[0].after.clone())];
    let mut known = existing;
    for Proposal { class, hiding, .. } in &proposals {
        let (name, hiding) = (class.clone(), hiding.clone());
        known.classes.insert(class.clone(), catalog::Class { name, hiding, sensitivity: None });
    }
    let twice = patched(&again, &proposals, &known).expect("it can be added to");
    assert_eq!(twice, []);
}

#[test]
fn a_chosen_class_takes_the_place_of_the_old_one() {
    let (tables, existing) = (tables(), existing());
    let mut ssn = column("ssn", "text", Vec::new());
    ssn.name = "ssn".to_owned();
    let chosen = Proposal::chosen(&tables[0].relation(), &ssn, &existing, "free_text");
    let files = [(PathBuf::from("a.toml"), EXISTING.to_owned())];
    let changed = patched(&files, &[chosen], &existing).expect("it can be changed");
    let line = "ssn = \"free_text\"     # do not touch\n";
    assert_eq!(
        changed[0].after,
        EXISTING.replace("ssn = \"national_id\"     # do not touch\n", line)
    );
}

#[test]
fn without_a_file_there_is_nothing_to_patch() {
    let (tables, none) = (tables(), Catalog::default());
    let missing = patched(&[], &proposals(&tables, &none), &none);
    assert!(matches!(missing, Err(PatchError::NoFile)));
}

#[test]
fn what_else_there_is_goes_to_the_file_that_has_such() {
    let (tables, existing) = (tables(), existing());
    let files = [
        (PathBuf::from("classes.toml"), "[[class]]\nname = \"email\"\ndeny = true\n".to_owned()),
        (
            PathBuf::from("tables.toml"),
            "[[table]]\nname = \"a.b\"\ncolumns.c = \"email\"\n".to_owned(),
        ),
    ];
    let changed = patched(&files, &proposals(&tables, &existing), &existing).expect("two files");
    assert!(!changed[0].after.contains("name = \"phone\""));
    assert!(changed[0].after.contains("name = \"secret\"\ndeny = true\n"));
    assert!(changed[1].after.contains("name = \"public.people\""));
    assert!(!changed[1].after.contains("[[class]]"));
}

#[test]
fn strings_stay_on_their_line() {
    assert_eq!(text("a\"b\\c\nd\u{202e}"), r#""a\"b\\c\u000Ad\u202E""#);
    assert_eq!(key("a b"), "\"a b\"");
}

#[test]
fn names_are_nothing_but_names_in_a_patch() {
    let evil = "a\n[[class]]\nname = \"b\"\u{202e}";
    let line = "[[table]]\nname = \"public.people\"\ncolumns = { email = \"email\" }\n";
    let block = "[[table]]\nname = \"public.people\"\n[table.columns]\nemail = \"email\"\n";
    let proposal = |column: &str, relation: &str| Proposal {
        relation: RelationName::new("public", relation),
        column: column.to_owned(),
        class: "secret".to_owned(),
        hiding: Hiding::Deny,
        value: None,
        because: "95 %".to_owned(),
    };
    for text in [line, block] {
        let proposals = [proposal(evil, "people"), proposal("x", evil)];
        let files = [(PathBuf::from("shop.toml"), text.to_owned())];
        let patched = patched(&files, &proposals, &Catalog::default()).expect("it is added");
        let after = &patched[0].after;
        assert!(!after.contains('\u{202e}'), "{after}");
        let read: toml::Table = after.parse().expect("TOML");
        assert_eq!(read["class"].as_array().expect("classes").len(), 1, "{after}");
        let tables = read["table"].as_array().expect("tables");
        assert_eq!(tables[0]["columns"][evil].as_str(), Some("secret"), "{after}");
        let named = format!("public.\"{}\"", evil.replace('"', "\"\""));
        assert_eq!(tables[1]["name"].as_str(), Some(&*named), "{after}");
        // What was taken already is not added again, whatever catalog counts.
        let files = [(PathBuf::from("shop.toml"), after.clone())];
        let again = super::patched(&files, &proposals, &Catalog::default()).expect("it is there");
        assert_eq!(again, []);
    }
}
