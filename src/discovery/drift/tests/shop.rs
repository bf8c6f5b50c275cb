//! A database and its catalog, and what is found of them.

use std::collections::{BTreeMap, HashMap};

use crate::analysis::sensitive::{Sensitive, Tags, Unclassified};
use crate::catalog::{Catalog, Class, Hiding, MaskSpec, Table};
use crate::discovery::ColumnFacts;
use crate::discovery::drift::{Drift, DriftKind, Memory, Severity, Sides, Values, find};
use crate::model::{ColumnPath, Epoch, Oid, RelationName};
use crate::schema::{Column, ColumnDefault, Function, Relation, RelationKind, Snapshot, ValueType};

pub(super) const CUSTOMERS: Oid = 20_000;
pub(super) const ORDERS: Oid = 20_001;
pub(super) const TEXT: (Oid, &str, u8) = (25, "text", b'S');
pub(super) const VARCHAR: (Oid, &str, u8) = (1043, "character varying", b'S');
pub(super) const INT: (Oid, &str, u8) = (23, "integer", b'N');
pub(super) const BYTES: (Oid, &str, u8) = (17, "bytea", b'U');

pub(super) type Of = (Oid, &'static str, u8);

pub(super) fn column(number: i16, name: &str, (oid, sql, category): Of) -> Column {
    Column {
        number,
        name: name.to_owned(),
        type_oid: oid,
        value: ValueType { oid, typmod: -1, sql: sql.to_owned(), category },
        not_null: false,
        default: ColumnDefault::Null,
        generated_from: None,
    }
}

pub(super) fn table(oid: Oid, name: &str, columns: &[(&str, Of)]) -> Relation {
    let mut relation = Relation::new(oid, RelationName::new("public", name), RelationKind::Table);
    let numbered = (1..).zip(columns);
    relation.columns = numbered.map(|(number, (name, of))| column(number, name, *of)).collect();
    relation
}

pub(super) fn customers(more: &[(&str, Of)]) -> Relation {
    table(CUSTOMERS, "customers", &[&[("id", INT), ("email", TEXT)], more].concat())
}

pub(super) fn function(oid: Oid, name: &str, body: &str) -> Function {
    Function {
        oid,
        name: RelationName::new("public", name),
        arguments: String::new(),
        signature: format!("public.{name}()"),
        argument_types: Vec::new(),
        output_types: Vec::new(),
        return_type: 25,
        language: "sql".to_owned(),
        body: body.to_owned(),
        defaults: String::new(),
        reads: Vec::new(),
        extension: None,
        runs: Vec::new(),
    }
}

/// A database and its catalog, in which customers.email is an address.
pub(super) struct Shop {
    pub(super) catalog: Catalog,
    pub(super) relations: Vec<Relation>,
    pub(super) functions: Vec<Function>,
    pub(super) tags: Tags,
    pub(super) facts: HashMap<ColumnPath, ColumnFacts>,
    pub(super) memory: Memory,
    pub(super) values: Values,
    pub(super) unclassified: Unclassified,
}

impl Shop {
    pub(super) fn with(relations: Vec<Relation>) -> Self {
        let class = |name: &str, mask| {
            let hiding = Hiding::Mask(mask);
            (name.to_owned(), Class { name: name.to_owned(), hiding, sensitivity: None })
        };
        let catalog = Catalog {
            classes: [class("email", MaskSpec::Email), class("other", MaskSpec::Redact)].into(),
            tables: vec![catalogued("customers", &[("email", "email")])],
            functions: Vec::new(),
            honey: Vec::new(),
        };
        Self {
            catalog,
            relations,
            functions: Vec::new(),
            tags: Tags::default(),
            facts: HashMap::new(),
            memory: Memory::default(),
            values: Values::default(),
            unclassified: Unclassified::Allow,
        }
    }

    pub(super) fn schema(&self) -> Snapshot {
        let schemas = vec!["public".to_owned()];
        let (relations, functions) = (self.relations.clone(), self.functions.clone());
        Snapshot::new(Epoch(1), 150_000, relations, functions, schemas)
    }

    /// What is known is known from now on.
    pub(super) fn seen(mut self) -> Self {
        self.memory = self.memory.renewed(&self.catalog, &self.schema());
        self
    }

    pub(super) fn find(&self) -> Vec<Drift> {
        self.seen_by(find)
    }

    /// What is made of both sides.
    pub(super) fn seen_by<T>(&self, make: impl FnOnce(Sides<'_>) -> T) -> T {
        let schema = self.schema();
        let (sensitive, _, problems) =
            Sensitive::bind(&schema, &self.catalog, &self.tags, self.unclassified).unwrap();
        make(Sides {
            catalog: &self.catalog,
            schema: &schema,
            sensitive: &sensitive,
            problems: &problems,
            facts: &self.facts,
            memory: &self.memory.renewed(&self.catalog, &schema),
            values: &self.values,
        })
    }

    /// Severity, kind and words of everything.
    #[track_caller]
    pub(super) fn finds(&self, expected: &[(Severity, DriftKind, &str)]) {
        let found = self.find();
        let shown: Vec<_> =
            found.iter().map(|it| (it.severity, it.kind, it.words.as_str())).collect();
        let fits = |(found, expected): (&(_, _, &str), &(_, _, &str))| {
            (found.0, found.1) == (expected.0, expected.1) && found.2.contains(expected.2)
        };
        let all = shown.len() == expected.len() && shown.iter().zip(expected).all(fits);
        assert!(all, "found {shown:#?}\nexpected {expected:#?}");
    }
}

pub(super) fn catalogued(name: &str, columns: &[(&str, &str)]) -> Table {
    let columns = columns.iter().map(|(column, class)| ((*column).into(), (*class).into()));
    Table {
        name: RelationName::new("public", name),
        columns: columns.collect::<BTreeMap<_, _>>(),
        subject: None,
        place: format!("shop.toml:{}", name.len()),
    }
}
