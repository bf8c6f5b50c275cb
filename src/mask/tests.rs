use proptest::prelude::*;

use super::*;

fn value(oid: u32, typmod: i32, sql: &str, category: u8) -> ValueType {
    ValueType { oid, typmod, sql: sql.to_owned(), category }
}

fn text() -> ValueType {
    value(25, -1, "text", b'S')
}

fn integer() -> ValueType {
    value(23, -1, "integer", b'N')
}

fn inet() -> ValueType {
    value(869, -1, "inet", b'I')
}

fn constant(value: &str) -> MaskSpec {
    MaskSpec::Constant { value: value.to_owned() }
}

fn bound(spec: &MaskSpec, value: &ValueType) -> WireMask {
    WireMask::new(spec, value).unwrap()
}

fn masked(mask: &WireMask, format: Format, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(mask.apply(format, value, &mut out), Ok(Masked::Value));
    out
}

const YEAR: MaskSpec = MaskSpec::Date { to: DatePrecision::Year };

#[test]
fn masks_bind_only_to_types_they_mean_something_for() {
    let json = value(114, -1, "json", b'U');
    let array = value(1009, -1, "text[]", b'A');
    let cases: [(&MaskSpec, &[ValueType]); 5] = [
        (&MaskSpec::Email, &[integer(), json.clone(), array.clone(), inet()]),
        (&MaskSpec::Partial { keep_first: 1, keep_last: 1 }, &[integer(), json.clone(), array]),
        (&YEAR, &[text(), integer(), value(1083, -1, "time without time zone", b'D')]),
        (&MaskSpec::Bucket { size: 10 }, &[text(), json, value(790, -1, "money", b'N')]),
        (&MaskSpec::Ip { v4_prefix: 24, v6_prefix: 48 }, &[text(), integer()]),
    ];
    for (spec, types) in cases {
        for value in types {
            let refused = WireMask::new(spec, value).unwrap_err();
            assert!(matches!(refused, MaskError::Type { .. }), "{spec:?} of {}", value.sql);
        }
    }
}

#[test]
fn settings_that_hide_nothing_or_cannot_work_are_refused() {
    let numeric = value(1700, ((5 << 16) | 2) + 4, "numeric(5,2)", b'N');
    for (spec, value) in [
        (MaskSpec::Ip { v4_prefix: 33, v6_prefix: 48 }, inet()),
        (MaskSpec::Ip { v4_prefix: 32, v6_prefix: 48 }, inet()),
        (MaskSpec::Ip { v4_prefix: 24, v6_prefix: 128 }, inet()),
        (MaskSpec::Bucket { size: 0 }, numeric.clone()),
        (MaskSpec::Bucket { size: 0 }, integer()),
        (MaskSpec::Bucket { size: 1 }, integer()),
        (MaskSpec::Bucket { size: u64::MAX }, integer()),
        (MaskSpec::Partial { keep_first: usize::MAX, keep_last: 1 }, text()),
        (constant("a\0b"), text()),
        (constant("abc"), integer()),
        (constant("2147483648"), integer()),
        (constant("40000"), value(21, -1, "smallint", b'N')),
        (constant("1000"), numeric.clone()),
        (constant("999.999"), numeric.clone()),
        (constant("Infinity"), numeric),
        (constant("1e400"), value(701, -1, "double precision", b'N')),
        (constant("maybe"), value(16, -1, "boolean", b'B')),
        (constant("6ba7b810"), value(2950, -1, "uuid", b'U')),
        (constant("{"), value(3802, -1, "jsonb", b'U')),
        (constant("today"), value(1082, -1, "date", b'D')),
        (constant("02/03/2004"), value(1082, -1, "date", b'D')),
    ] {
        let refused = WireMask::new(&spec, &value).unwrap_err();
        assert!(matches!(refused, MaskError::Setting { .. }), "{spec:?} of {}", value.sql);
    }
}

#[test]
fn every_mask_knows_what_its_wire_forms_need() {
    use Needs::{IsoDates, Nothing, Utf8};
    let date = value(1082, -1, "date", b'D');
    let moment = value(1184, -1, "timestamp with time zone", b'D');
    let bucket = MaskSpec::Bucket { size: 10 };
    for (spec, value, in_text, in_binary) in [
        (MaskSpec::Redact, text(), Some(Nothing), Some(Nothing)),
        (MaskSpec::Redact, integer(), Some(Nothing), Some(Nothing)),
        (MaskSpec::Null, moment.clone(), Some(Nothing), Some(Nothing)),
        (MaskSpec::Email, text(), Some(Utf8), Some(Utf8)),
        (constant("é"), text(), Some(Utf8), Some(Utf8)),
        (constant("e"), text(), Some(Nothing), Some(Nothing)),
        (constant("5"), integer(), Some(Nothing), Some(Nothing)),
        (constant("(0,0)"), value(600, -1, "point", b'G'), None, None),
        (YEAR, date, Some(IsoDates), Some(Nothing)),
        (YEAR, moment, None, Some(Nothing)),
        (bucket.clone(), integer(), Some(Nothing), Some(Nothing)),
        (bucket.clone(), value(701, -1, "double precision", b'N'), None, Some(Nothing)),
        (bucket, value(1700, -1, "numeric", b'N'), None, None),
        (MaskSpec::Ip { v4_prefix: 24, v6_prefix: 48 }, inet(), Some(Nothing), Some(Nothing)),
    ] {
        let mask = bound(&spec, &value);
        assert_eq!(mask.needs(Format::Text), in_text, "{spec:?} of {}", value.sql);
        assert_eq!(mask.needs(Format::Binary), in_binary, "{spec:?} of {}", value.sql);
        let form = in_text.is_some_and(|needs| needs != IsoDates);
        assert_eq!(mask.has_form(Format::Text), form, "{spec:?} of {}", value.sql);
        let mut out = Vec::new();
        if in_text.is_none() {
            assert_eq!(mask.apply(Format::Text, b"1", &mut out), Err(ApplyError::NoForm));
        }
    }
}

