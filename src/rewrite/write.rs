//! Columns of a write's target, one by one: read as masks, written unless the value is the mask
//! that the client was shown (law 7).

use super::{Builder, Decided, RewriteError, Splice};
use crate::analysis::facts::{
    Assigned, ColumnUse, OtherItem, Reference, UsePlace, Write, WriteAction,
};
use crate::decision::Hidden;
use crate::model::{ColumnId, quote_ident};
use crate::schema::Relation;

impl Builder<'_> {
    pub(super) fn write(
        self,
        write: &Write,
        one: Decided<'_>,
        splices: &mut Vec<Splice>,
    ) -> Result<(), RewriteError> {
        let reference = &one.analysis.references[write.target];
        let hidden = &one.decision.hidden[write.target];
        let Some(relation) = self.context.schema.relation(reference.relation) else {
            return Err(RewriteError::Unsupported("an unknown relation"));
        };
        if hidden.is_empty() {
            return Ok(());
        }
        let target = Target { relation, reference, hidden, builder: self };
        for found in &write.uses {
            target.read(found, write, splices)?;
        }
        for assignment in &write.assigned {
            let Assigned::Plain(range) = &assignment.value else { continue };
            if let Some((id, hidden)) = target.hidden_column(&assignment.column) {
                let column = target.qualified(&assignment.column);
                let mask = self.masked(id, &column, hidden);
                let value = &self.text[range.clone()];
                let text = format!(
                    "CASE WHEN ({value}) IS NOT DISTINCT FROM {mask} THEN {column} ELSE {value} END"
                );
                splices.push(Splice { range: range.clone(), text });
            }
        }
        Ok(())
    }
}

struct Target<'a> {
    relation: &'a Relation,
    reference: &'a Reference,
    hidden: &'a [Hidden],
    builder: Builder<'a>,
}

impl Target<'_> {
    fn name(&self) -> &str {
        self.reference.alias.as_deref().unwrap_or(&self.relation.name.name)
    }

    fn qualified(&self, column: &str) -> String {
        format!("{}.{}", quote_ident(self.name()), quote_ident(column))
    }

    fn hidden_column(&self, name: &str) -> Option<(ColumnId, &Hidden)> {
        let number = self.relation.column(name)?.number;
        let id = ColumnId { relation: self.relation.oid, number };
        self.hidden.iter().find(|hidden| hidden.column == id).map(|hidden| (id, hidden))
    }

    /// Replaces one use of a hidden column by its mask.
    fn read(
        &self,
        found: &ColumnUse,
        write: &Write,
        splices: &mut Vec<Splice>,
    ) -> Result<(), RewriteError> {
        let is_target = match found.qualifier.as_deref() {
            None => true,
            Some("excluded") if write.action == WriteAction::Insert => false,
            Some("old" | "new") if self.name() != "old" && self.name() != "new" => {
                return self.row_version(found);
            }
            Some(qualifier) => qualifier == self.name(),
        };
        if !is_target {
            return Ok(());
        }
        let Some(column) = &found.column else {
            return self.star(found, write, splices);
        };
        if column == self.name() && self.relation.column(column).is_none() {
            return Err(RewriteError::Unsupported("whole rows in a write"));
        }
        let Some((id, hidden)) = self.hidden_column(column) else {
            let known = self.relation.column(column).is_some()
                || crate::analysis::names::SYSTEM_COLUMNS.contains(&column.as_str());
            return if known || found.qualifier.is_none() {
                Ok(())
            } else {
                Err(RewriteError::Unsupported("a row's function in a write"))
            };
        };
        if found.qualifier.is_none() {
            self.is_unambiguous(column, found, write)?;
        }
        let mask = self.builder.masked(id, &self.qualified(column), hidden);
        let text = match found.place {
            UsePlace::Returned => format!("{mask} AS {}", quote_ident(column)),
            UsePlace::Condition
            | UsePlace::ReturnedExpression
            | UsePlace::Assigned
            | UsePlace::Nested => mask,
        };
        splices.push(Splice { range: found.span.clone(), text });
        Ok(())
    }

    /// `old.email` and `new.email` of RETURNING (PostgreSQL 18): refused where hidden.
    fn row_version(&self, found: &ColumnUse) -> Result<(), RewriteError> {
        match &found.column {
            Some(column) if self.hidden_column(column).is_none() => {
                if self.relation.column(column).is_some() {
                    Ok(())
                } else {
                    Err(RewriteError::Unsupported("OLD and NEW"))
                }
            }
            Some(_) | None => Err(RewriteError::Unsupported("OLD and NEW")),
        }
    }

    /// `RETURNING *` names its columns, so that each can be masked.
    fn star(
        &self,
        found: &ColumnUse,
        write: &Write,
        splices: &mut Vec<Splice>,
    ) -> Result<(), RewriteError> {
        if found.place != UsePlace::Returned
            || (found.qualifier.is_none() && !write.others.is_empty())
        {
            return Err(RewriteError::Unsupported("a star in a write"));
        }
        let outputs: Vec<String> = self
            .relation
            .columns
            .iter()
            .map(|column| match self.hidden_column(&column.name) {
                None => self.qualified(&column.name),
                Some((id, hidden)) => {
                    let mask = self.builder.masked(id, &self.qualified(&column.name), hidden);
                    format!("{mask} AS {}", quote_ident(&column.name))
                }
            })
            .collect();
        splices.push(Splice { range: found.span.clone(), text: outputs.join(", ") });
        Ok(())
    }

    /// An unqualified name is the target's only if nothing else in scope can have it.
    fn is_unambiguous(
        &self,
        column: &str,
        found: &ColumnUse,
        write: &Write,
    ) -> Result<(), RewriteError> {
        let schema = self.builder.context.schema;
        let elsewhere = write.others.iter().any(|other| match other {
            OtherItem::Relation(oid) => {
                schema.relation(*oid).is_none_or(|r| r.column(column).is_some())
            }
            OtherItem::Unknown => true,
        });
        if elsewhere || found.place == UsePlace::Nested {
            return Err(RewriteError::Unsupported("an unqualified column beside other relations"));
        }
        Ok(())
    }
}
