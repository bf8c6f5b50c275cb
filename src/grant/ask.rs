use std::time::Duration;

use super::terms::{Ask, Terms};
use super::{Action, Actions, CatalogView, Limits, Resource, RowPredicate, Runs};
use crate::model::{Report, SqlState, Timestamp, User, misleads};

/// Reasons and tickets are no longer than this.
const TEXT_CHARS_MAX: usize = 1_000;

/// No grant but a standing one lasts longer.
const DURATION_MAX: Duration = Duration::from_secs(31 * 86_400);

/// No grant begins later than this.
const AHEAD_MAX: Duration = Duration::from_secs(31 * 86_400);

/// A group or subject named like this would be read as something else.
pub(super) fn nameable(user: &User) -> Result<(), Report> {
    match super::Subject::parse(&user.name) {
        Ok(super::Subject::User(_)) => Ok(()),
        Ok(super::Subject::Group(_) | super::Subject::Anyone) | Err(_) => {
            Err(invalid("a user of this name cannot hold grants, since it reads as something else"))
        }
    }
}

impl Ask {
    /// The ask with its names resolved and its rows read.
    ///
    /// # Errors
    /// The report says what is wrong with it.
    pub(super) fn read(&self, view: &CatalogView, now: Timestamp) -> Result<Terms, Report> {
        if self.actions.is_empty() {
            return Err(invalid("nothing to do was asked for: read, lookup, write or export"));
        }
        if self.duration.is_zero() || self.duration > DURATION_MAX {
            return Err(invalid("a grant lasts longer than nothing and at most 31 days"));
        }
        let reason = text("reason", &self.reason)?;
        if reason.is_empty() {
            return Err(invalid("a reason is needed"));
        }
        let ticket = match &self.ticket {
            Some(ticket) => Some(text("ticket", ticket)?).filter(|ticket| !ticket.is_empty()),
            None => None,
        };
        let Limits { max_rows, max_uses, max_subjects, unused } = self.limits;
        if [max_rows, max_uses, max_subjects].contains(&Some(0)) || unused == Some(Duration::ZERO) {
            return Err(invalid("a limit of nothing leaves nothing to grant"));
        }
        countable(self.actions, self.limits, self.runs)?;
        if self.runs == Runs::FromFirstUse && self.not_before.is_some() {
            return Err(invalid("a grant begins at a moment or with its first use, not both"));
        }
        let latest = now.checked_add(AHEAD_MAX).unwrap_or(now);
        if self.not_before.is_some_and(|start| start > latest) {
            return Err(invalid("a grant begins at most 31 days from now"));
        }
        if view.database == "*" {
            return Err(invalid("a grant is on one database, so it must be named"));
        }
        let resource = view.resolve(&self.resource).map_err(|error| {
            Report::error(SqlState::UNDEFINED_OBJECT, error.to_string())
                .hint("SELECT * FROM keyhole.catalog lists what can be asked for.")
        })?;
        let class = match &resource {
            Resource::Column(path) => view.class(path).map(str::to_owned),
            Resource::Table(_) | Resource::Class(_) | Resource::All => None,
        };
        Ok(Terms {
            database: view.database.clone(),
            rows: self.rows(&resource, view)?,
            resource,
            class,
            actions: self.actions,
            duration: self.duration,
            not_before: self.not_before,
            reason,
            ticket,
            limits: self.limits,
            runs: self.runs,
            urgency: self.urgency,
        })
    }

    fn rows(
        &self,
        resource: &Resource,
        view: &CatalogView,
    ) -> Result<Option<RowPredicate>, Report> {
        let Some(rows) = &self.rows else { return Ok(None) };
        let readable: Actions = [Action::Read, Action::Export].into_iter().collect();
        if !self.actions.is_subset(readable) {
            return Err(Report::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                "rows can be chosen for read and export only",
            ));
        }
        RowPredicate::parse(rows, resource, view)
            .map(Some)
            .map_err(|error| invalid(format!("rows: {error}")))
    }
}

/// Whether what the actions allow is counted, if it has to be.
///
/// # Errors
/// It is not.
pub(super) fn countable(actions: Actions, limits: Limits, runs: Runs) -> Result<(), Report> {
    let unsupported = |message: &str| Err(Report::error(SqlState::FEATURE_NOT_SUPPORTED, message));
    let in_rows = limits.max_rows.is_some() || limits.max_subjects.is_some();
    if in_rows && !actions.is_subset(Actions::READ) {
        return unsupported("rows and subjects can be counted for read only");
    }
    if actions.contains(Action::Write) && (!limits.is_none() || runs == Runs::FromFirstUse) {
        return unsupported("what is written is not counted: write takes a grant without limits");
    }
    Ok(())
}

/// Free text that is safe to show in a report or a log line.
pub(super) fn text(what: &str, text: &str) -> Result<String, Report> {
    let text = text.trim();
    if text.chars().count() > TEXT_CHARS_MAX || text.chars().any(misleads) {
        return Err(invalid(format!(
            "a {what} has at most {TEXT_CHARS_MAX} characters and no line breaks or marks that \
             turn its direction"
        )));
    }
    Ok(text.to_owned())
}

pub(super) fn invalid(message: impl Into<String>) -> Report {
    Report::error(SqlState::INVALID_PARAMETER_VALUE, message)
}
