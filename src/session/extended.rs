//! The extended query protocol: what Parse, Bind, Describe, Execute and Close make of names.
//!
//! A statement's text on the server depends on what is hidden when it is bound. When that has
//! changed since it was parsed, it is parsed again under the same name before the Bind; the client
//! does not see it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::copy_in::may_copy_in;
use super::errors::{REFUSED_SQL, protocol, too_many_names, unchecked_parameters};
use super::frontend::Pending;
use super::in_band::{Parameters, Understood, from_item};
use super::plan::{Plan, Planned, ended};
use super::queue::{Ends, Expected, Origin, Run};
use super::tables::{Made, MadeBy, MadeScrub, Portal, Prepared};
use super::{Effects, Env, Hold, InBandTable, Session};
use crate::model::Report;
use crate::rewrite::InBandAnswer;
use crate::wire::frontend::{Bind, Execute, Parse, Target};
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
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let planned = match self.plan(message.sql, env) {
            Ok(_) if self.takes_unchecked(message, env) => {
                Planned::Refused(unchecked_parameters().into())
            }
            Ok(planned) => planned,
            Err(missing) => return self.wait_for(&missing, frame, out),
        };
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
        let (epoch, shape) = (env.world.epoch, Mutex::new(None));
        let by = MadeBy::Parse;
        let scrub = made.scrub.get();
        let prepared = Prepared { id, text, parameter_types, plan, by, made, sent, epoch, shape };
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
        for (analysis, decision) in plan.statements() {
            let run = self.planned_run(0, Bytes::new(), analysis, decision, env);
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

    pub(super) fn bind(
        &mut self,
        frame: &[u8],
        message: &Bind<'_>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let Some(prepared) = self.tables.statement(message.statement).cloned() else {
            // The server knows no such statement either and says so.
            return self.forward_bind(frame, message, None, out);
        };
        if prepared.by == MadeBy::Sql {
            let release = &prepared.made.release;
            if !release.holds(self.standpoint(env)) {
                let report = ended(env.world, &release.columns);
                return self.refuse_in_batch(prepared.text.clone(), report.into(), env, out);
            }
            return self.forward_bind(frame, message, Some(prepared), out);
        }
        let is_settled = prepared.epoch == env.world.epoch && self.uncommitted.is_empty();
        if prepared.plan.is_none() && is_settled {
            return self.forward_bind(frame, message, Some(prepared), out);
        }
        let plan = match self.plan_again(&prepared, env) {
            Ok(Planned::Clear) => None,
            Ok(Planned::Known(plan)) => Some(plan),
            Ok(Planned::Refused(report)) => {
                return self.refuse_in_batch(prepared.text.clone(), report, env, out);
            }
            Err(missing) => return self.wait_for(&missing, frame, out),
        };
        let Some(plan) = plan else {
            let prepared = self.same_or_again(message.statement, &prepared, None, env, out);
            return self.forward_bind(frame, message, prepared, out);
        };
        let values = text_values(message);
        let mut calls = Vec::new();
        for reference in Self::in_band(&plan) {
            match Understood::read(reference, Some(&values)) {
                Ok(Understood::Call(call)) => calls.push(call),
                Ok(Understood::Explain(_)) => {}
                Err(report) => {
                    return self.refuse_in_batch(prepared.text.clone(), report, env, out);
                }
            }
        }
        if !calls.is_empty() {
            self.hold = Some(Hold::InBand(calls));
            self.after = Some(Pending::Bind { frame: frame.to_vec() });
            return;
        }
        self.bind_planned(frame, message, &prepared, &plan, Vec::new(), env, out);
    }

    /// The in-band calls of a Bind have been answered.
    pub(super) fn bind_answered(
        &mut self,
        frame: &[u8],
        tables: Vec<InBandTable>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let Ok(crate::wire::frontend::Frontend::Bind(message)) =
            crate::wire::frontend::read(frame[0], &frame[5..])
        else {
            return self.break_off(&protocol("a Bind changed while it waited"), out);
        };
        let Some(prepared) = self.tables.statement(message.statement).cloned() else {
            return self.forward_bind(frame, &message, None, out);
        };
        match self.plan_again(&prepared, env) {
            Ok(Planned::Known(plan)) => {
                self.bind_planned(frame, &message, &prepared, &plan, tables, env, out);
            }
            Ok(Planned::Clear) | Err(_) => {
                self.break_off(&protocol("a statement changed while it waited"), out);
            }
            Ok(Planned::Refused(report)) => {
                self.refuse_in_batch(prepared.text.clone(), report, env, out);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one Bind")]
    fn bind_planned(
        &mut self,
        frame: &[u8],
        message: &Bind<'_>,
        prepared: &Arc<Prepared>,
        plan: &Arc<Plan>,
        tables: Vec<InBandTable>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let values = text_values(message);
        let values: Parameters<'_> = Some(&values);
        let answers = self.answers(plan, values, &mut tables.into_iter(), env);
        let sql = match self.rewritten(plan, &answers, env) {
            Ok(sql) => sql,
            Err(report) => return self.refuse_in_batch(prepared.text.clone(), report, env, out),
        };
        let again = Some((plan.clone(), sql));
        let prepared = self.same_or_again(message.statement, prepared, again, env, out);
        self.forward_bind(frame, message, prepared, out);
    }

    fn forward_bind(
        &mut self,
        frame: &[u8],
        message: &Bind<'_>,
        prepared: Option<Arc<Prepared>>,
        out: &mut Effects,
    ) {
        out.to_server.extend_from_slice(frame);
        let scrub = prepared.as_ref().map(|prepared| prepared.made.scrub).unwrap_or_default();
        let id = self.tables.next_id();
        // Of an unknown statement there will be no portal.
        if let Some(prepared) = prepared {
            let formats = message.result_formats.iter().collect();
            let made = prepared.made.clone();
            self.tables.bind(message.portal, Portal { id, prepared, made, formats });
        }
        let (portal, origin) = (message.portal.to_owned(), Origin::Client);
        self.queue.push(Expected::Bind { portal, id, origin, scrub: scrub.get() });
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
        let run = match self.tables.portal(message.portal).cloned() {
            Some(portal) => self.portal_run(&portal, env),
            None => self.cursor_run(message.portal, env),
        };
        if !run.release.is_empty() && !run.release.holds(self.standpoint(env)) {
            let report = ended(env.world, &run.release.columns);
            return self.refuse_in_batch(run.text.clone(), report.into(), env, out);
        }
        if run.release.is_empty() {
            return self.send_execute(frame, run, env, out);
        }
        if let Err(report) = self.within_limit(&run.release, env) {
            return self.refuse_in_batch(run.text.clone(), report, env, out);
        }
        let event = self.release_event(run.number, run.text.clone(), &run.release, env.world);
        self.hold = Some(Hold::Release(Box::new(event)));
        self.after = Some(Pending::Execute { frame: frame.to_vec(), run: Box::new(run) });
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
        let text = portal.prepared.text.clone();
        let first = portal.prepared.plan.as_ref().and_then(|plan| plan.statements().next());
        let Some((analysis, decision)) = first else {
            let mut run = self.clear_run(text, env);
            run.inherit(&portal.made);
            return run;
        };
        let number = self.next_statement();
        let mut run = self.planned_run(number, text, analysis, decision, env);
        run.release = portal.made.release.clone();
        run
    }

    pub(super) fn send_execute(
        &mut self,
        frame: &[u8],
        mut run: Run,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let Ok(crate::wire::frontend::Frontend::Execute(message)) =
            crate::wire::frontend::read(frame[0], &frame[5..])
        else {
            return self.break_off(&protocol("an Execute changed while it waited"), out);
        };
        let portal = self.tables.portal(message.portal).cloned();
        if let Some(portal) = &portal
            && let Some((analysis, _)) =
                portal.prepared.plan.as_ref().and_then(|plan| plan.statements().next())
        {
            let (kind, sent) = (analysis.kind.clone(), portal.prepared.sent.clone());
            if let Some(plan) = &portal.prepared.plan {
                plan.defines(&mut self.uncommitted);
            }
            run.completes = self.completes(&kind, &sent, &run);
        }
        if let Ok(text) = std::str::from_utf8(&run.text) {
            let text = text.to_owned();
            self.note_settings(&text, env);
        }
        let shape = portal.as_ref().and_then(|portal| portal.prepared.shape(env.world.epoch));
        if shape.is_none() {
            // Gate 3 needs to know where the columns come from, whether the client asks or not.
            if let Err(error) = write::describe(&mut out.to_server, Target::Portal(message.portal))
            {
                return self.break_off(&protocol(error), out);
            }
            let prepared = portal.as_ref().map(|portal| portal.prepared.clone());
            self.queue.push(Expected::DescribePortal { prepared, origin: Origin::Proxy });
        }
        self.scrub.sent(run.scrub);
        out.to_server.extend_from_slice(frame);
        let formats = portal.as_ref().map(|portal| portal.formats.clone()).unwrap_or_default();
        let prepared = portal.map(|portal| portal.prepared);
        let copies = may_copy_in(&run.text);
        self.queue.push(Expected::Execute { run: Arc::new(run), prepared, formats });
        if copies {
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
        let run = Arc::new(self.refused_run(text, env));
        let no_types: [crate::model::Oid; 0] = [];
        // Name and text are ours and short.
        let _ = write::parse(&mut out.to_server, REFUSED_NAME, REFUSED_SQL, no_types);
        self.queue.push(Expected::Refused { run, report, ends: Ends::Error });
    }
}

/// The parameters as text; the binary form of text is the same bytes.
fn text_values(message: &Bind<'_>) -> Vec<Option<String>> {
    let values = message.parameters.iter();
    values.map(|value| value.map(|bytes| String::from_utf8_lossy(bytes).into_owned())).collect()
}
