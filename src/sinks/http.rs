//! Batches as NDJSON, one POST each.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::ClientConfig;

use super::post::Post;
use super::{Delivered, Failure, PostError, Shipment, Sink};
use crate::config::PostConfig;
use crate::model::{Secret, Timestamp};
use crate::net::delivery::{DELIVERY, SIGNATURE, sign};

/// The log that the records are of: with `seq` it names a record.
const LOG: HeaderName = HeaderName::from_static("x-keyhole-log");

#[derive(Clone, Debug)]
pub struct Http {
    post: Post,
    secret: Option<Secret>,
}

impl Http {
    /// # Errors
    /// [`PostError`].
    pub fn new(
        config: &PostConfig,
        tls: Arc<ClientConfig>,
        timeout: Duration,
    ) -> Result<Self, PostError> {
        let post = Post::new(config, "application/x-ndjson", tls, timeout)?;
        Ok(Self { post, secret: config.secret.clone() })
    }
}

#[async_trait]
impl Sink for Http {
    async fn deliver(&mut self, shipment: &Shipment, now: Timestamp) -> Result<Delivered, Failure> {
        let lines = shipment.lines();
        let signature = self.secret.as_ref().map(|secret| sign(secret, now, &lines));
        let values = [
            (LOG, Some(shipment.log().to_owned())),
            (DELIVERY, Some(shipment.id())),
            (SIGNATURE, signature),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            // Digits and letters of our own.
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        self.post.leave(headers, lines, now).await.map(|_| Delivered::default())
    }
}
