//! Catalog files: several make up one catalog, and what two of them say must not collide.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use super::builder::Builder;
use super::raw;
use super::source::{Place, Problem, Source};
use crate::analysis::sensitive::{CLASS_CLEAR, CLASS_DERIVED, CLASS_UNCLASSIFIED};
use crate::catalog::{Catalog, Class, DeclaredFunction, Hiding, Honey, Table};
use crate::model::RelationName;

/// The catalog under construction, with the places that messages need.
#[derive(Default)]
struct Merge {
    catalog: Catalog,
    class_places: BTreeMap<String, Place>,
    problems: Vec<Problem>,
}

/// Reads the files in the order given and merges them.
pub(super) fn load(builder: &mut Builder<'_>, files: &[(String, Range<usize>)]) -> Catalog {
    let mut merge = Merge::default();
    let mut read = Vec::new();
    for (file, span) in files {
        match Source::read(&builder.beside(Path::new(file))) {
            Ok(source) => match source.parse::<raw::CatalogFile>() {
                Ok(raw) => read.push((source, raw)),
                Err(problem) => builder.problems.0.push(problem),
            },
            Err(problem) => {
                let message = format!("catalog: {} {}", problem.file.display(), problem.message);
                builder.wrong(span.clone(), message);
            }
        }
    }
    // Classes first: a table may use a class of any file.
    for (source, raw) in &mut read {
        for class in std::mem::take(&mut raw.class) {
            merge.class(source, class);
        }
    }
    // Tables next: decoys may be of a table of any file.
    for (source, raw) in &mut read {
        for table in std::mem::take(&mut raw.table) {
            merge.table(source, table);
        }
    }
    for (source, raw) in read {
        for function in raw.function {
            merge.function(&source, function);
        }
        for honey in raw.honey {
            merge.honey(&source, honey);
        }
    }
    builder.problems.0.append(&mut merge.problems);
    merge.catalog
}

impl Merge {
    fn class(&mut self, source: &Source, raw: Spanned<raw::Class>) {
        let span = raw.span();
        let raw = raw.into_inner();
        let name = raw.name.get_ref().clone();
        let place = source.place(raw.name.span());
        if let Some(first) = self.class_places.get(&name) {
            let message = format!("class \"{name}\" is defined at {first} already");
            self.problems.push(source.problem(raw.name.span(), message));
            return;
        }
        if [CLASS_CLEAR, CLASS_DERIVED, CLASS_UNCLASSIFIED].contains(&name.as_str()) {
            let message = format!("class \"{name}\" is built in");
            self.problems.push(source.problem(raw.name.span(), message));
        }
        let deny = raw.deny.as_ref().is_some_and(|deny| *deny.get_ref());
        let hiding = match (raw.mask, deny) {
            (Some(mask), false) => Hiding::Mask(mask.into_inner()),
            (None, true) => Hiding::Deny,
            (Some(mask), true) => {
                let message = format!("class \"{name}\" has both a mask and deny = true");
                self.problems.push(source.problem(mask.span(), message));
                Hiding::Deny
            }
            (None, false) => {
                let message = format!("class \"{name}\" has neither a mask nor deny = true");
                self.problems.push(source.problem(span, message));
                Hiding::Deny
            }
        };
        self.class_places.insert(name.clone(), place);
        let class = Class { name: name.clone(), hiding, sensitivity: raw.sensitivity };
        self.catalog.classes.insert(name, class);
    }

    fn table(&mut self, source: &Source, raw: Spanned<raw::Table>) {
        let raw = raw.into_inner();
        let span = raw.name.span();
        let name = match relation_name(raw.name.get_ref()) {
            Ok(name) => name,
            Err(message) => {
                let message = format!("name in [[table]]: {message}");
                self.problems.push(source.problem(span, message));
                return;
            }
        };
        if let Some(first) = self.catalog.tables.iter().find(|table| table.name == name) {
            let message = format!("table {name} is described at {} already", first.place);
            self.problems.push(source.problem(span, message));
            return;
        }
        let mut columns = BTreeMap::new();
        for (column, class) in raw.columns {
            self.check_class(source, &class);
            columns.insert(column, class.into_inner());
        }
        if columns.is_empty() {
            let message = format!("table {name} names no columns");
            self.problems.push(source.problem(span.clone(), message));
        }
        let subject = raw.subject.map(|subject| {
            let span = subject.span();
            let names = subject.into_inner().into_texts(span);
            names.into_iter().map(Spanned::into_inner).collect()
        });
        let place = source.place(span).to_string();
        self.catalog.tables.push(Table { name, columns, subject, place });
    }

