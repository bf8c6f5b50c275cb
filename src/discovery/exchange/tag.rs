//! `pii: CLASS (MASK)`, wherever there is room for a few words.
//!
//! A class that is no plain word, and text in a mask, stand in double quotes as JSON has them.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::Assumed;
use crate::catalog::{DatePrecision, Hiding, MaskSpec};

/// A class and, where it is said, a mask.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    pub class: String,
    pub hiding: Option<Hiding>,
}

/// What a text says with a tag.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Finding {
    Tag(Tag),
    /// `pii: no`.
    NotPersonal,
    /// No tag is in it.
    Nothing,
}

static MARK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\bpii\s*[:=]\s*").expect("a literal pattern"));

/// Words that answer whether, not what.
const YES: [&str; 3] = ["true", "yes", "on"];
const NO: [&str; 4] = ["false", "no", "none", "off"];

/// Whether a word only says that something is personal, or is not.
pub(super) fn answer(word: &str) -> Option<bool> {
    let among = |list: &[&str]| list.iter().any(|known| word.eq_ignore_ascii_case(known));
    match (among(&YES), among(&NO)) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

/// The first tag of a text.
pub(super) fn find(text: &str, assumed: &Assumed) -> Finding {
    match located(text) {
        None => Finding::Nothing,
        Some((_, Class::Named(class), hiding)) => Finding::Tag(Tag { class, hiding }),
        Some((_, Class::Yes, hiding)) => Finding::Tag(Tag { class: assumed.class.clone(), hiding }),
        Some((_, Class::No, _)) => Finding::NotPersonal,
    }
}

/// The text with the tag in place of the one it has, or behind what it says.
pub fn tagged(text: Option<&str>, tag: &Tag) -> String {
    let text = text.unwrap_or("");
    match located(text) {
        Some((range, ..)) => format!("{}{tag}{}", &text[..range.start], &text[range.end..]),
        None if text.is_empty() => tag.to_string(),
        None => format!("{text} {tag}"),
    }
}

enum Class {
    Named(String),
    Yes,
    No,
}

fn located(text: &str) -> Option<(Range<usize>, Class, Option<Hiding>)> {
    MARK.find_iter(text).find_map(|mark| {
        let (class, rest) = class(&text[mark.end()..])?;
        let masked = rest.trim_start().strip_prefix('(').and_then(mask);
        let masked = masked.and_then(|(hiding, rest)| Some((hiding, rest.strip_prefix(')')?)));
        let (hiding, rest) = match masked {
            Some((hiding, rest)) => (Some(hiding), rest),
            None => (None, rest),
        };
        Some((mark.start()..text.len() - rest.len(), class, hiding))
    })
}

fn class(text: &str) -> Option<(Class, &str)> {
    if text.starts_with('"') {
        let (class, rest) = quoted(text)?;
        return Some((Class::Named(class), rest));
    }
    let (class, rest) = word(text);
    // `pii: pii: email`: the first of them is no tag.
    let is_mark = class.eq_ignore_ascii_case("pii") && rest.trim_start().starts_with([':', '=']);
    if class.is_empty() || is_mark {
        return None;
    }
    let class = match answer(class) {
        Some(true) => Class::Yes,
        Some(false) => Class::No,
        None => Class::Named(class.to_owned()),
    };
    Some((class, rest))
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !is_plain(c)).unwrap_or(text.len());
    text.split_at(end)
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// A string as JSON writes it, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let string = strings.next()?.ok()?;
    Some((string, text.get(strings.byte_offset()..)?))
}

/// A mask in words, and what follows: `partial keep_first=1 keep_last=2`.
pub(super) fn mask(text: &str) -> Option<(Hiding, &str)> {
    let (kind, mut rest) = word(text);
    let mut settings = Vec::new();
    while let Some(after) = rest.strip_prefix(' ') {
        let (key, after) = word(after);
        let after = after.strip_prefix('=')?;
        let (value, after) = match after.starts_with('"') {
            true => quoted(after)?,
            false => {
                let (value, after) = word(after);
                (value.to_owned(), after)
            }
        };
        settings.push((key, value));
        rest = after;
    }
    Some((hiding(kind, &settings)?, rest))
}

/// `settings` may be fewer than there are, but none that is unknown.
fn hiding(kind: &str, settings: &[(&str, String)]) -> Option<Hiding> {
    let known: &[&str] = match kind {
        "constant" => &["value"],
        "partial" => &["keep_first", "keep_last"],
        "date" => &["to"],
        "bucket" => &["size"],
        "ip" => &["v4_prefix", "v6_prefix"],
        _ => &[],
    };
    if settings.iter().any(|(key, _)| !known.contains(key)) {
        return None;
    }
    let said = |key| settings.iter().find(|(name, _)| *name == key).map(|(_, value)| &**value);
    let count = |key| said(key).map_or(Some(0), |value| value.parse().ok());
    let prefix = |key, usual| said(key).map_or(Some(usual), |value| value.parse().ok());
    let mask = match kind {
        "deny" => return Some(Hiding::Deny),
        "redact" => MaskSpec::Redact,
        "null" => MaskSpec::Null,
        "email" => MaskSpec::Email,
        "constant" => MaskSpec::Constant { value: said("value")?.to_owned() },
        "partial" => {
            MaskSpec::Partial { keep_first: count("keep_first")?, keep_last: count("keep_last")? }
        }
        "date" => MaskSpec::Date {
            to: match said("to")? {
                "year" => DatePrecision::Year,
                "month" => DatePrecision::Month,
                _ => return None,
            },
        },
        "bucket" => MaskSpec::Bucket { size: said("size")?.parse().ok()? },
        "ip" => MaskSpec::Ip {
            v4_prefix: prefix("v4_prefix", 24)?,
            v6_prefix: prefix("v6_prefix", 48)?,
        },
        _ => return None,
    };
    Some(Hiding::Mask(mask))
}

/// As [`mask`] reads it.
pub(super) fn spelled(hiding: &Hiding) -> String {
    match hiding {
        Hiding::Deny => "deny".to_owned(),
        Hiding::Mask(mask) => match mask {
            MaskSpec::Redact => "redact".to_owned(),
            MaskSpec::Null => "null".to_owned(),
            MaskSpec::Email => "email".to_owned(),
            MaskSpec::Constant { value } => format!("constant value={}", quote(value)),
            MaskSpec::Partial { keep_first, keep_last } => {
                format!("partial keep_first={keep_first} keep_last={keep_last}")
            }
            MaskSpec::Date { to: DatePrecision::Year } => "date to=year".to_owned(),
            MaskSpec::Date { to: DatePrecision::Month } => "date to=month".to_owned(),
            MaskSpec::Bucket { size } => format!("bucket size={size}"),
            MaskSpec::Ip { v4_prefix, v6_prefix } => {
                format!("ip v4_prefix={v4_prefix} v6_prefix={v6_prefix}")
            }
        },
    }
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, hiding } = self;
        let plain = !class.is_empty()
            && class.chars().all(is_plain)
            && answer(class).is_none()
            && !class.eq_ignore_ascii_case("pii");
        match plain {
            true => write!(f, "pii: {class}")?,
            false => write!(f, "pii: {}", quote(class))?,
        }
        match hiding {
            Some(hiding) => write!(f, " ({})", spelled(hiding)),
            None => Ok(()),
        }
    }
}
