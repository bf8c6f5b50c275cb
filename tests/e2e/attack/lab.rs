//! Two databases with different secrets, a proxy before them, and the verdict.

use super::corpus::Attack;
use super::session::{Form, Session, Transcript};
use crate::desk::{EMAIL, masked};
use crate::support::keyhole::Config;
use crate::support::message::Message;
use crate::support::traps::{self, Variant};
use crate::support::{Client, Keyhole, Postgres, Target};

/// Longer than this is a clear difference in time, if it comes three times.
const CLEARLY_LONGER_MS: i128 = 350;

pub(super) struct Lab {
    server: &'static Postgres,
    /// Upstream names of the two databases, equally long.
    names: [String; 2],
    clean: [String; 2],
    /// Objects made since then have larger OIDs; they differ from run to run.
    known_oid_max: u32,
    /// Superusers' sessions that look for changes; None while the database is made anew.
    admins: [Option<Client>; 2],
    /// Not running after its databases were made anew.
    proxy: Option<Keyhole>,
}

/// What an attack did to its databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wear {
    Untouched,
    /// It changed them, so they were dropped and cloned again, which takes seconds.
    MadeAnew,
}

/// Whether to look at once what an attack did to its databases, which takes a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    AtOnce,
    Later,
}

const VARIANTS: [Variant; 2] = [Variant::A, Variant::B];

/// Every row's and every schema object's last change.
const FINGERPRINT: &str = "SELECT string_agg(x, ' ' ORDER BY x) FROM ( \
    SELECT 'class ' || sum(xmin::text::bigint % 99991) || ' ' || count(*) AS x FROM pg_class \
    UNION ALL SELECT 'attribute ' || sum(xmin::text::bigint % 99991) FROM pg_attribute \
    UNION ALL SELECT 'proc ' || sum(xmin::text::bigint % 99991) FROM pg_proc \
    UNION ALL SELECT 'rewrite ' || sum(xmin::text::bigint % 99991) FROM pg_rewrite \
    UNION ALL SELECT 'trigger ' || sum(xmin::text::bigint % 99991) FROM pg_trigger \
    UNION ALL SELECT 'type ' || sum(xmin::text::bigint % 99991) FROM pg_type \
    UNION ALL SELECT 'index ' || sum(xmin::text::bigint % 99991) FROM pg_index \
    UNION ALL SELECT 'constraint ' || sum(xmin::text::bigint % 99991) FROM pg_constraint \
    UNION ALL SELECT 'description ' || count(*) FROM pg_description \
    UNION ALL SELECT 'statistic ' || sum(xmin::text::bigint % 99991) FROM pg_statistic \
    UNION ALL SELECT 'setting ' || count(*) FROM pg_db_role_setting \
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) \
    UNION ALL SELECT 'large objects ' || count(*) FROM pg_largeobject_metadata \
    UNION ALL SELECT c.oid::regclass || ' ' || (xpath('/row/x/text()', query_to_xml( \
        format('SELECT sum(xmin::text::bigint %% 99991 + xmax::text::bigint %% 99991) || '' '' \
        || count(*) AS x FROM ONLY %s', c.oid::regclass), true, true, '')))[1]::text \
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
        WHERE relkind IN ('r', 'm') AND nspname IN ('public', 'hr') \
    ) AS all_of_it";

impl Lab {
    pub(super) fn open(class: &str) -> Self {
        let server = Postgres::shared();
        let names = ["a", "b"].map(|variant| format!("attack_{class}_{variant}"));
        for (name, variant) in names.iter().zip(VARIANTS) {
            traps::create(server, name, variant);
        }
        let mut admins = names.clone().map(|name| Some(server.admin(&name)));
        let clean = admins.each_mut().map(fingerprint);
        let known = "SELECT max(oid) FROM (SELECT oid FROM pg_class UNION ALL \
                     SELECT oid FROM pg_type UNION ALL SELECT oid FROM pg_proc) AS o";
        let known_oid_max = server.admin(&names[0]).query(known).ok().scalar();
        let known_oid_max = known_oid_max.parse().expect("an OID");
        Self { server, names, clean, known_oid_max, admins, proxy: None }
    }

    /// The proxy, started when it is needed.
    fn proxy(&mut self) -> &mut Keyhole {
        let (server, names) = (self.server, &self.names);
        self.proxy.get_or_insert_with(|| {
            let mut config = Config::new();
            for (client, upstream) in ["shop_a", "shop_b"].iter().zip(names) {
                config = config.database(client, server, upstream, traps::CATALOG);
            }
            Keyhole::start(config)
        })
    }

    /// Both databases, past the proxy.
    pub(super) fn direct(&self) -> [Target; 2] {
        self.names.each_ref().map(|name| self.server.direct(name))
    }

    /// Both databases, through the proxy.
    pub(super) fn proxied(&mut self) -> [Target; 2] {
        ["shop_a", "shop_b"].map(|database| self.proxy().data("alice", database))
    }

