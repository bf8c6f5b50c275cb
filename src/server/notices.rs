//! The channels of notifications at work: started, changed and ended with the configuration.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::setup::ChannelPlan;
use super::workers::Workers;
use crate::notify::{Around, Channel, Pace, Party};
use crate::relay::Surroundings;
use crate::store::positions::Positions;

pub(super) struct Notices {
    around: Around,
    /// Each shows its position.
    channels: Workers<ChannelPlan, Arc<AtomicU64>>,
}

impl Notices {
    pub(super) fn new(surroundings: &Surroundings, positions: Positions) -> Self {
        let around = Around {
            approvals: surroundings.approvals.clone(),
            positions,
            clock: Arc::clone(&surroundings.clock),
            metrics: Arc::clone(&surroundings.metrics),
        };
        Self { around, channels: Workers::default() }
    }

    /// Lets those channels work and no others. One that stays as it was is not disturbed; one that
    /// changes goes on where it was.
    pub(super) fn reconcile(&self, plans: &[ChannelPlan]) {
        self.channels.reconcile(plans, |plan, stopped| {
            // Until it has read where it is, it is behind nothing.
            let position = Arc::new(AtomicU64::new(u64::MAX));
            (self.channel(plan, Arc::clone(&position)).run(stopped), position)
        });
    }

    fn channel(&self, plan: &ChannelPlan, position: Arc<AtomicU64>) -> Channel {
        Channel {
            name: plan.name.clone(),
            label: plan.label,
            kinds: plan.kinds.clone(),
            age_max: plan.age_max,
            party: Party {
                store_id: self.around.approvals.store_id().to_owned(),
                console_url: plan.console_url.clone(),
            },
            route: plan.route.clone(),
            pace: Pace::default(),
            around: self.around.clone(),
            position,
        }
    }

    /// How many events the slowest channel is behind.
    pub(super) fn waiting(&self) -> u64 {
        let end = *self.around.approvals.recorded().borrow();
        let positions = self.channels.shown().into_iter();
        let positions = positions.map(|(_, position)| position.load(Ordering::Relaxed));
        positions.min().map_or(0, |position| end.saturating_sub(position))
    }

    /// Ends all of them; returns when the attempts under way are over.
    pub(super) async fn end(&self) {
        self.channels.end().await;
    }
}
