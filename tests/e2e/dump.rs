//! `pg_dump` of the demo shop through the proxy: the database itself where all is granted for
//! export, the masked twin where nothing is. Neither takes the role `ddl`.

use std::path::Path;
use std::process::Command;

use crate::support::keyhole::Config;
use crate::support::programs::{psql, run};
use crate::support::traps;
use crate::support::{Keyhole, Postgres, Target};

const SHOP: &str = include_str!("../../demo/shop.sql");
const CATALOG: &str = include_str!("../../catalog/shop.toml");

/// Columns that are denied would stop the dump of their table, and NULL the restore of one that is NOT NULL.
fn catalog() -> String {
    CATALOG.replace("deny = true", "mask = { kind = \"bucket\", size = 10000 }")
}

fn fill(server: &Postgres, database: &str) {
    traps::prepare(server);
    server.drop_database(database);
    server.create_database(database, "template0");
    run(quiet_psql(&server.direct(database)), SHOP).ok();
}

fn quiet_psql(target: &Target) -> Command {
    let mut command = psql(target);
    command.args(["-q", "-At", "-v", "ON_ERROR_STOP=1"]);
    command
}

/// A program of PostgreSQL's, connected as psql is.
fn program(name: &str, target: &Target, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    let like = psql(target);
    command.envs(like.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.args(arguments);
    command
}

/// A plain dump without the lines that are random by design.
fn dumped(target: &Target) -> Vec<String> {
    let text = run(program("pg_dump", target, &["--no-owner"]), "").ok().out;
    let is_random =
        |line: &&str| line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
    text.lines().filter(|line| !is_random(line)).map(str::to_owned).collect()
}

fn serve(database: &str) -> Keyhole {
    let mut config = Config::new().database("shop", Postgres::shared(), database, &catalog());
    let export = "subject = 'bob'\nresources = ['*']\nactions = ['read', 'export']\nreason = 'x'";
    config.push("standing", export);
    Keyhole::start(config)
}

/// Every table, sorted by all its columns as text.
fn tables(target: &Target) -> Vec<(String, String)> {
    let names = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c \
                 JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind = 'r' AND n.nspname IN ('public', 'hr') ORDER BY 1";
    let names = run(quiet_psql(target), names).ok().out;
    let rows = |name: &str| {
        let sql = format!("COPY (SELECT * FROM {name}) TO STDOUT");
        let text = run(quiet_psql(target), &sql).ok().out;
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    names.lines().map(|name| (name.to_owned(), rows(name))).collect()
}

fn restore(file: &Path, server: &Postgres, database: &str) -> Target {
    server.drop_database(database);
    server.create_database(database, "template0");
    let target = server.direct(database);
    let file = file.to_str().expect("UTF-8");
    let sections = ["--section=pre-data", "--section=data", "--no-owner", "-d", database, file];
    run(program("pg_restore", &target, &sections), "").ok();
    target
}

#[test]
fn a_dump_is_the_databases_own_where_all_is_granted_for_export() {
    let server = Postgres::shared();
    fill(server, "dump_granted");
    let proxy = serve("dump_granted");
    let direct = dumped(&server.direct("dump_granted"));
    let through = dumped(&proxy.data("bob", "shop"));
    assert!(direct.len() > 100_000, "{} lines", direct.len());
    let differs = direct.iter().zip(&through).find(|(direct, through)| direct != through);
    assert_eq!((differs, through.len()), (None, direct.len()));
}

#[test]
fn a_dump_is_the_masked_twin_where_nothing_is_granted() {
    let server = Postgres::shared();
    fill(server, "dump_masked");
    let proxy = serve("dump_masked");
    let alice = proxy.data("alice", "shop");
    let file = proxy.config.path().join("shop.dump");
    let to = format!("--file={}", file.display());
    run(program("pg_dump", &alice, &["-Fc", "--no-owner", &to]), "").ok();
    let restored = restore(&file, server, "dump_restored");

    let (seen, stored) = (tables(&alice), tables(&restored));
    let names =
        |tables: &[(String, String)]| tables.iter().map(|t| t.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&seen), names(&stored));
    for ((name, seen), (_, stored)) in seen.iter().zip(&stored) {
        assert!(seen == stored, "{name} is not what SELECT shows");
    }
    // The masks again, by SQL of the test's own over the original.
    let mask = |sql: &str, target: &Target| run(quiet_psql(target), sql).ok().out;
    let own = mask(
        "SELECT id, left(email, 1) || '***' || substring(email FROM '@.*'), '***', \
         date_trunc('year', dob)::date FROM customers ORDER BY id",
        &server.direct("dump_masked"),
    );
    let twin = mask("SELECT id, email, full_name, dob FROM customers ORDER BY id", &restored);
    assert!(own == twin, "the masks of customers are not those of the catalog");
}
