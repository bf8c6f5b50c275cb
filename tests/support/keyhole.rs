//! The proxy as a process: its configuration, its ports, its log, its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use toml::{Table, Value};

use super::client::Target;
use super::postgres::{APP_PASSWORD, Postgres};
use super::wait::{PATIENCE, now, until};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_keyhole");

/// Everybody who may log in to the proxy, and with what.
pub(crate) const USERS: [(&str, &str); 3] =
    [("alice", "alice-secret"), ("bob", "bob-secret"), ("dora", "dora-secret")];

const BASE: &str = r#"
[data]
listen = "127.0.0.1:0"
auth = "scram"

[control]
listen = "127.0.0.1:0"
http = "127.0.0.1:0"

[store]
url = "sqlite:keyhole.db"

[audit]
dir = "audit"

[enforcement]
notice = true

[[user]]
name = "alice"
groups = ["support"]
scram_env = "KEYHOLE_ALICE_PASSWORD"

[[user]]
name = "bob"
scram_env = "KEYHOLE_BOB_PASSWORD"

[[user]]
name = "dora"
groups = ["dba"]
roles = ["control"]
scram_env = "KEYHOLE_DORA_PASSWORD"

[[policy]]
name = "anything, approved by a DBA"
subjects = ["*"]
resources = ["*"]
actions = ["read", "lookup", "write", "export"]
max_duration = "30m"
approvals = 1
approvers = ["group:dba"]
"#;

/// A configuration in a directory of its own, where store and audit log lie too.
pub(crate) struct Config {
    dir: TempDir,
    table: Table,
    /// The largest file that the proxy may write, as on a disk that fills up.
    file_max_kib: Option<u32>,
    /// How many files and connections it may have open.
    files_max: Option<u32>,
}

impl Config {
    /// Three users, one policy (any request, one DBA approves), no database yet.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("keyhole-").tempdir().expect("a directory");
        Self { dir, table: BASE.parse().expect("TOML"), file_max_kib: None, files_max: None }
    }

    /// `name` for clients, `upstream` on the server, hidden as the catalog text says.
    pub(crate) fn database(
        mut self,
        name: &str,
        server: &Postgres,
        upstream: &str,
        catalog: &str,
    ) -> Self {
        let file = format!("{name}.toml");
        std::fs::write(self.dir.path().join(&file), catalog).expect("a writable directory");
        let port = server.port();
        let entry = format!(
            "name = '{name}'\nupstream = 'postgres://app@127.0.0.1:{port}/{upstream}'\n\
             password_env = 'KEYHOLE_UPSTREAM_PASSWORD'\ncatalog = ['{file}']\n"
        );
        self.push("database", &entry);
        self
    }

    /// Adds `[[array]]` with the keys of `entry`.
    pub(crate) fn push(&mut self, array: &str, entry: &str) {
        let list = self.table.entry(array).or_insert_with(|| Value::Array(Vec::new()));
        let entry: Table = entry.parse().expect("TOML");
        list.as_array_mut().expect("an array of tables").push(Value::Table(entry));
    }

    /// Takes every `[[array]]` out.
    pub(crate) fn remove(&mut self, array: &str) {
        self.table.remove(array);
    }

    /// Sets `[section] key`.
    pub(crate) fn set(mut self, section: &str, key: &str, value: impl Into<Value>) -> Self {
        let section = self.table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        section.as_table_mut().expect("a table").insert(key.to_owned(), value.into());
        self
    }

    pub(crate) fn file_max_kib(mut self, limit: u32) -> Self {
        self.file_max_kib = Some(limit);
        self
    }

    pub(crate) fn files_max(mut self, limit: u32) -> Self {
        self.files_max = Some(limit);
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("proxy.toml")
    }

    /// What its proxy says on standard output.
    pub(crate) fn stdout(&self) -> PathBuf {
        self.dir.path().join("stdout")
    }

    pub(crate) fn text(&self) -> String {
        self.table.to_string()
    }

    /// Goes by that text from now on.
    pub(crate) fn with_text(mut self, text: &str) -> Self {
        self.table = text.parse().expect("TOML");
        self
    }

    pub(crate) fn write(&self) {
        self.write_text(&self.text());
    }

    pub(crate) fn write_text(&self, text: &str) {
        std::fs::write(self.file(), text).expect("a writable directory");
    }

    /// `keyhole SUBCOMMAND … ` with everybody's passwords in the environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("sh");
        // With the signal ignored, a write beyond the limit fails like one to a full disk.
        let size = self.file_max_kib.map(|limit| format!("trap '' XFSZ; ulimit -f {};", limit * 2));
        let files = self.files_max.map(|limit| format!("ulimit -n {limit};"));
        if size.is_some() || files.is_some() {
            let limits = [size, files].map(Option::unwrap_or_default).concat();
            command.args(["-c", &format!("{limits} exec \"$0\" \"$@\""), BINARY]);
        } else {
            command = Command::new(BINARY);
        }
        command.args(args).current_dir("/").env("KEYHOLE_UPSTREAM_PASSWORD", APP_PASSWORD);
        for (user, password) in USERS {
            command.env(format!("KEYHOLE_{}_PASSWORD", user.to_uppercase()), password);
        }
        command
    }
}

