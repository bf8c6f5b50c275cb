//! What stands behind the question mark of an upstream's URL.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{
    CertificateFiles, ChannelBinding, LoadBalance, Roots, SessionTarget, SslMode, SslNegotiation,
    UpstreamTls, decode,
};

const KNOWN: [&str; 13] = [
    "channel_binding",
    "connect_timeout",
    "host",
    "keepalives_idle",
    "load_balance_hosts",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Seconds; beyond them a client has given up.
const CONNECT_TIMEOUT_MAX: u64 = 300;

const KEEPALIVES_IDLE: Duration = Duration::from_secs(60);

/// Seconds; beyond them firewalls have forgotten the connection.
const KEEPALIVES_IDLE_MAX: u64 = 7200;

/// Milliseconds, of a day.
const TCP_USER_TIMEOUT_MAX: u64 = 86_400_000;

/// Decoded; those that were taken are gone.
pub(super) struct Parameters<'q> {
    values: BTreeMap<&'q str, String>,
}

impl<'q> Parameters<'q> {
    /// # Errors
    /// A parameter that is unknown or comes twice.
    pub(super) fn read(query: &'q str) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                known if KNOWN.contains(&known) => {}
                "password" => {
                    return Err("a password does not belong into the URL: use password_env or \
                                password_file"
                        .to_owned());
                }
                "application_name" => {
                    return Err("application_name is a key of [[database]]".to_owned());
                }
                _ => {
                    let known = KNOWN.join(", ");
                    return Err(format!("parameter \"{name}\" is unknown (known: {known})"));
                }
            }
            if values.insert(name, decode(value)?).is_some() {
                return Err(format!("{name} is there twice"));
            }
        }
        Ok(Self { values })
    }

    /// The value of a parameter, which must not be empty.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.values.remove(name) {
            Some(value) if value.is_empty() => Err(format!("{name} is empty")),
            value => Ok(value),
        }
    }

    fn word<T: Copy>(&mut self, name: &str, known: &[(&str, T)]) -> Result<Option<T>, String> {
        let Some(value) = self.take(name)? else { return Ok(None) };
        if let Some((_, meant)) = known.iter().find(|(word, _)| *word == value) {
            return Ok(Some(*meant));
        }
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        Err(format!("{name} \"{value}\" is unknown (known: {})", words.join(", ")))
    }

    pub(super) fn target(&mut self) -> Result<SessionTarget, String> {
        let known = [
            ("any", SessionTarget::Any),
            ("read-write", SessionTarget::ReadWrite),
            ("read-only", SessionTarget::ReadOnly),
            ("primary", SessionTarget::Primary),
            ("standby", SessionTarget::Standby),
            ("prefer-standby", SessionTarget::PreferStandby),
        ];
        Ok(self.word("target_session_attrs", &known)?.unwrap_or_default())
    }

    pub(super) fn balance(&mut self) -> Result<LoadBalance, String> {
        let known = [("disable", LoadBalance::Disable), ("random", LoadBalance::Random)];
        Ok(self.word("load_balance_hosts", &known)?.unwrap_or_default())
    }

    pub(super) fn binding(&mut self) -> Result<ChannelBinding, String> {
        let known = [
            ("disable", ChannelBinding::Disable),
            ("prefer", ChannelBinding::Prefer),
            ("require", ChannelBinding::Require),
        ];
        Ok(self.word("channel_binding", &known)?.unwrap_or_default())
    }

    pub(super) fn connect_timeout(&mut self) -> Result<Duration, String> {
        let Some(value) = self.take("connect_timeout")? else { return Ok(CONNECT_TIMEOUT) };
        match value.parse() {
            Ok(seconds @ 1..=CONNECT_TIMEOUT_MAX) => Ok(Duration::from_secs(seconds)),
            Ok(_) | Err(_) => Err(format!(
                "connect_timeout is a number of seconds from 1 to {CONNECT_TIMEOUT_MAX}"
            )),
        }
    }

    pub(super) fn keepalives_idle(&mut self) -> Result<Duration, String> {
        let Some(value) = self.take("keepalives_idle")? else { return Ok(KEEPALIVES_IDLE) };
        match value.parse() {
            Ok(seconds @ 1..=KEEPALIVES_IDLE_MAX) => Ok(Duration::from_secs(seconds)),
            Ok(_) | Err(_) => Err(format!(
                "keepalives_idle is a number of seconds from 1 to {KEEPALIVES_IDLE_MAX}"
            )),
        }
    }

    /// In milliseconds; 0 means, as for libpq, that the system decides.
    pub(super) fn tcp_user_timeout(&mut self) -> Result<Option<Duration>, String> {
        let Some(value) = self.take("tcp_user_timeout")? else { return Ok(None) };
        match value.parse() {
            Ok(0) => Ok(None),
            Ok(millis @ 1..=TCP_USER_TIMEOUT_MAX) => Ok(Some(Duration::from_millis(millis))),
            Ok(_) | Err(_) => Err(format!(
                "tcp_user_timeout is a number of milliseconds up to {TCP_USER_TIMEOUT_MAX}"
            )),
        }
    }

    /// As libpq takes them, except that whoever names authorities wants them asked.
    pub(super) fn tls(&mut self) -> Result<UpstreamTls, String> {
        let known = [
            ("disable", SslMode::Disable),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ];
        let said = self.word("sslmode", &known)?;
        let roots = match self.take("sslrootcert")? {
            None => Roots::None,
            Some(word) if word == "system" => Roots::System,
            Some(file) => Roots::File(file.into()),
        };
        let mode = match (said, &roots) {
            (None, Roots::None) => SslMode::Prefer,
            (None, Roots::System | Roots::File(_)) => SslMode::VerifyFull,
            (Some(SslMode::Disable | SslMode::Prefer), Roots::System | Roots::File(_)) => {
                return Err("sslrootcert is not looked at with this sslmode: leave sslmode out \
                            for verify-full"
                    .to_owned());
            }
            (Some(SslMode::Require | SslMode::VerifyCa), Roots::System) => {
                return Err("sslrootcert=system takes sslmode=verify-full, as anybody can have \
                            a certificate of these authorities"
                    .to_owned());
            }
            // As libpq does: authorities that are named are asked.
            (Some(SslMode::Require), Roots::File(_)) => SslMode::VerifyCa,
            (Some(SslMode::VerifyCa | SslMode::VerifyFull), Roots::None) => {
                return Err("sslmode verify-ca and verify-full take sslrootcert: a file, or \
                            system"
                    .to_owned());
            }
            (Some(mode), Roots::None | Roots::System | Roots::File(_)) => mode,
        };
        let certificate = certificate(self.take("sslcert")?, self.take("sslkey")?)?;
        if certificate.is_some() && mode < SslMode::Require {
            return Err("sslcert takes an sslmode that insists on TLS, or sslrootcert".to_owned());
        }
        let known = [("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)];
        let negotiation = self.word("sslnegotiation", &known)?.unwrap_or_default();
        if negotiation == SslNegotiation::Direct && mode < SslMode::Require {
            return Err("sslnegotiation=direct takes an sslmode that insists on TLS".to_owned());
        }
        Ok(UpstreamTls { mode, roots, certificate, negotiation })
    }
}

fn certificate(
    cert: Option<String>,
    key: Option<String>,
) -> Result<Option<CertificateFiles>, String> {
    match (cert, key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => {
            Ok(Some(CertificateFiles { cert: cert.into(), key: key.into() }))
        }
        (Some(_), None) => Err("sslcert needs sslkey".to_owned()),
        (None, Some(_)) => Err("sslkey needs sslcert".to_owned()),
    }
}
