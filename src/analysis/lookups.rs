//! Conditions that a grant for `lookup` lets run on stored values: a column equals a constant or a
//! parameter, or is one of several, and the statement shows only rows for which that is true.
//!
//! What is found here is a shape, by tree and by tokens alike; in doubt it is not found, and the
//! condition is evaluated on masks.

use std::ops::Range;

use pg_query::protobuf::Token as TokenKind;

use super::facts::{Lookup, Place};
use super::relations::is_renamed;
use super::sensitive::Reach;
use super::tree::{Node, Value};
use super::walk::Walker;
use crate::model::ColumnId;
use crate::schema::Relation;

/// `A_Expr_Kind` of PostgreSQL's `parsenodes.h`, as the parser numbers it.
const AEXPR_OP: i64 = 1;
const AEXPR_IN: i64 = 7;
/// `JoinType` of `nodes.h`, likewise.
const JOIN_INNER: i64 = 1;
const JOIN_LEFT: i64 = 2;
const JOIN_RIGHT: i64 = 4;

/// How a column is compared with values.
#[derive(Clone, Copy)]
enum Form {
    ColumnFirst,
    ValueFirst,
    /// IN.
    OneOf,
}

/// An item of the FROM of one SELECT.
struct Item<'a> {
    node: &'a Node,
    /// Whether WHERE may be applied to it before it is joined.
    below: Below,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Joins,
    /// An outer join fills in for rows that are missing.
    No,
}

impl Walker<'_> {
    /// Notes the lookups among the conditions of a SELECT that has been walked.
    pub(super) fn lookups(&mut self, select: &Node) {
        let Some(condition) = select.node("where_clause") else { return };
        let mut items = Vec::new();
        for item in select.nodes("from_clause") {
            leaves(item, Below::Joins, &mut items);
        }
        let mut conditions = Vec::new();
        conjuncts(condition, &mut conditions);
        for condition in conditions {
            if let Some((reference, lookup)) = self.lookup(condition, &items) {
                self.out.references[reference].lookups.push(lookup);
            }
        }
    }

    fn lookup(&self, condition: &Node, items: &[Item<'_>]) -> Option<(usize, Lookup)> {
        if condition.kind != "AExpr" || condition.names("name") != ["="] {
            return None;
        }
        let (left, right) = (condition.node("lexpr")?, condition.get("rexpr"));
        let (column, form) = match condition.int("kind") {
            AEXPR_OP => match (left, right.as_node()?) {
                (column, value) if column.kind == "ColumnRef" && is_value(value) => {
                    (column, Form::ColumnFirst)
                }
                (value, column) if column.kind == "ColumnRef" && is_value(value) => {
                    (column, Form::ValueFirst)
                }
                _ => return None,
            },
            AEXPR_IN => {
                let values = list(right);
                let all = values.iter().all(|value| value.as_node().is_some_and(is_value));
                if left.kind != "ColumnRef" || !all {
                    return None;
                }
                (left, Form::OneOf)
            }
            _ => return None,
        };
        let (reference, column_id) = self.looked_up(column, items)?;
        let (span, values) = self.places(column, form)?;
        Some((reference, Lookup { column: column_id, span, values }))
    }

    /// The reference and column that a name means, if the SELECT itself says so.
    fn looked_up(&self, column: &Node, items: &[Item<'_>]) -> Option<(usize, ColumnId)> {
        let names = column.names("fields");
        let (name, item) = match names.as_slice() {
            [row, name] => {
                let mut called = items.iter().filter(|item| called(item.node) == Some(*row));
                (name, called.next().filter(|_| called.next().is_none())?)
            }
            [name] => {
                let mut having = Vec::new();
                for item in items {
                    if self.plain_relation(item.node)?.column(name).is_some() {
                        having.push(item);
                    }
                }
                let [only] = having.as_slice() else { return None };
                (name, *only)
            }
            _ => return None,
        };
        let relation = self.plain_relation(item.node)?;
        let sensitive = self.context.sensitive;
        let is_table = matches!(
            sensitive.reach(relation.oid),
            Some(Reach::Table | Reach::Stored | Reach::Carrier(_))
        );
        let id = ColumnId { relation: relation.oid, number: relation.column(name)?.number };
        if item.below == Below::No || !is_table || sensitive.column(id).is_none() {
            return None;
        }
        let start = item.node.location()?;
        let reference = self
            .out
            .references
            .iter()
            .position(|it| it.name.start == start && it.place == Place::From)?;
        Some((reference, id))
    }

    /// The relation that an item is, by its own columns' names.
    fn plain_relation(&self, item: &Node) -> Option<&Relation> {
        let unqualified = item.text("schemaname").is_empty();
        let is_plain = item.kind == "RangeVar"
            && !is_renamed(item)
            && !(unqualified && self.ctes.is_in_scope(item.text("relname")));
        is_plain.then(|| self.meant(item)).flatten()
    }

    /// The bytes of the condition, and of the values that the column is compared with.
    fn places(&self, column: &Node, form: Form) -> Option<(Range<usize>, Vec<Range<usize>>)> {
        let first = self.token_at(column.location()?)?;
        let last = self.name_end(first);
        let is = |at: usize, kind| self.tokens.get(at).is_some_and(|token| token.kind == kind);
        let bytes = |from: usize, to: usize| self.tokens[from].start..self.tokens[to].end;
        match form {
            Form::ColumnFirst if is(last + 1, TokenKind::Ascii61) => {
                let end = self.value_end(last + 2)?;
                Some((bytes(first, end), vec![bytes(last + 2, end)]))
            }
            Form::ColumnFirst => None,
            Form::ValueFirst => {
                let equals = first.checked_sub(1).filter(|at| is(*at, TokenKind::Ascii61))?;
                let start = (equals.saturating_sub(6)..equals)
                    .find(|at| self.value_end(*at) == Some(equals - 1))?;
                Some((bytes(start, last), vec![bytes(start, equals - 1)]))
            }
            Form::OneOf => {
                if !is(last + 1, TokenKind::InP) || !is(last + 2, TokenKind::Ascii40) {
                    return None;
                }
                let (mut values, mut at) = (Vec::new(), last + 3);
                loop {
                    let end = self.value_end(at)?;
                    values.push(bytes(at, end));
                    if is(end + 1, TokenKind::Ascii41) {
                        return Some((bytes(first, end + 1), values));
                    }
                    at = if is(end + 1, TokenKind::Ascii44) { end + 2 } else { return None };
                }
            }
        }
    }

    /// The last token of a constant or parameter that starts at token `first`, casts included.
    fn value_end(&self, first: usize) -> Option<usize> {
        let value = self.tokens.get(first)?;
        let is_value =
            matches!(value.kind, TokenKind::Sconst | TokenKind::Iconst | TokenKind::Param);
        if !is_value {
            return None;
        }
        let is = |at: usize, kind| self.tokens.get(at).is_some_and(|token| token.kind == kind);
        if !is(first + 1, TokenKind::Typecast) {
            return Some(first);
        }
        let end = self.name_end(first + 2);
        // `::varchar(80)`, `::text[]`, `::double precision`: left to masks.
        let goes_on = is(end + 1, TokenKind::Ascii40) || is(end + 1, TokenKind::Ascii91);
        (end < self.tokens.len() && !goes_on).then_some(end)
    }
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        Value::Node(list) if list.kind == "List" => list.list("items"),
        Value::Node(_)
        | Value::Nothing
        | Value::True
        | Value::Int(_)
        | Value::Real(_)
        | Value::Text(_) => &[],
    }
}

