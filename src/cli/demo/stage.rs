//! The transcript: what is said, asked and answered, and whether it was as it should be.

use std::io::IsTerminal;
use std::process::ExitCode;

use tokio_postgres::error::DbError;

use super::conversation::Reply;
use crate::cli::say_in_colour;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    On,
    Off,
}

#[derive(Clone, Copy)]
enum Ink {
    Bold,
    Faint,
    Red,
    Green,
    Yellow,
    Blue,
}

pub(super) struct Stage {
    colours: Colours,
    acts: usize,
    passed: usize,
    failed: usize,
}

impl Stage {
    /// Colours as wished; without a wish, on a terminal only.
    pub(super) fn new(wish: Option<Colours>) -> Self {
        let fitting = if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            Colours::On
        } else {
            Colours::Off
        };
        Self { colours: wish.unwrap_or(fitting), acts: 0, passed: 0, failed: 0 }
    }

    /// Begins the next part of the story.
    pub(super) fn act(&mut self, title: &str) {
        self.acts += 1;
        let heading = format!("{}. {title}", self.acts);
        say_in_colour(format_args!("\n{}", self.ink(Ink::Bold, &heading)));
    }

    /// Something about the show and not of it.
    pub(super) fn aside(&self, text: &str) {
        say_in_colour(self.ink(Ink::Faint, text));
    }

    /// Explains to the reader what comes or came.
    pub(super) fn tell(&self, text: &str) {
        say_in_colour(format_args!("   {text}"));
    }

    /// A statement, as typed at the prompt of `who`, and its answer as psql would print it.
    pub(super) fn show(&self, who: &str, sql: &str, reply: &Reply) {
        say_in_colour(format_args!("\n{} {sql};", self.ink(Ink::Blue, &format!("{who}=>"))));
        for notice in &reply.notices {
            self.message(Ink::Yellow, notice);
        }
        if !reply.columns.is_empty() {
            for line in table(reply) {
                say_in_colour(line);
            }
        }
        if let Some(error) = &reply.error {
            self.message(Ink::Red, error);
        }
    }

    fn message(&self, ink: Ink, message: &DbError) {
        let first = format!("{}:  {}", message.severity(), message.message());
        say_in_colour(self.ink(ink, &first));
        for (name, text) in [("DETAIL", message.detail()), ("HINT", message.hint())] {
            if let Some(text) = text {
                say_in_colour(format_args!("{name}:  {text}"));
            }
        }
    }

    /// Says whether something was as it should be, and remembers.
    pub(super) fn verdict(&mut self, what: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                say_in_colour(format_args!("   {} {what}", self.ink(Ink::Green, "✓")));
            }
            Err(why) => {
                self.failed += 1;
                say_in_colour(format_args!("   {} {what}: {why}", self.ink(Ink::Red, "✗")));
            }
        }
    }

    /// Ends the show; the code says whether every verdict was good.
    pub(super) fn close(&self) -> ExitCode {
        if self.failed == 0 {
            let all = format!("\nEvery step showed what it should ({} checks).", self.passed);
            say_in_colour(self.ink(Ink::Green, &all));
            return ExitCode::SUCCESS;
        }
        let some = format!("\n{} of {} checks failed.", self.failed, self.failed + self.passed);
        say_in_colour(self.ink(Ink::Red, &some));
        ExitCode::FAILURE
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Bold => 1,
            Ink::Faint => 2,
            Ink::Red => 31,
            Ink::Green => 32,
            Ink::Yellow => 33,
            Ink::Blue => 34,
        };
        match self.colours {
            Colours::On => format!("\x1b[{code}m{text}\x1b[0m"),
            Colours::Off => text.to_owned(),
        }
    }
}

/// The rows in psql's aligned format; NULL is empty.
fn table(reply: &Reply) -> Vec<String> {
    let cell = |row: &[Option<String>], at: usize| row[at].clone().unwrap_or_default();
    let widths: Vec<usize> = (0..reply.columns.len())
        .map(|at| {
            let cells = reply.rows.iter().map(|row| width(&cell(row, at)));
            cells.chain([width(&reply.columns[at])]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, wide)| {
            format!(" {cell}{} ", " ".repeat(wide.saturating_sub(width(cell))))
        });
        padded.collect::<Vec<_>>().join("|").trim_end().to_owned()
    };
    let rule: Vec<String> = widths.iter().map(|wide| "-".repeat(wide + 2)).collect();
    let mut lines = vec![line(reply.columns.clone()), rule.join("+")];
    for row in &reply.rows {
        lines.push(line((0..row.len()).map(|at| cell(row, at)).collect()));
    }
    lines.push(match reply.rows.len() {
        1 => "(1 row)".to_owned(),
        count => format!("({count} rows)"),
    });
    lines
}

/// Columns that the text takes on a terminal: East Asian wide characters take two.
fn width(text: &str) -> usize {
    let wide = |c: char| matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0x20000..=0x3fffd);
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_look_as_in_psql() {
        let reply = Reply {
            columns: vec!["id".to_owned(), "full_name".to_owned()],
            rows: vec![
                vec![Some("1".to_owned()), Some("佐藤 葵".to_owned())],
                vec![Some("12".to_owned()), None],
            ],
            notices: Vec::new(),
            error: None,
        };
        let expected = " id | full_name\n----+-----------\n 1  | 佐藤 葵\n 12 |\n(2 rows)";
        assert_eq!(table(&reply).join("\n"), expected);
    }
}
