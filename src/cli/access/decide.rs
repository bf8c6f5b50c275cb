//! What somebody does about others' access.

use serde_json::{Map, json};

use super::{Approve, Revoke, Terms};
use crate::cli::api::{Api, ApiError, Connection};
use crate::cli::{prompt, report, say, shown};

pub(super) async fn approve(approve: &Approve) -> Result<(), ApiError> {
    let Approve { connection, code, signature, id } = approve;
    let api = Api::open(connection).await?;
    let mut body = Map::new();
    if *code {
        let code = prompt::quietly(|| prompt::ask("Code: ")).await.map_err(ApiError::Failed)?;
        body.insert("code".to_owned(), code.expose().into());
    }
    if let Some(signature) = signature {
        body.insert("signature".to_owned(), signature.as_str().into());
    }
    let approved = api.post(&format!("/requests/{id}/approve"), &body.into()).await?;
    shown::REQUEST.one(connection, &approved);
    Ok(())
}

pub(super) async fn challenge(connection: &Connection, id: u64) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    let answer = api.get(&format!("/requests/{id}/challenge")).await?;
    match answer["challenge"].as_str() {
        Some(challenge) if !connection.json => say(challenge),
        Some(_) | None => say(&answer),
    }
    Ok(())
}

pub(super) async fn deny(connection: &Connection, reason: &str, id: u64) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    let denied = api.post(&format!("/requests/{id}/deny"), &json!({ "reason": reason })).await?;
    shown::REQUEST.one(connection, &denied);
    Ok(())
}

pub(super) async fn grant(
    connection: &Connection,
    terms: &Terms,
    to: &str,
) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    let mut body = terms.body();
    body.insert("subject".to_owned(), to.into());
    let granted = api.post("/grants", &body.into()).await?;
    if let Some(warning) = granted["warning"].as_str() {
        report(format_args!("keyhole: {warning}"));
    }
    shown::GRANT.one(connection, &granted);
    Ok(())
}

pub(super) async fn review(
    connection: &Connection,
    note: &str,
    grant: u64,
) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    let reviewed = api.post(&format!("/grants/{grant}/review"), &json!({ "note": note })).await?;
    shown::GRANT.one(connection, &reviewed);
    Ok(())
}

pub(super) async fn revoke(revoke: &Revoke) -> Result<(), ApiError> {
    let Revoke { connection, grant, all, of, on, database } = revoke;
    let api = Api::open(connection).await?;
    if let Some(grant) = grant {
        let revoked = api.post(&format!("/grants/{grant}/revoke"), &json!({})).await?;
        shown::GRANT.one(connection, &revoked);
        return Ok(());
    }
    let body = json!({ "all": all, "subject": of, "resource": on, "database": database });
    let revoked = api.post("/grants/revoke", &body).await?;
    if connection.json {
        say(&revoked);
    } else {
        say(format_args!("revoked: {}", revoked["revoked"].as_array().map_or(0, Vec::len)));
    }
    Ok(())
}
