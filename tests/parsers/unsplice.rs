//! Undoes a rewrite, by the shape of the trees alone: where the original names a relation with
//! hidden columns, the new tree must hold a masked subselect of exactly that relation; everything
//! else must be equal. Nothing here knows which bytes were inserted, or shares code with the
//! proxy's own comparison.

use std::collections::HashSet;

use keyhole::analysis::SearchPath;
use keyhole::analysis::facts::Children;
use keyhole::analysis::parse::{Parsed, parse};
use keyhole::analysis::sensitive::Reach;
use keyhole::analysis::tree::{Node, Value};
use keyhole::model::ColumnId;
use keyhole::schema::{Relation, RelationKind};

use crate::bench::Bench;

#[path = "unsplice/trees.rs"]
mod trees;

use trees::{differ, fields_equal, is_bare, is_equal, is_place, strip_casts};

pub(crate) type Same = Result<(), String>;

/// Where in the new text relations stand below masks.
///
/// # Errors
/// The first difference that no mask explains.
pub(crate) fn compare(bench: &Bench, old: &Parsed, new: &Parsed) -> Result<HashSet<usize>, String> {
    let mut undoing = Undoing {
        bench,
        path: bench.path.clone(),
        masked: HashSet::new(),
        target: None,
        place: Where::Level,
        versions: Vec::new(),
    };
    if old.statements.len() != new.statements.len() {
        return Err("another number of statements".to_owned());
    }
    for (old, new) in old.statements.iter().zip(&new.statements) {
        undoing.nodes(&old.tree, &new.tree)?;
    }
    Ok(undoing.masked)
}

struct Undoing<'a> {
    bench: &'a Bench,
    path: SearchPath,
    masked: HashSet<usize>,
    /// The relation that the innermost write around writes to, and the name of its row.
    target: Option<(&'a Relation, String)>,
    place: Where,
    /// What RETURNING calls OLD and NEW.
    versions: Vec<String>,
}

/// Where in a write we are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// At its own level.
    Level,
    /// In the list of RETURNING.
    Returning,
    /// In a query inside it: unqualified names may be that query's.
    Nested,
}

impl<'a> Undoing<'a> {
    fn nodes(&mut self, old: &Node, new: &Node) -> Same {
        match (old.kind, new.kind) {
            ("RangeVar", "RangeSubselect") => return self.relation(old, new, None),
            ("RangeTableSample", "RangeSubselect") => return self.sample(old, new),
            ("RangeVar", "RangeVar") if !fields_equal(old, new, &[]) => {
                return self.qualified(old, new);
            }
            ("CopyStmt", "CopyStmt") if old.has("relation") && new.has("query") => {
                return self.copied(old, new);
            }
            ("ColumnRef", "SubLink") if self.row_of(old).is_some() => return self.row(old, new),
            ("ColumnRef", "ColumnRef") if loses_schema(old, new) => return Ok(()),
            ("ColumnRef", _) if self.is_hidden_use(old) => {
                let shown = is_bare(new) && self.is_surely_its(old);
                return if shown { Err(format!("{new:?} is hidden")) } else { Ok(()) };
            }
            (_, "CaseExpr") if old.kind != "CaseExpr" && self.target.is_some() => {
                return self.written_back(old, new);
            }
            _ => {}
        }
        if old.kind != new.kind {
            return differ(old, new);
        }
        let place = self.place;
        match old.kind {
            "SelectStmt" => self.place = Where::Nested,
            "ReturningClause" => {
                self.place = Where::Returning;
                let names = old.nodes("options").map(|option| option.text("value").to_owned());
                self.versions = names.collect();
            }
            _ => {}
        }
        let outer = match old.kind {
            "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" => {
                self.place = Where::Level;
                let target = old.node("relation").and_then(|target| {
                    let relation = self.resolve(target)?;
                    let alias = target.node("alias").map(|alias| alias.text("aliasname"));
                    Some((relation, alias.unwrap_or(&relation.name.name).to_owned()))
                });
                Some(std::mem::replace(&mut self.target, target))
            }
            _ => None,
        };
        let fields = old.fields.iter().chain(&new.fields).map(|(name, _)| *name);
        for field in fields.filter(|field| !is_place(field)) {
            let (from, to) = (old.get(field), new.get(field));
            if is_equal(from, to) && !may_hold_relations(from) {
                continue;
            }
            if old.kind == "ResTarget" && field == "name" && self.is_named_after(old, to) {
                continue;
            }
            self.values(from, to).map_err(|why| format!("{}.{field}: {why}", old.kind))?;
        }
        if let Some(outer) = outer {
            self.target = outer;
        }
        self.place = place;
        Ok(())
    }

