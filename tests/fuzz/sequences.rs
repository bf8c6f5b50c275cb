//! Sessions at random: a client that says anything in any order, now and then broken, cut anywhere,
//! and a server that answers as PostgreSQL would. Nothing raw is shown that no grant covers, what
//! reaches the server is whole, and when all is said, the session still works.

use std::sync::{Arc, OnceLock};

use keyhole::decision::World;
use keyhole::session::{Hold, PlanCache};
use keyhole::wire::FrameHeader;

use super::bench::{Bench, Log};
use super::bytes::mutate;
use super::choices::Choices;
use super::messages::{ask, one_column, row, tell};
use super::server::{Server, canary};
use super::small_shop;

const TEXTS: &[&str] = &[
    "SELECT 1",
    "",
    "SELECT email FROM customers",
    "SELECT id, email FROM customers",
    "SELECT lower(email) FROM customers",
    "SELECT lower(email) FROM customers; SELECT 1",
    "SELECT 1; SELECT email FROM customers",
    "SELECT salary FROM hr.employees",
    "SELECT id FROM customers WHERE email = 'x'",
    "SELECT * FROM keyhole.catalog",
    "SET search_path = hr",
    "BEGIN",
    "ROLLBACK",
    "SAVEPOINT a",
    "ROLLBACK TO a",
    "COMMIT",
    "PREPARE q AS SELECT email FROM customers",
    "EXECUTE q",
    "DECLARE c CURSOR FOR SELECT email FROM customers",
    "FETCH c",
    "CLOSE c",
    "DEALLOCATE q",
    "COPY customers TO STDOUT",
    "COPY (SELECT email FROM customers) TO STDOUT",
    "COPY orders FROM STDIN",
    "UPDATE customers SET email = 'x' WHERE id = 1",
    "CREATE TABLE t (id int)",
    "SELECT email FROM customers WHERE (",
    "SELECT 'customers'",
    "DISCARD ALL",
];

const NAMES: &[&str] = &["", "s", "p"];

/// Steps of one sequence.
const STEPS_MAX: usize = 24;

/// What a run is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grants {
    Never,
    /// Given and taken.
    Sometimes,
}

struct Play {
    bench: Bench,
    /// All that the client has said.
    said: Vec<u8>,
    server: Server,
    /// On its way from the server.
    answers: Vec<u8>,
    /// The last canary that a grant covers, if any ever did.
    covered: Option<usize>,
}

pub(crate) fn run(choices: &mut Choices<'_>) {
    static WORLD: OnceLock<(Arc<World>, Arc<PlanCache>)> = OnceLock::new();
    let (world, cache) = WORLD.get_or_init(|| (Arc::new(small_shop::world()), Arc::default()));
    let mut play = Play {
        bench: Bench::of(Arc::clone(world), Arc::clone(cache)),
        said: Vec::new(),
        server: Server::default(),
        answers: Vec::new(),
        covered: None,
    };
    let grants = if choices.chance(5) { Grants::Sometimes } else { Grants::Never };
    for _ in 0..=choices.below(STEPS_MAX) {
        match choices.below(10) {
            0..5 => play.client_says(choices),
            5..9 => play.server_says(choices),
            _ if grants == Grants::Sometimes => play.granted_or_revoked(choices),
            _ => play.bench.tick(),
        }
        play.settle(choices);
        if play.bench.is_closed() {
            return play.look();
        }
    }
    play.comes_to_an_end(choices);
    play.look();
}

