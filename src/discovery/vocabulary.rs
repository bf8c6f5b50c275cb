//! What names say: of columns, tables, types, and words of comments, in several languages.

mod grammar;
mod people;
mod things;
mod tokens;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Kind;
pub(super) use grammar::{Topic, is_name_word, topic};
pub(super) use tokens::tokens;

/// A phrase that speaks for a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) kind: Kind,
    /// In percent: how sure one would be by this name alone.
    pub(super) strength: u8,
    /// The words as they stand in the name.
    pub(super) phrase: String,
}

/// One line of the vocabulary: a kind, how much its phrases say, and the phrases: separated by
/// spaces, the words of one by underscores.
pub(super) type Row = (Kind, u8, &'static str);

struct Phrase {
    words: Vec<&'static str>,
    kind: Kind,
    strength: u8,
}

/// By first word; longer phrases first.
static PHRASES: LazyLock<HashMap<&'static str, Vec<Phrase>>> = LazyLock::new(|| {
    let mut phrases: HashMap<_, Vec<Phrase>> = HashMap::new();
    for (kind, strength, texts) in people::ROWS.iter().chain(things::ROWS) {
        for text in texts.split_ascii_whitespace() {
            let words: Vec<_> = text.split('_').collect();
            let phrase = Phrase { words, kind: *kind, strength: *strength };
            phrases.entry(phrase.words[0]).or_default().push(phrase);
        }
    }
    for phrases in phrases.values_mut() {
        phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.words.len()));
    }
    phrases
});

/// Every word that is known here, for splitting what was written together.
pub(super) fn is_word(word: &str) -> bool {
    static WORDS: LazyLock<std::collections::HashSet<&'static str>> = LazyLock::new(|| {
        PHRASES
            .values()
            .flatten()
            .flat_map(|phrase| phrase.words.iter().copied())
            .chain(grammar::words())
            .collect()
    });
    WORDS.contains(word)
}

/// What the words of a name speak for. A phrase within a longer one that was found says nothing:
/// an `ip_address` is no `address`. A word that means several things speaks for each of them.
pub(super) fn hints(words: &[String]) -> Vec<Hint> {
    let mut hints: Vec<Hint> = Vec::new();
    let mut place = 0;
    while place < words.len() {
        let rest = &words[place..];
        let mut found = PHRASES.get(words[place].as_str()).into_iter().flatten().filter(|phrase| {
            rest.len() >= phrase.words.len()
                && phrase.words.iter().zip(rest).all(|(wanted, word)| wanted == word)
        });
        let Some(longest) = found.next() else {
            place += 1;
            continue;
        };
        let end = place + longest.words.len();
        let others = found.take_while(|phrase| phrase.words.len() == longest.words.len());
        for Phrase { kind, strength, words: _ } in std::iter::once(longest).chain(others) {
            let factor = grammar::standing(words, place, end, *kind);
            let strength = (f64::from(*strength) * factor).round() as u8;
            if strength > 0 {
                hints.push(Hint { kind: *kind, strength, phrase: words[place..end].join(" ") });
            }
        }
        place = end;
    }
    hints
}

#[cfg(test)]
mod tests;
