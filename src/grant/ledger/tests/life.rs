//! The whole life of requests and grants, rule by rule.

use super::*;
use crate::grant::{Claim, Extension, Wish};

fn policies_with(texts: &str) -> Policies {
    let mut texts: BTreeMap<String, Vec<crate::grant::PolicyText>> = toml::from_str(texts).unwrap();
    let texts = texts.remove("policy").unwrap();
    Policies(texts.iter().map(|text| text.resolve(&[view()]).unwrap()).collect())
}

const POLICY: &str = "[[policy]]\nname = 'p'\nsubjects = ['*']\nresources = ['*']\n\
    actions = ['read', 'export']\nmax_duration = '1h'\napprovers = ['group:dba', 'erin', 'finn']\n";

fn one_policy(more: &str) -> Policies {
    let approvals = if more.contains("approvals") { "" } else { "approvals = 1\n" };
    policies_with(&format!("{POLICY}{approvals}{more}"))
}

impl Book {
    fn asked(&mut self, policies: &Policies, ask: &Ask, now: i64) -> Request {
        let filed = self.ledger.request(policies, &client(alice()), &view(), ask, at(now));
        let id = self.record(filed, now)[0].requested().unwrap();
        self.ledger.request_view(id).unwrap()
    }

    fn approved(&mut self, policies: &Policies, id: RequestId, now: i64) -> Vec<GrantEvent> {
        let approved = self.ledger.approve(policies, &dora(), id, at(now));
        self.record(approved, now)
    }

    fn extended(&mut self, policies: &Policies, grant: GrantId, now: i64) -> RequestId {
        let filed = self.longer(policies, &client(alice()), grant, now);
        self.record(filed, now)[0].requested().unwrap()
    }

    fn longer(
        &self,
        policies: &Policies,
        by: &crate::model::Client,
        grant: GrantId,
        now: i64,
    ) -> Result<Vec<GrantEvent>, Report> {
        let (ten, reason) = (std::time::Duration::from_secs(600), "INC-42: longer".to_owned());
        let extension = Extension { grant, by: ten, reason };
        self.ledger.extend(policies, by, &view(), &extension, at(now))
    }
}

#[test]
fn a_request_lapses_when_nobody_decides() {
    let (mut book, policies) = (Book::default(), one_policy("decide_within = '1h'"));
    let request = book.asked(&policies, &ask("customers.ssn", 30), 0);
    assert_eq!(request.decide_by, Some(at(3600)));
    assert_eq!(book.ledger.due(at(3599), 9), []);
    let late = book.ledger.approve(&policies, &dora(), 1, at(3600)).unwrap_err();
    assert!(late.message.contains("has lapsed"), "before the event is written: {late:?}");
    let due = book.ledger.due(at(3600), 9);
    assert_eq!(due, [GrantEvent::Lapsed { request: 1 }]);
    book.record(Ok(due), 3600);
    assert_eq!(book.ledger.request_view(1).unwrap().state, RequestState::Lapsed);
    assert!(book.ledger.cancel(&alice(), 1, at(3601)).is_err());
    assert_eq!(book.ledger.due(at(9999), 9), []);
}

#[test]
fn it_takes_as_many_denials_as_the_policy_says() {
    let (mut book, policies) = (Book::default(), one_policy("denials = 2"));
    book.asked(&policies, &ask("customers.ssn", 30), 0);
    let denied = book.ledger.deny(&dora(), 1, Some("no"), at(1));
    book.record(denied, 1);
    assert_eq!(book.ledger.request_view(1).unwrap().state, RequestState::Pending);
    assert!(book.ledger.deny(&dora(), 1, None, at(2)).unwrap_err().message.contains("already"));
    let denied = book.ledger.deny(&user("erin", &[], &[]), 1, Some("no"), at(3));
    book.record(denied, 3);
    let request = book.ledger.request_view(1).unwrap();
    assert_eq!((request.state, request.denied_by.len()), (RequestState::Denied, 2));
    assert_eq!(request.closed_by.as_deref(), Some("erin"));
}

