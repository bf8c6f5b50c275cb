//! One grant: what messages link to.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::super::body::Id;
use super::super::grants;
use super::super::problem::Problem;
use super::super::requests::unreadable;
use super::super::sign_in::SignedIn;
use super::form::{Fields, OwnForm};
use super::layout::{self, Place};
use super::parts::{code, facts, grant_state, left, maybe, moment, ours, text, trouble};
use super::{case, see};
use crate::control::Desk;
use crate::control::grammar::{Command, Revoked};
use crate::grant::{GrantState, GrantView, Review, Used};
use crate::model::show_duration;

pub(super) async fn show(State(desk): State<Arc<Desk>>, who: SignedIn, Id(id): Id) -> Response {
    page(&desk, &who, id, "")
}

pub(super) async fn take(
    State(desk): State<Arc<Desk>>,
    Id(id): Id,
    OwnForm(who, fields): OwnForm,
) -> Response {
    match carry_out(&desk, &who, id, &fields).await {
        Ok(()) => see(&format!("/grants/{id}")),
        Err(problem) => {
            layout::with_status(page(&desk, &who, id, &problem.words()), problem.status)
        }
    }
}

async fn carry_out(desk: &Desk, who: &SignedIn, id: u64, fields: &Fields) -> Result<(), Problem> {
    let command = match fields.get("deed") {
        "revoke" => Command::Revoke(Revoked::One(id)),
        "review" if fields.get("reason").is_empty() => {
            return Err(unreadable("the note is empty"));
        }
        "review" => Command::Review { grant: id, note: fields.get("reason").to_owned() },
        _ => return Err(unreadable("a grant is revoked or reviewed")),
    };
    grants::change(desk, who, id, command).await.map(drop)
}

fn page(desk: &Desk, who: &SignedIn, id: u64, words: &str) -> Response {
    let view = match grants::visible(desk, who, id) {
        Ok(view) => view,
        Err(problem) => return layout::problem(&problem),
    };
    let grant = &view.grant;
    let body = html! {
        (trouble(words))
        article.card {
            header.row {
                h2 { (grant.subject) " may " (grant.actions) " " code { (grant.resource) } }
                (grant_state(view.state))
                @if let (true, Some(end)) = (view.is_open(), grant.expires_at) {
                    (left(end, (desk.clock)(), &format!("grant {id}")))
                }
            }
            blockquote {
                (grant.reason) @if let Some(ticket) = &grant.ticket { " " code { (ticket) } }
            }
            (terms(&view))
            (deeds(who, &view))
        }
    };
    layout::page(desk, who, Place::Elsewhere, &format!("Grant {id}"), &body)
}

fn terms(view: &GrantView) -> Markup {
    let grant = &view.grant;
    let from = (view.state != GrantState::Standing).then_some(grant.not_before);
    facts(&[
        ("Database", code(grant.database.as_deref().unwrap_or("every one"))),
        (
            "Rows",
            html! {
                @match &grant.rows { Some(rows) => code { (rows.shown) }, None => "all of them" }
            },
        ),
        ("From", html! { @if let Some(from) = from { (moment(from)) } }),
        ("Until", html! { @if let Some(end) = grant.expires_at { (moment(end)) } }),
        (
            "From its first use",
            html! {
                @if let Some(life) = grant.from_first_use { "for " (show_duration(life)) }
            },
        ),
        ("Limits", case::limits(&grant.limits)),
        (
            "Used",
            html! { @if let Some(Used { rows, uses, subjects }) = view.used {
                (rows) " rows, " (uses) " uses, " (subjects) " subjects"
            } },
        ),
        ("Only", text(&grant.conditions.to_string())),
        ("Asked for by", text(&grant.requester)),
        ("Approved by", text(&grant.approvers.join(", "))),
        ("Policy", maybe(grant.policy.as_ref())),
        (
            "Request",
            html! { @if let Some(id) = grant.request {
                a href=(format!("/requests/{id}")) { "request " (id) }
            } },
        ),
        ("Ended", html! { @if let Some(at) = view.ended_at { (moment(at)) } }),
        ("Ended by", maybe(view.ended_by.as_ref())),
        (
            "To be reviewed by",
            html! { @if let Some(Review { due, reviewers }) = &grant.review {
                (moment(*due)) ", by "
                (reviewers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            } },
        ),
        ("Reviewed by", maybe(view.reviewed_by.as_ref())),
    ])
}

/// As the store has it: nobody their own.
fn may_review(who: &SignedIn, view: &GrantView) -> bool {
    let grant = &view.grant;
    let reviews = |review: &Review| review.reviewers.iter().any(|one| one.includes(&who.user));
    view.reviewed_by.is_none()
        && grant.requester != *who.user.name
        && grant.review.as_ref().is_some_and(reviews)
}

fn deeds(who: &SignedIn, view: &GrantView) -> Markup {
    let grant = &view.grant;
    let place = format!("/grants/{}", grant.id);
    html! {
        div.actions {
            @if view.is_open() && view.state != GrantState::Standing {
                form.inline method="post" action=(place) {
                    (ours(who))
                    button.danger name="deed" value="revoke" { "Revoke" }
                }
            }
            @if may_review(who, view) {
                form.inline method="post" action=(place) {
                    (ours(who))
                    label.field {
                        span { "What you found" }
                        input type="text" name="reason" required maxlength="1000" autocomplete="off";
                    }
                    button name="deed" value="review" { "I have looked at it" }
                }
            }
        }
    }
}
