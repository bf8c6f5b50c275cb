//! How fields that are not serde's own are written.

use serde::ser::{SerializeMap, Serializer};

use super::plain::plain_name;
use super::statement::StatementText;
use crate::model::{Client, Timestamp};
use std::sync::Arc;

/// Longest name of a user, database or application that a record keeps, in bytes: PostgreSQL's
/// own NAMEDATALEN - 1. What a client sends in its place may be anything.
const NAME_BYTES_MAX: usize = 63;
/// Longest free text (the reason of a request) that a record keeps, in bytes: all that `grant`
/// takes, as receipts are compared with it.
const REASON_BYTES_MAX: usize = 4 * 1000;

pub(in crate::audit) fn client_fields<S: Serializer>(
    client: &Arc<Client>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(None)?;
    map.serialize_entry("user", cut(&client.user.name, NAME_BYTES_MAX))?;
    if !client.user.groups.is_empty() {
        map.serialize_entry("groups", &*client.user.groups)?;
    }
    if let Some(address) = &client.address {
        map.serialize_entry("address", address)?;
    }
    let application = cut(&client.application, NAME_BYTES_MAX);
    map.serialize_entry("application", &*plain_name(application))?;
    map.serialize_entry("database", cut(&client.database, NAME_BYTES_MAX))?;
    map.end()
}

pub(super) fn predicate<S: Serializer>(
    rows: &Option<StatementText>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match rows {
        Some(rows) => to.serialize_str(&rows.normalized().text),
        None => to.serialize_none(),
    }
}

pub(super) fn moment<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.collect_str(&format_args!("{time:.6}")),
        None => to.serialize_none(),
    }
}

pub(super) fn name<S: Serializer>(name: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(cut(name, NAME_BYTES_MAX))
}

pub(super) fn maybe_name<S: Serializer>(name: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    match name {
        Some(name) => to.serialize_str(cut(name, NAME_BYTES_MAX)),
        None => to.serialize_none(),
    }
}

pub(super) fn reason<S: Serializer>(reason: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    match reason {
        Some(reason) => to.serialize_str(cut(reason, REASON_BYTES_MAX)),
        None => to.serialize_none(),
    }
}

/// A name as records keep it.
pub(in crate::audit) fn cut_name(name: &str) -> &str {
    cut(name, NAME_BYTES_MAX)
}

/// The longest beginning of `text` that fits.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(cut("alice", 63), "alice");
        assert_eq!(cut("aäb", 2), "a");
        assert_eq!(cut("", 2), "");
    }
}
