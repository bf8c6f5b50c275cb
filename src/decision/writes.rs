//! What INSERT, UPDATE, DELETE and COPY FROM may do to relations that hold hidden values.
//!
//! A client's own values may be stored. What may not happen: that a verdict of the server
//! (duplicate, missing, checked) tells about hidden values, or that values derived from hidden ones
//! are stored.

mod constraints;

use std::collections::HashSet;

use super::refusal::denied;
use super::{Hidden, Persist, Standpoint};
use crate::analysis::facts::{
    Analysis, Assigned, Assignment, Children, Conflict, Place, Reference, Write, WriteAction,
};
use crate::analysis::names::{Names, Reach as NamesReach};
use crate::analysis::sensitive::Reach;
use crate::grant::Action;
use crate::model::{ColumnId, ColumnNumber, Oid, Report, SqlState};
use crate::schema::{Constraint, Relation};
use constraints::Reaches;

pub(super) const STORES: &str =
    "The statement would store what it reads; that takes a grant for export.";

type Checked<T = ()> = Result<T, Box<Report>>;

/// Checks every write of the statement. Gives the columns that may only be set to what they are or
/// show.
pub(super) fn check(
    analysis: &Analysis,
    hidden: &[Vec<Hidden>],
    standpoint: Standpoint<'_>,
) -> Checked<Vec<ColumnId>> {
    let mut guarded = Vec::new();
    for reads in &analysis.stored {
        let read = hidden_read(reads, analysis, hidden, standpoint);
        if !read.is_empty() && standpoint.world.rules.persist == Persist::Refuse {
            return Err(denied(standpoint.world, &read, STORES).into());
        }
    }
    for write in &analysis.writes {
        let reference = &analysis.references[write.target];
        let inserts = write.actions.iter().all(|action| *action == WriteAction::Insert)
            && matches!(write.conflict, Conflict::None);
        let only = reference.children == Children::Only;
        let reaches = if inserts || only { Reaches::Own } else { Reaches::Children };
        if let Some(target) = Target::new(reference, &hidden[write.target], reaches, standpoint) {
            guarded.extend(target.write(write, analysis, hidden)?);
        }
    }
    for reference in &analysis.references {
        if matches!(reference.place, Place::Target(_) | Place::CopyTarget)
            && let Some(relation) = standpoint.world.schema.relation(reference.relation)
            && decides_by_hidden(relation, standpoint)
        {
            return Err(carrier(relation));
        }
        if reference.place == Place::CopyTarget
            && let Some(target) =
                Target::new(reference, &unreadable(reference, standpoint), Reaches::Own, standpoint)
        {
            let columns = reference.touched.iter().map(|column| column.number).collect();
            target.policy(&columns)?;
            target.stored_values(&target.with_defaults(columns))?;
        }
    }
    guarded.sort_unstable();
    guarded.dedup();
    Ok(guarded)
}

/// Whether checks, defaults, rules or domains of the relation run over personal data: the server's
/// verdict on a row, or what it stores for it, would tell.
fn decides_by_hidden(relation: &Relation, standpoint: Standpoint<'_>) -> bool {
    let (schema, sensitive) = (&standpoint.world.schema, &standpoint.world.sensitive);
    let code = &relation.on_write;
    let domain = |oid| {
        let mut types = schema.types.iter();
        types.any(|code| code.oid == oid && sensitive.types.contains(&code.name.name))
    };
    // Triggers decide nothing that the application did not want known; their words are scrubbed.
    let decides = |function: &&Oid| !relation.triggers.contains(*function);
    let is_carrier = matches!(sensitive.reach(relation.oid), Some(Reach::Carrier(_)));
    code.calls.iter().filter(decides).any(|function| sensitive.functions.contains_key(function))
        || code.reads.iter().any(|read| {
            is_carrier
                && *read != relation.oid
                && matches!(
                    sensitive.reach(*read),
                    Some(Reach::Table | Reach::View { .. } | Reach::Stored | Reach::SideDoor)
                )
        })
        || relation.columns.iter().any(|column| domain(column.type_oid))
}

fn carrier(relation: &Relation) -> Box<Report> {
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("permission denied for writing to {}", relation.name),
    )
    .detail("Its checks, defaults, rules or domains run over personal data, and would tell.")
    .hint("An administrator can declare the functions that they call in the catalog.")
    .into()
}

/// Whether some value that is assigned to a hidden column may be the mask of what is stored.
pub(super) fn may_write_back(
    analysis: &Analysis,
    hidden: &[Vec<Hidden>],
    standpoint: Standpoint<'_>,
) -> bool {
    analysis.writes.iter().any(|write| {
        let reference = &analysis.references[write.target];
        let target = Target::new(reference, &hidden[write.target], Reaches::Own, standpoint);
        write.assigned.iter().any(|assignment| {
            matches!(assignment.value, Assigned::Plain(_))
                && target.as_ref().is_some_and(|target| {
                    let column = target.relation.column(&assignment.column);
                    column.is_some_and(|column| target.is_hidden(column.number))
                })
        })
    })
}

fn unreadable(reference: &Reference, standpoint: Standpoint<'_>) -> Vec<Hidden> {
    let relation = reference.relation;
    standpoint
        .world
        .sensitive
        .columns_of(relation)
        .map(|(number, _)| ColumnId { relation, number })
        .filter(|column| standpoint.cover(*column, Action::Read).is_none())
        .map(|column| Hidden { column, rows: None, lookup: None })
        .collect()
}

