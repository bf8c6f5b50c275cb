//! A store that was set back: nothing that was over goes on, nothing that it does not have counts.

use keyhole::grant::{
    Action, Ask, Asked, Claim, Counting, DirectGrant, GrantEvent, GrantId, GrantState, Limits,
    Runs, Subject,
};
use keyhole::model::{ColumnPath, RelationName};
use keyhole::store::approvals::Approvals;

use crate::life::{HALF_HOUR, Home, alice, ask, client, dora, sees, user, view};
use crate::place::{Database, Heard, database, grant, grants};
use crate::support::Postgres;
use crate::support::wait::until;

fn bob() -> keyhole::model::User {
    user("bob", &[], &[])
}

fn billing_sees(store: &Approvals) -> bool {
    sees(store, user("billing_app", &[], &[]), "email")
}

fn last(database: &Database<'_>) -> u64 {
    database.events().last().expect("there are some").0
}

#[tokio::test]
async fn what_the_store_does_not_have_any_more_ends() {
    let database = database(Postgres::shared(), "history_ends");
    let home = database.home();
    let store = home.open();
    grant(&store, "alice", "ssn", "kept").await.unwrap();
    let kept = last(&database);
    grant(&store, "bob", "ssn", "lost").await.unwrap();
    assert!(sees(&store, alice(), "ssn") && sees(&store, bob(), "ssn"));
    database.set_back_to(kept);
    until("the loss is noticed", || (!sees(&store, bob(), "ssn")).then_some(()));
    assert!(sees(&store, alice(), "ssn"), "what it has goes on");
    assert!(billing_sees(&store));
    assert!(grants(&store).iter().all(|(_, _, reason, _)| reason != "lost"));
    drop(store);
    let store = home.open();
    assert!(sees(&store, alice(), "ssn"), "a restart after that is like any other");
    grant(&store, "bob", "ssn", "after").await.unwrap();
    assert!(sees(&store, bob(), "ssn"));
    assert_eq!(last(&database), kept + 1);
}

#[tokio::test]
async fn what_was_over_stays_over_for_everybody() {
    let database = database(Postgres::shared_18(), "history_over");
    let home = database.home();
    let store = home.open();
    let id = grant(&store, "alice", "ssn", "over").await.unwrap();
    let granted = last(&database);
    store.revoke(&dora(), id).await.unwrap();
    database.set_back_to(granted);
    let again = (granted + 1, "revoked".to_owned());
    until("it is revoked again", || (database.events().last() == Some(&again)).then_some(()));
    assert!(!sees(&store, alice(), "ssn"));
    let other = database.home();
    let other = other.open();
    let state = grants(&other).into_iter().find(|grant| grant.0 == id).map(|grant| grant.3);
    assert_eq!(state, Some(GrantState::Revoked));
    assert!(!sees(&other, alice(), "ssn") && billing_sees(&other));
}

#[tokio::test]
async fn a_change_that_comes_before_the_loss_is_noticed_is_made_on_what_the_store_has() {
    let database = database(Postgres::shared(), "history_change");
    let home = database.home();
    let store = home.open();
    let id = grant(&store, "alice", "ssn", "over").await.unwrap();
    let granted = last(&database);
    store.revoke(&dora(), id).await.unwrap();
    for round in 0..5 {
        database.set_back_to(granted);
        let reason = format!("round {round}");
        let new = grant(&store, "bob", "ssn", &reason).await.unwrap();
        assert!(!sees(&store, alice(), "ssn") && sees(&store, bob(), "ssn"));
        let kinds: Vec<_> = database.events().into_iter().skip(granted as usize).collect();
        let wanted = [(granted + 1, "revoked".into()), (granted + 2, "granted".into())];
        assert_eq!(kinds, wanted, "{reason}");
        store.revoke(&dora(), new).await.unwrap();
    }
}

#[tokio::test]
async fn a_loss_while_the_proxy_was_down_ends_all_that_was_granted() {
    let database = database(Postgres::shared(), "history_down");
    let home = database.home();
    let heard = Heard::default();
    let store = Approvals::open(heard.by(&home)).unwrap();
    let id = grant(&store, "alice", "ssn", "over").await.unwrap();
    let granted = last(&database);
    store.revoke(&dora(), id).await.unwrap();
    drop(store);
    database.set_back_to(granted);
    let store = Approvals::open(heard.by(&home)).unwrap();
    assert!(!sees(&store, alice(), "ssn") && billing_sees(&store));
    assert_eq!(database.events().last(), Some(&(granted + 1, "revoked".to_owned())));
    drop(store);
    let store = home.open();
    assert!(!sees(&store, alice(), "ssn"), "once is enough");
    assert_eq!(last(&database), granted + 1);
}

