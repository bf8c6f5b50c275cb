//! Cancel requests, from the connection on which a client makes one to its session.
//!
//! Every session can have some, and hardly any does: what is ready for them is small.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::CancelCall;

/// A client's wish that its session stop what it does; dropping it tells that this was seen to.
#[derive(Debug)]
pub struct CancelRequest {
    _seen_to: oneshot::Sender<()>,
}

/// The wishes for one session, in order.
#[derive(Debug)]
pub struct CancelRequests {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// None: nobody is there any more, so nothing is left to be stopped.
    waiting: Mutex<Option<Vec<CancelRequest>>>,
    came: Notify,
}

/// A way to a session. The call resolves when the session has seen to it, or is no more.
pub fn cancel_requests() -> (CancelCall, CancelRequests) {
    let waiting = Mutex::new(Some(Vec::new()));
    let shared = Arc::new(Shared { waiting, ..Shared::default() });
    let requests = CancelRequests { shared: Arc::clone(&shared) };
    let call: CancelCall = Arc::new(move || {
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            if let Some(seen_to) = shared.ask() {
                // An error says that it was.
                let _ = seen_to.await;
            }
        })
    });
    (call, requests)
}

impl Shared {
    fn ask(&self) -> Option<oneshot::Receiver<()>> {
        let (seen_to, answer) = oneshot::channel();
        self.lock().as_mut()?.push(CancelRequest { _seen_to: seen_to });
        self.came.notify_one();
        Some(answer)
    }

    /// Nobody who panics leaves the list half changed.
    fn lock(&self) -> MutexGuard<'_, Option<Vec<CancelRequest>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CancelRequests {
    /// The next one, if it is there.
    pub(super) fn take(&mut self) -> Option<CancelRequest> {
        let mut waiting = self.shared.lock();
        let waiting = waiting.as_mut().filter(|waiting| !waiting.is_empty())?;
        Some(waiting.remove(0))
    }

    /// Says when there may be one.
    pub(super) fn chime(&self) -> Chime {
        Chime { shared: Arc::clone(&self.shared) }
    }
}

/// Says when a session may have been asked to stop what it does.
pub(super) struct Chime {
    shared: Arc<Shared>,
}

impl Chime {
    /// Returns when a request has come since the last time.
    pub(super) async fn rings(&self) {
        self.shared.came.notified().await;
    }
}

impl Drop for CancelRequests {
    fn drop(&mut self) {
        // Whoever waits hears that it was seen to.
        self.shared.lock().take();
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_open(call: &mut std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) -> bool {
        call.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending
    }

    #[tokio::test]
    async fn a_wish_is_answered_when_it_was_seen_to() {
        let (call, mut requests) = cancel_requests();
        let (mut first, mut second) = (call(), call());
        assert!(is_open(&mut first) && is_open(&mut second));
        requests.chime().rings().await;
        let seen = requests.take();
        assert!(is_open(&mut first), "nobody has seen to it yet");
        drop(seen);
        first.await;
        assert!(is_open(&mut second), "one after the other");
        assert!(requests.take().is_some());
        second.await;
        assert!(requests.take().is_none());
    }

    #[tokio::test]
    async fn a_session_that_has_ended_leaves_nobody_waiting() {
        let (call, requests) = cancel_requests();
        let mut before = call();
        assert!(is_open(&mut before));
        drop(requests);
        before.await;
        call().await;
    }
}