    /// Ok when the attack succeeds on a direct connection, as it should.
    pub(super) fn try_directly(&mut self, attack: &Attack) -> Result<(), String> {
        let mut seen = Vec::new();
        for form in [Form::Simple, Form::Text] {
            let direct = self.direct();
            let [a, b] = direct.each_ref().map(|it| Session::run(attack, form, it, it));
            self.clean_up();
            match (self.verdict(attack, &a, &b), &attack.harmless) {
                (Err(leak), Some(why)) => return Err(format!("not harmless ({why}): {leak}")),
                (Err(_), None) => return Ok(()),
                (Ok(()), _) => seen.push(errors(&a)),
            }
        }
        attack.harmless.as_ref().map(|_| ()).ok_or_else(|| seen.join(" | "))
    }

    /// Ok when the attacker learns nothing through the proxy; says what the databases went through.
    pub(super) fn try_proxied(
        &mut self,
        attack: &Attack,
        form: Form,
        look: Look,
    ) -> Result<Wear, String> {
        let mut outcome = Ok(Wear::Untouched);
        // A difference in time counts when it comes every time.
        for _ in 0..if attack.timed { 3 } else { 1 } {
            let (proxied, direct) = (self.proxied(), self.direct());
            let [a, b] = [0, 1].map(|at| Session::run(attack, form, &proxied[at], &direct[at]));
            if let Some(status) = self.proxy().ended() {
                return Err(format!("the proxy ended with {status}: {}", self.proxy().log()));
            }
            let wear = match look {
                Look::AtOnce => self.clean_up(),
                Look::Later => Wear::Untouched,
            };
            outcome = self.verdict(attack, &a, &b).map(|()| wear);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn verdict(&self, attack: &Attack, a: &Transcript, b: &Transcript) -> Result<(), String> {
        for (transcript, variant) in [a, b].into_iter().zip(VARIANTS) {
            let leaks = traps::finder(variant).find(&transcript.heard, &transcript.said);
            if let Some(leak) = leaks.first() {
                return Err(format!("{} in …{}…", leak.what, leak.around));
            }
        }
        let [mut of_a, mut of_b] = [a, b].map(|transcript| {
            transcript.messages.iter().map(|message| self.normal(message)).collect::<Vec<_>>()
        });
        if of_a != of_b {
            let length = of_a.len().max(of_b.len());
            let end = Message { tag: b'-', body: b"nothing more".to_vec() };
            of_a.resize(length, end.clone());
            of_b.resize(length, end);
            let differs = of_a.iter().zip(&of_b).find(|(a, b)| a != b);
            return Err(format!("the twins differ: {differs:?}"));
        }
        let [took_a, took_b] = [a, b].map(|t| i128::try_from(t.took.as_millis()).expect("short"));
        if attack.timed && (took_a - took_b).abs() > CLEARLY_LONGER_MS {
            return Err(format!("the twins differ in time: {took_a} and {took_b} ms"));
        }
        Ok(())
    }

    /// Without what differs from run to run: names of the databases, OIDs of new objects, pids.
    fn normal(&self, message: &Message) -> Message {
        let mut body = message.body.clone();
        for (name, alias) in self.names.iter().zip(["shop_a", "shop_b"]) {
            body = replaced(&body, name.as_bytes());
            body = replaced(&body, alias.as_bytes());
        }
        match message.tag {
            b'T' => {
                let columns = message.columns().into_iter().map(|mut column| {
                    for oid in [&mut column.table_oid, &mut column.type_oid] {
                        *oid = if *oid > self.known_oid_max { 0 } else { *oid };
                    }
                    format!("{column:?}")
                });
                body = columns.collect::<Vec<_>>().join("\n").into_bytes();
            }
            b'A' => {
                body.drain(..4);
            }
            _ => {}
        }
        Message { tag: message.tag, body }
    }

    /// Before each attack the proxy works: a lab where everything is refused proves nothing.
    pub(super) fn expect_masks(&mut self) {
        for (database, variant) in [("shop_a", Variant::A), ("shop_b", Variant::B)] {
            let stored = traps::stored(variant, "customers.email", 5);
            let mut session = self.proxy().data("alice", database).connect();
            assert_eq!(session.query(EMAIL).ok().scalar(), masked(&stored), "{database}");
        }
    }

    /// Puts back databases that an attack changed.
    pub(super) fn clean_up(&mut self) -> Wear {
        let mut wear = Wear::Untouched;
        for (at, variant) in VARIANTS.into_iter().enumerate() {
            if fingerprint(&mut self.admins[at]) != self.clean[at] {
                wear = Wear::MadeAnew;
                self.proxy = None;
                self.admins[at] = None;
                self.server.drop_database(&self.names[at]);
                traps::create(self.server, &self.names[at], variant);
                self.admins[at] = Some(self.server.admin(&self.names[at]));
            }
        }
        wear
    }
}

fn fingerprint(admin: &mut Option<Client>) -> String {
    let admin = admin.as_mut().expect("only away while its database is made anew");
    admin.query(FINGERPRINT).ok().scalar()
}

fn replaced(bytes: &[u8], name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(name.len()).position(|window| window == name) {
        out.extend_from_slice(&rest[..at]);
        out.extend(b"DATABASE");
        rest = &rest[at + name.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// The errors of a transcript, for reports.
fn errors(transcript: &Transcript) -> String {
    let errors = transcript.messages.iter().filter(|message| message.tag == b'E');
    let errors: Vec<_> = errors.map(|message| message.error().to_string()).collect();
    if errors.is_empty() { "the twins are the same".to_owned() } else { errors.join("; ") }
}
