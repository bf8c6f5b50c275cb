//! The papers say what is so: the reference is what the code says, links lead somewhere, and the
//! tutorial works as it is written.
//!
//! `UPDATE=1 cargo test --test docs reference` writes the reference anew.

#[path = "support/fixture.rs"]
mod support;

#[path = "docs/configuration.rs"]
mod configuration;
#[path = "docs/links.rs"]
mod links;
#[path = "docs/reference.rs"]
mod reference;
#[path = "docs/tutorial.rs"]
mod tutorial;

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every paper for readers, by its path from the root.
fn papers() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root().to_owned(), root().join("docs")];
    let top = folders[0].clone();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && folder != top {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "md") {
                found.push(path.strip_prefix(root()).expect("below it").to_owned());
            }
        }
    }
    found.sort();
    found
}
