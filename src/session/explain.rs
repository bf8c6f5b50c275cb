//! What would happen to a statement, and why: the gates, the decision, the text that would run and
//! the smallest grant that would make it raw. One account for the command line and for
//! `keyhole.explain`.

mod columns;
mod grants;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

pub use self::columns::{Column, State};
pub use self::grants::Needed;
use super::plan::masked;
use crate::analysis::facts::{Analysis, Kind, Shape};
use crate::analysis::mention::Hits;
use crate::analysis::parse::{Parsed, parse};
use crate::analysis::{Context, SearchPath, analyse};
use crate::decision::{Dates, Decision, Encoding, Forms, Mode, Standpoint, Way, World, decide};
use crate::model::{ColumnId, Report};
use crate::rewrite::{Decided, rewrite};

/// What would happen to one user's statement.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    pub verdict: Verdict,
    pub gates: Gates,
    /// Relations that need a closer look, sorted.
    pub relations: Vec<String>,
    /// Personal data that the statement may read, and what becomes of it.
    pub columns: Vec<Column>,
    /// What else there is to say: why it is refused, how to ask.
    pub reasons: Vec<String>,
    /// The text for the database; None if it is refused or holds an answer of the proxy's own.
    pub sql: Option<String>,
    /// The fewest grants under which it would run with nothing hidden: empty if it does already,
    /// None if no grant is enough.
    pub smallest_grant: Option<Vec<Needed>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It runs as written, and reads no personal data.
    Clear,
    /// It runs as written, and what it reads of personal data is granted.
    Granted,
    /// It runs as written, and rows are masked on their way.
    Shown,
    /// It runs over masked values.
    Computed,
    Refused,
}

/// What each gate has to say.
#[derive(Debug, Serialize, ToSchema)]
pub struct Gates {
    /// Gate 1: does the text name anything sensitive?
    pub mention: String,
    /// Gate 2: what does it do with it?
    pub analysis: String,
    /// Gate 3: what will the server's own column ids be held against?
    pub provenance: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "clear",
            Self::Granted => "granted, as written and raw",
            Self::Shown => "shown, with hidden columns masked in the rows",
            Self::Computed => "computed, over masked values",
            Self::Refused => "refused",
        })
    }
}

/// Whether the smallest grant is looked for: it takes a decision for each grant that is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SmallestGrant {
    Wanted,
    Unasked,
}

/// Gate 2 of a text that it never sees.
const NOT_NEEDED: &str = "not needed";

impl Explanation {
    /// Explains `text` in a session with this `search_path`; whatever the session prepared or
    /// declared before is not known here. Nothing is run.
    pub fn new(text: &str, path: &SearchPath, standpoint: Standpoint<'_>) -> Self {
        Self::made(text, path, standpoint, SmallestGrant::Wanted)
    }

    /// The same for who asks about many statements: the smallest grant is not looked for, and None.
    pub fn without_grant(text: &str, path: &SearchPath, standpoint: Standpoint<'_>) -> Self {
        Self::made(text, path, standpoint, SmallestGrant::Unasked)
    }

    /// Whether gate 1 lets the text pass, so that nothing else looks at it.
    pub fn passes_unread(&self) -> bool {
        self.gates.analysis == NOT_NEEDED
    }

    fn made(
        text: &str,
        path: &SearchPath,
        standpoint: Standpoint<'_>,
        grant: SmallestGrant,
    ) -> Self {
        let world = standpoint.world;
        let all = world.sensitive.mention.scan(text.as_bytes());
        // Settings alone show nothing.
        let hits = all.without(Hits::PATH).without(Hits::ROLLBACK);
        let mut explanation = Self {
            verdict: Verdict::Clear,
            gates: Gates::of(hits),
            relations: Vec::new(),
            columns: Vec::new(),
            reasons: Vec::new(),
            sql: Some(text.to_owned()),
            smallest_grant: Some(Vec::new()),
        };
        if hits.is_empty() || hits == Hits::CURSOR {
            explanation.reasons.push("it names nothing sensitive".to_owned());
            return explanation;
        }
        let parsed = match parse(text) {
            Ok(parsed) => parsed,
            Err(error) => {
                explanation.gates.analysis = format!("not parsed: {error}");
                explanation.smallest_grant = None;
                explanation.refuse(vec![error.to_string()]);
                return explanation;
            }
        };
        // Settings that the text itself changes may change how its rows look.
        let forms = if all.intersects(Hits::PATH) {
            Forms { encoding: Encoding::Other, dates: Dates::Other }
        } else {
            standpoint.forms
        };
        let context = Context { schema: &world.schema, sensitive: &world.sensitive, path };
        explanation.decided(&parsed, context, Standpoint { forms, ..standpoint }, grant);
        explanation
    }

