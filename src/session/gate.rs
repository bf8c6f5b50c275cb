//! Gate 3 and the rows behind it: provenance as the server itself resolved it decides what each
//! field of a result may be.
//!
//! **Invariant:** a row reaches the client only through a [`Gate`] that was opened for its result.

use std::collections::HashSet;

use super::queue::{Run, Show};
use crate::analysis::sensitive::{Reach, Watch};
use crate::decision::{Standpoint, World};
use crate::mask::{Format, Masked, WireMask};
use crate::model::{ColumnId, Oid};
use crate::wire::backend::DataRow;
use crate::wire::frame::HEADER_LEN;

/// What the rows of one result go through.
#[derive(Debug, Default)]
pub(super) enum Gate {
    /// No RowDescription has been seen: rows are not expected.
    #[default]
    Shut,
    /// Nothing in them is hidden.
    Open { raw: Vec<ColumnId> },
    /// Some fields are masked on the way.
    Masking { fields: Vec<MaskedField> },
}

/// One field to mask.
#[derive(Clone, Copy, Debug)]
pub(super) struct MaskedField {
    pub index: usize,
    pub column: ColumnId,
    pub format: Format,
}

/// Why no gate was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Hidden PII would have gone out.
    Violation(Vec<ColumnId>),
    /// The snapshot does not know this relation.
    Unknown(Oid),
}

/// A row that cannot be masked: the result is cut.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unmaskable;

impl Gate {
    /// Opens the gate for a result whose fields come from `columns` (relation 0: from none).
    pub(super) fn open(
        columns: impl Iterator<Item = (ColumnId, Format)>,
        run: &Run,
        standpoint: Standpoint<'_>,
        vetted: &HashSet<Oid>,
    ) -> Result<Self, Closed> {
        let world = standpoint.world;
        let counting = run.release.counting();
        if world.sensitive.watch == Watch::Nothing {
            return Ok(Self::Open { raw: Vec::new() });
        }
        let (mut fields, mut raw, mut violations) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (column, format)) in columns.enumerate() {
            if column.relation == 0 || run.show == Show::AsItIs {
                continue;
            }
            if world.sensitive.column(column).is_some() {
                let granted = run.release.columns.contains(&column)
                    && standpoint
                        .cover_counting(column, crate::grant::Action::Read, counting)
                        .is_some_and(|cover| cover.rows.is_none());
                if granted {
                    raw.push(column);
                } else if run.show == Show::OnWire
                    && world.wire_mask(column).is_some_and(|mask| standpoint.can_mask(mask))
                {
                    fields.push(MaskedField { index, column, format });
                } else {
                    violations.push(column);
                }
                continue;
            }
            match world.sensitive.reach(column.relation) {
                Some(Reach::View { columns, .. }) => {
                    let open = |c: &ColumnId| {
                        run.release.columns.contains(c)
                            && standpoint
                                .cover_counting(*c, crate::grant::Action::Read, counting)
                                .is_some()
                    };
                    if columns.iter().all(open) {
                        raw.extend(columns.iter().copied());
                    } else {
                        violations.extend(columns.iter().copied());
                    }
                }
                Some(Reach::SideDoor) => violations.push(column),
                Some(Reach::Table | Reach::Stored | Reach::Carrier(_)) => {}
                None => {
                    let known = world.schema.relation(column.relation).is_some();
                    if !known && !vetted.contains(&column.relation) {
                        return Err(Closed::Unknown(column.relation));
                    }
                }
            }
        }
        if !violations.is_empty() {
            return Err(Closed::Violation(violations));
        }
        Ok(if fields.is_empty() { Self::Open { raw } } else { Self::Masking { fields } })
    }
}

/// Bytes before each value: how long it is.
const LENGTH_WORD_LEN: usize = 4;

/// The length word of NULL, which has no bytes.
const NULL: [u8; LENGTH_WORD_LEN] = (-1_i32).to_be_bytes();

