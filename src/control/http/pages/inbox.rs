//! What waits for this approver.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::super::sign_in::SignedIn;
use super::form::OwnForm;
use super::layout::{self, Place, to_decide};
use super::parts::{ago, nothing, request_state, table, text, trouble};
use super::{case, request, see};
use crate::control::Desk;
use crate::grant::{Request, RequestState};

/// Requests that are shown whole, the oldest first.
const CARDS_MAX: usize = 50;

pub(super) async fn show(State(desk): State<Arc<Desk>>, who: SignedIn) -> Response {
    page(&desk, &who, "")
}

pub(super) async fn take(State(desk): State<Arc<Desk>>, OwnForm(who, fields): OwnForm) -> Response {
    let done = async {
        let id = fields.id("request")?;
        request::carry_out(&desk, &who, id, &fields).await
    };
    match done.await {
        Ok(()) => see("/inbox"),
        Err(problem) => layout::with_status(page(&desk, &who, &problem.words()), problem.status),
    }
}

fn page(desk: &Desk, who: &SignedIn, words: &str) -> Response {
    let mine = to_decide(desk, who);
    let body = html! {
        (trouble(words))
        section data-live="inbox" aria-label="Requests that wait for you" {
            @if mine.is_empty() { (nothing("Nothing waits for your decision.")) }
            @for request in mine.iter().take(CARDS_MAX) {
                (case::card(desk, who, request, "/inbox"))
            }
            @if mine.len() > CARDS_MAX { p.soft { (mine.len() - CARDS_MAX) " more wait." } }
        }
        (others(desk, who))
    };
    layout::page(desk, who, Place::Inbox, "Inbox", &body)
}

/// What else one may see: what others decide, and what was decided in the last day.
fn others(desk: &Desk, who: &SignedIn) -> Markup {
    let mut rest = desk.approvals.requests();
    rest.retain(|request| {
        who.may_see_request(request)
            && !(request.state == RequestState::Pending && layout::may_decide(request, who))
    });
    let now = (desk.clock)();
    let row = |request: &Request| {
        let at = request.decided_at.unwrap_or(request.requested_at);
        vec![
            html! { a href=(format!("/requests/{}", request.id)) { (request.id) } },
            request_state(request.state),
            text(&request.requester),
            html! { (request.terms.actions) " " code { (request.terms.resource) } },
            text(
                &request
                    .approved_by
                    .iter()
                    .chain(&request.closed_by)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            ago(at, now),
        ]
    };
    let rows: Vec<_> = rest.iter().rev().map(row).collect();
    html! {
        section data-live="others" {
            h2 { "Others, and the last day" }
            @if rows.is_empty() { (nothing("Nothing was asked for in the last day.")) }
            @else {
                (table("Other requests", &["Id", "State", "Who", "What", "Decided by", "When"], &rows))
            }
        }
    }
}
