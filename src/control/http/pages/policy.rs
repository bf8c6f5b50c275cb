//! The policies in words, and who could see a column by them.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};

use super::super::sign_in::SignedIn;
use super::form::Fields;
use super::layout::{self, Place};
use super::map::who_sees;
use super::parts::{code, facts, nothing, text, trouble};
use crate::control::{Desk, lookup};
use crate::grant::{
    CatalogView, CataloguedColumn, GrantState, Pattern, Policy, Resource, SecondFactor, Urgency,
};
use crate::model::{Report, show_duration};

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = Fields::read(query.unwrap_or_default().as_bytes());
    let policies = (desk.policies)();
    // Who is no operator reads what concerns them.
    let concerns = |policy: &&Policy| {
        let mut all = policy.subjects.iter().chain(&policy.approvers);
        who.is_operator() || all.any(|subject| subject.includes(&who.user))
    };
    let shown: Vec<_> = policies.0.iter().filter(concerns).collect();
    let body = html! {
        section {
            h2 { "Who could see this column?" }
            form.inline.search method="get" action="/policy" role="search" {
                label.field { span { "Column" }
                    input type="text" name="column" value=(asked.get("column")) required
                        list="columns" placeholder="customers.email" autocomplete="off"; }
                label.field { span { "Database" }
                    input type="text" name="database" value=(asked.get("database"))
                        placeholder="where it is not clear" autocomplete="off"; }
                button { "Who could?" }
            }
            (suggestions(&desk))
            @if let Some(column) = asked.some("column") {
                (answer(&desk, &who, &shown, &column, asked.some("database").as_deref()))
            }
        }
        section {
            h2 { "Policies" }
            p.soft { "The first that speaks of who asks, what for and how urgently decides." }
            @if shown.is_empty() { (nothing("No policy lets you ask for anything.")) }
            @for policy in &shown { (one(policy)) }
        }
    };
    layout::page(&desk, &who, Place::Policy, "Policies", &body)
}

/// Columns that the browser suggests.
fn suggestions(desk: &Desk) -> Markup {
    const SUGGESTIONS_MAX: usize = 500;
    let databases = (desk.databases)();
    let names = databases.iter().flat_map(|database| {
        let columns = database.view(&database.name).columns;
        columns.into_iter().map(|column| column.path.to_string())
    });
    html! { datalist id="columns" {
        @for name in names.take(SUGGESTIONS_MAX) { option value=(name) {} }
    } }
}

fn answer(
    desk: &Desk,
    who: &SignedIn,
    policies: &[&Policy],
    column: &str,
    database: Option<&str>,
) -> Markup {
    let (view, column) = match find(desk, column, database) {
        Ok(found) => found,
        Err(report) => return trouble(&report.message),
    };
    let resource = Resource::Column(column.path.clone());
    let speaks = |policy: &&&Policy| {
        let mut patterns = policy.resources.iter();
        patterns.any(|pattern| pattern.covers(&view.database, &resource, Some(&column.class)))
    };
    let found: Vec<_> = policies.iter().filter(speaks).collect();
    let mut grants = desk.approvals.grants();
    grants.retain(|view| {
        matches!(view.state, GrantState::Active | GrantState::Standing) && who.may_see_grant(view)
    });
    html! {
        article.card {
            h3 { code { (column.path) } " in " (view.database) ", class " (column.class) }
            (facts(&[("Sees it now", who_sees(&view.database, &column, &grants))]))
            @if found.is_empty() { (nothing("By no policy that you may read could anybody.")) }
            ul.foretold { @for policy in &found { li {
                strong { (names(&policy.subjects)) } " could " (policy.actions) " it, "
                (decided(policy)) ", at most " (show_duration(policy.max_duration))
                " (policy " (policy.name) ")"
            } } }
        }
    }
}

/// # Errors
/// No database knows it, or it is no column.
fn find(
    desk: &Desk,
    text: &str,
    database: Option<&str>,
) -> Result<(CatalogView, CataloguedColumn), Report> {
    let databases = (desk.databases)();
    let view = lookup::view(&databases, database, text)?;
    let resource = view.resolve(text).map_err(|error| lookup::unclear(&error))?;
    let pattern = Pattern { database: None, resource };
    let found = match pattern.resource {
        Resource::Column(_) => view.columns.iter().find(|column| pattern.is_of(column)).cloned(),
        Resource::Table(_) | Resource::Class(_) | Resource::All => None,
    };
    let not_one = || {
        let message = format!("{text} is not one column");
        Report::error(crate::model::SqlState::INVALID_PARAMETER_VALUE, message)
    };
    let column = found.ok_or_else(not_one)?;
    Ok((view, column))
}

fn names<T: ToString>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Who says yes.
fn decided(policy: &Policy) -> String {
    match (policy.urgency, policy.approvals) {
        (Urgency::BreakGlass, _) => format!(
            "in an emergency, at once; {} look at it within {}",
            names(&policy.approvers),
            show_duration(policy.review_within)
        ),
        (Urgency::Ordinary, 0) => match policy.auto_per_week {
            Some(cap) => format!("at once, {cap} times a week"),
            None => "at once".to_owned(),
        },
        (Urgency::Ordinary, 1) => format!("when one of {} approves", names(&policy.approvers)),
        (Urgency::Ordinary, count) => {
            format!("when {count} of {} approve", names(&policy.approvers))
        }
    }
}

fn one(policy: &Policy) -> Markup {
    let factor = policy.second_factor.map(SecondFactor::as_str);
    html! {
        article.card {
            header.row {
                h3 { (policy.name) }
                @if policy.urgency == Urgency::BreakGlass { span.badge.bad { "break-glass" } }
            }
            p { strong { (names(&policy.subjects)) } " may ask to " (policy.actions) " "
                @for (at, pattern) in policy.resources.iter().enumerate() {
                    @if at > 0 { ", " } (code(&pattern.to_string()))
                }
                ": granted " (decided(policy)) ", at most " (show_duration(policy.max_duration)) "." }
            (facts(&[
                ("Reason must match", html! {
                    @if let Some(reason) = &policy.reason { code { (reason.as_str()) } }
                }),
                ("Only", text(&policy.conditions.to_string())),
                ("Limits", text(&policy.limits.to_string())),
                ("Decided within", text(&show_duration(policy.decide_within))),
                ("Denied by", text(&format!("{} of them", policy.denials))),
                ("Second factor", text(factor.unwrap_or_default())),
            ]))
        }
    }
}
