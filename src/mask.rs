//! Hiding a value: one definition ([`MaskSpec`]), two implementations that agree value for value,
//! in Rust on the wire ([`WireMask`]) and as an SQL expression ([`sql_expression`]).
//!
//! `tests/masks.rs` holds both against a real server. Rules that neither may break: NULL stays
//! NULL, type and typmod stay, no stored value makes a mask fail in SQL, and nothing that a session
//! can set (TimeZone, DateStyle, `search_path` …) changes what is hidden.

mod address;
mod date;
mod fixed;
mod kind;
mod number;
mod sql;
mod text;
mod write_back;

use crate::catalog::{DatePrecision, MaskSpec};
use crate::schema::ValueType;

use fixed::Fixed;
use kind::{Instant, Kind, Network, Number, Width};
pub use sql::sql_expression;
pub use write_back::{Otherwise, REFUSED_MARK, equals, has_equality, kept};

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

/// What a session must be like for [`WireMask::apply`] to give exactly what the SQL form gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Needs {
    Nothing,
    /// `client_encoding` and `server_encoding` are UTF8: the mask counts or writes characters.
    Utf8,
    /// `DateStyle` begins with ISO. In other styles `apply` fails; it never guesses.
    IsoDates,
}

/// A mask that cannot be used on a column.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MaskError {
    #[error("mask {mask} does not apply to type {type_sql}")]
    Type { mask: &'static str, type_sql: String },
    #[error("mask {mask}: {reason}")]
    Setting { mask: &'static str, reason: String },
}

/// A field that could not be masked: whoever reads this releases nothing of the result.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ApplyError {
    #[error("the mask has no form for fields of this type and format")]
    NoForm,
    #[error("the server sent a field that is no value of the column's type")]
    Malformed,
}

/// A mask bound to a column's type, ready for rows.
#[derive(Clone, Debug, PartialEq)]
pub struct WireMask {
    plan: Plan,
}

/// What is done to each value; everything that can be settled once is settled at binding.
#[derive(Clone, Debug, PartialEq)]
enum Plan {
    Null,
    Fixed(Fixed),
    Partial {
        keep_first: usize,
        keep_last: usize,
        width: Width,
    },
    Email {
        width: Width,
    },
    Date {
        to: DatePrecision,
        kind: Instant,
    },
    Bucket {
        size: i64,
        kind: Number,
    },
    Ip {
        v4_prefix: u8,
        v6_prefix: u8,
        kind: Network,
    },
    /// Only PostgreSQL can do it.
    Sql,
}

/// Longest run that `partial` may keep, in characters; sums of two stay far within an int4.
const KEEP_CHARS_MAX: usize = 10_000;

/// Largest bucket: exact in a float8, and far enough from the ends of an int8 to be added to one.
const BUCKET_SIZE_MAX: u64 = 1_000_000_000_000_000;

impl WireMask {
    /// Binds a mask to the type of a column's values.
    ///
    /// # Errors
    /// [`MaskError::Type`] when the mask means nothing for the type (`email` of an integer);
    /// [`MaskError::Setting`] when it would hide nothing or cannot work (prefix 33, bucket 0, a
    /// constant that is no value of the type as far as that can be told here).
    pub fn new(spec: &MaskSpec, value: &ValueType) -> Result<Self, MaskError> {
        let kind = Kind::of(value);
        let refused = || MaskError::Type { mask: mask_name(spec), type_sql: value.sql.clone() };
        let plan = match (spec, kind) {
            (MaskSpec::Redact, Kind::Text(width)) => Plan::Fixed(Fixed::redacted(width)),
            (MaskSpec::Redact | MaskSpec::Null, _) => Plan::Null,
            (MaskSpec::Constant { value }, kind) => match Fixed::constant(value, kind)? {
                Some(fixed) => Plan::Fixed(fixed),
                None => Plan::Sql,
            },
            (MaskSpec::Partial { keep_first, keep_last }, Kind::Text(width)) => {
                check_keep(*keep_first, *keep_last)?;
                Plan::Partial { keep_first: *keep_first, keep_last: *keep_last, width }
            }
            (MaskSpec::Email, Kind::Text(width)) => Plan::Email { width },
            (MaskSpec::Date { to }, Kind::Instant(kind)) => Plan::Date { to: *to, kind },
            (MaskSpec::Bucket { size }, Kind::Number(kind)) => {
                Plan::Bucket { size: check_size(*size, kind)?, kind }
            }
            (MaskSpec::Ip { v4_prefix, v6_prefix }, Kind::Network(kind)) => {
                check_prefix(*v4_prefix, 32, "v4_prefix")?;
                check_prefix(*v6_prefix, 128, "v6_prefix")?;
                Plan::Ip { v4_prefix: *v4_prefix, v6_prefix: *v6_prefix, kind }
            }
            (
                MaskSpec::Partial { .. }
                | MaskSpec::Email
                | MaskSpec::Date { .. }
                | MaskSpec::Bucket { .. }
                | MaskSpec::Ip { .. },
                _,
            ) => return Err(refused()),
        };
        Ok(Self { plan })
    }

