use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::grant::fixture::{at, user};
use crate::grant::{Actions, Conditions, Hours, Limits, Network, RowPredicate};

fn grant(id: u64) -> Grant {
    Grant {
        id,
        subject: Subject::User("alice".into()),
        database: Some("shop".into()),
        resource: Resource::column("public", "customers", "email"),
        actions: Actions::READ,
        rows: None,
        conditions: Conditions::default(),
        limits: Limits::default(),
        from_first_use: None,
        not_before: at(0),
        expires_at: Some(at(100)),
        reason: "r".into(),
        ticket: None,
        requester: "alice".into(),
        approvers: vec![],
        request: None,
        policy: None,
        review: None,
    }
}

fn from(network: &str) -> Conditions {
    Conditions { networks: vec![Network::parse(network).unwrap()], ..Conditions::default() }
}

fn rows(sql: &str) -> Option<RowPredicate> {
    Some(RowPredicate { shown: sql.into(), sql: sql.into() })
}

fn nothing() -> Cover {
    Cover { grants: vec![], until: None, rows: None, meters: vec![], unstarted: vec![] }
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

fn asked(now: i64) -> Asked {
    Asked { action: Action::Read, now: at(now), counting: Counting::Uses }
}

fn cover(grants: &[Grant], now: i64) -> Option<Cover> {
    let table = LiveTable::new(Epoch(1), grants.iter().cloned().map(Arc::new));
    table.cover(&alice(), &email(), "email", asked(now))
}

#[test]
fn a_grant_counts_from_its_first_to_before_its_last_moment() {
    let grants = [grant(1)];
    assert_eq!(cover(&grants, -1), None);
    let whole = Cover {
        grants: vec![1],
        until: Some(at(100)),
        rows: None,
        meters: vec![],
        unstarted: vec![],
    };
    assert_eq!(cover(&grants, 0), Some(whole));
    assert!(cover(&grants, 99).is_some());
    assert_eq!(cover(&grants, 100), None, "over exactly at its end");
}

#[test]
fn a_limited_grant_is_for_what_can_be_counted() {
    let limited = |limits| LiveTable::new(Epoch(1), [Arc::new(Grant { limits, ..grant(1) })]);
    let covers = |table: &LiveTable, counting| {
        let asked = Asked { counting, ..asked(1) };
        table.cover(&alice(), &email(), "email", asked).map(|cover| cover.meters.len())
    };
    use Counting::{Free, Paid, Rows, Subjects, Uses};
    let rows = limited(Limits { max_rows: Some(1), ..Limits::default() });
    assert_eq!([Uses, Rows, Subjects].map(|c| covers(&rows, c)), [None, Some(1), Some(1)]);
    let subjects = limited(Limits { max_subjects: Some(1), ..Limits::default() });
    assert_eq!([Uses, Rows, Subjects].map(|c| covers(&subjects, c)), [None, None, Some(1)]);
    let uses = limited(Limits { max_uses: Some(0), ..Limits::default() });
    assert_eq!([Uses, Subjects, Paid].map(|c| covers(&uses, c)), [None, None, Some(1)]);
    let more = limited(Limits { max_uses: Some(9), ..Limits::default() });
    assert_eq!([Free, Uses].map(|c| covers(&more, c)), [None, Some(1)]);
    let waits = Grant { from_first_use: Some(std::time::Duration::from_secs(9)), ..grant(1) };
    let waits = LiveTable::new(Epoch(1), [Arc::new(waits)]);
    assert_eq!([Free, Uses].map(|c| covers(&waits, c)), [None, Some(0)]);
    let free = Grant { id: 2, expires_at: Some(at(50)), ..grant(1) };
    let both =
        [Grant { limits: Limits { max_rows: Some(9), ..Limits::default() }, ..grant(1) }, free];
    assert_eq!(cover(&both, 1).unwrap().grants, [2], "what has no limits is used first");
}

#[test]
fn hours_end_what_is_shown_before_the_grant_does() {
    let hours = Some(Hours::parse("Tue 22:13-22:14 UTC").unwrap());
    let conditions = Conditions { hours, ..Conditions::default() };
    let office = Grant { conditions, expires_at: Some(at(900)), ..grant(1) };
    let until = cover(std::slice::from_ref(&office), 1).unwrap().until;
    assert_eq!(until, Some("2023-11-14T22:14:00Z".parse().unwrap()));
    assert_eq!(cover(&[office], 41), None);
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
        Grant { conditions: from("10.3.0.0/16"), ..grant(1) },
    ] {
        assert_eq!(cover(&[other], 1), None);
    }
    let near = Grant { conditions: from("10.2.0.0/16"), ..grant(1) };
    assert!(cover(std::slice::from_ref(&near), 1).is_some());
    let socket = Client { address: None, ..alice() };
    let table = LiveTable::new(Epoch(1), [Arc::new(near)]);
    assert_eq!(table.cover(&socket, &email(), "email", asked(1)), None);
}

