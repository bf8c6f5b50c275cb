//! What the process consists of, in one place: everything that ports and sessions share.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};

use super::crowd::Crowd;
use super::databases::Databases;
use super::keys::Keys;
use super::notices::Notices;
use super::setup::Setup;
use super::sinks::Sinks;
use crate::audit::{Configuration, ConfigurationStep, Event};
use crate::auth::Lasting;
use crate::auth::session::KEY_LEN;
use crate::config::{Config, Problems, UserConfig};
use crate::control::desk::{Part, Unready};
use crate::model::{PublicKey, Report, SqlState, Timestamp};
use crate::relay::{Phase, Surroundings};
use crate::store::approvals::{Approvals, Clock};
use crate::store::audit_log::AuditLog;
use crate::telemetry::sessions::Dismissal;
use crate::telemetry::{Metrics, sessions};

/// For the audit log, from where nobody can wait.
pub(super) enum Note {
    Record(Box<Event>, Timestamp),
    /// Asks to be told when everything before it is in the log.
    Flush(oneshot::Sender<()>),
}

pub(super) struct House {
    pub(super) clock: Clock,
    pub(super) audit: AuditLog,
    pub(super) approvals: Approvals,
    pub(super) metrics: Arc<Metrics>,
    pub(super) sessions: Arc<sessions::Registry>,
    pub(super) setup: ArcSwap<Setup>,
    pub(super) databases: Databases,
    pub(super) keys: Arc<Keys>,
    pub(super) notices: Notices,
    pub(super) sinks: Sinks,
    /// Connections by address, those that are logging in included.
    pub(super) addresses: Arc<Crowd<IpAddr>>,
    /// Sessions by user.
    pub(super) users: Arc<Crowd<Arc<str>>>,
    /// One permit per session.
    pub(super) places: Arc<Semaphore>,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) around: Surroundings,
    pub(super) notes: mpsc::UnboundedSender<Note>,
    /// What receipts are signed with.
    pub(super) deployment: PublicKey,
    /// What sessions on the control port are signed with.
    pub(super) session_key: SessionKey,
    pub(super) lasting: Lasting,
    /// Held by the reload under way.
    pub(super) reloading: Mutex<()>,
}

/// The key of sessions, and where it is kept.
pub(super) struct SessionKey {
    pub(super) file: PathBuf,
    pub(super) key: [u8; KEY_LEN],
}

impl SessionKey {
    /// What goes with it.
    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(ending);
        name.into()
    }
}

impl House {
    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Leaves a record; it is written soon.
    pub(super) fn note(&self, event: Event) {
        if self.notes.send(Note::Record(Box::new(event), self.now())).is_err() {
            tracing::error!("a record is lost: the process is ending");
        }
    }

    /// Puts a record into the log.
    ///
    /// # Errors
    /// The log is closed, so what it is about must not happen.
    pub(super) async fn record(&self, event: Event) -> Result<(), Report> {
        self.audit
            .append(event, self.now())
            .await
            .map_err(|_| Report::fatal(SqlState::IO_ERROR, "the audit log takes no more records"))
    }

    /// What keeps the proxy from serving now.
    pub(super) fn unready(&self) -> Vec<Unready> {
        let mut parts = Vec::new();
        let mut add = |part, reason: String| parts.push(Unready { part, reason });
        let valid_until = self.approvals.table().valid_until;
        if valid_until.is_some_and(|until| self.now() >= until) {
            add(Part::Store, "out of reach: no grant counts".to_owned());
        }
        if *self.phase.borrow() != Phase::Serving {
            add(Part::Shutdown, "it ends: no new sessions".to_owned());
        }
        if !self.audit.healthy() {
            add(Part::Audit, "the audit log cannot be written".to_owned());
        }
        for name in self.setup.load().names() {
            let site = self.databases.find(name);
            let failure = site.as_ref().and_then(|site| site.failure.load_full());
            let known = site.is_some_and(|site| site.database.world().is_some());
            match failure {
                Some(reason) => add(Part::Schema, format!("database {name}: {reason}")),
                None if !known => {
                    add(Part::Schema, format!("database {name}: its schema is being read"));
                }
                None => {}
            }
        }
        parts
    }

