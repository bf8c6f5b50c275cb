use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::grant::fixture::{at, user};
use crate::grant::{Actions, Network, RowPredicate};

fn grant(id: u64) -> Grant {
    Grant {
        id,
        subject: Subject::User("alice".into()),
        database: Some("shop".into()),
        resource: Resource::column("public", "customers", "email"),
        actions: Actions::READ,
        rows: None,
        networks: vec![],
        not_before: at(0),
        expires_at: Some(at(100)),
        reason: "r".into(),
        ticket: None,
        requester: "alice".into(),
        approvers: vec![],
        request: None,
        policy: None,
    }
}

fn rows(sql: &str) -> Option<RowPredicate> {
    Some(RowPredicate { shown: sql.into(), sql: sql.into() })
}

fn alice() -> Client {
    Client {
        user: user("alice", &["support", "eu"], &[]),
        address: Some("10.2.0.1".parse().unwrap()),
        application: "psql".into(),
        database: "shop".into(),
    }
}

fn email() -> ColumnPath {
    ColumnPath { relation: RelationName::new("public", "customers"), column: "email".into() }
}

fn cover(grants: &[Grant], now: i64) -> Option<Cover> {
    let table = LiveTable::new(Epoch(1), grants.iter().cloned().map(Arc::new));
    table.cover(&alice(), &email(), "email", Action::Read, at(now))
}

#[test]
fn a_grant_counts_from_its_first_to_before_its_last_moment() {
    let grants = [grant(1)];
    assert_eq!(cover(&grants, -1), None);
    let whole = Cover { grants: vec![1], until: Some(at(100)), rows: None };
    assert_eq!(cover(&grants, 0), Some(whole));
    assert!(cover(&grants, 99).is_some());
    assert_eq!(cover(&grants, 100), None, "over exactly at its end");
}

#[test]
fn subjects_and_resources_of_every_kind_count() {
    for subject in [Subject::User("alice".into()), Subject::Group("eu".into()), Subject::Anyone] {
        for resource in [
            Resource::column("public", "customers", "email"),
            Resource::Table(RelationName::new("public", "customers")),
            Resource::Class("email".into()),
            Resource::All,
        ] {
            let one = Grant { subject: subject.clone(), resource, ..grant(1) };
            assert!(cover(&[one], 1).is_some());
        }
    }
}

#[test]
fn what_differs_in_one_point_does_not_count() {
    for other in [
        Grant { subject: Subject::User("bob".into()), ..grant(1) },
        Grant { subject: Subject::User("eu".into()), ..grant(1) },
        Grant { subject: Subject::Group("alice".into()), ..grant(1) },
        Grant { database: Some("crm".into()), ..grant(1) },
        Grant { resource: Resource::column("hr", "customers", "email"), ..grant(1) },
        Grant { resource: Resource::column("public", "customers", "ssn"), ..grant(1) },
        Grant { resource: Resource::Class("phone".into()), ..grant(1) },
        Grant { actions: [Action::Write].into_iter().collect(), ..grant(1) },
        Grant { networks: vec![Network::parse("10.3.0.0/16").unwrap()], ..grant(1) },
    ] {
        assert_eq!(cover(&[other], 1), None);
    }
    let near = Grant { networks: vec![Network::parse("10.2.0.0/16").unwrap()], ..grant(1) };
    assert!(cover(std::slice::from_ref(&near), 1).is_some());
    let socket = Client { address: None, ..alice() };
    let table = LiveTable::new(Epoch(1), [Arc::new(near)]);
    assert_eq!(table.cover(&socket, &email(), "email", Action::Read, at(1)), None);
}

#[test]
fn the_grant_that_lasts_longest_is_taken() {
    let short = Grant { expires_at: Some(at(50)), ..grant(1) };
    let standing = Grant { expires_at: None, database: None, ..grant(3) };
    let part = Grant { rows: rows("(a)"), expires_at: Some(at(900)), ..grant(4) };
    assert_eq!(cover(&[short.clone(), grant(2), part.clone()], 1).unwrap().grants, [2]);
    let best = cover(&[short, grant(2), standing, part], 1).unwrap();
    assert_eq!(best, Cover { grants: vec![3], until: None, rows: None });
}

#[test]
fn grants_on_some_rows_add_up_until_the_first_ends() {
    let a = Grant { rows: rows("(a)"), expires_at: Some(at(50)), ..grant(1) };
    let b = Grant { rows: rows("(b)"), ..grant(2) };
    let a_longer = Grant { rows: rows("(a)"), ..grant(3) };
    let both = cover(&[a.clone(), b.clone()], 1).unwrap();
    let expected =
        Cover { grants: vec![1, 2], until: Some(at(50)), rows: Some("((a) OR (b))".into()) };
    assert_eq!(both, expected);
    let longest = cover(&[a.clone(), b, a_longer], 1).unwrap();
    assert_eq!((longest.grants, longest.until), (vec![2, 3], Some(at(100))));
    assert_eq!(cover(&[a], 1).unwrap().rows.as_deref(), Some("(a)"));
}

#[test]
fn nothing_counts_while_the_store_may_be_out_of_reach() {
    let standing = Grant { expires_at: None, ..grant(1) };
    let mut table = LiveTable::new(Epoch(1), [Arc::new(standing)]);
    table.valid_until = Some(at(30));
    assert!(table.cover(&alice(), &email(), "email", Action::Read, at(29)).is_some());
    assert!(table.cover(&alice(), &email(), "email", Action::Read, at(30)).is_none());
}

