//! Programs that read whole rows, change one field that is no personal data, and save all of them:
//! what is stored stays, byte for byte (law 7).

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::desk::Shop;
use crate::support::keyhole::Config;
use crate::support::traps::{self, Variant};
use crate::support::{Client, Keyhole, Postgres, Target, programs};

/// A table with personal data, the row that is saved, and the field that the program changes.
struct Whole {
    table: &'static str,
    key: (&'static str, u32),
    field: &'static str,
    hidden: &'static [&'static str],
}

/// Text, dates, numbers, JSON, addresses, arrays, bytes, composites, domains; partitions, children,
/// names that need quotes; constraints over hidden columns.
const TABLES: [Whole; 13] = [
    Whole {
        table: "public.people",
        key: ("id", 5),
        field: "score",
        hidden: &["full_name", "email", "dob", "seen", "profile", "pay", "ip", "phones", "scan"],
    },
    Whole {
        table: "public.customers",
        key: ("id", 5),
        field: "balance",
        hidden: &["full_name", "email", "phone", "ssn", "dob", "address", "notes"],
    },
    Whole {
        table: "public.payments",
        key: ("id", 5),
        field: "method",
        hidden: &["card_number", "iban"],
    },
    Whole {
        table: "hr.employees",
        key: ("id", 5),
        field: "manager_id",
        hidden: &["full_name", "email", "salary", "national_id"],
    },
    Whole { table: "public.events", key: ("id", 6), field: "kind", hidden: &["ip", "user_agent"] },
    Whole {
        table: "public.UserProfiles",
        key: ("id", 5),
        field: "Theme",
        hidden: &["E-mail", "Full Name", "prefs"],
    },
    Whole {
        table: "public.клиенты", key: ("ид", 5), field: "город", hidden: &["имя", "телефон"]
    },
    Whole { table: "public.leads", key: ("id", 5), field: "source", hidden: &["who"] },
    Whole { table: "public.newsletter", key: ("id", 5), field: "active", hidden: &["addr"] },
    Whole {
        table: "public.contact_points",
        key: ("customer_id", 5),
        field: "verified",
        hidden: &["emails", "phones"],
    },
    Whole { table: "public.kyc_checks", key: ("id", 5), field: "result", hidden: &["ssn"] },
    Whole { table: "public.id_scans", key: ("customer_id", 5), field: "mime", hidden: &["scan"] },
    Whole { table: "public.support_tickets", key: ("id", 5), field: "state", hidden: &["body"] },
];

/// Every type in one table, without a constraint over any of it.
const PEOPLE: &str = "
    CREATE TABLE people (
      id integer PRIMARY KEY, full_name text NOT NULL, email varchar(80) NOT NULL, dob date,
      seen timestamptz, profile jsonb, pay numeric(12, 2), ip inet, phones text[], scan bytea,
      score numeric(12, 2) NOT NULL);
    INSERT INTO people
      SELECT id, full_name, email, dob, dob + interval '9 h', address, 1000 + id, '10.1.2.3',
             ARRAY[phone, ssn], convert_to(ssn, 'UTF8'), id
      FROM customers";

const PEOPLE_CATALOG: &str = r#"
[[class]]
name = "moment"
mask = { kind = "date", to = "month" }

[[class]]
name = "pay"
mask = { kind = "bucket", size = 1000 }

[[class]]
name = "network"
mask = { kind = "ip" }

[[table]]
name = "public.people"
[table.columns]
full_name = "person_name"
email = "email"
dob = "birth_date"
seen = "moment"
profile = "personal"
pay = "pay"
ip = "network"
phones = "personal"
scan = "personal"
"#;

/// An upsert may insert, and then a constraint over hidden values would tell whether one exists: it
/// takes a grant for `write`, as README's limits say.
const NO_INSERT: [&str; 3] = ["public.customers", "public.kyc_checks", "hr.employees"];

/// No unique index: there is nothing that an upsert could conflict with.
const NO_UPSERT: &str = "public.events";

#[test]
fn psycopg_saves_whole_rows() {
    saves("orm_psycopg", 6, |target| programs::python("save_psycopg.py", target));
}

