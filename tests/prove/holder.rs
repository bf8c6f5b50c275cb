//! A run of the proof in which alice holds grants: she gets them from a DBA, her sessions stay
//! open, and the twin turns to what they cover.

use super::grants::{Grant, On};
use super::run::Run;
use super::shelf::Shelf;
use super::statement::Script;
use super::trio::{Trio, Way, row_types};
use crate::support::canary::Planted;
use crate::support::keyhole::Config;
use crate::support::traps::{self, Variant};
use crate::support::wait::until;
use crate::support::{Client, Postgres, Reply};

/// Databases behind the proxy for which grants are given.
const GRANTED: [&str; 2] = ["shop_a", "shop_b"];

/// On everything, for alice, and of no effect: from elsewhere, with another program, on another
/// day, for others.
const NEVER: [(&str, &str); 5] = [
    ("alice", "networks = ['192.0.2.0/24', '10.0.0.0/8']"),
    ("alice", "applications = ['metabase']"),
    ("alice", "hours = 'DAY 00:00-24:00 UTC'"),
    ("alice", "networks = ['127.0.0.0/8']\napplications = ['metabase']"),
    ("group:sales", ""),
];

pub(crate) struct Holder {
    pub(crate) run: Run,
    shelf: Shelf,
    dba: Client,
    askers: [Client; 2],
    tomorrow: String,
}

impl Holder {
    pub(crate) fn open(name: &str) -> Self {
        let now = "SELECT to_char(now() + '1 day', 'YYYY-MM-DD HH24:MI:SS+00'), \
                   to_char(now() + '3 days', 'Dy')";
        let [tomorrow, day]: [String; 2] = Postgres::shared()
            .admin("postgres")
            .query(now)
            .ok()
            .rows()
            .remove(0)
            .try_into()
            .expect("two columns");
        let mut trio = Trio::open_with(name, Way::Proxied, |config| {
            with_policies(with_standing(config, &day), &day)
        });
        let shelf = Shelf::open(&mut trio.admins);
        trio.row_types = row_types(&mut trio.admins);
        let mut dba = trio.proxy.control("dora").connect();
        let askers = GRANTED.map(|database| {
            trio.proxy.data("alice", database).option("application_name", "proof").connect()
        });
        expired(&mut dba);
        Self { run: Run::on(trio), shelf, dba, askers, tomorrow }
    }

    /// Ends all grants, and gives these.
    pub(crate) fn hold(&mut self, grants: &[Grant]) {
        self.dba.query("REVOKE ALL").ok();
        for (database, asker) in GRANTED.iter().zip(&mut self.askers) {
            for grant in grants {
                match grant.command(database, &self.tomorrow) {
                    Some(command) => {
                        let reply = self.dba.query(&command);
                        assert!(reply.error().is_none(), "{command}: {reply:?}");
                    }
                    None => everything(asker, &mut self.dba),
                }
            }
        }
        self.shelf.turn_to(grants, &mut self.run.trio.admins);
        let stands = Shelf::text(&mut self.run.trio.admins);
        let planted = traps::plan(Variant::A).planted.iter();
        let granted = planted.filter(|it| shown(&stands, it));
        self.run.granted = granted.map(|it| format!("{}[{}]", it.column, it.id)).collect();
        self.run.stands = stands;
        let told = grants.iter().map(|grant| {
            let rows = grant.rows.as_ref().map(|rows| format!(" WHERE {rows}"));
            format!("\n    holding {:?}{} ({:?})", grant.on, rows.unwrap_or_default(), grant.whom)
        });
        self.run.held = told.collect();
    }
}

/// Whether the value stands there, be it as bytes.
fn shown(stands: &str, planted: &Planted) -> bool {
    let hex = || planted.value.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    stands.contains(&planted.value) || stands.contains(&hex())
}

