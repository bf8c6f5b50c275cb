//! What is remembered of one user.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::Rule;
use super::sketch::Sketch;
use super::window::{Peaks, Proofs, Window};
use crate::model::Timestamp;

/// So many columns of a user are remembered; further ones are no first touches.
pub(super) const COLUMNS_MAX: usize = 1_000;

/// So many shapes of lookups of a user are counted at a time.
const SHAPES_MAX: usize = 16;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// The last active day, and how many there were.
    active: (i32, u32),
    /// For each hour of the day, the first day on which the user was seen then.
    hours: [Option<i32>; 24],
    /// Columns whose raw values the user has seen.
    pub(super) touched: BTreeSet<String>,
    pub(super) masked: Burst,
    pub(super) refused: Burst,
    pub(super) errors: Burst,
    pub(super) lookups: Lookups,
    pub(super) volume: Volume,
    pub(super) subjects: Subjects,
    /// The last statement that met a decoy.
    pub(super) honey: Option<(u64, u64)>,
    quiet: BTreeMap<Rule, Quiet>,
}

/// Statements of a kind: how many lately, and on which day how many at once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Burst {
    pub(super) window: Window,
    pub(super) peaks: Peaks,
}

/// The same by shape of statement, the one used last at the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Lookups {
    shapes: VecDeque<(String, Window)>,
    pub(super) peaks: Peaks,
}

impl Lookups {
    pub(super) fn shape(&mut self, fingerprint: &str) -> &mut Window {
        let found = self.shapes.iter().position(|(shape, _)| shape == fingerprint);
        let shape = found.and_then(|place| self.shapes.remove(place));
        if self.shapes.len() >= SHAPES_MAX {
            self.shapes.pop_front();
        }
        self.shapes.push_back(shape.unwrap_or_else(|| (fingerprint.to_owned(), Window::default())));
        let last = self.shapes.len() - 1;
        &mut self.shapes[last].1
    }
}

/// Raw rows and bytes by day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Volume {
    pub(super) rows: Peaks,
    pub(super) bytes: Peaks,
    pub(super) today: Today,
}

/// Different subjects whose values were shown, by day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Subjects {
    pub(super) peaks: Peaks,
    sketch: Sketch,
    /// Those that records only count.
    more: u64,
    pub(super) today: Today,
}

impl Subjects {
    pub(super) fn begin(&mut self, day: i32, at: Timestamp) {
        if self.today.begin(day, at) {
            self.sketch = Sketch::default();
            self.more = 0;
        }
    }

    pub(super) fn add(&mut self, relation: &str, keys: &[String], more: u64) {
        for key in keys {
            self.sketch.add(relation, key);
        }
        self.more = self.more.saturating_add(more);
    }

    pub(super) fn count(&self) -> u64 {
        self.sketch.count().saturating_add(self.more)
    }
}

/// The records of a day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Today {
    day: Option<i32>,
    pub(super) since: Option<Timestamp>,
    pub(super) proofs: Proofs,
}

impl Today {
    /// Whether a new day begins.
    pub(super) fn begin(&mut self, day: i32, at: Timestamp) -> bool {
        let is_new = self.day.is_none_or(|today| today < day);
        if is_new {
            (self.day, self.since) = (Some(day), Some(at));
            self.proofs.clear();
        }
        is_new
    }
}

/// Until when a kind of signal is folded, and how many were.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Quiet {
    pub(super) until: Timestamp,
    pub(super) folded: u64,
}

impl Person {
    pub(super) fn new(at: Timestamp) -> Self {
        Self {
            first: at,
            last: at,
            active: (i32::MIN, 0),
            hours: [None; 24],
            touched: BTreeSet::new(),
            masked: Burst::default(),
            refused: Burst::default(),
            errors: Burst::default(),
            lookups: Lookups::default(),
            volume: Volume::default(),
            subjects: Subjects::default(),
            honey: None,
            quiet: BTreeMap::new(),
        }
    }

    pub(super) fn seen(&mut self, at: Timestamp, day: i32, hour: u8) {
        self.last = self.last.max(at);
        if self.active.0 < day {
            self.active = (day, self.active.1.saturating_add(1));
        }
        if let Some(first) = self.hours.get_mut(usize::from(hour)) {
            first.get_or_insert(day);
        }
    }

    /// On how many days the user was seen.
    pub(super) fn days_active(&self) -> u32 {
        self.active.1
    }

    /// Whether the user was seen on an earlier day within `margin` hours of that hour.
    pub(super) fn knows_hour(&self, day: i32, hour: u8, margin: u8) -> bool {
        let near = |other: usize| {
            let apart = other.abs_diff(usize::from(hour));
            apart.min(24 - apart) <= usize::from(margin)
        };
        let known = |first: &Option<i32>| first.is_some_and(|first| first < day);
        self.hours.iter().enumerate().any(|(other, first)| near(other) && known(first))
    }

    pub(super) fn quiet(&mut self) -> &mut BTreeMap<Rule, Quiet> {
        &mut self.quiet
    }
}
