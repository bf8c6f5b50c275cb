//! Documents, maps and arrays as PostgreSQL writes them, read value by value.
//!
//! Samples are cut on the server, so a document may end anywhere; what came before counts.

use super::detect::{self, Signal};
use super::vocabulary::{hints, tokens};

/// Deeper parts of a document are not looked at.
const DEPTH_MAX: usize = 8;
/// Elements of one array that are looked at.
const ELEMENTS_MAX: usize = 32;
/// Longest key that can be a name.
const KEY_BYTES_MAX: usize = 48;
/// Shorter first names are mostly abbreviations where they are keys: `mi`, `na`, `val`.
const FIRST_NAME_BYTES_MIN: usize = 4;
/// First names that programs use for something else.
const MEMBERS: [&str; 14] = [
    "meta", "lang", "alpha", "delta", "omega", "gamma", "angle", "else", "edit", "tiny", "numbers",
    "digit", "guest", "latitude",
];
/// In a path, a key that is data, or an array's place.
const ANY: &str = "*";

/// A scalar of a document is told with the path to it: `$.contact.emails[*]`.
pub(super) fn walk_json(text: &str, tell: &mut dyn FnMut(&str, &str)) {
    let mut reader = Reader { rest: text, path: "$".to_owned(), tell };
    // None: it is cut off or no JSON.
    let _: Option<()> = reader.value(0);
}

/// Whether a text could be a document.
pub(super) fn is_json(text: &str) -> bool {
    let text = text.trim_start();
    let inner = match text.as_bytes() {
        [b'{', ..] => text[1..].trim_start(),
        [b'[', ..] => text[1..].trim_start().trim_start_matches('{').trim_start(),
        _ => return false,
    };
    inner.starts_with('"')
        && (text.starts_with('[') || text.contains("\":") || text.contains("\" :"))
}

struct Reader<'a, 't> {
    rest: &'a str,
    path: String,
    tell: &'t mut dyn FnMut(&str, &str),
}

impl Reader<'_, '_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        self.blank();
        match self.rest.bytes().next()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => {
                let text = self.string()?;
                (self.tell)(&self.path, &text);
                Some(())
            }
            _ => {
                let end = self.rest.find([',', '}', ']']).unwrap_or(self.rest.len());
                let (scalar, rest) = self.rest.split_at(end);
                self.rest = rest;
                let scalar = scalar.trim();
                if !matches!(scalar, "null" | "true" | "false" | "") {
                    (self.tell)(&self.path, scalar);
                }
                Some(())
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.rest = &self.rest[1..];
        if depth >= DEPTH_MAX {
            return None;
        }
        loop {
            self.blank();
            if self.take('}') {
                return Some(());
            }
            let key = self.string()?;
            self.blank();
            if !self.take(':') {
                return None;
            }
            let length = self.path.len();
            self.path.push('.');
            self.path.push_str(if is_name(&key) { &key } else { ANY });
            self.value(depth + 1)?;
            self.path.truncate(length);
            self.blank();
            if !self.take(',') && !self.rest.starts_with('}') {
                return None;
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.rest = &self.rest[1..];
        if depth >= DEPTH_MAX {
            return None;
        }
        let length = self.path.len();
        self.path.push_str("[*]");
        for _ in 0..ELEMENTS_MAX {
            self.blank();
            if self.take(']') {
                self.path.truncate(length);
                return Some(());
            }
            self.value(depth + 1)?;
            self.blank();
            if !self.take(',') && !self.rest.starts_with(']') {
                return None;
            }
        }
        None
    }

    /// A string without its quotes and escapes. One that is cut off is none: half an address
    /// proves nothing.
    fn string(&mut self) -> Option<String> {
        let (text, rest) = quoted(self.rest)?;
        self.rest = rest;
        Some(text)
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, wanted: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(wanted) else { return false };
        self.rest = rest;
        true
    }
}

/// A string in double quotes at the start, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut out = String::new();
    let mut letters = inner.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return Some((out, &inner[place + 1..])),
            '\\' => match letters.next()?.1 {
                'n' | 'r' | 't' => out.push(' '),
                'u' => {
                    let digits: String = letters.by_ref().take(4).map(|(_, c)| c).collect();
                    let code = u32::from_str_radix(&digits, 16).ok()?;
                    out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                }
                escaped => out.push(escaped),
            },
            letter => out.push(letter),
        }
    }
    None
}

/// Whether a key is a name that a programmer gave: others are data, which no report may show.
fn is_name(key: &str) -> bool {
    let written = !key.is_empty()
        && key.len() <= KEY_BYTES_MAX
        && key.chars().all(|c| c.is_alphanumeric() || "_- ".contains(c))
        && key.chars().filter(char::is_ascii_digit).count() <= 3
        && key.chars().any(char::is_alphabetic)
        && key.matches(' ').count() <= 2;
    if !written {
        return false;
    }
    // Names of persons are written with capitals, names of members rarely.
    let capital = key.starts_with(char::is_uppercase);
    let hits = detect::look(key);
    let data = [Signal::FullName, Signal::Random, Signal::Secret, Signal::Uuid];
    !(data.iter().any(|signal| hits.has(*signal))
        || capital && (hits.has(Signal::FirstName) || hits.has(Signal::LastName))
        || is_somebody(key))
}