impl Holder {
    /// Ends all grants, and says these commands, of `shop_a`. No twin is made.
    pub(crate) fn give(&mut self, commands: &[String]) {
        self.dba.query("REVOKE ALL").ok();
        for command in commands {
            if command.starts_with("SELECT") {
                // Under conditions that do not hold nothing is granted.
                let code = self.asked(command).code().to_owned();
                assert!(code.is_empty() || code == "42501", "{command}: {code}");
                continue;
            }
            let reply = self.dba.query(&command.replace("TOMORROW", &self.tomorrow));
            assert!(reply.error().is_none(), "{command}: {reply:?}");
        }
    }

    /// What alice is answered in `shop_a`.
    pub(crate) fn asked(&mut self, sql: &str) -> Reply {
        self.askers[0].forget();
        self.askers[0].query(sql)
    }

    /// Every byte that alice hears of it in `shop_a`.
    pub(crate) fn heard(&mut self, script: &Script) -> Vec<u8> {
        let asker = &mut self.askers[0];
        let before = asker.heard.len();
        asker.send(&script.bytes).expect("a live session");
        for _ in 0..script.replies {
            asker.until_ready();
        }
        asker.heard[before..].to_vec()
    }
}

fn with_standing(mut config: Config, day: &str) -> Config {
    for (subject, condition) in NEVER {
        let condition = condition.replace("DAY", day);
        let entry = format!(
            "subject = '{subject}'\nresources = ['*']\nactions = ['read', 'export']\n\
             reason = 'never'\n{condition}"
        );
        config.push("standing", &entry);
    }
    config
}

/// What is asked for of these classes is granted at once, under these conditions.
const CONDITIONS: [(&str, &str); 6] = [
    ("email", "networks = ['127.0.0.0/8']"),
    ("personal", "networks = ['192.0.2.0/24']"),
    ("phone", "hours = 'daily 00:00-24:00 UTC'"),
    ("person_name", "hours = 'DAY 00:00-24:00 UTC'"),
    ("national_id", "applications = ['metabase', 'proof']"),
    ("birth_date", "applications = ['metabase']"),
];

fn with_policies(mut config: Config, day: &str) -> Config {
    let last = "name = 'anything else'\nsubjects = ['*']\nresources = ['*']\n\
                actions = ['read', 'lookup', 'write', 'export']\nmax_duration = '30m'\n\
                approvals = 1\napprovers = ['group:dba']";
    config.remove("policy");
    for (class, condition) in CONDITIONS {
        let condition = condition.replace("DAY", day);
        let entry = format!(
            "name = '{class}'\nsubjects = ['*']\nresources = ['class:{class}']\n\
             actions = ['read', 'export']\nmax_duration = '30m'\napprovals = 0\n{condition}"
        );
        config.push("policy", &entry);
    }
    config.push("policy", last);
    config
}

/// What nobody can give on the console is asked for.
fn everything(asker: &mut Client, dba: &mut Client) {
    let ask = "SELECT * FROM keyhole.request('*', '30 minutes', 'proof')";
    let reply = asker.query(ask).ok();
    let at = reply.columns().iter().position(|column| column.name.contains("request"));
    let id = &reply.rows()[0][at.unwrap_or_default()];
    dba.query(&format!("APPROVE {id}")).ok();
}

/// Grants on every class that have ended by themselves.
fn expired(dba: &mut Client) {
    let classes = super::shelf::tables().iter().flat_map(|table| &table.columns);
    let mut classes: Vec<_> = classes.map(|column| column.class.as_str()).collect();
    classes.sort_unstable();
    classes.dedup();
    for database in GRANTED {
        for class in &classes {
            let on = On::Class((*class).to_owned());
            let whom = super::grants::For::User;
            let command = Grant { on, rows: None, whom }.command(database, "");
            let command = command.expect("the console gives it").replace("30 minutes", "1s");
            dba.query(&command).ok();
        }
    }
    until("they expire", || {
        let reply = dba.query("SHOW GRANTS").ok();
        let text = format!("{:?}", reply.rows());
        (!text.contains("active")).then_some(())
    });
}
