//! Restrictions of users: who is, taking something from somebody, giving it back.

use std::time::Duration;

use maud::{Markup, html};

use super::super::problem::Problem;
use super::super::requests::unreadable;
use super::super::sign_in::SignedIn;
use super::form::Fields;
use super::parts::{ago, field, left, needed, nothing, ours, table, text};
use crate::control::Desk;
use crate::control::grammar::Command;
use crate::grant::Restricted;
use crate::model::parse_duration;

/// What the form says.
///
/// # Errors
/// It names nobody, or a duration that is none.
pub(super) fn order(fields: &Fields) -> Result<Command, Problem> {
    let user = fields.some("user").ok_or_else(|| unreadable("nobody is named"))?;
    let reason = fields.some("reason").ok_or_else(|| unreadable("the reason is empty"))?;
    let duration: Option<Duration> = fields
        .some("duration")
        .map(|text| parse_duration(&text).map_err(|error| unreadable(error.to_string())))
        .transpose()?;
    Ok(Command::Suspend { user, duration, reason })
}

pub(super) fn list(desk: &Desk, who: &SignedIn, answer: &str) -> Markup {
    let now = (desk.clock)();
    let row = |one: &Restricted| {
        vec![
            text(&one.user),
            text(one.restriction.as_str()),
            ago(one.since, now),
            html! { @match one.until {
                Some(end) => (left(end, now, &format!("the restriction of {}", one.user))),
                None => "until lifted",
            } },
            text(&one.by),
            text(&one.reason),
            html! { @if one.user != *who.user.name {
                form method="post" action=(answer) {
                    (ours(who))
                    input type="hidden" name="user" value=(one.user);
                    button.quiet.small name="deed" value="lift" {
                        "Lift" span.unseen { " restriction of " (one.user) }
                    }
                }
            } },
        ]
    };
    let rows: Vec<_> = desk.approvals.restrictions().iter().map(row).collect();
    html! {
        @if rows.is_empty() { (nothing("Nobody is restricted.")) }
        @else {
            (table("Restrictions",
                &["User", "Restriction", "Since", "For", "By", "Reason", "Lift it"], &rows))
        }
    }
}

pub(super) fn form(who: &SignedIn, answer: &str, user: &str) -> Markup {
    html! {
        details.inner {
            summary { "Suspend somebody" }
            form.inline method="post" action=(answer) {
                (ours(who))
                (needed("User", "user", user, "alice"))
                (field("For how long", "duration", "", "until lifted"))
                (needed("Reason", "reason", "", "what happened"))
                button.danger name="deed" value="suspend" { "Suspend" }
            }
        }
    }
}
