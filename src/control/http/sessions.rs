//! `/api/v1/sessions`: who is connected to the data port.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{Body, Id, Listed, Paging};
use super::problem::Problem;
use super::requests::Nothing;
use super::sign_in::SignedIn;
use super::views::Page;
use super::who::operators_only;
use crate::control::grammar::Command;
use crate::control::{Desk, answer};
use crate::model::{ColumnPath, Timestamp};
use crate::telemetry::sessions::Session;

/// A session on the data port.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionView {
    /// Each start of the proxy counts from 1.
    id: u64,
    user: String,
    groups: Vec<String>,
    database: String,
    /// None: a Unix socket.
    address: Option<String>,
    application: String,
    /// `idle`, `active`, `idle in transaction` or `idle in failed transaction`
    state: &'static str,
    since: Timestamp,
    statements: u64,
    /// What its last decision showed raw.
    raw_columns: Vec<String>,
    /// By which grants.
    grants: Vec<u64>,
}

impl From<&Session> for SessionView {
    fn from(session: &Session) -> Self {
        let (facts, exposure) = (&session.facts, session.exposure());
        Self {
            id: session.id,
            user: facts.user.to_string(),
            groups: facts.groups.to_vec(),
            database: facts.database.to_string(),
            address: facts.address.map(|address| address.to_string()),
            application: facts.application.to_string(),
            state: session.state().as_str(),
            since: facts.since,
            statements: session.statements(),
            raw_columns: exposure.columns.iter().map(ColumnPath::to_string).collect(),
            grants: exposure.grants.clone(),
        }
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only those of this user.
    user: Option<String>,
    /// Only those on this database.
    database: Option<String>,
}

/// Who is connected
///
/// Operators see all sessions, others their own. The newest first.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    tag = "sessions",
    operation_id = "sessions",
    params(Wanted, Paging),
    responses((status = 200, description = "Some of them", body = Page<SessionView>)),
)]
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Listed(Wanted { user, database }, paging): Listed<Wanted>,
) -> Json<Page<SessionView>> {
    let is_wanted = |session: &Session| {
        let facts = &session.facts;
        (who.is_operator() || facts.user == who.user.name)
            && user.as_deref().is_none_or(|name| *name == *facts.user)
            && database.as_deref().is_none_or(|name| *name == *facts.database)
    };
    let sessions = desk.sessions.list();
    let views = sessions.iter().filter(|one| is_wanted(one)).map(|one| (&**one).into()).collect();
    Json(paging.newest(views, |view: &SessionView| view.id))
}

/// A session is asked to end.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Killed {
    /// Its id.
    killed: u64,
}

/// End a session
///
/// For operators. It ends at its next step; a result that is under way is cut.
#[utoipa::path(
    post,
    path = "/api/v1/sessions/{id}/kill",
    tag = "sessions",
    operation_id = "kill_session",
    params(("id" = u64, Path, description = "The session")),
    request_body = Nothing,
    responses((status = 200, description = "It is asked to end", body = Killed)),
)]
pub(super) async fn kill(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Id(id): Id,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Json<Killed>, Problem> {
    operators_only(&who)?;
    answer::answer(&desk, &who.operator(), &Command::KillSession(id)).await?;
    Ok(Json(Killed { killed: id }))
}
