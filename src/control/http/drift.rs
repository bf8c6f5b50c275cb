//! `/api/v1/drift`: where catalogs and their databases have moved apart.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Paging, Parameters};
use super::problem::Problem;
use super::sign_in::SignedIn;
use super::views::Page;
use super::who::operators_only;
use crate::control::Desk;
use crate::control::desk::{Database, Drifted};
use crate::discovery::drift::Found;
use crate::model::Timestamp;

/// Something that has moved apart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Drift)]
pub(super) struct DriftView {
    database: String,
    /// `problem`: the catalog says what is not so; `warning`: it says too little, or what may not be
    /// so any longer; `note`: it is hidden or refused already.
    severity: &'static str,
    /// `dangling`, `renamed`, `class`, `key`, `retyped`, `mask`, `new`, `uncatalogued`, `undecided`
    kind: &'static str,
    /// Of the relation that it is about.
    schema: Option<String>,
    table: Option<String>,
    column: Option<String>,
    /// In words.
    what: String,
    /// File and line of the catalog, if it speaks of it.
    place: Option<String>,
    /// Since when this proxy knows.
    since: Timestamp,
}

impl DriftView {
    fn new(database: &str, Found { drift, since }: &Found) -> Self {
        Self {
            database: database.to_owned(),
            severity: drift.severity.as_str(),
            kind: drift.kind.as_str(),
            schema: drift.table.as_ref().map(|table| table.schema.clone()),
            table: drift.table.as_ref().map(|table| table.name.clone()),
            column: drift.column.clone(),
            what: drift.words.clone(),
            place: Some(&drift.place).filter(|place| !place.is_empty()).cloned(),
            since: *since,
        }
    }

    fn of(database: &Database) -> impl Iterator<Item = Self> {
        let each = database.drift.iter().flat_map(Drifted::each);
        each.map(|(name, found)| Self::new(name, found))
    }
}

/// Where catalogs and their databases have moved apart
///
/// For operators. What `keyhole check` reports, as this proxy saw it last.
#[utoipa::path(
    get,
    path = "/api/v1/drift",
    tag = "catalog",
    operation_id = "drift",
    params(Paging),
    responses((status = 200, description = "What is worst first", body = Page<DriftView>)),
)]
pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Parameters(paging): Parameters<Paging>,
) -> Result<Json<Page<DriftView>>, Problem> {
    operators_only(&who)?;
    let databases = (desk.databases)();
    let views = databases.iter().flat_map(DriftView::of).collect();
    Ok(Json(paging.in_order(views)))
}
