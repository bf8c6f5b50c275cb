//! Findings as a catalog: a new one with its reasons, or additions to the one that is there.

mod patch;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::report::{Found, Mask, Report, ScannedColumn, Standing, fits, one_line};
use crate::analysis::sensitive::CLASS_CLEAR;
use crate::catalog::{Catalog, Hiding, MaskSpec};
use crate::model::RelationName;
use crate::schema::ValueType;

pub use patch::{PatchError, Patched, diff, patched};
use words::{hiding_text, key, mask_text, relation_text, text};

/// The class of a document in which several kinds were found.
const CLASS_DOCUMENT: &str = "personal_document";

/// Behind the name of a class whose mask means nothing for the type of a column.
pub(super) const REDACTED: &str = "_redacted";

/// Findings beside the first that a comment tells of.
const ALSO_MAX: usize = 4;

/// A class with a mask that can be used on the column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) hiding: Hiding,
}

/// What the catalog would say of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    pub relation: RelationName,
    pub column: String,
    pub class: String,
    /// How the class is hidden, if the catalog has none of that name.
    pub hiding: Hiding,
    /// The type of the column's values; None: it is not known.
    pub value: Option<ValueType>,
    /// Why, in one line.
    pub because: String,
}

/// The class for what was found at `at_least` percent or more: that of the most confident finding,
/// whole documents in one.
pub(super) fn class(column: &ScannedColumn, at_least: u8) -> Option<Class> {
    let mut sure = column.findings.iter().filter(|found| found.confidence >= at_least);
    let first = sure.next()?;
    let several = first.path.is_some() && sure.any(|found| found.class != first.class);
    if several {
        let hiding = Hiding::Mask(MaskSpec::Redact);
        return Some(Class { name: CLASS_DOCUMENT.to_owned(), hiding });
    }
    let hiding = first.mask.as_ref().map_or(Hiding::Deny, |mask| Hiding::Mask(mask.0.clone()));
    Some(Class { name: first.class.clone(), hiding })
}

/// A mask that means nothing for the type gives way to one that always does, by another name.
fn suited(name: &str, hiding: Hiding, value: Option<&ValueType>) -> Class {
    match &hiding {
        Hiding::Mask(mask) if !fits(mask, value) => {
            let hiding = Hiding::Mask(MaskSpec::Redact);
            Class { name: format!("{name}{REDACTED}"), hiding }
        }
        Hiding::Mask(_) | Hiding::Deny => Class { name: name.to_owned(), hiding },
    }
}

impl Proposal {
    /// Everything new in a report.
    pub fn all(report: &Report<'_>, catalog: &Catalog) -> Vec<Self> {
        let new = report.columns.iter().filter(|column| column.standing == Standing::New);
        new.filter_map(|column| {
            Self::of(&column.relation, column.scanned, catalog, report.at_least)
        })
        .collect()
    }

    /// What is proposed for a column, whatever the catalog says of it; None: nothing was found.
    pub fn of(
        relation: &RelationName,
        column: &ScannedColumn,
        catalog: &Catalog,
        at_least: u8,
    ) -> Option<Self> {
        let class = class(column, at_least)?;
        let because = because(&column.findings);
        Some(Self::named(relation, column, catalog, class, because))
    }

    /// The column is of a class that somebody chose: one of the catalog's, or hidden by `***`.
    pub fn chosen(
        relation: &RelationName,
        column: &ScannedColumn,
        catalog: &Catalog,
        name: &str,
    ) -> Self {
        let found = column.findings.iter().find(|found| found.class == name);
        let hiding = match found.map(|found| &found.mask) {
            Some(Some(mask)) => Hiding::Mask(mask.0.clone()),
            Some(None) => Hiding::Deny,
            None => Hiding::Mask(MaskSpec::Redact),
        };
        let class = Class { name: name.to_owned(), hiding };
        Self::named(relation, column, catalog, class, "chosen in review".to_owned())
    }

    /// Somebody looked at the column and found it to be no personal data.
    pub fn clear(relation: &RelationName, column: &ScannedColumn) -> Self {
        Self {
            relation: relation.clone(),
            column: column.name.clone(),
            class: CLASS_CLEAR.to_owned(),
            hiding: Hiding::Deny,
            value: column.value.clone(),
            because: "looked at in review: no personal data".to_owned(),
        }
    }

    fn named(
        relation: &RelationName,
        column: &ScannedColumn,
        catalog: &Catalog,
        Class { name, hiding }: Class,
        because: String,
    ) -> Self {
        // The mask of the catalog's own class is the one that counts.
        let hiding = catalog.classes.get(&name).map_or(hiding, |own| own.hiding.clone());
        let class = suited(&name, hiding, column.value.as_ref());
        Self {
            relation: relation.clone(),
            column: column.name.clone(),
            class: class.name,
            hiding: class.hiding,
            value: column.value.clone(),
            because,
        }
    }
}

/// The confidence and the reasons of the first finding, and which others there are.
fn because(findings: &[Found]) -> String {
    let Some(first) = findings.first() else { return String::new() };
    let place =
        |found: &Found| found.path.as_ref().map_or(String::new(), |path| format!(" at {path}"));
    let mut told = format!("{} %{}: {}", first.confidence, place(first), first.reasons.join("; "));
    let others = findings.iter().skip(1).take(ALSO_MAX);
    let also: Vec<String> = others
        .map(|found| format!("{}{} ({} %)", found.kind, place(found), found.confidence))
        .collect();
    if !also.is_empty() {
        told.push_str(&format!("; also {}", also.join(", ")));
    }
    one_line(&told)
}

/// A catalog file of its own, in the order of the proposals, with its reasons.
pub fn catalog(database: &str, proposals: &[Proposal]) -> String {
    let mut draft = format!(
        "# Drafted by `keyhole scan` of database {}: {} to be looked through before they count.\n\
         # Above each column: how sure it is, and why.\n",
        one_line(&format!("{database:?}")),
        counted(proposals.len(), "column", "columns"),
    );
    for (name, hiding) in classes(proposals) {
        draft.push_str(&format!("\n[[class]]\nname = {}\n{}\n", text(name), hiding_text(hiding)));
    }
    let mut last = None;
    for proposal in proposals {
        if last != Some(&proposal.relation) {
            let name = text(&relation_text(&proposal.relation));
            draft.push_str(&format!("\n[[table]]\nname = {name}\n[table.columns]\n"));
            last = Some(&proposal.relation);
        }
        let Proposal { column, class, because, .. } = proposal;
        draft.push_str(&format!("# {because}\n{} = {}\n", key(column), text(class)));
    }
    draft
}

/// Each class that proposals use and that is not built in.
fn classes(proposals: &[Proposal]) -> BTreeMap<&str, &Hiding> {
    let named = proposals.iter().filter(|proposal| proposal.class != CLASS_CLEAR);
    named.map(|proposal| (proposal.class.as_str(), &proposal.hiding)).collect()
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

impl Serialize for Mask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&mask_text(&self.0))
    }
}

impl<'de> Deserialize<'de> for Mask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            mask: MaskSpec,
        }
        let written = format!("mask = {}", String::deserialize(deserializer)?);
        let read: Written = toml::from_str(&written).map_err(de::Error::custom)?;
        Ok(Self(read.mask))
    }
}

#[cfg(test)]
mod tests;
