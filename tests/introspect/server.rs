//! A throwaway PostgreSQL in a temporary folder, reached by a Unix socket only.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

pub(crate) struct Server {
    bin: PathBuf,
    folder: TempDir,
    run_as: Option<(u32, u32)>,
}

/// The `bin` folders to try.
pub(crate) fn installed() -> Vec<PathBuf> {
    let listed = env::var_os("KEYHOLE_TEST_PG_BIN");
    let found: Vec<PathBuf> = match listed {
        Some(list) => env::split_paths(&list).collect(),
        None => fs::read_dir("/usr/lib/postgresql")
            .expect("an installed PostgreSQL, or KEYHOLE_TEST_PG_BIN")
            .map(|entry| entry.expect("a version").path().join("bin"))
            .filter(|bin| bin.join("postgres").exists())
            .collect(),
    };
    assert!(!found.is_empty(), "no PostgreSQL to test with");
    found
}

impl Server {
    pub(crate) fn start(bin: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("kh").tempdir().expect("a temporary folder");
        // The server refuses to run as root.
        let run_as = (id(&["-u"]) == 0).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])));
        if let Some((user, group)) = run_as {
            chown(folder.path(), Some(user), Some(group)).expect("root may");
        }
        let server = Self { bin: bin.to_owned(), folder, run_as };
        let data = server.data();
        let data = data.to_str().expect("a UTF-8 path");
        let socket = server.folder.path().display();
        let settings = format!("-k {socket} -c listen_addresses= -c fsync=off");
        server.run(
            "initdb",
            &["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        );
        let log = format!("{data}/log");
        server.run("pg_ctl", &["-D", data, "-w", "-l", &log, "-o", &settings, "start"]);
        server
    }

    pub(crate) async fn connect(&self) -> Client {
        let (client, connection) = tokio_postgres::Config::new()
            .host_path(self.folder.path())
            .user("postgres")
            .dbname("postgres")
            .connect_timeout(Duration::from_secs(10))
            .connect(NoTls)
            .await
            .expect("the server accepts");
        #[expect(
            clippy::disallowed_methods,
            reason = "the connection's task ends with the client"
        )]
        tokio::spawn(connection);
        client
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.bin.join(program));
        command.args(arguments).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = self.run_as {
            command.gid(group).uid(user);
        }
        let status = command.status().expect("the program starts");
        assert!(status.success(), "{program} {arguments:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.data();
        self.run("pg_ctl", &["-D", data.to_str().unwrap_or_default(), "-m", "immediate", "stop"]);
    }
}

fn id(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).output().expect("id runs");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}
