//! Who is connected to the data port now: what `SHOW SESSIONS` reads and `KILL SESSION` reaches.
//!
//! A session writes to its own [`Session`] and nobody else's; what it does for every statement
//! is an atomic store. Everything else changes a few times in a session's life.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use tokio::sync::watch;

use crate::grant::GrantId;
use crate::model::{ColumnPath, Timestamp};

pub type SessionId = u64;

/// What does not change as long as the session lives.
#[derive(Clone, Debug)]
pub struct Facts {
    pub user: Arc<str>,
    pub groups: Arc<[String]>,
    pub database: Arc<str>,
    /// None on a Unix socket.
    pub address: Option<SocketAddr>,
    pub application: Arc<str>,
    pub since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Idle,
    Active,
    InTransaction,
    FailedTransaction,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Active => "active",
            Self::InTransaction => "idle in transaction",
            Self::FailedTransaction => "idle in failed transaction",
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Idle,
            1 => Self::Active,
            2 => Self::InTransaction,
            _ => Self::FailedTransaction,
        }
    }
}

/// What the session may see raw, as its last decision said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    pub columns: Vec<ColumnPath>,
    pub grants: Vec<GrantId>,
}

/// Why a session is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dismissal {
    /// Somebody has said so on the console.
    Killed,
    /// What proved who the client is holds no longer: its access token.
    LoginExpired,
    /// The configuration no longer has its user, or its database, as they were.
    Configuration,
}

/// One session, shared by the one that runs it and those who watch.
#[derive(Debug)]
pub struct Session {
    pub id: SessionId,
    pub facts: Facts,
    state: AtomicU8,
    statements: AtomicU64,
    exposure: ArcSwap<Exposure>,
    dismissed: watch::Sender<Option<Dismissal>>,
}

impl Session {
    pub fn state(&self) -> State {
        State::from_code(self.state.load(Ordering::Relaxed))
    }

    pub fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Counts statements that arrived.
    pub fn count_statements(&self, count: u64) {
        self.statements.fetch_add(count, Ordering::Relaxed);
    }

    pub fn exposure(&self) -> Arc<Exposure> {
        self.exposure.load_full()
    }

    /// Call it when a decision changes what is raw; not per row.
    pub fn expose(&self, exposure: Exposure) {
        if **self.exposure.load() != exposure {
            self.exposure.store(Arc::new(exposure));
        }
    }

    /// Asks the session to end; it does so at its next step. The first reason stands.
    pub fn dismiss(&self, why: Dismissal) {
        self.dismissed.send_if_modified(|dismissed| {
            let first = dismissed.is_none();
            dismissed.get_or_insert(why);
            first
        });
    }

    /// Why the session was asked to end, if it was.
    pub fn dismissal(&self) -> Option<Dismissal> {
        *self.dismissed.borrow()
    }

    /// Returns once somebody has asked the session to end, however long ago. Cancel safe.
    pub async fn dismissed(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.dismissed.subscribe().wait_for(Option::is_some).await;
    }
}

/// All sessions of the process.
#[derive(Debug, Default)]
pub struct Registry {
    sessions: DashMap<SessionId, Arc<Session>>,
    last_id: AtomicU64,
}

impl Registry {
    /// Enters a session; it is listed until the [`Entry`] is dropped.
    pub fn enter(self: &Arc<Self>, facts: Facts) -> Entry {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let session = Arc::new(Session {
            id,
            facts,
            state: AtomicU8::new(State::Idle as u8),
            statements: AtomicU64::new(0),
            exposure: ArcSwap::default(),
            dismissed: watch::Sender::new(None),
        });
        self.sessions.insert(id, Arc::clone(&session));
        Entry { registry: Arc::clone(self), session }
    }

    pub fn find(&self, id: SessionId) -> Option<Arc<Session>> {
        self.sessions.get(&id).map(|session| Arc::clone(&session))
    }

    /// Every session, in the order in which they came.
    pub fn list(&self) -> Vec<Arc<Session>> {
        let mut all: Vec<_> = self.sessions.iter().map(|session| Arc::clone(&session)).collect();
        all.sort_by_key(|session| session.id);
        all
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

/// A session's place in the list, held by the one that runs it.
#[derive(Debug)]
pub struct Entry {
    registry: Arc<Registry>,
    session: Arc<Session>,
}

impl Entry {
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.sessions.remove(&self.session.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RelationName;

    fn facts(user: &str) -> Facts {
        Facts {
            user: user.into(),
            groups: Arc::new([]),
            database: "shop".into(),
            address: None,
            application: "psql".into(),
            since: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_session_is_listed_until_it_ends() {
        let registry = Arc::new(Registry::default());
        let alice = registry.enter(facts("alice"));
        let bob = registry.enter(facts("bob"));
        let users: Vec<_> = registry.list().iter().map(|s| s.facts.user.to_string()).collect();
        assert_eq!(users, ["alice", "bob"]);
        let id = alice.session().id;
        drop(alice);
        assert!(registry.find(id).is_none());
        assert!(registry.find(bob.session().id).is_some());
    }

    #[test]
    fn a_session_shows_what_it_does() {
        let registry = Arc::new(Registry::default());
        let entry = registry.enter(facts("alice"));
        let seen = registry.find(entry.session().id).unwrap();
        for state in [State::Active, State::InTransaction, State::FailedTransaction, State::Idle] {
            entry.session().set_state(state);
            assert_eq!(seen.state(), state);
        }
        entry.session().count_statements(2);
        assert_eq!(seen.statements(), 2);
        let column =
            ColumnPath { relation: RelationName::new("public", "t"), column: "c".to_owned() };
        let exposure = Exposure { columns: vec![column], grants: vec![7] };
        entry.session().expose(exposure.clone());
        assert_eq!(*seen.exposure(), exposure);
    }

    #[tokio::test]
    async fn a_dismissal_reaches_the_session_even_if_it_was_not_waiting() {
        let registry = Arc::new(Registry::default());
        let entry = registry.enter(facts("alice"));
        assert_eq!(entry.session().dismissal(), None);
        let seen = registry.find(entry.session().id).unwrap();
        seen.dismiss(Dismissal::LoginExpired);
        seen.dismiss(Dismissal::Killed);
        entry.session().dismissed().await;
        assert_eq!(entry.session().dismissal(), Some(Dismissal::LoginExpired), "the first stands");
    }
}
