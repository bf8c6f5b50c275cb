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

fn names(full: bool) -> Names {
    full.then(|| "public.customers.email".to_owned()).into_iter().collect()
}

fn list<T>(full: bool, value: T) -> Vec<T> {
    full.then_some(value).into_iter().collect()
}

fn client(full: bool) -> Arc<Client> {
    Arc::new(Client {
        user: User {
            name: "alice".into(),
            groups: list(full, "support".to_owned()).into(),
            roles: Arc::default(),
        },
        address: full.then_some([10, 1, 2, 3].into()),
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

fn statement(full: bool) -> Event {
    Event::Statement(Statement {
        session: 7,
        statement: 12,
        client: client(full),
        text: text("select 'x'"),
        relations: names(full),
        pii_columns: names(full),
        raw_columns: names(full),
        looked_up_columns: names(full),
        masked_columns: names(full),
        gates: Gates {
            mention: Mention::Hit,
            analysis: Analysis::NotRun,
            provenance: Provenance::Unknown,
        },
        decision: Decision::Cut,
        grants: list(full, 3),
        rows: 0,
        bytes: u64::MAX,
        duration_us: 187,
        sqlstate: full.then(|| SqlState::parse(b"42P01").unwrap()),
        subjects: full.then(|| Box::new(shown())),
    })
}

fn attestation(full: bool) -> crate::model::receipt::Attestation {
    let key = SigningKey::from_seed(&[1; 32]).unwrap();
    let digest = Digest::of(b"x");
    let own = OwnSignature { key: key.public().id(), signature: key.sign(b"x") };
    let approval = Approval {
        by: "dora".to_owned(),
        at: time(),
        factor: full.then_some(FactorKind::Totp),
        own: full.then_some(own),
        receipt: full.then_some(digest),
    };
    let outcome = Outcome { id: 3, begins: time(), ends: full.then(time), grant: digest };
    let body = ReceiptBody {
        step: Step::Granted,
        matter: Matter {
            store: "one".to_owned(),
            request: full.then_some(3),
            requester: "alice".to_owned(),
            subject: "alice".to_owned(),
            database: "*".to_owned(),
            resource: "class:email".to_owned(),
            actions: vec!["read".to_owned()],
            rows: full.then_some(digest),
            reason: digest,
            ticket: full.then_some(digest),
            duration_ms: full.then_some(1),
            not_before: full.then(time),
            terms: digest,
        },
        policy: full.then(|| "p".to_owned()),
        way: Way::Approvals,
        approvals: list(full, approval),
        outcome: full.then_some(outcome),
    };
    body.sign(&key)
}

fn grant(full: bool) -> Event {
    let word = |word: &str| full.then(|| word.to_owned());
    Event::Grant(Box::new(Grant {
        step: GrantStep::Granted,
        request: full.then_some(3),
        grant: full.then_some(4),
        subject: "group:support".to_owned(),
        database: "shop".to_owned(),
        resources: vec!["public.customers.email".to_owned()],
        actions: vec!["read".to_owned()],
        rows: full.then(|| text("id = 4")),
        not_before: full.then(time),
        expires_at: full.then(time),
        reason: word("INC-42"),
        by: word("dora"),
        approvers: list(full, "dora".to_owned()),
        policy: word("p"),
        conditions: word("from 10.0.0.0/8"),
        limits: word("10 rows"),
        urgency: Urgency::BreakGlass,
        receipt: Some(Box::new(attestation(full))),
    }))
}

fn signal(full: bool) -> Event {
    Event::Signal(Box::new(Signal {
        rule: "honey",
        severity: "critical",
        user: full.then(|| "alice".to_owned()),
        address: full.then_some([10, 1, 2, 3].into()),
        session: full.then_some(7),
        trigger: 9,
        since: full.then(time),
        figures: full.then_some(("count", 3)).into_iter().collect::<BTreeMap<_, _>>(),
        columns: list(full, "public.customers.email".to_owned()),
        records: list(full, 9),
        actions: vec!["log"],
        failed: list(full, "kill"),
    }))
}

fn events(full: bool) -> Vec<Event> {
    let digest = "0".repeat(64);
    vec![
        statement(full),
        Event::Release(Box::new(Release {
            session: 7,
            statement: 12,
            client: client(full),
            text: text("select 'x'"),
            columns: names(full),
            lookups: names(full),
            grants: list(full, 3),
        })),
        Event::Login(Login {
            session: 7,
            client: client(full),
            method: "scram",
            tls: full.then(|| "TLSv1.3".to_owned()),
        }),
        Event::LoginFailed(LoginFailed {
            session: 7,
            user: "?".to_owned(),
            address: full.then_some([10, 1, 2, 3].into()),
            database: "shop".to_owned(),
            method: "scram",
            reason: "password",
        }),
        Event::Logout(Logout {
            session: 7,
            client: client(full),
            statements: 1,
            duration_us: 2,
            reason: "client",
        }),
        grant(full),
        signal(full),
        Event::Configuration(Configuration {
            step: ConfigurationStep::Reloaded,
            by: full.then(|| "dora".to_owned()),
            digest,
            changed: list(full, "policy".to_owned()),
        }),
        Event::Catalog(CatalogChange {
            step: CatalogStep::Refreshed,
            database: "shop".to_owned(),
            epoch: 2,
            pii_columns: 3,
            changed: list(full, "public.customers".to_owned()),
        }),
        Event::Repaired(Repaired { file: "audit-00000001.jsonl".to_owned(), bytes: 3 }),
        Event::Retired(Retired { file: "audit-00000001.jsonl".to_owned(), through: 3 }),
        Event::Lost(Lost { records: 3, since: full.then(time) }),
        Event::Started(Started { version: "0.1.0", mode: "enforce", schema: VERSION }),
        Event::Stopped(Stopped { reason: "SIGTERM" }),
    ]
}

fn records() -> Vec<Value> {
    let mut encoder = Encoder::from(Chain::start());
    let mut out = Vec::new();
    for event in [events(true), events(false)].iter().flatten() {
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
