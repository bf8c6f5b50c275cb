//! `/api/v1/databases` and `/api/v1/catalog`: what there is, what of it is personal data, and who
//! sees it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{Listed, Paging, Parameters};
use super::policies::{PolicyView, class_of, visible};
use super::problem::Problem;
use super::sign_in::SignedIn;
use super::views::{GrantJson, Page};
use crate::control::desk::Database;
use crate::control::{Desk, lookup, show};
use crate::grant::{GrantState, Pattern};

/// A database behind the proxy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Database)]
pub(super) struct DatabaseView {
    /// As clients name it; `*` stands for every name without an entry of its own.
    name: String,
    /// Host, port and database; for operators.
    upstream: Option<String>,
    /// Of PostgreSQL: 180001. None: its schema could not be read yet.
    server_version: Option<u64>,
    catalogued_columns: u64,
    relations: Option<u64>,
    schema_epoch: Option<u64>,
}

impl DatabaseView {
    fn new(database: &Database, who: &SignedIn) -> Self {
        let schema = database.schema();
        let columns = database.catalog.tables.iter().map(|table| table.columns.len());
        Self {
            name: database.name.clone(),
            upstream: who.is_operator().then(|| database.upstream.clone()),
            server_version: schema.map(|schema| u64::from(schema.server_version)),
            catalogued_columns: columns.sum::<usize>() as u64,
            relations: schema.map(|schema| schema.relations.len() as u64),
            schema_epoch: schema.map(|schema| schema.epoch.0),
        }
    }
}

/// The databases behind the proxy
#[utoipa::path(
    get,
    path = "/api/v1/databases",
    tag = "catalog",
    operation_id = "databases",
    params(Paging),
    responses((
        status = 200,
        description = "In the configuration's order",
        body = Page<DatabaseView>,
    )),
)]
pub(super) async fn databases(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Parameters(paging): Parameters<Paging>,
) -> Json<Page<DatabaseView>> {
    let databases = (desk.databases)();
    let views = databases.iter().map(|database| DatabaseView::new(database, &who)).collect();
    Json(paging.in_order(views))
}

/// A column of the catalog.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CatalogColumn)]
pub(super) struct ColumnView {
    database: String,
    schema: String,
    table: String,
    column: String,
    class: String,
    /// What is shown instead, or `deny`.
    hiding: Option<String>,
    sensitivity: Option<String>,
    /// `exists`, `missing`, or `unknown` as long as the schema could not be read.
    upstream: &'static str,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only those of this database, as the configuration names it.
    database: Option<String>,
    /// Only those of tables of this name.
    table: Option<String>,
    /// Only those of this class.
    class: Option<String>,
}

/// Which columns are personal data
///
/// For everybody who is signed in, as it is what can be asked for.
#[utoipa::path(
    get,
    path = "/api/v1/catalog",
    tag = "catalog",
    operation_id = "catalog",
    params(Wanted, Paging),
    responses((status = 200, description = "Some of them", body = Page<ColumnView>)),
)]
pub(super) async fn columns(
    State(desk): State<Arc<Desk>>,
    _who: SignedIn,
    Listed(Wanted { database, table, class }, paging): Listed<Wanted>,
) -> Json<Page<ColumnView>> {
    let is =
        |asked: &Option<String>, there: &str| asked.as_deref().is_none_or(|asked| asked == there);
    let databases = (desk.databases)();
    let mut all: Vec<ColumnView> =
        databases.iter().filter(|one| is(&database, &one.name)).flat_map(of).collect();
    all.retain(|column| is(&table, &column.table) && is(&class, &column.class));
    Json(paging.in_order(all))
}

fn of(database: &Database) -> Vec<ColumnView> {
    let tables = database.catalog.tables.iter();
    let columns = tables.flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let view = |(table, (column, class)): (&crate::catalog::Table, (&String, &String))| {
        let known = database.catalog.classes.get(class);
        ColumnView {
            database: database.name.clone(),
            schema: table.name.schema.clone(),
            table: table.name.name.clone(),
            column: column.clone(),
            class: class.clone(),
            hiding: known.map(show::hiding),
            sensitivity: known.and_then(|class| class.sensitivity.clone()),
            upstream: show::upstream(database, &table.name, column),
        }
    };
    columns.map(view).collect()
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// `customers.email`, `customers`, `class:email`
    resource: String,
    /// The database of the resource, if more than one knows it.
    database: Option<String>,
}

/// Who sees something raw, and who could.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Access)]
pub(super) struct AccessView {
    database: String,
    /// With its schema.
    resource: String,
    /// Of a column.
    class: Option<String>,
    /// Grants that count now.
    now: Vec<GrantJson>,
    /// Policies by which it can be asked for.
    could: Vec<PolicyView>,
}

/// Who could see this column?
///
/// Of grants and policies, those that whoever asks may see.
#[utoipa::path(
    get,
    path = "/api/v1/catalog/access",
    tag = "catalog",
    operation_id = "access",
    params(Asked),
    responses((status = 200, description = "Grants and policies that cover it", body = AccessView)),
)]
pub(super) async fn access(
    State(desk): State<Arc<Desk>>,
    who: SignedIn,
    Parameters(Asked { resource, database }): Parameters<Asked>,
) -> Result<Json<AccessView>, Problem> {
    let (view, resource) = lookup::resource(&(desk.databases)(), database.as_deref(), &resource)?;
    let class = class_of(&view, &resource);
    let mut grants = desk.approvals.grants();
    grants.retain(|grant| {
        let counts = matches!(grant.state, GrantState::Active | GrantState::Standing);
        let of = &grant.grant;
        let on = Pattern { database: of.database.clone(), resource: of.resource.clone() };
        counts && who.may_see_grant(grant) && on.covers(&view.database, &resource, class)
    });
    Ok(Json(AccessView {
        could: visible(&desk, &who, Some((&view, &resource))),
        now: grants.iter().map(GrantJson::from).collect(),
        class: class.map(str::to_owned),
        database: view.database.clone(),
        resource: resource.to_string(),
    }))
}