    fn values(&mut self, old: &Value, new: &Value) -> Same {
        match (old, new) {
            (Value::Node(old), Value::Node(new)) => self.nodes(old, new),
            (Value::List(old), Value::List(new)) => self.lists(old, new),
            (old, new) if old == new => Ok(()),
            (old, new) => Err(format!("{old:?} is not {new:?}")),
        }
    }

    fn lists(&mut self, old: &[Value], new: &[Value]) -> Same {
        let mut rest = new.iter();
        for value in old {
            let star = value.as_node().and_then(|node| Some((node, self.starred(node)?)));
            if let Some((star, columns)) = star {
                for column in columns {
                    let output = rest.next().and_then(Value::as_node);
                    self.returned(column, output.ok_or("too few columns for a star")?, star)?;
                }
                continue;
            }
            self.values(value, rest.next().ok_or("something is missing")?)?;
        }
        // A GROUP BY of a primary key names the columns that it stood for.
        for value in rest {
            let parts = value.as_node().filter(|node| node.kind == "ColumnRef");
            let grouped = old.iter().all(|old| old.as_node().is_some_and(is_bare));
            match parts.map(|node| node.names("fields")) {
                Some(parts) if grouped && parts.len() == 2 => {}
                _ => return Err(format!("{value:?} is new")),
            }
        }
        Ok(())
    }

