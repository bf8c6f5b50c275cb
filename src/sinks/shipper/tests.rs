use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::audit::{Event, Stopped};
use crate::model::Timestamp;
use crate::sinks::Shown;
use crate::store::audit_log::Limits;
use crate::telemetry::Metrics;

const T: Timestamp = Timestamp::UNIX_EPOCH;

/// Nobody waits for long in here.
const PACE: Pace =
    Pace { first: Duration::from_millis(1), longest: Duration::from_millis(2), ..Shipper::PACE };

/// Answers as it is told to, and otherwise takes everything but the records that are `poison`.
#[derive(Clone, Default)]
struct Receiver {
    taken: Arc<Mutex<Vec<u64>>>,
    answers: Arc<Mutex<VecDeque<Failure>>>,
    poison: Arc<Vec<u64>>,
    /// Told of every record that is taken.
    heard: Arc<tokio::sync::Notify>,
}

#[async_trait]
impl Sink for Receiver {
    async fn deliver(&mut self, shipment: &Shipment, _: Timestamp) -> Result<Delivered, Failure> {
        if let Some(failure) = self.answers.lock().unwrap().pop_front() {
            return Err(failure);
        }
        let numbers: Vec<_> = shipment.records().map(|(seq, _)| seq).collect();
        if numbers.iter().any(|seq| self.poison.contains(seq)) {
            return Err(Failure::ForGood { why: "poison".to_owned() });
        }
        self.taken.lock().unwrap().extend(numbers);
        self.heard.notify_one();
        Ok(Delivered::default())
    }
}

impl Receiver {
    fn taken(&self) -> Vec<u64> {
        self.taken.lock().unwrap().clone()
    }

    async fn until(&self, last: u64) {
        while self.taken().last() != Some(&last) {
            self.heard.notified().await;
        }
    }
}

/// A log, and what a sink needs beside it.
struct Place {
    dir: tempfile::TempDir,
    log: AuditLog,
    metrics: Metrics,
    closing: watch::Sender<bool>,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path());
        let metrics = Metrics::new().unwrap();
        Self { dir, log, metrics, closing: watch::Sender::new(false) }
    }

    async fn note(&self, count: usize) {
        for _ in 0..count {
            let event = Event::Stopped(Stopped { reason: "test" });
            self.log.append_durable(event, T).await.unwrap();
        }
    }

    fn positions(&self) -> Positions {
        Positions::new(self.dir.path().join("positions"))
    }

    fn shipper(&self, receiver: &Receiver) -> Shipper {
        Shipper {
            name: "test".to_owned(),
            kinds: None,
            from: SinkStart::Oldest,
            every: Duration::ZERO,
            sink: Box::new(receiver.clone()),
            pace: PACE,
            around: Around {
                log: self.log.clone(),
                positions: self.positions(),
                clock: Arc::new(|| T),
                closing: self.closing.subscribe(),
            },
            progress: Arc::new(Progress::new(self.metrics.sinks.of("test"))),
        }
    }

    /// Works until the log, which is closed then, is shipped.
    async fn to_the_end(&self, shipper: Shipper) -> Shown {
        let progress = Arc::clone(&shipper.progress);
        let (_stop, stopped) = watch::channel(false);
        let begun = Arc::clone(&progress);
        let closing = async {
            while begun.kept().is_none() {
                tokio::task::yield_now().await;
            }
            self.log.shutdown().await.unwrap();
            self.closing.send_replace(true);
        };
        tokio::join!(shipper.run(stopped), closing);
        progress.look(None, T)
    }

    /// Works until the receiver has that record, and is stopped then.
    async fn to(&self, shipper: Shipper, receiver: &Receiver, last: u64) -> Shown {
        let progress = Arc::clone(&shipper.progress);
        let (stop, stopped) = watch::channel(false);
        let stopping = async {
            receiver.until(last).await;
            stop.send_replace(true);
        };
        tokio::join!(shipper.run(stopped), stopping);
        progress.look(None, T)
    }
}

fn open(dir: &Path) -> AuditLog {
    let limits = Limits {
        // About four records each.
        rotate_bytes: 1000,
        write_every: Duration::from_millis(2),
        sync_every: Duration::from_millis(4),
        ..Limits::default()
    };
    AuditLog::open_with(dir, limits, || T).unwrap().0
}

fn later() -> Failure {
    Failure::ForNow { why: "later".to_owned(), wait: None }
}

#[tokio::test]
async fn a_stopped_sink_goes_on_where_it_was() {
    let (place, receiver) = (Place::new(), Receiver::default());
    place.note(5).await;
    place.to(place.shipper(&receiver), &receiver, 5).await;
    place.note(5).await;
    let shown = place.to_the_end(place.shipper(&receiver)).await;
    assert_eq!(receiver.taken(), (1..=10).collect::<Vec<_>>());
    assert_eq!((shown.next, shown.delivered, shown.failures), (Some(11), 10, 0));
}

