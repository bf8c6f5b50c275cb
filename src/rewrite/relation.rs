//! A relation becomes a subselect that masks its hidden columns; a view becomes its definition
//! over masked relations.

use pg_query::protobuf::Token as TokenKind;

use super::{Builder, Decided, RewriteError, Splice, VIEWS_NESTED_MAX, apply};
use crate::analysis::facts::{Children, Lookup, Place, Reference};
use crate::analysis::names::Reach as NamesReach;
use crate::analysis::parse::parse;
use crate::analysis::sensitive::Reach;
use crate::analysis::{Context, SearchPath, analyse};
use crate::decision::{Hidden, Way, decide};
use crate::mask;
use crate::model::{ColumnId, quote_ident};
use crate::schema::{Column, Relation};

/// The conditions of a reference that a grant lets run on stored values.
fn looked_up<'a>(
    reference: &'a Reference,
    hidden: &'a [Hidden],
) -> impl Iterator<Item = (&'a Lookup, &'a Hidden)> {
    reference.lookups.iter().filter_map(|lookup| {
        let hidden = hidden.iter().find(|hidden| hidden.column == lookup.column)?;
        hidden.lookup.is_some().then_some((lookup, hidden))
    })
}

/// `json` has no equality to group by (`pg_type.dat`).
const JSON_OID: crate::model::Oid = 114;

