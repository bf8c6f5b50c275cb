//! Permissions: grants, the live table that every session reads, requests and the policies that
//! decide on them. Pure: [`Ledger`] turns a command into events and events into state, and
//! `store::approvals` keeps the events.

mod actions;
mod approvers;
mod ask;
mod budget;
mod conditions;
mod event;
pub mod factor;
#[cfg(test)]
mod fixture;
mod hours;
mod ledger;
mod limits;
mod live;
mod meter;
mod network;
mod policy;
mod predicate;
mod resource;
mod restriction;
pub mod seal;
mod subject;
mod terms;
mod view;
mod written;

use std::sync::Arc;

use crate::model::Timestamp;

pub use actions::Actions;
pub use approvers::{Approver, Approvers, Proof, SecondFactor};
pub use budget::{Budget, Claim, Limit, Origin, Spent, Usage};
pub use conditions::{Conditions, Holds, Unmet};
pub use event::{GrantEvent, Proven, RecordedEvent};
pub use hours::{Hours, HoursError};
pub use ledger::{Approving, Change, Extension, Ledger, LedgerError, RISK, Scope, Wish};
pub use limits::{Limits, Runs};
pub use live::{Asked, Counting, LiveTable};
pub use meter::LookupMeter;
pub use network::{Network, NetworkError};
pub use policy::{
    Allowed, Asker, ConditionTexts, Decision, Policies, Policy, PolicyError, PolicyText,
    StandingText, Step, Trial, may_approve,
};
pub use predicate::{PredicateError, RowPredicate};
pub use resource::{Pattern, Resource, ResourceError};
pub use restriction::{Restrict, Restricted, Restriction, Signalled};
pub use subject::{Subject, SubjectError};
pub use terms::{
    Ask, DirectGrant, Grant, GrantState, GrantView, Live, Request, RequestState, Review, Standing,
    Terms, Urgency, Used,
};
pub use view::{CatalogView, CataloguedColumn};
pub use written::{AskText, Said, yes};

pub type GrantId = u64;
pub type RequestId = u64;

/// What a grant allows. `Read` shows, `Lookup` finds by equality, `Write` stores, `Export` lets
/// raw values be copied into places that the proxy does not guard.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Read,
    Lookup,
    Write,
    Export,
}

/// Why a column is shown raw: the grants that say so, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    pub grants: Vec<GrantId>,
    /// The earliest moment at which this may no longer hold; None for standing grants.
    pub until: Option<Timestamp>,
    /// SQL over the relation's columns; rows for which it is true are raw. None: every row.
    pub rows: Option<Arc<str>>,
    /// What has to be counted while this is shown.
    pub meters: Vec<Meter>,
    /// Those of the grants whose time begins to run with this.
    pub unstarted: Vec<GrantId>,
}

/// A limited grant that something is shown by; equal to another of the same grant.
#[derive(Clone, Debug)]
pub struct Meter(pub Arc<Budget>);

impl PartialEq for Meter {
    fn eq(&self, other: &Self) -> bool {
        self.0.grant() == other.0.grant()
    }
}

impl Eq for Meter {}
