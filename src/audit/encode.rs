//! Events into the lines of a chain.
//!
//! There is a record for every statement, so what is the same in many of them is made JSON once:
//! who a session belongs to, a statement's normal form, names (those by [`super::Names`]
//! themselves), what gates said, the second of a time.

mod clients;
mod stamp;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Serialize;

use self::clients::Clients;
use self::stamp::Stamp;
use super::chain::Chain;
use super::checkpoint::Checkpoint;
use super::normalize::{FINGERPRINT_FIELD_LEN, Normalizer};
use super::record::{Decision, Event, Gates, Names, Release, Statement};
use super::subject::{ByTable, Shown};
use crate::model::{SigningKey, Timestamp};

/// Makes the lines of one chain.
pub struct Encoder {
    chain: Chain,
    stamp: Stamp,
    parts: Parts,
}

/// What is rendered once and written many times.
#[derive(Default)]
struct Parts {
    texts: Normalizer,
    clients: Clients,
    verdicts: Verdicts,
}

impl From<Chain> for Encoder {
    fn from(chain: Chain) -> Self {
        Self { chain, stamp: Stamp::default(), parts: Parts::default() }
    }
}

impl Encoder {
    /// The number of the next record.
    pub fn next_seq(&self) -> u64 {
        self.chain.next_seq()
    }

    /// Appends a checkpoint that vouches for all lines so far; answers its number.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn checkpoint(
        &mut self,
        checkpoint: &Checkpoint,
        key: &SigningKey,
        time: Timestamp,
        out: &mut Vec<u8>,
    ) -> Result<u64, serde_json::Error> {
        let (start, prev) = (out.len(), *self.chain.prev());
        self.chain.append(out, |out| {
            out.extend_from_slice(b",\"time\":\"");
            self.stamp.write(time, out).map_err(serde_json::Error::io)?;
            out.push(b'"');
            checkpoint.write(start, &prev, key, out)
        })
    }

    /// Appends the event's line, line end included, to `out` and moves on; answers its number.
    ///
    /// # Errors
    /// When the event has no JSON form. Nothing was appended then and the chain stands still.
    pub fn encode(
        &mut self,
        event: &Event,
        time: Timestamp,
        out: &mut Vec<u8>,
    ) -> Result<u64, serde_json::Error> {
        self.chain.append(out, |out| {
            out.extend_from_slice(b",\"time\":\"");
            self.stamp.write(time, out).map_err(serde_json::Error::io)?;
            out.push(b'"');
            match event {
                Event::Statement(statement) => self.parts.statement(statement, out),
                Event::Release(release) => self.parts.release(release, out),
                Event::Login(_)
                | Event::LoginFailed(_)
                | Event::Logout(_)
                | Event::Explored(_)
                | Event::Grant(_)
                | Event::Signal(_)
                | Event::Configuration(_)
                | Event::Catalog(_)
                | Event::Repaired(_)
                | Event::Retired(_)
                | Event::Lost(_)
                | Event::Started(_)
                | Event::Stopped(_) => members(event, out),
            }
        })
    }
}

impl Parts {
    fn statement(
        &mut self,
        statement: &Statement,
        out: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        let Statement {
            session,
            statement: number,
            client,
            text,
            relations,
            pii_columns,
            raw_columns,
            looked_up_columns,
            masked_columns,
            gates,
            decision,
            grants,
            rows,
            bytes,
            duration_us,
            sqlstate,
            subjects,
        } = statement;
        out.extend_from_slice(b",\"kind\":\"statement\"");
        member("session", session, out)?;
        member("statement", number, out)?;
        out.extend_from_slice(self.clients.members(*session, client)?);
        let (sql, strings) = text.parts();
        out.extend_from_slice(self.texts.members(sql, strings));
        some("relations", relations, out);
        some("pii_columns", pii_columns, out);
        some("raw_columns", raw_columns, out);
        some("looked_up_columns", looked_up_columns, out);
        some("masked_columns", masked_columns, out);
        out.extend_from_slice(self.verdicts.members(*gates, *decision)?);
        if !grants.is_empty() {
            member("grants", grants, out)?;
        }
        member("rows", rows, out)?;
        member("bytes", bytes, out)?;
        member("duration_us", duration_us, out)?;
        if let Some(state) = sqlstate {
            member("sqlstate", state.as_str(), out)?;
        }
        if let Some(Shown { tables, honey }) = subjects.as_deref() {
            member("subjects", &ByTable(tables), out)?;
            if !honey.is_empty() {
                member("honey", honey, out)?;
            }
        }
        Ok(())
    }

    fn release(&mut self, release: &Release, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let Release { session, statement, client, text, columns, lookups, grants } = release;
        out.extend_from_slice(b",\"kind\":\"release\"");
        member("session", session, out)?;
        member("statement", statement, out)?;
        out.extend_from_slice(self.clients.members(*session, client)?);
        let (sql, strings) = text.parts();
        out.extend_from_slice(&self.texts.members(sql, strings)[..FINGERPRINT_FIELD_LEN]);
        all("columns", columns, out);
        some("lookups", lookups, out);
        member("grants", grants, out)
    }
}

/// What gates said and what became of a statement: there are not many ways.
#[derive(Default)]
struct Verdicts(HashMap<(Gates, Decision), Box<[u8]>, foldhash::fast::RandomState>);

impl Verdicts {
    fn members(&mut self, gates: Gates, decision: Decision) -> Result<&[u8], serde_json::Error> {
        match self.0.entry((gates, decision)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let mut bytes = Vec::new();
                member("gates", &gates, &mut bytes)?;
                member("decision", &decision, &mut bytes)?;
                Ok(new.insert(bytes.into()))
            }
        }
    }
}

/// One more member of an object. `key` is one that JSON needs not escape.
#[inline]
fn member(
    key: &'static str,
    value: &(impl Serialize + ?Sized),
    out: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    name(key, out);
    value.serialize(&mut serde_json::Serializer::new(out))
}

#[inline]
fn name(key: &'static str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Names, if there are any.
fn some(key: &'static str, names: &Names, out: &mut Vec<u8>) {
    if !names.is_empty() {
        all(key, names, out);
    }
}

fn all(key: &'static str, names: &Names, out: &mut Vec<u8>) {
    name(key, out);
    out.extend_from_slice(names.json());
}

/// The members of what is an object of its own, with a comma in the place of its braces.
pub(super) fn members(object: &impl Serialize, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let start = out.len();
    object.serialize(&mut serde_json::Serializer::new(&mut *out))?;
    out[start] = b',';
    out.pop();
    Ok(())
}

#[cfg(test)]
mod tests;
