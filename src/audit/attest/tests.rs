use serde_json::{Value, json};

use super::*;
use crate::model::receipt::{Approval, Matter, Outcome, OwnSignature, ReceiptBody, Step, Way};
use crate::model::{SigningKey, Timestamp};

fn deployment() -> SigningKey {
    SigningKey::from_seed(&[1; 32]).unwrap()
}

fn doras() -> SigningKey {
    SigningKey::from_seed(&[2; 32]).unwrap()
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + secs).unwrap()
}

fn moment(secs: i64) -> String {
    format!("{:.6}", at(secs))
}

fn matter(request: Option<u64>, requester: &str) -> Matter {
    Matter {
        store: "one".into(),
        request,
        requester: requester.into(),
        subject: "alice".into(),
        database: "shop".into(),
        resource: "public.customers.email".into(),
        actions: vec!["read".into()],
        rows: None,
        reason: Digest::of(b"INC-42"),
        ticket: None,
        duration_ms: Some(1_800_000),
        not_before: None,
        terms: Digest::of(b"terms"),
    }
}

fn approval(by: &str, secs: i64, receipt: Option<Digest>) -> Approval {
    Approval { by: by.into(), at: at(secs), factor: None, own: None, receipt }
}

fn outcome(id: u64, secs: i64) -> Option<Outcome> {
    let grant = Digest::of(b"grant");
    Some(Outcome { id, begins: at(secs), ends: Some(at(secs + 1800)), grant })
}

/// What the log says of the receipt, with the receipt in it.
fn line(seq: u64, secs: i64, receipt: ReceiptBody, key: &SigningKey) -> Value {
    let matter = receipt.matter.clone();
    let mut line = json!({
        "seq": seq, "time": moment(secs), "kind": "grant",
        "step": match receipt.step { Step::Approved => "approved", Step::Granted => "granted" },
        "subject": matter.subject, "database": matter.database,
        "resources": [matter.resource], "actions": matter.actions, "reason": "INC-42",
        "prev": "0", "hash": "0",
    });
    let fields = line.as_object_mut().unwrap();
    let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
    if let Some(request) = matter.request {
        put("request", request.into());
    }
    if let Some(policy) = &receipt.policy {
        put("policy", policy.as_str().into());
    }
    match (receipt.step, receipt.way) {
        (Step::Approved, _) => {
            put("by", receipt.approvals.last().unwrap().by.as_str().into());
        }
        (Step::Granted, Way::Direct | Way::Standing) => {
            put("by", matter.requester.as_str().into());
        }
        (Step::Granted, Way::Approvals | Way::Policy) => {}
    }
    if let Some(outcome) = &receipt.outcome {
        put("grant", outcome.id.into());
        put("not_before", format!("{:.6}", outcome.begins).into());
        if let Some(end) = outcome.ends {
            put("expires_at", format!("{end:.6}").into());
        }
        let by: Vec<_> = receipt.approvals.iter().map(|approval| approval.by.clone()).collect();
        if !by.is_empty() {
            put("approvers", by.into());
        }
    }
    put("receipt", serde_json::to_value(receipt.sign(key)).unwrap());
    line
}

fn approved(request: u64, approvals: Vec<Approval>) -> ReceiptBody {
    ReceiptBody {
        step: Step::Approved,
        matter: matter(Some(request), "alice"),
        policy: Some("p".into()),
        way: Way::Approvals,
        approvals,
        outcome: None,
    }
}

fn granted(id: u64, way: Way, matter: Matter, approvals: Vec<Approval>) -> ReceiptBody {
    let policy = matter.request.map(|_| "p".to_owned());
    ReceiptBody { step: Step::Granted, matter, policy, way, approvals, outcome: outcome(id, 3) }
}

/// A request that two people approve, dora with her own key; what a policy granted alone; a DBA's
/// own grant; a standing one; and a statement under the first.
fn log() -> Vec<Value> {
    let own = doras().sign(matter(Some(1), "alice").challenge().as_str().as_bytes());
    let own = Some(OwnSignature { key: doras().public().id(), signature: own });
    let first = approved(1, vec![Approval { own, ..approval("dora", 1, None) }]);
    let dora = Approval { receipt: Some(first.digest()), ..first.approvals[0].clone() };
    let second = approved(1, vec![dora.clone(), approval("dan", 2, None)]);
    let dan = approval("dan", 2, Some(second.digest()));
    let both = granted(1, Way::Approvals, matter(Some(1), "alice"), vec![dora, dan]);
    let alone = granted(2, Way::Policy, matter(Some(2), "alice"), vec![]);
    let direct = granted(3, Way::Direct, matter(None, "dora"), vec![approval("dora", 3, None)]);
    let standing = ReceiptBody {
        outcome: Some(Outcome { ends: None, ..outcome(4, 3).unwrap() }),
        ..granted(4, Way::Standing, matter(None, "configuration"), vec![])
    };
    let release = json!({
        "seq": 7, "time": moment(5), "kind": "release", "session": 5, "statement": 2,
        "user": "alice", "application": "psql", "database": "shop", "fingerprint": "f",
        "columns": ["public.customers.email"], "grants": [1], "prev": "0", "hash": "0",
    });
    let key = deployment();
    vec![
        line(1, 1, first, &key),
        line(2, 2, second, &key),
        line(3, 2, both, &key),
        line(4, 3, alone, &key),
        line(5, 3, direct, &key),
        line(6, 3, standing, &key),
        release,
    ]
}

