//! Round trips of every format, and what others write that we never would.

use proptest::prelude::*;

use super::statements::{Wanted, comments, labels, masking_rules};
use super::*;
use crate::catalog::{DatePrecision, MaskSpec};

/// What PostgreSQL can store: no NUL.
fn text() -> impl Strategy<Value = String> {
    let any = "\\PC{1,12}".prop_map(|text: String| text.replace('\0', ""));
    prop_oneof!["[a-z_]{1,8}", "[ -~]{1,12}", any, "['\"=,\\\\\r\n:(){}#$-]{1,6}"]
        .prop_filter("empty", |text| !text.is_empty())
}

/// What a catalog or a server has as a name: no blanks around it, which CSV does not keep bare.
fn column() -> impl Strategy<Value = ColumnPath> {
    (text(), text(), text()).prop_map(|(schema, table, column)| ColumnPath {
        relation: RelationName::new(schema, table),
        column,
    })
}

fn masks() -> impl Strategy<Value = Hiding> {
    let to = prop_oneof![Just(DatePrecision::Year), Just(DatePrecision::Month)];
    prop_oneof![
        Just(Hiding::Deny),
        Just(Hiding::Mask(MaskSpec::Redact)),
        Just(Hiding::Mask(MaskSpec::Null)),
        Just(Hiding::Mask(MaskSpec::Email)),
        prop_oneof![Just(String::new()), text()]
            .prop_map(|value| Hiding::Mask(MaskSpec::Constant { value })),
        (0..9_usize, 0..9_usize).prop_map(|(keep_first, keep_last)| Hiding::Mask(
            MaskSpec::Partial { keep_first, keep_last }
        )),
        to.prop_map(|to| Hiding::Mask(MaskSpec::Date { to })),
        (1..999_u64).prop_map(|size| Hiding::Mask(MaskSpec::Bucket { size })),
        (0..33_u8, 0..129_u8)
            .prop_map(|(v4_prefix, v6_prefix)| Hiding::Mask(MaskSpec::Ip { v4_prefix, v6_prefix })),
    ]
}

fn saying() -> impl Strategy<Value = Said> {
    (column(), text(), prop::option::of(masks())).prop_map(|(column, class, hiding)| Said {
        column,
        class,
        hiding,
    })
}

/// Each column once, in order.
fn sayings() -> impl Strategy<Value = Vec<Said>> {
    prop::collection::vec(saying(), 0..6).prop_map(|mut all| {
        all.sort_by(|a, b| a.column.cmp(&b.column));
        all.dedup_by(|a, b| a.column == b.column);
        all
    })
}

fn whole(said: Vec<Said>) -> Reading {
    Reading { said, unclear: Vec::new() }
}

