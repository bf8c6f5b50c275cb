//! The control port as DBAs and machines meet it: psql, a driver, plain bytes, HTTP.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyhole::analysis::sensitive::{Sensitive, Tags, Unclassified};
use keyhole::auth::Credentials;
use keyhole::auth::rules::{Method, Rules, Tls};
use keyhole::auth::scram::{ITERATIONS_DEFAULT, MockKey, Verifier};
use keyhole::auth::session::{Lasting, Sessions};
use keyhole::auth::throttle::Throttle;
use keyhole::auth::token::{self, MachineToken};
use keyhole::catalog::{Catalog, Class, Hiding, MaskSpec, Table};
use keyhole::config::RequestLimits;
use keyhole::control::desk::{
    CatalogFile, Database, Deed, Desk, Drifted, Occurrence, Part, Review, Unready,
};
use keyhole::control::explorer::Explorer;
use keyhole::control::sign_in::{SignIn, Terms};
use keyhole::control::{console, http};
use keyhole::decision::{self, Mode, Notice, Persist, World, Writes};
use keyhole::discovery::drift::{Drift, DriftKind, Found, Severity};
use keyhole::grant::{Approvers, Ask, CatalogView, Policies, PolicyText};
use keyhole::model::{Epoch, RelationName, Secret, SigningKey, SqlState, Timestamp, User};
use keyhole::net::Listener;
use keyhole::schema::{Column, Relation, RelationKind, Snapshot, ValueType};
use keyhole::store::approvals::{Approvals, Clock, Location, Settings};
use keyhole::store::signed_out::SignedOut;
use keyhole::telemetry::{Metrics, sessions};
use tokio::sync::oneshot;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

#[path = "control/asking.rs"]
mod asking;
#[path = "control/matrix.rs"]
mod matrix;
#[path = "control/review.rs"]
mod review;
#[path = "control/signing_in.rs"]
mod signing_in;

/// How long people stay signed in.
const LASTING: Lasting =
    Lasting { life: Duration::from_secs(12 * 3600), idle: Some(Duration::from_secs(1_800)) };

/// A control port of its own, on a store of its own.
struct Office {
    desk: Arc<Desk>,
    console: SocketAddr,
    http: SocketAddr,
    occurrences: Arc<Mutex<Vec<Occurrence>>>,
    reloads: Arc<AtomicUsize>,
    is_ready: Arc<AtomicBool>,
    /// Nobody has a role any more.
    is_demoted: Arc<AtomicBool>,
    /// By how many seconds its clock is ahead.
    ahead: Arc<AtomicI64>,
    /// What machines sign in with.
    tokens: Arc<Mutex<Vec<MachineToken>>>,
    close: Option<oneshot::Sender<()>>,
    closed: Option<std::thread::JoinHandle<()>>,
    folder: tempfile::TempDir,
}

