//! What would become of a request, and why: without making it.

use super::{Allowed, Asker, Decision, Policies, Policy};
use crate::grant::{Ask, CatalogView};
use crate::model::{Client, Report, Timestamp, User};

/// A request that was thought through.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The policies up to the one that decides, and why the others do not speak of it.
    pub steps: Vec<Step>,
    pub outcome: Result<Allowed, Report>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub policy: String,
    /// None: it decides.
    pub passed_over: Option<String>,
}

impl Policies {
    /// What would become of this request of the client's now, if nothing had been granted at once
    /// in the last week.
    ///
    /// # Errors
    /// The ask itself makes no sense, whatever the policies say.
    pub fn trial(
        &self,
        client: &Client,
        view: &CatalogView,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<Trial, Report> {
        let terms = ask.read(view, now)?;
        let step = |policy: &Policy| Step {
            policy: policy.name.clone(),
            passed_over: policy.mismatch(&terms, &client.user),
        };
        let mut steps: Vec<Step> = Vec::new();
        for policy in &self.0 {
            steps.push(step(policy));
            if steps.last().is_some_and(|step| step.passed_over.is_none()) {
                break;
            }
        }
        let asker = Asker { user: &client.user, client: Some(client), now };
        let outcome = match self.decide(&terms, asker, |_| 0) {
            Decision::Allowed(allowed) => Ok(*allowed),
            Decision::Refused(report) => Err(report),
        };
        Ok(Trial { steps, outcome })
    }

    /// What would become of a request that was made before, at `then`. Nobody knows any more from
    /// where it came, so conditions are not held against it; `at_once` as in [`Policies::decide`].
    ///
    /// # Errors
    /// The ask itself makes no sense with this catalog, whatever the policies say.
    pub fn retrial(
        &self,
        user: &User,
        view: &CatalogView,
        ask: &Ask,
        then: Timestamp,
        at_once: impl Fn(&str) -> u32,
    ) -> Result<Result<Allowed, Report>, Report> {
        let terms = ask.read(view, then)?;
        let asker = Asker { user, client: None, now: then };
        Ok(match self.decide(&terms, asker, at_once) {
            Decision::Allowed(allowed) => Ok(*allowed),
            Decision::Refused(report) => Err(report),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::grant::fixture::{alice, ask, at, client, dora, policies, view};

    #[test]
    fn a_trial_tells_which_policies_were_passed_over_and_what_the_one_says() {
        let trial = |who, resource: &str, minutes| {
            policies().trial(&client(who), &view(), &ask(resource, minutes), at(0)).unwrap()
        };
        let contact = trial(alice(), "customers.email", 30);
        assert_eq!(contact.steps.len(), 1);
        assert_eq!(contact.outcome.unwrap().approvals, 0);
        let other = trial(dora(), "customers.email", 30);
        assert_eq!(other.steps[0].passed_over.as_deref(), Some("is for group:support"));
        assert_eq!((other.steps.len(), &other.steps[1].passed_over), (2, &None));
        assert_eq!(other.outcome.unwrap().approvals, 1);
        let long = trial(alice(), "customers.email", 90).outcome.unwrap_err();
        assert!(long.message.contains("allows at most 1h"), "{long:?}");
        let nothing = ask("customers.nosuch", 5);
        assert!(policies().trial(&client(alice()), &view(), &nothing, at(0)).is_err());
    }

    #[test]
    fn a_request_is_tried_again_without_its_client() {
        let again = |resource: &str, minutes| {
            policies().retrial(&alice(), &view(), &ask(resource, minutes), at(0), |_| 0)
        };
        assert_eq!(again("customers.email", 30).unwrap().unwrap().approvals, 0);
        let long = again("customers.email", 90).unwrap().unwrap_err();
        assert!(long.message.contains("allows at most 1h"), "{long:?}");
        assert!(again("customers.nosuch", 5).is_err());
    }
}
