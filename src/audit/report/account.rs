//! What the log says of itself and of its proxy.

use std::collections::VecDeque;

use serde::Deserialize;

use crate::audit::Kind;
use crate::model::Timestamp;

/// Changes that are told one by one, the newest; all are counted.
const CHANGES_MAX: usize = 1_000;

/// What became of the proxy and its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub started: u64,
    pub stopped: u64,
    /// Last lines that a crash cut short, and were removed.
    pub repaired: u64,
    /// Records that could not be kept.
    pub lost: u64,
    /// The last record that was removed, as its time was over.
    pub retired_through: u64,
    pub checkpoints: u64,
    pub changes: u64,
    pub newest: VecDeque<Change>,
}

/// The configuration or a catalog has changed, or something befell the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub seq: u64,
    pub time: Timestamp,
    pub kind: Kind,
    pub step: String,
    pub by: Option<String>,
    pub about: String,
}

/// What only these kinds of records have.
#[derive(Deserialize)]
pub(super) struct Note {
    seq: u64,
    time: Timestamp,
    step: Option<String>,
    by: Option<String>,
    database: Option<String>,
    #[serde(default)]
    changed: Vec<String>,
    digest: Option<String>,
    #[serde(default)]
    records: u64,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    through: u64,
    version: Option<String>,
    mode: Option<String>,
    reason: Option<String>,
}

impl Account {
    pub(super) fn take(&mut self, kind: Kind, note: Note) {
        let mut said = Vec::new();
        match kind {
            Kind::Started => {
                self.started += 1;
                said.extend(note.version.map(|version| format!("version {version}")));
                said.extend(note.mode);
            }
            Kind::Stopped => {
                self.stopped += 1;
                said.extend(note.reason);
            }
            Kind::Repaired => {
                self.repaired += 1;
                said.push(format!("{} bytes of a line without an end removed", note.bytes));
            }
            Kind::Lost => {
                self.lost = self.lost.saturating_add(note.records);
                said.push(format!("{} records lost", note.records));
            }
            Kind::Retired => {
                self.retired_through = self.retired_through.max(note.through);
                said.push(format!("records up to {} removed", note.through));
            }
            Kind::Configuration | Kind::Catalog => {
                said.extend(note.database);
                if !note.changed.is_empty() {
                    said.push(format!("changed: {}", note.changed.join(", ")));
                }
                said.extend(note.digest.map(|digest| format!("digest {digest}")));
            }
            Kind::Checkpoint => {
                self.checkpoints += 1;
                return;
            }
            Kind::Statement
            | Kind::Release
            | Kind::Login
            | Kind::LoginFailed
            | Kind::Logout
            | Kind::Grant
            | Kind::Signal
            | Kind::Explored
            | Kind::Other => return,
        }
        self.changes += 1;
        self.newest.push_back(Change {
            seq: note.seq,
            time: note.time,
            kind,
            step: note.step.unwrap_or_default(),
            by: note.by,
            about: said.join("; "),
        });
        self.shrink();
    }

    pub(super) fn merge(&mut self, later: Self) {
        let Self {
            started,
            stopped,
            repaired,
            lost,
            retired_through,
            checkpoints,
            changes,
            newest,
        } = later;
        self.started += started;
        self.stopped += stopped;
        self.repaired += repaired;
        self.lost = self.lost.saturating_add(lost);
        self.retired_through = self.retired_through.max(retired_through);
        self.checkpoints += checkpoints;
        self.changes += changes;
        self.newest.extend(newest);
        self.shrink();
    }

    fn shrink(&mut self) {
        let over = self.newest.len().saturating_sub(CHANGES_MAX);
        self.newest.drain(..over);
    }
}
