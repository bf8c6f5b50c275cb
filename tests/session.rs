//! Transcripts of the pure session: what a client says, what a server answers, what passes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "session/bench.rs"]
mod bench;
#[path = "session/cancels.rs"]
mod cancels;
#[path = "session/extended.rs"]
mod extended;
#[path = "session/grants.rs"]
mod grants;
#[path = "session/kept.rs"]
mod kept;
#[path = "session/limits.rs"]
mod limits;
#[path = "session/long.rs"]
mod long;
#[path = "session/messages.rs"]
mod messages;
#[path = "session/names.rs"]
mod names;
#[path = "session/pipelines.rs"]
mod pipelines;
#[path = "session/prepared.rs"]
mod prepared;
#[path = "session/sampling.rs"]
mod sampling;
#[path = "session/simple.rs"]
mod simple;
#[path = "support/small_shop.rs"]
mod small_shop;
#[path = "session/splits.rs"]
mod splits;
#[path = "session/subjects.rs"]
mod subjects;
#[path = "session/words.rs"]
mod words;
