//! What grants are used for.

use super::{Entry, Ledger, invalid, refused};
use crate::grant::{Claim, GrantEvent, GrantState, Limit, Spent};
use crate::model::{Report, Timestamp};

impl Ledger {
    /// Sessions want to use these: what has to be in the store before they show anything.
    ///
    /// # Errors
    /// One of the grants has ended meanwhile or is used up; nothing is used then.
    pub fn spend(&self, claims: &[Claim], now: Timestamp) -> Result<Vec<GrantEvent>, Report> {
        let mut events = Vec::new();
        for claim in claims {
            let entry = self.entry(claim.grant())?;
            // A statement that has been paid for may go on with what is set apart.
            let paid = !matches!(claim, Claim::Use { .. });
            match entry.view(now).state {
                GrantState::Active | GrantState::Standing => {}
                GrantState::Exhausted if paid => {}
                GrantState::Scheduled
                | GrantState::Expired
                | GrantState::Revoked
                | GrantState::Exhausted => {
                    return Err(refused(format!(
                        "grant {} does not count any more",
                        claim.grant()
                    ))
                    .hint("SELECT * FROM keyhole.my_grants lists those that do."));
                }
            }
            events.extend(entry.started(*claim, now)?);
            events.extend(entry.counted(*claim, &self.proxy)?);
        }
        Ok(events)
    }

    /// What is given back, and which grants were used: told now and then.
    pub fn untold(&self) -> Vec<GrantEvent> {
        let limited = self.limited.iter().filter_map(|id| self.grants.get(id));
        let budgets = limited.filter_map(|entry| entry.live.budget.as_ref());
        let told = budgets.filter_map(|budget| {
            let (grant, proxy) = (budget.grant(), self.proxy.to_string());
            budget.untold().map(|usage| GrantEvent::Used { grant, proxy, usage })
        });
        told.collect()
    }
}

impl Entry {
    fn started(&self, claim: Claim, now: Timestamp) -> Result<Option<GrantEvent>, Report> {
        let grant = &self.live.grant;
        let (Claim::Use { .. }, Some(duration)) = (claim, grant.from_first_use) else {
            return Ok(None);
        };
        let end = now
            .checked_add(duration)
            .map_err(|_| invalid("the grant would end after the end of time"))?;
        // Never longer than was promised at its approval.
        let expires_at = grant.expires_at.map_or(end, |latest| latest.min(end));
        Ok(Some(GrantEvent::Started { grant: grant.id, expires_at }))
    }

    fn counted(&self, claim: Claim, proxy: &str) -> Result<Option<GrantEvent>, Report> {
        let Some(budget) = &self.live.budget else { return Ok(None) };
        let grant = self.live.grant.id;
        let usage = budget.meet(claim).map_err(Report::from)?;
        Ok(usage.map(|usage| GrantEvent::Used { grant, proxy: proxy.to_owned(), usage }))
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
