//! The data port: lets clients in, connects them to their database, and leaves them to
//! [`crate::relay`].

mod hosted;
#[cfg(test)]
mod tests;
pub(super) mod toward;
mod words;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

use self::hosted::{Hosted, Stays};
use self::toward::cancel_call;
use self::words::{greet, say, turn_away};
use super::crew::Crew;
use super::crowd::Member;
use super::databases::Site;
use super::desk::login_failure;
use super::house::House;
use super::setup::{Accounts, NoAccount, Setup, Spec, Upkeep};
use super::threshold::{Newcomer, too_many_from_there, welcome};
use crate::audit::{Event, Login, LoginFailed};
use crate::auth::Authenticated;
use crate::auth::login::{Accepted, Request};
use crate::config::Connections;
use crate::model::{Client, Report, SqlState, User, misleads};
use crate::net::{Ports, Stream};
use crate::relay::{self, Attached, Parties, Patience, Peer, Phase};
use crate::session::Start;
use crate::telemetry::labels::LoginResult;
use crate::telemetry::sessions::Facts;
use crate::upstream::connect::passthrough::Proven;
use crate::upstream::connect::{Connected, Target};
use crate::wire::write;

/// Connections that are neither let in nor turned away yet, beyond those that have a place.
const NEWCOMERS_MAX: usize = 256;

/// How long a client waits for the first reading of a schema.
const WORLD_TIMEOUT: Duration = Duration::from_secs(10);

/// Lets clients in until the process drains, then waits for their sessions to end. A connection
/// that fails or panics is its own end. The crew is dismissed afterwards.
pub(super) async fn serve(mut ports: Ports, house: Arc<House>, crew: Crew) {
    let mut phase = house.phase.subscribe();
    let connections_max = house.places.available_permits() + NEWCOMERS_MAX;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => break,
            Some(ended) = connections.join_next() => note(ended),
            (socket, peer) = ports.accept() => {
                if connections.len() >= connections_max {
                    let mut message = Vec::new();
                    write::error(&mut message, &too_many());
                    // What does not fit into the socket's empty buffer is not worth a task.
                    let _ = socket.try_write(&message);
                } else if let Ok(socket) = socket.detach() {
                    let house = Arc::clone(&house);
                    crew.spawn(&mut connections, |burden| async move {
                        let _burden = burden;
                        // Who has left already needs no answer.
                        if let Ok(socket) = socket.attach() {
                            welcome(house, socket, peer).await;
                        }
                    });
                }
            }
        }
    }
    drop(ports);
    while let Some(ended) = connections.join_next().await {
        note(ended);
    }
}

/// The error is not told: it repeats what the panic said, which may be data.
fn note(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a session has panicked");
    }
}

/// The database, or what is known of it, took all the time that a login has.
fn too_slow() -> Refusal {
    let report = Report::fatal(SqlState::QUERY_CANCELED, "canceling login due to timeout")
        .hint("login_timeout in [data] is the limit.");
    Refusal { report, result: LoginResult::Timeout }
}

