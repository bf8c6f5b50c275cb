//! What speaks for a kind of personal data and what against it, and how much.
//!
//! Two witnesses are heard, the names and the values, and believed as independent ones are: each
//! takes its share of the doubt that the other leaves. Values that cannot be what a name says take
//! the name's word away, and so do names of things (an order's number, a version) for values that
//! look like something else. A check digit counts for as much as chance does not explain.

mod context;
mod fit;
mod meaning;
mod reason;
mod values;

use super::counts::Counts;
use super::facts::Family;
use super::{ColumnFacts, Kind};
use context::Context;
pub use reason::Reason;
use values::Witness;

/// In percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Confidence(pub u8);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub confidence: Confidence,
    pub reasons: Vec<Reason>,
    /// Inside of a document: `$.contact.email`.
    pub path: Option<String>,
    /// Values that were looked at, and those that fit.
    pub seen: u64,
    pub matched: u64,
}

/// Below this a finding is not worth a line.
const LISTED_MIN: f64 = 0.30;
/// Nothing here is certain.
const CERTAIN: f64 = 0.99;
/// Where one kind explains a column, the others can be doubts only.
const SECOND_MAX: f64 = 0.55;
/// A path that fewer documents have is a key that is data, or a rare case.
const DOCUMENTS_SHARE_MIN: f64 = 0.02;
/// Among fewer documents every path counts.
const DOCUMENTS_FEW: u64 = 5;

pub(super) fn findings(
    facts: &ColumnFacts,
    siblings: &[&str],
    whole: &Counts,
    documents: u64,
    paths: &[(String, Counts)],
) -> Vec<Finding> {
    let context = Context::of_column(facts, siblings);
    let mut findings = weigh(&context, whole, None);
    let keys: Vec<&str> = paths.iter().map(|(path, _)| path.as_str()).collect();
    for (path, counts) in paths {
        let least = (documents as f64 * DOCUMENTS_SHARE_MIN).max(2.0);
        if documents >= DOCUMENTS_FEW && (counts.seen() as f64) < least {
            continue;
        }
        findings.extend(weigh(&context.of_path(path, &keys), counts, Some(path)));
    }
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.confidence), finding.kind));
    findings
}

/// Of one leaf: the column's own values, or those at one path of its documents.
fn weigh(context: &Context<'_>, counts: &Counts, path: Option<&str>) -> Vec<Finding> {
    let mut witnesses = values::witnesses(context.family, counts);
    // What only the name says is heard with no value for it.
    for hint in context.hints() {
        if !witnesses.iter().any(|witness| witness.kind.is_like(hint.kind)) {
            witnesses.push(Witness::silent(hint.kind));
        }
    }
    let mut weighed: Vec<_> =
        witnesses.iter().filter_map(|witness| weigh_one(context, counts, witness)).collect();
    weighed.sort_by(|(one, ..), (other, ..)| other.total_cmp(one));
    let mut findings: Vec<Finding> = Vec::new();
    for (confidence, kind, matched, mut reasons) in weighed {
        let second = !findings.is_empty();
        let confidence = if second { confidence.min(SECOND_MAX) } else { confidence.min(CERTAIN) };
        if confidence < LISTED_MIN || findings.iter().any(|finding| finding.kind == kind) {
            continue;
        }
        if second {
            reasons.push(Reason::Second(findings[0].kind));
        }
        findings.push(Finding {
            kind,
            confidence: Confidence((confidence * 100.0).round() as u8),
            reasons,
            path: path.map(str::to_owned),
            seen: counts.seen(),
            matched,
        });
    }
    findings
}

type Weighed = (f64, Kind, u64, Vec<Reason>);

fn weigh_one(context: &Context<'_>, counts: &Counts, witness: &Witness) -> Option<Weighed> {
    let kind = witness.kind;
    if !fit::type_allows(context.family, kind) {
        return None;
    }
    let mut reasons = Vec::new();
    let mut by_name = context.by_name(kind, &mut reasons);
    let fits = fit::values_fit(context, counts, kind);
    if by_name > 0.0 && fits < 1.0 {
        by_name *= fits;
        if fits < 0.6 {
            reasons.push(Reason::ValuesDoNotFit(kind));
        }
    }
    let mut by_values = witness.weight;
    if by_values > 0.0 {
        reasons.extend(witness.reasons.iter().cloned());
        if let Some((factor, reason)) = context.against(kind, counts) {
            by_values *= factor;
            reasons.push(reason);
        }
    }
    if counts.seen() == 0 && path_or_column_is_read(context) && by_name > 0.0 {
        reasons.push(Reason::NoValue);
    }
    let confidence = 1.0 - (1.0 - by_name) * (1.0 - by_values);
    let matched = if by_values > 0.0 { witness.matched } else { 0 };
    let kind = context.country(kind);
    Some((confidence, kind, matched, reasons))
}

fn path_or_column_is_read(context: &Context<'_>) -> bool {
    !matches!(context.family, Family::Json | Family::Hstore | Family::Opaque)
}

#[cfg(test)]
mod tests;
