//! What the process says about itself: numbers ([`Metrics`]), log lines ([`log`]) and who is
//! connected ([`sessions`]). Labels are closed: no SQL, no values, no people's names.

pub mod labels;
pub mod log;
mod metrics;
pub mod sessions;
mod sinks;

pub use labels::NoticeChannel;
pub use metrics::{Family, Metrics};
pub use sinks::{SinkFamilies, SinkMetrics};
