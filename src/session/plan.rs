//! From a statement's text to how it may run: gate 1, then gate 2 and the decision, cached.

mod cache;
mod ground;
mod noted;
mod observed;
mod rewritten;

use std::sync::{Arc, OnceLock};

use self::cache::Asked;
pub use self::cache::PlanCache;
pub(super) use self::ground::Ground;
pub(super) use self::noted::{MaskedNotice, Noted, masked, touched};
use self::observed::observe;
use super::again::{Again, executed};
use super::copy_in::may_copy_in;
use super::uncommitted::Uncommitted;
use super::{Env, Session};
use crate::analysis::facts::{Analysis, Kind, Obstacle};
use crate::analysis::mention::Hits;
use crate::analysis::parse::{ParseError, Parsed, parse};
use crate::analysis::sensitive::Watch;
use crate::analysis::{Context, analyse};
use crate::audit::Strings;
use crate::decision::{
    Dates, Decision, Encoding, Forms, Hidden, Mode, Release, Standpoint, Way, World, ask_for,
    decide,
};
use crate::grant::Claim;
use crate::model::{ColumnId, Report, SqlState};

/// A text that was parsed and resolved.
pub(super) struct Analysed {
    id: u64,
    pub text: Arc<str>,
    pub parsed: Parsed,
    pub statements: Vec<Analysis>,
    pub may_copy_in: bool,
}

/// How a text may run.
#[derive(Clone)]
pub(super) enum Planned {
    /// It cannot name anything sensitive.
    Clear,
    Known(Arc<Plan>),
    Refused(Box<Report>),
}

/// What has to be known first.
pub(super) enum Missing {
    SearchPath,
    Schema,
    /// Statements of SQL PREPARE have to be prepared again.
    Preparing(Vec<Again>),
    /// What has been sent is answered, so that it is known where the transaction stands.
    Answers,
}

pub(super) struct Plan {
    pub analysed: Arc<Analysed>,
    pub decisions: Vec<Decision>,
    noted: Vec<Noted>,
    kept: Kept,
}

/// Whether a plan is used again.
enum Kept {
    No,
    /// As long as its ground is the same; with the text that runs, once that is known.
    Yes(OnceLock<Arc<str>>),
}

/// One statement of a plan.
#[derive(Clone, Copy)]
pub(super) struct Statement<'a> {
    pub analysis: &'a Analysis,
    pub decision: &'a Decision,
    pub noted: &'a Noted,
}

impl Plan {
    fn new(analysed: Arc<Analysed>, decisions: Vec<Decision>, ground: Option<Ground>) -> Self {
        let statements = analysed.statements.iter().zip(&decisions);
        let noted = statements.map(|(analysis, decision)| Noted::of(analysis, decision)).collect();
        let mut plan = Self { analysed, decisions, noted, kept: Kept::No };
        if ground.is_some() && plan.may_be_kept() {
            plan.kept = Kept::Yes(OnceLock::new());
        }
        plan
    }

    /// What a statement that is prepared with it may keep it under.
    pub(super) fn kept_under(&self, ground: Option<Ground>) -> Option<Ground> {
        match self.kept {
            Kept::Yes(_) => ground,
            Kept::No => None,
        }
    }

    /// What all statements together show raw.
    pub(super) fn release(&self) -> Release {
        let mut release = Release::default();
        for decision in &self.decisions {
            release.merge(&decision.release);
        }
        release
    }

    /// What has to be on record before anything of them is shown.
    pub(super) fn claims(&self) -> Vec<Claim> {
        Release::claims(self.decisions.iter().map(|decision| &decision.release))
    }

    /// Notes what the statements define.
    pub(super) fn defines(&self, uncommitted: &mut Uncommitted, world: &World) {
        for (analysis, statement) in
            self.analysed.statements.iter().zip(&self.analysed.parsed.statements)
        {
            uncommitted.note(analysis, &statement.tree, world);
        }
    }

