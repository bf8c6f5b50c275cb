//! Logins whose proof the database keeps: its own SCRAM exchange, passed through.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use toml::{Table, Value};

use crate::desk::{EMAIL, REQUEST, Shop, email, masked};
use crate::support::client::{ConnectError, frame, query};
use crate::support::keyhole::Config;
use crate::support::postgres::Extras;
use crate::support::programs::{self, Ran, run};
use crate::support::traps::{self, Variant};
use crate::support::wait::until;
use crate::support::{Client, Keyhole, Message, Postgres, ServerError, Talker, Target, Version};
use crate::upstreams::pki::{Authority, Leaf};

/// As long as PostgreSQL's names may be.
const LONG: &str = "long_long_long_long_long_long_long_long_long_long_long_long_lon";

const RULES: &str = "\
host all trusted all trust
host all cleartext all password
host all hashed all md5
host all stranger all reject
";

const ROLES: &str = "\
CREATE ROLE readers;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO readers;
CREATE ROLE pia LOGIN PASSWORD 'pia-secret' IN ROLE readers;
CREATE ROLE \"Zoë\" LOGIN PASSWORD 'pia-secret' IN ROLE readers;
CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'pia-secret';
CREATE ROLE late LOGIN PASSWORD 'pia-secret' VALID UNTIL '2020-01-01';
CREATE ROLE asleep NOLOGIN PASSWORD 'pia-secret';
CREATE ROLE trusted LOGIN;
CREATE ROLE cleartext LOGIN PASSWORD 'pia-secret';
CREATE ROLE stranger LOGIN PASSWORD 'pia-secret';
SET password_encryption = 'md5';
CREATE ROLE hashed LOGIN PASSWORD 'pia-secret';
RESET password_encryption;
";

/// A server with TLS and people of its own.
fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| {
        let leaf = Authority::new("the authority").issue(Leaf::server("localhost"));
        let files = [("server.crt", &*leaf.cert), ("server.key", &*leaf.key)];
        let settings = "ssl = on\nunix_socket_directories = 'DIR'\n";
        let extras = Extras { settings, rules: RULES, files: &files };
        let server = Postgres::start_with(Version::V15, extras);
        traps::create(&server, "people", Variant::A);
        let mut admin = server.admin("people");
        admin.query(ROLES).ok();
        admin.query(&format!("CREATE ROLE {LONG} LOGIN PASSWORD 'pia-secret'")).ok();
        server
    })
}

/// The server's database `people` as `shop`, without TLS, and as `sealed`, with it. Nobody but who
/// is named here has a `[[user]]`, and the console takes the passwords of the configuration.
fn shop_with(change: impl FnOnce(Config) -> Config) -> Shop {
    let server = server();
    let mut config = Config::new();
    std::fs::write(config.path().join("shop.toml"), traps::CATALOG).expect("writable");
    for (name, sslmode) in [("shop", "disable"), ("sealed", "require")] {
        let port = server.port();
        config.push(
            "database",
            &format!(
                "name = '{name}'\ncatalog = ['shop.toml']\n\
                 upstream = 'postgres://app@127.0.0.1:{port}/people?sslmode={sslmode}'\n\
                 application_name = '{{application}} [{{user}}]'\n\
                 password_env = 'KEYHOLE_UPSTREAM_PASSWORD'"
            ),
        );
    }
    config.push("login", "method = 'passthrough'");
    config.push("login", "method = 'scram'");
    let proxy = Keyhole::start(change(config));
    Shop { server, database: "people".to_owned(), proxy }
}

fn shop() -> Shop {
    shop_with(|config| config)
}

fn of(shop: &Shop, user: &str) -> Target {
    shop.proxy.data(user, "shop").password("pia-secret")
}

fn pia(shop: &Shop) -> Target {
    of(shop, "pia")
}

#[track_caller]
fn refused(target: &Target) -> ServerError {
    match Client::connect(target) {
        Ok(_) => panic!("{}: let in", target.user),
        Err(ConnectError::Server(error)) => error,
        Err(error) => panic!("{}: {error}", target.user),
    }
}

/// Reasons of the failed logins on record.
fn failures(shop: &Shop, user: &str) -> Vec<String> {
    let log = shop.proxy.audit_text();
    let of_user = log.lines().filter(|line| {
        line.contains(r#""kind":"login_failed""#) && line.contains(&format!("\"user\":\"{user}\""))
    });
    let failed = of_user.filter_map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).ok()?;
        let field = |name: &str| Some(record.get(name)?.as_str()?.to_owned());
        (field("method")? == "passthrough").then(|| field("reason"))?
    });
    failed.collect()
}

