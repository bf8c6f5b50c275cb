//! The core's hot paths, each as what is made ready and what is measured: no I/O, no clock, and
//! everything that is remembered between statements (plans, normal forms) is warm.

use std::hint::black_box;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use keyhole::analysis::mention::Mention;
use keyhole::audit::{self, Chain, Encoder, Event, Pseudonyms, StatementText, Strings};
use keyhole::decision::World;
use keyhole::grant::{Action, Asked, Counting, Live, LiveTable, LookupMeter};
use keyhole::model::{Client, ColumnPath, Epoch, Timestamp};
use keyhole::session::{Effects, Env, PlanCache, Sampling, Session, Start};

use super::messages::{ask, row, tell};
use super::people::{client, column, grant};
use super::small_shop;

/// One path; `run` is what is measured.
pub(crate) trait Path {
    /// What `run` needs; called before each.
    fn prepare(&mut self) -> Ready {
        Ready::Still
    }

    fn run(&mut self);
}

/// Whether something had to be done before a path can be run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    Still,
    Anew,
}

/// Every path by name, made when it is wanted.
pub(crate) type Named = (&'static str, fn() -> Box<dyn Path>);

pub(crate) const PATHS: [Named; 14] = [
    ("mention in 4 KiB", || Box::new(Scan::new(&long_statement()))),
    ("mention in a lookup", || Box::new(Scan::new(CLEAR))),
    ("1000 clear rows", || Box::new(Rows::of(&[1, 1, 5, 6, 6, 1]))),
    ("1000 rows, 2 of 6 masked", || Box::new(Rows::of(&[1, 3, 4, 5, 6, 1]))),
    ("lookup, clear", || Box::new(Lookup::simple(CLEAR, &[0]))),
    ("lookup, shown", || Box::new(Lookup::simple(SHOWN, &[1, 3, 4]))),
    ("lookup, computed", || Box::new(Lookup::simple(COMPUTED, &[0]))),
    ("lookup, clear, prepared", || Box::new(Lookup::prepared(CLEAR_PREPARED, &[0]))),
    ("lookup, shown, prepared", || Box::new(Lookup::prepared(SHOWN_PREPARED, &[1, 3, 4]))),
    ("lookup, computed, prepared", || Box::new(Lookup::prepared(COMPUTED_PREPARED, &[0]))),
    ("grant that covers, of 10000", || Box::new(Cover::new("user_7"))),
    ("no grant, of 10000", || Box::new(Cover::new("nobody"))),
    ("audit of a known text", || Box::new(Record::new(Texts::Same))),
    ("audit of a new text", || Box::new(Record::new(Texts::Other))),
];

const CLEAR: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;";
const SHOWN: &str = "SELECT id, email, ssn FROM customers WHERE id = 4711;";
const COMPUTED: &str = "SELECT lower(email) FROM customers WHERE id = 4711;";
const CLEAR_PREPARED: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = $1;";
const SHOWN_PREPARED: &str = "SELECT id, email, ssn FROM customers WHERE id = $1;";
const COMPUTED_PREPARED: &str = "SELECT lower(email) FROM customers WHERE id = $1;";

/// Sensitive names that a statement is searched for.
const NAMES: usize = 1_000;
const GRANTS: u64 = 10_000;
const ROWS: usize = 1_000;
/// The relation `customers` of the small shop.
const CUSTOMERS: u32 = 20_000;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("in range")
}

/// A report's query of 4 KiB that names nothing sensitive.
fn long_statement() -> String {
    let line = "       SUM(CASE WHEN o.placed_at >= $1 THEN o.total ELSE 0 END) AS \"Month 1\",\n";
    let mut text = format!("SELECT o.region, -- by region\n{}", line.repeat(64));
    text.truncate(4_096);
    text
}

struct Scan {
    mention: Mention,
    statement: String,
}

impl Scan {
    fn new(statement: &str) -> Self {
        let names: Vec<String> = (0..NAMES)
            .map(|n| format!("{}_{n:03}", ["customers", "patient", "v_payroll", "audit_of"][n % 4]))
            .collect();
        let mention = Mention::new(names.iter().map(String::as_str), []).expect("it is built");
        Self { mention, statement: statement.to_owned() }
    }
}

impl Path for Scan {
    fn run(&mut self) {
        let hits = self.mention.scan(black_box(self.statement.as_bytes()));
        assert!(hits.is_empty(), "{hits}");
    }
}

