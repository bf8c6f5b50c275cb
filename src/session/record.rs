//! What a statement leaves in the audit log, and in the counters.

use bytes::Bytes;

use super::plan::{Plan, Planned, Statement};
use super::prepared::Made;
use super::queue::{Completes, Progress, Run, Show};
use super::shared::{Shared, SharedRelease};
use super::{Effects, Env, Relay, Session, errors};
use crate::analysis::facts::Analysis;
use crate::audit::{self, Event, StatementText};
use crate::decision::{Decision, Release, Scrub, Way, World};
use crate::model::{ColumnId, Report, SqlState};

/// What metrics count; added up by the shell.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Texts about which gate 2 and the decision were asked.
    pub decided: u64,
    pub clear: u64,
    pub shown: u64,
    pub computed: u64,
    pub raw: u64,
    /// With what; None: it is not known.
    pub refused: Vec<Option<SqlState>>,
    pub cut: u64,
    pub violations: u64,
    pub masked_cells: Vec<(ColumnId, u64)>,
    pub raw_cells: Vec<(ColumnId, u64)>,
}

impl Tally {
    /// A text has been planned.
    pub(super) fn plans(&mut self, planned: &Planned) {
        match planned {
            Planned::Clear => {}
            Planned::Known(_) | Planned::Refused(_) => self.decided += 1,
        }
    }
}

/// Gates of a statement that mentioned nothing.
const CLEAR: audit::Gates = audit::Gates {
    mention: audit::Mention::Clear,
    analysis: audit::Analysis::NotRun,
    provenance: audit::Provenance::Passed,
};

impl Run {
    /// Takes over what something prepared or opened earlier shows and hides.
    pub(super) fn inherit(&mut self, made: &Made) {
        self.release.merge(&made.release);
        self.masked.append(&made.masked);
        self.guarded.append(&made.guarded);
        self.notice = None;
        self.scrub = self.scrub.max(made.scrub.get());
        if made.show != Show::Never {
            self.show = made.show;
        }
        if !self.masked.is_empty() {
            self.decision = audit::Decision::Computed;
        } else if !self.release.is_empty() {
            self.decision = audit::Decision::Raw;
        }
    }
}

impl Session {
    pub(super) fn next_statement(&mut self) -> u64 {
        self.statements += 1;
        self.statements
    }

    /// A statement that mentions nothing sensitive.
    pub(super) fn clear_run(&mut self, text: Bytes, env: Env<'_>) -> Run {
        Run {
            number: self.next_statement(),
            text,
            decision: audit::Decision::Clear,
            gates: CLEAR,
            release: SharedRelease::default(),
            masked: Shared::default(),
            touched: Shared::default(),
            relations: Shared::default(),
            scrub: Scrub::No,
            guarded: Shared::default(),
            notice: None,
            show: Show::Never,
            completes: Completes::AsTagged { up_to: self.tables.next_id() },
            started: env.now,
        }
    }

    /// A statement that does not run, for this reason.
    pub(super) fn refused_run(&mut self, text: Bytes, report: &Report, env: Env<'_>) -> Run {
        let mut run = self.clear_run(text, env);
        run.decision = audit::Decision::Refused;
        run.gates.mention = audit::Mention::Hit;
        run.gates.analysis = if report.state == SqlState::QUERY_CANCELED {
            audit::Analysis::NotRun
        } else {
            audit::Analysis::Refuse
        };
        run.gates.provenance = audit::Provenance::NotRun;
        run
    }

    /// One statement of a plan; `text` is the message's.
    pub(super) fn planned_run(
        &self,
        number: u64,
        text: Bytes,
        statement: Statement<'_>,
        env: Env<'_>,
    ) -> Run {
        let Statement { analysis, decision, noted } = statement;
        let (mut masked, mut guarded) = (noted.masked.clone(), noted.guarded.clone());
        let mut notice = Some(&noted.notice);
        let mut show = if decision.way == Way::Show { Show::OnWire } else { Show::Never };
        for made in self.tables.earlier(&analysis.kind) {
            guarded.append(&made.guarded);
            masked.append(&made.masked);
            notice = None;
            if made.show != Show::Never {
                show = made.show;
            }
        }
        if env.world.rules.mode == crate::decision::Mode::Observe {
            show = Show::AsItIs;
        }
        let span = analysis.span.clone();
        Run {
            number,
            text: if span.end <= text.len() { text.slice(span) } else { text },
            decision: kind_of(analysis, decision, &masked, show),
            gates: audit::Gates {
                mention: audit::Mention::Hit,
                analysis: match decision.way {
                    Way::Forward => audit::Analysis::Clear,
                    Way::Show => audit::Analysis::Show,
                    Way::Compute => audit::Analysis::Compute,
                    Way::Refuse(_) => audit::Analysis::Refuse,
                },
                provenance: audit::Provenance::Passed,
            },
            release: noted.release.clone(),
            masked,
            touched: noted.touched.clone(),
            relations: noted.relations.clone(),
            scrub: decision.scrub,
            guarded,
            notice: notice.cloned(),
            show,
            completes: Completes::Nothing,
            started: env.now,
        }
    }

