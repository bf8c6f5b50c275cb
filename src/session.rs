//! The conversation between one client and the database: what may pass, what is changed, what is
//! answered here. Pure: bytes, a [`World`], grants and the time in, [`Effects`] out.
//!
//! **Invariant:** row data enters the client's buffer only through `gate`, which a decision opened.
//! **Invariant:** a statement that shows raw PII reaches the server only after the [`Receipt`] of
//! its release record.
//! **Invariant:** the bytes that were analysed are the bytes that are sent.

mod again;
mod backend;
mod bind;
mod cancel;
mod copy_in;
mod counted;
mod ends;
mod errors;
mod explain;
mod extended;
mod foreign;
mod frontend;
mod gate;
mod in_band;
mod makings;
mod outward;
mod overdue;
mod path;
mod plan;
mod prepared;
mod queue;
mod record;
mod rows;
mod sampling;
mod seen;
mod settle;
mod shared;
mod stream;
mod tables;
mod uncommitted;

use std::collections::HashSet;
use std::sync::Arc;

use crate::analysis::SearchPath;
use crate::analysis::sensitive::Watch;
use crate::audit;
use crate::audit::{Pseudonyms, Receipt};
use crate::decision::{Dates, Encoding, Forms, Standpoint, World};
use crate::grant::{Claim, LiveTable, LookupMeter};
use crate::model::{Client, Oid, Report, Timestamp};
use crate::wire::TxStatus;

pub use cancel::Reach;
pub use explain::{Column, Explanation, Gates, Needed, State, Verdict};
pub use in_band::{InBandCall, InBandColumn, InBandTable, InBandType, Patience};
pub use plan::PlanCache;
use queue::Queue;
pub use record::Tally;
pub use sampling::{Candidates, Sample, Sampling};
use tables::Tables;

/// What a step may look at; handed in anew each time, so that nothing stale is kept.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    pub world: &'a Arc<World>,
    pub grants: &'a LiveTable,
    pub now: Timestamp,
    pub cache: &'a PlanCache,
    pub lookups: &'a LookupMeter,
    pub pseudonyms: &'a Pseudonyms,
    pub sampling: &'a Sampling,
}

/// What the shell has to do after a step, in this order.
#[derive(Default)]
pub struct Effects {
    /// Records to append before anything is sent.
    pub audit: Vec<audit::Event>,
    pub to_server: Vec<u8>,
    pub to_client: Vec<u8>,
    /// Ask the server to cancel what it is doing: a result was cut.
    pub cancel: Option<Cancel>,
    /// Close both connections once the buffers are out.
    pub close: Option<Close>,
    pub tally: Tally,
    /// Values that were shown, to be counted and forgotten.
    pub samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    Statement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The client said goodbye, or broke the protocol and was told so.
    Done,
}

/// Why the client's next message has to wait, and what the shell must do about it.
#[derive(Debug)]
pub enum Hold {
    /// Have this counted in the store, then [`Session::spent`].
    Spend(Vec<Claim>),
    /// Append this record durably, then [`Session::released`].
    Release(Box<audit::Event>),
    /// Refresh the schema snapshot, then [`Session::refreshed`].
    Refresh,
    /// Answer these calls, then [`Session::answered`].
    InBand(Vec<InBandCall>),
    /// Wait for the server's answer to our own question.
    Server,
}

/// Which of the server's messages are looked at next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relay {
    Open,
    /// A result was cut: nothing more of this batch reaches the client.
    Cut,
}

/// What a session waits in for its client's next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    Idle,
    InTransaction,
    InFailedTransaction,
}

