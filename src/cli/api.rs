//! The HTTP API of a running proxy, as the commands ask it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use serde::Deserialize;
use serde_json::Value;

use super::credentials::Credentials;
use super::exit::Exit;
use super::{prompt, report};
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
    /// Who asks; the password is in KEYHOLE_PASSWORD or --password-file. Without one, the session
    /// of `keyhole login` counts, or the token in KEYHOLE_TOKEN, and else the password is asked for
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
        f.write_str(self.detail.as_ref().unwrap_or(&self.title))?;
        match &self.hint {
            Some(hint) => write!(f, "\nHINT:  {hint}"),
            None => Ok(()),
        }
    }
}

impl ApiError {
    /// Whether the proxy does not know who asks.
    pub(super) fn is_unauthorized(&self) -> bool {
        match self {
            Self::Refused(problem) => problem.status == 401,
            Self::Failed(_) | Self::Fetch { .. } => false,
        }
    }

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
        let api = Self::nobody(connection)?;
        if let Some(token) = connection.token(&api.base)? {
            return api.held_by(&token);
        }
        let (user, password) = connection.user_and_password().await?;
        let basic = STANDARD.encode(format!("{user}:{}", password.expose()));
        api.authorized("Basic", &basic)
    }

    /// As whoever holds a token.
    ///
    /// # Errors
    /// As [`Api::open`].
    pub(super) fn with_token(connection: &Connection, token: &str) -> Result<Self, ApiError> {
        Self::nobody(connection)?.held_by(&Secret::new(token))
    }

    /// As nobody yet.
    ///
    /// # Errors
    /// What is said would go over the net for others to read.
    pub(super) fn nobody(connection: &Connection) -> Result<Self, ApiError> {
        let base = connection.base();
        let uri: Uri = base.parse().map_err(|_| failed(format!("{base} is not a URL")))?;
        if uri.scheme_str() != Some("https") && !is_near(&uri) {
            return Err(failed(format!(
                "{base} would send the password readable to others: use https"
            )));
        }
        let mut headers = HeaderMap::new();
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

    fn held_by(self, token: &Secret) -> Result<Self, ApiError> {
        self.authorized("Bearer", token.expose())
    }

    fn authorized(mut self, scheme: &str, proof: &str) -> Result<Self, ApiError> {
        let mut value = HeaderValue::try_from(format!("{scheme} {proof}"))
            .map_err(|_| failed("the password cannot be sent"))?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(self)
    }

    /// The address of the proxy.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Every page of a list.
    pub(super) async fn list(
        &self,
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
            let mut page = self.get(&format!("{path}?{}", query.finish())).await?;
            if let Value::Array(items) = page["items"].take() {
                found.extend(items);
            }
            match page["next_before"].as_u64() {
                Some(next) => before = Some(next),
                None => return Ok(found),
            }
        }
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.ask(Method::POST, path, body.to_string().into()).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, ApiError> {
        self.ask(Method::DELETE, path, Bytes::new()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Value, ApiError> {
        let url = format!("{}/api/v1{path}", self.base);
        let uri = url.parse().map_err(|_| failed(format!("{url} is not a URL")))?;
        let asked = self.fetcher.exchange(method, &uri, self.headers.clone(), body).await;
        let (status, body) =
            asked.map_err(|source| ApiError::Fetch { url: url.clone(), source })?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
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
    /// The address of the proxy, without a slash at its end.
    pub(super) fn base(&self) -> String {
        self.url.trim_end_matches('/').to_owned()
    }

    /// Who asks, and what proves it.
    ///
    /// # Errors
    /// Either is missing.
    pub(super) async fn user_and_password(&self) -> Result<(String, Secret), ApiError> {
        let user = self.user.clone().or_else(|| std::env::var("USER").ok());
        let user = user.filter(|user| !user.is_empty() && !user.contains(':'));
        let user = user.ok_or_else(|| failed("who asks? --user NAME, or KEYHOLE_USER"))?;
        Ok((user, self.password().await.map_err(failed)?))
    }

    /// What serves instead, where no password is given: a machine's token, or the session of this
    /// user, or of anybody if none is named.
    fn token(&self, base: &str) -> Result<Option<Secret>, ApiError> {
        if self.password_file.is_some() || std::env::var_os("KEYHOLE_PASSWORD").is_some() {
            return Ok(None);
        }
        if let Some(token) = std::env::var("KEYHOLE_TOKEN").ok().filter(|token| !token.is_empty()) {
            return Ok(Some(Secret::new(token)));
        }
        // Without a home there is nothing to find.
        let Ok(credentials) = Credentials::of_user() else { return Ok(None) };
        let kept = credentials.find(base).map_err(|error| failed(error.to_string()))?;
        let own = kept.filter(|kept| self.user.as_ref().is_none_or(|user| *user == kept.user));
        Ok(own.map(|kept| Secret::new(kept.token)))
    }

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

/// The exit code of a command that asked the API, and the words if it was refused or failed.
pub(super) fn concluded(done: Result<ExitCode, ApiError>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(error) => {
            report(format_args!("keyhole: {error}"));
            if error.is_refusal() { Exit::Refused.into() } else { Exit::Failed.into() }
        }
    }
}

/// A name as it stands in a path.
pub(super) fn in_path(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let byte =
        |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(byte).collect()
}

pub(super) fn failed(message: impl Into<String>) -> ApiError {
    ApiError::Failed(message.into())
}

fn unexpected(url: &str, status: StatusCode) -> ApiError {
    failed(format!("{url} answers {status}, which is not what a proxy of this version says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(in_path("alice-b.c_d~1"), "alice-b.c_d~1");
        assert_eq!(in_path("a/b c?%+é"), "a%2Fb%20c%3F%25%2B%C3%A9");
    }
}