fn user(name: &str, group: &str, roles: &[&str]) -> User {
    User {
        name: name.into(),
        groups: vec![group.to_owned()].into(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    }
}

fn users() -> Vec<User> {
    vec![
        user("alice", "support", &[]),
        user("dora", "dba", &["control"]),
        user("erik", "dba", &["control"]),
        // Decides on requests, and has no console.
        user("bert", "dba", &[]),
        // Decides on others' requests.
        user("olga", "ops", &[]),
    ]
}

fn password(name: &str) -> String {
    format!("secret of {name}")
}

fn rules(clock: &Clock) -> Rules {
    let verifier = |name: &str| {
        Verifier::from_password(&Secret::new(password(name)), &[7; 16], ITERATIONS_DEFAULT)
    };
    let verifiers: HashMap<_, _> =
        users().iter().map(|user| (user.name.to_string(), verifier(&user.name))).collect();
    let credentials = Credentials::new(verifiers, MockKey::new([1; 32]));
    let throttle = Arc::new(Throttle::new(clock.clone()));
    Rules { throttle, ..Rules::one(Tls::Off, Method::Scram(Arc::new(credentials))) }
}

fn catalog() -> Catalog {
    let mask = |name: &str, spec| {
        let hiding = Hiding::Mask(spec);
        (name.to_owned(), Class { name: name.to_owned(), hiding, sensitivity: None })
    };
    let classes = BTreeMap::from([
        mask("email", MaskSpec::Email),
        mask("phone", MaskSpec::Partial { keep_first: 0, keep_last: 2 }),
    ]);
    let columns = BTreeMap::from([
        ("email".to_owned(), "email".to_owned()),
        ("phone".to_owned(), "phone".to_owned()),
    ]);
    let name = RelationName::new("public", "customers");
    let table = Table { name, columns, subject: None, place: "catalog.toml:1".into() };
    Catalog { classes, tables: vec![table], functions: Vec::new(), honey: Vec::new() }
}

fn schema() -> Snapshot {
    let column = |number, name: &str, oid, sql: &str, category| Column {
        number,
        name: name.to_owned(),
        type_oid: oid,
        value: ValueType { oid, typmod: -1, sql: sql.to_owned(), category },
        not_null: false,
        default: keyhole::schema::ColumnDefault::Null,
        generated_from: None,
    };
    let relation = Relation {
        oid: 16_384,
        name: RelationName::new("public", "customers"),
        kind: RelationKind::Table,
        row_type: 16_386,
        columns: vec![column(1, "id", 23, "integer", b'N'), column(2, "email", 25, "text", b'S')],
        parents: Vec::new(),
        reads: Vec::new(),
        calls: Vec::new(),
        definition: None,
        triggers: Vec::new(),
        constraints: Vec::new(),
        primary_key: vec![1],
        row_security: false,
        policies: Default::default(),
        on_write: Default::default(),
    };
    let strange = Relation {
        oid: 16_390,
        name: RelationName::new("public", review::TABLE),
        row_type: 16_392,
        columns: vec![column(1, review::COLUMN, 25, "text", b'S')],
        primary_key: Vec::new(),
        ..relation.clone()
    };
    let wide = Relation {
        oid: 16_396,
        name: RelationName::new("public", "wide"),
        row_type: 16_398,
        columns: (1..=review::WIDTH)
            .map(|number| column(number, &format!("c{number}"), 25, "text", b'S'))
            .collect(),
        primary_key: Vec::new(),
        ..relation.clone()
    };
    let relations = vec![relation, strange, wide];
    Snapshot::new(Epoch(4), 150_018, relations, Vec::new(), vec!["public".into()])
}

/// What the schema and the catalog add up to.
fn world() -> World {
    let (schema, catalog) = (schema(), catalog());
    let (sensitive, _, _) =
        Sensitive::bind(&schema, &catalog, &Tags::default(), Unclassified::Allow).expect("binds");
    let view = CatalogView::new("shop", &catalog, Some(&schema));
    let rules = decision::Rules {
        lookups_per_minute: 20,
        mode: Mode::Enforce,
        persist: Persist::Refuse,
        writes: Writes::Allow,
        notice: Notice::PerStatement,
    };
    World::new(Epoch(4), "shop".into(), schema, sensitive, view, rules).0
}

fn policy(database: &Database) -> Policies {
    let policy = |name: &str, subject: &str, approvers: &str| {
        let text = format!(
            "name = '{name}'\nsubjects = ['{subject}']\nresources = ['*']\nactions = ['read']\n\
             max_duration = '1h'\napprovals = 1\napprovers = ['{approvers}']"
        );
        let text: PolicyText = toml::from_str(&text).expect("a policy");
        text.resolve(&[database.view(&database.name)]).expect("a policy")
    };
    let emergency = "name = 'emergencies'\nsubjects = ['*']\nresources = ['*']\n\
                     actions = ['read']\nmax_duration = '1h'\napprovers = ['group:dba']\n\
                     break_glass = true\nreview_within = '7d'";
    let emergency: PolicyText = toml::from_str(emergency).expect("a policy");
    Policies(vec![
        policy("what erik asks for", "erik", "group:ops"),
        policy("anything", "*", "group:dba"),
        emergency.resolve(&[database.view(&database.name)]).expect("a policy"),
    ])
}

fn store(folder: &std::path::Path, policies: Policies, clock: Clock) -> Approvals {
    Approvals::open(Settings {
        location: Location::Sqlite(folder.join("keyhole.db")),
        local: folder.to_owned(),
        max_staleness: Duration::from_secs(30),
        policies,
        standing: Vec::new(),
        approvers: Approvers::default(),
        key: SigningKey::from_seed(&[1; 32]).expect("a key"),
        clock,
        on_event: Arc::new(|_| Ok(())),
    })
    .expect("a store")
}

/// What a scan would leave, and the file that it would be added to.
fn reviewed(folder: &std::path::Path) -> Review {
    let name = std::path::PathBuf::from("catalog/shop.toml");
    let path = folder.join("shop.toml");
    Review { findings: folder.join("findings.json"), files: vec![CatalogFile { name, path }] }
}

/// A clock so many seconds ahead.
fn clock(ahead: Arc<AtomicI64>) -> Clock {
    Arc::new(move || {
        let seconds = ahead.load(Ordering::SeqCst);
        Timestamp::now() + Duration::from_secs(seconds.unsigned_abs())
    })
}

fn sign_in(
    folder: &std::path::Path,
    requests: RequestLimits,
    tokens: Arc<Mutex<Vec<MachineToken>>>,
) -> SignIn {
    let sessions = Sessions::new([3; 32], SignedOut::at(&folder.join("sessions.out")));
    let terms = move || Terms {
        lasting: LASTING,
        requests,
        console_url: None,
        tokens: tokens.lock().expect("unpoisoned").clone().into(),
    };
    SignIn::new(sessions, Box::new(terms))
}

/// The second reload finds a broken file.
fn reloaded(before: usize) -> Result<String, Vec<String>> {
    match before {
        0 => Ok("1 database, 3 users, 1 policy".to_owned()),
        _ => Err(vec!["proxy.toml:3: unknown key".to_owned()]),
    }
}

/// Of the database that the office has.
fn drifted() -> Found {
    let drift = Drift {
        severity: Severity::Warning,
        kind: DriftKind::Uncatalogued,
        table: Some(RelationName::new("public", "leads")),
        column: Some("contact".into()),
        place: String::new(),
        words: "public.leads.contact is not in the catalog".into(),
    };
    Found { drift, since: Timestamp::from_second(1_700_000_000).expect("in range") }
}

impl Office {
    fn open() -> Self {
        Self::open_with(RequestLimits::default())
    }

    fn open_with(requests: RequestLimits) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = Database {
            name: "shop".into(),
            upstream: "127.0.0.1:5432/shop".into(),
            catalog: Arc::new(catalog()),
            world: Some(Arc::new(world())),
            drift: vec![Drifted { database: "shop".into(), found: vec![drifted()].into() }],
            review: Some(Arc::new(reviewed(folder.path()))),
        };
        let policies = policy(&database);
        let occurrences = Arc::<Mutex<Vec<Occurrence>>>::default();
        let (reloads, ahead) = (Arc::<AtomicUsize>::default(), Arc::<AtomicI64>::default());
        let clock = clock(ahead.clone());
        let tokens = Arc::new(Mutex::new(Vec::new()));
        let sign_in = sign_in(folder.path(), requests, tokens.clone());
        let approvals = store(folder.path(), policies.clone(), clock.clone());
        let is_ready = Arc::new(AtomicBool::new(true));
        let is_demoted = Arc::new(AtomicBool::new(false));
        let demoted = is_demoted.clone();
        let (remembered, counted, ready) = (occurrences.clone(), reloads.clone(), is_ready.clone());
        let rules = rules(&clock);
        let desk = Arc::new(Desk {
            approvals,
            sessions: Arc::new(sessions::Registry::default()),
            metrics: Arc::new(Metrics::new().expect("metrics")),
            clock,
            databases: Box::new(move || vec![database.clone()]),
            policies: Box::new(move || policies.clone()),
            rules: Box::new(move || rules.clone()),
            sign_in: Arc::new(sign_in),
            users: Box::new(move |login| {
                let mut user = users().into_iter().find(|user| user.name == *login.user())?;
                if demoted.load(Ordering::SeqCst) {
                    user.roles = Arc::new([]);
                }
                Some(user)
            }),
            named: Box::new(|name| users().into_iter().find(|user| *user.name == *name)),
            reload: Box::new(move || {
                let outcome = reloaded(counted.fetch_add(1, Ordering::SeqCst));
                Box::pin(async { outcome })
            }),
            unready: Box::new(move || {
                let reason = "disk full".to_owned();
                let unready = (!ready.load(Ordering::SeqCst))
                    .then_some(Unready { part: Part::Audit, reason });
                unready.into_iter().collect()
            }),
            sinks: Box::new(Vec::new),
            explorer: Explorer::new(None),
            record: Box::new(move |occurrence| {
                remembered.lock().expect("unpoisoned").push(occurrence.clone());
            }),
        });
        let (console, http, close, closed) = serve(desk.clone());
        let (close, closed) = (Some(close), Some(closed));
        Self {
            desk,
            console,
            http,
            occurrences,
            reloads,
            is_ready,
            is_demoted,
            ahead,
            tokens,
            close,
            closed,
            folder,
        }
    }

    async fn connect(&self, name: &str) -> Result<Client, tokio_postgres::Error> {
        self.connect_with(name, &password(name)).await
    }

    async fn connect_with(
        &self,
        name: &str,
        password: &str,
    ) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::Config::new()
            .host("127.0.0.1")
            .port(self.console.port())
            .user(name)
            .password(password)
            .dbname("keyhole")
            .application_name("the test")
            .connect(NoTls)
            .await?;
        tokio::task::spawn_local(connection);
        Ok(client)
    }

    fn psql(&self, name: &str, commands: &[&str]) -> Output {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", name, "keyhole"])
            .args(["-p", &self.console.port().to_string()])
            .env("PGPASSWORD", password(name));
        for command in commands {
            psql.args(["-c", command]);
        }
        psql.output().expect("psql is installed")
    }

    /// Somebody's request for customers' addresses.
    async fn request(&self, name: &str) -> u64 {
        let view = (self.desk.databases)()[0].view("shop");
        let half_hour = Duration::from_secs(1800);
        let ask = Ask::to_read("customers.email", half_hour, "INC-42: refund");
        let requester = users().into_iter().find(|user| *user.name == *name).expect("a user");
        let client = keyhole::model::Client {
            user: requester,
            address: None,
            application: "psql".into(),
            database: "shop".into(),
        };
        let request = self.desk.approvals.request(&client, &view, ask).await;
        request.expect("a request").id
    }

    fn deeds(&self) -> Vec<(String, Deed, Option<SqlState>)> {
        let all = self.occurrences.lock().expect("unpoisoned");
        all.iter().map(|o| (o.user.name.to_string(), o.deed, o.refused)).collect()
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http).expect("HTTP listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: keyhole\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("HTTP takes requests");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer in UTF-8");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        (status, body.to_owned())
    }

    /// Stops the listeners and waits for them.
    fn close(&mut self) {
        if let (Some(close), Some(closed)) = (self.close.take(), self.closed.take()) {
            drop(close);
            closed.join().expect("the port ends without a panic");
        }
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs both ports on a thread of their own, as psql and HTTP block this one.
fn serve(
    desk: Arc<Desk>,
) -> (SocketAddr, SocketAddr, oneshot::Sender<()>, std::thread::JoinHandle<()>) {
    let (close, closing) = oneshot::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let console = Listener::bind(any).expect("a port");
            let http = Listener::bind(any).expect("a port");
            let address = |listener: &Listener| listener.local_addr().expect("an address");
            tell.send((address(&console), address(&http))).expect("somebody waits");
            let (stop_http, http_stopped) = oneshot::channel::<()>();
            let web = http::serve(http, desk.clone(), async {
                let _ = http_stopped.await;
            });
            let psql = console::serve(console, desk, async {
                let _ = closing.await;
                drop(stop_http);
            });
            let (served, ()) = tokio::join!(web, psql);
            served.expect("HTTP ends in order");
        });
    });
    let (console, http) = told.recv().expect("the ports open");
    (console, http, close, thread)
}

