//! The masks as SQL expressions.
//!
//! Every function, operator, type and collation is qualified: what a client puts in front of
//! `pg_catalog` in its `search_path` changes nothing. No simple `CASE x WHEN`, no `IN`, no
//! `NULLIF`: they look `=` up by name. Everything used is immutable and parallel safe.

use std::fmt::Write as _;

use crate::catalog::{DatePrecision, MaskSpec};
use crate::schema::ValueType;

use super::kind::{Digits, Instant, Number, cast_target};
use super::{Plan, WireMask, number};

/// The mask of `column` (an SQL expression such as `"c"."email"`) as an SQL expression of the
/// value's type and typmod.
///
/// The expression is ASCII (whatever `client_encoding` is), reads the same under both settings of
/// `standard_conforming_strings`, keeps the column's collation, and fails for no stored value. A
/// mask that does not bind to the type (see [`WireMask::new`]) is NULL for every row.
pub fn sql_expression(spec: &MaskSpec, value: &ValueType, column: &str) -> String {
    let target = cast_target(value);
    let column = format!("({column})");
    match hidden(spec, value, &column) {
        // Named though never read: privileges, type and collation are those of the column.
        None => format!("CAST(CASE WHEN false THEN {column} END AS {target})"),
        // IS NULL would be true for a row of NULLs; this is not. The first branch also gives the
        // whole its collation.
        Some(Hidden { as_type, sql }) => format!(
            "CAST(CASE WHEN {column} IS NOT DISTINCT FROM NULL \
             THEN CAST({column} AS {as_type}) ELSE {sql} END AS {target})"
        ),
    }
}

/// The mask of a value that is not NULL, in a type that can be cast to the column's.
struct Hidden {
    as_type: String,
    sql: String,
}

fn hidden(spec: &MaskSpec, value: &ValueType, column: &str) -> Option<Hidden> {
    let plan = WireMask::new(spec, value).ok()?.plan;
    let built_in =
        |name: &str, sql: String| Some(Hidden { as_type: format!("pg_catalog.{name}"), sql });
    let text = || format!("CAST({column} AS pg_catalog.text)");
    match (plan, spec) {
        (Plan::Null, _) => None,
        (Plan::Fixed(_), MaskSpec::Redact) => built_in("text", "'***'".to_owned()),
        (Plan::Fixed(_) | Plan::Sql, MaskSpec::Constant { value: constant }) => {
            let as_type = cast_target(value);
            let sql = format!("CAST({} AS {as_type})", literal(constant));
            Some(Hidden { as_type, sql })
        }
        // No other mask binds to these.
        (Plan::Fixed(_) | Plan::Sql, _) => None,
        (Plan::Partial { keep_first, keep_last, .. }, _) => {
            built_in("text", partial(keep_first, keep_last, &text()))
        }
        (Plan::Email { .. }, _) => built_in("text", email(&text())),
        (Plan::Date { to, kind }, _) => Some(date(to, kind, column)),
        (Plan::Bucket { size, kind }, _) => Some(bucket(size, kind, column)),
        (Plan::Ip { v4_prefix, v6_prefix, .. }, _) => {
            built_in("inet", ip(v4_prefix, v6_prefix, column))
        }
    }
}

fn partial(keep_first: usize, keep_last: usize, text: &str) -> String {
    let length = format!("pg_catalog.length({text})");
    let kept = keep_first + keep_last;
    format!(
        "CASE WHEN ({length} OPERATOR(pg_catalog.<=) {kept}) \
         THEN pg_catalog.repeat('*', {length}) \
         ELSE (pg_catalog.left({text}, {keep_first}) OPERATOR(pg_catalog.||) \
         pg_catalog.repeat('*', ({length} OPERATOR(pg_catalog.-) {kept})) OPERATOR(pg_catalog.||) \
         pg_catalog.right({text}, {keep_last})) END"
    )
}

/// The domain's length tells everything: without `@` it is the whole value. Only that length is
/// taken under collation C (others may refuse to search), so that the result keeps the column's.
fn email(text: &str) -> String {
    let domain = format!("pg_catalog.split_part({text} COLLATE pg_catalog.\"C\", '@', '-1')");
    let from_at = format!("(pg_catalog.length({domain}) OPERATOR(pg_catalog.+) 1)");
    format!(
        "CASE WHEN (pg_catalog.length({text}) OPERATOR(pg_catalog.>) {from_at}) \
         THEN (pg_catalog.left({text}, 1) OPERATOR(pg_catalog.||) '***' \
         OPERATOR(pg_catalog.||) pg_catalog.right({text}, {from_at})) ELSE '***' END"
    )
}