    /// Takes what a statement looks up out of what its user may in a minute.
    pub(super) fn within_limit(&self, release: &Release, env: Env<'_>) -> Result<(), Box<Report>> {
        if release.values == 0 {
            return Ok(());
        }
        let per_minute = env.world.rules.lookups_per_minute;
        let user = &self.client.user.name;
        let taken = env.lookups.take(user, release.values, per_minute, env.now);
        taken.map_err(|seconds| errors::too_many_lookups(per_minute, seconds).into())
    }

    /// The write-ahead record of what a message shows raw.
    pub(super) fn release_event(
        &self,
        number: u64,
        text: Bytes,
        release: &Release,
        world: &World,
    ) -> Event {
        Event::Release(Box::new(audit::Release {
            session: self.id,
            statement: number,
            client: self.client.clone(),
            text: StatementText::new(text, self.strings),
            columns: world.column_names(&release.columns),
            lookups: world.column_names(&release.lookups),
            grants: release.grants.clone(),
        }))
    }

    /// The record of a statement that has ended.
    pub(super) fn record(
        &self,
        run: &Run,
        progress: Progress,
        state: Option<SqlState>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let tally = &mut out.tally;
        match run.decision {
            audit::Decision::Clear => tally.clear += 1,
            audit::Decision::Shown => tally.shown += 1,
            audit::Decision::Computed | audit::Decision::Local => tally.computed += 1,
            audit::Decision::Raw | audit::Decision::Observed => tally.raw += 1,
            audit::Decision::Refused => tally.refused.push(state),
            audit::Decision::Cut => tally.cut += 1,
        }
        if progress.rows > 0 {
            tally.masked_cells.extend(run.masked.iter().map(|column| (*column, progress.rows)));
            let raw = run.release.columns.iter();
            tally.raw_cells.extend(raw.map(|column| (*column, progress.rows)));
        }
        let touched = env.world.column_names(&run.touched);
        let all_masked = run.masked == run.touched;
        let masked_columns =
            if all_masked { touched.clone() } else { env.world.column_names(&run.masked) };
        let duration = env.now.duration_since(run.started).as_micros();
        out.audit.push(Event::Statement(audit::Statement {
            session: self.id,
            statement: run.number,
            client: self.client.clone(),
            text: StatementText::new(run.text.clone(), self.strings),
            relations: env.world.relation_names(&run.relations),
            pii_columns: touched,
            raw_columns: env.world.column_names(&run.release.columns),
            looked_up_columns: env.world.column_names(&run.release.lookups),
            masked_columns,
            gates: run.gates,
            decision: run.decision,
            grants: run.release.grants.clone(),
            rows: progress.rows,
            bytes: progress.bytes,
            duration_us: u64::try_from(duration).unwrap_or(0),
            sqlstate: state,
            subjects: self.subjects(run, progress, env),
        }));
    }

    /// The session ends now: what has been shown raw of results that do not come to their end is on
    /// record, and what was released and not shown as well.
    pub fn abandon(&self, env: Env<'_>, out: &mut Effects) {
        if self.relay == Relay::Cut {
            return;
        }
        let state = Some(SqlState::CONNECTION_FAILURE);
        if let Some(run) = self.queue.front_run().filter(|run| !run.release.is_empty()) {
            self.record(run, self.queue.progress, state, env, out);
        }
    }

    /// The runs of a simple query, one for each statement.
    pub(super) fn runs(&self, number: u64, text: &Bytes, plan: &Plan, env: Env<'_>) -> Vec<Run> {
        let run = |statement| self.planned_run(number, text.clone(), statement, env);
        plan.statements().map(run).collect()
    }
}

fn kind_of(
    analysis: &Analysis,
    decision: &Decision,
    masked: &[ColumnId],
    show: Show,
) -> audit::Decision {
    if show == Show::AsItIs && !decision.release.is_empty() {
        audit::Decision::Observed
    } else if !analysis.in_band.is_empty() {
        audit::Decision::Local
    } else if !masked.is_empty() {
        if show == Show::OnWire { audit::Decision::Shown } else { audit::Decision::Computed }
    } else if !decision.release.is_empty() {
        audit::Decision::Raw
    } else {
        audit::Decision::Clear
    }
}
