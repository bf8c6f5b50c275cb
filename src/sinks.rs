//! Sinks: the records of the audit log, shipped to where else they are wanted.
//!
//! The log's files are the truth and the queue. A [`Shipper`] for each sink reads what is durable
//! behind a position of its own and hands it to its [`Sink`], a batch at a time: at least once, in
//! order. Nobody waits for it: a receiver that is slow or down is behind, and that is all.
//!
//! **Invariant:** a position is kept only behind what its receiver has taken, was said to have
//! refused, or is not meant for it.

mod facts;
mod file;
mod http;
mod otlp;
mod post;
mod progress;
mod shipment;
mod shipper;
mod stdout;
mod syslog;
mod table;

use async_trait::async_trait;

use crate::model::Timestamp;
pub use crate::net::delivery::Failure;
pub use file::File;
pub use http::Http;
pub use otlp::Otlp;
pub use post::PostError;
pub use progress::{Progress, Shown};
pub use shipment::Shipment;
pub use shipper::{Around, Shipper};
pub use stdout::Stdout;
pub use syslog::Syslog;
pub use table::Table;

/// A way to a receiver.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Makes one attempt to deliver all of the shipment; with the receiver when this returns.
    /// After a failure it may have been taken, or a part of it. Cancel safety: likewise.
    ///
    /// # Errors
    /// [`Failure::ForGood`] when the receiver refuses this shipment because of what is in it: it
    /// comes again in parts, until the record is found. Everything else is for now.
    async fn deliver(&mut self, shipment: &Shipment, now: Timestamp) -> Result<Delivered, Failure>;
}

/// What became of records that are done with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// So many were too long, and arrived cut to what matters.
    pub cut: u64,
    /// So many were refused by a receiver that took the rest and does not say which.
    pub refused: u64,
}
