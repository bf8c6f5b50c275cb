//! One run of the proof: every statement on the twin and on both variants.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};

use super::compare::{as_heard, as_seen, code, difference, masked, refusal, rows};
use super::known::known;
use super::statement::{Form, Statement, Trust};
use super::tally::{Outcome, Tally};
use super::trio::{Answers, Trio, Way};
use crate::support::traps::{self, Variant};
use crate::support::wait::now;

/// After so many the rest is not of interest.
const DIFFERENCES_MAX: usize = 40;

pub(crate) struct Run {
    pub(crate) trio: Trio,
    pub(crate) tally: Tally,
    pub(crate) differences: Vec<String>,
    /// What is held, for reports.
    pub(crate) held: String,
    /// Values of A that are granted: `customers.ssn[5]`.
    pub(crate) granted: HashSet<String>,
    /// What the twin holds, granted values among it.
    pub(crate) stands: String,
}

impl Run {
    pub(crate) fn open(name: &str, way: Way) -> Self {
        Self::on(Trio::open(name, way))
    }

    pub(crate) fn on(trio: Trio) -> Self {
        Self {
            trio,
            tally: Tally::default(),
            differences: Vec::new(),
            held: String::new(),
            granted: HashSet::new(),
            stands: String::new(),
        }
    }

    pub(crate) fn enough(&self) -> bool {
        self.differences.len() >= DIFFERENCES_MAX
    }

    /// As [`Self::try_one`], saying at once what differs. False if something did.
    pub(crate) fn is_proven(&mut self, statement: &Statement, form: Form) -> bool {
        let before = self.differences.len();
        self.try_one(statement, form);
        let new = &self.differences[before..];
        new.iter().for_each(|text| eprintln!("DIFFERENCE {text}"));
        new.is_empty()
    }

    /// Runs it in this form, and notes what differs. Gives what was heard.
    pub(crate) fn try_one(&mut self, statement: &Statement, form: Form) -> Answers {
        let began = now();
        if statement.writes() {
            self.trio.turn_back();
        }
        let script = statement.script(form);
        let answers = self.trio.run(&script);
        self.tally.waited += now() - began;
        let refused = refusal(&answers.a, &answers.twin);
        let found = [
            ended(&answers),
            self.apart(statement, &answers),
            self.leaks(&script.bytes, &answers),
            self.twin_leaks(statement, &script.bytes, &answers),
            match refused.is_some() {
                false => self.unlike_the_twin(statement, &answers),
                true => None,
            },
        ];
        for what in found.into_iter().flatten() {
            let (name, sql) = (statement.name(), &statement.sql);
            let params = match statement.params.is_empty() {
                true => String::new(),
                false => format!("\n    with {:?}", statement.params),
            };
            let held = &self.held;
            let text = format!("ONLY={name} {form:?}: {sql}{params}{held}\n{what}");
            self.differences.push(text);
        }
        let outcome = Outcome {
            code: code(&answers.a),
            masked: masked(&answers.a),
            rows: rows(&answers.a),
            refused,
        };
        self.tally.note(statement, form, &outcome);
        self.tally.took += now() - began;
        answers
    }

    fn unlike_the_twin(&mut self, statement: &Statement, answers: &Answers) -> Option<String> {
        if statement.trust != Trust::Twin {
            return None;
        }
        let of = |heard| as_seen(heard, statement.order, &self.trio);
        let (expected, seen) = (of(&answers.twin), of(&answers.a));
        let found = difference(&expected, &seen)?;
        if let Some(why) = known(statement, &expected, &seen) {
            self.tally.known(why);
            return None;
        }
        let errors = answers.a.messages.iter().chain(&answers.twin.messages);
        let errors = errors.filter(|message| message.tag == b'E').map(|m| m.error().to_string());
        let errors: Vec<_> = errors.collect();
        Some(format!("  unlike the twin {errors:?}\n{found}"))
    }

    fn apart(&self, statement: &Statement, answers: &Answers) -> Option<String> {
        if answers.a.messages == answers.b.messages {
            return None;
        }
        let of = |heard| as_heard(heard, statement.order, &self.trio);
        let found = difference(&of(&answers.a), &of(&answers.b))?;
        Some(format!("  A and B are told apart\n{found}"))
    }

    /// What the twin says too, or holds, is a coincidence: it holds nothing that is hidden.
    fn leaks(&self, said: &[u8], answers: &Answers) -> Option<String> {
        let innocent = [said, &answers.twin.bytes, self.stands.as_bytes()].concat();
        let hidden = |value: &str| !self.granted.contains(value);
        let mut leaks = traps::finder(Variant::A).find_of(&answers.a.said(), &innocent, hidden);
        leaks.extend(traps::finder(Variant::B).find(&answers.b.said(), &innocent));
        (!leaks.is_empty()).then(|| format!("  canaries: {leaks:?}"))
    }

    /// The twin is what the proof believes in. (Among random values there are coincidences, and
    /// granted ones stand there.)
    fn twin_leaks(&self, statement: &Statement, said: &[u8], answers: &Answers) -> Option<String> {
        if statement.origin == "random" || !self.held.is_empty() {
            return None;
        }
        let leaks = traps::finder(Variant::A).find(&answers.twin.said(), said);
        (!leaks.is_empty()).then(|| format!("  canaries on the twin itself: {leaks:?}"))
    }

    /// Counts what the gates said of statements on A that mention a sensitive name.
    pub(crate) fn read_audit_log(&mut self) {
        let folder = self.trio.proxy.config.path().join("audit");
        let files = std::fs::read_dir(folder).expect("the audit directory is there");
        let words = ["not_run", "clear", "show", "compute", "refuse"];
        let marks = words.map(|word| (word, format!("\"analysis\":\"{word}\"")));
        for file in files.map(|entry| entry.expect("readable").path()) {
            let Ok(file) = std::fs::File::open(file) else { continue };
            for line in BufReader::new(file).lines().map_while(Result::ok) {
                if line.contains("\"shop_a\"") && line.contains("\"mention\":\"hit\"") {
                    for (word, _) in marks.iter().filter(|(_, mark)| line.contains(mark)) {
                        self.tally.verdict(word);
                    }
                }
            }
        }
    }
}

fn ended(answers: &Answers) -> Option<String> {
    let all = [("twin", &answers.twin), ("A", &answers.a), ("B", &answers.b)];
    let ended: Vec<_> = all.iter().filter(|(_, it)| it.ended).map(|(name, _)| *name).collect();
    (!ended.is_empty()).then(|| format!("  the session ended: {ended:?}"))
}
