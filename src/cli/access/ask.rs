//! What somebody does for themselves.

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::wait::{Interrupts, Outcome, waited};
use super::{Extend, Request, Wait};
use crate::cli::api::{Api, ApiError, Connection};
use crate::cli::{failed, say, shown};

pub(super) async fn request(request: &Request) -> Result<ExitCode, ApiError> {
    let Request { connection, terms, break_glass, wait, command } = request;
    let api = Api::open(connection).await?;
    let mut body = terms.body();
    if *break_glass {
        body.insert("break_glass".to_owned(), true.into());
    }
    let body = body.into();
    let Some((program, arguments)) = command.split_first() else {
        let outcome = outcome(&api, "/requests", &body, wait).await?;
        return Ok(told(connection, &outcome));
    };
    let mut interrupts = Interrupts::listen()?;
    let filed = interrupts.bear(api.post("/requests", &body)).await?;
    let request = match waited(&api, filed, wait.timeout, &mut interrupts).await? {
        Outcome::Approved(request) => request,
        other @ (Outcome::Pending(_)
        | Outcome::Closed(_)
        | Outcome::TimedOut(_)
        | Outcome::Interrupted(_)) => {
            if connection.json {
                say(other.request());
            }
            return Ok(other.exit().into());
        }
    };
    // Whoever runs takes this process over, signals, terminal and exit code with it.
    let error = std::process::Command::new(program)
        .args(arguments)
        .envs(environment(&api, &request).await)
        .exec();
    Ok(failed(&format!("{program} cannot be run: {error}")))
}

pub(super) async fn extend(extend: &Extend) -> Result<ExitCode, ApiError> {
    let Extend { connection, duration, reason, wait, grant } = extend;
    let api = Api::open(connection).await?;
    let body = json!({ "duration": duration, "reason": reason });
    let path = format!("/grants/{grant}/extend");
    Ok(told(connection, &outcome(&api, &path, &body, wait).await?))
}

/// Files a request; what became of it, or that it waits if nobody waits for it.
async fn outcome(api: &Api, path: &str, body: &Value, wait: &Wait) -> Result<Outcome, ApiError> {
    if !wait.wait && wait.timeout.is_none() {
        return api.post(path, body).await.map(Outcome::of);
    }
    let mut interrupts = Interrupts::listen()?;
    let filed = interrupts.bear(api.post(path, body)).await?;
    waited(api, filed, wait.timeout, &mut interrupts).await
}

fn told(connection: &Connection, outcome: &Outcome) -> ExitCode {
    shown::REQUEST.one(connection, outcome.request());
    outcome.exit().into()
}

/// What a command is told of the access it runs under.
async fn environment(api: &Api, request: &Value) -> Vec<(&'static str, String)> {
    // Its end is nice to know, and nothing to fail for.
    let grant = match request["grant"].as_u64() {
        Some(id) => api.get(&format!("/grants/{id}")).await.unwrap_or_default(),
        None => Value::Null,
    };
    let told = [
        ("KEYHOLE_REQUEST", &request["id"]),
        ("KEYHOLE_GRANT", &request["grant"]),
        ("KEYHOLE_EXPIRES_AT", &grant["expires_at"]),
        ("KEYHOLE_DATABASE", &request["database"]),
        ("KEYHOLE_RESOURCE", &request["resource"]),
    ];
    let told = told.into_iter().map(|(name, value)| (name, shown::words(value)));
    told.filter(|(_, value)| !value.is_empty()).collect()
}

pub(super) async fn cancel(connection: &Connection, id: u64) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    let cancelled = api.post(&format!("/requests/{id}/cancel"), &json!({})).await?;
    shown::REQUEST.one(connection, &cancelled);
    Ok(())
}

pub(super) async fn requests(
    connection: &Connection,
    wanted: &[(&str, Option<&str>)],
) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    shown::REQUEST.list(connection, &api.list("/requests", wanted).await?);
    Ok(())
}

pub(super) async fn grants(
    connection: &Connection,
    wanted: &[(&str, Option<&str>)],
) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    shown::GRANT.list(connection, &api.list("/grants", wanted).await?);
    Ok(())
}