#[test]
fn redacted_strings_fit_their_type_and_other_types_become_null() {
    for (value, expected) in [
        (text(), "***"),
        (value(1043, 6, "character varying(2)", b'S'), "**"),
        (value(1042, 9, "character(5)", b'S'), "***  "),
        (value(1042, 5, "character(1)", b'S'), "*"),
        (value(19, -1, "name", b'S'), "***"),
        (value(90_000, -1, "public.citext", b'S'), "***"),
    ] {
        let mask = bound(&MaskSpec::Redact, &value);
        assert_eq!(masked(&mask, Format::Text, b"Alice"), expected.as_bytes(), "{}", value.sql);
    }
    for value in [
        integer(),
        value(90_001, -1, "public.mood", b'E'),
        value(1009, -1, "text[]", b'A'),
        value(18, -1, "\"char\"", b'Z'),
        value(3802, -1, "jsonb", b'U'),
    ] {
        let mut out = Vec::new();
        let mask = bound(&MaskSpec::Redact, &value);
        assert_eq!(mask.apply(Format::Binary, b"\0\0\0\x01", &mut out), Ok(Masked::Null));
        assert!(out.is_empty());
    }
}

#[test]
fn constants_are_written_as_postgresql_would() {
    for (constant_text, value, in_text, in_binary) in [
        (" -007", integer(), "-7", &[0xff, 0xff, 0xff, 0xf9][..]),
        ("ON", value(16, -1, "boolean", b'B'), "t", &[1]),
        ("žluťoučký", value(1043, 7, "character varying(3)", b'S'), "žlu", "žlu".as_bytes()),
        ("x", value(1042, 7, "character(3)", b'S'), "x  ", b"x  "),
    ] {
        let mask = bound(&constant(constant_text), &value);
        assert_eq!(masked(&mask, Format::Text, b"anything"), in_text.as_bytes());
        assert_eq!(masked(&mask, Format::Binary, b"anything"), in_binary);
    }
}

/// Every mask of strings, of a column without a length.
fn string_masks() -> Vec<WireMask> {
    let keep = [(0, 0), (0, 4), (2, 2), (3, 0)];
    let partial =
        keep.map(|(keep_first, keep_last)| MaskSpec::Partial { keep_first, keep_last }).into_iter();
    let specs = partial.chain([MaskSpec::Redact, MaskSpec::Email, constant("<hidden>")]);
    specs.map(|spec| bound(&spec, &text())).collect()
}

proptest! {
    #[test]
    fn a_mask_changes_what_it_hides(value in "[a-zé👩@. ]{5,20}") {
        for mask in string_masks() {
            prop_assert_ne!(masked(&mask, Format::Text, value.as_bytes()), value.as_bytes());
        }
    }

    #[test]
    fn masking_again_changes_nothing(value in "\\PC{0,20}") {
        for mask in string_masks() {
            let once = masked(&mask, Format::Text, value.as_bytes());
            prop_assert_eq!(&masked(&mask, Format::Text, &once), &once);
        }
    }

    #[test]
    fn only_kept_characters_matter(
        hidden in "[a-z]{4,8}",
        other in "[a-z]{4,8}",
        domain in "[a-z]{1,8}",
    ) {
        let email = bound(&MaskSpec::Email, &text());
        let one = masked(&email, Format::Text, format!("a{hidden}@{domain}").as_bytes());
        let two = masked(&email, Format::Text, format!("a{other}@{domain}").as_bytes());
        prop_assert_eq!(one, two);
    }

    #[test]
    fn a_field_that_cannot_be_masked_leaves_no_byte_behind(
        bytes in proptest::collection::vec(any::<u8>(), 0..24),
    ) {
        let ip = MaskSpec::Ip { v4_prefix: 24, v6_prefix: 48 };
        let bucket = MaskSpec::Bucket { size: 10 };
        let mut masks = string_masks();
        masks.extend([
            bound(&ip, &inet()),
            bound(&bucket, &integer()),
            bound(&bucket, &value(701, -1, "double precision", b'N')),
            bound(&YEAR, &value(1082, -1, "date", b'D')),
            bound(&YEAR, &value(1114, -1, "timestamp without time zone", b'D')),
        ]);
        for mask in masks {
            for format in [Format::Text, Format::Binary] {
                let mut out = b"kept".to_vec();
                if mask.apply(format, &bytes, &mut out).is_err() {
                    prop_assert_eq!(&out[..], b"kept");
                } else {
                    prop_assert!(out.starts_with(b"kept"));
                }
            }
        }
    }

    #[test]
    fn an_address_shows_its_network_and_nothing_else(bits: u32, other: u32) {
        let mask = bound(&MaskSpec::Ip { v4_prefix: 24, v6_prefix: 48 }, &inet());
        let in_text = |bits: u32| std::net::Ipv4Addr::from_bits(bits).to_string();
        let neighbour = bits & 0xffff_ff00 | other & 0xff;
        let once = masked(&mask, Format::Text, in_text(bits).as_bytes());
        prop_assert_eq!(&masked(&mask, Format::Text, in_text(neighbour).as_bytes()), &once);
        prop_assert_eq!(&masked(&mask, Format::Text, &once), &once);
        prop_assert_ne!(once, in_text(bits).into_bytes());
    }
}
