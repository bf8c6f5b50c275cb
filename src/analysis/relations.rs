//! Relations by name: what they are under the `search_path`, and which bytes stand for them.

use std::collections::HashSet;
use std::ops::Range;

use pg_query::protobuf::Token as TokenKind;

use super::facts::{Children, Group, Obstacle, Place, Qualify, Reference};
use super::names::SYSTEM_COLUMNS;
use super::sensitive::Reach;
use super::tree::{Deeper, Node};
use super::walk::Walker;
use crate::model::ColumnId;
use crate::schema::Relation;

/// Whether an alias gives the columns other names.
pub(super) fn is_renamed(relation: &Node) -> bool {
    relation.node("alias").is_some_and(|alias| alias.has("colnames"))
}

impl Walker<'_> {
    /// LOCK, TRUNCATE, VACUUM …: relations are named, nothing of them is shown.
    pub(super) fn maintained(&mut self, tree: &Node) {
        let mut found = Vec::new();
        tree.walk(&mut |node| {
            if node.kind == "RangeVar" {
                found.push(node.clone());
            }
            Deeper::Yes
        });
        for node in found {
            self.relation(&node, Place::Utility);
        }
    }

    pub(super) fn copied(&mut self, node: &Node, place: Place, columns: &[&str]) {
        self.relation(node, place);
        let Some(last) = self.out.references.last_mut() else { return };
        if last.place != place {
            return;
        }
        let Some(relation) = self.context.schema.relation(last.relation) else { return };
        last.touched.retain(|_| false);
        for (number, _) in self.context.sensitive.columns_of(relation.oid) {
            let named = relation.column_numbered(number).is_some_and(|column| {
                columns.is_empty() || columns.contains(&column.name.as_str())
            });
            if named {
                last.touched.push(ColumnId { relation: relation.oid, number });
            }
        }
    }

    /// A relation by name, outside or inside FROM.
    pub(super) fn relation(&mut self, node: &Node, place: Place) {
        let (schema, name) = (node.text("schemaname"), node.text("relname"));
        if schema == "keyhole" {
            return self.in_band(node, name, None);
        }
        let in_from = matches!(place, Place::From);
        if schema.is_empty() && in_from && self.ctes.is_in_scope(name) {
            return self.reads_cte(name);
        }
        let (snapshot, sensitive) = (self.context.schema, self.context.sensitive);
        let named_schema = if schema.is_empty() { "pg_catalog" } else { schema };
        if sensitive.is_side_door_relation(named_schema, name) {
            return self.out.obstacles.push(Obstacle::SideDoor(name.to_owned()));
        }
        if !snapshot.named(name).any(|relation| sensitive.relations.contains_key(&relation.oid)) {
            return;
        }
        self.sensitive_names += 1;
        let found = if schema.is_empty() {
            self.context.path.resolve(snapshot, name)
        } else {
            snapshot.find(schema, name)
        };
        let Some(relation) = found else {
            let name = if schema.is_empty() { name.into() } else { format!("{schema}.{name}") };
            return self.out.obstacles.push(Obstacle::Unknown { name });
        };
        let Some((name_span, mut span)) = self.relation_span(node) else {
            return self.unsupported("relation without a place in the text");
        };
        let mut place = place;
        if let (Place::From, Some(table)) = (place, self.table_keyword(&span)) {
            place = Place::TableCommand;
            span.start = table;
        }
        match sensitive.reach(relation.oid) {
            None if schema.is_empty() => {
                self.out.qualify.push(Qualify { span: name_span, relation: relation.oid });
            }
            None => {}
            Some(Reach::SideDoor) => {
                self.out.obstacles.push(Obstacle::SideDoor(relation.name.to_string()));
            }
            Some(reach) => {
                if let Reach::View { opaque, .. } = reach
                    && !opaque.is_empty()
                {
                    let name = relation.name.to_string();
                    self.out.obstacles.push(Obstacle::OpaqueView(name));
                }
                let touched = self.touched(relation, reach, node);
                self.out.references.push(Reference {
                    relation: relation.oid,
                    place,
                    name: name_span,
                    span,
                    alias: node.node("alias").map(|a| a.text("aliasname").to_owned()),
                    children: if node.is("inh") { Children::Included } else { Children::Only },
                    touched,
                    system: self.system_columns(),
                    flow: self.flow,
                    sample: self.sample.clone(),
                    // Of renamed columns nothing is known that could be added.
                    group: self.group.clone().filter(|_| !is_renamed(node)),
                    lookups: Vec::new(),
                });
            }
        }
    }

    /// The relation that a name means, as far as the schema tells.
    pub(super) fn meant(&self, name: &Node) -> Option<&Relation> {
        let (schema, name) = (name.text("schemaname"), name.text("relname"));
        if schema.is_empty() {
            self.context.path.resolve(self.context.schema, name)
        } else {
            self.context.schema.find(schema, name)
        }
    }

    fn touched(&self, relation: &Relation, reach: &Reach, node: &Node) -> Vec<ColumnId> {
        if let Reach::View { columns, .. } = reach {
            return columns.iter().copied().collect();
        }
        let alias = node.node("alias").map_or(relation.name.name.as_str(), |a| a.text("aliasname"));
        let columns: HashSet<&str> = relation.columns.iter().map(|c| c.name.as_str()).collect();
        let row_names = [alias, "old", "new", "excluded"];
        let names = &self.out.names;
        let whole = names.reads_row(&row_names, &columns);
        let pii = self.context.sensitive.columns_of(relation.oid);
        pii.filter(|(number, _)| {
            whole
                || relation
                    .column_numbered(*number)
                    .is_none_or(|column| names.columns.contains(&column.name))
        })
        .map(|(number, _)| ColumnId { relation: relation.oid, number })
        .collect()
    }

    /// `public.customers.email`: a subselect in the place of `public.customers` has no schema.
    pub(super) fn row_by_schema(&mut self, column: &Node) {
        let star = column.nodes("fields").any(|part| part.kind == "AStar");
        let names = column.names("fields");
        let (schema, name, dots) = match (names.as_slice(), star) {
            ([.., schema, name], true) => (schema, name, names.len() - 1),
            ([.., schema, name, _], false) => (schema, name, names.len() - 2),
            _ => return,
        };
        let found = self.context.schema.find(schema, name);
        let Some(relation) = found.filter(|it| self.context.sensitive.reach(it.oid).is_some())
        else {
            return;
        };
        let first = column.location().and_then(|at| self.token_at(at));
        let Some(last) = first.and_then(|first| self.tokens.get(first + 2 * dots)) else { return };
        if let Some(start) = column.location() {
            let span = start..last.end;
            self.out.rows_by_schema.push(Qualify { span, relation: relation.oid });
        }
    }

    fn system_columns(&self) -> Vec<&'static str> {
        let named = |column: &&'static str| self.out.names.columns.contains(*column);
        SYSTEM_COLUMNS.iter().copied().filter(named).collect()
    }

    /// The bytes of `TABLESAMPLE method (…) [REPEATABLE (…)]` behind a relation.
    pub(super) fn sample_span(&self, relation: &Node) -> Option<Range<usize>> {
        let name = self.name_end(self.token_at(relation.location()?)?);
        let is = |at: usize, kind| self.tokens.get(at).is_some_and(|token| token.kind == kind);
        // An alias may stand between.
        let start = (name + 1..name + 5).find(|at| is(*at, TokenKind::Tablesample))?;
        let mut end = self.closing(self.name_end(start + 1) + 1)?;
        if is(end + 1, TokenKind::Repeatable) {
            end = self.closing(end + 2)?;
        }
        Some(self.tokens[start].start..self.tokens[end].end)
    }

    /// The GROUP BY of a SELECT, if it lists plain columns.
    pub(super) fn group_of(&self, select: &Node) -> Option<Group> {
        let (mut columns, mut end) = (Vec::new(), 0);
        for item in select.list("group_clause") {
            let item = item.as_node().filter(|item| item.kind == "ColumnRef")?;
            let first = self.token_at(item.location()?)?;
            end = end.max(self.tokens[self.name_end(first)].end);
            let parts = item.names("fields");
            let (name, qualifiers) = parts.split_last()?;
            columns.push((qualifiers.last().map(|q| (*q).to_owned()), (*name).to_owned()));
        }
        (!columns.is_empty()).then_some(Group { end, columns })
    }

    /// Where the keyword of `TABLE relation` starts.
    fn table_keyword(&self, span: &Range<usize>) -> Option<usize> {
        let before = self.token_at(span.start)?.checked_sub(1)?;
        let token = self.tokens[before];
        (token.kind == TokenKind::Table).then_some(token.start)
    }

    /// The bytes of a relation's name, and of all that stands for it.
    fn relation_span(&self, node: &Node) -> Option<(Range<usize>, Range<usize>)> {
        let first = self.token_at(node.location()?)?;
        let last = self.name_end(first);
        let name = self.tokens[first].start..self.tokens[last].end;
        let mut span = name.clone();
        let kind = |index: usize| self.tokens.get(index).map(|token| token.kind);
        if node.is("inh") {
            if kind(last + 1) == Some(TokenKind::Ascii42) {
                span.end = self.tokens[last + 1].end;
            }
        } else {
            let before = |back: usize| first.checked_sub(back);
            let only = |at: Option<usize>| at.filter(|at| kind(*at) == Some(TokenKind::Only));
            if let Some(only) = only(before(1)) {
                span.start = self.tokens[only].start;
            } else {
                span.start = self.tokens[only(before(2))?].start;
                span.end = self.tokens.get(last + 1)?.end;
            }
        }
        Some((name, span))
    }
}
