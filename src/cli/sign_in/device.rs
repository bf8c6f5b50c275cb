//! The device flow (RFC 8628): whoever runs the command confirms it on a page of the issuer, on
//! whichever device.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cli::api::{Api, ApiError, failed};
use crate::cli::report;
use crate::model::Secret;

/// Between two questions, where the issuer does not say (RFC 8628, 3.2), and what is added when it
/// finds that too often.
const INTERVAL_SECS: u64 = 5;

/// However long the issuer would wait.
const PATIENCE_SECS_MAX: u64 = 30 * 60;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What the proxy says of its issuer.
#[derive(Deserialize)]
struct Known {
    issuer: String,
    client_id: String,
    scope: String,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    device_authorization_endpoint: Option<String>,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct Answer {
    id_token: Option<String>,
    error: Option<String>,
}

/// A token that says who confirmed.
///
/// # Errors
/// Nobody did in time, or the proxy or its issuer knows no such way.
pub(super) async fn token(api: &Api) -> Result<Secret, ApiError> {
    let known = api.get("/session/oidc").await?;
    let known: Known = serde_json::from_value(known)
        .map_err(|_| failed("the proxy does not say whom to sign in at"))?;
    let base = known.issuer.trim_end_matches('/');
    let found: Discovery =
        ask(api, Method::GET, &format!("{base}/.well-known/openid-configuration"), &[]).await?;
    if found.issuer != known.issuer {
        return Err(failed(format!("{base} is another issuer, {}", found.issuer)));
    }
    let Some(endpoint) = found.device_authorization_endpoint else {
        return Err(failed(format!("{base} has no device flow")));
    };
    for address in [&endpoint, &found.token_endpoint] {
        if !address.starts_with("https://") && !known.issuer.starts_with("http://") {
            return Err(failed(format!("{address} could be read by others: it is no https")));
        }
    }
    let fields = [("client_id", known.client_id.as_str()), ("scope", known.scope.as_str())];
    let begun: Begun = ask(api, Method::POST, &endpoint, &fields).await?;
    match &begun.verification_uri_complete {
        Some(address) => report(format_args!("Open {address}")),
        None => report(format_args!("Open {}", begun.verification_uri)),
    }
    report(format_args!("and confirm the code {}", begun.user_code));
    let patience = Duration::from_secs(begun.expires_in.min(PATIENCE_SECS_MAX));
    let waiting = confirmed(api, &found.token_endpoint, &known.client_id, &begun);
    match tokio::time::timeout(patience, waiting).await {
        Ok(token) => token,
        Err(_) => Err(failed("nobody confirmed the code in time")),
    }
}

async fn confirmed(
    api: &Api,
    endpoint: &str,
    client: &str,
    begun: &Begun,
) -> Result<Secret, ApiError> {
    let mut interval = begun.interval.unwrap_or(INTERVAL_SECS).max(1);
    let fields =
        [("grant_type", GRANT), ("device_code", &*begun.device_code), ("client_id", client)];
    loop {
        tokio::time::sleep(Duration::from_secs(interval)).await;
        let Answer { id_token, error } = ask(api, Method::POST, endpoint, &fields).await?;
        match (id_token, error.as_deref()) {
            (Some(token), None) => return Ok(Secret::new(token)),
            (_, Some("authorization_pending")) => {}
            (_, Some("slow_down")) => interval += INTERVAL_SECS,
            (_, Some("access_denied")) => return Err(failed("the code was refused")),
            (_, Some("expired_token")) => return Err(failed("nobody confirmed the code in time")),
            (_, Some(_)) => return Err(failed("the issuer gives no token for the code")),
            (None, None) => {
                return Err(failed("the issuer does not say who confirmed: no ID token"));
            }
        }
    }
}

/// What the issuer says, an error as RFC 6749 (5.2) has it included.
async fn ask<T: DeserializeOwned>(
    api: &Api,
    method: Method,
    address: &str,
    fields: &[(&str, &str)],
) -> Result<T, ApiError> {
    let uri: Uri = address.parse().map_err(|_| failed(format!("{address} is not a URL")))?;
    let mut headers = HeaderMap::new();
    let mut body = Bytes::new();
    if method == Method::POST {
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, kind);
        let mut form = form_urlencoded::Serializer::new(String::new());
        body = form.extend_pairs(fields).finish().into();
    }
    let asked = api.fetcher().exchange(method, &uri, headers, body).await;
    let (status, said) =
        asked.map_err(|source| ApiError::Fetch { url: address.to_owned(), source })?;
    serde_json::from_slice(&said)
        .map_err(|_| failed(format!("{address} answers {status}, which cannot be read")))
}
