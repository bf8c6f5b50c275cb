//! What a scan found, held against the catalog that counts, and what somebody chose of it: a change
//! of the catalog's files, to be taken along. Nothing is written here.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::sync::Arc;

use super::desk::{Database, Review};
use crate::analysis::sensitive::CLASS_CLEAR;
use crate::catalog::Catalog;
use crate::discovery::draft::{self, PatchError, Patched, Proposal};
use crate::discovery::report::{self, Column};
use crate::model::{Digest, SqlState};
use crate::store::findings::{Findings, FindingsError};

/// Digits of a column's key: enough that nobody finds two names with the same ones.
const KEY_LEN: usize = 32;

/// Why nothing can be reviewed, or changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReviewError {
    #[error(transparent)]
    Findings(#[from] FindingsError),
    #[error("{path} cannot be read", path = path.display())]
    Catalog { path: PathBuf, source: std::io::Error },
    #[error("what was found could not be read to its end")]
    Ended,
    #[error("nothing was chosen")]
    Nothing,
    #[error("what was found, or the catalog, has changed since this page was made: look again")]
    Changed,
    #[error(transparent)]
    Patch(#[from] PatchError),
}

impl ReviewError {
    pub(super) fn state(&self) -> SqlState {
        match self {
            Self::Findings(_) | Self::Catalog { .. } | Self::Ended => SqlState::IO_ERROR,
            Self::Nothing | Self::Changed | Self::Patch(_) => SqlState::INVALID_PARAMETER_VALUE,
        }
    }
}

/// What can be reviewed of one database.
pub(super) struct Material {
    pub(super) findings: Findings,
    pub(super) catalog: Arc<Catalog>,
    /// Columns that are no longer there.
    pub(super) gone: usize,
    /// By the names of the configuration.
    files: Vec<(PathBuf, String)>,
}

/// What may be said of a column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// A class.
    pub(super) value: String,
    pub(super) words: String,
}

impl Material {
    /// None: no scan has left anything yet.
    ///
    /// Cancel safety: nothing is lost.
    ///
    /// # Errors
    /// What was left, or a file of the catalog, cannot be read.
    pub(super) async fn read(
        database: &Database,
        review: &Arc<Review>,
    ) -> Result<Option<Self>, ReviewError> {
        let (database, review) = (database.clone(), Arc::clone(review));
        let reading = tokio::task::spawn_blocking(move || {
            let Some(findings) = Findings::read(&review.findings)? else { return Ok(None) };
            let read = |file: &super::desk::CatalogFile| match std::fs::read_to_string(&file.path) {
                Ok(text) => Ok((file.name.clone(), text)),
                Err(source) => Err(ReviewError::Catalog { path: file.path.clone(), source }),
            };
            let files = review.files.iter().map(read).collect::<Result<_, _>>()?;
            let catalog = Arc::clone(&database.catalog);
            let mut material = Self { findings, catalog, gone: 0, files };
            material.hold_against(&database);
            Ok(Some(material))
        });
        reading.await.unwrap_or(Err(ReviewError::Ended))
    }

    /// Types come from the schema as it is now; what it has no longer cannot be catalogued.
    fn hold_against(&mut self, database: &Database) {
        let Some(schema) = database.schema() else { return };
        for table in &mut self.findings.tables {
            let relation = schema.find(&table.schema, &table.name);
            table.columns.retain_mut(|column| {
                let there = relation.and_then(|relation| relation.column(&column.name));
                column.value = there.map(|there| there.value.clone());
                self.gone += usize::from(there.is_none());
                there.is_some()
            });
        }
    }

