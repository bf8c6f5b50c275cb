//! Some of the clear values that clients are shown, for who looks whether the catalog is complete.
//!
//! **Invariant:** only values of candidates are copied, and of those none that the world hides.
//! **Invariant:** what a client gets is the same whether a result is looked at or not.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use super::{Effects, Env, Session};
use crate::decision::{Encoding, World};
use crate::discovery::drift::Candidate;
use crate::mask::Format;
use crate::model::{ByNumber, ColumnId, Oid, Timestamp};
use crate::wire::backend::DataRow;

/// Results of one database that are looked at within a second.
const RESULTS_PER_SECOND: u64 = 20;

/// What is looked at of one result: its first rows, and so many columns of them.
const ROWS_MAX: usize = 16;
const FIELDS_MAX: usize = 32;

/// Bytes that are copied of one result, and of one value; the rest of it is cut off.
const SAMPLE_LEN_MAX: usize = 16 << 10;
const VALUE_LEN_MAX: usize = 4 << 10;

/// What the sessions of one database look at, and how often. Nothing, until somebody says what.
pub struct Sampling {
    candidates: ArcSwapOption<Candidates>,
    /// Results are numbered, [`RESULTS_PER_SECOND`] for each second of the clock: the next one's
    /// number, or [`OFF`].
    next: AtomicU64,
}

const OFF: u64 = u64::MAX;

/// Sessions look at the clock at different moments; what is further ahead of it than this was
/// numbered before the clock was set back.
const CLOCKS_DIFFER_SECS: u64 = 60;

/// The number of a second's first result.
fn first_of(second: u64) -> u64 {
    second.saturating_mul(RESULTS_PER_SECOND)
}

impl Default for Sampling {
    fn default() -> Self {
        Self { candidates: ArcSwapOption::empty(), next: AtomicU64::new(OFF) }
    }
}

/// The columns that are looked at.
#[derive(Debug, Default)]
pub struct Candidates {
    columns: ByNumber<ColumnId, Looked>,
}

#[derive(Debug)]
struct Looked {
    binary: Binary,
    /// The second in which it was looked at last. Once in each is enough, so that a statement that
    /// runs again and again leaves something to others.
    at: AtomicU64,
}

/// How binary values of a type are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binary {
    Text,
    /// Text behind a byte that says the version.
    Jsonb,
    Uuid,
    Integer,
    Unread,
}

/// Values from the first rows of one result.
pub struct Sample {
    of: Arc<Candidates>,
    fields: Vec<Field>,
    rows: usize,
    /// The values one behind the other, and where each ends.
    text: String,
    ends: Vec<(ColumnId, usize)>,
}

/// A field of the result that is looked at.
struct Field {
    index: usize,
    column: ColumnId,
    format: Format,
    binary: Binary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Left,
    Full,
}

impl Sampling {
    /// From now on these are looked at.
    pub fn look_at(&self, candidates: Arc<Candidates>) {
        self.candidates.store(Some(candidates));
        self.next.store(0, Ordering::Relaxed);
    }

    /// From now on nothing is.
    pub fn stop(&self) {
        self.next.store(OFF, Ordering::Relaxed);
        self.candidates.store(None);
    }

    fn is_off(&self) -> bool {
        self.next.load(Ordering::Relaxed) == OFF
    }

    /// What is taken of a result with these columns; mostly nothing.
    fn begin(
        &self,
        columns: impl Iterator<Item = (ColumnId, Format)> + Clone,
        world: &World,
        now: Timestamp,
    ) -> Option<Box<Sample>> {
        let second = u64::try_from(now.as_second()).unwrap_or(0);
        let next = self.next.load(Ordering::Relaxed);
        let is_ahead = next >= first_of(second.saturating_add(CLOCKS_DIFFER_SECS));
        let is_used_up = next >= first_of(second.saturating_add(1)) && !is_ahead;
        if next == OFF || is_used_up {
            return None;
        }
        let candidates = self.candidates.load();
        let due = |column| {
            let looked = candidates.as_ref()?.columns.get(&column)?;
            let is_due = looked.at.load(Ordering::Relaxed) != second;
            (is_due && world.sensitive.column(column).is_none()).then_some(looked)
        };
        columns.clone().find_map(|(column, _)| due(column))?;
        let first = first_of(second);
        let number = if is_ahead { first } else { next.max(first) };
        let taken = Ordering::Relaxed;
        // Lost to another session, or to who turned it off: the next result is as good.
        self.next.compare_exchange(next, number + 1, taken, taken).ok()?;
        let mut fields: Vec<(Field, &Looked)> = columns
            .enumerate()
            .filter_map(|(index, (column, format))| {
                let looked = due(column)?;
                Some((Field { index, column, format, binary: looked.binary }, looked))
            })
            .collect();
        // Of many columns, those that nobody has looked at for longest.
        // Other sessions write the seconds meanwhile: each is read once, as an order that changes
        // makes the sort panic.
        fields.sort_by_cached_key(|(_, looked)| looked.at.load(Ordering::Relaxed));
        fields.truncate(FIELDS_MAX);
        fields.sort_by_key(|(field, _)| field.index);
        fields.iter().for_each(|(_, looked)| looked.at.store(second, Ordering::Relaxed));
        Some(Box::new(Sample {
            of: Arc::clone(candidates.as_ref()?),
            fields: fields.into_iter().map(|(field, _)| field).collect(),
            rows: 0,
            text: String::new(),
            ends: Vec::new(),
        }))
    }
}

