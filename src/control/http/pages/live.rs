//! What is going on now, for operators: grants in force, sessions, restrictions, and whether all
//! parts work. Everything can be ended here.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::super::problem::Problem;
use super::super::requests::unreadable;
use super::super::sign_in::SignedIn;
use super::form::{Fields, OwnForm};
use super::layout::{self, Place};
use super::parts::{
    Tone, ago, badge, code, grant_state, left, nothing, ours, table, text, trouble,
};
use super::{operators_only, restrict, see};
use crate::control::desk::Sink;
use crate::control::grammar::{Command, Revoked};
use crate::control::{Desk, answer};
use crate::grant::{GrantState, GrantView};
use crate::telemetry::labels::Label as _;
use crate::telemetry::sessions::Session;

/// Rows of each table.
const ROWS_MAX: usize = 500;

pub(super) async fn show(State(desk): State<Arc<Desk>>, who: SignedIn) -> Response {
    if !who.is_operator() {
        return layout::problem(&operators_only());
    }
    page(&desk, &who, "")
}

pub(super) async fn take(State(desk): State<Arc<Desk>>, OwnForm(who, fields): OwnForm) -> Response {
    if !who.is_operator() {
        return layout::problem(&operators_only());
    }
    if fields.get("deed") == "panic" && fields.get("sure") != "yes" {
        return ask_again(&desk, &who);
    }
    match carry_out(&desk, &who, &fields).await {
        Ok(()) => see("/live"),
        Err(problem) => layout::with_status(page(&desk, &who, &problem.words()), problem.status),
    }
}

async fn carry_out(desk: &Desk, who: &SignedIn, fields: &Fields) -> Result<(), Problem> {
    let command = match fields.get("deed") {
        "revoke" => Command::Revoke(Revoked::One(fields.id("grant")?)),
        "kill" => Command::KillSession(fields.id("session")?),
        "panic" => Command::Revoke(Revoked::All),
        "suspend" => restrict::order(fields)?,
        "lift" => Command::Lift(fields.get("user").to_owned()),
        _ => return Err(unreadable("that cannot be done here")),
    };
    answer::answer(desk, &who.operator(), &command).await?;
    Ok(())
}