impl Play {
    fn client_says(&mut self, choices: &mut Choices<'_>) {
        let mut bytes = Vec::new();
        for _ in 0..=choices.below(4) {
            bytes.extend(message(choices));
        }
        if choices.chance(4) {
            let other = message(choices);
            mutate(&mut bytes, &other, choices);
        }
        self.said.extend_from_slice(&bytes);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let len = if choices.chance(60) { rest.len() } else { 1 + choices.below(rest.len()) };
            self.bench.client(&rest[..len]);
            rest = &rest[len..];
            self.settle(choices);
        }
    }

    /// Lets the server work, and its words arrive as far as they do.
    fn server_says(&mut self, choices: &mut Choices<'_>) {
        let sent = self.bench.sent();
        self.answers.extend(self.server.hears(&sent, choices));
        let len = if choices.chance(70) {
            self.answers.len()
        } else {
            choices.below(self.answers.len() + 1)
        };
        let rest = self.answers.split_off(len);
        let arriving = std::mem::replace(&mut self.answers, rest);
        self.bench.server(&arriving);
        // What waited for an answer goes on.
        self.bench.client(b"");
    }

    fn granted_or_revoked(&mut self, choices: &mut Choices<'_>) {
        // What has been sent is answered under the grants of then.
        let sent = self.bench.sent();
        self.answers.extend(self.server.hears(&sent, choices));
        if choices.chance(50) {
            self.bench.grant("email", 60);
            self.covered = Some(self.server.era);
        } else {
            self.bench.revoke();
            self.bench.tick();
            self.server.era += 1;
        }
    }

    /// Ends the holds that the shell ends.
    fn settle(&mut self, choices: &mut Choices<'_>) {
        thread_local!(static LOG: Log = Log::new());
        while let Some(hold) = self.bench.session.hold() {
            match hold {
                Hold::Release(_) if choices.chance(20) => self.bench.not_released(),
                Hold::Release(_) => LOG.with(|log| self.bench.release(log)),
                Hold::Spend(_) => self.bench.spent(Ok(())),
                Hold::Refresh => self.bench.refreshed(),
                Hold::InBand(_) => self.bench.refuse_calls(),
                Hold::Server => return,
            }
        }
    }

    /// Nothing is shown that no grant covers, and only whole messages.
    fn look(&mut self) {
        let shown = self.bench.shown();
        for era in 0..=self.server.era {
            let allowed = self.covered.is_some_and(|covered| era <= covered);
            let raw = canary(era);
            let seen = shown.windows(raw.len()).any(|part| part == raw.as_bytes());
            assert!(allowed || !seen, "{raw} was shown: {}", shown.escape_ascii());
        }
        super::framing::read_all(&shown);
    }

    /// The client ends whatever it has begun; the session has to be as it was.
    fn comes_to_an_end(&mut self, choices: &mut Choices<'_>) {
        let farewell = ask(|to| {
            to.raw(b"c\0\0\0\x04");
            to.sync();
            to.query("ROLLBACK");
        });
        if !is_whole(&self.said) {
            // What follows would be taken for the rest of it.
            return;
        }
        self.bench.client(&farewell);
        for _ in 0..1000 {
            self.settle(choices);
            if self.bench.is_closed() {
                return;
            }
            let sent = self.bench.sent();
            if sent.is_empty() && self.answers.is_empty() && self.bench.session.hold().is_none() {
                break;
            }
            self.answers.extend(self.server.hears(&sent, choices));
            let arriving = std::mem::take(&mut self.answers);
            self.bench.server(&arriving);
            self.bench.client(b"");
        }
        let hold = self.bench.session.hold();
        assert!(hold.is_none(), "the session waits forever: {hold:?}");
        self.look();
        let rest = &self.bench.from_client;
        assert!(rest.is_empty(), "messages are left lying: {}", rest.escape_ascii());
        assert!(self.bench.session.is_idle(), "the session is out of step with the server");
        self.still_works(choices);
    }

    /// A clear statement goes through both ways.
    fn still_works(&mut self, choices: &mut Choices<'_>) {
        let question = ask(|to| to.query("SELECT 1"));
        self.bench.client(&question);
        self.settle(choices);
        assert_eq!(self.bench.sent(), question);
        let answer = tell(|to| {
            one_column(to, "one");
            row(to, &[Some("1")]);
            to.completes("SELECT 1");
            to.ready(b'I');
        });
        self.bench.server(&answer);
        assert_eq!(self.bench.shown(), answer);
    }
}

/// Whether these are whole messages, one after another, and more may follow.
fn is_whole(mut bytes: &[u8]) -> bool {
    while let Ok(Some(header)) = FrameHeader::peek(bytes, usize::MAX >> 1) {
        // Behind a goodbye nothing is read.
        let Some(rest) = bytes.get(header.len..).filter(|_| header.tag != b'X') else {
            return false;
        };
        bytes = rest;
    }
    bytes.is_empty()
}

fn message(choices: &mut Choices<'_>) -> Vec<u8> {
    let (name, other) = (choices.of(NAMES), choices.of(NAMES));
    let text = choices.of(TEXTS);
    let format = choices.below(2) as i16;
    ask(|to| match choices.below(24) {
        0..4 => to.query(text),
        4..8 => to.parse(name, text),
        8..12 => to.bind(name, other, format),
        12..16 => to.execute(name),
        16 => to.describe_portal(name),
        17 => to.describe_statement(name),
        18 => to.close_statement(name),
        19..22 => to.sync(),
        22 => to.flush(),
        _ => match choices.below(5) {
            0 => to.raw(b"d\0\0\0\x061\n"),
            1 => to.raw(b"c\0\0\0\x04"),
            2 => to.raw(b"f\0\0\0\x07no\0"),
            3 => to.raw(b"F\0\0\0\x08\0\0\0\x01"),
            _ => to.raw(&choices.noise(12)),
        },
    })
}
