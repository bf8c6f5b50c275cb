//! The text that runs for a plan, found out once.

use std::sync::Arc;

use super::{Kept, Plan, Statement};
use crate::decision::ask_for;
use crate::model::{ColumnId, Report, SqlState};
use crate::rewrite::{self, Decided, InBandAnswer};
use crate::session::{Env, Session};

impl Session {
    /// The text that runs.
    pub(in crate::session) fn rewritten(
        &self,
        plan: &Plan,
        answers: &[InBandAnswer],
        env: Env<'_>,
    ) -> Result<Arc<str>, Box<Report>> {
        if let Kept::Yes(known) = &plan.kept
            && let Some(text) = known.get()
        {
            return Ok(text.clone());
        }
        let text = self.rewritten_anew(plan, answers, env)?;
        if let Kept::Yes(known) = &plan.kept {
            // Whoever was first has put the same there.
            let _ = known.set(text.clone());
        }
        Ok(text)
    }

    fn rewritten_anew(
        &self,
        plan: &Plan,
        answers: &[InBandAnswer],
        env: Env<'_>,
    ) -> Result<Arc<str>, Box<Report>> {
        if plan.is_verbatim() && answers.is_empty() {
            return Ok(plan.analysed.text.clone());
        }
        let key = (plan.analysed.id, plan.hidden(), plan.guarded());
        if answers.is_empty()
            && let Some(known) = env.cache.rewritten(&key)
        {
            return Ok(known);
        }
        let decided = |Statement { analysis, decision, .. }| Decided { analysis, decision };
        let decided: Vec<Decided<'_>> = plan.statements().map(decided).collect();
        let text = rewrite::rewrite(
            &plan.analysed.text,
            &plan.analysed.parsed,
            &decided,
            answers,
            self.context(env.world),
            self.standpoint(env),
        )
        .map_err(|error| {
            let masked: Vec<ColumnId> = plan
                .statements()
                .flat_map(|statement| statement.noted.masked.iter().copied())
                .collect();
            Report::error(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("the statement cannot be masked: {error}"),
            )
            .hint(ask_for(env.world, &masked))
        })?;
        let text: Arc<str> = text.into();
        if answers.is_empty() {
            env.cache.keep_rewritten(key, &text);
        }
        Ok(text)
    }
}
