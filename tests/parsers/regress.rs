//! PostgreSQL's own regression suite, through the proxy and on the masked twin (`make regress`).
//!
//! Some columns of the suite's tables are personal data. Each script runs in one transaction, every
//! statement under a savepoint, in three places at once: through the proxy without grants, on the
//! twin, and on a second twin whose planner is told to do otherwise. What the proxy answers must be
//! what the twin answers. Where the proxy refuses, all three go back, so that they stay alike.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::bench::{Bench, Outcome, read};
use crate::dependencies::Compared;
use crate::support::client::frame;
use crate::support::keyhole::Config;
use crate::support::message::{Message, Reply};
use crate::support::{Client, Keyhole, Postgres, Version};
use crate::{Tally, live, on_a_worker_stack};

#[path = "regress/place.rs"]
mod place;
#[path = "regress/script.rs"]
mod script;

use script::Step;

/// Differences that were looked into and are nobody's: a part of the statement, and why.
const EXPLAINED: [(&str, &str); 0] = [];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Equal,
    Refused,
    /// The twins differ from each other.
    Undetermined,
    Explained,
    Skipped,
    Wrong,
}

#[derive(Default)]
struct Report {
    /// Of statements that mention a table with hidden columns.
    verdicts: BTreeMap<Verdict, usize>,
    /// Of all others.
    others: BTreeMap<Verdict, usize>,
    reasons: BTreeMap<String, usize>,
    wrong: Vec<String>,
    statements: usize,
}

impl Report {
    fn note(&mut self, mentions: bool, verdict: Verdict) {
        let verdicts = if mentions { &mut self.verdicts } else { &mut self.others };
        *verdicts.entry(verdict).or_default() += 1;
    }

    fn reason(&mut self, why: String) {
        *self.reasons.entry(why).or_default() += 1;
    }

    fn table(&self) -> String {
        let mentioning: usize = self.verdicts.values().sum();
        let mut text = format!(
            "statements in all              {:6}\nmention a table with PII       {mentioning:6}\n",
            self.statements
        );
        for (verdict, count) in &self.verdicts {
            let name = format!("{verdict:?}").to_lowercase();
            let _ = writeln!(text, "  {name:<28} {count:6}");
        }
        let _ = writeln!(text, "others");
        for (verdict, count) in &self.others {
            let name = format!("{verdict:?}").to_lowercase();
            let _ = writeln!(text, "  {name:<28} {count:6}");
        }
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let _ = writeln!(text, "why refused or skipped");
        for (why, count) in reasons {
            let _ = writeln!(text, "  {count:6} {why}");
        }
        text
    }
}

/// What a client makes of a reply.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    columns: Vec<(String, u32)>,
    rows: Vec<Vec<String>>,
    copied: Vec<u8>,
    tags: Vec<String>,
    code: String,
}

impl Seen {
    fn of(sql: &str, reply: &Reply) -> Self {
        let mut rows = reply.rows();
        if !sql.to_ascii_lowercase().contains("order by") {
            rows.sort();
        }
        // Types of the suite's own have other OIDs in each database; a masked row is a record.
        let builtin = |oid: u32| match oid {
            2249 | 2287 | 16384.. => 0,
            oid => oid,
        };
        let columns = reply.columns().into_iter();
        Self {
            columns: columns.map(|it| (it.name, builtin(it.type_oid))).collect(),
            rows,
            copied: reply.copied(),
            tags: reply.tags(),
            code: reply.code(),
        }
    }

    /// The same rows in another order, where that is not determined.
    fn sorted(mut self) -> Self {
        self.rows.sort();
        let mut lines: Vec<&[u8]> = self.copied.split(|b| *b == b'\n').collect();
        lines.sort_unstable();
        self.copied = lines.join(&b'\n');
        self
    }

    fn difference(&self, other: &Self) -> String {
        if self.code != other.code {
            return format!("    SQLSTATE {:?}, on the twin {:?}", self.code, other.code);
        }
        if self.columns != other.columns {
            return format!("    columns {:?}\n    twin    {:?}", self.columns, other.columns);
        }
        let pairs = self.rows.iter().zip(&other.rows);
        if let Some((one, two)) = pairs.into_iter().find(|(one, two)| one != two) {
            return format!("    row  {one:?}\n    twin {two:?}");
        }
        let told = |it: &Self| format!("{} rows {:?}", it.rows.len(), it.tags);
        format!("    {}, on the twin {}", told(self), told(other))
    }
}

/// The three places in which every statement runs.
struct Places {
    proxied: Client,
    twin: Client,
    control: Client,
}

