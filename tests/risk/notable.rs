//! Records that the log calls notable, and lines that rules look at, are the same ones.

use std::sync::Arc;

use bytes::Bytes;
use keyhole::audit::{
    Analysis, Configuration, ConfigurationStep, Decision, Encoder, Event, Gates, Logout, Mention,
    Names, Provenance, Release, Shown, Signal, Statement, StatementText, Stopped, Strings,
};
use keyhole::audit::{Chain, LoginFailed};
use keyhole::model::{Client, User};
use keyhole::risk::concerns;

use super::script::time;

const DECISIONS: [Decision; 8] = [
    Decision::Clear,
    Decision::Shown,
    Decision::Computed,
    Decision::Raw,
    Decision::Refused,
    Decision::Cut,
    Decision::Local,
    Decision::Observed,
];

fn client() -> Arc<Client> {
    let user = User {
        // Nothing that anybody chooses makes a line look like another.
        name: "\",\"pii_columns\":[\"".into(),
        groups: Arc::new(["\"honey\":".to_owned()]),
        roles: Arc::default(),
    };
    let application = "\"decision\":\"refused\"".into();
    Arc::new(Client { user, address: None, application, database: "shop".into() })
}

fn statement(decision: Decision, pii: Option<&str>, honey: Option<&str>) -> Event {
    let shown = |table: &str| Shown { tables: Vec::new(), honey: vec![table.into()] };
    let (mention, analysis) = (Mention::Clear, Analysis::NotRun);
    Event::Statement(Statement {
        session: 1,
        statement: 2,
        client: client(),
        text: StatementText::new(
            Bytes::from_static(b"select 1 as \"\"\"pii_columns\"\":\""),
            Strings::Standard,
        ),
        relations: Names::default(),
        pii_columns: pii.into_iter().map(str::to_owned).collect(),
        raw_columns: Names::default(),
        looked_up_columns: Names::default(),
        masked_columns: Names::default(),
        gates: Gates { mention, analysis, provenance: Provenance::Passed },
        decision,
        grants: Vec::new(),
        rows: 1,
        bytes: 2,
        duration_us: 3,
        sqlstate: None,
        subjects: honey.map(shown).map(Box::new),
    })
}

fn others() -> Vec<Event> {
    vec![
        Event::Release(Box::new(Release {
            session: 1,
            statement: 2,
            client: client(),
            text: StatementText::new(Bytes::from_static(b"select 1"), Strings::Standard),
            columns: Names::default(),
            lookups: Names::default(),
            grants: Vec::new(),
        })),
        Event::LoginFailed(LoginFailed {
            session: 1,
            user: "alice".to_owned(),
            address: None,
            database: "shop".to_owned(),
            method: "scram",
            reason: "password",
        }),
        Event::Logout(Logout {
            session: 1,
            client: client(),
            statements: 1,
            duration_us: 1,
            reason: "client",
            by: None,
        }),
        Event::Configuration(Configuration {
            step: ConfigurationStep::Reloaded,
            by: None,
            digest: String::new(),
            changed: vec!["\"honey\":".to_owned()],
        }),
        Event::Stopped(Stopped { reason: "signal" }),
    ]
}

#[test]
fn the_log_and_the_rules_agree_on_what_is_looked_at() {
    let mut events = others();
    for decision in DECISIONS {
        for pii in [None, Some("public.customers.email")] {
            for honey in [None, Some("public.customers")] {
                events.push(statement(decision, pii, honey));
            }
        }
    }
    let mut encoder = Encoder::from(Chain::start());
    for event in events {
        let mut line = Vec::new();
        encoder.encode(&event, time(0), &mut line).unwrap();
        let text = String::from_utf8_lossy(&line);
        assert_eq!(event.is_notable(), concerns(line.trim_ascii_end()), "{text}");
    }
}

/// Rules that come after a crash look for signals too, by themselves.
#[test]
fn signals_are_notable() {
    let signal = Signal {
        rule: "burst",
        severity: "high",
        user: None,
        address: None,
        session: None,
        trigger: 1,
        since: None,
        figures: std::collections::BTreeMap::new(),
        columns: Vec::new(),
        records: Vec::new(),
        actions: Vec::new(),
        failed: Vec::new(),
    };
    assert!(Event::Signal(Box::new(signal)).is_notable());
}
