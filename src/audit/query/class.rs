//! Classes of the catalogs, as questions to the record know them.

use crate::catalog::Catalog;

/// A class of the catalog and its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    pub name: String,
    pub columns: Vec<ClassColumn>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassColumn {
    /// As clients name it; None: any of them.
    pub database: Option<String>,
    /// `schema.table.column`.
    pub column: String,
}

/// A catalog, and the database it is of; None: any that has no entry of its own.
pub type Named<'a> = (Option<&'a str>, &'a Catalog);

impl Class {
    /// The class of that name; None if no catalog has one.
    pub fn of<'a>(name: &str, catalogs: impl Iterator<Item = Named<'a>>) -> Option<Self> {
        let (mut is_known, mut columns) = (false, Vec::new());
        for (database, catalog) in catalogs {
            is_known |= catalog.classes.contains_key(name);
            for table in &catalog.tables {
                let of = table.columns.iter().filter(|(_, class)| *class == name);
                columns.extend(of.map(|(column, _)| ClassColumn {
                    database: database.map(str::to_owned),
                    column: format!("{}.{}.{column}", table.name.schema, table.name.name),
                }));
            }
        }
        is_known.then(|| Self { name: name.to_owned(), columns })
    }

    /// Every class, by name.
    pub fn all<'a>(catalogs: impl Iterator<Item = Named<'a>> + Clone) -> Vec<Self> {
        let mut names: Vec<&str> = catalogs
            .clone()
            .flat_map(|(_, catalog)| catalog.classes.keys().map(String::as_str))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| Self::of(name, catalogs.clone())).collect()
    }
}
