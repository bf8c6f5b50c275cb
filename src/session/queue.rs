//! The pipeline as a queue of replies that the server still owes.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use super::bind::ResultFormats;
use super::counted::Fields;
use super::gate::Gate;
use super::plan::MaskedNotice;
use super::prepared::Prepared;
use super::sampling::Sample;
use super::seen::Seen;
use super::shared::{Shared, SharedRelease};
use crate::audit;
use crate::decision::{Release, Scrub};
use crate::model::{ColumnId, Epoch, Oid, Report, Timestamp};

/// Whether hidden columns of a result are masked on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Show {
    #[default]
    Never,
    OnWire,
    /// Observe mode: shown as it is, whatever it is.
    AsItIs,
}

/// One statement under way.
#[derive(Debug)]
pub(super) struct Run {
    pub number: u64,
    pub text: Bytes,
    pub decision: audit::Decision,
    pub gates: audit::Gates,
    pub release: SharedRelease,
    pub masked: Shared<ColumnId>,
    pub touched: Shared<ColumnId>,
    pub relations: Shared<Oid>,
    pub scrub: Scrub,
    /// Columns that it may only write back.
    pub guarded: Shared<ColumnId>,
    /// What says so, where only the plan decides what is masked.
    pub notice: Option<MaskedNotice>,
    pub show: Show,
    pub completes: Completes,
    pub started: Timestamp,
}

/// What the server's CommandComplete makes true.
#[derive(Debug)]
pub(super) enum Completes {
    Nothing,
    /// What its tag says, of all that was made up to this id: DISCARD ALL.
    AsTagged {
        up_to: u64,
    },
    /// Objects may have changed.
    Defined,
    Prepared {
        name: String,
        id: u64,
    },
    Deallocated {
        name: Option<String>,
        up_to: u64,
    },
    Declared {
        name: String,
        id: u64,
    },
    Closed {
        name: Option<String>,
        up_to: u64,
    },
}

/// Who asked for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Client,
    /// Ours: the client does not see it.
    Proxy,
}

/// What has been sent of a result so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub rows: u64,
    pub bytes: u64,
    /// Rows of a raw COPY.
    pub copied: u64,
    /// The grants under which the release was last seen to hold.
    pub checked: Epoch,
}

/// A reply that the server owes.
pub(super) enum Expected {
    /// Everything up to ReadyForQuery.
    Query {
        runs: Runs,
        at: usize,
    },
    Parse {
        name: String,
        id: u64,
        origin: Origin,
        /// Whether the server's words about it may tell about hidden values.
        scrub: Scrub,
    },
    Bind {
        portal: String,
        id: u64,
        origin: Origin,
        scrub: Scrub,
    },
    Close {
        statement: Option<String>,
        portal: Option<String>,
        up_to: u64,
        origin: Origin,
    },
    /// ParameterDescription, then RowDescription or NoData.
    DescribeStatement {
        prepared: Option<Arc<Prepared>>,
        origin: Origin,
    },
    /// RowDescription or NoData; the portal's formats are those of Bind.
    DescribePortal {
        prepared: Option<Arc<Prepared>>,
        origin: Origin,
    },
    Execute {
        run: Arc<Run>,
        prepared: Option<Arc<Prepared>>,
        formats: ResultFormats,
    },
    Sync,
    /// The Sync of a batch of our own; the client hears nothing of all of it.
    OwnSync,
    /// The Execute of our question for the `search_path`.
    Path {
        schemas: Option<Vec<u8>>,
    },
    /// The Execute of a PREPARE of ours.
    Own {
        name: String,
        id: u64,
    },
    /// In place of something refused: an error that we put our own words into.
    Refused {
        run: Arc<Run>,
        report: Box<Report>,
        ends: Ends,
    },
}

/// The statements of a simple query: mostly one.
pub(super) enum Runs {
    One(Arc<Run>),
    Several(Vec<Arc<Run>>),
}

impl Deref for Runs {
    type Target = [Arc<Run>];

    fn deref(&self) -> &[Arc<Run>] {
        match self {
            Self::One(run) => std::slice::from_ref(run),
            Self::Several(runs) => runs,
        }
    }
}

/// Where a reply stands between two ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It ends with one of its own, as of a simple query.
    Alone,
    InBatch,
    /// It is the one that ends a batch.
    BatchEnd,
}

impl Expected {
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Query { .. } | Self::Refused { ends: Ends::Ready, .. } => Place::Alone,
            Self::Sync | Self::OwnSync => Place::BatchEnd,
            Self::Parse { .. }
            | Self::Bind { .. }
            | Self::Close { .. }
            | Self::DescribeStatement { .. }
            | Self::DescribePortal { .. }
            | Self::Execute { .. }
            | Self::Path { .. }
            | Self::Own { .. }
            | Self::Refused { ends: Ends::Error, .. } => Place::InBatch,
        }
    }

    /// Whether it is the end of a statement or portal of ours.
    fn closes_ours(&self) -> bool {
        matches!(self, Self::Close { statement: None, portal: None, origin: Origin::Proxy, .. })
    }

    /// The statements that it is about: several of a simple query.
    fn runs(&self) -> &[Arc<Run>] {
        match self {
            Self::Query { runs, .. } => runs,
            Self::Execute { run, .. } | Self::Refused { run, .. } => std::slice::from_ref(run),
            Self::Parse { .. }
            | Self::Bind { .. }
            | Self::Close { .. }
            | Self::DescribeStatement { .. }
            | Self::DescribePortal { .. }
            | Self::Sync
            | Self::OwnSync
            | Self::Path { .. }
            | Self::Own { .. } => &[],
        }
    }
}