fn trust() -> Trust {
    Trust {
        receipt_keys: vec![deployment().public()],
        approver_keys: BTreeMap::from([("dora".to_owned(), doras().public())]),
    }
}

fn read(trust: Trust, lines: &[Value]) -> Attestor {
    let mut attestor = Attestor::asking(trust, Question::Statement { session: 5, statement: 2 });
    for (number, line) in (1..).zip(lines) {
        attestor.line("audit-00000001.jsonl", number, line.to_string().as_bytes());
    }
    attestor
}

fn flaws(lines: &[Value]) -> Vec<String> {
    read(trust(), lines).flawed().iter().map(|f| format!("{}: {}", f.about, f.flaw)).collect()
}

/// Every value below, changed or left out, one at a time, with the way to it.
fn tampered(value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::String(text) => {
            let other = if text.contains("2023-") {
                text.replace("2023", "2024")
            } else {
                format!("{text}x")
            };
            vec![(String::new(), other.into())]
        }
        Value::Number(number) => vec![(String::new(), (number.as_u64().unwrap() + 1).into())],
        Value::Array(items) => (0..items.len())
            .flat_map(|index| {
                let mut fewer = items.clone();
                fewer.remove(index);
                let changed = tampered(&items[index]).into_iter().map(move |(way, other)| {
                    let mut items = items.clone();
                    items[index] = other;
                    (format!("[{index}]{way}"), Value::Array(items))
                });
                changed.chain([(format!("[{index}] removed"), Value::Array(fewer))])
            })
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| {
                let mut without = fields.clone();
                without.remove(name);
                let changed = tampered(field).into_iter().map(move |(way, other)| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), other);
                    (format!(".{name}{way}"), Value::Object(fields))
                });
                changed.chain([(format!(".{name} removed"), Value::Object(without))])
            })
            .collect(),
        Value::Null | Value::Bool(_) => panic!("no record has such a value"),
    }
}

#[test]
fn a_genuine_log_is_explained() {
    let attestor = read(trust(), &log());
    assert_eq!((attestor.flawed(), attestor.receipts()), ([].as_slice(), 6));
    let explanations = attestor.into_explanations();
    let [why] = explanations.as_slice() else { panic!("{explanations:?}") };
    assert!(why.ok);
    let told = why.to_string();
    let expected = format!(
        "statement 2 of session 5 (record 7), by alice on shop at {}\n\
         \x20 released public.customers.email\n\
         \x20 under grant 1 (record 3): read on public.customers.email to alice, from {} until {}\n\
         \x20   request 1 of alice: INC-42\n\
         \x20   policy \"p\"\n\
         \x20   approved by dora at {}, signed by their own key\n\
         \x20   approved by dan at {}\n\
         \x20   receipt valid (key {})\n\
         \x20 explained: every link holds",
        moment(5),
        moment(3),
        moment(1803),
        moment(1),
        moment(2),
        deployment().public().id()
    );
    assert_eq!(told, expected);
}

