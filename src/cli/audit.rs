//! `keyhole audit …`: the record, read back.

pub(super) mod cells;
mod report;
mod row;
mod search;
mod subject;
mod when;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::exit::Exit;
use super::progress::Progress;
use super::{failed, report, say};
use crate::audit::attest::{Attestor, Question, Trust};
use crate::audit::{Broken, Kind, schema};
use crate::model::PublicKey;
use crate::store::approvals::steady_clock;
use crate::store::audit_log::{KeptCheckpoint, Place, Proofs, Verified, scan, scan_proven};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check that no record was changed, removed or reordered
    ///
    /// Prints `audit verify: ok, N records`, or the first record that is not what the chain says
    /// and exits 1. With keys, checkpoints and the receipts of all approvals and grants are checked
    /// too: prints how many are good, or a line for each receipt that is not and exits 1. Without
    /// them, somebody who can write the files may have computed the whole chain anew. With
    /// checkpoints that were kept elsewhere, a log that was cut off is found.
    Verify(Verify),
    /// Say why a statement was shown what it was: grants, requests, approvals, receipts
    ///
    /// Reads the log alone, neither store nor proxy. Exits 0 if every link holds, 1 if one is
    /// missing or bad.
    Why(Why),
    /// Say who saw one row of a catalogued table, when, and why: the data-subject report
    ///
    /// Exits 0 if the log is whole, 1 if it is not: then the answer is not either. What the row's
    /// keys are is written nowhere: in the log there are pseudonyms, made with the deployment's
    /// subject key. Other users of this machine can see the arguments of a running program, so
    /// give values by --key COLUMN=- and on standard input.
    Subject(subject::Arguments),
    /// Find records: by person, column, class, grant, decision, time, words and more
    ///
    /// Of one option that is given again any may hold, of different options all must. Reads the
    /// whole log and checks its chain; a broken one is told, behind what was found before the break,
    /// and exits 1. Times are UTC: 2026-01-31, '2026-01-31 09:00', yesterday, '2 hours ago'.
    Search(Box<search::Arguments>),
    /// Print the JSON Schema (2020-12) of the log's records
    ///
    /// Each line of the log is one object that it describes. The record `started` says which version
    /// of the schema the records behind it follow.
    Schema,
    /// Sum up: who saw how much of what, on whose word, and when
    ///
    /// By person, column, class, grant, day and hour: statements, what was shown raw, masked or
    /// refused, logins, approvals, changes, and what the log says of itself. Prints tables, or
    /// writes CSV or a page with charts. Reads the whole log and checks its chain; a broken one is
    /// told, counted up to the break, and exits 1. Times are UTC: 2026-01-31, yesterday,
    /// '2 hours ago'.
    Report(report::Arguments),
}

/// Which records count by their time.
#[derive(Debug, clap::Args)]
pub(super) struct Period {
    /// Not before this time, or this long ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time; of a date, to its end
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The directory of the log
    #[arg(long, value_name = "DIR", default_value = "audit")]
    dir: PathBuf,
    #[command(flatten)]
    keys: Keys,
    /// A file of checkpoints that were kept elsewhere, one JSON object per line; may be given again
    #[arg(long = "anchor", value_name = "FILE")]
    anchors: Vec<PathBuf>,
    /// Print one JSON object: ok, what was counted, or what is wrong
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Why {
    /// The directory of the log
    #[arg(long, value_name = "DIR", default_value = "audit")]
    dir: PathBuf,
    #[command(flatten)]
    keys: Keys,
    /// The session, with --statement
    #[arg(long, value_name = "N", requires = "statement")]
    session: Option<u64>,
    /// The statement's number in its session
    #[arg(long, value_name = "N", requires = "session")]
    statement: Option<u64>,
    /// Or: the number of the record of the release, or of the statement's end
    #[arg(
        long,
        value_name = "SEQ",
        conflicts_with = "session",
        required_unless_present = "session"
    )]
    record: Option<u64>,
    /// Print one JSON object per answer and line
    #[arg(long)]
    json: bool,
}

