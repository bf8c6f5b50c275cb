//! The control port's view of the process.

use std::path::Path;
use std::sync::Arc;

use super::databases::Site;
use super::house::House;
use crate::audit::{Event, Explored, Login, LoginFailed, Logout};
use crate::auth::rules::Rules;
use crate::auth::session::{Lasting, Sessions};
use crate::config::Config;
use crate::control::desk::{CatalogFile, Database, Deed, Desk, Drifted, Occurrence, Review};
use crate::control::explorer::Explorer;
use crate::control::sign_in::{SignIn, Terms};
use crate::model::{Client, SqlState, User};
use crate::store::signed_out::SignedOut;

/// What records and rules of logins say instead of a database's name.
const CONSOLE: &str = "keyhole";

/// Console connections are no sessions of the data port.
const NO_SESSION: u64 = 0;

pub(super) fn build(house: &Arc<House>) -> Desk {
    let of = || Arc::clone(house);
    let (databases, policies, rules) = (of(), of(), of());
    let (users, named, reload, unready, record) = (of(), of(), of(), of(), of());
    let sinks = of();
    Desk {
        approvals: house.approvals.clone(),
        sessions: Arc::clone(&house.sessions),
        metrics: Arc::clone(&house.metrics),
        clock: Arc::clone(&house.clock),
        databases: Box::new(move || list_databases(&databases)),
        policies: Box::new(move || policies.setup.load().policies.clone()),
        rules: Box::new(move || Rules {
            database: Some(CONSOLE),
            ..rules.setup.load().rules.clone()
        }),
        sign_in: Arc::new(sign_in(house)),
        users: Box::new(move |login| users.setup.load().person(login)),
        named: Box::new(move |name| named.setup.load().user(name).cloned()),
        reload: Box::new(move || {
            let house = Arc::clone(&reload);
            Box::pin(async move { house.reload(None).await })
        }),
        unready: Box::new(move || unready.unready()),
        sinks: Box::new(move || sinks.sinks.look(sinks.now())),
        explorer: Explorer::new(Some(house.setup.load().config.audit.dir.clone())),
        record: Box::new(move |occurrence| remember(&record, occurrence)),
    }
}

fn sign_in(house: &Arc<House>) -> SignIn {
    let list = house.session_key.beside(".out");
    let sessions = Sessions::new(house.session_key.key, SignedOut::at(&list));
    let house = Arc::clone(house);
    let terms = move || {
        let setup = house.setup.load();
        let config = &setup.config;
        Terms {
            lasting: Lasting { life: config.control.session, idle: config.control.session_idle },
            requests: config.control.requests,
            console_url: config.notify.console_url.clone(),
            tokens: Arc::clone(&setup.tokens),
        }
    };
    SignIn::new(sessions, Box::new(terms))
}

fn list_databases(house: &House) -> Vec<Database> {
    let setup = house.setup.load();
    let list = setup.databases().map(|(name, upstream, catalog)| {
        let site = house.databases.find(name);
        Database {
            name: name.to_owned(),
            upstream,
            catalog: Arc::clone(catalog),
            review: review(&setup.config, name),
            world: site.as_ref().and_then(|site| site.database.world()),
            drift: match name {
                Database::ANY => drifted(house.databases.while_used()),
                _ => drifted(site),
            },
        }
    });
    list.collect()
}

fn drifted(sites: impl IntoIterator<Item = Arc<Site>>) -> Vec<Drifted> {
    let of = |site: Arc<Site>| Drifted {
        database: Arc::clone(site.database.name()),
        found: site.drift.load_full(),
    };
    sites.into_iter().map(of).collect()
}

fn review(config: &Config, name: &str) -> Option<Arc<Review>> {
    let database = config.databases.iter().find(|database| database.name.as_str() == name)?;
    let folder = config.path.parent().unwrap_or(Path::new(""));
    let files = database.catalog_files.iter().map(|path| CatalogFile {
        name: path.strip_prefix(folder).unwrap_or(path).to_owned(),
        path: path.clone(),
    });
    let findings = database.findings.clone()?;
    Some(Arc::new(Review { findings, files: files.collect() }))
}

/// Logins are records of their own here; what changes requests and grants is one of the store's
/// events, a reload leaves its own record, and a session that was killed says so at its end.
fn remember(house: &House, occurrence: &Occurrence) {
    let Occurrence { user, address, deed, refused, about, .. } = occurrence;
    match (deed, refused) {
        (Deed::Login { method }, None) => {
            house.note(Event::Login(Login {
                session: NO_SESSION,
                client: Arc::new(client_of(occurrence)),
                method,
                tls: None,
            }));
        }
        (Deed::SignOut { after }, _) => {
            let client = client_of(occurrence);
            house.note(Event::Logout(Logout {
                session: NO_SESSION,
                client: Arc::new(client),
                statements: 0,
                duration_us: u64::try_from(after.as_micros()).unwrap_or(u64::MAX),
                reason: "signed_out",
                by: None,
            }));
        }
        (Deed::SignOutAll, _) => {
            let name = about.as_deref().unwrap_or(&user.name);
            let client = Client { user: User::nobody(name), ..client_of(occurrence) };
            house.note(Event::Logout(Logout {
                session: NO_SESSION,
                client: Arc::new(client),
                statements: 0,
                duration_us: 0,
                reason: "signed_out_everywhere",
                by: Some(user.name.to_string()),
            }));
        }
        (Deed::Login { method }, Some(state)) => house.note(Event::LoginFailed(LoginFailed {
            session: NO_SESSION,
            user: house.setup.load().claimed(&user.name, method),
            address: Some(*address),
            database: CONSOLE.to_owned(),
            method,
            reason: login_failure(*state),
        })),
        (Deed::Explore(asked), _) => house.note(Event::Explored(Explored {
            client: Arc::new(client_of(occurrence)),
            asked: asked.names(),
            subject: about.clone(),
        })),
        (
            Deed::Grant
            | Deed::Request
            | Deed::Extend(_)
            | Deed::Cancel(_)
            | Deed::Approve(_)
            | Deed::Deny(_)
            | Deed::Revoke(_)
            | Deed::RevokeAll
            | Deed::Review(_)
            | Deed::KillSession(_)
            | Deed::Suspend
            | Deed::Lift
            | Deed::Reload,
            _,
        ) => {}
    }
}

fn client_of(occurrence: &Occurrence) -> Client {
    Client {
        user: occurrence.user.clone(),
        address: Some(occurrence.address),
        application: Arc::clone(&occurrence.application),
        database: CONSOLE.into(),
    }
}

/// The word of the record for the SQLSTATE that a login was refused with.
pub(super) fn login_failure(state: SqlState) -> &'static str {
    if state == SqlState::INVALID_PASSWORD {
        "password"
    } else if state == SqlState::INVALID_AUTHORIZATION {
        "not_allowed"
    } else if state == SqlState::INVALID_CATALOG_NAME {
        "no_database"
    } else if state == SqlState::TOO_MANY_CONNECTIONS {
        "too_many_connections"
    } else if state == SqlState::CANNOT_CONNECT_NOW {
        "not_ready"
    } else if state == SqlState::PROTOCOL_VIOLATION {
        "protocol"
    } else if state == SqlState::FEATURE_NOT_SUPPORTED {
        "unsupported"
    } else {
        "upstream"
    }
}
