//! A store that was set back: what was over stays over.

use super::{Entry, Ledger};
use crate::grant::{Grant, GrantEvent};

/// Who ends grants that were over before the store was set back.
const HISTORY: &str = "the store's history";

impl Ledger {
    /// What has to happen so that no grant that was over in `before` goes on, if this is what a
    /// store holds that was set back since: each is revoked again. So is one that `before` knew
    /// and has forgotten, as only what is over is forgotten, and one with limits: what was used of
    /// it, or that its time had begun, may be among what the store has lost. A number that means
    /// another grant now is left alone.
    pub fn revoke_again(&self, before: &Self) -> Vec<GrantEvent> {
        let open = self.grants.iter().filter(|(_, entry)| entry.ended.is_none());
        let over = open.filter(|(id, entry)| match before.grants.get(id) {
            Some(known) => {
                let (was, is) = (&known.live.grant, &entry.live.grant);
                let lost = entry.live.budget.is_some() || is.expires_at > was.expires_at;
                (known.ended.is_some() || lost) && is_same(was, is)
            }
            None => **id <= before.grant_last,
        });
        let over = over.filter(|(_, entry)| entry.live.grant.expires_at.is_some());
        let over = over.map(|(id, entry)| revoked(*id, entry, before));
        over.chain(self.restrict_again(before)).collect()
    }

    /// Ends every grant that is not standing: the store was set back while nobody was looking, so
    /// which of them were over is not known.
    pub fn revoke_for_history(&self) -> Vec<GrantEvent> {
        let ends = |(id, entry): (&u64, &Entry)| {
            let open = entry.ended.is_none() && entry.live.grant.expires_at.is_some();
            open.then(|| GrantEvent::Revoked { grant: *id, by: HISTORY.to_owned() })
        };
        self.grants.iter().filter_map(ends).collect()
    }
}

fn revoked(id: u64, entry: &Entry, before: &Ledger) -> GrantEvent {
    let ended = before.grants.get(&id).and_then(|known| known.ended.as_ref());
    let by = ended.and_then(|ended| ended.by.clone());
    GrantEvent::Revoked { grant: entry.live.grant.id, by: by.unwrap_or_else(|| HISTORY.to_owned()) }
}

/// The same but for what its life has made of it: a longer end, or that its time has begun.
fn is_same(one: &Grant, other: &Grant) -> bool {
    let born = |grant: &Grant| Grant {
        expires_at: None,
        from_first_use: None,
        approvers: Vec::new(),
        ..grant.clone()
    };
    born(one) == born(other)
}
