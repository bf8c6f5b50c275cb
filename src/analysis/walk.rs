//! The walk over queries: which relations they reach, under CTE scopes and a `search_path`.

use std::ops::Range;

use pg_query::protobuf::Token as TokenKind;

use super::ctes::Ctes;
use super::facts::{Analysis, ClassedCall, Flow, Group, Kind, Obstacle, Place, Results, Shape};
use super::names::Names;
use super::parse::Token;
use super::sensitive::DeclaredResult;
use super::statement::Context;
use super::tree::{Deeper, Node, Value};
use super::writes::Level;

/// Kinds of nodes of which nothing but their parts needs to be known. A kind that is neither here
/// nor handled by name is not supported over PII.
const PLAIN: [&str; 60] = [
    "AArrayExpr",
    "AConst",
    "AExpr",
    "AIndices",
    "AStar",
    "Alias",
    "BitString",
    "BoolExpr",
    "Boolean",
    "BooleanTest",
    "CallStmt",
    "CaseExpr",
    "CaseWhen",
    "CoalesceExpr",
    "CollateClause",
    "ColumnDef",
    "CteCycleClause",
    "CteSearchClause",
    "CurrentOfExpr",
    "DefElem",
    "ExecuteStmt",
    "Float",
    "GroupingFunc",
    "GroupingSet",
    "IndexElem",
    "InferClause",
    "Integer",
    "JsonAggConstructor",
    "JsonArgument",
    "JsonArrayAgg",
    "JsonArrayConstructor",
    "JsonArrayQueryConstructor",
    "JsonBehavior",
    "JsonFormat",
    "JsonFuncExpr",
    "JsonIsPredicate",
    "JsonKeyValue",
    "JsonObjectAgg",
    "JsonObjectConstructor",
    "JsonOutput",
    "JsonParseExpr",
    "JsonReturning",
    "JsonScalarExpr",
    "JsonSerializeExpr",
    "JsonTable",
    "JsonTableColumn",
    "JsonTablePathSpec",
    "JsonValueExpr",
    "List",
    "MinMaxExpr",
    "NamedArgExpr",
    "NullTest",
    "OnConflictClause",
    "ParamRef",
    "RangeTableFunc",
    "RangeTableFuncCol",
    "ReturningOption",
    "RowExpr",
    "SetToDefault",
    "String",
];

/// As [`PLAIN`], of the query level.
const PLAIN_QUERY: [&str; 14] = [
    "JoinExpr",
    "MultiAssignRef",
    "RangeSubselect",
    "ResTarget",
    "ReturningClause",
    "SortBy",
    "SqlValueFunction",
    "SubLink",
    "TypeCast",
    "WindowDef",
    "XmlExpr",
    "XmlSerialize",
    "MergeSupportFunc",
    "TypeName",
];

