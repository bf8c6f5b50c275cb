//! Columns that no catalog names are told by what clients see of them, where that is wanted.

use crate::desk::Dba;
use crate::support::keyhole::Config;
use crate::support::traps;
use crate::support::wait::until;
use crate::support::{Format, Keyhole, Postgres};

const TABLES: &str = "
    CREATE TABLE people (id int PRIMARY KEY, email text);
    CREATE TABLE notes (id int PRIMARY KEY, c1 text, c2 text, c3 text);
    INSERT INTO notes SELECT n, 'canary' || n || '@example.com', 'note ' || n, 'x@example.com'
        FROM generate_series(1, 200) n;
    CREATE TABLE visits (id int, c4 jsonb) PARTITION BY RANGE (id);
    CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (1000);
    INSERT INTO visits SELECT n, jsonb_build_object('from', 'canary' || n || '@example.org')
        FROM generate_series(1, 200) n;";

const CATALOG: &str = r#"
[[class]]
name = "email"
mask = { kind = "email" }

[[table]]
name = "public.people"
columns = { email = "email" }
"#;

const DECIDED: &str = r#"
[[table]]
name = "public.notes"
columns = { c1 = "clear" }
"#;

/// What clients ask: a page of a table after the other, and a partition by its own name.
const QUESTIONS: [&str; 2] = [
    "SELECT * FROM notes ORDER BY id OFFSET $1 LIMIT 20",
    "SELECT c4 FROM visits_1 ORDER BY id OFFSET $1 LIMIT 20",
];

const NOTES: &str = "public.notes.c1 is not in the catalog: it looks like class \"email\" \
                     (of what clients saw of it: e-mail addresses)";
const VISITS: &str = "public.visits.c4 is not in the catalog: it looks like class \"email\" \
                      (of what clients saw of it at $.from: e-mail addresses)";

fn drift(proxy: &Keyhole) -> Vec<String> {
    let reply = Dba::at(&proxy.control("dora")).say("SHOW DRIFT");
    let what = reply.columns().iter().position(|column| column.name == "what");
    let what = what.expect("SHOW DRIFT says what");
    let mut said: Vec<_> = reply.rows().into_iter().map(|row| row[what].clone()).collect();
    said.sort_unstable();
    said
}

#[test]
fn what_clients_see_is_told_until_somebody_has_decided_and_never_kept() {
    let server = Postgres::shared();
    // Makes the account, too.
    traps::prepare(server);
    server.create_database("from_use", "template0");
    server.direct("from_use").connect().query(TABLES).ok();
    let config = || Config::new().database("shop", server, "from_use", CATALOG);
    let proxy = Keyhole::start(config().set("discovery", "suggest", true));
    let silent = Keyhole::start(config());

    let ports = [proxy.data("alice", "shop"), silent.data("alice", "shop")];
    let mut clients = ports.map(|port| port.connect());
    let mut direct = server.direct("from_use").connect();
    let mut offset = 0;
    let mut read = || {
        offset = (offset + 20) % 200;
        for sql in QUESTIONS {
            for format in [Format::Text, Format::Binary] {
                direct.extended(sql, &[Some(&offset.to_string())], format).ok();
                for client in &mut clients {
                    client.extended(sql, &[Some(&offset.to_string())], format).ok();
                    assert!(client.heard == direct.heard, "{sql}: not what the server said");
                }
            }
        }
    };
    until("both columns are told", || {
        read();
        (drift(&proxy) == [NOTES, VISITS]).then_some(())
    });
    assert_eq!(drift(&silent), [""; 0], "nobody wanted to know");
    until("it is logged", || proxy.log().contains(VISITS).then_some(()));
    let metrics = until("it is counted", || {
        let (_, text) = proxy.http("/metrics");
        text.contains("keyhole_catalog_drift{kind=\"uncatalogued\"} 2").then_some(text)
    });

    // A decision ends it.
    std::fs::write(proxy.config.path().join("shop.toml"), format!("{CATALOG}{DECIDED}"))
        .expect("writable");
    Dba::at(&proxy.control("dora")).say("RELOAD");
    until("one is decided", || (drift(&proxy) == [VISITS]).then_some(()));

    // So does whoever wants to know no more.
    let text = proxy.config.text().replace("suggest = true", "suggest = false");
    proxy.config.write_text(&text);
    Dba::at(&proxy.control("dora")).say("RELOAD");
    until("nothing is told", || drift(&proxy).is_empty().then_some(()));

    for said in [proxy.log(), proxy.audit_text(), metrics] {
        assert!(!said.contains("canary"), "a value was written down: {said}");
    }
}
