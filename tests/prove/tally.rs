//! What a run of the proof has seen, as tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::statement::{Form, Statement};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) ran: usize,
    pub(crate) refused: usize,
    /// Failed on the twin too, with the same SQLSTATE.
    pub(crate) failed: usize,
    /// With a NOTICE that names what was masked.
    pub(crate) masked: usize,
    pub(crate) with_rows: usize,
}

/// How one statement ended, apart from differences.
pub(crate) struct Outcome {
    pub(crate) refused: Option<String>,
    pub(crate) code: String,
    pub(crate) masked: bool,
    pub(crate) rows: usize,
}

/// So many examples of each reason are shown, the shortest ones.
const EXAMPLES_MAX: usize = 4;

#[derive(Default)]
struct Reason {
    corpus: usize,
    random: usize,
    shortest: BTreeSet<(usize, String)>,
}

#[derive(Default)]
pub(crate) struct Tally {
    origins: BTreeMap<String, Count>,
    kinds: BTreeMap<String, Count>,
    forms: BTreeMap<String, Count>,
    reasons: BTreeMap<String, Reason>,
    codes: BTreeMap<String, (usize, String)>,
    verdicts: BTreeMap<&'static str, usize>,
    known: BTreeMap<&'static str, usize>,
    pub(crate) took: Duration,
    /// Of it, for answers.
    pub(crate) waited: Duration,
}

impl Tally {
    pub(crate) fn note(&mut self, statement: &Statement, form: Form, what: &Outcome) {
        let (origin, sql) = (&statement.origin, &statement.sql);
        let whose = [
            self.origins.entry(origin.clone()).or_default(),
            self.kinds.entry(statement.kind()).or_default(),
            self.forms.entry(format!("{form:?}")).or_default(),
        ];
        for count in whose {
            count.ran += 1;
            count.refused += usize::from(what.refused.is_some());
            count.failed += usize::from(what.refused.is_none() && !what.code.is_empty());
            count.masked += usize::from(what.masked);
            count.with_rows += usize::from(what.rows > 0);
        }
        if let Some(reason) = &what.refused {
            let found = self.reasons.entry(reason.clone()).or_default();
            *if origin == "random" || origin == "granted" {
                &mut found.random
            } else {
                &mut found.corpus
            } += 1;
            found.shortest.insert((sql.len(), format!("{} {sql}", statement.name())));
            if found.shortest.len() > EXAMPLES_MAX {
                found.shortest.pop_last();
            }
        } else if !what.code.is_empty() {
            self.codes.entry(what.code.clone()).or_insert_with(|| (0, sql.to_owned())).0 += 1;
        }
    }

    pub(crate) fn verdict(&mut self, name: &'static str) {
        *self.verdicts.entry(name).or_default() += 1;
    }

    pub(crate) fn known(&mut self, why: &'static str) {
        *self.known.entry(why).or_default() += 1;
    }

    pub(crate) fn total(&self) -> Count {
        let mut total = Count::default();
        for count in self.origins.values() {
            total.ran += count.ran;
            total.refused += count.refused;
            total.failed += count.failed;
            total.masked += count.masked;
            total.with_rows += count.with_rows;
        }
        total
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = |title: &str, counts: &BTreeMap<String, Count>| -> fmt::Result {
            writeln!(
                f,
                "\n{title:<14}{:>9}{:>9}{:>8}{:>9}{:>9}{:>9}",
                "ran", "refused", "share", "failed", "masked", "rows"
            )?;
            for (name, count) in counts {
                writeln!(f, "{name:<14}{count}")?;
            }
            Ok(())
        };
        let all = BTreeMap::from([("all".to_owned(), self.total())]);
        table("statements", &self.origins)?;
        table("by kind", &self.kinds)?;
        table("by form", &self.forms)?;
        table("together", &all)?;
        writeln!(f, "\nrefused: corpus  random  why")?;
        for (reason, Reason { corpus, random, shortest }) in &self.reasons {
            writeln!(f, "{corpus:>15}{random:>8}  {reason}")?;
            for (_, sql) in shortest {
                writeln!(f, "{:25}{}", "", short(sql))?;
            }
        }
        writeln!(f, "\nfailed on the twin and through the proxy alike")?;
        for (code, (count, example)) in &self.codes {
            writeln!(f, "{count:>15}  {code}  {}", short(example))?;
        }
        writeln!(f, "\nknown differences from the twin: {:?}", self.known)?;
        writeln!(f, "verdicts in the audit log of A: {:?}", self.verdicts)?;
        let per_second = self.total().ran as f64 / self.took.as_secs_f64().max(0.001);
        let [took, waited] = [self.took, self.waited].map(|time| time.as_secs_f64());
        writeln!(
            f,
            "{took:.1} s ({waited:.1} s of it for answers), {per_second:.0} statements a second"
        )
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = 100.0 * self.refused as f64 / self.ran.max(1) as f64;
        let Self { ran, refused, failed, masked, with_rows } = self;
        write!(f, "{ran:>9}{refused:>9}{share:>7.2}%{failed:>9}{masked:>9}{with_rows:>9}")
    }
}

fn short(sql: &str) -> String {
    sql.chars().take(220).collect()
}
