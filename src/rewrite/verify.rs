//! The rewritten text, parsed again, must be the original's tree outside the inserted bytes.

use std::ops::Range;

use super::{Inserted, RewriteError};
use crate::analysis::parse::Parsed;
use crate::analysis::tree::{Deeper, Node, Value};

/// Compares statement by statement.
///
/// # Errors
/// [`RewriteError::Verification`] at the first difference.
pub(super) fn same_outside(
    old: &Parsed,
    new: &Parsed,
    inserted: &[Inserted],
) -> Result<(), RewriteError> {
    let same = old.statements.len() == new.statements.len()
        && old
            .statements
            .iter()
            .zip(&new.statements)
            .all(|(old, new)| Comparison { inserted }.nodes(&old.tree, &new.tree));
    if same { Ok(()) } else { Err(RewriteError::Verification) }
}

/// Fields that say where, not what.
const PLACES: [&str; 11] = [
    "location",
    "stmt_location",
    "stmt_len",
    "arg_location",
    "name_location",
    "payload_location",
    "conninfo_location",
    "list_start",
    "list_end",
    "rexpr_list_start",
    "rexpr_list_end",
];

struct Comparison<'a> {
    inserted: &'a [Inserted],
}

impl Comparison<'_> {
    fn nodes(&self, old: &Node, new: &Node) -> bool {
        if self.is_replaced(old, new) {
            return true;
        }
        if old.kind != new.kind {
            return false;
        }
        if old.kind == "CopyStmt" && old.has("relation") && new.has("query") {
            return self.copies(old, new);
        }
        let fields = |node: &Node| {
            let named = node.fields.iter().filter(|(name, _)| !PLACES.contains(name));
            named.map(|(name, _)| *name).collect::<Vec<_>>()
        };
        let names = fields(old);
        names == fields(new) && names.iter().all(|name| self.values(old.get(name), new.get(name)))
    }

    fn values(&self, old: &Value, new: &Value) -> bool {
        match (old, new) {
            (Value::Node(old), Value::Node(new)) => self.nodes(old, new),
            (Value::List(old), Value::List(new)) => self.lists(old, new),
            _ => old == new,
        }
    }

    /// One star may have become several items, all inside one inserted piece.
    fn lists(&self, old: &[Value], new: &[Value]) -> bool {
        let mut rest = new;
        for value in old {
            let piece = value.as_node().and_then(|node| self.piece_at(node));
            let taken = match piece {
                Some(piece) => rest.iter().take_while(|value| is_inside(value, &piece.new)).count(),
                None => 0,
            };
            if taken > 0 {
                let one =
                    |old: &Node| rest[0].as_node().is_some_and(|it| self.is_replaced(old, it));
                let may_be = match value.as_node() {
                    Some(old) => is_star(old) || (taken == 1 && one(old)),
                    None => false,
                };
                if !may_be {
                    return false;
                }
                rest = &rest[taken..];
                continue;
            }
            let Some((first, others)) = rest.split_first() else { return false };
            if !self.values(value, first) {
                return false;
            }
            rest = others;
        }
        // Columns added to a GROUP BY stand where nothing stood.
        let mut added = self.inserted.iter().filter(|piece| piece.old.is_empty());
        rest.is_empty() || added.any(|piece| rest.iter().all(|value| is_inside(value, &piece.new)))
    }

    fn piece_at(&self, node: &Node) -> Option<&Inserted> {
        let at = node.location().filter(|_| node.has("location") || node.kind == "RangeVar")?;
        self.inserted.iter().find(|piece| piece.old.contains(&at))
    }

    /// The old node stood in replaced bytes, and the new one lies in their replacement.
    fn is_replaced(&self, old: &Node, new: &Node) -> bool {
        let first = first_location(old);
        let Some(piece) =
            first.and_then(|at| self.inserted.iter().find(|piece| piece.old.contains(&at)))
        else {
            return false;
        };
        if !all_inside(new, &piece.new) {
            return false;
        }
        // A FROM item keeps the alias that it had.
        match (old.node("alias"), new.node("alias")) {
            (Some(old), Some(new)) => old == new,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    fn copies(&self, old: &Node, new: &Node) -> bool {
        let rest = |node: &Node| {
            let fields = node.fields.iter();
            fields
                .filter(|(name, _)| !["relation", "query", "attlist"].contains(name))
                .cloned()
                .collect::<Vec<_>>()
        };
        let (old_rest, new_rest) = (rest(old), rest(new));
        let relation = old.node("relation").and_then(Node::location);
        let piece =
            relation.and_then(|at| self.inserted.iter().find(|piece| piece.old.contains(&at)));
        old_rest.len() == new_rest.len()
            && old_rest
                .iter()
                .zip(&new_rest)
                .all(|((a, old), (b, new))| a == b && self.values(old, new))
            && matches!((piece, new.node("query")), (Some(piece), Some(query))
                if all_inside(query, &piece.new))
    }
}

/// `*` or `c.*` as an output.
fn is_star(node: &Node) -> bool {
    let value = node.node("val").filter(|value| value.kind == "ColumnRef");
    value.is_some_and(|value| value.nodes("fields").any(|part| part.kind == "AStar"))
}

/// The first place below a node, itself included.
fn first_location(node: &Node) -> Option<usize> {
    let mut first: Option<usize> = None;
    node.walk(&mut |node| {
        if let Some(at) = place(node) {
            first = Some(first.map_or(at, |first| first.min(at)));
        }
        Deeper::Yes
    });
    first
}

fn all_inside(node: &Node, range: &Range<usize>) -> bool {
    let (mut any, mut inside) = (false, true);
    node.walk(&mut |node| {
        if let Some(at) = place(node) {
            any = true;
            inside &= range.contains(&at);
        }
        Deeper::Yes
    });
    any && inside
}

/// Where a node says it is; the parser says -1 for unknown and leaves 0 out, which only nodes that
/// begin a text can have.
fn place(node: &Node) -> Option<usize> {
    if node.has("location") { node.location() } else { None }
}

fn is_inside(value: &Value, range: &Range<usize>) -> bool {
    value.as_node().is_some_and(|node| all_inside(node, range))
}
