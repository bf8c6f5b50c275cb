//! What a plan rests on, so that it need not be made again as long as that is the same.
//!
//! **Invariant:** a plan is kept only where no grant of the table, live or to come, is about the
//! client, so that neither time nor budgets nor conditions can change it; where the transaction has
//! defined nothing; and where the statement refers to nothing that the session has made.

use super::Plan;
use crate::analysis::facts::{Analysis, Kind};
use crate::analysis::sensitive::Audience;
use crate::audit::Strings;
use crate::decision::Forms;
use crate::model::Epoch;
use crate::session::path::PathVersion;
use crate::session::{Env, Session};

/// All that a kept plan rests on beside its text; compared at each use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) struct Ground {
    epoch: Epoch,
    audience: Audience,
    path: PathVersion,
    forms: Forms,
    strings: Strings,
}

impl Session {
    /// What kept plans rest on now. None: a plan rests on more than that.
    pub(in crate::session) fn ground(&self, env: Env<'_>) -> Option<Ground> {
        let more = self.path.is_lost()
            || !self.uncommitted.is_untouched()
            || env.grants.is_about(&self.client);
        (!more).then(|| Ground {
            epoch: env.world.epoch,
            audience: env.world.sensitive.audience,
            path: self.path.version(),
            forms: self.forms,
            strings: self.strings,
        })
    }
}

impl Plan {
    /// Whether it rests on nothing but its ground: no names that stand for something else next
    /// time, no answers of the proxy's own, nothing for which the schema is read again.
    pub(in crate::session) fn may_be_kept(&self) -> bool {
        self.analysed.statements.iter().all(stands_alone)
    }
}

fn stands_alone(analysis: &Analysis) -> bool {
    analysis.kind == Kind::Query
        && analysis.executes.is_none()
        && analysis.in_band.is_empty()
        && analysis.obstacles.is_empty()
}
