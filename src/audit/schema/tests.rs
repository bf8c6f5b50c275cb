//! Every kind of record, with all it may have and with as little as it can have.

use std::collections::BTreeMap;
use std::sync::Arc;

use boon::{Compiler, SchemaIndex, Schemas};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{SCHEMA, VERSION};
use crate::audit::record::*;
use crate::audit::{Cause, Chain, Checkpoint, Encoder, Kind, Pseudonyms, Strings};
use crate::audit::{Shown, SubjectsOf};
use crate::model::receipt::{
    Approval, FactorKind, Matter, Outcome, OwnSignature, ReceiptBody, Step, Way,
};
use crate::model::{Client, Digest, SigningKey, SqlState, Timestamp, User};

struct Validator {
    schemas: Schemas,
    root: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("mem:///schema.json", document()).unwrap();
        let root = compiler.compile("mem:///schema.json", &mut schemas).unwrap();
        Self { schemas, root }
    }

    fn problem(&self, record: &Value) -> Option<String> {
        self.schemas.validate(record, self.root).err().map(|error| format!("{error:#}"))
    }
}

fn document() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn time() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn text(sql: &str) -> StatementText {
    StatementText::new(Bytes::copy_from_slice(sql.as_bytes()), Strings::Standard)
}

/// Which members a record has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Members {
    All,
    Required,
}

impl Members {
    fn then<T>(self, value: impl FnOnce() -> T) -> Option<T> {
        match self {
            Self::All => Some(value()),
            Self::Required => None,
        }
    }

    fn then_some<T>(self, value: T) -> Option<T> {
        self.then(|| value)
    }
}

fn names(members: Members) -> Names {
    members.then(|| "public.customers.email".to_owned()).into_iter().collect()
}

fn list<T>(members: Members, value: T) -> Vec<T> {
    members.then_some(value).into_iter().collect()
}

fn client(members: Members) -> Arc<Client> {
    Arc::new(Client {
        user: User {
            name: "alice".into(),
            groups: list(members, "support".to_owned()).into(),
            roles: Arc::default(),
        },
        address: members.then_some([10, 1, 2, 3].into()),
        application: "psql".into(),
        database: "shop".into(),
    })
}

fn shown() -> Shown {
    let pseudonym = Pseudonyms::new(&[1; 32], 10).column("public.customers", "id");
    let key = pseudonym.of(crate::audit::subject::Canonical::Integer(42));
    let subjects = SubjectsOf {
        table: "public.customers".into(),
        by: vec!["id".into()],
        keys: vec![key],
        rows: 1,
        more: 0,
        unknown: 0,
    };
    Shown { tables: vec![subjects], honey: vec!["public.customers".into()] }
}

fn statement(members: Members) -> Event {
    Event::Statement(Statement {
        session: 7,
        statement: 12,
        client: client(members),
        text: text("select 'x'"),
        relations: names(members),
        pii_columns: names(members),
        raw_columns: names(members),
        looked_up_columns: names(members),
        masked_columns: names(members),
        gates: Gates {
            mention: Mention::Hit,
            analysis: Analysis::NotRun,
            provenance: Provenance::Unknown,
        },
        decision: Decision::Cut,
        grants: list(members, 3),
        rows: 0,
        bytes: u64::MAX,
        duration_us: 187,
        sqlstate: members.then(|| SqlState::parse(b"42P01").unwrap()),
        subjects: members.then(|| Box::new(shown())),
    })
}

fn attestation(members: Members) -> crate::model::receipt::Attestation {
    let key = SigningKey::from_seed(&[1; 32]).unwrap();
    let digest = Digest::of(b"x");
    let own = OwnSignature { key: key.public().id(), signature: key.sign(b"x") };
    let approval = Approval {
        by: "dora".to_owned(),
        at: time(),
        factor: members.then_some(FactorKind::Totp),
        own: members.then_some(own),
        receipt: members.then_some(digest),
    };
    let outcome = Outcome { id: 3, begins: time(), ends: members.then(time), grant: digest };
    let body = ReceiptBody {
        step: Step::Granted,
        matter: Matter {
            store: "one".to_owned(),
            request: members.then_some(3),
            requester: "alice".to_owned(),
            subject: "alice".to_owned(),
            database: "*".to_owned(),
            resource: "class:email".to_owned(),
            actions: vec!["read".to_owned()],
            rows: members.then_some(digest),
            reason: digest,
            ticket: members.then_some(digest),
            duration_ms: members.then_some(1),
            not_before: members.then(time),
            terms: digest,
        },
        policy: members.then(|| "p".to_owned()),
        way: Way::Approvals,
        approvals: list(members, approval),
        outcome: members.then_some(outcome),
    };
    body.sign(&key)
}

fn grant(members: Members) -> Event {
    let word = |word: &str| members.then(|| word.to_owned());
    Event::Grant(Box::new(Grant {
        step: GrantStep::Granted,
        request: members.then_some(3),
        grant: members.then_some(4),
        subject: "group:support".to_owned(),
        database: "shop".to_owned(),
        resources: vec!["public.customers.email".to_owned()],
        actions: vec!["read".to_owned()],
        rows: members.then(|| text("id = 4")),
        not_before: members.then(time),
        expires_at: members.then(time),
        reason: word("INC-42"),
        by: word("dora"),
        approvers: list(members, "dora".to_owned()),
        policy: word("p"),
        conditions: word("from 10.0.0.0/8"),
        limits: word("10 rows"),
        urgency: Urgency::BreakGlass,
        receipt: Some(Box::new(attestation(members))),
    }))
}

