//! What leads to a name: objects that a definition is about or a statement uses, and what the
//! snapshot knows of those. Names count in whatever schema and case.

use std::collections::{BTreeSet, HashMap};

use crate::analysis::tree::{Deeper, Node, Value};
use crate::model::Oid;
use crate::schema::{Function, Relation, Snapshot};

/// PostgreSQL cuts longer identifiers.
const NAME_BYTES_MAX: usize = 63;

/// Types in columns of a definition are not what it defines.
const PLAIN_TYPES: [&str; 24] = [
    "bigserial",
    "bool",
    "bpchar",
    "bytea",
    "date",
    "float8",
    "inet",
    "int2",
    "int4",
    "int8",
    "interval",
    "json",
    "jsonb",
    "numeric",
    "record",
    "serial",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "trigger",
    "uuid",
    "varchar",
    "void",
];

/// Fields with letters for something, and with names of other things than relations, functions,
/// operators and types.
const OTHER_NAMES: [&str; 24] = [
    "aliases",
    "aliasname",
    "catalogname",
    "colname",
    "colnames",
    "compression",
    "conname",
    "defname",
    "defnamespace",
    "fk_attrs",
    "fk_del_action",
    "fk_matchtype",
    "fk_upd_action",
    "generated",
    "generated_when",
    "identity",
    "including",
    "keys",
    "pk_attrs",
    "provider",
    "relpersistence",
    "schemaname",
    "storage",
    "storage_name",
];

/// Nodes whose field `name` is one of a column.
const NAME_COLUMNS: [&str; 3] = ["AlterTableCmd", "IndexElem", "ResTarget"];

fn is_plain(type_name: &Node) -> bool {
    let names = type_name.names("names");
    names.first() == Some(&"pg_catalog") || names.last().is_some_and(|it| PLAIN_TYPES.contains(it))
}

/// Whether functions that a definition calls count as what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    Counted,
    Left,
}

/// What a definition names: objects, symbols of operators, and code as it stands there.
pub(super) fn named<'a>(node: &'a Node, calls: Calls, visit: &mut impl FnMut(&'a str)) {
    if matches!(node.kind, "ColumnRef" | "AConst") || (node.kind == "TypeName" && is_plain(node)) {
        return;
    }
    for (field, value) in &node.fields {
        let is_other = OTHER_NAMES.contains(field)
            || (*field == "name" && NAME_COLUMNS.contains(&node.kind))
            || (*field == "funcname" && node.kind == "FuncCall" && calls == Calls::Left);
        if !is_other {
            named_in(value, calls, visit);
        }
    }
}

fn named_in<'a>(value: &'a Value, calls: Calls, visit: &mut impl FnMut(&'a str)) {
    match value {
        Value::Text(text) => visit(text),
        Value::Node(node) => named(node, calls, visit),
        // Of a qualified name, the last part says what it is.
        Value::List(items) => {
            let is_text = |item: &Value| item.as_node().is_some_and(|it| it.kind == "String");
            let from = if items.iter().all(is_text) { items.len().saturating_sub(1) } else { 0 };
            items[from..].iter().for_each(|item| named_in(item, calls, visit));
        }
        Value::Nothing | Value::True | Value::Int(_) | Value::Real(_) => {}
    }
}

/// What a statement uses: relations, functions, types, and symbols of operators.
pub(super) fn used<'a>(tree: &'a Node, visit: &mut impl FnMut(&'a str)) {
    tree.walk(&mut |node| {
        match node.kind {
            "RangeVar" => visit(node.text("relname")),
            "FuncCall" => node.names("funcname").last().into_iter().for_each(|it| visit(it)),
            "TypeName" if !is_plain(node) => {
                node.names("names").last().into_iter().for_each(|it| visit(it));
            }
            "AExpr" | "SubLink" | "SortBy" => {
                for field in ["name", "oper_name", "use_op"] {
                    node.names(field).last().into_iter().for_each(|it| visit(it));
                }
            }
            _ => {}
        }
        Deeper::Yes
    });
}

/// The identifiers in a text, in lower case; the text itself if it may be one.
pub(super) fn words(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii();
    let words = text.split(|c| !is_word(c)).chain((text.len() <= NAME_BYTES_MAX).then_some(text));
    words.filter(|word| !word.is_empty()).map(folded).collect()
}

/// As names are compared: cut, and without regard to case.
pub(super) fn folded(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_BYTES_MAX)].to_ascii_lowercase()
}

/// The snapshot by names.
struct Known<'a> {
    schema: &'a Snapshot,
    relations: HashMap<String, Vec<&'a Relation>>,
    functions: HashMap<String, Vec<&'a Function>>,
    function_names: HashMap<Oid, &'a str>,
}

impl<'a> Known<'a> {
    fn new(schema: &'a Snapshot) -> Self {
        let mut relations: HashMap<String, Vec<_>> = HashMap::new();
        for relation in schema.relations.values().filter(|it| !it.is_system()) {
            relations.entry(folded(&relation.name.name)).or_default().push(relation);
        }
        let mut functions: HashMap<String, Vec<_>> = HashMap::new();
        for function in &schema.functions {
            functions.entry(folded(&function.name.name)).or_default().push(function);
        }
        let names = schema.functions.iter().map(|it| (it.oid, it.name.name.as_str()));
        Self { schema, relations, functions, function_names: names.collect() }
    }

    fn called<'b>(&'b self, functions: &'b [Oid]) -> impl Iterator<Item = String> + 'b {
        functions.iter().filter_map(|oid| self.function_names.get(oid)).map(|it| folded(it))
    }

    fn read<'b>(&'b self, relations: &'b [Oid]) -> impl Iterator<Item = String> + 'b {
        let known = relations.iter().filter_map(|oid| self.schema.relation(*oid));
        known.map(|relation| folded(&relation.name.name))
    }

    /// What whoever uses the name runs or reads. None: that cannot be told.
    fn behind(&self, name: &str) -> Option<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for relation in self.relations.get(name).into_iter().flatten() {
            let policies = &relation.policies;
            found.extend(self.read(&relation.reads).chain(self.read(&policies.reads)));
            found.extend(self.called(&relation.calls).chain(self.called(&policies.calls)));
        }
        for function in self.functions.get(name).into_iter().flatten() {
            for code in [&function.body, &function.defaults] {
                if code.to_ascii_lowercase().contains("u&") {
                    return None;
                }
                found.extend(words(code));
            }
            found.extend(self.read(&function.reads).chain(self.called(&function.runs)));
        }
        let types = self.schema.types.iter().filter(|it| folded(&it.name.name) == name);
        found.extend(types.flat_map(|it| self.called(&it.calls)));
        let operators = self.schema.operators.iter().filter(|it| it.symbol == name);
        found.extend(operators.flat_map(|it| self.called(std::slice::from_ref(&it.function))));
        Some(found)
    }
}

/// The first of `names`, folded, that one of `changed` hides behind.
pub(super) fn leads_to(
    names: BTreeSet<String>,
    changed: &BTreeSet<String>,
    schema: &Snapshot,
) -> Option<String> {
    if changed.is_empty() {
        return None;
    }
    let known = Known::new(schema);
    names.into_iter().find(|name| {
        let (mut seen, mut work) = (BTreeSet::from([name.clone()]), vec![name.clone()]);
        while let Some(at) = work.pop() {
            if changed.contains(&at) {
                return true;
            }
            let Some(behind) = known.behind(&at) else { return true };
            work.extend(behind.into_iter().filter(|it| seen.insert(it.clone())));
        }
        false
    })
}
