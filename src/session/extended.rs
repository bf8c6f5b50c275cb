//! The extended query protocol: what Parse, Bind, Describe, Execute and Close make of names.
//!
//! A statement's text on the server depends on what is hidden when it is bound. When that has
//! changed since it was parsed, it is parsed again under the same name before the Bind; the client
//! does not see it.

use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;

use super::bind::ResultFormats;
use super::copy_in::may_copy_in;
use super::errors::{REFUSED_SQL, protocol, too_many_names, unchecked_parameters};
use super::frontend::Pending;
use super::in_band::{Understood, from_item};
use super::plan::{Plan, Planned, Statement, ended};
use super::prepared::{Made, MadeBy, MadeScrub, Prepared, Spelling, Words};
use super::queue::{Ends, Expected, Origin, Run};
use super::stream::kept;
use super::tables::Portal;
use super::{Effects, Env, Session};
use crate::decision::Release;
use crate::model::Report;
use crate::rewrite::InBandAnswer;
use crate::wire::frontend::{Execute, Parse, Target};
use crate::wire::write;

/// Types below are PostgreSQL's own (`access/transam.h`).
const FIRST_NORMAL_OID: crate::model::Oid = 16_384;

/// The name under which a refused Parse goes to the server, so that it harms no other.
const REFUSED_NAME: &str = "keyhole refused";

impl Session {
    pub(super) fn parse(
        &mut self,
        frame: &[u8],
        message: &Parse<'_>,
        spelling: Spelling,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let planned = match self.plan(message.sql, env) {
            Ok(_) if self.takes_unchecked(message, env) => {
                Planned::Refused(unchecked_parameters().into())
            }
            Ok(planned) => planned,
            Err(missing) => return self.wait_for(missing, kept(frame), out),
        };
        out.tally.plans(&planned);
        let text = Bytes::copy_from_slice(message.sql.as_bytes());
        if self.tables.is_full() {
            return self.refuse_in_batch(text, too_many_names().into(), env, out);
        }
        let id = self.tables.next_id();
        let (plan, made, sent) = match planned {
            Planned::Clear => (None, Made::default(), Arc::from(message.sql)),
            Planned::Refused(report) => return self.refuse_in_batch(text, report, env, out),
            Planned::Known(plan) => {
                let answers = match Self::stubs(&plan) {
                    Ok(answers) => answers,
                    Err(report) => return self.refuse_in_batch(text, report, env, out),
                };
                match self.rewritten(&plan, &answers, env) {
                    Ok(sql) => (Some(plan.clone()), self.made_of(&plan, env), sql),
                    Err(report) => return self.refuse_in_batch(text, report, env, out),
                }
            }
        };
        let parameter_types: Vec<_> = message.parameter_types.iter().collect();
        if *sent == *message.sql {
            out.to_server.extend_from_slice(frame);
        } else if let Err(error) =
            write::parse(&mut out.to_server, message.name, &sent, parameter_types.iter().copied())
        {
            return self.break_off(&protocol(error), out);
        }
        let ground = plan.as_ref().and_then(|plan| plan.kept_under(self.ground(env)));
        let (epoch, words, shape) = (env.world.epoch, OnceLock::new(), Mutex::new(None));
        let by = MadeBy::Parse;
        let scrub = made.scrub.get();
        let weight = self.tables.weigh(text.len() + sent.len());
        let prepared = Prepared {
            id,
            text,
            spelling,
            parameter_types,
            plan,
            by,
            made,
            sent,
            epoch,
            ground,
            words,
            shape,
            weight,
        };
        self.tables.prepare(message.name, Arc::new(prepared));
        let name = message.name.to_owned();
        self.queue.push(Expected::Parse { name, id, origin: Origin::Client, scrub });
    }

