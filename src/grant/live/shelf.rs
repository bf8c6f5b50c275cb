use std::sync::Arc;

use super::{Held, Map};

/// What is held by name, in compartments: a change copies one of them and shares the others with
/// the table before it.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf(Arc<Vec<Compartment>>);

type Compartment = Arc<Map<Arc<str>, Arc<Held>>>;

/// A million subjects are then a thousand to a compartment.
const COMPARTMENTS: usize = 1024;

impl Shelf {
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Held>> {
        self.0.get(compartment(name))?.get(name)
    }

    pub(super) fn entry(&mut self, name: &str) -> &mut Arc<Held> {
        self.compartment_mut(name).entry(name.into()).or_default()
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.compartment_mut(name).remove(name);
    }

    fn compartment_mut(&mut self, name: &str) -> &mut Map<Arc<str>, Arc<Held>> {
        let all = Arc::make_mut(&mut self.0);
        if all.is_empty() {
            all.resize_with(COMPARTMENTS, Compartment::default);
        }
        Arc::make_mut(&mut all[compartment(name)])
    }
}

/// FNV-1a: it only spreads names evenly.
fn compartment(name: &str) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from(hash >> 32).unwrap_or(0) % COMPARTMENTS
}
