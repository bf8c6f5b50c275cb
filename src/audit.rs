//! What is remembered: typed records ([`Event`]) in a hash chain of JSON lines ([`chain`]), with
//! statements told without their literals ([`mod@normalize`]).
//!
//! [`Encoder`] makes the lines; [`attest`] checks the receipts of grants in it.
//!
//! Pure: `store::audit_log` owns the files and the fsync.
//!
//! **Invariant:** a record holds no personal data. Statement text enters a record only as
//! [`StatementText`], which nothing can read but the normalizer.
//! **Invariant:** a [`Receipt`] exists only after its record is durable.

pub mod attest;
pub mod chain;
pub mod checkpoint;
mod encode;
pub mod exposure;
pub mod normalize;
pub mod query;
pub mod read;
pub mod record;
pub mod report;
pub mod schema;
pub mod subject;

pub use chain::{Broken, Chain, Verifier, Why};
pub use checkpoint::{Cause, Checkpoint};
pub use encode::Encoder;
pub use normalize::{Normalized, Strings, normalize};
pub use read::{Kind, Record, seq_of_line};
pub use record::{
    Analysis, CatalogChange, CatalogStep, Configuration, ConfigurationStep, Decision, Event,
    Explored, Gates, Grant, GrantStep, Login, LoginFailed, Logout, Lost, Mention, Names,
    Provenance, Release, Repaired, Retired, Signal, Started, Statement, StatementText, Stopped,
    Urgency, plain_name,
};
pub use subject::{Pseudonym, Pseudonyms, Shown, SubjectsOf};

/// Proof that a record is durable: a raw release needs the one that covers it.
///
/// Only `store::audit_log` issues receipts, after the fsync of the record's group (a test reads
/// the sources to keep it so).
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    seq: u64,
    scope: Option<Scope>,
}

/// Which raw release a durable record allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    pub session: u64,
    pub statement: u64,
}

impl Receipt {
    /// For `store::audit_log` alone.
    pub(crate) fn issue(seq: u64, scope: Option<Scope>) -> Self {
        Self { seq, scope }
    }

    /// The record's number in the log.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether the durable record is the [`Release`] of this very statement.
    pub fn covers(&self, session: u64, statement: u64) -> bool {
        self.scope == Some(Scope { session, statement })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_covers_its_own_release_and_no_other() {
        let receipt = Receipt::issue(7, Some(Scope { session: 1, statement: 2 }));
        assert_eq!(receipt.seq(), 7);
        assert!(receipt.covers(1, 2));
        assert!(!receipt.covers(1, 3));
        assert!(!receipt.covers(2, 2));
        assert!(!Receipt::issue(8, None).covers(0, 0));
    }
}
