//! What the tests that need real processes stand on: PostgreSQL servers, the proxy, clients that
//! keep every byte, and data in which each personal value is a canary.
//!
//! Use it from a test binary with `#[path = "support/fixture.rs"] mod support;`. Everything it
//! starts ends with the test process, however that ends.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

pub(crate) mod canary;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod directory;
pub(crate) mod issuer;
pub(crate) mod keyhole;
pub(crate) mod mail_server;
pub(crate) mod message;
pub(crate) mod postgres;
pub(crate) mod programs;
pub(crate) mod receiver;
pub(crate) mod schema;
pub(crate) mod syslog_receiver;
pub(crate) mod talker;
pub(crate) mod tap;
pub(crate) mod traps;
pub(crate) mod wait;

pub(crate) use client::{Client, Target};
pub(crate) use keyhole::Keyhole;
pub(crate) use message::{Format, Message, Reply, ServerError};
pub(crate) use postgres::{Postgres, Version};
pub(crate) use talker::Talker;
pub(crate) use tap::Tap;
