//! What becomes of each column that a statement may read.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use crate::analysis::facts::{Analysis, Flow, Reference};
use crate::catalog::Hiding;
use crate::decision::{Decision, Hidden, Standpoint};
use crate::grant::{Action, Counting};
use crate::mask::mask_name;
use crate::model::ColumnId;

/// A column and what becomes of it. The widest hiding among its mentions counts.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(as = ExplainedColumn)]
pub struct Column {
    pub column: String,
    pub class: String,
    pub state: State,
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ExplainedState)]
pub enum State {
    Hidden,
    /// Raw in the rows that a grant names, hidden in all others.
    Partly,
    Raw,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Partly => "partly",
            Self::Raw => "raw",
        }
    }
}

/// The columns that the statements touch, sorted, each once.
pub(super) fn of<'a>(
    pairs: impl Iterator<Item = (&'a Analysis, &'a Decision)>,
    standpoint: Standpoint<'_>,
) -> Vec<Column> {
    let mut columns = BTreeSet::new();
    for (analysis, decision) in pairs {
        for (reference, hidden) in analysis.references.iter().zip(&decision.hidden) {
            for id in &reference.touched {
                columns.extend(column(*id, reference, hidden, standpoint));
            }
        }
    }
    let mut columns: Vec<Column> = columns.into_iter().collect();
    // Sorted, so that of one column's mentions the one that hides most comes first.
    columns.dedup_by(|later, first| later.column == first.column);
    columns
}

fn column(
    id: ColumnId,
    reference: &Reference,
    hidden: &[Hidden],
    standpoint: Standpoint<'_>,
) -> Option<Column> {
    let world = standpoint.world;
    let pii = world.sensitive.column(id)?;
    let action = match reference.flow {
        Flow::Client => Action::Read,
        Flow::Stored => Action::Export,
    };
    let hiding = match &pii.hiding {
        Hiding::Mask(_) => format!("masked by {}", mask_name(world.mask_spec(id))),
        Hiding::Deny => "denied".to_owned(),
    };
    let by = standpoint.cover_counting(id, action, Counting::Subjects).map(|cover| {
        let grants: Vec<String> = cover.grants.iter().map(ToString::to_string).collect();
        let until = cover.until.map_or("without end".to_owned(), |until| format!("until {until}"));
        format!("grant {} {until}", grants.join(", "))
    });
    let found = hidden.iter().find(|hidden| hidden.column == id);
    let (state, why) = match (found.map(|hidden| &hidden.rows), by) {
        (Some(Some(rows)), Some(by)) => {
            (State::Partly, format!("raw where {rows}, by {by}; else {hiding}"))
        }
        (Some(_), _) => (State::Hidden, format!("{hiding}: no grant covers it")),
        (None, Some(by)) => (State::Raw, format!("raw, by {by}")),
        (None, None) => (State::Raw, "not shown: it is only written or named".to_owned()),
    };
    Some(Column { column: pii.path.to_string(), class: pii.class.to_string(), state, why })
}
