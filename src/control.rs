//! The control port: a console that speaks PostgreSQL's protocol, so that a DBA uses psql, and
//! plain HTTP for machines that watch.
//!
//! [`grammar`] reads text into commands, [`answer`] runs them on the [`Desk`], [`console`] speaks
//! the protocol.

pub mod answer;
pub mod console;
pub mod desk;
pub mod explorer;
pub mod grammar;
#[expect(unused_qualifications, reason = "utoipa's macros name types in full")]
pub mod http;
mod lookup;
mod pace;
mod review;
mod show;
pub mod sign_in;
pub mod table;

pub use desk::Desk;
