//! dbt's properties (`schema.yml`): what `meta` and `tags` say of the columns of models, seeds,
//! snapshots and sources.
//!
//! Read are `meta: {pii: email}`, `meta: {pii: true}` or `{contains_pii: true}`, with the class in
//! `pii_type`, `pii_class`, `pii_category` or `class`, and the tags `pii`, `contains_pii` and
//! `pii:email`; all of them in `config` as well, where newer versions have them.

use saphyr::{LoadableYamlNode, Yaml};

use super::tag::{answer, mask, spelled};
use super::{Assumed, Reading, Said, Unclear};
use crate::model::RelationName;

const GROUPS: [&str; 3] = ["models", "seeds", "snapshots"];
const MARKS: [&str; 4] = ["pii", "contains_pii", "is_pii", "has_pii"];
const CLASSES: [&str; 4] = ["pii_type", "pii_class", "pii_category", "class"];
const MASK: &str = "pii_mask";

/// A model is in the schema that its configuration names, or else in the one assumed: which schema
/// dbt makes it in, the file does not say.
pub fn read(text: &str, assumed: &Assumed) -> Reading {
    let mut reading = Reading::default();
    let Ok(documents) = Yaml::load_from_str(text) else {
        reading.unclear.push(Unclear::new("the file", "it is not YAML"));
        return reading;
    };
    for document in &documents {
        for group in GROUPS {
            for model in list(document, group) {
                let schema = said(model, "config").and_then(|config| text_of(config, "schema"));
                let schema = schema.or_else(|| text_of(model, "schema"));
                table(model, schema.unwrap_or(&assumed.schema), assumed, &mut reading);
            }
        }
        for source in list(document, "sources") {
            let schema = text_of(source, "schema").or_else(|| text_of(source, "name"));
            for one in list(source, "tables") {
                table(one, schema.unwrap_or(&assumed.schema), assumed, &mut reading);
            }
        }
    }
    reading
}

fn table(model: &Yaml<'_>, schema: &str, assumed: &Assumed, reading: &mut Reading) {
    let name = text_of(model, "identifier")
        .or_else(|| text_of(model, "alias"))
        .or_else(|| text_of(model, "name"));
    let Some(name) = name else { return };
    for column in list(model, "columns") {
        let Some(column_name) = text_of(column, "name") else { continue };
        let Some(path) = assumed.column(&[schema, name, column_name]) else { continue };
        match class(column) {
            Class::Absent => {}
            Class::Open => {
                let class = assumed.class.clone();
                reading.said.push(Said { column: path, class, hiding: None });
            }
            Class::Named(class, None) => {
                reading.said.push(Said { column: path, class, hiding: None });
            }
            Class::Named(class, Some(hidden)) => {
                let hiding = match mask(&hidden) {
                    Some((hiding, "")) => Some(hiding),
                    Some(_) | None => {
                        reading.unclear.push(Unclear::new(&path, "its mask is not known"));
                        None
                    }
                };
                reading.said.push(Said { column: path, class, hiding });
            }
        }
    }
}

enum Class {
    Absent,
    /// Personal, and no more is said.
    Open,
    /// A class, and a mask in words.
    Named(String, Option<String>),
}

fn class(column: &Yaml<'_>) -> Class {
    let places = [Some(column), said(column, "config")];
    let mut personal = false;
    for place in places.into_iter().flatten() {
        if let Some(meta) = said(place, "meta") {
            let named = CLASSES.iter().find_map(|key| text_of(meta, key));
            let hidden = text_of(meta, MASK).map(str::to_owned);
            for mark in MARKS.iter().filter_map(|key| said(meta, key)) {
                // dbt's YAML is 1.1, where `yes` and `no` are no words.
                let answer = mark.as_bool().or_else(|| mark.as_str().and_then(answer));
                match (answer, mark.as_str(), named) {
                    (Some(false), ..) => return Class::Absent,
                    (Some(true), _, Some(class)) | (None, Some(class), _) => {
                        return Class::Named(class.to_owned(), hidden);
                    }
                    (Some(true), _, None) => personal = true,
                    (None, None, _) => {}
                }
            }
        }
        for tag in list(place, "tags").filter_map(Yaml::as_str).chain(text_of(place, "tags")) {
            match tag.split_once(':') {
                Some((mark, class)) if MARKS.contains(&mark) => {
                    return Class::Named(class.trim().to_owned(), None);
                }
                None if MARKS.contains(&tag) => personal = true,
                Some(_) | None => {}
            }
        }
    }
    if personal { Class::Open } else { Class::Absent }
}

fn said<'a, 'b>(node: &'a Yaml<'b>, key: &str) -> Option<&'a Yaml<'b>> {
    node.as_mapping_get(key)
}

fn text_of<'a>(node: &'a Yaml<'_>, key: &str) -> Option<&'a str> {
    said(node, key).and_then(Yaml::as_str)
}

fn list<'a, 'b>(node: &'a Yaml<'b>, key: &str) -> impl Iterator<Item = &'a Yaml<'b>> + use<'a, 'b> {
    said(node, key).and_then(Yaml::as_sequence).into_iter().flatten()
}

/// The properties of the tables as sources, one for each schema.
pub fn written(said: &[Said]) -> String {
    let mut text = "version: 2\n\nsources:".to_owned();
    if said.is_empty() {
        text.push_str(" []");
    }
    let mut last: Option<&RelationName> = None;
    let mut ordered: Vec<&Said> = said.iter().collect();
    ordered.sort_by(|a, b| a.column.cmp(&b.column));
    for Said { column, class, hiding } in ordered {
        let relation = &column.relation;
        if last.is_none_or(|last| last.schema != relation.schema) {
            let schema = quoted(&relation.schema);
            text.push_str(&format!("\n  - name: {schema}\n    schema: {schema}\n    tables:"));
        }
        if last != Some(relation) {
            let name = quoted(&relation.name);
            text.push_str(&format!("\n      - name: {name}\n        columns:"));
        }
        last = Some(relation);
        let (name, class) = (quoted(&column.column), quoted(class));
        text.push_str(&format!("\n          - name: {name}\n            meta:"));
        text.push_str(&format!("\n              pii: {class}"));
        if let Some(hiding) = hiding {
            text.push_str(&format!("\n              {MASK}: {}", quoted(&spelled(hiding))));
        }
    }
    text + "\n"
}

/// A double-quoted scalar of ASCII only.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            other => quoted.push_str(&format!("\\U{:08X}", u32::from(other))),
        }
    }
    quoted + "\""
}
