//! The hash chain: records into lines, and lines checked against what the chain must say.
//!
//! A line is
//! `{"seq":7,"time":"…","kind":"…",…,"prev":"<64 hex>","hash":"<64 hex>"}`: `hash` is the SHA-256
//! of the line's bytes before `,"hash":`, `prev` that of the whole line before (its line end left
//! out), 64 zeros in the first. So each line stands for all lines before it.
//!
//! What the chain cannot show is that whole records are missing from its end.

use sha2::{Digest, Sha256};

use crate::model::KeyId;

/// Hexadecimal digits of a SHA-256.
const HEX: usize = 64;
const SEQ_KEY: &[u8] = b"{\"seq\":";
const PREV_KEY: &[u8] = b",\"prev\":\"";
const HASH_KEY: &[u8] = b",\"hash\":\"";
const LINE_END: &[u8] = b"\"}";
/// `,"hash":"…"}`
const HASH_SUFFIX: usize = HASH_KEY.len() + HEX + LINE_END.len();
/// `,"prev":"…"`
const PREV_SUFFIX: usize = PREV_KEY.len() + HEX + 1;

/// Where the chain stands: what the next record must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    seq: u64,
    prev: [u8; HEX],
}

impl Chain {
    /// Before the first record of a directory.
    pub fn start() -> Self {
        Self { seq: 1, prev: [b'0'; HEX] }
    }

    /// The number of the next record; numbers start at 1.
    pub fn next_seq(&self) -> u64 {
        self.seq
    }

    /// The hash of the line before the next, in hexadecimal digits.
    pub(super) fn prev(&self) -> &[u8; HEX] {
        &self.prev
    }

    /// A line's bytes before its link, and the link.
    pub(super) fn taken_apart(line: &[u8]) -> Option<(&[u8], &[u8; HEX])> {
        let parts = Parts::of(line)?;
        let fields = parts.body.len().checked_sub(PREV_SUFFIX)?;
        Some((&parts.body[..fields], parts.prev))
    }

    /// Appends a line, line end included, to `out` and moves on; answers its number. `fields`
    /// writes the members between its number and its place in the chain, each behind a comma.
    ///
    /// # Errors
    /// Those of `fields`. Nothing was appended then and the chain stands still.
    pub(super) fn append<E>(
        &mut self,
        out: &mut Vec<u8>,
        fields: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let start = out.len();
        out.extend_from_slice(SEQ_KEY);
        // Writing a number into memory cannot fail.
        let _ = serde_json::to_writer(&mut *out, &self.seq);
        if let Err(error) = fields(out) {
            out.truncate(start);
            return Err(error);
        }
        out.extend_from_slice(PREV_KEY);
        out.extend_from_slice(&self.prev);
        out.push(b'"');
        let mut sha = Sha256::new();
        sha.update(&out[start..]);
        let suffix = out.len();
        out.extend_from_slice(HASH_KEY);
        out.extend_from_slice(&hex(&sha.clone().finalize()));
        out.extend_from_slice(LINE_END);
        sha.update(&out[suffix..]);
        self.prev = hex(&sha.finalize());
        out.push(b'\n');
        let seq = self.seq;
        self.seq += 1;
        Ok(seq)
    }

    /// Checks one line (without its line end) and moves on.
    fn follow(&mut self, line: &[u8]) -> Result<(), Why> {
        let parts = Parts::of(line).ok_or(Why::Shape)?;
        if hex(&Sha256::digest(parts.body)) != *parts.hash {
            return Err(Why::Changed);
        }
        Self { seq: parts.seq, prev: *parts.prev }.is_wanted(self)?;
        self.prev = hex(&Sha256::digest(line));
        self.seq += 1;
        Ok(())
    }
}

impl Chain {
    /// Whether a line that says to stand here is the one that `chain` wants.
    fn is_wanted(&self, chain: &Self) -> Result<(), Why> {
        if self.seq > chain.seq {
            return Err(Why::Missing { expected: chain.seq });
        }
        if self.seq < chain.seq {
            return Err(Why::Misplaced { expected: chain.seq });
        }
        if self.prev != chain.prev {
            return Err(Why::Unlinked);
        }
        Ok(())
    }
}

/// Why a line is not the one that the chain wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("not a record")]
    Shape,
    #[error("changed: its hash does not match its bytes")]
    Changed,
    #[error("records are missing before it: expected seq {expected}")]
    Missing { expected: u64 },
    #[error("inserted, repeated or moved: expected seq {expected}")]
    Misplaced { expected: u64 },
    #[error("the record before it was replaced: its link does not match")]
    Unlinked,
    #[error("truncated last record ({bytes} bytes); the next start repairs it")]
    Truncated { bytes: u64 },
    #[error("the checkpoint's signature is wrong")]
    Signature,
    #[error("the checkpoint is signed by key {0}, which is not among the keys given")]
    Key(KeyId),
    #[error("the checkpoint is of another log ({0})")]
    OtherLog(String),
    #[error("a file begins with a checkpoint, and this is none")]
    NoCheckpoint,
    #[error("no checkpoint: nothing in this log is signed")]
    Unsigned,
    #[error(
        "the last checkpoint promises the next within {every_s} s, but records go on for {span_s} s \
         without one: they are not signed"
    )]
    Overdue { every_s: u64, span_s: i64 },
    #[error("the checkpoint that was kept elsewhere has seq {0}: the log was cut off before it")]
    CutOff(u64),
    #[error("another checkpoint of that seq was kept elsewhere: the log was written anew")]
    Rewritten,
    #[error("the file is missing")]
    FileMissing,
    #[error("cannot be read: {0}")]
    Unreadable(String),
    #[error("not read any further: the time for it was over")]
    Stopped,
}

