//! What describes rows, and the rows: RowDescription opens the gate that rows go through.

use std::sync::{Arc, PoisonError};

use super::backend::Pass;
use super::counted::{self, Counted};
use super::errors::{self, protocol};
use super::gate::{Closed, Gate, RowMasks, Unmaskable, format_of};
use super::prepared::Shape;
use super::queue::{Expected, Origin};
use super::seen::Seen;
use super::stream::WHOLE_LEN;
use super::{Effects, Env, Relay, ServerHold, Session};
use crate::audit;
use crate::mask::Format;
use crate::model::ColumnId;
use crate::wire::backend::{DataRow, Field, RowDescription, tag};
use crate::wire::frame::HEADER_LEN;
use crate::wire::{FrameHeader, WireError};

/// The last RowDescription of a simple query; the next one is most often the same.
#[derive(Default)]
pub(super) struct Described {
    payload: Vec<u8>,
    fields: Vec<(ColumnId, Format)>,
}

/// Longest RowDescription that an idle session keeps.
const DESCRIBED_LEN_MAX: usize = 512;

impl Described {
    fn read(&mut self, payload: &[u8]) -> Result<(), WireError> {
        if self.payload == payload && !payload.is_empty() {
            return Ok(());
        }
        self.payload.clear();
        let description = RowDescription::read(payload)?;
        self.fields.clear();
        let field = |field| (column(field), format_of(field.format));
        self.fields.extend(description.fields().map(field));
        self.payload.extend_from_slice(payload);
        Ok(())
    }

    /// Forgets one that is too long to be kept.
    fn cut(&mut self) {
        if self.payload.len() > DESCRIBED_LEN_MAX {
            *self = Self::default();
        }
    }
}

fn column(field: Field<'_>) -> ColumnId {
    ColumnId { relation: field.relation, number: field.column }
}

impl Session {
    /// Replies that are one message, of this kind.
    pub(super) fn step_done(&mut self, kind: u8, out: &mut Effects) -> Pass {
        match (kind, self.queue.pop()) {
            (tag::PARSE_COMPLETE, Some(Expected::Parse { name, id, origin, .. })) => {
                self.tables.prepared(&name, id);
                visible(origin)
            }
            (tag::BIND_COMPLETE, Some(Expected::Bind { portal, id, origin, .. })) => {
                self.tables.bound(&portal, id);
                visible(origin)
            }
            (tag::CLOSE_COMPLETE, Some(Expected::Close { statement, portal, up_to, origin })) => {
                if let Some(name) = statement {
                    self.tables.dropped(Some(&name), up_to);
                }
                if let Some(name) = portal {
                    self.tables.portal_closed(&name, up_to);
                }
                visible(origin)
            }
            _ => self.out_of_step(out),
        }
    }

    /// An answer to nothing that was asked: from here on, what belongs to what is not known.
    pub(super) fn out_of_step(&mut self, out: &mut Effects) -> Pass {
        self.break_off(&protocol("an answer of the server that nobody asked for"), out);
        Pass::No
    }

    pub(super) fn no_data(&mut self, env: Env<'_>, out: &mut Effects) -> Pass {
        match self.queue.pop() {
            Some(
                Expected::DescribeStatement { origin, prepared }
                | Expected::DescribePortal { origin, prepared },
            ) => {
                if let Some(prepared) = prepared {
                    let (columns, description) = (Arc::from([]), Arc::from([]));
                    prepared.learn(Shape { epoch: env.world.epoch, columns, description });
                }
                visible(origin)
            }
            _ => self.out_of_step(out),
        }
    }

    pub(super) fn row_description(
        &mut self,
        payload: &[u8],
        env: Env<'_>,
        out: &mut Effects,
    ) -> Pass {
        match self.queue.front() {
            Some(Expected::Query { .. }) => {
                let mut described = std::mem::take(&mut self.described);
                let pass = match described.read(payload) {
                    Ok(()) => self.open_gate(described.fields.iter().copied(), env, out),
                    Err(_) => self.malformed_description(out),
                };
                described.cut();
                self.described = described;
                pass
            }
            Some(Expected::DescribeStatement { .. } | Expected::DescribePortal { .. }) => {
                let Some(
                    Expected::DescribeStatement { prepared, origin }
                    | Expected::DescribePortal { prepared, origin },
                ) = self.queue.pop()
                else {
                    return Pass::No;
                };
                let epoch = env.world.epoch;
                if prepared.as_ref().is_some_and(|it| it.is_described(epoch, payload)) {
                    return visible(origin);
                }
                let Ok(description) = RowDescription::read(payload) else {
                    return self.malformed_description(out);
                };
                let columns = description.fields().map(column).collect();
                let shape = Shape { epoch, columns, description: Arc::from(payload) };
                match prepared {
                    Some(prepared) => prepared.learn(shape),
                    None => self.cursor_shape = Some(shape),
                }
                visible(origin)
            }
            Some(Expected::Path { .. }) => Pass::No,
            _ => self.out_of_step(out),
        }
    }

    fn malformed_description(&mut self, out: &mut Effects) -> Pass {
        self.break_off(&protocol("a malformed RowDescription"), out);
        Pass::No
    }