/// A session whose `search_path` is known, with all that it is handed.
struct Talk {
    session: Session,
    world: Arc<World>,
    grants: LiveTable,
    cache: PlanCache,
    lookups: LookupMeter,
    pseudonyms: Pseudonyms,
    sampling: Sampling,
    from_client: BytesMut,
    from_server: BytesMut,
    out: Effects,
}

impl Talk {
    fn new() -> Self {
        let parameters = [("client_encoding", "UTF8"), ("DateStyle", "ISO, MDY")];
        let start = Start {
            id: 7,
            client: Arc::new(client("alice".into())),
            parameters: parameters.map(|(name, value)| (name.into(), value.into())).into(),
            frame_len_max: 1 << 20,
        };
        let mut talk = Self {
            session: Session::new(start),
            world: Arc::new(small_shop::world()),
            grants: LiveTable::new(Epoch(1), []),
            cache: PlanCache::default(),
            lookups: LookupMeter::default(),
            pseudonyms: Pseudonyms::new(&[1; 32], 1_000),
            sampling: Sampling::default(),
            from_client: BytesMut::new(),
            from_server: BytesMut::new(),
            out: Effects::default(),
        };
        talk.learn_path();
        talk
    }

    /// The first mention of a sensitive name asks the server where names are looked up.
    fn learn_path(&mut self) {
        self.client(&ask(|to| to.query("SELECT id FROM customers")));
        self.server(&tell(|to| {
            to.parsed();
            to.bound();
            row(to, &[Some(r#"["pg_catalog","public"]"#)]);
            to.completes("SELECT 1");
            to.closed();
            to.closed();
            to.ready(b'I');
            to.describes(&[("id", CUSTOMERS, 1, 0)]);
            to.completes("SELECT 0");
            to.ready(b'I');
        }));
        assert!(self.session.is_idle());
        self.reset();
    }

    fn client(&mut self, bytes: &[u8]) {
        self.from_client.extend_from_slice(bytes);
        self.step(|session, input, _, env, out| session.client_bytes(input, env, out));
    }

    fn server(&mut self, bytes: &[u8]) {
        self.from_server.extend_from_slice(bytes);
        self.step(|session, _, input, env, out| session.server_bytes(input, env, out));
    }

    fn step(
        &mut self,
        run: impl FnOnce(&mut Session, &mut BytesMut, &mut BytesMut, Env<'_>, &mut Effects),
    ) {
        let env = Env {
            world: &self.world,
            grants: &self.grants,
            now: now(),
            cache: &self.cache,
            lookups: &self.lookups,
            pseudonyms: &self.pseudonyms,
            sampling: &self.sampling,
        };
        run(&mut self.session, &mut self.from_client, &mut self.from_server, env, &mut self.out);
    }

    /// What the shell does with effects: buffers go out and are used again.
    fn reset(&mut self) {
        self.out.audit.clear();
        self.out.to_server.clear();
        self.out.to_client.clear();
        self.out.tally = Default::default();
    }
}

fn describes(to: &mut super::messages::Tells, columns: &[i16]) {
    let fields: Vec<_> = columns
        .iter()
        .map(|column| ("a_column", if *column == 0 { 0 } else { CUSTOMERS }, *column, 0))
        .collect();
    to.describes(&fields);
}

fn value(column: i16) -> Option<&'static str> {
    match column {
        1 => Some("1234567"),
        3 => Some("ada.lovelace@example.com"),
        4 => Some("123-45-6789"),
        5 => Some("1815-12-10"),
        6 => Some("-15000"),
        _ => Some("a***@example.com"),
    }
}

/// A thousand rows of these columns of `customers`.
struct Rows {
    talk: Talk,
    question: Vec<u8>,
    description: Vec<u8>,
    rows: Vec<u8>,
    end: Vec<u8>,
}

impl Rows {
    fn of(columns: &[i16]) -> Self {
        let values: Vec<_> = columns.iter().map(|column| value(*column)).collect();
        Self {
            talk: Talk::new(),
            question: ask(|to| to.query("SELECT id, email, ssn, dob, balance FROM customers")),
            description: tell(|to| describes(to, columns)),
            rows: tell(|to| (0..ROWS).for_each(|_| row(to, &values))),
            end: tell(|to| {
                to.completes("SELECT 1000");
                to.ready(b'I');
            }),
        }
    }
}

impl Path for Rows {
    fn prepare(&mut self) -> Ready {
        if !self.talk.session.is_idle() {
            self.talk.server(&self.end);
        }
        self.talk.client(&self.question);
        self.talk.server(&self.description);
        self.talk.reset();
        self.talk.from_server.extend_from_slice(&self.rows);
        Ready::Anew
    }

    fn run(&mut self) {
        self.talk.server(b"");
        assert!(!self.talk.out.to_client.is_empty() && self.talk.from_server.is_empty());
    }
}

/// A question of one row, both ways: what is decided, sent, masked and put on record.
struct Lookup {
    talk: Talk,
    question: Vec<u8>,
    answer: Vec<u8>,
}

impl Lookup {
    fn simple(sql: &str, columns: &[i16]) -> Self {
        let answer = tell(|to| answer(to, columns));
        Self { talk: Talk::new(), question: ask(|to| to.query(sql)), answer }
    }

    fn prepared(sql: &str, columns: &[i16]) -> Self {
        let mut talk = Talk::new();
        talk.client(&ask(|to| {
            to.parse("q", sql);
            to.describe_statement("q");
            to.sync();
        }));
        talk.server(&tell(|to| {
            to.parsed();
            to.takes_no_parameters();
            describes(to, columns);
            to.ready(b'I');
        }));
        let question = ask(|to| {
            to.bind_value("", "q", b"4711", 0);
            to.describe_portal("");
            to.execute("");
            to.sync();
        });
        let answer = tell(|to| {
            to.bound();
            answer(to, columns);
        });
        Self { talk, question, answer }
    }
}

fn answer(to: &mut super::messages::Tells, columns: &[i16]) {
    describes(to, columns);
    row(to, &columns.iter().map(|column| value(*column)).collect::<Vec<_>>());
    to.completes("SELECT 1");
    to.ready(b'I');
}

impl Path for Lookup {
    fn run(&mut self) {
        self.talk.reset();
        self.talk.client(&self.question);
        assert!(!self.talk.out.to_server.is_empty());
        self.talk.server(&self.answer);
        assert!(self.talk.out.audit.len() == 1 && self.talk.session.is_idle());
    }
}

struct Cover {
    table: LiveTable,
    client: Client,
    column: ColumnPath,
    covers: bool,
}

impl Cover {
    fn new(user: &str) -> Self {
        let grants = (1..=GRANTS).map(|id| Live::from(Arc::new(grant(id, now()))));
        let table = LiveTable::of(Epoch(1), grants);
        Self { table, client: client(user.into()), column: column(3), covers: user != "nobody" }
    }
}

impl Path for Cover {
    fn run(&mut self) {
        let asked = Asked { action: Action::Read, now: now(), counting: Counting::Uses };
        let cover = self.table.cover(black_box(&self.client), &self.column, "email", asked);
        assert_eq!(black_box(cover).is_some(), self.covers);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Texts {
    Same,
    /// One that was not seen before: its normal form has to be made.
    Other,
}

/// From a statement's event to its line in the chain.
struct Record {
    encoder: Encoder,
    client: Arc<Client>,
    event: Option<Event>,
    lines: Vec<u8>,
    texts: Texts,
    made: u64,
}

impl Record {
    fn new(texts: Texts) -> Self {
        Self {
            encoder: Encoder::from(Chain::start()),
            client: Arc::new(client("alice".into())),
            event: None,
            lines: Vec::new(),
            texts,
            made: 1_000_000,
        }
    }

    fn event(&self) -> Event {
        let text = match self.texts {
            Texts::Same => Bytes::from_static(SHOWN.as_bytes()),
            Texts::Other => Bytes::from(SHOWN.replace("4711", &self.made.to_string())),
        };
        let names = |columns: &[&str]| columns.iter().map(|name| (*name).to_owned()).collect();
        let pii: audit::Names = names(&["public.customers.email", "public.customers.ssn"]);
        Event::Statement(audit::Statement {
            session: 7,
            statement: self.made,
            client: Arc::clone(&self.client),
            text: StatementText::new(text, Strings::Standard),
            relations: names(&["public.customers"]),
            pii_columns: pii.clone(),
            raw_columns: names(&[]),
            looked_up_columns: names(&[]),
            masked_columns: pii,
            gates: audit::Gates {
                mention: audit::Mention::Hit,
                analysis: audit::Analysis::Show,
                provenance: audit::Provenance::Passed,
            },
            decision: audit::Decision::Shown,
            grants: Vec::new(),
            rows: 1,
            bytes: 54,
            duration_us: 187,
            sqlstate: None,
            subjects: None,
        })
    }
}

impl Path for Record {
    fn prepare(&mut self) -> Ready {
        self.made += 1;
        self.lines.clear();
        self.event = Some(self.event());
        Ready::Anew
    }

    fn run(&mut self) {
        let Some(event) = &self.event else { return };
        let encoded = self.encoder.encode(event, now(), &mut self.lines);
        assert!(encoded.is_ok());
    }
}
