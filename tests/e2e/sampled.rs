//! The running proxy looks at values now and then: what they say is told as drift, and nothing of
//! them is in its log.

use crate::desk::Dba;
use crate::support::keyhole::Config;
use crate::support::postgres::{APP_PASSWORD, Extras, Version};
use crate::support::traps;
use crate::support::wait::until;
use crate::support::{Client, Keyhole, Postgres};

/// In every value.
const CANARY: &str = "zq7";

const TABLES: &str = "
    CREATE TABLE people (id int, email text);
    INSERT INTO people SELECT n, 'zq7p' || n || '@example.com' FROM generate_series(1, 300) n;
    CREATE TABLE notes (id int, c1 text);
    INSERT INTO notes SELECT n, 'zq7n' || n || '@example.com' FROM generate_series(1, 300) n;
    CREATE TABLE flags (id int, email text);
    INSERT INTO flags SELECT n, n FROM generate_series(1, 300) n;
    CREATE TABLE empty (email text);";

const CATALOG: &str = r#"
[[class]]
name = "email"
mask = { kind = "email" }

[[table]]
name = "public.people"
columns = { email = "email" }
"#;

/// What values say, what a name said before they spoke, and what only a name can say.
const BY_VALUES: &str = "public.notes.c1 is not in the catalog: it looks like class \"email\" \
                         (of its values: e-mail addresses)";
const BY_NAME: &str =
    "public.flags.email is not in the catalog: it looks like class \"email\" (the name";
const EMPTY: &str = "public.empty.email is not in the catalog: it looks like class \"email\"";

const ROUND: &str = "some rows of each table were read";

struct Sampled {
    proxy: Keyhole,
    direct: Client,
}

impl Sampled {
    /// A database of the account `app`, behind a proxy of its own.
    fn on(server: &Postgres, name: &str, catalog: &str, change: fn(Config) -> Config) -> Self {
        server.create_database(name, "template0");
        let mut direct = server.direct(name).connect();
        direct.query(TABLES).ok();
        let config = Config::new().database("shop", server, name, catalog);
        let proxy = Keyhole::start(change(config.set("schema", "refresh", "1s")));
        Self { proxy, direct }
    }

    fn tells(&self) -> Vec<String> {
        let reply = Dba::at(&self.proxy.control("dora")).say("SHOW DRIFT");
        let what = reply.columns().iter().position(|column| column.name == "what");
        let what = what.expect("SHOW DRIFT has what it says");
        reply.rows().into_iter().map(|row| row[what].clone()).collect()
    }

    /// Whether just the sentences are told that begin with these.
    fn tells_just(&self, words: &[&str]) -> bool {
        let told = self.tells();
        let are = words.iter().all(|words| told.iter().any(|told| told.starts_with(words)));
        are && told.len() == words.len()
    }

    fn until_it_tells_just(&self, words: &[&str]) {
        until(&format!("{words:?} and nothing else"), || self.tells_just(words).then_some(()));
    }

    fn reload(&self, text: &str) {
        self.proxy.config.write_text(text);
        Dba::at(&self.proxy.control("dora")).say("RELOAD");
    }

    fn count(&self, words: &str) -> usize {
        self.proxy.log().matches(words).count()
    }

    fn until_rounds_are_over(&self, words: &str) {
        let before = self.count(words);
        // The one that goes on may have begun before.
        until(words, || (self.count(words) > before + 1).then_some(()));
    }
}

/// A server that notes every statement, and who sent it.
fn noting(version: Version) -> Postgres {
    let settings = "log_statement = 'all'\nlog_line_prefix = '<%a> '\n";
    let server = Postgres::start_with(version, Extras { settings, ..Extras::default() });
    let account = format!("CREATE ROLE app LOGIN PASSWORD '{APP_PASSWORD}'");
    server.admin("postgres").query(&account).ok();
    server
}

