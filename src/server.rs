//! The composition root: opens what a configuration names, puts the parts together, runs them, and
//! ends them in order. The only place that owns tasks.

mod crew;
mod crowd;
mod databases;
mod desk;
mod door;
mod gauges;
mod grant_events;
mod house;
mod keeper;
mod keys;
mod notices;
mod passage;
mod ports;
pub mod preview;
mod proof;
mod refresher;
pub mod rehearsal;
mod risk;
mod setup;
mod sinks;
mod threshold;
mod workers;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::audit::{Configuration, ConfigurationStep, Event, Pseudonyms, Started, Stopped, schema};
use crate::auth::Lasting;
use crate::config::{Config, EnforcementMode, LogFormat};
use crate::model::SigningKey;
use crate::relay::{Phase, Surroundings};
use crate::store::approvals::{Approvals, Clock, Settings, StoreError, steady_clock};
use crate::store::audit_log::{AuditError, AuditLog, Checkpoints, Limits, Repair};
use crate::store::positions::Positions;
use crate::store::signing_key::{self, Found, KeyFileError};
use crate::store::subject_key::{self, SubjectKeyError};
use crate::store::tags::TagFiles;
use crate::telemetry::log::{self, LogError};
use crate::telemetry::{Metrics, sessions};
use crew::Crew;
use databases::Databases;
use grant_events::GrantEvents;
use house::{House, Note, SessionKey, approver_keys};
use notices::Notices;
use ports::Ports;
use refresher::Around;
use setup::Setup;
use sinks::Sinks;

/// What a thread needs that analyses: it descends into syntax trees as deep as clients write them.
pub const STACK_LEN: usize = 16 << 20;

/// How long the start waits for the first reading of each schema before it serves without.
const FIRST_READING: Duration = Duration::from_secs(5);

/// How long sessions may take to end once they were told to.
const FAREWELL: Duration = Duration::from_secs(7);

