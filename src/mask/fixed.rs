//! `redact` and `constant`: one value for every row, made ready at binding.

use super::kind::{Instant, Kind, Number, Width};
use super::{Format, MaskError, Needs, date, number, text};

const REDACTED: &str = "***";

/// The bytes to send in either format.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fixed {
    text: Box<[u8]>,
    binary: Box<[u8]>,
}

impl Fixed {
    pub(super) fn redacted(width: Width) -> Self {
        Self::string(REDACTED, width)
    }

    /// The constant of a type, or None when only PostgreSQL knows its wire forms.
    pub(super) fn constant(value: &str, kind: Kind) -> Result<Option<Self>, MaskError> {
        if value.contains('\0') {
            return Err(refused("no value holds a zero byte"));
        }
        let read = value.trim_ascii();
        match kind {
            Kind::Text(width) => Ok(Some(Self::string(value, width))),
            Kind::Bool => boolean(read).map(Some).ok_or_else(|| refused("not a boolean")),
            Kind::Uuid => uuid(value).map(Some).ok_or_else(|| refused("not a uuid")),
            Kind::Number(kind) => Self::number(read, kind),
            Kind::Instant(kind) => match kind {
                Instant::Date | Instant::Timestamp if !date::is_iso(kind, read) => {
                    Err(refused("not a date or timestamp in ISO form"))
                }
                Instant::Date | Instant::Timestamp | Instant::TimestampTz => Ok(None),
            },
            Kind::Json => match serde_json::from_str::<serde::de::IgnoredAny>(value) {
                Ok(_) => Ok(None),
                Err(_) => Err(refused("not JSON")),
            },
            Kind::Network(_) | Kind::Other => Ok(None),
        }
    }

    fn number(value: &str, kind: Number) -> Result<Option<Self>, MaskError> {
        let out_of_type = || refused("not a number of the column's type");
        let integer = || number::read_integer(value.as_bytes(), kind).ok_or_else(out_of_type);
        match kind {
            Number::Int2 => {
                let number = i16::try_from(integer()?).map_err(|_| out_of_type())?;
                Ok(Some(Self::new(number.to_string(), number.to_be_bytes())))
            }
            Number::Int4 => {
                let number = i32::try_from(integer()?).map_err(|_| out_of_type())?;
                Ok(Some(Self::new(number.to_string(), number.to_be_bytes())))
            }
            Number::Int8 => {
                let number = integer()?;
                Ok(Some(Self::new(number.to_string(), number.to_be_bytes())))
            }
            Number::Float4 | Number::Float8 | Number::Numeric(_) => {
                if fits(value, kind) {
                    Ok(None)
                } else {
                    Err(out_of_type())
                }
            }
        }
    }

    fn string(value: &str, width: Width) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        // A string is UTF-8, so that fitting it cannot fail; were it to, nothing is kept.
        if text::fit(width, &mut bytes, 0).is_err() {
            bytes.clear();
        }
        Self::new(bytes.clone(), bytes)
    }

    fn new(text: impl Into<Vec<u8>>, binary: impl Into<Vec<u8>>) -> Self {
        Self { text: text.into().into_boxed_slice(), binary: binary.into().into_boxed_slice() }
    }

    pub(super) fn bytes(&self, format: Format) -> &[u8] {
        match format {
            Format::Text => &self.text,
            Format::Binary => &self.binary,
        }
    }

    pub(super) fn needs(&self) -> Needs {
        if self.text.is_ascii() { Needs::Nothing } else { Needs::Utf8 }
    }
}

fn refused(reason: &str) -> MaskError {
    MaskError::Setting { mask: "constant", reason: reason.to_owned() }
}

fn boolean(value: &str) -> Option<Fixed> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "on" | "1" => Some(Fixed::new("t", [1])),
        "false" | "f" | "no" | "off" | "0" => Some(Fixed::new("f", [0])),
        _ => None,
    }
}

/// The usual 8-4-4-4-12 spelling only.
fn uuid(value: &str) -> Option<Fixed> {
    let groups: Vec<&str> = value.split('-').collect();
    if !groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) {
        return None;
    }
    let digits = groups.concat();
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let bits = u128::from_str_radix(&digits, 16).ok()?;
    Some(Fixed::new(value.to_ascii_lowercase(), bits.to_be_bytes()))
}

/// Whether a number is within a float's or numeric's range, as far as a float8 can tell.
fn fits(value: &str, kind: Number) -> bool {
    let Ok(number) = value.parse::<f64>() else { return false };
    let is_word = value.bytes().any(|b| matches!(b, b'n' | b'N'));
    match kind {
        Number::Float4 => is_word || (number as f32).is_finite(),
        Number::Float8 | Number::Numeric(None) => is_word || number.is_finite(),
        Number::Numeric(Some(digits)) => {
            let rounded = number.abs() + 0.5 * 10_f64.powi(-digits.scale);
            number.is_nan() || rounded < 10_f64.powi(digits.precision - digits.scale)
        }
        Number::Int2 | Number::Int4 | Number::Int8 => number.is_finite(),
    }
}
