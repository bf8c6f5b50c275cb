//! From which relations and functions personal data can be reached: a fixpoint over views, rules,
//! policies, triggers, functions and what their bodies mention.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::bodies::Bodies;
use super::columns::{Columns, Told};
use super::{DeclaredResult, Notifies, Reach, Touch, Why};
use crate::analysis::mention::{side_door_function, side_door_relation};
use crate::model::{ByNumber, ColumnId, Oid, RelationName};
use crate::schema::{Code, ConstraintKind, Function, Relation, RelationKind, Snapshot};

/// `FirstNormalObjectId`: below are PostgreSQL's own objects.
const USER_OID_MIN: Oid = 16_384;

/// How a relation is sensitive, before its columns are known in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    View,
    Stored,
    Carrier(Touch),
    SideDoor,
}

/// What is known to be sensitive; only ever grows.
pub(super) struct Reaching<'a> {
    schema: &'a Snapshot,
    bodies: &'a Bodies<'a>,
    /// By OID, so that the reasons found are the same every time.
    in_order: Vec<&'a Relation>,
    pub(super) relations: HashMap<Oid, Kind>,
    pub(super) functions: HashMap<Oid, Why>,
    /// Types whose casts or checks run sensitive functions.
    pub(super) types: HashSet<Oid>,
    names: HashSet<&'a str>,
    /// Symbols of operators that run sensitive functions, in whatever schema.
    pub(super) operators: BTreeSet<&'a str>,
    side_doors: SideDoors,
    /// Functions of which the catalog says that nothing personal comes out of them.
    clear: BTreeSet<Oid>,
}

/// Relations by which of their texts mention a side door: PostgreSQL keeps no dependencies on its
/// own objects.
#[derive(Default)]
struct SideDoors {
    definitions: HashSet<Oid>,
    policies: HashSet<Oid>,
    on_write: HashSet<Oid>,
}

impl SideDoors {
    fn find(schema: &Snapshot, bodies: &Bodies<'_>) -> Self {
        let mut found = Self::default();
        let mentions = |text: &str| !text.is_empty() && bodies.mentions(text).side_door.is_some();
        for (oid, relation) in &schema.relations {
            if relation.definition.as_deref().is_some_and(mentions) {
                found.definitions.insert(*oid);
            }
            if mentions(&relation.policies.text) {
                found.policies.insert(*oid);
            }
            if mentions(&relation.on_write.text) {
                found.on_write.insert(*oid);
            }
        }
        found
    }
}

impl<'a> Reaching<'a> {
    /// Finds everything, tagging columns of materialized views on the way. `declared` functions are
    /// sensitive because somebody said so.
    pub(super) fn find(
        schema: &'a Snapshot,
        bodies: &'a Bodies<'a>,
        columns: &mut Columns<'_>,
        declared: &BTreeMap<Oid, Option<DeclaredResult>>,
    ) -> Self {
        let (relations, functions) = (HashMap::new(), HashMap::new());
        let (types, names, operators) = (HashSet::new(), HashSet::new(), BTreeSet::new());
        let side_doors = SideDoors::find(schema, bodies);
        let mut in_order: Vec<&Relation> = schema.relations.values().collect();
        in_order.sort_unstable_by_key(|relation| relation.oid);
        let mut this = Self {
            schema,
            bodies,
            in_order,
            relations,
            functions,
            types,
            names,
            operators,
            side_doors,
            clear: declared
                .iter()
                .filter(|(_, result)| **result == Some(DeclaredResult::Clear))
                .map(|(oid, _)| *oid)
                .collect(),
        };
        for function in schema.functions.iter().filter(|f| declared.contains_key(&f.oid)) {
            this.add_function(function, Why::Declared);
        }
        while this.round(columns) {}
        this
    }

    /// One pass over everything; whether it found anything.
    fn round(&mut self, columns: &mut Columns<'_>) -> bool {
        let mut news = false;
        for function in &self.schema.functions {
            if !self.functions.contains_key(&function.oid)
                && let Some(why) = self.why(function, columns)
            {
                self.add_function(function, why);
                news = true;
            }
        }
        for operator in &self.schema.operators {
            let runs_some =
                self.reveals(operator.function) || side_door_function(&operator.function_name);
            news |= runs_some && self.operators.insert(&operator.symbol);
        }
        for code in &self.schema.types {
            if self.calls_revealing(&code.calls) && self.types.insert(code.oid) {
                // PostgreSQL's own types are used without being named.
                if code.name.schema != "pg_catalog" {
                    self.names.insert(&code.name.name);
                }
                news = true;
            }
        }
        for at in 0..self.in_order.len() {
            let relation = self.in_order[at];
            if relation.kind == RelationKind::MaterializedView && self.reads_pii(relation) {
                let source = self.shown(relation, columns).0.into_iter().next();
                let told = if self.is_told(relation) { Told::ByColumns } else { Told::ByNothing };
                news |= columns.tag_stored(relation, source, told);
            }
            let Some(kind) = self.kind(relation, columns) else { continue };
            if self.relations.get(&relation.oid) != Some(&kind) {
                self.relations.insert(relation.oid, kind);
                self.names.insert(&relation.name.name);
                news = true;
            }
        }
        news
    }

