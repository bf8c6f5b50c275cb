//! The columns under test: type, masks, and values chosen to hurt.

use keyhole::catalog::{DatePrecision, MaskSpec};

use crate::dice::Dice;

/// Generated values per column, beside the hand-picked ones.
const GENERATED: usize = 4_000;

pub(crate) struct Column {
    /// Type as declared, with a collation where there is one.
    pub(crate) declared: &'static str,
    pub(crate) masks: Vec<MaskSpec>,
    pub(crate) values: Vec<String>,
}

pub(crate) fn all() -> Vec<Column> {
    let mut columns = strings();
    columns.extend(numbers());
    columns.extend(instants());
    columns.extend(addresses());
    columns.extend(others());
    columns
}

fn constant(value: &str) -> MaskSpec {
    MaskSpec::Constant { value: value.to_owned() }
}

fn make(seed: u64, picked: &[&str], one: impl Fn(&mut Dice) -> String) -> Vec<String> {
    let mut dice = Dice::new(seed);
    let picked = picked.iter().map(|text| (*text).to_owned());
    picked.chain((0..GENERATED).map(|_| one(&mut dice))).collect()
}

fn strings() -> Vec<Column> {
    let declared = [
        "text",
        "text COLLATE nowhere",
        "varchar",
        "varchar(1)",
        "varchar(5)",
        "varchar(80)",
        "char(1)",
        "char(6)",
        "char(30)",
        "bpchar",
        "name",
        "citext",
        "short_text",
    ];
    let mut masks = vec![
        MaskSpec::Redact,
        MaskSpec::Null,
        MaskSpec::Email,
        constant("it's \\ žluť  👩‍🚀 "),
        constant(""),
    ];
    for (keep_first, keep_last) in [(0, 0), (0, 4), (1, 1), (2, 0), (3, 2), (0, 1), (500, 500)] {
        masks.push(MaskSpec::Partial { keep_first, keep_last });
    }
    let column = |(seed, declared)| Column { declared, masks: masks.clone(), values: texts(seed) };
    (1..).zip(declared).map(column).collect()
}

fn texts(seed: u64) -> Vec<String> {
    let picked = [
        "",
        " ",
        "   ",
        "@",
        "@@",
        "a@",
        "@a",
        "a@b",
        "alice@example.com",
        "a@b@c",
        " @ ",
        "a ",
        "e\u{301}@x",
        "\u{301}@x",
        "👩‍🚀@mars",
        "***",
        "a***@b.c",
        "\\",
        "'",
        "%_",
        "\u{a0}",
        "\t",
        "NULL",
        "ab   ",
        "\u{3000}",
        "\u{10ffff}",
        "\u{1}",
        "日本語@例え.jp",
    ];
    let parts = [
        "a", "b", "Z", "0", "@", "@", ".", " ", "  ", "-", "*", "'", "\\", "\n", "é", "e\u{301}",
        "ß", "ſ", "İ", "日", "語", "👩", "\u{200d}", "🚀", "🇨🇿", "\u{301}", "שלום", "\u{feff}",
    ];
    make(seed, &picked, |dice| match dice.below(4) {
        0 => format!("{}.{}@{}.com", dice.pick(&parts), dice.below(1000), dice.pick(&parts)),
        1 => "žx@".repeat(dice.below(40) as usize),
        _ => (0..dice.below(12)).map(|_| dice.pick(&parts)).collect(),
    })
}

fn numbers() -> Vec<Column> {
    let buckets = |sizes: &[u64]| -> Vec<MaskSpec> {
        let sizes = sizes.iter().map(|size| MaskSpec::Bucket { size: *size });
        [MaskSpec::Redact, MaskSpec::Null, constant("7")].into_iter().chain(sizes).collect()
    };
    let sizes = [2, 3, 10, 1_000, 32_768, 100_000, 10_000_000_000, 1_000_000_000_000_000];
    let whole = |seed, min: i64, max: i64| {
        let edges = [min, min + 1, min + 999, max, max - 1, 0, 1, -1, 1_000, -1_000, -999, -1_001];
        let edges: Vec<String> = edges.iter().map(i64::to_string).collect();
        let edges: Vec<&str> = edges.iter().map(String::as_str).collect();
        make(seed, &edges, |dice| {
            loop {
                let number = dice.integer();
                if (min..=max).contains(&number) {
                    return number.to_string();
                }
            }
        })
    };
    let mut columns = vec![
        ("smallint", whole(21, i16::MIN.into(), i16::MAX.into())),
        ("integer", whole(22, i32::MIN.into(), i32::MAX.into())),
        ("bigint", whole(23, i64::MIN, i64::MAX)),
        ("real", floats(24, 38)),
        ("double precision", floats(25, 308)),
    ];
    for (seed, declared, digits, scale) in [
        (26, "numeric", 60, 20),
        (27, "numeric(5,2)", 3, 2),
        (28, "numeric(10,0)", 10, 0),
        (29, "numeric(3,-2)", 4, 0),
        (30, "numeric(2,4)", 0, 4),
    ] {
        columns.push((declared, decimals(seed, digits, scale)));
    }
    let masks = |declared: &str| {
        let mut masks = buckets(&sizes);
        if declared == "numeric(2,4)" {
            masks[2] = constant("0.0042");
        }
        masks
    };
    let column = |(declared, values)| Column { declared, masks: masks(declared), values };
    columns.into_iter().map(column).collect()
}