impl Builder<'_> {
    pub(super) fn reference(
        self,
        reference: &Reference,
        hidden: &[Hidden],
        splices: &mut Vec<Splice>,
    ) -> Result<(), RewriteError> {
        let relation = self
            .context
            .schema
            .relation(reference.relation)
            .ok_or(RewriteError::Unsupported("an unknown relation"))?;
        let is_view =
            matches!(self.context.sensitive.reach(relation.oid), Some(Reach::View { .. }));
        match reference.place {
            Place::From | Place::TableCommand => {
                let subselect = if is_view {
                    format!("({})", self.view(relation)?)
                } else {
                    self.subselect(relation, reference, hidden)?
                };
                let alias = match reference.alias {
                    Some(_) => String::new(),
                    None => format!(" AS {}", quote_ident(&relation.name.name)),
                };
                let is_command = reference.place == Place::TableCommand;
                let select = if is_command { "SELECT * FROM " } else { "" };
                let text = format!("{select}{subselect}{alias}");
                splices.push(Splice { range: reference.span.clone(), text });
                for (lookup, _) in looked_up(reference, hidden) {
                    splices.push(Splice { range: lookup.span.clone(), text: "true".to_owned() });
                }
                splices.extend(self.grouped(relation, reference));
                Ok(())
            }
            Place::Copy if !is_view => self.copied(relation, reference, hidden, splices),
            Place::Copy => Err(RewriteError::Unsupported("COPY of a view")),
            // PostgreSQL refuses it, too.
            Place::Sampled if is_view => Err(RewriteError::Unsupported("TABLESAMPLE of a view")),
            Place::Sampled => self.sampled(relation, reference, hidden, splices),
            // Column by column, in `write`.
            Place::Target(_) | Place::CopyTarget | Place::Utility => Ok(()),
        }
    }

    /// `public.customers.email` loses its schema where `public.customers` became a subselect.
    pub(super) fn rows_by_schema(self, one: Decided<'_>, splices: &mut Vec<Splice>) {
        let replaced = |relation| {
            let references = one.analysis.references.iter().zip(&one.decision.hidden);
            references.into_iter().any(|(reference, hidden)| {
                reference.relation == relation
                    && reference.alias.is_none()
                    && !hidden.is_empty()
                    && matches!(reference.place, Place::From | Place::Sampled)
            })
        };
        for row in &one.analysis.rows_by_schema {
            let Some(relation) = self.context.schema.relation(row.relation) else { continue };
            let is_free = !splices.iter().any(|splice| splice.range.contains(&row.span.start));
            if is_free && replaced(row.relation) {
                let text = quote_ident(&relation.name.name);
                splices.push(Splice { range: row.span.clone(), text });
            }
        }
    }

    /// `(SELECT id, <mask> AS email, … FROM ONLY public.customers)`
    fn subselect(
        self,
        relation: &Relation,
        reference: &Reference,
        hidden: &[Hidden],
    ) -> Result<String, RewriteError> {
        let mut outputs: Vec<String> =
            relation.columns.iter().map(|column| self.output(relation, column, hidden)).collect();
        if !reference.system.is_empty() {
            let names = &analyse(self.parsed, self.index, self.context).names;
            let row = reference.alias.as_deref().unwrap_or(&relation.name.name);
            let columns = relation.columns.iter().map(|column| column.name.as_str()).collect();
            if names.reads_row(&[row], &columns) {
                return Err(RewriteError::Unsupported("system columns beside a whole row"));
            }
            outputs.extend(reference.system.iter().map(|name| (*name).to_owned()));
        }
        let only = match reference.children {
            Children::Included => "",
            Children::Only => "ONLY ",
        };
        let from = relation.name.quoted();
        let found = self.found(relation, reference, hidden);
        Ok(format!("(SELECT {} FROM {only}{from}{found})", outputs.join(", ")))
    }

    /// The conditions that run on stored values, as a WHERE below the masks. The operator is
    /// PostgreSQL's own, whatever the `search_path` says.
    fn found(self, relation: &Relation, reference: &Reference, hidden: &[Hidden]) -> String {
        let conditions: Vec<String> = looked_up(reference, hidden)
            .filter_map(|(lookup, hidden)| {
                let name = quote_ident(&relation.column_numbered(lookup.column.number)?.name);
                let rows = hidden.lookup.as_ref().and_then(|lookup| lookup.rows.as_ref());
                let compared = match rows {
                    None => name,
                    Some(rows) => {
                        let mask = self.masked(lookup.column, &name, hidden);
                        format!("CASE WHEN {rows} THEN {name} ELSE {mask} END")
                    }
                };
                let value_type = &relation.column_numbered(lookup.column.number)?.value;
                let equal = lookup
                    .values
                    .iter()
                    .map(|value| mask::equals(value_type, &compared, &self.text[value.clone()]));
                Some(format!("({})", equal.collect::<Vec<_>>().join(" OR ")))
            })
            .collect();
        if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        }
    }

    /// The sample is taken below the masks; an alias keeps its place before the clause.
    fn sampled(
        self,
        relation: &Relation,
        reference: &Reference,
        hidden: &[Hidden],
        splices: &mut Vec<Splice>,
    ) -> Result<(), RewriteError> {
        let sample = reference.sample.clone().ok_or(RewriteError::Unsupported("TABLESAMPLE"))?;
        let mut subselect = self.subselect(relation, reference, hidden)?;
        subselect.insert_str(subselect.len() - 1, &format!(" {}", &self.text[sample.clone()]));
        let alias = match reference.alias {
            Some(_) => self.text[reference.span.end..sample.start].to_owned(),
            None => format!(" AS {}", quote_ident(&relation.name.name)),
        };
        let text = format!("{subselect}{alias}");
        splices.push(Splice { range: reference.span.start..sample.end, text });
        Ok(())
    }

    /// Adds to a GROUP BY what its primary key implied: the relation's other columns in use.
    fn grouped(self, relation: &Relation, reference: &Reference) -> Option<Splice> {
        let group = reference.group.as_ref()?;
        let row = reference.alias.as_deref().unwrap_or(&relation.name.name);
        let names = analyse(self.parsed, self.index, self.context).names;
        let is_grouped = |column: &Column| {
            group.columns.iter().any(|(qualifier, name)| {
                *name == column.name && qualifier.as_deref().is_none_or(|q| q == row)
            })
        };
        let key = relation.primary_key.iter().map(|number| relation.column_numbered(*number));
        let by_key = !relation.primary_key.is_empty()
            && key.into_iter().all(|column| column.is_some_and(is_grouped));
        if !by_key {
            return None;
        }
        let used = |column: &&Column| {
            !is_grouped(column)
                && column.value.oid != JSON_OID
                && (names.reach == NamesReach::Everything || names.columns.contains(&column.name))
        };
        let mut text = String::new();
        for column in relation.columns.iter().filter(used) {
            text.push_str(&format!(", {}.{}", quote_ident(row), quote_ident(&column.name)));
        }
        (!text.is_empty()).then_some(Splice { range: group.end..group.end, text })
    }

    fn output(self, relation: &Relation, column: &Column, hidden: &[Hidden]) -> String {
        let name = quote_ident(&column.name);
        let id = ColumnId { relation: relation.oid, number: column.number };
        match hidden.iter().find(|hidden| hidden.column == id) {
            None => name,
            Some(hidden) => format!("{} AS {name}", self.masked(id, &name, hidden)),
        }
    }

    /// The mask of `column`, an SQL expression; the column itself in rows that are granted.
    pub(super) fn masked(self, id: ColumnId, column: &str, hidden: &Hidden) -> String {
        let spec = self.standpoint.world.mask_spec(id);
        let Some(value) = self.context.schema.column(id).map(|column| &column.value) else {
            return "NULL".to_owned();
        };
        let mask = mask::sql_expression(spec, value, column);
        match &hidden.rows {
            None => mask,
            Some(rows) => format!("CASE WHEN {rows} THEN {column} ELSE {mask} END"),
        }
    }

    /// COPY of a table reads that table alone, and leaves generated columns out.
    fn copied(
        self,
        relation: &Relation,
        reference: &Reference,
        hidden: &[Hidden],
        splices: &mut Vec<Splice>,
    ) -> Result<(), RewriteError> {
        let tree = &self.parsed.statements[self.index].tree;
        let named = tree.names("attlist");
        let columns: Vec<&Column> = if named.is_empty() {
            relation.columns.iter().filter(|column| column.generated_from.is_none()).collect()
        } else {
            let found = named.iter().map(|name| relation.column(name)).collect::<Option<_>>();
            found.ok_or(RewriteError::Unsupported("an unknown column"))?
        };
        let outputs: Vec<String> =
            columns.iter().map(|column| self.output(relation, column, hidden)).collect();
        let mut range = reference.span.clone();
        if !named.is_empty() {
            let after = self.parsed.tokens.partition_point(|token| token.start < range.end);
            let close = self.parsed.tokens[after..]
                .iter()
                .find(|token| token.kind == TokenKind::Ascii41)
                .ok_or(RewriteError::Unsupported("COPY without a column list"))?;
            range.end = close.end;
        }
        let only = if relation.kind == crate::schema::RelationKind::Table { "ONLY " } else { "" };
        let text = format!("(SELECT {} FROM {only}{})", outputs.join(", "), relation.name.quoted());
        splices.push(Splice { range, text });
        Ok(())
    }

    /// The view's query with masks below it. `pg_get_viewdef` qualified every name.
    fn view(self, relation: &Relation) -> Result<String, RewriteError> {
        if self.depth >= VIEWS_NESTED_MAX {
            return Err(RewriteError::Nesting);
        }
        let failed = || RewriteError::View(relation.name.to_string());
        let text = relation.definition.as_deref().ok_or_else(failed)?;
        let parsed = parse(text).map_err(|_| failed())?;
        let path = SearchPath(vec!["pg_catalog".to_owned()]);
        let context = Context { path: &path, ..self.context };
        if parsed.statements.len() != 1 {
            return Err(failed());
        }
        let mut analysis = analyse(&parsed, 0, context);
        // A view's own conditions see masks: nobody asked for them, no record tells of them.
        analysis.references.iter_mut().for_each(|reference| reference.lookups.clear());
        let decision = decide(&analysis, self.standpoint);
        let decision = match decision.way {
            Way::Refuse(_) => return Err(failed()),
            // Inside a query there is no wire to mask on.
            Way::Show => crate::decision::Decision { way: Way::Compute, ..decision },
            Way::Forward | Way::Compute => decision,
        };
        let inner = Builder {
            text,
            parsed: &parsed,
            index: 0,
            context,
            standpoint: self.standpoint,
            depth: self.depth + 1,
        };
        let mut splices = Vec::new();
        let decided = Decided { analysis: &analysis, decision: &decision };
        inner.splices(decided, &mut splices)?;
        let (text, _) = apply(text, splices)?;
        Ok(text.trim_end().trim_end_matches(';').to_owned())
    }
}