/// What was answered over HTTP.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl HttpAnswer {
    /// Asks on a connection that ends with the answer.
    pub(crate) fn ask(mut stream: impl Read + Write, request: &str) -> Self {
        stream.write_all(request.as_bytes()).expect("HTTP takes requests");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer in UTF-8");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = status.expect("a status");
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }
}

/// How a proxy that did not come up, ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) log: String,
}

/// A running `keyhole serve`.
pub(crate) struct Keyhole {
    process: Process,
    log: Arc<Mutex<String>>,
    ports: Ports,
    pub(crate) config: Config,
}

/// Ends when dropped, and when the test process ends in whatever way.
pub(crate) struct Process {
    child: Child,
    /// Kills the child once the pipe to it closes.
    guard: Child,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let child = command.spawn().expect("the binary is built");
        let guard = Command::new("sh")
            .args(["-c", "read -r _ || kill -9 $0", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Self { child, guard }
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if let Some(mut stdin) = self.guard.stdin.take() {
            stdin.write_all(b"done\n").ok();
        }
        self.guard.wait().ok();
    }
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    data: u16,
    control: u16,
    http: u16,
}

impl Keyhole {
    #[track_caller]
    pub(crate) fn start(config: Config) -> Self {
        config.write();
        match Self::launch(config) {
            Ok(proxy) => proxy,
            Err(Ended { status, log }) => panic!("keyhole serve ended with {status}:\n{log}"),
        }
    }

    /// Starts with the file as it lies there.
    pub(crate) fn launch(config: Config) -> Result<Self, Ended> {
        let (process, log, ports) = spawn(&config)?;
        Ok(Self { process, log, ports, config })
    }

    /// One proxy for one database of the server.
    #[track_caller]
    pub(crate) fn serve(server: &Postgres, upstream: &str, catalog: &str) -> Self {
        Self::start(Config::new().database("shop", server, upstream, catalog))
    }

    /// The data port, as one of [`USERS`].
    pub(crate) fn data(&self, user: &str, database: &str) -> Target {
        Target::new(self.ports.data, user, password(user), database)
    }

    /// The console.
    pub(crate) fn control(&self, user: &str) -> Target {
        Target::new(self.ports.control, user, password(user), "keyhole")
    }

    pub(crate) fn data_port(&self) -> u16 {
        self.ports.data
    }

    /// Status and body of a GET on the control port's HTTP side.
    pub(crate) fn http(&self, path: &str) -> (u16, String) {
        let answer = self.http_raw(&format!(
            "GET {path} HTTP/1.1\r\nHost: keyhole\r\nConnection: close\r\n\r\n"
        ));
        (answer.status, answer.body)
    }

    pub(crate) fn http_port(&self) -> u16 {
        self.ports.http
    }

    /// What is answered to a request as it stands.
    pub(crate) fn http_raw(&self, request: &str) -> HttpAnswer {
        let stream = TcpStream::connect(("127.0.0.1", self.ports.http)).expect("HTTP listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a positive timeout");
        HttpAnswer::ask(stream, request)
    }

    /// The further addresses of the data port, as its first line says.
    pub(crate) fn also(&self) -> Vec<String> {
        let log = self.log();
        let line = log.lines().find(|line| line.starts_with("ready ")).expect("it is ready");
        let also = line.split(' ').find_map(|word| word.strip_prefix("also="));
        also.map_or_else(Vec::new, |also| also.split(',').map(str::to_owned).collect())
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("unpoisoned").clone()
    }

