//! The HTTP API of a running proxy, as the commands ask it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::Value;

use super::prompt;
use crate::model::Secret;
use crate::net::fetch::{FetchError, Fetcher};
use crate::net::trust;

/// Longer than the proxy lets anybody wait for a decision in one request.
const PATIENCE: Duration = Duration::from_secs(45);

/// Where the proxy is and who asks.
#[derive(Debug, clap::Args)]
pub(super) struct Connection {
    /// The HTTP address of the proxy; https, or http on this machine
    #[arg(long, value_name = "URL", env = "KEYHOLE_URL", default_value = "http://127.0.0.1:8432")]
    url: String,
    /// Who asks; the password is in KEYHOLE_PASSWORD or --password-file, or is asked for
    #[arg(short = 'U', long, value_name = "NAME", env = "KEYHOLE_USER")]
    user: Option<String>,
    /// A file with the password, or token, in its first line
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Certificates of the authorities to trust, instead of those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print what the API answers, as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Why a command got no answer it wanted. What it prints is for people.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// The proxy says no.
    #[error("{0}")]
    Refused(Problem),
    #[error("{0}")]
    Failed(String),
    #[error("{url} cannot be asked: {source}")]
    Fetch {
        url: String,
        #[source]
        source: FetchError,
    },
}

/// A problem as RFC 9457 has it, with what Keyhole adds.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    title: String,
    status: u16,
    detail: Option<String>,
    hint: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.title)?;
        for (name, text) in [("DETAIL", &self.detail), ("HINT", &self.hint)] {
            if let Some(text) = text {
                write!(f, "\n{name}:  {text}")?;
            }
        }
        Ok(())
    }
}

impl ApiError {
    /// Whether the proxy understood and said no: to whoever asked, not to anybody.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(problem) => (400..500).contains(&problem.status) && problem.status != 401,
            Self::Failed(_) | Self::Fetch { .. } => false,
        }
    }
}

pub(super) struct Api {
    base: String,
    headers: HeaderMap,
    fetcher: Fetcher,
}

impl Api {
    /// Reads who asks; nothing is sent yet.
    ///
    /// # Errors
    /// No name or password, or a password would go over the net for others to read.
    pub(super) async fn open(connection: &Connection) -> Result<Self, ApiError> {
        let base = connection.url.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|_| failed(format!("{base} is not a URL")))?;
        if uri.scheme_str() != Some("https") && !is_near(&uri) {
            return Err(failed(format!(
                "{base} would send the password readable to others: use https"
            )));
        }
        let user = connection.user.clone().or_else(|| std::env::var("USER").ok());
        let user = user.filter(|user| !user.is_empty() && !user.contains(':'));
        let user = user.ok_or_else(|| failed("who asks? --user NAME, or KEYHOLE_USER"))?;
        let password = connection.password().await.map_err(failed)?;
        let basic = STANDARD.encode(format!("{user}:{}", password.expose()));
        let mut value = HeaderValue::try_from(format!("Basic {basic}"))
            .map_err(|_| failed("the password cannot be sent"))?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let authorities =
            match &connection.ca {
                Some(file) => Some(std::fs::read(file).map_err(|error| {
                    failed(format!("{} cannot be read: {error}", file.display()))
                })?),
                None => None,
            };
        let tls = trust::trusting(authorities.as_deref()).map_err(|e| failed(e.to_string()))?;
        Ok(Self { base, headers, fetcher: Fetcher::new(tls, PATIENCE) })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.ask(Method::POST, path, body.to_string().into()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Value, ApiError> {
        let url = format!("{}/api/v1{path}", self.base);
        let uri = url.parse().map_err(|_| failed(format!("{url} is not a URL")))?;
        let asked = self.fetcher.exchange(method, &uri, self.headers.clone(), body).await;
        let (status, body) =
            asked.map_err(|source| ApiError::Fetch { url: url.clone(), source })?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| failed(format!("the answer of {url} cannot be read: {error}")));
        }
        Err(match serde_json::from_slice(&body) {
            Ok(problem) => ApiError::Refused(problem),
            Err(_) => unexpected(&url, status),
        })
    }
}

impl Connection {
    async fn password(&self) -> Result<Secret, String> {
        if let Some(file) = &self.password_file {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
            return Ok(Secret::new(text.lines().next().unwrap_or_default()));
        }
        match std::env::var("KEYHOLE_PASSWORD") {
            Ok(password) => Ok(Secret::new(password)),
            Err(_) => prompt::quietly(|| prompt::ask("Password: ")).await,
        }
    }
}

fn is_near(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn failed(message: impl Into<String>) -> ApiError {
    ApiError::Failed(message.into())
}

fn unexpected(url: &str, status: StatusCode) -> ApiError {
    failed(format!("{url} answers {status}, which is not what a proxy of this version says"))
}
