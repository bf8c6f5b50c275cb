//! Reads a document from a web server: one GET on a connection of its own, no redirects, no
//! cookies, no proxies, and a limit on everything.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Stream;
use super::socket::Socket;

/// Bytes of the longest document: key sets and discovery documents have a few thousand.
const DOCUMENT_LEN_MAX: usize = 1 << 20;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{0} is not an address that can be asked")]
    Address(Uri),
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    #[error("TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("the answer is {0}, expected 200")]
    Status(StatusCode),
    /// Longer than [`DOCUMENT_LEN_MAX`], or cut short.
    #[error("the document cannot be read: {0}")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

/// Asks web servers.
#[derive(Clone, Debug)]
pub struct Fetcher {
    tls: Arc<ClientConfig>,
    /// For everything from the first packet to the last.
    limit: Duration,
}

impl Fetcher {
    pub fn new(tls: Arc<ClientConfig>, limit: Duration) -> Self {
        Self { tls, limit }
    }

    /// The document at `uri`, `https` or `http`. Cancel safe: the connection is dropped with the
    /// future.
    ///
    /// # Errors
    /// Whatever keeps it from being read, redirects among it.
    pub async fn get(&self, uri: &Uri) -> Result<Bytes, FetchError> {
        match timeout(self.limit, self.ask(uri)).await {
            Ok(answer) => answer,
            Err(_) => Err(FetchError::Timeout(self.limit)),
        }
    }

    async fn ask(&self, uri: &Uri) -> Result<Bytes, FetchError> {
        let stream = self.connect(uri).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let exchange = async {
            let answer = sender.send_request(request(uri)?).await?;
            if answer.status() != StatusCode::OK {
                return Err(FetchError::Status(answer.status()));
            }
            let body = Limited::new(answer.into_body(), DOCUMENT_LEN_MAX);
            Ok(body.collect().await.map_err(FetchError::Body)?.to_bytes())
        };
        // What ends the connection ends the exchange, which then says why.
        let driving = async {
            let _ = connection.await;
            pending::<Infallible>().await
        };
        tokio::select! {
            document = exchange => document,
            never = driving => match never {},
        }
    }

    async fn connect(&self, uri: &Uri) -> Result<Stream, FetchError> {
        let no_address = || FetchError::Address(uri.clone());
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(no_address()),
        };
        let host = uri.host().ok_or_else(no_address)?.trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let tcp = TcpStream::connect((host, port)).await.map_err(FetchError::Connect)?;
        let socket = Socket::Tcp(tcp);
        if !encrypted {
            return Ok(Stream::Plain(socket));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| no_address())?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let tls = connector.connect(name, socket).await.map_err(FetchError::Tls)?;
        Ok(Stream::ClientTls(Box::new(tls)))
    }
}

fn request(uri: &Uri) -> Result<Request<Empty<Bytes>>, FetchError> {
    let no_address = || FetchError::Address(uri.clone());
    let authority = uri.authority().ok_or_else(no_address)?;
    // Names and passwords in an address are nobody's habit here, and would go into `Host`.
    if authority.as_str().contains('@') {
        return Err(no_address());
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Request::get(path)
        .header(HOST, authority.as_str())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("keyhole/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|_| no_address())
}
