//! `[[sink]]`: where else the records of the audit log go.

mod kinds;
mod syslog;

use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;

use super::builder::Builder;
use super::notify::{Carriage, check_url};
use super::raw::{self, Text};
use super::source::{Place, Problem};
use super::upstream::{SessionTarget, UpstreamDatabase, UpstreamUrl};
use crate::audit;
use crate::model::Secret;

pub use kinds::SinkKind;
pub use syslog::{Confirm, Facility, SyslogConfig, SyslogWay};

const EVERY: Duration = Duration::from_secs(1);
/// Who waits longer is no follower of the log.
const EVERY_MAX: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(10);
/// A sink that waits longer for one answer would keep a reload waiting.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// Bytes; the name is part of a file's name.
const NAME_LEN_MAX: usize = 64;
const TABLE: &str = "keyhole_audit";
/// Bytes of a name in PostgreSQL.
const IDENTIFIER_LEN_MAX: usize = 63;

/// `[[sink]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkConfig {
    /// Unique; letters, digits, `_` and `-`.
    pub name: String,
    /// Which records; None: all.
    pub kinds: Option<Vec<audit::Kind>>,
    pub from: SinkStart,
    /// How long records may wait to be sent together.
    pub every: Duration,
    /// For one attempt.
    pub timeout: Duration,
    pub way: SinkWay,
    pub place: Place,
}

/// Where a sink begins that is new in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkStart {
    Oldest,
    Now,
}

/// How records get to their receiver.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkWay {
    Stdout,
    File(PathBuf),
    Syslog(SyslogConfig),
    Otlp(PostConfig),
    Http(PostConfig),
    Postgres(Box<TableConfig>),
}

/// A receiver of POSTs.
#[derive(Clone, Debug, PartialEq)]
pub struct PostConfig {
    pub url: String,
    /// All of the header `Authorization`.
    pub authorization: Option<Secret>,
    /// Signs what is sent.
    pub secret: Option<Secret>,
    /// None: the system's authorities are trusted.
    pub ca_file: Option<PathBuf>,
}

/// A table in PostgreSQL.
#[derive(Clone, Debug, PartialEq)]
pub struct TableConfig {
    pub url: UpstreamUrl,
    pub password: Option<Secret>,
    /// Where it is found: its schema, if that is said.
    pub schema: Option<String>,
    pub table: String,
}

impl SinkConfig {
    pub fn kind(&self) -> SinkKind {
        match &self.way {
            SinkWay::Stdout => SinkKind::Stdout,
            SinkWay::File(_) => SinkKind::File,
            SinkWay::Syslog(_) => SinkKind::Syslog,
            SinkWay::Otlp(_) => SinkKind::Otlp,
            SinkWay::Http(_) => SinkKind::Http,
            SinkWay::Postgres(_) => SinkKind::Postgres,
        }
    }

    pub(super) fn warning(&self) -> Option<Problem> {
        let SinkWay::Postgres(table) = &self.way else { return None };
        let said = table.url.warning()?;
        Some(self.place.problem(format!("url of sink \"{}\": {said}", self.name)))
    }
}

pub(super) fn build(builder: &mut Builder<'_>, raw: Vec<Spanned<raw::Sink>>) -> Vec<SinkConfig> {
    let mut sinks: Vec<SinkConfig> = Vec::new();
    for entry in raw {
        let place = builder.source.place(entry.span());
        let entry = entry.into_inner();
        let (name, span) = (entry.name.get_ref().clone(), entry.name.span());
        if let Some(first) = sinks.iter().find(|known| known.name == name) {
            builder.wrong(span, format!("sink \"{name}\" is named at {}", first.place));
        }
        sinks.extend(sink(builder, entry, place));
    }
    let mut stdout = sinks.iter().filter(|sink| sink.way == SinkWay::Stdout);
    if let Some(second) = stdout.nth(1) {
        let message = "there is one standard output, and another sink writes to it";
        builder.problems.0.push(second.place.problem(message));
    }
    sinks
}

fn sink(builder: &mut Builder<'_>, raw: raw::Sink, place: Place) -> Option<SinkConfig> {
    let name = raw.name.get_ref().clone();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > NAME_LEN_MAX || !name.chars().all(plain) {
        let message =
            format!("name in [[sink]]: a name has 1 to {NAME_LEN_MAX} letters, digits, _ and -");
        builder.wrong(raw.name.span(), message);
    }
    let of = |key: &str| format!("{key} of sink \"{name}\"");
    let kind = kinds::kind(builder, &of, &raw)?;
    kinds::keys_are_of(builder, &of, kind, &raw);
    let starts = [("oldest", SinkStart::Oldest), ("now", SinkStart::Now)];
    let from = builder.word(&of("from"), raw.from.clone(), &starts, SinkStart::Oldest);
    let every = up_to(builder, &of("every"), raw.every.clone(), EVERY, EVERY_MAX);
    let timeout = up_to(builder, &of("timeout"), raw.timeout.clone(), TIMEOUT, TIMEOUT_MAX);
    let kinds = kinds::records(builder, &of("kinds"), raw.kinds.clone());
    let way = match kind {
        SinkKind::Stdout => SinkWay::Stdout,
        SinkKind::File => SinkWay::File(file(builder, &of, &raw)?),
        SinkKind::Syslog => SinkWay::Syslog(syslog::build(builder, &of, raw)?),
        SinkKind::Otlp => SinkWay::Otlp(post(builder, &of, raw)?),
        SinkKind::Http => SinkWay::Http(post(builder, &of, raw)?),
        SinkKind::Postgres => SinkWay::Postgres(Box::new(table(builder, &of, raw)?)),
    };
    Some(SinkConfig { name, kinds, from, every, timeout, way, place })
}