pub(super) struct Walker<'a> {
    pub tokens: &'a [Token],
    pub context: Context<'a>,
    pub out: Analysis,
    /// Where rows read here go.
    pub flow: Flow,
    pub ctes: Ctes,
    /// How often something sensitive has been named so far.
    pub sensitive_names: usize,
    /// The writes whose columns are in scope, innermost last.
    pub levels: Vec<Level>,
    /// The GROUP BY of the SELECT whose FROM is being walked.
    pub group: Option<Group>,
    /// Relations in the statement whose rows check what is put into them.
    checked_rows: Vec<String>,
    /// The TABLESAMPLE clause of the relation that comes next.
    pub sample: Option<Range<usize>>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(
        tokens: &'a [Token],
        context: Context<'a>,
        names: Names,
        span: Range<usize>,
    ) -> Self {
        let out = Analysis {
            kind: Kind::Query,
            references: Vec::new(),
            qualify: Vec::new(),
            obstacles: Vec::new(),
            classed: Vec::new(),
            shape: Shape::Computed,
            results: Results::Mixed,
            writes: Vec::new(),
            stored: Vec::new(),
            in_band: Vec::new(),
            executes: None,
            rows_by_schema: Vec::new(),
            names,
            span,
        };
        Self {
            tokens,
            context,
            out,
            flow: Flow::Client,
            ctes: Ctes::default(),
            sensitive_names: 0,
            levels: Vec::new(),
            group: None,
            checked_rows: Vec::new(),
            sample: None,
        }
    }

    pub(super) fn finish(self) -> Analysis {
        self.out
    }

    pub(super) fn unsupported(&mut self, what: &str) {
        self.out.obstacles.push(Obstacle::Unsupported(what.to_owned()));
    }

    pub(super) fn value(&mut self, value: &Value) {
        match value {
            Value::Node(node) => self.node(node),
            Value::List(items) => items.iter().for_each(|item| self.value(item)),
            Value::Nothing | Value::True | Value::Int(_) | Value::Real(_) | Value::Text(_) => {}
        }
    }

    pub(super) fn fields(&mut self, node: &Node) {
        for (_, value) in &node.fields {
            self.value(value);
        }
    }

    pub(super) fn node(&mut self, node: &Node) {
        match node.kind {
            "SelectStmt" => self.select(node),
            "InsertStmt" | "UpdateStmt" | "DeleteStmt" => self.write(node),
            "MergeStmt" => self.merge(node),
            "RangeVar" => self.relation(node, Place::From),
            "RangeTableSample" => {
                match node.node("relation") {
                    Some(relation) if relation.kind == "RangeVar" => {
                        self.sample = self.sample_span(relation);
                        self.relation(relation, Place::Sampled);
                        self.sample = None;
                    }
                    _ => self.unsupported("TABLESAMPLE"),
                }
                self.value(node.get("args"));
                self.value(node.get("repeatable"));
            }
            "RangeFunction" => self.range_function(node),
            "FuncCall" => self.call(node),
            "ColumnRef" => {
                if let [_, applied @ ..] = node.names("fields").as_slice() {
                    self.applied(applied);
                }
                self.column(node);
                self.row_by_schema(node);
            }
            "AIndirection" => {
                self.applied(&node.names("indirection"));
                self.field_of_row(node);
                self.fields(node);
            }
            // `FOR UPDATE OF c` names aliases, and a new relation's name reads nothing.
            "LockingClause" | "IntoClause" => {}
            "AExpr" | "SubLink" | "SortBy" => {
                if node.names("name").last() == Some(&"#=") {
                    self.fills_rows();
                }
                self.operators(node);
                self.fields(node);
            }
            "TypeName" => self.type_name(node),
            kind if PLAIN.contains(&kind) || PLAIN_QUERY.contains(&kind) => self.fields(node),
            kind => self.unsupported(kind),
        }
    }

    fn operators(&mut self, node: &Node) {
        for field in ["name", "oper_name", "use_op"] {
            if let Some(symbol) = node.names(field).last()
                && self.context.sensitive.operators.contains(*symbol)
            {
                self.out.obstacles.push(Obstacle::Function(format!("operator {symbol}")));
            }
        }
    }

    /// `row.f` applies function `f` to the row where the row has no such column.
    fn applied(&mut self, fields: &[&str]) {
        let (schema, sensitive) = (self.context.schema, self.context.sensitive);
        for field in fields {
            let Some(function) = sensitive.functions_named(field).next() else { continue };
            let is_column = schema.relations.values().any(|r| r.column(field).is_some());
            if !is_column {
                self.out.obstacles.push(Obstacle::Function(function.name.to_string()));
            }
        }
    }

    fn type_name(&mut self, node: &Node) {
        if let Some(name) = node.names("names").last()
            && self.context.sensitive.types.contains(*name)
        {
            self.out.obstacles.push(Obstacle::Function(format!("type {name}")));
        }
        self.fields(node);
    }

    /// Values are put into a row given by an example, or a relation gets the types of the columns
    /// that are read: those types check values.
    pub(super) fn fills_rows(&mut self) {
        if let Some(name) = self.checked_rows.first() {
            self.out.obstacles.push(Obstacle::Function(format!("type {name}")));
        }
    }

    /// Relations of the statement with columns whose types are checked by sensitive code.
    pub(super) fn note_checked_rows(&mut self, tree: &Node) {
        let types = &self.context.sensitive.types;
        let rows = &mut self.checked_rows;
        tree.walk(&mut |node| {
            if node.kind == "RangeVar" && types.contains(node.text("relname")) {
                rows.push(node.text("relname").to_owned());
            }
            Deeper::Yes
        });
    }

    /// A SELECT at whatever depth: its CTEs are in scope for all of it.
    fn select(&mut self, node: &Node) {
        self.deeper();
        self.with(node);
        let group = self.group_of(node);
        let outer = std::mem::replace(&mut self.group, group);
        for (field, value) in &node.fields {
            if *field != "with_clause" {
                self.value(value);
            }
        }
        self.group = outer;
        self.lookups(node);
        self.without();
        self.shallower();
    }

    /// The index of the token that starts at this byte.
    pub(super) fn token_at(&self, start: usize) -> Option<usize> {
        self.tokens.binary_search_by_key(&start, |token| token.start).ok()
    }

    /// The last token of a dotted name that starts at token `first`.
    pub(super) fn name_end(&self, first: usize) -> usize {
        let mut last = first;
        while self.tokens.get(last + 1).is_some_and(|dot| dot.kind == TokenKind::Ascii46)
            && last + 2 < self.tokens.len()
        {
            last += 2;
        }
        last
    }

    fn range_function(&mut self, node: &Node) {
        let calls: Vec<&Node> = node
            .nodes("functions")
            .flat_map(|list| list.nodes("items"))
            .filter(|call| call.kind == "FuncCall")
            .collect();
        if let [call] = calls.as_slice()
            && let ["keyhole", name] = call.names("funcname").as_slice()
        {
            return self.in_band_call(node, call, name);
        }
        self.fields(node);
    }

    fn call(&mut self, node: &Node) {
        let parts = node.names("funcname");
        let (schema, name) = match parts.as_slice() {
            [.., schema, name] => (Some(*schema), *name),
            [name] => (None, *name),
            [] => (None, ""),
        };
        if schema == Some("keyhole") {
            return self.unsupported(&format!("keyhole.{name} outside FROM"));
        }
        if name.ends_with("populate_record") || name.ends_with("populate_recordset") {
            self.fills_rows();
        }
        // With three arguments, all of them are values: no text runs.
        let rewrites_values = name == "ts_rewrite" && node.nodes("args").count() == 3;
        if self.context.sensitive.is_side_door_function(name) && !rewrites_values {
            self.out.obstacles.push(Obstacle::SideDoor(format!("{name}()")));
        }
        for function in self.context.sensitive.functions_named(name) {
            if schema.is_some_and(|schema| schema != function.name.schema) {
                continue;
            }
            match &function.declared {
                Some(DeclaredResult::Pii { class, .. }) => self.out.classed.push(ClassedCall {
                    function: function.name.to_string(),
                    class: class.to_string(),
                }),
                Some(DeclaredResult::Clear) => {}
                None => self.out.obstacles.push(Obstacle::Function(function.name.to_string())),
            }
        }
        self.fields(node);
    }

    /// The index of the parenthesis that closes the one at token `open`.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other token nests")]
    pub(super) fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for (index, token) in self.tokens.iter().enumerate().skip(open) {
            match token.kind {
                TokenKind::Ascii40 => depth += 1,
                TokenKind::Ascii41 => depth = depth.checked_sub(1)?,
                _ => {}
            }
            if depth == 0 {
                return (index > open).then_some(index);
            }
        }
        None
    }
}