/// Whose signatures count.
#[derive(Debug, clap::Args)]
struct Keys {
    /// A public key that signs receipts and checkpoints: a file such as keyhole.key.pub, or
    /// ed25519:…; may be given again
    #[arg(long = "receipt-key", visible_alias = "key", value_name = "KEY")]
    receipt_keys: Vec<String>,
    /// An approver's own key: all their approvals have to be signed by it; may be given again
    #[arg(long = "approver", value_name = "NAME=ed25519:…")]
    approvers: Vec<String>,
}

impl Keys {
    /// # Errors
    /// Says which key cannot be read.
    fn trust(&self) -> Result<Trust, String> {
        let receipt_keys = self.receipt_keys.iter().map(|text| receipt_key(text));
        let approver = |text: &String| {
            let (name, key) = text
                .split_once('=')
                .ok_or_else(|| format!("--approver {text}: it is NAME=ed25519:…"))?;
            let key = key.parse().map_err(|error| format!("--approver {text}: {error}"))?;
            Ok((name.to_owned(), key))
        };
        Ok(Trust {
            receipt_keys: receipt_keys.collect::<Result<_, String>>()?,
            approver_keys: self
                .approvers
                .iter()
                .map(approver)
                .collect::<Result<BTreeMap<String, PublicKey>, String>>()?,
        })
    }

    fn is_empty(&self) -> bool {
        self.receipt_keys.is_empty() && self.approvers.is_empty()
    }
}

fn receipt_key(text: &str) -> Result<PublicKey, String> {
    let wrong = |problem: String| format!("--receipt-key {text}: {problem}");
    if text.starts_with("ed25519:") {
        return text.parse().map_err(|error| wrong(format!("{error}")));
    }
    let read = fs::read_to_string(text).map_err(|error| wrong(error.to_string()))?;
    read.trim().parse().map_err(|error| wrong(format!("{error}")))
}

pub(super) fn run(command: &Command) -> ExitCode {
    match command {
        Command::Verify(verify) => check(verify),
        Command::Why(question) => why(question),
        Command::Subject(arguments) => subject::run(arguments),
        Command::Search(arguments) => search::run(arguments, steady_clock()()),
        Command::Schema => {
            say(schema::SCHEMA.trim_end());
            ExitCode::SUCCESS
        }
        Command::Report(arguments) => report::run(arguments, steady_clock()()),
    }
}

/// What is not written as the log writes it may be anything.
fn may_be_grant(line: &[u8]) -> bool {
    matches!(Kind::of_line(line), Some(Kind::Grant) | None)
}

/// A line that the attestor wants.
struct Kept {
    file: String,
    number: u64,
    line: Vec<u8>,
}

impl Kept {
    fn of(place: Place<'_>, line: &[u8]) -> Self {
        Self { file: place.file.to_owned(), number: place.line, line: line.to_owned() }
    }
}

fn check(verify: &Verify) -> ExitCode {
    let (trust, kept) = match (verify.keys.trust(), kept_checkpoints(&verify.anchors)) {
        (Ok(trust), Ok(kept)) => (trust, kept),
        (Err(message), _) | (_, Err(message)) => return failed(&message),
    };
    let proofs = Proofs { keys: trust.receipt_keys.clone(), kept };
    let with_receipts = !verify.keys.is_empty();
    let mut attestor = Attestor::new(trust);
    let progress = Progress::of("checking the chain");
    let verified = scan_proven(
        &verify.dir,
        &proofs,
        |place, line| {
            progress.count();
            let wanted = with_receipts && may_be_grant(line);
            wanted.then(|| Kept::of(place, line))
        },
        |kept| attestor.line(&kept.file, kept.number, &kept.line),
    );
    drop(progress);
    let receipts = with_receipts.then(|| attestor.receipts());
    let found = Findings::of(&verified, &attestor, receipts);
    if verify.json {
        match serde_json::to_string(&found) {
            Ok(line) => say(line),
            Err(error) => return failed(&error.to_string()),
        }
    } else {
        let ok = found.ok.then(|| found.text(&verified)).flatten();
        found.problems.iter().chain(&ok).for_each(|line| say(format_args!("audit verify: {line}")));
    }
    if found.ok { Exit::Done.into() } else { Exit::Wrong.into() }
}

