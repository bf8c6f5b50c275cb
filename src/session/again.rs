//! A prepared statement looked at again: what is hidden may have changed since it was parsed, and
//! then another text has to run under the same name.

use std::sync::Arc;

use bytes::Bytes;

use super::errors::{executes_executing, executes_hidden, protocol, unreadable};
use super::frontend::Pending;
use super::plan::{Missing, Plan, Planned};
use super::prepared::{Made, MadeBy, Now, Prepared, Spelling};
use super::queue::{Expected, Origin};
use super::tables::Portal;
use super::{Effects, Env, Hold, Session};
use crate::analysis::facts::{Analysis, Kind};
use crate::analysis::mention::Hits;
use crate::model::Report;
use crate::wire::frontend::Target;
use crate::wire::{TxStatus, WireError, write};

/// A statement that means something else by now.
pub(super) struct Again {
    name: String,
    before: Arc<Prepared>,
    now: Now,
}

/// Whether it was tried for the client's message: what has failed is not tried for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewed {
    No,
    Tried,
}

impl Plan {
    /// The text of a PREPARE that can be prepared again.
    pub(super) fn original(&self) -> Option<Bytes> {
        match self.analysed.statements.as_slice() {
            [one] if matches!(one.kind, Kind::Prepare(_)) && one.in_band.is_empty() => {
                Some(Bytes::copy_from_slice(self.analysed.text.as_bytes()))
            }
            _ => None,
        }
    }
}

/// The names that are executed.
pub(super) fn executed(analyses: &[Analysis]) -> impl Iterator<Item = &str> {
    analyses.iter().filter_map(|analysis| match &analysis.kind {
        Kind::Execute(name) => Some(name.as_str()),
        Kind::Query
        | Kind::CopyOut
        | Kind::CopyIn
        | Kind::Prepare(_)
        | Kind::Deallocate(_)
        | Kind::Declare(_)
        | Kind::Fetch(_)
        | Kind::Close(_)
        | Kind::Explain
        | Kind::Store
        | Kind::Define
        | Kind::Utility => None,
    })
}

impl Prepared {
    /// Whether it is an EXECUTE itself, maybe of its own name: there is no end to following it.
    fn executes_others(&self) -> bool {
        let plan = self.plan.as_ref();
        plan.is_some_and(|plan| executed(&plan.analysed.statements).next().is_some())
    }
}

impl Session {
    /// Looks at the statement anew: grants and schema may have changed since it was parsed.
    pub(super) fn plan_again(&self, prepared: &Prepared, env: Env<'_>) -> Result<Planned, Missing> {
        let text = std::str::from_utf8(&prepared.text);
        match (prepared.spelling, self.plan(text.unwrap_or_default(), env)?) {
            (Spelling::Utf8, planned) if text.is_ok() => Ok(planned),
            // It means what it did, as it still mentions nothing.
            (Spelling::Other, Planned::Clear) => Ok(Planned::Clear),
            (Spelling::Utf8 | Spelling::Other, _) => Ok(Planned::Refused(unreadable().into())),
        }
    }

    /// Whether a prepared statement neither reads nor does anything that needs a decision: what
    /// EXPLAIN tells of it, or CREATE TABLE AS stores, is nothing hidden.
    pub(super) fn executes_clear(&self, name: &str, env: Env<'_>) -> bool {
        let is_clear = |analysis: &Analysis| {
            matches!(analysis.kind, Kind::Prepare(_) | Kind::Query)
                && analysis.references.is_empty()
                && analysis.obstacles.is_empty()
                && analysis.classed.is_empty()
                && analysis.in_band.is_empty()
        };
        let mut makings = self.tables.statements(name).peekable();
        makings.peek().is_some()
            && makings.all(|prepared| {
                let text = std::str::from_utf8(&prepared.text).unwrap_or_default();
                // What was written into it names what it meant then, wherever names lead by now.
                !text.is_empty()
                    && *prepared.sent == *text
                    && prepared.spelling == Spelling::Utf8
                    && self.unreadable(text, env.world).is_none()
                    && self
                        .analysed(text, env)
                        .is_ok_and(|analysed| analysed.statements.iter().all(is_clear))
            })
    }

    /// Whether it mentioned nothing but cursors when there were none, and may show one by now.
    pub(super) fn may_fetch(&self, prepared: &Prepared, env: Env<'_>) -> bool {
        prepared.plan.is_none()
            && !self.tables.has_no_cursors()
            && prepared.words(&env.world.sensitive.mention).hits.intersects(Hits::CURSOR)
    }

    /// What was bound runs what its names stand for when it is executed. A report: it may not.
    pub(super) fn may_still_run(
        &self,
        portal: Option<&Portal>,
        env: Env<'_>,
    ) -> Result<Option<Box<Report>>, Missing> {
        let plan = portal.and_then(|portal| portal.prepared.plan.as_ref());
        let analyses = plan.into_iter().flat_map(|plan| &plan.analysed.statements);
        let mut executes = analyses.filter_map(|analysis| analysis.executes.as_deref());
        if let Some(name) = executes.find(|name| !self.executes_clear(name, env)) {
            return Ok(Some(executes_hidden(name).into()));
        }
        let fetches = portal.is_some_and(|portal| self.may_fetch(&portal.prepared, env));
        if self.uncommitted.is_empty() && !fetches {
            return Ok(None);
        }
        let Some(portal) = portal else { return Ok(self.fetches_uncommitted(env)) };
        match self.plan_again(&portal.prepared, env)? {
            Planned::Refused(report) => Ok(Some(report)),
            Planned::Clear | Planned::Known(_) => Ok(None),
        }
    }