    /// Whether [`apply`](Self::apply) works for fields in this format, in a session with UTF-8
    /// encodings of which nothing else is known. If false for either format, mask in SQL.
    ///
    /// A caller that knows the session's encodings or its DateStyle asks [`needs`](Self::needs).
    pub fn has_form(&self, format: Format) -> bool {
        matches!(self.needs(format), Some(Needs::Nothing | Needs::Utf8))
    }

    /// What `apply` takes for granted of the session in this format; None: there is no form.
    pub fn needs(&self, format: Format) -> Option<Needs> {
        match (&self.plan, format) {
            (Plan::Null, _) => Some(Needs::Nothing),
            (Plan::Fixed(fixed), _) => Some(fixed.needs()),
            (Plan::Partial { .. } | Plan::Email { .. }, _) => Some(Needs::Utf8),
            (Plan::Date { kind, .. }, Format::Text) => match kind {
                Instant::Date | Instant::Timestamp => Some(Needs::IsoDates),
                // Its text form depends on TimeZone too, and offsets have changed over the years.
                Instant::TimestampTz => None,
            },
            (Plan::Date { .. }, Format::Binary) => Some(Needs::Nothing),
            (Plan::Bucket { kind, .. }, format) => number::has_form(*kind, format),
            (Plan::Ip { .. }, _) => Some(Needs::Nothing),
            (Plan::Sql, _) => None,
        }
    }

    /// Appends the masked form of a non-NULL `value` to `out`.
    ///
    /// # Errors
    /// [`ApplyError`] when there is no form or the bytes are no value of the type; `out` is then as
    /// it was.
    pub fn apply(
        &self,
        format: Format,
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Masked, ApplyError> {
        let start = out.len();
        let done = match &self.plan {
            Plan::Null => return Ok(Masked::Null),
            Plan::Sql => return Err(ApplyError::NoForm),
            Plan::Fixed(fixed) => {
                out.extend_from_slice(fixed.bytes(format));
                Ok(())
            }
            Plan::Partial { keep_first, keep_last, width } => {
                text::partial(*keep_first, *keep_last, *width, value, out)
            }
            Plan::Email { width } => text::email(*width, value, out),
            Plan::Date { to, kind } => date::mask(*to, *kind, format, value, out),
            Plan::Bucket { size, kind } => number::mask(*size, *kind, format, value, out),
            Plan::Ip { v4_prefix, v6_prefix, kind } => {
                let prefixes = address::Prefixes { v4: *v4_prefix, v6: *v6_prefix };
                address::mask(prefixes, *kind, format, value, out)
            }
        };
        if done.is_err() {
            out.truncate(start);
        }
        done.map(|()| Masked::Value)
    }
}

/// What the catalog calls the kind of mask.
pub fn mask_name(spec: &MaskSpec) -> &'static str {
    match spec {
        MaskSpec::Redact => "redact",
        MaskSpec::Null => "null",
        MaskSpec::Constant { .. } => "constant",
        MaskSpec::Partial { .. } => "partial",
        MaskSpec::Email => "email",
        MaskSpec::Date { .. } => "date",
        MaskSpec::Bucket { .. } => "bucket",
        MaskSpec::Ip { .. } => "ip",
    }
}

fn check_keep(keep_first: usize, keep_last: usize) -> Result<(), MaskError> {
    if keep_first > KEEP_CHARS_MAX || keep_last > KEEP_CHARS_MAX {
        let reason = format!("keeps at most {KEEP_CHARS_MAX} characters at either end");
        return Err(MaskError::Setting { mask: "partial", reason });
    }
    Ok(())
}

fn check_size(size: u64, kind: Number) -> Result<i64, MaskError> {
    let refused = |reason: String| Err(MaskError::Setting { mask: "bucket", reason });
    let hides = match kind {
        Number::Int2 | Number::Int4 | Number::Int8 => size > 1,
        Number::Numeric(_) | Number::Float4 | Number::Float8 => size > 0,
    };
    if !hides {
        return refused(format!("size {size} would hide nothing"));
    }
    match i64::try_from(size) {
        Ok(checked) if size <= BUCKET_SIZE_MAX => Ok(checked),
        Ok(_) | Err(_) => refused(format!("size is at most {BUCKET_SIZE_MAX}")),
    }
}

fn check_prefix(prefix: u8, bits: u8, key: &str) -> Result<(), MaskError> {
    if prefix < bits {
        return Ok(());
    }
    let reason = format!("{key} is less than {bits}, the whole address");
    Err(MaskError::Setting { mask: "ip", reason })
}

#[cfg(test)]
mod tests;
