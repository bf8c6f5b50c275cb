//! Ways to the database: several hosts, certificates, sockets, accounts.

#[path = "upstreams/pki.rs"]
pub(crate) mod pki;

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use pki::{Authority, Leaf};

use crate::support::keyhole::{Config, Keyhole, signal};
use crate::support::postgres::{APP_PASSWORD, Extras};
use crate::support::wait::until;
use crate::support::{Postgres, Version, programs};

const CATALOG: &str = r#"
[[class]]
name = "email"
mask = { kind = "email" }

[[table]]
name = "public.people"
columns = { email = "email" }

[[table]]
name = "other.people"
columns = { email = "email" }
"#;

/// Accounts that see different rows of `people`, and one that finds another table by that name.
const SCHEMA: &str = "\
CREATE TABLE people (id int PRIMARY KEY, email text, owner text);
INSERT INTO people VALUES (1, 'zoe@example.org', 'app'), (2, 'max@example.org', 'support_db');
CREATE SCHEMA other;
CREATE TABLE other.people (id int PRIMARY KEY, email text);
INSERT INTO other.people VALUES (7, 'ada@example.net');
CREATE ROLE support_db LOGIN PASSWORD 'support-secret';
CREATE ROLE certified LOGIN;
CREATE ROLE dora LOGIN PASSWORD 'app-secret';
ALTER ROLE support_db SET search_path = other, public;
GRANT USAGE ON SCHEMA other TO PUBLIC;
GRANT SELECT ON people, other.people TO PUBLIC;
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON people TO app USING (true);
CREATE POLICY own ON people TO support_db USING (owner = current_user);
";

const RULES: &str = "\
local   all certified reject
local   all all md5
hostssl all certified all cert
host    replication all 127.0.0.1/32 scram-sha-256
";

const SETTINGS: &str = "\
unix_socket_directories = 'DIR'
ssl = on
ssl_ca_file = 'ca.crt'
hot_standby = on
wal_keep_size = '64MB'
";

/// One cluster for all of these tests, one at a time, as some stop a server of it.
struct Cluster {
    authority: Authority,
    primary: Postgres,
    standby: Postgres,
}

fn cluster() -> MutexGuard<'static, Cluster> {
    static CLUSTER: OnceLock<Mutex<Cluster>> = OnceLock::new();
    let made = CLUSTER.get_or_init(|| {
        let authority = Authority::new("the authority");
        let leaf = authority.issue(Leaf::server("localhost"));
        let files =
            [("ca.crt", &*authority.pem), ("server.crt", &*leaf.cert), ("server.key", &*leaf.key)];
        let extras = Extras { settings: SETTINGS, rules: RULES, files: &files };
        let primary = Postgres::start_with(Version::V15, extras);
        let mut admin = primary.admin("postgres");
        admin.query(&format!("CREATE ROLE app LOGIN PASSWORD '{APP_PASSWORD}'")).ok();
        admin.query("CREATE DATABASE shop OWNER app").ok();
        primary.admin("shop").query(SCHEMA).ok();
        let standby = primary.standby();
        Mutex::new(Cluster { authority, primary, standby })
    });
    made.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    /// The standby first.
    fn hosts(&self) -> String {
        format!("127.0.0.1:{},127.0.0.1:{}", self.standby.port(), self.primary.port())
    }
}

/// A configuration with one `[[database]]` for each name and upstream; `more` for every entry.
fn config(entries: &[(&str, String)], more: &str) -> Config {
    let mut config = Config::new();
    std::fs::write(config.path().join("shop.toml"), CATALOG).expect("writable");
    for (name, upstream) in entries {
        config.push(
            "database",
            &format!(
                "name = '{name}'\nupstream = '{upstream}'\ncatalog = ['shop.toml']\n\
                 password_env = 'KEYHOLE_UPSTREAM_PASSWORD'\n{more}"
            ),
        );
    }
    config
}

