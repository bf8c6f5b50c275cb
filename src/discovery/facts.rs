//! What is known of a column before one value of it is read.

use crate::model::RelationName;

#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a key is unique, and what is unique no key")]
pub struct ColumnFacts {
    pub table: RelationName,
    pub column: String,
    /// As `format_type()` says it: `character varying(40)`, `text[]`.
    pub data_type: String,
    pub comment: Option<String>,
    pub table_comment: Option<String>,
    /// Definitions of check constraints, of the table's on this column and of the domain's.
    pub checks: Vec<String>,
    /// Of an enum type.
    pub labels: Vec<String>,
    pub unique: bool,
    pub primary_key: bool,
    /// The table that a foreign key of this column refers to.
    pub references: Option<RelationName>,
}

/// A column's type, as far as it says what a value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Strings, and domains and types that are not known: their values are text.
    Text,
    Integer,
    Decimal,
    Boolean,
    Date,
    Timestamp,
    Network,
    Mac,
    Uuid,
    Json,
    Hstore,
    /// Geometric types and those of PostGIS.
    Point,
    /// Labels that the schema names: nobody's data by itself.
    Enum,
    /// Never read: bytes, intervals, ranges, search vectors.
    Opaque,
}

impl ColumnFacts {
    /// The family of the type; of an array, its elements'.
    pub(super) fn family(&self) -> Family {
        if !self.labels.is_empty() {
            return Family::Enum;
        }
        let name = self.type_name();
        match name {
            "smallint" | "integer" | "bigint" => Family::Integer,
            "numeric" | "real" | "double precision" | "money" => Family::Decimal,
            "boolean" => Family::Boolean,
            "date" => Family::Date,
            "inet" | "cidr" => Family::Network,
            "macaddr" | "macaddr8" => Family::Mac,
            "uuid" => Family::Uuid,
            "json" | "jsonb" => Family::Json,
            "hstore" => Family::Hstore,
            "point" | "geometry" | "geography" => Family::Point,
            "bytea" | "interval" | "tsvector" | "tsquery" | "oid" | "xid" | "pg_lsn" | "bit"
            | "bit varying" | "box" | "line" | "lseg" | "path" | "polygon" | "circle" => {
                Family::Opaque
            }
            name if name.starts_with("timestamp") => Family::Timestamp,
            name if name.starts_with("time") || name.ends_with("range") => Family::Opaque,
            _ => Family::Text,
        }
    }

    /// Whether values of the type can look like personal data.
    pub(super) fn may_say_something(&self) -> bool {
        match self.family() {
            Family::Boolean | Family::Enum | Family::Opaque => false,
            Family::Text
            | Family::Integer
            | Family::Decimal
            | Family::Date
            | Family::Timestamp
            | Family::Network
            | Family::Mac
            | Family::Uuid
            | Family::Json
            | Family::Hstore
            | Family::Point => true,
        }
    }

    pub(super) fn is_array(&self) -> bool {
        self.data_type.ends_with("[]")
    }

    /// The type without its schema, its modifier and its brackets: `character varying`.
    pub(super) fn type_name(&self) -> &str {
        let name = self.data_type.split(['(', '[']).next().unwrap_or_default().trim();
        let name = name.rsplit('.').next().unwrap_or(name);
        name.trim_matches('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_belongs_to_a_family_with_its_modifier_or_without() {
        for (data_type, family) in [
            ("character varying(40)", Family::Text),
            ("public.email_address", Family::Text),
            ("timestamp(3) without time zone", Family::Timestamp),
            ("time without time zone", Family::Opaque),
            ("numeric(10,2)", Family::Decimal),
            ("public.hstore", Family::Hstore),
            ("integer[]", Family::Integer),
            ("daterange", Family::Opaque),
        ] {
            let facts = ColumnFacts {
                table: RelationName::new("public", "t"),
                column: "c".into(),
                data_type: data_type.into(),
                comment: None,
                table_comment: None,
                checks: Vec::new(),
                labels: Vec::new(),
                unique: false,
                primary_key: false,
                references: None,
            };
            assert_eq!(facts.family(), family, "{data_type}");
            assert_eq!(facts.is_array(), data_type.ends_with("[]"));
        }
    }
}
