//! `[notify]`: who is told of requests and grants, and over which channels.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use toml::Spanned;

use super::builder::Builder;
use super::notice_kind::NoticeKind;
use super::raw::{self, Text, Texts};
use super::source::Place;
use super::values;
use crate::model::Secret;

const TIMEOUT: Duration = Duration::from_secs(10);
/// A channel that waits longer for one answer would keep a reload waiting.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// What is older is news to nobody; what became of a request is known for a day.
const AGE_MAX: Duration = Duration::from_secs(86_400);
/// Bytes; the name is part of a file's name.
const NAME_LEN_MAX: usize = 64;
const PORT_SMTP: u16 = 25;
const PORT_STARTTLS: u16 = 587;
const PORT_SMTPS: u16 = 465;

/// Who is told, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct NotifyConfig {
    /// Without a slash at its end; links begin with it.
    pub console_url: Option<String>,
    /// Events that could not be delivered for longer are dropped.
    pub age_max: Duration,
    pub webhooks: Vec<WebhookConfig>,
    pub smtp: Option<SmtpConfig>,
}

/// `[[notify.webhook]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookConfig {
    /// Unique; letters, digits, `_` and `-`.
    pub name: String,
    /// Often a secret by itself: whoever knows it may write to the channel.
    pub url: Secret,
    /// Signs what is sent; None only with [`WebhookFormat::Slack`], which checks no signatures.
    pub secret: Option<Secret>,
    pub format: WebhookFormat,
    pub events: Vec<NoticeKind>,
    /// None: the system's authorities are trusted.
    pub ca_file: Option<PathBuf>,
    /// For everything from the first packet to the last.
    pub timeout: Duration,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookFormat {
    Json,
    Slack,
}

/// `[notify.smtp]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SmtpConfig {
    pub host: String,
    pub port: u16,
    pub encryption: SmtpEncryption,
    /// User and password.
    pub login: Option<(String, Secret)>,
    pub from: Mailbox,
    /// Told of everything.
    pub to: Vec<Mailbox>,
    pub events: Vec<NoticeKind>,
    /// None: the system's authorities are trusted.
    pub ca_file: Option<PathBuf>,
    /// For each answer of the server.
    pub timeout: Duration,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpEncryption {
    None,
    /// Begins in the clear and goes no further without TLS.
    StartTls,
    Tls,
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self { console_url: None, age_max: AGE_MAX, webhooks: Vec::new(), smtp: None }
    }
}

pub(super) fn build(builder: &mut Builder<'_>, raw: raw::Notify) -> NotifyConfig {
    let age_span = raw.age_max.as_ref().map(Spanned::span).unwrap_or_default();
    let age_max = builder.duration("age_max in [notify]", raw.age_max, AGE_MAX);
    if age_max > AGE_MAX {
        builder.wrong(age_span, "age_max in [notify] is at most 24h");
    }
    let mut webhooks: Vec<WebhookConfig> = Vec::new();
    for entry in raw.webhook {
        let place = builder.source.place(entry.span());
        let entry = entry.into_inner();
        let name = entry.name.clone();
        if let Some(first) = webhooks.iter().find(|known| known.name == *name.get_ref()) {
            let message = format!("webhook \"{}\" is named at {}", name.get_ref(), first.place);
            builder.wrong(name.span(), message);
        }
        webhooks.extend(webhook(builder, entry, place));
    }
    NotifyConfig {
        console_url: raw.console_url.and_then(|url| console_url(builder, &url)),
        age_max,
        webhooks,
        smtp: raw.smtp.and_then(|entry| smtp(builder, entry)),
    }
}

/// An address of mail, as `email` of a user has it.
pub(super) fn mailbox(builder: &mut Builder<'_>, key: &str, text: &Text) -> Option<Mailbox> {
    match text.get_ref().parse() {
        Ok(mailbox) => Some(mailbox),
        Err(_) => {
            let message = format!("{key}: {:?} is no address of mail", text.get_ref());
            builder.wrong(text.span(), message);
            None
        }
    }
}

fn console_url(builder: &mut Builder<'_>, text: &Text) -> Option<String> {
    let url = text.get_ref().trim_end_matches('/');
    match check_url(url) {
        Ok(_) if !url.contains(['?', '#']) => Some(url.to_owned()),
        Ok(_) | Err(_) => {
            builder.wrong(text.span(), "console_url in [notify]: an address is https://host/path");
            None
        }
    }
}