    fn resolve(&self, node: &Node) -> Option<&'a Relation> {
        let (schema, name) = (node.text("schemaname"), node.text("relname"));
        let snapshot = &self.bench.world.schema;
        if schema.is_empty() {
            self.path.0.iter().find_map(|schema| snapshot.find(schema, name))
        } else {
            snapshot.find(schema, name)
        }
    }

    fn is_hidden(&self, relation: &Relation, number: i16) -> bool {
        let id = ColumnId { relation: relation.oid, number };
        self.bench.world.sensitive.column(id).is_some()
    }

    /// `customers` has become `public.customers`, the same relation.
    fn qualified(&self, old: &Node, new: &Node) -> Same {
        let same = self.resolve(old).is_some_and(|relation| {
            new.text("schemaname") == relation.name.schema
                && new.text("relname") == relation.name.name
        });
        if same && fields_equal(old, new, &["schemaname"]) { Ok(()) } else { differ(old, new) }
    }

    fn sample(&mut self, old: &Node, new: &Node) -> Same {
        let relation = old.node("relation").ok_or("TABLESAMPLE of nothing")?;
        self.relation(relation, new, Some(old))
    }

    fn relation(&mut self, old: &Node, new: &Node, sample: Option<&Node>) -> Same {
        let relation = self.resolve(old).ok_or("an unknown relation was replaced")?;
        let (alias, as_before) = (new.node("alias").ok_or("no alias")?, old.node("alias"));
        let kept = match as_before {
            Some(before) => is_equal(
                &Value::Node(Box::new(before.clone())),
                &Value::Node(Box::new(alias.clone())),
            ),
            None => alias.text("aliasname") == relation.name.name && !alias.has("colnames"),
        };
        let query = new.node("subquery").ok_or("no subquery")?;
        if !kept || new.is("lateral") {
            return differ(old, new);
        }
        match self.bench.world.sensitive.reach(relation.oid) {
            Some(Reach::View { .. }) if sample.is_none() => self.view(relation, query),
            Some(Reach::Table | Reach::Stored | Reach::Carrier(_)) => {
                let only = if old.is("inh") { Children::Included } else { Children::Only };
                self.subselect(relation, query, only, sample, None)
            }
            Some(Reach::View { .. } | Reach::SideDoor) | None => {
                Err(format!("{} was replaced", relation.name))
            }
        }
    }

    /// The view's definition, itself with masks below it.
    fn view(&mut self, relation: &Relation, query: &Node) -> Same {
        let text = relation.definition.as_deref().ok_or("a view without a definition")?;
        let definition = parse(text).map_err(|error| error.to_string())?;
        let path = SearchPath(vec!["pg_catalog".to_owned()]);
        let outer = std::mem::replace(&mut self.path, path);
        let target = self.target.take();
        let same = self.nodes(&definition.statements[0].tree, query);
        (self.path, self.target) = (outer, target);
        same.map_err(|why| format!("view {}: {why}", relation.name))
    }

    /// `(SELECT id, <mask> AS email, … FROM public.customers)` and nothing more.
    fn subselect(
        &mut self,
        relation: &'a Relation,
        query: &Node,
        children: Children,
        sample: Option<&Node>,
        only: Option<&[&str]>,
    ) -> Same {
        let known = ["target_list", "from_clause", "limit_option", "op"];
        let plain = query.kind == "SelectStmt"
            && query.fields.iter().all(|(name, _)| known.contains(name))
            && query.int("op") <= 1;
        let mut from = query.nodes("from_clause");
        let (Some(mut item), None) = (from.next(), from.next()) else {
            return Err("a mask that reads not one relation".to_owned());
        };
        if let Some(sample) = sample {
            if item.kind != "RangeTableSample" || !fields_equal(sample, item, &["relation"]) {
                return Err("another sample".to_owned());
            }
            item = item.node("relation").ok_or("a sample of nothing")?;
        }
        let same = item.kind == "RangeVar"
            && item.text("schemaname") == relation.name.schema
            && item.text("relname") == relation.name.name
            && item.is("inh") == (children == Children::Included)
            && !item.has("alias");
        if !plain || !same {
            return Err(format!("not a mask of {}: {query:?}", relation.name));
        }
        let mut outputs: Vec<&Node> = query.nodes("target_list").collect();
        let columns: Vec<i16> = match only {
            None => relation.columns.iter().map(|column| column.number).collect(),
            Some(names) => names
                .iter()
                .map(|name| relation.column(name).map(|column| column.number))
                .collect::<Option<_>>()
                .ok_or("an unknown column")?,
        };
        if outputs.len() < columns.len() {
            return Err("too few columns".to_owned());
        }
        // System columns come last.
        for system in outputs.split_off(columns.len()) {
            let name = system.node("val").map(|val| val.names("fields").concat());
            let known = ["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];
            if !name.is_some_and(|name| known.contains(&name.as_str())) {
                return Err(format!("{system:?} is no column of {}", relation.name));
            }
        }
        for (number, output) in columns.into_iter().zip(outputs) {
            self.output_of(relation, number, output, &[])?;
        }
        self.masked.insert(item.location().ok_or("a relation without a place")?);
        Ok(())
    }

    fn returned(&self, number: i16, output: &Node, star: &Node) -> Same {
        let (relation, name) = self.target.as_ref().ok_or("no target")?;
        let parts = star.node("val").map(|val| val.names("fields")).unwrap_or_default();
        let name = parts.last().copied().unwrap_or(name);
        self.output_of(relation, number, output, &[name])
    }

    /// One output column: itself, or hidden behind an expression that goes by its name.
    fn output_of(
        &self,
        relation: &Relation,
        number: i16,
        output: &Node,
        qualifiers: &[&str],
    ) -> Same {
        let column = relation.column_numbered(number).ok_or("an unknown column")?;
        let val = output.node("val").ok_or("an output of nothing")?;
        let is_itself = is_bare(val)
            && val.names("fields").split_last().is_some_and(|(last, before)| {
                *last == column.name && (before.is_empty() || before == qualifiers)
            });
        let fine = if self.is_hidden(relation, number) {
            !is_bare(strip_casts(val)) && output.text("name") == column.name
        } else {
            is_itself && !output.has("name")
        };
        if fine { Ok(()) } else { Err(format!("column {} became {output:?}", column.name)) }
    }

    /// `COPY t (a, b) TO` has become `COPY (SELECT a, b FROM ONLY t) TO`.
    fn copied(&mut self, old: &Node, new: &Node) -> Same {
        let relation = old.node("relation").and_then(|node| self.resolve(node));
        let relation = relation.ok_or("COPY of an unknown relation")?;
        let names = old.names("attlist");
        let stored = relation.columns.iter().filter(|column| column.generated_from.is_none());
        let stored: Vec<&str> = stored.map(|column| column.name.as_str()).collect();
        let names = if names.is_empty() { stored } else { names };
        let query = new.node("query").ok_or("COPY of nothing")?;
        let is_table = relation.kind == RelationKind::Table;
        let children = if is_table { Children::Only } else { Children::Included };
        self.subselect(relation, query, children, None, Some(&names))?;
        let same = fields_equal(old, new, &["relation", "query", "attlist"]);
        if same && !new.has("relation") { Ok(()) } else { differ(old, new) }
    }

    /// The target's row goes by its name, and in RETURNING by OLD and NEW.
    fn is_row_name(&self, name: &str, qualifier: &str) -> bool {
        let version = matches!(qualifier, "old" | "new")
            || self.versions.iter().any(|version| version == qualifier);
        qualifier == name || (version && self.place != Where::Level)
    }

    /// The name of the target's row, if that is what is named.
    fn row_of<'n>(&self, old: &'n Node) -> Option<&'n str> {
        let (relation, name) = self.target.as_ref()?;
        let last = *old.names("fields").last()?;
        (self.is_row_name(name, last) && relation.column(last).is_none()).then_some(last)
    }

    /// `t` has become `(SELECT masked FROM (SELECT t.id, <mask> AS email …) masked)`.
    fn row(&self, old: &Node, new: &Node) -> Same {
        let (relation, _) = self.target.as_ref().ok_or("no target")?;
        let name = self.row_of(old).ok_or("no row")?;
        let select = new.node("subselect").ok_or("no query")?;
        let mut from = select.nodes("from_clause");
        let (Some(item), None) = (from.next(), from.next()) else { return differ(old, new) };
        let alias = item.node("alias").map(|alias| alias.text("aliasname"));
        let shown: Vec<_> = select.nodes("target_list").filter_map(|it| it.node("val")).collect();
        let itself =
            matches!(shown.as_slice(), [one] if one.names("fields").last().copied() == alias);
        let inner = item.node("subquery").filter(|_| itself).ok_or("no row of masks")?;
        let outputs: Vec<_> = inner.nodes("target_list").collect();
        if outputs.len() != relation.columns.len() || inner.has("from_clause") {
            return differ(old, new);
        }
        let mut pairs = relation.columns.iter().zip(outputs);
        pairs.try_for_each(|(column, it)| self.output_of(relation, column.number, it, &[name]))
    }

    /// A column of a write's target that is hidden.
    fn is_hidden_use(&self, old: &Node) -> bool {
        let Some((relation, name)) = &self.target else { return false };
        match old.names("fields").as_slice() {
            [.., qualifier, column] if self.is_row_name(name, qualifier) => {
                relation.column(column).is_some_and(|it| self.is_hidden(relation, it.number))
            }
            [column] => {
                relation.column(column).is_some_and(|it| self.is_hidden(relation, it.number))
            }
            _ => false,
        }
    }

    /// A hidden column of the target and of nothing else that is in scope.
    fn is_surely_its(&self, old: &Node) -> bool {
        old.names("fields").len() > 1 && self.place != Where::Nested
    }

    /// An output whose hidden column was masked keeps the column's name.
    fn is_named_after(&self, old: &Node, name: &Value) -> bool {
        let column = old.node("val").filter(|val| val.kind == "ColumnRef");
        column.is_some_and(|column| {
            (self.is_hidden_use(column) || self.row_of(column).is_some())
                && column.names("fields").last().copied() == name.as_text()
        }) && !old.has("name")
    }

    /// The columns of `RETURNING *` of a target with hidden columns.
    fn starred(&self, old: &Node) -> Option<Vec<i16>> {
        let (relation, name) = self.target.as_ref()?;
        let val =
            old.node("val").filter(|val| old.kind == "ResTarget" && val.kind == "ColumnRef")?;
        let star = val.nodes("fields").any(|part| part.kind == "AStar");
        let own = match val.names("fields").as_slice() {
            [] => true,
            [.., qualifier] => self.is_row_name(name, qualifier),
        };
        let hides = self.bench.world.sensitive.columns_of(relation.oid).next().is_some();
        let returned = self.place == Where::Returning;
        (star && own && hides && returned)
            .then(|| relation.columns.iter().map(|it| it.number).collect())
    }

    /// `CASE WHEN (v) IS NOT DISTINCT FROM <mask> THEN column ELSE v END` in place of `v`.
    fn written_back(&self, old: &Node, new: &Node) -> Same {
        let old_value = Value::Node(Box::new(old.clone()));
        let when = new.nodes("args").next().filter(|_| new.list("args").len() == 1);
        let distinct = when.and_then(|when| when.node("expr"));
        let kept = when.and_then(|when| when.node("result"));
        let same = distinct.is_some_and(|it| it.int("kind") == NOT_DISTINCT)
            && distinct.and_then(|it| it.node("lexpr")).is_some_and(|compared| {
                let cast = compared.node("arg").filter(|_| compared.kind == "TypeCast");
                let is_value =
                    |node: &Node| is_equal(&old_value, &Value::Node(Box::new(node.clone())));
                is_value(compared) || cast.is_some_and(is_value)
            })
            && (is_equal(&old_value, new.get("defresult")) || fails(new.get("defresult")))
            && kept.is_some_and(|kept| kept.kind == "ColumnRef" && self.is_hidden_use(kept))
            && !new.has("arg");
        if same { Ok(()) } else { differ(old, new) }
    }
}

/// `AEXPR_NOT_DISTINCT` of `pg_query`'s enumeration.
const NOT_DISTINCT: i64 = 5;

/// An expression that stores nothing, since it fails: what a constraint tells by its verdict.
fn fails(value: &Value) -> bool {
    let mut fails = false;
    if let Value::Node(node) = value {
        node.texts(&mut |text| fails |= text == "keyhole: this value may not change");
    }
    fails
}

/// `public.t.c` has become `t.c`: a subselect's row has no schema.
fn loses_schema(old: &Node, new: &Node) -> bool {
    let (was, is) = (old.list("fields"), new.list("fields"));
    let dropped = was.len().saturating_sub(is.len());
    let mut same = was[dropped..].iter().zip(is).map(|(old, new)| is_equal(old, new));
    dropped > 0 && is.len() >= 2 && same.all(|same| same)
}

/// Whether there may be something in it that has to be masked although both sides are equal.
fn may_hold_relations(value: &Value) -> bool {
    matches!(value, Value::Node(_) | Value::List(_))
}
