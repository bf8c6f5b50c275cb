//! A prepared statement looked at again: what is hidden may have changed since it was parsed, and
//! then another text has to run under the same name.

use std::sync::{Arc, Mutex};

use super::errors::protocol;
use super::plan::{Missing, Plan, Planned};
use super::queue::{Expected, Origin};
use super::tables::Prepared;
use super::{Effects, Env, Session};
use crate::wire::frontend::Target;
use crate::wire::write;

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
}
