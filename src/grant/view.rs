use std::collections::HashMap;

use super::resource::Written;
use super::{Pattern, Resource, ResourceError};
use crate::catalog::Catalog;
use crate::model::{ColumnPath, RelationName};
use crate::schema::{Snapshot, ValueType};

/// One database's catalog as grants see it: what can be asked for, and over which columns a row
/// predicate may speak.
#[derive(Clone, Debug, Default)]
pub struct CatalogView {
    /// As clients name it; `*` when it stands for any database of a server.
    pub database: String,
    pub columns: Vec<CataloguedColumn>,
    /// Of each catalogued table that exists, the columns that hold and derive from no PII.
    plain: HashMap<RelationName, HashMap<String, ValueType>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CataloguedColumn {
    pub path: ColumnPath,
    pub class: String,
}

impl CatalogView {
    /// The view of a catalog. Without a snapshot, row predicates are refused, since nobody knows
    /// the other columns.
    pub fn new(database: impl Into<String>, catalog: &Catalog, schema: Option<&Snapshot>) -> Self {
        let mut columns = Vec::new();
        let mut plain = HashMap::new();
        for table in &catalog.tables {
            for (column, class) in &table.columns {
                let path = ColumnPath { relation: table.name.clone(), column: column.clone() };
                columns.push(CataloguedColumn { path, class: class.clone() });
            }
            let Some(relation) = schema.and_then(|s| s.find(&table.name.schema, &table.name.name))
            else {
                continue;
            };
            let hidden: Vec<_> = relation
                .columns
                .iter()
                .filter(|column| table.columns.contains_key(&column.name))
                .map(|column| column.number)
                .collect();
            let open = relation
                .columns
                .iter()
                .filter(|column| !hidden.contains(&column.number))
                .filter(|column| {
                    let from = column.generated_from.iter().flatten();
                    !from.clone().any(|source| hidden.contains(source))
                })
                .map(|column| (column.name.clone(), column.value.clone()));
            plain.insert(table.name.clone(), open.collect());
        }
        columns.sort_by(|a, b| a.path.cmp(&b.path));
        Self { database: database.into(), columns, plain }
    }

    /// The class of a catalogued column.
    pub fn class(&self, path: &ColumnPath) -> Option<&str> {
        self.columns.iter().find(|column| column.path == *path).map(|column| &*column.class)
    }

    /// The columns over which a row predicate on `relation` may speak; None when the relation's
    /// columns are not known.
    pub fn plain_columns(&self, relation: &RelationName) -> Option<&HashMap<String, ValueType>> {
        self.plain.get(relation)
    }

    /// Reads a resource: `email` of table `customers` in schema `public` of database `shop` is
    /// `customers.email`, `public.customers.email` or `shop.public.customers.email`; a table is
    /// `customers`, `public.customers` or `shop.public.customers`; then `class:email` and `*`.
    /// A table's name without its schema must be the only one of that name in the catalog.
    ///
    /// # Errors
    /// [`ResourceError`] when it cannot be read, is not in the catalog or is ambiguous.
    pub fn resolve(&self, text: &str) -> Result<Resource, ResourceError> {
        let unknown =
            || ResourceError::Unknown { text: text.to_owned(), database: self.database.clone() };
        match Written::read(text)? {
            Written::All => Ok(Resource::All),
            Written::Class(class) => {
                let known = self.columns.iter().any(|column| column.class == class);
                if known { Ok(Resource::Class(class)) } else { Err(unknown()) }
            }
            Written::Names(names) => {
                let mut found: Vec<_> = self.readings(&names).into_iter().map(|r| r.1).collect();
                found.sort();
                found.dedup();
                match found.as_slice() {
                    [] => Err(unknown()),
                    [only] => Ok(only.clone()),
                    several => Err(ResourceError::Ambiguous {
                        text: text.to_owned(),
                        candidates: several.iter().map(ToString::to_string).collect(),
                    }),
                }
            }
        }
    }

    /// The one database among several in which a resource written on the console is known.
    ///
    /// # Errors
    /// [`ResourceError`] as [`Self::resolve`]; ambiguous when several databases know it.
    pub fn pick<'v>(views: &'v [Self], text: &str) -> Result<(&'v Self, Resource), ResourceError> {
        Written::read(text)?;
        let mut found = Vec::new();
        for view in views {
            match view.resolve(text) {
                Ok(resource) => found.push((view, resource)),
                Err(ResourceError::Unknown { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        match found.as_slice() {
            [] => Err(ResourceError::Nowhere { text: text.to_owned() }),
            [_] => found.pop().ok_or_else(|| ResourceError::Nowhere { text: text.to_owned() }),
            several => Err(ResourceError::Ambiguous {
                text: text.to_owned(),
                candidates: several
                    .iter()
                    .map(|(view, resource)| {
                        let database = Some(view.database.clone());
                        Pattern { database, resource: resource.clone() }.to_string()
                    })
                    .collect(),
            }),
        }
    }

    /// Everything that dotted names can mean here, with the database when it was written.
    pub(super) fn readings(&self, names: &[String]) -> Vec<(Option<String>, Resource)> {
        let mut found = Vec::new();
        let mut add = |database: Option<&String>, resource: Resource| {
            let reading = (database.cloned(), resource);
            if !found.contains(&reading) {
                found.push(reading);
            }
        };
        for CataloguedColumn { path, .. } in &self.columns {
            let ColumnPath { relation, column } = path;
            let RelationName { schema, name } = relation;
            match names {
                [t] if t == name => add(None, Resource::Table(relation.clone())),
                [s, t] if s == schema && t == name => {
                    add(None, Resource::Table(relation.clone()));
                }
                [d, s, t] if *d == self.database && s == schema && t == name => {
                    add(Some(d), Resource::Table(relation.clone()));
                }
                [..] => {}
            }
            match names {
                [t, c] if t == name && c == column => add(None, Resource::Column(path.clone())),
                [s, t, c] if s == schema && t == name && c == column => {
                    add(None, Resource::Column(path.clone()));
                }
                [d, s, t, c] if *d == self.database && s == schema && t == name && c == column => {
                    add(Some(d), Resource::Column(path.clone()));
                }
                [..] => {}
            }
        }
        found
    }
}
