//! What a scan writes, whole or not at all.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::place::Place;
use crate::cli::report;
use crate::config::Config;
use crate::discovery::draft::{self, Patched, Proposal};
use crate::store::findings::Findings;

/// What a new file may be read by, unless the file that it replaces says otherwise.
const MODE: u32 = 0o644;

const READ_BY_ALL: u32 = 0o444;

/// # Errors
/// The file is as it was.
pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    replace(path, text, path).map_err(|error| format!("{}: {error}", path.display()))
}

/// # Errors
/// There is no new file.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), String> {
    if fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0) {
        let path = path.display();
        return Err(format!("{path} is there already, and a draft would hold what is new only"));
    }
    write(path, text)
}

/// `like`: whose owner and permissions the file gets, if it is there.
fn replace(path: &Path, text: &str, like: &Path) -> io::Result<()> {
    // A link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // `/dev/null` and pipes are written into: root could put a file in their place.
    if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
        return OpenOptions::new().write(true).open(&path)?.write_all(text.as_bytes());
    }
    let like = fs::metadata(like).ok();
    let mode = like.as_ref().map_or(MODE, |found| found.permissions().mode() & 0o777);
    let draft = beside(&path, &format!("new-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(&draft)?;
    let written = like
        .map_or(Ok(()), |like| keep_owner(&file, &like))
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&draft, &path));
    if written.is_err() {
        // What is left of it is no use to anybody.
        let _ = fs::remove_file(&draft);
    }
    written
}

/// A catalog that root has changed is to be read by the proxy still.
fn keep_owner(file: &File, like: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    match fchown(file, Some(like.uid()), Some(like.gid())) {
        // Whoever could read it can do so now.
        Err(_) if like.mode() & READ_BY_ALL == READ_BY_ALL => Ok(()),
        done => done,
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.{ending}"))
}

/// Leaves what was found where the web console looks for it, in the place of what an earlier scan
/// left; nothing else is replaced.
///
/// # Errors
/// The file is as it was.
pub(super) fn leave(path: &Path, findings: &Findings) -> Result<(), String> {
    Findings::read(path).map_err(|error| format!("nothing is left for a review: {error}"))?;
    let text = findings.text().map_err(|error| error.to_string())?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    write(path, &text)
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
pub(super) fn accept(config: Option<&Path>, changes: &[Patched]) -> Result<(), String> {
    let back = |changes: &[Patched]| changes.iter().try_for_each(|it| write(&it.path, &it.before));
    for (at, Patched { path, before, after }) in changes.iter().enumerate() {
        let kept = beside(path, "bak");
        let done = replace(&kept, before, path)
            .map_err(|error| format!("{}: {error}", kept.display()))
            .and_then(|()| write(path, after));
        if let Err(message) = done {
            back(&changes[..at])?;
            return Err(message);
        }
    }
    // A catalog that cannot be read would keep the proxy from starting again.
    if let Some(Err(problems)) = config.map(Config::load) {
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

    #[test]
    fn what_was_there_is_kept_for_the_same_people() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.toml");
        write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        // Root can give a file away; whoever cannot keeps it.
        let _ = std::os::unix::fs::chown(&path, Some(1234), Some(1234));
        let owner = fs::metadata(&path).unwrap().uid();
        let change =
            Patched { path: path.clone(), before: "old".to_owned(), after: "new".to_owned() };
        accept(None, &[change]).unwrap();
        for (path, text) in [(path.clone(), "new"), (beside(&path, "bak"), "old")] {
            let found = fs::metadata(&path).unwrap();
            assert_eq!((found.mode() & 0o777, found.uid()), (0o600, owner), "{}", path.display());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_draft_takes_no_catalogs_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.toml");
        write_new(&path, "one").unwrap();
        let said = write_new(&path, "two").unwrap_err();
        assert!(said.contains("is there already"), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
    }

    #[test]
    fn what_is_no_file_is_written_into() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        write(&pipe, "a page").unwrap();
        assert!(!fs::metadata(&pipe).unwrap().is_file());
        assert_eq!(reader.join().unwrap(), "a page");
        assert!(write(dir.path(), "x").is_err());
    }
}
