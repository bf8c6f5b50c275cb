//! What a scan writes, whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::place::Place;
use crate::cli::report;
use crate::config::Config;
use crate::discovery::draft::{self, Patched, Proposal};

/// What a new file may be read by, unless the file that it replaces says otherwise.
const MODE: u32 = 0o644;

/// # Errors
/// The file is as it was.
pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    let replaced = || -> io::Result<()> {
        // A link stays one.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mode = fs::metadata(&path).map_or(MODE, |found| found.permissions().mode() & 0o777);
        let draft = beside(&path, &format!("new-{}", std::process::id()));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(&draft)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let written = written.and_then(|()| fs::rename(&draft, &path));
        if written.is_err() {
            // What is left of it is no use to anybody.
            let _ = fs::remove_file(&draft);
        }
        written
    };
    replaced().map_err(|error| format!("{}: {error}", path.display()))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.{ending}"))
}

/// The catalog files of the place with proposals in them.
///
/// # Errors
/// In words.
pub(super) fn patched(place: &Place, proposals: &[Proposal]) -> Result<Vec<Patched>, String> {
    let read = |path: &PathBuf| match fs::read_to_string(path) {
        Ok(text) => Ok((path.clone(), text)),
        Err(error) => Err(format!("{}: {error}", path.display())),
    };
    let files = place.files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    draft::patched(&files, proposals, &place.catalog).map_err(|error| error.to_string())
}

/// Puts the changes in the place of what was there, which is kept as FILE.bak.
///
/// # Errors
/// All files are as they were.
pub(super) fn accept(place: &Place, changes: &[Patched]) -> Result<(), String> {
    let back = |changes: &[Patched]| changes.iter().try_for_each(|it| write(&it.path, &it.before));
    for (at, Patched { path, before, after }) in changes.iter().enumerate() {
        let done = write(&beside(path, "bak"), before).and_then(|()| write(path, after));
        if let Err(message) = done {
            back(&changes[..at])?;
            return Err(message);
        }
    }
    // A catalog that cannot be read would keep the proxy from starting again.
    if let Some(Err(problems)) = place.config.as_ref().map(|config| Config::load(config)) {
        back(changes)?;
        return Err(format!(
            "nothing was changed, as the catalog would not be in order: {problems}"
        ));
    }
    for Patched { path, .. } in changes {
        report(format_args!(
            "changed {} (before: {})",
            path.display(),
            beside(path, "bak").display()
        ));
    }
    if changes.is_empty() {
        report("there was nothing to change");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.toml");
        write(&path, "one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0o044);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let link = dir.path().join("link.toml");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(write(&dir.path().join("no/such/place"), "x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