/// `jane` and `jane_miller` are persons, whatever the letters; `mark` is a word too, `last_name`
/// one of ours.
fn is_somebody(key: &str) -> bool {
    let words = tokens(key);
    let short = words.first().is_none_or(|word| word.len() < FIRST_NAME_BYTES_MIN);
    if short || words.iter().any(|word| MEMBERS.contains(&&**word)) {
        return false;
    }
    let hits = detect::look(&words.join(" "));
    (hits.has(Signal::FirstName) || hits.has(Signal::FullName))
        && !words.first().is_some_and(|word| detect::is_common_word(word))
        && hints(&words).is_empty()
}

/// Elements of an array: `{a,"b c",NULL}`; of one with dimensions, of all of them.
pub(super) fn walk_array(text: &str, tell: &mut dyn FnMut(&str)) {
    let mut rest = text;
    // `[0:2]={…}` says where it begins.
    if rest.starts_with('[') {
        rest = rest.split_once('=').map_or("", |(_, array)| array);
    }
    for _ in 0..ELEMENTS_MAX {
        rest = rest.trim_start_matches(['{', '}', ',', ' ']);
        if rest.starts_with('"') {
            let Some((element, behind)) = quoted(rest) else { return };
            tell(&element);
            rest = behind;
        } else {
            let Some(end) = rest.find([',', '}']) else { return };
            let element = &rest[..end];
            if !element.is_empty() && element != "NULL" {
                tell(element);
            }
            rest = &rest[end..];
        }
    }
}

/// Pairs of an hstore: `"a"=>"b", "c"=>NULL`.
pub(super) fn walk_hstore(text: &str, tell: &mut dyn FnMut(&str, &str)) {
    let mut rest = text;
    while let Some((key, behind)) = quoted(rest.trim_start_matches([',', ' '])) {
        let Some(value) = behind.trim_start().strip_prefix("=>") else { return };
        rest = match quoted(value.trim_start()) {
            Some((value, behind)) => {
                tell(&format!("$.{}", if is_name(&key) { &key } else { ANY }), &value);
                behind
            }
            None => value.trim_start().trim_start_matches("NULL"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Vec<(String, String)> {
        let mut all = Vec::new();
        walk_json(text, &mut |path, value| all.push((path.to_owned(), value.to_owned())));
        all
    }

    #[test]
    fn scalars_are_told_with_their_paths() {
        let told = json(r#"{"a": {"b": ["x", "y"], "n": -1.5e3, "z": null}, "q": "\"é"}"#);
        let told: Vec<_> = told.iter().map(|(path, value)| (&**path, &**value)).collect();
        assert_eq!(
            told,
            [("$.a.b[*]", "x"), ("$.a.b[*]", "y"), ("$.a.n", "-1.5e3"), ("$.q", "\"é")]
        );
    }

    #[test]
    fn a_document_that_is_cut_off_counts_as_far_as_it_goes() {
        assert_eq!(json(r#"{"a": "x", "b": "cut of"#).len(), 1);
        assert_eq!(json(&"[".repeat(10_000)).len(), 0);
    }

    #[test]
    fn keys_that_are_data_are_not_shown() {
        for key in [
            "jane@example.com",
            "4711471147",
            "Jane Miller",
            "Jane",
            "jane",
            "jane_miller",
            "a.b c.d e f g",
        ] {
            let told = json(&format!(r#"{{"{key}": "x"}}"#));
            assert_eq!(told[0].0, "$.*", "{key}");
        }
        assert_eq!(json(r#"{"first_name": "x"}"#)[0].0, "$.first_name");
        for key in ["mark", "meta", "meta_price", "val", "max_price", "delta"] {
            assert_eq!(json(&format!(r#"{{"{key}": "x"}}"#))[0].0, format!("$.{key}"));
        }
        assert_eq!(json(r#"{"Email": "x"}"#)[0].0, "$.Email");
    }

    #[test]
    fn arrays_and_maps() {
        let mut elements = Vec::new();
        walk_array(r#"[0:1]={{a,"b, c"},{NULL,"d\"e"}}"#, &mut |e| elements.push(e.to_owned()));
        assert_eq!(elements, ["a", "b, c", "d\"e"]);
        let mut pairs = Vec::new();
        walk_hstore(r#""mail"=>"x", "none"=>NULL, "tel"=>"y""#, &mut |path, value| {
            pairs.push(format!("{path} {value}"));
        });
        assert_eq!(pairs, ["$.mail x", "$.tel y"]);
    }
}