#[test]
fn the_grant_that_lasts_longest_is_taken() {
    let short = Grant { expires_at: Some(at(50)), ..grant(1) };
    let standing = Grant { expires_at: None, database: None, ..grant(3) };
    let part = Grant { rows: rows("(a)"), expires_at: Some(at(900)), ..grant(4) };
    assert_eq!(cover(&[short.clone(), grant(2), part.clone()], 1).unwrap().grants, [2]);
    let best = cover(&[short, grant(2), standing, part], 1).unwrap();
    assert_eq!(best, Cover { grants: vec![3], until: None, rows: None, ..nothing() });
}

#[test]
fn grants_on_some_rows_add_up_until_the_first_ends() {
    let a = Grant { rows: rows("(a)"), expires_at: Some(at(50)), ..grant(1) };
    let b = Grant { rows: rows("(b)"), ..grant(2) };
    let a_longer = Grant { rows: rows("(a)"), ..grant(3) };
    let both = cover(&[a.clone(), b.clone()], 1).unwrap();
    let expected = Cover {
        grants: vec![1, 2],
        until: Some(at(50)),
        rows: Some("((a) OR (b))".into()),
        ..nothing()
    };
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
    assert!(table.cover(&alice(), &email(), "email", asked(29)).is_some());
    assert!(table.cover(&alice(), &email(), "email", asked(30)).is_none());
}

#[test]
fn a_copy_can_change_without_the_original() {
    let original = LiveTable::new(Epoch(1), [Arc::new(grant(1))]);
    let mut copy = original.clone();
    copy.remove(&grant(1));
    let other = Grant { subject: Subject::User("bob".into()), ..grant(2) };
    copy.insert(Live::from(Arc::new(other)));
    let sees = |table: &LiveTable| table.cover(&alice(), &email(), "email", asked(1)).is_some();
    assert!(sees(&original) && !sees(&copy));
    assert!(copy.users.get("alice").is_none(), "nothing is left behind");
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
        2 => Grant { conditions: from("192.0.2.0/24"), ..one },
        3 => Grant { rows: grant.rows.clone().or_else(|| rows("(d)")), ..one },
        4 => Grant { database: Some("crm".into()), ..one },
        5 => Grant { limits: Limits { max_rows: Some(1), ..grant.limits }, ..one },
        6 => Grant { limits: Limits { max_uses: Some(0), ..grant.limits }, ..one },
        7 => {
            let hours = Some(Hours::parse("Tue 22:13-22:14 UTC").unwrap());
            Grant { conditions: Conditions { hours, ..Conditions::default() }, ..one }
        }
        8 => {
            let applications = vec!["metabase".to_owned()];
            Grant { conditions: Conditions { applications, ..Conditions::default() }, ..one }
        }
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
        how in 0u8..10,
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
