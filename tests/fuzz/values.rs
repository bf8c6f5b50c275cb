//! Values of columns as they may come, whole, broken and long: a column is observed without a
//! panic, and what is found of it says nothing of them.

use keyhole::discovery::report::Found;
use keyhole::discovery::{ColumnFacts, Observer};
use keyhole::model::RelationName;

use super::bytes::mutate;
use super::choices::Choices;

const TYPES: [&str; 12] = [
    "text",
    "character varying(40)",
    "text[]",
    "jsonb",
    "jsonb[]",
    "public.hstore",
    "bigint",
    "numeric",
    "date",
    "inet",
    "uuid",
    "public.geometry",
];

/// Everything that is recognized has its form here.
const VALUES: [&str; 26] = [
    "kurt.zzq7xx@zzq7xx.example",
    "mailto:zzq7xx@example.com?subject=zzq7xx",
    "+49 30 901820 / ext. 17",
    "(0)30-123 45 67",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "DEUTDEFF500",
    "078-05-1120",
    "490154203237518",
    "192.168.17.4/24",
    "fe80::1ff:fe23:4567:890a%eth0",
    "00:1b:44:11:3a:b7",
    "https://zzq7xx.example/u/7?token=zzq7xx&email=zzq7xx%40example.com#frag",
    "52.5200° N, 13.4050° E",
    "POINT(13.4 52.5)",
    "1984-02-29T23:59:60Z",
    "29.02.84",
    "María-José Zzq7xx, Zzq7xx str. 12b, 10115 Berlin",
    "山田 太郎 〒100-0001 東京都千代田区",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ6enE3eHgifQ.zzq7xx_zzq7xx-zzq7xx",
    "$argon2id$v=19$m=65536,t=3,p=4$enpxN3h4$enpxN3h4",
    "{\"a\": {\"b\": [1, \"zzq7xx@example.com\", {\"c\": null}]}, \"d\\u00e9\": \"zzq7xx\"}",
    "{\"zzq7xx\",NULL,{\"x\\\"y\",z}}",
    "\"k\"=>\"zzq7xx\", \"mail\"=>NULL",
    "diagnosed with zzq7xx since 2019, takes 40 mg",
    "\u{202e}\u{0}\u{feff}𝔸ß\u{301}",
];

/// What no word of a finding may hold.
const CANARY: &str = "zzq7xx";

pub(crate) fn run(choices: &mut Choices<'_>) {
    let mut observer = Observer::new(ColumnFacts {
        table: RelationName::new("public", choices.of(&["people", "t", "orders"])),
        column: choices.of(&["c1", "email", "note", "名前"]).to_owned(),
        data_type: choices.of(&TYPES).to_owned(),
        comment: None,
        table_comment: None,
        checks: Vec::new(),
        labels: Vec::new(),
        unique: choices.chance(20),
        primary_key: choices.chance(20),
        references: None,
    });
    let favourite = choices.below(VALUES.len());
    for _ in 0..=choices.below(12) {
        let value = value(favourite, choices);
        observer.see(value.as_deref());
    }
    for finding in observer.findings(&["id", "phone", "c2"]) {
        // Keys of documents that look like names are told as such.
        let shown = format!("{:?}", Found { path: None, ..Found::new(&finding) });
        assert!(!shown.to_lowercase().contains(CANARY), "{shown}");
    }
    assert!(!format!("{observer:?}").to_lowercase().contains(CANARY));
}

fn value(favourite: usize, choices: &mut Choices<'_>) -> Option<String> {
    if choices.chance(5) {
        return None;
    }
    let which = if choices.chance(60) { favourite } else { choices.below(VALUES.len()) };
    let mut value = VALUES[which].as_bytes().to_vec();
    if choices.chance(60) {
        mutate(&mut value, VALUES[choices.below(VALUES.len())].as_bytes(), choices);
    }
    if choices.chance(5) {
        value = value.repeat(1 + choices.below(400));
    }
    Some(String::from_utf8_lossy(&value).into_owned())
}
