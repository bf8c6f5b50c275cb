//! The catalog stays true: what changes behind the proxy's back is said by `check`, and by the
//! running proxy within the interval at which it reads the schema.

use serde_json::Value;

use crate::desk::Dba;
use crate::support::keyhole::Config;
use crate::support::traps;
use crate::support::wait::until;
use crate::support::{Client, Keyhole, Postgres};

const TABLES: &str = "
    CREATE TABLE people (number int PRIMARY KEY, email text, ssn text, nick text, born date);
    CREATE TABLE leads (id int PRIMARY KEY, email text);
    CREATE TABLE orders (id int PRIMARY KEY, total int);";

const CATALOG: &str = r#"
[[class]]
name = "email"
mask = { kind = "email" }

[[class]]
name = "hidden"
mask = { kind = "redact" }

[[table]]
name = "public.people"
columns = { email = "email", ssn = "hidden", nick = "email", born = "hidden" }
subject = "number"

[[table]]
name = "public.leads"
columns = { email = "email" }
"#;

/// What is done past the proxy, and what is said of it: severity, kind, words, and the line of the
/// catalog that speaks of it.
const CHANGES: [(&str, &str, &str, &str, Option<&str>); 10] = [
    (
        "ALTER TABLE people ADD mobile_phone text",
        "warning",
        "new",
        "public.people.mobile_phone is new in a catalogued table",
        Some("shop.toml:11"),
    ),
    (
        "CREATE TABLE partners (id int, contact_email text)",
        "warning",
        "uncatalogued",
        "public.partners.contact_email is not in the catalog: it looks like class \"email\"",
        None,
    ),
    (
        "ALTER TABLE people ALTER email TYPE int USING number",
        "warning",
        "retyped",
        "public.people.email was text and is integer now: its mask does not fit any longer",
        Some("shop.toml:11"),
    ),
    (
        "ALTER TABLE people DROP nick; ALTER TABLE people ADD nick int",
        "warning",
        "mask",
        "public.people.nick is integer, which the mask of class \"email\" does not fit",
        Some("shop.toml:11"),
    ),
    (
        "ALTER TABLE people RENAME ssn TO tax_number",
        "problem",
        "renamed",
        "public.people.ssn is now called public.people.tax_number",
        Some("shop.toml:11"),
    ),
    (
        "ALTER TABLE people DROP born",
        "problem",
        "dangling",
        "there is no column public.people.born",
        Some("shop.toml:11"),
    ),
    (
        "DROP TABLE leads",
        "problem",
        "dangling",
        "there is no relation public.leads",
        Some("shop.toml:16"),
    ),
    (
        "ALTER TABLE people RENAME number TO id",
        "problem",
        "key",
        "there is no key column public.people.number, it is id now",
        Some("shop.toml:11"),
    ),
    (
        "CREATE MATERIALIZED VIEW summary AS SELECT lower(tax_number) AS short FROM people",
        "warning",
        "undecided",
        "public.summary stores what is computed from personal data (short)",
        None,
    ),
    (
        "CREATE FUNCTION any_number() RETURNS text LANGUAGE sql \
         AS 'SELECT tax_number FROM public.people LIMIT 1'",
        "warning",
        "undecided",
        "function public.any_number() reads people",
        None,
    ),
];

/// An empty database with a few tables, and a proxy that looks each second.
struct Watched {
    proxy: Keyhole,
    direct: Client,
}

impl Watched {
    fn on(server: &'static Postgres, name: &str) -> Self {
        // Makes the account, too.
        traps::prepare(server);
        server.create_database(name, "template0");
        let mut direct = server.direct(name).connect();
        direct.query(TABLES).ok();
        let config = Config::new().database("shop", server, name, CATALOG);
        let proxy = Keyhole::start(config.set("schema", "refresh", "1s"));
        until("the tables are known", || {
            let folder = std::fs::read_dir(proxy.config.path().join("keyhole.db.tags")).ok()?;
            let names = folder.flatten().map(|file| file.file_name());
            names.into_iter().find(|name| name.to_string_lossy().ends_with("-columns"))
        });
        Self { proxy, direct }
    }

    /// Severity, kind, words and place, as the console says it.
    fn shown(&self) -> Vec<[String; 4]> {
        let reply = Dba::at(&self.proxy.control("dora")).say("SHOW DRIFT");
        let position = |name: &str| {
            let found = reply.columns().iter().position(|column| column.name == name);
            found.unwrap_or_else(|| panic!("SHOW DRIFT has no column {name}"))
        };
        let places = ["severity", "kind", "what", "place"].map(position);
        reply.rows().into_iter().map(|row| places.map(|place| row[place].clone())).collect()
    }

