//! What somebody does for themselves.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::table::{self, Shown};
use super::{Extend, Request};
use crate::cli::api::{Api, ApiError, Connection};
use crate::cli::{failed, report};

pub(super) async fn request(request: &Request) -> Result<ExitCode, ApiError> {
    let api = Api::open(&request.connection).await?;
    let mut body = request.terms.body();
    if request.break_glass {
        body.insert("break_glass".to_owned(), true.into());
    }
    let filed = api.post("/requests", &body.into()).await?;
    let wait = request.wait || !request.command.is_empty();
    if wait && filed["state"] == "pending" {
        report(format_args!(
            "keyhole: request {} waits for {} by {}",
            filed["id"],
            filed["approvals_needed"],
            table::words(&filed["approvers"])
        ));
    }
    let decided = if wait { decided(&api, filed).await? } else { filed };
    if request.command.is_empty() || decided["state"] != "approved" {
        Shown::Request.one(&request.connection, &decided);
        return Ok(code(&decided));
    }
    let (program, arguments) = request.command.split_at(1);
    let status = tokio::process::Command::new(&program[0]).args(arguments).status().await;
    match status {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
        }
        Err(error) => Ok(failed(&format!("{} cannot be run: {error}", program[0]))),
    }
}

pub(super) async fn extend(extend: &Extend) -> Result<ExitCode, ApiError> {
    let Extend { connection, duration, reason, wait, grant } = extend;
    let api = Api::open(connection).await?;
    let body = json!({ "duration": duration, "reason": reason });
    let filed = api.post(&format!("/grants/{grant}/extend"), &body).await?;
    let decided = if *wait { decided(&api, filed).await? } else { filed };
    Shown::Request.one(connection, &decided);
    Ok(code(&decided))
}

pub(super) async fn cancel(connection: &Connection, id: u64) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    let cancelled = api.post(&format!("/requests/{id}/cancel"), &json!({})).await?;
    Shown::Request.one(connection, &cancelled);
    Ok(())
}

pub(super) async fn requests(
    connection: &Connection,
    wanted: &[(&str, Option<&str>)],
) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    Shown::Request.list(connection, &all(&api, "/requests", wanted).await?);
    Ok(())
}

pub(super) async fn grants(
    connection: &Connection,
    wanted: &[(&str, Option<&str>)],
) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    Shown::Grant.list(connection, &all(&api, "/grants", wanted).await?);
    Ok(())
}

/// What becomes of a request that waits: asked again until it is decided.
async fn decided(api: &Api, filed: Value) -> Result<Value, ApiError> {
    let mut request = filed;
    while request["state"] == "pending" {
        request = api.get(&format!("/requests/{}?wait=30", request["id"])).await?;
    }
    Ok(request)
}

/// Every page of a list.
async fn all(
    api: &Api,
    path: &str,
    wanted: &[(&str, Option<&str>)],
) -> Result<Vec<Value>, ApiError> {
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let mut query = form_urlencoded::Serializer::new(String::from("limit=1000"));
        for (name, value) in wanted {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if let Some(before) = before {
            query.append_pair("before", &format!("{before}"));
        }
        let mut page = api.get(&format!("{path}?{}", query.finish())).await?;
        if let Value::Array(items) = page["items"].take() {
            found.extend(items);
        }
        match page["next_before"].as_u64() {
            Some(next) => before = Some(next),
            None => return Ok(found),
        }
    }
}

fn code(request: &Value) -> ExitCode {
    match request["state"].as_str() {
        Some("pending" | "approved") => ExitCode::SUCCESS,
        Some(_) | None => ExitCode::FAILURE,
    }
}
