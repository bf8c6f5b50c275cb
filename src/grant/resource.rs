use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CatalogView, CataloguedColumn};
use crate::model::{ColumnPath, RelationName, quote_ident};

/// PostgreSQL keeps 63 bytes of a name.
const NAME_BYTES_MAX: usize = 63;

/// What a grant is on. Written `public.customers.email`, `public.customers`, `class:email`, `*`;
/// see [`CatalogView::resolve`] for the shorter forms.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub enum Resource {
    Column(ColumnPath),
    /// Every catalogued column of the table.
    Table(RelationName),
    Class(String),
    All,
}

/// A resource in the configuration, which speaks of several databases.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    /// None: in every database.
    pub database: Option<String>,
    pub resource: Resource,
}

/// A resource that could not be read or is not in the catalog.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ResourceError {
    #[error(
        "\"{0}\" is not a column (customers.email), a table (public.customers), class:name or *"
    )]
    Shape(String),
    #[error("\"{text}\" is not in the catalog of database \"{database}\": nothing is hidden there")]
    Unknown { text: String, database: String },
    #[error("\"{text}\" is not in any catalog")]
    Nowhere { text: String },
    #[error("\"{text}\" is ambiguous: it could be {}", .candidates.join(" or "))]
    Ambiguous { text: String, candidates: Vec<String> },
}

/// The shape of a resource's text, before the catalog says what its names are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// One to four names between dots.
    Names(Vec<String>),
    Class(String),
    All,
}

impl Written {
    pub(super) fn read(text: &str) -> Result<Self, ResourceError> {
        let shape = || ResourceError::Shape(text.to_owned());
        if text == "*" {
            return Ok(Self::All);
        }
        if let Some(class) = text.strip_prefix("class:") {
            let fits = !class.is_empty() && !class.chars().any(|c| c.is_whitespace() || c == '*');
            return if fits { Ok(Self::Class(class.to_owned())) } else { Err(shape()) };
        }
        let mut names = Vec::new();
        let mut rest = text;
        loop {
            let (name, behind) = read_name(rest).ok_or_else(shape)?;
            names.push(name);
            match behind.strip_prefix('.') {
                Some(more) => rest = more,
                None if behind.is_empty() => break,
                None => return Err(shape()),
            }
        }
        if names.len() > 4 { Err(shape()) } else { Ok(Self::Names(names)) }
    }
}

/// Reads one identifier as PostgreSQL does: folded unless quoted.
fn read_name(text: &str) -> Option<(String, &str)> {
    let (name, rest) = if let Some(quoted) = text.strip_prefix('"') {
        let mut name = String::new();
        let mut rest = quoted;
        loop {
            let end = rest.find('"')?;
            name.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(more) => {
                    name.push('"');
                    rest = more;
                }
                None => break (name, rest),
            }
        }
    } else {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
        let end = text.find(|c| !plain(c)).unwrap_or(text.len());
        if text.starts_with(|c: char| c.is_ascii_digit() || c == '$') {
            return None;
        }
        (text[..end].to_ascii_lowercase(), &text[end..])
    };
    let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains('\0');
    fits.then_some((name, rest))
}

impl Pattern {
    /// Whether everything of `resource` in `database` is within this pattern; `class` is the
    /// class of the column when the resource is one. A table is not taken apart into classes:
    /// tomorrow it may have more columns.
    pub fn covers(&self, database: &str, resource: &Resource, class: Option<&str>) -> bool {
        if self.database.as_deref().is_some_and(|own| own != database) {
            return false;
        }
        match (&self.resource, resource) {
            (Resource::All, _) => true,
            (Resource::Class(own), Resource::Column(_)) => class == Some(own),
            (Resource::Class(own), Resource::Class(asked)) => own == asked,
            (Resource::Table(own), Resource::Column(asked)) => *own == asked.relation,
            (Resource::Table(own), Resource::Table(asked)) => own == asked,
            (Resource::Column(own), Resource::Column(asked)) => own == asked,
            (Resource::Class(_), Resource::Table(_) | Resource::All)
            | (Resource::Table(_), Resource::Class(_) | Resource::All)
            | (Resource::Column(_), Resource::Table(_) | Resource::Class(_) | Resource::All) => {
                false
            }
        }
    }

