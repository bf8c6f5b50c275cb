//! Finding a hidden value in bytes, however it was dressed up.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A personal value in the test data.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    /// `customers.ssn`
    pub(crate) column: &'static str,
    pub(crate) id: u32,
    pub(crate) value: String,
    /// What its mask does not show, as bytes of `value`.
    pub(crate) hidden: Range<usize>,
    /// So many characters in a row give it away.
    pub(crate) window: usize,
}

/// A piece of a planted value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leak {
    pub(crate) what: String,
    pub(crate) around: String,
}

pub(crate) struct Finder {
    automaton: AhoCorasick,
    needles: Vec<(Vec<u8>, String)>,
}

impl Finder {
    pub(crate) fn new(planted: &[Planted]) -> Self {
        let mut needles = BTreeMap::new();
        for value in planted {
            for (form, needle) in disguises(value) {
                let what = || format!("{}[{}] {form}", value.column, value.id);
                needles.entry(needle).or_insert_with(what);
            }
        }
        let needles: Vec<_> = needles.into_iter().collect();
        let automaton = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(needles.iter().map(|(needle, _)| needle))
            .expect("a few ten thousand short needles");
        Self { automaton, needles }
    }

    /// What of the planted values is in `heard`, except pieces that the client had said itself.
    pub(crate) fn find(&self, heard: &[u8], said: &[u8]) -> Vec<Leak> {
        self.find_of(heard, said, |_| true)
    }

    /// The same, of the values that count: `customers.ssn[5]`.
    pub(crate) fn find_of(
        &self,
        heard: &[u8],
        said: &[u8],
        counts: impl Fn(&str) -> bool,
    ) -> Vec<Leak> {
        let said = said.to_ascii_lowercase();
        let mut leaks = Vec::new();
        for found in self.automaton.find_overlapping_iter(heard) {
            let (needle, what) = &self.needles[found.pattern().as_usize()];
            let value = what.split_inclusive(']').next().unwrap_or_default();
            if !counts(value) {
                continue;
            }
            let needle = needle.to_ascii_lowercase();
            if said.windows(needle.len()).any(|window| window == needle) {
                continue;
            }
            let around = found.start().saturating_sub(20)..(found.end() + 20).min(heard.len());
            let around = heard[around].escape_ascii().to_string();
            leaks.push(Leak { what: what.clone(), around });
            if leaks.len() == 5 {
                break;
            }
        }
        leaks
    }
}

/// A log of records without its digests, signatures and keys, which are as good as random and show
/// some short needle once in a while: runs of 32 and more hexadecimal digits, or 40 and more
/// characters of Base64.
pub(crate) fn without_digests(log: &str) -> String {
    let mut out = String::with_capacity(log.len());
    let mut run = String::new();
    for c in log.chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() || "+/".contains(c) {
            run.push(c);
            continue;
        }
        let is_hex = run.chars().all(|c| c.is_ascii_hexdigit());
        let is_random = run.len() >= 40 || (is_hex && run.len() >= 32);
        out.push_str(if is_random { "#" } else { &run });
        run.clear();
        out.push(c);
    }
    out
}

fn disguises(planted: &Planted) -> Vec<(&'static str, Vec<u8>)> {
    let hidden = &planted.value[planted.hidden.clone()];
    let chars: Vec<char> = hidden.chars().collect();
    let mut forms = Vec::new();
    for window in chars.windows(planted.window) {
        let text: String = window.iter().collect();
        let reversed: String = window.iter().rev().collect();
        let bytes = text.as_bytes();
        let decimal = |glue: &str| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(glue);
        forms.push(("reversed", reversed.into_bytes()));
        forms.push(("as hex", hex(bytes).into_bytes()));
        forms.push(("as bytes", decimal(",").into_bytes()));
        forms.push(("as bytes", decimal(", ").into_bytes()));
        forms.push(("as bytes", decimal(" ").into_bytes()));
        if !text.is_ascii() {
            forms.push(("escaped", escaped(&text).into_bytes()));
        }
        forms.push(("raw", text.into_bytes()));
    }
    // Eight base64 characters are six bytes, at each of three alignments.
    for shift in 0..3 {
        for window in hidden.as_bytes().get(shift..).unwrap_or_default().chunks_exact(6) {
            forms.push(("as base64", STANDARD_NO_PAD.encode(window).into_bytes()));
        }
    }
    forms
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As JSON and `U&''` escape what is not ASCII, without the backslash's first letter.
fn escaped(text: &str) -> String {
    text.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect()
}