fn date(to: DatePrecision, kind: Instant, column: &str) -> Hidden {
    let (name, clock) = match kind {
        Instant::Date => ("date", ""),
        Instant::Timestamp => ("timestamp", " 00:00:00"),
        Instant::TimestampTz => ("timestamptz", " 00:00:00+00"),
    };
    let as_type = format!("pg_catalog.{name}");
    let moment = format!("CAST({column} AS {as_type})");
    let safe_from = match to {
        DatePrecision::Year => "4713-01-01",
        DatePrecision::Month => "4714-12-01",
    };
    let first = match kind {
        Instant::Date => first_day(to, &moment),
        Instant::Timestamp => {
            let last = format!("CAST('294276-12-31 00:00:00' AS {as_type})");
            first_moment(to, &format!("LEAST({moment}, {last})"))
        }
        Instant::TimestampTz => {
            let last = format!("CAST('294276-12-31 00:00:00+00' AS {as_type})");
            in_utc(&first_moment(to, &in_utc(&format!("LEAST({moment}, {last})"))))
        }
    };
    // Infinity stays; what would fall before the calendar's first day becomes that day.
    let sql = format!(
        "CASE WHEN NOT pg_catalog.isfinite({moment}) THEN {moment} \
         WHEN ({moment} OPERATOR(pg_catalog.<) CAST('{safe_from}{clock} BC' AS {as_type})) \
         THEN CAST('4714-11-24{clock} BC' AS {as_type}) ELSE {first} END"
    );
    Hidden { as_type, sql }
}

/// By arithmetic on days: a timestamp, which `date_trunc` wants, does not reach as far as a date.
fn first_day(to: DatePrecision, day: &str) -> String {
    let field = match to {
        DatePrecision::Year => "doy",
        DatePrecision::Month => "day",
    };
    format!(
        "({day} OPERATOR(pg_catalog.-) (CAST(pg_catalog.extract('{field}', {day}) \
         AS pg_catalog.int4) OPERATOR(pg_catalog.-) 1))"
    )
}

fn first_moment(to: DatePrecision, moment: &str) -> String {
    let field = match to {
        DatePrecision::Year => "year",
        DatePrecision::Month => "month",
    };
    format!("pg_catalog.date_trunc('{field}', {moment})")
}

/// By an interval, not the name UTC: since PostgreSQL 18 a session can give that name another
/// meaning (`SET TimeZone = 'UTC5'`).
fn in_utc(moment: &str) -> String {
    format!("pg_catalog.timezone(CAST('00:00:00' AS pg_catalog.interval), {moment})")
}

fn bucket(size: i64, kind: Number, column: &str) -> Hidden {
    let (name, sql) = match kind {
        Number::Int2 | Number::Int4 | Number::Int8 => ("int8", bucket_integer(size, kind, column)),
        Number::Float4 => ("float8", bucket_float(size, number::FLOAT4_END, column)),
        Number::Float8 => ("float8", bucket_float(size, number::FLOAT8_END, column)),
        Number::Numeric(digits) => ("numeric", bucket_numeric(size, digits, column)),
    };
    Hidden { as_type: format!("pg_catalog.{name}"), sql }
}

fn bucket_integer(size: i64, kind: Number, column: &str) -> String {
    let int8 = |digits: i64| format!("CAST('{digits}' AS pg_catalog.int8)");
    let min = number::integer_min(kind);
    // Division cuts towards zero, so this is the lowest multiple that the type can hold.
    let lowest = min / size * size;
    let value = format!("CAST({column} AS pg_catalog.int8)");
    format!(
        "CASE WHEN ({value} OPERATOR(pg_catalog.<) {lowest}) THEN {min} ELSE {multiple} END",
        lowest = int8(lowest),
        min = int8(min),
        multiple = multiple_below(&value, &int8(size)),
    )
}

/// No division: numeric's is rounded.
fn bucket_numeric(size: i64, digits: Option<Digits>, column: &str) -> String {
    let numeric = |text: &str| format!("CAST('{text}' AS pg_catalog.numeric)");
    let value = format!("CAST({column} AS pg_catalog.numeric)");
    let whole = format!("pg_catalog.floor({value})");
    let multiple = multiple_below(&whole, &numeric(&size.to_string()));
    let is = |text: &str| format!("({value} OPERATOR(pg_catalog.=) {})", numeric(text));
    let finite = match digits {
        Some(Digits { precision, scale }) => {
            let nines = "9".repeat(usize::try_from(precision).unwrap_or(1));
            let min = numeric(&format!("-{nines}e{}", -scale));
            format!("GREATEST({multiple}, {min})")
        }
        // Far below what anybody counts, far above where numeric itself ends.
        None => format!(
            "CASE WHEN ({value} OPERATOR(pg_catalog.<) {end}) THEN {beyond} ELSE {multiple} END",
            end = numeric("-1e1000"),
            beyond = numeric("-Infinity"),
        ),
    };
    format!(
        "CASE WHEN {} OR {} OR {} THEN {value} ELSE {finite} END",
        is("NaN"),
        is("Infinity"),
        is("-Infinity"),
    )
}

/// `value - (((value mod size) + size) mod size)`: PostgreSQL's mod takes the sign of the value.
fn multiple_below(value: &str, size: &str) -> String {
    format!(
        "({value} OPERATOR(pg_catalog.-) pg_catalog.mod((pg_catalog.mod({value}, {size}) \
         OPERATOR(pg_catalog.+) {size}), {size}))"
    )
}

