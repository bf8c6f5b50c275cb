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
mod pace;
mod slack;
mod smtp;
mod webhook;
mod words;

pub use channel::{Around, Channel, Route};
pub use json::payload as json_payload;
pub use mail::{Letter, MailError};
pub use notice::{Access, Approval, Notice, Party, Past, Rows, Told, notice_of};
pub use pace::Pace;
pub use slack::payload as slack_payload;
pub use smtp::{Directory, Smtp, SmtpError};
pub use webhook::{SIGNATURE, Webhook, WebhookError, sign};

/// Why something was not delivered, and what that means for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may go better later; no sooner than this, if the receiver said so.
    ForNow { why: String, wait: Option<std::time::Duration> },
    /// It would be refused again.
    ForGood { why: String },
}