fn check(config: &Config) -> (Option<i32>, String) {
    config.write();
    let file = config.file();
    let mut command = config.command(&["check", "--config", file.to_str().expect("UTF-8")]);
    let output = command.output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// What a session of `alice` on `database` says to `sql`, or the SQLSTATE of her refusal.
fn ask(proxy: &Keyhole, database: &str, sql: &str) -> String {
    match crate::support::Client::connect(&proxy.data("alice", database)) {
        Ok(mut client) => client.query(sql).scalar(),
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn hosts_are_chosen_by_what_they_are() {
    const RECOVERS: &str = "SELECT pg_is_in_recovery()";
    const EMAIL: &str = "SELECT email FROM people WHERE id = 1";
    let cluster = cluster();
    let wanted =
        ["any", "primary", "read-write", "read-only", "standby", "prefer-standby"].map(|wanted| {
            let hosts = cluster.hosts();
            (wanted, format!("postgres://app@{hosts}/shop?target_session_attrs={wanted}"))
        });
    let proxy = Keyhole::start(config(&wanted, ""));
    for (wanted, recovers) in [
        ("any", "t"),
        ("primary", "f"),
        ("read-write", "f"),
        ("read-only", "t"),
        ("standby", "t"),
        ("prefer-standby", "t"),
    ] {
        assert_eq!(ask(&proxy, wanted, RECOVERS), recovers, "{wanted}");
        assert_eq!(ask(&proxy, wanted, EMAIL), "z***@example.org", "{wanted}");
    }
    let mut sleeper = proxy.data("alice", "standby").connect();
    sleeper.start("SELECT pg_sleep(60)");
    let mut standby = cluster.standby.admin("shop");
    until("the query runs", || sleeps(&mut standby).then_some(()));
    sleeper.cancel().expect("the proxy listens");
    assert_eq!(sleeper.until_ready().code(), "57014", "on the server of the session");

    cluster.standby.stop();
    for (wanted, recovers) in
        [("any", "f"), ("read-write", "f"), ("prefer-standby", "f"), ("standby", "08006")]
    {
        assert_eq!(ask(&proxy, wanted, RECOVERS), recovers, "{wanted}, without the standby");
    }
    assert!(proxy.log().contains("a host of the database is passed over"), "{}", proxy.log());
    cluster.standby.start_again();
    until("the standby is asked again", || (ask(&proxy, "any", RECOVERS) == "t").then_some(()));
}

fn sleeps(admin: &mut crate::support::Client) -> bool {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' \
               AND state = 'active' AND pid <> pg_backend_pid()";
    admin.query(sql).scalar() != "0"
}

/// `support_db` is a role of the database here.
#[test]
fn a_login_that_is_passed_through_gets_the_host_that_is_wanted() {
    const RECOVERS: &str = "SELECT pg_is_in_recovery() || ' ' || current_user";
    let cluster = cluster();
    let wanted = ["any", "read-write", "standby", "prefer-standby"].map(|wanted| {
        let hosts = cluster.hosts();
        (wanted, format!("postgres://app@{hosts}/shop?target_session_attrs={wanted}"))
    });
    let mut config = config(&wanted, "");
    config.push("login", "method = 'passthrough'\nusers = ['support_db']");
    config.push("login", "method = 'scram'");
    let proxy = Keyhole::start(config);
    let ask = |database: &str| {
        let target = proxy.data("support_db", database).password("support-secret");
        match crate::support::Client::connect(&target) {
            Ok(mut client) => client.query(RECOVERS).scalar(),
            Err(error) => error.code().to_owned(),
        }
    };
    for (wanted, recovers) in
        [("any", "true"), ("read-write", "false"), ("standby", "true"), ("prefer-standby", "true")]
    {
        assert_eq!(ask(wanted), format!("{recovers} support_db"), "{wanted}");
    }
    let mut sleeper = proxy.data("support_db", "standby").password("support-secret").connect();
    sleeper.start("SELECT pg_sleep(60)");
    let mut standby = cluster.standby.admin("shop");
    until("the query runs", || sleeps(&mut standby).then_some(()));
    sleeper.cancel().expect("the proxy listens");
    assert_eq!(sleeper.until_ready().code(), "57014", "on the server of the session");
    cluster.standby.stop();
    for (wanted, said) in [
        ("any", "false support_db"),
        ("read-write", "false support_db"),
        ("standby", "08006"),
        ("prefer-standby", "false support_db"),
    ] {
        assert_eq!(ask(wanted), said, "{wanted}, without the standby");
    }
    cluster.standby.start_again();
}

#[test]
fn a_host_of_another_cluster_is_not_served() {
    let (cluster, stranger) = (cluster(), Postgres::shared());
    // There is a role `app` then.
    crate::support::traps::prepare(stranger);
    let mut admin = stranger.admin("postgres");
    admin.query("CREATE DATABASE shop").ok();
    admin.query("ALTER DATABASE shop SET default_transaction_read_only = on").ok();
    let upstream = format!(
        "postgres://app@127.0.0.1:{},127.0.0.1:{}/shop?target_session_attrs=read-only",
        cluster.primary.port(),
        stranger.port()
    );
    let proxy = Keyhole::start(config(&[("shop", upstream)], ""));
    assert_eq!(ask(&proxy, "shop", "SELECT 1"), "08006");
    assert!(proxy.log().contains("is not of its cluster"), "{}", proxy.log());
    drop(proxy);
    stranger.drop_database("shop");
}

#[test]
fn certificates_are_verified_as_asked() {
    let cluster = cluster();
    let port = cluster.primary.port();
    let strangers = Authority::new("another authority");
    let url = |host: &str, query: &str| format!("postgres://app@{host}:{port}/shop?{query}");
    let files = |config: &Config| {
        std::fs::write(config.path().join("ca.crt"), &cluster.authority.pem).expect("writable");
        std::fs::write(config.path().join("other.crt"), &strangers.pem).expect("writable");
    };
    let verdict = |host: &str, query: &str| {
        let config = config(&[("shop", url(host, query))], "");
        files(&config);
        check(&config)
    };
    for (host, query, good) in [
        ("localhost", "sslrootcert=ca.crt", true),
        ("localhost", "sslmode=verify-full&sslrootcert=ca.crt&channel_binding=require", true),
        ("127.0.0.1", "sslrootcert=ca.crt", false),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=ca.crt", true),
        ("127.0.0.1", "sslmode=require&sslrootcert=ca.crt", true),
        ("localhost", "sslrootcert=other.crt", false),
        ("localhost", "sslmode=verify-ca&sslrootcert=other.crt", false),
        ("localhost", "sslmode=require&channel_binding=require", true),
        ("localhost", "sslrootcert=system", false),
    ] {
        let (code, said) = verdict(host, query);
        assert_eq!(code, Some(i32::from(!good)), "{host} {query}: {said}");
        assert_eq!(said.contains("(a warning)"), query.starts_with("sslmode=require&ch"), "{said}");
    }

    let config = config(&[("shop", url("localhost", "sslrootcert=ca.crt"))], "");
    files(&config);
    let proxy = Keyhole::start(config);
    let mut session = proxy.data("alice", "shop").connect();
    let mut admin = cluster.primary.admin("postgres");
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE usename = 'app' AND NOT ssl";
    assert_eq!(admin.query(encrypted).scalar(), "0", "the proxy's own connection included");
    session.start("SELECT pg_sleep(60)");
    until("the query runs", || sleeps(&mut admin).then_some(()));
    session.cancel().expect("the proxy listens");
    assert_eq!(session.until_ready().code(), "57014");

    let expired = cluster.authority.issue(Leaf { expired: true, ..Leaf::server("localhost") });
    let good = cluster.authority.issue(Leaf::server("localhost"));
    let install = |leaf: &pki::Issued| {
        cluster.primary.replace(&[("server.crt", &leaf.cert), ("server.key", &leaf.key)]);
    };
    install(&expired);
    until("an expired certificate is refused", || {
        (ask(&proxy, "shop", "SELECT 1") == "08006").then_some(())
    });
    install(&good);
    until("the next one is taken", || (ask(&proxy, "shop", "SELECT 1") == "1").then_some(()));
}

#[test]
fn sessions_run_as_the_account_of_their_user() {
    let cluster = cluster();
    let port = cluster.primary.port();
    let certified = cluster.authority.issue(Leaf::client("certified"));
    let accounts = "application_name = '{application} [{user}]'\n\
        account = [\n\
          { users = ['group:support'], user = 'support_db', password_file = 'support.password' },\n\
          { users = ['bob'], user = 'certified', sslcert = 'c.crt', sslkey = 'c.key' },\n\
          { users = ['*'], user = '{user}', password_env = 'KEYHOLE_UPSTREAM_PASSWORD' },\n\
        ]";
    let upstream = format!("postgres://app@localhost:{port}/shop?sslrootcert=ca.crt");
    let config = config(&[("shop", upstream)], accounts);
    for (name, text) in [
        ("ca.crt", &*cluster.authority.pem),
        ("c.crt", &*certified.cert),
        ("c.key", &*certified.key),
        ("support.password", "support-secret\n"),
    ] {
        std::fs::write(config.path().join(name), text).expect("writable");
    }
    let (code, said) = check(&config);
    assert_eq!(code, Some(0), "{said}");
    let proxy = Keyhole::start(config);
    for (user, account) in [("alice", "support_db"), ("bob", "certified"), ("dora", "dora")] {
        let mut session = proxy.data(user, "shop").option("application_name", "report").connect();
        assert_eq!(session.query("SELECT current_user").scalar(), account, "{user}");
        let mut admin = cluster.primary.admin("shop");
        let sql =
            format!("SELECT application_name FROM pg_stat_activity WHERE usename = '{account}'");
        assert_eq!(admin.query(&sql).scalar(), format!("report [{user}]"));
        session.query("SET application_name = 'mine'").ok();
        assert_eq!(admin.query(&sql).scalar(), "mine", "what is set later is the client's");
    }
    // Her account's own path; the masks are those of the table that it finds.
    let mut alice = proxy.data("alice", "shop").connect();
    let both = "SELECT email, upper(email), id FROM people ORDER BY email";
    assert_eq!(alice.query(both).rows(), [["a***@example.net", "A***@EXAMPLE.NET", "7"]]);
    // Row-level security is her account's.
    let rows = alice.query("SELECT email, lower(email) FROM public.people").rows();
    assert_eq!(rows, [["m***@example.org", "m***@example.org"]]);
    let mut dora = proxy.data("dora", "shop").connect();
    assert_eq!(dora.query("SELECT count(*) FROM people").scalar(), "0", "no policy for dora");
}

#[test]
fn options_pass_and_replication_does_not() {
    let cluster = cluster();
    let socket = format!(
        "postgres://app@/shop?host={}&port={}",
        cluster.primary.dir().display(),
        cluster.primary.port()
    );
    let proxy = Keyhole::start(config(&[("shop", socket)], ""));
    let alice = proxy.data("alice", "shop");
    let mut session = alice.clone().option("options", "-c search_path=other").connect();
    let rows = session.query("SELECT email, upper(email) FROM people").rows();
    assert_eq!(rows, [["a***@example.net", "A***@EXAMPLE.NET"]]);
    let mut admin = cluster.primary.admin("postgres");
    session.start("SELECT pg_sleep(60)");
    until("the query runs", || sleeps(&mut admin).then_some(()));
    let local = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND client_port <> -1";
    assert_eq!(admin.query(local).scalar(), "0", "everything goes over the socket");
    session.cancel().expect("the proxy listens");
    assert_eq!(session.until_ready().code(), "57014", "over the socket");
    for value in ["database", "true", "on", "1", "yes"] {
        let refused = crate::support::Client::connect(&alice.clone().option("replication", value));
        let code = refused.map(|_| String::new()).map_err(|error| error.code().to_owned());
        assert_eq!(code.expect_err(value), "0A000", "{value}");
    }
    for options in ["-c replication=database", "--replication=database"] {
        let refused = crate::support::Client::connect(&alice.clone().option("options", options));
        let error = refused.map(|_| ()).expect_err(options);
        assert_eq!(error.code(), "42704", "{options}: the server knows no such setting");
    }
}

#[test]
fn two_versions_are_served_by_one_proxy() {
    let (cluster, new) = (cluster(), Postgres::shared_18());
    let mut admin = new.admin("postgres");
    crate::support::traps::prepare(new);
    admin.query("CREATE DATABASE upstreams OWNER app").ok();
    let mut inside = new.admin("upstreams");
    inside.query("CREATE TABLE people (id int, email text)").ok();
    inside.query("INSERT INTO people VALUES (1, 'eve@example.com')").ok();
    inside.query("GRANT SELECT ON people TO app").ok();
    let old = format!("postgres://app@{}/shop", cluster.hosts());
    let any = format!("postgres://app@127.0.0.1:{}/*", new.port());
    let proxy = Keyhole::start(config(&[("shop", old), ("*", any)], ""));
    let version = "SELECT current_setting('server_version_num')::int / 10000";
    let email = "SELECT email FROM people WHERE id = 1";
    for (database, number, hidden) in
        [("shop", "15", "z***@example.org"), ("upstreams", "18", "e***@example.com")]
    {
        assert_eq!(ask(&proxy, database, version), number);
        assert_eq!(ask(&proxy, database, email), hidden);
    }

    // A client of protocol 3.2 has a long key.
    let target = proxy.data("alice", "upstreams");
    let command = programs::psql(&target);
    let mut newest = Command::new(new.program("psql"));
    newest.args(command.get_args()).args(["-c", "SELECT pg_sleep(60)"]);
    newest.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    newest.env("PGMAXPROTOCOLVERSION", "3.2").env("PGMINPROTOCOLVERSION", "3.2");
    let child = newest.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    until("the query runs", || sleeps(&mut admin).then_some(()));
    signal(child.id(), "INT");
    let output = child.wait_with_output().expect("a child of ours");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("canceling statement due to user request"), "{said}");
}
