//! What INSERT, UPDATE, DELETE and COPY FROM may do to relations that hold hidden values.
//!
//! A client's own values may be stored. What may not happen: that a verdict of the server
//! (duplicate, missing, checked) tells about hidden values, or that values derived from hidden ones
//! are stored.

use std::collections::HashSet;

use super::refusal::denied;
use super::{Hidden, Persist, Standpoint, Writes};
use crate::analysis::facts::{
    Analysis, Assigned, Assignment, Conflict, Place, Reference, Write, WriteAction,
};
use crate::analysis::names::{Names, Reach as NamesReach};
use crate::analysis::sensitive::Reach;
use crate::grant::Action;
use crate::model::{ColumnId, ColumnNumber, Oid, Report, SqlState};
use crate::schema::{Constraint, ConstraintKind, Relation};

pub(super) const STORES: &str =
    "The statement would store what it reads; that takes a grant for export.";

const WRITING_TELLS: &str = "Writing would tell whether a value exists: a constraint rests on \
                             it. That takes a grant for write.";
const DELETING_TELLS: &str = "Deleting would tell whether a value exists: a constraint rests on \
                              it. That takes a grant for write.";

/// Constraints that compare rows.
const TELLS: [ConstraintKind; 4] = [
    ConstraintKind::Unique,
    ConstraintKind::Exclusion,
    ConstraintKind::ForeignKey,
    ConstraintKind::ReferencedBy,
];

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
        if let Some(target) = Target::new(reference, &hidden[write.target], standpoint) {
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
                Target::new(reference, &unreadable(reference, standpoint), standpoint)
        {
            let columns = reference.touched.iter().map(|column| column.number).collect();
            target.stored_values(&columns)?;
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
        let target = Target::new(reference, &hidden[write.target], standpoint);
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
    is_view: bool,
}

impl<'a> Target<'a> {
    fn new(reference: &Reference, hidden: &[Hidden], standpoint: Standpoint<'a>) -> Option<Self> {
        let relation = standpoint.world.schema.relation(reference.relation)?;
        let reach = standpoint.world.sensitive.reach(reference.relation);
        let is_view = matches!(reach, Some(Reach::View { .. }));
        let hidden = hidden.iter().map(|hidden| hidden.column.number).collect();
        Some(Self { standpoint, relation, hidden, is_view })
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
        if self.is_view && !self.hidden.is_empty() {
            let why = "Writing through a view over hidden columns is not supported.";
            let columns: Vec<ColumnId> =
                hidden[write.target].iter().map(|hidden| hidden.column).collect();
            return Err(denied(self.standpoint.world, &columns, why).into());
        }
        for assignment in &write.assigned {
            self.assignment(assignment, analysis, hidden)?;
        }
        let inserted = self.numbers(write, |value| *value == Assigned::Inserted);
        self.stored_values(&inserted.collect())?;
        let guarded = self.set_values(write)?;
        self.conflict(&write.conflict)?;
        if write.actions.contains(&WriteAction::Delete) {
            self.rules(&[ConstraintKind::ReferencedBy], |_| true, DELETING_TELLS)?;
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

    /// With what is generated from them.
    fn with_generated(&self, assigned: &HashSet<ColumnNumber>) -> HashSet<ColumnNumber> {
        let mut stored = assigned.clone();
        for column in &self.relation.columns {
            if column.generated_from.iter().flatten().any(|source| assigned.contains(source)) {
                stored.insert(column.number);
            }
        }
        stored
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

    /// Refuses to store a client's values where the server's verdict would tell about hidden ones.
    fn stored_values(&self, assigned: &HashSet<ColumnNumber>) -> Checked {
        let stored = self.with_generated(assigned);
        self.policy(assigned)?;
        let writes = |columns: &[ColumnNumber]| {
            columns.iter().any(|number| stored.contains(number) && !self.may_write(*number))
                || (columns.iter().any(|number| stored.contains(number))
                    && columns.iter().any(|number| !stored.contains(number)))
        };
        self.rules(&TELLS, writes, WRITING_TELLS)?;
        let mixed = |columns: &[ColumnNumber]| {
            columns.iter().any(|number| stored.contains(number))
                && columns.iter().any(|n| !stored.contains(n) && self.is_hidden(*n))
        };
        self.rules(&[ConstraintKind::Check], mixed, WRITING_TELLS)
    }

    fn policy(&self, assigned: &HashSet<ColumnNumber>) -> Checked {
        let refused: Vec<ColumnNumber> =
            assigned.iter().copied().filter(|number| !self.may_write(*number)).collect();
        if self.standpoint.world.rules.writes == Writes::Refuse && !refused.is_empty() {
            return Err(self.denied(&refused, "Writing it takes a grant for write."));
        }
        Ok(())
    }

    /// What SET stores. Under a constraint over hidden columns that would tell, values may only be
    /// written back: those columns are given.
    fn set_values(&self, write: &Write) -> Checked<Vec<ColumnId>> {
        let is_set = |value: &Assigned| matches!(value, Assigned::Plain(_) | Assigned::Expression);
        let assigned: HashSet<ColumnNumber> = self.numbers(write, is_set).collect();
        self.policy(&assigned)?;
        let stored = self.with_generated(&assigned);
        let plain = |number: ColumnNumber| {
            let column = self.relation.column_numbered(number);
            let mut set = write.assigned.iter().filter(|a| is_set(&a.value));
            column.is_some_and(|column| {
                set.all(|a| a.column != column.name || matches!(a.value, Assigned::Plain(_)))
            })
        };
        let mut guarded = Vec::new();
        for rule in &self.relation.constraints {
            let hidden = || rule.columns.iter().copied().filter(|number| self.is_hidden(*number));
            if hidden().next().is_none() || !self.tells(rule, &stored) {
                continue;
            }
            let changes = self.sources(rule, &assigned);
            if !changes.iter().all(|number| plain(*number)) {
                let hidden: Vec<ColumnNumber> = hidden().collect();
                return Err(self.denied(&hidden, WRITING_TELLS));
            }
            let relation = self.relation.oid;
            guarded.extend(changes.into_iter().map(|number| ColumnId { relation, number }));
        }
        Ok(guarded)
    }

    /// Whether the server's verdict on new values of `stored` depends on hidden ones.
    fn tells(&self, rule: &Constraint, stored: &HashSet<ColumnNumber>) -> bool {
        let set = || rule.columns.iter().copied().filter(|number| stored.contains(number));
        let kept = || rule.columns.iter().copied().filter(|number| !stored.contains(number));
        if TELLS.contains(&rule.kind) {
            return set().any(|number| !self.may_write(number))
                || (set().next().is_some() && kept().next().is_some());
        }
        // A hidden column that is set to its mask stays what it is, too.
        set().any(|number| {
            let others = rule.columns.iter().copied().filter(|other| *other != number);
            others.into_iter().any(|other| self.is_hidden(other))
        })
    }

    /// The assigned columns that a rule sees, be it through what is generated from them.
    fn sources(&self, rule: &Constraint, assigned: &HashSet<ColumnNumber>) -> Vec<ColumnNumber> {
        let generated = rule
            .columns
            .iter()
            .filter_map(|number| self.relation.column_numbered(*number))
            .filter_map(|column| column.generated_from.as_ref())
            .flatten();
        let all = rule.columns.iter().chain(generated);
        all.copied().filter(|number| assigned.contains(number)).collect()
    }

    /// Columns that are no PII, and those for which a grant for `write` is live.
    fn may_write(&self, number: ColumnNumber) -> bool {
        let id = ColumnId { relation: self.relation.oid, number };
        self.standpoint.world.sensitive.column(id).is_none()
            || self.standpoint.cover(id, Action::Write).is_some_and(|cover| cover.rows.is_none())
    }

    /// Refuses if a rule of one of these kinds, over a hidden column, `applies`.
    fn rules(
        &self,
        kinds: &[ConstraintKind],
        applies: impl Fn(&[ColumnNumber]) -> bool,
        why: &str,
    ) -> Checked {
        for rule in &self.relation.constraints {
            let hidden: Vec<ColumnNumber> =
                rule.columns.iter().copied().filter(|number| self.is_hidden(*number)).collect();
            if kinds.contains(&rule.kind) && !hidden.is_empty() && applies(&rule.columns) {
                return Err(self.denied(&hidden, why));
            }
        }
        Ok(())
    }

    /// ON CONFLICT tells by its outcome whether a value is there.
    fn conflict(&self, conflict: &Conflict) -> Checked {
        let chosen: Vec<ColumnNumber> = match conflict {
            Conflict::None | Conflict::Any => return Ok(()),
            Conflict::Columns(names) => names
                .iter()
                .filter_map(|name| self.relation.column(name))
                .map(|column| column.number)
                .filter(|number| self.is_hidden(*number))
                .collect(),
        };
        if chosen.is_empty() {
            return Ok(());
        }
        Err(self.denied(&chosen, "ON CONFLICT would tell whether a value exists."))
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