/// Small magnitudes are not divided (underflow is an error), nor the largest multiplied.
fn bucket_float(size: i64, end: f64, column: &str) -> String {
    let float = |text: String| format!("CAST('{text}' AS pg_catalog.float8)");
    let value = format!("CAST({column} AS pg_catalog.float8)");
    let is = |operator: &str, text: String| {
        format!("({value} OPERATOR(pg_catalog.{operator}) {})", float(text))
    };
    format!(
        "CASE WHEN {nan} OR {plus} OR {minus} THEN {value} WHEN {high} THEN {end_sql} \
         WHEN {low} THEN {beyond} WHEN {positive} AND {first} THEN {zero} \
         WHEN {negative} AND {last} THEN {minus_size} ELSE \
         (pg_catalog.floor(({value} OPERATOR(pg_catalog./) {size_sql})) \
         OPERATOR(pg_catalog.*) {size_sql}) END",
        nan = is("=", "NaN".to_owned()),
        plus = is("=", "Infinity".to_owned()),
        minus = is("=", "-Infinity".to_owned()),
        high = is(">=", format!("{end:e}")),
        end_sql = float(format!("{end:e}")),
        low = is("<=", format!("{:e}", -end)),
        beyond = float("-Infinity".to_owned()),
        positive = is(">=", "0".to_owned()),
        first = is("<", size.to_string()),
        zero = float("0".to_owned()),
        negative = is("<", "0".to_owned()),
        last = is(">=", format!("-{size}")),
        minus_size = float(format!("-{size}")),
        size_sql = float(size.to_string()),
    )
}

fn ip(v4_prefix: u8, v6_prefix: u8, column: &str) -> String {
    let address = format!("CAST({column} AS pg_catalog.inet)");
    let prefix = format!(
        "CASE WHEN (pg_catalog.family({address}) OPERATOR(pg_catalog.=) 4) \
         THEN {v4_prefix} ELSE {v6_prefix} END"
    );
    format!(
        "pg_catalog.set_masklen(CAST(pg_catalog.network(pg_catalog.set_masklen({address}, \
         {prefix})) AS pg_catalog.inet), LEAST(pg_catalog.masklen({address}), {prefix}))"
    )
}

/// A string literal of ASCII characters only: the client's encoding may not be ours.
fn literal(text: &str) -> String {
    let mut out = String::from("E'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_ascii_and_escaped() {
        assert_eq!(literal("it's \\ é\n"), "E'it''s \\\\ \\U000000e9\\U0000000a'");
    }

    #[test]
    fn every_function_operator_and_type_is_qualified() {
        let value =
            |oid, sql: &str, category| ValueType { oid, typmod: -1, sql: sql.to_owned(), category };
        let year = MaskSpec::Date { to: DatePrecision::Year };
        let bucket = MaskSpec::Bucket { size: 10 };
        let literal = regex::Regex::new("'[^']*'").unwrap();
        let operator = regex::Regex::new(r"OPERATOR\(pg_catalog\.[^)]+\)").unwrap();
        let call = regex::Regex::new(r"[\w.]+\(").unwrap();
        let bare = regex::Regex::new(r"AS (text|name|date|inet|int\d|float8)\b").unwrap();
        for (spec, value) in [
            (MaskSpec::Redact, value(25, "text", b'S')),
            (MaskSpec::Email, value(25, "text", b'S')),
            (MaskSpec::Partial { keep_first: 1, keep_last: 2 }, value(19, "name", b'S')),
            (year.clone(), value(1082, "date", b'D')),
            (year.clone(), value(1114, "timestamp without time zone", b'D')),
            (year, value(1184, "timestamp with time zone", b'D')),
            (bucket.clone(), value(20, "bigint", b'N')),
            (bucket.clone(), value(701, "double precision", b'N')),
            (bucket, value(1700, "numeric", b'N')),
            (MaskSpec::Ip { v4_prefix: 24, v6_prefix: 48 }, value(869, "inet", b'I')),
        ] {
            let sql = sql_expression(&spec, &value, "\"c\".\"x\"");
            // What is left without literals, operators in their long form and our column.
            let rest = literal.replace_all(&sql, "").replace("\"c\".\"x\"", "");
            let rest = operator.replace_all(&rest, " ");
            assert!(!rest.contains(['|', '+', '-', '*', '/', '<', '>', '=']), "{rest}");
            for call in call.find_iter(&rest).map(|found| found.as_str()) {
                let grammar = ["CAST(", "LEAST(", "GREATEST("];
                assert!(call.starts_with("pg_catalog.") || grammar.contains(&call), "{call}");
            }
            assert!(!bare.is_match(&rest), "{rest}");
        }
    }

    #[test]
    fn a_mask_that_does_not_bind_is_null() {
        let value = ValueType { oid: 23, typmod: -1, sql: "integer".to_owned(), category: b'N' };
        let sql = sql_expression(&MaskSpec::Email, &value, "x");
        assert_eq!(sql, "CAST(CASE WHEN false THEN (x) END AS integer)");
    }
}