fn webhook(builder: &mut Builder<'_>, raw: raw::Webhook, place: Place) -> Option<WebhookConfig> {
    let name = raw.name.get_ref().clone();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > NAME_LEN_MAX || !name.chars().all(plain) {
        let message = format!(
            "name in [[notify.webhook]]: a name has 1 to {NAME_LEN_MAX} letters, digits, _ and -"
        );
        builder.wrong(raw.name.span(), message);
    }
    let of = |key: &str| format!("{key} of webhook \"{name}\"");
    let formats = [("json", WebhookFormat::Json), ("slack", WebhookFormat::Slack)];
    let format = builder.word(&of("format"), raw.format, &formats, WebhookFormat::Json);
    let has_secret = raw.secret_env.is_some() || raw.secret_file.is_some();
    let secret = match (raw.secret_env, raw.secret_file) {
        (Some(_), Some(file)) => {
            let message = format!("{} excludes secret_env", of("secret_file"));
            builder.wrong(file.span(), message);
            None
        }
        (Some(variable), None) => builder.secret_from_env(&of("secret_env"), &variable),
        (None, Some(file)) => builder.secret_from_file(&of("secret_file"), &file),
        (None, None) => None,
    };
    if !has_secret && format == WebhookFormat::Json {
        let message = format!("webhook \"{name}\" has neither secret_env nor secret_file");
        builder.wrong(raw.name.span(), message);
    }
    let span = [&raw.url, &raw.url_env].into_iter().flatten().next().unwrap_or(&raw.name).span();
    let url = match (raw.url, raw.url_env) {
        (Some(url), None) => Some(Secret::new(url.into_inner())),
        (None, Some(variable)) => builder.secret_from_env(&of("url_env"), &variable),
        (Some(_), Some(_)) => {
            builder.wrong(span.clone(), format!("{} excludes url_env", of("url")));
            None
        }
        (None, None) => {
            builder.wrong(span.clone(), format!("webhook \"{name}\" has neither url nor url_env"));
            None
        }
    };
    if let Some(url) = &url {
        match check_url(url.expose()) {
            Err(message) => builder.wrong(span, format!("{}: {message}", of("url"))),
            Ok(Carriage::InTheClear) if raw.plaintext != Some(true) => {
                let message = "anybody in between could read along: use https://, or say \
                               plaintext = true";
                builder.wrong(span, format!("{}: {message}", of("url")));
            }
            Ok(Carriage::InTheClear | Carriage::Safe) => {}
        }
    }
    Some(WebhookConfig {
        url: url?,
        secret,
        format,
        events: events(builder, &of("events"), raw.events),
        ca_file: raw.ca_file.map(|file| builder.file(&of("ca_file"), &file)),
        timeout: timeout(builder, &of("timeout"), raw.timeout),
        name,
        place,
    })
}

fn smtp(builder: &mut Builder<'_>, entry: Spanned<raw::Smtp>) -> Option<SmtpConfig> {
    let place = builder.source.place(entry.span());
    let raw = entry.into_inner();
    let of = |key: &str| format!("{key} in [notify.smtp]");
    let server = smtp_server(raw.url.get_ref());
    let is_far = |(encryption, host, _): &(SmtpEncryption, &str, u16)| {
        *encryption == SmtpEncryption::None && !values::is_loopback(host)
    };
    let far = server.as_ref().is_ok_and(is_far);
    if far && (raw.plaintext != Some(true) || raw.user.is_some()) {
        let message = "anybody in between could read along: use smtps:// or smtp+starttls://, or, \
                       without a password, say plaintext = true";
        builder.wrong(raw.url.span(), format!("{}: {message}", of("url")));
    }
    let password_span = [&raw.password_env, &raw.password_file].into_iter().flatten().next();
    let password_span = password_span.map(Spanned::span);
    let password = builder.password(&of, raw.password_env, raw.password_file);
    let login = match (raw.user, password_span) {
        (None, None) => None,
        (Some(user), Some(_)) => password.map(|password| (user.into_inner(), password)),
        (Some(user), None) => {
            builder.wrong(user.span(), "user in [notify.smtp] needs a password");
            None
        }
        (None, Some(span)) => {
            builder.wrong(span, "a password in [notify.smtp] needs a user");
            None
        }
    };
    let to = raw.to.map(Spanned::into_inner).unwrap_or_default();
    let to = to.iter().filter_map(|text| mailbox(builder, &of("to"), text)).collect();
    let from = mailbox(builder, &of("from"), &raw.from);
    let events = events(builder, &of("events"), raw.events);
    let ca_file = raw.ca_file.map(|file| builder.file(&of("ca_file"), &file));
    let timeout = timeout(builder, &of("timeout"), raw.timeout);
    match server {
        Ok((encryption, host, port)) => Some(SmtpConfig {
            host: host.to_owned(),
            port,
            encryption,
            login,
            from: from?,
            to,
            events,
            ca_file,
            timeout,
            place,
        }),
        Err(message) => {
            builder.wrong(raw.url.span(), format!("{}: {message}", of("url")));
            None
        }
    }
}

