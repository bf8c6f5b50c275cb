use std::collections::HashMap;

use super::resource::Written;
use super::{Pattern, Resource, ResourceError};
use crate::catalog::{Catalog, Honey};
use crate::model::{ColumnId, ColumnPath, RelationName};
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
    /// The columns that say whose data a row is, as the catalog names them.
    subjects: HashMap<RelationName, Vec<String>>,
    honey: Vec<Honey>,
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
        let (mut plain, mut subjects) = (HashMap::new(), HashMap::new());
        for table in &catalog.tables {
            if let Some(subject) = &table.subject {
                subjects.insert(table.name.clone(), subject.clone());
            }
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
        let honey = catalog.honey.clone();
        Self { database: database.into(), columns, plain, subjects, honey }
    }

    /// The same, and no row predicate speaks of what is hidden in `schema` although the catalog does
    /// not name it: what was renamed, what follows from hidden columns, what nobody has classified.
    #[must_use]
    pub fn without(mut self, schema: &Snapshot, hidden: impl Fn(ColumnId) -> bool) -> Self {
        for (name, open) in &mut self.plain {
            let relation = schema.find(&name.schema, &name.name);
            open.retain(|column, _| {
                let id = relation.and_then(|relation| relation.id_of(column));
                id.is_some_and(|id| !hidden(id))
            });
        }
        self
    }

    /// The class of a catalogued column.
    pub fn class(&self, path: &ColumnPath) -> Option<&str> {
        self.columns.iter().find(|column| column.path == *path).map(|column| &*column.class)
    }

    /// The columns of a catalogued table that the catalog names as whose data a row is.
    pub fn subjects(&self, relation: &RelationName) -> Option<&[String]> {
        self.subjects.get(relation).map(Vec::as_slice)
    }

    /// Values of the column that decoys have.
    pub fn decoys<'a>(
        &'a self,
        relation: &RelationName,
        column: &str,
    ) -> impl Iterator<Item = &'a String> {
        let of = self.honey.iter().filter(move |it| it.table == *relation && it.key == column);
        of.flat_map(|honey| &honey.values)
    }

    /// The classes of the columns that the resource stands for.
    pub fn classes_of(&self, resource: &Resource) -> Vec<String> {
        let within = |column: &&CataloguedColumn| match resource {
            Resource::Column(path) => column.path == *path,
            Resource::Table(relation) => column.path.relation == *relation,
            Resource::Class(class) => column.class == *class,
            Resource::All => true,
        };
        let mut classes: Vec<String> =
            self.columns.iter().filter(within).map(|column| column.class.clone()).collect();
        classes.sort();
        classes.dedup();
        classes
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

#[cfg(test)]
mod tests {
    use crate::grant::fixture::{view, view_of};
    use crate::grant::{CatalogView, Pattern, Resource, ResourceError};

    #[test]
    fn a_resource_is_found_by_each_of_its_names() {
        for (text, full) in [
            ("customers.ssn", "public.customers.ssn"),
            ("PUBLIC.Customers.SSN", "public.customers.ssn"),
            ("shop.public.customers.ssn", "public.customers.ssn"),
            ("customers", "public.customers"),
            ("hr.employees", "hr.employees"),
            ("employees.salary", "hr.employees.salary"),
            ("shop.hr.employees", "hr.employees"),
            ("\"E-mail\"", "hr.\"E-mail\""),
            ("hr.\"E-mail\".\"E-mail\"", "hr.\"E-mail\".\"E-mail\""),
            ("class:email", "class:email"),
            ("*", "*"),
        ] {
            let resource = view().resolve(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(resource.to_string(), full);
            assert_eq!(view().resolve(full).unwrap(), resource, "the full form reads back");
            let stored = serde_json::to_string(&resource).unwrap();
            assert_eq!(serde_json::from_str::<Resource>(&stored).unwrap(), resource);
        }
    }

    #[test]
    fn what_the_catalog_does_not_name_is_refused() {
        for text in [
            "customers.id",
            "orders",
            "public.employees",
            "other.public.customers.email",
            "E-mail.email",
            "class:nosuch",
            "\"Customers\"",
        ] {
            let error = view().resolve(text).unwrap_err();
            let refused = matches!(error, ResourceError::Unknown { .. } | ResourceError::Shape(_));
            assert!(refused, "{text}: {error}");
        }
        for text in
            ["", ".", "a..b", "a.b.c.d.e", "a b", "\"a", "class:", "class:*", "*.email", "1a"]
        {
            assert_eq!(view().resolve(text), Err(ResourceError::Shape(text.into())), "{text}");
        }
    }

    #[test]
    fn two_meanings_are_named_and_none_is_chosen() {
        let twice = view_of(
            "shop",
            &[("a", "people", &[("name", "n")]), ("b", "people", &[("name", "n")])],
        );
        let error = twice.resolve("people.name").unwrap_err().to_string();
        assert!(error.contains("a.people.name or b.people.name"), "{error}");
        let crossed =
            view_of("shop", &[("hr", "pay", &[("x", "n")]), ("public", "hr", &[("pay", "n")])]);
        assert!(matches!(crossed.resolve("hr.pay"), Err(ResourceError::Ambiguous { .. })));
        let database_or_schema =
            view_of("hr", &[("hr", "pay", &[("x", "n")]), ("x", "hr", &[("pay", "n")])]);
        assert_eq!(
            database_or_schema.resolve("hr.hr.pay").unwrap().to_string(),
            "hr.pay",
            "database, schema, table is the only reading"
        );
    }

    #[test]
    fn the_console_finds_the_database_unless_two_have_it() {
        let views = [view(), view_of("crm", &[("public", "leads", &[("email", "email")])])];
        let (found, resource) = CatalogView::pick(&views, "leads.email").unwrap();
        assert_eq!(
            (found.database.as_str(), resource.to_string().as_str()),
            ("crm", "public.leads.email")
        );
        let both = CatalogView::pick(&views, "class:email");
        assert!(matches!(both, Err(ResourceError::Ambiguous { .. })));
        assert!(matches!(CatalogView::pick(&views, "nosuch"), Err(ResourceError::Nowhere { .. })));
    }

    #[test]
    fn configuration_may_name_what_no_catalog_knows_in_full_only() {
        let full = Pattern::resolve("public.orders.email", &[]).unwrap();
        assert_eq!(full.to_string(), "public.orders.email");
        let database = Pattern::resolve("shop.public.customers.email", &[view()]).unwrap();
        assert_eq!(database.database.as_deref(), Some("shop"));
        assert_eq!(Pattern::resolve("customers.email", &[view()]).unwrap().database, None);
        assert!(matches!(
            Pattern::resolve("orders", &[view()]),
            Err(ResourceError::Nowhere { .. })
        ));
    }
}
