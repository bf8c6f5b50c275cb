//! PostgreSQL's own opinion: of each SELECT a temporary view is made, and what the server notes in
//! `pg_depend` as read is held against what the analysis found.

use std::collections::{BTreeMap, BTreeSet};

use keyhole::analysis::facts::{Analysis, Kind, Obstacle};
use keyhole::analysis::parse::parse;
use keyhole::analysis::sensitive::Reach;
use keyhole::model::{ColumnId, Oid};

use crate::bench::Bench;
use crate::support::Client;

/// What the view's rule depends on: relation, and column (0: the relation as a whole).
const READS: &str = "SELECT d.refobjid, d.refobjsubid FROM pg_depend d \
     JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass \
     WHERE r.ev_class = 'pg_temp.parsers_view'::regclass \
     AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class";

/// Why PostgreSQL may note a relation that the statement does not read.
type Explanation = (&'static str, fn(&str, &Analysis) -> bool);

const EXPLANATIONS: [Explanation; 3] = [
    ("the relation's name is a constant", |sql, _| sql.contains("::regclass")),
    ("a field of a row type, whose table is not read", |sql, _| sql.contains(").")),
    ("refused, for a function that may read it", |_, analysis| {
        let refused = |it: &Obstacle| matches!(it, Obstacle::Function(_) | Obstacle::SideDoor(_));
        analysis.obstacles.iter().any(refused)
    }),
];

#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Statements whose relations are the same to PostgreSQL and to us.
    pub(crate) equal: usize,
    /// Of those, the ones that read something sensitive.
    pub(crate) sensitive: usize,
    pub(crate) skipped: BTreeMap<&'static str, usize>,
    /// PostgreSQL notes more than we find, by an explanation that applies.
    pub(crate) explained: BTreeMap<&'static str, usize>,
    pub(crate) different: Vec<String>,
}

impl Compared {
    fn skip(&mut self, why: &'static str) {
        *self.skipped.entry(why).or_default() += 1;
    }

    /// One statement; `session` is where its tables are.
    pub(crate) fn add(&mut self, bench: &Bench, session: &mut Client, sql: &str) {
        let Ok(parsed) = parse(sql) else { return self.skip("not parsed") };
        let [statement] = parsed.statements.as_slice() else {
            return self.skip("several statements");
        };
        let analyses = bench.analyses(&parsed);
        let analysis = &analyses[0];
        if statement.tree.kind != "SelectStmt" || analysis.kind != Kind::Query {
            return self.skip("no SELECT");
        }
        if !analysis.in_band.is_empty() {
            return self.skip("asks the proxy");
        }
        let select = sql[statement.span.clone()].trim_end().trim_end_matches(';');
        session.query("BEGIN").ok();
        let made = session.query(&label(select));
        let found = if made.error().is_none() { session.query(READS).ok().rows() } else { vec![] };
        session.query("ROLLBACK").ok();
        if made.error().is_some() {
            return self.skip("no view can be made of it");
        }
        let found: Vec<(Oid, i16)> = found
            .iter()
            .map(|row| (row[0].parse().expect("an OID"), row[1].parse().expect("a number")))
            .collect();
        match differs(bench, analysis, &found) {
            Ok(()) => {
                self.equal += 1;
                self.sensitive += usize::from(!analysis.references.is_empty());
            }
            Err(Difference::More(why)) => {
                let applies = |(_, applies): &&Explanation| applies(sql, analysis);
                match EXPLANATIONS.iter().find(applies) {
                    Some((name, _)) => *self.explained.entry(name).or_default() += 1,
                    None => self.different.push(format!("{sql}\n    {why}")),
                }
            }
            Err(Difference::Wrong(why)) => self.different.push(format!("{sql}\n    {why}")),
        }
    }

    /// What was compared, for people; panics if something differs without an explanation.
    #[track_caller]
    pub(crate) fn assert_none_different(&self) {
        let Self { equal, sensitive, skipped, explained, different } = self;
        eprintln!("relations equal in {equal}, {sensitive} of them sensitive");
        eprintln!("explained: {explained:?}; not compared: {skipped:?}");
        assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
        let explained: usize = explained.values().sum();
        assert!(explained * 50 < *equal, "{explained} explained away");
    }
}

enum Difference {
    /// PostgreSQL notes relations that we do not find, and we none that it does not.
    More(String),
    Wrong(String),
}

/// A view needs a name for every column, each of its own, and no pseudo-types: so the query is
/// made a subquery of which nothing is shown. It stays in the rule, and so do all its reads.
fn label(select: &str) -> String {
    format!("CREATE TEMP VIEW parsers_view AS SELECT EXISTS (\n{select}\n) AS it")
}

fn differs(bench: &Bench, analysis: &Analysis, read: &[(Oid, i16)]) -> Result<(), Difference> {
    let sensitive = &bench.world.sensitive;
    let door = |oid: &Oid| sensitive.reach(*oid) == Some(&Reach::SideDoor);
    let theirs: BTreeSet<Oid> = read
        .iter()
        .map(|(oid, _)| *oid)
        .filter(|oid| sensitive.relations.contains_key(oid) && !door(oid))
        .collect();
    let ours: BTreeSet<Oid> = analysis.references.iter().map(|it| it.relation).collect();
    let doors = read.iter().any(|(oid, _)| door(oid));
    if doors && !analysis.obstacles.iter().any(|it| matches!(it, Obstacle::SideDoor(_))) {
        return Err(Difference::Wrong("a side door was not noticed".to_owned()));
    }
    let touched: BTreeSet<ColumnId> =
        analysis.references.iter().flat_map(|it| it.touched.iter().copied()).collect();
    for (relation, number) in read.iter().filter(|(relation, _)| ours.contains(relation)) {
        let id = ColumnId { relation: *relation, number: *number };
        if sensitive.column(id).is_some() && !touched.contains(&id) {
            let why = format!("PostgreSQL reads {id:?}, which we do not find");
            return Err(Difference::Wrong(why));
        }
    }
    let why = format!("PostgreSQL reads {theirs:?}, we found {ours:?}");
    match (theirs == ours, theirs.is_superset(&ours)) {
        (true, _) => Ok(()),
        (false, true) => Err(Difference::More(why)),
        (false, false) => Err(Difference::Wrong(why)),
    }
}