#[test]
fn the_databases_user_sees_masks_and_with_a_grant_the_values() {
    let shop = shop();
    let mut session = pia(&shop).option("application_name", "report").connect();
    assert_eq!(session.query("SELECT current_user || session_user").scalar(), "piapia");
    assert_eq!(session.query("SHOW application_name").scalar(), "report [pia]");
    let user = session.parameters.iter().find(|(name, _)| name == "session_authorization");
    assert_eq!(user.map(|(_, user)| &**user), Some("pia"));
    assert_eq!(session.query(EMAIL).scalar(), masked(&email()));
    let mut dba = shop.dba();
    dba.grant("public.customers.email", "pia");
    assert_eq!(session.query(EMAIL).ok().scalar(), email());
    assert_eq!(of(&shop, "Zoë").connect().query(EMAIL).scalar(), masked(&email()));
    dba.revoke("pia");
    assert_eq!(session.query(EMAIL).scalar(), masked(&email()));
    session.query(REQUEST).ok();
    dba.approve("pia");
    assert_eq!(session.query(EMAIL).ok().scalar(), email());
    let log = shop.proxy.audit_text();
    let login = log.lines().find(|line| line.contains(r#""kind":"login""#) && line.contains("pia"));
    assert!(login.is_some_and(|line| line.contains(r#""method":"passthrough""#)), "{log}");
    assert!(!log.contains("pia-secret") && !shop.proxy.log().contains("pia-secret"));
}

#[test]
fn a_query_is_cancelled() {
    let shop = shop();
    for database in ["shop", "sealed"] {
        let mut session = Target { database: database.to_owned(), ..pia(&shop) }.connect();
        session.start("SELECT pg_sleep(60)");
        let mut admin = shop.server.admin("people");
        let works = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'pia' \
                     AND query LIKE 'SELECT pg_sleep%' AND state = 'active'";
        until("the query runs", || (admin.query(works).scalar() != "0").then_some(()));
        session.cancel().expect("the proxy listens");
        assert_eq!(session.until_ready().code(), "57014", "{database}");
        assert_eq!(session.query("SELECT 1").ok().scalar(), "1");
    }
}

#[test]
fn groups_and_roles_of_the_configuration_are_added() {
    let shop = shop_with(|mut config| {
        config.push("user", "name = 'pia'\ngroups = ['support']\nroles = ['ddl']");
        config
    });
    let mut session = pia(&shop).connect();
    shop.dba().say(
        "GRANT READ ON shop.public.customers.email TO GROUP support FOR '5 min' REASON 'INC-7: x'",
    );
    assert_eq!(session.query(EMAIL).ok().scalar(), email());
    let mine = session.query("SELECT count(*) FROM keyhole.my_grants").ok().scalar();
    assert_eq!(mine, "1");
    // DDL is the role's as far as the proxy is concerned, and the database's after that.
    let reply = session.query("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    let error = reply.error().expect("no right to do so");
    assert_eq!(error.text(), "permission denied for schema public");
}

#[test]
fn whoever_fails_is_told_what_the_database_says_and_no_more() {
    let shop = shop();
    for user in ["pia", "nobody", "late", "alice", "PIA"] {
        let password = if user == "late" { "pia-secret" } else { "alice-secret" };
        let error = refused(&of(&shop, user).password(password));
        let direct = Target::new(shop.server.port(), user, password, "people");
        let same = refused(&direct);
        let told = |error: &ServerError| {
            ['S', 'C', 'M', 'D', 'H'].map(|code| error.field(code).map(str::to_owned))
        };
        assert_eq!(told(&error), told(&same));
        assert_eq!(error.code(), "28P01");
        until("it is on record", || (failures(&shop, user) == ["password"]).then_some(()));
    }
    let asleep = refused(&of(&shop, "asleep"));
    assert_eq!(
        (asleep.code(), asleep.text()),
        ("28000", "role \"asleep\" is not permitted to log in")
    );
    assert_eq!(refused(&of(&shop, "asleep").password("x")).code(), "28P01");
    let rejected = refused(&of(&shop, "stranger"));
    assert_eq!(rejected.code(), "28000");
    assert!(rejected.text().contains("pg_hba.conf rejects connection"), "{rejected}");
    let (_, metrics) = shop.proxy.http("/metrics");
    assert!(metrics.contains("keyhole_logins_total{result=\"refused\"} 6"), "{metrics}");
}

#[test]
fn what_proves_nothing_or_cannot_be_passed_on_is_refused_with_a_hint() {
    let shop = shop();
    for (user, code, words) in [
        ("trusted", "28000", "asks for no password"),
        ("cleartext", "0A000", "asks for a password in clear text"),
        ("hashed", "0A000", "asks for an MD5 hash"),
    ] {
        let error = refused(&of(&shop, user));
        assert_eq!(error.code(), code, "{error}");
        assert!(error.text().contains(words), "{error}");
        assert!(error.field('H').is_some_and(|hint| hint.contains("scram-sha-256")), "{error}");
    }
}

#[test]
fn names_mean_the_same_to_both_sides() {
    let shop = shop();
    assert_eq!(of(&shop, LONG).connect().query("SELECT current_user").scalar(), LONG);
    // PostgreSQL would cut it off and let it in.
    let longer = format!("{LONG}g");
    assert_eq!(refused(&of(&shop, &longer)).code(), "28000");
    assert_eq!(refused(&of(&shop, "")).code(), "28000");
    let mut zoe = of(&shop, "Zoë").connect();
    assert_eq!(zoe.query("SELECT current_user").scalar(), "Zoë");
    let latin = of(&shop, "Zoë").option("client_encoding", "LATIN1");
    assert_eq!(refused(&latin).code(), "08006", "her name comes back in other bytes");
    let latin = pia(&shop).option("client_encoding", "LATIN1");
    assert_eq!(latin.connect().query("SHOW client_encoding").scalar(), "LATIN1");
    // Whoever may become somebody else does so after the login, on record.
    let boss = of(&shop, "boss");
    assert_eq!(boss.connect().query("SHOW is_superuser").scalar(), "on");
    assert_eq!(boss.connect().query(EMAIL).scalar(), masked(&email()));
    let mut other = boss.clone().option("options", "-c session_authorization=pia").connect();
    assert_eq!(other.query("SELECT current_user || session_user").scalar(), "bossboss");
    let role = boss.option("options", "-c role=readers");
    assert_eq!(role.connect().query("SELECT current_user || session_user").scalar(), "readersboss");
}

#[test]
fn startup_parameters_are_those_of_other_sessions() {
    let shop = shop();
    let target = pia(&shop).option("options", "-c search_path=pg_catalog -c work_mem=1MB");
    let mut session = target.option("TimeZone", "Asia/Tokyo").connect();
    assert_eq!(session.query("SHOW work_mem").scalar(), "1MB");
    assert_eq!(session.query("SHOW TimeZone").scalar(), "Asia/Tokyo");
    let sql = "SELECT email FROM public.customers WHERE id = 5";
    assert_eq!(session.query(sql).scalar(), masked(&email()));
    for value in ["database", "true", "1"] {
        assert_eq!(refused(&pia(&shop).option("replication", value)).code(), "0A000", "{value}");
    }
    let nowhere = Target { database: "nowhere".to_owned(), ..pia(&shop) };
    assert_eq!(refused(&nowhere).text(), "database \"nowhere\" does not exist");
}

/// psql over TLS to the proxy, which has a certificate.
fn psql(shop: &Shop, database: &str, binding: &str) -> Ran {
    let mut command = programs::psql(&Target { database: database.to_owned(), ..pia(shop) });
    command.env("PGSSLMODE", "require").env("PGCHANNELBINDING", binding);
    command.args(["-At", "-c", EMAIL]);
    run(command, "")
}

#[test]
fn over_tls_a_login_passes_unless_the_client_believes_to_be_deceived() {
    let shop = shop_with(|config| {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/auth/login/tests");
        let file = |name: &str| Value::from(keys.join(name).to_str().expect("UTF-8"));
        let mut tls = Table::new();
        tls.insert("cert".to_owned(), file("localhost.crt"));
        tls.insert("key".to_owned(), file("localhost.key"));
        config.set("data", "tls", tls)
    });
    for (database, binding) in [("shop", "prefer"), ("shop", "disable"), ("sealed", "disable")] {
        let ran = psql(&shop, database, binding).ok();
        assert_eq!(ran.out.trim(), masked(&email()), "{database} {binding}");
    }
    let ran = psql(&shop, "sealed", "prefer");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("offers channel binding"), "{ran:?}");
    assert!(ran.err.contains("HINT:  Connect with channel_binding=disable"), "{ran:?}");
    for database in ["shop", "sealed"] {
        let ran = psql(&shop, database, "require");
        assert!(ran.code == Some(2) && ran.err.contains("channel binding"), "{ran:?}");
    }
    // Without TLS there is nothing to bind, and nobody to believe.
    let sealed = Target { database: "sealed".to_owned(), ..pia(&shop) };
    let mut session = sealed.connect();
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(session.query(encrypted).scalar(), "t");
}

#[test]
fn drivers_log_in() {
    let shop = shop();
    let url = pia(&shop).url();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let row = runtime.expect("a runtime").block_on(async {
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a session");
        let querying = client.query_one(EMAIL, &[]);
        tokio::select! {
            row = querying => row.expect("a row").get::<_, String>(0),
            _ = connection => panic!("the connection ended"),
        }
    });
    assert_eq!(row, masked(&email()));
    let target = pia(&shop);
    for program in [
        programs::python("loop_psycopg.py", &target),
        programs::python("loop_asyncpg.py", &target),
        programs::node("loop_pg.js", &target),
    ] {
        let answer = Talker::start(program).ask("read");
        let ways: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&answer).expect("JSON");
        assert!(ways.len() >= 4 && ways.values().all(|way| *way == masked(&email())), "{answer}");
    }
}

#[test]
fn a_server_of_version_18_says_the_same() {
    let server = Postgres::shared_18();
    traps::prepare(server);
    server.admin("postgres").query("CREATE ROLE pia LOGIN PASSWORD 'pia-secret'").ok();
    let mut config = Config::new().database("shop", server, "postgres", "");
    config.push("login", "method = 'passthrough'\nusers = ['pia']");
    config.push("login", "method = 'scram'");
    let proxy = Keyhole::start(config);
    let pia = proxy.data("pia", "shop").password("pia-secret");
    assert_eq!(pia.connect().query("SELECT current_user").scalar(), "pia");
    assert_eq!(refused(&pia.password("wrong")).code(), "28P01");
    let alice = proxy.data("alice", "shop").connect().query("SELECT current_user").scalar();
    assert_eq!(alice, "app", "whom the next rule is about");
}

#[test]
fn guesses_wait() {
    let shop = shop();
    for _ in 0..5 {
        assert_eq!(refused(&pia(&shop).password("guess")).code(), "28P01");
    }
    let (_, metrics) = shop.proxy.http("/metrics");
    assert!(metrics.contains("keyhole_login_delays_total{outcome=\"waited\"} 3"), "{metrics}");
    until("all are on record", || (failures(&shop, "pia").len() == 5).then_some(()));
    assert_eq!(pia(&shop).connect().query("SELECT 1").scalar(), "1", "who knows does not");
    assert_eq!(refused(&pia(&shop).password("guess")).code(), "28P01");
    let (_, metrics) = shop.proxy.http("/metrics");
    assert!(metrics.contains("keyhole_login_delays_total{outcome=\"waited\"} 3"), "{metrics}");
}

/// A connection on which a client does what no client should.
struct Raw(TcpStream);

impl Raw {
    fn start(shop: &Shop, behind: &[u8]) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", shop.proxy.data_port())).expect("open");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let body = b"\0\x03\0\0user\0pia\0database\0shop\0\0";
        let len = u32::try_from(body.len() + 4).expect("short");
        stream.write_all(&[&len.to_be_bytes()[..], body, behind].concat()).expect("open");
        Self(stream)
    }

    fn message(&mut self) -> Option<Message> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head).ok()?;
        let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; len as usize - 4];
        self.0.read_exact(&mut body).ok()?;
        Some(Message { tag: head[0], body })
    }

    /// The whole exchange, with these bytes in one piece with the last of it.
    fn prove(&mut self, behind: &[u8]) {
        let mut scram = ScramSha256::new(b"pia-secret", ChannelBinding::unsupported());
        assert_eq!(self.message().expect("an offer").body, b"\0\0\0\x0aSCRAM-SHA-256\0\0");
        let first = scram.message().to_vec();
        let len = u32::try_from(first.len()).expect("short").to_be_bytes();
        let initial = frame(b'p', &[b"SCRAM-SHA-256\0", &len[..], &first].concat());
        self.0.write_all(&initial).expect("open");
        let challenge = self.message().expect("a challenge");
        scram.update(&challenge.body[4..]).expect("a challenge");
        let last = [&frame(b'p', scram.message())[..], behind].concat();
        self.0.write_all(&last).expect("open");
        let signature = self.message().expect("a signature");
        scram.finish(&signature.body[4..]).expect("the server knows the password, too");
        assert_eq!(self.message().expect("ok").body, [0; 4]);
    }

    fn rest(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.message()).collect()
    }
}

