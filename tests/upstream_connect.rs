//! The proxy's own connections, against a real PostgreSQL 15.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use keyhole::model::{Secret, SqlState};
use keyhole::net::{Frames, tls};
use keyhole::upstream::cancel::cancel;
use keyhole::upstream::connect::{
    Binding, ConnectError, Connected, Target, Tls, connect, startup_parameters,
};
use keyhole::upstream::servers::{Host, Servers};
use keyhole::wire::backend::{ErrorFields, tag};
use keyhole::wire::write;
use tokio::io::AsyncWriteExt;

const CERTIFICATE: &[u8] = include_bytes!("../src/auth/login/tests/localhost.crt");
const KEY: &[u8] = include_bytes!("../src/auth/login/tests/localhost.key");

const RULES: &str = "\
host    all trusted all trust
host    all plain   all password
host    all hashed  all md5
host    all salted  all scram-sha-256
hostssl all sealed  all scram-sha-256
";

const ROLES: &str = "\
CREATE ROLE plain LOGIN PASSWORD 'right';
CREATE ROLE salted LOGIN PASSWORD 'rïght';
CREATE ROLE sealed LOGIN PASSWORD 'right';
SET password_encryption = 'md5';
CREATE ROLE hashed LOGIN PASSWORD 'right';
";

#[tokio::test]
async fn logs_in_with_every_method_and_cancels() {
    let server = Server::start();
    let role = |user: &str, password: Option<&str>| Target {
        servers: at("127.0.0.1", server.port),
        tls: Tls::Disable,
        binding: Binding::Prefer,
        user: user.to_owned(),
        database: "postgres".to_owned(),
        password: password.map(Secret::new),
    };

    let mut admin = server.await_login(&role("trusted", None)).await;
    assert_eq!(query(&mut admin, ROLES).await, None);

    for (user, password) in [("plain", "right"), ("hashed", "right"), ("salted", "rïght")] {
        let mut connected = log_in(&role(user, Some(password))).await.expect(user);
        assert!(!connected.stream.is_encrypted());
        assert_eq!(query(&mut connected, "select 1").await, None);
        assert_eq!(parameter(&connected, "session_authorization"), Some(user));

        let wrong = log_in(&role(user, Some("wrong"))).await.expect_err("a wrong password");
        assert_eq!(wrong.report().state, SqlState::INVALID_PASSWORD, "{user}");
        let none = log_in(&role(user, None)).await.expect_err("no password");
        assert!(matches!(none, ConnectError::PasswordMissing), "{user}: {none:?}");
    }

    let nowhere = Target { database: "nowhere".to_owned(), ..role("trusted", None) };
    let error = log_in(&nowhere).await.expect_err("no such database");
    assert_eq!(error.report().state, SqlState::INVALID_CATALOG_NAME);
    assert_eq!(error.report().message, "database \"nowhere\" does not exist");

    the_clients_settings_arrive(&role("trusted", None)).await;
    a_running_query_is_cancelled(&role("trusted", None)).await;

    let sealed = role("sealed", Some("right"));
    let error = log_in(&sealed).await.expect_err("pg_hba.conf wants TLS");
    assert_eq!(error.report().state, SqlState::INVALID_AUTHORIZATION);
    let roots = tls::roots(CERTIFICATE).expect("a good certificate");
    let verified = tls::ServerCertificate::Verified(Arc::clone(&roots));
    for certificate in [
        tls::ServerCertificate::Unverified,
        tls::ServerCertificate::Signed(Arc::clone(&roots)),
        verified.clone(),
    ] {
        let config = tls::client_config(certificate, None).expect("a good certificate");
        let sealed = Target { tls: Tls::Require(config), ..sealed.clone() };
        assert!(log_in(&sealed).await.expect("logs in").stream.is_encrypted());
        a_running_query_is_cancelled(&sealed).await;
    }

    // Right authority, wrong name.
    let config = tls::client_config(verified, None);
    let tls = Tls::Require(config.expect("a good certificate"));
    let elsewhere = Target { servers: at("127.0.0.2", server.port), tls, ..sealed.clone() };
    let error = log_in(&elsewhere).await.expect_err("the certificate is for 127.0.0.1");
    assert!(matches!(error, ConnectError::Tls(_)), "{error:?}");
}

fn at(name: &str, port: u16) -> Arc<Servers> {
    let host = Host::Tcp { name: name.to_owned(), port };
    Arc::new(Servers::new(vec![host], Duration::from_secs(20)))
}

