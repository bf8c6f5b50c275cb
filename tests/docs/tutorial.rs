//! `docs/tutorial.md`, done as it says: its commands are run, and what it shows must come.
//!
//! Blocks of `sh` are run by bash, one after the other, with the variables of those before. `sh
//! background` is left running until its output says `ready`; `sh once` (clone and build) is not
//! run. Of a block of `text` behind one, every line must be in the output, in this order; `…` stands
//! for anything, and blanks do not count.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::root;
use super::support::Postgres;
use super::support::keyhole::{BINARY, Process};
use super::support::postgres::{ADMIN_PASSWORD, APP_PASSWORD, free_port};
use super::support::wait::{now, until};

/// So many seconds a block may take.
const BLOCK_SECS_MAX: &str = "100";

#[derive(Debug, PartialEq)]
enum Step {
    Run { line: usize, commands: String, shows: String },
    Background { line: usize, command: String },
}

fn steps(text: &str) -> Vec<Step> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let block: String = lines
            .by_ref()
            .take_while(|(_, line)| *line != "```")
            .map(|(_, line)| format!("{line}\n"))
            .collect();
        let line = at + 1;
        match (kind, found.last_mut()) {
            ("sh", _) => found.push(Step::Run { line, commands: block, shows: String::new() }),
            ("sh background", _) => found.push(Step::Background { line, command: block }),
            ("text", Some(Step::Run { shows, .. })) => *shows = block,
            ("sh once" | "", _) => {}
            (other, _) => panic!("docs/tutorial.md:{line}: a block of {other}"),
        }
    }
    found
}

/// The first line of `shows` that does not come in `output`.
fn missing<'s>(output: &str, shows: &'s str) -> Option<&'s str> {
    let plain = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = output.lines().map(plain);
    shows.lines().filter(|line| !line.trim().is_empty()).find(|wanted| {
        let wanted = plain(wanted);
        !lines.any(|line| fits(&line, &wanted))
    })
}

fn fits(line: &str, wanted: &str) -> bool {
    let Some((first, rest)) = wanted.split_once('…') else { return line == wanted };
    let Some(mut line) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match line.find(part) {
            Some(at) => line = &line[at + part.len()..],
            None => return false,
        }
    }
    line.ends_with(last)
}

#[test]
fn the_tutorial_works_as_it_is_written() {
    let server = Postgres::shared();
    let text = fs::read_to_string(root().join("docs/tutorial.md")).expect("the tutorial");
    let text = at_free_ports(&text, server.port());
    let folder = tempfile::tempdir().expect("a folder");
    let mut running = Vec::new();
    let (mut ran, mut compared) = (0, 0);
    for step in steps(&text) {
        match step {
            Step::Run { line, commands, shows } => {
                let output = run(folder.path(), &commands, line);
                if let Some(wanted) = missing(&output, &shows) {
                    panic!("docs/tutorial.md:{line}: no line \"{wanted}\" in\n{output}");
                }
                ran += 1;
                compared += shows.lines().count();
            }
            Step::Background { line, command } => {
                running.push(start(folder.path(), &command, line));
            }
        }
    }
    assert!(ran >= 6 && compared >= 20 && running.len() == 1, "{ran} {compared}");
}

/// The text, with ports that nobody has instead of the usual ones.
fn at_free_ports(text: &str, upstream: u16) -> String {
    let [data, console, http] = [free_port(), free_port(), free_port()];
    let here = |port| format!("127.0.0.1:{port}");
    let init = format!(
        "keyhole init --data {} --console {} --http {} ",
        here(data),
        here(console),
        here(http)
    );
    text.replace("5432", "@UPSTREAM@")
        .replace("6432", &data.to_string())
        .replace("6433", &console.to_string())
        .replace("@UPSTREAM@", &upstream.to_string())
        .replace("\nkeyhole init ", &format!("\n{init}"))
}

