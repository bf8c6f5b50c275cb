//! The servers of one cluster: which of them a session may use, and in which order they are asked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::seq::SliceRandom as _;
use tokio::time::Instant;

use crate::net::listen::Silence;

/// A host that did not answer is asked last for so long: logins do not wait for it, and it is
/// found again soon.
const AVOIDED_FOR: Duration = Duration::from_secs(15);

/// One place where the database may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name or an address; also what a verified certificate has to be for.
    Tcp { name: String, port: u16 },
    /// The path of the socket itself.
    Socket(PathBuf),
}

/// Which servers will do; libpq's `target_session_attrs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    /// A standby if there is one, else any.
    PreferStandby,
    /// The primary if it is there, else any: what the proxy itself wants, as a standby may not
    /// have heard yet of what was just defined.
    PreferPrimary,
}

/// In which order the hosts are asked; libpq's `load_balance_hosts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    AsListed,
    Random,
}

/// Every host of a cluster, and which of them did not answer lately.
#[derive(Debug)]
pub struct Servers {
    hosts: Vec<Host>,
    pub wanted: Wanted,
    pub order: Order,
    /// For each address, up to the end of the login.
    pub connect_timeout: Duration,
    /// When one that does not answer any more is given up.
    pub silence: Silence,
    /// For each host, until when it is asked last.
    avoided: Mutex<Vec<Option<Instant>>>,
}

/// What a server says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    pub recovery: Recovery,
    pub writes: Writes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    Primary,
    Standby,
}

/// What a session may do by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    Allowed,
    ReadOnly,
}

impl Servers {
    /// Servers in the order of preference; there is at least one.
    pub fn new(hosts: Vec<Host>, connect_timeout: Duration) -> Self {
        let avoided = Mutex::new(vec![None; hosts.len()]);
        let (wanted, order) = (Wanted::default(), Order::default());
        let silence = Silence::default();
        Self { hosts, wanted, order, connect_timeout, silence, avoided }
    }

    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Whether there is anything to choose.
    pub fn is_cluster(&self) -> bool {
        self.hosts.len() > 1
    }

    /// How long a connection may take at most, all hosts tried.
    pub fn patience(&self) -> Duration {
        // Names may have two addresses.
        let tries = u32::try_from(self.hosts.len() * 2).unwrap_or(u32::MAX);
        self.connect_timeout.saturating_mul(tries)
    }

    /// Numbers and hosts in the order in which they are to be asked at `now`.
    pub(super) fn in_order(&self, now: Instant) -> Vec<(usize, &Host)> {
        let mut hosts: Vec<(usize, &Host)> = self.hosts.iter().enumerate().collect();
        if self.order == Order::Random {
            hosts.shuffle(&mut rand::rng());
        }
        let avoided = self.avoided.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.sort_by_key(|(number, _)| avoided[*number].is_some_and(|until| now < until));
        hosts
    }

    /// The host did not answer.
    pub(super) fn avoid(&self, number: usize, now: Instant) {
        self.note(number, Some(now + AVOIDED_FOR));
    }

    /// The host has answered.
    pub(super) fn found(&self, number: usize) {
        self.note(number, None);
    }

    fn note(&self, number: usize, until: Option<Instant>) {
        let mut avoided = self.avoided.lock().unwrap_or_else(PoisonError::into_inner);
        avoided[number] = until;
    }
}

impl Wanted {
    /// What to ask the hosts for, one round after the other.
    pub(super) fn rounds(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
            Self::PreferPrimary => &[Self::Primary, Self::Any],
        }
    }

    pub(super) fn accepts(self, role: Role) -> bool {
        let Role { recovery, writes } = role;
        match self {
            Self::Any | Self::PreferStandby | Self::PreferPrimary => true,
            Self::ReadWrite => recovery == Recovery::Primary && writes == Writes::Allowed,
            Self::ReadOnly => recovery == Recovery::Standby || writes == Writes::ReadOnly,
            Self::Primary => recovery == Recovery::Primary,
            Self::Standby => recovery == Recovery::Standby,
        }
    }
}

impl Host {
    /// The socket that PostgreSQL opens in `dir` for `port`.
    pub fn socket(dir: &Path, port: u16) -> Self {
        Self::Socket(dir.join(format!(".s.PGSQL.{port}")))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { name, port } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Tcp { name, port } => write!(f, "{name}:{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, host) in self.hosts.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{host}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Servers {
        let host = |name: &str| Host::Tcp { name: name.to_owned(), port: 1 };
        Servers::new(vec![host("a"), host("b"), host("c")], Duration::from_secs(1))
    }

    fn numbers(servers: &Servers, now: Instant) -> Vec<usize> {
        servers.in_order(now).into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn a_host_that_did_not_answer_is_asked_last_for_a_while() {
        let (servers, now) = (three(), Instant::now());
        assert_eq!(numbers(&servers, now), [0, 1, 2]);
        servers.avoid(0, now);
        assert_eq!(numbers(&servers, now), [1, 2, 0]);
        servers.avoid(1, now);
        servers.avoid(2, now);
        assert_eq!(numbers(&servers, now), [0, 1, 2], "all are down: all are asked");
        servers.found(2);
        assert_eq!(numbers(&servers, now), [2, 0, 1]);
        assert_eq!(numbers(&servers, now + AVOIDED_FOR), [0, 1, 2]);
    }

    #[test]
    fn a_random_order_has_every_host_first_sometimes() {
        let servers = Servers { order: Order::Random, ..three() };
        let now = Instant::now();
        let mut first = [0; 3];
        for _ in 0..300 {
            let order = numbers(&servers, now);
            assert_eq!(
                {
                    let mut sorted = order.clone();
                    sorted.sort_unstable();
                    sorted
                },
                [0, 1, 2]
            );
            first[order[0]] += 1;
        }
        assert!(first.iter().all(|count| *count > 30), "{first:?}");
        servers.avoid(1, now);
        assert!((0..50).all(|_| numbers(&servers, now)[2] == 1));
    }

    #[test]
    fn a_role_is_what_was_wanted_or_not() {
        let role = |recovery, writes| Role { recovery, writes };
        let primary = role(Recovery::Primary, Writes::Allowed);
        let frozen = role(Recovery::Primary, Writes::ReadOnly);
        let standby = role(Recovery::Standby, Writes::Allowed);
        for (wanted, accepted) in [
            (Wanted::Any, [true, true, true]),
            (Wanted::ReadWrite, [true, false, false]),
            (Wanted::ReadOnly, [false, true, true]),
            (Wanted::Primary, [true, true, false]),
            (Wanted::Standby, [false, false, true]),
        ] {
            assert_eq!([primary, frozen, standby].map(|role| wanted.accepts(role)), accepted);
        }
    }
}
