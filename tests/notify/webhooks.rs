//! Webhooks against a receiver that behaves in every way that receivers behave.

use std::time::Duration;

use keyhole::config::{Config, WebhookFormat};
use keyhole::grant::Subject;
use keyhole::model::{Secret, Timestamp};
use keyhole::net::trust::trusting;
use keyhole::notify::{Route, Webhook, sign};
use keyhole::telemetry::NoticeChannel;

use crate::story::{Story, alice, ask, config, dora};
use crate::support::certificates;
use crate::support::receiver::{Heard, Receiver, Turn};
use crate::support::wait::until;

/// A channel to `url` as the configuration makes one; a short limit for each attempt.
fn route(url: &str, more: &str) -> Route {
    let dir = tempfile::tempdir().expect("a folder");
    let entry = format!(
        "[[notify.webhook]]\nname = 'test'\nurl = '{url}'\nsecret_env = 'S'\ntimeout = '2s'\n{more}"
    );
    let Config { notify, .. } = config(dir.path(), &entry);
    let webhook = &notify.webhooks[0];
    assert_eq!(webhook.format, WebhookFormat::Json);
    let ca = webhook.ca_file.as_ref().map(|file| std::fs::read(file).expect("it is there"));
    let tls = trusting(ca.as_deref()).expect("good authorities");
    Route::Webhook(Webhook::new(webhook, tls).expect("a good address"))
}

fn to(receiver: &Receiver) -> Route {
    route(&format!("http://127.0.0.1:{}/hook", receiver.port()), "")
}

fn say(status: u16) -> Turn {
    Turn::Say(status, String::new())
}

/// A request, its denial: two events.
fn file_and_deny(story: &Story) {
    let id = story.request(&alice(), ask("customers.email"));
    story.deny(&dora(), id);
}

/// The body was signed with the secret, at about the time of the attempt.
#[track_caller]
fn assert_signed(heard: &Heard) {
    let signature = &heard.headers["x-keyhole-signature"];
    let time = signature.trim_start_matches("t=").split(',').next().expect("a time");
    let time = Timestamp::from_second(time.parse().expect("seconds")).expect("in range");
    assert_eq!(*signature, sign(&Secret::new("secret"), time, heard.body.as_bytes()));
    assert_ne!(*signature, sign(&Secret::new("secret"), time, b"{}"));
    assert_ne!(*signature, sign(&Secret::new("other"), time, heard.body.as_bytes()));
}

fn events(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(Heard::event).collect()
}

#[test]
fn each_event_arrives_once_in_order_and_signed() {
    let (story, receiver) = (Story::begin(), Receiver::start());
    let channel = story.channel(to(&receiver));
    file_and_deny(&story);
    let id = story.grant(&dora(), Subject::User("alice".into()), ask("customers.email"));
    story.revoke(&alice(), id);
    let heard = receiver.wait_for(4);
    story.end(channel);
    assert_eq!(events(&heard), ["requested", "denied", "granted", "revoked"]);
    assert_eq!(receiver.heard().len(), 4);
    for heard in &heard {
        assert_signed(heard);
        assert_eq!(heard.line, "POST /hook");
        assert_eq!(heard.headers["content-type"], "application/json");
        assert_eq!(heard.json()["delivery"], heard.delivery());
        assert!(heard.delivery().starts_with(story.approvals().store_id()));
    }
    assert_eq!(story.metrics.notifications_sent.of(NoticeChannel::Webhook).get(), 4);
    assert_eq!(story.metrics.notifications_failed.total(), 0);
}

#[test]
fn a_receiver_in_trouble_is_asked_again_and_nothing_overtakes() {
    let (story, receiver) = (Story::begin(), Receiver::start());
    receiver.then([say(500), Turn::Cut, say(503), say(408), Turn::Hang, say(429), say(204)]);
    let channel = story.channel(to(&receiver));
    file_and_deny(&story);
    let heard = receiver.wait_for(8);
    story.end(channel);
    let expected = [vec!["requested"; 7], vec!["denied"]].concat();
    assert_eq!(events(&heard), expected);
    assert!(heard[..7].iter().all(|again| again.delivery() == heard[0].delivery()));
    assert_ne!(heard[7].delivery(), heard[0].delivery());
    assert_eq!(story.metrics.notifications_failed.total(), 6);
    assert_eq!(story.metrics.notifications_sent.total(), 2);
    assert_eq!(story.metrics.notifications_dropped.total(), 0);
}

#[test]
fn a_receiver_says_when_to_come_back() {
    let (story, receiver) = (Story::begin(), Receiver::start());
    receiver.then([Turn::Say(429, "Retry-After: 1".into())]);
    let channel = story.channel(to(&receiver));
    story.request(&alice(), ask("customers.email"));
    let heard = receiver.wait_for(2);
    story.end(channel);
    assert!(heard[1].at - heard[0].at >= Duration::from_secs(1), "its own pace is 20 ms");
}

