//! Standard output: JSON lines as they are. The proxy's own log goes to standard error.

use std::io::Write;

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use super::{Delivered, Failure, Shipment, Sink};
use crate::model::Timestamp;

#[derive(Clone, Copy, Debug)]
pub struct Stdout;

#[async_trait]
impl Sink for Stdout {
    async fn deliver(&mut self, shipment: &Shipment, _: Timestamp) -> Result<Delivered, Failure> {
        let lines = shipment.lines();
        let write = move || {
            let mut out = std::io::stdout().lock();
            out.write_all(&lines).and_then(|()| out.flush())
        };
        let for_now = |why: String| Failure::ForNow { why, wait: None };
        match spawn_blocking(write).await {
            Ok(Ok(())) => Ok(Delivered::default()),
            Ok(Err(error)) => Err(for_now(error.to_string())),
            Err(_) => Err(for_now("writing panicked".to_owned())),
        }
    }
}