    /// Whether the column, in a database that the pattern speaks of, is within it.
    pub fn is_of(&self, column: &CataloguedColumn) -> bool {
        match &self.resource {
            Resource::All => true,
            Resource::Class(class) => *class == column.class,
            Resource::Table(relation) => *relation == column.path.relation,
            Resource::Column(path) => *path == column.path,
        }
    }

    /// Reads a resource of the configuration against the catalogs of all databases.
    ///
    /// Three or four names that no catalog knows are taken at their word
    /// (`schema.table.column`, `database.schema.table.column`), so that an empty catalog makes
    /// no configuration invalid; they match nothing until a catalog names them.
    ///
    /// # Errors
    /// [`ResourceError`] when it cannot be read, means different things in different catalogs,
    /// or is a short form that no catalog knows.
    pub fn resolve(text: &str, views: &[CatalogView]) -> Result<Self, ResourceError> {
        let written = match Written::read(text)? {
            Written::All => return Ok(Self { database: None, resource: Resource::All }),
            Written::Class(class) => {
                return Ok(Self { database: None, resource: Resource::Class(class) });
            }
            Written::Names(names) => names,
        };
        let mut found: Vec<Self> = Vec::new();
        for view in views {
            for (database, resource) in view.readings(&written) {
                let pattern = Self { database, resource };
                if !found.contains(&pattern) {
                    found.push(pattern);
                }
            }
        }
        match (found.as_slice(), written.as_slice()) {
            ([only], _) => Ok(only.clone()),
            ([], [schema, table, column]) => {
                Ok(Self { database: None, resource: Resource::column(schema, table, column) })
            }
            ([], [database, schema, table, column]) => Ok(Self {
                database: Some(database.clone()),
                resource: Resource::column(schema, table, column),
            }),
            ([], _) => Err(ResourceError::Nowhere { text: text.to_owned() }),
            (several, _) => Err(ResourceError::Ambiguous {
                text: text.to_owned(),
                candidates: several.iter().map(ToString::to_string).collect(),
            }),
        }
    }
}

impl Resource {
    pub(super) fn column(schema: &str, table: &str, column: &str) -> Self {
        Self::Column(ColumnPath {
            relation: RelationName::new(schema, table),
            column: column.to_owned(),
        })
    }

    /// The relation, when it is on one.
    pub fn relation(&self) -> Option<&RelationName> {
        match self {
            Self::Column(path) => Some(&path.relation),
            Self::Table(relation) => Some(relation),
            Self::Class(_) | Self::All => None,
        }
    }
}

/// The name as it must be written: in quotes unless it folds to itself.
fn written(name: &str) -> String {
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { quote_ident(name) }
}

/// The full form, which reads back as the same resource.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(ColumnPath { relation, column }) => write!(
                f,
                "{}.{}.{}",
                written(&relation.schema),
                written(&relation.name),
                written(column)
            ),
            Self::Table(relation) => {
                write!(f, "{}.{}", written(&relation.schema), written(&relation.name))
            }
            Self::Class(class) => write!(f, "class:{class}"),
            Self::All => f.write_str("*"),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.database, &self.resource) {
            (Some(database), Resource::Column(_) | Resource::Table(_)) => {
                write!(f, "{}.{}", written(database), self.resource)
            }
            (Some(database), Resource::Class(_) | Resource::All) => {
                write!(f, "{} in {}", self.resource, written(database))
            }
            (None, _) => self.resource.fmt(f),
        }
    }
}

/// How a resource is stored: names apart, so that no name can be taken for another.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stored {
    Column { schema: String, table: String, column: String },
    Table { schema: String, table: String },
    Class(String),
    All,
}

impl From<Stored> for Resource {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Column { schema, table, column } => Self::column(&schema, &table, &column),
            Stored::Table { schema, table } => Self::Table(RelationName::new(schema, table)),
            Stored::Class(class) => Self::Class(class),
            Stored::All => Self::All,
        }
    }
}

impl From<Resource> for Stored {
    fn from(resource: Resource) -> Self {
        match resource {
            Resource::Column(ColumnPath { relation, column }) => {
                Self::Column { schema: relation.schema, table: relation.name, column }
            }
            Resource::Table(RelationName { schema, name }) => Self::Table { schema, table: name },
            Resource::Class(class) => Self::Class(class),
            Resource::All => Self::All,
        }
    }
}
