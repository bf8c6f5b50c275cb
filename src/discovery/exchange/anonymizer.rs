//! The masking rules of the extension PostgreSQL Anonymizer, which are security labels:
//! `MASKED WITH FUNCTION anon.partial_email(email)`, `MASKED WITH VALUE NULL`.
//!
//! They say how a column is hidden and leave open what it is: of that, the function's name tells
//! something. Our masks that have no counterpart there are not written, rather than written as
//! another.

use super::{Assumed, Tag};
use crate::analysis::parse::parse;
use crate::analysis::tree::Node;
use crate::catalog::{DatePrecision, Hiding, MaskSpec};
use crate::model::{quote_ident, quote_literal};

/// The extension's provider of security labels.
pub const PROVIDER: &str = "anon";

const STARS: &str = "***";

/// What a rule says.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    Masked(Tag),
    NotMasked,
}

/// Parts of functions' names, and the class of what they make up; the first that fits counts.
const CLASSES: [(&str, &str); 27] = [
    ("email", "email"),
    ("phone", "phone"),
    ("cell_number", "phone"),
    ("iban", "bank_account"),
    ("bic", "bank_account"),
    ("credit_card", "card"),
    ("first_name", "person_name"),
    ("last_name", "person_name"),
    ("lastname", "person_name"),
    ("firstname", "person_name"),
    ("dummy_name", "person_name"),
    ("username", "user_name"),
    ("user_name", "user_name"),
    ("address", "postal_address"),
    ("street", "postal_address"),
    ("building_number", "postal_address"),
    ("city", "postal_address"),
    ("postcode", "postal_address"),
    ("zip", "postal_address"),
    ("ipv4", "network_address"),
    ("ipv6", "network_address"),
    ("mac_address", "device_id"),
    ("latitude", "location"),
    ("longitude", "location"),
    ("password", "secret"),
    ("lorem_ipsum", "free_text"),
    ("siret", "national_id"),
];

/// Reads a label; None: it is no masking rule, or one that cannot be read.
pub fn read(label: &str, assumed: &Assumed) -> Option<Rule> {
    let words = label.trim();
    if matches(words, "NOT MASKED").is_some_and(|rest| rest.trim().is_empty()) {
        return Some(Rule::NotMasked);
    }
    let expression =
        matches(words, "MASKED WITH FUNCTION").or_else(|| matches(words, "MASKED WITH VALUE"))?;
    let parsed = parse(&format!("SELECT {expression}")).ok()?;
    let [statement] = &parsed.statements[..] else { return None };
    let mut targets = statement.tree.nodes("target_list");
    let (value, None) = (targets.next()?.node("val")?, targets.next()) else { return None };
    Some(Rule::Masked(meaning(value, assumed)))
}

/// What follows the words, whatever blanks are between them and whatever their case.
fn matches<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let mut rest = text;
    for word in words.split(' ') {
        let trimmed = rest.trim_start();
        let head = trimmed.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word))?;
        rest = &trimmed[head.len()..];
    }
    Some(rest)
}

fn meaning(value: &Node, assumed: &Assumed) -> Tag {
    let hidden =
        |class: &str, mask| Tag { class: class.to_owned(), hiding: Some(Hiding::Mask(mask)) };
    match value.kind {
        "AConst" if value.is("isnull") => hidden(&assumed.class, MaskSpec::Null),
        "AConst" => match constant(value) {
            Some(text) if text == STARS => hidden(&assumed.class, MaskSpec::Redact),
            Some(value) => hidden(&assumed.class, MaskSpec::Constant { value }),
            None => hidden(&assumed.class, MaskSpec::Redact),
        },
        "FuncCall" => {
            let names = value.names("funcname");
            let name = names.last().copied().unwrap_or("");
            let class = CLASSES.iter().find(|(part, _)| name.contains(part));
            hidden(class.map_or(&assumed.class, |(_, class)| class), by_function(name, value))
        }
        "TypeCast" => match value.node("arg") {
            Some(inner) => meaning(inner, assumed),
            None => hidden(&assumed.class, MaskSpec::Redact),
        },
        _ => hidden(&assumed.class, MaskSpec::Redact),
    }
}

/// What is nearest to the function. What makes something up is made unreadable here.
fn by_function(name: &str, call: &Node) -> MaskSpec {
    let arguments: Vec<&Node> = call.nodes("args").collect();
    let number = |at: usize| {
        let number = arguments.get(at).filter(|a| a.kind == "AConst")?.node("val")?;
        (number.kind == "Integer").then(|| number.int("ival"))
    };
    match name {
        "partial_email" => MaskSpec::Email,
        "partial" => match (number(1).map(usize::try_from), number(3).map(usize::try_from)) {
            (Some(Ok(keep_first)), Some(Ok(keep_last))) => {
                MaskSpec::Partial { keep_first, keep_last }
            }
            _ => MaskSpec::Redact,
        },
        "date_trunc" => match arguments.first().and_then(|unit| constant(unit)).as_deref() {
            Some("year") => MaskSpec::Date { to: DatePrecision::Year },
            Some("month") => MaskSpec::Date { to: DatePrecision::Month },
            _ => MaskSpec::Redact,
        },
        "generalize_int4range" | "generalize_int8range" | "generalize_numrange" => {
            match number(1).and_then(|size| u64::try_from(size).ok()) {
                Some(size) if size > 0 => MaskSpec::Bucket { size },
                Some(_) | None => MaskSpec::Redact,
            }
        }
        _ => MaskSpec::Redact,
    }
}

/// The text of a constant.
fn constant(node: &Node) -> Option<String> {
    let value = node.node("val").filter(|_| node.kind == "AConst")?;
    match value.kind {
        "String" => Some(value.text("sval").to_owned()),
        "Integer" => Some(value.int("ival").to_string()),
        "Float" => Some(value.text("fval").to_owned()),
        _ => None,
    }
}

/// The rule that hides a column as `hiding` does; None: there is none.
pub fn written(column: &str, hiding: &Hiding) -> Option<String> {
    let column = quote_ident(column);
    let rule = match hiding {
        Hiding::Deny => "VALUE NULL".to_owned(),
        Hiding::Mask(mask) => match mask {
            MaskSpec::Null => "VALUE NULL".to_owned(),
            MaskSpec::Redact => format!("VALUE {}", quote_literal(STARS)),
            MaskSpec::Constant { value } => format!("VALUE {}", quote_literal(value)),
            MaskSpec::Email => format!("FUNCTION anon.partial_email({column})"),
            MaskSpec::Partial { keep_first, keep_last } => format!(
                "FUNCTION anon.partial({column}, {keep_first}, {}, {keep_last})",
                quote_literal(STARS)
            ),
            MaskSpec::Date { to } => {
                let unit = match to {
                    DatePrecision::Year => "year",
                    DatePrecision::Month => "month",
                };
                format!("FUNCTION pg_catalog.date_trunc({}, {column})", quote_literal(unit))
            }
            MaskSpec::Bucket { size: _ } | MaskSpec::Ip { v4_prefix: _, v6_prefix: _ } => {
                return None;
            }
        },
    };
    Some(format!("MASKED WITH {rule}"))
}
