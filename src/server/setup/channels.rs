//! Who is told of requests and grants: the channels of `[notify]`, with all that they need.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::super::workers;
use crate::config::{Config, NoticeKind, SmtpConfig, WebhookConfig, WebhookFormat};
use crate::net::trust::trusting;
use crate::notify::{Directory, Route, Smtp, Webhook};
use crate::telemetry::NoticeChannel;

/// A channel as it is to be.
#[derive(Clone)]
pub(in crate::server) struct Plan {
    /// Unique; fit for the name of a file.
    pub(in crate::server) name: String,
    pub(in crate::server) label: NoticeChannel,
    pub(in crate::server) kinds: Vec<NoticeKind>,
    pub(in crate::server) age_max: Duration,
    pub(in crate::server) console_url: Option<String>,
    pub(in crate::server) route: Route,
    source: Source,
}

/// What a route was made from.
#[derive(Clone, PartialEq)]
enum Source {
    Webhook { config: WebhookConfig, authorities: Option<Vec<u8>> },
    Smtp { config: SmtpConfig, authorities: Option<Vec<u8>>, directory: Directory },
}

impl workers::Plan for Plan {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_like(&self, other: &Self) -> bool {
        self.source == other.source
            && self.console_url == other.console_url
            && self.age_max == other.age_max
    }
}

/// The channels of a configuration. Reads files of authorities.
///
/// # Errors
/// A file that cannot be used, an address that cannot be asked.
pub(super) fn plans(config: &Config) -> Result<Vec<Plan>, String> {
    let webhooks = config.notify.webhooks.iter().map(|webhook| {
        plan_webhook(config, webhook)
            .map_err(|error| format!("{}: webhook \"{}\": {error}", webhook.place, webhook.name))
    });
    let smtp = config.notify.smtp.iter().map(|smtp| {
        plan_smtp(config, smtp).map_err(|error| format!("{}: [notify.smtp]: {error}", smtp.place))
    });
    webhooks.chain(smtp).collect()
}

fn plan_webhook(config: &Config, webhook: &WebhookConfig) -> Result<Plan, String> {
    let authorities = read(webhook.ca_file.as_ref())?;
    let tls = trusting(authorities.as_deref()).map_err(|error| format!("ca_file: {error}"))?;
    Ok(Plan {
        name: format!("webhook-{}", webhook.name),
        label: match webhook.format {
            WebhookFormat::Json => NoticeChannel::Webhook,
            WebhookFormat::Slack => NoticeChannel::Slack,
        },
        kinds: webhook.events.clone(),
        age_max: config.notify.age_max,
        console_url: config.notify.console_url.clone(),
        route: Route::Webhook(Webhook::new(webhook, tls).map_err(|error| error.to_string())?),
        source: Source::Webhook { config: webhook.clone(), authorities },
    })
}

fn plan_smtp(config: &Config, smtp: &SmtpConfig) -> Result<Plan, String> {
    let authorities = read(smtp.ca_file.as_ref())?;
    let directory = Directory::new(&config.users);
    let route = Smtp::new(smtp, authorities.as_deref(), directory.clone())
        .map_err(|error| error.to_string())?;
    Ok(Plan {
        name: "smtp".to_owned(),
        label: NoticeChannel::Mail,
        kinds: smtp.events.clone(),
        age_max: config.notify.age_max,
        console_url: config.notify.console_url.clone(),
        route: Route::Smtp(Box::new(route)),
        source: Source::Smtp { config: smtp.clone(), authorities, directory },
    })
}

fn read(file: Option<&PathBuf>) -> Result<Option<Vec<u8>>, String> {
    let read =
        |path: &PathBuf| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    file.map(read).transpose()
}
