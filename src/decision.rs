//! The verdict: the one place that says yes or no. Pure.
//!
//! A statement's analysis, the catalog, the grants and the time go in; how the statement may run,
//! what stays hidden and why comes out.

mod counting;
mod named;
mod refusal;
mod release;
mod verdict;
mod whose;
mod writes;

use std::sync::Arc;

use crate::analysis::sensitive::{PiiColumn, Sensitive};
use crate::grant::{Action, Asked, CatalogView, Counting, Cover, GrantId, LiveTable};
use crate::mask::{Format, MaskError, Needs, WireMask};
use crate::model::{ByNumber, Client, ColumnId, ColumnPath, Epoch, Report, Timestamp};
use crate::schema::Snapshot;

use named::Named;
pub use refusal::{ask_for, hidden_notice, may_not_change, scrubbed};
pub use release::{Release, Subjects};
pub use verdict::decide;
pub use whose::{KeyColumn, RowsOf, Tells, Whose, mixed};

/// What the configuration says about hiding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub mode: Mode,
    pub persist: Persist,
    /// How many values a user may look up in a minute.
    pub lookups_per_minute: u32,
    pub writes: Writes,
    pub notice: Notice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Enforce,
    /// Decide and record, change nothing.
    Observe,
}

/// Storing values derived from hidden PII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persist {
    Refuse,
    /// Masks are stored.
    Masked,
}

/// A client's own values for PII columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    Allow,
    /// Only with a grant for `write`.
    Refuse,
}

/// Whether a masked statement says so in a NOTICE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    Silent,
    PerStatement,
}

/// All that decisions about one database rest on, published whole.
#[derive(Debug)]
pub struct World {
    pub epoch: Epoch,
    /// As the configuration names it; `*` stands for any.
    pub database: Arc<str>,
    pub schema: Arc<Snapshot>,
    pub sensitive: Sensitive,
    /// What can be asked for, for requests and hints.
    pub view: CatalogView,
    pub rules: Rules,
    /// How rows say whose they are.
    pub whose: Whose,
    masks: ByNumber<ColumnId, WireMask>,
    named: Named,
}

impl World {
    /// Puts the parts together. A mask that does not apply to its column's type is reported, and
    /// the column is then hidden as NULL.
    pub fn new(
        epoch: Epoch,
        database: Arc<str>,
        schema: impl Into<Arc<Snapshot>>,
        sensitive: Sensitive,
        view: CatalogView,
        rules: Rules,
    ) -> (Self, Vec<(Arc<ColumnPath>, MaskError)>) {
        let (mut masks, mut problems) = (ByNumber::default(), Vec::new());
        for (id, column) in &sensitive.columns {
            match WireMask::new(spec_of(column), &column.value) {
                Ok(mask) => {
                    masks.insert(*id, mask);
                }
                Err(error) => problems.push((column.path.clone(), error)),
            }
        }
        let schema = schema.into();
        let view = view.without(&schema, |column| sensitive.column(column).is_some());
        let whose = Whose::bind(&schema, &sensitive, &view);
        (
            Self {
                epoch,
                database,
                schema,
                sensitive,
                view,
                rules,
                whose,
                masks,
                named: Named::default(),
            },
            problems,
        )
    }

    /// The mask to put on a column's fields on the wire; None where it has to be done in SQL.
    pub fn wire_mask(&self, column: ColumnId) -> Option<&WireMask> {
        self.masks.get(&column)
    }

    /// The mask's definition; a column whose own mask does not fit its type is NULL.
    pub fn mask_spec(&self, column: ColumnId) -> &crate::catalog::MaskSpec {
        match (self.sensitive.column(column), self.masks.contains_key(&column)) {
            (Some(pii), true) => spec_of(pii),
            _ => &crate::catalog::MaskSpec::Null,
        }
    }
}