#[test]
fn what_is_sent_ahead_goes_through_the_gates() {
    let shop = shop();
    let mut raw = Raw::start(&shop, b"");
    let upper = EMAIL.replace("email", "upper(email)");
    raw.prove(&[query(EMAIL), query(&upper), frame(b'X', b"")].concat());
    let rest = raw.rest();
    let rows: Vec<_> = rest.iter().filter(|message| message.tag == b'D').collect();
    let value = |row: &Message| String::from_utf8(row.row()[0].clone().expect("not null"));
    assert_eq!(value(rows[0]), Ok(masked(&email())));
    assert_eq!(value(rows[1]), Ok(masked(&email()).to_uppercase()));

    let mut raw = Raw::start(&shop, &query(EMAIL));
    assert_eq!(raw.message().expect("an offer").tag, b'R');
    let error = raw.message().expect("a refusal").error();
    assert_eq!(error.code(), "08P01", "{error}");
    assert!(raw.message().is_none());
    let mut raw = Raw::start(&shop, &frame(b'p', &[b'x'; 5000]));
    assert_eq!(raw.rest().last().expect("a refusal").error().code(), "08P01");
}

/// How many files and connections the proxy has open.
fn open_files(shop: &Shop) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", shop.proxy.pid())).expect("ours").count()
}

