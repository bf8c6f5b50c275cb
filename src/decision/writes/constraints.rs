//! Constraints over hidden columns: where the server's verdict on a write would tell about values.

use std::collections::HashSet;

use super::{Checked, Target};
use crate::analysis::facts::{Assigned, Conflict, Write};
use crate::decision::Writes;
use crate::grant::Action;
use crate::model::{ColumnId, ColumnNumber};
use crate::schema::{ColumnDefault, Constraint, ConstraintKind, Relation, RelationKind, Snapshot};

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

/// Stands for a hidden column that only a child of the relation has.
pub(super) const OF_A_CHILD: ColumnNumber = ColumnNumber::MIN;
/// Stands for any other column that only a child has.
const OTHER_OF_A_CHILD: ColumnNumber = ColumnNumber::MIN + 1;

/// The constraints of the relation and of all below it: rows of partitions and children are written
/// through it. Columns are the relation's.
pub(super) fn of_tree(
    relation: &Relation,
    schema: &Snapshot,
    is_personal: impl Fn(ColumnId) -> bool,
) -> Vec<Constraint> {
    let mut rules = relation.constraints.clone();
    let (mut work, mut seen) = (vec![relation.oid], HashSet::from([relation.oid]));
    while let Some(parent) = work.pop() {
        for child in schema.children(parent) {
            if !seen.insert(child.oid) {
                continue;
            }
            work.push(child.oid);
            let above = |number: &ColumnNumber| {
                let column = child.column_numbered(*number);
                let same = column.and_then(|column| relation.column(&column.name));
                match same {
                    Some(column) => column.number,
                    None if is_personal(ColumnId { relation: child.oid, number: *number }) => {
                        OF_A_CHILD
                    }
                    None => OTHER_OF_A_CHILD,
                }
            };
            rules.extend(child.constraints.iter().map(|rule| Constraint {
                columns: rule.columns.iter().map(above).collect(),
                ..rule.clone()
            }));
        }
    }
    rules
}

/// Whether rows of children are written, too.
pub(super) fn reaches_children(relation: &Relation, inserts_only: Reaches) -> bool {
    relation.kind == RelationKind::PartitionedTable || inserts_only == Reaches::Children
}

/// Which rows a write may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaches {
    /// New ones of the relation itself, or ONLY its own.
    Own,
    Children,
}

impl Target<'_> {
    /// Refuses a DELETE that would fail or not by what another relation refers to.
    pub(super) fn deleted(&self) -> Checked {
        self.rules(&[ConstraintKind::ReferencedBy], |_| true, DELETING_TELLS)
    }

    /// What an INSERT or COPY stores without being told: defaults, which may say anything (a
    /// setting, the next of a sequence), of columns that are not among `named`.
    pub(super) fn with_defaults(&self, named: HashSet<ColumnNumber>) -> HashSet<ColumnNumber> {
        let unnamed =
            self.relation.columns.iter().filter(|it| it.default == ColumnDefault::Expression);
        let unnamed: Vec<_> = unnamed.map(|it| it.number).collect();
        named.into_iter().chain(unnamed).collect()
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

    /// Refuses to store values where the server's verdict would tell about hidden ones.
    pub(super) fn stored_values(&self, assigned: &HashSet<ColumnNumber>) -> Checked {
        let stored = self.with_generated(assigned);
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

    pub(super) fn policy(&self, assigned: &HashSet<ColumnNumber>) -> Checked {
        let refused: Vec<ColumnNumber> =
            assigned.iter().copied().filter(|number| !self.may_write(*number)).collect();
        if self.standpoint.world.rules.writes == Writes::Refuse && !refused.is_empty() {
            return Err(self.denied(&refused, "Writing it takes a grant for write."));
        }
        Ok(())
    }

    /// What SET stores. Under a constraint over hidden columns that would tell, values may only be
    /// written back: those columns are given.
    pub(super) fn set_values(&self, write: &Write) -> Checked<Vec<ColumnId>> {
        // DEFAULT is a value that nobody has looked at.
        let is_set = |value: &Assigned| match value {
            Assigned::Plain(_) | Assigned::Expression | Assigned::Default => true,
            Assigned::Inserted => false,
        };
        let assigned: HashSet<ColumnNumber> = self.numbers(write, is_set).collect();
        let given = |value: &Assigned| is_set(value) && *value != Assigned::Default;
        self.policy(&self.numbers(write, given).collect())?;
        let stored = self.with_generated(&assigned);
        let plain = |number: ColumnNumber| {
            let column = self.relation.column_numbered(number);
            let mut set = write.assigned.iter().filter(|a| is_set(&a.value));
            column.is_some_and(|column| {
                set.all(|a| a.column != column.name || matches!(a.value, Assigned::Plain(_)))
            })
        };
        let mut guarded = Vec::new();
        for rule in &self.rules {
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
        for rule in &self.rules {
            let hidden: Vec<ColumnNumber> =
                rule.columns.iter().copied().filter(|number| self.is_hidden(*number)).collect();
            if kinds.contains(&rule.kind) && !hidden.is_empty() && applies(&rule.columns) {
                return Err(self.denied(&hidden, why));
            }
        }
        Ok(())
    }

    /// ON CONFLICT tells by its outcome whether a value is there.
    pub(super) fn conflict(&self, conflict: &Conflict) -> Checked {
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
