//! A database made of paper: it answers what it is sent as PostgreSQL would, message by message,
//! and puts a canary into every row that is raw. What reaches it has to be whole messages.

use std::collections::HashMap;

use keyhole::wire::frontend::{self, Frontend, Target};
use keyhole::wire::{FrameHeader, WireError, write};

use super::choices::Choices;
use super::messages::{Tells, one_column, row, tell};

/// How the question for the `search_path` is known.
const PATH_QUESTION: &str = "current_schemas";

#[derive(Default)]
pub(crate) struct Server {
    arrived: Vec<u8>,
    statements: HashMap<String, String>,
    portals: HashMap<String, String>,
    /// Statements of SQL `PREPARE` and cursors.
    named: HashMap<String, String>,
    transaction: Transaction,
    batch: Batch,
    copy: Copy,
    /// The canaries of now and of earlier tell themselves apart.
    pub(crate) era: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Transaction {
    #[default]
    Idle,
    Open,
    Failed,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Batch {
    #[default]
    Fine,
    /// Up to Sync everything is ignored.
    Skipping,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Copy {
    #[default]
    None,
    /// COPY FROM STDIN is under way, begun by this kind of message.
    In(Protocol),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Simple,
    Extended,
}

/// How a statement ended.
enum Done {
    Fine,
    Failed,
    /// More comes from the client first.
    CopyIn,
}

pub(crate) fn canary(era: usize) -> String {
    format!("canary-{era}@example.com")
}

impl Server {
    /// Takes what the proxy sent and answers it.
    pub(crate) fn hears(&mut self, bytes: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
        self.arrived.extend_from_slice(bytes);
        let mut answer = Vec::new();
        let arrived = std::mem::take(&mut self.arrived);
        let mut rest = &arrived[..];
        while let Some(header) = FrameHeader::peek(rest, usize::MAX >> 1).expect("a header of ours")
        {
            let Some(frame) = rest.get(..header.len) else { break };
            answer.extend(tell(|to| match frontend::read(frame[0], &frame[5..]) {
                Ok(message) => self.answer(message, to, choices),
                Err(WireError::NotUtf8) => self.other_encoding(frame[0], to),
                Err(error) => panic!("{error} got through: {}", frame.escape_ascii()),
            }));
            rest = &rest[header.len..];
        }
        self.arrived = rest.to_vec();
        answer
    }

    /// Statements in another encoding pass where they cannot name anything hidden.
    fn other_encoding(&mut self, tag: u8, to: &mut Tells) {
        assert!(matches!(tag, frontend::tag::QUERY | frontend::tag::PARSE), "{tag}");
        assert!(self.copy == Copy::None, "got into a COPY");
        match self.batch {
            Batch::Skipping => {}
            Batch::Fine if tag == frontend::tag::PARSE => self.fails("22021", to),
            Batch::Fine => {
                to.error("22021", "invalid byte sequence");
                self.fail();
                self.ready(to);
            }
        }
    }

    fn answer(&mut self, message: Frontend<'_>, to: &mut Tells, choices: &mut Choices<'_>) {
        if let Copy::In(protocol) = self.copy {
            return self.copies(message, protocol, to);
        }
        if self.batch == Batch::Skipping && message != Frontend::Sync {
            return;
        }
        if choices.chance(3) {
            aside(to, choices);
        }
        match message {
            Frontend::Query(text) => self.query(text, to, choices),
            Frontend::Sync => {
                self.batch = Batch::Fine;
                self.ready(to);
            }
            Frontend::Parse(parse) => {
                if !parse.name.is_empty() && self.statements.contains_key(parse.name) {
                    return self.fails("42P05", to);
                }
                if is_wrong(parse.sql) || parse.sql.contains(';') || choices.chance(3) {
                    return self.fails("42601", to);
                }
                self.statements.insert(parse.name.to_owned(), parse.sql.to_owned());
                to.parsed();
            }
            Frontend::Bind(bind) => {
                let Some(text) = self.statements.get(bind.statement).cloned() else {
                    return self.fails("26000", to);
                };
                if (!bind.portal.is_empty() && self.portals.contains_key(bind.portal))
                    || choices.chance(3)
                {
                    return self.fails("42P03", to);
                }
                self.portals.insert(bind.portal.to_owned(), text);
                to.bound();
            }
            Frontend::Describe(target) => self.describe(target, to),
            Frontend::Execute(execute) => {
                let Some(text) = self.portals.get(execute.portal).cloned() else {
                    return self.fails("34000", to);
                };
                match self.run(&text, Protocol::Extended, to, choices) {
                    Done::Fine => {}
                    Done::Failed => self.batch = Batch::Skipping,
                    Done::CopyIn => self.copy = Copy::In(Protocol::Extended),
                }
            }
            Frontend::Close(Target::Statement(name)) => {
                self.statements.remove(name);
                to.closed();
            }
            Frontend::Close(Target::Portal(name)) => {
                self.portals.remove(name);
                to.closed();
            }
            Frontend::Flush
            | Frontend::Terminate
            | Frontend::CopyData(_)
            | Frontend::CopyDone
            | Frontend::CopyFail => {}
            Frontend::FunctionCall | Frontend::Password(_) => panic!("{message:?} got through"),
        }
    }

    fn query(&mut self, text: &str, to: &mut Tells, choices: &mut Choices<'_>) {
        self.statements.remove("");
        self.portals.remove("");
        if is_wrong(text) {
            to.error("42601", "syntax error");
            self.fail();
            return self.ready(to);
        }
        for text in text.split(';') {
            match self.run(text, Protocol::Simple, to, choices) {
                Done::Fine => {}
                Done::Failed => break,
                // Single statements only are copied with.
                Done::CopyIn => {
                    self.copy = Copy::In(Protocol::Simple);
                    return;
                }
            }
        }
        self.ready(to);
    }

    /// Runs one statement, up to its CommandComplete.
    fn run(
        &mut self,
        text: &str,
        protocol: Protocol,
        to: &mut Tells,
        choices: &mut Choices<'_>,
    ) -> Done {
        let text = text.trim();
        let first = text.split([' ', '(']).next().unwrap_or_default().to_ascii_uppercase();
        if self.transaction == Transaction::Failed && !matches!(&*first, "ROLLBACK" | "COMMIT") {
            to.error("25P02", "current transaction is aborted");
            return Done::Failed;
        }
        if choices.chance(4) && first != "ROLLBACK" {
            to.error("22012", "division by zero");
            self.fail();
            return Done::Failed;
        }
        match &*first {
            "" => to.raw(b"I\0\0\0\x04"),
            "BEGIN" => {
                self.transaction = Transaction::Open;
                to.completes("BEGIN");
            }
            // Portals of before the savepoint live on.
            "ROLLBACK" if text.contains(" TO ") => {
                if self.transaction == Transaction::Idle {
                    to.error("25P01", "no transaction");
                    return Done::Failed;
                }
                self.transaction = Transaction::Open;
                to.completes("ROLLBACK");
            }
            "ROLLBACK" | "COMMIT" => {
                self.transaction = Transaction::Idle;
                self.portals.clear();
                to.completes(&first);
            }
            "PREPARE" | "DECLARE" => {
                let mut words = text.splitn(3, ' ').skip(1);
                let (name, body) = (words.next(), words.next());
                self.named.insert(name.unwrap_or("").to_owned(), body.unwrap_or("").to_owned());
                to.completes(&first);
            }
            "EXECUTE" | "FETCH" => {
                let name = text.rsplit(' ').next().unwrap_or_default();
                let Some(body) = self.named.get(name).cloned() else {
                    to.error("26000", "does not exist");
                    self.fail();
                    return Done::Failed;
                };
                self.rows(&body, protocol, to, choices);
            }
            "COPY" if text.contains("STDIN") => {
                to.raw(b"G\0\0\0\x09\0\0\x01\0\0");
                return Done::CopyIn;
            }
            "COPY" => {
                to.raw(b"H\0\0\0\x09\0\0\x01\0\0");
                to.copy_data(
                    if is_raw(text) { self.canary() } else { "masked".to_owned() }.as_bytes(),
                );
                to.raw(b"c\0\0\0\x04");
                to.completes("COPY 1");
            }
            "SELECT" => self.rows(text, protocol, to, choices),
            _ => to.completes(&first),
        }
        Done::Fine
    }

    fn rows(&self, text: &str, protocol: Protocol, to: &mut Tells, choices: &mut Choices<'_>) {
        if protocol == Protocol::Simple {
            columns(text, to);
        }
        let value = match () {
            () if text.contains(PATH_QUESTION) => r#"["pg_catalog","public"]"#.to_owned(),
            () if is_raw(text) => self.canary(),
            () => "masked".to_owned(),
        };
        let count = if text.contains(PATH_QUESTION) { 1 } else { choices.below(3) };
        for _ in 0..count {
            if text.contains("id, email") {
                row(to, &[Some("1"), Some(&value)]);
            } else {
                row(to, &[Some(&value)]);
            }
        }
        to.completes(&format!("SELECT {count}"));
    }

    fn canary(&self) -> String {
        canary(self.era)
    }

    fn describe(&mut self, target: Target<'_>, to: &mut Tells) {
        let (text, statement) = match target {
            Target::Statement(name) => (self.statements.get(name).cloned(), true),
            Target::Portal(name) => (self.portals.get(name).cloned(), false),
        };
        let Some(text) = text else { return self.fails("26000", to) };
        if statement {
            to.takes_no_parameters();
        }
        if text.trim_start().starts_with("SELECT") { columns(&text, to) } else { to.no_data() }
    }

    fn copies(&mut self, message: Frontend<'_>, protocol: Protocol, to: &mut Tells) {
        match message {
            // PostgreSQL takes no notice of these while it copies (CopyGetData).
            Frontend::CopyData(_) | Frontend::Flush | Frontend::Sync => return,
            Frontend::CopyDone => to.completes("COPY 1"),
            Frontend::CopyFail => {
                to.error("57014", "COPY from stdin failed");
                self.fail();
            }
            Frontend::Terminate => return,
            Frontend::Query(_)
            | Frontend::Parse(_)
            | Frontend::Bind(_)
            | Frontend::Describe(_)
            | Frontend::Execute(_)
            | Frontend::Close(_)
            | Frontend::FunctionCall
            | Frontend::Password(_) => panic!("{message:?} got into a COPY"),
        }
        self.copy = Copy::None;
        let failed = message != Frontend::CopyDone;
        match protocol {
            Protocol::Simple => self.ready(to),
            Protocol::Extended if failed => self.batch = Batch::Skipping,
            Protocol::Extended => {}
        }
    }

    fn fails(&mut self, state: &str, to: &mut Tells) {
        to.error(state, "no");
        self.fail();
        self.batch = Batch::Skipping;
    }

    fn fail(&mut self) {
        if self.transaction == Transaction::Open {
            self.transaction = Transaction::Failed;
        }
    }

    fn ready(&mut self, to: &mut Tells) {
        if self.transaction == Transaction::Idle {
            self.portals.clear();
        }
        to.ready(match self.transaction {
            Transaction::Idle => b'I',
            Transaction::Open => b'T',
            Transaction::Failed => b'E',
        });
    }
}

/// What a server says at any time.
fn aside(to: &mut Tells, choices: &mut Choices<'_>) {
    let mut out = Vec::new();
    let written = match choices.below(3) {
        0 => {
            to.notice("by the way");
            Ok(())
        }
        1 => write::parameter_status(&mut out, "application_name", "psql"),
        _ => write::notification(&mut out, 1, b"channel", b"payload"),
    };
    assert_eq!(written, Ok(()));
    to.raw(&out);
}

fn columns(text: &str, to: &mut Tells) {
    let (asked, text) = (text, text.to_ascii_lowercase());
    let is_raw = is_raw(asked);
    if asked.contains(PATH_QUESTION) {
        one_column(to, "array_to_json");
    } else if text.contains("id, email") && is_raw {
        to.describes(&[("id", 20_000, 1, 0), ("email", 20_000, 3, 0)]);
    } else if text.contains("id, email") {
        to.describes(&[("id", 0, 0, 0), ("email", 0, 0, 0)]);
    } else if text.starts_with("select email") && is_raw {
        to.describes(&[("email", 20_000, 3, 0)]);
    } else {
        one_column(to, "one");
    }
}

/// Whether a statement as it arrived here reads stored values: nothing was spliced into it.
fn is_raw(text: &str) -> bool {
    let reads = ["FROM customers", "COPY customers"].iter().any(|read| text.contains(read));
    // Of a COPY of all columns, too; a broken name is no column.
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let shows = text.split(|c| !is_word(c)).any(|word| word.eq_ignore_ascii_case("email"))
        || text.starts_with("COPY customers");
    reads && shows && !text.contains("(SELECT")
}

/// What PostgreSQL's grammar has nothing for, or names columns that are not there.
fn is_wrong(text: &str) -> bool {
    text.starts_with("keyhole refused") || text.contains("WHERE (") || text.split(';').any(is_torn)
}

/// A statement that reads stored values, and whose columns are not those of any that is sent whole.
fn is_torn(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let whole = [
        "select email from customers",
        "select id, email from customers",
        "select lower(email) from customers",
        "select id from customers where email",
    ];
    is_raw(text) && lower.contains("select") && !whole.iter().any(|it| lower.contains(it))
}
