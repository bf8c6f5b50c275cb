//! `SECURITY LABEL` and `COMMENT ON COLUMN`: written for psql, and read from a script or a dump.

use pg_query::protobuf::ObjectType;

use super::anonymizer::{self, Rule};
use super::tag::{self, Finding};
use super::{Assumed, Reading, Said, Tag, Unclear, script, tagged};
use crate::analysis::parse::parse;
use crate::analysis::tree::Node;
use crate::model::{ColumnPath, quote_ident, quote_literal};

/// What a database or a script says of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note<'a> {
    Comment(&'a str),
    Label { provider: &'a str, label: &'a str },
}

/// What is read: comments, or labels, of one provider or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    Comments,
    Labels { provider: Option<&'a str> },
}

impl Wanted<'_> {
    fn verb(self) -> &'static str {
        match self {
            Self::Comments => "comment",
            Self::Labels { provider: _ } => "security",
        }
    }
}

impl Reading {
    /// Takes a note in. A comment without a tag says nothing; a label always says something.
    pub fn note(&mut self, column: &ColumnPath, note: Note<'_>, assumed: &Assumed) {
        let tag = match note {
            Note::Comment(text) => match tag::find(text, assumed) {
                Finding::Tag(tag) => Ok(tag),
                Finding::NotPersonal | Finding::Nothing => return,
            },
            Note::Label { provider: _, label } => match anonymizer::read(label, assumed) {
                Some(Rule::Masked(tag)) => Ok(tag),
                Some(Rule::NotMasked) => return,
                None => match tag::find(label, assumed) {
                    Finding::Tag(tag) => Ok(tag),
                    Finding::NotPersonal => return,
                    Finding::Nothing => bare(label),
                },
            },
        };
        match tag {
            Ok(Tag { class, hiding }) => {
                self.said.push(Said { column: column.clone(), class, hiding });
            }
            Err(why) => self.unclear.push(Unclear::new(column, why)),
        }
    }
}

/// A label that is one word: a class.
fn bare(label: &str) -> Result<Tag, &'static str> {
    let label = label.trim();
    if label.is_empty() || !label.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
        return Err("its label is neither a class nor a masking rule");
    }
    Ok(Tag { class: label.to_owned(), hiding: None })
}

/// Reads a script or a dump made by `pg_dump`; rows of `COPY` and psql's commands are passed over.
pub fn read(text: &str, wanted: Wanted<'_>, assumed: &Assumed) -> Reading {
    let mut reading = Reading::default();
    let text = script::sql(text).filter(|text| !text.contains('\0'));
    let statements = text.as_deref().and_then(pieces);
    let Some(statements) = statements else {
        reading.unclear.push(Unclear::new("the file", "it cannot be cut into statements"));
        return reading;
    };
    let verb = wanted.verb();
    for statement in statements.into_iter().filter(|text| mentions(text, verb)) {
        match parse(statement).map(|parsed| parsed.statements) {
            Ok(parsed) => {
                for piece in &parsed {
                    take(&piece.tree, wanted, assumed, &mut reading);
                }
            }
            Err(_) if begins(statement, verb) => {
                let beginning: String = statement.trim().chars().take(60).collect();
                reading.unclear.push(Unclear::new(beginning, "it is not PostgreSQL's SQL"));
            }
            // Another statement, of another version perhaps.
            Err(_) => {}
        }
    }
    reading
}

fn pieces(text: &str) -> Option<Vec<&str>> {
    // Of no tokens the crate makes a slice from a null pointer.
    if text.trim().is_empty() { Some(Vec::new()) } else { pg_query::split_with_scanner(text).ok() }
}

fn mentions(statement: &str, verb: &str) -> bool {
    statement.as_bytes().windows(verb.len()).any(|part| part.eq_ignore_ascii_case(verb.as_bytes()))
}

/// Comments may come first, of which a dump has many.
fn begins(statement: &str, verb: &str) -> bool {
    let code = statement.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with("--"));
    let first = code.and_then(|line| line.split_whitespace().next()).unwrap_or("");
    first.eq_ignore_ascii_case(verb)
}

fn take(tree: &Node, wanted: Wanted<'_>, assumed: &Assumed, reading: &mut Reading) {
    if tree.int("objtype") != i64::from(ObjectType::ObjectColumn as i32) {
        return;
    }
    let note = match (tree.kind, wanted) {
        ("CommentStmt", Wanted::Comments) => Note::Comment(tree.text("comment")),
        ("SecLabelStmt", Wanted::Labels { provider }) => {
            let of = tree.text("provider");
            if provider.is_some_and(|provider| provider != of) {
                return;
            }
            Note::Label { provider: of, label: tree.text("label") }
        }
        _ => return,
    };
    // NULL takes away what was said.
    if matches!(note, Note::Comment("") | Note::Label { provider: _, label: "" }) {
        return;
    }
    let names = tree.node("object").map(|names| names.names("items")).unwrap_or_default();
    match assumed.column(&names) {
        Some(column) => reading.note(&column, note, assumed),
        None => reading.unclear.push(Unclear::new(names.join("."), "it is no column of a table")),
    }
}

/// The statements that label every column, for a provider that understands tags.
pub fn labels(said: &[Said], provider: &str) -> String {
    said.iter().map(|said| label(&said.column, provider, &tag_of(said).to_string())).collect()
}

/// The statements that make the columns masked by Anonymizer, and the columns that it cannot mask
/// the same way.
pub fn masking_rules(said: &[Said]) -> (String, Vec<Unclear>) {
    let mut text = String::new();
    let mut unclear = Vec::new();
    for Said { column, class: _, hiding } in said {
        match hiding.as_ref().and_then(|hiding| anonymizer::written(&column.column, hiding)) {
            Some(rule) => text.push_str(&label(column, anonymizer::PROVIDER, &rule)),
            None => unclear.push(Unclear::new(column, "the extension has no mask like its own")),
        }
    }
    (text, unclear)
}

fn label(column: &ColumnPath, provider: &str, label: &str) -> String {
    let (provider, label) = (quote_ident(provider), quote_literal(label));
    format!("SECURITY LABEL FOR {provider} ON COLUMN {} IS {label};\n", quoted(column))
}

/// The statements that write each column's tag into its comment; `present` tells what a comment
/// says so far, and that stays.
pub fn comments<'a>(said: &[Said], present: impl Fn(&ColumnPath) -> Option<&'a str>) -> String {
    let lines = said.iter().map(|said| {
        let comment = tagged(present(&said.column), &tag_of(said));
        let comment = quote_literal(&comment);
        format!("COMMENT ON COLUMN {} IS {comment};\n", quoted(&said.column))
    });
    lines.collect()
}

fn tag_of(said: &Said) -> Tag {
    Tag { class: said.class.clone(), hiding: said.hiding.clone() }
}

fn quoted(column: &ColumnPath) -> String {
    format!("{}.{}", column.relation.quoted(), quote_ident(&column.column))
}
