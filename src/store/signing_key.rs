//! Private keys in files: PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` makes them too,
//! readable by their owner only, the public key beside them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use crate::model::{KeyError, PublicKey, SigningKey};

/// PKCS#8 version 1 of an Ed25519 key (RFC 8410), up to its 32 bytes.
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Whoever else may read or write a private key: nobody.
pub(super) const OTHERS: u32 = 0o077;

/// A key that cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("key {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("key {} may be read by others than its owner (mode {mode:03o}): chmod 600", path.display())]
    Loose { path: PathBuf, mode: u32 },
    #[error("key {}: {source}", path.display())]
    Key { path: PathBuf, source: KeyError },
    #[error("key {} is there already", .0.display())]
    Exists(PathBuf),
}

/// Whether a key was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Existing,
    Made,
}

/// The key of the file; if there is none, a new one, which is on the disk when this returns.
/// Keeps the public key beside it, as text. Blocks.
///
/// # Errors
/// [`KeyFileError`]; a key that others may read is refused.
pub fn load_or_create(path: &Path) -> Result<(SigningKey, Found), KeyFileError> {
    let found = match create(path) {
        Ok(_) => Found::Made,
        Err(KeyFileError::Exists(_)) => Found::Existing,
        Err(error) => return Err(error),
    };
    let key = load(path)?;
    if found == Found::Existing {
        // It is for people; that it cannot be renewed keeps nobody from signing.
        let text = public_text(&key.public());
        let beside = public_path(path);
        if fs::read_to_string(&beside).ok().as_ref() != Some(&text)
            && let Err(error) = fs::write(&beside, text)
        {
            tracing::warn!(path = %beside.display(), %error, "the public key is not written");
        }
    }
    Ok((key, found))
}

/// The key of the file. Blocks.
///
/// # Errors
/// [`KeyFileError`]; a key that others may read is refused.
pub fn load(path: &Path) -> Result<SigningKey, KeyFileError> {
    let failed = |source| KeyFileError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(KeyFileError::Loose { path: path.to_owned(), mode });
    }
    let text = io::read_to_string(file).map_err(failed)?;
    let wrong = |source| KeyFileError::Key { path: path.to_owned(), source };
    let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| wrong(KeyError::Private))?;
    SigningKey::from_pkcs8(der.secret_pkcs8_der()).map_err(wrong)
}

/// A new key in a new file. Blocks.
///
/// # Errors
/// [`KeyFileError::Exists`] leaves the old one alone; others when it cannot be written.
pub fn create(path: &Path) -> Result<PublicKey, KeyFileError> {
    if path.exists() {
        return Err(KeyFileError::Exists(path.to_owned()));
    }
    let failed = |source| KeyFileError::File { path: path.to_owned(), source };
    let seed: [u8; 32] = rand::random();
    let key = SigningKey::from_seed(&seed)
        .map_err(|source| KeyFileError::Key { path: path.to_owned(), source })?;
    let body = STANDARD.encode([&PKCS8_HEAD[..], &seed].concat());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    // Under another name first, so that the file is whole whenever it is there.
    let draft = beside(path, &format!(".new-{}", std::process::id()));
    let written = write_private(&draft, &pem).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match written {
        Ok(()) => removed.map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyFileError::Exists(path.to_owned()));
        }
        Err(error) => return Err(failed(error)),
    }
    let public = public_path(path);
    fs::write(&public, public_text(&key.public()))
        .map_err(|source| KeyFileError::File { path: public, source })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    folder.sync_all().map_err(failed)?;
    Ok(key.public())
}

/// Where the public key of a private one lies.
pub fn public_path(path: &Path) -> PathBuf {
    beside(path, ".pub")
}

fn public_text(key: &PublicKey) -> String {
    format!("{key}\n")
}

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Writes a file that only its owner may read, through to the disk.
pub(super) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyhole.key");
        let (made, found) = load_or_create(&path).unwrap();
        assert_eq!(found, Found::Made);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let public = fs::read_to_string(public_path(&path)).unwrap();
        assert_eq!(public.trim_end().parse(), Ok(made.public()));
        let (again, found) = load_or_create(&path).unwrap();
        assert_eq!((again.public(), found), (made.public(), Found::Existing));
        assert!(matches!(create(&path), Err(KeyFileError::Exists(_))));
        let names = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 2, "no draft is left");
        fs::remove_file(public_path(&path)).unwrap();
        load_or_create(&path).unwrap();
        assert_eq!(fs::read_to_string(public_path(&path)).unwrap(), public);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyhole.key");
        create(&path).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let loose = matches!(load_or_create(&path), Err(KeyFileError::Loose { .. }));
            assert!(loose, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(load(&path).is_ok());
    }

    #[test]
    fn what_is_no_key_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyhole.key");
        write_private(&path, "no key\n").unwrap();
        assert!(matches!(load_or_create(&path), Err(KeyFileError::Key { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "no key\n");
        assert!(matches!(load(&dir.path().join("none")), Err(KeyFileError::File { .. })));
    }

    #[test]
    fn a_key_of_openssl_serves_as_well() {
        // RFC 8410, section 10.3.
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyhole.key");
        write_private(&path, pem).unwrap();
        let public = load(&path).unwrap().public().to_string();
        assert_eq!(public, "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
    }
}
