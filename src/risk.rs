//! Rules over the audit log, while it matters: [`Engine`] takes its records in their order and
//! answers [`Signal`]s.
//!
//! Pure: the time is that of the records, so the same log gives the same signals, whenever it is
//! read. What is remembered is bounded for each user and in all, and can be kept ([`State`]).
//!
//! **Invariant:** a signal holds counts, names and numbers of records, no values.

mod engine;
mod person;
mod rule;
mod settings;
mod signal;
mod sketch;
mod state;
mod window;

pub use engine::{Engine, concerns};
pub use rule::{Rule, Severity};
pub use settings::{Key, Reaction, Rules, Settings, Use};
pub use signal::Signal;
pub use state::State;