#[test]
fn a_grant_is_extended_before_its_end_and_goes_on_without_a_gap() {
    let (mut book, policies) = (Book::default(), one_policy(""));
    book.asked(&policies, &ask("customers.ssn", 30), 0);
    book.approved(&policies, 1, 0);
    let other = client(user("bob", &[], &[]));
    assert!(book.longer(&policies, &other, 1, 1).is_err(), "not his");
    let request = book.extended(&policies, 1, 1000);
    let filed = book.ledger.request_view(request).unwrap();
    assert_eq!((filed.extends, filed.decide_by), (Some(1), Some(at(1800))), "not behind its end");
    let by_herself = book.ledger.approve(&policies, &user("alice", &["dba"], &[]), 2, at(1001));
    assert!(by_herself.unwrap_err().message.contains("own request"));
    let events = book.approved(&policies, request, 1200);
    assert!(matches!(events[1], GrantEvent::Extended { grant: 1, .. }), "{events:?}");
    let view = book.ledger.grant_view(1, at(2399)).unwrap();
    assert_eq!((view.state, view.grant.expires_at), (GrantState::Active, Some(at(2400))));
    assert_eq!(book.ledger.due(at(1800), 9), [], "the old end is no end any more");
    assert_eq!(book.ledger.due(at(2400), 9), [GrantEvent::Expired { grant: 1 }]);
    let third = book.extended(&policies, 1, 2000);
    let revoked = book.ledger.revoke(&dora(), 1, at(2001));
    book.record(revoked, 2001);
    let late = book.ledger.approve(&policies, &dora(), third, at(2002)).unwrap_err();
    assert!(late.message.contains("is over"), "{late:?}");
    let over = book.longer(&policies, &client(alice()), 1, 2003);
    assert!(over.unwrap_err().message.contains("cannot be extended"));
}

/// Many short extensions at once would be one long grant, whatever the policy says.
#[test]
fn extensions_reach_no_further_than_the_policy_would_from_now() {
    let (mut book, policies) = (Book::default(), one_policy("approvals = 0"));
    book.asked(&policies, &ask("customers.ssn", 50), 0);
    book.extended(&policies, 1, 0);
    assert_eq!(book.ledger.grant_view(1, at(1)).unwrap().grant.expires_at, Some(at(3600)));
    let further = book.longer(&policies, &client(alice()), 1, 599).unwrap_err();
    assert!(further.message.contains("allows at most 1h"), "{further:?}");
    book.extended(&policies, 1, 600);
    assert_eq!(book.ledger.grant_view(1, at(601)).unwrap().grant.expires_at, Some(at(4200)));
}

#[test]
fn a_policy_extends_no_grant_that_is_wider_than_its_own() {
    for (more, limit) in [("max_rows = 5", true), ("networks = ['10.0.0.0/8']", false)] {
        let mut book = Book::default();
        let policies = one_policy(&format!("approvals = 0\n{more}"));
        let direct =
            DirectGrant { subject: Subject::User("alice".into()), ask: ask("customers.ssn", 10) };
        let granted = book.ledger.grant(&dora(), &view(), &direct, at(0));
        book.record(granted, 0);
        let wider = book.longer(&policies, &client(alice()), 1, 1).unwrap_err();
        assert!(wider.message.contains("wider than policy"), "{more}: {wider:?}");
        let own = book.asked(&policies, &ask("customers.ssn", 10), 2);
        let own = own.grant.unwrap();
        book.extended(&policies, own, 3);
        let limits = book.ledger.grant_view(own, at(4)).unwrap().grant.limits;
        assert_eq!(limits.max_rows.is_some(), limit);
    }
}

#[test]
fn time_runs_from_the_first_use_and_never_longer_than_promised() {
    let (mut book, policies) = (Book::default(), one_policy("approvals = 0"));
    let first_use = Ask { runs: Runs::FromFirstUse, ..ask("customers.ssn", 30) };
    book.asked(&policies, &first_use, 0);
    assert_eq!(book.state(1, 80_000), GrantState::Active);
    let started = book.ledger.spend(&[Claim::Use { grant: 1, statements: 1 }], at(80_000));
    let started = book.record(started, 80_000);
    assert_eq!(started, [GrantEvent::Started { grant: 1, expires_at: at(81_800) }]);
    assert_eq!(
        book.ledger.spend(&[Claim::Use { grant: 1, statements: 1 }], at(80_100)).unwrap(),
        [],
        "once"
    );
    assert_eq!(book.state(1, 81_800), GrantState::Expired);
    assert!(book.ledger.spend(&[Claim::Use { grant: 1, statements: 1 }], at(81_800)).is_err());
    book.asked(&policies, &first_use, 0);
    let latest = book.ledger.spend(&[Claim::Use { grant: 2, statements: 1 }], at(86_400 + 1_000));
    let latest = book.record(latest, 86_400 + 1_000);
    assert_eq!(latest, [GrantEvent::Started { grant: 2, expires_at: at(86_400 + 1_800) }]);
}

