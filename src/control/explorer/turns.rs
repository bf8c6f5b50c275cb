//! Whose questions are being answered: one of each person, and of a few people at a time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Who is being served.
pub(super) struct Turns {
    served: Mutex<HashSet<String>>,
    at_a_time: usize,
    /// Somebody has been served.
    ended: Notify,
}

/// Somebody is served until it is dropped.
pub(super) struct Turn {
    turns: Arc<Turns>,
    user: String,
}

impl Turns {
    pub(super) fn new(at_a_time: usize) -> Self {
        Self { served: Mutex::default(), at_a_time, ended: Notify::new() }
    }

    /// Waits until it is this user's turn.
    ///
    /// Cancel safety: whoever goes away has lost nothing but the wait.
    pub(super) async fn enter(self: &Arc<Self>, user: &str) -> Turn {
        loop {
            // It hears of every end from here on.
            let ended = self.ended.notified();
            match self.try_enter(user) {
                Some(turn) => return turn,
                None => ended.await,
            }
        }
    }

    fn try_enter(self: &Arc<Self>, user: &str) -> Option<Turn> {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if served.len() >= self.at_a_time || !served.insert(user.to_owned()) {
            return None;
        }
        Some(Turn { turns: Arc::clone(self), user: user.to_owned() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut served = self.turns.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.remove(&self.user);
        drop(served);
        self.turns.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_user_is_served_once_at_a_time_and_only_so_many_are() {
        let turns = Arc::new(Turns::new(3));
        let alice = turns.enter("alice").await;
        assert!(turns.try_enter("alice").is_none(), "her own comes first");
        let others = [turns.enter("bert").await, turns.enter("carl").await];
        assert!(turns.try_enter("dora").is_none(), "there are three");
        let mut waiting = Box::pin(turns.enter("alice"));
        assert!(asked_once(&mut waiting).await.is_none());
        drop(alice);
        let again = waiting.await;
        assert!(turns.try_enter("dora").is_none());
        drop((again, others));
        assert!(turns.try_enter("dora").is_some());
    }

    /// What it gives if it is asked once.
    async fn asked_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        tokio::select! {
            biased;
            out = future => Some(out),
            () = std::future::ready(()) => None,
        }
    }
}
