//! What the form of a request says: one thing is asked for, or several at once.

use maud::{Markup, html};

use super::super::problem::Problem;
use super::super::requests::unreadable;
use super::super::sign_in::SignedIn;
use super::form::Fields;
use super::parts::code;
use crate::control::desk::Deed;
use crate::control::{Desk, answer, lookup};
use crate::grant::{Allowed, AskText, Restriction, Trial, Wish};
use crate::model::{Report, show_duration};

/// Columns that are asked for at once.
const WISHES_MAX: usize = 20;

/// What all fields of the form ask for.
///
/// # Errors
/// Nothing or too much was chosen, or a field cannot be read.
fn read(desk: &Desk, who: &SignedIn, fields: &Fields) -> Result<Vec<Wish>, Problem> {
    let typed = fields.some("resource");
    let picked = fields.all("pick").map(str::to_owned).chain(typed);
    let resources: Vec<String> = picked.filter(|text| !text.is_empty()).collect();
    if resources.is_empty() {
        return Err(unreadable("nothing is chosen: tick columns, or name what you need"));
    }
    if resources.len() > WISHES_MAX {
        return Err(unreadable(format!(
            "at most {WISHES_MAX} at once: ask for a table, or for class:NAME"
        )));
    }
    let databases = (desk.databases)();
    let named = fields.some("database");
    let wish = |resource: String| {
        let ask = words(fields, resource)?.read()?;
        let catalog = lookup::view(&databases, named.as_deref(), &ask.resource)?;
        Ok(Wish { client: who.operator().client(&catalog.database), catalog, ask })
    };
    resources.into_iter().map(wish).collect()
}

/// Asks for all of it; what is refused in part is not filed at all.
///
/// # Errors
/// As the policies have them, or a field cannot be read.
pub(super) async fn file(desk: &Desk, who: &SignedIn, fields: &Fields) -> Result<(), Problem> {
    let filed = desk.approvals.request_all(read(desk, who, fields)?).await;
    let operator = who.operator();
    match filed {
        Ok(requests) => {
            for _ in requests {
                answer::record(desk, &operator, Deed::Request, None);
            }
            Ok(())
        }
        Err(report) => {
            answer::record(desk, &operator, Deed::Request, Some(&report));
            Err(report.into())
        }
    }
}

/// What would become of it.
///
/// # Errors
/// It makes no sense, whatever the policies say.
fn trial(desk: &Desk, wish: &Wish) -> Result<Trial, Report> {
    (desk.policies)().trial(&wish.client, &wish.catalog, &wish.ask, (desk.clock)())
}

fn words(fields: &Fields, resource: String) -> Result<AskText, Report> {
    let actions: Vec<&str> = fields.all("actions").collect();
    let mut text = AskText {
        resource,
        duration: fields.get("duration").to_owned(),
        reason: fields.get("reason").to_owned(),
        actions: Some(actions.join(", ")).filter(|actions| !actions.is_empty()),
        ..AskText::default()
    };
    for name in FIELDS {
        if let Some(field) = text.field_mut(name) {
            *field = fields.some(name);
        }
    }
    Ok(text)
}

/// Those that a form may leave empty.
const FIELDS: [&str; 9] = [
    "rows",
    "ticket",
    "starting",
    "max_rows",
    "max_uses",
    "max_subjects",
    "unused",
    "first_use",
    "break_glass",
];

/// What the policies would say to what the form asks for.
pub(super) fn foretold(desk: &Desk, who: &SignedIn, fields: &Fields) -> Markup {
    let wishes = match read(desk, who, fields) {
        Ok(wishes) => wishes,
        Err(problem) => return html! { p.soft { (problem.words()) } },
    };
    let restricted =
        desk.approvals.restrictions().into_iter().any(|one| {
            one.user == *who.user.name && one.restriction == Restriction::SecondApproval
        });
    html! {
        ul.foretold {
            @for wish in &wishes {
                li { (code(&wish.ask.resource)) ": " (outcome(&trial(desk, wish))) }
            }
        }
        @if restricted { p.soft { "You are restricted: one more approval is needed." } }
    }
}

fn outcome(trial: &Result<Trial, Report>) -> Markup {
    match trial {
        Ok(Trial { outcome: Ok(allowed), steps: _ }) => allowed_as(allowed),
        Ok(Trial { outcome: Err(report), steps: _ }) | Err(report) => html! {
            span.badge.bad { "refused" } " " (report.message)
            @if let Some(detail) = &report.detail { ". " (detail) }
            @if let Some(hint) = &report.hint { ". " (hint) }
        },
    }
}

fn allowed_as(allowed: &Allowed) -> Markup {
    let approvers: Vec<_> = allowed.approvers.iter().map(ToString::to_string).collect();
    html! {
        @if allowed.review_within.is_some() { span.badge.bad { "at once, then reviewed" } }
        @else if allowed.approvals == 0 { span.badge.good { "at once" } }
        @else { span.badge.wait { (allowed.approvals) " of " (approvers.join(", ")) " decides" } }
        " by policy " (allowed.policy) ", at most " (show_duration(allowed.max_duration))
        @if !allowed.conditions.is_none() { "; only " (allowed.conditions.to_string()) }
        @if !allowed.limits.is_none() { "; " (allowed.limits.to_string()) }
        @if let Some(within) = allowed.review_within {
            "; reviewed within " (show_duration(within)) " by " (approvers.join(", "))
        }
        "."
    }
}
