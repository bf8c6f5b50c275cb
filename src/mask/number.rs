//! `bucket`: numbers rounded down to a multiple of a size.
//!
//! A multiple below the type's smallest value becomes that smallest value: an error would tell.

use std::io::Write as _;

use super::kind::Number;
use super::{ApplyError, Format, Needs};

/// Beyond these the arithmetic could overflow, so larger magnitudes share one bucket each.
pub(super) const FLOAT8_END: f64 = 1e308;
pub(super) const FLOAT4_END: f64 = 3e38;

/// The text form of floats depends on `extra_float_digits` and may already be rounded across a
/// bucket's edge; numerics have any number of digits. Both are left to PostgreSQL.
pub(super) fn has_form(kind: Number, format: Format) -> Option<Needs> {
    match (kind, format) {
        (Number::Int2 | Number::Int4 | Number::Int8, _)
        | (Number::Float4 | Number::Float8, Format::Binary) => Some(Needs::Nothing),
        (Number::Float4 | Number::Float8, Format::Text) | (Number::Numeric(_), _) => None,
    }
}

pub(super) fn mask(
    size: i64,
    kind: Number,
    format: Format,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ApplyError> {
    match (format, kind) {
        (Format::Binary, Number::Int2) => {
            let masked = floor(i16::from_be_bytes(exact(value)?).into(), size, kind);
            let masked = i16::try_from(masked).map_err(|_| ApplyError::Malformed)?;
            out.extend_from_slice(&masked.to_be_bytes());
        }
        (Format::Binary, Number::Int4) => {
            let masked = floor(i32::from_be_bytes(exact(value)?).into(), size, kind);
            let masked = i32::try_from(masked).map_err(|_| ApplyError::Malformed)?;
            out.extend_from_slice(&masked.to_be_bytes());
        }
        (Format::Binary, Number::Int8) => {
            let masked = floor(i64::from_be_bytes(exact(value)?), size, kind);
            out.extend_from_slice(&masked.to_be_bytes());
        }
        (Format::Binary, Number::Float4) => {
            let number = f64::from(f32::from_be_bytes(exact(value)?));
            let masked = floor_float(number, size, FLOAT4_END) as f32;
            out.extend_from_slice(&masked.to_be_bytes());
        }
        (Format::Binary, Number::Float8) => {
            let masked = floor_float(f64::from_be_bytes(exact(value)?), size, FLOAT8_END);
            out.extend_from_slice(&masked.to_be_bytes());
        }
        (Format::Text, Number::Int2 | Number::Int4 | Number::Int8) => {
            let number = read_integer(value, kind).ok_or(ApplyError::Malformed)?;
            write!(out, "{}", floor(number, size, kind)).map_err(|_| ApplyError::Malformed)?;
        }
        (Format::Text, Number::Float4 | Number::Float8) | (_, Number::Numeric(_)) => {
            return Err(ApplyError::NoForm);
        }
    }
    Ok(())
}

/// The smallest value of an integer type; of no use for others.
pub(super) fn integer_min(kind: Number) -> i64 {
    match kind {
        Number::Int2 => i16::MIN.into(),
        Number::Int4 => i32::MIN.into(),
        Number::Int8 | Number::Float4 | Number::Float8 | Number::Numeric(_) => i64::MIN,
    }
}

fn integer_max(kind: Number) -> i64 {
    match kind {
        Number::Int2 => i16::MAX.into(),
        Number::Int4 => i32::MAX.into(),
        Number::Int8 | Number::Float4 | Number::Float8 | Number::Numeric(_) => i64::MAX,
    }
}

/// A decimal integer as PostgreSQL prints it, within the type's range.
pub(super) fn read_integer(text: &[u8], kind: Number) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (integer_min(kind)..=integer_max(kind)).contains(&number).then_some(number)
}

fn floor(number: i64, size: i64, kind: Number) -> i64 {
    let min = integer_min(kind);
    number.checked_sub(number.rem_euclid(size)).map_or(min, |multiple| multiple.max(min))
}

/// The same steps, in the same order, as the SQL form: IEEE arithmetic then gives the same bits.
fn floor_float(number: f64, size: i64, end: f64) -> f64 {
    let size = size as f64;
    if number.is_nan() || number.is_infinite() {
        number
    } else if number >= end {
        end
    } else if number <= -end {
        f64::NEG_INFINITY
    } else if number >= 0.0 && number < size {
        0.0
    } else if number < 0.0 && number >= -size {
        -size
    } else {
        (number / size).floor() * size
    }
}

fn exact<const N: usize>(value: &[u8]) -> Result<[u8; N], ApplyError> {
    value.try_into().map_err(|_| ApplyError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_go_down_to_a_multiple_and_stop_at_the_smallest() {
        for (number, size, kind, expected) in [
            (1_999, 1_000, Number::Int4, 1_000),
            (-1, 1_000, Number::Int4, -1_000),
            (0, 1_000, Number::Int4, 0),
            (-32_768, 1_000, Number::Int2, -32_768),
            (-32_000, 1_000, Number::Int2, -32_000),
            (-32_001, 1_000, Number::Int2, -32_768),
            (-1, 100_000, Number::Int2, -32_768),
            (32_767, 100_000, Number::Int2, 0),
            (i64::MIN, 1_000, Number::Int8, i64::MIN),
            (i64::MAX, 1_000, Number::Int8, 9_223_372_036_854_775_000),
        ] {
            assert_eq!(floor(number, size, kind), expected, "{number}");
        }
    }

    #[test]
    fn floats_never_leave_their_range() {
        for (number, end, expected) in [
            (1_234.5, FLOAT8_END, 1_000.0),
            (-0.5, FLOAT8_END, -1_000.0),
            (f64::MIN_POSITIVE, FLOAT8_END, 0.0),
            (f64::MAX, FLOAT8_END, 1e308),
            (f64::MIN, FLOAT8_END, f64::NEG_INFINITY),
            (3.3e38, FLOAT4_END, 3e38),
            (f64::INFINITY, FLOAT8_END, f64::INFINITY),
        ] {
            assert_eq!(floor_float(number, 1_000, end), expected, "{number}");
        }
        assert!(floor_float(f64::NAN, 1_000, FLOAT8_END).is_nan());
    }

    #[test]
    fn text_that_is_no_integer_of_the_type_is_refused() {
        for text in ["", "-", "+5", "5.0", " 5", "32768", "5\0", "0x10"] {
            let mut out = Vec::new();
            let masked = mask(10, Number::Int2, Format::Text, text.as_bytes(), &mut out);
            assert_eq!(masked, Err(ApplyError::Malformed), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_bucket_holds_its_number(number: i64, size in 2..=1_000_000_000_000_000_i64) {
            let bucket = floor(number, size, Number::Int8);
            assert!(bucket <= number && number.abs_diff(bucket) < size.unsigned_abs());
            assert!(bucket % size == 0 || bucket == i64::MIN);
            assert_eq!(floor(bucket, size, Number::Int8), bucket);
        }
    }
}
