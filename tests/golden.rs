//! Golden files: what the analysis decides and what runs, for a small shop seen by somebody without
//! grants. A change here is a change of meaning: read the difference before accepting it.

use std::fmt::Write as _;
use std::sync::Arc;

use keyhole::analysis::parse::parse;
use keyhole::analysis::{Context, SearchPath, analyse};
use keyhole::decision::{Dates, Encoding, Forms, Standpoint, Way, World, decide};
use keyhole::grant::LiveTable;
use keyhole::model::{Client, Timestamp, User};
use keyhole::rewrite::{Decided, rewrite};

#[path = "support/small_shop.rs"]
mod small_shop;

use small_shop::world;

fn outcome(world: &World, sql: &str) -> String {
    let hits = world.sensitive.mention.scan(sql.as_bytes());
    if hits.is_empty() {
        return "clear (gate 1)".to_owned();
    }
    let parsed = match parse(sql) {
        Ok(parsed) => parsed,
        Err(error) => return format!("refuse: {error}"),
    };
    let path = SearchPath(vec!["pg_catalog".into(), "public".into()]);
    let context = Context { schema: &world.schema, sensitive: &world.sensitive, path: &path };
    let client = Client {
        user: User { name: "alice".into(), groups: Arc::from([]), roles: Arc::from([]) },
        address: None,
        application: "golden".into(),
        database: "shop".into(),
    };
    let grants = LiveTable::default();
    let standpoint = Standpoint {
        world,
        client: &client,
        grants: &grants,
        now: Timestamp::UNIX_EPOCH,
        forms: Forms { encoding: Encoding::Utf8, dates: Dates::Iso },
    };
    let analyses: Vec<_> =
        (0..parsed.statements.len()).map(|index| analyse(&parsed, index, context)).collect();
    let decisions: Vec<_> = analyses.iter().map(|analysis| decide(analysis, standpoint)).collect();
    for decision in &decisions {
        if let Way::Refuse(report) = &decision.way {
            return format!("refuse {}: {}", report.state, report.message);
        }
    }
    let decided: Vec<_> = analyses
        .iter()
        .zip(&decisions)
        .map(|(analysis, decision)| Decided { analysis, decision })
        .collect();
    let ways: Vec<&str> = decisions
        .iter()
        .map(|decision| match decision.way {
            Way::Forward => "forward",
            Way::Show => "show",
            Way::Compute => "compute",
            Way::Refuse(_) => "refuse",
        })
        .collect();
    match rewrite(sql, &parsed, &decided, &[], context, standpoint) {
        Ok(text) if text == sql => ways.join(", "),
        Ok(text) => format!("{}\n   {}", ways.join(", "), text.replace('\n', "\n   ")),
        Err(error) => format!("refuse: {error}"),
    }
}

/// Masks are long; the golden files show only that one is there.
fn shortened(text: &str) -> String {
    let mut text = text.to_owned();
    let world = world();
    for (id, pii) in &world.sensitive.columns {
        let column = world.schema.column(*id).expect("a column");
        let spec = world.mask_spec(*id);
        let relation = world.schema.relation(id.relation).expect("a relation");
        let aliases = ["c", "x", relation.name.name.as_str()];
        let quoted = format!("\"{}\"", column.name);
        let names = aliases.iter().map(|alias| format!("\"{alias}\".{quoted}"));
        for name in names.chain([quoted.clone()]) {
            let mask = keyhole::mask::sql_expression(spec, &pii.value, &name);
            text = text.replace(&mask, &format!("MASK({name})"));
        }
    }
    text
}

fn golden(name: &str, cases: &str) {
    let world = world();
    let mut all = String::new();
    for sql in cases.split("\n\n").map(str::trim).filter(|sql| !sql.is_empty()) {
        let _ = writeln!(all, "{sql}\n-> {}\n", shortened(&outcome(&world, sql)));
    }
    insta::with_settings!({snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, all);
    });
}

#[test]
fn queries_are_clear_shown_computed_or_refused() {
    golden("queries", include_str!("golden/queries.sql"));
}

#[test]
fn writes_store_what_the_client_sends_and_nothing_derived() {
    golden("writes", include_str!("golden/writes.sql"));
}

#[test]
fn other_statements_are_no_way_round() {
    golden("others", include_str!("golden/others.sql"));
}

#[test]
fn texts_that_other_parsers_misread_are_read_as_postgresql_reads_them() {
    golden("parsers", include_str!("golden/parsers.sql"));
}
