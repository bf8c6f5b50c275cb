//! Notifications: what they say, and that each arrives once and in order whatever the receiver does.

#[path = "support/fixture.rs"]
mod support;

#[path = "support/small_shop.rs"]
mod small_shop;

#[path = "notify/mail.rs"]
mod mail;
#[path = "notify/payloads.rs"]
mod payloads;
#[path = "notify/story.rs"]
mod story;
#[path = "notify/webhooks.rs"]
mod webhooks;