    /// Reads the configuration again and takes it over. Returns when every database that can be
    /// reached goes by it.
    ///
    /// # Errors
    /// One line for each problem; the old configuration stays in force.
    pub(super) async fn reload(&self, by: Option<&str>) -> Result<String, Vec<String>> {
        let _turn = self.reloading.lock().await;
        let old = self.setup.load_full();
        let (path, lasting) = (old.config.path.clone(), self.lasting.clone());
        let before = Arc::clone(&old);
        let loading = tokio::task::spawn_blocking(move || {
            let lines = |problems: Problems| problems.0.iter().map(ToString::to_string).collect();
            let config = Config::load(&path).map_err::<Vec<String>, _>(lines)?;
            Setup::build(config, &lasting, Some(&before))
        });
        let loaded: Result<Setup, Vec<String>> =
            loading.await.unwrap_or_else(|_| Err(vec!["reading it panicked".to_owned()]));
        let taken_over = match loaded {
            Ok(new) => self.take_over(&old, new).await,
            Err(problems) => Err(problems),
        };
        let (step, digest, changed) = match &taken_over {
            Ok((new, changed)) => (ConfigurationStep::Reloaded, &new.digest, changed.clone()),
            Err(problems) => {
                for problem in problems {
                    tracing::warn!(%problem, "the configuration is not taken over");
                }
                (ConfigurationStep::Refused, &old.digest, Vec::new())
            }
        };
        let (by, digest) = (by.map(str::to_owned), digest.clone());
        self.note(Event::Configuration(Configuration { step, by, digest, changed }));
        let (new, changed) = taken_over?;
        let summary = self.summary(&old, &new, &changed);
        tracing::info!(%summary, "the configuration was read again");
        Ok(summary)
    }

    async fn take_over(
        &self,
        old: &Setup,
        new: Setup,
    ) -> Result<(Arc<Setup>, Vec<String>), Vec<String>> {
        approver_keys(&new.config, &self.deployment).map_err(|problem| vec![problem])?;
        let (policies, standing) = (new.policies.clone(), new.standing.clone());
        let replaced = self.approvals.replace_policies(policies, standing).await;
        replaced.map_err(|report| vec![report.message])?;
        self.approvals.replace_approvers(new.config.approvers());
        let new = Arc::new(new);
        new.warn();
        self.setup.store(Arc::clone(&new));
        self.go_by(&new);
        self.end_strangers(old, &new);
        let refreshes: Vec<_> = self.databases.list();
        for site in refreshes {
            // A database that cannot be reached goes by the new catalog all the same: its known
            // schema was bound to it first. `/readyz` says what is wrong.
            if site.database.refresh().await.is_err() {
                tracing::warn!(database = %site.database.name(), "not refreshed after a reload");
            }
        }
        Ok((new.clone(), changes(old, &new)))
    }

    /// Has databases, channels and sinks be what it says.
    pub(super) fn go_by(&self, setup: &Setup) {
        self.databases.reconcile(setup);
        self.notices.reconcile(&setup.channels);
        self.sinks.reconcile(&setup.sinks);
        self.metrics.certificate_end.set(setup.certificate_end.unwrap_or(0));
    }

    /// Ends the sessions of users and databases that are no longer what they were.
    fn end_strangers(&self, old: &Setup, new: &Setup) {
        for session in self.sessions.list() {
            end_stranger(&session, old, new);
        }
    }

    /// Ends a session that is listed now and logged in under `old`, if that is out of force and a
    /// reload meanwhile has not seen it: who logs in during a reload is treated as who was in.
    pub(super) fn settle_in(&self, session: &sessions::Session, old: &Arc<Setup>) {
        let now = self.setup.load_full();
        if !Arc::ptr_eq(old, &now) {
            end_stranger(session, old, &now);
        }
    }

