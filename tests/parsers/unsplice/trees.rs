//! Trees, compared without regard to places.

use keyhole::analysis::tree::{Node, Value};

use super::Same;

/// Fields that say where something stood.
pub(crate) fn is_place(field: &str) -> bool {
    field.ends_with("location")
        || matches!(field, "stmt_len" | "list_start" | "list_end")
        || field.starts_with("rexpr_list")
}

pub(crate) fn is_equal(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Node(old), Value::Node(new)) => old.kind == new.kind && fields_equal(old, new, &[]),
        (Value::List(old), Value::List(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| is_equal(old, new))
        }
        (old, new) => old == new,
    }
}

pub(crate) fn fields_equal(old: &Node, new: &Node, except: &[&str]) -> bool {
    let counts = |field: &str| !is_place(field) && !except.contains(&field);
    let names = old.fields.iter().chain(&new.fields).map(|(name, _)| *name);
    names.filter(|name| counts(name)).all(|name| is_equal(old.get(name), new.get(name)))
}

pub(crate) fn differ(old: &Node, new: &Node) -> Same {
    Err(format!("{old:?}\n  is not {new:?}"))
}

pub(crate) fn is_bare(node: &Node) -> bool {
    node.kind == "ColumnRef"
}

pub(crate) fn strip_casts(node: &Node) -> &Node {
    let mut node = node;
    while let (true, Some(inner)) = (node.kind == "TypeCast", node.node("arg")) {
        node = inner;
    }
    node
}
