//! Columns of a write's target, one by one: read as masks, written unless the value is the mask
//! that the client was shown (law 7).

use std::sync::Arc;

use super::{Builder, Decided, RewriteError, Splice};
use crate::analysis::facts::{
    Assigned, Assignment, ColumnUse, Reference, UsePlace, Write, WriteAction,
};
use crate::decision::Hidden;
use crate::mask::{self, Otherwise};
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
        if hidden.is_empty() && one.decision.guarded.is_empty() {
            return Ok(());
        }
        let target = Target { relation, reference, hidden, builder: self };
        for found in &write.uses {
            target.read(found, write, splices)?;
        }
        for assignment in &write.assigned {
            splices.extend(target.assigned(assignment, one));
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
    /// A value that may be what the client was shown.
    fn assigned(&self, assignment: &Assignment, one: Decided<'_>) -> Option<Splice> {
        let Assigned::Plain(range) = &assignment.value else { return None };
        let column = self.relation.column(&assignment.column)?;
        let id = ColumnId { relation: self.relation.oid, number: column.number };
        let is_guarded = one.decision.guarded.contains(&id);
        let hidden = self.hidden_column(&assignment.column);
        if hidden.is_none() && !is_guarded {
            return None;
        }
        let name = qualified(self.name(), &assignment.column);
        let shown = hidden.map_or_else(
            || name.clone(),
            |(id, hidden)| self.masked(id, self.name(), &assignment.column, hidden),
        );
        let otherwise = if is_guarded { Otherwise::Fail } else { Otherwise::Store };
        let value = &self.builder.text[range.clone()];
        let text = mask::kept(&column.value, &name, &shown, value, otherwise);
        Some(Splice { range: range.clone(), text })
    }

    /// The mask of a column of `row`. Which rows are granted is asked of that row alone: in a
    /// write, and in queries inside of it, other rows have columns of the same names.
    fn masked(&self, id: ColumnId, row: &str, column: &str, hidden: &Hidden) -> String {
        let own = |rows: &Arc<str>| {
            let names = self.relation.columns.iter().map(|column| &column.name);
            let columns: Vec<String> = names
                .filter(|name| rows.contains(&quote_ident(name)))
                .map(|name| qualified(row, name))
                .collect();
            let (columns, row) = (columns.join(", "), quote_ident(row));
            Arc::from(format!("(SELECT {rows} FROM (SELECT {columns}) AS {row})"))
        };
        let hidden = Hidden { rows: hidden.rows.as_ref().map(own), ..hidden.clone() };
        self.builder.masked(id, &qualified(row, column), &hidden)
    }

    fn name(&self) -> &str {
        self.reference.alias.as_deref().unwrap_or(&self.relation.name.name)
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
        let Some(row) = self.row_of(found, write)? else { return Ok(()) };
        let Some(column) = &found.column else {
            return self.star(found, write, &row, splices);
        };
        if let Some(row) = self.whole_row(found, write) {
            splices.push(Splice { range: found.span.clone(), text: self.row(row, found) });
            return Ok(());
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
        let mask = self.masked(id, &row, column, hidden);
        let text = match found.place {
            UsePlace::Returned => format!("{mask} AS {}", quote_ident(column)),
            // A cast or CASE takes its name from the column below it.
            UsePlace::ReturnedExpression => format!("(SELECT {mask} AS {})", quote_ident(column)),
            // A subscript may follow.
            UsePlace::Condition | UsePlace::Assigned | UsePlace::Nested => format!("({mask})"),
        };
        splices.push(Splice { range: found.span.clone(), text });
        Ok(())
    }

    /// The name of the row that a use reads a column of; None if it is not the target's.
    fn row_of(&self, found: &ColumnUse, write: &Write) -> Result<Option<String>, RewriteError> {
        let Some(qualifier) = &found.qualifier else { return Ok(Some(self.name().to_owned())) };
        let is_other = || write.others.iter().any(|o| o.alias.as_ref() == Some(qualifier));
        if qualifier == self.name() || (write.versions.contains(qualifier) && !is_other()) {
            return Ok(Some(qualifier.clone()));
        }
        let inserts = write.actions.contains(&WriteAction::Insert);
        if (qualifier == "excluded" && inserts) || write.aliases.contains(qualifier) {
            return Ok(None);
        }
        Err(RewriteError::Unsupported("a row of unknown origin in a write"))
    }

    /// The row that stands there as a value of its own: the target's, or a version of it.
    fn whole_row<'b>(&self, found: &'b ColumnUse, write: &Write) -> Option<&'b str> {
        let name = found.column.as_deref().filter(|_| found.qualifier.is_none())?;
        let is_other = || write.others.iter().any(|o| o.alias.as_deref() == Some(name));
        let is_version = write.versions.iter().any(|version| version == name) && !is_other();
        let is_row = name == self.name() || is_version;
        (is_row && self.relation.column(name).is_none()).then_some(name)
    }

    /// A row with masks in it, as a value.
    fn row(&self, row: &str, found: &ColumnUse) -> String {
        let outputs = self.outputs(row).join(", ");
        let alias = match found.place {
            UsePlace::Returned => format!(" AS {}", quote_ident(row)),
            UsePlace::Condition
            | UsePlace::ReturnedExpression
            | UsePlace::Assigned
            | UsePlace::Nested => String::new(),
        };
        let name = quote_ident(row);
        format!("(SELECT {name} FROM (SELECT {outputs}) AS {name}){alias}")
    }

    fn outputs(&self, row: &str) -> Vec<String> {
        let columns = self.relation.columns.iter();
        columns
            .map(|column| match self.hidden_column(&column.name) {
                None => qualified(row, &column.name),
                Some((id, hidden)) => {
                    let mask = self.masked(id, row, &column.name, hidden);
                    format!("{mask} AS {}", quote_ident(&column.name))
                }
            })
            .collect()
    }

    /// `RETURNING *` names its columns, so that each can be masked.
    fn star(
        &self,
        found: &ColumnUse,
        write: &Write,
        row: &str,
        splices: &mut Vec<Splice>,
    ) -> Result<(), RewriteError> {
        if found.place != UsePlace::Returned
            || (found.qualifier.is_none() && !write.others.is_empty())
        {
            return Err(RewriteError::Unsupported("a star in a write"));
        }
        let text = self.outputs(row).join(", ");
        splices.push(Splice { range: found.span.clone(), text });
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
        let elsewhere = write.others.iter().any(|other| {
            let relation = other.relation.and_then(|oid| schema.relation(oid));
            relation.is_none_or(|relation| relation.column(column).is_some())
        });
        if elsewhere || found.place == UsePlace::Nested {
            return Err(RewriteError::Unsupported("an unqualified column beside other relations"));
        }
        Ok(())
    }
}

fn qualified(row: &str, column: &str) -> String {
    format!("{}.{}", quote_ident(row), quote_ident(column))
}