struct Target<'a> {
    standpoint: Standpoint<'a>,
    relation: &'a Relation,
    hidden: HashSet<ColumnNumber>,
    /// Constraints on what is written, in terms of the relation's own columns.
    rules: Vec<Constraint>,
    is_view: bool,
}

impl<'a> Target<'a> {
    fn new(
        reference: &Reference,
        hidden: &[Hidden],
        reaches: Reaches,
        standpoint: Standpoint<'a>,
    ) -> Option<Self> {
        let (schema, sensitive) = (&standpoint.world.schema, &standpoint.world.sensitive);
        let relation = standpoint.world.schema.relation(reference.relation)?;
        let reach = standpoint.world.sensitive.reach(reference.relation);
        let is_view = matches!(reach, Some(Reach::View { .. }));
        let mut hidden: HashSet<ColumnNumber> =
            hidden.iter().map(|hidden| hidden.column.number).collect();
        hidden.insert(constraints::OF_A_CHILD);
        let rules = if constraints::reaches_children(relation, reaches) {
            constraints::of_tree(relation, schema, |id| sensitive.column(id).is_some())
        } else {
            relation.constraints.clone()
        };
        Some(Self { standpoint, relation, hidden, rules, is_view })
    }

    fn denied(&self, numbers: &[ColumnNumber], why: &str) -> Box<Report> {
        let relation = self.relation.oid;
        let columns: Vec<ColumnId> =
            numbers.iter().map(|number| ColumnId { relation, number: *number }).collect();
        denied(self.standpoint.world, &columns, why).into()
    }

    fn is_hidden(&self, number: ColumnNumber) -> bool {
        self.hidden.contains(&number)
    }

    fn write(
        &self,
        write: &Write,
        analysis: &Analysis,
        hidden: &[Vec<Hidden>],
    ) -> Checked<Vec<ColumnId>> {
        if self.is_view && !hidden[write.target].is_empty() {
            let why = "Writing through a view over hidden columns is not supported.";
            let columns: Vec<ColumnId> =
                hidden[write.target].iter().map(|hidden| hidden.column).collect();
            return Err(denied(self.standpoint.world, &columns, why).into());
        }
        for assignment in &write.assigned {
            self.assignment(assignment, analysis, hidden)?;
        }
        if write.actions.contains(&WriteAction::Insert) {
            let inserted = self.numbers(write, |value| *value == Assigned::Inserted).collect();
            self.policy(&inserted)?;
            self.stored_values(&self.with_defaults(inserted))?;
        }
        let guarded = self.set_values(write)?;
        self.conflict(&write.conflict)?;
        if write.actions.contains(&WriteAction::Delete) {
            self.deleted()?;
        }
        Ok(guarded)
    }

    /// The columns whose values are `such`.
    fn numbers(
        &self,
        write: &Write,
        such: impl Fn(&Assigned) -> bool,
    ) -> impl Iterator<Item = ColumnNumber> {
        let such = write.assigned.iter().filter(move |assignment| such(&assignment.value));
        such.filter_map(|assignment| self.relation.column(&assignment.column))
            .map(|column| column.number)
    }

    /// Refuses values derived from hidden ones, except masks where policy stores them, and those
    /// never over PII.
    fn assignment(
        &self,
        assignment: &Assignment,
        analysis: &Analysis,
        hidden: &[Vec<Hidden>],
    ) -> Checked {
        let read = hidden_read(&assignment.reads, analysis, hidden, self.standpoint);
        if read.is_empty() {
            return Ok(());
        }
        let column = self.relation.column(&assignment.column);
        let is_pii = column.is_none_or(|column| {
            let id = ColumnId { relation: self.relation.oid, number: column.number };
            self.standpoint.world.sensitive.column(id).is_some()
        });
        if is_pii || self.standpoint.world.rules.persist == Persist::Refuse {
            return Err(denied(self.standpoint.world, &read, STORES).into());
        }
        Ok(())
    }
}

/// Hidden columns that an expression may read, through whatever reference.
fn hidden_read(
    reads: &Names,
    analysis: &Analysis,
    hidden: &[Vec<Hidden>],
    standpoint: Standpoint<'_>,
) -> Vec<ColumnId> {
    let mut read = Vec::new();
    for (reference, hidden) in analysis.references.iter().zip(hidden) {
        let Some(relation) = standpoint.world.schema.relation(reference.relation) else { continue };
        let columns: HashSet<&str> = relation.columns.iter().map(|c| c.name.as_str()).collect();
        let name = reference.alias.as_deref().unwrap_or(&relation.name.name);
        let whole = reads.reads_row(&[name, "old", "new"], &columns);
        let is_view = relation.definition.is_some();
        let names_any = columns.iter().any(|column| reads.columns.contains(*column));
        for hidden in hidden {
            let named = relation
                .column_numbered(hidden.column.number)
                .is_some_and(|column| reads.columns.contains(&column.name));
            let through_view = is_view && names_any;
            if whole || reads.reach == NamesReach::Everything || named || through_view {
                read.push(hidden.column);
            }
        }
    }
    read.sort_unstable();
    read.dedup();
    read
}
