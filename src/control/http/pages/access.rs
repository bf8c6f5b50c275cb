//! My access: what I asked for, what I have and for how long, and the form to ask.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::super::grants;
use super::super::problem::Problem;
use super::super::requests::{self, unreadable};
use super::super::sign_in::SignedIn;
use super::form::{Fields, OwnForm};
use super::layout::{self, Place};
use super::parts::{ago, grant_state, left, nothing, ours, request_state, table, text, trouble};
use super::{asking, picker, see};
use crate::control::desk::Deed;
use crate::control::grammar::Command;
use crate::control::{Desk, answer, lookup};
use crate::grant::{Extension, GrantView, Request, RequestState};
use crate::model::parse_duration;

pub(super) async fn show(State(desk): State<Arc<Desk>>, who: SignedIn) -> Response {
    page(&desk, &who, &Fields::default(), "")
}

pub(super) async fn take(State(desk): State<Arc<Desk>>, OwnForm(who, fields): OwnForm) -> Response {
    let done = match fields.get("deed") {
        "check" => return page(&desk, &who, &fields, ""),
        "request" => asking::file(&desk, &who, &fields).await,
        "cancel" => cancel(&desk, &who, &fields).await,
        "extend" => extend(&desk, &who, &fields).await,
        _ => Err(unreadable("access is requested, cancelled or extended")),
    };
    match done {
        Ok(()) => see("/"),
        Err(problem) => {
            let words = problem.words();
            layout::with_status(page(&desk, &who, &fields, &words), problem.status)
        }
    }
}

async fn cancel(desk: &Desk, who: &SignedIn, fields: &Fields) -> Result<(), Problem> {
    let id = fields.id("request")?;
    requests::decide(desk, who, id, Command::Cancel(id)).await.map(drop)
}

async fn extend(desk: &Desk, who: &SignedIn, fields: &Fields) -> Result<(), Problem> {
    let id = fields.id("grant")?;
    let by = parse_duration(fields.get("by")).map_err(|error| unreadable(error.to_string()))?;
    let grant = grants::visible(desk, who, id)?.grant;
    let database = grant.database.as_deref();
    let database = database.ok_or_else(|| unreadable("a standing grant has no end"))?;
    let view = lookup::view(&(desk.databases)(), Some(database), "")?;
    let extension = Extension { grant: id, by, reason: fields.get("why").to_owned() };
    let operator = who.operator();
    let request = desk.approvals.extend(&operator.client(database), &view, extension).await;
    answer::record(desk, &operator, Deed::Extend(id), request.as_ref().err());
    request?;
    Ok(())
}

fn page(desk: &Desk, who: &SignedIn, said: &Fields, words: &str) -> Response {
    let mut requests = desk.approvals.requests();
    requests.retain(|request| *request.requester == *who.user.name);
    let mut grants = desk.approvals.grants();
    grants.retain(|view| view.grant.subject.includes(&who.user));
    let open: Vec<_> = requests.iter().filter(|it| it.state == RequestState::Pending).collect();
    let live: Vec<_> = grants.iter().filter(|view| view.is_open()).collect();
    let body = html! {
        (trouble(words))
        (restricted(desk, who))
        div data-live="mine" {
            section aria-labelledby="grants" {
                h2 id="grants" { "What you can see" }
                @if live.is_empty() { (nothing("Everything is masked. Ask below for what you need.")) }
                div.cards { @for view in &live { (held(desk, who, view)) } }
            }
            @if !open.is_empty() {
                section aria-labelledby="open" {
                    h2 id="open" { "What you asked for" }
                    div.cards { @for request in &open { (waiting(desk, who, request)) } }
                }
            }
        }
        section aria-labelledby="ask-title" {
            h2 id="ask-title" { "Request access" }
            (picker::show(desk, who, said))
        }
        (over(desk, &requests, &grants))
    };
    layout::page(desk, who, Place::Access, "My access", &body)
}