    fn add_function(&mut self, function: &'a Function, why: Why) {
        self.functions.insert(function.oid, why);
        if self.reveals(function.oid) {
            self.names.insert(&function.name.name);
        }
    }

    /// Whether something personal may come out of the function.
    pub(super) fn reveals(&self, function: Oid) -> bool {
        self.functions.contains_key(&function) && !self.clear.contains(&function)
    }

    fn calls_revealing(&self, functions: &[Oid]) -> bool {
        functions.iter().any(|oid| self.reveals(*oid))
    }

    fn why(&self, function: &Function, columns: &Columns<'_>) -> Option<Why> {
        let body = self.bodies.by_function.get(&function.oid)?;
        if let Some(opaque) = body.opaque {
            return Some(Why::Opaque(opaque));
        }
        if let Some(name) = &body.side_door {
            return Some(Why::Mentions(name.clone()));
        }
        if let Some(name) = body.names.iter().find(|name| self.names.contains(*name)) {
            return Some(Why::Mentions((*name).to_owned()));
        }
        if let Some(symbol) = body.operators.iter().find(|it| self.operators.contains(*it)) {
            return Some(Why::Mentions(format!("operator {symbol}")));
        }
        let types = function.argument_types.iter().chain(&function.output_types);
        for type_oid in types.chain([&function.return_type]) {
            if let Some(relation) = self.rows_of(*type_oid, columns) {
                return Some(Why::RowOf(relation.clone()));
            }
        }
        let read = function.reads.iter().find(|oid| self.relations.contains_key(oid));
        if let Some(relation) = read.and_then(|oid| self.schema.relation(*oid)) {
            return Some(Why::Mentions(relation.name.to_string()));
        }
        let run = function.runs.iter().find(|oid| self.reveals(**oid))?;
        let run = self.schema.functions.iter().find(|function| function.oid == *run)?;
        Some(Why::Mentions(run.name.to_string()))
    }

    /// The relation with personal data whose rows values of the type carry.
    fn rows_of(&self, type_oid: Oid, columns: &Columns<'_>) -> Option<&RelationName> {
        let direct = self.schema.row_types.get(&type_oid).filter(|oid| {
            matches!(
                self.relations.get(oid),
                Some(Kind::Table | Kind::View | Kind::Stored | Kind::SideDoor)
            )
        });
        let oid = direct.copied().or_else(|| columns.carried(type_oid, &mut HashSet::new()))?;
        self.schema.relation(oid).map(|relation| &relation.name)
    }

    fn kind(&self, relation: &Relation, columns: &Columns<'_>) -> Option<Kind> {
        let is_stored = relation.kind == RelationKind::MaterializedView;
        if columns.of(relation.oid).next().is_some() {
            return Some(if is_stored { Kind::Stored } else { Kind::Table });
        }
        let name = &relation.name;
        if side_door_relation(&name.schema, &name.name) && !self.bodies.audience.may_use(&name.name)
        {
            return Some(Kind::SideDoor);
        }
        if relation.kind == RelationKind::View && self.reads_pii(relation) {
            return Some(Kind::View);
        }
        let touch = self.touch(relation, columns);
        touch.max(self.carrier(relation.oid)).map(Kind::Carrier)
    }

    /// A view or materialized view from whose query personal data can be reached.
    fn reads_pii(&self, relation: &Relation) -> bool {
        let unknown = relation.definition.is_none() && !relation.is_system();
        unknown
            || self.calls_revealing(&relation.calls)
            || relation.reads.iter().any(|oid| self.shows(*oid))
            || self.side_doors.definitions.contains(&relation.oid)
    }

    /// Whether what a query stores is told by the columns that it names: no function, operator, side
    /// door or policy brings anything else.
    fn is_told(&self, relation: &Relation) -> bool {
        !self.calls(&relation.calls)
            && !self.side_doors.definitions.contains(&relation.oid)
            && relation.reads.iter().all(|oid| self.carrier(*oid).is_none())
    }

    fn shows(&self, oid: Oid) -> bool {
        match self.relations.get(&oid) {
            Some(Kind::Table | Kind::View | Kind::Stored | Kind::SideDoor) => true,
            Some(Kind::Carrier(_)) | None => false,
        }
    }

    fn calls(&self, functions: &[Oid]) -> bool {
        functions.iter().any(|oid| self.functions.contains_key(oid))
    }

    fn runs_over_pii(&self, code: &Code) -> bool {
        self.calls(&code.calls) || code.reads.iter().any(|oid| self.relations.contains_key(oid))
    }