    pub(super) fn report(&self) -> report::Report<'_> {
        let Findings { database, tables, at_least, .. } = &self.findings;
        report::Report::new(database, tables, &self.catalog, *at_least)
    }

    /// Whether the catalog has files that can be changed.
    pub(super) fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// What can be said of a column, what is proposed first.
    pub(super) fn choices(&self, report: &report::Report<'_>, column: &Column<'_>) -> Vec<Choice> {
        let proposed = self.proposed(report, column).map(|proposal| Choice {
            words: format!("{} (proposed)", proposal.class),
            value: proposal.class,
        });
        let clear = Choice {
            value: CLASS_CLEAR.to_owned(),
            words: format!("no personal data ({CLASS_CLEAR})"),
        };
        let found = column.findings.iter().map(|found| found.class.as_str());
        let known = self.catalog.classes.keys().map(String::as_str);
        let mut choices: Vec<Choice> = proposed.into_iter().chain([clear]).collect();
        for class in found.chain(known).filter(|class| !class.is_empty()) {
            // The mask may not be one for this type.
            let class = self.classed(column, class).class;
            if choices.iter().all(|choice| choice.value != class) {
                choices.push(Choice { value: class.clone(), words: class });
            }
        }
        choices
    }

    fn proposed(&self, report: &report::Report<'_>, column: &Column<'_>) -> Option<Proposal> {
        let enough = report.enough_for(column);
        Proposal::of(&column.relation, column.scanned, &self.catalog, enough)
    }

    fn classed(&self, column: &Column<'_>, class: &str) -> Proposal {
        Proposal::chosen(&column.relation, column.scanned, &self.catalog, class)
    }

    /// The proposals of those columns, by [`key`], of which something was chosen.
    ///
    /// # Errors
    /// Nothing was, or something that is not, or no longer, among the choices.
    pub(super) fn chosen<'a>(
        &self,
        chosen: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Vec<Proposal>, ReviewError> {
        let report = self.report();
        let mut chosen: Vec<(&str, &str)> = chosen.collect();
        let mut proposals = Vec::new();
        for column in report.open() {
            let key = key(column);
            let Some(at) = chosen.iter().position(|(own, _)| *own == key) else { continue };
            let (_, class) = chosen.swap_remove(at);
            if self.choices(&report, column).iter().all(|choice| choice.value != class) {
                return Err(ReviewError::Changed);
            }
            let (relation, scanned) = (&column.relation, column.scanned);
            let proposed = self.proposed(&report, column).filter(|own| own.class == class);
            proposals.push(match proposed {
                Some(proposed) => proposed,
                None if class == CLASS_CLEAR => Proposal::clear(relation, scanned),
                None => self.classed(column, class),
            });
        }
        match (chosen.is_empty(), proposals.is_empty()) {
            (true, false) => Ok(proposals),
            (true, true) => Err(ReviewError::Nothing),
            (false, _) => Err(ReviewError::Changed),
        }
    }

    /// The files that would change.
    ///
    /// # Errors
    /// They cannot be added to.
    pub(super) fn patched(&self, proposals: &[Proposal]) -> Result<Vec<Patched>, ReviewError> {
        Ok(draft::patched(&self.files, proposals, &self.catalog)?)
    }

    /// The same as `patch` takes it.
    ///
    /// # Errors
    /// They cannot be added to.
    pub(super) fn patch(&self, proposals: &[Proposal]) -> Result<String, ReviewError> {
        Ok(self.patched(proposals)?.iter().map(draft::diff).collect())
    }

    /// As a catalog of its own.
    pub(super) fn draft(&self, proposals: &[Proposal]) -> String {
        draft::catalog(&self.findings.database, proposals)
    }
}

/// New ones first, the most confident first of each.
pub(super) fn open<'a>(report: &'a report::Report<'a>) -> Vec<&'a Column<'a>> {
    let mut open: Vec<_> = report.open().collect();
    let best = |column: &Column<'_>| column.findings.first().map_or(0, |found| found.confidence);
    open.sort_by_key(|column| (column.standing, Reverse(best(column))));
    open
}

/// Stands for a column in a form, whatever characters are in its name.
pub(super) fn key(column: &Column<'_>) -> String {
    let relation = &column.relation;
    let name = [relation.schema.as_str(), &relation.name, column.column];
    let parts = name.map(|part| format!("{}:{part}", part.len()));
    let mut digits = Digest::of(parts.concat().as_bytes()).to_string();
    digits.truncate(KEY_LEN);
    digits
}
