//! An answer as a client sees it, and what two of them differ in.

use crate::support::message::Reply;

/// What a client makes of a reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) columns: Vec<(String, u32)>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) copied: Vec<u8>,
    pub(crate) tags: Vec<String>,
    pub(crate) code: String,
}

impl Seen {
    pub(crate) fn of(sql: &str, reply: &Reply) -> Self {
        let mut rows = reply.rows();
        if !sql.to_ascii_lowercase().contains("order by") {
            rows.sort();
        }
        // Types of the suite's own have other OIDs in each database; a masked row is a record.
        let builtin = |oid: u32| match oid {
            2249 | 2287 | 16384.. => 0,
            oid => oid,
        };
        let columns = reply.columns().into_iter();
        Self {
            columns: columns.map(|it| (it.name, builtin(it.type_oid))).collect(),
            rows,
            copied: reply.copied(),
            tags: reply.tags(),
            code: reply.code(),
        }
    }

    /// The same rows in another order, where that is not determined.
    pub(crate) fn sorted(mut self) -> Self {
        self.rows.sort();
        let mut lines: Vec<&[u8]> = self.copied.split(|b| *b == b'\n').collect();
        lines.sort_unstable();
        self.copied = lines.join(&b'\n');
        self
    }

    pub(crate) fn difference(&self, other: &Self) -> String {
        if self.code != other.code {
            return format!("    SQLSTATE {:?}, on the twin {:?}", self.code, other.code);
        }
        if self.columns != other.columns {
            return format!("    columns {:?}\n    twin    {:?}", self.columns, other.columns);
        }
        let pairs = self.rows.iter().zip(&other.rows);
        if let Some((one, two)) = pairs.into_iter().find(|(one, two)| one != two) {
            return format!("    row  {one:?}\n    twin {two:?}");
        }
        let told = |it: &Self| format!("{} rows {:?}", it.rows.len(), it.tags);
        format!("    {}, on the twin {}", told(self), told(other))
    }
}
