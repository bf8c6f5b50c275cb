//! A configuration file's text, and what is wrong with it, told by line.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// As the operator named it.
    pub file: PathBuf,
    /// From 1; None when the file as a whole is meant.
    pub line: Option<usize>,
    pub message: String,
}

/// Where the configuration says something; shows as `proxy.toml:30`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
}

/// Everything that is wrong, in the order in which it was found; never empty as an error.
#[derive(Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

/// A file's text under the name that messages use.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    text: String,
}

impl Place {
    /// The problem that is there.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { file: self.file.clone(), line: Some(self.line), message: message.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.message)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl Problems {
    pub(super) fn at(&mut self, source: &Source, span: Range<usize>, message: impl Into<String>) {
        self.0.push(source.problem(span, message));
    }
}

impl Source {
    /// What the arguments of a command say; `option` is where.
    pub(super) fn of_option(option: &str) -> Self {
        Self { path: option.into(), text: String::new() }
    }

    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self { path: path.to_owned(), text }),
            Err(error) => Err(Problem {
                file: path.to_owned(),
                line: None,
                message: format!("cannot be read: {error}"),
            }),
        }
    }

    pub(super) fn problem(&self, span: Range<usize>, message: impl Into<String>) -> Problem {
        self.place(span).problem(message)
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.path.clone(), line: self.line(span.start) }
    }

    /// Reads the text as `T`, whose structs refuse unknown keys.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        toml::from_str(&self.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            self.problem(span.clone(), self.explain(error.message(), span.start))
        })
    }

    fn line(&self, offset: usize) -> usize {
        let end = offset.min(self.text.len());
        1 + self.text.as_bytes()[..end].iter().filter(|byte| **byte == b'\n').count()
    }

    /// The parser's message in our words: which key, in which table, what was meant.
    fn explain(&self, message: &str, offset: usize) -> String {
        let section = self.section(offset);
        let mut names = message.split('`').skip(1).step_by(2);
        if message.starts_with("unknown field") {
            let key = names.next().unwrap_or_default();
            let known: Vec<&str> = names.collect();
            let hint = match did_you_mean(key, known.iter().copied()) {
                Some(name) => format!("(did you mean \"{name}\"?)"),
                None => format!("(known: {})", known.join(", ")),
            };
            // A table's header is its own section: it is the header that is unknown then.
            return if section.trim_matches(['[', ']']) == key {
                format!("unknown table {section} {hint}")
            } else {
                format!("unknown key \"{key}\" in {section} {hint}")
            };
        }
        if message.starts_with("missing field") {
            return format!(
                "{section} has no key \"{}\", which it needs",
                names.next().unwrap_or_default()
            );
        }
        if message.starts_with("unknown variant") {
            let value = names.next().unwrap_or_default();
            let known: Vec<&str> = names.collect();
            let key = self.key(offset);
            return unknown_word(&format!("{key} in {section}"), value, &known);
        }
        let first = message.lines().next().unwrap_or("not TOML");
        match self.key(offset) {
            "" => format!("{first} in {section}"),
            key => format!("{key} in {section}: {first}"),
        }
    }

    /// The header of the table that the line at `offset` belongs to.
    fn section(&self, offset: usize) -> &str {
        let upto = self.text[..offset.min(self.text.len())].len();
        let end = self.text[upto..].find('\n').map_or(self.text.len(), |at| upto + at);
        let header = self.text[..end].lines().rev().find(|line| line.starts_with('['));
        match header {
            Some(line) => line.split('#').next().unwrap_or(line).trim_end(),
            None => "the top level",
        }
    }

    /// The key on the line at `offset`, empty when there is none.
    fn key(&self, offset: usize) -> &str {
        let line = self.text.lines().nth(self.line(offset) - 1).unwrap_or_default();
        if line.starts_with('[') {
            return "";
        }
        line.split_once('=').map_or("", |(key, _)| key.trim())
    }
}

/// The message for a word that is not among `known`.
pub(super) fn unknown_word(key: &str, value: &str, known: &[&str]) -> String {
    match did_you_mean(value, known.iter().copied()) {
        Some(word) => format!("{key}: unknown value \"{value}\" (did you mean \"{word}\"?)"),
        None => format!("{key}: unknown value \"{value}\" (known: {})", known.join(", ")),
    }
}

/// The nearest of `known`, if it is near enough to have been meant.
pub(super) fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let near = known.into_iter().map(|candidate| (distance(word, candidate), candidate)).min()?;
    (near.0 <= 1 + word.chars().count() / 4).then_some(near.1)
}

/// Insertions, deletions, replacements, and swaps of neighbours between two words.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for i in 1..=left.len() {
        let mut row = vec![i; right.len() + 1];
        for j in 1..=right.len() {
            let swap = usize::from(left[i - 1] != right[j - 1]);
            row[j] = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + swap);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_proposed_and_a_far_one_is_not() {
        assert_eq!(did_you_mean("listn", ["auth", "listen", "tls"]), Some("listen"));
        assert_eq!(did_you_mean("lsiten", ["auth", "listen", "tls"]), Some("listen"));
        assert_eq!(did_you_mean("colour", ["auth", "listen", "tls"]), None);
    }
}