    fn counted(&self, kind: &str) -> u32 {
        let (_, text) = self.proxy.http("/metrics");
        let series = format!("keyhole_catalog_drift{{kind=\"{kind}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&series));
        value.unwrap_or_else(|| panic!("{series} is not in\n{text}")).parse().expect("a number")
    }

    fn check(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let file = self.proxy.config.file();
        let file = file.to_str().expect("UTF-8");
        let arguments = [&["check", "--config", file], more].concat();
        let output = self.proxy.config.command(&arguments).output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

fn each_change_is_said(server: &'static Postgres, name: &str) {
    let mut shop = Watched::on(server, name);
    assert_eq!(shop.shown(), [[""; 4]; 0], "{}", shop.proxy.log());
    let (code, said, warned) = shop.check(&["--strict"]);
    assert_eq!((code, warned.as_str()), (Some(0), ""), "{said}");

    for (sql, severity, kind, words, place) in CHANGES {
        let before = shop.counted(kind);
        shop.direct.query(sql).ok();
        let fits = |row: &[String; 4]| row[2].contains(words);
        let row = until(words, || shop.shown().into_iter().find(fits));
        assert_eq!((row[0].as_str(), row[1].as_str()), (severity, kind), "{row:?}");
        assert!(row[3].ends_with(place.unwrap_or_default()), "{row:?}");
        until("it is counted", || (shop.counted(kind) == before + 1).then_some(()));
        let plain = words.split('"').next().unwrap_or_default();
        until("it is logged", || shop.proxy.log().contains(plain).then_some(()));

        let (code, said, warned) = shop.check(&[]);
        let (wrong, lines) = if severity == "problem" { (1, &said) } else { (0, &warned) };
        let line = lines.lines().find(|line| line.contains(words));
        let line = line.unwrap_or_else(|| panic!("{words} is not in\n{lines}"));
        assert!(line.contains(place.unwrap_or("proxy.toml:")), "{line}");
        // What was wrong before stays so.
        let problems = shop.shown().iter().filter(|row| row[0] == "problem").count();
        assert_eq!(code, Some(i32::from(wrong == 1 || problems > 0)), "{said}{warned}");
        assert_eq!(said.lines().count(), problems.max(1), "a line for each problem: {said}");
    }
    // Programs read the same from both.
    let (_, said, _) = shop.check(&["--json"]);
    let checked: Value = serde_json::from_str(&said).expect("JSON");
    let mut kinds: Vec<_> = CHANGES.iter().map(|change| change.2).collect();
    kinds.sort_unstable();
    let of = |list: &Value| {
        let list = list.as_array().expect("a list").clone();
        let mut kinds: Vec<_> = list.into_iter().map(|it| it["kind"].clone()).collect();
        kinds.sort_by_key(ToString::to_string);
        kinds
    };
    assert_eq!(of(&checked["drift"]), kinds, "{said}");
    let (_, page) = shop.proxy.http("/metrics");
    assert!(!page.contains("mobile_phone"), "a metric names a column: {page}");
}

#[test]
fn each_change_behind_the_proxys_back_is_said_on_postgresql_15() {
    each_change_is_said(Postgres::shared(), "staying_true");
}

#[test]
fn each_change_behind_the_proxys_back_is_said_on_postgresql_18() {
    each_change_is_said(Postgres::shared_18(), "staying_true");
}

#[test]
fn what_is_put_right_is_said_no_longer_and_a_restart_forgets_nothing() {
    let mut shop = Watched::on(Postgres::shared(), "staying_right");
    shop.proxy.signal_and_wait("TERM");
    shop.direct.query("ALTER TABLE people ADD shade text").ok();
    let (code, said, warned) = shop.check(&["--strict"]);
    assert_eq!(code, Some(5), "{said}{warned}");
    assert!(warned.contains("public.people.shade is new"), "{warned}");
    shop.proxy.restart();
    let says = |shop: &Watched| shop.shown().iter().any(|row| row[2].contains("shade is new"));
    until("it is new to the next process as well", || says(&shop).then_some(()));

    let catalog = CATALOG.replace("born = \"hidden\"", "born = \"hidden\", shade = \"clear\"");
    std::fs::write(shop.proxy.config.path().join("shop.toml"), catalog).expect("writable");
    Dba::at(&shop.proxy.control("dora")).say("RELOAD");
    until("a decision ends it", || (!says(&shop)).then_some(()));
    assert_eq!(shop.check(&["--strict"]).0, Some(0));
}
