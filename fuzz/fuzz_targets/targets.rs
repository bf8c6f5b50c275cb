//! The targets of `tests/fuzz.rs`, for a fuzzer that brings its own bytes.
#![allow(dead_code, clippy::unwrap_used)]

#[path = "../../tests/session/bench.rs"]
mod bench;
#[path = "../../tests/fuzz/bytes.rs"]
mod bytes;
#[path = "../../tests/fuzz/choices.rs"]
pub(crate) mod choices;
#[path = "../../tests/fuzz/framing.rs"]
pub(crate) mod framing;
#[path = "../../tests/session/messages.rs"]
mod messages;
#[path = "../../tests/fuzz/scram.rs"]
pub(crate) mod scram;
#[path = "../../tests/fuzz/sequences.rs"]
pub(crate) mod sequences;
#[path = "../../tests/fuzz/server.rs"]
mod server;
#[path = "../../tests/support/small_shop.rs"]
mod small_shop;
#[path = "../../tests/fuzz/startup.rs"]
pub(crate) mod startup;
#[path = "../../tests/fuzz/values.rs"]
pub(crate) mod values;