    /// Whether a parameter may be of a type whose checks read personal data: they would tell.
    fn takes_unchecked(&self, message: &Parse<'_>, env: Env<'_>) -> bool {
        !env.world.sensitive.types.is_empty()
            && message.parameter_types.iter().any(|oid| oid >= FIRST_NORMAL_OID)
    }

    /// Empty answers for in-band references: what Parse and Describe see of them.
    fn stubs(plan: &Plan) -> Result<Vec<InBandAnswer>, Box<Report>> {
        Self::in_band(plan)
            .into_iter()
            .map(|reference| {
                let understood = Understood::read(reference, None)?;
                Ok(from_item(reference, understood.columns(), &[]))
            })
            .collect()
    }

    /// What running the plan would show, for those who refer to it by name later.
    pub(super) fn made_of(&self, plan: &Plan, env: Env<'_>) -> Made {
        let mut made = Made::default();
        for statement in plan.statements() {
            let run = self.planned_run(0, Bytes::new(), statement, env);
            made = Self::made(&run);
        }
        made
    }

    pub(super) fn made(run: &Run) -> Made {
        Made {
            release: run.release.clone(),
            masked: run.masked.clone(),
            guarded: run.guarded.clone(),
            scrub: MadeScrub::new(run.scrub),
            show: run.show,
        }
    }

    pub(super) fn describe(&mut self, frame: &[u8], target: Target<'_>, out: &mut Effects) {
        out.to_server.extend_from_slice(frame);
        let origin = Origin::Client;
        self.queue.push(match target {
            Target::Statement(name) => {
                let prepared = self.tables.statement(name).cloned();
                Expected::DescribeStatement { prepared, origin }
            }
            Target::Portal(name) => {
                let prepared = self.tables.portal(name).map(|portal| portal.prepared.clone());
                Expected::DescribePortal { prepared, origin }
            }
        });
    }

    pub(super) fn execute(
        &mut self,
        frame: &[u8],
        message: &Execute<'_>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let portal = self.tables.portal(message.portal).cloned();
        match self.may_still_run(portal.as_ref(), env) {
            Ok(None) => {}
            Ok(Some(report)) => {
                let text = portal.map(|portal| portal.prepared.text.clone()).unwrap_or_default();
                return self.refuse_in_batch(text, report, env, out);
            }
            Err(missing) => return self.wait_for(missing, kept(frame), out),
        }
        let run = match &portal {
            Some(portal) => self.portal_run(portal, env),
            None => self.cursor_run(message.portal, env),
        };
        if run.release.is_empty() {
            return self.send_execute(frame, message.portal, portal, run, env, out);
        }
        if !run.release.holds(self.standpoint(env)) {
            let report = ended(env.world, &run.release.columns);
            return self.refuse_in_batch(run.text.clone(), report.into(), env, out);
        }
        if let Err(report) = self.within_limit(&run.release, env) {
            return self.refuse_in_batch(run.text.clone(), report, env, out);
        }
        let claims = Release::claims([&*run.release]);
        self.hold = Some(self.spend_or_record(run.number, &run.text, &run.release, claims, env));
        self.after = Some(Pending::Execute { frame: frame.to_vec(), run: Box::new(run) });
    }

    /// The release of an Execute is on record: it goes on.
    pub(super) fn execute_released(
        &mut self,
        frame: &[u8],
        run: Run,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let Ok(crate::wire::frontend::Frontend::Execute(message)) =
            crate::wire::frontend::read(frame[0], &frame[5..])
        else {
            return self.break_off(&protocol("an Execute changed while it waited"), out);
        };
        let portal = self.tables.portal(message.portal).cloned();
        self.send_execute(frame, message.portal, portal, run, env, out);
    }

    /// Execute of a cursor that SQL declared.
    fn cursor_run(&mut self, name: &str, env: Env<'_>) -> Run {
        let mut run = self.clear_run(Bytes::from_static(b"EXECUTE"), env);
        for made in self.tables.opened(name) {
            run.inherit(made);
        }
        run
    }