const CONTROL_PLANNER: &str = "SET enable_hashjoin = off; SET enable_hashagg = off; \
     SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; \
     SET enable_material = off; SET enable_incremental_sort = off; SET enable_memoize = off";

impl Places {
    fn open(server: &Postgres, proxy: &Keyhole) -> Self {
        let mut places = Self {
            proxied: proxy.data("alice", "shop").connect(),
            twin: server.direct(place::TWIN).connect(),
            control: server.direct(place::CONTROL).connect(),
        };
        places.all("SET statement_timeout = '20s'");
        places.control.query(CONTROL_PLANNER).ok();
        places.all("BEGIN");
        places
    }

    fn each(&mut self) -> [&mut Client; 3] {
        [&mut self.proxied, &mut self.twin, &mut self.control]
    }

    #[track_caller]
    fn all(&mut self, sql: &str) {
        for session in self.each() {
            session.query(sql).ok();
            session.forget();
        }
    }

    fn close(mut self) {
        for session in self.each() {
            session.query("ROLLBACK");
        }
    }
}

/// Sends a statement and, if it asks for them, rows to copy.
fn send(session: &mut Client, sql: &str, data: &str) -> Reply {
    session.start(sql);
    let mut reply = Reply::default();
    while let Some(message) = session.read().expect("a reply in time") {
        let Message { tag, .. } = message;
        reply.messages.push(message);
        match tag {
            b'G' => {
                let data = [frame(b'd', data.as_bytes()), frame(b'c', b"")].concat();
                session.send(&data).expect("a live connection");
            }
            b'Z' => break,
            _ => {}
        }
    }
    reply
}

fn mentions(sql: &str) -> bool {
    let names = place::HIDDEN.iter().map(|(table, _)| *table);
    let sql = sql.to_ascii_lowercase();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    names.into_iter().any(|name| {
        sql.match_indices(name).any(|(at, _)| {
            !sql[..at].ends_with(is_word) && !sql[at + name.len()..].starts_with(is_word)
        })
    })
}

/// Statements that would end the transaction around, or reach outside it.
fn is_out_of_place(sql: &str) -> Option<&'static str> {
    let parsed = read(sql).ok()?;
    parsed.statements.iter().find_map(|statement| match statement.tree.kind {
        "TransactionStmt" => Some("transaction control"),
        "ListenStmt" | "NotifyStmt" => Some("notifications"),
        "DiscardStmt" => Some("DISCARD"),
        // One session's would wait for the other's, or be seen by all.
        "CreateRoleStmt"
        | "AlterRoleStmt"
        | "AlterRoleSetStmt"
        | "DropRoleStmt"
        | "GrantRoleStmt"
        | "CreatedbStmt"
        | "DropdbStmt"
        | "CreateTableSpaceStmt"
        | "DropTableSpaceStmt"
        | "CreateSubscriptionStmt"
        | "DropSubscriptionStmt"
        | "ReassignOwnedStmt"
        | "DropOwnedStmt" => Some("objects of the whole cluster"),
        _ => None,
    })
}

