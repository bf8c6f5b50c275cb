//! One request: what messages link to.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::super::body::Id;
use super::super::problem::Problem;
use super::super::requests::{self, unreadable};
use super::super::sign_in::SignedIn;
use super::form::{Fields, OwnForm};
use super::layout::{self, Place};
use super::parts::trouble;
use super::{before, case, see};
use crate::control::Desk;
use crate::control::grammar::Command;
use crate::grant::Proof;
use crate::model::Secret;

pub(super) async fn show(State(desk): State<Arc<Desk>>, who: SignedIn, Id(id): Id) -> Response {
    page(&desk, &who, id, "").await
}

pub(super) async fn take(
    State(desk): State<Arc<Desk>>,
    Id(id): Id,
    OwnForm(who, fields): OwnForm,
) -> Response {
    match carry_out(&desk, &who, id, &fields).await {
        Ok(()) => see(&format!("/requests/{id}")),
        Err(problem) => {
            layout::with_status(page(&desk, &who, id, &problem.words()).await, problem.status)
        }
    }
}

/// What a form says is to become of a request.
///
/// # Errors
/// As the console has them.
pub(super) async fn carry_out(
    desk: &Desk,
    who: &SignedIn,
    id: u64,
    fields: &Fields,
) -> Result<(), Problem> {
    let command = match fields.get("deed") {
        "approve" => {
            let proof = Proof { signature: None, code: fields.some("code").map(Secret::new) };
            Command::Approve { request: id, proof }
        }
        "deny" => requests::denial(id, fields.get("reason").to_owned())?,
        "cancel" => Command::Cancel(id),
        _ => return Err(unreadable("a request is approved, denied or cancelled")),
    };
    requests::decide(desk, who, id, command).await.map(drop)
}

async fn page(desk: &Desk, who: &SignedIn, id: u64, words: &str) -> Response {
    let request = match requests::visible(desk, who, id) {
        Ok(request) => request,
        Err(problem) => return layout::problem(&problem),
    };
    let body = html! {
        (trouble(words))
        (case::card(desk, who, &request, &format!("/requests/{id}")))
        (before::section(desk, who, &request).await)
    };
    layout::page(desk, who, Place::Elsewhere, &format!("Request {id}"), &body)
}