/// The format that a message's code stands for.
pub(super) fn format_of(code: i16) -> Format {
    if code == 0 { Format::Text } else { Format::Binary }
}

/// What masks the rows of one step: [`MaskedField`]s with what the world says of them.
pub(super) struct RowMasks<'a> {
    fields: Vec<(MaskedField, &'a WireMask)>,
}

impl<'a> RowMasks<'a> {
    pub(super) fn of(fields: &[MaskedField], world: &'a World) -> Result<Self, Unmaskable> {
        let fields = fields.iter().map(|field| Some((*field, world.wire_mask(field.column)?)));
        fields.collect::<Option<_>>().map(|fields| Self { fields }).ok_or(Unmaskable)
    }

    /// Appends the DataRow in `payload`, masked.
    pub(super) fn row(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Unmaskable> {
        let row = DataRow::read(payload).map_err(|_| Unmaskable)?;
        self.front(Front { row, values: row.len(), rest_len: 0 }, out)
    }

    /// Appends the beginning of a DataRow, masked; `rest_len` bytes have to follow.
    pub(super) fn front(&self, front: Front<'_>, out: &mut Vec<u8>) -> Result<(), Unmaskable> {
        let start = out.len();
        let masked = mask_fields(front, &self.fields, out);
        if masked.is_err() {
            out.truncate(start);
        }
        masked
    }
}

/// The beginning of a row, and how much is behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front<'a> {
    pub row: DataRow<'a>,
    /// Values that have come in full.
    pub values: usize,
    /// Bytes behind these values.
    pub rest_len: usize,
}

fn mask_fields(
    Front { row, values, rest_len }: Front<'_>,
    fields: &[(MaskedField, &WireMask)],
    out: &mut Vec<u8>,
) -> Result<(), Unmaskable> {
    let start = out.len();
    // Masks are seldom longer than what they hide, and never by much.
    out.reserve(HEADER_LEN + 2 + row.bytes().len());
    out.extend_from_slice(&[b'D', 0, 0, 0, 0]);
    let count = u16::try_from(row.len()).map_err(|_| Unmaskable)?;
    out.extend_from_slice(&count.to_be_bytes());
    // What lies between masked values is copied as one slice, length words and NULLs included.
    let bytes = row.bytes();
    let (mut copied, mut at, mut index) = (0, 0, 0);
    for (field, mask) in fields {
        let between = field.index.checked_sub(index).ok_or(Unmaskable)?;
        let begins = row.skip(at, between).map_err(|_| Unmaskable)?;
        at = row.skip(begins, 1).map_err(|_| Unmaskable)?;
        index = field.index + 1;
        let (word, value) = bytes[begins..at].split_at(LENGTH_WORD_LEN);
        if word == NULL {
            continue;
        }
        out.extend_from_slice(&bytes[copied..begins]);
        copied = at;
        mask_value(value, mask, field.format, out)?;
    }
    let behind = values.checked_sub(index).ok_or(Unmaskable)?;
    let end = row.skip(at, behind).map_err(|_| Unmaskable)?;
    if end != bytes.len() {
        return Err(Unmaskable);
    }
    out.extend_from_slice(&bytes[copied..]);
    let len = i32::try_from(out.len() + rest_len - start - 1).map_err(|_| Unmaskable)?;
    out[start + 1..start + 5].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

/// Appends the mask of a value behind its length word.
fn mask_value(
    value: &[u8],
    mask: &WireMask,
    format: Format,
    out: &mut Vec<u8>,
) -> Result<(), Unmaskable> {
    let length_at = out.len();
    out.extend_from_slice(&[0; LENGTH_WORD_LEN]);
    let len = match mask.apply(format, value, out).map_err(|_| Unmaskable)? {
        Masked::Value => {
            i32::try_from(out.len() - length_at - LENGTH_WORD_LEN).map_err(|_| Unmaskable)?
        }
        Masked::Null => -1,
    };
    out[length_at..length_at + LENGTH_WORD_LEN].copy_from_slice(&len.to_be_bytes());
    Ok(())
}
