//! `sqlparser`, a parser of another make, as an independent second opinion: where it reads a text
//! at all, it finds the same sensitive relations, or there is a known reason why not.

use keyhole::analysis::parse::parse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use keyhole::analysis::facts::Obstacle;
use keyhole::analysis::parse::Parsed;
use sqlparser::ast::{ObjectName, Statement, visit_relations};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use crate::bench::Bench;

#[derive(Debug, Default)]
pub(crate) struct Opinions {
    /// PostgreSQL's grammar accepts it, `sqlparser` does not.
    pub(crate) unread: usize,
    pub(crate) agree: usize,
    /// Of those, texts with a sensitive relation.
    pub(crate) sensitive: usize,
    /// Differences by their reason.
    pub(crate) explained: BTreeMap<&'static str, usize>,
    pub(crate) different: Vec<String>,
}

/// What the two found: sensitive names that only we found, and that only `sqlparser` found.
struct Difference<'a> {
    sql: &'a str,
    parsed: &'a Parsed,
    ours: BTreeSet<String>,
    theirs: BTreeSet<String>,
    refused: bool,
}

type Reason = (&'static str, fn(&Difference<'_>) -> bool);

/// Why the two may differ. The first half is `sqlparser`'s: what it loses would be a leak if its
/// tree were trusted.
const REASONS: [Reason; 10] = [
    ("it drops the rest of the text behind a keyword as a label", |it| {
        let words = [" end,", " date,", " date true"];
        it.theirs.is_empty() && words.iter().any(|word| it.sql.contains(word))
    }),
    ("it takes ONLY for the relation", |it| it.theirs.is_empty() && it.has("from only")),
    ("it knows operators that PostgreSQL does not", |it| it.has(" regexp from")),
    ("it does not see a comment in an operator", |it| it.has("-/* ' */")),
    ("it reads the rest as data of COPY", |it| it.theirs.is_empty() && it.has("from stdin")),
    ("it does not see TABLE as a relation", |it| it.theirs.is_empty() && it.has("table ")),
    ("it takes statements that are not queries for something without relations", |it| {
        let kinds = it.parsed.statements.iter().map(|statement| statement.tree.kind);
        it.theirs.is_empty() && kinds.into_iter().any(|kind| kind != "SelectStmt")
    }),
    ("it does not unescape U&\"\"", |it| it.has("u&\"")),
    ("a CTE goes by the name", |it| it.ours.is_empty() && it.has("with ")),
    ("we refuse without looking further", |it| it.refused),
];

impl Difference<'_> {
    fn has(&self, words: &str) -> bool {
        self.sql.to_ascii_lowercase().contains(words)
    }
}

impl Opinions {
    pub(crate) fn add(&mut self, bench: &Bench, sql: &str) {
        let Ok(parsed) = parse(sql) else { return };
        let Ok(statements) = Parser::parse_sql(&PostgreSqlDialect {}, sql) else {
            self.unread += 1;
            return;
        };
        let analyses = bench.analyses(&parsed);
        let schema = &bench.world.schema;
        let name = |oid| schema.relation(oid).map(|relation| relation.name.name.clone());
        let ours: BTreeSet<String> = analyses
            .iter()
            .flat_map(|it| &it.references)
            .filter_map(|it| name(it.relation))
            .collect();
        let theirs = relations(bench, &statements);
        if ours == theirs {
            self.agree += 1;
            self.sensitive += usize::from(!ours.is_empty());
            return;
        }
        let refused = analyses.iter().flat_map(|it| &it.obstacles).any(|it| match it {
            Obstacle::Unsupported(_) | Obstacle::Ddl(_) | Obstacle::Unknown { .. } => true,
            Obstacle::SideDoor(_) | Obstacle::Function(_) | Obstacle::OpaqueView(_) => false,
        });
        let it = Difference { sql, parsed: &parsed, ours, theirs, refused };
        match REASONS.iter().find(|(_, applies)| applies(&it)) {
            Some((reason, _)) => *self.explained.entry(reason).or_default() += 1,
            None => {
                self.different.push(format!("{sql}\n    {:?}, sqlparser {:?}", it.ours, it.theirs))
            }
        }
    }
}

/// The sensitive relations among those that `sqlparser` finds, as PostgreSQL would resolve them.
fn relations(bench: &Bench, statements: &[Statement]) -> BTreeSet<String> {
    let (schema, sensitive) = (&bench.world.schema, &bench.world.sensitive);
    let mut found = BTreeSet::new();
    let _ = visit_relations(&statements.to_vec(), |name: &ObjectName| {
        let parts: Option<Vec<String>> = name
            .0
            .iter()
            .map(|part| {
                part.as_ident().map(|ident| match ident.quote_style {
                    Some(_) => ident.value.clone(),
                    None => ident.value.to_ascii_lowercase(),
                })
            })
            .collect();
        let relation = match parts.as_deref() {
            Some([name]) => bench.path.resolve(schema, name),
            Some([.., namespace, name]) => schema.find(namespace, name),
            Some([]) | None => None,
        };
        if let Some(relation) = relation
            && sensitive.relations.contains_key(&relation.oid)
        {
            found.insert(relation.name.name.clone());
        }
        ControlFlow::<()>::Continue(())
    });
    found
}
