//! Small files that are replaced whole: whoever reads sees the old text or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Replaces the file; the text is on the disk when this returns. Makes the folder, for its owner
/// only. Blocks.
pub(super) fn replace(dir: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let next = path.with_extension("next");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&next)?;
    file.write_all(text)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&next, path)?;
    File::open(dir)?.sync_all()
}
