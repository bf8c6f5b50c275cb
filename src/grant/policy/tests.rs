use super::*;
use crate::grant::fixture::{alice, ask, at, dora, policies, user, view};
use crate::grant::{Ask, Request, RequestState};

fn decide(ask: &Ask, requester: &User) -> Decision {
    policies().decide(&ask.read(&view(), at(0)).unwrap(), requester)
}

fn refusal(ask: &Ask, requester: &User) -> String {
    let Decision::Refused(report) = decide(ask, requester) else { panic!("not refused") };
    assert_eq!(report.state, SqlState::INSUFFICIENT_PRIVILEGE);
    format!("{} {}", report.message, report.detail.unwrap_or_default())
}

#[test]
fn the_first_policy_that_matches_decides() {
    let auto = decide(&ask("customers.email", 30), &alice());
    assert!(matches!(auto, Decision::AutoApprove { policy } if policy.contains("support")));
    for (resource, who) in [
        ("customers.ssn", alice()),
        ("customers", alice()),
        ("*", alice()),
        ("customers.email", user("bob", &[], &[])),
    ] {
        let needs = decide(&ask(resource, 30), &who);
        let Decision::NeedsApproval { approvals: 1, approvers, .. } = needs else {
            panic!("{resource}: {needs:?}")
        };
        assert_eq!(approvers, [Subject::Group("dba".into())]);
    }
    let class = decide(&ask("class:phone", 30), &alice());
    assert!(matches!(class, Decision::AutoApprove { .. }));
}

#[test]
fn a_matching_policy_refuses_in_its_own_words_and_later_ones_are_not_tried() {
    let long = refusal(&ask("customers.email", 61), &alice());
    assert!(
        long.contains("\"support reads contact data\" allows at most 1h, not 1h 1min"),
        "{long}"
    );
    let vague = Ask { reason: "just curious".into(), ..ask("customers.email", 5) };
    let vague = refusal(&vague, &alice());
    assert!(vague.contains("wants a reason that matches INC-[0-9]+"), "{vague}");
}

#[test]
fn where_no_policy_matches_nothing_can_be_requested() {
    let mut only_first = policies();
    only_first.0.truncate(1);
    let terms = ask("customers.ssn", 5).read(&view(), at(0)).unwrap();
    let Decision::Refused(report) = only_first.decide(&terms, &alice()) else { panic!() };
    assert!(report.detail.unwrap().contains("covers class:email, class:phone"));
    let Decision::Refused(report) = only_first.decide(&terms, &dora()) else { panic!() };
    assert!(report.detail.unwrap().contains("is for group:support"));
    let none = Policies::default();
    assert!(matches!(none.decide(&terms, &alice()), Decision::Refused(_)));
}

#[test]
fn nobody_decides_on_their_own_request_nor_without_being_an_approver() {
    let dba = [Subject::Group("dba".into())];
    assert!(may_approve(&dora(), "alice", &dba).is_ok());
    assert!(may_approve(&dora(), "dora", &dba).unwrap_err().message.contains("own"));
    let operator = user("otto", &["ops"], &["control"]);
    assert!(may_approve(&operator, "alice", &dba).unwrap_err().detail.unwrap().contains("dba"));
    assert!(may_approve(&dora(), "alice", &[]).is_err());
}

#[test]
fn configuration_that_makes_no_sense_is_refused_by_key() {
    let good = PolicyText {
        name: "p".into(),
        subjects: vec!["*".into()],
        resources: vec!["*".into()],
        actions: vec![Action::Read],
        max_duration: "1h".into(),
        approvals: 1,
        approvers: vec!["group:dba".into()],
        reason: None,
        second_factor: None,
    };
    assert!(good.resolve(&[]).is_ok());
    let cases = [
        ("subjects", PolicyText { subjects: vec![], ..good.clone() }),
        ("subjects", PolicyText { subjects: vec!["group:".into()], ..good.clone() }),
        ("resources", PolicyText { resources: vec!["a b".into()], ..good.clone() }),
        ("actions", PolicyText { actions: vec![], ..good.clone() }),
        ("max_duration", PolicyText { max_duration: "long".into(), ..good.clone() }),
        ("approvers", PolicyText { approvers: vec![], ..good.clone() }),
        ("reason", PolicyText { reason: Some("(".into()), ..good.clone() }),
    ];
    for (key, text) in cases {
        let error = text.resolve(&[]).unwrap_err().to_string();
        assert!(error.starts_with(key), "{key}: {error}");
    }
}

#[test]
fn a_request_keeps_everything_it_was_filed_with() {
    let terms = ask("customers.ssn", 5).read(&view(), at(0)).unwrap();
    assert_eq!(terms.class.as_deref(), Some("id"));
    let request = Request {
        id: 1,
        requester: "alice".into(),
        groups: vec!["support".into()],
        terms,
        policy: "p".into(),
        approvals_needed: 1,
        approvers: vec![Subject::Anyone, Subject::User("*".into())],
        requested_at: at(0),
        state: RequestState::Pending,
        approved_by: vec![],
        closed_by: None,
        closed_reason: None,
        decided_at: None,
        grant: None,
        approvals: vec![],
    };
    let stored = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&stored).unwrap(), request);
}