    /// The refusal that a session has its own reasons for.
    pub(super) fn refused(mut self, report: &Report) -> Self {
        if self.verdict != Verdict::Refused {
            self.refuse(told(report));
        }
        self
    }

    pub(super) fn doubted(mut self, why: &str) -> Self {
        self.reasons.push(why.to_owned());
        self
    }

    /// All of it in a fixed order, as (item, value).
    pub fn items(&self) -> Vec<(&'static str, String)> {
        let mut items = vec![
            ("verdict", self.verdict.to_string()),
            ("gate 1", self.gates.mention.clone()),
            ("gate 2", self.gates.analysis.clone()),
            ("gate 3", self.gates.provenance.clone()),
        ];
        items.extend(self.relations.iter().map(|relation| ("relation", relation.clone())));
        items.extend(self.columns.iter().map(|column| {
            let Column { column, class, state, why } = column;
            ("column", format!("{column} ({class}) is {}: {why}", state.as_str()))
        }));
        items.extend(self.reasons.iter().map(|reason| ("reason", reason.clone())));
        items.extend(self.sql.iter().map(|sql| ("runs", sql.clone())));
        match &self.smallest_grant {
            None => items.push(("grant", "no grant makes it raw".to_owned())),
            Some(needed) => {
                items.extend(needed.iter().map(|needed| ("grant", needed.to_string())));
            }
        }
        items
    }

    fn refuse(&mut self, reasons: Vec<String>) {
        self.verdict = Verdict::Refused;
        self.sql = None;
        self.gates.provenance = "not reached: the statement does not run".to_owned();
        self.reasons.extend(reasons);
    }

    fn decided(
        &mut self,
        parsed: &Parsed,
        context: Context<'_>,
        standpoint: Standpoint<'_>,
        grant: SmallestGrant,
    ) {
        let analyses: Vec<Analysis> =
            (0..parsed.statements.len()).map(|index| analyse(parsed, index, context)).collect();
        let decisions: Vec<Decision> =
            analyses.iter().map(|analysis| decide(analysis, standpoint)).collect();
        let pairs = || analyses.iter().zip(&decisions);
        self.gates.analysis = found(&analyses);
        self.relations = relations(standpoint.world, &analyses);
        self.columns = columns::of(pairs(), standpoint);
        self.smallest_grant = match grant {
            SmallestGrant::Wanted => grants::smallest(&analyses, standpoint),
            SmallestGrant::Unasked => None,
        };
        let in_band = analyses.iter().any(|analysis| !analysis.in_band.is_empty());
        if standpoint.world.rules.mode == Mode::Observe && !in_band {
            return self.observed(&decisions);
        }
        for (analysis, decision) in pairs() {
            let hides = !masked(analysis, decision).is_empty();
            self.verdict = self.verdict.max(match &decision.way {
                Way::Forward if decision.release.is_empty() => Verdict::Clear,
                Way::Forward => Verdict::Granted,
                Way::Show => Verdict::Shown,
                Way::Compute if in_band && !hides => Verdict::Clear,
                Way::Compute => Verdict::Computed,
                Way::Refuse(report) => return self.refuse(told(report)),
            });
        }
        self.gates.provenance = provenance(self.verdict).to_owned();
        let guarded = decisions.iter().flat_map(|decision| &decision.guarded);
        self.reasons.extend(guarded.filter_map(|id| may_not_change(*id, standpoint.world)));
        if in_band {
            self.sql = None;
            self.reasons.push("the proxy itself answers what is in schema keyhole".to_owned());
            return;
        }
        let decided: Vec<Decided<'_>> =
            pairs().map(|(analysis, decision)| Decided { analysis, decision }).collect();
        let text = self.sql.clone().unwrap_or_default();
        match rewrite(&text, parsed, &decided, &[], context, standpoint) {
            Ok(text) => self.sql = Some(text),
            Err(error) => self.refuse(vec![format!("the statement cannot be masked: {error}")]),
        }
    }