fn signal(members: Members) -> Event {
    Event::Signal(Box::new(Signal {
        rule: "honey",
        severity: "critical",
        user: members.then(|| "alice".to_owned()),
        address: members.then_some([10, 1, 2, 3].into()),
        session: members.then_some(7),
        trigger: 9,
        since: members.then(time),
        figures: members.then_some(("count", 3)).into_iter().collect::<BTreeMap<_, _>>(),
        columns: list(members, "public.customers.email".to_owned()),
        records: list(members, 9),
        actions: vec!["log"],
        failed: list(members, "kill"),
    }))
}

fn events(members: Members) -> Vec<Event> {
    let digest = "0".repeat(64);
    vec![
        statement(members),
        Event::Release(Box::new(Release {
            session: 7,
            statement: 12,
            client: client(members),
            text: text("select 'x'"),
            columns: names(members),
            lookups: names(members),
            grants: list(members, 3),
        })),
        Event::Login(Login {
            session: 7,
            client: client(members),
            method: "scram",
            tls: members.then(|| "TLSv1.3".to_owned()),
        }),
        Event::LoginFailed(LoginFailed {
            session: 7,
            user: "?".to_owned(),
            address: members.then_some([10, 1, 2, 3].into()),
            database: "shop".to_owned(),
            method: "scram",
            reason: "password",
        }),
        Event::Logout(Logout {
            session: 7,
            client: client(members),
            statements: 1,
            duration_us: 2,
            reason: "client",
            by: members.then(|| "dora".to_owned()),
        }),
        Event::Explored(Explored {
            client: client(members),
            asked: list(members, "user"),
            subject: members.then(|| "bob".into()),
        }),
        grant(members),
        signal(members),
        Event::Configuration(Configuration {
            step: ConfigurationStep::Reloaded,
            by: members.then(|| "dora".to_owned()),
            digest,
            changed: list(members, "policy".to_owned()),
        }),
        Event::Catalog(CatalogChange {
            step: CatalogStep::Refreshed,
            database: "shop".to_owned(),
            epoch: 2,
            pii_columns: 3,
            changed: list(members, "public.customers".to_owned()),
        }),
        Event::Repaired(Repaired { file: "audit-00000001.jsonl".to_owned(), bytes: 3 }),
        Event::Retired(Retired { file: "audit-00000001.jsonl".to_owned(), through: 3 }),
        Event::Lost(Lost { records: 3, since: members.then(time) }),
        Event::Started(Started { version: "0.1.0", mode: "enforce", schema: VERSION }),
        Event::Stopped(Stopped { reason: "SIGTERM" }),
    ]
}

fn records() -> Vec<Value> {
    let mut encoder = Encoder::from(Chain::start());
    let mut out = Vec::new();
    for event in [events(Members::All), events(Members::Required)].iter().flatten() {
        encoder.encode(event, time(), &mut out).unwrap();
    }
    let key = SigningKey::from_seed(&[7; 32]).unwrap();
    let checkpoint = Checkpoint {
        log: "0".repeat(32),
        why: Cause::Opened,
        every_s: 60,
        covers: 3,
        key: key.public().id(),
    };
    encoder.checkpoint(&checkpoint, &key, time(), &mut out).unwrap();
    out.trim_ascii_end()
        .split(|byte| *byte == b'\n')
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn every_kind_of_record_is_described() {
    let (validator, records) = (Validator::new(), records());
    for (word, _) in Kind::words() {
        assert!(records.iter().any(|record| record["kind"] == word), "no {word} was tried");
    }
    for record in records {
        assert_eq!(validator.problem(&record), None, "{record}");
    }
}

#[test]
fn a_member_too_many_or_too_few_or_of_another_type_is_none_of_a_record() {
    let validator = Validator::new();
    let document = document();
    for record in records() {
        let kind = record["kind"].as_str().unwrap().to_owned();
        let described = &document["$defs"][format!("{kind}_record")];
        let mut more = record.clone();
        more["made_up"] = json!(1);
        assert!(validator.problem(&more).is_some(), "{more}");
        for (name, value) in record.as_object().unwrap() {
            let mut wrong = record.clone();
            wrong[name] = if value.is_boolean() { json!("x") } else { json!(true) };
            assert!(validator.problem(&wrong).is_some(), "{wrong}");
            let mut less = record.clone();
            less.as_object_mut().unwrap().remove(name);
            let required = described["required"].as_array().unwrap().contains(&json!(name));
            assert_eq!(validator.problem(&less).is_some(), required, "{kind} without {name}");
        }
    }
}

#[test]
fn every_member_that_is_described_occurs() {
    let (document, records) = (document(), records());
    for (word, _) in Kind::words() {
        let described = &document["$defs"][format!("{word}_record")]["properties"];
        for name in described.as_object().unwrap().keys() {
            let mut of_kind = records.iter().filter(|record| record["kind"] == word);
            assert!(of_kind.any(|record| record.get(name).is_some()), "{word}: {name}");
        }
    }
}

#[test]
fn objects_are_closed_and_their_members_explained() {
    fn walk(at: &Value, definitions: &Value) {
        if let Some(members) = at["properties"].as_object() {
            assert_eq!(at["additionalProperties"], json!(false), "{at}");
            for (name, member) in members {
                let to = member["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/"));
                let said = |of: &Value| of["description"].is_string();
                assert!(said(member) || to.is_some_and(|to| said(&definitions[to])), "{name}");
            }
        }
        match at {
            Value::Object(members) => members.values().for_each(|at| walk(at, definitions)),
            Value::Array(items) => items.iter().for_each(|at| walk(at, definitions)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    walk(&document, &document["$defs"]);
    let version = &document["$defs"]["started_record"]["properties"]["schema"]["const"];
    assert_eq!(*version, json!(VERSION));
}