    /// `keyhole audit verify` on this proxy's log: whether it exits 0, and what it says.
    pub(crate) fn audit_verify(&self) -> (bool, String) {
        let dir = self.config.path().join("audit");
        let dir = dir.to_str().expect("UTF-8");
        let mut command = self.config.command(&["audit", "verify", "--dir", dir]);
        let output = command.output().expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Every record of the audit log, one JSON text a line.
    pub(crate) fn audit_text(&self) -> String {
        let mut files: Vec<_> = std::fs::read_dir(self.config.path().join("audit"))
            .expect("the audit directory is there")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "jsonl"))
            .collect();
        files.sort();
        files.iter().map(|file| std::fs::read_to_string(file).expect("UTF-8")).collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.process.child.id(), name);
    }

    /// Sends a signal that ends it, such as `TERM`, and waits for the end.
    pub(crate) fn signal_and_wait(&mut self, name: &str) -> ExitStatus {
        self.signal(name);
        self.wait()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the proxy ends", || self.process.ended())
    }

    /// What it ended with, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    pub(crate) fn kill9(&mut self) {
        self.process.child.kill().expect("a child of ours");
        let status = self.process.child.wait().expect("a child of ours");
        assert_eq!(status.signal(), Some(9), "it had ended before: {status}\n{}", self.log());
    }

    /// Starts it again, on new ports, with the same files.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        if self.ended().is_none() {
            self.kill9();
        }
        match spawn(&self.config) {
            Ok((process, log, ports)) => {
                (self.process, self.log, self.ports) = (process, log, ports);
            }
            Err(Ended { status, log }) => panic!("the next start ended with {status}:\n{log}"),
        }
    }
}

impl Drop for Keyhole {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(25)..];
            eprintln!("--- the proxy's last log lines:\n{}\n---", last.join("\n"));
            return;
        }
        // Some tests keep the log elsewhere, or take it away.
        let files = std::fs::read_dir(self.config.path().join("audit"));
        for file in files.into_iter().flatten().flatten() {
            if file.path().extension().is_some_and(|ext| ext == "jsonl")
                && let Ok(log) = std::fs::read(file.path())
            {
                super::schema::check(&String::from_utf8_lossy(&log));
            }
        }
    }
}

pub(crate) fn password(user: &str) -> &'static str {
    USERS.iter().find(|(name, _)| *name == user).map_or("", |(_, password)| password)
}

pub(crate) fn signal(pid: u32, name: &str) {
    let pid = pid.to_string();
    let sent = Command::new("sh").args(["-c", "kill -s $0 $1", name, &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -s {name} {pid}");
}

type Running = (Process, Arc<Mutex<String>>, Ports);

fn spawn(config: &Config) -> Result<Running, Ended> {
    let file = config.file();
    let mut command = config.command(&["serve", "--config", file.to_str().expect("UTF-8")]);
    let mut options = std::fs::OpenOptions::new();
    let stdout = options.create(true).append(true).open(config.stdout()).expect("writable");
    command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command);
    let stderr = BufReader::new(process.child.stderr.take().expect("piped"));
    let log = Arc::new(Mutex::new(String::new()));
    let keep = Arc::clone(&log);
    let reader = std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            let mut log = keep.lock().expect("unpoisoned");
            log.push_str(&line);
            log.push('\n');
        }
    });
    let end = now() + PATIENCE;
    loop {
        if let Some(ports) = log.lock().expect("unpoisoned").lines().find_map(ports) {
            return Ok((process, Arc::clone(&log), ports));
        }
        if let Some(status) = process.ended() {
            reader.join().expect("reading lines does not panic");
            return Err(Ended { status, log: log.lock().expect("unpoisoned").clone() });
        }
        let so_far = log.lock().expect("unpoisoned").clone();
        assert!(now() < end, "no `ready` in {PATIENCE:?}:\n{so_far}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// The ports out of the `ready` line, which names `data`, `control` and `http` with addresses.
fn ports(line: &str) -> Option<Ports> {
    line.contains("ready").then_some(())?;
    let port = |name: &str| {
        let after = &line[line.find(name)? + name.len()..];
        let address = &after[after.find("127.0.0.1:")? + "127.0.0.1:".len()..];
        let digits: String = address.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    Some(Ports { data: port("data")?, control: port("control")?, http: port("http")? })
}
