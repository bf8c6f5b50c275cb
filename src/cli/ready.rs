//! `keyhole ready`: whether a running proxy serves, and if not, why.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ACCEPT, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode, Uri};

use super::{failed, say};
use crate::net::fetch::Fetcher;
use crate::net::trust;

/// Health checks give up after a few seconds themselves.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// Ask only whether it lives: an unready proxy does
    #[arg(long)]
    alive: bool,
}

/// Where a proxy answers HTTP.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The HTTP address of the proxy
    #[arg(long, value_name = "URL", env = "KEYHOLE_URL", default_value = "http://127.0.0.1:8432")]
    pub(super) url: String,
    /// Certificates of the authorities to trust, instead of those of the system
    #[arg(long, value_name = "FILE", env = "KEYHOLE_CA")]
    pub(super) ca: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments) -> ExitCode {
    let Arguments { place, alive } = arguments;
    let path = if *alive { "/healthz" } else { "/readyz" };
    match place.ask(path).await {
        Ok((status, text)) => {
            say(text.trim_end());
            if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(message) => failed(&message),
    }
}

impl Place {
    /// What the proxy says at that path, as text where it has text.
    ///
    /// # Errors
    /// Says why it could not be asked.
    pub(super) async fn ask(&self, path: &str) -> Result<(StatusCode, String), String> {
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let uri: Uri = url.parse().map_err(|_| format!("{url} is not a URL"))?;
        let cannot = |file: &PathBuf, error| format!("{} cannot be read: {error}", file.display());
        let authorities = self.ca.as_ref();
        let authorities =
            authorities.map(|file| std::fs::read(file).map_err(|error| cannot(file, error)));
        let tls = trust::trusting(authorities.transpose()?.as_deref());
        let tls = tls.map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/plain"));
        let fetcher = Fetcher::new(tls, PATIENCE);
        let asked = fetcher.exchange(Method::GET, &uri, headers, Bytes::new());
        let (status, body) =
            asked.await.map_err(|error| format!("{url} cannot be asked: {error}"))?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}
