//! Named tasks that do what a configuration says: started, changed and ended with it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a worker is to do.
pub(super) trait Plan: Clone {
    /// Unique among the plans of a configuration.
    fn name(&self) -> &str;

    /// Whether a worker by `other` would do just the same.
    fn is_like(&self, other: &Self) -> bool;
}

/// Workers by plans `P`, and what each lets others see, `S`.
pub(super) struct Workers<P, S>(Mutex<Lists<P, S>>);

struct Lists<P, S> {
    running: HashMap<String, Running<P, S>>,
    /// Told to end; whoever takes over waits until they have.
    ending: HashMap<String, JoinHandle<()>>,
}

struct Running<P, S> {
    plan: P,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    shown: S,
}

impl<P, S> Default for Workers<P, S> {
    fn default() -> Self {
        Self(Mutex::new(Lists { running: HashMap::new(), ending: HashMap::new() }))
    }
}

impl<P: Plan, S: Clone> Workers<P, S> {
    /// Lets workers by those plans work and no others; returns the names of those that were told
    /// to end for good. One whose plan stayed as it was is not disturbed; one that changes begins
    /// when the one before has ended. `make` says what a worker does until it is told to stop.
    pub(super) fn reconcile<F>(
        &self,
        plans: &[P],
        make: impl Fn(&P, watch::Receiver<bool>) -> (F, S),
    ) -> Vec<String>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut lists = self.lists();
        let wanted = |name: &str, running: &Running<P, S>| {
            plans.iter().any(|plan| plan.name() == name && plan.is_like(&running.plan))
        };
        let mut gone = Vec::new();
        let all = std::mem::take(&mut lists.running);
        for (name, running) in all {
            if wanted(&name, &running) {
                lists.running.insert(name, running);
            } else {
                running.stop.send_replace(true);
                gone.push(name.clone());
                lists.ending.insert(name, running.task);
            }
        }
        gone.retain(|name| !plans.iter().any(|plan| plan.name() == name));
        for plan in plans {
            if !lists.running.contains_key(plan.name()) {
                let before = lists.ending.remove(plan.name());
                let (stop, stopped) = watch::channel(false);
                let (work, shown) = make(plan, stopped);
                let task = start(work, before);
                let running = Running { plan: plan.clone(), stop, task, shown };
                lists.running.insert(plan.name().to_owned(), running);
            }
        }
        gone
    }

    /// What the workers let others see.
    pub(super) fn shown(&self) -> Vec<(P, S)> {
        let lists = self.lists();
        let shown = |running: &Running<P, S>| (running.plan.clone(), running.shown.clone());
        lists.running.values().map(shown).collect()
    }

    /// Tells all of them to stop; returns when they have ended.
    pub(super) async fn end(&self) {
        self.lists().running.values().for_each(|running| {
            running.stop.send_replace(true);
        });
        self.ended().await;
    }

    /// Returns when all of them have ended. Cancel safety: those that have not are forgotten.
    pub(super) async fn ended(&self) {
        let (running, ending) = {
            let mut lists = self.lists();
            (std::mem::take(&mut lists.running), std::mem::take(&mut lists.ending))
        };
        // Without their senders they would take it for the word to stop.
        let (tasks, senders): (Vec<_>, Vec<_>) =
            running.into_values().map(|running| (running.task, running.stop)).unzip();
        for task in tasks.into_iter().chain(ending.into_values()) {
            // However it ended, it has.
            let _ = task.await;
        }
        drop(senders);
    }

    fn lists(&self) -> MutexGuard<'_, Lists<P, S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "the server owns these tasks")]
fn start(
    work: impl Future<Output = ()> + Send + 'static,
    before: Option<JoinHandle<()>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Some(before) = before {
            // However it ended, it has.
            let _ = before.await;
        }
        work.await;
    })
}
