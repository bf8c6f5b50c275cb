//! Clients that are programs: psql, Python and Node with their drivers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use super::client::Target;
use super::wait::now;

/// How long a client program may run.
const RUN_MAX: Duration = Duration::from_secs(60);

/// psql without a start-up file and without a pager, connected to the target.
pub(crate) fn psql(target: &Target) -> Command {
    let mut command = Command::new("psql");
    command.args(["-X", "-w"]);
    connected(command, target)
}

/// One of `tests/clients/python`.
pub(crate) fn python(script: &str, target: &Target) -> Command {
    let mut command = Command::new(root().join(".venv-test/bin/python"));
    command.arg("-B").arg(root().join("tests/clients/python").join(script));
    connected(command, target)
}

/// One of `tests/clients/node`.
pub(crate) fn node(script: &str, target: &Target) -> Command {
    let mut command = Command::new("node");
    command.arg(root().join("tests/clients/node").join(script));
    connected(command, target)
}

fn connected(mut command: Command, target: &Target) -> Command {
    command
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", target.port.to_string())
        .env("PGUSER", &target.user)
        .env("PGPASSWORD", &target.password)
        .env("PGDATABASE", &target.database)
        .env("PGCONNECT_TIMEOUT", "20")
        .env("PGSSLMODE", "disable")
        .env("PGGSSENCMODE", "disable")
        .env("PAGER", "cat")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC");
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// What a program printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Ran {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

/// Runs to the end with `input` on its stdin; killed after [`RUN_MAX`].
#[track_caller]
pub(crate) fn run(mut command: Command, input: &str) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; run `make setup`"));
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    std::thread::spawn(move || stdin.write_all(input.as_bytes()).ok());
    let pid = child.id();
    let output = finish(child, pid);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn finish(child: Child, pid: u32) -> Output {
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let end = now() + RUN_MAX;
    let watch = std::thread::spawn(move || {
        let left = end.saturating_duration_since(now());
        if is_done.recv_timeout(left) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            super::keyhole::signal(pid, "KILL");
        }
    });
    let output = child.wait_with_output().expect("a child of ours");
    drop(done);
    watch.join().expect("the watch does not panic");
    output
}
