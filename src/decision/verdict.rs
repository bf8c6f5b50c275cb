//! From what a statement touches to how it may run.

use super::refusal::{denied, obstacle};
use super::whose::mixed;
use super::{Decision, Hidden, Lookup, Persist, Release, Scrub, Standpoint, Way, counting, writes};
use crate::analysis::facts::{
    Analysis, ClassedCall, Flow, Kind, Obstacle, Place, Reference, Shape,
};
use crate::analysis::sensitive::Reach;
use crate::catalog::Hiding;
use crate::grant::{Action, Asked, Counting};
use crate::mask;
use crate::model::{ColumnId, ColumnPath, ROLE_DDL, RelationName, Report};

/// Decides how the statement may run for who asks.
pub fn decide(analysis: &Analysis, standpoint: Standpoint<'_>) -> Decision {
    let mut release = Release::default();
    let counting = counting::of(analysis, standpoint);
    let hidden: Vec<Vec<Hidden>> = analysis
        .references
        .iter()
        .map(|reference| hidden_in(reference, standpoint, counting, &mut release))
        .collect();
    let scrub = scrub(analysis, standpoint);
    let (way, guarded) = match verdict(analysis, &hidden, standpoint, &mut release) {
        Ok(allowed) => allowed,
        Err(report) => (Way::Refuse(report), Vec::new()),
    };
    counting::note(analysis, standpoint, &mut release);
    if !release.is_empty() {
        release.mixed = mixed(analysis);
    }
    Decision { way, hidden, guarded, release, scrub }
}

/// The columns of a reference that stay hidden: all of the relation's, not only those touched, so
/// that a mask below the query covers whatever the query does.
fn hidden_in(
    reference: &Reference,
    standpoint: Standpoint<'_>,
    counting: Counting,
    release: &mut Release,
) -> Vec<Hidden> {
    let action = match reference.flow {
        Flow::Client => Action::Read,
        Flow::Stored => Action::Export,
    };
    match reference.place {
        Place::From | Place::TableCommand | Place::Sampled | Place::Target(_) | Place::Copy => {}
        Place::CopyTarget | Place::Utility => return Vec::new(),
    }
    let mut hidden = Vec::new();
    for column in readable(reference, standpoint) {
        match standpoint.cover_counting(column, action, counting) {
            Some(cover) => {
                if reference.touched.contains(&column) {
                    release.add(column, action, &cover);
                }
                if cover.rows.is_some() {
                    let lookup = looked_up(column, reference, standpoint, release);
                    hidden.push(Hidden { column, rows: cover.rows.clone(), lookup });
                }
            }
            None => {
                let lookup = looked_up(column, reference, standpoint, release);
                hidden.push(Hidden { column, rows: None, lookup });
            }
        }
    }
    hidden
}

/// Whether conditions on a hidden column may run on what is stored; says so in `release`.
fn looked_up(
    column: ColumnId,
    reference: &Reference,
    standpoint: Standpoint<'_>,
    release: &mut Release,
) -> Option<Lookup> {
    let conditions = reference.lookups.iter().filter(|lookup| lookup.column == column);
    let values: usize = conditions.map(|lookup| lookup.values.len()).sum();
    let column_type = standpoint.world.schema.column(column).map(|column| &column.value);
    if values == 0 || !column_type.is_some_and(mask::has_equality) {
        return None;
    }
    let cover = standpoint.cover_counting(column, Action::Lookup, Counting::Uses)?;
    release.add_lookup(column, values, &cover);
    Some(Lookup { rows: cover.rows })
}

/// Every PII column that could be read through the reference.
fn readable(reference: &Reference, standpoint: Standpoint<'_>) -> Vec<ColumnId> {
    let sensitive = &standpoint.world.sensitive;
    match sensitive.reach(reference.relation) {
        Some(Reach::View { columns, .. }) => columns.iter().copied().collect(),
        Some(Reach::Table | Reach::Stored | Reach::Carrier(_) | Reach::SideDoor) | None => {
            let relation = reference.relation;
            sensitive.columns_of(relation).map(|(n, _)| ColumnId { relation, number: n }).collect()
        }
    }
}

/// Errors and notices can tell about every column that is not granted, touched or not.
fn scrub(analysis: &Analysis, standpoint: Standpoint<'_>) -> Scrub {
    let mut scrub = Scrub::No;
    for reference in &analysis.references {
        let all_granted = readable(reference, standpoint).iter().all(|column| {
            standpoint.cover(*column, Action::Read).is_some_and(|cover| cover.rows.is_none())
        });
        let carrier =
            matches!(standpoint.world.sensitive.reach(reference.relation), Some(Reach::Carrier(_)));
        if all_granted && !carrier {
            continue;
        }
        scrub = scrub.max(match reference.place {
            Place::Target(_) | Place::CopyTarget => Scrub::Transaction,
            Place::From | Place::TableCommand | Place::Sampled | Place::Copy | Place::Utility => {
                Scrub::Statement
            }
        });
    }
    scrub
}