/// The statements of the sampling sessions, in order; others have read no table.
fn statements(server: &Postgres) -> Vec<String> {
    let log = std::fs::read_to_string(server.dir().join("log")).expect("a log");
    let lines = log.lines().filter(|line| line.contains("LOG:  "));
    let (own, others): (Vec<&str>, Vec<&str>) =
        lines.partition(|line| line.starts_with("<keyhole scan> "));
    let read = others.iter().find(|line| line.contains("FROM \"public\".\"notes\""));
    assert_eq!(read, None, "read by somebody else");
    own.into_iter().map(str::to_owned).collect()
}

fn values_are_looked_at(version: Version) {
    let server = noting(version);
    let shop = Sampled::on(&server, "sampled", CATALOG, |config| config);
    // Nobody has asked for it.
    shop.until_it_tells_just(&[BY_NAME, EMPTY]);
    assert_eq!(shop.count(ROUND), 0);

    let without = shop.proxy.config.text();
    let with = format!("{without}\n[discovery]\nevery = \"1s\"\n");
    shop.reload(&with);
    shop.until_it_tells_just(&[BY_VALUES, EMPTY]);
    shop.reload(&without);
    shop.until_it_tells_just(&[BY_NAME, EMPTY]);
    shop.reload(&with);
    shop.until_it_tells_just(&[BY_VALUES, EMPTY]);

    // What was found stays while nothing can be read, and is read again then.
    server.stop();
    until("a round fails", || (shop.count("values were not looked at") > 0).then_some(()));
    assert!(shop.tells_just(&[BY_VALUES, EMPTY]), "{:?}", shop.tells());
    server.start_again();
    shop.until_rounds_are_over(ROUND);

    let decided = CATALOG.to_owned() + "[[table]]\nname = 'public.notes'\ncolumns.c1 = 'clear'\n";
    std::fs::write(shop.proxy.config.path().join("shop.toml"), decided).expect("writable");
    shop.reload(&with);
    shop.until_it_tells_just(&[EMPTY]);
    shop.until_rounds_are_over(ROUND);

    let sent = statements(&server);
    let at = |words: &str| sent.iter().rposition(|line| line.contains(words));
    let read = at("\"c1\"").expect("it was read");
    assert!(sent[read].contains(" FROM \"public\".\"notes\" LIMIT 500"), "{}", sent[read]);
    assert!(sent[read - 1].contains("START TRANSACTION READ ONLY"), "{}", sent[read - 1]);
    let last = at(" FROM \"public\".\"notes\"").expect("the table goes on to be read");
    assert!(!sent[last].contains("\"c1\""), "what is decided is not read: {}", sent[last]);
    let is_of_people = |line: &&String| line.contains(" FROM \"public\".\"people\"");
    let of_people: Vec<&String> = sent.iter().filter(is_of_people).collect();
    assert!(!of_people.is_empty(), "{sent:#?}");
    assert!(of_people.iter().all(|line| !line.contains("email")), "{of_people:#?}");
    assert!(!shop.proxy.log().contains(CANARY), "{}", shop.proxy.log());
}

#[test]
fn values_are_looked_at_on_postgresql_15() {
    values_are_looked_at(Version::V15);
}

#[test]
fn values_are_looked_at_on_postgresql_18() {
    values_are_looked_at(Version::V18);
}

fn every_second(config: Config) -> Config {
    config.set("discovery", "every", "1s")
}

