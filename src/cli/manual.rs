//! `keyhole completions` and `keyhole man`: the command line, told to shells and to `man`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap_complete::Shell;
use clap_mangen::Man;

use super::exit::Exit;
use super::{command, failed, report};

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// Whose completions
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct Manual {
    /// Write a page for each command into this folder, which is made if it is missing
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completions(arguments: &Completions) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "keyhole", &mut script);
    out(&script)
}

pub(super) fn manual(arguments: &Manual) -> ExitCode {
    let mut root = command();
    root.build();
    let Some(dir) = &arguments.dir else {
        let mut page = Vec::new();
        return match Man::new(root).render(&mut page) {
            Ok(()) => out(&page),
            Err(error) => failed(&error.to_string()),
        };
    };
    let mut pages = 0;
    match fs::create_dir_all(dir).and_then(|()| write_pages(dir, &root, &mut pages)) {
        Ok(()) => {
            report(format_args!("{pages} pages are in {}", dir.display()));
            Exit::Done.into()
        }
        Err(error) => failed(&format!("{}: {error}", dir.display())),
    }
}

/// A page for the command and one for each below it: `keyhole-audit-verify.1`.
fn write_pages(dir: &Path, command: &clap::Command, pages: &mut usize) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    fs::write(dir.join(format!("{name}.1")), page)?;
    *pages += 1;
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set() && below.get_name() != "help")
        .try_for_each(|below| write_pages(dir, below, pages))
}

/// A reader that went away is no error of ours.
fn out(text: &[u8]) -> ExitCode {
    let _ = io::stdout().lock().write_all(text);
    Exit::Done.into()
}
