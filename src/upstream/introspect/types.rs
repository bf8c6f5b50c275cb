//! Which user-defined functions run when a value of a type is made, cast or compared.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Error, Row};

use crate::model::Oid;

/// Functions by type, those of what its values are made of included.
#[derive(Clone, Debug, Default)]
pub(super) struct Types {
    all: Calls,
    /// Without casts that a statement has to spell out.
    unasked: Calls,
}

type Calls = BTreeMap<Oid, BTreeSet<Oid>>;

/// A type, and one of which its values are made, or by way of which.
pub(super) type Part = (Oid, Oid);

impl Types {
    /// From the rows of [`super::queries::TYPE_CALLS`].
    pub(super) fn new(calls: &[Row]) -> Result<Self, Error> {
        let mut this = Self::default();
        for row in calls {
            let (type_oid, function) = (row.try_get(0)?, row.try_get(1)?);
            if row.try_get(2)? {
                this.add(type_oid, function);
            } else {
                this.all.entry(type_oid).or_default().insert(function);
            }
        }
        Ok(this)
    }

    pub(super) fn add(&mut self, type_oid: Oid, function: Oid) {
        for calls in [&mut self.all, &mut self.unasked] {
            calls.entry(type_oid).or_default().insert(function);
        }
    }

    /// What runs for a part runs for the whole, at whatever depth.
    pub(super) fn spread(&mut self, parts: &[Part]) {
        for calls in [&mut self.all, &mut self.unasked] {
            let mut news = true;
            while news {
                news = false;
                for part in parts {
                    news |= spread_once(calls, *part);
                }
            }
        }
    }

    /// What runs though nobody has asked for a cast.
    pub(super) fn unasked(&self, type_oid: Oid) -> impl Iterator<Item = Oid> {
        self.unasked.get(&type_oid).into_iter().flatten().copied()
    }

    /// Every type that runs something, with all of it.
    pub(super) fn into_all(self) -> Calls {
        self.all
    }
}

/// Whether that was news.
fn spread_once(calls: &mut Calls, (whole, part): Part) -> bool {
    let Some(of_part) = calls.get(&part).filter(|_| whole != part).cloned() else { return false };
    let of_whole = calls.entry(whole).or_default();
    let before = of_whole.len();
    of_whole.extend(of_part);
    of_whole.len() > before
}