#[test]
fn uses_are_counted_and_a_grant_that_is_used_up_shows_nothing_more() {
    let (mut book, policies) = (Book::default(), one_policy("approvals = 0\nmax_uses = 2"));
    book.asked(&policies, &ask("customers.ssn", 30), 0);
    for now in [1, 2] {
        let used = book.ledger.spend(&[Claim::Use { grant: 1, statements: 1 }], at(now));
        assert_eq!(book.record(used, now).len(), 1);
    }
    let over = book.ledger.spend(&[Claim::Use { grant: 1, statements: 1 }], at(3)).unwrap_err();
    assert!(over.message.contains("does not count any more"), "{over:?}");
    let due = book.ledger.due(at(3), 9);
    assert_eq!(due, [GrantEvent::Exhausted { grant: 1 }]);
    book.record(Ok(due), 3);
    assert_eq!(book.ledger.due(at(4), 9), [], "once");
    assert_eq!(book.state(1, 4), GrantState::Exhausted);
    assert!(book.ledger.revoke(&dora(), 1, at(5)).is_ok(), "what streams can still be ended");
}

#[test]
fn rows_are_set_apart_in_the_store_and_stay_so_after_a_replay() {
    let (mut book, policies) = (Book::default(), one_policy("approvals = 0\nmax_rows = 10"));
    book.asked(&policies, &ask("customers.ssn", 30), 0);
    let budget = book.ledger.open().next().unwrap().budget.clone().unwrap();
    let claim = budget.take_rows(7).unwrap_err();
    let used = book.ledger.spend(&[claim], at(1));
    assert_eq!(book.record(used, 1).len(), 1);
    budget.take_rows(7).unwrap();
    assert_eq!(book.ledger.untold(), [], "nothing to give back");
    let mut replayed = Ledger::of("another process");
    for recorded in &book.events {
        replayed.apply(recorded).unwrap();
    }
    let again = replayed.open().next().unwrap().budget.clone().unwrap();
    assert_eq!(again.used().rows, 7);
    assert!(replayed.spend(&[Claim::Rows { grant: 1, rows: 4 }], at(2)).is_err());
    assert_eq!(replayed.spend(&[Claim::Rows { grant: 1, rows: 3 }], at(2)).unwrap().len(), 1);
    let revoked = book.ledger.revoke(&dora(), 1, at(3));
    book.record(revoked, 3);
    assert!(book.ledger.spend(&[Claim::Rows { grant: 1, rows: 1 }], at(4)).is_err());
}

#[test]
fn a_grant_that_nobody_uses_ends() {
    let (mut book, policies) = (Book::default(), one_policy("approvals = 0\nunused = '5min'"));
    book.asked(&policies, &ask("customers.ssn", 30), 0);
    assert_eq!(book.ledger.due(at(299), 9), []);
    let budget = book.ledger.open().next().unwrap().budget.clone().unwrap();
    budget.touch(at(200));
    let told = book.ledger.untold();
    assert_eq!(told.len(), 1, "others have to know");
    book.record(Ok(told), 201);
    assert_eq!(book.ledger.due(at(500), 9), []);
    let due = book.ledger.due(at(501), 9);
    assert_eq!(due, [GrantEvent::Revoked { grant: 1, by: "disuse".into() }]);
}

#[test]
fn at_once_only_so_often_in_seven_days() {
    let (mut book, policies) = (Book::default(), one_policy("approvals = 0\nauto_per_week = 2"));
    let day = 86_400;
    for now in [0, day] {
        assert_eq!(book.asked(&policies, &ask("customers.ssn", 30), now).approvals_needed, 0);
        book.ledger.forget(at(now), at(now));
    }
    let third = book.asked(&policies, &ask("customers.ssn", 30), 2 * day);
    assert_eq!((third.approvals_needed, third.state), (1, RequestState::Pending));
    let bob = client(user("bob", &[], &[]));
    let his = book.ledger.request(&policies, &bob, &view(), &ask("customers.ssn", 30), at(2 * day));
    assert_eq!(his.unwrap().len(), 2, "everybody has their own");
    let later = book.asked(&policies, &ask("customers.ssn", 30), 7 * day + 1);
    assert_eq!(later.approvals_needed, 0, "the first is longer ago");
}

