//! Signed checkpoints: records of the chain that vouch for everything before them.
//!
//! A line is `{"seq":…,"time":"…","kind":"checkpoint","log":"…","why":"…","every_s":60,"covers":9,`
//! `"key":"…","signature":"…","prev":"…","hash":"…"}`. Signed (Ed25519) is
//! `keyhole audit checkpoint 1`, a line end, the line's bytes before `,"signature":`, a line end, and
//! the 64 digits of `prev`: so its own members, its place, and by way of `prev` all lines before it.
//!
//! There is one at the beginning of each file, after [`Checkpoint::every_s`] whenever there were
//! records, and at an orderly end. Who can write the files but does not have the key can cut the
//! log off behind a checkpoint, or write what has come after the last one; a copy of the checkpoint
//! elsewhere shows the first, and a promised checkpoint that is missing the second.

use serde::{Deserialize, Serialize};

use super::chain::{Chain, Why};
use crate::model::{KeyId, PublicKey, Signature, SigningKey, Timestamp};

/// What is signed begins with this, so that no other signature of the key is taken for one.
const DOMAIN: &[u8] = b"keyhole audit checkpoint 1\n";
const SIGNATURE_KEY: &[u8] = b",\"signature\":\"";
/// Base64 digits of a signature.
const SIGNATURE_LEN: usize = 88;

/// The record, its signature aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The id of the log.
    pub log: String,
    pub why: Cause,
    /// While there are records, the next one comes within so many seconds.
    pub every_s: u64,
    /// Records since the one before. When the log was opened these were not signed by the process
    /// that wrote them: it was killed.
    pub covers: u64,
    pub key: KeyId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A process begins to write.
    Opened,
    Interval,
    /// The first record of a file.
    Rotated,
    /// What was just written allows that records are missing.
    Retired,
    /// A process ends.
    Stopped,
}

impl Checkpoint {
    /// Its members behind the time, signed; `line` holds the line up to there, from its first byte.
    pub(super) fn write(
        &self,
        start: usize,
        prev: &[u8; 64],
        key: &SigningKey,
        line: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        line.extend_from_slice(b",\"kind\":\"checkpoint\"");
        super::encode::members(self, line)?;
        let signature = key.sign(&message(&line[start..], prev));
        line.extend_from_slice(SIGNATURE_KEY);
        line.extend_from_slice(signature.to_string().as_bytes());
        line.push(b'"');
        Ok(())
    }
}

fn message(body: &[u8], prev: &[u8; 64]) -> Vec<u8> {
    [DOMAIN, body, b"\n", prev].concat()
}

/// A checkpoint read back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Signed {
    pub seq: u64,
    pub time: Timestamp,
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// Of the whole line, as the chain has it.
    pub hash: String,
}

/// Reads a checkpoint's line, and checks its signature if there are keys.
///
/// # Errors
/// What is wrong with it.
pub fn check(line: &[u8], keys: &[PublicKey]) -> Result<Signed, Why> {
    let signed: Signed = serde_json::from_slice(line).map_err(|_| Why::Shape)?;
    if keys.is_empty() {
        return Ok(signed);
    }
    let key = keys.iter().find(|key| key.id() == signed.checkpoint.key);
    let key = key.ok_or_else(|| Why::Key(signed.checkpoint.key.clone()))?;
    let (body, prev) = Chain::taken_apart(line).ok_or(Why::Shape)?;
    let (body, signature) = body
        .split_at_checked(body.len().saturating_sub(SIGNATURE_KEY.len() + SIGNATURE_LEN + 1))
        .ok_or(Why::Shape)?;
    let signature = signature.strip_prefix(SIGNATURE_KEY).and_then(|rest| rest.strip_suffix(b"\""));
    let signature = signature.and_then(|text| std::str::from_utf8(text).ok()).ok_or(Why::Shape)?;
    let signature: Signature = signature.parse().map_err(|_| Why::Shape)?;
    if key.verifies(&message(body, prev), &signature) { Ok(signed) } else { Err(Why::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Encoder, Event, Stopped};

    const LOG: &str = "00000000000000000000000000000001";

    fn key() -> SigningKey {
        SigningKey::from_seed(&[7; 32]).unwrap()
    }

    fn lines() -> Vec<Vec<u8>> {
        let mut encoder = Encoder::from(Chain::start());
        let mut out = Vec::new();
        let time = Timestamp::UNIX_EPOCH;
        let checkpoint = |why, covers| Checkpoint {
            log: LOG.to_owned(),
            why,
            every_s: 60,
            covers,
            key: key().public().id(),
        };
        encoder.checkpoint(&checkpoint(Cause::Opened, 0), &key(), time, &mut out).unwrap();
        encoder.encode(&Event::Stopped(Stopped { reason: "test" }), time, &mut out).unwrap();
        encoder.checkpoint(&checkpoint(Cause::Stopped, 1), &key(), time, &mut out).unwrap();
        out.split_inclusive(|byte| *byte == b'\n')
            .map(|line| line.trim_ascii_end().to_owned())
            .collect()
    }

    #[test]
    fn a_checkpoint_is_good_under_its_key_alone() {
        let lines = lines();
        let good = check(&lines[2], &[key().public()]).unwrap();
        assert_eq!((good.seq, good.checkpoint.covers), (3, 1));
        assert_eq!(good.checkpoint.log, LOG);
        assert_eq!(check(&lines[2], &[]), Ok(good));
        let other = SigningKey::from_seed(&[8; 32]).unwrap().public();
        assert!(matches!(check(&lines[2], &[other]), Err(Why::Key(_))));
        assert_eq!(check(&lines[1], &[key().public()]), Err(Why::Shape));
    }

    #[test]
    fn every_byte_before_the_hash_is_signed() {
        let line = &lines()[2];
        let end = line.len() - ",\"hash\":\"\"}".len() - 64;
        for at in 0..end {
            let mut other = line.clone();
            other[at] = if other[at] == b'1' { b'2' } else { b'1' };
            assert!(check(&other, &[key().public()]).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_signature_does_not_fit_in_another_place() {
        let lines = lines();
        let text = |line: &[u8]| String::from_utf8(line.to_owned()).unwrap();
        let member = |line: &str, name: &str| {
            let from = line.find(&format!("\"{name}\":\"")).unwrap() + name.len() + 4;
            line[from..].split('"').next().unwrap().to_owned()
        };
        let (first, third) = (text(&lines[0]), text(&lines[2]));
        let moved = third.replace(&member(&third, "prev"), &member(&first, "prev"));
        assert_eq!(check(moved.as_bytes(), &[key().public()]), Err(Why::Signature));
        let swapped = third.replace(&member(&third, "signature"), &member(&first, "signature"));
        assert_eq!(check(swapped.as_bytes(), &[key().public()]), Err(Why::Signature));
    }
}
