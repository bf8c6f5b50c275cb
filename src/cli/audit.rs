//! `keyhole audit …`: the record, read back.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{failed, report, say};
use crate::audit::Kind;
use crate::audit::attest::{Attestor, Question, Trust};
use crate::model::PublicKey;
use crate::store::audit_log::{Place, scan, verify_dir};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check that no record was changed, removed or reordered
    ///
    /// Prints `audit verify: ok, N records`, or the first record that is not what the chain says
    /// and exits 1. With receipt keys, the receipts of all approvals and grants are checked too:
    /// prints how many are good, or a line for each that is not and exits 1.
    Verify(Verify),
    /// Say why a statement was shown what it was: grants, requests, approvals, receipts
    ///
    /// Reads the log alone, neither store nor proxy. Exits 0 if every link holds, 1 if one is
    /// missing or bad.
    Why(Why),
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The directory of the log
    #[arg(long, value_name = "DIR", default_value = "audit")]
    dir: PathBuf,
    #[command(flatten)]
    keys: Keys,
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
    /// A public key that signs receipts: a file such as keyhole.key.pub, or ed25519:…; may be
    /// given again
    #[arg(long = "receipt-key", value_name = "KEY")]
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
        Command::Verify(verify) if verify.keys.is_empty() => chain(verify),
        Command::Verify(verify) => receipts(verify),
        Command::Why(question) => why(question),
    }
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

fn chain(verify: &Verify) -> ExitCode {
    match verify_dir(&verify.dir) {
        Ok(verified) => {
            say(format_args!("audit verify: {verified}"));
            ExitCode::SUCCESS
        }
        Err(broken) => {
            say(format_args!("audit verify: {broken}"));
            ExitCode::FAILURE
        }
    }
}

fn receipts(verify: &Verify) -> ExitCode {
    let trust = match verify.keys.trust() {
        Ok(trust) => trust,
        Err(message) => return failed(&message),
    };
    let mut attestor = Attestor::new(trust);
    let verified = scan(
        &verify.dir,
        |place, line| (Kind::of_line(line) == Kind::Grant).then(|| Kept::of(place, line)),
        |kept| attestor.line(&kept.file, kept.number, &kept.line),
    );
    for flawed in attestor.flawed() {
        say(format_args!("audit verify: {flawed}"));
    }
    match verified {
        Err(broken) => {
            say(format_args!("audit verify: {broken}"));
            ExitCode::FAILURE
        }
        Ok(_) if !attestor.flawed().is_empty() => ExitCode::FAILURE,
        Ok(verified) => {
            say(format_args!("audit verify: {verified}, {} receipts", attestor.receipts()));
            ExitCode::SUCCESS
        }
    }
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
    let verified = scan(
        &arguments.dir,
        |place, line| {
            let wanted = Kind::of_line(line) == Kind::Grant || question.concerns(line);
            wanted.then(|| Kept::of(place, line))
        },
        |kept| attestor.line(&kept.file, kept.number, &kept.line),
    );
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