#[test]
fn break_glass_is_immediate_and_locked_until_somebody_has_looked() {
    let (mut book, policies) =
        (Book::default(), one_policy("approvals = 0\nbreak_glass = true\nreview_within = '1h'"));
    let emergency = Ask { urgency: crate::grant::Urgency::BreakGlass, ..ask("customers.ssn", 30) };
    let later = Ask { not_before: Some(at(9000)), ..emergency.clone() };
    let waits = Ask { runs: Runs::FromFirstUse, ..emergency.clone() };
    for laid_in in [later, waits] {
        let filed = book.ledger.request(&policies, &client(alice()), &view(), &laid_in, at(0));
        assert!(filed.unwrap_err().message.contains("for now, not for later"));
    }
    let request = book.asked(&policies, &emergency, 0);
    let view_of =
        |book: &Book, now| book.ledger.grant_view(request.grant.unwrap(), at(now)).unwrap();
    assert_eq!(view_of(&book, 0).grant.review.as_ref().unwrap().due, at(3600));
    book.asked(&policies, &emergency, 3599);
    let locked = book.ledger.request(&policies, &client(alice()), &view(), &emergency, at(3600));
    assert!(locked.unwrap_err().message.contains("is locked for alice"));
    book.ledger.forget(at(9000), at(9000));
    assert!(book.ledger.review(&user("alice", &["dba"], &[]), 1, "fine").is_err(), "her own");
    assert!(book.ledger.review(&user("bob", &[], &[]), 1, "fine").is_err(), "no reviewer");
    assert!(book.ledger.review(&dora(), 1, " ").is_err(), "without a word");
    let reviewed = book.ledger.review(&dora(), 1, "the incident was real");
    book.record(reviewed, 9001);
    assert_eq!(view_of(&book, 9001).reviewed_by.as_deref(), Some("dora"));
    assert!(book.ledger.review(&dora(), 1, "again").is_err());
    let still = book.ledger.request(&policies, &client(alice()), &view(), &emergency, at(9002));
    assert!(still.is_err(), "the second is overdue by now");
    let reviewed = book.ledger.review(&dora(), 2, "so was this one");
    book.record(reviewed, 9003);
    book.asked(&policies, &emergency, 9004);
    let longer = book.longer(&policies, &client(alice()), 3, 9005);
    assert!(longer.unwrap_err().message.contains("not extended"));
}

#[test]
fn a_scope_ends_what_it_names_and_what_leads_there() {
    let scope = |resource: &str| {
        let resource = view().resolve(resource).unwrap();
        let classes = view().classes_of(&resource);
        Scope::On { database: "shop".into(), resource, classes }
    };
    for (scope, ended) in [
        (Scope::Everything, vec![1, 2, 3, 4, 5]),
        (Scope::Of(Subject::User("alice".into())), vec![1, 2, 3, 5]),
        (Scope::Of(Subject::Group("support".into())), vec![4]),
        (scope("customers.email"), vec![1, 2, 4]),
        (scope("customers.ssn"), vec![2, 3]),
        (scope("customers"), vec![1, 2, 3, 4]),
        (scope("class:pay"), vec![1, 2, 3, 5]),
    ] {
        let mut book = Book::default();
        for (subject, resource) in [
            ("alice", "customers.email"),
            ("alice", "customers"),
            ("alice", "customers.ssn"),
            ("group:support", "class:email"),
            ("alice", "employees.salary"),
        ] {
            let granted = book.ledger.grant(&dora(), &view(), &direct(subject, resource), at(0));
            book.record(granted, 0);
        }
        let events = book.ledger.revoke_all(&dora(), &scope, at(1)).unwrap();
        let ids: Vec<_> = events.iter().filter_map(GrantEvent::grant).collect();
        assert_eq!(ids, ended, "{scope:?}");
        assert!(book.ledger.revoke_all(&alice(), &scope, at(1)).is_err());
    }
}

#[test]
fn several_requests_are_filed_together_or_not_at_all() {
    // Each is granted at once, but no more than two in a week.
    let (mut book, policies) = (Book::default(), one_policy("approvals = 0\nauto_per_week = 2"));
    let wish =
        |resource: &str| Wish { client: client(alice()), catalog: view(), ask: ask(resource, 30) };
    let two = [wish("customers.ssn"), wish("customers.email")];
    let filed = book.ledger.request_all(&policies, &two, at(0));
    let events = book.record(filed, 0);
    let requested: Vec<_> = events.iter().filter_map(GrantEvent::requested).collect();
    assert_eq!((requested, events.len()), (vec![1, 2], 4));
    assert_eq!(book.ledger.open_grants().count(), 2);
    let mut fresh = Book::default();
    let three = [two[0].clone(), two[1].clone(), wish("customers.ssn")];
    let filed = fresh.ledger.request_all(&policies, &three, at(0)).unwrap();
    let granted = filed.iter().filter(|event| event.grant().is_some()).count();
    assert_eq!(granted, 2, "the third sees those before it: {filed:?}");
    let events = fresh.record(Ok(filed), 0);
    assert_eq!(events.iter().filter_map(GrantEvent::requested).max(), Some(3));
    let wrong = [wish("customers.ssn"), wish("customers.nothing")];
    let refused = fresh.ledger.request_all(&policies, &wrong, at(0)).unwrap_err();
    assert!(refused.message.contains("nothing"), "{refused:?}");
    assert_eq!(fresh.ledger.request_all(&policies, &[], at(0)), Ok(Vec::new()));
}