    fn honey(&mut self, source: &Source, raw: raw::Honey) {
        let span = raw.table.span();
        let place = source.place(span.clone()).to_string();
        let table = match relation_name(raw.table.get_ref()) {
            Ok(name) if self.catalog.tables.iter().any(|table| table.name == name) => name,
            Ok(name) => {
                let message = format!("table in [[honey]]: {name} is no catalogued table");
                self.problems.push(source.problem(span, message));
                return;
            }
            Err(message) => {
                let message = format!("table in [[honey]]: {message}");
                self.problems.push(source.problem(span, message));
                return;
            }
        };
        if raw.values.is_empty() {
            let message = format!("[[honey]] of {table} names no values");
            self.problems.push(source.problem(span, message));
        }
        let honey = Honey { table, key: raw.key.into_inner(), values: raw.values, place };
        self.catalog.honey.push(honey);
    }

    fn function(&mut self, source: &Source, raw: Spanned<raw::Function>) {
        let raw = raw.into_inner();
        let span = raw.name.span();
        let signature = raw.name.into_inner();
        let shape = signature
            .split_once('(')
            .filter(|(name, arguments)| relation_name(name).is_ok() && arguments.ends_with(')'));
        if shape.is_none() {
            let message = "name in [[function]]: a function is schema.name(type, …)";
            self.problems.push(source.problem(span.clone(), message));
        }
        self.check_class(source, &raw.class);
        if let Some(first) = self.catalog.functions.iter().find(|f| f.signature == signature) {
            let message = format!("function {signature} is declared at {} already", first.place);
            self.problems.push(source.problem(span.clone(), message));
        }
        let class = raw.class.into_inner();
        self.catalog.functions.push(DeclaredFunction {
            signature,
            class,
            place: source.place(span).to_string(),
        });
    }

    /// `clear` needs no definition: looked at, and found to be no personal data.
    fn check_class(&mut self, source: &Source, class: &raw::Text) {
        if class.get_ref() != CLASS_CLEAR && !self.catalog.classes.contains_key(class.get_ref()) {
            let known: Vec<&str> = self.catalog.classes.keys().map(String::as_str).collect();
            let message = Builder::unknown_name("class", class.get_ref(), &known);
            self.problems.push(source.problem(class.span(), message));
        }
    }
}

/// Reads `schema.table` as SQL does, except that an unquoted name with capitals is refused: whether
/// it means the folded name or the one as written is the operator's to say.
fn relation_name(text: &str) -> Result<RelationName, String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted)?,
            None => plain_part(rest)?,
        };
        parts.push(part);
        match tail.strip_prefix('.') {
            Some(after) => rest = after,
            None if tail.is_empty() => break,
            None => return Err(format!("\"{text}\" goes on after its end")),
        }
    }
    match <[String; 2]>::try_from(parts) {
        Ok([schema, name]) => Ok(RelationName { schema, name }),
        Err(_) => Err(format!("\"{text}\" is not of the form schema.name")),
    }
}

fn quoted_part(text: &str) -> Result<(String, &str), String> {
    let mut part = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('"') {
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(doubled) => {
                part.push('"');
                rest = doubled;
            }
            None if part.is_empty() => return Err("a quoted name is empty".to_owned()),
            None => return Ok((part, after)),
        }
    }
    Err("a quoted name is not closed".to_owned())
}

fn plain_part(text: &str) -> Result<(String, &str), String> {
    let end = text.find(['.', '"']).unwrap_or(text.len());
    let (part, tail) = text.split_at(end);
    let odd = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '\'' | ',' | ';' | '*');
    if part.is_empty() || part.contains(odd) {
        return Err("a name is schema.name, each part in double quotes if need be".to_owned());
    }
    if part.contains(|c: char| c.is_ascii_uppercase()) {
        let folded = part.to_ascii_lowercase();
        return Err(format!("write {folded}, or \"{part}\" in double quotes if it has capitals"));
    }
    Ok((part.to_owned(), tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_as_in_sql() {
        let name = relation_name("public.customers").expect("a plain name");
        assert_eq!(name, RelationName::new("public", "customers"));
        let name = relation_name("\"My Schema\".\"a.\"\"b\"").expect("a quoted name");
        assert_eq!(name, RelationName::new("My Schema", "a.\"b"));
        for wrong in
            ["customers", "a.b.c", "public.Customers", "public.", ".x", "\"a.b", "public.\"\"", ""]
        {
            assert!(relation_name(wrong).is_err(), "{wrong}");
        }
    }
}
