//! A PostgreSQL of the test's own, in a temporary directory, reached by Unix socket only.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

const START_SECS_MAX: u64 = 60;

/// Runs until dropped.
pub(crate) struct Server {
    postmaster: Child,
    dir: TempDir,
}

impl Server {
    pub(crate) async fn start(bin: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("keyhole-masks-").tempdir().expect("a directory");
        let owner = Owner::of_servers();
        owner.take(dir.path());
        let data = dir.path().join("data");
        let made = owner
            .command(&bin.join("initdb"))
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .expect("initdb runs");
        assert!(made.success(), "initdb: {made}");
        let log = std::fs::File::create(dir.path().join("log")).expect("a log file");
        let postmaster = owner
            .command(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(dir.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres runs");
        let server = Self { postmaster, dir };
        server.wait_until_ready().await;
        server
    }

    /// A session that nobody else uses.
    pub(crate) async fn connect(&self) -> Client {
        self.try_connect().await.expect("a connection")
    }

    async fn wait_until_ready(&self) {
        for _ in 0..START_SECS_MAX * 10 {
            if self.try_connect().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        panic!("postgres did not start:\n{log}");
    }

    #[expect(clippy::disallowed_methods, reason = "drives a test's own connection")]
    async fn try_connect(&self) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::Config::new()
            .host_path(self.dir.path())
            .user("postgres")
            .dbname("postgres")
            .connect(NoTls)
            .await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = self.postmaster.id().to_string();
        // SIGINT is PostgreSQL's fast shutdown; only if that cannot be sent is it killed.
        let asked = Command::new("kill").args(["-INT", &pid]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.postmaster.kill();
        }
        let _ = self.postmaster.wait();
    }
}

/// Whom the server runs as: the server refuses root.
enum Owner {
    Myself,
    User { uid: u32, gid: u32 },
}

impl Owner {
    fn of_servers() -> Self {
        let my_uid = std::fs::metadata("/proc/self").map_or(1, |process| process.uid());
        if my_uid != 0 {
            return Self::Myself;
        }
        let passwd = std::fs::read_to_string("/etc/passwd").expect("a list of users");
        let entry = passwd.lines().find(|line| line.starts_with("postgres:"));
        let fields: Vec<&str> = entry.expect("a user postgres").split(':').collect();
        Self::User {
            uid: fields[2].parse().expect("a user's number"),
            gid: fields[3].parse().expect("a group's number"),
        }
    }

    fn take(&self, dir: &Path) {
        if let Self::User { uid, gid } = self {
            std::os::unix::fs::chown(dir, Some(*uid), Some(*gid)).expect("root may");
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/");
        if let Self::User { uid, gid } = self {
            command.uid(*uid).gid(*gid);
        }
        command
    }
}

/// Where the binaries of a major version are: `KEYHOLE_PG15_BIN`, or where Debian puts them.
pub(crate) fn find_version(major: u32) -> Option<PathBuf> {
    let named = std::env::var_os(format!("KEYHOLE_PG{major}_BIN")).map(PathBuf::from);
    let usual = PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"));
    named.or_else(|| usual.join("postgres").exists().then_some(usual))
}

/// PostgreSQL 15, the oldest supported, or whatever `pg_config` points to.
pub(crate) fn find_any() -> PathBuf {
    find_version(15).unwrap_or_else(|| {
        let output = Command::new("pg_config").arg("--bindir").output();
        let path = output.expect("PostgreSQL is installed").stdout;
        PathBuf::from(String::from_utf8(path).expect("a path").trim())
    })
}
