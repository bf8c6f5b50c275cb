//! The proxy as its users meet it: a process of its own with a configuration file.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::DemoError;
use super::place::Place;
use super::postgres::{Postgres, tail};
use super::process::{Process, Signal, command};
use crate::model::Secret;

const CATALOG: &str = include_str!("../../../catalog/shop.toml");
const READY_PATIENCE: Duration = Duration::from_secs(30);
const STOP_PATIENCE: Duration = Duration::from_secs(40);

pub(super) struct Passwords {
    pub(super) upstream: Secret,
    pub(super) alice: Secret,
    pub(super) dora: Secret,
}

/// What to listen on.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    data: u16,
    control: u16,
    http: u16,
}

pub(super) struct Addresses {
    pub(super) data: SocketAddr,
    pub(super) control: SocketAddr,
    pub(super) http: SocketAddr,
}

pub(super) struct Proxy {
    process: Process,
    pub(super) addresses: Addresses,
    log: PathBuf,
}

/// What `keyhole audit verify` said.
pub(super) struct Verification {
    pub(super) line: String,
    succeeded: bool,
}

impl Passwords {
    pub(super) fn random() -> Self {
        let one = || Secret::new(format!("{:016x}", rand::random::<u64>()));
        Self { upstream: one(), alice: one(), dora: one() }
    }
}

impl Ports {
    /// Whatever is free.
    pub(super) fn any() -> Self {
        Self { data: 0, control: 0, http: 0 }
    }

    /// Those of the sample configuration, where nobody has them.
    pub(super) fn usual() -> Self {
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_or(0, |_| port);
        Self { data: free(6432), control: free(6433), http: free(8432) }
    }
}

impl Proxy {
    pub(super) async fn start(
        place: &Place,
        postgres: &Postgres,
        passwords: &Passwords,
        ports: Ports,
    ) -> Result<Self, DemoError> {
        place.write("shop.toml", CATALOG)?;
        let config = place.write("proxy.toml", &configuration(postgres.port, ports))?;
        let log = place.path().join("proxy.log");
        let mut proxy = command(&own_binary()?, None, Signal::Terminate);
        proxy
            .args(["serve", "--config"])
            .arg(&config)
            .env("KEYHOLE_UPSTREAM_PASSWORD", passwords.upstream.expose())
            .env("KEYHOLE_ALICE_PASSWORD", passwords.alice.expose())
            .env("KEYHOLE_DORA_PASSWORD", passwords.dora.expose())
            .env("KEYHOLE_LOG", "info")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let io = |source| DemoError::Io { what: "keyhole serve".to_owned(), source };
        let mut process = Process::spawn(&mut proxy, Signal::Terminate).map_err(io)?;
        let ready = listen(&mut process, &log)?;
        let addresses = wait(&mut process, &ready)
            .await
            .map_err(|why| DemoError::Setup(format!("the proxy {why}\n{}", tail(&log))))?;
        Ok(Self { process, addresses, log })
    }

    pub(super) async fn ended(&mut self) {
        self.process.ended().await;
    }

    /// Stops the proxy as an operator would.
    pub(super) async fn stop(&mut self) -> Result<(), DemoError> {
        self.process
            .stop(Signal::Terminate, STOP_PATIENCE)
            .await
            .map_err(|how| DemoError::Setup(format!("the proxy {how}\n{}", tail(&self.log))))
    }

    /// Everything the proxy logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Keeps the proxy's log, and sends the addresses on when its `ready` line comes.
fn listen(process: &mut Process, log: &Path) -> Result<mpsc::Receiver<Addresses>, DemoError> {
    let io = |source| DemoError::Io { what: log.display().to_string(), source };
    let mut file = fs::File::create(log).map_err(io)?;
    let lines = process.child().stderr.take().map(BufReader::new);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.into_iter().flat_map(BufRead::lines) {
            let Ok(line) = line else { break };
            let _ = writeln!(file, "{line}");
            if let Some(addresses) = ready(&line) {
                let _ = sender.send(addresses);
            }
        }
    });
    Ok(receiver)
}