fn restricted(desk: &Desk, who: &SignedIn) -> Markup {
    let restrictions = desk.approvals.restrictions();
    html! {
        @for one in restrictions.iter().filter(|one| one.user == *who.user.name) {
            div.trouble { p {
                "You are restricted (" (one.restriction.as_str()) ") by " (one.by) ": " (one.reason)
            } }
        }
    }
}

fn held(desk: &Desk, who: &SignedIn, view: &GrantView) -> Markup {
    let (grant, now) = (&view.grant, (desk.clock)());
    html! {
        article.card {
            header.row {
                h3 { a href=(format!("/grants/{}", grant.id)) { code { (grant.resource) } } }
                (grant_state(view.state))
                @if let Some(end) = grant.expires_at {
                    (left(end, now, &format!("access to {}", grant.resource)))
                }
            }
            p { (grant.actions) " in " (grant.database.as_deref().unwrap_or("every database"))
                @if let Some(rows) = &grant.rows { ", rows where " code { (rows.shown) } }
                @if !grant.limits.is_none() { "; " (grant.limits.to_string()) }
            }
            p.soft { (grant.reason) }
            @if grant.expires_at.is_some() {
                details.inner {
                    summary { "Extend" span.unseen { " grant " (grant.id) } }
                    form.inline method="post" action="/" {
                        (ours(who))
                        input type="hidden" name="grant" value=(grant.id);
                        label.field { span { "By" }
                            input type="text" name="by" required value="15 minutes" list="durations"; }
                        label.field { span { "Why" }
                            input type="text" name="why" required maxlength="1000" value=(grant.reason); }
                        button.quiet name="deed" value="extend" { "Ask for longer" }
                    }
                }
            }
        }
    }
}

fn waiting(desk: &Desk, who: &SignedIn, request: &Request) -> Markup {
    let (terms, now) = (&request.terms, (desk.clock)());
    let approvers: Vec<_> = request.approvers.iter().map(ToString::to_string).collect();
    html! {
        article.card {
            header.row {
                h3 { a href=(format!("/requests/{}", request.id)) { code { (terms.resource) } } }
                (request_state(request.state))
                @if let Some(end) = request.decide_by { (left(end, now, "the time to decide")) }
            }
            p { "Request " (request.id) ", asked " (ago(request.requested_at, now)) ". "
                (request.approved_by.len()) " of " (request.approvals_needed) " approvals; "
                (approvers.join(", ")) " decide." }
            p.soft { (terms.reason) }
            form.inline method="post" action="/" {
                (ours(who))
                input type="hidden" name="request" value=(request.id);
                button.quiet name="deed" value="cancel" { "Cancel" span.unseen { " request " (request.id) } }
            }
        }
    }
}

/// What was decided or ended in the last day.
fn over(desk: &Desk, requests: &[Request], grants: &[GrantView]) -> Markup {
    let now = (desk.clock)();
    let ended = grants.iter().filter(|view| !view.is_open()).map(|view| {
        let place = format!("/grants/{}", view.grant.id);
        let at = view.ended_at.or(view.grant.expires_at).unwrap_or(now);
        let row = vec![
            html! { a href=(place) { "grant " (view.grant.id) } },
            grant_state(view.state),
            html! { code { (view.grant.resource) } },
            text(view.ended_by.as_deref().unwrap_or_default()),
            ago(at, now),
        ];
        (at, row)
    });
    let decided = requests.iter().filter(|it| it.state != RequestState::Pending).map(|request| {
        let place = format!("/requests/{}", request.id);
        let at = request.decided_at.unwrap_or(request.requested_at);
        let row = vec![
            html! { a href=(place) { "request " (request.id) } },
            request_state(request.state),
            html! { code { (request.terms.resource) } },
            text(request.closed_reason.as_deref().unwrap_or_default()),
            ago(at, now),
        ];
        (at, row)
    });
    let mut rows: Vec<_> = ended.chain(decided).collect();
    rows.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
    html! {
        @if !rows.is_empty() {
            section data-live="over" {
                h2 { "The last day" }
                (table("The last day", &["What", "State", "On", "By, or why", "When"], &rows))
            }
        }
    }
}
