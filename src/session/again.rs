//! A prepared statement looked at again: what is hidden may have changed since it was parsed, and
//! then another text has to run under the same name.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::errors::protocol;
use super::frontend::Pending;
use super::plan::{Missing, Plan, Planned};
use super::queue::{Completes, Expected, Origin};
use super::tables::{Made, MadeBy, Prepared};
use super::{Effects, Env, Hold, Session};
use crate::analysis::facts::{Analysis, Kind};
use crate::model::{Report, quote_ident};
use crate::wire::frontend::Target;
use crate::wire::{TxStatus, write};

/// A statement of SQL PREPARE that means something else by now.
pub(super) struct Again {
    name: String,
    /// The PREPARE as the client wrote it.
    text: Bytes,
    made: Made,
    /// As it has to run now.
    sql: Arc<str>,
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

impl Session {
    /// Looks at the statement anew: grants and schema may have changed since it was parsed.
    pub(super) fn plan_again(&self, prepared: &Prepared, env: Env<'_>) -> Result<Planned, Missing> {
        match std::str::from_utf8(&prepared.text) {
            Ok(text) => self.plan(text, env),
            Err(_) => Ok(Planned::Clear),
        }
    }

    /// Keeps the statement, or parses it again where another text has to run now.
    pub(super) fn same_or_again(
        &mut self,
        name: &str,
        prepared: &Arc<Prepared>,
        now: Option<(Arc<Plan>, Arc<str>)>,
        env: Env<'_>,
        out: &mut Effects,
    ) -> Option<Arc<Prepared>> {
        let (plan, sql) = match now {
            None => (None, Arc::from(String::from_utf8_lossy(&prepared.text).as_ref())),
            Some((plan, sql)) => (Some(plan), sql),
        };
        let made = plan.as_ref().map(|plan| self.made_of(plan, env)).unwrap_or_default();
        let parsed_again = *sql != *prepared.sent;
        let shape = if parsed_again { None } else { prepared.shape(env.world.epoch) };
        let id = if parsed_again { self.tables.next_id() } else { prepared.id };
        let weight = self.tables.weigh(prepared.text.len() + sql.len());
        let again = Arc::new(Prepared {
            id,
            text: prepared.text.clone(),
            parameter_types: prepared.parameter_types.clone(),
            plan,
            by: prepared.by,
            made,
            sent: sql,
            epoch: env.world.epoch,
            shape: Mutex::new(shape),
            weight,
        });
        if parsed_again {
            let types = again.parameter_types.iter().copied();
            let to = &mut out.to_server;
            let written = write::close(to, Target::Statement(name))
                .and_then(|()| write::parse(to, name, &again.sent, types));
            if let Err(error) = written {
                self.break_off(&protocol(error), out);
                return None;
            }
            let (origin, scrub) = (Origin::Proxy, again.made.scrub.get());
            let (statement, portal) = (Some(name.to_owned()), None);
            self.queue.push(Expected::Close { statement, portal, up_to: prepared.id, origin });
            self.queue.push(Expected::Parse { name: name.to_owned(), id, origin, scrub });
            self.tables.prepare(name, again.clone());
        } else {
            self.tables.replace(name, again.clone());
        }
        Some(again)
    }

    /// Whether what SQL PREPARE made of these names still is what it would make now: if not, it is
    /// prepared again first, where that can be done. A report: it would be refused now.
    ///
    /// Inside a batch and in a failed transaction nothing is prepared; what was made then decides.
    pub(super) fn up_to_date<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        env: Env<'_>,
    ) -> Result<Option<Box<Report>>, Missing> {
        let mut again = Vec::new();
        for name in names {
            let Some(prepared) = self.tables.statement(name) else { continue };
            if prepared.by != MadeBy::Sql || prepared.text.is_empty() || self.is_in_batch() {
                continue;
            }
            let (made, sql) = match self.plan_again(prepared, env)? {
                Planned::Refused(report) => return Ok(Some(report)),
                Planned::Clear => continue,
                Planned::Known(plan) => match self.rewritten(&plan, &[], env) {
                    Ok(sql) => (self.made_of(&plan, env), sql),
                    Err(report) => return Ok(Some(report)),
                },
            };
            if *sql == *prepared.sent && made.hides_like(&prepared.made) {
                continue;
            }
            if !self.queue.is_empty() {
                return Err(Missing::Answers);
            }
            if self.transaction != TxStatus::Failed {
                let text = prepared.text.clone();
                again.push(Again { name: name.to_owned(), text, made, sql });
            }
        }
        if again.is_empty() { Ok(None) } else { Err(Missing::Preparing(again)) }
    }

    /// Prepares statements of SQL PREPARE again; what is `kept` waits for it.
    pub(super) fn prepare_again(
        &mut self,
        statements: Vec<Again>,
        kept: Option<Pending>,
        out: &mut Effects,
    ) {
        for Again { name, text, made, sql } in statements {
            let up_to = self.tables.next_id();
            let id = self.tables.next_id();
            let weight = self.tables.weigh(text.len() + sql.len());
            let drop = format!("DEALLOCATE {}", quote_ident(&name));
            let dropped = Completes::Deallocated { name: Some(name.clone()), up_to };
            let prepared = Completes::Prepared { name: name.clone(), id };
            let asked = self
                .own(&drop, Expected::Own { completes: dropped }, out)
                .and_then(|()| self.own(&sql, Expected::Own { completes: prepared }, out));
            if let Err(error) = asked {
                return self.break_off(&protocol(error), out);
            }
            let prepared = Prepared::by_sql(id, &sql, text, made, weight);
            self.tables.prepare(&name, Arc::new(prepared));
        }
        self.own_sync(out);
        self.hold = Some(Hold::Server);
        self.after = kept;
    }
}
