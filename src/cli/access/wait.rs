//! Waiting until somebody decides, and what became of the request then.

use std::pin::pin;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until, timeout};

use crate::cli::api::{Api, ApiError};
use crate::cli::exit::Exit;
use crate::cli::progress::Progress;
use crate::cli::report;
use crate::cli::shown::words;

/// A request that nobody waits for any more is taken back; this long, if the proxy does not answer.
const TAKE_BACK_TIMEOUT: Duration = Duration::from_secs(5);

/// What became of a request, with what the API says of it.
#[derive(Debug)]
pub(super) enum Outcome {
    Approved(Value),
    Pending(Value),
    /// Denied, taken back or lapsed.
    Closed(Value),
    TimedOut(Value),
    Interrupted(Value),
}

impl Outcome {
    pub(super) fn of(request: Value) -> Self {
        match request["state"].as_str() {
            Some("approved") => Self::Approved(request),
            Some("pending") => Self::Pending(request),
            Some(_) | None => Self::Closed(request),
        }
    }

    pub(super) fn request(&self) -> &Value {
        match self {
            Self::Approved(request)
            | Self::Pending(request)
            | Self::Closed(request)
            | Self::TimedOut(request)
            | Self::Interrupted(request) => request,
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Approved(_) | Self::Pending(_) => Exit::Done,
            Self::Closed(_) => Exit::Refused,
            Self::TimedOut(_) => Exit::TimedOut,
            Self::Interrupted(_) => Exit::Interrupted,
        }
    }
}

/// Ctrl-C, SIGTERM and SIGHUP, from before a request is filed on: none is lost, and none leaves a
/// request behind.
pub(super) struct Interrupts {
    signals: [Signal; 3],
    is_heard: bool,
}

impl Interrupts {
    /// From now on the process does not end by them.
    ///
    /// # Errors
    /// The system does not let it listen.
    pub(super) fn listen() -> Result<Self, ApiError> {
        let listen = |kind| signal(kind).map_err(|error| ApiError::Failed(error.to_string()));
        let signals = [
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ];
        Ok(Self { signals, is_heard: false })
    }

    /// Comes back as soon as there has been one. Cancel safe.
    async fn heard(&mut self) {
        if self.is_heard {
            return;
        }
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        self.is_heard = true;
    }

    /// What comes of `filing`, which is not given up at once: it may have been filed already.
    ///
    /// # Errors
    /// As `filing`, and interrupted without an answer.
    pub(super) async fn bear(
        &mut self,
        filing: impl Future<Output = Result<Value, ApiError>>,
    ) -> Result<Value, ApiError> {
        let mut filing = pin!(filing);
        tokio::select! {
            filed = &mut filing => filed,
            () = self.heard() => match timeout(TAKE_BACK_TIMEOUT, filing).await {
                Ok(filed) => filed,
                Err(_) => Err(ApiError::Failed(
                    "interrupted; `keyhole requests` shows whether it was filed".to_owned(),
                )),
            },
        }
    }
}

/// Waits until the request is decided, somebody interrupts it or the time is over, and says on
/// standard error what became of it if it is not approved. An interruption always wins; a request
/// that was approved while the time ran out is approved.
///
/// # Errors
/// The proxy cannot be asked.
pub(super) async fn waited(
    api: &Api,
    filed: Value,
    patience: Option<Duration>,
    interrupts: &mut Interrupts,
) -> Result<Outcome, ApiError> {
    if filed["state"] != "pending" {
        let outcome = Outcome::of(filed);
        explain(&outcome);
        return Ok(outcome);
    }
    let id = filed["id"].clone();
    let whom = format!("{} by {}", filed["approvals_needed"], words(&filed["approvers"]));
    report(format_args!("keyhole: request {id} waits for {whom}; Ctrl-C takes it back"));
    let progress = Progress::of(format!("waiting for {whom}"));
    let outcome = tokio::select! {
        decided = decided(api, filed.clone()) => Outcome::of(decided?),
        () = over(patience) => match taken_back(api, &filed).await {
            request if request["state"] == "approved" => Outcome::Approved(request),
            request => Outcome::TimedOut(request),
        },
        () = interrupts.heard() => Outcome::Interrupted(taken_back(api, &filed).await),
    };
    drop(progress);
    explain(&outcome);
    Ok(outcome)
}

