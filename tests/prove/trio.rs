//! Three sessions side by side: on the masked twin past the proxy, and through the proxy on two
//! databases that differ only in hidden values.

use super::statement::Script;
use crate::support::keyhole::Config;
use crate::support::message::Message;
use crate::support::traps::{self, Variant};
use crate::support::{Client, Keyhole, Postgres, Target};

const MASK: &str = include_str!("mask.sql");

/// Rolled-back statements leave dead rows behind.
const STATEMENTS_PER_VACUUM: usize = 2000;

/// A transaction that is rolled back does not turn sequences back.
const SEQUENCES: &str = "SELECT setval(oid::regclass, 1000) FROM pg_class WHERE relkind = 'S' \
                         AND relnamespace IN ('public'::regnamespace, 'hr'::regnamespace)";

const TABLES: &str = "VACUUM customers, vip_customers, products, orders, payments, hr.employees, \
    events, \"UserProfiles\", \"клиенты\", hr.contacts, leads, newsletter, contact_points, \
    kyc_checks, id_scans, support_tickets, audit_log, app_settings";

/// What one session heard of a script.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) messages: Vec<Message>,
    pub(crate) bytes: Vec<u8>,
    /// The session ended before the last reply.
    pub(crate) ended: bool,
}

impl Heard {
    /// What the messages say, each apart from the next: the tag of a message behind a value is none
    /// of the value's letters.
    pub(crate) fn said(&self) -> Vec<u8> {
        let bodies: Vec<&[u8]> = self.messages.iter().map(|it| it.body.as_slice()).collect();
        bodies.join(&b"\n\xff\n"[..])
    }
}

/// What everybody heard of the same script.
pub(crate) struct Answers {
    pub(crate) twin: Heard,
    pub(crate) a: Heard,
    pub(crate) b: Heard,
}

/// How the variants are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Proxied,
    /// Past the proxy, to see the proof fail.
    Direct,
}

pub(crate) struct Trio {
    pub(crate) proxy: Keyhole,
    targets: [Target; 3],
    sessions: [Client; 3],
    pub(crate) admins: [Client; 3],
    /// OIDs of the row types of tables and views, and of arrays of them.
    pub(crate) row_types: [Vec<u32>; 2],
    /// Upstream names: masked twin, A, B.
    pub(crate) names: [String; 3],
    ran: usize,
}

impl Trio {
    pub(crate) fn open(name: &str, way: Way) -> Self {
        Self::open_with(name, way, |config| config)
    }

    /// With a third database, `shop_c`, that nobody asks.
    pub(crate) fn open_with(name: &str, way: Way, change: impl FnOnce(Config) -> Config) -> Self {
        let server = Postgres::shared();
        let names = ["m", "a", "b"].map(|which| format!("{name}_{which}"));
        let variants = [Variant::A, Variant::A, Variant::B];
        for (name, variant) in names.iter().zip(variants) {
            traps::create(server, name, variant);
        }
        server.admin(&names[0]).query(MASK).ok();
        let called = [("shop_a", &names[1]), ("shop_b", &names[2]), ("shop_c", &names[1])];
        let config = called.iter().fold(Config::new(), |config, (called, upstream)| {
            config.database(called, server, upstream, traps::CATALOG)
        });
        let proxy = Keyhole::start(change(config));
        let to = |which: usize, database| match way {
            Way::Proxied => proxy.data("alice", database),
            Way::Direct => server.direct(&names[which]),
        };
        let targets = [server.direct(&names[0]), to(1, "shop_a"), to(2, "shop_b")];
        let sessions = targets.each_ref().map(Target::connect);
        let mut admins = names.each_ref().map(|name| server.admin(name));
        let row_types = row_types(&mut admins);
        Self { proxy, targets, sessions, admins, row_types, names, ran: 0 }
    }

    /// Has the sequences of all three databases begin anew.
    pub(crate) fn turn_back(&mut self) {
        self.admins.iter_mut().for_each(|admin| admin.start(SEQUENCES));
        self.admins.iter_mut().for_each(|admin| {
            admin.until_ready().ok();
            admin.forget();
        });
    }

    pub(crate) fn run(&mut self, script: &Script) -> Answers {
        self.ran += 1;
        if self.ran.is_multiple_of(STATEMENTS_PER_VACUUM) {
            self.admins.iter_mut().for_each(|admin| admin.start(TABLES));
            for admin in &mut self.admins {
                admin.until_ready().ok();
            }
        }
        for session in &mut self.sessions {
            session.forget();
            // A session that has ended says so when it is read.
            session.send(&script.bytes).ok();
        }
        let [twin, a, b] = [0, 1, 2].map(|which| {
            let heard = listen(&mut self.sessions[which], script.replies);
            if heard.ended {
                self.sessions[which] = self.targets[which].connect();
            }
            heard
        });
        Answers { twin, a, b }
    }
}

fn listen(session: &mut Client, replies: usize) -> Heard {
    let mut heard = Heard::default();
    let before = session.heard.len();
    let mut ready = 0;
    while ready < replies {
        match session.read() {
            Ok(Some(message)) => {
                ready += usize::from(message.tag == b'Z');
                heard.messages.push(message);
            }
            Ok(None) | Err(_) => {
                heard.ended = true;
                break;
            }
        }
    }
    heard.bytes = session.heard[before..].to_vec();
    heard
}

pub(crate) fn row_types(admins: &mut [Client; 3]) -> [Vec<u32>; 2] {
    let mut types = [Vec::new(), Vec::new()];
    let sql = "SELECT t.oid, t.typarray FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid \
               WHERE t.oid >= 16384 AND c.relkind <> 'c'";
    for admin in &mut admins[..2] {
        for row in admin.query(sql).ok().rows() {
            for (list, oid) in types.iter_mut().zip(&row) {
                list.push(oid.parse().expect("an OID"));
            }
        }
    }
    types
}
