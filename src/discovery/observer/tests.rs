use proptest::prelude::*;

use super::*;
use crate::discovery::{Country, Kind};
use crate::model::RelationName;

fn facts(table: &str, column: &str, data_type: &str) -> ColumnFacts {
    ColumnFacts {
        table: RelationName::new("public", table),
        column: column.into(),
        data_type: data_type.into(),
        comment: None,
        table_comment: None,
        checks: Vec::new(),
        labels: Vec::new(),
        unique: false,
        primary_key: false,
        references: None,
    }
}

/// The first finding of at least 60.
fn found(facts: ColumnFacts, values: &[String], siblings: &[&str]) -> Option<Kind> {
    let mut observer = Observer::new(facts);
    for value in values {
        observer.see(Some(value));
    }
    let findings = observer.findings(siblings);
    findings.first().filter(|finding| finding.confidence.0 >= 60).map(|finding| finding.kind)
}

fn many(make: impl Fn(u64) -> String) -> Vec<String> {
    (0..200_u64).map(|n| make(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11)).collect()
}

#[test]
fn values_alone_tell_under_a_name_that_says_nothing() {
    let mails = many(|n| format!("u{n}@example.com"));
    assert_eq!(found(facts("t", "c1", "text"), &mails, &[]), Some(Kind::Email));
    let phones = many(|n| format!("+44 20 7946 {:04}", n % 10_000));
    assert_eq!(found(facts("t", "attr_7", "text"), &phones, &[]), Some(Kind::Phone));
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }
}

/// 300 values of a generator.
fn random(mut make: impl FnMut(&mut Random) -> String) -> Vec<String> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..300).map(|_| make(&mut random)).collect()
}