impl Candidates {
    pub fn new(columns: &[Candidate]) -> Self {
        let looked = |it: &Candidate| Looked { binary: binary(it.type_oid), at: AtomicU64::new(0) };
        Self { columns: columns.iter().map(|it| (it.id, looked(it))).collect() }
    }
}

fn binary(type_oid: Oid) -> Binary {
    match type_oid {
        // name, text, json, char(n), varchar
        19 | 25 | 114 | 1042 | 1043 => Binary::Text,
        3802 => Binary::Jsonb,
        2950 => Binary::Uuid,
        // bigint, smallint, integer
        20 | 21 | 23 => Binary::Integer,
        _ => Binary::Unread,
    }
}

impl Sample {
    /// What the values were looked for by.
    pub fn candidates(&self) -> &Arc<Candidates> {
        &self.of
    }

    /// The values, in PostgreSQL's text form.
    pub fn values(&self) -> impl Iterator<Item = (ColumnId, &str)> {
        let mut begin = 0;
        self.ends.iter().map(move |(column, end)| {
            let value = self.text.get(begin..*end).unwrap_or_default();
            begin = *end;
            (*column, value)
        })
    }

    /// One more row of the result.
    fn row(&mut self, payload: &[u8]) -> Room {
        self.rows += 1;
        let last = self.fields.last().map_or(0, |field| field.index);
        let Ok(row) = DataRow::read(payload) else { return Room::Full };
        let mut fields = self.fields.iter().peekable();
        for (index, value) in row.fields().enumerate().take(last + 1) {
            let Some(field) = fields.next_if(|field| field.index == index) else { continue };
            let Ok(Some(value)) = value else { continue };
            if self.text.len() + value.len().min(VALUE_LEN_MAX) > SAMPLE_LEN_MAX {
                return Room::Full;
            }
            if read(field, value, &mut self.text).is_some() {
                self.ends.push((field.column, self.text.len()));
            }
        }
        if self.rows < ROWS_MAX { Room::Left } else { Room::Full }
    }
}

/// Appends the value, as far as it can be read; None: it cannot.
fn read(field: &Field, value: &[u8], out: &mut String) -> Option<()> {
    let value = match (field.format, field.binary) {
        (Format::Text, _) | (Format::Binary, Binary::Text) => value,
        (Format::Binary, Binary::Jsonb) => value.strip_prefix(&[1])?,
        (Format::Binary, Binary::Uuid) => {
            let number = u128::from_be_bytes(value.try_into().ok()?);
            out.push_str(&uuid(number));
            return Some(());
        }
        (Format::Binary, Binary::Integer) => {
            out.push_str(&integer(value)?.to_string());
            return Some(());
        }
        (Format::Binary, Binary::Unread) => return None,
    };
    let value = value.get(..VALUE_LEN_MAX).unwrap_or(value);
    out.push_str(value.utf8_chunks().next()?.valid());
    Some(())
}

fn integer(value: &[u8]) -> Option<i64> {
    match value.len() {
        2 => value.try_into().ok().map(i16::from_be_bytes).map(i64::from),
        4 => value.try_into().ok().map(i32::from_be_bytes).map(i64::from),
        _ => value.try_into().ok().map(i64::from_be_bytes),
    }
}

fn uuid(number: u128) -> String {
    let digits = format!("{number:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

impl fmt::Debug for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sample({} values)", self.ends.len())
    }
}

impl Session {
    /// A result with these columns begins, and its gate is open.
    pub(super) fn begin_sample(
        &mut self,
        columns: impl Iterator<Item = (ColumnId, Format)> + Clone,
        env: Env<'_>,
    ) {
        // One of an earlier result has other columns.
        self.queue.sample = None;
        if !env.sampling.is_off() && self.forms.encoding == Encoding::Utf8 {
            self.queue.sample = env.sampling.begin(columns, env.world, env.now);
        }
    }

    /// A row goes out.
    pub(super) fn sample_row(&mut self, payload: &[u8], out: &mut Effects) {
        let Some(sample) = &mut self.queue.sample else { return };
        if sample.row(payload) == Room::Full {
            self.end_sample(out);
        }
    }

    /// What has been taken is all of it.
    pub(super) fn end_sample(&mut self, out: &mut Effects) {
        let Some(sample) = self.queue.sample.take() else { return };
        if !sample.ends.is_empty() {
            out.samples.push(*sample);
        }
    }
}
