//! Everything that needs real processes: PostgreSQL, the proxy, clients.
//!
//! One process and one server for all of it: `cargo test --test e2e`.

#[path = "support/fixture.rs"]
mod support;

#[path = "e2e/harness.rs"]
mod harness;
