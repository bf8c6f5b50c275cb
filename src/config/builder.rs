//! Reading single values out of one file, and keeping what was wrong with them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::raw::{Text, Texts};
use super::source::{Problems, Source, did_you_mean, unknown_word};
use super::values;
use crate::model::Secret;

/// The file being built from, and what was found wrong so far. After a problem, building goes on
/// with a stand-in value, so that one run tells everything; the result is thrown away.
pub(super) struct Builder<'a> {
    pub(super) source: Source,
    pub(super) problems: Problems,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(source: Source, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { source, problems: Problems::default(), environment }
    }
}

impl Builder<'_> {
    pub(super) fn wrong(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.at(&self.source, span, message);
    }

    /// The path, relative to the folder of the configuration.
    pub(super) fn beside(&self, path: &Path) -> PathBuf {
        self.source.path.parent().unwrap_or(Path::new("")).join(path)
    }

    pub(super) fn file(&mut self, key: &str, file: &Text) -> PathBuf {
        self.named(key, Path::new(file.get_ref()), file.span())
    }

    /// The path of a readable file, said in one value with others.
    pub(super) fn named(&mut self, key: &str, path: &Path, span: Range<usize>) -> PathBuf {
        let path = self.beside(path);
        if let Err(error) = std::fs::File::open(&path) {
            self.wrong(span, format!("{key}: {} cannot be read: {error}", path.display()));
        }
        path
    }

    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        text: Option<Text>,
        default: T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        let Some(text) = text else { return default };
        match parse(text.get_ref()) {
            Ok(value) => value,
            Err(message) => {
                self.wrong(text.span(), format!("{key}: {message}"));
                default
            }
        }
    }

    pub(super) fn duration(
        &mut self,
        key: &str,
        text: Option<Text>,
        default: Duration,
    ) -> Duration {
        self.parsed(key, text, default, values::duration)
    }

    pub(super) fn duration_or_none(&mut self, key: &str, text: Option<Text>) -> Option<Duration> {
        self.parsed(key, text, None, |text| values::duration(text).map(Some))
    }

    pub(super) fn word<T: Copy>(
        &mut self,
        key: &str,
        text: Option<Text>,
        known: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(text) = text else { return default };
        if let Some((_, value)) = known.iter().find(|(word, _)| word == text.get_ref()) {
            return *value;
        }
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        self.wrong(text.span(), unknown_word(key, text.get_ref(), &words));
        default
    }

    /// Every word of a list, each out of `known`.
    pub(super) fn words<T: Copy>(
        &mut self,
        key: &str,
        texts: Texts,
        known: &[(&str, T)],
    ) -> Vec<T> {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let mut values = Vec::new();
        for text in texts {
            match known.iter().find(|(word, _)| word == text.get_ref()) {
                Some((_, value)) => values.push(*value),
                None => self.wrong(text.span(), unknown_word(key, text.get_ref(), &words)),
            }
        }
        values
    }

    /// A name that must be among `known`.
    pub(super) fn unknown_name(what: &str, name: &str, known: &[&str]) -> String {
        match did_you_mean(name, known.iter().copied()) {
            Some(near) => format!("there is no {what} \"{name}\" (did you mean \"{near}\"?)"),
            None => format!("there is no {what} \"{name}\""),
        }
    }
}

/// Reading passwords.
impl Builder<'_> {
    pub(super) fn password(
        &mut self,
        of: &dyn Fn(&str) -> String,
        variable: Option<Text>,
        file: Option<Text>,
    ) -> Option<Secret> {
        match (variable, file) {
            (None, None) => None,
            (Some(variable), None) => self.secret_from_env(&of("password_env"), &variable),
            (None, Some(file)) => self.secret_from_file(&of("password_file"), &file),
            (Some(_), Some(file)) => {
                let message = format!("{} excludes password_env", of("password_file"));
                self.wrong(file.span(), message);
                None
            }
        }
    }

    pub(super) fn secret_from_env(&mut self, key: &str, variable: &Text) -> Option<Secret> {
        let name = variable.get_ref();
        match (self.environment)(name) {
            Some(value) if !value.is_empty() => Some(Secret::new(value)),
            Some(_) => {
                self.wrong(variable.span(), format!("{key}: the variable {name} is empty"));
                None
            }
            None => {
                let message = format!("{key}: the environment variable {name} is not set");
                self.wrong(variable.span(), message);
                None
            }
        }
    }

    pub(super) fn secret_from_file(&mut self, key: &str, file: &Text) -> Option<Secret> {
        let path = self.beside(Path::new(file.get_ref()));
        let message = match std::fs::read_to_string(&path) {
            Ok(text) => match text.trim_end_matches(['\r', '\n']) {
                "" => format!("{key}: {} is empty", path.display()),
                password => return Some(Secret::new(password)),
            },
            Err(error) => format!("{key}: {} cannot be read: {error}", path.display()),
        };
        self.wrong(file.span(), message);
        None
    }
}