fn floats(seed: u64, exponent_max: u64) -> Vec<String> {
    let picked = [
        "NaN",
        "Infinity",
        "-Infinity",
        "0",
        "-0",
        "0.1",
        "-0.1",
        "1e-30",
        "-1e-30",
        "999.9999",
        "-999.9999",
        "1e15",
        "-1e15",
        "9007199254740993",
        "3.4e37",
        "-3.4e37",
    ];
    let ends: &[&str] = match exponent_max {
        38 => &["3.4028235e38", "-3.4028235e38", "3e38", "-3e38", "1e-45", "-1e-45"],
        _ => &[
            "1.7976931348623157e308",
            "-1.7976931348623157e308",
            "1e308",
            "-1e308",
            "4.9e-324",
            "-4.9e-324",
            "9.999999999999999e307",
            "-9.999999999999999e307",
        ],
    };
    let picked: Vec<&str> = picked.iter().chain(ends).copied().collect();
    make(seed, &picked, |dice| match dice.below(3) {
        0 => format!("{}.{}", dice.integer(), dice.below(1_000_000)),
        1 => format!("{}e-{}", dice.integer() % 1_000, dice.below(exponent_max - 3)),
        _ => format!("{}e{}", dice.integer() % 1_000, dice.below(exponent_max - 3)),
    })
}

/// Decimals of at most that many digits before the point, and after; of precision 2 and scale 4
/// when there are none before it.
fn decimals(seed: u64, digits: u64, scale: u64) -> Vec<String> {
    let (before, after) = match digits {
        0 => (String::new(), "0099".to_owned()),
        _ => ("9".repeat(digits as usize), "9".repeat(scale as usize)),
    };
    let mut picked = ["NaN", "0"].map(String::from).to_vec();
    picked.extend([format!("-{before}.{after}"), format!("{before}.{after}")]);
    if digits > 20 {
        let huge = "9".repeat(131_072);
        picked.extend(["Infinity", "-Infinity", "1e1000", "-1e1000", "-1e1001"].map(String::from));
        picked.extend([huge.clone(), format!("-{huge}"), "1e-16383".to_owned()]);
    }
    let picked: Vec<&str> = picked.iter().map(String::as_str).collect();
    make(seed, &picked, |dice| {
        let sign = dice.pick(&["", "-"]);
        if digits == 0 {
            return format!("{sign}0.00{:02}", dice.below(100));
        }
        let mut some = |most: u64| -> String {
            (0..dice.below(most + 1)).map(|_| char::from(b'0' + dice.below(10) as u8)).collect()
        };
        format!("{sign}0{}.{}", some(digits), some(scale))
    })
}

/// Every edge of the calendar that dates and timestamps share.
const DATES: [&str; 13] = [
    "infinity",
    "-infinity",
    "4714-11-24 BC",
    "4714-11-30 BC",
    "4714-12-01 BC",
    "4714-12-31 BC",
    "4713-01-01 BC",
    "0001-12-31 BC",
    "0001-01-01",
    "2000-02-29",
    "1900-02-28",
    "1999-12-31",
    "2000-01-01",
];

