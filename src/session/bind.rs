//! Bind: what a statement becomes when its parameters are known. Only calls of the proxy's own
//! relations look at the values; all else is decided by the statement, so that values of any
//! length may pass.

use std::sync::Arc;

use bytes::Bytes;

use super::errors::protocol;
use super::frontend::Pending;
use super::gate::format_of;
use super::in_band::{Parameters, Understood};
use super::plan::{Missing, Planned, ended};
use super::prepared::{Made, MadeBy, Now, Prepared};
use super::queue::{Expected, Origin};
use super::stream::kept;
use super::tables::Portal;
use super::{Effects, Env, Hold, InBandTable, Session};
use crate::mask::Format;
use crate::model::Report;
use crate::wire::frontend::Bind;

/// What becomes of a Bind.
pub(super) enum Settled {
    /// It is sent; None: the server knows no such statement either, and says so.
    Forward(Option<Arc<Prepared>>),
    Refuse(Bytes, Box<Report>),
    /// Something has to be known, or done, first.
    Wait(Missing),
    /// Its values matter.
    Values,
    /// The session is over.
    Gone,
}

/// The formats that a Bind asks for.
#[derive(Clone, Debug, Default)]
pub(super) enum ResultFormats {
    /// One for all columns: 0 text, 1 binary.
    All(i16),
    #[default]
    Text,
    /// One per column.
    Each(Arc<[i16]>),
}

impl ResultFormats {
    pub(super) fn new(mut codes: impl ExactSizeIterator<Item = i16>) -> Self {
        match codes.len() {
            0 => Self::Text,
            1 => codes.next().map_or(Self::Text, Self::All),
            _ => Self::Each(codes.collect()),
        }
    }

    pub(super) fn of(&self, column: usize) -> Format {
        let code = match self {
            Self::Text => 0,
            Self::All(code) => *code,
            Self::Each(codes) => codes.get(column).copied().unwrap_or(0),
        };
        format_of(code)
    }
}

