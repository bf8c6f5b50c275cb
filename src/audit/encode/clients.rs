//! To whom sessions belong, rendered once for each.

use std::sync::Arc;

use super::super::record::client_fields;
use crate::model::Client;

/// Sessions that are remembered; one takes its client and some 200 bytes.
const SLOTS: usize = 1024;

/// Sessions are numbered one after the other, so each of the last ones has a place of its own.
pub(super) struct Clients(Vec<Option<Known>>);

struct Known {
    /// Held, so that no other client can come to lie where this one is.
    client: Arc<Client>,
    members: Vec<u8>,
}

impl Default for Clients {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| None).collect())
    }
}

impl Clients {
    /// The client's members of a line, each behind a comma.
    pub(super) fn members(
        &mut self,
        session: u64,
        client: &Arc<Client>,
    ) -> Result<&[u8], serde_json::Error> {
        let slot = &mut self.0[session as usize % SLOTS];
        if !slot.as_ref().is_some_and(|known| Arc::ptr_eq(&known.client, client)) {
            let mut members = Vec::new();
            client_fields(client, &mut serde_json::Serializer::new(&mut members))?;
            // The braces of an object of its own.
            members[0] = b',';
            members.pop();
            *slot = Some(Known { client: Arc::clone(client), members });
        }
        Ok(slot.as_ref().map_or(&[], |known| &known.members))
    }
}
