//! The rules over the audit log at work: one task that reads what is durable, and acts on signals.
//! It is never on the way of a statement, and what it remembers is kept beside its position.
//!
//! A signal is put on record after everything that it asks for was done. When the log is read again
//! from an earlier place, after a crash, those on record are not raised a second time.

mod reaction;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use self::reaction::{Owed, person, put_on_record, react};
use super::house::House;
use crate::audit::{Kind, Record};
use crate::risk::{Engine, Reaction, Rules, Signal, State, concerns};
use crate::store::audit_log::{Batch, FollowError, Follower, From, Position};
use crate::store::positions::Positions;
use crate::telemetry::sessions::Dismissal;

/// The name of its file among positions.
const READER: &str = "risk";

/// Bytes of records that are looked at in one go.
const BATCH_BYTES: usize = 64 << 10;

/// How often position and memory are kept: so much is read again after a crash.
const KEEP_EVERY: Duration = Duration::from_secs(30);

/// What could not be done is tried again after this …
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// … and given up after that.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);

/// A log that cannot be read is opened again after this.
const REOPEN_AFTER: Duration = Duration::from_secs(5);

/// Signals of what is longer ago, in a log that nobody has followed before, are not raised.
const AGE_MAX: Duration = Duration::from_secs(86_400);

/// The task.
pub(super) struct Watch {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

#[expect(clippy::disallowed_methods, reason = "the server owns the task")]
pub(super) fn start(house: &Arc<House>) -> Watch {
    let (stop, stopped) = watch::channel(false);
    let positions = Positions::beside(house.setup.load().config.store.beside(), READER);
    let task = tokio::spawn(follow(Arc::clone(house), positions, stopped));
    Watch { stop, task }
}

impl Watch {
    /// Ends it; returns when what it remembers is kept.
    pub(super) async fn end(self) {
        self.stop.send_replace(true);
        // However it ended, it has.
        let _ = self.task.await;
    }
}

/// Until it is stopped, or the log is closed.
async fn follow(house: Arc<House>, positions: Positions, mut stop: watch::Receiver<bool>) {
    loop {
        let failed = match Watching::begin(&house, &positions).await {
            Ok(mut watching) => match watching.run(&mut stop).await {
                Ok(()) => {
                    watching.keep().await;
                    return;
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        tracing::error!(error = %failed, "the audit log cannot be followed by the rules of risk");
        let stopped = stop.wait_for(|stop| *stop);
        if timeout(REOPEN_AFTER, stopped).await.is_ok() {
            return;
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    position: Position,
    state: State,
}

struct Watching<'a> {
    house: &'a House,
    positions: &'a Positions,
    engine: Engine,
    rules: Arc<Rules>,
    batches: mpsc::Receiver<Result<Batch, FollowError>>,
    /// Behind the last record that was looked at.
    at: Position,
    /// Signals before this record may be on record behind it.
    known_to: u64,
    /// Names of the signals on record, and signals that may be among them.
    on_record: HashSet<String>,
    held: Vec<Signal>,
    owed: VecDeque<Owed>,
    /// Whether there is something new to keep, and when it is kept.
    unkept: bool,
    next_keep: Instant,
}

impl<'a> Watching<'a> {
    async fn begin(house: &'a House, positions: &'a Positions) -> Result<Self, FollowError> {
        let kept = kept(house, positions).await;
        let opened = kept.map(|kept| {
            let follower = house.audit.follow(From::Position(kept.position));
            follower.map(|follower| (follower, kept.state))
        });
        let (follower, state) = match opened {
            Some(Ok(opened)) => opened,
            Some(Err(error)) => {
                tracing::warn!(%error, "the rules of risk learn anew from what is there");
                (house.audit.follow(From::Oldest)?, State::default())
            }
            None => (house.audit.follow(From::Oldest)?, State::default()),
        };
        let rules = Arc::clone(&house.setup.load().config.risk);
        let at = follower.position().ok_or(FollowError::Closed)?;
        Ok(Self {
            house,
            positions,
            engine: Engine::new(Arc::clone(&rules), state),
            rules,
            at,
            known_to: at.seq + follower.waiting(),
            batches: read(follower),
            on_record: HashSet::new(),
            held: Vec::new(),
            owed: VecDeque::new(),
            unkept: false,
            next_keep: Instant::now() + KEEP_EVERY,
        })
    }

    /// Returns when it is stopped, or all of a closed log was read.
    async fn run(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), FollowError> {
        self.settle();
        loop {
            let pause = if self.owed.is_empty() { KEEP_EVERY } else { RETRY_EVERY };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                batch = self.batches.recv() => match batch {
                    Some(batch) => self.look_at(&batch?),
                    None => return Ok(()),
                },
                () = sleep(pause) => {}
            }
            self.act().await;
            if Instant::now() >= self.next_keep {
                self.keep().await;
            }
        }
    }

    fn look_at(&mut self, batch: &Batch) {
        self.unkept = true;
        let rules = &self.house.setup.load().config.risk;
        if !Arc::ptr_eq(rules, &self.rules) {
            self.rules = Arc::clone(rules);
            self.engine.replace(Arc::clone(rules));
        }
        let is_known = batch.from.seq < self.known_to;
        for line in batch.records() {
            let signal = Kind::of_line(line) == Some(Kind::Signal);
            if !(concerns(line) || (signal && is_known)) {
                continue;
            }
            let record = match Record::of(line) {
                Ok(record) => record,
                Err(error) => {
                    tracing::error!(%error, "the rules of risk cannot read a record");
                    continue;
                }
            };
            if record.kind == Kind::Signal {
                self.on_record.extend(name_of(&record));
            } else {
                self.held.extend(self.engine.take(&record));
            }
        }
        self.at = batch.to;
        self.settle();
    }

    /// Once all is known that is on record, the others are raised.
    fn settle(&mut self) {
        if self.at.seq < self.known_to {
            return;
        }
        let now = self.house.now();
        let old = |signal: &Signal| {
            let age = Duration::try_from(now.duration_since(signal.at)).unwrap_or_default();
            age > AGE_MAX
        };
        for signal in std::mem::take(&mut self.held) {
            if !old(&signal) && !self.on_record.contains(&name(&signal)) {
                self.raise(signal);
            }
        }
        self.on_record = HashSet::new();
    }

    fn raise(&mut self, signal: Signal) {
        let settings = self.rules.of(signal.rule);
        // Whose it is, is for the audit log.
        tracing::warn!(
            rule = signal.rule.as_str(),
            severity = signal.severity.as_str(),
            session = signal.session,
            record = signal.trigger,
            "a signal"
        );
        let mut todo = settings.actions.clone();
        let mut done = Vec::new();
        todo.retain(|reaction| match reaction {
            Reaction::Metric => {
                self.house.metrics.signals.of(signal.rule).inc();
                done.push(*reaction);
                false
            }
            Reaction::Kill => {
                done.extend(self.kill(&signal).then_some(*reaction));
                false
            }
            Reaction::Suspend | Reaction::SecondApproval => person(&signal).is_some(),
            Reaction::Webhook => true,
        });
        // Whom it is about is told after what was done to them.
        todo.sort_by_key(|reaction| *reaction == Reaction::Webhook);
        self.owed.push_back(Owed {
            signal,
            todo,
            done,
            next_at: Instant::now(),
            give_up_at: Instant::now() + GIVE_UP_AFTER,
        });
    }

    /// Whether there was such a session: numbers begin anew with each process.
    fn kill(&self, signal: &Signal) -> bool {
        let session = signal.session.and_then(|id| self.house.sessions.find(id));
        let own = session.filter(|session| {
            signal.user.as_deref() == Some(&*session.facts.user) && session.facts.since <= signal.at
        });
        if let Some(session) = &own {
            session.dismiss(Dismissal::Killed);
        }
        own.is_some()
    }

    /// Does what is owed, as far as it goes.
    async fn act(&mut self) {
        for _ in 0..self.owed.len() {
            let Some(mut owed) = self.owed.pop_front() else { return };
            if Instant::now() < owed.next_at {
                self.owed.push_back(owed);
                continue;
            }
            let is_late = Instant::now() >= owed.give_up_at;
            while let Some(next) = owed.todo.first().copied() {
                if let Err(error) = react(self.house, &self.rules, &owed, next).await {
                    tracing::error!(error, action = next.as_str(), "a signal waits for the store");
                    break;
                }
                owed.done.push(owed.todo.remove(0));
            }
            let is_done = owed.todo.is_empty() || is_late;
            if !(is_done && put_on_record(self.house, &owed).await) {
                owed.next_at = Instant::now() + RETRY_EVERY;
                self.owed.push_back(owed);
            }
        }
    }

    /// Keeps position and memory, unless something is owed: it would not be found again.
    async fn keep(&mut self) {
        self.next_keep = Instant::now() + KEEP_EVERY;
        let settled = self.owed.is_empty() && self.held.is_empty();
        if !(settled && self.unkept) {
            return;
        }
        let kept = Kept { position: self.at, state: self.engine.state().clone() };
        let (positions, id) = (self.positions.clone(), self.house.audit.id().to_owned());
        let keeping = move || positions.keep(READER, &id, kept);
        match tokio::task::spawn_blocking(keeping).await {
            Ok(Ok(())) => self.unkept = false,
            Ok(Err(error)) => tracing::error!(%error, "what the rules of risk know is not kept"),
            Err(_) => tracing::error!("keeping what the rules of risk know has panicked"),
        }
    }
}

/// What of the log rules look for, read as fast as somebody looks at it.
#[expect(clippy::disallowed_methods, reason = "the task ends with whoever receives")]
fn read(mut follower: Follower) -> mpsc::Receiver<Result<Batch, FollowError>> {
    let (sender, batches) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let batch = tokio::select! {
                () = sender.closed() => return,
                batch = follower.next_notable(BATCH_BYTES) => batch,
            };
            let Some(batch) = batch.transpose() else { return };
            let is_over = batch.is_err();
            if sender.send(batch).await.is_err() || is_over {
                return;
            }
        }
    });
    batches
}

/// What an earlier process has kept.
async fn kept(house: &House, positions: &Positions) -> Option<Kept> {
    let (positions, id) = (positions.clone(), house.audit.id().to_owned());
    let reading = tokio::task::spawn_blocking(move || positions.read::<Kept>(READER, &id));
    match reading.await {
        Ok(Ok(kept)) => kept,
        Ok(Err(error)) => {
            tracing::error!(%error, "the rules of risk learn anew");
            None
        }
        Err(_) => {
            tracing::error!("the rules of risk learn anew: reading what they knew panicked");
            None
        }
    }
}

/// What tells a signal from others: a record may make several.
fn name(signal: &Signal) -> String {
    let user = signal.user.as_deref().unwrap_or_default();
    format!("{} {} {user}", signal.rule.as_str(), signal.trigger)
}

/// The same of its record. Names of users are cut there, so only their beginning counts.
fn name_of(record: &Record) -> Option<String> {
    let user = record.user.as_deref().unwrap_or_default();
    Some(format!("{} {} {user}", record.rule.as_deref()?, record.trigger?))
}
