//! What is done about a signal.

use tokio::time::Instant;

use crate::audit::{Event, Signal as Record};
use crate::grant::{Restrict, Restriction, Signalled};
use crate::risk::{Reaction, Rules, Signal};
use crate::server::house::House;

/// A signal, and what is still to be done about it.
pub(super) struct Owed {
    pub(super) signal: Signal,
    pub(super) todo: Vec<Reaction>,
    pub(super) done: Vec<Reaction>,
    pub(super) next_at: Instant,
    pub(super) give_up_at: Instant,
}

/// # Errors
/// Says why it is not done yet.
pub(super) async fn react(
    house: &House,
    rules: &Rules,
    owed: &Owed,
    reaction: Reaction,
) -> Result<(), String> {
    let signal = &owed.signal;
    let restriction = match reaction {
        Reaction::Suspend => Restriction::Suspended,
        Reaction::SecondApproval => Restriction::SecondApproval,
        Reaction::Webhook => {
            let told = signalled(owed);
            return house.approvals.signal(told).await.map_err(|report| report.message);
        }
        Reaction::Metric | Reaction::Kill => return Ok(()),
    };
    let Some(user) = person(signal) else { return Ok(()) };
    let order = Restrict {
        user: user.to_owned(),
        restriction,
        duration: rules.of(signal.rule).lasts,
        reason: format!("signal {}, record {}", signal.rule.as_str(), signal.trigger),
    };
    let done = house.approvals.restrict_for_signal(order).await;
    done.map_err(|report| report.message)
}

/// Whether it is durable.
pub(super) async fn put_on_record(house: &House, owed: &Owed) -> bool {
    let signal = &owed.signal;
    let words = |reactions: &[Reaction]| reactions.iter().map(|one| one.as_str()).collect();
    let event = Event::Signal(Box::new(Record {
        rule: signal.rule.as_str(),
        severity: signal.severity.as_str(),
        user: signal.user.clone(),
        address: signal.address,
        session: signal.session,
        trigger: signal.trigger,
        since: Some(signal.since),
        figures: signal.figures.clone(),
        columns: signal.columns.clone(),
        records: signal.records.clone(),
        actions: words(&owed.done),
        failed: words(&owed.todo),
    }));
    match house.audit.append_durable(event, house.now()).await {
        Ok(_) => true,
        Err(error) => {
            tracing::error!(%error, "a signal is not on record yet");
            false
        }
    }
}

/// The user whom something can be taken from.
pub(super) fn person(signal: &Signal) -> Option<&str> {
    signal.user.as_deref().filter(|user| !user.starts_with("group:"))
}

fn signalled(owed: &Owed) -> Signalled {
    let signal = &owed.signal;
    Signalled {
        rule: signal.rule.as_str().to_owned(),
        severity: signal.severity.as_str().to_owned(),
        user: signal.user.clone(),
        session: signal.session,
        since: signal.since,
        figures: signal.figures.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        records: signal.records.clone(),
        actions: owed.done.iter().map(|one| one.as_str().to_owned()).collect(),
    }
}