#[test]
fn a_table_that_cannot_be_read_keeps_what_was_found() {
    let server = Postgres::shared();
    // Makes the account, too.
    traps::prepare(server);
    let mut shop = Sampled::on(server, "sampled_locked", CATALOG, every_second);
    shop.until_it_tells_just(&[BY_VALUES, EMPTY]);
    shop.direct.query("BEGIN").ok();
    shop.direct.query("LOCK TABLE notes, flags IN ACCESS EXCLUSIVE MODE").ok();
    shop.until_rounds_are_over("passed_over=2");
    assert!(shop.tells_just(&[BY_VALUES, EMPTY]), "{:?}", shop.tells());
    shop.direct.query("TRUNCATE notes, flags").ok();
    shop.direct.query("COMMIT").ok();
    // The names speak again.
    shop.until_it_tells_just(&[BY_NAME, EMPTY]);

    shop.direct
        .query("INSERT INTO notes SELECT n, 'zq7' || n || '@x.com' FROM generate_series(1, 9) n")
        .ok();
    until("it is seen", || {
        shop.tells().iter().any(|told| told.starts_with(BY_VALUES)).then_some(())
    });
    server.admin("sampled_locked").query("ALTER TABLE notes OWNER TO postgres").ok();
    shop.until_rounds_are_over(ROUND);
    assert!(shop.tells().iter().any(|told| told.starts_with(BY_VALUES)), "{:?}", shop.tells());
    shop.direct.query("SELECT 1").ok();
    server.admin("sampled_locked").query("DROP TABLE notes").ok();
    shop.until_it_tells_just(&[BY_NAME, EMPTY]);
    assert!(!shop.proxy.log().contains(CANARY), "{}", shop.proxy.log());
}

#[test]
fn a_database_without_a_name_of_its_own_is_looked_at_while_it_is_used() {
    let server = Postgres::shared();
    traps::prepare(server);
    let config = every_second(Config::new().database("*", server, "*", CATALOG));
    let proxy = Keyhole::start(config.set("schema", "refresh", "1s"));
    let [one, other] = ["sampled_one", "sampled_other"].map(|name| {
        server.create_database(name, "template0");
        server.direct(name).connect().query(TABLES).ok();
        proxy.data("alice", name).connect()
    });
    let told = |name: &str| {
        let rows = Dba::at(&proxy.control("dora")).say("SHOW DRIFT").rows();
        rows.iter().any(|row| row[0] == name && row.iter().any(|cell| cell == BY_VALUES))
    };
    for name in ["sampled_one", "sampled_other"] {
        until(name, || told(name).then_some(()));
    }
    drop(one);
    let mut admin = server.admin("postgres");
    until("its connections have ended", || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'sampled_one'";
        (admin.query(sql).ok().scalar() == "0").then_some(())
    });
    let rounds = |name: &str| {
        let log = proxy.log();
        let of = |line: &&str| line.contains(ROUND) && line.contains(&format!("database={name}"));
        log.lines().filter(of).count()
    };
    let (before, others) = (rounds("sampled_one"), rounds("sampled_other"));
    until("the other one is looked at", || (rounds("sampled_other") > others + 3).then_some(()));
    // One may have begun with the last session.
    assert!(rounds("sampled_one") <= before + 1, "{}", proxy.log());
    assert!(told("sampled_one"), "what was found stays");
    admin.query("DROP DATABASE sampled_one").ok();
    drop(other);
}

#[test]
fn what_was_found_is_of_one_database() {
    let server = Postgres::shared();
    traps::prepare(server);
    let shop = Sampled::on(server, "sampled_anew", CATALOG, every_second);
    shop.until_it_tells_just(&[BY_VALUES, EMPTY]);
    // The next round is in an hour.
    let text = shop.proxy.config.text().replace("every = \"1s\"", "every = \"1h\"");
    shop.reload(&text);
    until("a reload says so", || (shop.count("taken over: discovery") == 1).then_some(()));
    server.drop_database("sampled_anew");
    server.create_database("sampled_anew", "template0");
    server.direct("sampled_anew").connect().query(TABLES).ok();
    shop.until_it_tells_just(&[BY_NAME, EMPTY]);
    let rounds = shop.count(ROUND);
    shop.reload(&text.replace("\"1h\"", "\"1s\""));
    shop.until_it_tells_just(&[BY_VALUES, EMPTY]);
    assert!(shop.count(ROUND) > rounds, "a shorter schedule holds at once");
}
