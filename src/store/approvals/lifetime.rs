//! What happens to requests and grants between their beginning and their end.

use super::writer::Work;
use super::{Approvals, stopped};
use crate::grant::{
    CatalogView, Claim, Extension, GrantId, GrantView, Request, RequestId, RequestState,
};
use crate::model::{Client, Report, User};

impl Approvals {
    /// Files a request for a longer life of one's own grant.
    ///
    /// # Errors
    /// The report says why not, in the words of the policy.
    pub async fn extend(
        &self,
        requester: &Client,
        catalog: &CatalogView,
        extension: Extension,
    ) -> Result<Request, Report> {
        let (requester, catalog) = (requester.clone(), catalog.clone());
        let events = self
            .change(Box::new(move |ledger, policies, now| {
                ledger.extend(policies, &requester, &catalog, &extension, now)
            }))
            .await?;
        let id = events.iter().find_map(|recorded| recorded.event.requested());
        self.request_view(id)
    }

    /// Waits until the request is decided, or taken back, or has lapsed.
    ///
    /// # Errors
    /// It is not known, or the store has stopped.
    pub async fn decided(&self, id: RequestId) -> Result<Request, Report> {
        let mut changes = self.recorded();
        loop {
            changes.mark_unchanged();
            let request = self.request_view(Some(id))?;
            if request.state != RequestState::Pending {
                return Ok(request);
            }
            changes.changed().await.map_err(|_| stopped())?;
        }
    }

    /// Counts what sessions want to use. When this returns, it is durable.
    ///
    /// # Errors
    /// A grant does not count any more or is used up, or the store cannot be written.
    pub async fn spend(&self, claims: Vec<Claim>) -> Result<(), Report> {
        let work: Work = Box::new(move |ledger, _, now| ledger.spend(&claims, now));
        self.change(work).await.map(drop)
    }

    /// Says that somebody has looked at what was done under a break-glass grant.
    ///
    /// # Errors
    /// Unknown, no break-glass grant, reviewed already, one's own, or not among the reviewers.
    pub async fn review(
        &self,
        by: &User,
        grant: GrantId,
        note: String,
    ) -> Result<GrantView, Report> {
        let by = by.clone();
        let work: Work = Box::new(move |ledger, _, _| ledger.review(&by, grant, &note));
        let events = self.change(work).await?;
        self.ended_or_begun(&events).pop().ok_or_else(stopped)
    }
}
