//! A throwaway PostgreSQL.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::DemoError;
use super::conversation::{Conversation, Login};
use super::place::Place;
use super::process::{Account, Process, Signal, command};
use crate::model::Secret;

/// Names the folder of `initdb` and `postgres` for machines where they are hard to find.
const BIN_VARIABLE: &str = "KEYHOLE_PG_BIN";
const START_PATIENCE: Duration = Duration::from_secs(30);
const STOP_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

pub(super) struct Postgres {
    process: Process,
    pub(super) port: u16,
    /// Such as `PostgreSQL 18.1`.
    pub(super) version: String,
    superuser: Secret,
}

impl Postgres {
    pub(super) async fn start(place: &Place) -> Result<Self, DemoError> {
        let bin = find_binaries()?;
        let account = Account::to_step_down_to().map_err(DemoError::Setup)?;
        let superuser = Secret::new(format!("{:032x}", rand::random::<u128>()));
        let folder = place.path().join("postgres");
        let io = |source| DemoError::Io { what: folder.display().to_string(), source };
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(io)?;
        let password_file = place.write("superuser", superuser.expose())?;
        if let Some(account) = &account {
            let owner = (Some(account.uid), Some(account.gid));
            chown(&folder, owner.0, owner.1).map_err(io)?;
            chown(&password_file, owner.0, owner.1).map_err(io)?;
        }
        let data = folder.join("data");
        initialize(&bin, account.as_ref(), &data, &password_file)?;
        let port = free_port()?;
        let log = place.path().join("postgres.log");
        let process = launch(&bin, account.as_ref(), &data, port, &log)?;
        let mut server = Self { process, port, version: String::new(), superuser };
        server.wait(&log).await?;
        Ok(server)
    }

    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// A conversation as the superuser.
    pub(super) async fn superuser(&self) -> Result<Conversation, DemoError> {
        let login = Login { user: "postgres", password: &self.superuser, database: "postgres" };
        Conversation::open(self.address(), login).await
    }

    pub(super) async fn stop(&mut self) -> Result<(), DemoError> {
        self.process
            .stop(Signal::Interrupt, STOP_PATIENCE)
            .await
            .map_err(|how| DemoError::Setup(format!("PostgreSQL {how}")))
    }

    async fn wait(&mut self, log: &Path) -> Result<(), DemoError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.superuser().await {
                Ok(conversation) => {
                    let version = conversation.value("SHOW server_version").await?;
                    let number = version.split_whitespace().next().unwrap_or_default();
                    self.version = format!("PostgreSQL {number}");
                    return Ok(());
                }
                Err(error) if self.process.has_ended() || waited > START_PATIENCE => {
                    return Err(DemoError::Setup(format!(
                        "PostgreSQL did not start: {error}\n{}",
                        tail(log)
                    )));
                }
                Err(_) => {
                    tokio::time::sleep(POLL).await;
                    waited += POLL;
                }
            }
        }
    }
}

fn initialize(
    bin: &Path,
    account: Option<&Account>,
    data: &Path,
    password_file: &Path,
) -> Result<(), DemoError> {
    let output = command(&bin.join("initdb"), account, Signal::Terminate)
        .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"])
        .args(["--no-sync", "--no-instructions"])
        .arg(joined("--pwfile=", password_file))
        .arg(joined("--pgdata=", data))
        .current_dir("/")
        .output()
        .map_err(|source| DemoError::Io { what: "initdb".to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(DemoError::Setup(format!("initdb failed: {said}")))
}

fn launch(
    bin: &Path,
    account: Option<&Account>,
    data: &Path,
    port: u16,
    log: &Path,
) -> Result<Process, DemoError> {
    let io = |source| DemoError::Io { what: "postgres".to_owned(), source };
    let out = fs::File::create(log).map_err(io)?;
    let err = out.try_clone().map_err(io)?;
    let mut server = command(&bin.join("postgres"), account, Signal::Quit);
    server.arg("-D").arg(data).arg("-p").arg(port.to_string());
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        // Nobody will miss this database after a power failure.
        "fsync=off",
        "shared_buffers=64MB",
    ] {
        server.arg("-c").arg(setting);
    }
    // SIGQUIT is PostgreSQL's immediate shutdown, which takes its own children along.
    Process::spawn(server.stdout(out).stderr(err).current_dir("/"), Signal::Quit).map_err(io)
}

/// The folder of `initdb` and `postgres`: the variable's, else one on PATH, else the newest under
/// `/usr/lib/postgresql`, else `pg_config`'s.
fn find_binaries() -> Result<PathBuf, DemoError> {
    let holds =
        |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    if let Some(folder) = std::env::var_os(BIN_VARIABLE).map(PathBuf::from) {
        return if holds(&folder) {
            Ok(folder)
        } else {
            let shown = folder.display();
            Err(DemoError::Setup(format!("{BIN_VARIABLE}: no initdb and postgres in {shown}")))
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let config = Command::new("pg_config").arg("--bindir").output();
    let config = config.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    std::env::split_paths(&path)
        .find(holds)
        .or_else(|| debian_folders().into_iter().find(holds))
        .or_else(|| config.ok().map(PathBuf::from).filter(holds))
        .ok_or_else(|| {
            DemoError::Setup(format!(
                "no PostgreSQL server found on PATH, under /usr/lib/postgresql or by pg_config; \
                 install one, or name the folder of initdb and postgres in {BIN_VARIABLE}"
            ))
        })
}

/// `/usr/lib/postgresql/*/bin`, newest first.
fn debian_folders() -> Vec<PathBuf> {
    let mut versions: Vec<u32> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable();
    let folder = |version: u32| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"));
    versions.into_iter().rev().map(folder).collect()
}

/// A port that nobody listens on now. Somebody may take it before we do; then the start fails.
fn free_port() -> Result<u16, DemoError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| DemoError::Io { what: "a free port".to_owned(), source })
}

fn joined(option: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = OsStr::new(option).to_owned();
    argument.push(path);
    argument
}

/// The last lines of a log, for an error.
pub(super) fn tail(log: &Path) -> String {
    const LINES: usize = 8;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