#[test]
fn asyncpg_saves_whole_rows() {
    saves("orm_asyncpg", 2, |target| programs::python("save_asyncpg.py", target));
}

#[test]
fn sqlalchemy_saves_whole_rows() {
    saves("orm_sqlalchemy", 2, |target| programs::python("save_sqlalchemy.py", target));
}

#[test]
fn django_saves_whole_rows() {
    saves("orm_django", 4, |target| programs::python("save_django.py", target));
}

#[test]
fn node_postgres_saves_whole_rows() {
    saves("orm_node", 3, |target| programs::node("save_pg.js", target));
}

/// Runs the program, which has so many `ways` to save each table. It saves through the proxy what
/// it reads through the proxy; what it leaves is compared past the proxy.
fn saves(name: &str, ways: usize, program: impl FnOnce(&Target) -> Command) {
    let shop = open(name);
    let mut direct = shop.direct().connect();
    let before: Vec<State> = TABLES.iter().map(|table| state(&mut direct, table)).collect();
    let mut command = program(&shop.alice());
    command.env("KEYHOLE_TABLES", Value::Array(TABLES.iter().map(told).collect()).to_string());
    let ran = programs::run(command, "").ok();
    let outcomes: Map<String, Value> =
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!(outcomes.len(), TABLES.len() * ways, "{outcomes:?}");
    let mut wrong = Vec::new();
    for (table, before) in TABLES.iter().zip(&before) {
        let after = state(&mut direct, table);
        for (column, value) in &before.hidden {
            if after.hidden[column] != *value {
                wrong.push(format!("{}.{column} is not what it was", table.table));
            }
        }
        let of_table = |way: &str| way.starts_with(&format!("{}: ", table.table));
        let failed: Vec<_> =
            outcomes.iter().filter(|(way, outcome)| of_table(way) && *outcome != "saved").collect();
        let expected = |way: &str, outcome: &Value| {
            let said = outcome.as_str().unwrap_or_default();
            let inserts = NO_INSERT.contains(&table.table) && way.contains("upsert");
            inserts && said.contains("Writing would tell")
        };
        let unexpected = failed.iter().filter(|(way, outcome)| !expected(way, outcome));
        wrong.extend(unexpected.map(|(way, outcome)| format!("{way}: {outcome}")));
        if after.field == before.field {
            wrong.push(format!("{}.{} was not saved", table.table, table.field));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The traps and [`PEOPLE`] behind a proxy.
fn open(name: &str) -> Shop {
    let server = Postgres::shared();
    traps::create(server, name, Variant::A);
    server.direct(name).connect().query(PEOPLE).ok();
    let catalog = format!("{}\n{PEOPLE_CATALOG}", traps::CATALOG);
    let proxy = Keyhole::start(Config::new().database("shop", server, name, &catalog));
    Shop { server, database: name.to_owned(), proxy }
}

fn told(table: &Whole) -> Value {
    let (column, value) = table.key;
    json!({
        "table": table.table,
        "key": { column: value },
        "field": table.field,
        "no_upsert": table.table == NO_UPSERT,
    })
}

/// What is stored: of each hidden column a digest over all rows, of the field its value.
#[derive(Debug)]
struct State {
    hidden: BTreeMap<&'static str, String>,
    field: String,
}

fn state(direct: &mut Client, table: &Whole) -> State {
    let (schema, name) = table.table.split_once('.').expect("schema.table");
    let (key, row) = table.key;
    let mut one = |sql: String| direct.query(&sql).ok().scalar();
    let hidden = table.hidden.iter().map(|column| {
        let digest = format!(
            "SELECT count(*) || ' ' || md5(string_agg(value, E'\\n' ORDER BY key)) \
             FROM (SELECT \"{key}\" AS key, coalesce(\"{column}\"::text, '<null>') AS value \
                   FROM \"{schema}\".\"{name}\") AS stored"
        );
        (*column, one(digest))
    });
    let hidden = hidden.collect();
    let sql = format!(
        "SELECT \"{field}\"::text FROM \"{schema}\".\"{name}\" WHERE \"{key}\" = {row}",
        field = table.field
    );
    State { hidden, field: one(sql) }
}