/// One client's session.
pub struct Session {
    id: u64,
    client: Arc<Client>,
    forms: Forms,
    strings: audit::Strings,
    path: path::PathState,
    tables: Tables,
    queue: Queue,
    transaction: TxStatus,
    scrub: errors::ScrubState,
    relay: Relay,
    copy_in: copy_in::CopyIn,
    settling: settle::Settling,
    /// Messages that pass in pieces now.
    inward: stream::Inward,
    outward: outward::Outward,
    glance: stream::Glance,
    hold: Option<Hold>,
    /// What to go on with after the hold.
    after: Option<frontend::Pending>,
    /// Whether statements were prepared again for the client's message.
    renewed: again::Renewed,
    overdue: overdue::Overdue,
    /// What waits was cancelled by the client: it fails with this.
    cancelled: Option<Box<Report>>,
    statements: u64,
    frame_len_max: usize,
    schema: SchemaState,
    /// Something was defined in the transaction that is open.
    defined: SchemaState,
    /// What the server's bytes wait for.
    server_hold: Option<ServerHold>,
    /// What the open transaction has defined over personal data.
    uncommitted: uncommitted::Uncommitted,
    stay: Stay,
    /// Whether there was anything to hide when the client last said something.
    watched: Option<Watch>,
    /// Relations that the snapshot cannot know: temporary or not yet committed, and made under
    /// the eyes of gate 2.
    vetted: HashSet<Oid>,
    /// Where the columns of a cursor that SQL declared come from.
    cursor_shape: Option<prepared::Shape>,
    described: rows::Described,
}

/// Why the server's next message has to wait.
#[derive(Debug)]
enum ServerHold {
    /// For the snapshot to know this relation.
    Unknown(Oid),
    /// For the rows and subjects of a limited grant to be counted.
    Counting(Hold),
}

impl ServerHold {
    fn hold(&self) -> &Hold {
        match self {
            Self::Unknown(_) => &Hold::Refresh,
            Self::Counting(hold) => hold,
        }
    }
}

/// Whether the snapshot may be older than what this session did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SchemaState {
    Fresh,
    /// Something was defined; refresh before the next statement.
    Stale,
}

/// Whether the client has said goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    Here,
    /// Behind messages whose answers it still gets: the server ends the session.
    Leaving,
}

/// What a session starts with, once both logins are done.
pub struct Start {
    pub id: u64,
    pub client: Arc<Client>,
    /// Parameters that the server reported at login.
    pub parameters: Vec<(String, String)>,
    pub frame_len_max: usize,
}

impl Session {
    pub fn new(start: Start) -> Self {
        let mut session = Self {
            id: start.id,
            client: start.client,
            forms: Forms { encoding: Encoding::Utf8, dates: Dates::Iso },
            strings: audit::Strings::Standard,
            path: path::PathState::default(),
            tables: Tables::default(),
            queue: Queue::default(),
            transaction: TxStatus::Idle,
            scrub: errors::ScrubState::default(),
            relay: Relay::Open,
            copy_in: copy_in::CopyIn::default(),
            settling: settle::Settling::default(),
            inward: stream::Inward::default(),
            outward: outward::Outward::default(),
            glance: stream::Glance::default(),
            hold: None,
            after: None,
            renewed: again::Renewed::No,
            overdue: overdue::Overdue::No,
            cancelled: None,
            statements: 0,
            frame_len_max: start.frame_len_max,
            schema: SchemaState::Fresh,
            defined: SchemaState::Fresh,
            server_hold: None,
            uncommitted: uncommitted::Uncommitted::default(),
            stay: Stay::Here,
            watched: None,
            vetted: HashSet::new(),
            cursor_shape: None,
            described: rows::Described::default(),
        };
        for (name, value) in &start.parameters {
            session.parameter(name, value);
        }
        session
    }

    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Whether the client has said its last word and answers are still to come.
    pub fn is_leaving(&self) -> bool {
        self.stay == Stay::Leaving
    }

    /// Terminate: everything before it is answered first, as the server does.
    fn leave(&mut self, out: &mut Effects) {
        if self.queue.is_empty() {
            out.close = Some(Close::Done);
        } else {
            self.stay = Stay::Leaving;
        }
    }

