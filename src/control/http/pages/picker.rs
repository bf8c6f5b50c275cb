//! The form that asks for access: what there is to ask for, and on which terms.

use maud::{Markup, html};

use super::super::sign_in::SignedIn;
use super::asking::foretold;
use super::form::Fields;
use super::parts::{field, needed, nothing, ours, tick};
use crate::control::Desk;
use crate::control::desk::Database;
use crate::grant::{Action, CataloguedColumn, Pattern, Policies, Resource, Urgency};
use crate::model::{RelationName, User, show_duration};

/// Columns that stand in the picker; of larger catalogs the others are named.
const COLUMNS_MAX: usize = 2_000;

/// What is often asked for.
const DURATIONS: [&str; 6] = ["15 minutes", "30 minutes", "1 hour", "4 hours", "8 hours", "1 day"];

pub(super) fn show(desk: &Desk, who: &SignedIn, said: &Fields) -> Markup {
    let policies = (desk.policies)();
    let is_emergency = |policy: &&crate::grant::Policy| {
        policy.urgency == Urgency::BreakGlass
            && policy.subjects.iter().any(|subject| subject.includes(&who.user))
    };
    let emergency = policies.0.iter().find(is_emergency);
    html! {
        form.card.ask id="ask" method="post" action="/#ask" data-preview="foretold" {
            (ours(who))
            (columns(desk, who, &policies, said))
            div.grid {
                (needed("For how long", "duration", said.get("duration"), "30 minutes"))
                (needed("Reason", "reason", said.get("reason"), "INC-42: what for"))
                (field("Ticket", "ticket", said.get("ticket"), "INC-42"))
                (field("Only these rows", "rows", said.get("rows"), "id = 42"))
            }
            fieldset.line {
                legend { "To" }
                @let actions = said.or("actions", Action::Read.as_str());
                @for action in Action::EVERY {
                    (tick(action.as_str(), "actions", action.as_str(), &actions))
                }
            }
            @if let Some(policy) = emergency {
                div.emergency {
                    (tick("This is an emergency (break-glass)", "break_glass", "yes", said))
                    p.soft { "At once, at most " (show_duration(policy.max_duration))
                        ", told to others, and reviewed within "
                        (show_duration(policy.review_within)) "." }
                }
            }
            (more(said))
            div id="foretold" aria-live="polite" {
                @if said.get("deed") == "check" || said.some("duration").is_some() {
                    (foretold(desk, who, said))
                }
            }
            div.actions {
                button name="deed" value="request" { "Request access" }
                button.quiet name="deed" value="check" formnovalidate { "What would become of it?" }
            }
        }
        datalist id="durations" { @for text in DURATIONS { option value=(text) {} } }
    }
}

fn columns(desk: &Desk, who: &SignedIn, policies: &Policies, said: &Fields) -> Markup {
    let databases = (desk.databases)();
    let total: usize =
        databases.iter().flat_map(|it| &it.catalog.tables).map(|table| table.columns.len()).sum();
    html! {
        fieldset.picker {
            legend { "What you need" }
            label.field.filter hidden data-filter="picker" {
                span { "Filter" }
                input type="search" placeholder="email, customers, class…" autocomplete="off";
            }
            @if total == 0 { (nothing("The catalogs name nothing: nothing is hidden.")) }
            div.scroll id="picker" tabindex="0" role="group" aria-label="Columns" {
                @for database in databases.iter().filter(|it| it.name != Database::ANY) {
                    (tables(database, who, policies, said))
                }
            }
            @if total > COLUMNS_MAX { p.soft { "The first " (COLUMNS_MAX) " of each database." } }
            details open[said.some("resource").is_some()] {
                summary { "Or by name: a table, class:NAME, *" }
                div.grid {
                    (field("Resource", "resource", said.get("resource"), "public.customers"))
                    (field("Database", "database", said.get("database"), "where it is not clear"))
                }
            }
        }
    }
}

fn tables(database: &Database, who: &SignedIn, policies: &Policies, said: &Fields) -> Markup {
    let view = database.view(&database.name);
    let mut tables: Vec<(&RelationName, Vec<&CataloguedColumn>)> = Vec::new();
    for column in view.columns.iter().take(COLUMNS_MAX) {
        match tables.last_mut() {
            Some((name, columns)) if **name == column.path.relation => columns.push(column),
            Some(_) | None => tables.push((&column.path.relation, vec![column])),
        }
    }
    html! {
        @for (relation, columns) in tables {
            section.pick-table data-filtered=(format!("{} {relation}", database.name)) {
                h3 { (relation) " " span.soft { (database.name) } }
                ul { @for column in columns {
                    @let name = written(&database.name, column);
                    li data-filtered=(format!("{} {} {}", database.name, column.path, column.class)) {
                        label.tick {
                            input type="checkbox" name="pick" value=(name)
                                checked[said.has("pick", &name)];
                            span { (column.path.column) }
                        }
                        span.soft { (column.class) }
                        span.soft.how { (how(policies, &who.user, &database.name, column)) }
                    }
                } }
            }
        }
    }
}

/// As it reads back, whatever other databases have.
fn written(database: &str, column: &CataloguedColumn) -> String {
    let resource = Resource::Column(column.path.clone());
    Pattern { database: Some(database.to_owned()), resource }.to_string()
}

/// Who decides if one asks to read it, in some words.
fn how(policies: &Policies, user: &User, database: &str, column: &CataloguedColumn) -> String {
    let resource = Resource::Column(column.path.clone());
    let speaks = |policy: &&crate::grant::Policy| {
        policy.urgency == Urgency::Ordinary
            && policy.actions.contains(Action::Read)
            && policy.subjects.iter().any(|subject| subject.includes(user))
            && policy
                .resources
                .iter()
                .any(|pattern| pattern.covers(database, &resource, Some(&column.class)))
    };
    match policies.0.iter().find(speaks) {
        None => "cannot be requested".to_owned(),
        Some(policy) if policy.approvals == 0 => {
            format!("at once, up to {}", show_duration(policy.max_duration))
        }
        Some(policy) => {
            let approvers: Vec<_> = policy.approvers.iter().map(ToString::to_string).collect();
            let most = show_duration(policy.max_duration);
            format!("{} of {}, up to {most}", policy.approvals, approvers.join(", "))
        }
    }
}

fn more(said: &Fields) -> Markup {
    const NAMES: [&str; 6] =
        ["max_rows", "max_uses", "max_subjects", "unused", "starting", "first_use"];
    let said_any = NAMES.iter().any(|name| said.some(name).is_some());
    html! {
        details open[said_any] {
            summary { "Limits, and when it begins" }
            div.grid {
                (field("At most, rows", "max_rows", said.get("max_rows"), "100"))
                (field("At most, statements", "max_uses", said.get("max_uses"), "5"))
                (field("At most, people", "max_subjects", said.get("max_subjects"), "1"))
                (field("Ends when unused for", "unused", said.get("unused"), "10 minutes"))
                (field("Not before", "starting", said.get("starting"), "2026-01-31 09:00+01"))
            }
            (tick("Its time runs from its first use", "first_use", "yes", said))
        }
    }
}
