//! A database for a store, and proxies that share it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhole::grant::{DirectGrant, GrantState, RecordedEvent, Subject};
use keyhole::model::{Report, Secret};
use keyhole::store::approvals::{Approvals, Location, Settings, SharedStore};
use keyhole::upstream::connect::{Binding, Target, Tls};
use keyhole::upstream::own;
use keyhole::upstream::servers::{Host, Servers};

use crate::life::{HALF_HOUR, Home, ask, dora, view};
use crate::support::{Client, Postgres};

pub(crate) const POLL: Duration = Duration::from_millis(200);

const PASSWORD: &str = "store-secret";

/// An empty database whose owner is a role without any privileges.
pub(crate) struct Database<'s> {
    pub(crate) server: &'s Postgres,
    pub(crate) name: String,
}

pub(crate) fn database<'s>(server: &'s Postgres, name: &str) -> Database<'s> {
    server.template("keyhole", |server| {
        let role = format!("CREATE ROLE keyhole LOGIN PASSWORD '{PASSWORD}'");
        server.admin("postgres").query(&role).ok();
    });
    let name = format!("{:.50}", format!("store_{name}"));
    let mut admin = server.admin("postgres");
    admin.query(&format!("CREATE DATABASE {name} OWNER keyhole")).ok();
    Database { server, name }
}

impl Database<'_> {
    pub(crate) fn location(&self) -> Location {
        self.location_through(self.server.port())
    }

    /// Through a port that leads to the server.
    pub(crate) fn location_through(&self, port: u16) -> Location {
        self.location_as("keyhole", port)
    }

    pub(crate) fn location_as(&self, user: &str, port: u16) -> Location {
        self.location_of(user, &[port])
    }

    /// A cluster's.
    pub(crate) fn location_of(&self, user: &str, ports: &[u16]) -> Location {
        let host = |port: &u16| Host::Tcp { name: "127.0.0.1".to_owned(), port: *port };
        let servers = Servers::new(ports.iter().map(host).collect(), Duration::from_secs(2));
        let connect_patience = servers.patience();
        let target = Target {
            servers: Arc::new(servers),
            tls: Tls::Disable,
            binding: Binding::Prefer,
            user: user.to_owned(),
            database: self.name.clone(),
            password: Some(Secret::new(PASSWORD)),
        };
        Location::Postgres(SharedStore {
            place: format!("127.0.0.1:{ports:?}/{}", self.name),
            connect: own::for_store(Arc::new(target)),
            connect_patience,
            poll: POLL,
        })
    }

    /// One more proxy's.
    pub(crate) fn home(&self) -> Home {
        Home::new(|_| self.location())
    }

    /// A superuser's session.
    pub(crate) fn admin(&self) -> Client {
        self.server.admin(&self.name)
    }

    /// As the restored backup or the promoted standby of an earlier moment.
    pub(crate) fn set_back_to(&self, sequence: u64) {
        let sql = format!(
            "BEGIN; SELECT FROM keyhole.head FOR UPDATE; \
             DELETE FROM keyhole.event WHERE id > {sequence}; \
             UPDATE keyhole.head SET sequence = {sequence}; COMMIT"
        );
        self.admin().query(&sql).ok();
    }

    /// Number and kind of every event.
    pub(crate) fn events(&self) -> Vec<(u64, String)> {
        let reply = self.admin().query("SELECT id, kind FROM keyhole.event ORDER BY id").ok();
        let event = |row: Vec<String>| (row[0].parse().expect("a number"), row[1].clone());
        reply.rows().into_iter().map(event).collect()
    }
}

/// What a sink heard, in order.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<RecordedEvent>>>);

impl Heard {
    /// Settings whose events come here.
    pub(crate) fn by(&self, home: &Home) -> Settings {
        let heard = Arc::clone(&self.0);
        let on_event = move |event: &RecordedEvent| {
            heard.lock().expect("unpoisoned").push(event.clone());
            Ok(())
        };
        Settings { on_event: Arc::new(on_event), ..home.settings() }
    }

    pub(crate) fn all(&self) -> Vec<RecordedEvent> {
        self.0.lock().expect("unpoisoned").clone()
    }
}

/// Grants a column of database `shop` to somebody.
pub(crate) async fn grant(
    store: &Approvals,
    name: &str,
    column: &str,
    reason: &str,
) -> Result<u64, Report> {
    let mut wish = ask(&format!("customers.{column}"), HALF_HOUR);
    reason.clone_into(&mut wish.reason);
    let direct = DirectGrant { subject: Subject::User(name.into()), ask: wish };
    store.grant(&dora(), &view(), direct).await.map(|view| view.grant.id)
}

/// Number, subject, reason and state of every grant.
pub(crate) fn grants(store: &Approvals) -> Vec<(u64, String, String, GrantState)> {
    let grant = |view: keyhole::grant::GrantView| {
        (view.grant.id, view.grant.subject.to_string(), view.grant.reason.clone(), view.state)
    };
    store.grants().into_iter().map(grant).collect()
}
