//! The folder that everything of one demo lives in.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::DemoError;

/// A folder of our own; removed when dropped.
pub(super) struct Place {
    path: PathBuf,
}

impl Place {
    pub(super) fn new() -> Result<Self, DemoError> {
        let name = format!("keyhole-demo-{:016x}", rand::random::<u64>());
        let path = std::env::temp_dir().join(name);
        // Others may pass through, as PostgreSQL may have to run as another user, but not look.
        fs::DirBuilder::new()
            .mode(0o711)
            .create(&path)
            .map_err(|source| DemoError::Io { what: path.display().to_string(), source })?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only its owner can read.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, DemoError> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.path.join(name);
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|source| DemoError::Io { what: path.display().to_string(), source })?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
