//! What was read as a catalog file of ours.
//!
//! A catalog hides all columns of a class alike. Where columns of one class are hidden in several
//! ways, each way has a class of its own: `phone`, `phone_2`.

use std::collections::BTreeMap;

use super::Said;
use crate::catalog::{DatePrecision, Hiding, MaskSpec};
use crate::discovery::usual_hiding;
use crate::model::{RelationName, misleads};

/// The file's text; classes of which nobody said how they are hidden are hidden as usual.
pub fn written(said: &[Said]) -> String {
    let mut classes: BTreeMap<String, Hiding> = BTreeMap::new();
    let mut tables: BTreeMap<&RelationName, BTreeMap<&str, String>> = BTreeMap::new();
    // Whoever says no mask gets the class as it is: those that say one come first.
    let (with, without): (Vec<_>, Vec<_>) = said.iter().partition(|said| said.hiding.is_some());
    for Said { column, class, hiding } in with.into_iter().chain(without) {
        let name = match hiding {
            None => {
                classes.entry(class.clone()).or_insert_with(|| usual_hiding(class));
                class.clone()
            }
            Some(hiding) => named(&mut classes, class, hiding),
        };
        // The first word on a column counts.
        tables.entry(&column.relation).or_default().entry(&column.column).or_insert(name);
    }
    let used: Vec<&String> = tables.values().flat_map(BTreeMap::values).collect();
    classes.retain(|class, _| used.contains(&class));
    let classes = classes
        .iter()
        .map(|(name, hiding)| format!("[[class]]\nname = {}\n{}\n", string(name), hidden(hiding)));
    let tables = tables.iter().map(|(relation, columns)| {
        let lines =
            columns.iter().map(|(column, class)| format!("{} = {}\n", key(column), string(class)));
        let name = string(&relation_text(relation));
        format!("[[table]]\nname = {name}\n[table.columns]\n{}", lines.collect::<String>())
    });
    classes.chain(tables).collect::<Vec<_>>().join("\n")
}

fn named(classes: &mut BTreeMap<String, Hiding>, class: &str, hiding: &Hiding) -> String {
    let numbered = (2..).map(|number: u32| format!("{class}_{number}"));
    for name in std::iter::once(class.to_owned()).chain(numbered) {
        match classes.get(&name) {
            Some(present) if present == hiding => return name,
            Some(_) => {}
            None => {
                classes.insert(name.clone(), hiding.clone());
                return name;
            }
        }
    }
    class.to_owned()
}

fn hidden(hiding: &Hiding) -> String {
    let mask = match hiding {
        Hiding::Deny => return "deny = true".to_owned(),
        Hiding::Mask(mask) => mask,
    };
    let mask = match mask {
        MaskSpec::Redact => "kind = \"redact\"".to_owned(),
        MaskSpec::Null => "kind = \"null\"".to_owned(),
        MaskSpec::Email => "kind = \"email\"".to_owned(),
        MaskSpec::Constant { value } => format!("kind = \"constant\", value = {}", string(value)),
        MaskSpec::Partial { keep_first, keep_last } => {
            format!("kind = \"partial\", keep_first = {keep_first}, keep_last = {keep_last}")
        }
        MaskSpec::Date { to: DatePrecision::Year } => "kind = \"date\", to = \"year\"".to_owned(),
        MaskSpec::Date { to: DatePrecision::Month } => "kind = \"date\", to = \"month\"".to_owned(),
        MaskSpec::Bucket { size } => format!("kind = \"bucket\", size = {size}"),
        MaskSpec::Ip { v4_prefix, v6_prefix } => {
            format!("kind = \"ip\", v4_prefix = {v4_prefix}, v6_prefix = {v6_prefix}")
        }
    };
    format!("mask = {{ {mask} }}")
}

/// `schema.name` as a catalog writes it.
fn relation_text(relation: &RelationName) -> String {
    let plain = |part: &str| {
        let first_fits = part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        first_fits && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if plain(&relation.schema) && plain(&relation.name) {
        relation.dotted()
    } else {
        relation.quoted()
    }
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || !name.chars().all(bare) { string(name) } else { name.to_owned() }
}

/// A basic string of TOML.
fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if misleads(control) => {
                quoted.push_str(&format!("\\U{:08X}", u32::from(control)));
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_turns_the_reading_direction() {
        assert_eq!(string("a\u{202e}\u{1b}\"é"), r#""a\U0000202E\U0000001B\"é""#);
    }
}