    /// Keeps the statement, or parses it again where another text has to run now.
    pub(super) fn same_or_again(
        &mut self,
        name: &str,
        prepared: &Arc<Prepared>,
        now: Now,
        out: &mut Effects,
    ) -> Option<Arc<Prepared>> {
        let weight = self.tables.weigh(prepared.text.len() + now.sent.len());
        if *now.sent == *prepared.sent {
            let shape = prepared.shape(now.epoch);
            let again = Arc::new(prepared.again(prepared.id, now, weight));
            if let Some(shape) = shape {
                again.learn(shape);
            }
            self.tables.replace(name, again.clone());
            return Some(again);
        }
        let (up_to, id) = (prepared.id, self.tables.next_id());
        let again = Arc::new(prepared.again(id, now, weight));
        if let Err(error) = self.prepare_under(name, &again, up_to, out) {
            self.break_off(&protocol(error), out);
            return None;
        }
        Some(again)
    }

    /// Has the server forget what it has under the name, which may be nothing, and prepare this.
    fn prepare_under(
        &mut self,
        name: &str,
        again: &Arc<Prepared>,
        up_to: u64,
        out: &mut Effects,
    ) -> Result<(), WireError> {
        let origin = Origin::Proxy;
        write::close(&mut out.to_server, Target::Statement(name))?;
        let (statement, portal) = (Some(name.to_owned()), None);
        self.queue.push(Expected::Close { statement, portal, up_to, origin });
        let (id, name_there) = (again.id, name.to_owned());
        match again.by {
            MadeBy::Parse => {
                let types = again.parameter_types.iter().copied();
                write::parse(&mut out.to_server, name, &again.sent, types)?;
                let scrub = again.made.scrub.get();
                self.queue.push(Expected::Parse { name: name_there, id, origin, scrub });
            }
            MadeBy::Sql => self.own(&again.sent, Expected::Own { name: name_there, id }, out)?,
        }
        self.tables.prepare(name, Arc::clone(again));
        Ok(())
    }

    /// What the statement means now. None: it is left as it is.
    fn now(&self, prepared: &Prepared, env: Env<'_>) -> Result<Option<Now>, Unfit> {
        let epoch = env.world.epoch;
        match self.plan_again(prepared, env).map_err(Unfit::Missing)? {
            Planned::Refused(report) => Err(Unfit::Refused(report)),
            Planned::Clear => {
                let sent = Arc::from(String::from_utf8_lossy(&prepared.text).as_ref());
                Ok(Some(Now { plan: None, made: Made::default(), sent, epoch, ground: None }))
            }
            // Its answers belong to the values of a Bind.
            Planned::Known(plan) if !Self::in_band(&plan).is_empty() => Ok(None),
            Planned::Known(plan) => {
                let sent = self.rewritten(&plan, &[], env).map_err(Unfit::Refused)?;
                let (made, ground) = (self.made_of(&plan, env), plan.kept_under(self.ground(env)));
                Ok(Some(Now { made, plan: Some(plan), sent, epoch, ground }))
            }
        }
    }

    /// Whether what these names stand for still is what it would be now: if not, it is prepared
    /// again first, where that can be done. A report: it would be refused now.
    ///
    /// Inside a batch, in a failed transaction, and if the server has refused it for this message,
    /// nothing is prepared; what was made then decides.
    pub(super) fn up_to_date<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        env: Env<'_>,
    ) -> Result<Option<Box<Report>>, Missing> {
        let mut again = Vec::new();
        for name in names {
            let Some(before) = self.tables.statement(name) else { continue };
            let done = self.renewed == Renewed::Tried || self.is_in_batch();
            if before.text.is_empty() || done {
                continue;
            }
            if before.executes_others() {
                return Ok(Some(executes_executing(name).into()));
            }
            let now = match self.now(before, env) {
                Ok(Some(now)) => now,
                Ok(None) => continue,
                Err(Unfit::Refused(report)) => return Ok(Some(report)),
                Err(Unfit::Missing(missing)) => return Err(missing),
            };
            if *now.sent == *before.sent && now.made.hides_like(&before.made) {
                continue;
            }
            if !self.queue.is_empty() {
                return Err(Missing::Answers);
            }
            if self.transaction != TxStatus::Failed {
                again.push(Again { name: name.to_owned(), before: Arc::clone(before), now });
            }
        }
        if again.is_empty() { Ok(None) } else { Err(Missing::Preparing(again)) }
    }

    /// Prepares statements again, in a batch of our own; what is `kept` waits for it.
    pub(super) fn prepare_again(
        &mut self,
        statements: Vec<Again>,
        kept: Option<Pending>,
        out: &mut Effects,
    ) {
        for Again { name, before, now } in statements {
            let (up_to, id) = (self.tables.next_id(), self.tables.next_id());
            let weight = self.tables.weigh(before.text.len() + now.sent.len());
            let again = Arc::new(before.again(id, now, weight));
            if let Err(error) = self.prepare_under(&name, &again, up_to, out) {
                return self.break_off(&protocol(error), out);
            }
        }
        self.renewed = Renewed::Tried;
        self.own_sync(out);
        self.hold = Some(Hold::Server);
        self.after = kept;
    }
}

/// Why a statement cannot be prepared again now.
enum Unfit {
    Refused(Box<Report>),
    Missing(Missing),
}