proptest! {
    #[test]
    fn comma_separated_values_come_back(said in sayings()) {
        prop_assert_eq!(csv::read(&csv::written(&said), &Assumed::default()), whole(said));
    }

    #[test]
    fn properties_of_dbt_come_back(said in sayings()) {
        prop_assert_eq!(dbt::read(&dbt::written(&said), &Assumed::default()), whole(said));
    }

    #[test]
    fn labels_come_back(said in sayings(), provider in text()) {
        let wanted = Wanted::Labels { provider: Some(&provider) };
        let read = statements::read(&labels(&said, &provider), wanted, &Assumed::default());
        prop_assert_eq!(read, whole(said));
    }

    #[test]
    fn comments_come_back_and_keep_what_they_said(
        said in sayings(),
        present in prop::option::of(text()),
    ) {
        let sql = comments(&said, |_| present.as_deref());
        let read = statements::read(&sql, Wanted::Comments, &Assumed::default());
        prop_assert_eq!(read, whole(said.clone()));
        for one in &said {
            let tag = Tag { class: one.class.clone(), hiding: one.hiding.clone() };
            let once = tagged(present.as_deref(), &tag);
            prop_assert_eq!(&tagged(Some(&once), &tag), &once);
            let words = present.as_deref().unwrap_or("");
            prop_assert!(words.to_lowercase().contains("pii") || once.starts_with(words));
        }
    }

    /// Anonymizer has no word for the class, nor for every mask.
    #[test]
    fn masking_rules_come_back_with_their_masks(said in sayings()) {
        let (sql, unclear) = masking_rules(&said);
        let wanted = Wanted::Labels { provider: Some(anonymizer::PROVIDER) };
        let read = statements::read(&sql, wanted, &Assumed::default());
        prop_assert_eq!(&read.unclear, &[]);
        prop_assert_eq!(read.said.len() + unclear.len(), said.len());
        for one in read.said {
            let was = said.iter().find(|was| was.column == one.column).expect("one of them");
            match was.hiding.as_ref().expect("a mask was written") {
                Hiding::Deny => prop_assert_eq!(one.hiding, Some(Hiding::Mask(MaskSpec::Null))),
                Hiding::Mask(MaskSpec::Constant { value }) if value == "***" => {
                    prop_assert_eq!(one.hiding, Some(Hiding::Mask(MaskSpec::Redact)));
                }
                same @ Hiding::Mask(_) => prop_assert_eq!(one.hiding.as_ref(), Some(same)),
            }
        }
    }

    #[test]
    fn a_catalog_is_toml_that_says_the_same(said in sayings()) {
        let written = catalog::written(&said);
        let read: toml::Table = written.parse().expect("TOML");
        let empty = Vec::new();
        let list = |key: &str| read.get(key).and_then(|list| list.as_array()).unwrap_or(&empty);
        let columns: usize = list("table")
            .iter()
            .map(|table| table["columns"].as_table().expect("columns").len())
            .sum();
        prop_assert_eq!(columns, said.len());
        for table in list("table") {
            for class in table["columns"].as_table().expect("columns").values() {
                prop_assert!(list("class").iter().any(|one| &one["name"] == class));
            }
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(
        text in "\\PC{0,80}|[pi:=\"()a-z -]{0,80}|[-{}\\[\\]:,\n a-z\"]{0,80}",
    ) {
        let assumed = Assumed::default();
        let _ = csv::read(&text, &assumed);
        let _ = dbt::read(&text, &assumed);
        let _ = anonymizer::read(&text, &assumed);
        let _ = statements::read(&text, Wanted::Comments, &assumed);
        let _ = statements::read(&text, Wanted::Labels { provider: None }, &assumed);
    }
}

fn path(column: &str) -> ColumnPath {
    Assumed::default().column(&column.split('.').collect::<Vec<_>>()).expect("a column")
}

fn told(reading: &Reading) -> Vec<String> {
    let said = reading.said.iter().map(|said| {
        let hidden = said.hiding.as_ref().map(tag::spelled);
        format!("{} {} {}", said.column, said.class, hidden.as_deref().unwrap_or("-"))
    });
    said.chain(reading.unclear.iter().map(|unclear| format!("{} ? {}", unclear.place, unclear.why)))
        .collect()
}

#[test]
fn a_comment_says_it_among_other_words() {
    let assumed = Assumed::default();
    let class = |text: &str| match tag::find(text, &assumed) {
        tag::Finding::Tag(tag) => tag.to_string(),
        tag::Finding::NotPersonal => "no".to_owned(),
        tag::Finding::Nothing => "-".to_owned(),
    };
    assert_eq!(class("Where we write to. PII: email; see the wiki"), "pii: email");
    assert_eq!(
        class("pii=phone (partial keep_last=2), checked"),
        "pii: phone (partial keep_first=0 keep_last=2)"
    );
    assert_eq!(class("pii: phone (called rarely)"), "pii: phone");
    assert_eq!(class("pii: yes"), "pii: personal");
    assert_eq!(class("pii: none"), "no");
    assert_eq!(class("the copii: of it"), "-");
    assert_eq!(class("no word of it"), "-");
}

#[test]
fn masking_rules_as_the_extension_documents_them() {
    let assumed = Assumed::default();
    let rule = |text: &str| match anonymizer::read(text, &assumed) {
        Some(anonymizer::Rule::Masked(tag)) => tag.to_string(),
        Some(anonymizer::Rule::NotMasked) => "not masked".to_owned(),
        None => "?".to_owned(),
    };
    for (label, expected) in [
        ("MASKED WITH FUNCTION anon.fake_last_name()", "pii: person_name (redact)"),
        ("masked with function anon.dummy_safe_email()", "pii: email (redact)"),
        ("MASKED WITH FUNCTION anon.partial_email(mail)", "pii: email (email)"),
        (
            "MASKED WITH FUNCTION anon.partial(phone,2,$$******$$,2)",
            "pii: personal (partial keep_first=2 keep_last=2)",
        ),
        ("MASKED WITH FUNCTION anon.random_phone('+33')", "pii: phone (redact)"),
        ("MASKED WITH VALUE NULL", "pii: personal (null)"),
        ("MASKED WITH VALUE $$CONFIDENTIAL$$", "pii: personal (constant value=\"CONFIDENTIAL\")"),
        ("MASKED WITH VALUE '0'::text", "pii: personal (constant value=\"0\")"),
        (
            "MASKED WITH FUNCTION pg_catalog.date_trunc('year', born)",
            "pii: personal (date to=year)",
        ),
        (
            "MASKED WITH FUNCTION anon.generalize_int4range(zip, 1000)",
            "pii: personal (bucket size=1000)",
        ),
        ("MASKED WITH FUNCTION anon.hash(token)", "pii: personal (redact)"),
        ("NOT MASKED", "not masked"),
        ("MASKED", "?"),
        ("MASKED WITH FUNCTION anon.f(); DROP TABLE t", "?"),
        ("TABLESAMPLE BERNOULLI(10)", "?"),
    ] {
        assert_eq!(rule(label), expected, "{label}");
    }
}

#[test]
fn a_dump_is_read_past_rows_and_commands() {
    let dump = "\\restrict abc\n--\n-- Name: t; Type: TABLE\n--\nCREATE TABLE public.t (a text);\n\
        COPY public.t (a) FROM stdin;\nSECURITY LABEL FOR anon ON COLUMN x.y IS 'a';\nit's\n\\.\n\
        --\n-- Name: COLUMN t.a; Type: SECURITY LABEL\n--\n\n\
        SECURITY LABEL FOR anon ON COLUMN public.t.a IS 'MASKED WITH FUNCTION anon.fake_iban()';\n\
        SECURITY LABEL FOR anon ON TABLE public.t IS 'TABLESAMPLE BERNOULLI(10)';\n\
        SECURITY LABEL FOR other ON COLUMN t.b IS 'email';\n\
        SECURITY LABEL FOR other ON COLUMN t.c IS 'top secret, and more';\n\
        SECURITY LABEL FOR other ON COLUMN t.d IS NULL;\n\
        CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'SECURITY LABEL; x' $$;\n\
        COMMENT ON COLUMN public.t.a IS 'It''s theirs. pii: bank_account';\n\
        COMMENT ON COLUMN public.t.b IS 'nothing';\nCOMMENT ON TABLE t IS 'pii: x';\n";
    let assumed = Assumed::default();
    let labels = statements::read(dump, Wanted::Labels { provider: None }, &assumed);
    assert_eq!(
        told(&labels),
        [
            "public.t.a bank_account redact",
            "public.t.b email -",
            "public.t.c ? its label is neither a class nor a masking rule"
        ]
    );
    let of_one = statements::read(dump, Wanted::Labels { provider: Some("anon") }, &assumed);
    assert_eq!(told(&of_one), ["public.t.a bank_account redact"]);
    let comments = statements::read(dump, Wanted::Comments, &assumed);
    assert_eq!(told(&comments), ["public.t.a bank_account -"]);
}

#[test]
fn properties_of_dbt_in_the_forms_that_are_used() {
    let yaml = "
version: 2
models:
  - name: dim_customers
    config: {schema: marts}
    columns:
      - name: email
        meta: {pii: email}
      - name: phone
        meta: {contains_pii: true, pii_type: phone}
      - name: born
        config:
          meta: {pii: true}
      - name: city
        tags: ['pii:postal_address', other]
      - name: nick
        tags: pii
      - name: revenue
        meta: {pii: false, owner: bi}
        tags: [money]
      - name: street
        meta: {pii: yes}
      - name: margin
        meta: {pii: no}
      - description: without a name
seeds:
  - name: staff
    columns: [{name: name, tags: [contains_pii]}]
sources:
  - name: shop
    tables:
      - name: orders
        identifier: raw_orders
        columns: [{name: ship_to, meta: {pii: postal_address, pii_mask: 'blur'}}]
";
    assert_eq!(
        told(&dbt::read(yaml, &Assumed::default())),
        [
            "marts.dim_customers.email email -",
            "marts.dim_customers.phone phone -",
            "marts.dim_customers.born personal -",
            "marts.dim_customers.city postal_address -",
            "marts.dim_customers.nick personal -",
            "marts.dim_customers.street personal -",
            "public.staff.name personal -",
            "shop.raw_orders.ship_to postal_address -",
            "shop.raw_orders.ship_to ? its mask is not known",
        ]
    );
    assert_eq!(told(&dbt::read("a: [", &Assumed::default())), ["the file ? it is not YAML"]);
}

#[test]
fn comma_separated_values_of_a_spreadsheet() {
    let text =
        "\u{feff}Class,Column,Table\nemail,mail,people\n\n\"phone\", tel ,\"odd, name\"\n,x,y\n";
    assert_eq!(
        told(&csv::read(text, &Assumed::default())),
        [
            "public.people.mail email -",
            "public.odd, name.tel phone -",
            "record 5 ? table, column or class is empty"
        ]
    );
    let masked = "table,column,class,mask\nt,c,phone,partial keep_last=2\nt,d,phone,blur\n";
    assert_eq!(
        told(&csv::read(masked, &Assumed::default())),
        [
            "public.t.c phone partial keep_first=0 keep_last=2",
            "public.t.d phone -",
            "record 3 ? its mask is not known"
        ]
    );
    let headless = csv::read("t,c,email\n", &Assumed::default());
    assert_eq!(told(&headless), ["line 1 ? the first line does not name table, column and class"]);
}

#[test]
fn a_class_that_is_hidden_in_two_ways_becomes_two() {
    let one = |column: &str, class: &str, hiding| Said {
        column: path(column),
        class: class.to_owned(),
        hiding,
    };
    let last = |keep_last| Some(Hiding::Mask(MaskSpec::Partial { keep_first: 0, keep_last }));
    let said = [
        one("a.tel", "phone", None),
        one("b.tel", "phone", last(4)),
        one("Odd.tel", "phone", last(2)),
        one("b.pay", "pay", None),
    ];
    insta::assert_snapshot!(catalog::written(&said), @r#"
    [[class]]
    name = "pay"
    deny = true

    [[class]]
    name = "phone"
    mask = { kind = "partial", keep_first = 0, keep_last = 4 }

    [[class]]
    name = "phone_2"
    mask = { kind = "partial", keep_first = 0, keep_last = 2 }

    [[table]]
    name = "\"public\".\"Odd\""
    [table.columns]
    tel = "phone_2"

    [[table]]
    name = "public.a"
    [table.columns]
    tel = "phone"

    [[table]]
    name = "public.b"
    [table.columns]
    pay = "pay"
    tel = "phone"
    "#);
}
