//! Log lines on stderr, filtered by `KEYHOLE_LOG` in the syntax of `tracing`'s filters:
//! `info`, `debug`, `keyhole::relay=trace,info`.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that holds the filter.
pub const FILTER_VARIABLE: &str = "KEYHOLE_LOG";

const FILTER_DEFAULT: &str = "info";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("{FILTER_VARIABLE} is no filter, such as info or keyhole::relay=debug,info")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    #[error("logging was set up before")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Sets up logging for the whole process; call it once, first thing.
///
/// # Errors
/// If `filter` (the text of [`FILTER_VARIABLE`]) is no filter, or on a second call.
pub fn start(filter: Option<&str>, format: Format) -> Result<(), LogError> {
    let filter = filter_from(filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        Format::Text => lines.with_ansi(false).finish().try_init(),
        Format::Json => lines.json().flatten_event(true).finish().try_init(),
    }
    .map_err(LogError::Twice)
}

fn filter_from(text: Option<&str>) -> Result<EnvFilter, LogError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty()).unwrap_or(FILTER_DEFAULT);
    EnvFilter::builder().parse(text).map_err(LogError::Filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_filter_means_info() {
        assert_eq!(filter_from(None).unwrap().to_string(), "info");
        assert_eq!(filter_from(Some("  ")).unwrap().to_string(), "info");
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        assert!(filter_from(Some("keyhole=loud")).is_err());
    }
}
