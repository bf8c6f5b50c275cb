//! What a scan found, beside what the catalog says: for people, for programs, and to go on from.
//!
//! Everything here is words and counts. It is written to files and read back, and holds no value.

mod page;

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::catalog::{Catalog, Hiding, MaskSpec, Table};
use crate::mask::WireMask;
use crate::model::{RelationName, misleads};
use crate::schema::ValueType;

/// From here on a finding is proposed for the catalog, in percent.
pub const AT_LEAST_DEFAULT: u8 = 60;

/// From here on it is worth a look.
pub const DOUBTFUL_FROM: u8 = 30;

/// Reasons of one finding that are kept.
const REASONS_MAX: usize = 8;

/// Longest key of a document that is taken for a name; what is longer, or has other characters, may
/// be somebody's data.
const KEY_CHARS_MAX: usize = 40;

/// What was seen of one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScannedTable {
    pub schema: String,
    pub name: String,
    pub kind: TableKind,
    /// Rows that were looked at.
    pub rows: u64,
    /// Why no values were read; names were looked at all the same.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub skipped: Option<String>,
    /// What limits what the rows say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    pub columns: Vec<ScannedColumn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    Table,
    PartitionedTable,
    MaterializedView,
    ForeignTable,
    /// Its columns follow from its tables, and only their names are looked at.
    View,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScannedColumn {
    pub name: String,
    pub data_type: String,
    /// Most confident first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<Found>,
    /// As the schema has it now: it is not kept.
    #[serde(skip)]
    pub value: Option<ValueType>,
    /// Masked; shown to whoever asked for them, and not kept.
    #[serde(skip)]
    pub samples: Vec<String>,
}

/// A finding in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    pub kind: String,
    pub class: String,
    /// In percent.
    pub confidence: u8,
    pub reasons: Vec<String>,
    /// Inside of a document: `$.contact.email`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    pub seen: u64,
    pub matched: u64,
    /// How the class is best hidden, as the catalog says it; None: touching it is refused.
    pub mask: Option<Mask>,
}

/// A mask as the catalog writes it: `{ kind = "email" }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask(pub MaskSpec);

impl Found {
    pub fn new(finding: &Finding) -> Self {
        let reasons = finding.reasons.iter().take(REASONS_MAX);
        Self {
            kind: finding.kind.name().to_owned(),
            class: finding.kind.class().to_owned(),
            confidence: finding.confidence.0,
            reasons: reasons.map(|reason| one_line(&reason.to_string())).collect(),
            path: finding.path.as_deref().map(path),
            seen: finding.seen,
            matched: finding.matched,
            mask: match finding.kind.mask() {
                Hiding::Mask(spec) => Some(Mask(spec)),
                Hiding::Deny => None,
            },
        }
    }
}

/// Without what would end a comment's line or turn its direction.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if misleads(c) { ' ' } else { c }).collect()
}

/// Keys that do not look like somebody named them are data, and become `*`.
fn path(path: &str) -> String {
    let parts = path.split('.').map(|part| {
        let (key, behind) = part.split_at(part.find('[').unwrap_or(part.len()));
        let plain = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '$' | '*');
        let is_name = key.chars().count() <= KEY_CHARS_MAX
            && key.chars().all(|c| plain(c) || c.is_ascii_digit())
            && key.starts_with(plain);
        let is_index = behind.is_empty() || behind == "[*]" || behind == "[]";
        let key = if is_name || key.is_empty() { key } else { "*" };
        format!("{key}{}", if is_index { behind } else { "[*]" })
    });
    parts.collect::<Vec<_>>().join(".")
}

impl ScannedTable {
    pub fn relation(&self) -> RelationName {
        RelationName::new(&self.schema, &self.name)
    }
}

/// What a finding means beside the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The catalog does not name the column, and it looks like personal data.
    New,
    /// The catalog has another class.
    Differs,
    /// Something speaks for it, but not enough to propose it.
    Doubtful,
    /// The catalog says `clear`: somebody has looked at it.
    Clear,
    /// In the catalog, with the class that was found.
    Agrees,
    /// In the catalog, and nothing was found.
    Declared,
    /// Of a view: its tables are what can be catalogued.
    Follows,
}

impl Standing {
    pub const ALL: [Self; 7] = [
        Self::New,
        Self::Differs,
        Self::Doubtful,
        Self::Clear,
        Self::Agrees,
        Self::Declared,
        Self::Follows,
    ];

    /// Whether somebody should decide about it.
    pub fn is_open(self) -> bool {
        match self {
            Self::New | Self::Differs | Self::Doubtful => true,
            Self::Clear | Self::Agrees | Self::Declared | Self::Follows => false,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Differs => "differs",
            Self::Doubtful => "doubtful",
            Self::Clear => "declared clear",
            Self::Agrees => "agrees",
            Self::Declared => "declared, not found by sampling",
            Self::Follows => "view, follows its tables",
        }
    }
}