fn luhn(body: &str) -> String {
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0') * if place % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// Look-alikes under names that say nothing and under their own.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn look_alikes_are_nothing() {
    let hex = |random: &mut Random, count: usize| -> String {
        (0..count).map(|_| char::from(b"0123456789abcdef"[random.below(16) as usize])).collect()
    };
    let cases: Vec<(&str, &str, &str, Vec<String>)> = vec![
        ("t", "c1", "text", random(|r| format!("4{}", r.digits(15)))),
        ("t", "c1", "bigint", random(|r| format!("4{}", r.digits(15)))),
        ("t", "c1", "text", random(|r| r.digits(9))),
        ("t", "c1", "text", random(|r| r.digits(11))),
        ("t", "c1", "text", random(|r| format!("2401{:02}{}", 1 + r.below(28), r.digits(5)))),
        ("orders", "order_number", "text", random(|r| luhn(&format!("4{}", r.digits(14))))),
        (
            "orders",
            "id",
            "text",
            (0..300).map(|n| format!("{}", 4_000_000_000_000_000_u64 + n)).collect(),
        ),
        ("books", "isbn", "text", random(|r| format!("978{}", r.digits(10)))),
        (
            "t",
            "c2",
            "text",
            random(|r| format!("{}.{}.{}.{}", r.below(5), r.below(20), r.below(30), r.below(9))),
        ),
        (
            "releases",
            "version",
            "text",
            random(|r| format!("{}.{}.{}.{}", r.below(255), r.below(200), r.below(30), r.below(9))),
        ),
        (
            "t",
            "c3",
            "text",
            random(|r| {
                format!("{}-{}-4{}-a{}-{}", hex(r, 8), hex(r, 4), hex(r, 3), hex(r, 3), hex(r, 12))
            }),
        ),
        ("t", "c4", "numeric(10,2)", random(|r| format!("{}.{:02}", r.below(180), r.below(100)))),
        ("t", "c5", "bigint", random(|r| format!("17{}", r.digits(8)))),
        (
            "t",
            "c6",
            "text",
            random(|r| format!("2024{:02}{:02}{}", 1 + r.below(12), 1 + r.below(28), r.digits(6))),
        ),
        ("files", "sha1", "text", random(|r| hex(r, 40))),
        (
            "t",
            "c7",
            "timestamp without time zone",
            random(|r| format!("202{}-0{}-1{} 12:00:00", r.below(5), 1 + r.below(9), r.below(10))),
        ),
        (
            "t",
            "status_code",
            "text",
            random(|r| ["NEW", "PAID", "SENT"][r.below(3) as usize].to_owned()),
        ),
        (
            "products",
            "name",
            "text",
            random(|r| {
                ["Alice", "Mercedes", "Siri", "Linda", "Oscar", "Ruby", "Max", "Emma", "Zoe"]
                    [r.below(9) as usize]
                    .to_owned()
            }),
        ),
        ("t", "email_count", "integer", random(|r| r.below(20).to_string())),
        ("t", "phone_model", "text", random(|r| format!("Galaxy S{}", r.below(24)))),
        ("orders", "address_id", "integer", random(|r| r.below(5000).to_string())),
        (
            "t",
            "tracking",
            "text",
            random(|r| format!("1Z{}{}", hex(r, 6).to_uppercase(), r.digits(10))),
        ),
        (
            "companies",
            "name",
            "text",
            random(|r| {
                format!(
                    "{} {}",
                    ["Miller", "Smith", "Acme", "Nordwind"][r.below(4) as usize],
                    ["GmbH", "Ltd.", "Inc.", "S.A."][r.below(4) as usize]
                )
            }),
        ),
        (
            "users",
            "is_email_verified",
            "boolean",
            random(|r| if r.below(2) == 0 { "t" } else { "f" }.to_owned()),
        ),
        ("t", "price", "text", random(|r| format!("{}.{}", r.below(90), r.digits(4)))),
        ("t", "ean", "text", random(|r| format!("40{}", r.digits(11)))),
    ];
    let mut wrong = Vec::new();
    for (table, column, data_type, values) in cases {
        if let Some(kind) = found(facts(table, column, data_type), &values, &[]) {
            wrong.push(format!("{table}.{column} is {kind}: {}", values[0]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Personal data under names that say nothing.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn values_alone_tell() {
    let pick = |r: &mut Random, all: &[&str]| all[r.below(all.len() as u64) as usize].to_owned();
    const FIRST: &[&str] =
        &["Anna", "Piotr", "Jean", "Maria", "Wei", "Olga", "Mehmet", "Ingrid", "Paul", "Lucia"];
    const LAST: &[&str] = &[
        "Schmidt", "Nowak", "Dupont", "Rossi", "Zhang", "Ivanova", "Demir", "Larsson", "Walker",
        "Torres",
    ];
    let us = Country("US");
    let cases: Vec<(Kind, Vec<String>)> = vec![
        (Kind::PaymentCard, random(|r| luhn(&format!("4{}", r.digits(14))))),
        (
            Kind::NationalId(Some(us)),
            random(|r| {
                format!("{}-{}-{}", 100 + r.below(500), 10 + r.below(90), 1000 + r.below(9000))
            }),
        ),
        (
            Kind::Phone,
            random(|r| format!("({}) {}-{}", 201 + r.below(700), 200 + r.below(700), r.digits(4))),
        ),
        (
            Kind::Phone,
            random(|r| format!("0{} {}", 30 + r.below(60), 1_000_000 + r.below(900_000))),
        ),
        (Kind::PersonName, random(|r| format!("{} {}", pick(r, FIRST), pick(r, LAST)))),
        (Kind::PersonName, random(|r| format!("{}, {}", pick(r, LAST), pick(r, FIRST)))),
        (Kind::PostalAddress, random(|r| format!("{} {} Street", r.below(900), pick(r, LAST)))),
        (Kind::PostalAddress, random(|r| format!("{}straße {}", pick(r, LAST), r.below(90)))),
        (
            Kind::IpAddress,
            random(|r| {
                format!("{}.{}.{}.{}", r.below(223), r.below(255), r.below(255), r.below(255))
            }),
        ),
        (
            Kind::MacAddress,
            random(|r| {
                format!(
                    "00:1b:{:02x}:{:02x}:{:02x}:{:02x}",
                    r.below(256),
                    r.below(256),
                    r.below(256),
                    r.below(256)
                )
            }),
        ),
        (
            Kind::Coordinates,
            random(|r| {
                format!("{}.{}, {}.{}", r.below(80), r.digits(5), r.below(170), r.digits(5))
            }),
        ),
        (Kind::UrlWithIdentifier, random(|r| format!("https://example.com/users/{}", r.digits(6)))),
        (
            Kind::FreeText,
            random(|r| {
                format!(
                    "Customer {} {} called about the late parcel again.",
                    pick(r, FIRST),
                    pick(r, LAST)
                )
            }),
        ),
        (
            Kind::FreeText,
            random(|r| format!("Please answer to {}@example.com by tomorrow.", r.digits(5))),
        ),
        (Kind::PostalCode, random(|r| format!("SW{}A {}AA", r.below(10), r.below(10)))),
    ];
    let mut wrong = Vec::new();
    for (kind, values) in cases {
        let other = found(facts("t", "c1", "text"), &values, &[]);
        if other != Some(kind) {
            wrong.push(format!("{kind} is {other:?}: {}", values[0]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const CANARY: &str = "kanarienvogel";

proptest! {
    /// Nothing that is shown of an observer or its findings holds a part of a value.
    #[test]
    fn no_value_is_in_a_finding(
        before in "[ -~]{0,12}",
        behind in "[ -~é@{}:\"]{0,24}",
        data_type in prop::sample::select(vec!["text", "jsonb", "hstore", "text[]", "inet"]),
        column in prop::sample::select(vec!["c1", "email", "notes", "name", "password"]),
    ) {
        let mut observer = Observer::new(facts("customers", column, data_type));
        let value = format!("{before}{CANARY}{behind}");
        for text in [
            value.clone(),
            format!("{CANARY}@example.com"),
            format!("{{\"{CANARY}@example.com\": \"{value}\"}}"),
            format!("{{\"user\": {{\"{}\": \"{CANARY}\"}}}}", "4711 0815"),
            format!("\"mail\"=>\"{CANARY}@example.com\""),
            format!("{{{CANARY}@example.com,x}}"),
            format!("https://example.com/users/{CANARY}?email={CANARY}"),
        ] {
            for _ in 0..4 {
                observer.see(Some(&text));
            }
        }
        let findings = observer.findings(&["id", "city"]);
        let mut shown = format!("{observer:?} {findings:?}");
        for reason in findings.iter().flat_map(|finding| &finding.reasons) {
            shown.push_str(&reason.to_string());
        }
        prop_assert!(!shown.contains(CANARY), "{shown}");
    }

    /// Any sequence of values is observed without a panic, and the same values in another order
    /// say the same of everything but sequences.
    #[test]
    fn any_values_can_be_observed(
        values in prop::collection::vec(prop::option::of(any::<String>()), 0..40),
        data_type in prop::sample::select(vec!["text", "jsonb", "hstore", "text[]", "bytea"]),
    ) {
        let observe = |values: &mut dyn Iterator<Item = &Option<String>>| {
            let mut observer = Observer::new(facts("t", "address", data_type));
            for value in values {
                observer.see(value.as_deref());
            }
            observer.findings(&[])
        };
        let (one, other) = (observe(&mut values.iter()), observe(&mut values.iter().rev()));
        let kinds = |findings: &[Finding]| {
            let whole = findings.iter().filter(|finding| finding.path.is_none());
            whole.map(|finding| (finding.kind, finding.seen)).collect::<Vec<_>>()
        };
        prop_assert_eq!(kinds(&one), kinds(&other));
    }
}

/// What is kept of a column is bounded, however many values and paths it has.
#[test]
fn memory_does_not_grow_with_the_values() {
    assert!(size_of::<Counts>() <= 1024, "{}", size_of::<Counts>());
    let mut observer = Observer::new(facts("t", "c1", "jsonb"));
    for number in 0..5_000 {
        observer.see(Some(&format!(r#"{{"key_{}": "x", "fix": {number}}}"#, letters(number))));
    }
    assert!(observer.tally.paths.len() <= PATHS_MAX);
}

fn letters(mut number: u64) -> String {
    let mut out = String::new();
    while number > 0 {
        out.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    out
}

#[test]
fn paths_arrays_and_maps_are_told_apart() {
    let mut observer = Observer::new(facts("t", "c1", "jsonb"));
    for n in 0..50 {
        observer.see(Some(&format!(
            r#"{{"contact": {{"mail": "u{n}@example.com", "phones": ["+44 20 7946 09{n:02}"]}}}}"#
        )));
    }
    let found: Vec<_> = observer
        .findings(&[])
        .into_iter()
        .filter(|finding| finding.confidence.0 >= 60)
        .map(|finding| (finding.path.expect("a path"), finding.kind))
        .collect();
    let expected = [
        ("$.contact.mail".to_owned(), Kind::Email),
        ("$.contact.phones[*]".to_owned(), Kind::Phone),
    ];
    assert_eq!(found, expected);

    let arrays = many(|n| format!("{{u{n}@example.com,v{n}@example.com}}"));
    assert_eq!(found_kind("text[]", &arrays), Some(Kind::Email));
    let maps = many(|n| format!("\"x\"=>\"u{n}@example.com\""));
    assert_eq!(found_kind("hstore", &maps), Some(Kind::Email));
    let documents = many(|n| format!("{{\"x\": \"u{n}@example.com\"}}"));
    assert_eq!(found_kind("text", &documents), Some(Kind::Email));
}

fn found_kind(data_type: &str, values: &[String]) -> Option<Kind> {
    found(facts("t", "c1", data_type), values, &[])
}

#[test]
fn goods_called_like_persons_are_no_persons() {
    let pick = |r: &mut Random, all: &[&str]| all[r.below(all.len() as u64) as usize].to_owned();
    let goods = random(|r| {
        let name = pick(r, &["Oscar", "Ruby", "Alice", "Linda", "Max", "Emma"]);
        format!("{name} {}", pick(r, &["Desk", "Lamp", "Sofa", "Shelf", "Rug", "Vase", "Bookcase"]))
    });
    assert_eq!(found(facts("t", "c1", "text"), &goods, &[]), None);
    let titles = random(|r| {
        let name = pick(r, &["Tom Sawyer", "Anna Karenina", "the Lost Ring", "a Small Town"]);
        format!("The {} of {name}", pick(r, &["Adventures", "Return", "Secrets", "Long Winter"]))
    });
    assert_eq!(found(facts("t", "c1", "text"), &titles, &[]), None);
}
