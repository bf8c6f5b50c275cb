//! Seeded mutants of a text: what a fuzzer would do to it, and what an attacker would.

use crate::dice::Dice;

/// Words and signs that parsers disagree about, put where they were not expected.
const INSERTED: [&str; 66] = [
    "/* ' */",
    "--'\n",
    "/* /* */ */",
    "/*",
    "*/",
    "-- \n",
    "'",
    "\"",
    "''",
    "\"\"",
    "$$",
    "$a$",
    "$€$",
    "E'",
    "e'\\''",
    "U&\"",
    "U&'",
    "u&\"\\0063ustomers\"",
    "N'",
    "B'1'",
    "x'1f'",
    "\\",
    ";",
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    "..",
    ":=",
    "::text",
    "=>",
    "*",
    "-",
    "- -",
    "--",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{b}",
    "\u{c}",
    "\r",
    "\t",
    "\n",
    "é",
    "ſ",
    "K",
    "end",
    "date",
    "interval",
    "only",
    "table",
    "lateral",
    "natural",
    "semi",
    "union",
    "all",
    "from",
    "as",
    "customers",
    "ssn",
    "with",
    "select",
    "into t",
    "tablesample system (1)",
];

/// Pieces of a text, cut where its characters change kind; strings are not known here, so that
/// they are torn as well.
fn pieces(text: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        c if c.is_whitespace() => 0,
        c if c.is_alphanumeric() || c == '_' || c == '$' => 1,
        _ => 2,
    };
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let now = kind(c);
        if last.is_some_and(|last| last != now || now == 2) {
            pieces.push(&text[start..at]);
            start = at;
        }
        last = Some(now);
    }
    pieces.push(&text[start..]);
    pieces
}

/// A text one to four changes away from this one; `other` is one to take parts from.
pub(crate) fn mutant(text: &str, other: &str, dice: &mut Dice) -> String {
    let mut text = text.to_owned();
    for _ in 0..=dice.below(4) {
        text = changed(&text, other, dice);
    }
    text
}

fn changed(text: &str, other: &str, dice: &mut Dice) -> String {
    let mut parts = pieces(text);
    let donors = pieces(other);
    let len = parts.len() as u64;
    let at = dice.below(len) as usize;
    let to = dice.below(len) as usize;
    let spelled: String;
    match dice.below(11) {
        0 => {
            parts.remove(at);
        }
        1 => parts.insert(to, parts[at]),
        2 => parts.swap(at, to),
        3 | 4 => parts.insert(at, dice.pick(&INSERTED)),
        5 => parts[at] = dice.pick(&INSERTED),
        6 => {
            let from = dice.below(donors.len() as u64) as usize;
            let count = dice.below(6) as usize + 1;
            let end = (from + count).min(donors.len());
            parts.splice(at..at, donors[from..end].iter().copied());
        }
        7 => {
            let end = (at + dice.below(6) as usize + 1).min(parts.len());
            parts.drain(at..end);
        }
        _ => {
            spelled = respelled(parts[at], dice);
            parts[at] = &spelled;
        }
    }
    parts.concat()
}

/// The same word in another spelling, some of which mean the same to PostgreSQL.
fn respelled(word: &str, dice: &mut Dice) -> String {
    match dice.below(9) {
        0 => word.to_uppercase(),
        1 => format!("\"{word}\""),
        2 => format!("'{word}'"),
        3 => format!("$q${word}$q$"),
        4 => format!("$€${word}$€$"),
        5 => {
            let escaped = word.chars().map(|c| format!("\\{:04x}", u32::from(c) & 0xffff));
            format!("U&\"{}\"", escaped.collect::<String>())
        }
        6 => format!("({word})"),
        7 => format!("{word}/**/{word}"),
        _ => format!("/* {word} */"),
    }
}
