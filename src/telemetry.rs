//! What the process says about itself: numbers ([`Metrics`]), log lines ([`log`]) and who is
//! connected ([`sessions`]). Labels are closed: no SQL, no values, no people's names.

mod cells;
pub mod labels;
pub mod log;
mod metrics;
pub mod sessions;
mod sinks;

pub use cells::ColumnCells;
pub use labels::NoticeChannel;
pub use metrics::{Described, Family, Gauges, Metrics};
pub use sinks::{SinkFamilies, SinkMetrics};