#[test]
fn every_field_of_every_record_is_held_to_its_receipt() {
    let whole = log();
    // The chain holds these; a receipt says nothing of them. An approval that reached the log
    // late is told without the reason.
    let free = [".seq", ".prev", ".hash", ".kind"];
    let mut tried = 0;
    for (index, line) in whole.iter().enumerate().take(6) {
        for (way, other) in tampered(line) {
            let late = index < 2 && way == ".reason removed";
            // A grant's time is that of the record, not of the grant.
            let time = index >= 2 && way.starts_with(".time");
            if free.iter().any(|free| way.starts_with(free)) || late || time {
                continue;
            }
            let mut lines = whole.clone();
            lines[index] = other;
            assert!(!flaws(&lines).is_empty(), "line {} {way}", index + 1);
            tried += 1;
        }
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn whatever_is_changed_under_a_statement_it_is_not_explained() {
    let whole = log();
    for index in [0, 1, 2] {
        let mut lines = whole.clone();
        lines.remove(index);
        let why = read(trust(), &lines).into_explanations();
        assert!(why.iter().all(|why| !why.ok), "record {} removed: {why:?}", index + 1);
    }
    let mut ended = whole[2].clone();
    ended["step"] = "expired".into();
    assert!(
        read(trust(), &[&whole[..2], &[ended], &whole[6..]].concat()).into_explanations()[0].links
            [0]
        .record
        .is_none()
    );
    for (field, other, said) in [
        ("grants", json!([9]), "the log holds no grant of this number before it"),
        ("grants", json!([]), "it names no grant"),
        ("user", json!("bob"), "it is to somebody else"),
        ("database", json!("crm"), "it is on another database"),
        ("time", json!(moment(2)), "it did not hold at that time"),
        ("time", json!(moment(1803)), "it did not hold at that time"),
        ("columns", json!(["public.customers.ssn"]), "no grant of it is on public.customers.ssn"),
    ] {
        let mut lines = whole.clone();
        lines[6][field] = other;
        let why = read(trust(), &lines).into_explanations();
        assert!(!why[0].ok && why[0].to_string().contains(said), "{field}: {}", why[0]);
    }
    assert!(read(trust(), &whole[..6]).into_explanations().is_empty(), "no such statement");
}

/// The log with the receipt in `index` replaced, and the record made to tell the same.
fn forged(index: usize, change: impl FnOnce(&mut ReceiptBody), key: &SigningKey) -> Vec<Value> {
    let mut lines = log();
    let signed: Attestation = serde_json::from_value(lines[index]["receipt"].clone()).unwrap();
    let mut receipt = signed.receipt;
    change(&mut receipt);
    let secs = receipt.approvals.last().map_or(3, |a| a.at.as_second() - at(0).as_second());
    lines[index] = line(lines[index]["seq"].as_u64().unwrap(), secs, receipt, key);
    lines
}

#[test]
fn another_key_signs_nothing() {
    let said = flaws(&forged(2, |_| {}, &doras()));
    let key = doras().public().id();
    let expected =
        format!("grant 1: its receipt is signed by key {key}, which is not among the receipt keys");
    assert_eq!(said, [expected]);
    // The name of the right key does not help.
    let mut lines = log();
    let stolen = forged(2, |_| {}, &doras())[2]["receipt"]["signature"].clone();
    lines[2]["receipt"]["signature"] = stolen;
    assert_eq!(flaws(&lines), ["grant 1: the signature of its receipt is wrong"]);
    assert!(!read(Trust::default(), &log()).flawed().is_empty(), "without a key, nothing counts");
}

#[test]
fn a_receipt_is_of_one_grant_only() {
    let mut lines = log();
    lines[3]["receipt"] = lines[2]["receipt"].clone();
    assert!(flaws(&lines).iter().any(|f| f == "grant 2: its grant is not what was signed"));
    let mut again = log();
    again.push(log()[2].clone());
    assert_eq!(flaws(&again), [""; 0], "an event may reach the log twice");
    let mut lines = forged(3, |receipt| receipt.outcome = outcome(1, 3), &deployment());
    lines.swap(2, 3);
    assert!(flaws(&lines).contains(&"grant 1: another grant has its number".to_owned()));
}

/// What the deployment itself could sign, were it turned, still has to hang together.
#[test]
fn signed_nonsense_is_nonsense() {
    let key = deployment();
    let drop_dan = |receipt: &mut ReceiptBody| {
        receipt.approvals.remove(0);
    };
    let unsigned = "dora lacks the signature of their own key, or it is wrong";
    type Change = fn(&mut ReceiptBody);
    let cases: [(usize, Change, &str); 8] = [
        (3, |r| r.way = Way::Approvals, "another way"),
        (2, |r| r.way = Way::Policy, "another way"),
        (3, |r| r.approvals = vec![approval("dora", 1, None)], "another way"),
        (4, |r| r.matter.requester = "dan".into(), "another way"),
        (1, |r| r.approvals[1].by = "alice".into(), "alice approved what they had asked for"),
        (1, |r| r.approvals[1].by = "dora".into(), "dora approved it twice"),
        (0, |r| r.approvals[0].own = None, unsigned),
        (0, |r| r.matter.terms = Digest::of(b"more"), unsigned),
    ];
    for (index, change, said) in cases {
        let flaws = flaws(&forged(index, change, &key));
        assert!(flaws.iter().any(|flaw| flaw.contains(said)), "{said}: {flaws:?}");
    }
    // With one approval left out, it is still one that the log knows, of the second's receipt.
    let fewer = forged(2, drop_dan, &key);
    assert_eq!(flaws(&fewer), [""; 0], "how many are needed is the policy's");
    let strangers: Change = |r| r.approvals[1].by = "eve".into();
    assert!(flaws(&forged(2, strangers, &key)).contains(
        &"grant 1: the approval by eve has no receipt of its own in the log before it".to_owned()
    ));
}

proptest::proptest! {
    #[test]
    fn any_line_is_survived(line in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..200)) {
        read(trust(), &[]).line("audit-00000001.jsonl", 1, &line);
    }

    #[test]
    fn one_flipped_bit_of_a_receipt_is_found(index in 0..6_usize, at in 0..100_000_usize, bit in 0..8_u32) {
        let text = log()[index].to_string();
        let start = text.find("\"receipt\"").unwrap();
        let end = start + text[start..].find("\"signature\"").unwrap();
        let mut bytes = text.into_bytes();
        bytes[start + at % (end - start)] ^= 1 << bit;
        let mut attestor = Attestor::new(trust());
        for line in &log()[..index] {
            attestor.line("audit-00000001.jsonl", 1, line.to_string().as_bytes());
        }
        attestor.line("audit-00000001.jsonl", 1, &bytes);
        proptest::prop_assert_eq!(attestor.flawed().is_empty(), false);
    }
}