/// A column of which something is to be said.
#[derive(Clone, Debug, Serialize)]
pub struct Column<'a> {
    pub table: String,
    pub column: &'a str,
    #[serde(skip)]
    pub relation: RelationName,
    #[serde(skip)]
    pub scanned: &'a ScannedColumn,
    pub data_type: &'a str,
    pub standing: Standing,
    /// What the catalog calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalogued: Option<&'a str>,
    /// What is found, most confident first.
    pub findings: &'a [Found],
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    pub database: &'a str,
    /// From here on a finding is proposed, in percent.
    pub at_least: u8,
    pub totals: Totals,
    pub columns: Vec<Column<'a>>,
    /// Tables whose values were not read, and why.
    pub skipped: Vec<Skipped<'a>>,
    /// Tables of whose rows the account sees a part, perhaps.
    pub notes: Vec<Skipped<'a>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub tables: u64,
    pub columns: u64,
    pub rows: u64,
    pub new: u64,
    pub differs: u64,
    pub doubtful: u64,
    pub agrees: u64,
    pub declared: u64,
}

#[derive(Debug, Serialize)]
pub struct Skipped<'a> {
    pub table: String,
    pub why: &'a str,
}

impl<'a> Report<'a> {
    /// Holds what was found against the catalog.
    pub fn new(
        database: &'a str,
        tables: &'a [ScannedTable],
        catalog: &'a Catalog,
        at_least: u8,
    ) -> Self {
        let mut report = Self {
            database,
            at_least,
            totals: Totals::default(),
            columns: Vec::new(),
            skipped: Vec::new(),
            notes: Vec::new(),
        };
        for table in tables {
            report.table(table, catalog);
        }
        report
    }

    fn table(&mut self, table: &'a ScannedTable, catalog: &'a Catalog) {
        let relation = table.relation();
        self.totals.tables += 1;
        self.totals.rows += table.rows;
        let said = |why: &'a String| Skipped { table: relation.dotted(), why };
        self.skipped.extend(table.skipped.as_ref().map(said));
        self.notes.extend(table.note.as_ref().map(said));
        let known = catalog.tables.iter().find(|known| known.name == relation);
        for scanned in &table.columns {
            self.totals.columns += 1;
            let catalogued = known.and_then(|known: &Table| known.columns.get(&scanned.name));
            let catalogued = catalogued.map(String::as_str);
            let Some(standing) = standing(table.kind, scanned, catalogued, self.at_least) else {
                continue;
            };
            self.totals.count(standing);
            self.columns.push(Column {
                table: relation.dotted(),
                column: &scanned.name,
                relation: relation.clone(),
                scanned,
                data_type: &scanned.data_type,
                standing,
                catalogued,
                findings: &scanned.findings,
            });
        }
    }

    /// Whether something looks like personal data and the catalog does not say so.
    pub fn has_news(&self) -> bool {
        self.totals.new > 0
    }

    /// The columns that somebody should decide about.
    pub fn open(&self) -> impl Iterator<Item = &Column<'a>> {
        self.columns.iter().filter(|column| column.standing.is_open())
    }

    /// From which confidence on findings count, in percent, if somebody says yes to the column:
    /// whoever says yes to a doubtful finding means it.
    pub fn enough_for(&self, column: &Column<'_>) -> u8 {
        let best = column.findings.first().map_or(0, |found| found.confidence);
        self.at_least.min(best)
    }

    /// One file without scripts that loads nothing. `now`: when it is made.
    pub fn html(&self, now: &str) -> String {
        page::page(self, now)
    }
}

impl Totals {
    fn count(&mut self, standing: Standing) {
        match standing {
            Standing::New => self.new += 1,
            Standing::Differs => self.differs += 1,
            Standing::Doubtful => self.doubtful += 1,
            Standing::Agrees => self.agrees += 1,
            Standing::Declared | Standing::Clear => self.declared += 1,
            Standing::Follows => {}
        }
    }
}

/// None: there is nothing to say about the column.
fn standing(
    kind: TableKind,
    column: &ScannedColumn,
    catalogued: Option<&str>,
    at_least: u8,
) -> Option<Standing> {
    let best = column.findings.first().map_or(0, |found| found.confidence);
    match catalogued {
        Some(crate::analysis::sensitive::CLASS_CLEAR) => Some(Standing::Clear),
        Some(_) if best < at_least => Some(Standing::Declared),
        Some(class) if column.is_said_to_be(class, at_least) => Some(Standing::Agrees),
        Some(_) => Some(Standing::Differs),
        None if best < DOUBTFUL_FROM.min(at_least) => None,
        None if kind == TableKind::View => Some(Standing::Follows),
        None if best < at_least => Some(Standing::Doubtful),
        None => Some(Standing::New),
    }
}

impl ScannedColumn {
    /// What a catalog would call it; None: nothing is proposed.
    pub fn class(&self, at_least: u8) -> Option<String> {
        super::draft::class(self, at_least).map(|class| class.name)
    }

    /// A class that was found, be it not the first, or a coarser one for the same reasons.
    fn is_said_to_be(&self, class: &str, at_least: u8) -> bool {
        let class = class.strip_suffix(super::draft::REDACTED).unwrap_or(class);
        self.class(at_least).is_some_and(|proposed| proposed == class)
            || self
                .findings
                .iter()
                .any(|found| found.confidence >= at_least && found.class == class)
    }
}

/// Whether a mask can be used on the column.
pub(super) fn fits(mask: &MaskSpec, value: Option<&ValueType>) -> bool {
    value.is_none_or(|value| WireMask::new(mask, value).is_ok())
}

#[cfg(test)]
mod tests;
