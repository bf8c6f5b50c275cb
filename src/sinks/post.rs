//! What sinks over HTTP have in common.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use rustls::ClientConfig;

use super::Failure;
use crate::config::PostConfig;
use crate::model::Timestamp;
use crate::net::delivery::{judge, wait_of};
use crate::net::fetch::{Answer, FetchError, Fetcher};

/// A receiver that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    #[error("its address cannot be asked")]
    Address,
    #[error("authorization cannot be sent in a header")]
    Authorization,
}

/// Where documents are left.
#[derive(Clone, Debug)]
pub(super) struct Post {
    uri: Uri,
    headers: HeaderMap,
    fetcher: Fetcher,
}

impl Post {
    pub(super) fn new(
        config: &PostConfig,
        content_type: &'static str,
        tls: Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, PostError> {
        let uri = config.url.parse().map_err(|_| PostError::Address)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(authorization) = &config.authorization {
            let value = HeaderValue::from_str(authorization.expose());
            let mut value = value.map_err(|_| PostError::Authorization)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self { uri, headers, fetcher: Fetcher::new(tls, timeout) })
    }

    /// Leaves a document; what the receiver says to it.
    pub(super) async fn leave(
        &self,
        more: HeaderMap,
        document: Bytes,
        now: Timestamp,
    ) -> Result<Bytes, Failure> {
        let mut headers = self.headers.clone();
        headers.extend(more);
        let conversation = self.fetcher.converse(Method::POST, &self.uri, headers, document);
        let (answer, said) = match conversation.await {
            Ok((answer, said)) => (Ok(answer), said),
            Err(error) => (Err(error), Bytes::new()),
        };
        judge_record(answer, now).map(|()| said)
    }
}

/// Only these answers are about what was sent. Others, such as 401 and 404, are about how the proxy
/// or the receiver is set up, and no record is given up for that.
const ABOUT_CONTENT: [StatusCode; 3] =
    [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY];

fn judge_record(answer: Result<Answer, FetchError>, now: Timestamp) -> Result<(), Failure> {
    let wait = match &answer {
        Ok(answer) if ABOUT_CONTENT.contains(&answer.status) => {
            return judge(Ok(answer.clone()), now);
        }
        Ok(answer) => wait_of(answer.retry_after.as_ref(), now),
        Err(_) => None,
    };
    judge(answer, now).map_err(|failure| match failure {
        Failure::ForGood { why } => Failure::ForNow { why, wait },
        Failure::ForNow { why, wait } => Failure::ForNow { why, wait },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_of_content_are_final() {
        let now = Timestamp::UNIX_EPOCH;
        for (code, expected) in [
            (200, Ok(())),
            (204, Ok(())),
            (301, Err(false)),
            (400, Err(true)),
            (401, Err(false)),
            (403, Err(false)),
            (404, Err(false)),
            (413, Err(true)),
            (422, Err(true)),
            (429, Err(false)),
            (503, Err(false)),
        ] {
            let status = StatusCode::from_u16(code).unwrap();
            let judged = judge_record(Ok(Answer { status, retry_after: None }), now);
            let judged = judged.map_err(|failure| matches!(failure, Failure::ForGood { .. }));
            assert_eq!(judged, expected, "{code}");
        }
        let status = StatusCode::NOT_FOUND;
        let retry_after = Some(HeaderValue::from_static("7"));
        let judged = judge_record(Ok(Answer { status, retry_after }), now);
        let wait = Some(Duration::from_secs(7));
        assert!(matches!(judged, Err(Failure::ForNow { wait: asked, .. }) if asked == wait));
    }
}
