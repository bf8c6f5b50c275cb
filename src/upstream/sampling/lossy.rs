//! Text of databases that know no encodings (`SQL_ASCII`): whatever bytes somebody put there.

use std::borrow::Cow;
use std::error::Error;

use tokio_postgres::types::{FromSql, Type};

/// Text in which what is no UTF-8 is `\u{fffd}`.
#[derive(Debug)]
pub(super) struct Lossy<'a>(pub(super) Cow<'a, str>);

impl<'a> FromSql<'a> for Lossy<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(String::from_utf8_lossy(raw)))
    }

    fn accepts(of: &Type) -> bool {
        matches!(*of, Type::TEXT | Type::NAME | Type::VARCHAR)
    }
}

impl From<Lossy<'_>> for String {
    fn from(text: Lossy<'_>) -> Self {
        text.0.into_owned()
    }
}
