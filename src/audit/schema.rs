//! The records as a JSON Schema (2020-12), for whoever reads the log with programs of their own.
//!
//! Nothing here checks records when they are written: the encoder's types do that, and tests hold
//! both against each other, in this module and over the logs that the end-to-end tests leave.

/// Of [`SCHEMA`]; the record `started` names it. It counts up when a member's meaning changes or a
/// required one is added. Optional members and kinds may be added without.
pub const VERSION: u64 = 1;

/// A line of the log, kind by kind: members with their units, where from, and when they are absent.
pub const SCHEMA: &str = include_str!("schema.json");

#[cfg(test)]
mod tests;
