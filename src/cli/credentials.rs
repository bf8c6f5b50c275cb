//! The sessions of the person at this machine, `~/.config/keyhole/credentials`: one for each proxy,
//! readable by its owner only.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Permissions of anybody but the owner.
const OTHERS: u32 = 0o077;

/// Why sessions cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialsError {
    #[error("there is no home for sessions: set HOME or XDG_CONFIG_HOME")]
    Nowhere,
    #[error("{path}: {source}", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{path} may be read by others than its owner (mode {mode:03o}): chmod 600", path = path.display())]
    Loose { path: PathBuf, mode: u32 },
    #[error("{path} is not what was written there", path = path.display())]
    Corrupt { path: PathBuf },
}

/// Somebody's session at one proxy.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) user: String,
    pub(super) token: String,
}

/// The file.
pub(super) struct Credentials {
    path: PathBuf,
}

impl Credentials {
    /// # Errors
    /// `Nowhere`.
    pub(super) fn of_user() -> Result<Self, CredentialsError> {
        let folder = |name: &str| {
            std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
        let config = config.ok_or(CredentialsError::Nowhere)?;
        Ok(Self { path: config.join("keyhole/credentials") })
    }

    /// The session at the proxy at `url`.
    ///
    /// # Errors
    /// The file is there and cannot be gone by.
    pub(super) fn find(&self, url: &str) -> Result<Option<Kept>, CredentialsError> {
        Ok(self.read()?.remove(url))
    }

    /// Keeps a session in the place of any other at that proxy; None: none is kept.
    ///
    /// # Errors
    /// All stay as they were.
    pub(super) fn keep(&self, url: &str, kept: Option<Kept>) -> Result<(), CredentialsError> {
        let mut all = self.read()?;
        match kept {
            Some(kept) => drop(all.insert(url.to_owned(), kept)),
            None => drop(all.remove(url)),
        }
        let text = serde_json::to_string_pretty(&all).map_err(|_| self.corrupt())?;
        self.write(&text)
            .map_err(|source| CredentialsError::File { path: self.path.clone(), source })
    }

    fn read(&self) -> Result<BTreeMap<String, Kept>, CredentialsError> {
        let failed = |source| CredentialsError::File { path: self.path.clone(), source };
        let file = match fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(failed(error)),
        };
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(CredentialsError::Loose { path: self.path.clone(), mode });
        }
        serde_json::from_reader(io::BufReader::new(file)).map_err(|_| self.corrupt())
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let draft = self.path.with_extension(format!("new-{}", std::process::id()));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&draft)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&draft, &self.path));
        if written.is_err() {
            // What is left of it is no use to anybody.
            let _ = fs::remove_file(&draft);
        }
        written
    }

    fn corrupt(&self) -> CredentialsError {
        CredentialsError::Corrupt { path: self.path.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(user: &str) -> Kept {
        Kept { user: user.to_owned(), token: format!("khs_{user}") }
    }

    #[test]
    fn a_session_is_kept_for_each_proxy_and_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = Credentials { path: dir.path().join("keyhole/credentials") };
        assert!(file.find("https://a").unwrap().is_none());
        file.keep("https://a", Some(kept("alice"))).unwrap();
        file.keep("https://b", Some(kept("bob"))).unwrap();
        file.keep("https://a", Some(kept("ada"))).unwrap();
        assert_eq!(file.find("https://a").unwrap().unwrap().user, "ada");
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
        file.keep("https://a", None).unwrap();
        assert!(file.find("https://a").unwrap().is_none());
        assert_eq!(file.find("https://b").unwrap().unwrap().token, "khs_bob");
        assert_eq!(fs::read_dir(dir.path().join("keyhole")).unwrap().count(), 1);
    }

    #[test]
    fn what_others_may_read_is_not_gone_by() {
        let dir = tempfile::tempdir().unwrap();
        let file = Credentials { path: dir.path().join("credentials") };
        file.keep("https://a", Some(kept("alice"))).unwrap();
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(file.find("https://a"), Err(CredentialsError::Loose { mode: 0o644, .. })));
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file.path, "{").unwrap();
        assert!(matches!(file.find("https://a"), Err(CredentialsError::Corrupt { .. })));
    }
}
