use super::*;
use crate::grant::fixture::{at, granted};

fn budget(limits: Limits) -> Arc<Budget> {
    Budget::of(&Grant { limits, ..granted("customers.email", 30) }).unwrap()
}

fn rows(max: u64) -> Arc<Budget> {
    budget(Limits { max_rows: Some(max), ..Limits::default() })
}

/// Meets the claim as the store does.
fn claim(budget: &Budget, claim: Claim) -> Result<(), Spent> {
    if let Some(usage) = budget.meet(claim)? {
        budget.stored(&usage, Origin::Here, at(0));
    }
    Ok(())
}

fn take(budget: &Budget, count: u64) -> Result<(), Spent> {
    loop {
        match budget.take_rows(count) {
            Ok(()) => return Ok(()),
            Err(wanted) => claim(budget, wanted)?,
        }
    }
}

#[test]
fn sixteen_threads_take_exactly_what_there_is() {
    let (budget, store) = (rows(1003), Mutex::new(()));
    let one = || {
        // The store does one thing after the other.
        let _order = store.lock().unwrap();
        take(&budget, 1).is_ok()
    };
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..16).map(|_| scope.spawn(|| (0..1000).filter(|_| one()).count())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(taken, 1003);
    assert!(budget.is_spent() && budget.used().rows == 1003);
}

#[test]
fn two_processes_share_what_there_is_and_give_back_what_they_do_not_need() {
    let (here, there) = (rows(20), rows(20));
    let mut taken = 0;
    let both = |one: &Budget, other: &Budget| {
        let wanted = Claim::Rows { grant: one.grant(), rows: 1 };
        let Some(usage) = one.meet(wanted)? else { return Ok(()) };
        one.stored(&usage, Origin::Here, at(0));
        other.stored(&usage, Origin::Elsewhere, at(0));
        Ok::<(), Spent>(())
    };
    both(&here, &there).unwrap();
    while both(&there, &here).is_ok() {
        taken += u64::from(there.take_rows(1).is_ok());
    }
    assert_eq!((taken, here.used().rows), (18, 18), "two are set apart here");
    assert!(there.is_spent() && !here.is_spent());
    assert_eq!(here.untold(), Some(Usage { rows: -2, ..Usage::default() }));
    let back = Usage { rows: -2, ..Usage::default() };
    here.stored(&back, Origin::Here, at(1));
    there.stored(&back, Origin::Elsewhere, at(1));
    assert!(here.take_rows(1).is_err() && both(&there, &here).is_ok());
    assert!(there.take_rows(2).is_ok(), "given back and taken there");
}

#[test]
fn what_is_in_use_is_not_given_back() {
    let budget = rows(100);
    take(&budget, 1).unwrap();
    assert_eq!(budget.untold(), None, "it was taken from just now");
    assert_eq!(budget.untold(), Some(Usage { rows: -11, ..Usage::default() }));
    budget.put_back(1);
    assert!(budget.take_rows(1).is_ok());
}

#[test]
fn a_process_that_was_killed_has_used_what_was_set_apart_for_it() {
    let (before, after) = (rows(20), rows(20));
    let wanted = Claim::Rows { grant: before.grant(), rows: 1 };
    let usage = before.meet(wanted).unwrap().unwrap();
    after.stored(&usage, Origin::Elsewhere, at(0));
    let mut taken = 0;
    while take(&after, 1).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 18);
}

#[test]
fn uses_and_subjects_are_those_of_the_store() {
    let budget = budget(Limits {
        max_uses: Some(1),
        max_subjects: Some(2),
        unused: Some(std::time::Duration::from_secs(60)),
        ..Limits::default()
    });
    budget.touch(at(5));
    assert_eq!(budget.untold(), Some(Usage::default()), "that it was used");
    let statements = |statements| Claim::Use { grant: budget.grant(), statements };
    assert!(claim(&budget, statements(2)).is_err(), "both or none");
    claim(&budget, statements(1)).unwrap();
    assert!(claim(&budget, statements(1)).is_err() && budget.is_spent());
    assert_eq!(budget.used_at(), Some(at(5)));
    for subject in [1, 2, 1] {
        if let Err(wanted) = budget.take_subject(subject) {
            claim(&budget, wanted).unwrap();
        }
        budget.take_subject(subject).unwrap();
    }
    let third = budget.take_subject(3).unwrap_err();
    let limit = Limit::Subjects(2);
    assert_eq!(claim(&budget, third), Err(Spent { grant: budget.grant(), limit }));
    assert!(budget.take_subject(1).is_ok(), "those that were seen may be seen again");
}

#[test]
fn nothing_is_counted_where_nothing_is_limited() {
    assert!(Budget::of(&granted("customers.email", 30)).is_none());
    assert!(budget(Limits { max_uses: Some(0), ..Limits::default() }).is_spent());
}