/// A constant or a parameter, casts aside; NULL equals nothing.
fn is_value(value: &Node) -> bool {
    match value.kind {
        "AConst" => !value.is("isnull"),
        "ParamRef" => true,
        "TypeCast" => value.node("arg").is_some_and(is_value),
        _ => false,
    }
}

fn called(item: &Node) -> Option<&str> {
    match item.node("alias") {
        Some(alias) => Some(alias.text("aliasname")),
        None if item.kind == "RangeVar" => Some(item.text("relname")),
        None => None,
    }
}

fn leaves<'a>(item: &'a Node, below: Below, out: &mut Vec<Item<'a>>) {
    if item.kind != "JoinExpr" {
        return out.push(Item { node: item, below });
    }
    // Of a named join, and of merged columns, names mean something else.
    let hides = item.has("alias") || item.is("is_natural") || item.has("using_clause");
    let (left, right) = match item.int("jointype") {
        _ if hides => (Below::No, Below::No),
        JOIN_INNER => (below, below),
        JOIN_LEFT => (below, Below::No),
        JOIN_RIGHT => (Below::No, below),
        _ => (Below::No, Below::No),
    };
    for (side, below) in [("larg", left), ("rarg", right)] {
        if let Some(side) = item.node(side) {
            leaves(side, below, out);
        }
    }
}

fn conjuncts<'a>(condition: &'a Node, out: &mut Vec<&'a Node>) {
    /// `BoolExprType` of `primnodes.h`, as the parser numbers it.
    const AND_EXPR: i64 = 1;
    if condition.kind == "BoolExpr" && condition.int("boolop") == AND_EXPR {
        for part in condition.nodes("args") {
            conjuncts(part, out);
        }
    } else {
        out.push(condition);
    }
}