/// Runs a test against an office.
fn with_office<F: Future<Output = ()>>(test: impl FnOnce(Arc<Office>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let office = Arc::new(Office::open());
    tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime"), test(office));
}

fn code(error: &tokio_postgres::Error) -> &str {
    error.code().unwrap_or_else(|| panic!("no SQLSTATE: {error}")).code()
}

fn hint(error: &tokio_postgres::Error) -> &str {
    error.as_db_error().and_then(|error| error.hint()).unwrap_or_default()
}

/// The rows of a simple query, each as column name → text.
async fn rows(client: &Client, command: &str) -> Vec<HashMap<String, Option<String>>> {
    let messages = client.simple_query(command).await.unwrap_or_else(|e| panic!("{command}: {e}"));
    messages
        .into_iter()
        .filter_map(|message| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            let cell = |(index, column): (usize, &tokio_postgres::SimpleColumn)| {
                (column.name().to_owned(), row.get(index).map(str::to_owned))
            };
            Some(row.columns().iter().enumerate().map(cell).collect())
        })
        .collect()
}

fn cell<'r>(row: &'r HashMap<String, Option<String>>, column: &str) -> &'r str {
    row[column].as_deref().unwrap_or("(null)")
}

const GRANT: &str = "GRANT READ ON shop.public.customers.email TO alice FOR '30 minutes' \
                     REASON 'INC-42'";

