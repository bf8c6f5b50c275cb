//! What is taken from users for a time, and signals for those who are told of events.

use super::Approvals;
use super::writer::Work;
use crate::grant::{Restrict, Restricted, Signalled};
use crate::model::{Report, User};

impl Approvals {
    /// Takes from a user what `by` says.
    ///
    /// # Errors
    /// Needs the role `control` and a reason.
    pub async fn restrict(&self, by: &User, order: Restrict) -> Result<(), Report> {
        let by = by.clone();
        let work: Work = Box::new(move |ledger, _, now| ledger.restrict(&by, &order, now));
        self.change(work).await.map(drop)
    }

    /// The same for a rule over the audit log. Nothing changes if it is so already.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn restrict_for_signal(&self, order: Restrict) -> Result<(), Report> {
        let work: Work = Box::new(move |ledger, _, now| ledger.restrict_for_signal(&order, now));
        self.change(work).await.map(drop)
    }

    /// Gives a user back what was taken.
    ///
    /// # Errors
    /// Needs the role `control`, is not for oneself, and there has to be something to lift.
    pub async fn lift(&self, by: &User, user: String) -> Result<(), Report> {
        let by = by.clone();
        let work: Work = Box::new(move |ledger, _, now| ledger.lift(&by, &user, now));
        self.change(work).await.map(drop)
    }

    /// Puts a signal among the events, for the channels of notifications.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn signal(&self, signal: Signalled) -> Result<(), Report> {
        let work: Work = Box::new(move |ledger, _, _| Ok(ledger.signal(signal)));
        self.change(work).await.map(drop)
    }

    /// Who is restricted now, by name.
    pub fn restrictions(&self) -> Vec<Restricted> {
        self.inner.shared.ledger().restrictions(self.now())
    }
}
