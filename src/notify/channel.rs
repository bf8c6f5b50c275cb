//! One channel at work: reads on in the store's events behind its position, and tells of one after
//! another. Nothing waits for it, and nothing piles up in memory while its receiver is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::notice::{Notice, Party, Past, notice_of};
use super::{Failure, Pace, Smtp, Webhook};
use crate::config::NoticeKind;
use crate::grant::{Origin, RecordedEvent};
use crate::store::approvals::{Approvals, Clock};
use crate::store::positions::Positions;
use crate::telemetry::{Metrics, NoticeChannel};

/// Events that are read at a time, and so the most that a channel has in memory.
const PAGE_LEN: usize = 64;

/// A store that cannot be read is asked again after this.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// What channels share.
#[derive(Clone)]
pub struct Around {
    pub approvals: Approvals,
    pub positions: Positions,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
}

/// How a channel reaches its receiver.
#[derive(Clone, Debug)]
pub enum Route {
    Webhook(Webhook),
    Smtp(Box<Smtp>),
}

/// A channel of the configuration.
pub struct Channel {
    /// The name of its file among [`Positions`].
    pub name: String,
    pub label: NoticeChannel,
    pub kinds: Vec<NoticeKind>,
    /// Older events are dropped.
    pub age_max: Duration,
    pub party: Party,
    pub route: Route,
    pub pace: Pace,
    pub around: Around,
    /// The last event that it is done with, for others to see.
    pub position: Arc<AtomicU64>,
}

/// Why a channel goes no further.
struct Stopped;

impl Channel {
    /// Works until `stop` says true; the attempt under way is finished first. A channel that is new
    /// in this store begins with what happens from now on.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut recorded = self.around.approvals.recorded();
        let end = *recorded.borrow();
        let mut position = self.begin(end).await;
        loop {
            let end = *recorded.borrow_and_update();
            self.position.store(position, Ordering::Relaxed);
            let going_on = if position < end {
                self.page(&mut position, &mut stop).await
            } else {
                tokio::select! {
                    changed = recorded.changed() => changed.map_err(|_| Stopped),
                    stopped = stopped(&mut stop) => Err(stopped),
                }
            };
            if let Err(Stopped) = going_on {
                return;
            }
        }
    }

    /// Where it goes on. Where it was is not known after a file was damaged: better twice than not
    /// at all then.
    async fn begin(&self, end: u64) -> u64 {
        let (positions, name, store) = self.place();
        let read = tokio::task::spawn_blocking(move || positions.read::<u64>(&name, &store)).await;
        match read {
            // Beyond the end: the store is an older copy of itself, and has new events since.
            Ok(Ok(Some(position))) => position.min(end),
            Ok(Ok(None)) => {
                self.keep(end).await;
                end
            }
            Ok(Err(error)) => {
                tracing::error!(channel = self.name, %error, "notifications are sent again");
                0
            }
            Err(_) => {
                let channel = &self.name;
                tracing::error!(channel, "notifications are sent again: reading panicked");
                0
            }
        }
    }

    /// Tells of the next events.
    async fn page(
        &mut self,
        position: &mut u64,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Stopped> {
        let events = match self.around.approvals.events_after(*position, PAGE_LEN).await {
            Ok(events) => events,
            Err(report) => {
                tracing::warn!(channel = self.name, error = report.message, "no events to tell of");
                return self.pause(STORE_PAUSE, stop).await;
            }
        };
        if events.is_empty() {
            return self.pause(STORE_PAUSE, stop).await;
        }
        let mut kept = *position;
        for (event, origin) in &events {
            // Whoever wrote an event tells of it.
            let notice = match origin {
                Origin::Here => self.notice(event),
                Origin::Elsewhere => None,
            };
            if let Some(notice) = notice.filter(|notice| self.kinds.contains(&notice.event)) {
                self.tell(&notice, stop).await?;
                self.keep(event.sequence).await;
                kept = event.sequence;
            }
            *position = event.sequence;
            self.position.store(*position, Ordering::Relaxed);
        }
        if kept < *position {
            self.keep(*position).await;
        }
        Ok(())
    }

    fn notice(&self, event: &RecordedEvent) -> Option<Notice> {
        let approvals = &self.around.approvals;
        let past = Past {
            request: &|id| approvals.find_request(id),
            grant: &|id| approvals.find_grant(id).map(|view| (*view.grant).clone()),
        };
        notice_of(event, &past, &self.party)
    }

    /// Until it is delivered, refused for good, or too old.
    async fn tell(
        &mut self,
        notice: &Notice,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Stopped> {
        for attempts in 1.. {
            let now = (self.around.clock)();
            let age = Duration::try_from(now.duration_since(notice.at)).unwrap_or_default();
            if age > self.age_max || attempts > self.pace.attempts_max {
                self.drop(notice, "it could not be delivered for too long");
                return Ok(());
            }
            let metrics = Arc::clone(&self.around.metrics);
            let (why, wait) = match self.attempt(notice).await {
                Ok(0) => return Ok(()),
                Ok(_) => {
                    metrics.notifications_sent.of(self.label).inc();
                    return Ok(());
                }
                Err(Failure::ForGood { why }) => {
                    metrics.notifications_failed.of(self.label).inc();
                    self.drop(notice, &why);
                    return Ok(());
                }
                Err(Failure::ForNow { why, wait }) => (why, wait),
            };
            metrics.notifications_failed.of(self.label).inc();
            let wait = self.pace.wait(attempts, rand::random(), wait);
            let channel = &self.name;
            tracing::warn!(channel, why, attempts, ?wait, "a notification waits");
            self.pause(wait, stop).await?;
        }
        Ok(())
    }

    /// How many were told.
    async fn attempt(&mut self, notice: &Notice) -> Result<usize, Failure> {
        let now = (self.around.clock)();
        match &mut self.route {
            Route::Webhook(webhook) => webhook.deliver(notice, now).await.map(|()| 1),
            Route::Smtp(smtp) => smtp.deliver(notice).await,
        }
    }

    fn drop(&self, notice: &Notice, why: &str) {
        self.around.metrics.notifications_dropped.of(self.label).inc();
        let (channel, delivery) = (&self.name, &notice.delivery);
        tracing::error!(channel, delivery, why, "a notification is dropped");
    }

    async fn keep(&self, position: u64) {
        let (positions, name, store) = self.place();
        let keeping = move || positions.keep(&name, &store, position);
        let kept = tokio::task::spawn_blocking(keeping).await;
        if let Ok(Err(error)) = kept {
            let channel = &self.name;
            tracing::error!(channel, %error, "the next start will send notifications again");
        }
    }

    fn place(&self) -> (Positions, String, String) {
        (self.around.positions.clone(), self.name.clone(), self.party.store_id.clone())
    }

    async fn pause(&self, wait: Duration, stop: &mut watch::Receiver<bool>) -> Result<(), Stopped> {
        tokio::select! {
            () = sleep(wait) => Ok(()),
            stopped = stopped(stop) => Err(stopped),
        }
    }
}

/// Waits for the end; a sender that is gone is one, too.
async fn stopped(stop: &mut watch::Receiver<bool>) -> Stopped {
    let _ = stop.wait_for(|stop| *stop).await;
    Stopped
}