#[test]
fn only_who_proves_to_be_an_operator_gets_in() {
    with_office(|office| async move {
        office.connect("dora").await.expect("dora may");
        let wrong = office.connect_with("dora", "guess").await.expect_err("a wrong password");
        assert_eq!(code(&wrong), "28P01");
        let nobody = office.connect("nobody").await.expect_err("an unknown user");
        assert_eq!(code(&nobody), "28P01");
        let alice = office.connect("alice").await.expect_err("alice has no role");
        assert_eq!(code(&alice), "28000");
        assert!(hint(&alice).contains("roles"), "{}", hint(&alice));
        let refused = |state: &[u8]| SqlState::parse(state);
        assert_eq!(
            office.deeds(),
            [
                ("dora".into(), Deed::Login { method: "scram" }, None),
                ("dora".into(), Deed::Login { method: "scram" }, refused(b"28P01")),
                ("nobody".into(), Deed::Login { method: "scram" }, refused(b"28P01")),
                ("alice".into(), Deed::Login { method: "scram" }, refused(b"28000")),
            ]
        );
        let first = office.occurrences.lock().expect("unpoisoned")[0].clone();
        assert_eq!(first.address, IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(&*first.application, "the test");
        let (_, metrics) = office.get("/metrics");
        for line in [
            "keyhole_logins_total{result=\"ok\"} 1",
            "keyhole_logins_total{result=\"refused\"} 2",
            "keyhole_logins_total{result=\"not_allowed\"} 1",
        ] {
            assert!(metrics.contains(line), "{metrics}");
        }
    });
}

#[test]
fn a_grant_is_listed_until_it_is_revoked() {
    with_office(|office| async move {
        let dora = office.connect("dora").await.expect("dora may");
        dora.simple_query(GRANT).await.expect("a grant");
        let listed = rows(&dora, "SHOW GRANTS").await;
        assert_eq!(listed.len(), 1);
        let grant = &listed[0];
        for (column, value) in [
            ("state", "active"),
            ("subject", "alice"),
            ("database", "shop"),
            ("resource", "public.customers.email"),
            ("actions", "read"),
            ("rows", "(null)"),
            ("reason", "INC-42"),
            ("requester", "dora"),
        ] {
            assert_eq!(cell(grant, column), value, "{column}: {grant:?}");
        }
        dora.simple_query(&format!("revoke {};", cell(grant, "id"))).await.expect("a revocation");
        let listed = rows(&dora, "SHOW GRANTS").await;
        assert_eq!(cell(&listed[0], "state"), "revoked");
        assert_eq!(cell(&listed[0], "ended_by"), "dora");
    });
}

#[test]
fn revoke_all_leaves_nothing_in_force() {
    with_office(|office| async move {
        let dora = office.connect("dora").await.expect("dora may");
        dora.simple_query(GRANT).await.expect("a grant");
        dora.simple_query(
            "GRANT READ ON CLASS phone WHERE id = 42 TO GROUP support FOR '1h' REASON 'r'",
        )
        .await
        .expect_err("a class has no rows of its own");
        dora.simple_query("GRANT READ ON CLASS phone IN shop TO GROUP support FOR '1h' REASON 'r'")
            .await
            .expect("a grant");
        dora.simple_query(
            "GRANT READ ON customers.phone WHERE id = 42 TO alice FOR '1h' REASON 'r'",
        )
        .await
        .expect("a grant");
        let (_, metrics) = office.get("/metrics");
        assert!(metrics.contains("keyhole_grants_live 3"), "{metrics}");
        let listed = rows(&dora, "SHOW GRANTS").await;
        assert_eq!(listed.len(), 3);
        assert!(listed.iter().any(|grant| cell(grant, "resource") == "class:phone"));
        assert!(listed.iter().any(|grant| cell(grant, "rows").ends_with("= 42")), "{listed:?}");
        dora.simple_query("REVOKE ALL").await.expect("a revocation");
        let listed = rows(&dora, "SHOW GRANTS").await;
        assert!(listed.iter().all(|grant| cell(grant, "state") == "revoked"), "{listed:?}");
    });
}

#[test]
fn a_request_is_approved_or_denied_by_somebody_else() {
    with_office(|office| async move {
        let dora = office.connect("dora").await.expect("dora may");
        let first = office.request("alice").await;
        let second = office.request("alice").await;
        let pending = rows(&dora, "SHOW REQUESTS").await;
        assert_eq!(pending.len(), 2);
        assert_eq!(cell(&pending[0], "state"), "pending");
        assert_eq!(cell(&pending[0], "requester"), "alice");
        dora.simple_query(&format!("APPROVE {first}")).await.expect("an approval");
        dora.simple_query(&format!("DENY {second} REASON 'no ticket'")).await.expect("a denial");
        let decided = rows(&dora, "SHOW REQUESTS").await;
        assert_eq!(cell(&decided[0], "state"), "approved");
        assert_eq!(cell(&decided[0], "approved_by"), "dora");
        assert_eq!(cell(&decided[1], "state"), "denied");
        assert_eq!(cell(&decided[1], "closed_reason"), "no ticket");
        let grants = rows(&dora, "SHOW GRANTS").await;
        assert_eq!(grants.len(), 1);
        assert_eq!(cell(&grants[0], "request"), first.to_string());
        let again = dora.simple_query(&format!("APPROVE {second}")).await;
        again.expect_err("what is denied stays denied");
        let deeds: Vec<_> = office.deeds().into_iter().map(|(_, deed, _)| deed).collect();
        assert_eq!(
            deeds,
            [
                Deed::Login { method: "scram" },
                Deed::Approve(first),
                Deed::Deny(second),
                Deed::Approve(second)
            ]
        );
    });
}

#[test]
fn nobody_grants_or_approves_for_themselves() {
    with_office(|office| async move {
        let dora = office.connect("dora").await.expect("dora may");
        let own = GRANT.replace("alice", "dora");
        let refused = dora.simple_query(&own).await.expect_err("one's own grant");
        assert_eq!(code(&refused), "42501", "{refused}");
        let request = office.request("dora").await;
        let approve = format!("APPROVE {request}");
        let refused = dora.simple_query(&approve).await.expect_err("one's own request");
        assert_eq!(code(&refused), "42501", "{refused}");
        assert!(rows(&dora, "SHOW GRANTS").await.is_empty());
        let erik = office.connect("erik").await.expect("erik may");
        erik.simple_query(&approve).await.expect("somebody else's request");
        assert_eq!(cell(&rows(&dora, "SHOW GRANTS").await[0], "approvers"), "erik");
    });
}

#[test]
fn who_loses_the_role_loses_the_open_console_too() {
    with_office(|office| async move {
        let dora = office.connect("dora").await.expect("dora may");
        let erik = office.connect("erik").await.expect("erik may");
        office.is_demoted.store(true, Ordering::SeqCst);
        let refused = dora.simple_query(GRANT).await.expect_err("dora may no more");
        assert_eq!(code(&refused), "28000");
        dora.simple_query("SHOW VERSION").await.expect_err("the session is over");
        let refused = erik.query(GRANT, &[]).await.expect_err("erik may no more");
        assert_eq!(code(&refused), "28000");
        assert!(office.desk.approvals.grants().is_empty());
    });
}

#[test]
fn errors_say_what_is_right() {
    with_office(|office| async move {
        let dora = office.connect("dora").await.expect("dora may");
        for (command, state, words) in [
            ("FROBNICATE", "42601", "SHOW HELP"),
            ("SHOW TABLES", "42601", "SHOW HELP | VERSION | GRANTS"),
            ("GRANT SELECT ON customers TO alice", "42601", "FOR '30 minutes'"),
            ("SELECT relname FROM pg_catalog.pg_class", "42601", "SHOW HELP"),
            ("BEGIN", "42601", "autocommit"),
            ("PAUSE", "0A000", "REVOKE ALL"),
            ("KILL SESSION 99", "42704", "SHOW SESSIONS"),
            ("GRANT READ ON nowhere.email TO alice FOR '1h' REASON 'r'", "42704", "SHOW CATALOG"),
            ("GRANT READ ON CLASS email IN x TO alice FOR '1h' REASON 'r'", "3D000", "DATABASES"),
        ] {
            let error = dora.simple_query(command).await.expect_err(command);
            assert_eq!(code(&error), state, "{command}");
            assert!(hint(&error).contains(words), "{command}: {}", hint(&error));
            let error = dora.query(command, &[]).await.expect_err(command);
            assert_eq!(code(&error), state, "{command}");
        }
        dora.simple_query("REVOKE 99").await.expect_err("there is no such grant");
        let error = dora.simple_query("SHOW GRANTS; SHOW NOTHING").await.expect_err("half right");
        let position = error.as_db_error().and_then(|error| error.position()).cloned();
        assert_eq!(position, Some(tokio_postgres::error::ErrorPosition::Original(19)));
        assert_eq!(rows(&dora, "SHOW VERSION").await.len(), 1, "the session goes on");
    });
}

#[test]
fn what_stood_before_an_error_is_done() {
    with_office(|office| async move {
        let dora = office.connect("dora").await.expect("dora may");
        dora.simple_query(&format!("{GRANT}; KILL SESSION 99; REVOKE ALL"))
            .await
            .expect_err("the second command fails");
        let listed = rows(&dora, "SHOW GRANTS").await;
        assert_eq!(cell(&listed[0], "state"), "active", "the third did not run");
        dora.simple_query(&format!("{GRANT}; KILL IT")).await.expect_err("no command");
        assert_eq!(rows(&dora, "SHOW GRANTS").await.len(), 1, "nothing of it ran");
    });
}

#[test]
fn drivers_read_typed_rows_over_the_extended_protocol() {
    with_office(|office| async move {
        let dora = office.connect("dora").await.expect("dora may");
        let before = Timestamp::now();
        dora.execute(GRANT, &[]).await.expect("a grant");
        let show = dora.prepare("SHOW GRANTS").await.expect("a statement");
        for _ in 0..2 {
            let listed = dora.query(&show, &[]).await.expect("rows");
            assert_eq!(listed.len(), 1);
            assert_eq!(listed[0].get::<_, i64>("id"), 1);
            assert_eq!(listed[0].get::<_, &str>("subject"), "alice");
            assert_eq!(listed[0].get::<_, Option<&str>>("ticket"), None);
            let expires: std::time::SystemTime = listed[0].get("expires_at");
            let expires = Timestamp::try_from(expires).expect("a time of today");
            let seconds = expires.duration_since(before).as_secs();
            assert!((1790..=1860).contains(&seconds), "{seconds}");
        }
        let one = dora.query_one("SELECT 1", &[]).await.expect("a probe");
        assert_eq!(one.get::<_, i64>(0), 1);
        dora.query("SET extra_float_digits = 3", &[]).await.expect("a setting");
        assert!(dora.query("", &[]).await.expect("nothing").is_empty());
        let two = dora.prepare("RELOAD; RELOAD").await.expect_err("two commands");
        assert_eq!(code(&two), "42601");
        assert_eq!(office.reloads.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn sessions_are_listed_and_killed() {
    with_office(|office| async move {
        let dora = office.connect("dora").await.expect("dora may");
        let entry = office.desk.sessions.enter(sessions::Facts {
            user: "alice".into(),
            groups: Arc::new([]),
            database: "shop".into(),
            address: Some("192.0.2.7:4711".parse().expect("an address")),
            application: "psql".into(),
            since: Timestamp::UNIX_EPOCH,
        });
        entry.session().set_state(sessions::State::InTransaction);
        let listed = rows(&dora, "SHOW SESSIONS").await;
        for (column, value) in [
            ("id", "1"),
            ("user", "alice"),
            ("database", "shop"),
            ("address", "192.0.2.7:4711"),
            ("application", "psql"),
            ("state", "idle in transaction"),
            ("since", "1970-01-01 00:00:00+00"),
            ("statements", "0"),
        ] {
            assert_eq!(cell(&listed[0], column), value, "{column}");
        }
        assert_eq!(entry.session().dismissal(), None);
        dora.simple_query("KILL SESSION 1").await.expect("a kill");
        assert_eq!(entry.session().dismissal(), Some(sessions::Dismissal::Killed));
    });
}

#[test]
fn every_topic_shows_a_table() {
    with_office(|office| async move {
        let dora = office.connect("dora").await.expect("dora may");
        let catalog = rows(&dora, "SHOW CATALOG").await;
        assert_eq!(cell(&catalog[0], "column"), "email");
        assert_eq!(cell(&catalog[0], "upstream"), "exists");
        assert_eq!(cell(&catalog[1], "hiding"), "partial, first 0 and last 2 kept");
        assert_eq!(cell(&catalog[1], "upstream"), "missing");
        let policies = rows(&dora, "SHOW POLICIES").await;
        assert_eq!(cell(&policies[0], "approvers"), "group:ops");
        assert_eq!(cell(&policies[1], "approvers"), "group:dba");
        let databases = rows(&dora, "SHOW DATABASES").await;
        assert_eq!(cell(&databases[0], "upstream"), "127.0.0.1:5432/shop");
        assert_eq!(cell(&databases[0], "server_version"), "150018");
        let drift = rows(&dora, "SHOW DRIFT").await;
        assert_eq!(cell(&drift[0], "kind"), "uncatalogued");
        assert_eq!(cell(&drift[0], "table"), "public.leads");
        assert_eq!(cell(&drift[0], "what"), "public.leads.contact is not in the catalog");
        assert_eq!(cell(&drift[0], "since"), "2023-11-14 22:13:20+00");
        assert!(rows(&dora, "SHOW HELP").await.len() >= 15);
        let stats = rows(&dora, "SHOW STATS").await;
        let logins = stats.iter().find(|row| cell(row, "labels") == "result=ok");
        assert_eq!(logins.map(|row| cell(row, "value")), Some("1"));
    });
}

#[test]
fn a_reload_that_fails_says_where() {
    with_office(|office| async move {
        let dora = office.connect("dora").await.expect("dora may");
        dora.simple_query("RELOAD").await.expect("a reload");
        let error = dora.simple_query("RELOAD").await.expect_err("a broken file");
        let detail = error.as_db_error().and_then(|error| error.detail()).unwrap_or_default();
        assert_eq!(detail, "proxy.toml:3: unknown key");
    });
}

#[test]
fn psql_works_the_console() {
    let office = Office::open();
    let output = office.psql("dora", &[GRANT, "SHOW GRANTS", "REVOKE 1", "SHOW GRANTS"]);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 4, "{out}");
    assert_eq!(lines[0], "GRANT");
    assert!(lines[1].starts_with("1|active|alice|shop|public.customers.email|read|"), "{out}");
    assert_eq!(lines[2], "REVOKE");
    assert!(lines[3].starts_with("1|revoked|alice|"), "{out}");
    assert!(err.starts_with("NOTICE:  grant 1: read on shop.public.customers.email to "), "{err}");

    let output = office.psql("dora", &["\\d"]);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(err.contains("HINT:  Tables are on the data port; SHOW CATALOG"), "{err}");

    let output = office.psql("alice", &["SHOW GRANTS"]);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(err.contains("FATAL:  this user may not use the control port"), "{err}");
}

#[test]
fn bad_clients_do_not_end_the_listener() {
    with_office(|office| async move {
        let big = [&b"Q"[..], &i32::MAX.to_be_bytes()].concat();
        for bytes in [&b""[..], b"\0", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64], &big, &[0; 8]] {
            let mut stream = TcpStream::connect(office.console).expect("it listens");
            stream.write_all(bytes).expect("it takes bytes");
        }
        let dora = office.connect("dora").await.expect("dora may still");
        assert_eq!(rows(&dora, "SHOW VERSION").await.len(), 1);
    });
}

#[test]
fn too_many_connections_are_turned_away() {
    with_office(|office| async move {
        let idle: Vec<_> = (0..console::CONNECTIONS_MAX)
            .map(|_| TcpStream::connect(office.console).expect("it listens"))
            .collect();
        let mut stream = TcpStream::connect(office.console).expect("it listens");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with('E') && text.contains("C53300"), "{text}");
        drop(idle);
        let mut attempts = 0;
        let dora = loop {
            match office.connect("dora").await {
                Ok(dora) => break dora,
                Err(error) if attempts == 100 => panic!("no place became free: {error}"),
                Err(_) => attempts += 1,
            }
        };
        assert_eq!(rows(&dora, "SHOW VERSION").await.len(), 1);
    });
}

#[test]
fn a_shutdown_tells_those_connected() {
    let mut office = Office::open();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime"), async {
        let (client, connection) = tokio_postgres::Config::new()
            .host("127.0.0.1")
            .port(office.console.port())
            .user("dora")
            .password(password("dora"))
            .connect(NoTls)
            .await
            .expect("dora may");
        let ended = tokio::task::spawn_local(connection);
        rows(&client, "SHOW VERSION").await;
        office.close();
        let error = ended.await.expect("no panic").expect_err("the connection was ended");
        assert_eq!(code(&error), "57P01");
    });
    assert!(TcpStream::connect(office.console).is_err(), "nobody listens any more");
}

#[test]
fn http_answers_machines() {
    let office = Office::open();
    let (status, body) = office.get("/healthz");
    assert_eq!(status, 200);
    assert!(body.contains("\"status\":\"up\""), "{body}");
    let (status, body) = office.get("/readyz");
    assert_eq!((status, body.as_str()), (200, "{\"status\":\"ready\"}"));
    office.is_ready.store(false, Ordering::SeqCst);
    let (status, body) = office.get("/readyz");
    assert_eq!(status, 503);
    assert!(body.contains("{\"part\":\"audit\",\"reason\":\"disk full\"}"), "{body}");
    let (status, body) = office.get("/metrics");
    assert_eq!(status, 200);
    assert!(body.contains("# TYPE keyhole_sessions gauge"), "{body}");
    let (status, body) = office.get("/admin");
    assert_eq!(status, 404);
    assert!(body.contains("\"title\""), "{body}");
}