    pub(super) fn open_gate(
        &mut self,
        columns: impl Iterator<Item = (ColumnId, Format)> + Clone,
        env: Env<'_>,
        out: &mut Effects,
    ) -> Pass {
        let Some(run) = self.queue.front_run().cloned() else { return Pass::No };
        let named = |column: ColumnId| {
            let relation = env.world.schema.relation(column.relation);
            let name = relation.and_then(|relation| relation.column_numbered(column.number));
            name.map_or_else(String::new, |column| column.name.clone())
        };
        let ids = columns.clone().map(|(column, _)| column);
        let counted = match counted::fields(ids, &run.release, named) {
            Ok(counted) => counted,
            Err(report) => {
                self.cut(&report, audit::Decision::Refused, env, out);
                return Pass::No;
            }
        };
        let (fields, sampled) = (columns.clone(), columns.clone());
        match Gate::open(columns, &run, self.standpoint(env), &self.vetted) {
            Ok(gate) => {
                self.queue.gate = gate;
                self.queue.seen = Seen::of(fields, &run.release, env);
                self.queue.counted = counted;
                self.queue.progress.checked = env.grants.epoch;
                self.begin_sample(sampled, env);
                Pass::Yes
            }
            Err(Closed::Unknown(relation)) => {
                self.server_hold = Some(ServerHold::Unknown(relation));
                Pass::Wait
            }
            Err(Closed::Violation(_)) => {
                self.cut(&errors::violation(), audit::Decision::Refused, env, out);
                Pass::No
            }
        }
    }

    pub(super) fn row(&mut self, payload: &[u8], env: Env<'_>, out: &mut Effects) -> Pass {
        if matches!(self.queue.gate, Gate::Shut) {
            return self.own_row(payload, out);
        }
        match self.count_row(Some(payload), env, out) {
            Counted::Yes => {}
            Counted::Waits => return Pass::Wait,
            Counted::Cut => return Pass::No,
        }
        self.see_row(Some(payload), env);
        self.sample_row(payload, out);
        self.queue.progress.rows += 1;
        let before = out.to_client.len();
        match &self.queue.gate {
            Gate::Shut => Pass::No,
            Gate::Open { .. } => {
                self.queue.progress.bytes += payload.len() as u64 + 5;
                Pass::Yes
            }
            Gate::Masking { fields } => {
                let masks = RowMasks::of(fields, env.world);
                let masked = masks.and_then(|masks| masks.row(payload, &mut out.to_client));
                self.queue.progress.bytes += (out.to_client.len() - before) as u64;
                if masked.is_err() {
                    self.cut(&errors::unmaskable(), audit::Decision::Refused, env, out);
                }
                Pass::No
            }
        }
    }

    /// Masks the rows at the front of `input` that are there in full, and takes them off; answers
    /// how long they were. Rows that rest on a release, or of which values are copied, are looked at
    /// one by one, elsewhere.
    pub(super) fn mask_rows(&mut self, input: &[u8], env: Env<'_>, out: &mut Effects) -> usize {
        let Gate::Masking { fields } = &self.queue.gate else { return 0 };
        let one_by_one = self.queue.front_release().is_some() || self.queue.sample.is_some();
        if self.relay == Relay::Cut || one_by_one {
            return 0;
        }
        let (masks, before) = (RowMasks::of(fields, env.world), out.to_client.len());
        let (mut len, mut rows, mut masked) = (0, 0, Ok(()));
        while let Ok(Some(header)) = FrameHeader::peek(&input[len..], WHOLE_LEN)
            && header.tag == tag::DATA_ROW
            && let Some(frame) = input.get(len..len + header.len)
            && masked.is_ok()
        {
            len += header.len;
            rows += 1;
            masked = match &masks {
                Ok(masks) => masks.row(&frame[HEADER_LEN..], &mut out.to_client),
                Err(Unmaskable) => Err(Unmaskable),
            };
        }
        self.queue.progress.rows += rows;
        self.queue.progress.bytes += (out.to_client.len() - before) as u64;
        if masked.is_err() {
            self.cut(&errors::unmaskable(), audit::Decision::Refused, env, out);
        }
        len
    }

    /// The first row of an Execute opens the gate by what Describe told of the statement.
    pub(super) fn gate_for_row(&mut self, env: Env<'_>, out: &mut Effects) -> Pass {
        let Some(Expected::Execute { prepared, formats, .. }) = self.queue.front() else {
            return Pass::Yes;
        };
        if !matches!(self.queue.gate, Gate::Shut) {
            return Pass::Yes;
        }
        let shape = match prepared {
            Some(prepared) => prepared.shape.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            None => self.cursor_shape.clone(),
        };
        let formats = formats.clone();
        match shape {
            Some(Shape { columns, .. }) => {
                let columns = columns.iter().copied().enumerate();
                let columns = columns.map(|(index, column)| (column, formats.of(index)));
                self.open_gate(columns, env, out)
            }
            None => {
                self.cut(&errors::violation(), audit::Decision::Refused, env, out);
                Pass::No
            }
        }
    }

    /// A row for which no gate was opened: the answer to our own question.
    fn own_row(&mut self, payload: &[u8], out: &mut Effects) -> Pass {
        match self.queue.front_mut() {
            Some(Expected::Path { schemas }) => {
                let row = DataRow::read(payload).ok();
                let first = row.and_then(|row| row.fields().next()).and_then(Result::ok).flatten();
                *schemas = first.map(<[u8]>::to_vec);
            }
            _ => return self.out_of_step(out),
        }
        Pass::No
    }
}

fn visible(origin: Origin) -> Pass {
    match origin {
        Origin::Client => Pass::Yes,
        Origin::Proxy => Pass::No,
    }
}
