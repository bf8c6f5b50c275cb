//! Words shared by every layer: names, principals, time, SQLSTATEs, reports, secrets.

mod digest;
mod duration;
mod meaning;
mod name;
mod principal;
pub mod receipt;
mod report;
mod secret;
mod signing;
mod visible;

pub use digest::{Digest, DigestError};
pub use duration::{DurationError, parse_duration, show_duration};
pub use meaning::{MEANINGS, Meaning};
pub use name::{ColumnPath, RelationName, quote_ident, quote_literal};
pub use principal::{Client, ROLE_AUDITOR, ROLE_DDL, User};
pub use report::{Report, Severity, SqlState};
pub use secret::Secret;
pub use signing::{KeyError, KeyId, PublicKey, Signature, SigningKey};
pub use visible::misleads;

/// The clock's type. The core is handed one; only the shell asks for it.
pub use jiff::Timestamp;

/// A PostgreSQL object identifier.
pub type Oid = u32;

/// A column's number within its relation, from 1; system columns are negative.
pub type ColumnNumber = i16;

/// A column as PostgreSQL itself knows it; survives every RENAME.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnId {
    pub relation: Oid,
    pub number: ColumnNumber,
}

/// A map by numbers that the database gives out: a quick hash, as it is asked several times for
/// each statement and nobody outside chooses its keys.
pub type ByNumber<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// Which state of a published snapshot something was computed from; grows with every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);
