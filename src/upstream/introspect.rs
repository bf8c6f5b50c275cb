//! Reads a database's schema into a [`Snapshot`], over a connection of the proxy's own.
//!
//! A fixed number of questions in one REPEATABLE READ transaction; what belongs together is put
//! together here and not by a question per object.

mod assemble;
pub(super) mod queries;
mod types;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, IsolationLevel, Row, SimpleQueryMessage, Transaction};

use crate::model::{Epoch, Oid, RelationName};
use crate::schema::{Identity, Operator, Snapshot, TypeCode};
use assemble::{Dependencies, Relations};
use types::Types;

/// `search_path` empty for one transaction: operators mean `pg_catalog`'s, and PostgreSQL prints
/// names of everything else qualified.
const EMPTY_PATH: &str = "SELECT pg_catalog.set_config('search_path', '', true)";

/// A schema that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum IntrospectError {
    #[error("the schema could not be read")]
    Database(#[from] tokio_postgres::Error),
    #[error("the server answered the question for the schema's version with nothing")]
    NoVersion,
}

/// Reads the whole schema; the snapshot gets `epoch`.
///
/// Cancel safe: a dropped future rolls its transaction back before the client's next statement.
///
/// # Errors
/// [`IntrospectError`] when the connection or a query fails. Objects that are dropped meanwhile can
/// make a query fail, so the caller should try again.
pub async fn read(client: &mut Client, epoch: Epoch) -> Result<Snapshot, IntrospectError> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    transaction.batch_execute(EMPTY_PATH).await?;
    let snapshot = read_in(&transaction, epoch).await?;
    transaction.commit().await?;
    Ok(snapshot)
}

/// A short text that changes with everything that [`read`] would read; in one round trip.
///
/// # Errors
/// [`IntrospectError`] when the connection or the query fails.
pub async fn schema_version(client: &Client) -> Result<String, IntrospectError> {
    // Statements of one message are one transaction, so the setting ends with it.
    let both = format!("{EMPTY_PATH};{}", queries::VERSION);
    let mut version = None;
    for message in client.simple_query(&both).await? {
        if let SimpleQueryMessage::Row(row) = message {
            version = row.get(0).map(str::to_owned);
        }
    }
    version.filter(|text| !text.is_empty()).ok_or(IntrospectError::NoVersion)
}

/// Which database this is.
///
/// # Errors
/// [`IntrospectError`] when the connection or the query fails.
pub async fn identity(client: &Client) -> Result<Identity, IntrospectError> {
    let row = client.query_one(queries::DATABASE, &[]).await?;
    let system = match client.query_one(queries::SYSTEM, &[]).await {
        Ok(row) => Some(row.try_get(0)?),
        // Not permitted, or a server that has none; a lost connection is an error.
        Err(error) if error.as_db_error().is_some() && !client.is_closed() => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Identity { system, database: row.try_get(0)?, name: row.try_get(1)? })
}

async fn read_in(tx: &Transaction<'_>, epoch: Epoch) -> Result<Snapshot, IntrospectError> {
    // First of all: what changes while the rest is read must show as a newer version.
    let version = tx.query_one(queries::VERSION, &[]).await?.try_get(0)?;
    let server_version: i32 = tx.query_one(queries::VERSION_NUM, &[]).await?.try_get(0)?;
    let schemas = column(&rows(tx, queries::SCHEMAS).await?)?;

    let mut relations = Relations::new(&rows(tx, queries::RELATIONS).await?)?;
    let types = rows(tx, queries::VALUE_TYPES).await?;
    relations.columns(&rows(tx, queries::COLUMNS).await?, &types)?;
    relations.generated(&rows(tx, queries::GENERATED).await?)?;
    relations.parents(&rows(tx, queries::PARENTS).await?)?;
    relations.triggers(&rows(tx, queries::TRIGGERS).await?)?;
    relations.indexes(&rows(tx, queries::INDEXES).await?)?;
    relations.constraints(&rows(tx, queries::CONSTRAINTS).await?)?;
    relations.texts(&rows(tx, queries::TEXTS).await?)?;

    let operators = rows(tx, queries::OPERATORS).await?;
    let types = Types::new(&rows(tx, queries::TYPE_CALLS).await?)?;
    let parts = rows(tx, queries::TYPE_PARTS).await?;
    let needs = rows(tx, queries::DEPENDENCIES).await?;
    let dependencies = Dependencies::new(&needs, &operators, types, &parts)?;
    dependencies.fill(&mut relations);
    let functions = assemble::functions(
        &rows(tx, queries::FUNCTIONS).await?,
        &rows(tx, queries::AGGREGATES).await?,
        &dependencies,
    )?;
    let type_code = type_code(tx, dependencies.types).await?;

    let mut snapshot = Snapshot::new(
        epoch,
        u32::try_from(server_version).unwrap_or_default(),
        relations.into_vec(),
        functions,
        schemas,
    );
    snapshot.version = version;
    snapshot.operators = operators
        .iter()
        .map(|row| {
            let (symbol, function) = (row.try_get(1)?, row.try_get(2)?);
            Ok(Operator { symbol, function, function_name: row.try_get(3)? })
        })
        .collect::<Result<_, tokio_postgres::Error>>()?;
    snapshot.types = type_code;
    for row in rows(tx, queries::ROW_TYPES).await? {
        snapshot.row_types.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(snapshot)
}

/// Types with the user-defined functions that they run.
async fn type_code(tx: &Transaction<'_>, types: Types) -> Result<Vec<TypeCode>, IntrospectError> {
    let mut calls = types.into_all();
    let oids: Vec<Oid> = calls.keys().copied().collect();
    let parameters: [&(dyn ToSql + Sync); 1] = [&oids];
    let names = tx.query(queries::TYPE_NAMES, &parameters).await?;
    let mut types = Vec::with_capacity(names.len());
    for row in &names {
        let oid: Oid = row.try_get(0)?;
        let name = RelationName::new(row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?);
        let calls = calls.remove(&oid).unwrap_or_default().into_iter().collect();
        types.push(TypeCode { oid, name, calls });
    }
    Ok(types)
}

async fn rows(tx: &Transaction<'_>, query: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
    tx.query(query, &[]).await
}

fn column(rows: &[Row]) -> Result<Vec<String>, tokio_postgres::Error> {
    rows.iter().map(|row| row.try_get(0)).collect()
}
