//! What is taken from users, and given back.

use std::time::Duration;

use super::*;
use crate::grant::{LiveTable, Restrict, Restriction};
use crate::model::{ColumnPath, Epoch, RelationName};

fn order(user: &str, restriction: Restriction, secs: Option<u64>) -> Restrict {
    let duration = secs.map(Duration::from_secs);
    Restrict { user: user.into(), restriction, duration, reason: "INC-1".into() }
}

fn suspend(book: &mut Book, secs: Option<u64>, now: i64) {
    let order = order("alice", Restriction::Suspended, secs);
    let events = book.ledger.restrict(&dora(), &order, at(now));
    book.record(events, now);
}

/// When the only restriction ends.
fn until(book: &Book, now: i64) -> Option<Timestamp> {
    let restrictions = book.ledger.restrictions(at(now));
    assert_eq!(restrictions.len(), 1, "{restrictions:?}");
    restrictions[0].until
}

#[test]
fn a_restriction_never_becomes_shorter_by_another() {
    let mut book = Book::default();
    suspend(&mut book, Some(100), 0);
    suspend(&mut book, Some(10), 1);
    assert_eq!(until(&book, 2), Some(at(100)));
    assert_eq!(book.ledger.next_change(at(2)), Some(at(100)));
    suspend(&mut book, None, 3);
    suspend(&mut book, Some(10), 4);
    assert_eq!((until(&book, 5), book.ledger.next_change(at(5))), (None, None));
}

#[test]
fn one_that_is_over_does_not_lengthen_the_next() {
    let mut book = Book::default();
    suspend(&mut book, Some(10), 0);
    assert_eq!(book.ledger.restrictions(at(10)), []);
    suspend(&mut book, Some(10), 20);
    assert_eq!(until(&book, 21), Some(at(30)));
    assert_eq!(book.ledger.restrictions(at(21))[0].since, at(20));
    book.ledger.forget(at(0), at(40));
    assert_eq!(book.ledger.suspended().count(), 0);
}

#[test]
fn a_signal_adds_nothing_to_what_is_so_already() {
    let mut book = Book::default();
    let orders = [Some(100), Some(50), Some(200), None, Some(1), None];
    let mut written = Vec::new();
    for (secs, now) in orders.into_iter().zip(0..) {
        let order = order("alice", Restriction::Suspended, secs);
        let events = book.ledger.restrict_for_signal(&order, at(now));
        written.push(book.record(events, now).len());
    }
    assert_eq!(written, [1, 0, 1, 1, 0, 0]);
}

#[test]
fn who_may_restrict_and_lift() {
    let mut book = Book::default();
    let own = order("dora", Restriction::Suspended, None);
    let by_alice = book.ledger.restrict(&alice(), &own, at(0)).unwrap_err();
    assert_eq!(by_alice.state, SqlState::INSUFFICIENT_PRIVILEGE);
    let nothing = Restrict { reason: " ".into(), ..own.clone() };
    assert!(book.ledger.restrict(&dora(), &nothing, at(0)).is_err());
    let events = book.ledger.restrict(&dora(), &own, at(0));
    book.record(events, 0);
    let lift = |book: &Book, by: User, whom: &str| book.ledger.lift(&by, whom, at(1));
    let own = lift(&book, dora(), "dora").unwrap_err();
    assert!(own.message.contains("their own"), "{own:?}");
    assert!(lift(&book, alice(), "dora").is_err());
    assert_eq!(lift(&book, dora(), "bob").unwrap_err().state, SqlState::UNDEFINED_OBJECT);
    let dirk = user("dirk", &["dba"], &["control"]);
    let events = lift(&book, dirk.clone(), "dora");
    book.record(events, 1);
    assert!(lift(&book, dirk, "dora").is_err(), "it is lifted");
}

#[test]
fn nothing_counts_for_the_suspended_until_they_resume() {
    let email =
        ColumnPath { relation: RelationName::new("public", "customers"), column: "email".into() };
    let mut book = Book::default();
    for subject in ["alice", "group:support"] {
        let ask = direct(subject, "customers.email");
        let events = book.ledger.grant(&dora(), &view(), &ask, at(0));
        book.record(events, 0);
    }
    let covers = |ledger: &Ledger, name: &str, now: i64| {
        let mut table = LiveTable::new(Epoch(1), ledger.open_grants().cloned());
        for (user, until) in ledger.suspended() {
            table.suspend(user, until);
        }
        let client = client(user(name, &["support"], &[]));
        let asked = Asked { action: Action::Read, now: at(now), counting: Counting::Paid };
        table.cover(&client, &email, "email", asked).is_some()
    };
    suspend(&mut book, Some(100), 1);
    assert!(!covers(&book.ledger, "alice", 1) && !covers(&book.ledger, "alice", 100));
    assert!(covers(&book.ledger, "bob", 1) && covers(&book.ledger, "alice", 101));
    let events = book.ledger.lift(&dora(), "alice", at(2));
    book.record(events, 2);
    assert!(covers(&book.ledger, "alice", 2));
}

#[test]
fn one_approval_more_is_needed() {
    let book = Book::default();
    let at_once = book.ledger.request(
        &policies(),
        &client(alice()),
        &view(),
        &ask("customers.email", 30),
        at(0),
    );
    let needed = |events: Result<Vec<GrantEvent>, Report>| match &events.unwrap()[..] {
        [GrantEvent::Requested { request }, rest @ ..] => (request.approvals_needed, rest.len()),
        other => panic!("{other:?}"),
    };
    let before = needed(at_once);
    for kind in [Restriction::SecondApproval, Restriction::Suspended] {
        let mut book = Book::default();
        let order = order("alice", kind, Some(100));
        let events = book.ledger.restrict_for_signal(&order, at(0));
        book.record(events, 0);
        let requested = |now| {
            book.ledger.request(
                &policies(),
                &client(alice()),
                &view(),
                &ask("customers.email", 30),
                at(now),
            )
        };
        let (approvals, granted) = needed(requested(1));
        assert_eq!((approvals, granted), (before.0 + 1, 0), "{kind:?}");
        assert_eq!(needed(requested(100)), before, "{kind:?}: it is over");
    }
}

#[test]
fn a_store_that_was_set_back_restricts_again() {
    let (mut before, mut now) = (Book::default(), Book::default());
    suspend(&mut before, Some(100), 0);
    let again = now.ledger.revoke_again(&before.ledger);
    assert!(matches!(&again[..], [GrantEvent::Restricted { user, .. }] if user == "alice"));
    now.record(Ok(again), 1);
    assert_eq!(now.ledger.revoke_again(&before.ledger), []);
    assert_eq!(until(&now, 2), Some(at(100)));
}
