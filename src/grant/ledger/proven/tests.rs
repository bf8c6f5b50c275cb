use std::collections::HashMap;

use super::*;
use crate::grant::factor::{TotpSecret, recovery_digest};
use crate::grant::fixture::{alice, ask, at, client, dora, policies, user, view};
use crate::grant::seal::Sealer;
use crate::grant::{RecordedEvent, RequestState};
use crate::model::receipt::{Attestation, FactorKind, Step, Way};
use crate::model::{Digest, Secret, Signature, SigningKey};

const STORE: &str = "store-one";
/// RFC 6238's secret, in Base32.
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const RECOVERY: &str = "ABCD-EFGH-IJKL-MNOP";

/// A ledger that a store keeps, with all that its events are made by.
struct Office {
    ledger: Ledger,
    policies: Policies,
    approvers: Approvers,
    sealer: Sealer,
    receipts: Vec<Attestation>,
}

fn deployment() -> SigningKey {
    SigningKey::from_seed(&[1; 32]).unwrap()
}

fn own() -> SigningKey {
    SigningKey::from_seed(&[2; 32]).unwrap()
}

fn dan() -> User {
    user("dan", &["dba"], &[])
}

impl Office {
    fn open(approver: Approver) -> Self {
        Self {
            ledger: Ledger::default(),
            policies: policies(),
            approvers: Approvers(HashMap::from([("dora".to_owned(), approver)])),
            sealer: Sealer { key: deployment(), store: STORE.into() },
            receipts: Vec::new(),
        }
    }

    /// The policy that is asked for wants two approvals.
    fn two(mut self) -> Self {
        self.policies.0[1].approvals = 2;
        self
    }

    fn strict(mut self) -> Self {
        self.policies.0[1].second_factor = Some(SecondFactor::Totp);
        self
    }

    fn store(&mut self, mut events: Vec<GrantEvent>, now: i64) -> Vec<GrantEvent> {
        self.sealer.seal(&self.ledger, &mut events, at(now)).unwrap();
        for event in &events {
            let sequence = self.ledger.sequence() + 1;
            let event = event.clone();
            if let GrantEvent::Approved { receipt, .. } | GrantEvent::Granted { receipt, .. } =
                &event
            {
                self.receipts.push(receipt.as_deref().unwrap().clone());
            }
            self.ledger.apply(&RecordedEvent { sequence, at: at(now), event }).unwrap();
        }
        events
    }

    fn request(&mut self, what: &str) -> Request {
        let asked = ask(what, 30);
        let events =
            self.ledger.request(&self.policies, &client(alice()), &view(), &asked, at(0)).unwrap();
        let id = events[0].requested().unwrap();
        self.store(events, 0);
        self.ledger.request_view(id).unwrap()
    }

    fn approve(
        &mut self,
        who: &User,
        id: RequestId,
        proof: Proof,
        now: i64,
    ) -> Result<Vec<GrantEvent>, Report> {
        let approving = Approving { approver: who, request: id, proof: &proof, store: STORE };
        let events =
            self.ledger.approve_proven(&self.policies, &self.approvers, approving, at(now))?;
        Ok(self.store(events, now))
    }
}

fn with_key() -> Approver {
    Approver { key: Some(own().public()), ..Approver::default() }
}

fn with_totp() -> Approver {
    Approver {
        key: None,
        totp: Some(TotpSecret::parse(&Secret::new(SECRET)).unwrap()),
        recovery: vec![recovery_digest(RECOVERY)],
    }
}

fn signed(signature: Signature) -> Proof {
    Proof { signature: Some(signature), code: None }
}

fn code(text: &str) -> Proof {
    Proof { signature: None, code: Some(Secret::new(text)) }
}

/// What a device shows at that time.
fn shown(secs: i64) -> Proof {
    let secret = TotpSecret::parse(&Secret::new(SECRET)).unwrap();
    code(&secret.code(u64::try_from(at(secs).as_second()).unwrap() / 30, 6))
}

fn kinds(events: &[GrantEvent]) -> Vec<&'static str> {
    events.iter().map(GrantEvent::kind).collect()
}

