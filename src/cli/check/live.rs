//! The catalog of one database, held against the database itself.

use std::collections::HashMap;
use std::time::Duration;

use super::with_cause;
use crate::analysis::sensitive::Sensitive;
use crate::config::{Config, DatabaseConfig, UpstreamDatabase};
use crate::discovery::ColumnFacts;
use crate::discovery::drift::{self, Drift, Sides, Values};
use crate::model::{ColumnPath, Epoch};
use crate::server::preview;
use crate::store::tags::TagFiles;
use crate::upstream::{introspect, own, sampling};

const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What a database was found to be.
#[derive(Default)]
pub(super) struct Live {
    pub(super) drift: Vec<Drift>,
    /// What could not be looked at, and what that means.
    pub(super) warnings: Vec<String>,
}

/// What the catalog says and the live schema does not, and the other way round.
///
/// # Errors
/// Why nobody could look, a line for each reason.
pub(super) async fn look(config: &Config, database: &DatabaseConfig) -> Result<Live, Vec<String>> {
    let name = match &database.upstream.database {
        UpstreamDatabase::Named(name) => name,
        // Any database of the server: there is no one schema to hold the catalog against.
        UpstreamDatabase::AsRequested => return Ok(Live::default()),
    };
    let here = |message: &str| format!("{}: database \"{name}\": {message}", database.place);
    let wrong = |message: String| vec![here(&message)];
    let targets = preview::targets(config.clone(), database.name.as_str());
    let targets = targets.map_err(|error| wrong(error.to_string()))?;
    let (Some(target), accounts) = (targets.first(), targets.iter().skip(1)) else {
        return Ok(Live::default());
    };
    let connected = own::connect(target).await;
    let (mut client, connection) = connected.map_err(|error| wrong(with_cause(&error)))?;
    #[expect(clippy::disallowed_methods, reason = "a task of this command, gone with its client")]
    tokio::spawn(connection);
    let mut problems = Vec::new();
    for account in accounts {
        if let Err(error) = own::connect(account).await {
            problems.push(here(&format!("account \"{}\": {}", account.user, with_cause(&error))));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let reading = async {
        let schema = introspect::read(&mut client, Epoch::default()).await;
        let schema = schema.map_err(|error| with_cause(&error))?;
        let identity = introspect::identity(&client).await.map_err(|error| with_cause(&error))?;
        Ok((schema, identity))
    };
    let read = tokio::time::timeout(READ_TIMEOUT, reading).await;
    let read =
        read.unwrap_or_else(|_| Err(format!("the schema was not read within {READ_TIMEOUT:?}")));
    let (schema, identity) = read.map_err(wrong)?;
    // What a proxy has found out before: renamed columns among it.
    let files = TagFiles::beside(config.store.beside());
    let tags = files.load(database.name.as_str(), &identity, &schema);
    let tags = tags.map_err(|error| wrong(error.to_string()))?;
    let (mut warnings, catalog) = (Vec::new(), &database.catalog);
    let memory = files.recall(database.name.as_str(), &identity, &schema);
    let memory = memory.unwrap_or_else(|error| {
        warnings.push(here(&error.to_string()));
        drift::Memory::default()
    });
    let unclassified = config.enforcement.unclassified;
    let bound = Sensitive::bind(&schema, catalog, &tags, unclassified);
    let (sensitive, _, problems) = bound.map_err(|error| wrong(error.to_string()))?;
    if config.databases.iter().all(|database| database.catalog.names_nothing()) {
        // Nobody has begun: `keyhole scan` says where to.
        return Ok(Live { drift: problems.iter().map(Drift::from).collect(), warnings });
    }
    let facts = sampling::facts(client).await.unwrap_or_else(|error| {
        let why = with_cause(&error);
        warnings.push(here(&format!("columns go by their names and types alone: {why}")));
        HashMap::<ColumnPath, ColumnFacts>::new()
    });
    let sides = Sides {
        catalog,
        schema: &schema,
        sensitive: &sensitive,
        problems: &problems,
        facts: &facts,
        memory: &memory.renewed(catalog, &schema),
        values: &Values::default(),
    };
    Ok(Live { drift: drift::find(sides), warnings })
}

/// One line; what no line of the catalog says is said of the database.
pub(super) fn line(database: &DatabaseConfig, drift: &Drift) -> String {
    match &database.upstream.database {
        UpstreamDatabase::Named(name) if drift.place.is_empty() => {
            format!("{}: database \"{name}\": {}", database.place, drift.words)
        }
        UpstreamDatabase::Named(_) | UpstreamDatabase::AsRequested => drift.to_string(),
    }
}