fn verdict(
    analysis: &Analysis,
    hidden: &[Vec<Hidden>],
    standpoint: Standpoint<'_>,
    release: &mut Release,
) -> Result<(Way, Vec<ColumnId>), Box<Report>> {
    let touched = touched_hidden(analysis, hidden);
    obstacles(analysis, &touched, standpoint)?;
    for call in &analysis.classed {
        classed(call, standpoint)?;
    }
    let world = standpoint.world;
    let is_denied = |column: &&ColumnId| {
        world.sensitive.column(**column).is_some_and(|pii| pii.hiding == Hiding::Deny)
    };
    let refused: Vec<ColumnId> = touched.iter().filter(is_denied).copied().collect();
    if !refused.is_empty() {
        return Err(denied(world, &refused, "The catalog denies it without a grant.").into());
    }
    let guarded = writes::check(analysis, hidden, standpoint)?;
    stored(analysis, hidden, standpoint)?;
    let writes_hidden = analysis.writes.iter().any(|write| !hidden[write.target].is_empty());
    if analysis.kind == Kind::Explain && writes_hidden {
        let all: Vec<ColumnId> = hidden.iter().flatten().map(|hidden| hidden.column).collect();
        let why = "EXPLAIN tells what a write does to pages, and so whether a value has changed.";
        return Err(denied(world, &all, why).into());
    }
    if touched.is_empty() {
        let spliced = !analysis.qualify.is_empty()
            || !analysis.in_band.is_empty()
            || !guarded.is_empty()
            || writes::may_write_back(analysis, hidden, standpoint);
        return Ok((if spliced { Way::Compute } else { Way::Forward }, guarded));
    }
    release.retain(|column| release_is_real(analysis, hidden, column));
    if analysis.kind == Kind::Explain {
        let why = "EXPLAIN tells about stored values by its estimates and counts.";
        return Err(denied(world, &touched, why).into());
    }
    let on_the_wire = analysis.shape == Shape::Plain
        && hidden.iter().flatten().all(|hidden| {
            hidden.rows.is_none()
                && world.wire_mask(hidden.column).is_some_and(|mask| standpoint.can_mask(mask))
        });
    Ok((if on_the_wire { Way::Show } else { Way::Compute }, guarded))
}

/// Hidden columns that the statement may read.
fn touched_hidden(analysis: &Analysis, hidden: &[Vec<Hidden>]) -> Vec<ColumnId> {
    let mut touched: Vec<ColumnId> = analysis
        .references
        .iter()
        .zip(hidden)
        .flat_map(|(reference, hidden)| {
            let columns = hidden.iter().map(|hidden| hidden.column);
            columns.filter(|column| reference.touched.contains(column))
        })
        .collect();
    touched.sort_unstable();
    touched.dedup();
    touched
}

/// A column is released if some touched reference shows it, be it in some rows only.
fn release_is_real(analysis: &Analysis, hidden: &[Vec<Hidden>], column: ColumnId) -> bool {
    analysis.references.iter().zip(hidden).any(|(reference, hidden)| {
        reference.touched.contains(&column)
            && hidden.iter().all(|hidden| hidden.column != column || hidden.rows.is_some())
    })
}

fn obstacles(
    analysis: &Analysis,
    touched: &[ColumnId],
    standpoint: Standpoint<'_>,
) -> Result<(), Box<Report>> {
    for found in &analysis.obstacles {
        let clears = match found {
            Obstacle::Ddl(_) => standpoint.client.user.has_role(ROLE_DDL),
            Obstacle::Unsupported(_) => {
                touched.is_empty() && analysis.in_band.is_empty() && !analysis.references.is_empty()
            }
            Obstacle::SideDoor(_)
            | Obstacle::Function(_)
            | Obstacle::OpaqueView(_)
            | Obstacle::Unknown { .. } => false,
        };
        if !clears {
            return Err(obstacle(found).into());
        }
    }
    Ok(())
}

/// A declared function is open to who may read its whole class.
fn classed(call: &ClassedCall, standpoint: Standpoint<'_>) -> Result<(), Box<Report>> {
    let path = ColumnPath {
        relation: RelationName::new("", call.function.clone()),
        column: "result".to_owned(),
    };
    let Standpoint { client, grants, now, .. } = standpoint;
    let asked = Asked { action: Action::Read, now, counting: Counting::Free };
    match grants.cover(client, &path, &call.class, asked) {
        Some(cover) if cover.rows.is_none() => Ok(()),
        Some(_) | None => Err(Box::new(
            Report::error(
                crate::model::SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied for function {}", call.function),
            )
            .detail(format!("It returns personal data of class {}.", call.class))
            .hint(format!(
                "Ask for access: SELECT * FROM keyhole.request('class:{}', '30 minutes', 'why').",
                call.class
            )),
        )),
    }
}

/// What flows from hidden columns into a stored relation.
fn stored(
    analysis: &Analysis,
    hidden: &[Vec<Hidden>],
    standpoint: Standpoint<'_>,
) -> Result<(), Box<Report>> {
    if standpoint.world.rules.persist == Persist::Masked {
        return Ok(());
    }
    for (reference, hidden) in analysis.references.iter().zip(hidden) {
        let columns: Vec<ColumnId> = hidden
            .iter()
            .map(|hidden| hidden.column)
            .filter(|column| reference.touched.contains(column))
            .collect();
        if reference.flow == Flow::Stored && !columns.is_empty() {
            return Err(denied(standpoint.world, &columns, writes::STORES).into());
        }
    }
    Ok(())
}
