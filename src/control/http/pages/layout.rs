//! The frame of every page: what this user may use, who they are, and the page in the middle.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::super::problem::Problem;
use super::super::sign_in::SignedIn;
use super::parts::{ours, trouble};
use crate::control::Desk;
use crate::grant::{Request, RequestState};
use crate::model::misleads;

/// Where one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Access,
    Inbox,
    Live,
    Map,
    Audit,
    Risk,
    Policy,
    /// A page that others link to.
    Elsewhere,
}

impl Place {
    const ALL: [Self; 7] =
        [Self::Access, Self::Inbox, Self::Live, Self::Map, Self::Audit, Self::Risk, Self::Policy];

    fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Access | Self::Elsewhere => ("/", "My access"),
            Self::Inbox => ("/inbox", "Inbox"),
            Self::Live => ("/live", "Live"),
            Self::Map => ("/map", "PII map"),
            Self::Audit => ("/audit", "Audit"),
            Self::Risk => ("/risk", "Risk"),
            Self::Policy => ("/policy", "Policies"),
        }
    }

    /// Whether it is of use to them.
    fn is_for(self, desk: &Desk, who: &SignedIn) -> bool {
        match self {
            Self::Access | Self::Map | Self::Policy | Self::Elsewhere => true,
            Self::Live | Self::Audit | Self::Risk => who.is_operator(),
            Self::Inbox => {
                who.is_operator()
                    || (desk.policies)()
                        .0
                        .iter()
                        .flat_map(|policy| &policy.approvers)
                        .any(|subject| subject.includes(&who.user))
            }
        }
    }
}

/// Open requests that this user may decide.
pub(super) fn to_decide(desk: &Desk, who: &SignedIn) -> Vec<Request> {
    let mut requests = desk.approvals.requests();
    requests.retain(|request| request.state == RequestState::Pending && may_decide(request, who));
    requests
}

pub(super) fn may_decide(request: &Request, who: &SignedIn) -> bool {
    *request.requester != *who.user.name
        && request.approvers.iter().any(|subject| subject.includes(&who.user))
}

/// A page for somebody who is signed in.
pub(super) fn page(desk: &Desk, who: &SignedIn, at: Place, title: &str, body: &Markup) -> Response {
    let waiting = to_decide(desk, who).len();
    let page = html! {
        (head(title, &html! {}))
        body {
            a.skip href="#main" { "Skip to the page" }
            header.side {
                a.brand href="/" { (mark()) span { "Keyhole" } }
                nav aria-label="Pages" {
                    ul { @for place in Place::ALL.iter().filter(|place| place.is_for(desk, who)) {
                        @let (link, name) = place.link();
                        li { a href=(link) aria-current=[(*place == at).then_some("page")] {
                            (name)
                            @if *place == Place::Inbox && waiting > 0 {
                                " " span.count data-live="waiting" { (waiting)
                                    span.unseen { " to decide" } }
                            }
                        } }
                    } }
                }
                (signed_in(who))
            }
            main id="main" tabindex="-1" data-now=((desk.clock)().as_millisecond()) {
                h1 { (title) }
                (body)
            }
            p.unseen id="announce" aria-live="polite" {}
        }
    };
    shown(StatusCode::OK, &page)
}

fn signed_in(who: &SignedIn) -> Markup {
    html! {
        div.who {
            p { span.unseen { "Signed in as " } strong { (who.user.name) } }
            @if !who.user.groups.is_empty() { p.soft { (who.user.groups.join(", ")) } }
            // Who says it anew with every request has nothing to sign out from.
            @if who.form_token.is_some() {
                form method="post" action="/logout" {
                    (ours(who))
                    button.quiet.small { "Sign out" }
                    button.quiet.small name="everywhere" value="yes"
                        data-confirm="End all your sessions, in every browser and program?" {
                        span.unseen { "Sign out " } "everywhere"
                    }
                }
            }
        }
    }
}

/// A page that only says why there is none.
pub(super) fn problem(problem: &Problem) -> Response {
    let body = html! {
        (trouble(&problem.words()))
        p { a href="/" { "To my access" } }
    };
    alone(problem.status, "This cannot be shown", &html! {}, &body)
}

/// A page for nobody in particular; `more` stands in its head.
pub(super) fn alone(status: StatusCode, title: &str, more: &Markup, body: &Markup) -> Response {
    let page = html! {
        (head(title, more))
        body.alone {
            main id="main" {
                p.brand { (mark()) span { "Keyhole" } }
                h1 { (title) }
                (body)
            }
        }
    };
    shown(status, &page)
}

/// The page that a form was on, with the status of what went wrong.
pub(super) fn with_status(page: Response, status: StatusCode) -> Response {
    if page.status() == StatusCode::OK { (status, page).into_response() } else { page }
}

fn shown(status: StatusCode, page: &Markup) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (status, kind, readable(&page.0)).into_response()
}

/// What people called themselves, their programs and their columns looks like nothing else: an
/// approver reads what is there, in the direction that it is read in.
fn readable(page: &str) -> String {
    let is_space = |c| matches!(c, '\n' | '\r' | '\t');
    page.chars().map(|c| if misleads(c) && !is_space(c) { '\u{fffd}' } else { c }).collect()
}

fn head(title: &str, more: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en";
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · Keyhole" }
            link rel="icon" href="/icon.svg" type="image/svg+xml";
            link rel="stylesheet" href="/style.css";
            script src="/console.js" defer {}
            (more)
        }
    }
}

fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" width="24" height="24" aria-hidden="true" {
            rect width="32" height="32" rx="8" {}
            path d="M16 7a5 5 0 0 0-2.6 9.3L12 25h8l-1.4-8.7A5 5 0 0 0 16 7z" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_on_a_page_turns_the_direction_of_reading() {
        let told = readable("<p>\u{202e}liame\u{2066}\u{7}é\n</p>");
        assert_eq!(told, "<p>\u{fffd}liame\u{fffd}\u{fffd}é\n</p>");
    }
}
