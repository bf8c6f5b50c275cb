mod life;
mod restricted;

use super::*;
use crate::grant::fixture::{alice, ask, at, client, dora, policies, user, view};
use crate::grant::{
    Action, Actions, Ask, Asked, Counting, DirectGrant, GrantEvent, Limits, Pattern, Policies,
    RecordedEvent, Resource, Runs, Standing,
};
use crate::model::{Report, SqlState};

/// A ledger with its events, as the store keeps it.
#[derive(Default)]
struct Book {
    ledger: Ledger,
    events: Vec<RecordedEvent>,
}

impl Book {
    fn record(&mut self, events: Result<Vec<GrantEvent>, Report>, now: i64) -> Vec<GrantEvent> {
        let events = events.unwrap();
        for event in &events {
            let sequence = self.ledger.sequence() + 1;
            let recorded = RecordedEvent { sequence, at: at(now), event: event.clone() };
            self.ledger.apply(&recorded).unwrap();
            self.events.push(recorded);
        }
        events
    }

    fn request(&mut self, ask: &Ask, now: i64) -> Request {
        let events = self.ledger.request(&policies(), &client(alice()), &view(), ask, at(now));
        let events = self.record(events, now);
        self.ledger.request_view(events[0].requested().unwrap()).unwrap()
    }

    fn state(&self, grant: GrantId, now: i64) -> GrantState {
        self.ledger.grant_view(grant, at(now)).unwrap().state
    }
}

fn limits(max_rows: Option<u64>, max_uses: Option<u64>) -> Limits {
    Limits { max_rows, max_uses, ..Limits::default() }
}

fn writes() -> Actions {
    [Action::Read, Action::Write].into_iter().collect()
}

fn export() -> Actions {
    [Action::Read, Action::Export].into_iter().collect()
}

fn direct(subject: &str, resource: &str) -> DirectGrant {
    DirectGrant { subject: Subject::parse(subject).unwrap(), ask: ask(resource, 30) }
}

#[test]
fn a_request_becomes_a_grant_that_expires() {
    let mut book = Book::default();
    let request = book.request(&ask("customers.ssn", 30), 0);
    assert_eq!((request.state, request.grant), (RequestState::Pending, None));
    let approved = book.ledger.approve(&policies(), &dora(), request.id, at(60));
    book.record(approved, 60);
    let request = book.ledger.request_view(request.id).unwrap();
    assert_eq!(request.state, RequestState::Approved);
    let id = request.grant.unwrap();
    let grant = book.ledger.grant_view(id, at(60)).unwrap().grant;
    assert_eq!(grant.subject, Subject::User("alice".into()));
    assert_eq!((grant.not_before, grant.expires_at), (at(60), Some(at(60 + 1800))));
    assert_eq!(
        (grant.approvers.as_slice(), grant.request),
        (["dora".to_owned()].as_slice(), Some(1))
    );
    assert_eq!(book.ledger.next_change(at(60)), Some(at(1860)));
    assert_eq!(book.state(id, 1859), GrantState::Active);
    assert_eq!(book.state(id, 1860), GrantState::Expired, "with or without the event");
    assert_eq!(book.ledger.due(at(1859), 10), []);
    let due = book.ledger.due(at(1999), 10);
    assert_eq!(due, [GrantEvent::Expired { grant: id }]);
    book.record(Ok(due), 1999);
    assert_eq!(book.ledger.due(at(1999), 10), [], "once");
    assert_eq!(book.ledger.grant_view(id, at(1999)).unwrap().ended_at, Some(at(1860)));
    assert_eq!(book.ledger.next_change(at(0)), None);
}