/// Asked again until it is decided.
async fn decided(api: &Api, filed: Value) -> Result<Value, ApiError> {
    let mut request = filed;
    while request["state"] == "pending" {
        request = api.get(&format!("/requests/{}?wait=30", request["id"])).await?;
    }
    Ok(request)
}

async fn over(patience: Option<Duration>) {
    match patience.and_then(|patience| Instant::now().checked_add(patience)) {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// The request as it is then: somebody may have decided in this moment.
async fn taken_back(api: &Api, filed: &Value) -> Value {
    let path = format!("/requests/{}", filed["id"]);
    let cancel = async {
        match api.post(&format!("{path}/cancel"), &json!({})).await {
            Ok(request) => Ok(request),
            Err(_) => api.get(&path).await,
        }
    };
    match timeout(TAKE_BACK_TIMEOUT, cancel).await {
        Ok(Ok(request)) => request,
        Ok(Err(_)) | Err(_) => filed.clone(),
    }
}

/// What whoever waited has to know, and may do.
fn explain(outcome: &Outcome) {
    let request = outcome.request();
    let id = &request["id"];
    let state = request["state"].as_str().unwrap_or_default();
    let (first, hint) = match outcome {
        Outcome::Approved(_) | Outcome::Pending(_) => return,
        Outcome::TimedOut(_) => (format!("nobody decided on request {id} in time"), ""),
        Outcome::Interrupted(_) => (format!("interrupted while request {id} waited"), ""),
        Outcome::Closed(_) => (closed(request), hint(state)),
    };
    let rest = match (outcome, state) {
        (Outcome::Closed(_), _) => String::new(),
        (_, "pending") => format!(
            ", and it could not be taken back: `keyhole cancel {id}` does that once the proxy answers"
        ),
        (_, "approved") => format!(
            "; it was approved in that moment: `keyhole revoke {}` gives it back",
            request["grant"]
        ),
        (_, _) => "; it was taken back".to_owned(),
    };
    report(format_args!("keyhole: {first}{rest}"));
    if !hint.is_empty() {
        report(format_args!("HINT:  {hint}"));
    }
}

fn closed(request: &Value) -> String {
    let by = match words(&request["closed_by"]) {
        by if by.is_empty() => by,
        by => format!(" by {by}"),
    };
    let why = match words(&request["closed_reason"]) {
        why if why.is_empty() => why,
        why => format!(": {why}"),
    };
    match request["state"].as_str() {
        Some("lapsed") => format!("request {} has lapsed{why}", request["id"]),
        state => format!("request {} was {}{by}{why}", request["id"], state.unwrap_or("closed")),
    }
}

fn hint(state: &str) -> &'static str {
    match state {
        "denied" => "A new request may say what was missing in this one's reason.",
        "lapsed" => "Nobody decided in time: tell an approver, and ask again.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_from_what_became_of_it() {
        for (state, exit) in [
            ("approved", Exit::Done),
            ("pending", Exit::Done),
            ("denied", Exit::Refused),
            ("cancelled", Exit::Refused),
            ("lapsed", Exit::Refused),
        ] {
            assert_eq!(Outcome::of(json!({ "state": state })).exit(), exit, "{state}");
        }
        assert_eq!(Outcome::of(Value::Null).exit(), Exit::Refused, "not understood");
    }

    #[test]
    fn who_closed_it_and_why_is_said() {
        let denied = json!({
            "id": 3, "state": "denied", "closed_by": "dora", "closed_reason": "no ticket"
        });
        assert_eq!(closed(&denied), "request 3 was denied by dora: no ticket");
        let lapsed = json!({ "id": 3, "state": "lapsed", "closed_by": null });
        assert_eq!(closed(&lapsed), "request 3 has lapsed");
    }
}
