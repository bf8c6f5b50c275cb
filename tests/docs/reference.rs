//! `docs/reference/*.md`, as the code says it.

use std::fmt::Write;
use std::fs;

use clap::builder::StyledStr;
use clap::{Arg, ArgAction, Command};
use keyhole::config::{CATALOG_KEYS, CATALOG_SECTIONS, MASKS};
use keyhole::control::grammar::HELP;
use keyhole::control::http::PROBLEM_KINDS;
use keyhole::model::MEANINGS;

use super::{configuration, root};

const UPDATE: &str = "UPDATE=1 cargo test --test docs reference";

/// Compares, or writes where `UPDATE` says so.
fn holds(name: &str, title: &str, intro: &str, body: &str) {
    let text = format!(
        "# {title}\n\n<!-- Made from the code: `{UPDATE}` writes it anew. -->\n\n{intro}\n\n{}\n",
        body.trim_end()
    );
    let path = root().join("docs/reference").join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).expect("it can be written");
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    if written == text {
        return;
    }
    let differ = written.lines().zip(text.lines()).position(|(old, new)| old != new);
    let at = differ.unwrap_or_else(|| written.lines().count().min(text.lines().count()));
    panic!(
        "docs/reference/{name}:{} is not what the code says, which is\n{}\n{UPDATE} writes it anew",
        at + 1,
        text.lines().nth(at).unwrap_or("(nothing more)")
    );
}

fn cell(text: &str) -> String {
    let text = text.replace("\n\n", ". ");
    let line: Vec<&str> = text.split_whitespace().collect();
    line.join(" ").replace('|', "\\|")
}

#[test]
fn reference_of_commands() {
    let mut root = keyhole::cli::command();
    root.build();
    let mut body = String::new();
    command(&mut body, &root, "");
    let exits = words(root.get_after_long_help());
    let (_, exits) = exits.split_once("Exit codes:\n").expect("the table of exit codes");
    let mut table = String::from("| code | says |\n| --- | --- |\n");
    let mut rest = "";
    for line in exits.lines() {
        match line.trim().split_once(char::is_whitespace) {
            Some((code, says)) if line.starts_with("  ") => {
                writeln!(table, "| {code} | {} |", cell(says.trim())).expect("a string");
            }
            _ => rest = line,
        }
    }
    let intro = format!(
        "`keyhole COMMAND --help` says the same; `keyhole man --dir DIR` writes it as manual pages, \
         `keyhole completions SHELL` makes it complete on the tab key.\n\n## Exit codes\n\n\
         {table}\n{rest}"
    );
    holds("commands.md", "Commands", &intro, &body);
}

fn words(text: Option<&StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

fn command(body: &mut String, command: &Command, above: &str) {
    let name = format!("{above}{}", command.get_name());
    if !above.is_empty() {
        let about = words(command.get_long_about().or_else(|| command.get_about()));
        writeln!(body, "## {name}\n\n{about}\n").expect("a string");
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        writeln!(body, "```\n{usage}\n```\n").expect("a string");
        let arguments: Vec<&Arg> = command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set() && arg.get_id() != "help")
            .collect();
        if !arguments.is_empty() {
            body.push_str("| | |\n| --- | --- |\n");
            for arg in &arguments {
                let (form, says) = argument(arg, &name);
                writeln!(body, "| `{form}` | {} |", cell(&says)).expect("a string");
            }
            body.push('\n');
        }
    }
    for below in command.get_subcommands() {
        if !below.is_hide_set() && below.get_name() != "help" {
            self::command(body, below, &format!("{name} "));
        }
    }
}

/// How it is written, and what it says. Nothing goes without a word.
fn argument(arg: &Arg, command: &str) -> (String, String) {
    let help = words(arg.get_long_help().or_else(|| arg.get_help()));
    assert!(!help.trim().is_empty(), "{command}: {} says nothing of itself", arg.get_id());
    let values = arg.get_value_names().unwrap_or_default();
    let values: Vec<&str> = values.iter().map(|value| value.as_str()).collect();
    let value = values.join(" ");
    let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let form = match (arg.get_short(), arg.get_long()) {
        (_, Some(long)) => {
            let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
            let value = if takes { format!(" {value}") } else { String::new() };
            format!("{short}--{long}{value}")
        }
        (_, None) => value,
    };
    let mut says = help;
    if let Some(variable) = arg.get_env() {
        write!(says, "; or in `{}`", variable.to_string_lossy()).expect("a string");
    }
    let defaults: Vec<_> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes && !defaults.is_empty() {
        write!(says, " (default: `{}`)", defaults.join(" ")).expect("a string");
    }
    (form, says)
}

