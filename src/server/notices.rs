//! The channels of notifications at work: started, changed and ended with the configuration.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::setup::Plan;
use crate::notify::{Around, Channel, Pace, Party};
use crate::relay::Surroundings;
use crate::store::positions::Positions;

pub(super) struct Notices {
    around: Around,
    channels: Mutex<Channels>,
}

#[derive(Default)]
struct Channels {
    running: HashMap<String, Running>,
    /// Told to end; whoever takes over waits until they have.
    ending: HashMap<String, JoinHandle<()>>,
}

struct Running {
    plan: Plan,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    position: Arc<AtomicU64>,
}

impl Notices {
    pub(super) fn new(surroundings: &Surroundings, positions: Positions) -> Self {
        let around = Around {
            approvals: surroundings.approvals.clone(),
            positions,
            clock: Arc::clone(&surroundings.clock),
            metrics: Arc::clone(&surroundings.metrics),
        };
        Self { around, channels: Mutex::default() }
    }

    /// Lets those channels work and no others. One that stays as it was is not disturbed; one that
    /// changes goes on where it was.
    pub(super) fn reconcile(&self, plans: &[Plan]) {
        let mut channels = self.channels();
        let wanted = |name: &str, running: &Running| {
            plans.iter().any(|plan| plan.name == name && plan.is_like(&running.plan))
        };
        let all = std::mem::take(&mut channels.running);
        for (name, running) in all {
            if wanted(&name, &running) {
                channels.running.insert(name, running);
            } else {
                running.stop.send_replace(true);
                channels.ending.insert(name, running.task);
            }
        }
        for plan in plans {
            if !channels.running.contains_key(&plan.name) {
                let before = channels.ending.remove(&plan.name);
                channels.running.insert(plan.name.clone(), self.start(plan.clone(), before));
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the server owns the channels' tasks")]
    fn start(&self, plan: Plan, before: Option<JoinHandle<()>>) -> Running {
        let (stop, stopped) = watch::channel(false);
        // Until it has read where it is, it is behind nothing.
        let position = Arc::new(AtomicU64::new(u64::MAX));
        let channel = self.channel(&plan, Arc::clone(&position));
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                // However it ended, it has.
                let _ = before.await;
            }
            channel.run(stopped).await;
        });
        Running { plan, stop, task, position }
    }

    fn channel(&self, plan: &Plan, position: Arc<AtomicU64>) -> Channel {
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
        let channels = self.channels();
        let positions = channels.running.values().map(|one| one.position.load(Ordering::Relaxed));
        positions.min().map_or(0, |position| end.saturating_sub(position))
    }

    /// Ends all of them; returns when the attempts under way are over.
    pub(super) async fn end(&self) {
        let channels = std::mem::take(&mut *self.channels());
        for running in channels.running.values() {
            running.stop.send_replace(true);
        }
        let running = channels.running.into_values().map(|running| running.task);
        for task in running.chain(channels.ending.into_values()) {
            // However it ended, it has.
            let _ = task.await;
        }
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
