//! Who is told of requests and grants, by a proxy as a process: in order, and whatever happens to
//! the receiver or to the proxy.

use std::collections::BTreeSet;

use keyhole::model::{Secret, Timestamp};
use keyhole::notify::sign;

use crate::desk::{EMAIL, Shop, email};
use crate::support::keyhole::Config;
use crate::support::mail_server::MailServer;
use crate::support::receiver::{Heard, Receiver, Turn};
use crate::support::wait::until;

/// Why is told to nobody.
const ASK: &str = "SELECT * FROM keyhole.request('customers.email', '30 minutes', \
                   'refund for Canary Reason')";

/// Neither are tickets that are none, and which rows.
const GRANT: &str = "GRANT READ ON shop.public.customers.phone WHERE id = 4711 TO alice \
                     FOR '30 minutes' REASON 'refund for Canary Reason' \
                     TICKET 'a call of jane@canary.example'";

fn hook(receiver: &Receiver, name: &str, more: &str) -> String {
    let url = format!("http://127.0.0.1:{}/{name}", receiver.port());
    format!(
        "[[notify.webhook]]\nname = '{name}'\nurl = '{url}'\n\
         secret_env = 'KEYHOLE_ALICE_PASSWORD'\n{more}\n"
    )
}

/// The configuration's `[notify]`.
fn with(config: Config, text: &str) -> Config {
    let table: toml::Table = text.parse().expect("TOML");
    table["notify"]
        .as_table()
        .expect("a table")
        .iter()
        .fold(config, |config, (key, value)| config.set("notify", key, value.clone()))
}

fn events(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(Heard::event).collect()
}

#[test]
fn a_request_is_told_from_its_filing_to_its_end() {
    let (json, slack, mail) = (Receiver::start(), Receiver::start(), MailServer::start());
    let text = format!(
        "{}{}[notify]\nconsole_url = 'https://keyhole.example'\n[notify.smtp]\n\
         url = 'smtp://127.0.0.1:{}'\nfrom = 'keyhole@example.com'\nto = ['dba@example.com']\n",
        hook(&json, "json", ""),
        hook(&slack, "slack", "format = 'slack'"),
        mail.port(),
    );
    let shop = Shop::open_with("notify_loop", |config| with(config, &text));
    let mut session = shop.alice().connect();
    session.query(ASK).ok();
    let mut dba = shop.dba();
    dba.approve("alice");
    assert_eq!(session.query(EMAIL).scalar(), email());
    dba.revoke("alice");
    dba.say(GRANT);
    let heard = json.wait_for(5);
    assert_eq!(events(&heard), ["requested", "approved", "granted", "revoked", "granted"]);
    let (slacks, letters) = (slack.wait_for(5), mail.wait_for(5));
    let access = &heard[0].json()["access"];
    assert_eq!(access["database"], "shop");
    assert_eq!(access["resource"], "public.customers.email");
    assert_eq!(access["rows"]["restricted"], false);
    assert_eq!(heard[4].json()["access"]["rows"]["shape"], "\"id\" = ?");
    assert_eq!(heard[0].json()["link"], "https://keyhole.example/requests/1");
    for heard in &heard {
        let signature = &heard.headers["x-keyhole-signature"];
        let time = signature.trim_start_matches("t=").split(',').next().expect("a time");
        let time = Timestamp::from_second(time.parse().expect("seconds")).expect("in range");
        let secret = Secret::new("alice-secret");
        assert_eq!(*signature, sign(&secret, time, heard.body.as_bytes()));
    }
    let bodies = heard.iter().chain(&slacks).map(|heard| &heard.body);
    for text in bodies.chain(letters.iter().map(|letter| &letter.text)) {
        for planted in ["Canary", "canary", "4711", "refund", &email()] {
            assert!(!text.contains(planted), "{planted} in {text}");
        }
    }
    let metrics = until("what was told is counted", || {
        let (_, text) = shop.proxy.http("/metrics");
        let told =
            |channel: &str| format!("keyhole_notifications_sent_total{{channel=\"{channel}\"}} 5");
        let all = ["webhook", "slack", "mail"].iter().all(|one| text.contains(&told(one)));
        (all && text.contains("keyhole_notifications_waiting 0")).then_some(text)
    });
    assert!(!metrics.contains("example"), "{metrics}");
    let log = shop.proxy.log();
    assert!(!log.contains("Canary") && !log.contains("canary.example"), "{log}");
}

#[test]
fn nothing_is_lost_while_the_receiver_is_down_and_the_proxy_is_killed() {
    let receiver = Receiver::start();
    let (port, text) = (receiver.port(), hook(&receiver, "hook", ""));
    let mut shop = Shop::open_with("notify_crash", |config| with(config, &text));
    let mut heard = Vec::new();
    shop.dba().grant("public.customers.email", "alice");
    heard.extend(receiver.wait_for(1));
    drop(receiver);
    for round in 0..3 {
        shop.dba().grant("public.customers.email", "alice");
        shop.dba().revoke("alice");
        if round == 1 {
            // In the middle of an attempt, which may have been understood.
            let receiver = Receiver::start_on(port);
            receiver.then(vec![Turn::Hang; 8]);
            heard.extend(receiver.wait_for(1));
            shop.proxy.kill9();
            heard.extend(receiver.heard().split_off(1));
        }
        shop.proxy.restart();
    }
    let receiver = Receiver::start_on(port);
    shop.dba().grant("public.customers.email", "alice");
    heard.extend(receiver.wait_for(7));
    let mut seen = BTreeSet::new();
    let once: Vec<_> = heard.iter().filter(|heard| seen.insert(heard.delivery())).collect();
    let kinds: Vec<_> = once.iter().map(|heard| heard.event()).collect();
    let pairs = ["granted", "revoked"].repeat(3);
    assert_eq!(kinds, [vec!["granted"], pairs, vec!["granted"]].concat());
    let number = |heard: &&Heard| {
        heard.delivery().rsplit('-').next().expect("a number").parse::<u64>().expect("a number")
    };
    assert!(once.is_sorted_by_key(number), "each after the one before");
    // What came twice was the same.
    for again in &heard {
        let first = once.iter().find(|first| first.delivery() == again.delivery());
        assert_eq!(first.expect("seen").body, again.body);
    }
}

#[test]
fn a_reload_begins_and_ends_channels() {
    let (first, second) = (Receiver::start(), Receiver::start());
    let text = hook(&first, "first", "");
    let shop = Shop::open_with("notify_reload", |config| with(config, &text));
    let mut dba = shop.dba();
    dba.grant("public.customers.email", "alice");
    first.wait_for(1);
    let file = std::fs::read_to_string(shop.proxy.config.file()).expect("it is there");
    let mut table: toml::Table = file.parse().expect("TOML");
    let new = hook(&second, "second", "events = ['revoked']");
    let new: toml::Table = new.parse().expect("TOML");
    table.insert("notify".into(), new["notify"].clone());
    shop.proxy.config.write_text(&table.to_string());
    let said = dba.say("RELOAD");
    assert!(format!("{said:?}").contains("notify"), "{said:?}");
    dba.grant("public.customers.phone", "alice");
    dba.revoke("alice");
    let heard = second.wait_for(1);
    assert_eq!(events(&heard), ["revoked"]);
    assert_eq!(first.heard().len(), 1, "it is told nothing any more");
}
