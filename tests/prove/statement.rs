//! One statement, and the ways in which a client can have it run.

use crate::support::client::{bind, close, describe, execute, frame, parse, query, sync};
use crate::support::message::Format;

/// Whether its rows come in one order only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Total,
    Any,
}

/// With what its answer can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The masked twin and the other variant.
    Twin,
    /// The other variant only: it depends on where rows lie, or it stores what its mask hides.
    Variants,
}

#[derive(Clone, Debug)]
pub(crate) struct Statement {
    /// The corpus file, or `random`.
    pub(crate) origin: String,
    /// Its line in the file, or its number in the run.
    pub(crate) number: usize,
    /// With `$1`… where parameters belong.
    pub(crate) sql: String,
    pub(crate) params: Vec<String>,
    pub(crate) order: Order,
    pub(crate) trust: Trust,
    /// Asked after it in the same transaction: what it has done.
    pub(crate) check: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Simple,
    Text,
    Binary,
    /// Parsed by name, described, executed in pieces, then once more in binary.
    Named,
    Cursor,
    Copy,
    /// SQL's own PREPARE and EXECUTE.
    Prepare,
    /// Several statements up to one Sync.
    Pipeline,
}

impl Form {
    pub(crate) const ALL: [Self; 8] = [
        Self::Simple,
        Self::Text,
        Self::Binary,
        Self::Named,
        Self::Cursor,
        Self::Copy,
        Self::Prepare,
        Self::Pipeline,
    ];

    pub(crate) fn of(statement: &Statement) -> Vec<Self> {
        Self::ALL.into_iter().filter(|form| form.suits(statement)).collect()
    }

    fn suits(self, statement: &Statement) -> bool {
        let kind = statement.kind();
        let reads = matches!(&*kind, "SELECT" | "WITH" | "VALUES" | "TABLE");
        match self {
            Self::Simple => true,
            // There are no rows to copy in, and in the extended protocol COPY eats the Sync.
            Self::Text | Self::Binary | Self::Named | Self::Pipeline => {
                !statement.copies_in() && statement.is_single()
            }
            Self::Cursor => reads && statement.is_single() && !statement.sql.contains(" INTO "),
            Self::Copy => reads && statement.is_single() && !statement.sql.contains(" INTO "),
            Self::Prepare => {
                (reads || matches!(&*kind, "INSERT" | "UPDATE" | "DELETE" | "MERGE"))
                    && statement.is_single()
            }
        }
    }
}

/// The bytes a client sends, and how often the server says that it is ready.
pub(crate) struct Script {
    pub(crate) bytes: Vec<u8>,
    pub(crate) replies: usize,
}

impl Script {
    fn simple(&mut self, sql: &str) {
        self.bytes.extend(query(sql));
        self.replies += 1;
    }

    fn extended(&mut self, frames: &[Vec<u8>]) {
        self.bytes.extend(frames.concat());
        self.bytes.extend(sync());
        self.replies += 1;
    }
}

