//! What grants are used for.

use super::{Entry, Ledger, invalid, refused};
use crate::grant::{GrantEvent, GrantId, GrantState, Limit, Spent, Usage};
use crate::model::{Report, Timestamp};

impl Ledger {
    /// One statement runs under these grants: their uses are counted, and the time of those that
    /// wait for their first use begins.
    ///
    /// # Errors
    /// One of them has ended meanwhile or is used up; none is used then.
    pub fn spend(&self, grants: &[GrantId], now: Timestamp) -> Result<Vec<GrantEvent>, Report> {
        let mut events = Vec::new();
        for id in grants {
            let entry = self.entry(*id)?;
            match entry.view(now).state {
                GrantState::Active | GrantState::Standing => {}
                GrantState::Scheduled
                | GrantState::Expired
                | GrantState::Revoked
                | GrantState::Exhausted => {
                    return Err(refused(format!("grant {id} does not count any more"))
                        .hint("SELECT * FROM keyhole.my_grants lists those that do."));
                }
            }
            events.extend(entry.started(now)?);
            events.extend(entry.counted(&self.proxy)?);
        }
        Ok(events)
    }

    /// What sessions here have used and the store has not been told.
    pub fn untold(&self) -> Vec<GrantEvent> {
        let limited = self.limited.iter().filter_map(|id| self.grants.get(id));
        let pending = limited.filter_map(|entry| Some((entry, entry.live.budget.as_ref()?)));
        let told = pending.filter_map(|(entry, budget)| {
            let (grant, proxy) = (entry.live.grant.id, self.proxy.to_string());
            budget.pending().map(|usage| GrantEvent::Used { grant, proxy, usage })
        });
        told.collect()
    }
}

impl Entry {
    fn started(&self, now: Timestamp) -> Result<Option<GrantEvent>, Report> {
        let grant = &self.live.grant;
        let Some(duration) = grant.from_first_use else { return Ok(None) };
        let end = now
            .checked_add(duration)
            .map_err(|_| invalid("the grant would end after the end of time"))?;
        // Never longer than was promised at its approval.
        let expires_at = grant.expires_at.map_or(end, |latest| latest.min(end));
        Ok(Some(GrantEvent::Started { grant: grant.id, expires_at }))
    }

    fn counted(&self, proxy: &str) -> Result<Option<GrantEvent>, Report> {
        let Some(budget) = &self.live.budget else { return Ok(None) };
        if budget.limits().max_uses.is_none() {
            return Ok(None);
        }
        budget.has_use().map_err(Report::from)?;
        let usage = Usage { uses: 1, ..Usage::default() };
        Ok(Some(GrantEvent::Used { grant: self.live.grant.id, proxy: proxy.to_owned(), usage }))
    }
}

impl From<Spent> for Report {
    fn from(Spent { grant, limit }: Spent) -> Self {
        let limit = match limit {
            Limit::Rows(max) => format!("{max} rows"),
            Limit::Uses(max) => format!("{max} uses"),
            Limit::Subjects(max) => format!("{max} subjects"),
        };
        refused(format!("grant {grant} is used up: it was for {limit}")).hint(
            "Ask for another: SELECT * FROM keyhole.request('table.column', '30 minutes', 'why').",
        )
    }
}
