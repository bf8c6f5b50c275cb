//! Who may ask for what concerns everybody.

use super::problem::Problem;
use super::sign_in::SignedIn;
use crate::model::{ROLE_AUDITOR, Report, SqlState};

/// # Errors
/// The console would not be open to them either.
pub(super) fn operators_only(who: &SignedIn) -> Result<(), Problem> {
    if who.is_operator() { Ok(()) } else { Err(lacks("this needs the role \"control\"")) }
}

/// # Errors
/// They are neither operator nor auditor.
pub(super) fn auditors_only(who: &SignedIn) -> Result<(), Problem> {
    if who.is_operator() || who.user.has_role(ROLE_AUDITOR) {
        return Ok(());
    }
    Err(lacks("this needs the role \"auditor\" or \"control\""))
}

fn lacks(what: &str) -> Problem {
    let report = Report::error(SqlState::INSUFFICIENT_PRIVILEGE, what);
    report.hint("Roles stand in the proxy's configuration.").into()
}