#[tokio::test]
async fn one_that_begins_now_leaves_out_what_was() {
    let (place, receiver) = (Place::new(), Receiver::default());
    place.note(5).await;
    let now = || Shipper { from: SinkStart::Now, ..place.shipper(&receiver) };
    let working = place.to(now(), &receiver, 6);
    // It has kept where it begins before anything more happens.
    let noting = async {
        loop {
            let log = place.log.id();
            match place.positions().read::<Position>("test", log).unwrap() {
                Some(at) => break assert_eq!(at.seq, 6),
                None => tokio::task::yield_now().await,
            }
        }
        place.note(1).await;
    };
    tokio::join!(working, noting);
    place.note(1).await;
    place.to_the_end(now()).await;
    assert_eq!(receiver.taken(), [6, 7]);
}

#[tokio::test]
async fn trouble_is_waited_out_and_counted() {
    let (place, receiver) = (Place::new(), Receiver::default());
    place.note(3).await;
    receiver.answers.lock().unwrap().extend([later(), later(), later()]);
    let shown = place.to(place.shipper(&receiver), &receiver, 3).await;
    assert_eq!(receiver.taken(), [1, 2, 3]);
    assert_eq!((shown.delivered, shown.failures, shown.failing), (3, 3, None));
}

#[tokio::test]
async fn a_record_that_is_refused_holds_up_none_of_the_others() {
    let place = Place::new();
    let receiver = Receiver { poison: Arc::new(vec![2, 7]), ..Receiver::default() };
    place.note(8).await;
    let shown = place.to_the_end(place.shipper(&receiver)).await;
    assert_eq!(receiver.taken(), [1, 3, 4, 5, 6, 8]);
    assert_eq!((shown.next, shown.delivered, shown.refused), (Some(9), 6, 2));
}

#[tokio::test]
async fn a_receiver_that_refuses_everything_is_asked_again() {
    let (place, receiver) = (Place::new(), Receiver::default());
    place.note(100).await;
    let refusals = (0..60).map(|_| Failure::ForGood { why: "no".to_owned() });
    receiver.answers.lock().unwrap().extend(refusals);
    let shown = place.to(place.shipper(&receiver), &receiver, 100).await;
    assert_eq!(shown.refused, u64::from(REFUSED_MAX));
    assert_eq!(receiver.taken().len(), 90);
}

#[tokio::test]
async fn records_that_were_removed_are_counted_and_passed_over() {
    let (place, receiver) = (Place::new(), Receiver::default());
    place.note(2).await;
    place.to(place.shipper(&receiver), &receiver, 2).await;
    place.note(10).await;
    for number in 1..=2 {
        let file = place.dir.path().join(format!("audit-{number:08}.jsonl"));
        std::fs::remove_file(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
    let shown = place.to(place.shipper(&receiver), &receiver, 12).await;
    let taken = receiver.taken();
    let first = taken[2];
    assert!(first > 3, "{taken:?}");
    assert_eq!(taken[2..], (first..=12).collect::<Vec<_>>());
    assert_eq!(shown.missed, first - 3);
}

#[tokio::test]
async fn a_damaged_position_ships_everything_again() {
    let (place, receiver) = (Place::new(), Receiver::default());
    place.note(3).await;
    place.to(place.shipper(&receiver), &receiver, 3).await;
    std::fs::write(place.dir.path().join("positions/test.json"), "{\"ver").unwrap();
    place.to_the_end(place.shipper(&receiver)).await;
    assert_eq!(receiver.taken(), [1, 2, 3, 1, 2, 3]);
}

#[tokio::test]
async fn only_some_kinds_are_shipped_and_all_are_passed() {
    let (place, receiver) = (Place::new(), Receiver::default());
    place.note(5).await;
    let shipper = Shipper { kinds: Some(vec![Kind::Grant]), ..place.shipper(&receiver) };
    let shown = place.to_the_end(shipper).await;
    assert!(receiver.taken().is_empty());
    assert_eq!((shown.next, shown.delivered), (Some(6), 0));
}

#[tokio::test]
async fn a_damaged_file_is_no_reason_to_ship_all_again_and_again() {
    let (place, receiver) = (Place::new(), Receiver::default());
    place.note(6).await;
    let file = place.dir.path().join("audit-00000001.jsonl");
    let whole = std::fs::read(&file).unwrap();
    let lines = whole.split_inclusive(|byte| *byte == b'\n').take(2);
    let half = lines.map(<[u8]>::len).sum::<usize>() + 10;
    std::fs::write(&file, &whole[..half]).unwrap();
    let shipper = place.shipper(&receiver);
    let progress = Arc::clone(&shipper.progress);
    let (stop, stopped) = watch::channel(false);
    let stopping = async {
        while progress.look(None, T).failures < 5 {
            tokio::task::yield_now().await;
        }
        stop.send_replace(true);
    };
    tokio::join!(shipper.run(stopped), stopping);
    assert_eq!(receiver.taken(), [1, 2, 1, 2]);
}
