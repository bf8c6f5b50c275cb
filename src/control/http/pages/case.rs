//! What an approver has to know of a request: what exactly would be seen, by whom, on which terms,
//! and what this person asked for before.

use maud::{Markup, html};

use super::layout::may_decide;
use super::parts::{
    ago, code, facts, left, maybe, moment, nothing, ours, request_state, table, text,
};
use crate::control::http::sign_in::SignedIn;
use crate::control::{Desk, lookup, show};
use crate::grant::{CataloguedColumn, Limits, Pattern, Request, RequestState, Urgency};
use crate::model::show_duration;

/// Columns that are shown of a request on a whole database.
const COLUMNS_MAX: usize = 200;

/// A card with all of it, and the forms for who may decide; `answer` is where these go.
pub(super) fn card(desk: &Desk, who: &SignedIn, request: &Request, answer: &str) -> Markup {
    let now = (desk.clock)();
    let terms = &request.terms;
    html! {
        article.card id=(format!("request-{}", request.id)) {
            header.row {
                h2 { a href=(format!("/requests/{}", request.id)) { "Request " (request.id) } ": "
                    (request.requester) " wants to " (terms.actions) " " code { (terms.resource) } }
                (request_state(request.state))
                @if terms.urgency == Urgency::BreakGlass { span.badge.bad { "break-glass" } }
                @if let (RequestState::Pending, Some(end)) = (request.state, request.decide_by) {
                    (left(end, now, "the time to decide"))
                }
            }
            blockquote { (terms.reason) @if let Some(ticket) = &terms.ticket { " " code { (ticket) } } }
            (details(desk, request))
            (visible(desk, request))
            (person(desk, request))
            @if answer == "/inbox" && may_decide(request, who) {
                p { a href=(format!("/requests/{}", request.id)) {
                    "Statements of " (request.requester) " on it" } }
            }
            @if request.state == RequestState::Pending { (decide(desk, who, request, answer)) }
        }
    }
}

/// Its terms and how far it is.
pub(super) fn details(desk: &Desk, request: &Request) -> Markup {
    let (terms, now) = (&request.terms, (desk.clock)());
    let approved = html! {
        (request.approved_by.len()) " of " (request.approvals_needed)
        @if !request.approved_by.is_empty() { " (" (request.approved_by.join(", ")) ")" }
    };
    let from = if terms.runs.is_from_approval() { "approval" } else { "its first use" };
    let approvers: Vec<_> = request.approvers.iter().map(ToString::to_string).collect();
    facts(&[
        (
            "Who",
            html! {
                (request.requester)
                @if !request.groups.is_empty() { " (" (request.groups.join(", ")) ")" }
            },
        ),
        ("Database", code(&terms.database)),
        (
            "Rows",
            html! {
                @match &terms.rows { Some(rows) => code { (rows.shown) }, None => "all of them" }
            },
        ),
        ("For how long", html! { (show_duration(terms.duration)) " from " (from) }),
        ("Not before", html! { @if let Some(at) = terms.not_before { (moment(at)) } }),
        ("Limits", limits(&terms.limits)),
        ("Only", text(&request.conditions.to_string())),
        (
            "Makes longer",
            html! { @if let Some(grant) = request.extends {
            a href=(format!("/grants/{grant}")) { "grant " (grant) } } },
        ),
        ("Policy", text(&request.policy)),
        ("Asked", ago(request.requested_at, now)),
        ("Approvals", approved),
        ("Decided by", text(&approvers.join(", "))),
        ("Closed by", maybe(request.closed_by.as_ref())),
        ("Because", maybe(request.closed_reason.as_ref())),
        (
            "Grant",
            html! { @if let Some(grant) = request.grant {
            a href=(format!("/grants/{grant}")) { "grant " (grant) } } },
        ),
    ])
}

pub(super) fn limits(limits: &Limits) -> Markup {
    text(&limits.to_string())
}

