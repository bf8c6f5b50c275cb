//! What notices say, in each form.

use std::fmt::Write;
use std::time::Duration;

use keyhole::grant::{GrantEvent, Signalled, Subject};
use keyhole::notify::{Letter, Notice, json_payload, slack_payload};

use crate::story::{PLANTED, Story, alice, ask, dirk, dora};
use crate::support::wait::until;

/// Every kind of event, the last by time.
fn everything() -> Vec<Notice> {
    let story = Story::begin();
    let granted = story.request(&alice(), ask("customers.email"));
    story.pass(Duration::from_secs(60));
    story.approve(&dora(), granted);
    story.approve(&dirk(), granted);
    let denied = story.request(&alice(), ask("customers"));
    story.deny(&dora(), denied);
    let mut whole = ask("class:email");
    (whole.rows, whole.ticket) = (None, Some("INC-42".into()));
    let cancelled = story.request(&alice(), whole);
    story.cancel(&alice(), cancelled);
    let direct = story.grant(&dora(), Subject::Group("support".into()), ask("customers.ssn"));
    story.revoke(&dirk(), direct);
    story.pass(Duration::from_secs(3600));
    until("the grant has expired", || {
        let expired = |event: &keyhole::grant::RecordedEvent| event.event.kind() == "expired";
        story.events().iter().any(expired).then_some(())
    });
    story.notices()
}

fn letter(notice: &Notice) -> String {
    let from = "Keyhole <keyhole@example.com>".parse().expect("an address");
    let to = "dba@example.com".parse().expect("an address");
    let message = Letter { notice, from: &from }.to(&to).expect("a letter");
    String::from_utf8(message.formatted()).expect("ASCII").replace("\r\n", "\n")
}

/// Every form of every notice.
fn forms(notices: &[Notice]) -> Vec<String> {
    notices.iter().flat_map(|n| [json_payload(n), slack_payload(n), letter(n)]).collect()
}

#[test]
fn each_event_as_json() {
    let mut text = String::new();
    for notice in everything() {
        let value: serde_json::Value = serde_json::from_str(&json_payload(&notice)).expect("JSON");
        writeln!(text, "{value:#}").expect("memory");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn each_event_for_slack() {
    let mut text = String::new();
    for notice in everything() {
        let value: serde_json::Value = serde_json::from_str(&slack_payload(&notice)).expect("JSON");
        writeln!(text, "{value:#}").expect("memory");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn each_event_as_a_letter() {
    let letters: Vec<String> = everything().iter().map(letter).collect();
    insta::assert_snapshot!(letters.join("\n--------\n\n"));
}

#[test]
fn no_reason_ticket_or_literal_is_told() {
    let notices = everything();
    assert_eq!(notices.len(), 11);
    // They were there to be told: the store has them.
    let story = Story::begin();
    story.request(&alice(), ask("customers.email"));
    let stored = format!("{:?}", story.events());
    for planted in &PLANTED[..4] {
        assert!(stored.contains(planted), "{planted} was not planted");
    }
    for form in forms(&notices) {
        for planted in PLANTED {
            assert!(!form.contains(planted), "{planted} in {form}");
        }
    }
}

#[test]
fn a_ticket_is_told_if_it_is_one() {
    let tickets: Vec<_> = everything().into_iter().filter_map(|notice| notice.ticket).collect();
    assert_eq!(tickets, ["INC-42", "INC-42"]);
}

/// What is told of a request in which every name is `name`.
fn notice_about(name: &str) -> Notice {
    let story = Story::begin();
    story.request(&alice(), ask("customers.email"));
    let mut events = story.events();
    let GrantEvent::Requested { request } = &mut events[0].event else { panic!("not a request") };
    request.requester = name.to_owned();
    request.policy = name.to_owned();
    request.approvers = vec![Subject::User(name.to_owned())];
    request.terms.database = name.to_owned();
    request.terms.class = Some(name.to_owned());
    story.notices_of(&events).remove(0)
}

/// Names come from directories and issuers of tokens, which may hold anything.
#[test]
fn names_cannot_mention_link_or_add_headers() {
    for name in [
        "eve\r\nBcc: victim@example.com",
        "eve\nX-Injected: yes\n\nbody",
        "<!channel>",
        "<!here|x>",
        "@here",
        "<https://evil.example|Approve>",
        "eve\u{2028}\u{202e}gro.elpmaxe",
        "*_~`eve`~_*",
        "\"},{\"injected\":\"yes",
        "été=?utf-8?q?=0D=0ABcc:_x@y.example?=",
    ] {
        let notice = &notice_about(name);
        let slack = slack_payload(notice);
        for word in ["<!", "<@", "<http", "@here", "@channel", "@everyone"] {
            assert!(!slack.contains(word), "{word} of {name:?} in {slack}");
        }
        for json in [&slack, &json_payload(notice)] {
            let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
            assert!(!value.to_string().contains("\"injected\":"), "{json}");
            assert!(!json.contains("\\u2028") && !json.contains('\u{202e}'), "{json}");
        }
        let letter = letter(notice);
        let head = letter.split("\n\n").next().expect("a head");
        let names: Vec<&str> = head
            .lines()
            .filter(|line| !line.starts_with(' '))
            .filter_map(|line| line.split_once(": ").map(|(name, _)| name))
            .collect();
        let own = [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "X-Keyhole-Delivery",
            "Auto-Submitted",
            "Content-Type",
            "Content-Transfer-Encoding",
        ];
        for header in &names {
            assert!(own.contains(header), "{header} of {name:?} in {head}");
        }
        assert_eq!(names.len(), names.iter().collect::<std::collections::BTreeSet<_>>().len());
    }
}

#[test]
fn the_same_event_has_the_same_number_always() {
    let deliveries = |notices: Vec<Notice>| notices.into_iter().map(|notice| notice.delivery);
    let (first, second) = (deliveries(everything()), deliveries(everything()));
    let first: Vec<_> = first.collect();
    assert_eq!(first, second.collect::<Vec<_>>());
    assert_eq!(first.len(), first.iter().collect::<std::collections::BTreeSet<_>>().len());
}

#[test]
fn a_signal_is_told_by_its_counts() {
    let story = Story::begin();
    story.request(&alice(), ask("customers.email"));
    let mut events = story.events();
    let signal = Signalled {
        rule: "masked_burst".into(),
        severity: "high".into(),
        user: Some("alice\u{202e}".into()),
        session: Some(7),
        since: events[0].at,
        figures: [("statements".to_owned(), 600)].into(),
        records: vec![41, 42],
        actions: vec!["suspend".into()],
    };
    events[0].event = GrantEvent::Signalled { signal: Box::new(signal) };
    let notice = story.notices_of(&events).remove(0);
    let json: serde_json::Value = serde_json::from_str(&json_payload(&notice)).expect("JSON");
    assert_eq!((&json["event"], &json["access"]), (&"signal".into(), &serde_json::Value::Null));
    assert_eq!(json["signal"]["figures"]["statements"], 600);
    assert_eq!(json["signal"]["user"], "alice\u{fffd}");
    let letter = letter(&notice);
    for told in ["high signal: masked_burst", "statements 600", "Records: 41, 42", "Done: suspend"]
    {
        assert!(letter.contains(told), "{told} is not in {letter}");
    }
    assert!(slack_payload(&notice).contains("masked"));
}
