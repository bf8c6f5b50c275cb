//! What an UPDATE stores into a column of which its client saw something else than is stored.

use super::kind::cast_target;
use crate::model::Oid;
use crate::schema::ValueType;

/// In the text of the error by which [`kept`] fails: `invalid input syntax for type integer: "…"`.
pub const REFUSED_MARK: &str = "keyhole: this value may not change";

/// `pg_type.dat`.
const JSON_OID: Oid = 114;
const JSONB_OID: Oid = 3802;
const XML_OID: Oid = 142;

/// What to do with a value other than the one that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    Store,
    /// Fail with SQLSTATE 22P02 and [`REFUSED_MARK`].
    Fail,
}

/// The SQL of what to store into `column` when the client sets it to `value`: `column` itself if
/// that is what the client was `shown`, all three as SQL expressions.
pub fn kept(
    value_type: &ValueType,
    column: &str,
    shown: &str,
    value: &str,
    otherwise: Otherwise,
) -> String {
    let target = without_typmod(value_type);
    let cast = format!("CAST(({value}) AS {target})");
    // Strings, numbers, dates, networks and booleans have an equality that forgives spelling;
    // others (`json`, composites, arrays of them) may have none.
    let same = if matches!(value_type.category, b'S' | b'N' | b'D' | b'I' | b'B') {
        format!("{cast} IS NOT DISTINCT FROM {shown}")
    } else {
        let (new, old) = [&cast, &format!("({shown})")]
            .map(|it| format!("CAST({it} AS pg_catalog.text)"))
            .into();
        let same = format!("{new} IS NOT DISTINCT FROM {old}");
        // Clients that were shown NULL write back JSON's own null.
        if matches!(value_type.oid, JSON_OID | JSONB_OID) {
            format!("({same} OR ({old} IS NULL AND {new} OPERATOR(pg_catalog.=) 'null'))")
        } else {
            same
        }
    };
    let other = match otherwise {
        // The value as it is: an assignment fails where a cast would cut off.
        Otherwise::Store => value.to_owned(),
        // What is volatile is not computed before it is needed.
        Otherwise::Fail => format!(
            "CAST(CAST(CAST(CASE WHEN pg_catalog.random() IS NULL THEN '0' \
             ELSE '{REFUSED_MARK}' END AS pg_catalog.int4) AS pg_catalog.text) AS {target})"
        ),
    };
    format!("CASE WHEN {same} THEN {column} ELSE {other} END")
}

/// Whether `column`, of one of PostgreSQL's own types, equals the client's `value`, as SQL.
///
/// The operator, the type and the collation are the column's, whatever type, domain or collation
/// the value comes with: no code and no rules of a client's own compare what is stored.
pub fn equals(value_type: &ValueType, column: &str, value: &str) -> String {
    let collation =
        if value_type.category == b'S' { " COLLATE pg_catalog.\"default\"" } else { "" };
    let target = without_typmod(value_type);
    format!("{column} OPERATOR(pg_catalog.=) CAST(({value}) AS {target}){collation}")
}

/// Whether [`equals`] may be asked of columns of this type: PostgreSQL's own scalars.
pub fn has_equality(value_type: &ValueType) -> bool {
    const FIRST_NORMAL_OID: Oid = 16_384;
    const WITHOUT: [Oid; 3] = [JSON_OID, JSONB_OID, XML_OID];
    matches!(value_type.category, b'S' | b'N' | b'D' | b'I' | b'B' | b'U')
        && value_type.oid < FIRST_NORMAL_OID
        && !WITHOUT.contains(&value_type.oid)
}

/// The type without a length: `character` and `bit` alone would mean one character.
fn without_typmod(value_type: &ValueType) -> String {
    let target = cast_target(value_type);
    let name = match (target.find('('), target.find(')')) {
        (Some(open), Some(close)) if open < close => {
            format!("{}{}", &target[..open], &target[close + 1..])
        }
        _ => target,
    };
    let (element, array) = match name.strip_suffix("[]") {
        Some(element) => (element, "[]"),
        None => (name.as_str(), ""),
    };
    match element {
        "character" => format!("pg_catalog.bpchar{array}"),
        "bit" => format!("pg_catalog.\"bit\"{array}"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(sql: &str) -> String {
        let value = ValueType { oid: 0, typmod: -1, sql: sql.to_owned(), category: b'S' };
        without_typmod(&value)
    }

    #[test]
    fn a_type_loses_its_length_and_nothing_else() {
        assert_eq!(named("character varying(80)"), named("character varying"));
        assert_eq!(named("numeric(12,2)[]"), "numeric[]");
        assert_eq!(named("timestamp(3) with time zone"), "timestamp with time zone");
        assert_eq!(named("character(5)"), "pg_catalog.bpchar");
        assert_eq!(named("bit(3)[]"), "pg_catalog.\"bit\"[]");
        assert_eq!(named("public.\"odd (name\""), "public.\"odd (name\"");
    }
}