impl Session {
    pub(super) fn bind(
        &mut self,
        frame: &[u8],
        message: &Bind<'_>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let settled = match self.settle_bind(message.statement, None, env, out) {
            Settled::Values => match self.in_band_calls(message, env) {
                Ok(calls) if calls.is_empty() => {
                    self.settle_bind(message.statement, Some((message, Vec::new())), env, out)
                }
                Ok(calls) => {
                    self.hold = Some(Hold::InBand(calls));
                    self.after = Some(Pending::Bind { frame: frame.to_vec() });
                    return;
                }
                Err((text, report)) => Settled::Refuse(text, report),
            },
            settled @ (Settled::Forward(_)
            | Settled::Refuse(..)
            | Settled::Wait(_)
            | Settled::Gone) => settled,
        };
        self.settled(settled, frame, message, env, out);
    }

    /// The in-band calls of a Bind have been answered.
    pub(super) fn bind_answered(
        &mut self,
        frame: &[u8],
        tables: Vec<InBandTable>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        let Ok(crate::wire::frontend::Frontend::Bind(message)) =
            crate::wire::frontend::read(frame[0], &frame[5..])
        else {
            return self.break_off(&protocol("a Bind changed while it waited"), out);
        };
        match self.settle_bind(message.statement, Some((&message, tables)), env, out) {
            Settled::Wait(_) | Settled::Values => {
                self.break_off(&protocol("a statement changed while it waited"), out);
            }
            settled @ (Settled::Forward(_) | Settled::Refuse(..) | Settled::Gone) => {
                self.settled(settled, frame, &message, env, out);
            }
        }
    }

    fn settled(
        &mut self,
        settled: Settled,
        frame: &[u8],
        message: &Bind<'_>,
        env: Env<'_>,
        out: &mut Effects,
    ) {
        match settled {
            Settled::Forward(prepared) => {
                out.to_server.extend_from_slice(frame);
                let formats = ResultFormats::new(message.result_formats.iter());
                self.expect_bind(message.portal, prepared, formats);
            }
            Settled::Refuse(text, report) => self.refuse_in_batch(text, report, env, out),
            Settled::Wait(missing) => self.wait_for(missing, kept(frame), out),
            Settled::Values | Settled::Gone => {}
        }
    }

    /// What becomes of a Bind of this statement; `values` are there if they matter.
    pub(super) fn settle_bind(
        &mut self,
        name: &str,
        values: Option<(&Bind<'_>, Vec<InBandTable>)>,
        env: Env<'_>,
        out: &mut Effects,
    ) -> Settled {
        let Some(prepared) = self.tables.statement(name).cloned() else {
            return Settled::Forward(None);
        };
        if prepared.by == MadeBy::Sql {
            return self.settle_sql(name, prepared, env);
        }
        let is_settled = match &prepared.plan {
            None => {
                prepared.epoch == env.world.epoch
                    && self.uncommitted.is_empty()
                    && !self.may_fetch(&prepared, env)
            }
            Some(_) => prepared.ground.is_some() && prepared.ground == self.ground(env),
        };
        if is_settled {
            return Settled::Forward(Some(prepared));
        }
        let planned = match self.plan_again(&prepared, env) {
            Ok(planned) => planned,
            Err(missing) => return Settled::Wait(missing),
        };
        out.tally.plans(&planned);
        let plan = match planned {
            Planned::Clear => None,
            Planned::Known(plan) => Some(plan),
            Planned::Refused(report) => return Settled::Refuse(prepared.text.clone(), report),
        };
        let epoch = env.world.epoch;
        let now = match plan {
            None => {
                let sent = Arc::from(String::from_utf8_lossy(&prepared.text).as_ref());
                Now { plan: None, made: Made::default(), sent, epoch, ground: None }
            }
            Some(plan) => {
                let answers = match values {
                    _ if Self::in_band(&plan).is_empty() => Vec::new(),
                    None => return Settled::Values,
                    Some((message, tables)) => {
                        let texts = text_values(message);
                        let texts: Parameters<'_> = Some(&texts);
                        self.answers(&plan, texts, &mut tables.into_iter(), env)
                    }
                };
                match self.rewritten(&plan, &answers, env) {
                    Ok(sent) => {
                        let ground = plan.kept_under(self.ground(env));
                        let made = self.made_of(&plan, env);
                        Now { made, plan: Some(plan), sent, epoch, ground }
                    }
                    Err(report) => return Settled::Refuse(prepared.text.clone(), report),
                }
            }
        };
        match self.same_or_again(name, &prepared, now, out) {
            Some(prepared) => Settled::Forward(Some(prepared)),
            None => Settled::Gone,
        }
    }

    /// A statement that SQL PREPARE made, bound by the protocol.
    fn settle_sql(&self, name: &str, prepared: Arc<Prepared>, env: Env<'_>) -> Settled {
        match self.up_to_date(std::iter::once(name), env) {
            Ok(None) => {}
            Ok(Some(report)) => return Settled::Refuse(prepared.text.clone(), report),
            Err(missing) => return Settled::Wait(missing),
        }
        let release = &prepared.made.release;
        if !release.holds(self.standpoint(env)) {
            let report = ended(env.world, &release.columns);
            return Settled::Refuse(prepared.text.clone(), report.into());
        }
        Settled::Forward(Some(prepared))
    }

    /// What the values of a Bind ask the proxy itself for.
    fn in_band_calls(
        &self,
        message: &Bind<'_>,
        env: Env<'_>,
    ) -> Result<Vec<super::InBandCall>, (Bytes, Box<Report>)> {
        let Some(prepared) = self.tables.statement(message.statement) else {
            return Ok(Vec::new());
        };
        let Ok(Planned::Known(plan)) = self.plan_again(prepared, env) else {
            return Ok(Vec::new());
        };
        let values = text_values(message);
        let mut calls = Vec::new();
        for reference in Self::in_band(&plan) {
            match Understood::read(reference, Some(&values)) {
                Ok(Understood::Call(call)) => calls.push(call),
                Ok(Understood::Explain(_)) => {}
                Err(report) => return Err((prepared.text.clone(), report)),
            }
        }
        Ok(calls)
    }

    /// A Bind was sent: what it makes.
    pub(super) fn expect_bind(
        &mut self,
        portal: &str,
        prepared: Option<Arc<Prepared>>,
        formats: ResultFormats,
    ) {
        let scrub = prepared.as_ref().map(|prepared| prepared.made.scrub).unwrap_or_default();
        let id = self.tables.next_id();
        // Of an unknown statement there will be no portal.
        if let Some(prepared) = prepared {
            self.tables.bind(portal, Portal { id, prepared, formats });
        }
        let (portal, origin) = (portal.to_owned(), Origin::Client);
        self.queue.push(Expected::Bind { portal, id, origin, scrub: scrub.get() });
    }
}

/// The parameters as text; the binary form of text is the same bytes.
fn text_values(message: &Bind<'_>) -> Vec<Option<String>> {
    let values = message.parameters.iter();
    values.map(|value| value.map(|bytes| String::from_utf8_lossy(bytes).into_owned())).collect()
}
