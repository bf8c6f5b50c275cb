//! `[discovery]`: values that the running proxy looks at, to see whether a catalog is complete.

use std::time::Duration;

use super::builder::Builder;
use super::raw;

/// Nothing is masked because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscoveryConfig {
    /// How often some rows of every table are read; None: never.
    pub every: Option<Duration>,
    pub suggest: Suggest,
}

/// Whether some of what clients are shown is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suggest {
    Off,
    FromUse,
}

pub(super) fn discovery(builder: &mut Builder<'_>, raw: raw::Discovery) -> DiscoveryConfig {
    DiscoveryConfig {
        every: builder.duration_or_none("every in [discovery]", raw.every),
        suggest: match raw.suggest {
            Some(true) => Suggest::FromUse,
            Some(false) | None => Suggest::Off,
        },
    }
}