#[test]
fn replaying_the_events_gives_the_same_state() {
    let mut book = Book::default();
    let first = book.request(&ask("customers.ssn", 30), 0);
    book.request(&ask("customers.email", 30), 1);
    let denied = book.request(&ask("employees.salary", 10), 2);
    let events = book.ledger.approve(&policies(), &dora(), first.id, at(3));
    book.record(events, 3);
    let events = book.ledger.deny(&dora(), denied.id, Some("not needed"), at(9));
    book.record(events, 4);
    let events = book.ledger.grant(&dora(), &view(), &direct("group:support", "customers"), at(5));
    book.record(events, 5);
    let events = book.ledger.revoke(&dora(), 2, at(6));
    book.record(events, 6);
    let mut replayed = Ledger::default();
    for recorded in &book.events {
        let body = serde_json::to_string(&recorded.event).unwrap();
        let event = serde_json::from_str(&body).unwrap();
        replayed.apply(&RecordedEvent { event, ..recorded.clone() }).unwrap();
    }
    assert_eq!(format!("{replayed:?}").len(), format!("{:?}", book.ledger).len());
    assert_eq!(replayed.requests(), book.ledger.requests());
    let states = |ledger: &Ledger| -> Vec<_> {
        ledger.grants(at(7)).into_iter().map(|g| (g.grant, g.state, g.ended_by)).collect()
    };
    assert_eq!(states(&replayed), states(&book.ledger));
    assert_eq!(states(&replayed).len(), 3);
}

#[test]
fn nobody_grants_or_approves_for_themselves() {
    let mut book = Book::default();
    let own =
        book.ledger.request(&policies(), &client(dora()), &view(), &ask("customers.ssn", 5), at(0));
    book.record(own, 0);
    let error = book.ledger.approve(&policies(), &dora(), 1, at(1)).unwrap_err();
    assert!(error.message.contains("own request"), "{error:?}");
    assert!(book.ledger.deny(&dora(), 1, None, at(9)).is_err());
    for subject in ["dora", "group:dba", "*"] {
        let direct = direct(subject, "customers.ssn");
        let error = book.ledger.grant(&dora(), &view(), &direct, at(1)).unwrap_err();
        assert_eq!(error.state, SqlState::INSUFFICIENT_PRIVILEGE);
        assert!(error.message.contains("may not grant to themselves"), "{error:?}");
    }
    let for_bob = direct("bob", "customers.ssn");
    let error = book.ledger.grant(&alice(), &view(), &for_bob, at(1)).unwrap_err();
    assert!(error.detail.unwrap().contains("control"));
}

#[test]
fn two_approvals_are_two_people() {
    let mut two = policies();
    two.0[1].approvals = 2;
    let mut book = Book::default();
    let filed =
        book.ledger.request(&two, &client(alice()), &view(), &ask("customers.ssn", 5), at(0));
    book.record(filed, 0);
    let first = book.ledger.approve(&two, &dora(), 1, at(1));
    assert_eq!(book.record(first, 1).len(), 1, "no grant yet");
    assert!(book.ledger.approve(&two, &dora(), 1, at(2)).unwrap_err().message.contains("already"));
    let second = book.ledger.approve(&two, &user("dan", &["dba"], &[]), 1, at(3));
    book.record(second, 3);
    let grant = book.ledger.grant_view(1, at(3)).unwrap().grant;
    assert_eq!(grant.approvers, ["dora", "dan"]);
}

#[test]
fn a_request_filed_under_laxer_policies_gains_nothing_by_waiting() {
    let mut book = Book::default();
    let request = book.request(&ask("customers.ssn", 30), 0);
    let mut strict = policies();
    strict.0[1].max_duration = std::time::Duration::from_secs(60);
    assert!(book.ledger.approve(&strict, &dora(), request.id, at(1)).is_err());
    assert!(book.ledger.approve(&Policies::default(), &dora(), request.id, at(1)).is_err());
    let mut others = policies();
    others.0[1].approvers = vec![Subject::Group("security".into())];
    assert!(book.ledger.approve(&others, &dora(), request.id, at(1)).is_err());
}

