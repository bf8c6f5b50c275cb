//! What the values of columns have said, and where they were met.

use std::collections::HashMap;

use super::columns::LOOKS_MIN;
use crate::discovery::report::{Found, one_line};
use crate::discovery::{Confidence, Finding};
use crate::model::ColumnPath;

/// Reasons that are told of one column.
const REASONS_MAX: usize = 3;

/// Findings by columns of tables; those of partitions are their parents'.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// Of samples of whole tables, names considered. An empty list: they look like nothing, whatever
    /// the name says.
    pub sampled: HashMap<ColumnPath, Vec<Finding>>,
    /// Of what clients were shown. Whoever asks chooses what is seen, so it takes no word back.
    pub used: HashMap<ColumnPath, Vec<Finding>>,
}

/// What speaks for a column, in the words of a drift.
pub(super) struct Looks<'a> {
    finding: &'a Finding,
    witness: Witness,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Witness {
    /// Name, type, comment, constraints.
    Name,
    Sampled,
    Used,
}

impl Values {
    /// The surest of what is known; `by_name` is heard as long as no sample was taken.
    pub(super) fn looks<'a>(
        &'a self,
        path: &ColumnPath,
        by_name: &'a [Finding],
    ) -> Option<Looks<'a>> {
        let (findings, witness) = match self.sampled.get(path) {
            Some(findings) => (&**findings, Witness::Sampled),
            None => (by_name, Witness::Name),
        };
        let used = self.used.get(path).and_then(|findings| findings.first());
        let used = used.map(|finding| Looks { finding, witness: Witness::Used });
        let first = findings.first().map(|finding| Looks { finding, witness });
        let surest = match (first, used) {
            (Some(first), Some(used)) if used.confidence() > first.confidence() => Some(used),
            (None, used) => used,
            (first, _) => first,
        };
        surest.filter(|looks| looks.confidence() >= LOOKS_MIN)
    }
}

impl Looks<'_> {
    fn confidence(&self) -> Confidence {
        self.finding.confidence
    }

    /// Without counts of values: what is known already must not look new whenever some more were
    /// seen.
    pub(super) fn words(&self) -> String {
        let Found { class, path, .. } = Found::new(self.finding);
        let inside = path.map(|path| format!(" at {path}")).unwrap_or_default();
        let what = self.finding.kind.plural();
        match self.witness {
            Witness::Name => {
                let reasons = self.finding.reasons.iter().take(REASONS_MAX);
                let reasons = reasons.map(|reason| one_line(&reason.to_string()));
                let reasons = reasons.collect::<Vec<_>>().join("; ");
                format!("it looks like class \"{class}\" ({reasons})")
            }
            Witness::Sampled => {
                format!("it looks like class \"{class}\" (of its values{inside}: {what})")
            }
            Witness::Used => {
                format!(
                    "it looks like class \"{class}\" (of what clients saw of it{inside}: {what})"
                )
            }
        }
    }
}