impl Statement {
    /// `basics:12`, `random:7`: what `ONLY=` takes.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.origin, self.number)
    }

    /// Its first word.
    pub(crate) fn kind(&self) -> String {
        let sql = self.sql.trim_start_matches(['(', ' ']);
        let word = sql.split(|c: char| !c.is_ascii_alphabetic()).next();
        word.unwrap_or_default().to_ascii_uppercase()
    }

    /// Whether sequences move when it runs.
    pub(crate) fn writes(&self) -> bool {
        let upper = self.sql.to_ascii_uppercase();
        ["INSERT", "UPDATE", "MERGE", "NEXTVAL"].iter().any(|word| upper.contains(word))
    }

    fn copies_in(&self) -> bool {
        self.kind() == "COPY" && self.sql.to_ascii_uppercase().contains(" FROM STDIN")
    }

    fn is_single(&self) -> bool {
        !self.sql.contains(';')
    }

    /// With its parameters as literals.
    pub(crate) fn literal(&self) -> String {
        let mut sql = self.sql.clone();
        for (index, value) in self.params.iter().enumerate().rev() {
            sql = sql.replace(&format!("${}", index + 1), &quote(value));
        }
        sql
    }

    /// All of it in a transaction that is rolled back.
    pub(crate) fn script(&self, form: Form) -> Script {
        let mut script = Script { bytes: Vec::new(), replies: 0 };
        script.simple("BEGIN");
        match form {
            Form::Simple => {
                script.simple(&self.literal());
                if self.copies_in() {
                    script.bytes.extend(frame(b'c', b""));
                }
            }
            Form::Text => script.extended(&self.frames("", Format::Text)),
            Form::Binary => script.extended(&self.frames("", Format::Binary)),
            Form::Named => {
                script.extended(&self.named());
                // An error skips the Close among them.
                script.extended(&[close(b'S', "s1")]);
            }
            Form::Cursor => self.cursor(&mut script),
            Form::Copy => {
                let option = ["", " (FORMAT csv)", " CSV HEADER"][self.number % 3];
                script.simple(&format!("COPY ({}\n) TO STDOUT{option}", self.literal()));
            }
            Form::Prepare => {
                script.simple(&format!("PREPARE p AS {}", self.sql));
                let values: Vec<_> = self.params.iter().map(|value| quote(value)).collect();
                match values.is_empty() {
                    true => script.simple("EXECUTE p"),
                    false => script.simple(&format!("EXECUTE p({})", values.join(", "))),
                }
            }
            Form::Pipeline => {
                let between =
                    [parse("", "SELECT 7"), bind("", "", &[], Format::Text), execute("", 0)];
                let mut frames = self.frames("", Format::Text);
                frames.extend(between);
                frames.extend(self.frames("", Format::Binary));
                script.extended(&frames);
            }
        }
        if let Some(check) = &self.check {
            script.simple("SET CONSTRAINTS ALL IMMEDIATE");
            script.simple(check);
        }
        script.simple("ROLLBACK");
        if form == Form::Prepare || self.kind() == "PREPARE" {
            script.simple("DEALLOCATE ALL");
        }
        script
    }

    fn frames(&self, name: &str, format: Format) -> Vec<Vec<u8>> {
        let frames = [parse(name, &self.sql), self.bind(name, format), describe(b'P', "")];
        frames.into_iter().chain([execute("", 0)]).collect()
    }

    fn bind(&self, name: &str, format: Format) -> Vec<u8> {
        let params: Vec<_> = self.params.iter().map(|value| Some(&**value)).collect();
        bind("", name, &params, format)
    }

    fn named(&self) -> Vec<Vec<u8>> {
        // Without an order the first two rows are any two.
        let first = if self.order == Order::Total { 2 } else { 0 };
        let mut frames = vec![parse("s1", &self.sql), describe(b'S', "s1")];
        frames.extend([self.bind("s1", Format::Text), execute("", first), execute("", 0)]);
        if first == 0 {
            frames.pop();
        }
        frames.extend([self.bind("s1", Format::Binary), execute("", 0), close(b'S', "s1")]);
        frames
    }

    fn cursor(&self, script: &mut Script) {
        let kind = ["", "BINARY ", "SCROLL "][self.number % 3];
        // Of a name that was used before, the session may have in mind both.
        let name = format!("k{}", self.number);
        script.simple(&format!("DECLARE {name} {kind}CURSOR FOR {}", self.literal()));
        if self.order == Order::Total {
            script.simple(&format!("FETCH 3 FROM {name}"));
            script.simple(&format!("MOVE 1 IN {name}"));
        }
        script.simple(&format!("FETCH ALL FROM {name}"));
        if kind == "SCROLL " && self.order == Order::Total {
            script.simple(&format!("FETCH PRIOR FROM {name}"));
        }
    }
}

fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
