//! Names that people write, looked up in the catalogs of the databases.

use super::desk::Database;
use crate::audit::query::Named;
use crate::grant::{CatalogView, Resource, ResourceError, Scope};
use crate::model::{Report, SqlState};

/// The catalog that a resource is looked up in: of the database that is named, or of the only one
/// that knows it.
///
/// # Errors
/// No such database; none, or more than one, that knows the resource.
pub(super) fn view(
    databases: &[Database],
    database: Option<&str>,
    resource: &str,
) -> Result<CatalogView, Report> {
    match database {
        Some(name) => named(databases, name),
        None => only(databases, resource),
    }
}

/// A resource, and the catalog that knows it.
///
/// # Errors
/// As [`view`], and a resource that the catalog does not know.
pub(super) fn resource(
    databases: &[Database],
    database: Option<&str>,
    text: &str,
) -> Result<(CatalogView, Resource), Report> {
    let view = view(databases, database, text)?;
    let resource = view.resolve(text).map_err(|error| unclear(&error))?;
    Ok((view, resource))
}

/// Every grant on something of the resource.
///
/// # Errors
/// As [`view`], and a resource that the catalog does not know.
pub(super) fn scope(
    databases: &[Database],
    database: Option<&str>,
    resource: &str,
) -> Result<Scope, Report> {
    let (view, resource) = self::resource(databases, database, resource)?;
    let classes = view.classes_of(&resource);
    Ok(Scope::On { database: view.database.clone(), resource, classes })
}

/// The catalogs, as questions to the audit log know them.
pub(super) fn catalogs(databases: &[Database]) -> impl Iterator<Item = Named<'_>> + Clone {
    databases.iter().map(|database| {
        let name = Some(database.name.as_str()).filter(|name| *name != Database::ANY);
        (name, &*database.catalog)
    })
}

/// The catalog of the database that a client gets when it asks for `name`.
fn named(databases: &[Database], name: &str) -> Result<CatalogView, Report> {
    database(databases, name).map(|database| database.view(name))
}

/// The database that a client gets when it asks for `name`.
///
/// # Errors
/// There is none.
pub(super) fn database<'d>(databases: &'d [Database], name: &str) -> Result<&'d Database, Report> {
    databases
        .iter()
        .find(|database| database.name == name)
        .or_else(|| databases.iter().find(|database| database.name == Database::ANY))
        .ok_or_else(|| {
            Report::error(
                SqlState::INVALID_CATALOG_NAME,
                format!("database \"{name}\" does not exist"),
            )
            .hint("SHOW DATABASES lists the databases behind the proxy.")
        })
}

/// The catalog of the only database that knows the resource.
fn only(databases: &[Database], text: &str) -> Result<CatalogView, Report> {
    let views: Vec<_> = databases.iter().map(|database| database.view(&database.name)).collect();
    let (view, _) = CatalogView::pick(&views, text).map_err(|error| unclear(&error))?;
    if view.database == Database::ANY {
        return Err(Report::error(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("{text} may be in any database of its server"),
        )
        .hint("Name the database: IN shop on the console, \"database\" in a request of the API."));
    }
    Ok(view.clone())
}

/// In which words a name is refused.
pub(super) fn unclear(error: &ResourceError) -> Report {
    let state = match error {
        ResourceError::Unknown { .. } | ResourceError::Nowhere { .. } => SqlState::UNDEFINED_OBJECT,
        ResourceError::Shape(_) | ResourceError::Ambiguous { .. } => {
            SqlState::INVALID_PARAMETER_VALUE
        }
    };
    Report::error(state, error.to_string())
        .hint("SHOW CATALOG lists what can be granted; IN names the database.")
}