    pub(super) fn statements(&self) -> impl Iterator<Item = Statement<'_>> {
        let decided = self.decisions.iter().zip(&self.noted);
        let statements = self.analysed.statements.iter().zip(decided);
        statements.map(|(analysis, (decision, noted))| Statement { analysis, decision, noted })
    }

    /// Whether the client's own text is what runs.
    pub(super) fn is_verbatim(&self) -> bool {
        self.statements().all(|Statement { analysis, decision, .. }| {
            matches!(decision.way, Way::Forward | Way::Show) && analysis.qualify.is_empty()
        })
    }

    /// What decides about the text that runs, other than the text itself.
    pub(super) fn hidden(&self) -> Arc<[Vec<Hidden>]> {
        self.decisions
            .iter()
            .flat_map(|decision| {
                let compute = decision.way == Way::Compute;
                decision.hidden.iter().map(move |h| if compute { h.clone() } else { Vec::new() })
            })
            .collect()
    }

    fn guarded(&self) -> Arc<[ColumnId]> {
        self.decisions.iter().flat_map(|decision| decision.guarded.iter().copied()).collect()
    }
}

/// Hits that say nothing about PII by themselves.
const HARMLESS: Hits = Hits::PATH;

impl Session {
    /// Of what gate 1 has found, what needs gate 2.
    fn needs_analysis(&self, all: Hits) -> Hits {
        let hits = all.without(HARMLESS).without(Hits::ROLLBACK);
        // Names that this transaction made are in no automaton.
        if !self.uncommitted.is_empty() {
            return hits | Hits::DDL;
        }
        if hits == Hits::CURSOR && self.tables.has_no_cursors() { Hits::NONE } else { hits }
    }

    /// How the text may run for this session now.
    pub(super) fn plan(&self, text: &str, env: Env<'_>) -> Result<Planned, Missing> {
        self.plan_scanned(text, env.world.sensitive.mention.scan(text.as_bytes()), env)
    }

    /// The same, where gate 1 has found `all` in the text.
    pub(super) fn plan_scanned(
        &self,
        text: &str,
        all: Hits,
        env: Env<'_>,
    ) -> Result<Planned, Missing> {
        let hits = self.needs_analysis(all);
        if hits.is_empty() && env.world.sensitive.watch == Watch::Nothing {
            return Ok(Planned::Clear);
        }
        if hits.is_empty() {
            return Ok(match self.unreadable(text, env.world) {
                Some(report) if self.forms.encoding == Encoding::Other => Planned::Refused(report),
                Some(_) | None => Planned::Clear,
            });
        }
        if let Some(report) = self.unreadable(text, env.world) {
            return Ok(Planned::Refused(report));
        }
        if self.path.is_lost() {
            return Err(Missing::SearchPath);
        }
        let ground = self.ground(env);
        if ground.is_some()
            && let Some(plan) = env.cache.plan(&self.asked(text, env))
        {
            return Ok(Planned::Known(plan));
        }
        self.plan_analysed(text, all, ground, env)
    }

    fn plan_analysed(
        &self,
        text: &str,
        all: Hits,
        ground: Option<Ground>,
        env: Env<'_>,
    ) -> Result<Planned, Missing> {
        let analysed = match self.analysed(text, env) {
            Ok(analysed) => analysed,
            Err(error) => return Ok(Planned::Refused(super::errors::unparsable(&error).into())),
        };
        // COPY tells nothing of where its columns come from: gate 3 would not notice what was made
        // since the schema was read.
        let asks = |analysis: &Analysis| {
            (analysis.kind == Kind::CopyOut && !env.world.sensitive.columns.is_empty())
                || analysis.obstacles.iter().any(|o| matches!(o, Obstacle::Unknown { .. }))
        };
        if analysed.statements.iter().any(asks) && !self.path.was_refreshed() {
            return Err(Missing::Schema);
        }
        if let Some(report) = self.up_to_date(executed(&analysed.statements), env)? {
            return Ok(Planned::Refused(report));
        }
        for name in analysed.statements.iter().filter_map(|it| it.executes.as_deref()) {
            if prepares(&analysed.statements, name) || !self.executes_clear(name, env) {
                return Ok(Planned::Refused(super::errors::executes_hidden(name).into()));
            }
        }
        // A text that changes settings may change how its own later rows look on the wire.
        let forms = if all.intersects(Hits::PATH) {
            Forms { encoding: Encoding::Other, dates: Dates::Other }
        } else {
            self.forms
        };
        let mut decisions = Vec::with_capacity(analysed.statements.len());
        for analysis in &analysed.statements {
            let decision = self.decided(analysis, forms, env);
            if let Way::Refuse(report) = decision.way {
                return Ok(Planned::Refused(report));
            }
            decisions.push(decision);
        }
        if looks_up_by_name(&analysed.statements, &decisions) {
            return Ok(Planned::Refused(super::errors::prepared_lookup().into()));
        }
        let Analysed { parsed, statements, .. } = &*analysed;
        if let Some(report) = self.reads_uncommitted(parsed, statements, env) {
            return Ok(Planned::Refused(report));
        }
        let plan = Arc::new(Plan::new(analysed, decisions, ground));
        if let Kept::Yes(_) = plan.kept {
            env.cache.keep_plan(&self.asked(text, env), &plan);
        }
        Ok(Planned::Known(plan))
    }