/// Which columns it is about, as they are hidden now.
fn visible(desk: &Desk, request: &Request) -> Markup {
    let terms = &request.terms;
    let databases = (desk.databases)();
    let Ok(view) = lookup::view(&databases, Some(&terms.database), "") else {
        return nothing("The database is no longer in the configuration.");
    };
    let pattern = Pattern { database: None, resource: terms.resource.clone() };
    let columns: Vec<&CataloguedColumn> =
        view.columns.iter().filter(|column| pattern.is_of(column)).collect();
    let catalog = databases
        .iter()
        .find(|database| database.name == terms.database)
        .map(|database| &database.catalog);
    let rows: Vec<Vec<Markup>> = columns
        .iter()
        .take(COLUMNS_MAX)
        .map(|column| {
            let class = catalog.and_then(|catalog| catalog.classes.get(&column.class));
            let hiding = class.map(show::hiding).unwrap_or_default();
            vec![code(&column.path.to_string()), text(&column.class), text(&hiding)]
        })
        .collect();
    let count = columns.len();
    html! {
        details.inner open[count <= 4] {
            summary { "What would be visible: " (count) (if count == 1 { " column" } else { " columns" }) }
            (table(&format!("Columns of request {}", request.id), &["Column", "Class", "Hidden now as"], &rows))
            @if count > COLUMNS_MAX { p.soft { "The first " (COLUMNS_MAX) " are shown." } }
        }
    }
}

/// The columns that it is about, `schema.table.column`; none of a database that is not configured.
pub(super) fn columns(desk: &Desk, request: &Request) -> Vec<String> {
    let databases = (desk.databases)();
    let Ok(view) = lookup::view(&databases, Some(&request.terms.database), "") else {
        return Vec::new();
    };
    let pattern = Pattern { database: None, resource: request.terms.resource.clone() };
    let columns = view.columns.iter().filter(|column| pattern.is_of(column));
    columns.take(COLUMNS_MAX).map(|column| column.path.to_string()).collect()
}

/// What is known of who asks: restrictions, and what they asked for in the last day.
fn person(desk: &Desk, request: &Request) -> Markup {
    let requests = desk.approvals.requests();
    let own = requests.iter().filter(|other| other.requester == request.requester);
    let earlier: Vec<&Request> = own.filter(|other| other.id != request.id).collect();
    let of = |state| earlier.iter().filter(|other| other.state == state).count();
    let open = desk.approvals.grants();
    let holds =
        open.iter().filter(|view| view.is_open() && view.grant.requester == request.requester);
    let restrictions = desk.approvals.restrictions();
    let restricted: Vec<_> =
        restrictions.iter().filter(|other| other.user == request.requester).collect();
    html! {
        p.history {
            span.soft { (request.requester) " in the last day: " }
            (earlier.len()) " other requests, "
            (of(RequestState::Approved)) " approved, " (of(RequestState::Denied)) " denied, "
            (of(RequestState::Pending)) " open; holds " (holds.count()) " grants now."
        }
        @for one in restricted {
            p.trouble { strong { (one.restriction.as_str()) } ": " (one.reason) " (" (one.by) ")" }
        }
    }
}

fn decide(desk: &Desk, who: &SignedIn, request: &Request, answer: &str) -> Markup {
    let id = request.id;
    if *request.requester == *who.user.name {
        return html! {
            form.actions method="post" action=(answer) {
                (ours(who))
                input type="hidden" name="request" value=(id);
                button.quiet name="deed" value="cancel" { "Cancel request " (id) }
            }
        };
    }
    if !may_decide(request, who) {
        return html! { p.soft { "Others decide on this one." } };
    }
    let policies = (desk.policies)();
    let policy = policies.0.iter().find(|policy| policy.name == request.policy);
    // Where the policy is gone, what it wanted is not known.
    let wants_code = policy.is_none_or(|policy| policy.second_factor.is_some());
    html! {
        div.actions {
            form.inline method="post" action=(answer) {
                (ours(who))
                input type="hidden" name="request" value=(id);
                @if wants_code {
                    label.field {
                        span { "Code of your second factor" }
                        input type="text" name="code" autocomplete="one-time-code" inputmode="numeric"
                            maxlength="64" required[policy.is_some()];
                    }
                }
                button name="deed" value="approve" { "Approve" span.unseen { " request " (id) } }
            }
            form.inline method="post" action=(answer) {
                (ours(who))
                input type="hidden" name="request" value=(id);
                label.field {
                    span { "Reason to deny" }
                    input type="text" name="reason" maxlength="1000" required autocomplete="off";
                }
                button.quiet name="deed" value="deny" { "Deny" span.unseen { " request " (id) } }
            }
        }
    }
}
