//! The control port: a console that speaks PostgreSQL's protocol, so that a DBA uses psql, and
//! plain HTTP for machines that watch.

pub mod grammar;
