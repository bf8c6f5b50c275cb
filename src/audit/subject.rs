//! Whose data was shown, without saying whose: keyed pseudonyms of the rows' keys.
//!
//! A pseudonym is the first half of HMAC-SHA-256, under a key of the deployment, over the table's
//! name, the key column's name and the value in one form for all formats. Who has the key and a
//! value can ask the log about it; who has the log alone learns how many there were.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Serialize, Serializer};
use sha2::Sha256;

use crate::model::Oid;
use crate::schema::ValueType;

/// Bytes of the deployment's key.
pub const SUBJECT_KEY_LEN: usize = 32;
const PSEUDONYM_LEN: usize = 16;

/// One subject of one table, by one of its keys. As text: 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym([u8; PSEUDONYM_LEN]);

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pseudonym({self})")
    }
}

impl Serialize for Pseudonym {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A key's value, the same whatever format it came in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Canonical<'a> {
    Integer(i64),
    /// In UTF-8.
    Text(&'a [u8]),
    Uuid([u8; 16]),
}

/// Types of which values can be told apart by their bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `smallint`, `integer`, `bigint`: by value, so that a key may grow.
    Integer,
    /// `text`, `varchar`, `name`.
    Text,
    /// `character(n)`: spaces at the end mean nothing.
    Padded,
    Uuid,
}

impl KeyKind {
    /// None for types that are not supported: their rows are of unknown subjects.
    pub fn of(value: &ValueType) -> Option<Self> {
        const NAME: Oid = 19;
        const INT8: Oid = 20;
        const INT2: Oid = 21;
        const INT4: Oid = 23;
        const TEXT: Oid = 25;
        const BPCHAR: Oid = 1042;
        const VARCHAR: Oid = 1043;
        const UUID: Oid = 2950;
        match value.oid {
            INT2 | INT4 | INT8 => Some(Self::Integer),
            TEXT | VARCHAR | NAME => Some(Self::Text),
            BPCHAR => Some(Self::Padded),
            UUID => Some(Self::Uuid),
            _ => None,
        }
    }

    /// A value in PostgreSQL's text format; None if it is none of this type.
    pub fn of_text(self, value: &[u8]) -> Option<Canonical<'_>> {
        match self {
            Self::Integer => std::str::from_utf8(value).ok()?.parse().ok().map(Canonical::Integer),
            Self::Text => Some(Canonical::Text(value)),
            Self::Padded => Some(Canonical::Text(without_padding(value))),
            Self::Uuid => uuid_of_text(value).map(Canonical::Uuid),
        }
    }

    /// The same in the binary format.
    pub fn of_binary(self, value: &[u8]) -> Option<Canonical<'_>> {
        match self {
            Self::Integer => integer_of_binary(value).map(Canonical::Integer),
            Self::Text => Some(Canonical::Text(value)),
            Self::Padded => Some(Canonical::Text(without_padding(value))),
            Self::Uuid => value.try_into().ok().map(Canonical::Uuid),
        }
    }
}

fn integer_of_binary(value: &[u8]) -> Option<i64> {
    match value {
        [_, _] => value.try_into().ok().map(i16::from_be_bytes).map(i64::from),
        [_, _, _, _] => value.try_into().ok().map(i32::from_be_bytes).map(i64::from),
        _ => value.try_into().ok().map(i64::from_be_bytes),
    }
}

fn without_padding(value: &[u8]) -> &[u8] {
    let len = value.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &value[..len]
}

/// As PostgreSQL writes it: 36 characters, hyphens between groups. Capitals are taken, too.
fn uuid_of_text(text: &[u8]) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut digits = text.iter().filter(|byte| **byte != b'-');
    for byte in &mut bytes {
        let mut digit = || char::from(*digits.next()?).to_digit(16);
        *byte = u8::try_from(digit()? << 4 | digit()?).ok()?;
    }
    (digits.next().is_none() && matches!(text.len(), 32 | 36)).then_some(bytes)
}

/// Makes pseudonyms, and knows how many of a statement are kept.
#[derive(Clone)]
pub struct Pseudonyms {
    keyed: Hmac<Sha256>,
    /// Per statement and table; further rows are only counted.
    pub exact_max: usize,
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonyms").field("exact_max", &self.exact_max).finish_non_exhaustive()
    }
}

/// Pseudonyms of one column's values.
#[derive(Clone)]
pub struct ColumnPseudonyms(Hmac<Sha256>);

impl Pseudonyms {
    pub fn new(key: &[u8; SUBJECT_KEY_LEN], exact_max: usize) -> Self {
        // HMAC fills a key up to a block with zeros.
        let mut block = [0; 64];
        block[..SUBJECT_KEY_LEN].copy_from_slice(key);
        Self { keyed: Hmac::new(&block.into()), exact_max }
    }

    /// For the values of a key column. `table` as records name it: `public.customers`.
    pub fn column(&self, table: &str, column: &str) -> ColumnPseudonyms {
        let mut mac = self.keyed.clone();
        for name in [table, column] {
            mac.update(&(name.len() as u64).to_be_bytes());
            mac.update(name.as_bytes());
        }
        ColumnPseudonyms(mac)
    }
}

impl ColumnPseudonyms {
    pub fn of(&self, value: Canonical<'_>) -> Pseudonym {
        let mut mac = self.0.clone();
        match value {
            Canonical::Integer(number) => {
                mac.update(b"i");
                mac.update(&number.to_be_bytes());
            }
            Canonical::Text(text) => {
                mac.update(b"t");
                mac.update(text);
            }
            Canonical::Uuid(bytes) => {
                mac.update(b"u");
                mac.update(&bytes);
            }
        }
        let mut half = [0; PSEUDONYM_LEN];
        half.copy_from_slice(&mac.finalize().into_bytes()[..PSEUDONYM_LEN]);
        Pseudonym(half)
    }