#[test]
fn who_has_a_key_approves_with_it_only() {
    let mut office = Office::open(with_key());
    let request = office.request("customers.ssn");
    let challenge = matter(&request, STORE).unwrap().challenge();
    let right = own().sign(challenge.as_str().as_bytes());
    let other = office.request("customers");
    let of_other = matter(&other, STORE).unwrap().challenge();
    let elsewhere = matter(&request, "store-two").unwrap().challenge();
    for (proof, said) in [
        (Proof::default(), "need the signature"),
        (signed(deployment().sign(challenge.as_str().as_bytes())), "by your key"),
        (signed(own().sign(of_other.as_str().as_bytes())), "this request's challenge"),
        (signed(own().sign(elsewhere.as_str().as_bytes())), "this request's challenge"),
        (signed(own().sign(b"")), "this request's challenge"),
    ] {
        let refused = office.approve(&dora(), request.id, proof, 1).unwrap_err();
        assert!(refused.message.contains(said), "{refused:?}");
    }
    let events = office.approve(&dora(), request.id, signed(right), 1).unwrap();
    assert_eq!(kinds(&events), ["approved", "granted"]);
    let [approved, granted] = office.receipts.as_slice() else { panic!("two receipts") };
    let own_signature = approved.receipt.approvals[0].own.as_ref().unwrap();
    assert_eq!((&own_signature.key, own_signature.signature), (&own().public().id(), right));
    assert_eq!(granted.receipt.matter.challenge(), challenge, "it can be checked from the receipt");
    let stranger = office.approve(&dan(), other.id, signed(right), 2).unwrap_err();
    assert!(stranger.message.contains("no key of yours"), "{stranger:?}");
}

#[test]
fn who_has_a_key_grants_nothing_without_it() {
    let office = Office::open(with_key());
    let direct = DirectGrant {
        subject: crate::grant::Subject::User("alice".into()),
        ask: ask("customers.ssn", 30),
    };
    let grant =
        |by: &User| office.ledger.grant_proven(&office.approvers, by, &view(), &direct, at(1));
    assert!(grant(&dora()).unwrap_err().message.contains("your own key only"));
    assert_eq!(kinds(&grant(&user("dan", &[], &["control"])).unwrap()), ["granted"]);
}

#[test]
fn every_approval_and_every_grant_is_signed() {
    let mut office = Office::open(Approver::default()).two();
    let request = office.request("customers.ssn");
    assert_eq!(
        kinds(&office.approve(&dora(), request.id, Proof::default(), 1).unwrap()),
        ["approved"]
    );
    office.approve(&dan(), request.id, Proof::default(), 2).unwrap();
    let [first, second, granted] = office.receipts.as_slice() else { panic!("three receipts") };
    for receipt in &office.receipts {
        assert!(receipt.is_signed_by(&deployment().public()));
        assert_eq!(receipt.receipt.matter.store, STORE);
    }
    let digests = |receipt: &Attestation| -> Vec<_> {
        receipt.receipt.approvals.iter().map(|a| (a.by.clone(), a.at, a.receipt)).collect()
    };
    let (one, two) = (Some(first.receipt.digest()), Some(second.receipt.digest()));
    assert_eq!(digests(first), [("dora".into(), at(1), None)]);
    assert_eq!(digests(second), [("dora".into(), at(1), one), ("dan".into(), at(2), None)]);
    assert_eq!(digests(granted), [("dora".into(), at(1), one), ("dan".into(), at(2), two)]);
    assert_eq!((granted.receipt.step, granted.receipt.way), (Step::Granted, Way::Approvals));
    let outcome = granted.receipt.outcome.clone().unwrap();
    assert_eq!((outcome.id, outcome.begins, outcome.ends), (1, at(2), Some(at(2 + 1800))));
    let grant = office.ledger.grant_view(1, at(2)).unwrap().grant;
    assert_eq!(outcome.grant, Digest::of(&serde_json::to_vec(&*grant).unwrap()));
}

#[test]
fn what_a_policy_or_a_dba_grants_alone_says_so() {
    let mut office = Office::open(Approver::default());
    assert_eq!(office.request("customers.email").state, RequestState::Approved);
    let direct = DirectGrant {
        subject: crate::grant::Subject::Group("support".into()),
        ask: ask("customers.ssn", 30),
    };
    let events = office.ledger.grant(&dora(), &view(), &direct, at(3)).unwrap();
    office.store(events, 3);
    let standing = office.ledger.reconcile(&[crate::grant::Standing {
        subject: crate::grant::Subject::User("billing".into()),
        resources: vec![crate::grant::Pattern::resolve("customers.email", &[view()]).unwrap()],
        actions: crate::grant::Actions::READ,
        conditions: crate::grant::Conditions::default(),
        reason: "invoices".into(),
    }]);
    let events = office.store(standing, 4);
    let ways: Vec<_> =
        office.receipts.iter().map(|r| (r.receipt.way, r.receipt.approvals.len())).collect();
    assert_eq!(ways, [(Way::Policy, 0), (Way::Direct, 1)]);
    let GrantEvent::StandingAdded { receipt: Some(receipt), .. } = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!(receipt.receipt.way, Way::Standing);
    assert!(receipt.is_signed_by(&deployment().public()));
}

