//! Asks web servers, to read a document (GET), to leave one (POST), or both: one request on a connection of
//! its own, no redirects, no cookies, no proxies, and a limit on everything.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{ACCEPT, CONNECTION, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
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

/// What a server said to a document that was left with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<HeaderValue>,
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
        match self.exchange(Method::GET, uri, HeaderMap::new(), Bytes::new()).await? {
            (StatusCode::OK, document) => Ok(document),
            (status, _) => Err(FetchError::Status(status)),
        }
    }

    /// What the server says to a request, whatever it is, and how it calls that. Cancel safety: the
    /// server may or may not have done what it was asked for.
    ///
    /// # Errors
    /// Whatever keeps the answer from being read.
    pub async fn exchange(
        &self,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        document: Bytes,
    ) -> Result<(StatusCode, Bytes), FetchError> {
        let (answer, said) = self.converse(method, uri, headers, document).await?;
        Ok((answer.status, said))
    }

    /// [`Fetcher::exchange`], with what the head of the answer says.
    ///
    /// # Errors
    /// As there.
    pub async fn converse(
        &self,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        document: Bytes,
    ) -> Result<(Answer, Bytes), FetchError> {
        self.within(async {
            let request = request(method, uri, headers, document)?;
            let (sender, driving) = self.open(uri).await?;
            let exchange = async {
                let answer = ask(sender, request).await?;
                let retry_after = answer.headers().get(RETRY_AFTER).cloned();
                let head = Answer { status: answer.status(), retry_after };
                let body = Limited::new(answer.into_body(), DOCUMENT_LEN_MAX);
                Ok((head, body.collect().await.map_err(FetchError::Body)?.to_bytes()))
            };
            drive(exchange, driving).await
        })
        .await
    }

    /// Leaves a document at `uri`, and returns what the head of the answer says; what is behind it
    /// is not read. Cancel safety: the server may or may not have taken the document.
    ///
    /// # Errors
    /// Whatever keeps the server from answering; a refusal is an answer.
    pub async fn post(
        &self,
        uri: &Uri,
        headers: HeaderMap,
        document: Bytes,
    ) -> Result<Answer, FetchError> {
        self.within(async {
            let request = request(Method::POST, uri, headers, document)?;
            let (sender, driving) = self.open(uri).await?;
            let exchange = async {
                let answer = ask(sender, request).await?;
                let retry_after = answer.headers().get(RETRY_AFTER).cloned();
                Ok(Answer { status: answer.status(), retry_after })
            };
            drive(exchange, driving).await
        })
        .await
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        match timeout(self.limit, work).await {
            Ok(done) => done,
            Err(_) => Err(FetchError::Timeout(self.limit)),
        }
    }

    /// A connection, and what has to be polled for it to do anything.
    async fn open(
        &self,
        uri: &Uri,
    ) -> Result<(SendRequest<Full<Bytes>>, impl Future<Output = Infallible>), FetchError> {
        let stream = self.connect(uri).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // What ends the connection ends the exchange, which then says why.
        let driving = async {
            let _ = connection.await;
            pending::<Infallible>().await
        };
        Ok((sender, driving))
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

async fn ask(
    mut sender: SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, FetchError> {
    Ok(sender.send_request(request).await?)
}

async fn drive<T>(
    exchange: impl Future<Output = Result<T, FetchError>>,
    driving: impl Future<Output = Infallible>,
) -> Result<T, FetchError> {
    tokio::select! {
        done = exchange => done,
        never = driving => match never {},
    }
}

fn request(
    method: Method,
    uri: &Uri,
    headers: HeaderMap,
    document: Bytes,
) -> Result<Request<Full<Bytes>>, FetchError> {
    let no_address = || FetchError::Address(uri.clone());
    let authority = uri.authority().ok_or_else(no_address)?;
    // Names and passwords in an address are nobody's habit here, and would go into `Host`.
    if authority.as_str().contains('@') {
        return Err(no_address());
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, authority.as_str())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("keyhole/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Full::new(document))
        .map_err(|_| no_address())?;
    request.headers_mut().extend(headers);
    Ok(request)
}
