//! Which connections clients may have, and for how long they may be silent.

use std::time::Duration;

use toml::Spanned;

use super::builder::Builder;
use super::raw::{self, Text};
use super::values;
use crate::grant::Network;

const KEEPALIVE: Duration = Duration::from_secs(60);
const CLIENT_STALL_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Limits on clients' connections, beside how many there are in all. None: there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Load balancers: who connects from there begins with a header of the PROXY protocol, and
    /// nobody else is believed one.
    pub balancers: Vec<Network>,
    pub per_user: Option<usize>,
    pub per_address: Option<usize>,
    /// Silence after which a peer is asked whether it is still there.
    pub keepalive: Option<Duration>,
    /// For how long bytes may be unacknowledged, or not taken. None: as the system has it.
    pub tcp_user_timeout: Option<Duration>,
    /// Between transactions, without a statement.
    pub idle: Option<Duration>,
    /// In a transaction, without a statement.
    pub idle_in_transaction: Option<Duration>,
    /// While the client takes nothing of what waits for it.
    pub client_stall: Option<Duration>,
}

impl Builder<'_> {
    pub(super) fn connections(&mut self, raw: &raw::Data) -> Connections {
        Connections {
            balancers: self.balancers(raw.proxy_protocol.as_deref().unwrap_or_default()),
            per_user: self.limit("connections_per_user", raw.connections_per_user.as_ref()),
            per_address: self
                .limit("connections_per_address", raw.connections_per_address.as_ref()),
            keepalive: self.patience("keepalive", &raw.keepalive, Some(KEEPALIVE)),
            tcp_user_timeout: self.patience("tcp_user_timeout", &raw.tcp_user_timeout, None),
            idle: self.patience("idle_timeout", &raw.idle_timeout, None),
            idle_in_transaction: self.patience(
                "idle_in_transaction_timeout",
                &raw.idle_in_transaction_timeout,
                None,
            ),
            client_stall: self.patience(
                "client_stall_timeout",
                &raw.client_stall_timeout,
                Some(CLIENT_STALL_TIMEOUT),
            ),
        }
    }

    fn balancers(&mut self, texts: &[Text]) -> Vec<Network> {
        let mut networks = Vec::with_capacity(texts.len());
        for text in texts {
            match Network::parse(text.get_ref()) {
                Ok(network) => networks.push(network),
                Err(error) => self.wrong(text.span(), format!("proxy_protocol in [data]: {error}")),
            }
        }
        networks
    }

    fn limit(&mut self, key: &str, limit: Option<&Spanned<u32>>) -> Option<usize> {
        let limit = limit?;
        if *limit.get_ref() == 0 {
            self.wrong(limit.span(), format!("{key} in [data] is at least 1"));
        }
        usize::try_from(*limit.get_ref()).ok()
    }

    fn patience(
        &mut self,
        key: &str,
        text: &Option<Text>,
        default: Option<Duration>,
    ) -> Option<Duration> {
        let key = format!("{key} in [data]");
        self.parsed(&key, text.clone(), default, |text| match text {
            "off" => Ok(None),
            text => values::duration(text).map(Some),
        })
    }
}