#[test]
fn a_policy_that_wants_a_second_factor_gets_one_code_for_one_approval() {
    let mut office = Office::open(with_totp()).strict();
    let (first, second) = (office.request("customers.ssn"), office.request("customers"));
    let refused = office.approve(&dora(), first.id, Proof::default(), 1).unwrap_err();
    assert!(refused.message.contains("second factor"), "{refused:?}");
    let events = office.approve(&dora(), first.id, shown(1), 1).unwrap();
    assert_eq!(kinds(&events), ["factor_used", "approved", "granted"]);
    assert_eq!(office.receipts[0].receipt.approvals[0].factor, Some(FactorKind::Totp));
    let again = office.approve(&dora(), second.id, shown(1), 2).unwrap();
    assert_eq!(kinds(&again), ["factor_failed"], "replayed on another request");
    assert_eq!(office.ledger.request_view(second.id).unwrap().state, RequestState::Pending);
    let events = office.approve(&dora(), second.id, code("abcd efgh ijkl mnop"), 3).unwrap();
    assert_eq!(kinds(&events)[0], "factor_used");
    let third = office.request("hr.employees");
    let spent = office.approve(&dora(), third.id, code(RECOVERY), 4).unwrap();
    assert_eq!(kinds(&spent), ["factor_failed"]);
    assert_eq!(kinds(&office.approve(&dora(), third.id, shown(64), 64).unwrap())[0], "factor_used");
}

#[test]
fn who_has_no_second_factor_cannot_show_one() {
    let mut office = Office::open(with_totp()).strict();
    let request = office.request("customers.ssn");
    for proof in [Proof::default(), shown(1)] {
        let refused = office.approve(&dan(), request.id, proof, 1).unwrap_err();
        assert!(refused.message.contains("dan has no second factor"), "{refused:?}");
    }
    let mut lax = Office::open(with_totp());
    let request = lax.request("customers.ssn");
    let wrong = lax.approve(&dora(), request.id, code("000000"), 1).unwrap();
    assert_eq!(kinds(&wrong), ["factor_failed"], "what is given has to be right");
    assert!(lax.approve(&dora(), request.id, Proof::default(), 1).is_ok(), "and is not wanted");
}

#[test]
fn a_strict_policy_counts_even_if_a_laxer_one_has_its_name() {
    let mut office = Office::open(with_totp());
    let mut twin = office.policies.0[1].clone();
    twin.second_factor = Some(SecondFactor::Totp);
    office.policies.0.push(twin);
    let request = office.request("customers.ssn");
    assert!(office.approve(&dora(), request.id, Proof::default(), 1).is_err());
}

#[test]
fn wrong_codes_lock_for_a_while_and_across_restarts() {
    let mut office = Office::open(with_totp()).strict();
    let request = office.request("customers.ssn");
    let stranger = office.approve(&alice(), request.id, code("000000"), 0);
    assert!(stranger.is_err(), "who may not approve does not get as far as the code");
    for second in 0..5 {
        let failed = office.approve(&dora(), request.id, code("000000"), second).unwrap();
        assert_eq!(kinds(&failed), ["factor_failed"]);
    }
    for proof in [shown(5), code(RECOVERY), code("000000")] {
        let refused = office.approve(&dora(), request.id, proof, 5).unwrap_err();
        assert!(refused.message.contains("too many wrong codes"), "{refused:?}");
    }
    // The events alone know of it, so another process does as well.
    assert!(office.ledger.factors.contains_key("dora"));
    assert!(office.approve(&dora(), request.id, shown(4 + 899), 4 + 899).is_err());
    assert!(office.approve(&dora(), request.id, shown(4 + 900), 4 + 900).is_ok());
}

#[test]
fn events_from_before_there_were_receipts_still_read() {
    let old = r#"{"kind":"approved","request":7,"by":"dora"}"#;
    let event: GrantEvent = serde_json::from_str(old).unwrap();
    assert_eq!(serde_json::to_string(&event).unwrap(), old);
    let mut office = Office::open(Approver::default()).two();
    let request = office.request("customers.ssn");
    let sequence = office.ledger.sequence() + 1;
    let event = GrantEvent::Approved {
        request: request.id,
        by: "dan".into(),
        proven: Proven::default(),
        receipt: None,
    };
    office.ledger.apply(&RecordedEvent { sequence, at: at(1), event }).unwrap();
    office.approve(&dora(), request.id, Proof::default(), 2).unwrap();
    let granted = office.receipts.last().unwrap();
    assert_eq!(granted.receipt.approvals[0].receipt, None, "told as it is: without a receipt");
}
