//! `keyhole risk …`: the rules over the audit log, tried out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::progress::Progress;
use super::{failed, report, say};
use crate::audit::Record;
use crate::config::Config;
use crate::model::Timestamp;
use crate::risk::{Engine, Reaction, Rule, Rules, Signal, State, concerns};
use crate::store::audit_log::scan;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Run the rules over an old log: what they would have told
    ///
    /// Nothing is done and nothing written. Prints a line for each signal, and behind them how
    /// many there were by rule and user. Exits 1 if the log is not whole.
    Replay(Replay),
}

#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    /// The directory of the log
    #[arg(long, value_name = "DIR", default_value = "audit")]
    dir: PathBuf,
    /// The configuration whose [risk] counts; without it, the defaults do
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Tell signals from then on, such as 2026-01-31T00:00:00Z; what was before is learned from
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Look at no record from then on
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Print one JSON object per signal, and one with the counts
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> ExitCode {
    match command {
        Command::Replay(arguments) => replay(arguments),
    }
}

fn replay(arguments: &Replay) -> ExitCode {
    let rules = match &arguments.config {
        None => Arc::new(Rules::default()),
        Some(path) => match Config::load(path) {
            Ok(config) => config.risk,
            Err(problems) => return failed(&problems.to_string()),
        },
    };
    let mut engine = Engine::new(Arc::clone(&rules), State::default());
    let mut counts = Counts::default();
    let progress = Progress::beside_output("reading the log");
    let read = |line: &[u8]| concerns(line).then(|| Record::of(line));
    let scanned = scan(
        &arguments.dir,
        |_, line| {
            progress.count();
            read(line)
        },
        |record| match record {
            Ok(record) if arguments.until.is_some_and(|until| record.time >= until) => {}
            Ok(record) => {
                counts.records += 1;
                let told = |signal: &Signal| arguments.since.is_none_or(|since| signal.at >= since);
                for signal in engine.take(&record).iter().filter(|signal| told(signal)) {
                    counts.add(signal);
                    tell(signal, &rules, arguments);
                }
            }
            Err(_) => counts.unread += 1,
        },
    );
    drop(progress);
    counts.tell(arguments);
    if counts.unread > 0 {
        report(format_args!("risk replay: {} records could not be read", counts.unread));
    }
    match scanned {
        Ok(_) if counts.unread == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(broken) => {
            report(format_args!("risk replay: {broken}"));
            ExitCode::FAILURE
        }
    }
}

fn tell(signal: &Signal, rules: &Rules, arguments: &Replay) {
    if arguments.json {
        // Names, numbers and times: nothing in it can fail to be written.
        say(serde_json::to_string(signal).unwrap_or_default());
        return;
    }
    let figures = signal.figures.iter().map(|(name, count)| format!("{name} {count}"));
    let actions: Vec<_> =
        rules.of(signal.rule).actions.iter().map(|action: &Reaction| action.as_str()).collect();
    say(format_args!(
        "{:.0}  {:8}  {:14}  {}{}  {}  record {}  would: {}",
        signal.at,
        signal.severity.as_str(),
        signal.rule.as_str(),
        who(signal),
        signal.session.map(|id| format!(", session {id}")).unwrap_or_default(),
        figures.collect::<Vec<_>>().join(", "),
        signal.trigger,
        if actions.is_empty() { "log".to_owned() } else { actions.join(", ") },
    ));
}

fn who(signal: &Signal) -> String {
    match (&signal.user, signal.address) {
        (Some(user), _) => user.clone(),
        (None, Some(address)) => address.to_string(),
        (None, None) => "somebody".to_owned(),
    }
}

#[derive(Default)]
struct Counts {
    records: u64,
    unread: u64,
    signals: BTreeMap<(Rule, String), u64>,
}

#[derive(serde::Serialize)]
struct Count<'a> {
    rule: Rule,
    user: &'a str,
    signals: u64,
}

impl Counts {
    fn add(&mut self, signal: &Signal) {
        *self.signals.entry((signal.rule, who(signal))).or_default() += 1;
    }

    fn tell(&self, arguments: &Replay) {
        let counts = self.signals.iter().map(|((rule, user), count)| Count {
            rule: *rule,
            user,
            signals: *count,
        });
        if arguments.json {
            let counts: Vec<_> = counts.collect();
            say(serde_json::json!({"records": self.records, "counts": counts}));
            return;
        }
        let signals: u64 = self.signals.values().sum();
        say(format_args!("\n{signals} signals in {} records that the rules look at", self.records));
        for Count { rule, user, signals } in counts {
            say(format_args!("{:14}  {:30}  {:6}", rule.as_str(), user, signals));
        }
    }
}
