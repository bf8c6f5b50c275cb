//! Keeps the shape of the code: who may import whom, and how long a file may be.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. A module may use those in earlier rows only.
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["wire", "schema", "catalog"],
    &["analysis", "grant", "mask", "audit"],
    &["risk", "discovery"],
    &["decision"],
    &["rewrite"],
    &["session"],
    // The shell: from here on, I/O is allowed.
    &["config", "telemetry"],
    &["net", "store"],
    &["upstream"],
    &["auth"],
    &["relay", "control", "notify", "sinks"],
    &["server"],
    &["cli"],
];

const FILE_LINES_MAX: usize = 400;

#[test]
fn imports_point_down() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let from = module(&path);
        let code = text.split("#[cfg(test)]").next().unwrap_or(&text);
        for (number, line) in
            code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for to in line.split("crate::").skip(1) {
                let to: String =
                    to.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if layer(&to) > layer(&from) || (layer(&to) == layer(&from) && to != from) {
                    broken.push(format!(
                        "{}:{}: {from} may not use {to}",
                        path.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn files_fit_in_the_head() {
    let long: Vec<_> = sources()
        .filter(|(_, text)| text.lines().count() > FILE_LINES_MAX)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

fn module(path: &Path) -> String {
    let inside = path.strip_prefix("src").expect("walked from src");
    let first = inside.components().next().expect("a file name").as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn sources() -> impl Iterator<Item = (PathBuf, String)> {
    let mut folders = vec![PathBuf::from("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs")
                && path != Path::new("src/lib.rs")
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files.into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("source is UTF-8");
        (path, text)
    })
}
