//! INSERT, UPDATE and DELETE: a target cannot be a subselect, so what they read of it and store
//! into it is noted column by column.

use std::ops::Range;

use pg_query::protobuf::Token as TokenKind;

use super::facts::{
    Assigned, Assignment, ColumnUse, Conflict, Flow, OtherItem, Place, UsePlace, Write, WriteAction,
};
use super::names::Names;
use super::tree::{Node, Value};
use super::walk::Walker;
use crate::model::ColumnId;

/// One INSERT, UPDATE or DELETE whose columns are in scope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    /// Index of its [`Write`]; None when the target is not sensitive.
    write: Option<usize>,
    /// How many SELECTs deep the walk is below it.
    depth: usize,
    place: UsePlace,
}

impl Walker<'_> {
    pub(super) fn deeper(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.depth += 1;
        }
    }

    pub(super) fn shallower(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.depth -= 1;
        }
    }

    fn at(&mut self, place: UsePlace) {
        if let Some(level) = self.levels.last_mut() {
            level.place = place;
        }
    }

    pub(super) fn column(&mut self, node: &Node) {
        let Some(Level { write: Some(write), depth, place }) = self.levels.last().copied() else {
            return;
        };
        let parts = node.names("fields");
        let star = node.nodes("fields").any(|part| part.kind == "AStar");
        let first = node.location().and_then(|at| self.token_at(at));
        let (Some(first), Some(write)) = (first, self.out.writes.get(write).map(|_| write)) else {
            return self.unsupported("column without a place in the text");
        };
        let last = self.name_end(first);
        let (qualifier, column) = match (parts.as_slice(), star) {
            ([.., qualifier], true) => (Some(*qualifier), None),
            ([], _) => (None, None),
            ([.., qualifier, column], false) => (Some(*qualifier), Some(*column)),
            ([column], false) => (None, Some(*column)),
        };
        let found = ColumnUse {
            span: self.tokens[first].start..self.tokens[last].end,
            qualifier: qualifier.map(str::to_owned),
            column: column.map(str::to_owned),
            place: if depth > 0 { UsePlace::Nested } else { place },
        };
        self.out.writes[write].uses.push(found);
    }

    pub(super) fn write(&mut self, node: &Node) {
        let action = match node.kind {
            "InsertStmt" => WriteAction::Insert,
            "UpdateStmt" => WriteAction::Update,
            _ => WriteAction::Delete,
        };
        self.with(node);
        let write = self.target(node, action);
        self.levels.push(Level { write, depth: 0, place: UsePlace::Condition });
        if action == WriteAction::Insert {
            self.inserted(node, write);
        } else {
            for item in ["from_clause", "using_clause"] {
                self.others(node.list(item), write);
            }
            self.assigned(node.list("target_list"), write);
            self.at(UsePlace::Condition);
            self.value(node.get("where_clause"));
        }
        self.returning(node);
        self.levels.pop();
        self.without();
    }

    /// Opens the [`Write`] if the target is sensitive.
    fn target(&mut self, node: &Node, action: WriteAction) -> Option<usize> {
        let write = self.out.writes.len();
        let before = self.out.references.len();
        self.relation(node.node("relation")?, Place::Target(write));
        if self.out.references.len() == before {
            return None;
        }
        self.out.writes.push(Write {
            action,
            target: before,
            assigned: Vec::new(),
            uses: Vec::new(),
            others: Vec::new(),
            conflict: Conflict::None,
        });
        Some(write)
    }

    /// What an INSERT stores is read by its own query, which cannot see the target's columns.
    fn inserted(&mut self, node: &Node, write: Option<usize>) {
        let level = self.levels.pop();
        let flow = std::mem::replace(&mut self.flow, Flow::Stored);
        self.value(node.get("select_stmt"));
        self.flow = flow;
        self.levels.extend(level);
        if let (Some(write), true) = (write, node.has("select_stmt")) {
            let named: Vec<String> = if node.has("cols") {
                node.nodes("cols").map(|column| column.text("name").to_owned()).collect()
            } else {
                let target = self.out.references[self.out.writes[write].target].relation;
                let columns = self.context.schema.relation(target).map(|r| r.columns.as_slice());
                columns.unwrap_or(&[]).iter().map(|column| column.name.clone()).collect()
            };
            self.out.writes[write].assigned.extend(named.into_iter().map(|column| Assignment {
                column,
                value: Assigned::Inserted,
                reads: Names::default(),
            }));
        }
        let Some(conflict) = node.node("on_conflict_clause") else { return };
        if let Some(write) = write {
            self.out.writes[write].conflict = arbiter(conflict);
        }
        self.assigned(conflict.list("target_list"), write);
        self.at(UsePlace::Condition);
        self.value(conflict.get("infer"));
        self.value(conflict.get("where_clause"));
    }

    fn assigned(&mut self, targets: &[Value], write: Option<usize>) {
        self.at(UsePlace::Assigned);
        for target in targets.iter().filter_map(Value::as_node) {
            if let Some(write) = write {
                let assignment = self.assignment(target);
                self.out.writes[write].assigned.push(assignment);
            } else {
                self.out.stored.push(Names::of_value(target.get("val")));
            }
            self.value(target.get("indirection"));
            self.value(target.get("val"));
        }
    }

    fn assignment(&self, target: &Node) -> Assignment {
        let value = target.node("val");
        let assigned = match value {
            Some(value) if value.kind == "SetToDefault" => Assigned::Default,
            Some(value) if is_plain(value) && !target.has("indirection") => {
                self.value_span(target).map_or(Assigned::Expression, Assigned::Plain)
            }
            _ => Assigned::Expression,
        };
        let reads = match &assigned {
            Assigned::Plain(_) | Assigned::Default => Names::default(),
            Assigned::Expression | Assigned::Inserted => Names::of_value(target.get("val")),
        };
        Assignment { column: target.text("name").to_owned(), value: assigned, reads }
    }

    /// The bytes of the value in `column = value`: up to a comma, a closing parenthesis or the
    /// next clause. Only asked of constants and parameters, which hold no such token themselves.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other tokens are the value's")]
    fn value_span(&self, target: &Node) -> Option<Range<usize>> {
        let name = self.token_at(target.location()?)?;
        let equals = self.name_end(name) + 1;
        if self.tokens.get(equals)?.kind != TokenKind::Ascii61 {
            return None;
        }
        let (mut depth, mut last) = (0_usize, equals);
        for token in &self.tokens[equals + 1..] {
            if token.start >= self.out.span.end {
                break;
            }
            match token.kind {
                TokenKind::Ascii40 | TokenKind::Ascii91 => depth += 1,
                TokenKind::Ascii41 | TokenKind::Ascii93 if depth > 0 => depth -= 1,
                TokenKind::Ascii41
                | TokenKind::Ascii44
                | TokenKind::Ascii59
                | TokenKind::From
                | TokenKind::Where
                | TokenKind::Returning
                    if depth == 0 =>
                {
                    break;
                }
                _ => {}
            }
            last += 1;
        }
        (last > equals).then(|| self.tokens[equals + 1].start..self.tokens[last].end)
    }

    fn others(&mut self, items: &[Value], write: Option<usize>) {
        for item in items {
            self.value(item);
            let (Some(write), Some(node)) = (write, item.as_node()) else { continue };
            let known = (node.kind == "RangeVar" && !node.has("alias.colnames"))
                .then(|| {
                    let (schema, name) = (node.text("schemaname"), node.text("relname"));
                    if schema.is_empty() {
                        self.context.path.resolve(self.context.schema, name)
                    } else {
                        self.context.schema.find(schema, name)
                    }
                })
                .flatten();
            let other = known.map_or(OtherItem::Unknown, |r| OtherItem::Relation(r.oid));
            self.out.writes[write].others.push(other);
        }
    }

    fn returning(&mut self, node: &Node) {
        let Some(returning) = node.node("returning_clause") else { return };
        for item in returning.nodes("exprs") {
            let bare = item.node("val").is_some_and(|value| value.kind == "ColumnRef");
            let renamed = item.has("name");
            self.at(if bare && !renamed {
                UsePlace::Returned
            } else {
                UsePlace::ReturnedExpression
            });
            self.value(item.get("val"));
        }
    }

    /// MERGE is let through only where nothing of it is hidden: every PII column counts as touched.
    pub(super) fn merge(&mut self, node: &Node) {
        let before = self.out.references.len();
        self.with(node);
        if let Some(target) = node.node("relation") {
            self.relation(target, Place::From);
        }
        for (field, value) in &node.fields {
            if !matches!(*field, "relation" | "with_clause") {
                self.value(value);
            }
        }
        self.without();
        let sensitive = self.context.sensitive;
        for reference in &mut self.out.references[before..] {
            let relation = reference.relation;
            let all = sensitive.columns_of(relation).map(|(n, _)| ColumnId { relation, number: n });
            reference.touched.extend(all);
            reference.touched.sort_unstable();
            reference.touched.dedup();
        }
        if self.out.references.len() > before {
            self.unsupported("MERGE");
        }
    }
}

/// Constants and parameters, casts aside; `excluded.column` is a value the client sent.
fn is_plain(value: &Node) -> bool {
    match value.kind {
        "AConst" | "ParamRef" => true,
        "TypeCast" => value.node("arg").is_some_and(is_plain),
        "ColumnRef" => matches!(value.names("fields").as_slice(), ["excluded", _]),
        _ => false,
    }
}

fn arbiter(conflict: &Node) -> Conflict {
    let Some(infer) = conflict.node("infer") else { return Conflict::Any };
    let elements: Vec<&Node> = infer.nodes("index_elems").collect();
    let named: Vec<String> = elements
        .iter()
        .map(|element| element.text("name"))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if infer.has("conname") || infer.has("where_clause") || named.len() != elements.len() {
        return Conflict::Any;
    }
    Conflict::Columns(named)
}