fn instants() -> Vec<Column> {
    let masks = |value: &str| {
        vec![
            MaskSpec::Redact,
            MaskSpec::Null,
            constant(value),
            MaskSpec::Date { to: DatePrecision::Year },
            MaskSpec::Date { to: DatePrecision::Month },
        ]
    };
    let far_dates: Vec<&str> =
        DATES.into_iter().chain(["5874897-12-31", "294277-01-01", "1000000-05-05"]).collect();
    let moments: Vec<&str> = DATES
        .into_iter()
        .chain(["294276-12-31 23:59:59.999999", "1999-12-31 23:59:59.999999", "12000-07-08"])
        .collect();
    let any_date = |dice: &mut Dice, year_max| {
        let year = match dice.below(3) {
            0 => 1900 + dice.below(150),
            _ => 1 + dice.below(year_max),
        };
        format!("{year:04}-{:02}-{:02}", 1 + dice.below(12), 1 + dice.below(28))
    };
    let era = |dice: &mut Dice| dice.pick(&["", "", " BC"]).to_owned();
    let days = |seed| {
        make(seed, &far_dates, |dice| match era(dice) {
            era if era.is_empty() => any_date(dice, 5_874_896),
            era => any_date(dice, 4_700) + &era,
        })
    };
    let times = |seed| {
        make(seed, &moments, |dice| {
            let clock = format!(
                " {:02}:{:02}:{:02}.{:06}",
                dice.below(24),
                dice.below(60),
                dice.below(60),
                dice.below(1_000_000)
            );
            match era(dice) {
                era if era.is_empty() => any_date(dice, 294_275) + &clock,
                era => any_date(dice, 4_700) + &clock + &era,
            }
        })
    };
    [
        ("date", "1970-01-01", days(41)),
        ("birthday", "1970-01-01", days(42)),
        ("timestamp", "1970-01-01 12:00:00", times(43)),
        ("timestamp(3)", "infinity", times(44)),
        ("timestamptz", "1970-01-01 12:00:00+00", times(45)),
        ("timestamp(0)", "2001-02-03 04:05:06", times(46)),
        ("timestamptz(0)", "1970-01-01 12:00:00+00", times(47)),
    ]
    .into_iter()
    .map(|(declared, value, values)| Column { declared, masks: masks(value), values })
    .collect()
}

fn addresses() -> Vec<Column> {
    let mut masks = vec![MaskSpec::Redact, MaskSpec::Null, constant("10.0.0.0/8")];
    for (v4_prefix, v6_prefix) in [(24, 48), (0, 0), (31, 127), (9, 113), (8, 96), (16, 80)] {
        masks.push(MaskSpec::Ip { v4_prefix, v6_prefix });
    }
    let picked = [
        "0.0.0.0",
        "255.255.255.255",
        "10.2.3.4/8",
        "10.2.3.4/0",
        "::",
        "::1",
        "::/0",
        "::2",
        "::ffff:10.2.3.4",
        "::10.2.3.4",
        "1::",
        "1::/16",
        "0:0:1::",
        "1:0:0:2:0:0:0:3",
        "1:0:2:3:4:5:6:7",
        "1:0:0:2:3:0:0:4",
        "fe80::1/64",
        "ffff::ffff/128",
        "::1:0:0",
        "0:0:0:0:0:ffff::",
        "::ffff:0:0:0",
        "0:0:0:0:1::",
    ];
    let words = ["0", "0", "0", "1", "ffff", "db8", "2001", "a"];
    let values = |seed| {
        make(seed, &picked, |dice| {
            if dice.below(2) == 0 {
                let mut byte = || dice.below(256).to_string();
                let address = [byte(), byte(), byte(), byte()].join(".");
                match dice.below(2) {
                    0 => address,
                    _ => format!("{address}/{}", dice.below(33)),
                }
            } else {
                let groups: Vec<&str> = (0..8).map(|_| dice.pick(&words)).collect();
                match dice.below(2) {
                    0 => groups.join(":"),
                    _ => format!("{}/{}", groups.join(":"), dice.below(129)),
                }
            }
        })
    };
    ["inet", "cidr"]
        .into_iter()
        .zip(51..)
        .map(|(declared, seed)| Column { declared, masks: masks.clone(), values: values(seed) })
        .collect()
}

/// Types that only take redact, null and constant.
fn others() -> Vec<Column> {
    [
        ("boolean", "yes", ["true", "false"]),
        (
            "uuid",
            "00000000-0000-4000-8000-00000000000A",
            ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
        ),
        ("json", "{\"a\": null}", ["{}", "[1, \"x\"]"]),
        ("jsonb", "{\"a\": null}", ["null", "{\"email\": \"a@b\"}"]),
        ("text[]", "{x,NULL}", ["{}", "{a@b,c}"]),
        ("integer[]", "{1}", ["{}", "{{1,2},{3,4}}"]),
        ("person", "(1,x)", ["(,)", "(2,\"a@b\")"]),
        ("mood", "glad", ["sad", "glad"]),
        ("\"char\"", "x", ["a", ""]),
        ("bytea", "\\x00ff", ["", "\\x27"]),
        ("interval", "1 day", ["1 year", "-3 s"]),
        ("time(3)", "12:00", ["00:00", "23:59:59.999"]),
        ("bit(3)", "101", ["000", "111"]),
        ("bit varying(5)", "1", ["", "11111"]),
        ("int4range", "[1,2)", ["empty", "(,)"]),
        ("macaddr", "00:00:00:00:00:01", ["08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"]),
        ("money", "1.00", ["-5", "92233720368547758.07"]),
        ("point", "(0,0)", ["(1,2)", "(NaN,Infinity)"]),
    ]
    .map(|(declared, value, values)| Column {
        declared,
        masks: vec![MaskSpec::Redact, MaskSpec::Null, constant(value)],
        values: values.map(str::to_owned).to_vec(),
    })
    .into()
}
