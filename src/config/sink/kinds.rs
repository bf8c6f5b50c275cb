//! Which kinds of sinks there are, which keys each has, and which records a sink can be for.

use toml::Spanned;

use super::super::builder::Builder;
use super::super::raw::{self, Texts};
use crate::audit;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkKind {
    Stdout,
    File,
    Syslog,
    Otlp,
    Http,
    Postgres,
}

impl SinkKind {
    const ALL: [Self; 6] =
        [Self::Stdout, Self::File, Self::Syslog, Self::Otlp, Self::Http, Self::Postgres];

    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File => "file",
            Self::Syslog => "syslog",
            Self::Otlp => "otlp",
            Self::Http => "http",
            Self::Postgres => "postgres",
        }
    }

    /// Keys that only some kinds have.
    fn own_keys(self) -> &'static [&'static str] {
        match self {
            Self::Stdout => &[],
            Self::File => &["path"],
            Self::Syslog => {
                &["url", "ca_file", "plaintext", "facility", "confirm", "datagram_len_max"]
            }
            Self::Otlp => {
                &["url", "ca_file", "plaintext", "authorization_env", "authorization_file"]
            }
            Self::Http => &[
                "url",
                "ca_file",
                "plaintext",
                "authorization_env",
                "authorization_file",
                "secret_env",
                "secret_file",
            ],
            Self::Postgres => &["url", "table", "password_env", "password_file"],
        }
    }
}

pub(super) fn kind(
    builder: &mut Builder<'_>,
    of: &dyn Fn(&str) -> String,
    raw: &raw::Sink,
) -> Option<SinkKind> {
    let known = SinkKind::ALL.map(|kind| (kind.as_str(), Some(kind)));
    builder.word(&of("kind"), Some(raw.kind.clone()), &known, None)
}

/// A key that means nothing to this kind was meant for something.
pub(super) fn keys_are_of(
    builder: &mut Builder<'_>,
    of: &dyn Fn(&str) -> String,
    kind: SinkKind,
    raw: &raw::Sink,
) {
    let texts = [
        ("path", &raw.path),
        ("url", &raw.url),
        ("ca_file", &raw.ca_file),
        ("facility", &raw.facility),
        ("datagram_len_max", &raw.datagram_len_max),
        ("authorization_env", &raw.authorization_env),
        ("authorization_file", &raw.authorization_file),
        ("secret_env", &raw.secret_env),
        ("secret_file", &raw.secret_file),
        ("table", &raw.table),
        ("password_env", &raw.password_env),
        ("password_file", &raw.password_file),
    ];
    let flags = [("plaintext", &raw.plaintext), ("confirm", &raw.confirm)];
    let texts = texts.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?.span())));
    let flags = flags.into_iter().filter_map(|(key, flag)| Some((key, flag.as_ref()?.span())));
    for (key, span) in texts.chain(flags) {
        if !kind.own_keys().contains(&key) {
            builder
                .wrong(span, format!("{}: kind = \"{}\" has no such key", of(key), kind.as_str()));
        }
    }
}

/// None: every kind, also those that later versions have.
pub(super) fn records(
    builder: &mut Builder<'_>,
    key: &str,
    raw: Option<Spanned<Texts>>,
) -> Option<Vec<audit::Kind>> {
    let list = raw?;
    if list.get_ref().is_empty() {
        builder.wrong(list.span(), format!("{key} names none"));
    }
    let known: Vec<_> = audit::Kind::words().collect();
    Some(builder.words(key, list.into_inner(), &known))
}
