//! What decisions become in a session: by what was made earlier, and where nothing is enforced.

use super::touched;
use crate::analysis::facts::Analysis;
use crate::decision::{Decision, Release, Scrub, Standpoint, Way};
use crate::grant::Action::{Lookup, Read};

/// The release again, resting on the grants that are live now.
pub(super) fn fresh(release: &Release, standpoint: Standpoint<'_>) -> Release {
    let mut now = Release::default();
    let cover = |column, action| standpoint.cover_counting(column, action, release.counting());
    for column in &release.columns {
        if let Some(cover) = cover(*column, Read) {
            now.add(*column, &cover);
        }
    }
    for column in &release.lookups {
        if let Some(cover) = cover(*column, Lookup) {
            now.add_lookup(*column, 0, &cover);
        }
    }
    let Release { values, weight, ref subjects, .. } = *release;
    Release { values, weight, subjects: subjects.clone(), ..now }
}

/// Observe mode: nothing is changed, everything that would have been is on record as raw.
pub(super) fn observe(analysis: &Analysis, decision: &mut Decision) {
    if decision.way == Way::Forward || !analysis.in_band.is_empty() {
        return;
    }
    decision.way = Way::Forward;
    decision.scrub = Scrub::No;
    decision.guarded.clear();
    decision.release.columns = touched(analysis);
    decision.hidden.iter_mut().for_each(Vec::clear);
}