/// What ends a refused exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// ReadyForQuery, as of a simple query.
    Ready,
    /// The error itself; the server then skips to Sync.
    Error,
}

/// Replies that may be outstanding before no more of the client's messages are taken. The server
/// keeps at most 8 KiB of answers to itself, which is less than 2,000 of the shortest.
const OWED_MAX: usize = 16_384;

/// Where the client is between two Syncs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Batch {
    #[default]
    None,
    /// Messages were sent that no Sync has closed.
    Open,
    /// One of them failed: the server ignores everything up to Sync.
    Skipping,
}

/// What a statement of ours may have left on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Remains {
    #[default]
    Nothing,
    /// It failed before its Close: its name may be taken.
    Statement,
}

#[derive(Default)]
pub(super) struct Queue {
    expected: VecDeque<Expected>,
    pub batch: Batch,
    pub remains: Remains,
    pub progress: Progress,
    pub gate: Gate,
    /// Where the fields stand by which the subjects of a result are counted.
    pub counted: Option<Fields>,
    pub seen: Option<Box<Seen>>,
    pub sample: Option<Box<Sample>>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.expected.is_empty()
    }

    pub(super) fn push(&mut self, expected: Expected) {
        match expected.place() {
            Place::Alone => {}
            Place::InBatch => self.batch = Batch::Open,
            Place::BatchEnd => self.batch = Batch::None,
        }
        self.expected.push_back(expected);
    }

    /// Whether the server owes so much that it should answer first.
    pub(super) fn is_full(&self) -> bool {
        self.expected.len() >= OWED_MAX
    }

    pub(super) fn front(&self) -> Option<&Expected> {
        self.expected.front()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Expected> {
        self.expected.front_mut()
    }

    /// Takes the reply that has come in full; what follows starts anew.
    pub(super) fn pop(&mut self) -> Option<Expected> {
        self.fresh();
        self.expected.pop_front()
    }

    /// Between two results of one Query.
    pub(super) fn fresh(&mut self) {
        (self.progress, self.gate) = (Progress::default(), Gate::default());
        (self.counted, self.seen, self.sample) = (None, None, None);
    }

    /// What runs now.
    pub(super) fn front_run(&self) -> Option<&Arc<Run>> {
        let front = self.front()?;
        if let Expected::Query { runs, at } = front {
            return runs.get(*at).or(runs.last());
        }
        front.runs().first()
    }

    /// Everything that the server owes, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Expected> {
        self.expected.iter()
    }

    /// What the front shows raw, if anything.
    pub(super) fn front_release(&self) -> Option<&Release> {
        self.front_run().map(|run| &*run.release).filter(|release| !release.is_empty())
    }

    /// Whether what the server says now may tell about hidden values.
    pub(super) fn front_scrub(&self) -> Scrub {
        match self.front() {
            Some(Expected::Parse { scrub, .. } | Expected::Bind { scrub, .. }) => *scrub,
            Some(
                Expected::DescribeStatement { prepared, .. }
                | Expected::DescribePortal { prepared, .. },
            ) => prepared.as_ref().map_or(Scrub::No, |prepared| prepared.made.scrub.get()),
            Some(
                Expected::Query { .. }
                | Expected::Execute { .. }
                | Expected::Refused { .. }
                | Expected::Close { .. }
                | Expected::Sync
                | Expected::OwnSync
                | Expected::Path { .. }
                | Expected::Own { .. },
            )
            | None => self.front_run().map_or(Scrub::No, |run| run.scrub),
        }
    }

    /// Takes everything that an error makes void: up to the Sync, which stays.
    pub(super) fn skip_to_sync(&mut self) -> Vec<Expected> {
        self.fresh();
        let until = self.expected.iter().position(is_sync).unwrap_or(self.expected.len());
        let void: Vec<Expected> = self.expected.drain(..until).collect();
        if void.iter().any(Expected::closes_ours) {
            self.remains = Remains::Statement;
        }
        void
    }

    /// Whether the client is still sending the batch whose reply comes now.
    pub(super) fn front_is_in_open_batch(&self) -> bool {
        self.batch == Batch::Open && !self.front_is_alone() && !self.has_sync()
    }

    /// Portals that were bound by messages whose replies are still to come.
    pub(super) fn bound(&self) -> impl Iterator<Item = u64> {
        self.expected.iter().filter_map(|expected| {
            if let Expected::Bind { id, .. } = expected { Some(*id) } else { None }
        })
    }

    /// Whether something behind the front may make later errors tell about hidden data.
    pub(super) fn scrubs_behind(&self) -> bool {
        let mut runs = self.expected.iter().skip(1).flat_map(Expected::runs);
        runs.any(|run| run.scrub == Scrub::Transaction)
    }

    pub(super) fn has_sync(&self) -> bool {
        self.expected.iter().any(is_sync)
    }

    /// Whether the front belongs to a batch of our own.
    pub(super) fn front_is_ours(&self) -> bool {
        let mut syncs = self.expected.iter().filter(|expected| is_sync(expected));
        !self.front_is_alone() && matches!(syncs.next(), Some(Expected::OwnSync))
    }

    /// Whether the front ends with a ReadyForQuery of its own.
    pub(super) fn front_is_alone(&self) -> bool {
        self.front().is_some_and(|front| front.place() == Place::Alone)
    }
}

fn is_sync(expected: &Expected) -> bool {
    expected.place() == Place::BatchEnd
}