async fn wait(
    process: &mut Process,
    ready: &mpsc::Receiver<Addresses>,
) -> Result<Addresses, String> {
    const POLL: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        if let Ok(addresses) = ready.try_recv() {
            return Ok(addresses);
        }
        if process.has_ended() {
            // Its last words are still on their way into the log.
            tokio::time::sleep(POLL).await;
            return Err("ended before it was ready".to_owned());
        }
        if waited > READY_PATIENCE {
            return Err(format!("was not ready within {READY_PATIENCE:?}"));
        }
        tokio::time::sleep(POLL).await;
        waited += POLL;
    }
}

/// Reads `… ready data=127.0.0.1:6432 control=127.0.0.1:6433 http=127.0.0.1:8432`.
fn ready(line: &str) -> Option<Addresses> {
    let words: Vec<&str> = line.split_whitespace().skip_while(|word| *word != "ready").collect();
    let address = |name: &str| {
        words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    Some(Addresses { data: address("data")?, control: address("control")?, http: address("http")? })
}

fn configuration(upstream_port: u16, ports: Ports) -> String {
    let Ports { data, control, http } = ports;
    format!(
        r#"[data]
listen = "127.0.0.1:{data}"
auth   = "scram"

[control]
listen = "127.0.0.1:{control}"
http   = "127.0.0.1:{http}"

[store]
url = "sqlite:keyhole.db"

[audit]
dir = "audit"

[[database]]
name     = "shop"
upstream = "postgres://app@127.0.0.1:{upstream_port}/shop?sslmode=disable"
password_env = "KEYHOLE_UPSTREAM_PASSWORD"
catalog  = ["shop.toml"]

[[user]]
name   = "alice"
groups = ["support"]
scram_env = "KEYHOLE_ALICE_PASSWORD"

[[user]]
name   = "dora"
groups = ["dba"]
roles  = ["control"]
scram_env = "KEYHOLE_DORA_PASSWORD"

[[policy]]
name         = "support reads contact data"
subjects     = ["group:support"]
resources    = ["class:email", "class:phone"]
actions      = ["read"]
max_duration = "1h"
approvals    = 0
reason       = "INC-[0-9]+"

[[policy]]
name         = "anything else"
subjects     = ["*"]
resources    = ["*"]
actions      = ["read", "lookup", "write", "export"]
max_duration = "30m"
approvals    = 1
approvers    = ["group:dba"]
"#
    )
}

/// Runs `keyhole audit verify` as an auditor would.
pub(super) fn verify_audit(dir: &Path) -> Result<Verification, DemoError> {
    let output =
        Command::new(own_binary()?)
            .args(["audit", "verify", "--dir"])
            .arg(dir)
            .output()
            .map_err(|source| DemoError::Io { what: "keyhole audit verify".to_owned(), source })?;
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(Verification { line, succeeded: output.status.success() })
}

impl Verification {
    pub(super) fn outcome(&self) -> Result<(), String> {
        if self.succeeded { Ok(()) } else { Err(self.line.clone()) }
    }
}

fn own_binary() -> Result<PathBuf, DemoError> {
    std::env::current_exe()
        .map_err(|source| DemoError::Io { what: "this program".to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_carries_the_addresses() {
        let line = "2026-01-01T00:00:00Z  INFO keyhole::server: ready data=127.0.0.1:1 \
                    control=127.0.0.1:2 http=127.0.0.1:3";
        let addresses = ready(line).expect("a ready line");
        let ports = (addresses.data.port(), addresses.control.port(), addresses.http.port());
        assert_eq!(ports, (1, 2, 3));
        assert!(ready("INFO keyhole: already data=127.0.0.1:1").is_none());
        assert!(ready("ready").is_none());
    }

    #[test]
    fn the_configuration_is_good() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("proxy.toml");
        fs::write(&path, configuration(5432, Ports::any())).expect("a file");
        fs::write(folder.path().join("shop.toml"), CATALOG).expect("a file");
        let config = crate::config::Config::load_with(&path, &|_| Some("x".to_owned()));
        assert_eq!(config.expect("it is good").policies.len(), 2);
    }
}
