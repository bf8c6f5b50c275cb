//! A Unix socket named as PostgreSQL names its own, so that libpq finds it by the directory.
//!
//! Who owns a name is settled by its lock file, `.s.PGSQL.<port>.lock`: a proxy holds the kernel's
//! lock on it as long as it lives, whatever way it ends, and a PostgreSQL server that wants the
//! name reads the process id in it. A socket whose owner is gone is removed.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::listen::BACKLOG;

/// Lock files that a process on its way out may remove under our hands, before we give up.
const LOCK_ATTEMPTS: usize = 8;

/// A listener on a Unix socket; the socket's file is gone when it is dropped.
#[derive(Debug)]
pub struct UnixPort {
    // In the order of their ends: nobody finds a name that nobody listens to.
    listener: UnixListener,
    name: SocketName,
    _lock: Lock,
}

impl UnixPort {
    /// Opens `.s.PGSQL.<port>` in `dir`; `mode` says who may connect, as chmod does. Has to run
    /// inside the runtime.
    ///
    /// # Errors
    /// `AddrInUse` if somebody listens there; else what the system says of directory or socket.
    pub fn bind(dir: &Path, port: u16, mode: u32) -> io::Result<Self> {
        let path = dir.join(format!(".s.PGSQL.{port}"));
        let lock = Lock::take(dir.join(format!(".s.PGSQL.{port}.lock")), dir, port)?;
        remove_stale(&path)?;
        let socket = UnixSocket::new_stream()?;
        socket.bind(&path)?;
        let name = SocketName(path);
        // Nobody can connect before it listens.
        fs::set_permissions(&name.0, Permissions::from_mode(mode))?;
        Ok(Self { listener: socket.listen(BACKLOG)?, name, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.name.0
    }

    pub(super) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.listener.poll_accept(context).map_ok(|(unix, _)| unix)
    }
}

/// Removes a socket that nobody listens to.
fn remove_stale(path: &Path) -> io::Result<()> {
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        // Its queue is full, say: it is somebody's.
        Err(error) => Err(error),
    }
}

/// A socket's file, removed when dropped.
#[derive(Debug)]
struct SocketName(PathBuf);

impl Drop for SocketName {
    fn drop(&mut self) {
        // What cannot be removed now is stale for the next one.
        let _ = fs::remove_file(&self.0);
    }
}

/// The right to a socket's name.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn take(path: PathBuf, dir: &Path, port: u16) -> io::Result<Self> {
        for _ in 0..LOCK_ATTEMPTS {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::AddrInUse.into()),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever ended just now removed the file that we have opened: it locks nothing. Nor does
            // what a link leads to: in a folder that others may write to, it could be any file.
            let here = fs::symlink_metadata(&path).map(|found| (found.dev(), found.ino()));
            let ours = file.metadata().map(|found| (found.dev(), found.ino()))?;
            if here.is_ok_and(|here| here == ours) {
                let lock = Self { path, _file: file };
                lock.write(dir, port)?;
                return Ok(lock);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// The lines that PostgreSQL's own lock files begin with: process, data directory, start
    /// (unknown), port, directory of the socket.
    fn write(&self, dir: &Path, port: u16) -> io::Result<()> {
        let dir = dir.display();
        let mut file = &self._file;
        file.set_len(0)?;
        write!(file, "{}\n{dir}\n0\n{port}\n{dir}\n", std::process::id())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Before the lock ends with the file: nobody else's is removed.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_socket_has_its_name_and_mode_and_is_gone_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let port = UnixPort::bind(dir.path(), 6432, 0o750).unwrap();
        assert_eq!(port.path(), dir.path().join(".s.PGSQL.6432"));
        assert_eq!(mode(port.path()), 0o750);
        let lock = fs::read_to_string(dir.path().join(".s.PGSQL.6432.lock")).unwrap();
        assert_eq!(lock.lines().next(), Some(std::process::id().to_string().as_str()));
        drop(port);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn two_do_not_share_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let _first = UnixPort::bind(dir.path(), 6432, 0o700).unwrap();
        let second = UnixPort::bind(dir.path(), 6432, 0o700);
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        UnixPort::bind(dir.path(), 6433, 0o700).unwrap();
    }

    #[tokio::test]
    async fn a_socket_that_a_crash_left_is_replaced_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".s.PGSQL.6432");
        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        fs::write(dir.path().join(".s.PGSQL.6432.lock"), "1\n").unwrap();
        let refused = UnixPort::bind(dir.path(), 6432, 0o700);
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(other);
        assert!(path.exists());
        let port = UnixPort::bind(dir.path(), 6432, 0o700).unwrap();
        let connecting = UnixStream::connect(&path);
        let accepting = std::future::poll_fn(|context| port.poll_accept(context));
        let (client, server) = tokio::join!(connecting, accepting);
        let own = fs::metadata(&path).unwrap();
        assert_eq!(server.unwrap().peer_cred().unwrap().uid(), own.uid());
        drop(client);
    }

    #[tokio::test]
    async fn a_link_in_the_place_of_the_lock_is_not_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let precious = dir.path().join("precious");
        fs::write(&precious, "kept").unwrap();
        std::os::unix::fs::symlink(&precious, dir.path().join(".s.PGSQL.6432.lock")).unwrap();
        let refused = UnixPort::bind(dir.path(), 6432, 0o700);
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read_to_string(&precious).unwrap(), "kept");
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".s.PGSQL.6432");
        fs::create_dir(&path).unwrap();
        assert!(UnixPort::bind(dir.path(), 6432, 0o700).is_err());
        assert!(path.is_dir());
        let missing = UnixPort::bind(&dir.path().join("none"), 6432, 0o700);
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
