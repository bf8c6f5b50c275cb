//! The tables, and how they came to be what they are.

use tokio_postgres::{Client, Error};

use crate::store::approvals::StoreError;

/// One step for each version; those that were released never change.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE keyhole.head (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        version integer NOT NULL,
        store_id text NOT NULL,
        sequence bigint NOT NULL,
        seen_at timestamptz
    );
    CREATE TABLE keyhole.event (
        id bigint PRIMARY KEY,
        mark text NOT NULL,
        at text NOT NULL,
        kind text NOT NULL,
        body text NOT NULL
    );
    REVOKE UPDATE, DELETE, TRUNCATE ON keyhole.event FROM CURRENT_USER;
"];

/// Grows when older programs would misread what is there.
pub(super) const VERSION: i32 = 1;

/// Held while tables are made or changed, so that proxies that start at once do not collide.
const MIGRATION_LOCK: i64 = 0x006b_6579_686f_6c65;

/// Makes the tables what this program knows, on a connection that is to be closed then.
///
/// # Errors
/// [`StoreError::Newer`] for tables of a later program, [`StoreError::Schema`] without the right
/// to make them.
pub(super) async fn prepare(client: &mut Client, place: &str) -> Result<(), StoreError> {
    if version(client, place).await? == Some(VERSION) {
        return Ok(());
    }
    let failed = |source: Error| StoreError::Database { place: place.to_owned(), source };
    // Before the transaction: one that was begun earlier would not see what was made meanwhile.
    let lock = format!(
        "SET lock_timeout = '60s'; SET statement_timeout = '60s'; \
         SELECT pg_advisory_lock({MIGRATION_LOCK})"
    );
    client.batch_execute(&lock).await.map_err(failed)?;
    migrate(client, place).await
}

/// On a connection that ends after it, and gives the lock free.
async fn migrate(client: &mut Client, place: &str) -> Result<(), StoreError> {
    let failed = |source: Error| StoreError::Database { place: place.to_owned(), source };
    let change = client.transaction().await.map_err(failed)?;
    let patient = "SET LOCAL idle_in_transaction_session_timeout = '60s'";
    change.batch_execute(patient).await.map_err(failed)?;
    // Somebody else may have been quicker.
    let found = version(change.client(), place).await?;
    if found.is_none() {
        let exists = "SELECT to_regnamespace('keyhole') IS NOT NULL";
        let exists: bool = change.query_one(exists, &[]).await.map_err(failed)?.get(0);
        if !exists {
            may_create(change.client(), place).await?;
            change.batch_execute("CREATE SCHEMA keyhole").await.map_err(failed)?;
        }
    }
    let done = usize::try_from(found.unwrap_or(0)).unwrap_or(0);
    for step in MIGRATIONS.iter().skip(done) {
        change.batch_execute(step).await.map_err(failed)?;
    }
    let set = match found {
        None => {
            let head = "INSERT INTO keyhole.head (version, store_id, sequence) VALUES ($1, $2, 0)";
            let id = format!("{:032x}", rand::random::<u128>());
            change.execute(head, &[&VERSION, &id]).await
        }
        Some(_) => change.execute("UPDATE keyhole.head SET version = $1", &[&VERSION]).await,
    };
    set.map_err(failed)?;
    change.commit().await.map_err(failed)
}

/// The version of the tables; None if there are none.
pub(super) async fn version(
    client: &impl tokio_postgres::GenericClient,
    place: &str,
) -> Result<Option<i32>, StoreError> {
    let failed = |source: Error| StoreError::Database { place: place.to_owned(), source };
    let exists = "SELECT to_regclass('keyhole.head') IS NOT NULL";
    if !client.query_one(exists, &[]).await.map_err(failed)?.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = client.query_opt("SELECT version FROM keyhole.head", &[]).await.map_err(failed)?;
    let row = row.ok_or_else(|| StoreError::Headless { place: place.to_owned() })?;
    let found = row.try_get(0).map_err(failed)?;
    if found > VERSION {
        return Err(StoreError::Newer { place: place.to_owned(), found, known: VERSION });
    }
    Ok(Some(found))
}

pub(super) async fn store_id(client: &Client, place: &str) -> Result<String, StoreError> {
    let failed = |source: Error| StoreError::Database { place: place.to_owned(), source };
    let row = client.query_opt("SELECT store_id FROM keyhole.head", &[]).await.map_err(failed)?;
    let row = row.ok_or_else(|| StoreError::Headless { place: place.to_owned() })?;
    row.try_get(0).map_err(failed)
}

/// # Errors
/// [`StoreError::Schema`], with what somebody else has to do.
pub(super) async fn may_create(
    client: &impl tokio_postgres::GenericClient,
    place: &str,
) -> Result<(), StoreError> {
    let failed = |source: Error| StoreError::Database { place: place.to_owned(), source };
    let may = "SELECT to_regnamespace('keyhole') IS NOT NULL \
               OR has_database_privilege(current_database(), 'CREATE'), \
               quote_ident(current_user)";
    let row = client.query_one(may, &[]).await.map_err(failed)?;
    if row.try_get(0).map_err(failed)? {
        return Ok(());
    }
    let user: String = row.try_get(1).map_err(failed)?;
    let sql = format!("CREATE SCHEMA keyhole AUTHORIZATION {user}");
    Err(StoreError::Schema { place: place.to_owned(), sql })
}
