//! The catalog's words, as its files write them.

use crate::catalog::{DatePrecision, Hiding, MaskSpec};
use crate::model::{RelationName, misleads};

/// `schema.name`, each part in double quotes where it needs them.
pub(super) fn relation_text(relation: &RelationName) -> String {
    let part = |name: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !name.is_empty() && name.chars().all(plain) {
            name.to_owned()
        } else {
            format!("\"{}\"", name.replace('"', "\"\""))
        }
    };
    format!("{}.{}", part(&relation.schema), part(&relation.name))
}

/// A string of TOML on one line.
pub(super) fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if misleads(c) => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// A key of TOML.
pub(super) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { text(name) }
}

/// `mask = { kind = "email" }` or `deny = true`.
pub(super) fn hiding_text(hiding: &Hiding) -> String {
    match hiding {
        Hiding::Mask(mask) => format!("mask = {}", mask_text(mask)),
        Hiding::Deny => "deny = true".to_owned(),
    }
}

pub(super) fn mask_text(mask: &MaskSpec) -> String {
    match mask {
        MaskSpec::Redact => "{ kind = \"redact\" }".to_owned(),
        MaskSpec::Null => "{ kind = \"null\" }".to_owned(),
        MaskSpec::Constant { value } => {
            format!("{{ kind = \"constant\", value = {} }}", text(value))
        }
        MaskSpec::Partial { keep_first, keep_last } => {
            let keep = |name: &str, count: usize| match count {
                0 => String::new(),
                count => format!(", {name} = {count}"),
            };
            let (first, last) = (keep("keep_first", *keep_first), keep("keep_last", *keep_last));
            format!("{{ kind = \"partial\"{first}{last} }}")
        }
        MaskSpec::Email => "{ kind = \"email\" }".to_owned(),
        MaskSpec::Date { to } => {
            let to = match to {
                DatePrecision::Year => "year",
                DatePrecision::Month => "month",
            };
            format!("{{ kind = \"date\", to = \"{to}\" }}")
        }
        MaskSpec::Bucket { size } => format!("{{ kind = \"bucket\", size = {size} }}"),
        MaskSpec::Ip { v4_prefix, v6_prefix } => {
            format!("{{ kind = \"ip\", v4_prefix = {v4_prefix}, v6_prefix = {v6_prefix} }}")
        }
    }
}