#[test]
fn a_client_that_leaves_or_dawdles_keeps_no_connection() {
    let shop = shop_with(|config| config.set("data", "login_timeout", "5s"));
    drop(pia(&shop).connect());
    let before = open_files(&shop);
    // Each login under way has two ends; a few files may come and go beside them.
    let waiting = || {
        let mut waiting: Vec<Raw> = (0..10).map(|_| Raw::start(&shop, b"")).collect();
        for raw in &mut waiting {
            assert_eq!(raw.message().expect("an offer").tag, b'R');
        }
        assert!(open_files(&shop) + 5 >= before + 20);
        waiting
    };
    let closed = || (open_files(&shop) <= before + 5).then_some(());
    drop(waiting());
    until("both ends are closed", closed);
    let mut slow = waiting();
    for raw in &mut slow {
        assert!(raw.message().is_none(), "until login_timeout is over");
    }
    until("both ends are closed", closed);
    assert!(failures(&shop, "pia").is_empty(), "nobody failed");
    assert_eq!(pia(&shop).connect().query("SELECT 1").scalar(), "1");
}

#[test]
fn places_are_for_those_who_log_in_too() {
    let shop = shop_with(|config| config.set("data", "connections_max", 2));
    let (_session, mut silent) = (pia(&shop).connect(), Raw::start(&shop, b""));
    assert_eq!(silent.message().expect("an offer").tag, b'R');
    assert_eq!(refused(&pia(&shop)).code(), "53300");
    drop(silent);
    until("the place is free", || Client::connect(&pia(&shop)).ok());
    let shop = shop_with(|config| config.set("data", "connections_per_user", 1));
    let _session = pia(&shop).connect();
    assert_eq!(refused(&pia(&shop)).code(), "53300");
    assert_eq!(refused(&pia(&shop).password("wrong")).code(), "28P01", "the proof comes first");
}

