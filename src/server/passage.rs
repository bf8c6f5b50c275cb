//! A client's way through the door where the database decides: the connection there is opened
//! before anything is proven, so limits come first.

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::door::{self, toward};
use super::house::House;
use super::setup::{Accounts, NoAccount, Setup};
use super::threshold::{Newcomer, too_many_from_there};
use crate::auth::login::{Accepted, LoginError, Pending, Request};
use crate::model::Report;
use crate::upstream::connect::passthrough::{Offered, offer};

/// All that it takes to lead a client to its database.
pub(super) struct Passage<'a> {
    pub(super) house: &'a House,
    pub(super) setup: &'a Setup,
    pub(super) newcomer: &'a Newcomer,
    /// When `login_timeout` is over.
    pub(super) deadline: Instant,
}

impl Passage<'_> {
    /// Opens the connection and has the client prove itself on it; gives the session's place, too.
    pub(super) async fn lead(
        &self,
        mut pending: Pending,
    ) -> Result<(Accepted, OwnedSemaphorePermit), LoginError> {
        let throttle = &self.setup.rules.throttle;
        let request = pending.request().clone();
        let failed = match pending.attend(self.deadline, self.open(&request)).await? {
            Err(report) => pending.refuse(report),
            Ok((offered, place)) => {
                match pending.prove(offered, self.deadline, throttle).await {
                    Ok(accepted) => return Ok((accepted, place)),
                    // The place is free before the answer, which may have to wait.
                    Err(failed) => failed,
                }
            }
        };
        Err(failed.tell(throttle).await)
    }

    /// A place, as every connection to the database has one, and the database's offer.
    async fn open(&self, request: &Request) -> Result<(Offered, OwnedSemaphorePermit), Report> {
        let Self { house, setup, newcomer, deadline: _ } = self;
        let place = door::take_place(house)?;
        if newcomer.excess(setup) > 0 {
            return Err(too_many_from_there());
        }
        let spec = door::spec(setup, request)?;
        let target = Accounts::of_client(&spec.target, &request.user)
            .map_err(|NoAccount| door::no_account())?;
        let parameters = toward::parameters(&target, &spec.accounts, request);
        let opening = offer(&target, &spec.target, &parameters);
        let offered = toward::within_patience(house, &target, request, opening).await?;
        Ok((offered, place))
    }
}
