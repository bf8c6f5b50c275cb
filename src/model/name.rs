use std::fmt;
use std::fmt::Write as _;

/// A relation's schema and name, as stored in the system catalogs (folded and unquoted).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationName {
    pub schema: String,
    pub name: String,
}

impl RelationName {
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// As it is displayed: made for every record of a statement.
    pub fn dotted(&self) -> String {
        [&*self.schema, &*self.name].join(".")
    }

    /// The name as SQL text that means this relation under any `search_path`.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quote_ident(&self.schema), quote_ident(&self.name))
    }
}

impl fmt::Display for RelationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.schema)?;
        f.write_char('.')?;
        f.write_str(&self.name)
    }
}

/// A column as the catalog names it: the words in which grants are written, requested and audited.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnPath {
    pub relation: RelationName,
    pub column: String,
}

impl ColumnPath {
    /// As it is displayed: made for every record of a statement.
    pub fn dotted(&self) -> String {
        [&*self.relation.schema, &*self.relation.name, &*self.column].join(".")
    }
}

impl fmt::Display for ColumnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.relation, f)?;
        f.write_char('.')?;
        f.write_str(&self.column)
    }
}

/// The identifier in double quotes, always: no keyword list to keep.
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The text as a string literal that reads the same under both settings of
/// `standard_conforming_strings`.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_names_are_what_is_displayed() {
        let relation = RelationName::new("public", "a.b");
        assert_eq!(relation.dotted(), relation.to_string());
        let path = ColumnPath { relation, column: "é".to_owned() };
        assert_eq!(path.dotted(), path.to_string());
        assert_eq!(path.dotted(), "public.a.b.é");
    }

    #[test]
    fn quoting_doubles_the_quote() {
        assert_eq!(quote_ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\'b"), "E'a\\\\''b'");
    }
}