#[tokio::test]
async fn another_history_is_taken_over_and_audited() {
    let database = database(Postgres::shared_18(), "history_other");
    let (one, two) = (database.home(), database.home());
    let heard = Heard::default();
    let first = Approvals::open(heard.by(&one)).unwrap();
    let start = last(&database);
    for number in 0..5 {
        grant(&first, "alice", "ssn", &format!("old {number}")).await.unwrap();
    }
    database.set_back_to(start);
    // Never saw the old ones; makes as many, and one more.
    let second = Home::open(&two);
    for number in 0..6 {
        grant(&second, "bob", "ssn", &format!("new {number}")).await.unwrap();
    }
    until("both know the same", || (grants(&first) == grants(&second)).then_some(()));
    assert!(!sees(&first, alice(), "ssn") && sees(&first, bob(), "ssn"));
    let reasons: Vec<_> = heard
        .all()
        .into_iter()
        .filter_map(|recorded| {
            let GrantEvent::Granted { grant, .. } = recorded.event else { return None };
            Some(grant.reason)
        })
        .collect();
    let olds = (0..5).map(|number| format!("old {number}"));
    let news = (0..6).map(|number| format!("new {number}"));
    assert_eq!(reasons, olds.chain(news).collect::<Vec<_>>(), "each once, in order");
}

/// Alice may read addresses on these terms.
async fn granted(store: &Approvals, change: impl FnOnce(&mut Ask)) -> GrantId {
    let mut wish = ask("customers.ssn", HALF_HOUR);
    change(&mut wish);
    let direct = DirectGrant { subject: Subject::User("alice".into()), ask: wish };
    store.grant(&dora(), &view(), direct).await.expect("granted").grant.id
}

fn ssn() -> ColumnPath {
    ColumnPath { relation: RelationName::new("public", "customers"), column: "ssn".into() }
}

const EIGHT_ROWS: Limits =
    Limits { max_rows: Some(8), max_uses: None, max_subjects: None, unused: None };

#[tokio::test]
async fn what_was_used_before_the_loss_is_not_had_again() {
    let database = database(Postgres::shared(), "history_used");
    let home = database.home();
    let store = home.open();
    let limited = granted(&store, |wish| wish.limits = EIGHT_ROWS).await;
    let waiting = granted(&store, |wish| wish.runs = Runs::FromFirstUse).await;
    let free = grant(&store, "bob", "ssn", "kept").await.unwrap();
    let start = last(&database);
    store.spend(vec![Claim::Rows { grant: limited, rows: 8 }]).await.unwrap();
    store.spend(vec![Claim::Use { grant: waiting, statements: 1 }]).await.unwrap();
    database.set_back_to(start);
    let state = |id| store.find_grant(id).map(|view| view.state);
    let over = Some(GrantState::Revoked);
    until("both are over", || (state(limited) == over && state(waiting) == over).then_some(()));
    assert_eq!(state(free), Some(GrantState::Active));
}

#[tokio::test]
async fn after_a_loss_each_proxy_counts_its_own_rows_only() {
    let database = database(Postgres::shared(), "history_counts");
    let homes = [database.home(), database.home()];
    let [one, other] = [homes[0].open(), homes[1].open()];
    let start = last(&database);
    grant(&one, "bob", "ssn", "lost").await.unwrap();
    until("both know it", || sees(&other, bob(), "ssn").then_some(()));
    database.set_back_to(start);
    until("both notice", || {
        (!sees(&one, bob(), "ssn") && !sees(&other, bob(), "ssn")).then_some(())
    });
    let id = granted(&one, |wish| wish.limits = EIGHT_ROWS).await;
    let asked = Asked { action: Action::Read, now: one.now(), counting: Counting::Rows };
    let cover = one.table().cover(&client(alice()), &ssn(), "id", asked).unwrap();
    // What is set apart and not shown is given back after a while.
    while cover.meters[0].0.take_rows(4).is_err() {
        one.spend(vec![Claim::Rows { grant: id, rows: 4 }]).await.unwrap();
    }
    let used = |store: &Approvals| store.find_grant(id)?.used.map(|used| used.rows);
    until("four rows are another's", || (used(&other) == Some(4)).then_some(()));
    assert_eq!(used(&one), Some(4));
}