/// Whether others can read along.
pub(super) enum Carriage {
    Safe,
    InTheClear,
}

pub(super) fn check_url(url: &str) -> Result<Carriage, String> {
    const SHAPE: &str = "an address is https://host/path";
    let (rest, plain) = match url.strip_prefix("https://") {
        Some(rest) => (rest, false),
        None => (url.strip_prefix("http://").ok_or(SHAPE)?, true),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = values::host_of(authority).ok_or(SHAPE)?;
    let visible = |byte: u8| byte.is_ascii_graphic() && !b"\"\\<>".contains(&byte);
    if url.contains('#') || !url.bytes().all(visible) {
        return Err(SHAPE.to_owned());
    }
    let near = values::is_loopback(host);
    Ok(if plain && !near { Carriage::InTheClear } else { Carriage::Safe })
}

fn smtp_server(url: &str) -> Result<(SmtpEncryption, &str, u16), String> {
    const SHAPE: &str =
        "a server is smtps://host:port, smtp+starttls://host:port or smtp://host:port";
    let (scheme, authority) = url.split_once("://").ok_or(SHAPE)?;
    let (encryption, port) = match scheme {
        "smtp" => (SmtpEncryption::None, PORT_SMTP),
        "smtp+starttls" => (SmtpEncryption::StartTls, PORT_STARTTLS),
        "smtps" => (SmtpEncryption::Tls, PORT_SMTPS),
        _ => return Err(SHAPE.to_owned()),
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let host = values::host_of(authority).ok_or(SHAPE)?;
    let port = values::port_of(authority, host).unwrap_or(Ok(port)).map_err(|()| SHAPE)?;
    Ok((encryption, host, port))
}

fn events(builder: &mut Builder<'_>, key: &str, raw: Option<Spanned<Texts>>) -> Vec<NoticeKind> {
    let Some(list) = raw else { return NoticeKind::ALL.to_vec() };
    if list.get_ref().is_empty() {
        builder.wrong(list.span(), format!("{key} names none"));
    }
    let known = NoticeKind::ALL.map(|kind| (kind.as_str(), kind));
    builder.words(key, list.into_inner(), &known)
}

fn timeout(builder: &mut Builder<'_>, key: &str, raw: Option<Text>) -> Duration {
    let span = raw.as_ref().map(Spanned::span).unwrap_or_default();
    let timeout = builder.duration(key, raw, TIMEOUT);
    if timeout > TIMEOUT_MAX {
        builder.wrong(span, format!("{key} is at most 1min"));
    }
    timeout
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_mail_are_read() {
        use SmtpEncryption::{None, StartTls, Tls};
        for (url, expected) in [
            ("smtp://127.0.0.1:2525", Some((None, "127.0.0.1", 2525))),
            ("smtp://mail.example.com", Some((None, "mail.example.com", 25))),
            ("smtps://mail.example.com/", Some((Tls, "mail.example.com", 465))),
            ("smtp+starttls://[::1]:587", Some((StartTls, "::1", 587))),
            ("smtp+starttls://[::1]", Some((StartTls, "::1", 587))),
            ("smtp://", Option::None),
            ("smtp://user@host", Option::None),
            ("mail.example.com:25", Option::None),
            ("smtp://host:99999", Option::None),
        ] {
            assert_eq!(smtp_server(url).ok(), expected, "{url}");
        }
    }

    #[test]
    fn far_hosts_without_encryption_are_told_apart() {
        for (url, safe) in [
            ("https://hooks.example.com/T0/B0?x=y", Some(true)),
            ("http://127.0.0.1:8080/x", Some(true)),
            ("http://[::1]:8080", Some(true)),
            ("http://hooks.example.com/", Some(false)),
            ("http://127.0.0.1.example.com/", Some(false)),
            ("https://user@hooks.example.com/", None),
            ("https://hooks.example.com/<x>", None),
            ("ftp://hooks.example.com/", None),
            ("https://", None),
        ] {
            let carriage = check_url(url).ok().map(|way| matches!(way, Carriage::Safe));
            assert_eq!(carriage, safe, "{url}");
        }
    }
}