/// A refusal of the proxy's, in words without names.
fn refusal(reply: &Reply) -> Option<String> {
    let error = reply.error()?;
    let text = error.text();
    let ours = ["42501", "0A000", "42601", "54000", "54001"].contains(&error.code());
    let names = regex::Regex::new(r#""[^"]*"|\b\w+\.[\w.]+"#).expect("a pattern");
    let detail = names.replace_all(error.field('D').unwrap_or(""), "…").into_owned();
    let text = names.replace_all(text, "…").into_owned();
    ours.then(|| format!("{} {text} {detail}", error.code()).chars().take(150).collect())
}

fn run(places: &mut Places, sql: &str, data: &str, report: &mut Report) -> Result<(), String> {
    let mentions = mentions(sql);
    places.all("SAVEPOINT parsers");
    let replies = places.each().map(|session| send(session, sql, data));
    if replies.iter().any(|reply| reply.status().is_none()) {
        let [proxied, ..] = &replies;
        let whose = if proxied.status().is_none() { "the proxy's" } else { "the server's" };
        return Err(format!("{whose} connection ended"));
    }
    let failed = replies.iter().any(|reply| reply.error().is_some());
    let [proxied, twin, control] = [0, 1, 2].map(|at| Seen::of(sql, &replies[at]));
    let explain = sql.to_ascii_lowercase().trim_start().starts_with("explain");
    let verdict = if proxied == twin || proxied.clone().sorted() == twin.clone().sorted() {
        Verdict::Equal
    } else if let Some(why) = refusal(&replies[0]).filter(|_| proxied.code != twin.code) {
        if mentions {
            report.reason(why);
        }
        Verdict::Refused
    } else if twin.code == "57014" || proxied.code == "57014" {
        report.reason("too slow".to_owned());
        Verdict::Skipped
    } else if !explain && twin.clone().sorted() != control.sorted() {
        Verdict::Undetermined
    } else if EXPLAINED.iter().any(|(part, _)| sql.contains(part)) {
        Verdict::Explained
    } else {
        let told = replies[0].error().map(|error| format!("\n    {error}")).unwrap_or_default();
        let what = if mentions { "" } else { "(mentions nothing) " };
        let wrong = format!("{what}{sql}\n{}{told}", proxied.difference(&twin));
        eprintln!("wrong: {wrong}\n");
        report.wrong.push(wrong);
        Verdict::Wrong
    };
    report.note(mentions, verdict);
    if failed || verdict != Verdict::Equal {
        places.all("ROLLBACK TO SAVEPOINT parsers");
    }
    places.all("RELEASE SAVEPOINT parsers");
    Ok(())
}

fn replay(server: &Postgres, proxy: &Keyhole, text: &str, report: &mut Report) {
    let mut places = Places::open(server, proxy);
    for step in script::steps(text) {
        report.statements += 1;
        let (sql, data) = match &step {
            Step::Sql(sql) => (sql.as_str(), ""),
            Step::CopyIn(sql, data) => (sql.as_str(), data.as_str()),
            Step::Skipped(sql, why) => {
                report.note(mentions(sql), Verdict::Skipped);
                if mentions(sql) {
                    report.reason((*why).to_owned());
                }
                continue;
            }
        };
        if let Some(why) = is_out_of_place(sql) {
            report.note(mentions(sql), Verdict::Skipped);
            if mentions(sql) {
                report.reason(why.to_owned());
            }
            continue;
        }
        if let Err(why) = run(&mut places, sql, data, report) {
            report.note(mentions(sql), Verdict::Skipped);
            report.reason(why);
            places = Places::open(server, proxy);
        }
    }
    places.close();
}

#[test]
#[ignore = "`make regress`: needs PostgreSQL's sources"]
fn the_regression_suite_answers_as_on_the_twin() {
    let server = Postgres::start(Version::V15);
    place::prepare(&server);
    let config = Config::new().database("shop", &server, place::RAW, place::CATALOG).set(
        "enforcement",
        "notice",
        false,
    );
    let proxy = Keyhole::start(config);
    let only = std::env::var("REGRESS_ONLY").unwrap_or_default();
    let mut report = Report::default();
    for (name, text) in place::scripts() {
        let chosen = only.split_whitespace().any(|it| it == name);
        if chosen || (only.is_empty() && mentions(&text)) {
            let before = report.wrong.len();
            let started = std::time::Instant::now();
            replay(&server, &proxy, &text, &mut report);
            let wrong = report.wrong.len() - before;
            eprintln!("{name}: {:.1} s, {wrong} wrong", started.elapsed().as_secs_f32());
            report.wrong[before..].iter_mut().for_each(|it| *it = format!("{name}: {it}"));
        }
    }
    eprintln!("{}", report.table());
    let (count, wrong) = (report.wrong.len(), report.wrong.join("\n\n"));
    assert!(count == 0, "{count} wrong:\n{wrong}");
}

#[test]
#[ignore = "`make regress`: needs PostgreSQL's sources"]
fn the_regression_suite_keeps_the_properties() {
    let server = Postgres::start(Version::V15);
    place::prepare(&server);
    let bench = live::bench(&server, place::RAW, place::CATALOG);
    on_a_worker_stack(move || offline(&server, &bench));
}

fn offline(server: &Postgres, bench: &Bench) {
    let (mut tally, mut compared) = (Tally::default(), Compared::default());
    let mut session = server.admin(place::RAW);
    let mut count = 0;
    for (_, text) in place::scripts() {
        tally.check(bench, &text);
        for step in script::steps(&text) {
            let (Step::Sql(sql) | Step::CopyIn(sql, _) | Step::Skipped(sql, _)) = step;
            tally.check(bench, &sql);
            compared.add(bench, &mut session, &sql);
            session.forget();
            count += 1;
        }
    }
    eprintln!("{count} statements");
    tally.assert_none_violated();
    compared.assert_none_different();
    assert!(tally.of(Outcome::Compute) > 500);
}