/// The first bad record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("broken at {file} line {line}{}: {why}", show_seq(*seq))]
pub struct Broken {
    pub file: String,
    /// From 1; 0 when it is the file itself.
    pub line: u64,
    /// What the line claims to be, if it says.
    pub seq: Option<u64>,
    pub why: Why,
}

fn show_seq(seq: Option<u64>) -> String {
    seq.map_or_else(String::new, |seq| format!(" (seq {seq})"))
}

/// Reads a log line by line, over all its files in order.
#[derive(Clone, Debug)]
pub struct Verifier {
    chain: Option<Chain>,
    /// What the first line claimed to follow, where it was taken at its word.
    claimed: Option<Chain>,
    file: String,
    line: u64,
    records: u64,
}

impl Verifier {
    /// From the first record of a directory.
    pub fn from_start() -> Self {
        let chain = Some(Chain::start());
        Self { chain, claimed: None, file: String::new(), line: 0, records: 0 }
    }

    /// From the middle: the first line's number and link are taken at their word.
    pub fn from_middle() -> Self {
        Self { chain: None, ..Self::from_start() }
    }

    /// The lines that follow are those of this file.
    pub fn file(&mut self, name: &str) {
        name.clone_into(&mut self.file);
        self.line = 0;
    }

    /// Checks the next line, given without its line end.
    ///
    /// # Errors
    /// The line's place and what is wrong with it; there is no going on after that.
    pub fn record(&mut self, line: &[u8]) -> Result<(), Broken> {
        self.line += 1;
        let parts = Parts::of(line);
        let claimed = parts.as_ref().map(|parts| Chain { seq: parts.seq, prev: *parts.prev });
        let checked = match self.chain.as_mut() {
            Some(chain) => chain.follow(line),
            None => claimed.ok_or(Why::Shape).and_then(|claimed| {
                let mut chain = claimed.clone();
                chain.follow(line)?;
                self.chain = Some(chain);
                self.claimed = Some(claimed);
                Ok(())
            }),
        };
        if checked.is_ok() {
            self.records += 1;
        }
        checked.map_err(|why| self.broken(parts.map(|parts| parts.seq), why))
    }

    /// What the first line claimed to follow, where it was taken at its word.
    pub fn claimed(&self) -> Option<&Chain> {
        self.claimed.as_ref()
    }

    /// What to say of the line that was checked last when something else is wrong with it.
    pub fn rejects(&self, why: Why) -> Broken {
        let seq = self.chain.as_ref().map(|chain| chain.next_seq() - 1);
        self.broken(seq, why)
    }

    /// Whether the first line, which was taken at its word, is the one that `chain` wants.
    ///
    /// # Errors
    /// What that first line is instead.
    pub fn follows(&self, chain: &Chain) -> Result<(), Broken> {
        let Some(claimed) = &self.claimed else { return Ok(()) };
        let first = Self { line: 1, ..self.clone() };
        claimed.is_wanted(chain).map_err(|why| first.broken(Some(claimed.seq), why))
    }

    /// What to say of a last line without a line end.
    pub fn truncated(&self, bytes: u64) -> Broken {
        let place = Self { line: self.line + 1, ..self.clone() };
        place.broken(None, Why::Truncated { bytes })
    }

    fn broken(&self, seq: Option<u64>, why: Why) -> Broken {
        Broken { file: self.file.clone(), line: self.line, seq, why }
    }

    /// Good records so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Where the chain stands, for the records to come.
    pub fn chain(self) -> Chain {
        self.chain_after(Chain::start())
    }

    /// [`Verifier::chain`] where `before` stands for what came before the first line.
    pub fn chain_after(self, before: Chain) -> Chain {
        self.chain.unwrap_or(before)
    }
}

/// A line taken apart by position alone: no byte can be read in two ways.
struct Parts<'a> {
    seq: u64,
    body: &'a [u8],
    prev: &'a [u8; HEX],
    hash: &'a [u8; HEX],
}

impl<'a> Parts<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let (body, suffix) = line.split_at_checked(line.len().checked_sub(HASH_SUFFIX)?)?;
        let hash = suffix.strip_prefix(HASH_KEY)?.strip_suffix(LINE_END)?;
        let (_, suffix) = body.split_at_checked(body.len().checked_sub(PREV_SUFFIX)?)?;
        let prev = suffix.strip_prefix(PREV_KEY)?.strip_suffix(b"\"")?;
        let numbered = body.strip_prefix(SEQ_KEY)?;
        let digits = numbered.iter().position(|byte| *byte == b',')?;
        let seq = std::str::from_utf8(&numbered[..digits]).ok()?.parse().ok()?;
        Some(Self { seq, body, prev: prev.try_into().ok()?, hash: hash.try_into().ok()? })
    }
}

fn hex(digest: &[u8]) -> [u8; HEX] {
    let mut out = [b'0'; HEX];
    for (pair, byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(digest) {
        *pair = PAIRS[usize::from(*byte)];
    }
    out
}

/// The two digits of every byte.
static PAIRS: [[u8; 2]; 256] = pairs();

const fn pairs() -> [[u8; 2]; 256] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
}