#[test]
fn what_is_decided_stays_decided() {
    let mut book = Book::default();
    let request = book.request(&ask("customers.ssn", 30), 0);
    assert!(book.ledger.cancel(&user("bob", &[], &[]), request.id, at(9)).is_err());
    let cancelled = book.ledger.cancel(&alice(), request.id, at(9));
    book.record(cancelled, 1);
    assert!(book.ledger.approve(&policies(), &dora(), request.id, at(2)).is_err());
    assert!(book.ledger.deny(&dora(), request.id, None, at(9)).is_err());
    assert!(book.ledger.cancel(&alice(), request.id, at(9)).is_err());
    assert_eq!(
        book.ledger.approve(&policies(), &dora(), 99, at(2)).unwrap_err().state,
        SqlState::UNDEFINED_OBJECT
    );
}

#[test]
fn a_grant_is_revoked_by_its_user_its_approver_or_control_and_by_nobody_else() {
    for (by, allowed) in [
        (alice(), true),
        (dora(), true),
        (user("otto", &[], &["control"]), true),
        (user("bob", &["dba", "support"], &[]), false),
    ] {
        let mut book = Book::default();
        let granted = book.ledger.grant(&dora(), &view(), &direct("alice", "customers"), at(0));
        book.record(granted, 0);
        assert_eq!(book.ledger.revoke(&by, 1, at(1)).is_ok(), allowed, "{}", by.name);
        assert!(book.ledger.revoke(&by, 1, at(1800)).is_err(), "over");
        assert!(book.ledger.revoke(&by, 2, at(1)).is_err(), "unknown");
    }
}

#[test]
fn standing_grants_follow_the_configuration_and_keep_their_numbers() {
    let standing = |resources: &[&str]| Standing {
        subject: Subject::User("billing_app".into()),
        resources: resources.iter().map(|r| Pattern::resolve(r, &[view()]).unwrap()).collect(),
        actions: Actions::READ,
        conditions: crate::grant::Conditions::default(),
        reason: "invoices".into(),
    };
    let mut book = Book::default();
    let both = standing(&["public.customers.email", "class:phone"]);
    let added = book.ledger.reconcile(std::slice::from_ref(&both));
    assert_eq!(book.record(Ok(added), 0).len(), 2);
    assert_eq!(book.ledger.reconcile(std::slice::from_ref(&both)), [], "nothing new");
    assert_eq!(book.state(1, 1_000_000), GrantState::Standing);
    assert!(book.ledger.revoke(&dora(), 1, at(1)).unwrap_err().message.contains("configuration"));
    assert_eq!(book.ledger.revoke_all(&dora(), &Scope::Everything, at(1)).unwrap(), []);
    let changed = book.ledger.reconcile(&[standing(&["class:phone", "class:id"])]);
    let changed = book.record(Ok(changed), 2);
    assert_eq!(changed[0], GrantEvent::StandingRemoved { grant: 1 });
    assert_eq!(changed[1].grant(), Some(3));
    assert_eq!(book.ledger.open_grants().map(|g| g.id).collect::<Vec<_>>(), [2, 3]);
    let twice = book.ledger.reconcile(&[both.clone(), both]);
    let added = twice.iter().filter(|e| e.kind() == "standing_added").count();
    assert_eq!(added, 1, "the same twice is one");
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let refused = |ask: Ask| {
        let ledger = Ledger::default();
        ledger.request(&policies(), &client(alice()), &view(), &ask, at(0)).unwrap_err().message
    };
    let base = || ask("customers.ssn", 5);
    for (ask, words) in [
        (Ask { limits: limits(Some(0), None), ..base() }, "leaves nothing"),
        (
            Ask { limits: limits(Some(9), None), actions: export(), ..base() },
            "counted for read only",
        ),
        (
            Ask { runs: Runs::FromFirstUse, actions: writes(), ..base() },
            "what is written is not counted",
        ),
        (
            Ask { runs: Runs::FromFirstUse, not_before: Some(at(9)), ..base() },
            "with its first use, not both",
        ),
        (Ask { reason: "  ".into(), ..base() }, "a reason is needed"),
        (Ask { reason: "a\nb".into(), ..base() }, "no line breaks"),
        (Ask { actions: Actions::default(), ..base() }, "nothing to do"),
        (Ask { rows: Some("id = 1".into()), ..base() }, "columns are not known"),
        (Ask { rows: Some("id = 1".into()), ..ask("*", 5) }, "on a column or a table"),
        (Ask { not_before: Some(at(40 * 86_400)), ..base() }, "31 days from now"),
        (ask("customers.ssn", 60 * 24 * 40), "at most 31 days"),
        (ask("customers.nosuch", 5), "not in the catalog of database \"shop\""),
    ] {
        let message = refused(ask);
        assert!(message.contains(words), "{message}");
    }
    let star = user("*", &["support"], &[]);
    let ledger = Ledger::default();
    assert!(ledger.request(&policies(), &client(star), &view(), &base(), at(0)).is_err());
}