#[test]
fn a_copy_can_change_without_the_original() {
    let original = LiveTable::new(Epoch(1), [Arc::new(grant(1))]);
    let mut copy = original.clone();
    copy.remove(&grant(1));
    copy.insert(Arc::new(Grant { subject: Subject::User("bob".into()), ..grant(2) }));
    let sees =
        |table: &LiveTable| table.cover(&alice(), &email(), "email", Action::Read, at(1)).is_some();
    assert!(sees(&original) && !sees(&copy));
    assert!(!copy.users.contains_key("alice"), "nothing is left behind");
}

/// What is shown: every row, or the rows of these predicates.
#[derive(Debug, PartialEq)]
enum Shown {
    Every,
    Some(BTreeSet<String>),
}

fn shown(grants: &[Grant], now: i64) -> Shown {
    match cover(grants, now) {
        None => Shown::Some(BTreeSet::new()),
        Some(Cover { rows: None, .. }) => Shown::Every,
        Some(Cover { rows: Some(rows), .. }) => Shown::Some(
            rows.split(|c: char| !c.is_ascii_lowercase())
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
        ),
    }
}

fn at_most(less: &Shown, more: &Shown) -> bool {
    match (less, more) {
        (_, Shown::Every) => true,
        (Shown::Every, Shown::Some(_)) => false,
        (Shown::Some(less), Shown::Some(more)) => less.is_subset(more),
    }
}

fn any_grant() -> impl Strategy<Value = Grant> {
    let subject = prop_oneof![
        Just(Subject::User("alice".into())),
        Just(Subject::User("bob".into())),
        Just(Subject::Group("support".into())),
        Just(Subject::Anyone),
    ];
    let resource = prop_oneof![
        Just(Resource::column("public", "customers", "email")),
        Just(Resource::Table(RelationName::new("public", "customers"))),
        Just(Resource::Class("email".into())),
        Just(Resource::Class("phone".into())),
        Just(Resource::All),
    ];
    let end = prop_oneof![4 => (1i64..60).prop_map(|s| Some(at(s))), 1 => Just(None)];
    let row = prop_oneof![2 => Just(None), 3 => "[abc]".prop_map(|w| rows(&format!("({w})")))];
    (1u64..1_000_000, subject, resource, -20i64..40, end, row).prop_map(
        |(id, subject, resource, start, expires_at, rows)| Grant {
            subject,
            resource,
            rows,
            not_before: at(start),
            expires_at,
            ..grant(id)
        },
    )
}

/// The grant with one more restriction.
fn narrowed(grant: &Grant, how: u8) -> Grant {
    let one = grant.clone();
    match how {
        0 => Grant { not_before: at(30).max(grant.not_before), ..one },
        1 => Grant { expires_at: Some(grant.expires_at.unwrap_or(at(20)).min(at(20))), ..one },
        2 => Grant { networks: vec![Network::parse("192.0.2.0/24").unwrap()], ..one },
        3 => Grant { rows: grant.rows.clone().or_else(|| rows("(d)")), ..one },
        4 => Grant { database: Some("crm".into()), ..one },
        _ => Grant { actions: Actions::default(), ..one },
    }
}

proptest! {
    #[test]
    fn fewer_grants_never_show_more(
        grants in prop::collection::vec(any_grant(), 0..8),
        without in any::<prop::sample::Index>(),
        now in -30i64..70,
    ) {
        let mut fewer = grants.clone();
        if !fewer.is_empty() {
            fewer.remove(without.index(grants.len()));
        }
        prop_assert!(at_most(&shown(&fewer, now), &shown(&grants, now)));
    }

    #[test]
    fn a_later_now_never_shows_more_of_what_has_begun(
        grants in prop::collection::vec(any_grant(), 0..8),
        now in -30i64..70,
        later in 0i64..70,
    ) {
        let begun: Vec<_> = grants.into_iter().filter(|g| g.not_before <= at(now)).collect();
        prop_assert!(at_most(&shown(&begun, now + later), &shown(&begun, now)));
    }

    #[test]
    fn a_field_more_only_narrows(
        grants in prop::collection::vec(any_grant(), 1..8),
        which in any::<prop::sample::Index>(),
        how in 0u8..6,
        now in -30i64..70,
    ) {
        let mut narrower = grants.clone();
        let which = which.index(grants.len());
        narrower[which] = narrowed(&grants[which], how);
        let (less, more) = (shown(&narrower, now), shown(&grants, now));
        prop_assert!(at_most(&less, &more), "{less:?} {more:?}");
    }

    #[test]
    fn what_covers_goes_on_covering_until_it_says(
        grants in prop::collection::vec(any_grant(), 0..8),
        now in -30i64..70,
        later in 0i64..70,
    ) {
        if let Some(cover) = cover(&grants, now)
            && cover.until.is_none_or(|until| at(now + later) < until)
        {
            prop_assert!(at_most(&shown(&grants, now), &shown(&grants, now + later)));
        }
    }

    #[test]
    fn the_index_finds_what_a_walk_finds(
        grants in prop::collection::vec(any_grant(), 0..8),
        now in -30i64..70,
    ) {
        let walk = grants.iter().any(|grant| {
            let on = match &grant.resource {
                Resource::Column(path) => *path == email(),
                Resource::Table(relation) => *relation == email().relation,
                Resource::Class(class) => class == "email",
                Resource::All => true,
            };
            on && grant.subject.includes(&alice().user)
                && grant.not_before <= at(now)
                && grant.expires_at.is_none_or(|end| at(now) < end)
        });
        prop_assert_eq!(walk, cover(&grants, now).is_some());
    }
}
