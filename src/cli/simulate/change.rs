//! What a person sees differently.

use serde::Serialize;

use super::book::Told;
use super::side::{Both, Fate, Outcome, Way};
use crate::audit::Decision;
use crate::decision::Mode;
use crate::session::State;

/// Kinds of change, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A column is raw that was hidden.
    Visible,
    /// The statement is refused that ran.
    Refused,
    /// A column is hidden that was raw.
    Masked,
    /// A column is hidden in another way.
    Remasked,
    /// The statement takes a longer way.
    Slower,
    /// A request is granted later, or not at all.
    Requests,
    /// The statement runs that was refused.
    Allowed,
    /// The statement takes a shorter way.
    Faster,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Visible,
        Self::Refused,
        Self::Masked,
        Self::Remasked,
        Self::Slower,
        Self::Requests,
        Self::Allowed,
        Self::Faster,
    ];

    /// Above a table of such changes.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Visible => "newly visible",
            Self::Refused => "newly refused",
            Self::Masked => "newly masked",
            Self::Remasked => "masked in another way",
            Self::Slower => "slower",
            Self::Requests => "requests that would be decided otherwise",
            Self::Allowed => "no longer refused",
            Self::Faster => "faster",
        }
    }
}

/// One difference that a statement's person would see.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Change {
    pub(super) kind: Kind,
    /// `schema.table.column`; empty where it is about the statement as a whole.
    pub(super) column: String,
    pub(super) class: String,
    /// From what to what.
    pub(super) detail: String,
}

/// Every difference between the two outcomes, sorted.
pub(super) fn changes(both: &Both) -> Vec<Change> {
    let Both { before, after } = both;
    let mut changes = Vec::new();
    let way =
        |kind, detail: String| Change { kind, column: String::new(), class: String::new(), detail };
    let ways = format!("{} -> {}", before.way.as_str(), after.way.as_str());
    match (before.way, after.way) {
        (Way::Refused, Way::Refused) => return changes,
        (_, Way::Refused) => {
            let why = after.why.clone().unwrap_or_default();
            let hidden = after.columns.iter().filter(|(_, fate)| fate.state != State::Raw);
            changes.extend(hidden.map(|(column, fate)| Change {
                kind: Kind::Refused,
                column: column.clone(),
                class: fate.class.clone(),
                detail: why.clone(),
            }));
            if changes.is_empty() {
                changes.push(way(Kind::Refused, why));
            }
            return changes;
        }
        (Way::Refused, _) => changes.push(way(Kind::Allowed, ways)),
        (one, other) if other > one => changes.push(way(Kind::Slower, ways)),
        (one, other) if other < one => changes.push(way(Kind::Faster, ways)),
        _ => {}
    }
    let names = before.columns.keys().chain(after.columns.keys());
    for column in names.collect::<std::collections::BTreeSet<_>>() {
        changes.extend(of_column(column, before, after));
    }
    changes.sort_unstable();
    changes
}

/// How much of a column's values is seen: what no catalog names is seen whole.
fn seen(fate: Option<&Fate>, of: &Outcome) -> State {
    match (of.way, fate) {
        (Way::Refused, _) => State::Hidden,
        (_, Some(fate)) => fate.state,
        (_, None) => State::Raw,
    }
}

fn of_column(column: &str, before: &Outcome, after: &Outcome) -> Option<Change> {
    let (was, is) = (before.columns.get(column), after.columns.get(column));
    let change = |kind, class: &str, detail: String| {
        Some(Change { kind, column: column.to_owned(), class: class.to_owned(), detail })
    };
    let class = |one: Option<&Fate>, other: Option<&Fate>| {
        one.or(other).map_or_else(String::new, |fate| fate.class.clone())
    };
    let (from, to) = (seen(was, before), seen(is, after));
    if to < from {
        let hiding = is.map_or("", |fate| &fate.hiding);
        let rows = if to == State::Partly { ", where no grant covers the row" } else { "" };
        return change(Kind::Masked, &class(is, was), format!("{hiding}{rows}"));
    }
    if to > from {
        let detail = match is {
            None => "no longer in the catalog",
            Some(_) if to == State::Partly => "granted, in some rows",
            Some(_) => "granted",
        };
        return change(Kind::Visible, &class(is, was), detail.to_owned());
    }
    match (was, is) {
        (Some(was), Some(is))
            if to != State::Raw && before.way != Way::Refused && was.hiding != is.hiding =>
        {
            change(Kind::Remasked, &is.class, format!("{} -> {}", was.hiding, is.hiding))
        }
        _ => None,
    }
}

/// Whether the log says the same as the simulation of the configuration as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    Same,
    Different,
    /// It ended in the middle, so the log says nothing about it.
    Unknown,
}

/// Holds what became of a statement against what would now.
pub(super) fn agreement(told: &Told, now: &Outcome, mode: Mode) -> Agreement {
    let columns = |wanted: &dyn Fn(&Fate) -> bool| -> Vec<&String> {
        now.columns.iter().filter(|(_, fate)| wanted(fate)).map(|(name, _)| name).collect()
    };
    let are = |names: &[String], found: Vec<&String>| names.iter().eq(found);
    let same = match (told.decision, mode) {
        (Decision::Cut | Decision::Local, _) => return Agreement::Unknown,
        // Observed is what is touched; that it would have been refused as well is not on record.
        (Decision::Observed, _) | (Decision::Clear, Mode::Observe) => {
            are(&told.touched, columns(&|_| true))
        }
        (Decision::Refused, _) => now.way == Way::Refused,
        (_, _) if now.way == Way::Refused => false,
        (Decision::Clear | Decision::Shown | Decision::Computed | Decision::Raw, _) => {
            are(&told.masked, columns(&|fate| fate.state != State::Raw))
        }
    };
    if same { Agreement::Same } else { Agreement::Different }
}

#[cfg(test)]
mod tests;
