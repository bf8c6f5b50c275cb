//! The server's messages that are too long to be kept: rows and COPY data pass in pieces, and of a
//! row with masks in it only what lies before the last of them is gathered.

use super::backend::Pass;
use super::counted::Counted;
use super::errors::{self, protocol};
use super::gate::{Front, Gate, RowMasks, Unmaskable};
use super::stream::WHOLE_LEN;
use super::{Cancel, Close, Effects, Env, Relay, Session};
use crate::audit;
use crate::model::Report;
use crate::wire::backend::{DataRow, tag};
use crate::wire::{FrameHeader, WireError, write};

/// The server's message that passes now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Outward {
    #[default]
    Between,
    /// Bytes to go of one that shows nothing raw.
    Clear(usize),
    /// Bytes to go of one that a grant covers.
    Raw(usize),
    /// Bytes that the client does not see.
    Dropped(usize),
}

/// How a message of the server gets on.
pub(super) enum Way {
    /// Once all of it is there.
    Whole,
    /// More of it is needed to know.
    More,
    /// In pieces, beginning with what has come.
    Pieces(Outward),
    /// Bytes of it have been written anew; the rest follows.
    Begun { written_from: usize, rest: Outward },
    /// It stays until the hold is over.
    Wait,
}

impl Session {
    /// Tells the client why its session ends, unless it is in the middle of a message.
    pub(super) fn last_words(&self, report: &Report, out: &mut Effects) {
        if matches!(self.outward, Outward::Between | Outward::Dropped(_)) {
            write::error(&mut out.to_client, report);
        }
    }

    /// Where the message of the server that begins with `there` goes.
    pub(super) fn way_out(
        &mut self,
        header: FrameHeader,
        there: &[u8],
        env: Env<'_>,
        out: &mut Effects,
    ) -> Way {
        let in_pieces = matches!(header.tag, tag::DATA_ROW | tag::COPY_DATA);
        if !in_pieces && header.len <= self.frame_len_max {
            return Way::Whole;
        }
        if header.tag == tag::DATA_ROW && self.relay == Relay::Open {
            match self.gate_for_row(env, out) {
                Pass::Yes => {}
                Pass::Wait => return Way::Wait,
                // It was cut, or the row is no row of a result.
                Pass::No if self.relay == Relay::Open => return Way::Whole,
                Pass::No => {}
            }
            if header.len > WHOLE_LEN {
                self.end_sample(out);
            }
        }
        let raw = self.queue.front_release().is_some();
        let passing = if raw { Outward::Raw(header.len) } else { Outward::Clear(header.len) };
        match header.tag {
            tag::DATA_ROW | tag::COPY_DATA if self.relay == Relay::Cut => {
                Way::Pieces(Outward::Dropped(header.len))
            }
            // A few are gathered, so that grants are looked at before each.
            tag::DATA_ROW | tag::COPY_DATA if raw && header.len <= WHOLE_LEN => Way::Whole,
            tag::DATA_ROW if self.queue.sample.is_some() => Way::Whole,
            tag::DATA_ROW => match &self.queue.gate {
                Gate::Open { .. } => {
                    // What is counted by more than rows is not there yet.
                    match self.count_row(None, env, out) {
                        Counted::Yes => {}
                        Counted::Waits => return Way::Wait,
                        Counted::Cut => return Way::Pieces(Outward::Dropped(header.len)),
                    }
                    self.see_row(None, env);
                    self.queue.progress.rows += 1;
                    self.queue.progress.bytes += header.len as u64;
                    Way::Pieces(passing)
                }
                Gate::Masking { .. } if header.len > WHOLE_LEN => {
                    self.mask_long_row(header, there, env, out)
                }
                Gate::Masking { .. } | Gate::Shut => Way::Whole,
            },
            tag::COPY_DATA => {
                self.queue.progress.bytes += header.len as u64;
                self.queue.progress.copied += 1;
                Way::Pieces(passing)
            }
            tag::NOTICE_RESPONSE if header.len > self.frame_len_max => {
                Way::Pieces(match self.hides_notices() {
                    true => Outward::Dropped(header.len),
                    false => passing,
                })
            }
            _ if header.len > self.frame_len_max => {
                self.break_off(&protocol(WireError::Length), out);
                Way::Wait
            }
            _ => Way::Whole,
        }
    }

    /// Masks what has to be masked of a row, once that much has come; what is behind may pass.
    fn mask_long_row(
        &mut self,
        header: FrameHeader,
        there: &[u8],
        env: Env<'_>,
        out: &mut Effects,
    ) -> Way {
        let Gate::Masking { fields } = &self.queue.gate else { return Way::Whole };
        let payload = &there[5.min(there.len())..there.len().min(header.len)];
        let values = fields.last().map_or(0, |last| last.index + 1);
        let needed = match DataRow::extent(payload, values) {
            Ok(end) | Err(end) => end,
        };
        if needed > header.len - 5 || needed > self.frame_len_max {
            let report =
                if needed > self.frame_len_max { self.too_long() } else { errors::unmaskable() };
            self.cut(&report, audit::Decision::Refused, env, out);
            return Way::Pieces(Outward::Dropped(header.len));
        }
        if payload.len() < needed {
            return Way::More;
        }
        match self.count_row(None, env, out) {
            Counted::Yes => {}
            Counted::Waits => return Way::Wait,
            Counted::Cut => return Way::Pieces(Outward::Dropped(header.len)),
        }
        self.see_row(None, env);
        let Gate::Masking { fields } = &self.queue.gate else { return Way::Whole };
        let rest = header.len - 5 - needed;
        let before = out.to_client.len();
        let masked = DataRow::begin(&payload[..needed]).map_err(|_| Unmaskable).and_then(|row| {
            let front = Front { row, values, rest_len: rest };
            RowMasks::of(fields, env.world)?.front(front, &mut out.to_client)
        });
        if masked.is_err() {
            self.cut(&errors::unmaskable(), audit::Decision::Refused, env, out);
            return Way::Pieces(Outward::Dropped(header.len));
        }
        self.queue.progress.rows += 1;
        self.queue.progress.bytes += (out.to_client.len() - before + rest) as u64;
        let raw = self.queue.front_release().is_some();
        let rest = if raw { Outward::Raw(rest) } else { Outward::Clear(rest) };
        Way::Begun { written_from: 5 + needed, rest }
    }

    /// A grant has ended in the middle of a message that it covers: no word fits in there, so the
    /// connection ends with the message unfinished.
    pub(super) fn sever(&mut self, env: Env<'_>, out: &mut Effects) {
        out.cancel = Some(Cancel::Statement);
        out.close = Some(Close::Done);
        self.relay = Relay::Cut;
        self.record_cut(audit::Decision::Cut, env, out);
    }
}

impl Outward {
    /// Takes `len` bytes off what is to go.
    pub(super) fn moved(self, len: usize) -> Self {
        let next = |left: usize, as_before: fn(usize) -> Self| {
            if left > len { as_before(left - len) } else { Self::Between }
        };
        match self {
            Self::Between => Self::Between,
            Self::Clear(left) => next(left, Self::Clear),
            Self::Raw(left) => next(left, Self::Raw),
            Self::Dropped(left) => next(left, Self::Dropped),
        }
    }

    pub(super) fn left(self) -> usize {
        match self {
            Self::Between => 0,
            Self::Clear(left) | Self::Raw(left) | Self::Dropped(left) => left,
        }
    }
}