fn up_to(
    builder: &mut Builder<'_>,
    key: &str,
    raw: Option<Text>,
    default: Duration,
    most: Duration,
) -> Duration {
    let span = raw.as_ref().map(Spanned::span).unwrap_or_default();
    let value = builder.duration(key, raw, default);
    if value > most {
        builder.wrong(span, format!("{key} is at most 1min"));
    }
    value
}

/// A key without which this kind of sink is none.
fn needed(builder: &mut Builder<'_>, raw: Option<Text>, name: &Text, key: &str) -> Option<Text> {
    if raw.is_none() {
        builder.wrong(name.span(), format!("sink \"{}\" needs {key}", name.get_ref()));
    }
    raw
}

/// The folder has to be there; the file is made.
fn file(
    builder: &mut Builder<'_>,
    of: &dyn Fn(&str) -> String,
    raw: &raw::Sink,
) -> Option<PathBuf> {
    let path = needed(builder, raw.path.clone(), &raw.name, "path")?;
    let full = builder.beside(path.get_ref().as_ref());
    let folder = full.parent().filter(|folder| !folder.as_os_str().is_empty());
    if full.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        let message =
            format!("{}: {} is no file in a folder that is there", of("path"), full.display());
        builder.wrong(path.span(), message);
    }
    Some(full)
}

fn post(
    builder: &mut Builder<'_>,
    of: &dyn Fn(&str) -> String,
    raw: raw::Sink,
) -> Option<PostConfig> {
    let url = needed(builder, raw.url, &raw.name, "url");
    let plain = raw.plaintext.is_some_and(Spanned::into_inner);
    let authorization =
        secret(builder, of, "authorization", raw.authorization_env, raw.authorization_file);
    let secret = secret(builder, of, "secret", raw.secret_env, raw.secret_file);
    let ca_file = raw.ca_file.map(|file| builder.file(&of("ca_file"), &file));
    let url = url?;
    match check_url(url.get_ref()) {
        Err(message) => builder.wrong(url.span(), format!("{}: {message}", of("url"))),
        Ok(Carriage::InTheClear) if !plain || authorization.is_some() => {
            let message = "anybody in between could read along: use https://, or, without \
                           authorization, say plaintext = true";
            builder.wrong(url.span(), format!("{}: {message}", of("url")));
        }
        Ok(Carriage::InTheClear | Carriage::Safe) => {}
    }
    if authorization.as_ref().is_some_and(|text| text.expose().bytes().any(|b| b < b' ')) {
        builder.wrong(raw.name.span(), format!("{} is one line", of("authorization")));
    }
    Some(PostConfig { url: url.into_inner(), authorization, secret, ca_file })
}

fn secret(
    builder: &mut Builder<'_>,
    of: &dyn Fn(&str) -> String,
    key: &str,
    variable: Option<Text>,
    file: Option<Text>,
) -> Option<Secret> {
    let (in_env, in_file) = (format!("{key}_env"), format!("{key}_file"));
    match (variable, file) {
        (None, None) => None,
        (Some(variable), None) => builder.secret_from_env(&of(&in_env), &variable),
        (None, Some(file)) => builder.secret_from_file(&of(&in_file), &file),
        (Some(_), Some(file)) => {
            builder.wrong(file.span(), format!("{} excludes {in_env}", of(&in_file)));
            None
        }
    }
}

fn table(
    builder: &mut Builder<'_>,
    of: &dyn Fn(&str) -> String,
    raw: raw::Sink,
) -> Option<TableConfig> {
    let password = builder.password(of, raw.password_env, raw.password_file);
    let named = raw.table.as_ref().map_or(TABLE, |table| table.get_ref().as_str());
    let (schema, table) = match named.split_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, named),
    };
    let good = |name: &str| {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
        (1..=IDENTIFIER_LEN_MAX).contains(&name.len()) && name.chars().all(plain)
    };
    if !good(table) || !schema.is_none_or(good) {
        let span = raw.table.as_ref().map(Spanned::span).unwrap_or_default();
        builder.wrong(span, format!("{}: a table is table or schema.table", of("table")));
    }
    let (schema, table) = (schema.map(str::to_owned), table.to_owned());
    let text = needed(builder, raw.url, &raw.name, "url")?;
    let url = match UpstreamUrl::parse(text.get_ref()) {
        Ok(url) => builder.beside_all(url, &of("url"), text.span()),
        Err(message) => {
            builder.wrong(text.span(), format!("{}: {message}", of("url")));
            return None;
        }
    };
    if url.database == UpstreamDatabase::AsRequested {
        builder.wrong(text.span(), format!("{}: a table is in one database", of("url")));
    }
    match url.target {
        SessionTarget::Any | SessionTarget::ReadWrite | SessionTarget::Primary => {}
        SessionTarget::ReadOnly | SessionTarget::Standby | SessionTarget::PreferStandby => {
            let message = "a table is written, so target_session_attrs is read-write";
            builder.wrong(text.span(), format!("{}: {message}", of("url")));
        }
    }
    Some(TableConfig { url, password, schema, table })
}
