//! Hiding a value: one definition ([`MaskSpec`]), two implementations that agree value for value,
//! in Rust on the wire ([`WireMask`]) and as an SQL expression ([`sql_expression`]).

use crate::catalog::MaskSpec;
use crate::schema::ValueType;

/// The two encodings of a field (protocol chapter, "Formats and Format Codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Text,
    Binary,
}

/// What became of a field that was not NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masked {
    /// The masked bytes were appended to `out`.
    Value,
    /// The mask of this value is NULL; nothing was appended.
    Null,
}

/// A mask that cannot be used on a column.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MaskError {
    #[error("mask {mask} does not apply to type {type_sql}")]
    Type { mask: &'static str, type_sql: String },
    #[error("mask {mask}: {reason}")]
    Setting { mask: &'static str, reason: String },
}

/// A mask bound to a column's type, ready for rows.
#[derive(Clone, Debug, PartialEq)]
pub struct WireMask {
    spec: MaskSpec,
    value: ValueType,
}