/// From a clone to a masked row of one's own database in five commands, of which the first two get
/// and build it.
#[test]
fn five_commands_of_the_readme_lead_to_a_masked_row() {
    let server = Postgres::shared();
    let role = format!("CREATE ROLE app LOGIN PASSWORD '{APP_PASSWORD}'");
    server.admin("postgres").query(&role).ok();
    server.create_database("newcomer", "template0");
    let people = "CREATE TABLE people (id int PRIMARY KEY, name text, email text);
                  INSERT INTO people VALUES (1, 'Ada Byron', 'ada@example.org');
                  GRANT SELECT ON people TO app";
    server.admin("newcomer").query(people).ok();
    let text = fs::read_to_string(root().join("README.md")).expect("the README");
    let begin = text.find("```\ngit clone").expect("the five commands");
    let text = text[begin + 3..].replace("crm", "newcomer");
    let text = at_free_ports(text.split("```").next().expect("a block"), server.port());
    let commands: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let [_clone, _build, init, serve, ask] = commands.as_slice() else {
        panic!("not five commands: {commands:?}")
    };
    let folder = tempfile::tempdir().expect("a folder");
    let begin = now();
    run(folder.path(), &format!("export KEYHOLE_UPSTREAM_PASSWORD={APP_PASSWORD}\n{init}"), 0);
    let _serving = start(folder.path(), serve.trim_end_matches(" &"), 0);
    let shown = run(folder.path(), ask, 0);
    let took = begin.elapsed();
    assert!(shown.contains("a***@example.org") && !shown.contains("Ada"), "{shown}");
    // What a newcomer waits for is said where somebody looks: with --nocapture.
    writeln!(std::io::stdout(), "from the third command to a masked row: {took:?}")
        .expect("written");
}

/// Runs a block with what the blocks before have exported.
fn bash(folder: &Path, commands: &str) -> Command {
    let mut command = Command::new("timeout");
    let script = format!(
        "[ ! -e .exported ] || . ./.exported\nset -eu -o pipefail\n{commands}\nexport -p > .exported\n"
    );
    let path = std::env::var("PATH").unwrap_or_default();
    let programs = Path::new(BINARY).parent().expect("a folder").display();
    command
        .args([BLOCK_SECS_MAX, "bash", "-c", &script])
        .current_dir(folder)
        .env("PATH", format!("{programs}:{path}"))
        .env("PGPASSWORD", ADMIN_PASSWORD)
        .env("PSQLRC", "/dev/null")
        .env("PAGER", "cat")
        .stdin(Stdio::null());
    command
}

fn run(folder: &Path, commands: &str, line: usize) -> String {
    let output = bash(folder, &format!("exec 2>&1\n{commands}")).output().expect("bash runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "docs/tutorial.md:{line}: {}\n{said}", output.status);
    said
}

fn start(folder: &Path, command: &str, line: usize) -> Process {
    let log = folder.join(format!("background-{line}.log"));
    let file = File::create(&log).expect("a file");
    let script = format!("[ ! -e .exported ] || . ./.exported\nexec {command}");
    let mut shell = Command::new("bash");
    let path = std::env::var("PATH").unwrap_or_default();
    let programs = Path::new(BINARY).parent().expect("a folder").display();
    shell
        .args(["-c", &script])
        .current_dir(folder)
        .env("PATH", format!("{programs}:{path}"))
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a file"))
        .stderr(file);
    let mut process = Process::spawn(&mut shell);
    until("the proxy says that it is ready", || {
        let said = fs::read_to_string(&log).unwrap_or_default();
        assert!(process.ended().is_none(), "docs/tutorial.md:{line}: it ended\n{said}");
        said.contains("ready").then_some(())
    });
    process
}

#[test]
fn what_is_shown_has_to_come_in_order() {
    let output = "one\n a |  b\nthree 3 of 4\n";
    assert_eq!(missing(output, "one\na | b\nthree … of …\n"), None);
    assert_eq!(missing(output, "a | b\none\n"), Some("one"));
    assert_eq!(missing(output, "three … of 5\n"), Some("three … of 5"));
    let text = "```sh\na\n```\n\n```text\nA\n```\n```sh once\nb\n```\n```sh background\nc\n```\n";
    assert_eq!(
        steps(text),
        [
            Step::Run { line: 1, commands: "a\n".to_owned(), shows: "A\n".to_owned() },
            Step::Background { line: 11, command: "c\n".to_owned() },
        ]
    );
}