/// What a look at the whole log has found.
#[derive(Debug, Default, Serialize)]
struct Findings {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    /// Of the first record that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seq: Option<u64>,
    /// With keys only, as are the next two.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoints: Option<u64>,
    /// Records behind the last checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsigned: Option<u64>,
    problems: Vec<String>,
}

impl Findings {
    /// `receipts`: how many were checked, if keys were given.
    fn of(verified: &Result<Verified, Broken>, attestor: &Attestor, receipts: Option<u64>) -> Self {
        let mut problems: Vec<_> = attestor.flawed().iter().map(ToString::to_string).collect();
        problems.extend(verified.as_ref().err().map(ToString::to_string));
        let verified = verified.as_ref().ok();
        let signed = verified.filter(|_| receipts.is_some());
        Self {
            ok: problems.is_empty(),
            records: verified.map(|verified| verified.records),
            first_seq: verified.map(|verified| verified.first_seq),
            receipts: receipts.filter(|_| signed.is_some()),
            checkpoints: signed.map(|verified| verified.checkpoints),
            unsigned: signed.map(|verified| verified.unsigned),
            problems,
        }
    }

    /// The line of a log in which nothing is wrong.
    fn text(&self, verified: &Result<Verified, Broken>) -> Option<String> {
        let verified = verified.as_ref().ok()?;
        let (Some(receipts), Some(checkpoints), Some(unsigned)) =
            (self.receipts, self.checkpoints, self.unsigned)
        else {
            return Some(verified.to_string());
        };
        Some(format!(
            "{verified}, {receipts} receipts, {checkpoints} checkpoints, {unsigned} records \
             behind the last"
        ))
    }
}

/// # Errors
/// Says which file or line cannot be read.
fn kept_checkpoints(files: &[PathBuf]) -> Result<Vec<KeptCheckpoint>, String> {
    let mut kept = Vec::new();
    for path in files {
        let shown = path.display();
        let text =
            fs::read_to_string(path).map_err(|error| format!("--anchor {shown}: {error}"))?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |error| format!("--anchor {shown}:{}: {error}", number + 1);
            // Other records may have been kept there, too.
            let record: serde_json::Value = serde_json::from_str(line).map_err(wrong)?;
            if record["kind"] == "checkpoint" {
                kept.push(serde_json::from_value(record).map_err(wrong)?);
            }
        }
    }
    Ok(kept)
}

fn why(arguments: &Why) -> ExitCode {
    let question = match (arguments.session, arguments.statement, arguments.record) {
        (Some(session), Some(statement), _) => Question::Statement { session, statement },
        (_, _, Some(record)) => Question::Record(record),
        (Some(_) | None, _, None) => return failed("name --session and --statement, or --record"),
    };
    let trust = match arguments.keys.trust() {
        Ok(trust) => trust,
        Err(message) => return failed(&message),
    };
    if trust.receipt_keys.is_empty() {
        return failed("--receipt-key is needed: without it, no receipt can be checked");
    }
    let mut attestor = Attestor::asking(trust, question);
    let progress = Progress::of("reading the log");
    let verified = scan(
        &arguments.dir,
        |place, line| {
            progress.count();
            let wanted = may_be_grant(line) || question.concerns(line);
            wanted.then(|| Kept::of(place, line))
        },
        |kept| attestor.line(&kept.file, kept.number, &kept.line),
    );
    drop(progress);
    let mut code = ExitCode::SUCCESS;
    if let Err(broken) = verified {
        report(format_args!("audit why: {broken}"));
        code = ExitCode::FAILURE;
    }
    let explanations = attestor.into_explanations();
    if explanations.is_empty() {
        report("audit why: the log holds no such release");
        code = ExitCode::FAILURE;
    }
    for explanation in &explanations {
        if !explanation.ok {
            code = ExitCode::FAILURE;
        }
        if !arguments.json {
            say(explanation);
            continue;
        }
        match serde_json::to_string(explanation) {
            Ok(text) => say(text),
            Err(error) => return failed(&error.to_string()),
        }
    }
    code
}