    fn portal_run(&mut self, portal: &Portal, env: Env<'_>) -> Run {
        let prepared = &portal.prepared;
        let text = prepared.text.clone();
        let fetches = match self.may_fetch(prepared, env) {
            true => self.plan_again(prepared, env).ok(),
            false => None,
        };
        let plan = match &fetches {
            Some(Planned::Known(plan)) => Some(plan),
            Some(Planned::Clear | Planned::Refused(_)) | None => prepared.plan.as_ref(),
        };
        let Some(statement) = plan.and_then(|plan| plan.statements().next()) else {
            let mut run = self.clear_run(text, env);
            run.inherit(&prepared.made);
            return run;
        };
        let number = self.next_statement();
        let mut run = self.planned_run(number, text, statement, env);
        run.release = prepared.made.release.clone();
        // What EXECUTE and FETCH mean is decided when they run, by what the names stand for then.
        for made in self.tables.earlier(&statement.analysis.kind) {
            run.release.merge(&made.release);
            run.scrub = run.scrub.max(made.scrub.get());
        }
        run
    }

    fn send_execute(
        &mut self,
        frame: &[u8],
        name: &str,
        portal: Option<Portal>,
        mut run: Run,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let gate = &env.world.sensitive.mention;
        let words = match &portal {
            Some(portal) => portal.prepared.words(gate),
            None => Words { hits: gate.scan(&run.text), may_copy_in: may_copy_in(&run.text) },
        };
        if let Some(portal) = &portal
            && let Some(plan) = &portal.prepared.plan
            && let Some(Statement { analysis, .. }) = plan.statements().next()
        {
            plan.defines(&mut self.uncommitted, env.world);
            let sent = &portal.prepared.sent;
            run.completes = self.completes(&analysis.kind, sent, plan.original(), &run);
        }
        self.note_settings(words.hits);
        let shape = portal.as_ref().is_some_and(|it| it.prepared.has_shape(env.world.epoch));
        if !shape {
            // Gate 3 needs to know where the columns come from, whether the client asks or not.
            if let Err(error) = write::describe(&mut out.to_server, Target::Portal(name)) {
                return self.break_off(&protocol(error), out);
            }
            let prepared = portal.as_ref().map(|portal| portal.prepared.clone());
            self.queue.push(Expected::DescribePortal { prepared, origin: Origin::Proxy });
        }
        self.scrub.sent(run.scrub);
        out.to_server.extend_from_slice(frame);
        let (prepared, formats) = match portal {
            Some(Portal { prepared, formats, .. }) => (Some(prepared), formats),
            None => (None, ResultFormats::default()),
        };
        self.queue.push(Expected::Execute { run: Arc::new(run), prepared, formats });
        if words.may_copy_in {
            // Without it, the answer to what turns out to be no COPY would wait for a Sync.
            write::flush(&mut out.to_server);
            self.copy_in_asked();
        }
    }

    pub(super) fn close(&mut self, frame: &[u8], target: Target<'_>, out: &mut Effects) {
        out.to_server.extend_from_slice(frame);
        let up_to = self.tables.next_id();
        let (statement, portal) = match target {
            Target::Statement(name) => (Some(name.to_owned()), None),
            Target::Portal(name) => (None, Some(name.to_owned())),
        };
        self.queue.push(Expected::Close { statement, portal, up_to, origin: Origin::Client });
    }

    /// Refuses a message of a batch: the server fails a Parse of ours and skips to Sync.
    pub(super) fn refuse_in_batch(
        &mut self,
        text: Bytes,
        report: Box<Report>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let run = Arc::new(self.refused_run(text, &report, env));
        let no_types: [crate::model::Oid; 0] = [];
        // Name and text are ours and short.
        let _ = write::parse(&mut out.to_server, REFUSED_NAME, REFUSED_SQL, no_types);
        self.queue.push(Expected::Refused { run, report, ends: Ends::Error });
    }
}