async fn the_clients_settings_arrive(target: &Target) {
    let client = [("application_name", "höst"), ("options", "-c TimeZone=Asia/Tokyo")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let parameters = startup_parameters(target, &client, &[("client_encoding", "UTF8")]);
    let connected = connect(target, &parameters).await.expect("logs in");
    assert_eq!(parameter(&connected, "TimeZone"), Some("Asia/Tokyo"));
    assert_eq!(parameter(&connected, "client_encoding"), Some("UTF8"));
    assert_eq!(parameter(&connected, "application_name"), Some("h??st"), "as PostgreSQL has it");
}

async fn a_running_query_is_cancelled(target: &Target) {
    let mut connected = log_in(target).await.expect("logs in");
    let way = connected.way.clone();
    let key = connected.key.clone().expect("PostgreSQL sends one");
    let sleep = query(&mut connected, "select pg_sleep(60)");
    let stop = async {
        // The request is void until the query has begun; so it is repeated until it was heard.
        loop {
            cancel(&way, target, &key).await.expect("the server is there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let state = tokio::select! {
        state = sleep => state,
        () = stop => unreachable!("repeats for ever"),
    };
    assert_eq!(state, Some(SqlState::QUERY_CANCELED));
}

async fn log_in(target: &Target) -> Result<Connected, ConnectError> {
    connect(target, &startup_parameters(target, &[], &[])).await
}

fn parameter<'a>(connected: &'a Connected, name: &str) -> Option<&'a str> {
    let found = connected.parameters.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str())
}

/// Runs `sql`; the SQLSTATE if it fails.
async fn query(connected: &mut Connected, sql: &str) -> Option<SqlState> {
    let mut out = Vec::new();
    write::query(&mut out, sql).expect("no zero byte");
    connected.stream.write_all(&out).await.expect("connected");
    connected.stream.flush().await.expect("connected");
    let mut frames = Frames::default();
    let mut state = None;
    loop {
        let frame = frames.next(&mut connected.stream, 1_000_000).await.expect("an answer");
        match frame.tag {
            tag::READY_FOR_QUERY => return state,
            tag::ERROR_RESPONSE => {
                let fields = ErrorFields::read(&frame.payload).expect("well-formed");
                state = fields.get(b'C').and_then(SqlState::parse);
            }
            _ => {}
        }
    }
}

/// A server of this test. A shell waits on a pipe that this process holds, so that server and files
/// go however the test ends.
struct Server {
    port: u16,
    supervisor: Child,
    log: PathBuf,
}

const SUPERVISOR: &str = r#"
trap '' INT TERM HUP
"$1/postgres" -D "$2/data" >"$2/log" 2>&1 </dev/null &
cat >/dev/null
kill -QUIT $!
wait $!
rm -rf "$2"
"#;

impl Server {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("keyhole-pg-").tempdir().expect("a directory");
        let dir = dir.keep();
        let user = unprivileged();
        let command = |program: &Path| {
            let mut command = Command::new(program);
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid).current_dir("/").env("HOME", "/");
            }
            command
        };
        let own = |path: &Path| {
            if let Some((uid, gid)) = user {
                chown(path, Some(uid), Some(gid)).expect("root may chown");
            }
        };
        own(&dir);

        let bin = binaries();
        let data = dir.join("data");
        let made = command(&bin.join("initdb"))
            .args(["-U", "trusted", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-A", "reject"])
            .arg("-D")
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        let settings = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1,127.0.0.2'\nunix_socket_directories = ''\n\
             fsync = off\nautovacuum = off\nssl = on\n"
        );
        let files: [(&str, &[u8]); 4] = [
            ("postgresql.conf", settings.as_bytes()),
            ("pg_hba.conf", RULES.as_bytes()),
            ("server.crt", CERTIFICATE),
            ("server.key", KEY),
        ];
        for (name, content) in files {
            let path = data.join(name);
            let mut file = std::fs::File::create(&path).expect("initdb made the directory");
            file.write_all(content).expect("writable");
            file.set_permissions(PermissionsExt::from_mode(0o600)).expect("ours");
            own(&path);
        }
        drop(free);
        let supervisor = command(Path::new("sh"))
            .args(["-c", SUPERVISOR, "keyhole-pg"])
            .args([&bin, &dir])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a shell");
        Self { port, supervisor, log: dir.join("log") }
    }

    async fn await_login(&self, target: &Target) -> Connected {
        for _ in 0..300 {
            if let Ok(connected) = log_in(target).await {
                return connected;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        panic!("the server did not start:\n{log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.supervisor.stdin.take();
        self.supervisor.wait().ok();
    }
}

fn binaries() -> PathBuf {
    if let Some(place) = std::env::var_os("KEYHOLE_TEST_PG15_BIN") {
        return place.into();
    }
    let places =
        ["/usr/lib/postgresql/15/bin", "/usr/pgsql-15/bin", "/opt/homebrew/opt/postgresql@15/bin"];
    let found = places.iter().map(Path::new).find(|place| place.join("initdb").exists());
    found.expect("PostgreSQL 15's binaries; else set KEYHOLE_TEST_PG15_BIN").to_owned()
}

/// User and group that the server runs as, which refuses root.
fn unprivileged() -> Option<(u32, u32)> {
    if std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() != 0) {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").expect("a password file");
    let ids = |name: &str| {
        let line = passwd.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).expect("a user who is not root"))
}
