//! What the run of the suite is counted in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::about;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// The same, without an error.
    Equal,
    /// The same SQLSTATE.
    EqualError,
    EqualButForTies,
    Refused,
    /// The twins differ from each other.
    Undetermined,
    Explained,
    Skipped,
    Wrong,
}

/// What a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// A table with hidden columns is named in it.
    Pii,
    Others,
}

#[derive(Default)]
pub(crate) struct Report {
    /// Of statements that mention a table with hidden columns.
    pub(crate) verdicts: BTreeMap<Verdict, usize>,
    /// Of all others.
    pub(crate) others: BTreeMap<Verdict, usize>,
    pub(crate) reasons: BTreeMap<String, usize>,
    pub(crate) other_reasons: BTreeMap<String, usize>,
    pub(crate) wrong: Vec<String>,
    pub(crate) statements: usize,
}

impl Report {
    pub(crate) fn note(&mut self, about: About, verdict: Verdict) {
        let verdicts = if about == About::Pii { &mut self.verdicts } else { &mut self.others };
        *verdicts.entry(verdict).or_default() += 1;
    }

    pub(crate) fn reason(&mut self, about: About, why: String) {
        let reasons = if about == About::Pii { &mut self.reasons } else { &mut self.other_reasons };
        *reasons.entry(why).or_default() += 1;
    }

    pub(crate) fn skip(&mut self, sql: &str, why: &str) {
        self.note(about(sql), Verdict::Skipped);
        self.reason(about(sql), why.to_owned());
    }

    pub(crate) fn table(&self) -> String {
        let mentioning: usize = self.verdicts.values().sum();
        let mut text = format!(
            "statements in all              {:6}\nmention a table with PII       {mentioning:6}\n",
            self.statements
        );
        for (verdict, count) in &self.verdicts {
            let name = format!("{verdict:?}").to_lowercase();
            let _ = writeln!(text, "  {name:<28} {count:6}");
        }
        let _ = writeln!(text, "others");
        for (verdict, count) in &self.others {
            let name = format!("{verdict:?}").to_lowercase();
            let _ = writeln!(text, "  {name:<28} {count:6}");
        }
        let all = [("mention PII", &self.reasons), ("others", &self.other_reasons)];
        for (which, reasons) in all {
            let mut reasons: Vec<_> = reasons.iter().collect();
            reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let _ = writeln!(text, "why refused or skipped ({which})");
            for (why, count) in reasons {
                let _ = writeln!(text, "  {count:6} {why}");
            }
        }
        text
    }
}