/// A denied column that nobody reads still stands in masked rows: as NULL.
fn spec_of(column: &PiiColumn) -> &crate::catalog::MaskSpec {
    match &column.hiding {
        crate::catalog::Hiding::Mask(spec) => spec,
        crate::catalog::Hiding::Deny => &crate::catalog::MaskSpec::Null,
    }
}

/// Who asks, when, and by what grants.
#[derive(Clone, Copy, Debug)]
pub struct Standpoint<'a> {
    pub world: &'a World,
    pub client: &'a Client,
    pub grants: &'a LiveTable,
    pub now: Timestamp,
    pub forms: Forms,
}

/// How the session's values look on the wire, as far as masks depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Forms {
    pub encoding: Encoding,
    pub dates: Dates,
}

/// The session's `client_encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    Utf8,
    Other,
}

/// The session's `DateStyle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dates {
    Iso,
    Other,
}

impl Standpoint<'_> {
    /// Whether the mask can be put on the wire in whatever format the client asks for.
    pub fn can_mask(&self, mask: &WireMask) -> bool {
        [Format::Text, Format::Binary].iter().all(|format| match mask.needs(*format) {
            Some(Needs::Nothing) => true,
            Some(Needs::Utf8) => self.forms.encoding == Encoding::Utf8,
            Some(Needs::IsoDates) => self.forms.dates == Dates::Iso,
            None => false,
        })
    }
}

impl Standpoint<'_> {
    /// Why the column may be used for `action`; None: it may not. Columns that are no PII are not
    /// asked about.
    ///
    /// By grants whose use nobody has to record: see [`Self::cover_counting`].
    pub fn cover(&self, column: ColumnId, action: Action) -> Option<Cover> {
        self.cover_counting(column, action, Counting::Free)
    }

    /// The same, for a statement whose result can be counted as `counting` says.
    pub fn cover_counting(
        &self,
        column: ColumnId,
        action: Action,
        counting: Counting,
    ) -> Option<Cover> {
        let pii = self.world.sensitive.column(column)?;
        let asked = Asked { action, now: self.now, counting };
        self.grants.cover(self.client, &pii.path, &pii.class, asked)
    }

    /// The same, by no other grants than these, for what has been counted.
    fn cover_among(&self, column: ColumnId, action: Action, among: &[GrantId]) -> Option<Cover> {
        let pii = self.world.sensitive.column(column)?;
        let asked = Asked { action, now: self.now, counting: Counting::Paid };
        self.grants.cover_among(self.client, &pii.path, &pii.class, asked, among)
    }
}

/// How a statement may run.
#[derive(Clone, Debug)]
pub struct Decision {
    pub way: Way,
    /// For each reference of the analysis, the columns that stay hidden in it.
    pub hidden: Vec<Vec<Hidden>>,
    /// Columns that the statement may only set to what they are or show: constraints over hidden
    /// values rest on them.
    pub guarded: Vec<ColumnId>,
    pub release: Release,
    /// Whether errors and notices of the statement may tell about hidden values.
    pub scrub: Scrub,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// The client's own text; what it shows of PII is granted.
    Forward,
    /// The client's own text, with hidden columns masked on the wire.
    Show,
    /// The text with masks spliced in.
    Compute,
    Refuse(Box<Report>),
}

/// A column that stays hidden, except in the rows for which the SQL in `rows` is true.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hidden {
    pub column: ColumnId,
    pub rows: Option<Arc<str>>,
    /// Whether equality may be evaluated on what is stored.
    pub lookup: Option<Lookup>,
}

/// A grant for `lookup`: on every row, or on those for which the SQL in `rows` is true.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lookup {
    pub rows: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scrub {
    No,
    /// This statement's.
    Statement,
    /// Everything up to the end of the transaction: deferred triggers speak at COMMIT.
    Transaction,
}

impl World {
    /// Whether some sensitive relation has a name that other encodings spell in other bytes.
    pub fn has_non_ascii_names(&self) -> bool {
        self.sensitive
            .relations
            .keys()
            .filter_map(|oid| self.schema.relation(*oid))
            .any(|relation| !relation.name.name.is_ascii())
    }
}
