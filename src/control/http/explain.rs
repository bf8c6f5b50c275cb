//! `/api/v1/explain`: what would become of a statement, without running it.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::body::Body;
use super::problem::Problem;
use super::sign_in::SignedIn;
use super::who::auditors_only;
use crate::analysis::SearchPath;
use crate::control::desk::{Asked, Deed};
use crate::control::{Desk, answer, lookup};
use crate::decision::{Dates, Encoding, Forms, Standpoint};
use crate::model::{Client, Report, SqlState};
use crate::session::Explanation;

/// Statements that are thought through at a time: each may take a processor for a while.
const AT_A_TIME: usize = 1;

/// Whose turn it is.
#[derive(Clone)]
pub(super) struct Turn(Arc<Semaphore>);

impl Default for Turn {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

/// A statement, of one's own unless said otherwise.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// As clients name it.
    database: String,
    statement: String,
    /// Where unqualified names are looked up; nothing: in `public`.
    search_path: Option<Vec<String>>,
    /// Somebody else whose statement it would be; for operators and who has the role `auditor`.
    #[serde(rename = "as")]
    of: Option<String>,
}

/// What would become of a statement
///
/// As in a session that has just begun, from the address that asks, with the grants that count now.
/// Nothing is run. `smallest_grant` says what to ask for so that nothing is hidden. Operators and
/// who has the role `auditor` may ask it for somebody else whom the configuration names, `as` them;
/// that they did is in the audit log, and grants that are bound to networks or applications do not
/// count then, as there is no connection.
#[utoipa::path(
    post,
    path = "/api/v1/explain",
    tag = "explain",
    operation_id = "explain",
    request_body = Question,
    responses((status = 200, description = "Also if it would be refused", body = Explanation)),
)]
pub(super) async fn explain(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Extension(Turn(turn)): Extension<Turn>,
    Body(Question { database, statement, search_path, of }): Body<Question>,
) -> Result<Json<Explanation>, Problem> {
    let of = of.filter(|name| **name != *who.user.name);
    let client = match of {
        None => who.operator().client(&database),
        Some(name) => somebody_else(&desk, &who, &name, &database)?,
    };
    let databases = (desk.databases)();
    let world = lookup::database(&databases, &database)?.world.clone();
    let world = world.ok_or_else(|| {
        let what = format!("the schema of database \"{database}\" could not be read yet");
        Report::error(SqlState::CANNOT_CONNECT_NOW, what)
    })?;
    let turn = turn.acquire_owned().await;
    let (grants, now) = (desk.approvals.table(), (desk.clock)());
    let schemas = search_path.unwrap_or_else(|| vec!["public".to_owned()]);
    let path = SearchPath(std::iter::once("pg_catalog".to_owned()).chain(schemas).collect());
    let explaining = tokio::task::spawn_blocking(move || {
        let forms = Forms { encoding: Encoding::Utf8, dates: Dates::Iso };
        let standpoint = Standpoint { world: &world, client: &client, grants: &grants, now, forms };
        let explanation = Explanation::new(&statement, &path, standpoint);
        drop(turn);
        explanation
    });
    let failed =
        |_| Report::error(SqlState::INTERNAL_ERROR, "the statement could not be explained");
    Ok(Json(explaining.await.map_err(failed)?))
}

/// Somebody else, as a client; that this was asked is on record.
///
/// # Errors
/// It is not for whoever asks, or the configuration names no such user.
fn somebody_else(
    desk: &Desk,
    who: &SignedIn,
    name: &str,
    database: &str,
) -> Result<Client, Problem> {
    auditors_only(who)?;
    let unknown = || {
        let problem = Problem::not_found("the configuration names no such user");
        problem.hint("Whom only a directory or an issuer knows is nobody's to ask for.")
    };
    let user = (desk.named)(name).ok_or_else(unknown)?;
    let asked = Asked::of(|name| name == "explain");
    answer::record_about(desk, &who.operator(), Deed::Explore(asked), name);
    Ok(Client { user, address: None, application: "".into(), database: database.into() })
}