    /// What must happen before more of the client's bytes are read.
    pub fn hold(&self) -> Option<&Hold> {
        self.server_hold.as_ref().map(ServerHold::hold).or(self.hold.as_ref())
    }

    /// Whether the server's bytes wait, too.
    pub fn holds_server(&self) -> bool {
        self.server_hold.is_some() || matches!(self.hold, Some(Hold::Refresh))
    }

    /// What the session waits in, if it waits for its client to say something.
    pub fn rest(&self) -> Option<Rest> {
        let waits = self.queue.is_empty() && self.hold().is_none() && self.is_between_asks();
        waits.then_some(match self.transaction {
            TxStatus::Idle => Rest::Idle,
            TxStatus::InTransaction => Rest::InTransaction,
            TxStatus::Failed => Rest::InFailedTransaction,
        })
    }

    /// Whether the client's next message has to wait, for a hold or for the server to catch up.
    pub fn waits(&self) -> bool {
        self.hold().is_some() || self.queue.is_full()
    }

    /// Whether the session is between transactions with nothing under way: a drain may end it.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && self.transaction == TxStatus::Idle
            && self.hold.is_none()
            && self.is_between_asks()
    }

    /// The moment at which what streams now may have to be cut.
    pub fn deadline(&self) -> Option<Timestamp> {
        let release = self.queue.front_release().or_else(|| self.queue.coming_release());
        release.and_then(|release| release.until)
    }

    /// A setting that the server reports and that decides how bytes are to be read.
    fn parameter(&mut self, name: &str, value: &str) {
        match name {
            "client_encoding" | "server_encoding" => {
                let utf8 =
                    value.eq_ignore_ascii_case("UTF8") || value.eq_ignore_ascii_case("UTF-8");
                if name == "client_encoding" || !utf8 {
                    self.forms.encoding = if utf8 { Encoding::Utf8 } else { Encoding::Other };
                }
            }
            "DateStyle" => {
                let iso = value.starts_with("ISO");
                self.forms.dates = if iso { Dates::Iso } else { Dates::Other };
            }
            "standard_conforming_strings" => {
                self.strings =
                    if value == "on" { audit::Strings::Standard } else { audit::Strings::Escapes };
            }
            "search_path" => self.path.lost(),
            "application_name" if *self.client.application != *value => {
                let client = Client { application: value.into(), ..(*self.client).clone() };
                self.client = Arc::new(client);
            }
            _ => {}
        }
    }

    fn standpoint<'a>(&'a self, env: Env<'a>) -> Standpoint<'a> {
        Standpoint {
            world: env.world,
            client: &self.client,
            grants: env.grants,
            now: env.now,
            forms: self.forms,
        }
    }

    /// The release record is durable: what waited for it goes on.
    pub fn released(&mut self, receipt: Receipt, env: Env<'_>, out: &mut Effects) {
        if receipt.covers(self.id, self.statements) {
            self.go_on(env, out);
        }
    }

    /// The release record could not be written: the statement is refused.
    pub fn not_released(&mut self, env: Env<'_>, out: &mut Effects) {
        self.cancelled = None;
        if let Some(pending) = self.end_hold() {
            self.refuse_pending(pending, errors::audit_unavailable(), env, out);
        }
    }

    /// The snapshot is new.
    pub fn refreshed(&mut self, env: Env<'_>, out: &mut Effects) {
        if let Some(ServerHold::Unknown(relation)) = self.server_hold {
            self.server_hold = None;
            self.vetted.insert(relation);
            return;
        }
        self.schema = SchemaState::Fresh;
        self.go_on(env, out);
    }

    /// Ends the session from outside: an administrator, or a shutdown.
    pub fn terminate(&mut self, report: &Report, out: &mut Effects) {
        self.last_words(report, out);
        out.close = Some(Close::Done);
    }

    /// The `search_path` that names resolve under, as far as it is known.
    fn search_path(&self) -> &SearchPath {
        self.path.schemas()
    }
}
