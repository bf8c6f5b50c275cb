//! A shop behind the proxy, and the DBA who decides on requests.

use crate::support::keyhole::Config;
use crate::support::traps::{self, Variant};
use crate::support::{Client, Keyhole, Postgres, Reply, Target};

/// Customer 5's address, as stored.
pub(crate) fn email() -> String {
    traps::stored(Variant::A, "customers.email", 5)
}

/// What everybody else sees of an address: first letter and domain.
pub(crate) fn masked(email: &str) -> String {
    let (local, domain) = email.split_once('@').expect("an address");
    format!("{}***@{domain}", &local[..1])
}

pub(crate) const EMAIL: &str = "SELECT email FROM customers WHERE id = 5";

/// One database of traps behind a proxy of its own.
pub(crate) struct Shop {
    pub(crate) server: &'static Postgres,
    pub(crate) database: String,
    pub(crate) proxy: Keyhole,
}

impl Shop {
    /// `name` is unique among all tests: it names the database upstream.
    #[track_caller]
    pub(crate) fn open(name: &str) -> Self {
        Self::open_with(name, |config| config)
    }

    #[track_caller]
    pub(crate) fn open_with(name: &str, change: impl FnOnce(Config) -> Config) -> Self {
        let server = Postgres::shared();
        Self::on(server, name, change)
    }

    #[track_caller]
    pub(crate) fn on(
        server: &'static Postgres,
        name: &str,
        change: impl FnOnce(Config) -> Config,
    ) -> Self {
        traps::create(server, name, Variant::A);
        let config = Config::new().database("shop", server, name, traps::CATALOG);
        let proxy = Keyhole::start(change(config));
        Self { server, database: name.to_owned(), proxy }
    }

    /// Through the proxy.
    pub(crate) fn alice(&self) -> Target {
        self.proxy.data("alice", "shop")
    }

    pub(crate) fn bob(&self) -> Target {
        self.proxy.data("bob", "shop")
    }

    /// Past the proxy.
    pub(crate) fn direct(&self) -> Target {
        self.server.direct(&self.database)
    }

    pub(crate) fn dba(&self) -> Dba {
        Dba::at(&self.proxy.control("dora"))
    }
}

/// A session on the control port.
pub(crate) struct Dba(Client);

impl Dba {
    #[track_caller]
    pub(crate) fn at(console: &Target) -> Self {
        Self(console.connect())
    }

    #[track_caller]
    pub(crate) fn say(&mut self, command: &str) -> Reply {
        self.0.query(command).ok()
    }

    pub(crate) fn try_say(&mut self, command: &str) -> Reply {
        self.0.query(command)
    }

    /// Approves the user's latest request.
    #[track_caller]
    pub(crate) fn approve(&mut self, user: &str) {
        let id = self.latest("SHOW REQUESTS", "requester", user);
        self.say(&format!("APPROVE {id}"));
    }

    /// Revokes the latest grant to the user.
    #[track_caller]
    pub(crate) fn revoke(&mut self, user: &str) {
        let id = self.latest("SHOW GRANTS", "subject", user);
        self.say(&format!("REVOKE {id}"));
    }

    /// Grants reading a column of database `shop` for half an hour.
    #[track_caller]
    pub(crate) fn grant(&mut self, column: &str, user: &str) {
        self.say(&format!(
            "GRANT READ ON shop.{column} TO {user} FOR '30 minutes' REASON 'INC-7: a test'"
        ));
    }

    #[track_caller]
    fn latest(&mut self, show: &str, column: &str, user: &str) -> u64 {
        let reply = self.say(show);
        let position = |name: &str| {
            let found = reply.columns().iter().position(|column| column.name == name);
            found.unwrap_or_else(|| panic!("{show} has no column {name}"))
        };
        let (id, who) = (position("id"), position(column));
        let ids = reply.rows().into_iter().filter(|row| row[who].contains(user));
        let ids = ids.map(|row| row[id].parse::<u64>().expect("a number"));
        ids.max().unwrap_or_else(|| panic!("{show}: none of {user}: {:?}", reply.rows()))
    }
}

/// Asks for an address in the session itself.
pub(crate) const REQUEST: &str =
    "SELECT * FROM keyhole.request('customers.email', '30 minutes', 'INC-42: refund')";