#[test]
fn a_grant_can_begin_later_and_lasts_as_long_as_granted() {
    let mut book = Book::default();
    let later = Ask { not_before: Some(at(100)), ..ask("customers.email", 1) };
    book.request(&later, 0);
    assert_eq!(book.state(1, 99), GrantState::Scheduled);
    assert_eq!(book.ledger.next_change(at(0)), Some(at(100)));
    assert_eq!(book.ledger.next_change(at(100)), Some(at(160)));
    let earlier = Ask { not_before: Some(at(-100)), ..ask("customers.email", 1) };
    book.request(&earlier, 0);
    let grant = book.ledger.grant_view(2, at(0)).unwrap().grant;
    assert_eq!((grant.not_before, grant.expires_at), (at(0), Some(at(60))));
}

#[test]
fn one_user_cannot_fill_the_ledger() {
    let mut book = Book::default();
    for now in 0..50 {
        book.request(&ask("customers.ssn", 5), now);
    }
    let one_more = ask("customers.ssn", 5);
    let full =
        book.ledger.request(&policies(), &client(alice()), &view(), &one_more, at(50)).unwrap_err();
    assert_eq!(full.state, SqlState::PROGRAM_LIMIT_EXCEEDED);
    for now in 0..1_000 {
        book.request(&ask("customers.email", 60), now);
    }
    let one_more = ask("customers.email", 60);
    let full = book
        .ledger
        .request(&policies(), &client(alice()), &view(), &one_more, at(999))
        .unwrap_err();
    assert!(full.message.contains("alice holds 1000 grants"), "{full:?}");
}

#[test]
fn events_out_of_order_are_refused() {
    let mut ledger = Ledger::default();
    let event = GrantEvent::Expired { grant: 1 };
    let second = RecordedEvent { sequence: 2, at: at(0), event };
    assert_eq!(ledger.apply(&second).unwrap_err(), LedgerError::Sequence { last: 0, found: 2 });
    let first = RecordedEvent { sequence: 1, ..second };
    let misfit = LedgerError::Misfit { sequence: 1, kind: "expired" };
    assert_eq!(ledger.apply(&first).unwrap_err(), misfit);
    assert_eq!(ledger.sequence(), 0);
}

#[test]
fn what_ended_long_ago_is_forgotten_and_its_number_is_not_used_again() {
    let mut book = Book::default();
    book.request(&ask("customers.email", 1), 0);
    let due = book.ledger.due(at(60), 10);
    book.record(Ok(due), 60);
    book.ledger.forget(at(60), at(61));
    assert_eq!(book.ledger.grants(at(61)).len(), 1);
    book.ledger.forget(at(61), at(61));
    assert_eq!((book.ledger.grants(at(61)).len(), book.ledger.requests().len()), (0, 0));
    let request = book.request(&ask("customers.email", 1), 61);
    assert_eq!((request.id, request.grant), (2, Some(2)));
    let table =
        crate::grant::LiveTable::new(crate::model::Epoch(1), book.ledger.open_grants().cloned());
    let Resource::Column(path) = view().resolve("customers.email").unwrap() else { panic!() };
    let asked = Asked { action: Action::Read, now: at(61), counting: Counting::Uses };
    assert!(table.cover(&client(alice()), &path, "email", asked).is_some());
}