    /// A text whose bytes may mean something else to the server than to us.
    pub(super) fn unreadable(&self, text: &str, world: &World) -> Option<Box<Report>> {
        let reads_escapes = self.strings == Strings::Escapes && text.contains('\\');
        let foreign = self.forms.encoding == Encoding::Other
            && !text.is_ascii()
            && (!world.sensitive.mention.scan(text.as_bytes()).is_empty()
                || world.has_non_ascii_names());
        (reads_escapes || foreign).then(|| {
            let setting = if foreign { "client_encoding" } else { "standard_conforming_strings" };
            Report::error(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("the statement cannot be checked with this {setting}"),
            )
            .hint("SET client_encoding = 'UTF8' and standard_conforming_strings = on.")
            .into()
        })
    }

    pub(super) fn analysed(&self, text: &str, env: Env<'_>) -> Result<Arc<Analysed>, ParseError> {
        let asked = self.asked(text, env);
        if let Some(known) = env.cache.analysed(&asked) {
            return Ok(known);
        }
        let parsed = parse(text)?;
        let context = self.context(env.world);
        let statements =
            (0..parsed.statements.len()).map(|index| analyse(&parsed, index, context)).collect();
        let (id, may_copy_in) = (env.cache.next_id(), may_copy_in(text.as_bytes()));
        let analysed = Analysed { id, text: text.into(), parsed, statements, may_copy_in };
        let analysed = Arc::new(analysed);
        env.cache.keep_analysed(&asked, &analysed);
        Ok(analysed)
    }

    fn asked<'a>(&'a self, text: &'a str, env: Env<'_>) -> Asked<'a> {
        let (epoch, audience) = (env.world.epoch, env.world.sensitive.audience);
        Asked { epoch, audience, forms: self.forms, path: self.search_path(), text }
    }

    fn context<'a>(&'a self, world: &'a World) -> Context<'a> {
        Context { schema: &world.schema, sensitive: &world.sensitive, path: self.search_path() }
    }

    /// The decision on one statement, what it prepared or opened earlier included.
    fn decided(&self, analysis: &Analysis, forms: Forms, env: Env<'_>) -> Decision {
        let standpoint = Standpoint { forms, ..self.standpoint(env) };
        let mut decision = decide(analysis, standpoint);
        for made in self.tables.earlier(&analysis.kind) {
            if made.release.holds(standpoint) {
                decision.release.merge(&made.release.renewed(standpoint));
                decision.scrub = decision.scrub.max(made.scrub.get());
            } else if !matches!(decision.way, Way::Refuse(_)) {
                decision.way = Way::Refuse(ended(env.world, &made.release.columns).into());
            }
        }
        if env.world.rules.mode == Mode::Observe {
            observe(analysis, &mut decision);
        }
        decision
    }
}

/// Whether a text prepares a lookup or opens a cursor on one, and goes on: what it does with the
/// name could not be counted.
fn looks_up_by_name(analyses: &[Analysis], decisions: &[Decision]) -> bool {
    analyses.len() > 1
        && analyses.iter().zip(decisions).any(|(analysis, decision)| {
            matches!(analysis.kind, Kind::Prepare(_) | Kind::Declare(_))
                && decision.release.values > 0
        })
}

/// Whether the text itself gives the name to a statement: what has it now says nothing.
fn prepares(analyses: &[Analysis], name: &str) -> bool {
    analyses.iter().any(|analysis| matches!(&analysis.kind, Kind::Prepare(it) if it == name))
}

/// The grants under which something was prepared or opened are over.
pub(super) fn ended(world: &World, columns: &[ColumnId]) -> Report {
    Report::error(
        SqlState::INSUFFICIENT_PRIVILEGE,
        "permission denied: the grant that this rests on is over",
    )
    .detail("It was prepared, opened or started while a grant was live.")
    .hint(ask_for(world, columns))
}