#[test]
fn refusals_and_redirects_are_final_and_what_follows_is_delivered() {
    let elsewhere = Receiver::start();
    let location = format!("Location: http://127.0.0.1:{}/hook", elsewhere.port());
    let (story, receiver) = (Story::begin(), Receiver::start());
    receiver.then([Turn::Say(307, location), say(404)]);
    let channel = story.channel(to(&receiver));
    file_and_deny(&story);
    story.request(&alice(), ask("customers.ssn"));
    let heard = receiver.wait_for(3);
    story.end(channel);
    assert_eq!(events(&heard), ["requested", "denied", "requested"]);
    assert_eq!(elsewhere.heard().len(), 0, "the redirect was followed");
    assert_eq!(story.metrics.notifications_dropped.total(), 2);
    assert_eq!(story.metrics.notifications_sent.total(), 1);
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let (story, receiver) = (Story::begin(), Receiver::start());
    receiver.then([Turn::Endless]);
    let channel = story.channel(to(&receiver));
    file_and_deny(&story);
    let heard = receiver.wait_for(2);
    story.end(channel);
    assert_eq!(events(&heard), ["requested", "denied"]);
}

#[test]
fn what_is_too_old_is_dropped_and_the_rest_delivered() {
    let (story, receiver) = (Story::begin(), Receiver::start());
    let port = receiver.port();
    drop(receiver);
    let channel = story.channel(route(&format!("http://127.0.0.1:{port}/hook"), ""));
    file_and_deny(&story);
    until("an attempt has failed", || {
        (story.metrics.notifications_failed.total() > 0).then_some(())
    });
    story.pass(Duration::from_secs(86_401));
    until("both are dropped", || (story.metrics.notifications_dropped.total() == 2).then_some(()));
    let receiver = Receiver::start_on(port);
    story.request(&alice(), ask("customers.email"));
    let heard = receiver.wait_for(1);
    story.end(channel);
    assert_eq!(events(&heard), ["requested"]);
}

#[test]
fn a_channel_that_comes_back_goes_on_where_it_was() {
    let (story, receiver) = (Story::begin(), Receiver::start());
    story.request(&alice(), ask("customers.ssn"));
    let channel = story.channel(to(&receiver));
    let id = story.request(&alice(), ask("customers.email"));
    receiver.wait_for(1);
    story.end(channel);
    story.deny(&dora(), id);
    let channel = story.channel(to(&receiver));
    let heard = receiver.wait_for(2);
    story.end(channel);
    assert_eq!(events(&heard), ["requested", "denied"], "nothing of before, nothing twice");
}

#[test]
fn authorities_decide_who_is_believed() {
    let dir = tempfile::tempdir().expect("a folder");
    certificates::make(dir.path());
    let receiver = Receiver::start_tls(dir.path());
    let url = format!("https://127.0.0.1:{}/hook", receiver.port());
    let story = Story::begin();
    let unknown = story.channel(route(&url, ""));
    story.request(&alice(), ask("customers.email"));
    until("it is not believed", || (story.metrics.notifications_failed.total() > 0).then_some(()));
    story.end(unknown);
    assert_eq!(receiver.heard().len(), 0);
    let ca = format!("ca_file = '{}'", dir.path().join("ca.pem").display());
    let known = story.channel(route(&url, &ca));
    let heard = receiver.wait_for(1);
    story.end(known);
    assert_signed(&heard[0]);
}

#[test]
fn a_receiver_that_takes_nothing_is_given_up_for_this_event_alone() {
    let (story, receiver) = (Story::begin(), Receiver::start());
    receiver.then(vec![say(500); 3]);
    let channel = story.channel_of(to(&receiver), 3);
    file_and_deny(&story);
    let heard = receiver.wait_for(4);
    story.end(channel);
    assert_eq!(events(&heard), ["requested", "requested", "requested", "denied"]);
    assert_eq!(story.metrics.notifications_dropped.total(), 1);
}

#[test]
fn whoever_does_not_know_where_it_was_tells_again() {
    let (story, receiver) = (Story::begin(), Receiver::start());
    let channel = story.channel(to(&receiver));
    file_and_deny(&story);
    receiver.wait_for(2);
    story.end(channel);
    std::fs::write(story.position(), "{\"version\":1,").expect("a writable folder");
    let channel = story.channel(to(&receiver));
    let heard = receiver.wait_for(4);
    story.end(channel);
    let deliveries: Vec<_> = heard.iter().map(Heard::delivery).collect();
    assert_eq!(deliveries[..2], deliveries[2..]);
}

#[test]
fn a_store_out_of_a_backup_is_followed_from_its_end() {
    let (story, receiver) = (Story::begin(), Receiver::start());
    let channel = story.channel(to(&receiver));
    let id = story.request(&alice(), ask("customers.email"));
    receiver.wait_for(1);
    story.end(channel);
    let store = story.approvals().store_id();
    let ahead = format!("{{\"version\":1,\"store\":\"{store}\",\"position\":1000}}");
    std::fs::write(story.position(), ahead).expect("a writable folder");
    let channel = story.channel(to(&receiver));
    story.deny(&dora(), id);
    let heard = receiver.wait_for(2);
    story.end(channel);
    assert_eq!(events(&heard), ["requested", "denied"]);
}
