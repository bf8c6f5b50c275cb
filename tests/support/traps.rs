//! The shop full of traps: its databases, in two variants that differ only in hidden values.
//!
//! `traps_a` and `traps_b` are cloned from one schema, so every OID is the same in both.

use std::sync::OnceLock;

use super::canary::{Finder, Planted};
use super::message::Reply;
use super::postgres::{APP_PASSWORD, Postgres};

mod data;

pub(crate) use data::{Variant, plan};

pub(crate) const SCHEMA: &str = include_str!("../data/traps.sql");
pub(crate) const CATALOG: &str = include_str!("../data/traps_catalog.toml");

/// More than the schema itself needs: attacks use what they find.
const EXTENSIONS: [&str; 15] = [
    "hstore",
    "pg_trgm",
    "fuzzystrmatch",
    "dblink",
    "tablefunc",
    "pgcrypto",
    "citext",
    "unaccent",
    "btree_gist",
    "ltree",
    "xml2",
    "pg_stat_statements",
    "pageinspect",
    "file_fdw",
    "pg_walinspect",
];

/// Makes `traps_a` and `traps_b` on this server, unless they are there.
pub(crate) fn prepare(server: &Postgres) {
    server.template("traps", |server| {
        let mut admin = server.admin("postgres");
        admin.query("CREATE DATABASE traps_schema TEMPLATE template0").ok();
        let mut schema = server.admin("traps_schema");
        for extension in EXTENSIONS {
            // Attacks that need one which is not installed fail on their own.
            schema.query(&format!("CREATE EXTENSION IF NOT EXISTS {extension}"));
        }
        schema.query(SCHEMA).ok();
        drop(schema);
        admin.query(&format!("ALTER ROLE app PASSWORD '{APP_PASSWORD}'")).ok();
        // The strongest attacker that is no superuser owns it all.
        admin.query("ALTER DATABASE traps_schema OWNER TO app").ok();
        for variant in [Variant::A, Variant::B] {
            server.create_database(variant.template(), "traps_schema");
            server.admin(variant.template()).query(&plan(variant).sql).ok();
        }
    });
}

/// A clone of the variant's database, called `name`.
pub(crate) fn create(server: &Postgres, name: &str, variant: Variant) -> Reply {
    prepare(server);
    server.create_database(name, variant.template())
}

pub(crate) fn finder(variant: Variant) -> &'static Finder {
    static FINDERS: [OnceLock<Finder>; 2] = [OnceLock::new(), OnceLock::new()];
    FINDERS[variant as usize].get_or_init(|| Finder::new(&plan(variant).planted))
}

/// The stored value that `<<customers.ssn.5>>` stands for.
pub(crate) fn stored(variant: Variant, column: &str, id: u32) -> String {
    let planted = plan(variant).planted.iter();
    let found = planted.filter(|value| value.column == column && value.id == id);
    let found: Vec<&Planted> = found.collect();
    match found.first() {
        Some(value) => value.value.clone(),
        None => panic!("no value planted for {column} in row {id}"),
    }
}

/// Replaces every `<<table.column.id>>` by what is stored there in variant A: the attacker guesses
/// right in A and wrong in B, and must not learn which of the two it talks to.
pub(crate) fn with_guesses(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<<") {
        let (name, after) = after.split_once(">>").expect("a closed placeholder");
        let (column, id) = name.rsplit_once('.').expect("table.column.id");
        let id = id.parse().expect("a row's id");
        out.push_str(before);
        out.push_str(&stored(Variant::A, column, id));
        rest = after;
    }
    out + rest
}
