//! Which columns look like personal data, and why: from names, types, comments, constraints and
//! sampled values.
//!
//! Pure: `upstream::sampling` reads the values. Nothing here keeps one: `detect` says what a value
//! looks like, `counts` counts it, `vocabulary` reads names, `weigh` makes findings of both; `report`
//! holds them against the catalog, and `draft` writes them into it.

pub mod exchange;

mod counts;
mod detect;
pub mod draft;
pub mod drift;
mod facts;
mod kind;
mod nested;
mod observer;
pub mod report;
mod usage;
mod vocabulary;
mod weigh;

pub use facts::ColumnFacts;
pub use kind::{Country, Kind, usual_hiding};
pub use observer::Observer;
pub use usage::Usage;
pub use weigh::{Confidence, Finding, Reason};
