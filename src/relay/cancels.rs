//! Cancel requests, from the connection on which a client makes one to its session.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::CancelCall;

/// A client's wish that its session stop what it does; dropping it tells that this was seen to.
#[derive(Debug)]
pub struct CancelRequest {
    _seen_to: oneshot::Sender<()>,
}

/// The wishes for one session, in order.
#[derive(Debug)]
pub struct CancelRequests {
    requests: mpsc::Receiver<CancelRequest>,
}

/// A way to a session. The call resolves when the session has seen to it, or is no more.
pub fn cancel_requests() -> (CancelCall, CancelRequests) {
    let (sender, requests) = mpsc::channel(1);
    let call: CancelCall = Arc::new(move || {
        let sender = sender.clone();
        Box::pin(async move {
            let (seen_to, answer) = oneshot::channel();
            // Nobody is there any more? Then nothing is left to be stopped.
            if sender.send(CancelRequest { _seen_to: seen_to }).await.is_ok() {
                let _ = answer.await;
            }
        })
    });
    (call, CancelRequests { requests })
}

impl CancelRequests {
    /// The next one, if it is there.
    pub(super) fn take(&mut self) -> Option<CancelRequest> {
        self.requests.try_recv().ok()
    }

    /// Waits for the next one; for ever, if nobody can make one. Cancel safe.
    pub(super) async fn next(&mut self) -> CancelRequest {
        match self.requests.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }
}
