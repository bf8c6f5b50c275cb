//! `keyhole login` and `keyhole logout`: a session that the other commands use.

mod device;

use std::process::ExitCode;

use serde_json::json;

use super::api::{Api, ApiError, Connection, failed};
use super::credentials::{Credentials, Kept};
use super::exit::Exit;
use super::{report, say};

#[derive(Debug, clap::Args)]
pub(super) struct Login {
    #[command(flatten)]
    connection: Connection,
    /// Sign in at the identity provider, on a page that this command names
    #[arg(long)]
    oidc: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Logout {
    #[command(flatten)]
    connection: Connection,
    /// End all of one's sessions, in browsers and on other machines, too
    #[arg(long)]
    everywhere: bool,
    /// End all sessions of somebody else; needs the role control
    #[arg(long, value_name = "NAME", conflicts_with = "everywhere")]
    of: Option<String>,
}

pub(super) async fn login(login: &Login) -> ExitCode {
    answer(sign_in(login).await)
}

pub(super) async fn logout(Logout { connection, everywhere, of }: &Logout) -> ExitCode {
    answer(match of {
        Some(name) => end_all(connection, name).await,
        None if *everywhere => sign_out(connection, Ends::All).await,
        None => sign_out(connection, Ends::One).await,
    })
}

/// Which of one's sessions end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    One,
    All,
}

async fn end_all(connection: &Connection, name: &str) -> Result<(), ApiError> {
    let api = Api::open(connection).await?;
    api.post("/session/end_all", &json!({ "user": name })).await?;
    if !connection.json {
        say(format_args!("all sessions of {name} have ended"));
    }
    Ok(())
}

fn answer(done: Result<(), ApiError>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(format_args!("keyhole: {error}"));
            if error.is_refusal() { Exit::Refused.into() } else { Exit::Failed.into() }
        }
    }
}

async fn sign_in(Login { connection, oidc }: &Login) -> Result<(), ApiError> {
    let kept = credentials()?;
    let api = Api::nobody(connection)?;
    let proof = if *oidc {
        json!({ "id_token": device::token(&api).await?.expose() })
    } else {
        let (user, password) = connection.user_and_password().await?;
        json!({ "user": user, "password": password.expose() })
    };
    let mut session = api.post("/session", &proof).await?;
    let token = session["token"].as_str().unwrap_or_default().to_owned();
    let user = session["user"].as_str().unwrap_or_default().to_owned();
    if token.is_empty() || user.is_empty() {
        return Err(failed("the proxy has begun no session"));
    }
    let said = Kept { user: user.clone(), token };
    kept.keep(api.base(), Some(said)).map_err(|error| failed(error.to_string()))?;
    if connection.json {
        if let Some(fields) = session.as_object_mut() {
            fields.remove("token");
        }
        say(&session);
    } else {
        let until = session["expires_at"].as_str().unwrap_or("further notice").to_owned();
        say(format_args!("signed in as {user} until {until}"));
    }
    Ok(())
}

/// The session ends at the proxy first: one that is only forgotten could be used by others.
async fn sign_out(connection: &Connection, ends: Ends) -> Result<(), ApiError> {
    let kept = credentials()?;
    let base = connection.base();
    let found = kept.find(&base).map_err(|error| failed(error.to_string()))?;
    let Some(session) = found else {
        return Err(failed(format!("nobody is signed in at {base}")));
    };
    let api = Api::with_token(connection, &session.token)?;
    let ended = match ends {
        Ends::All => api.post("/session/end_all", &json!({})).await,
        Ends::One => api.delete("/session").await,
    };
    match ended {
        Ok(_) => {}
        // It has ended by itself; others may go on.
        Err(error) if error.is_unauthorized() && ends == Ends::One => {}
        Err(error) => return Err(error),
    }
    kept.keep(&base, None).map_err(|error| failed(error.to_string()))?;
    if !connection.json {
        say("signed out");
    }
    Ok(())
}

fn credentials() -> Result<Credentials, ApiError> {
    Credentials::of_user().map_err(|error| failed(error.to_string()))
}