    fn observed(&mut self, decisions: &[Decision]) {
        self.reasons.push("mode observe: it runs as written and is on record".to_owned());
        if decisions.iter().any(|decision| decision.way != Way::Forward) {
            self.reasons.push("mode enforce would not run it as written".to_owned());
        }
        self.gates.provenance = "mode observe: nothing is held back".to_owned();
        for column in &mut self.columns {
            column.state = State::Raw;
            column.why = format!("shown in mode observe; else {}", column.why);
        }
    }
}

impl Gates {
    fn of(hits: Hits) -> Self {
        let nothing = hits.is_empty() || hits == Hits::CURSOR;
        Self {
            mention: if hits.is_empty() { "no hit".to_owned() } else { format!("hit: {hits}") },
            analysis: if nothing { NOT_NEEDED } else { "" }.to_owned(),
            provenance: provenance(Verdict::Clear).to_owned(),
        }
    }
}

fn provenance(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clear => "a result column that comes from a PII column stops the result",
        Verdict::Granted => "PII columns that are not granted stop the result",
        Verdict::Shown => "hidden columns are masked by their ids; others of PII stop the result",
        Verdict::Computed => "a result column that comes from a hidden column stops the result",
        Verdict::Refused => "not reached: the statement does not run",
    }
}

/// What gate 2 made of the text, statement by statement.
fn found(analyses: &[Analysis]) -> String {
    let told: Vec<String> = analyses.iter().map(found_in).collect();
    told.join("; ")
}

fn found_in(analysis: &Analysis) -> String {
    if let Some(obstacle) = analysis.obstacles.first() {
        return format!("stopped by {}", obstacle_name(obstacle));
    }
    let columns: BTreeSet<_> = analysis.references.iter().flat_map(|r| &r.touched).collect();
    let what = match analysis.kind {
        Kind::Query => "",
        Kind::CopyOut => "COPY TO: ",
        Kind::CopyIn => "COPY FROM: ",
        Kind::Prepare(_) => "PREPARE: ",
        Kind::Execute(_) => "EXECUTE: ",
        Kind::Deallocate(_) => "DEALLOCATE: ",
        Kind::Declare(_) => "a cursor: ",
        Kind::Fetch(_) => "FETCH: ",
        Kind::Close(_) => "CLOSE: ",
        Kind::Explain => "EXPLAIN: ",
        Kind::Store => "stores a query's rows: ",
        Kind::Define => "changes what exists: ",
        Kind::Utility => "a utility statement: ",
    };
    let does = match (columns.len(), analysis.shape, analysis.writes.len()) {
        (0, _, 0) => "reads no PII column".to_owned(),
        (0, _, _) => "writes, and reads no PII column".to_owned(),
        (1, Shape::Plain, _) => "reads 1 PII column, as it is".to_owned(),
        (n, Shape::Plain, _) => format!("reads {n} PII columns, as they are"),
        (1, Shape::Computed, _) => "may compute with 1 PII column".to_owned(),
        (n, Shape::Computed, _) => format!("may compute with {n} PII columns"),
    };
    format!("{what}{does}")
}

fn obstacle_name(obstacle: &crate::analysis::facts::Obstacle) -> String {
    use crate::analysis::facts::Obstacle;
    match obstacle {
        Obstacle::SideDoor(name) => format!("the side door {name}"),
        Obstacle::Function(name) => format!("the function {name}"),
        Obstacle::OpaqueView(name) => format!("view {name}, which reads through a function"),
        Obstacle::Ddl(what) => format!("a definition over PII: {what}"),
        Obstacle::Unsupported(what) => format!("what is not supported over hidden data: {what}"),
        Obstacle::Unknown { name } => format!("a relation that is not there: {name}"),
    }
}

/// Columns of the target, be they personal data or not.
fn may_not_change(id: ColumnId, world: &World) -> Option<String> {
    let (relation, column) = (world.schema.relation(id.relation)?, world.schema.column(id)?);
    Some(format!(
        "42501 when it runs, if it changes {}.{}: a constraint over hidden values rests on it",
        relation.name, column.name
    ))
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
