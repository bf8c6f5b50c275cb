//! The corpus as it is written: `tests/e2e/attacks/CLASS.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::support::client::{bind, close, describe, execute, frame, parse, query};
use crate::support::message::Format;
use crate::support::traps;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    attack: Vec<Attack>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attack {
    pub(super) title: String,
    pub(super) steps: Vec<Step>,
    /// Why it fails without the proxy too, for those that do.
    #[serde(default)]
    pub(super) harmless: Option<String>,
    /// Why it succeeds through the proxy too, for the few that do.
    #[serde(default)]
    pub(super) gap: Option<String>,
    /// What counts is how long it takes.
    #[serde(default)]
    pub(super) timed: bool,
}

/// Words of statements that change a database, after which it is made anew.
const CHANGES: [&str; 8] =
    ["CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE"];

impl Attack {
    /// Whether it looks as if its databases had to be made anew, which takes seconds.
    pub(super) fn seems_slow(&self) -> bool {
        let changes = |text: &str| CHANGES.iter().any(|word| text.contains(word));
        self.steps.iter().any(|step| match step {
            Step::Sql(sql) | Step::On { q: sql, .. } => changes(sql),
            Step::Frames { frames, .. } => frames
                .iter()
                .flatten()
                .any(|word| matches!(word, Word::Text(text) if changes(text))),
            Step::Victim { .. } => true,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Step {
    /// Sent in whatever form is being tried.
    Sql(String),
    /// Sent as they are, in one segment; `wait` ReadyForQuery are awaited, by default one for each
    /// Query and Sync.
    Frames { frames: Vec<Vec<Word>>, wait: Option<usize> },
    /// On the session with that number; 1 is the one that other steps use.
    On {
        c: usize,
        q: String,
        /// Startup parameters, if this opens the session.
        #[serde(default)]
        options: BTreeMap<String, String>,
    },
    /// Somebody else, past the proxy.
    Victim { victim: Vec<String> },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Word {
    Number(i32),
    Text(String),
}

impl Word {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => panic!("{number} where a text belongs"),
        }
    }

    fn number(&self) -> i32 {
        match self {
            Self::Number(number) => *number,
            Self::Text(text) => panic!("\"{text}\" where a number belongs"),
        }
    }
}

/// The attacks of one class, their placeholders filled in.
pub(super) fn read(class: &str) -> Vec<Attack> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/attacks");
    let text = std::fs::read_to_string(dir.join(class).with_extension("toml")).expect("a class");
    let text = traps::with_guesses(&text);
    let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    file.attack
}

/// `["B", "portal", "statement", "param" …]` and its kind, as bytes.
pub(super) fn bytes(words: &[Word]) -> Vec<u8> {
    let (kind, rest) = words.split_first().expect("a frame has a kind");
    let text = |at: usize| rest.get(at).map_or("", Word::text);
    match kind.text() {
        "Q" => query(text(0)),
        "P" => parse(text(0), text(1)),
        "B" | "Bb" => {
            let params: Vec<_> = rest.iter().skip(2).map(|word| Some(word.text())).collect();
            let format = if kind.text() == "B" { Format::Text } else { Format::Binary };
            bind(text(0), text(1), &params, format)
        }
        "D" => describe(text(0).as_bytes()[0], text(1)),
        "E" => execute(text(0), rest.get(1).map_or(0, Word::number)),
        "C" => close(text(0).as_bytes()[0], text(1)),
        "d" | "f" => {
            let end: &[u8] = if kind.text() == "f" { b"\0" } else { b"" };
            frame(kind.text().as_bytes()[0], &[text(0).as_bytes(), end].concat())
        }
        "S" | "H" | "c" | "X" => frame(kind.text().as_bytes()[0], b""),
        // A function call: OID, then texts as its arguments, result as text.
        "F" => {
            let oid = rest[0].number();
            let count = i16::try_from(rest.len() - 1).expect("few arguments");
            let mut body = [&oid.to_be_bytes()[..], &[0, 0], &count.to_be_bytes()].concat();
            for argument in &rest[1..] {
                let argument = argument.text().as_bytes();
                body.extend(i32::try_from(argument.len()).expect("short").to_be_bytes());
                body.extend(argument);
            }
            body.extend([0, 0]);
            frame(b'F', &body)
        }
        other => panic!("unknown frame {other}"),
    }
}

/// How many ReadyForQuery the frames bring.
pub(super) fn replies(frames: &[Vec<Word>]) -> usize {
    frames.iter().filter(|words| matches!(words[0].text(), "Q" | "S" | "F")).count()
}
