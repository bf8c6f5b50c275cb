//! Which of PostgreSQL's types a mask deals with, told by OID: names can be shadowed.

use crate::model::Oid;
use crate::schema::ValueType;

/// A value's type, as far as masks tell types apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text(Width),
    Bool,
    Uuid,
    Json,
    Number(Number),
    Instant(Instant),
    Network(Network),
    /// Everything else: arrays, enums, composites, `"char"`, extensions' types.
    Other,
}

/// How long a string type's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// `text`, `varchar`, `citext`.
    Any,
    /// `varchar(n)`: cut to n characters, as an explicit cast does.
    Chars(usize),
    /// `char(n)`: cut to n characters or filled up with spaces, which mean nothing.
    Padded(usize),
    /// `bpchar` without a length: spaces at the end of a value mean nothing and are dropped.
    Stripped,
    /// `name`: at most 63 bytes.
    Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    /// None: any number of digits.
    Numeric(Option<Digits>),
}

/// The typmod of `numeric(precision, scale)`; the scale may be negative or above the precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digits {
    pub(super) precision: i32,
    pub(super) scale: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instant {
    Date,
    Timestamp,
    TimestampTz,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    Inet,
    Cidr,
}

const BOOL: Oid = 16;
const NAME: Oid = 19;
const INT8: Oid = 20;
const INT2: Oid = 21;
const INT4: Oid = 23;
const TEXT: Oid = 25;
const JSON: Oid = 114;
const CIDR: Oid = 650;
const FLOAT4: Oid = 700;
const FLOAT8: Oid = 701;
const INET: Oid = 869;
const BPCHAR: Oid = 1042;
const VARCHAR: Oid = 1043;
const DATE: Oid = 1082;
const TIMESTAMP: Oid = 1114;
const TIMESTAMPTZ: Oid = 1184;
const NUMERIC: Oid = 1700;
const UUID: Oid = 2950;
const JSONB: Oid = 3802;

/// Typmods of strings and numerics count the four bytes of a varlena's header (`VARHDRSZ`).
const VARHDRSZ: i32 = 4;

impl Kind {
    pub(super) fn of(value: &ValueType) -> Self {
        match value.oid {
            TEXT => Self::Text(Width::Any),
            VARCHAR => Self::Text(chars(value.typmod).map_or(Width::Any, Width::Chars)),
            BPCHAR => Self::Text(chars(value.typmod).map_or(Width::Stripped, Width::Padded)),
            NAME => Self::Text(Width::Name),
            BOOL => Self::Bool,
            UUID => Self::Uuid,
            JSON | JSONB => Self::Json,
            INT2 => Self::Number(Number::Int2),
            INT4 => Self::Number(Number::Int4),
            INT8 => Self::Number(Number::Int8),
            FLOAT4 => Self::Number(Number::Float4),
            FLOAT8 => Self::Number(Number::Float8),
            NUMERIC => Self::Number(Number::Numeric(digits(value.typmod))),
            DATE => Self::Instant(Instant::Date),
            TIMESTAMP => Self::Instant(Instant::Timestamp),
            TIMESTAMPTZ => Self::Instant(Instant::TimestampTz),
            INET => Self::Network(Network::Inet),
            CIDR => Self::Network(Network::Cidr),
            _ if is_citext(value) => Self::Text(Width::Any),
            // Takes only redact, null and constant.
            _ => Self::Other,
        }
    }
}

/// An extension's type has no fixed OID. Other types that call themselves strings (category S) may
/// refuse `***`, so they are not taken for strings.
fn is_citext(value: &ValueType) -> bool {
    value.category == b'S' && (value.sql == "citext" || value.sql.ends_with(".citext"))
}

fn chars(typmod: i32) -> Option<usize> {
    usize::try_from(typmod.checked_sub(VARHDRSZ)?).ok()
}

/// The layout of numeric's typmod (`make_numeric_typmod`): precision in the upper half, scale as
/// eleven bits with sign below.
fn digits(typmod: i32) -> Option<Digits> {
    let packed = typmod.checked_sub(VARHDRSZ).filter(|packed| *packed >= 0)?;
    Some(Digits { precision: packed >> 16 & 0xffff, scale: ((packed & 0x7ff) ^ 1024) - 1024 })
}

/// The type's name for a cast that means the same under any `search_path`.
///
/// `format_type` leaves names in `pg_catalog` bare, and only those that the grammar itself knows
/// (`integer`, `character varying(80)` …) are safe so: a table called `inet` would shadow the rest.
pub(super) fn cast_target(value: &ValueType) -> String {
    const GRAMMAR: [&str; 12] = [
        "bigint",
        "bit",
        "boolean",
        "character",
        "double",
        "integer",
        "interval",
        "numeric",
        "real",
        "smallint",
        "time",
        "timestamp",
    ];
    let sql = value.sql.as_str();
    let first = sql.split([' ', '(', '[']).next().unwrap_or(sql);
    if sql.contains('.') || GRAMMAR.contains(&first) {
        sql.to_owned()
    } else {
        format!("pg_catalog.{sql}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(oid: Oid, typmod: i32, sql: &str, category: u8) -> ValueType {
        ValueType { oid, typmod, sql: sql.to_owned(), category }
    }

    #[test]
    fn types_are_told_by_oid_and_typmod() {
        for (oid, typmod, sql, category, kind) in [
            (1043, 84, "character varying(80)", b'S', Kind::Text(Width::Chars(80))),
            (1043, -1, "character varying", b'S', Kind::Text(Width::Any)),
            (1042, 7, "character(3)", b'S', Kind::Text(Width::Padded(3))),
            (1042, -1, "bpchar", b'S', Kind::Text(Width::Stripped)),
            (70_000, -1, "public.citext", b'S', Kind::Text(Width::Any)),
            (70_000, -1, "public.citext", b'C', Kind::Other),
            (70_000, -1, "public.shout", b'S', Kind::Other),
            (18, -1, "\"char\"", b'Z', Kind::Other),
            (1009, -1, "text[]", b'A', Kind::Other),
        ] {
            assert_eq!(Kind::of(&value(oid, typmod, sql, category)), kind, "{sql}");
        }
    }

    #[test]
    fn precision_and_scale_come_out_of_the_typmod() {
        for (typmod, precision, scale) in
            [(4 + (10 << 16) + 2, 10, 2), (4 + (3 << 16) + (-2 & 0x7ff), 3, -2)]
        {
            assert_eq!(digits(typmod), Some(Digits { precision, scale }));
        }
        assert_eq!(digits(-1), None);
    }

    #[test]
    fn bare_names_are_qualified_unless_the_grammar_knows_them() {
        for (sql, expected) in [
            ("text", "pg_catalog.text"),
            ("\"char\"", "pg_catalog.\"char\""),
            ("\"bit\"", "pg_catalog.\"bit\""),
            ("inet[]", "pg_catalog.inet[]"),
            ("integer", "integer"),
            ("bit(3)", "bit(3)"),
            ("numeric(10,2)", "numeric(10,2)"),
            ("timestamp(3) without time zone", "timestamp(3) without time zone"),
            ("integer[]", "integer[]"),
            ("public.citext", "public.citext"),
            ("int4range", "pg_catalog.int4range"),
        ] {
            assert_eq!(cast_target(&value(0, -1, sql, b'U')), expected);
        }
    }
}
