use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Hours, Network};
use crate::model::{Client, Timestamp};

/// From where and when a grant counts; looked at for every statement. Each field that is set
/// narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// Where the client must connect from; empty: from anywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// What the client must call itself (`application_name`); empty: anything. A client can call
    /// itself what it likes: this keeps slips apart, not attackers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applications: Vec<String>,
}

/// Which condition does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    Network(Vec<Network>),
    Hours(Hours),
    Application(Vec<String>),
}

/// Until when conditions hold that hold now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Always,
    Until(Timestamp),
}

impl Conditions {
    pub fn is_none(&self) -> bool {
        self.networks.is_empty() && self.hours.is_none() && self.applications.is_empty()
    }

    /// Until when they hold, if they hold for the client now. Allocates nothing.
    pub fn hold(&self, client: &Client, now: Timestamp) -> Option<Holds> {
        let inside = |network: &Network| client.address.is_some_and(|from| network.contains(from));
        let named = |name: &String| **name == *client.application;
        if !(self.networks.is_empty() || self.networks.iter().any(inside))
            || !(self.applications.is_empty() || self.applications.iter().any(named))
        {
            return None;
        }
        match &self.hours {
            None => Some(Holds::Always),
            Some(hours) => hours.until(now).map(Holds::Until),
        }
    }

    /// The first that does not hold.
    pub fn unmet(&self, client: &Client, now: Timestamp) -> Option<Unmet> {
        let only = |networks: &[Network], applications: &[String]| Self {
            networks: networks.to_vec(),
            hours: None,
            applications: applications.to_vec(),
        };
        if only(&self.networks, &[]).hold(client, now).is_none() {
            Some(Unmet::Network(self.networks.clone()))
        } else if only(&[], &self.applications).hold(client, now).is_none() {
            Some(Unmet::Application(self.applications.clone()))
        } else {
            self.hours.clone().filter(|hours| hours.until(now).is_none()).map(Unmet::Hours)
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[String]| names.join(", ");
        match self {
            Self::Network(networks) => {
                let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
                write!(f, "only from {}", list(&networks))
            }
            Self::Hours(hours) => write!(f, "only {hours}"),
            Self::Application(names) => write!(f, "only for the application {}", list(names)),
        }
    }
}

/// `from 10.0.0.0/8, Mon-Fri 08:00-18:00 UTC, application psql`; nothing where there are none.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        if !self.networks.is_empty() {
            let networks: Vec<_> = self.networks.iter().map(ToString::to_string).collect();
            parts.push(format!("from {}", networks.join(" or ")));
        }
        parts.extend(self.hours.as_ref().map(ToString::to_string));
        if !self.applications.is_empty() {
            parts.push(format!("application {}", self.applications.join(" or ")));
        }
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::User;

    #[test]
    fn every_condition_must_hold() {
        let conditions = Conditions {
            networks: vec![Network::parse("10.0.0.0/8").unwrap()],
            hours: Some(Hours::parse("Fri 08:00-18:00 UTC").unwrap()),
            applications: vec!["psql".into()],
        };
        let now: Timestamp = "2026-11-27T10:00:00Z".parse().unwrap();
        let client = Client {
            user: User::nobody("alice"),
            address: Some([10, 1, 1, 1].into()),
            application: "psql".into(),
            database: "shop".into(),
        };
        let end: Timestamp = "2026-11-27T18:00:00Z".parse().unwrap();
        assert_eq!(conditions.hold(&client, now), Some(Holds::Until(end)));
        assert_eq!(conditions.unmet(&client, now), None);
        let elsewhere = Client { address: Some([11, 1, 1, 1].into()), ..client.clone() };
        assert!(matches!(conditions.unmet(&elsewhere, now), Some(Unmet::Network(_))));
        let socket = Client { address: None, ..client.clone() };
        assert!(conditions.hold(&socket, now).is_none(), "nobody knows where a socket is");
        let other = Client { application: "metabase".into(), ..client.clone() };
        assert!(matches!(conditions.unmet(&other, now), Some(Unmet::Application(_))));
        assert!(matches!(conditions.unmet(&client, end), Some(Unmet::Hours(_))));
        assert_eq!(Conditions::default().hold(&socket, now), Some(Holds::Always));
        let stored = serde_json::to_string(&conditions).unwrap();
        assert_eq!(serde_json::from_str::<Conditions>(&stored).unwrap(), conditions);
    }
}