#[test]
fn reference_of_the_console() {
    let mut body = String::from("| command | what it does |\n| --- | --- |\n");
    for (example, description) in HELP {
        writeln!(body, "| `{}` | {} |", cell(example), cell(description)).expect("a string");
    }
    let intro = "What `psql` on the control port understands; `SHOW HELP` says the same. Case does \
                 not matter, several commands are separated by semicolons, and every error has a \
                 HINT. psql completes what stands behind `SHOW` on the tab key; `\\d` and its like \
                 find nothing, as there are no tables.";
    holds("console.md", "The console", intro, &body);
}

#[test]
fn reference_of_errors() {
    let mut body = String::from("| SQLSTATE | when | what to do |\n| --- | --- | --- |\n");
    for meaning in MEANINGS {
        let (when, remedy) = (cell(meaning.when), cell(meaning.remedy));
        writeln!(body, "| `{}` | {when} | {remedy} |", meaning.state).expect("a string");
    }
    let intro = "What the proxy says by itself. All else comes from PostgreSQL, unchanged, unless \
                 the statement touches hidden data: then its SQLSTATE stays, and its words are \
                 replaced, as they may hold values. The API has the same code in the member `code` \
                 of a problem, and the console's answers are the same errors.";
    body.push_str(
        "\n## Problems of the API\n\nAnswers of the API that are no success are problem details \
         (RFC 9457). Type and title are those of the kind; what is so of this one stands in \
         `detail`, and what can be done about it in `hint`.\n\n\
         | type | title | |\n| --- | --- | --- |\n",
    );
    for kind in PROBLEM_KINDS {
        writeln!(body, "| `/api#{}` | {} | {} |", kind.word, cell(kind.title), cell(kind.about))
            .expect("a string");
    }
    holds("errors.md", "Errors", intro, &body);
}

#[test]
fn reference_of_catalogs() {
    let mut body = String::new();
    for (section, about) in CATALOG_SECTIONS {
        writeln!(body, "## [[{section}]]\n\n{}\n", sentence(about)).expect("a string");
        body.push_str("| key | for example | |\n| --- | --- | --- |\n");
        for key in CATALOG_KEYS.iter().filter(|key| key.section == *section) {
            writeln!(body, "| `{}` | `{}` | {} |", key.name, key.example, cell(key.about))
                .expect("a string");
        }
        body.push('\n');
    }
    body.push_str("## Masks\n\n| `mask` | shows |\n| --- | --- |\n");
    for (mask, shows) in MASKS {
        writeln!(body, "| `{mask}` | {} |", cell(shows)).expect("a string");
    }
    let intro = "Every key of a catalog file, which `catalog` of `[[database]]` in `proxy.toml` names: \
                 a list makes up one catalog. `catalog/shop.toml` in this repository is one in use; \
                 `keyhole check` names file and line of every mistake.";
    holds("catalog.md", "Catalogs", intro, &body);
}

#[test]
fn reference_of_the_configuration() {
    let sections = configuration::read(include_str!("../../proxy.toml"));
    let mut body = String::new();
    for section in &sections {
        writeln!(body, "## {}\n", section.title).expect("a string");
        if !section.about.is_empty() {
            writeln!(body, "{}\n", sentence(&section.about)).expect("a string");
        }
        body.push_str("| key | value | |\n| --- | --- | --- |\n");
        for key in &section.keys {
            let value = cell(&key.value);
            let value = match (key.is_default, value.contains('`')) {
                (true, _) => format!("`{value}` (default)"),
                (false, _) => format!("`{value}`"),
            };
            writeln!(body, "| `{}` | {value} | {} |", key.name, cell(&key.about))
                .expect("a string");
        }
        body.push('\n');
    }
    let intro = "Every key of `proxy.toml`, as the file in this repository has them with their \
                 comments. A value is an example unless it says that it is the default. Relative \
                 paths are relative to the file. Durations: ms, s, min, h, d (`\"1h 30min\"`); \
                 sizes: B, KiB, MiB, GiB. `keyhole check` names file and line of every mistake.";
    holds("configuration.md", "Configuration", intro, &body);
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{}{}{end}", first.unwrap_or_default(), letters.as_str())
}
