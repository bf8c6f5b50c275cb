//! What ends or changes a session besides bytes, watched all the time.
//!
//! A wait for bytes is short and there are two for every statement; to begin and end watching in
//! each of them would cost more than the statement's own path.

use std::future::pending;
use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

use super::Phase;
use super::cancels::Chime;
use crate::model::Epoch;
use crate::telemetry::sessions::Session;

/// Rings when something has changed; what it was is for the session to look at.
pub(super) struct Bell<'a> {
    ropes: FuturesUnordered<Pin<Box<dyn Future<Output = Rung> + Send + 'a>>>,
}

/// What a session looks at when the bell rings.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) grants: watch::Receiver<Epoch>,
    pub(super) world: watch::Receiver<Epoch>,
    pub(super) phase: watch::Receiver<Phase>,
}

enum Rung {
    Changed(Watched),
    Asked(Chime),
    Dismissed,
}

impl<'a> Bell<'a> {
    /// Rings for every change of `watched` from now on, for every request that `chime` tells of,
    /// and once `listed` is asked to end.
    pub(super) fn new(watched: Watched, chime: Chime, listed: &'a Session) -> Self {
        let ropes: FuturesUnordered<Pin<Box<dyn Future<Output = Rung> + Send + 'a>>> =
            FuturesUnordered::new();
        ropes.push(Box::pin(changed(watched)));
        ropes.push(Box::pin(asked(chime)));
        ropes.push(Box::pin(async {
            listed.dismissed().await;
            Rung::Dismissed
        }));
        Self { ropes }
    }

    /// Returns when it has rung since the last time. Cancel safe.
    pub(super) async fn rings(&mut self) {
        match self.ropes.next().await {
            Some(Rung::Changed(watched)) => self.ropes.push(Box::pin(changed(watched))),
            Some(Rung::Asked(chime)) => self.ropes.push(Box::pin(asked(chime))),
            Some(Rung::Dismissed) | None => {}
        }
    }
}

async fn changed(mut watched: Watched) -> Rung {
    let Watched { grants, world, phase } = &mut watched;
    tokio::select! {
        () = next(grants) => {}
        () = next(world) => {}
        () = next(phase) => {}
    }
    Rung::Changed(watched)
}

async fn asked(chime: Chime) -> Rung {
    chime.rings().await;
    Rung::Asked(chime)
}

/// The next change; where nobody is left who could make one, there is none.
async fn next<T>(values: &mut watch::Receiver<T>) {
    if values.changed().await.is_err() {
        pending().await
    }
}