/// The red button asks once more.
fn ask_again(desk: &Desk, who: &SignedIn) -> Response {
    let count = in_force(desk).iter().filter(|view| view.state != GrantState::Standing).count();
    let body = html! {
        article.card.alarm {
            h2 { "Revoke all " (count) " grants?" }
            p { "Every grant that somebody asked for ends now, those that begin later too. Results
                 that are being read are cut. Standing grants of the configuration stay." }
            form.actions method="post" action="/live" {
                (ours(who))
                input type="hidden" name="sure" value="yes";
                button.danger name="deed" value="panic" { "Yes, revoke all" }
                a.button.quiet href="/live" { "No" }
            }
        }
    };
    layout::page(desk, who, Place::Live, "Revoke everything", &body)
}

fn in_force(desk: &Desk) -> Vec<GrantView> {
    let mut grants = desk.approvals.grants();
    grants.retain(GrantView::is_open);
    grants
}

fn page(desk: &Desk, who: &SignedIn, words: &str) -> Response {
    let body = html! {
        (trouble(words))
        div data-live="health" { (health(desk)) }
        section {
            header.row {
                h2 { "Grants in force" }
                form.inline method="post" action="/live" {
                    (ours(who))
                    button.danger name="deed" value="panic" { "Panic: revoke all" }
                }
            }
            div data-live="grants" { (grants(desk, who)) }
        }
        section {
            h2 { "Sessions" }
            div data-live="sessions" { (sessions(desk, who)) }
        }
        section {
            h2 { "Restrictions" }
            div data-live="restrictions" { (restrict::list(desk, who, "/live")) }
            (restrict::form(who, "/live", ""))
        }
    };
    layout::page(desk, who, Place::Live, "Live", &body)
}

/// Ready or not, and where else the records go.
fn health(desk: &Desk) -> Markup {
    let reasons = (desk.unready)();
    let sinks = (desk.sinks)();
    html! {
        section.tiles aria-label="State of the proxy" {
            div.tile {
                p.soft { "Proxy" }
                @if reasons.is_empty() { (badge(Tone::Good, "ready")) }
                @else { (badge(Tone::Bad, "not ready")) }
                @for one in &reasons { p { strong { (one.part.as_str()) } ": " (one.reason) } }
            }
            div.tile {
                p.soft { "Sessions" }
                p.figure { (desk.sessions.len()) }
            }
            div.tile {
                p.soft { "Approval store" }
                p.figure { (desk.approvals.sync_age().as_secs()) " s" }
                p.soft { "since it was certain to be known whole" }
            }
            @for sink in &sinks { (sink_tile(sink)) }
        }
    }
}

fn sink_tile(sink: &Sink) -> Markup {
    let tone = match sink.state() {
        "working" => Tone::Good,
        "failing" => Tone::Bad,
        _ => Tone::Wait,
    };
    html! {
        div.tile {
            p.soft { "Sink " (sink.name) " (" (sink.kind) ")" }
            (badge(tone, sink.state()))
            p { (sink.behind_records) " records, " (sink.behind_secs) " s behind" }
            @if let Some(why) = &sink.failing { p { (why) } }
        }
    }
}

fn grants(desk: &Desk, who: &SignedIn) -> Markup {
    let now = (desk.clock)();
    let mut grants = in_force(desk);
    // What ends first comes first; what does not end, last.
    grants.sort_by_key(|view| (view.grant.expires_at.is_none(), view.grant.expires_at));
    let row = |view: &GrantView| {
        let grant = &view.grant;
        let end = html! { @if view.state != GrantState::Standing {
            form method="post" action="/live" {
                (ours(who))
                input type="hidden" name="grant" value=(grant.id);
                button.quiet.small name="deed" value="revoke"
                    data-confirm=(format!("Revoke grant {}?", grant.id)) {
                    "Revoke" span.unseen { " grant " (grant.id) }
                }
            }
        } };
        vec![
            html! { a href=(format!("/grants/{}", grant.id)) { (grant.id) } },
            text(&grant.subject.to_string()),
            html! { (grant.actions) " " code { (grant.resource) } },
            code(grant.database.as_deref().unwrap_or("*")),
            grant_state(view.state),
            html! { @match grant.expires_at {
                Some(end) => (left(end, now, &format!("grant {}", grant.id))),
                None => "no end",
            } },
            text(&grant.reason),
            end,
        ]
    };
    let rows: Vec<_> = grants.iter().take(ROWS_MAX).map(row).collect();
    const HEADS: [&str; 8] =
        ["Id", "Who", "What", "Database", "State", "Time left", "Reason", "End it"];
    html! {
        @if rows.is_empty() { (nothing("No grant is in force: everybody sees masks.")) }
        @else { (table("Grants in force", &HEADS, &rows)) }
        @if grants.len() > ROWS_MAX { p.soft { (grants.len() - ROWS_MAX) " more." } }
    }
}

fn sessions(desk: &Desk, who: &SignedIn) -> Markup {
    let now = (desk.clock)();
    let sessions = desk.sessions.list();
    let row = |session: &Arc<Session>| {
        let (facts, exposure) = (&session.facts, session.exposure());
        vec![
            text(&session.id.to_string()),
            text(&facts.user),
            code(&facts.database),
            html! { @if let Some(address) = facts.address { (address.ip()) } },
            text(&facts.application),
            text(session.state().as_str()),
            ago(facts.since, now),
            text(&session.statements().to_string()),
            html! { @for column in &exposure.columns { code { (column) } " " } },
            html! { form method="post" action="/live" {
                (ours(who))
                input type="hidden" name="session" value=(session.id);
                button.quiet.small name="deed" value="kill"
                    data-confirm=(format!("End session {}?", session.id)) {
                    "End" span.unseen { " session " (session.id) }
                }
            } },
        ]
    };
    let rows: Vec<_> = sessions.iter().take(ROWS_MAX).map(row).collect();
    const HEADS: [&str; 10] = [
        "Id",
        "User",
        "Database",
        "From",
        "Application",
        "State",
        "Since",
        "Statements",
        "Raw now",
        "End it",
    ];
    html! {
        @if rows.is_empty() { (nothing("Nobody is connected.")) }
        @else { (table("Sessions", &HEADS, &rows)) }
        @if sessions.len() > ROWS_MAX { p.soft { (sessions.len() - ROWS_MAX) " more." } }
    }
}
