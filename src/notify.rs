//! Notifications: what happens to requests and grants, told to webhooks and by mail.
//!
//! The store's events are the queue. Each channel reads on behind its own position, which it keeps
//! on the disk, and is told of one event after another: at least once, in order. What a message
//! says is made by pure functions ([`Notice`] and its renderings); why somebody asked is never in
//! it.

mod channel;
mod json;
mod mail;
mod notice;
mod slack;
mod smtp;
mod webhook;
mod words;

pub use crate::net::delivery::{Failure, SIGNATURE, sign};
pub use crate::net::pace::Pace;
pub use channel::{Around, Channel, Route};
pub use json::payload as json_payload;
pub use mail::{Letter, MailError};
pub use notice::{Access, Approval, Notice, Party, Past, Rows, Told, notice_of};
pub use slack::payload as slack_payload;
pub use smtp::{Directory, Smtp, SmtpError};
pub use webhook::{Webhook, WebhookError};
