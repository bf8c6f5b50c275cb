//! A channel over HTTP: one signed POST for each notice.

use std::sync::Arc;

use bytes::Bytes;
use hyper::Uri;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use rustls::ClientConfig;

use super::notice::Notice;
use super::{json, slack};
use crate::config::{WebhookConfig, WebhookFormat};
use crate::model::{Secret, Timestamp};
use crate::net::delivery::{DELIVERY, Failure, SIGNATURE, judge, sign};
use crate::net::fetch::Fetcher;

/// A webhook that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Without the address, which may be a secret.
    #[error("its address cannot be asked")]
    Address,
}

/// One receiver.
#[derive(Clone, Debug)]
pub struct Webhook {
    uri: Uri,
    secret: Option<Secret>,
    format: WebhookFormat,
    fetcher: Fetcher,
}

impl Webhook {
    /// # Errors
    /// [`WebhookError::Address`].
    pub fn new(config: &WebhookConfig, tls: Arc<ClientConfig>) -> Result<Self, WebhookError> {
        Ok(Self {
            uri: config.url.expose().parse().map_err(|_| WebhookError::Address)?,
            secret: config.secret.clone(),
            format: config.format,
            fetcher: Fetcher::new(tls, config.timeout),
        })
    }

    /// Makes one attempt. Cancel safety: the receiver may or may not have heard of it.
    ///
    /// # Errors
    /// [`Failure`]: everything but an answer of the class 2xx. Redirects are refusals.
    pub async fn deliver(&self, notice: &Notice, now: Timestamp) -> Result<(), Failure> {
        let body = match self.format {
            WebhookFormat::Json => json::payload(notice),
            WebhookFormat::Slack => slack::payload(notice),
        };
        let headers = self.headers(notice, &body, now);
        let answer = self.fetcher.post(&self.uri, headers, Bytes::from(body)).await;
        judge(answer, now)
    }

    fn headers(&self, notice: &Notice, body: &str, now: Timestamp) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let signature = self.secret.as_ref().map(|secret| sign(secret, now, body.as_bytes()));
        let values = [(DELIVERY, Some(notice.delivery.clone())), (SIGNATURE, signature)];
        for (name, value) in values {
            // Digits and letters of our own.
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        headers
    }
}
