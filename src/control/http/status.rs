//! How the proxy is, and who is asking.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Paging, Parameters};
use super::policies::concerns;
use super::problem::Problem;
use super::restrictions::RestrictionView;
use super::sign_in::SignedIn;
use super::views::Page;
use super::who::operators_only;
use crate::control::Desk;
use crate::control::desk::{Sink, Unready};
use crate::model::Timestamp;
use crate::telemetry::labels::Label;

/// Somebody who is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me)]
pub(super) struct MeView {
    user: String,
    groups: Vec<String>,
    /// `control`, `ddl`, `auditor`
    roles: Vec<String>,
    /// Names of the policies by which they may ask or decide.
    policies: Vec<String>,
    /// Why nothing counts for them now.
    restriction: Option<RestrictionView>,
}

/// Who is asking
#[utoipa::path(
    get,
    path = "/api/v1/me",
    tag = "proxy",
    operation_id = "me",
    responses((status = 200, description = "Whoever is signed in", body = MeView)),
)]
pub(super) async fn me(State(desk): State<Arc<Desk>>, who: SignedIn) -> Json<MeView> {
    let policies = (desk.policies)();
    let theirs = policies.0.iter().filter(|policy| concerns(policy, &who));
    let restrictions = desk.approvals.restrictions();
    let restriction = restrictions.iter().find(|one| *one.user == *who.user.name);
    Json(MeView {
        user: who.user.name.to_string(),
        groups: who.user.groups.to_vec(),
        roles: who.user.roles.to_vec(),
        policies: theirs.map(|policy| policy.name.clone()).collect(),
        restriction: restriction.map(RestrictionView::from),
    })
}

/// How the proxy is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Status)]
pub(super) struct StatusView {
    version: &'static str,
    ready: bool,
    /// What keeps it from serving; empty if it is ready.
    reasons: Vec<Reason>,
    /// How old what it knows of the approval store is.
    store_sync_age_seconds: f64,
    sessions: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct Reason {
    /// `store`, `audit`, `schema` or `upstream`
    part: &'static str,
    reason: String,
}

/// Whether the proxy is ready, and why not
///
/// Answers 200 in either case; `/readyz` is for machines that go by the status.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    tag = "proxy",
    operation_id = "status",
    responses((status = 200, description = "How it is now", body = StatusView)),
)]
pub(super) async fn status(State(desk): State<Arc<Desk>>, _who: SignedIn) -> Json<StatusView> {
    let told = |Unready { part, reason }| Reason { part: part.as_str(), reason };
    let reasons: Vec<_> = (desk.unready)().into_iter().map(told).collect();
    Json(StatusView {
        version: env!("CARGO_PKG_VERSION"),
        ready: reasons.is_empty(),
        reasons,
        store_sync_age_seconds: desk.approvals.sync_age().as_secs_f64(),
        sessions: desk.sessions.len() as u64,
    })
}

/// A sink of the audit log, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sink)]
pub(super) struct SinkView {
    name: String,
    kind: &'static str,
    /// Which records it takes, in words.
    records: String,
    /// `working`, `failing` or `starting`
    state: &'static str,
    /// The number of the record that it ships next.
    next: Option<u64>,
    behind_records: u64,
    behind_seconds: u64,
    /// Records, since the start.
    delivered: u64,
    /// Attempts.
    failures: u64,
    /// Records that the receiver does not take.
    refused: u64,
    /// Records that were removed from the log before they were shipped.
    missed: u64,
    last_delivery: Option<Timestamp>,
    failing: Option<String>,
}

impl From<Sink> for SinkView {
    fn from(sink: Sink) -> Self {
        Self {
            state: sink.state(),
            name: sink.name,
            kind: sink.kind,
            records: sink.kinds,
            next: sink.next,
            behind_records: sink.behind_records,
            behind_seconds: sink.behind_secs,
            delivered: sink.delivered,
            failures: sink.failures,
            refused: sink.refused,
            missed: sink.missed,
            last_delivery: sink.last_delivery,
            failing: sink.failing,
        }
    }
}

/// Where else the records of the audit log go
///
/// For operators.
#[utoipa::path(
    get,
    path = "/api/v1/sinks",
    tag = "audit",
    operation_id = "sinks",
    params(Paging),
    responses((status = 200, description = "In the configuration's order", body = Page<SinkView>)),
)]
pub(super) async fn sinks(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Parameters(paging): Parameters<Paging>,
) -> Result<Json<Page<SinkView>>, Problem> {
    operators_only(&who)?;
    let sinks = (desk.sinks)().into_iter().map(SinkView::from).collect();
    Ok(Json(paging.in_order(sinks)))
}
