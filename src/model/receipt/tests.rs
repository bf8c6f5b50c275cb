use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + secs).unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32]).unwrap()
}

fn receipt() -> ReceiptBody {
    let matter = Matter {
        store: "5d6e".into(),
        request: Some(3),
        requester: "alice".into(),
        subject: "alice".into(),
        database: "shop".into(),
        resource: "public.customers.email".into(),
        actions: vec!["read".into(), "export".into()],
        rows: Some(Digest::of(b"id = 42")),
        reason: Digest::of(b"INC-42: refund"),
        ticket: Some(Digest::of(b"T-1")),
        duration_ms: Some(1_800_000),
        not_before: Some(at(5)),
        terms: Digest::of(b"terms"),
    };
    let own = key().sign(matter.challenge().as_str().as_bytes());
    let approval = Approval {
        by: "dora".into(),
        at: at(1),
        factor: Some(FactorKind::Totp),
        own: Some(OwnSignature { key: key().public().id(), signature: own }),
        receipt: Some(Digest::of(b"a receipt")),
    };
    let outcome =
        Outcome { id: 9, begins: at(5), ends: Some(at(1805)), grant: Digest::of(b"the grant") };
    ReceiptBody {
        step: Step::Granted,
        matter,
        policy: Some("anything else".into()),
        way: Way::Approvals,
        approvals: vec![approval],
        outcome: Some(outcome),
    }
}

/// Every value in the JSON of a receipt, changed, one at a time.
fn tampered(value: &serde_json::Value) -> Vec<serde_json::Value> {
    use serde_json::Value;
    match value {
        Value::String(text) => {
            // Whatever it means, it has to read as something else of the same kind.
            let swap = |c: char| match c {
                '3' => '4',
                'a' => 'b',
                'e' => 'f',
                other => other,
            };
            let other: String = text.chars().map(swap).collect();
            let other = if other == *text { format!("{other}x") } else { other };
            let known = [("granted", "approved"), ("approvals", "policy"), ("totp", "recovery")];
            let word = known.iter().find(|(word, _)| word == text).map(|(_, other)| *other);
            vec![Value::String(word.map_or(other, str::to_owned))]
        }
        Value::Number(number) => vec![(number.as_u64().unwrap() + 1).into()],
        Value::Array(items) => {
            let mut all = vec![Value::Array(Vec::new())];
            for (index, item) in items.iter().enumerate() {
                all.extend(tampered(item).into_iter().map(|other| {
                    let mut items = items.clone();
                    items[index] = other;
                    Value::Array(items)
                }));
            }
            all
        }
        Value::Object(fields) => {
            let mut all = Vec::new();
            for (name, field) in fields {
                let mut without = fields.clone();
                without.remove(name);
                all.push(Value::Object(without));
                all.extend(tampered(field).into_iter().map(|other| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), other);
                    Value::Object(fields)
                }));
            }
            all
        }
        Value::Null | Value::Bool(_) => panic!("a receipt has no such value"),
    }
}

#[test]
fn a_receipt_reads_back_and_verifies() {
    let signed = receipt().sign(&key());
    let text = serde_json::to_string(&signed).unwrap();
    let read: Attestation = serde_json::from_str(&text).unwrap();
    assert_eq!(read, signed);
    assert!(read.is_signed_by(&key().public()));
    assert!(!read.is_signed_by(&SigningKey::from_seed(&[8; 32]).unwrap().public()));
    assert!(!text.contains("INC-42") && !text.contains("T-1") && !text.contains("id = "));
}

#[test]
fn whatever_is_changed_or_left_out_the_signature_does_not_fit() {
    let signed = receipt().sign(&key());
    let value = serde_json::to_value(&signed).unwrap();
    let all = tampered(&value);
    assert!(all.len() > 50, "{}", all.len());
    let mut read = 0;
    for other in all {
        assert_ne!(other, value);
        let Ok(receipt) = serde_json::from_value::<Attestation>(other.clone()) else { continue };
        read += 1;
        assert!(!receipt.is_signed_by(&key().public()), "{other}");
    }
    assert!(read > 25, "{read}");
}

#[test]
fn the_same_bytes_come_from_no_other_fields() {
    let one = receipt();
    let moved = |from: &ReceiptBody| {
        let mut other = from.clone();
        other.matter.requester = "alicea".into();
        other.matter.subject = "lice".into();
        other
    };
    assert_ne!(one.canonical(), moved(&one).canonical(), "text has a length");
    let approved = ReceiptBody { step: Step::Approved, ..one.clone() };
    assert!(approved.canonical().starts_with(b"keyhole-receipt-v1 approved\0"));
    assert!(one.canonical().starts_with(b"keyhole-receipt-v1 granted\0"));
    assert_eq!(
        one.digest().to_string(),
        "3b5cdb9f5fadf27da45fc51d738e74c4bcb9e8c1d9012bf37108e4052f74002a",
        "the form is fixed: receipts outlive programs"
    );
}

#[test]
fn a_challenge_stands_for_what_would_be_granted() {
    let matter = receipt().matter;
    let challenge = matter.challenge();
    assert_eq!(Challenge::parse(challenge.as_str()), Ok(challenge.clone()));
    let others = [
        Matter { request: Some(4), ..matter.clone() },
        Matter { store: "5d6f".into(), ..matter.clone() },
        Matter { rows: None, ..matter.clone() },
        Matter { duration_ms: Some(1_800_001), ..matter.clone() },
        Matter { terms: Digest::of(b"other terms"), ..matter },
    ];
    for other in others {
        assert_ne!(other.challenge(), challenge);
    }
    for text in ["", "keyhole-approval-v1:", "keyhole-receipt-v1 granted", "GET /"] {
        assert_eq!(Challenge::parse(text), Err(ChallengeError), "{text}");
    }
}
