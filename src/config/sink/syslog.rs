//! A sink of `kind = "syslog"`.

use std::fmt;
use std::path::PathBuf;

use toml::Spanned;

use super::super::builder::Builder;
use super::super::raw;
use super::super::values;
use super::needed;

const PORT_UDP: u16 = 514;
const PORT_TCP: u16 = 601;
const PORT_TLS: u16 = 6514;
/// What every receiver should be able to take (RFC 5426, 3.2).
const DATAGRAM_LEN_MAX: u64 = 2048;
/// What every receiver has to take.
const DATAGRAM_LEN_LEAST: u64 = 480;
/// What fits into UDP over IPv4.
const DATAGRAM_LEN_MOST: u64 = 65_507;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogConfig {
    pub host: String,
    pub port: u16,
    pub way: SyslogWay,
    pub facility: Facility,
}

/// Over what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogWay {
    Udp {
        /// Bytes; what is longer is cut to what matters.
        datagram_len_max: usize,
    },
    /// RFC 6587.
    Tcp { confirm: Confirm },
    /// RFC 5425.
    Tls {
        /// None: the system's authorities are trusted.
        ca_file: Option<PathBuf>,
        confirm: Confirm,
    },
}

/// Whether the receiver has to close its side of a connection behind all that was sent on it: in
/// syslog's protocol there is no other word that it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    Closed,
    None,
}

/// Where a receiver sorts messages to: RFC 5424, 6.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(pub u8);

impl Facility {
    const WORDS: [(&'static str, Self); 13] = [
        ("daemon", Self(3)),
        ("auth", Self(4)),
        ("authpriv", Self(10)),
        ("audit", Self(13)),
        ("alert", Self(14)),
        ("local0", Self(16)),
        ("local1", Self(17)),
        ("local2", Self(18)),
        ("local3", Self(19)),
        ("local4", Self(20)),
        ("local5", Self(21)),
        ("local6", Self(22)),
        ("local7", Self(23)),
    ];
    const LOCAL0: Self = Self(16);
}

pub(super) fn build(
    builder: &mut Builder<'_>,
    of: &dyn Fn(&str) -> String,
    raw: raw::Sink,
) -> Option<SyslogConfig> {
    let facility = builder.word(&of("facility"), raw.facility, &Facility::WORDS, Facility::LOCAL0);
    let len_span = raw.datagram_len_max.as_ref().map(Spanned::span);
    let key = of("datagram_len_max");
    let len = builder.parsed(&key, raw.datagram_len_max, DATAGRAM_LEN_MAX, values::size);
    if !(DATAGRAM_LEN_LEAST..=DATAGRAM_LEN_MOST).contains(&len) {
        let message = format!("{key} lies between 480B and 65507B");
        builder.wrong(len_span.clone().unwrap_or_default(), message);
    }
    let confirm_span = raw.confirm.as_ref().map(Spanned::span);
    let confirmed = raw.confirm.is_none_or(Spanned::into_inner);
    let confirm = if confirmed { Confirm::Closed } else { Confirm::None };
    let ca_span = raw.ca_file.as_ref().map(Spanned::span);
    let ca_file = raw.ca_file.map(|file| builder.file(&of("ca_file"), &file));
    let plain = raw.plaintext.is_some_and(Spanned::into_inner);
    let url = needed(builder, raw.url, &raw.name, "url")?;
    let (scheme, host, port) = match server(url.get_ref()) {
        Ok(server) => server,
        Err(message) => {
            builder.wrong(url.span(), format!("{}: {message}", of("url")));
            return None;
        }
    };
    if scheme != Scheme::Tls && !plain && !values::is_loopback(host) {
        let message = "anybody in between could read along: use tls://, or say plaintext = true";
        builder.wrong(url.span(), format!("{}: {message}", of("url")));
    }
    let (way, foreign) = match scheme {
        Scheme::Udp => {
            let datagram_len_max = usize::try_from(len).unwrap_or(usize::MAX);
            (SyslogWay::Udp { datagram_len_max }, [("confirm", confirm_span), ("ca_file", ca_span)])
        }
        Scheme::Tcp => {
            (SyslogWay::Tcp { confirm }, [("datagram_len_max", len_span), ("ca_file", ca_span)])
        }
        Scheme::Tls => {
            let way = SyslogWay::Tls { ca_file, confirm };
            (way, [("datagram_len_max", len_span), ("", None)])
        }
    };
    for (key, span) in foreign.into_iter().filter_map(|(key, span)| Some((key, span?))) {
        builder.wrong(span, format!("{}: there is no such thing over {scheme}", of(key)));
    }
    Some(SyslogConfig { host: host.to_owned(), port, way, facility })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Udp,
    Tcp,
    Tls,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

fn server(url: &str) -> Result<(Scheme, &str, u16), &'static str> {
    const SHAPE: &str = "a receiver is tls://host:port, tcp://host:port or udp://host:port";
    let (scheme, authority) = url.split_once("://").ok_or(SHAPE)?;
    let (scheme, port) = match scheme {
        "udp" => (Scheme::Udp, PORT_UDP),
        "tcp" => (Scheme::Tcp, PORT_TCP),
        "tls" => (Scheme::Tls, PORT_TLS),
        _ => return Err(SHAPE),
    };
    let host = values::host_of(authority).ok_or(SHAPE)?;
    let port = values::port_of(authority, host).unwrap_or(Ok(port)).map_err(|()| SHAPE)?;
    Ok((scheme, host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_are_read() {
        for (url, expected) in [
            ("udp://127.0.0.1", Some((Scheme::Udp, "127.0.0.1", 514))),
            ("tcp://logs.example.com:1514", Some((Scheme::Tcp, "logs.example.com", 1514))),
            ("tls://[::1]", Some((Scheme::Tls, "::1", 6514))),
            ("tls://[::1]:7", Some((Scheme::Tls, "::1", 7))),
            ("http://logs.example.com", None),
            ("tls://", None),
            ("tls://a:b", None),
            ("logs.example.com", None),
        ] {
            assert_eq!(server(url).ok(), expected, "{url}");
        }
    }
}
