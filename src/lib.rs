//! Keyhole: a PostgreSQL wire-protocol proxy that hides personal data until a live grant covers it.
//!
//! ARCHITECTURE.md is the map. Modules import downwards only; everything above `config` is pure:
//! bytes, snapshots and `now` in, [`session::Effects`] out.

pub mod model;

pub mod catalog;
pub mod schema;
pub mod wire;

pub mod analysis;
pub mod audit;
pub mod grant;
pub mod mask;

pub mod discovery;
pub mod risk;

pub mod decision;

pub mod rewrite;

pub mod session;

pub mod config;
pub mod telemetry;

pub mod net;
pub mod store;

pub mod upstream;

pub mod auth;

pub mod control;
pub mod notify;
pub mod relay;
pub mod sinks;

pub mod server;

pub mod cli;
