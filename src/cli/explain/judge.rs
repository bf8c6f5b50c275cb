//! The same gates and the same decision as in a session that has just begun.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::analysis::facts::{Analysis, Flow, Reference};
use crate::analysis::mention::Hits;
use crate::analysis::parse::{Parsed, parse};
use crate::analysis::{Context, analyse};
use crate::catalog::Hiding;
use crate::decision::{
    Dates, Decision, Encoding, Forms, Hidden, Mode, Standpoint, Way, World, decide,
};
use crate::grant::Action;
use crate::mask::mask_name;
use crate::model::{Client, ColumnId, Report, User};
use crate::rewrite::{Decided, rewrite};
use crate::server::preview::Preview;

/// What would happen to one user's statement.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    pub(super) user: String,
    pub(super) database: String,
    pub(super) verdict: Verdict,
    /// Relations that need a closer look.
    pub(super) relations: Vec<String>,
    /// Personal data that the statement may read.
    pub(super) columns: Vec<Column>,
    /// What else there is to say: why it is refused, how to ask.
    pub(super) reasons: Vec<String>,
    /// The text for the database; None if it is refused or holds an answer of the proxy's own.
    pub(super) sql: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// It runs as written, and nothing in it is hidden.
    Clear,
    /// It runs as written, and rows are masked on their way.
    Shown,
    /// It runs over masked values.
    Computed,
    Refused,
}

/// A column and what becomes of it. The widest hiding among its mentions counts.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Column {
    pub(super) column: String,
    pub(super) class: String,
    pub(super) state: State,
    pub(super) why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Hidden,
    /// Raw in the rows that a grant names, hidden in all others.
    Partly,
    Raw,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "clear",
            Self::Shown => "shown, with hidden columns masked in the rows",
            Self::Computed => "computed, over masked values",
            Self::Refused => "refused",
        })
    }
}

/// Explains `sql` by `user` on `database`, in a session with UTF-8 and ISO dates.
pub(super) fn judge(preview: &Preview, user: &User, database: &str, sql: &str) -> Explained {
    let world = &preview.world;
    let mut explained = Explained {
        user: user.name.to_string(),
        database: database.to_owned(),
        verdict: Verdict::Clear,
        relations: Vec::new(),
        columns: Vec::new(),
        reasons: Vec::new(),
        sql: Some(sql.to_owned()),
    };
    let all = world.sensitive.mention.scan(sql.as_bytes());
    // A new session has no cursors, and settings alone show nothing.
    let hits = all.without(Hits::PATH).without(Hits::ROLLBACK);
    if hits.is_empty() || hits == Hits::CURSOR {
        explained.reasons.push("it names nothing sensitive".to_owned());
        return explained;
    }
    let parsed = match parse(sql) {
        Ok(parsed) => parsed,
        Err(error) => return explained.refused(vec![error.to_string()]),
    };
    let client = Client {
        user: user.clone(),
        address: None,
        application: "keyhole explain".into(),
        database: database.into(),
    };
    // Settings that the text itself changes may change how its rows look.
    let forms = if all.intersects(Hits::PATH) {
        Forms { encoding: Encoding::Other, dates: Dates::Other }
    } else {
        Forms { encoding: Encoding::Utf8, dates: Dates::Iso }
    };
    let (grants, now) = (&preview.grants, preview.now);
    let standpoint = Standpoint { world, client: &client, grants, now, forms };
    let context =
        Context { schema: &world.schema, sensitive: &world.sensitive, path: &preview.path };
    explained.decided(&parsed, context, standpoint)
}

impl Explained {
    fn refused(mut self, reasons: Vec<String>) -> Self {
        self.verdict = Verdict::Refused;
        self.sql = None;
        self.reasons.extend(reasons);
        self
    }

    fn decided(
        mut self,
        parsed: &Parsed,
        context: Context<'_>,
        standpoint: Standpoint<'_>,
    ) -> Self {
        let analyses: Vec<Analysis> =
            (0..parsed.statements.len()).map(|index| analyse(parsed, index, context)).collect();
        let decisions: Vec<Decision> =
            analyses.iter().map(|analysis| decide(analysis, standpoint)).collect();
        let pairs = || analyses.iter().zip(&decisions);
        self.relations = relations(standpoint.world, &analyses);
        self.columns = columns(pairs(), standpoint);
        let in_band = analyses.iter().any(|analysis| !analysis.in_band.is_empty());
        if standpoint.world.rules.mode == Mode::Observe && !in_band {
            let hides = decisions.iter().any(|decision| decision.way != Way::Forward);
            self.reasons.push("mode observe: it runs as written and is on record".to_owned());
            if hides {
                self.reasons.push("mode enforce would not run it as written".to_owned());
            }
            for column in &mut self.columns {
                column.state = State::Raw;
                column.why = format!("shown in mode observe; else {}", column.why);
            }
            return self;
        }
        for decision in &decisions {
            self.verdict = self.verdict.max(match &decision.way {
                Way::Forward => Verdict::Clear,
                Way::Show => Verdict::Shown,
                Way::Compute => Verdict::Computed,
                Way::Refuse(report) => return self.refused(told(report)),
            });
        }
        if in_band {
            self.sql = None;
            self.reasons.push("the proxy itself answers what is in schema keyhole".to_owned());
            return self;
        }
        let decided: Vec<Decided<'_>> =
            pairs().map(|(analysis, decision)| Decided { analysis, decision }).collect();
        let text = self.sql.clone().unwrap_or_default();
        match rewrite(&text, parsed, &decided, &[], context, standpoint) {
            Ok(text) => {
                self.sql = Some(text);
                self
            }
            Err(error) => self.refused(vec![format!("the statement cannot be masked: {error}")]),
        }
    }
}

fn told(report: &Report) -> Vec<String> {
    let first = format!("{} {}", report.state, report.message);
    let rest = [&report.detail, &report.hint];
    std::iter::once(first).chain(rest.into_iter().flatten().cloned()).collect()
}

fn relations(world: &World, analyses: &[Analysis]) -> Vec<String> {
    let references = analyses.iter().flat_map(|analysis| &analysis.references);
    let relations = references.filter_map(|reference| world.schema.relation(reference.relation));
    let names: BTreeSet<String> = relations.map(|relation| relation.name.to_string()).collect();
    names.into_iter().collect()
}

fn columns<'a>(
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
    let by = standpoint.cover(id, action).map(|cover| {
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