#[test]
fn the_console_is_not_the_databases() {
    let shop = shop();
    let error = refused(&shop.proxy.control("boss").password("pia-secret"));
    assert_eq!(error.code(), "28P01", "the next rule decides: {error}");
    shop.dba().say("SHOW GRANTS");
}

#[test]
fn a_reload_and_a_drain_find_logins_under_way() {
    let mut shop = shop();
    let mut session = pia(&shop).connect();
    let text = std::fs::read_to_string(shop.proxy.config.file()).expect("readable");
    let text = text.replacen("\"passthrough\"", "\"reject\"", 1);
    let mut waiting = Raw::start(&shop, b"");
    until("it is offered something", || waiting.0.peek(&mut [0; 8]).ok().filter(|len| *len > 0));
    shop.proxy.config.write_text(&text);
    let said = shop.proxy.control("dora").connect().query("RELOAD");
    assert_eq!(said.code(), "", "{said:?}");
    assert_eq!(refused(&pia(&shop)).code(), "28000");
    waiting.prove(b"");
    assert!(waiting.message().is_some(), "it began under the old rules");
    assert_eq!(session.query("SELECT 1").ok().scalar(), "1");

    let mut late = Raw::start(&shop, b"");
    shop.proxy.signal("TERM");
    assert!(late.rest().len() <= 1);
    assert_eq!(session.until_ready().code(), "57P01");
    assert_eq!(shop.proxy.wait().code(), Some(0));
}