    fn summary(&self, old: &Setup, new: &Setup, changed: &[String]) -> String {
        let mut summary = match changed {
            [] => "nothing changed".to_owned(),
            some => format!("taken over: {}", some.join(", ")),
        };
        let fixed = needs_restart(&old.config, &new.config);
        if !fixed.is_empty() {
            summary.push_str(&format!("; needs a restart: {}", fixed.join(", ")));
        }
        let lagging: Vec<_> = self.databases.list();
        let lagging = lagging.iter().filter(|site| site.failure.load().is_some());
        for site in lagging {
            summary.push_str(&format!("; database {} is out of reach", site.database.name()));
        }
        summary
    }
}

/// Ends a session whose user or database is no longer what it was.
fn end_stranger(session: &sessions::Session, old: &Setup, new: &Setup) {
    let facts = &session.facts;
    let same_user = old.user(&facts.user) == new.user(&facts.user)
        && facts.groups.iter().all(|group| old.roles_of(group) == new.roles_of(group));
    if !same_user || new.spec(&facts.database).is_none() {
        session.dismiss(Dismissal::Configuration);
    }
}

/// The sections that say something new.
fn changes(old: &Setup, new: &Setup) -> Vec<String> {
    let (a, b) = (&old.config, &new.config);
    // Policies hold patterns, which only their text can be compared by.
    let text = |config: &Config| format!("{:?}", config.policies);
    let standing = |config: &Config| format!("{:?}", config.standing);
    [
        ("data", a.data == b.data),
        ("control", a.control == b.control),
        ("store", a.store == b.store),
        ("audit", a.audit == b.audit),
        ("receipts", a.receipts == b.receipts),
        ("enforcement", a.enforcement == b.enforcement),
        ("schema", a.schema == b.schema),
        ("discovery", a.discovery == b.discovery),
        ("log", a.log == b.log),
        ("shutdown", a.shutdown == b.shutdown),
        ("ldap", a.ldap == b.ldap),
        ("oidc", a.oidc == b.oidc),
        ("notify", a.notify == b.notify),
        ("sink", a.sinks == b.sinks),
        ("risk", a.risk == b.risk),
        ("database", a.databases == b.databases),
        ("login", a.logins == b.logins),
        ("user", a.users == b.users),
        ("group", a.groups == b.groups),
        ("token", a.tokens == b.tokens),
        ("policy", text(a) == text(b)),
        ("standing", standing(a) == standing(b)),
    ]
    .into_iter()
    .filter(|(_, same)| !same)
    .map(|(section, _)| section.to_owned())
    .collect()
}

/// An approver whose own key were the deployment's would prove nothing by it.
///
/// # Errors
/// Says which user's key it is.
pub(super) fn approver_keys(config: &Config, deployment: &PublicKey) -> Result<(), String> {
    let same = |user: &&UserConfig| user.approver.key == Some(*deployment);
    match config.users.iter().find(same) {
        None => Ok(()),
        Some(user) => Err(format!(
            "{}: approval_key of user \"{}\" is the key of [receipts], which is no user's own",
            user.place, user.name
        )),
    }
}

/// What a running process cannot change.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    [
        ("listen in [data]", old.data.listen == new.data.listen),
        ("connections_max in [data]", old.data.connections_max == new.data.connections_max),
        ("listen in [control]", old.control.listen == new.control.listen),
        ("http in [control]", old.control.http == new.control.http),
        (
            "session_key_file in [control]",
            old.control.session_key_file == new.control.session_key_file,
        ),
        ("[store]", old.store == new.store),
        ("[audit]", old.audit == new.audit),
        ("[receipts]", old.receipts == new.receipts),
        ("[log]", old.log == new.log),
    ]
    .into_iter()
    .filter(|(_, same)| !same)
    .map(|(key, _)| key)
    .collect()
}
