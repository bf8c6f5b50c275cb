use super::*;
use crate::grant::fixture::{alice, ask, at, client, dora, policies, user, view};
use crate::grant::{Action, Ask, Request, RequestState};

fn decide(ask: &Ask, requester: &User) -> Decision {
    decided(&policies(), &ask.read(&view(), at(0)).unwrap(), requester)
}

fn decided(policies: &Policies, terms: &Terms, requester: &User) -> Decision {
    let from = client(requester.clone());
    policies.decide(terms, Asker { user: requester, client: Some(&from), now: at(0) }, |_| 0)
}

fn refusal(ask: &Ask, requester: &User) -> String {
    let Decision::Refused(report) = decide(ask, requester) else { panic!("not refused") };
    assert_eq!(report.state, SqlState::INSUFFICIENT_PRIVILEGE);
    format!("{} {}", report.message, report.detail.unwrap_or_default())
}

#[test]
fn the_first_policy_that_matches_decides() {
    let at_once = |ask: &Ask| match decide(ask, &alice()) {
        Decision::Allowed(allowed) if allowed.approvals == 0 => allowed.policy,
        other @ (Decision::Allowed(_) | Decision::Refused(_)) => panic!("{other:?}"),
    };
    assert!(at_once(&ask("customers.email", 30)).contains("support"));
    for (resource, who) in [
        ("customers.ssn", alice()),
        ("customers", alice()),
        ("*", alice()),
        ("customers.email", user("bob", &[], &[])),
    ] {
        let needs = decide(&ask(resource, 30), &who);
        let Decision::Allowed(allowed) = needs else { panic!("{resource}: {needs:?}") };
        assert_eq!(allowed.approvals, 1, "{resource}");
        assert_eq!(allowed.approvers, [Subject::Group("dba".into())]);
    }
    at_once(&ask("class:phone", 30));
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
    let Decision::Refused(report) = decided(&only_first, &terms, &alice()) else { panic!() };
    assert!(report.detail.unwrap().contains("covers class:email, class:phone"));
    let Decision::Refused(report) = decided(&only_first, &terms, &dora()) else { panic!() };
    assert!(report.detail.unwrap().contains("is for group:support"));
    let none = Policies::default();
    assert!(matches!(decided(&none, &terms, &alice()), Decision::Refused(_)));
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

fn text(more: &str) -> PolicyText {
    let text =
        format!("name = 'p'\nsubjects = ['*']\nresources = ['*']\nactions = ['read']\n{more}\n");
    let defaults = [("max_duration", "'1h'"), ("approvals", "0"), ("approvers", "['group:dba']")];
    let rest: String = defaults
        .iter()
        .filter(|(key, _)| !more.lines().any(|line| line.starts_with(key)))
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    toml::from_str(&(text + &rest)).unwrap()
}

#[test]
fn configuration_that_makes_no_sense_is_refused_by_key() {
    assert!(text("").resolve(&[]).is_ok());
    for (key, wrong) in [
        ("max_duration", "max_duration = 'long'"),
        ("approvers", "approvals = 1\napprovers = []"),
        ("reason", "reason = '('"),
        ("denials", "denials = 0"),
        ("decide_within", "decide_within = 'soon'"),
        ("auto_per_week", "approvals = 1\nauto_per_week = 3"),
        ("networks", "networks = ['10.0.0.1/8']"),
        ("hours", "hours = 'always'"),
        ("applications", "applications = ['']"),
        ("unused", "unused = '10'"),
        ("approvals", "approvals = 1\nbreak_glass = true"),
        ("approvers", "approvers = []\nbreak_glass = true"),
        ("review_within", "review_within = '1h'"),
        ("review_within", "break_glass = true\nreview_within = 'soon'"),
    ] {
        let error = text(wrong).resolve(&[]).unwrap_err().to_string();
        assert!(error.starts_with(key), "{key}: {error}");
    }
    type Spoil = fn(&mut PolicyText);
    let lists: [(&str, Spoil); 4] = [
        ("subjects", |text| text.subjects.clear()),
        ("subjects", |text| text.subjects = vec!["group:".into()]),
        ("resources", |text| text.resources = vec!["a b".into()]),
        ("actions", |text| text.actions.clear()),
    ];
    for (key, spoil) in lists {
        let mut wrong = text("");
        spoil(&mut wrong);
        let error = wrong.resolve(&[]).unwrap_err().to_string();
        assert!(error.starts_with(key), "{key}: {error}");
    }
}

/// Each rule by itself: what the policy says, what is asked, and what comes of it: approvals
/// needed, or words of the refusal.
#[test]
fn every_rule_decides() {
    type Change = fn(&mut Ask);
    let same: Change = |_| {};
    let emergency: Change = |ask| ask.urgency = Urgency::BreakGlass;
    let cases: [(&str, Change, Result<u32, &str>); 22] = [
        ("", same, Ok(0)),
        ("approvals = 2", same, Ok(2)),
        ("max_duration = '29min'", same, Err("allows at most 29min, not 30min")),
        ("reason = '^INC-[0-9]+'", same, Ok(0)),
        ("reason = '^CHG-[0-9]+'", same, Err("wants a reason that matches ^CHG-[0-9]+")),
        ("networks = ['10.2.0.0/16']", same, Ok(0)),
        ("networks = ['10.3.0.0/16']", same, Err("allows it only from 10.3.0.0/16")),
        ("applications = ['psql', 'metabase']", same, Ok(0)),
        ("applications = ['metabase']", same, Err("only for the application metabase")),
        ("hours = 'Tue 22:00-23:00 UTC'", same, Ok(0)),
        ("hours = 'Tue 23:00-24:00 Europe/Berlin'", same, Ok(0)),
        ("hours = 'Tue 08:00-18:00 UTC'", same, Err("only Tue 08:00-18:00 UTC")),
        ("hours = 'Mon 22:00-23:00 UTC'", same, Err("only Mon 22:00-23:00 UTC")),
        ("auto_per_week = 3", same, Ok(0)),
        ("auto_per_week = 2", same, Ok(1)),
        ("approvers = []\nauto_per_week = 2", same, Err("grants at most 2 requests a week")),
        ("break_glass = true", same, Err("no policy lets alice")),
        ("break_glass = true", emergency, Ok(0)),
        ("", emergency, Err("no policy lets alice")),
        ("", |ask| ask.actions = [Action::Write].into_iter().collect(), Err("no policy")),
        ("max_rows = 5", |ask| ask.limits.max_rows = Some(9), Ok(0)),
        ("denials = 2", same, Ok(0)),
    ];
    for (policy, change, expected) in cases {
        let mut ask = ask("customers.email", 30);
        change(&mut ask);
        let (user, policies) = (alice(), Policies(vec![text(policy).resolve(&[view()]).unwrap()]));
        let from = client(user.clone());
        let terms = ask.read(&view(), at(0)).unwrap();
        let asker = Asker { user: &user, client: Some(&from), now: at(0) };
        match (policies.decide(&terms, asker, |_| 2), expected) {
            (Decision::Allowed(allowed), Ok(approvals)) => {
                assert_eq!(allowed.approvals, approvals, "{policy}");
            }
            (Decision::Refused(report), Err(words)) => {
                assert!(report.message.contains(words), "{policy}: {}", report.message);
            }
            (decision, expected) => panic!("{policy}: {decision:?}, not {expected:?}"),
        }
    }
}

#[test]
fn the_narrower_limit_and_the_policys_conditions_go_into_the_grant() {
    let policy =
        text("max_rows = 5\nmax_uses = 9\nunused = '10min'\nhours = 'Tue 22:00-23:00 UTC'");
    let policies = Policies(vec![policy.resolve(&[view()]).unwrap()]);
    let mut ask = ask("customers.email", 30);
    ask.limits.max_uses = Some(3);
    let Decision::Allowed(allowed) =
        decided(&policies, &ask.read(&view(), at(0)).unwrap(), &alice())
    else {
        panic!()
    };
    assert_eq!(allowed.limits.max_rows, Some(5));
    assert_eq!(allowed.limits.max_uses, Some(3));
    assert_eq!(allowed.limits.unused, Some(Duration::from_secs(600)));
    assert_eq!(allowed.conditions.to_string(), "Tue 22:00-23:00 UTC");
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
        denials_needed: 1,
        denied_by: vec![],
        decide_by: Some(at(60)),
        extends: None,
        conditions: Conditions::default(),
        approvals: vec![],
    };
    let stored = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&stored).unwrap(), request);
}
