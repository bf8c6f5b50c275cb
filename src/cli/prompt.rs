//! Secrets that are typed: not shown on the terminal, whatever ends the question.

use std::io::{self, IsTerminal, Write};
use std::process::Stdio;

use crate::model::Secret;

/// Asks with `question`, on a thread of its own, until it is answered or interrupted.
///
/// # Errors
/// As the question's, or interrupted.
pub(super) async fn quietly(
    question: impl FnOnce() -> Result<Secret, String> + Send + 'static,
) -> Result<Secret, String> {
    let answer = tokio::select! {
        read = tokio::task::spawn_blocking(question) => read.unwrap_or_else(|_| {
            Err("the password could not be read".to_owned())
        }),
        _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
    };
    echo(Echo::On);
    answer
}

/// Reads a line from the terminal, or else from standard input.
///
/// # Errors
/// In words: it is empty, or cannot be read.
pub(super) fn ask(prompt: &str) -> Result<Secret, String> {
    let mut line = String::new();
    if io::stdin().is_terminal() {
        echo(Echo::Off);
        let mut terminal = io::stderr().lock();
        let _ = write!(terminal, "{prompt}").and_then(|()| terminal.flush());
        let read = io::stdin().read_line(&mut line);
        let _ = writeln!(terminal);
        echo(Echo::On);
        read
    } else {
        io::stdin().read_line(&mut line)
    }
    .map_err(|error| format!("the password could not be read: {error}"))?;
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err("the line is empty".to_owned()),
        password => Ok(Secret::new(password)),
    }
}

#[derive(Clone, Copy)]
enum Echo {
    On,
    Off,
}

/// Whether the terminal shows what is typed; without a terminal or `stty`, nothing happens.
fn echo(echo: Echo) {
    if !io::stdin().is_terminal() {
        return;
    }
    let setting = match echo {
        Echo::On => "echo",
        Echo::Off => "-echo",
    };
    let _ = std::process::Command::new("stty")
        .arg(setting)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