    /// What `value` may have been recorded as, whatever the column's type.
    pub fn candidates(&self, value: &str) -> Vec<Pseudonym> {
        let kinds = [KeyKind::Integer, KeyKind::Text, KeyKind::Padded, KeyKind::Uuid];
        let forms = kinds.iter().filter_map(|kind| kind.of_text(value.as_bytes()));
        let mut pseudonyms: Vec<Pseudonym> = forms.map(|form| self.of(form)).collect();
        pseudonyms.sort_unstable();
        pseudonyms.dedup();
        pseudonyms
    }
}

/// Whose rows a statement showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub tables: Vec<SubjectsOf>,
    /// Tables of which a decoy was among the rows.
    pub honey: Vec<Arc<str>>,
}

/// Those of one table, or of all the relations that the catalog knows by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubjectsOf {
    #[serde(skip)]
    pub table: Arc<str>,
    /// Key columns that the rows had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Arc<str>>,
    /// Sorted, each once.
    pub keys: Vec<Pseudonym>,
    /// Rows that went out.
    pub rows: u64,
    /// Those among them with a subject beyond the limit.
    pub more: u64,
    /// Those of which it could not be told whose values they show, or not of all values.
    pub unknown: u64,
}

/// An object with a member for each table.
pub(super) struct ByTable<'a>(pub &'a [SubjectsOf]);

impl Serialize for ByTable<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|subjects| (&*subjects.table, subjects)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_type(oid: Oid) -> ValueType {
        ValueType { oid, typmod: -1, sql: String::new(), category: b'X' }
    }

    #[test]
    fn both_formats_of_a_value_have_one_form() {
        let uuid: [u8; 16] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef";
        let uuid_text = b"01234567-89ab-cdef-0123-456789abcdef";
        for (oid, text, binary) in [
            (21, &b"-2"[..], &(-2_i16).to_be_bytes()[..]),
            (23, b"42", &42_i32.to_be_bytes()),
            (20, b"9223372036854775807", &i64::MAX.to_be_bytes()),
            (25, "jörg".as_bytes(), "jörg".as_bytes()),
            (1043, b"a ", b"a "),
            (19, b"n", b"n"),
            (1042, b"DE  ", b"DE  "),
            (2950, uuid_text, &uuid),
        ] {
            let kind = KeyKind::of(&value_type(oid)).unwrap();
            let form = kind.of_text(text);
            assert!(form.is_some() && form == kind.of_binary(binary), "type {oid}");
        }
        for other in [16, 700, 1082, 1700, 3802, 16_999] {
            assert_eq!(KeyKind::of(&value_type(other)), None, "type {other}");
        }
    }

    #[test]
    fn what_is_no_value_of_the_type_has_no_form() {
        for text in ["", "4x", "99999999999999999999"] {
            assert!(KeyKind::Integer.of_text(text.as_bytes()).is_none(), "{text}");
        }
        assert!(KeyKind::Integer.of_binary(b"\0\0\0").is_none());
        for text in ["", "0123", "01234567-89ab-cdef-0123-456789abcdeg"] {
            assert!(KeyKind::Uuid.of_text(text.as_bytes()).is_none(), "{text}");
        }
        assert!(KeyKind::Uuid.of_binary(&[0; 15]).is_none());
    }

    #[test]
    fn a_key_may_grow_and_padding_means_nothing() {
        let column = Pseudonyms::new(&[7; 32], 1).column("public.customers", "id");
        let of = |kind: KeyKind, bytes: &[u8]| column.of(kind.of_binary(bytes).unwrap());
        let integer = KeyKind::Integer;
        assert_eq!(of(integer, &42_i16.to_be_bytes()), of(integer, &42_i64.to_be_bytes()));
        assert_eq!(of(KeyKind::Padded, b"DE   "), of(KeyKind::Text, b"DE"));
        assert_ne!(of(KeyKind::Text, b"42"), of(integer, &42_i32.to_be_bytes()));
    }

    #[test]
    fn pseudonyms_differ_by_key_table_column_and_value() {
        let one = Pseudonyms::new(&[1; 32], 1);
        let other = Pseudonyms::new(&[2; 32], 1);
        let of = |from: &Pseudonyms, table: &str, column: &str, number| {
            from.column(table, column).of(Canonical::Integer(number))
        };
        let all = [
            of(&one, "public.a", "id", 1),
            of(&one, "public.a", "id", 2),
            of(&one, "public.b", "id", 1),
            of(&one, "public.a", "no", 1),
            of(&one, "public.ai", "d", 1),
            of(&other, "public.a", "id", 1),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(all[0], of(&one, "public.a", "id", 1));
        assert_eq!(all[0].to_string().len(), 32);
    }

    #[test]
    fn a_value_is_asked_for_in_every_form_that_it_may_have() {
        let column = Pseudonyms::new(&[1; 32], 1).column("public.a", "id");
        let number = column.candidates("42");
        assert_eq!(number.len(), 2, "a number, or a text");
        assert!(number.contains(&column.of(Canonical::Integer(42))));
        let text = column.candidates("DE ");
        assert!(text.contains(&column.of(Canonical::Text(b"DE"))));
        assert!(text.contains(&column.of(Canonical::Text(b"DE "))));
        assert_eq!(column.candidates("01234567-89AB-cdef-0123-456789abcdef").len(), 2);
        let shown = format!("{:?}", Pseudonyms::new(&[1; 32], 5));
        assert_eq!(shown, "Pseudonyms { exact_max: 5, .. }", "the key is not shown");
    }
}
