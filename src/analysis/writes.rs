//! INSERT, UPDATE, DELETE and MERGE: a target cannot be a subselect, so what they read of it and
//! store into it is noted column by column.

mod merge;
mod scope;

use std::ops::Range;

use pg_query::protobuf::Token as TokenKind;

use super::facts::{
    Assigned, Assignment, ColumnUse, Conflict, Flow, OtherItem, Place, UsePlace, Write, WriteAction,
};
use super::names::Names;
use super::tree::{Node, Value};
use super::walk::Walker;
use crate::model::Oid;

/// One write whose columns are in scope.
#[derive(Debug)]
pub(super) struct Level {
    /// Index of its [`Write`]; None when the target is not sensitive.
    write: Option<usize>,
    /// What is written to, if it is known.
    target: Option<Oid>,
    /// Other items in FROM/USING.
    others: Vec<OtherItem>,
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
        let Some(Level { write: Some(write), depth, place, .. }) = self.levels.last() else {
            return;
        };
        let (write, depth, place) = (*write, *depth, *place);
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

    /// `(c).email` of a write's target: a field of a row that stands nowhere in FROM.
    pub(super) fn field_of_row(&mut self, node: &Node) {
        let Some(Level { write: Some(_), target, .. }) = self.levels.last() else { return };
        let relation = target.and_then(|oid| self.context.schema.relation(oid));
        let is_column = |name: &str| relation.is_some_and(|it| it.column(name).is_some());
        let is_row = node.node("arg").is_some_and(|arg| {
            arg.kind == "ColumnRef"
                && matches!(arg.names("fields").as_slice(), [only] if !is_column(only))
        });
        if is_row {
            self.unsupported("a field of a row in parentheses in a write");
        }
    }

    pub(super) fn write(&mut self, node: &Node) {
        let action = match node.kind {
            "InsertStmt" => WriteAction::Insert,
            "UpdateStmt" => WriteAction::Update,
            _ => WriteAction::Delete,
        };
        let write = self.enter(node, vec![action]);
        if action == WriteAction::Insert {
            self.inserted(node, write);
        } else {
            for item in ["from_clause", "using_clause"] {
                self.others(node.list(item));
            }
            self.assigned(node.list("target_list"), write);
            self.at(UsePlace::Condition);
            self.value(node.get("where_clause"));
        }
        self.leave(node);
    }

    /// A write begins: its WITH, its target.
    fn enter(&mut self, node: &Node, actions: Vec<WriteAction>) -> Option<usize> {
        self.with(node);
        let write = self.target(node, actions);
        let target = node.node("relation").and_then(|it| self.meant(it)).map(|it| it.oid);
        let (others, place) = (Vec::new(), UsePlace::Condition);
        self.levels.push(Level { write, target, others, depth: 0, place });
        write
    }

    /// It ends, with its RETURNING.
    fn leave(&mut self, node: &Node) {
        self.returning(node);
        if let Some(Level { write: Some(write), others, .. }) = self.levels.pop() {
            self.out.writes[write].others = others;
        }
        self.without();
    }

    /// Opens the [`Write`] if the target is sensitive.
    fn target(&mut self, node: &Node, actions: Vec<WriteAction>) -> Option<usize> {
        let write = self.out.writes.len();
        let before = self.out.references.len();
        let relation = node.node("relation")?;
        self.relation(relation, Place::Target(write));
        if self.out.references.len() == before {
            return None;
        }
        self.out.writes.push(Write {
            actions,
            target: before,
            assigned: Vec::new(),
            uses: Vec::new(),
            others: Vec::new(),
            aliases: scope::aliases(node, relation),
            versions: scope::versions(node),
            conflict: Conflict::None,
        });
        Some(write)
    }

    /// The columns that an INSERT without a list of them fills.
    fn all_columns(&self, write: usize) -> Vec<String> {
        let target = self.out.references[self.out.writes[write].target].relation;
        let columns = self.context.schema.relation(target).map(|r| r.columns.as_slice());
        columns.unwrap_or(&[]).iter().map(|column| column.name.clone()).collect()
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
                self.all_columns(write)
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
                self.out.stored.push(self.reads(target.get("val")));
            }
            self.value(target.get("indirection"));
            self.value(target.get("val"));
        }
    }

    fn assignment(&self, target: &Node) -> Assignment {
        let value = target.node("val");
        let assigned = match value {
            Some(value) if value.kind == "SetToDefault" => Assigned::Default,
            Some(value) if self.is_plain(value) && !target.has("indirection") => {
                self.value_span(target).map_or(Assigned::Expression, Assigned::Plain)
            }
            _ => Assigned::Expression,
        };
        let reads = match &assigned {
            Assigned::Plain(_) | Assigned::Default => Names::default(),
            Assigned::Expression | Assigned::Inserted => self.reads(target.get("val")),
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
                | TokenKind::When
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