    /// Which statements on the relation run code over personal data.
    fn touch(&self, relation: &Relation, columns: &Columns<'_>) -> Option<Touch> {
        let policies = self.runs_over_pii(&relation.policies)
            || self.side_doors.policies.contains(&relation.oid);
        let write = self.runs_over_pii(&relation.on_write)
            || self.side_doors.on_write.contains(&relation.oid)
            || self.calls(&relation.triggers)
            || relation.columns.iter().any(|column| self.types.contains(&column.type_oid))
            || self.cascades(relation);
        let touch = policies.then_some(Touch::Read).or(write.then_some(Touch::Write));
        let below = columns.children(relation.oid).filter_map(|oid| self.carrier(oid)).max();
        touch.max(below).max(self.touch_by_rules(relation))
    }

    fn touch_by_rules(&self, relation: &Relation) -> Option<Touch> {
        match relation.kind {
            // What a view over personal data is has been said; this one reads carriers at most.
            RelationKind::View => relation.reads.iter().filter_map(|oid| self.carrier(*oid)).max(),
            // Reading it runs nothing, and it is written by REFRESH only.
            RelationKind::MaterializedView => None,
            RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::ForeignTable
            | RelationKind::Sequence
            | RelationKind::CompositeType
            | RelationKind::Index
            | RelationKind::Other => {
                let reads = relation.reads.iter().any(|oid| self.relations.contains_key(oid));
                (reads || self.calls(&relation.calls)).then_some(Touch::Write)
            }
        }
    }

    fn carrier(&self, oid: Oid) -> Option<Touch> {
        match self.relations.get(&oid)? {
            Kind::Carrier(touch) => Some(*touch),
            Kind::Table | Kind::View | Kind::Stored | Kind::SideDoor => None,
        }
    }

    /// Deleting or updating rows here changes rows there, with their triggers and their failures.
    fn cascades(&self, relation: &Relation) -> bool {
        relation.constraints.iter().any(|constraint| {
            constraint.kind == ConstraintKind::ReferencedBy
                && constraint.cascades
                && constraint.other.is_some_and(|other| self.relations.contains_key(&other))
        })
    }

    /// Every sensitive relation, with what can be reached through it.
    pub(super) fn reaches(&self, columns: &Columns<'_>) -> ByNumber<Oid, Reach> {
        let reach = |oid: &Oid, kind: &Kind| {
            Some(match kind {
                Kind::Table => Reach::Table,
                Kind::View => {
                    let (columns, opaque) = self.shown(self.schema.relation(*oid)?, columns);
                    Reach::View { columns, opaque }
                }
                Kind::Stored => Reach::Stored,
                Kind::Carrier(touch) => Reach::Carrier(*touch),
                Kind::SideDoor => Reach::SideDoor,
            })
        };
        self.relations.iter().filter_map(|(oid, kind)| Some((*oid, reach(oid, kind)?))).collect()
    }

    /// What a view may show: personal columns, and what it reaches that has no columns to mask.
    pub(super) fn shown(
        &self,
        view: &Relation,
        columns: &Columns<'_>,
    ) -> (BTreeSet<ColumnId>, BTreeSet<Oid>) {
        let (mut shown, mut opaque) = (BTreeSet::new(), BTreeSet::new());
        let mut seen = HashSet::from([view.oid]);
        let mut work = vec![view];
        while let Some(relation) = work.pop() {
            opaque.extend(relation.calls.iter().filter(|oid| self.reveals(**oid)));
            let side_door = self.side_doors.definitions.contains(&relation.oid);
            if relation.definition.is_none() || side_door {
                opaque.insert(0);
            }
            for oid in relation.reads.iter().filter(|oid| seen.insert(**oid)) {
                match self.relations.get(oid) {
                    Some(Kind::Table | Kind::Stored) => shown.extend(columns.of(*oid)),
                    Some(Kind::View) => work.extend(self.schema.relation(*oid)),
                    Some(Kind::SideDoor) => {
                        opaque.insert(*oid);
                    }
                    Some(Kind::Carrier(_)) | None => {}
                }
            }
        }
        (shown, opaque)
    }
}

/// Whether anything over personal data sends NOTIFY, or may for all that can be known of a trigger.
pub(super) fn notifies(reaching: &Reaching<'_>) -> Notifies {
    let notifying = reaching.bodies.notifying(reaching.schema);
    let relations = reaching.relations.keys().filter_map(|oid| reaching.schema.relation(*oid));
    let opaque =
        |oid: &Oid| reaching.bodies.by_function.get(oid).is_none_or(|body| body.opaque.is_some());
    let mut triggers = relations.flat_map(|relation| &relation.triggers);
    let found = triggers
        .any(|oid| notifying.contains(oid) || (*oid >= USER_OID_MIN && opaque(oid)))
        || reaching.functions.keys().any(|oid| notifying.contains(oid));
    if found { Notifies::Yes } else { Notifies::No }
}
