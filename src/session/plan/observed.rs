//! What decisions become in a session where nothing is enforced.

use super::touched;
use crate::analysis::facts::Analysis;
use crate::decision::{Decision, Scrub, Way, mixed};

/// Observe mode: nothing is changed, everything that would have been is on record as raw.
pub(super) fn observe(analysis: &Analysis, decision: &mut Decision) {
    if decision.way == Way::Forward || !analysis.in_band.is_empty() {
        return;
    }
    decision.way = Way::Forward;
    decision.scrub = Scrub::No;
    decision.guarded.clear();
    decision.release.columns = touched(analysis);
    decision.release.mixed = mixed(analysis);
    decision.hidden.iter_mut().for_each(Vec::clear);
}