/// Why the proxy does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("{}", .0.join("\n"))]
    Setup(Vec<String>),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyFileError),
    #[error(transparent)]
    SubjectKey(#[from] SubjectKeyError),
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen { key: &'static str, address: String, source: io::Error },
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("threads for sessions cannot be had: {0}")]
    Crew(#[source] io::Error),
    #[error("a part of the start has panicked")]
    Part(#[from] tokio::task::JoinError),
}

/// Serves until SIGTERM or SIGINT has been obeyed. `filter` is the text of
/// [`log::FILTER_VARIABLE`]. One line on standard error says when all ports accept, and where:
/// `ready data=127.0.0.1:6432 control=127.0.0.1:6433 http=127.0.0.1:8432`, and behind it, as
/// `also=…` with commas, what further addresses the data port has.
///
/// # Errors
/// [`ServeError`] when it cannot start; no port accepts then.
pub async fn serve(config: Config, filter: Option<&str>) -> Result<(), ServeError> {
    let format = match config.log.format {
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    };
    log::start(filter, format)?;
    let mut signals = Signals::catch().map_err(ServeError::Signals)?;
    let (house, notes) = open(config).await?;
    let ports = Ports::bind(&house)?;
    let crew = Crew::hire().map_err(ServeError::Crew)?;
    let mut tasks = JoinSet::new();
    tasks.spawn(keep_notes(house.audit.clone(), notes));
    tasks.spawn(gauges::keep_up(Arc::clone(&house)));
    tasks.spawn(keeper::keep(Arc::clone(&house)));
    let risk = risk::start(&house);
    first_reading(&house).await;
    let ready = ports.line().map_err(ServeError::Signals)?;
    let running = ports.open(&house, crew);
    // Nobody reads it any more? Then nobody has to know.
    let _ = writeln!(io::stderr().lock(), "{ready}");
    let reason = signals.attend(&house, &mut tasks).await;
    running.drain(&house, &mut signals).await;
    if timeout(FAREWELL, risk.end()).await.is_err() {
        tracing::warn!("what the rules of risk know is not kept");
    }
    house.databases.stop();
    if timeout(FAREWELL, house.notices.end()).await.is_err() {
        tracing::warn!("notifications under way may be sent again");
    }
    stop(&house, reason, tasks).await;
    Ok(())
}

/// Opens store and audit log and builds the house around them.
async fn open(config: Config) -> Result<(Arc<House>, mpsc::UnboundedReceiver<Note>), ServeError> {
    let clock = steady_clock();
    let lasting = Lasting::new(rand::random(), Arc::clone(&clock));
    let kept = lasting.clone();
    let building = move || Setup::build(config, &kept, None);
    let setup = tokio::task::spawn_blocking(building).await?.map_err(ServeError::Setup)?;
    setup.warn();
    let key = open_key(&setup).await?;
    let audit = open_audit(&setup, &clock, &key)?;
    let events = GrantEvents::new(audit.clone(), Handle::current());
    let deployment = key.public();
    let settings = settings(&setup, &clock, &events, key);
    // On a thread of its own, as it waits for the disk and for the audit log.
    let approvals = tokio::task::spawn_blocking(move || Approvals::open(settings)).await??;
    events.learn(&approvals);
    let metrics = Arc::new(Metrics::new()?);
    let phase = watch::Sender::new(Phase::Serving);
    let around = Around {
        clock: Arc::clone(&clock),
        audit: audit.clone(),
        metrics: Arc::clone(&metrics),
        tags: TagFiles::beside(setup.config.store.beside()),
    };
    let surroundings = Surroundings {
        clock: Arc::clone(&clock),
        audit: audit.clone(),
        approvals: approvals.clone(),
        metrics: Arc::clone(&metrics),
        pseudonyms: Arc::new(open_pseudonyms(&setup).await?),
        phase: phase.subscribe(),
    };
    let positions = Positions::beside(setup.config.store.beside(), "notify");
    let (notes, taken) = mpsc::unbounded_channel();
    let house = Arc::new(House {
        clock,
        audit,
        approvals,
        metrics,
        sessions: Arc::new(sessions::Registry::default()),
        databases: Databases::new(around),
        keys: Arc::default(),
        notices: Notices::new(&surroundings, positions),
        sinks: Sinks::new(&surroundings, &setup.config.audit.dir),
        addresses: Arc::default(),
        users: Arc::default(),
        places: Arc::new(Semaphore::new(setup.config.data.connections_max)),
        phase,
        around: surroundings,
        notes,
        deployment,
        session_key: open_session_key(&setup).await?,
        lasting,
        reloading: Mutex::new(()),
        setup: ArcSwap::from_pointee(setup),
    });
    let setup = house.setup.load_full();
    house.go_by(&setup);
    note_start(&house, &setup);
    Ok((house, taken))
}

/// The first records of the process.
fn note_start(house: &House, setup: &Setup) {
    house.note(Event::Started(Started {
        version: env!("CARGO_PKG_VERSION"),
        mode: match setup.config.enforcement.mode {
            EnforcementMode::Enforce => "enforce",
            EnforcementMode::Observe => "observe",
        },
        schema: schema::VERSION,
    }));
    house.note(Event::Configuration(Configuration {
        step: ConfigurationStep::Loaded,
        by: None,
        digest: setup.digest.clone(),
        changed: Vec::new(),
    }));
}

/// The key that signs receipts; no approver's own.
async fn open_key(setup: &Setup) -> Result<SigningKey, ServeError> {
    let file = setup.config.receipts.key_file.clone();
    let loading = tokio::task::spawn_blocking(move || signing_key::load_or_create(&file));
    let (key, found) = loading.await??;
    if found == Found::Made {
        tracing::info!(key = %key.public().id(), "a key that signs receipts was made");
    }
    let own = approver_keys(&setup.config, &key.public());
    own.map_err(|problem| ServeError::Setup(vec![problem]))?;
    Ok(key)
}

/// What subjects that are shown raw are recorded as.
async fn open_pseudonyms(setup: &Setup) -> Result<Pseudonyms, ServeError> {
    let config = &setup.config.audit;
    let file = config.subject_key_file.clone();
    let loading = tokio::task::spawn_blocking(move || subject_key::load_or_create(&file));
    let key = loading.await??;
    Ok(Pseudonyms::new(&key, usize::try_from(config.subjects_max).unwrap_or(usize::MAX)))
}

/// What sessions on the control port are signed with; proxies that share the file share them.
async fn open_session_key(setup: &Setup) -> Result<SessionKey, ServeError> {
    let config = &setup.config;
    let beside = || config.store.beside().with_added_extension("sessions");
    let file = config.control.session_key_file.clone().unwrap_or_else(beside);
    if config.control.http.is_none() {
        return Ok(SessionKey { key: rand::random(), file });
    }
    let path = file.clone();
    let loading = tokio::task::spawn_blocking(move || subject_key::load_or_create(&path));
    Ok(SessionKey { key: loading.await??, file })
}

fn open_audit(setup: &Setup, clock: &Clock, key: &SigningKey) -> Result<AuditLog, AuditError> {
    let config = &setup.config.audit;
    let limits = Limits {
        rotate_bytes: config.segment_len_max,
        rotate_every: Some(config.segment_age_max),
        checkpoints: Some(Checkpoints { key: key.clone(), every: config.checkpoint_every }),
        ..Limits::default()
    };
    let clock = Arc::clone(clock);
    let (audit, repair) = AuditLog::open_with(&config.dir, limits, move || clock())?;
    if let Repair::CutOff { file, bytes } = repair {
        tracing::warn!(%file, bytes, "the last record was cut short and is removed");
    }
    Ok(audit)
}

fn settings(setup: &Setup, clock: &Clock, events: &Arc<GrantEvents>, key: SigningKey) -> Settings {
    Settings {
        location: setup.store.clone(),
        local: setup.config.audit.dir.clone(),
        max_staleness: setup.config.store.max_staleness,
        policies: setup.policies.clone(),
        standing: setup.standing.clone(),
        approvers: setup.config.approvers(),
        key,
        clock: Arc::clone(clock),
        on_event: events.sink(),
    }
}

/// Waits a while for every database's schema, so that mostly `ready` means that clients can work.
async fn first_reading(house: &House) {
    for site in house.databases.list() {
        let reading = async {
            if site.database.world().is_none() {
                // The reason of a failure is logged, and `/readyz` tells it.
                let _ = site.database.refresh().await;
            }
        };
        let _ = timeout(FIRST_READING, reading).await;
    }
}

/// Writes down what came from where nobody can wait.
async fn keep_notes(audit: AuditLog, mut notes: mpsc::UnboundedReceiver<Note>) {
    while let Some(note) = notes.recv().await {
        match note {
            Note::Record(event, time) => {
                if audit.append(*event, time).await.is_err() {
                    tracing::error!("a record is lost: the audit log is closed");
                }
            }
            // Whoever asked may have given up.
            Note::Flush(done) => drop(done.send(())),
        }
    }
}

/// The ports at work.
struct Running {
    data: JoinSet<()>,
    control: JoinSet<()>,
    closing: watch::Sender<bool>,
}

impl Running {
    /// Ends the sessions: when they are idle, at the drain's deadline, or at a second signal.
    async fn drain(mut self, house: &House, signals: &mut Signals) {
        let drain = house.setup.load().config.shutdown.drain;
        tracing::info!(?drain, sessions = house.sessions.len(), "draining");
        house.phase.send_replace(Phase::Draining);
        let drained = tokio::select! {
            _ = self.data.join_next() => true,
            _ = signals.stop() => false,
            () = tokio::time::sleep(drain) => false,
        };
        if !drained {
            house.phase.send_replace(Phase::Ending);
            if timeout(FAREWELL, self.data.join_next()).await.is_err() {
                tracing::warn!(sessions = house.sessions.len(), "sessions are cut off");
                self.data.shutdown().await;
            }
        }
        self.closing.send_replace(true);
        let all = async { while self.control.join_next().await.is_some() {} };
        if timeout(FAREWELL, all).await.is_err() {
            self.control.shutdown().await;
        }
    }
}

/// The last record, then the end of the log.
async fn stop(house: &House, reason: &'static str, mut tasks: JoinSet<()>) {
    let (flushed, flush) = oneshot::channel();
    if house.notes.send(Note::Flush(flushed)).is_ok() && timeout(FAREWELL, flush).await.is_err() {
        tracing::error!("records of the last moments are lost");
    }
    if house.record(Event::Stopped(Stopped { reason })).await.is_err() {
        tracing::error!("the audit log was closed before the end");
    }
    tasks.shutdown().await;
    if let Err(error) = house.audit.shutdown().await {
        tracing::error!(%error, "the last records could not be written");
    }
    house.sinks.finish().await;
    tracing::info!("stopped");
}

/// The signals that are obeyed.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The reason to stop.
    async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "terminate",
            _ = self.interrupt.recv() => "interrupt",
        }
    }

    /// Reloads at every SIGHUP until it is time to stop.
    async fn attend(&mut self, house: &Arc<House>, tasks: &mut JoinSet<()>) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "terminate",
                _ = self.interrupt.recv() => return "interrupt",
                _ = self.hangup.recv() => {
                    let house = Arc::clone(house);
                    tasks.spawn(async move {
                        // Success and problems are logged by the reload itself.
                        let _ = house.reload(None).await;
                    });
                }
            }
        }
    }
}