fn too_many() -> Report {
    Report::fatal(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already")
        .hint("connections_max in [data] is the limit.")
}

pub(super) fn no_account() -> Report {
    let message = "no account of the database has a name of that length";
    Report::fatal(SqlState::INVALID_AUTHORIZATION, message)
}

/// One of the places that sessions have.
pub(super) fn take_place(house: &House) -> Result<OwnedSemaphorePermit, Report> {
    Arc::clone(&house.places).try_acquire_owned().map_err(|_| too_many())
}

/// The database that is asked for.
pub(super) fn spec(setup: &Setup, request: &Request) -> Result<Spec, Report> {
    setup.spec(&request.database).ok_or_else(|| {
        let message = format!("database \"{}\" does not exist", request.database);
        Report::fatal(SqlState::INVALID_CATALOG_NAME, message)
    })
}

fn too_many_of(user: &str) -> Report {
    let message = format!("too many connections for user \"{user}\"");
    Report::fatal(SqlState::TOO_MANY_CONNECTIONS, message)
        .hint("connections_per_user in [data] is the limit.")
}

/// Somebody who has proven who they are.
pub(super) struct Guest {
    pub(super) house: Arc<House>,
    pub(super) setup: Arc<Setup>,
    pub(super) newcomer: Newcomer,
    /// Taken before the login where that took a connection to the database.
    pub(super) place: Option<OwnedSemaphorePermit>,
    /// When `login_timeout` is over.
    pub(super) deadline: Instant,
}

/// All that a session needs, made before the client hears that it may begin.
struct Admitted {
    user: User,
    site: Arc<Site>,
    target: Arc<Target>,
    connected: Connected,
    attached: Attached,
    place: OwnedSemaphorePermit,
    member: Member<Arc<str>>,
}

/// How a client came in.
struct Way {
    authenticated: Authenticated,
    request: Request,
}

/// Why a client is not admitted.
struct Refusal {
    report: Report,
    result: LoginResult,
}

impl Guest {
    /// The session that the client may have; None: it has been told why not.
    pub(super) async fn enter(mut self, accepted: Accepted) -> Option<Hosted> {
        let Accepted { mut stream, leftover, authenticated, request, upstream } = accepted;
        let place = self.place.take();
        let admitting = self.admit(&authenticated, &request, place, upstream);
        let admitted = timeout_at(self.deadline, admitting).await;
        match admitted.unwrap_or_else(|_| Err(too_slow())) {
            Ok(admitted) => {
                let login = Way { authenticated, request };
                self.host(admitted, stream, leftover, login).await
            }
            Err(refusal) => {
                self.refused(&authenticated, &request, &refusal);
                turn_away(&mut stream, &refusal.report).await;
                None
            }
        }
    }

    fn refused(&self, login: &Authenticated, request: &Request, refusal: &Refusal) {
        self.house.metrics.logins.of(refusal.result).inc();
        self.house.note(Event::LoginFailed(LoginFailed {
            session: 0,
            user: request.user.clone(),
            address: self.newcomer.peer.map(|peer| peer.ip()),
            database: self.setup.claimed_database(&request.database),
            method: login.method(),
            reason: login_failure(refusal.report.state),
        }));
    }

    async fn admit(
        &self,
        login: &Authenticated,
        request: &Request,
        place: Option<OwnedSemaphorePermit>,
        proven: Option<Proven>,
    ) -> Result<Admitted, Refusal> {
        let house = &self.house;
        let not_allowed = |report| Refusal { report, result: LoginResult::NotAllowed };
        let user = self.setup.person(login).ok_or_else(|| Refusal {
            // In the words for a wrong password: which users exist is nobody's business.
            report: Report::fatal(
                SqlState::INVALID_PASSWORD,
                format!("password authentication failed for user \"{}\"", login.user()),
            ),
            result: LoginResult::Refused,
        })?;
        let place = match place {
            Some(place) => place,
            None => take_place(house).map_err(not_allowed)?,
        };
        if self.newcomer.excess(&self.setup) > 0 {
            return Err(not_allowed(too_many_from_there()));
        }
        let member = house.users.enter(Arc::clone(login.user()));
        let limit = self.setup.config.data.connections.per_user;
        if limit.is_some_and(|limit| member.number > limit) {
            return Err(not_allowed(too_many_of(login.user())));
        }
        let spec = spec(&self.setup, request).map_err(not_allowed)?;
        let target = match proven {
            Some(_) => Accounts::of_client(&spec.target, &request.user),
            None => spec.accounts.target(&spec.target, &user),
        };
        let target = target.map_err(|NoAccount| not_allowed(no_account()))?;
        let connected = self.connect(&target, &spec.accounts, request, proven).await?;
        let site = self.site(spec);
        let attached = site.database.attach();
        self.wait_for_world(&site).await?;
        self.same_cluster(&site, &connected).await?;
        Ok(Admitted { user, site, target, connected, attached, place, member })
    }

    /// The database's site; the first client of a database that only `*` serves makes it.
    fn site(&self, spec: Spec) -> Arc<Site> {
        self.house.databases.ensure(spec)
    }

    async fn wait_for_world(&self, site: &Site) -> Result<(), Refusal> {
        let mut epoch = site.database.subscribe();
        let known = async {
            while site.database.world().is_none() {
                if epoch.changed().await.is_err() {
                    break;
                }
            }
            let upkeep = site.spec.borrow().upkeep;
            // Nobody may have looked at it since its last session.
            upkeep == Upkeep::Always || site.database.refresh().await.is_ok()
        };
        let fresh = timeout(WORLD_TIMEOUT, known).await.unwrap_or(false);
        if fresh && site.database.world().is_some() && !site.database.is_expired() {
            return Ok(());
        }
        let report = Report::fatal(
            SqlState::CANNOT_CONNECT_NOW,
            "the schema of the database could not be read yet",
        )
        .hint("Connect again in a moment; /readyz of the proxy says why.");
        Err(Refusal { report, result: LoginResult::Upstream })
    }

    /// Has the client begin its session, unless its login cannot be put on record.
    async fn host(
        self,
        admitted: Admitted,
        mut stream: Stream,
        leftover: Vec<u8>,
        login: Way,
    ) -> Option<Hosted> {
        let Way { authenticated, request } = login;
        let house = self.house;
        let Admitted { user, site, target, connected, attached, place, member } = admitted;
        let cancel = cancel_call(&target, &connected);
        let (call, cancel_requests) = relay::cancel_requests();
        let key = connected.key.as_ref();
        let issued = key.map(|key| house.keys.issue(key.pid, request.minor, call));
        let client = Arc::new(Client {
            user,
            address: self.newcomer.peer.map(|peer| peer.ip()),
            application: parameter(&request, "application_name").into(),
            database: request.database.as_str().into(),
        });
        let entry = house.sessions.enter(Facts {
            user: Arc::clone(&client.user.name),
            groups: Arc::clone(&client.user.groups),
            database: Arc::clone(&client.database),
            address: self.newcomer.peer,
            application: readable(&client.application),
            since: house.now(),
        });
        let listed = entry.session();
        house.settle_in(listed, &self.setup);
        let login = Event::Login(Login {
            session: listed.id,
            client: Arc::clone(&client),
            method: authenticated.method(),
            tls: stream.tls_version().map(str::to_owned),
        });
        if let Err(report) = house.record(login).await {
            house.metrics.logins.of(LoginResult::Audit).inc();
            turn_away(&mut stream, &report).await;
            return None;
        }
        house.metrics.logins.of(LoginResult::Ok).inc();
        let mut greeting = Vec::new();
        let issued_key = issued.as_ref().map(|issued| (issued.pid(), issued.secret()));
        greet(&mut greeting, &connected.parameters, issued_key);
        let greeted = say(&mut stream, &greeting).await;
        let Connected { stream: server, parameters, leftover: server_leftover, .. } = connected;
        let parties = greeted.is_ok().then(|| Parties {
            start: Start {
                id: listed.id,
                client: Arc::clone(&client),
                parameters,
                frame_len_max: self.setup.config.data.frame_len_max,
            },
            client: Peer { stream, leftover },
            server: Peer { stream: server, leftover: server_leftover },
            cancel,
            cancel_requests,
            patience: patience(&self.setup.config.data.connections),
        });
        let until = authenticated.until();
        let stays = Stays { newcomer: self.newcomer, attached, place, member, issued };
        Some(Hosted { house, site, entry, client, until, parties, _stays: stays })
    }
}

fn patience(connections: &Connections) -> Patience {
    Patience {
        idle: connections.idle,
        idle_in_transaction: connections.idle_in_transaction,
        client_stall: connections.client_stall,
    }
}

/// As operators read it in lists: clients may call themselves anything.
fn readable(application: &str) -> Arc<str> {
    application.chars().map(|c| if misleads(c) { '?' } else { c }).collect::<String>().into()
}

fn parameter<'r>(request: &'r Request, name: &str) -> &'r str {
    let found = request.parameters.iter().rev().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value)
}
