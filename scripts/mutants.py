#!/usr/bin/env python3
"""Switches off one defence at a time and shows that the proof notices.

Copies the tree to a scratch directory, puts every mutation behind an environment variable, builds
once, and runs the proof (`tests/prove.rs`) for each; what it lets live meets the golden files, the
attack corpus and the end-to-end tests. The tree itself holds no switch. Exit 0 only if every mutant was killed.

    make mutants [ONLY=gate-3,copy]

With `--check` it only looks whether every mutation still finds its place.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# name, what is switched off, file, its text, what replaces it; `@` is the switch.
MUTANTS = [
    ("gate-1", "gate 1: nothing is ever mentioned", "src/session/plan.rs",
     "let hits = all.without(HARMLESS).without(Hits::ROLLBACK);",
     "let hits = all.without(HARMLESS).without(Hits::ROLLBACK);\n"
     "        let hits = if @ { Hits::NONE } else { hits };"),
    ("gate-2", "gate 2: everything is forwarded", "src/decision/verdict.rs",
     "    Decision { way, hidden, guarded, release, scrub }",
     "    let way = if @ { Way::Forward } else { way };\n"
     "    Decision { way, hidden, guarded, release, scrub }"),
    ("gate-3", "gate 3: violations are let through", "src/session/gate.rs",
     "if !violations.is_empty() {", "if !violations.is_empty() && !@ {"),
    ("gate-3-unknown", "gate 3: unknown relations are let through", "src/session/gate.rs",
     "if !known && !vetted.contains(&column.relation) {",
     "if !known && !vetted.contains(&column.relation) && !@ {"),
    ("wire-masks", "masks on the wire", "src/session/gate.rs",
     "                    fields.push(MaskedField",
     "                    if !@ { fields.push(MaskedField", ),
    ("scrub-errors", "scrubbing of errors", "src/session/ends.rs",
     "} else if self.scrub.applies(scrub) {", "} else if self.scrub.applies(scrub) && !@ {"),
    ("scrub-notices", "scrubbing of notices", "src/session/backend.rs",
     "if self.scrub.applies(scrub) || self.scrub.is_log_of_earlier(payload) {",
     "if (self.scrub.applies(scrub) || self.scrub.is_log_of_earlier(payload)) && !@ {"),
    ("scrub-extended", "scrubbing at Parse, Bind and Describe", "src/session/queue.rs",
     "            Some(Expected::Parse { scrub, .. } | Expected::Bind { scrub, .. }) => *scrub,",
     "            Some(Expected::Parse { scrub, .. } | Expected::Bind { scrub, .. }) => "
     "if @ { Scrub::No } else { *scrub },"),
    ("compute", "masks below the query", "src/rewrite/relation.rs",
     "            Some(hidden) => format!(\"{} AS {name}\", self.masked(id, &name, hidden)),",
     "            Some(_) if @ => name,\n"
     "            Some(hidden) => format!(\"{} AS {name}\", self.masked(id, &name, hidden)),"),
    ("only", "subselect: ONLY", "src/rewrite/relation.rs",
     'Children::Only => "ONLY ",', 'Children::Only if @ => "",\n            Children::Only => "ONLY ",'),
    ("sample", "subselect: TABLESAMPLE moves inside", "src/rewrite/relation.rs",
     'subselect.insert_str(subselect.len() - 1, &format!(" {}", &self.text[sample.clone()]));',
     'if !@ { subselect.insert_str(subselect.len() - 1, &format!(" {}", &self.text[sample.clone()])); }'),
    ("group-by", "subselect: GROUP BY of a primary key", "src/rewrite/relation.rs",
     "let group = reference.group.as_ref()?;",
     "let group = reference.group.as_ref().filter(|_| !@)?;"),
    ("system-columns", "subselect: system columns", "src/rewrite/relation.rs",
     "if !reference.system.is_empty() {", "if !reference.system.is_empty() && !@ {"),
    ("types", "subselect: types and lengths", "src/mask/sql.rs",
     "    let target = cast_target(value);\n    let column = format!(\"({column})\");",
     "    let target = if @ { \"pg_catalog.text\".to_owned() } else { cast_target(value) };\n"
     "    let column = format!(\"({column})\");"),
    ("nulls", "masks keep NULL", "src/mask/sql.rs",
     '"CAST(CASE WHEN {column} IS NOT DISTINCT FROM NULL \\',
     '"CAST(CASE WHEN {}{column} IS NOT DISTINCT FROM NULL \\', ),
    ("views", "views become their definition", "src/rewrite/relation.rs",
     "matches!(self.context.sensitive.reach(relation.oid), Some(Reach::View { .. }));",
     "matches!(self.context.sensitive.reach(relation.oid), Some(Reach::View { .. })) && !@;"),
    ("copy", "masks in COPY", "src/rewrite/relation.rs",
     "            columns.iter().map(|column| self.output(relation, column, hidden)).collect();\n"
     "        let mut range",
     "            columns.iter().map(|column| self.output(relation, column, "
     "if @ { &[] } else { hidden })).collect();\n        let mut range"),
    ("alias", "subselect: the relation's name as alias", "src/rewrite/relation.rs",
     "None => format!(\" AS {}\", quote_ident(&relation.name.name)),\n                };\n"
     "                let is_command",
     "None if @ => \" AS x\".to_owned(),\n"
     "                    None => format!(\" AS {}\", quote_ident(&relation.name.name)),\n"
     "                };\n                let is_command"),
    ("schema-names", "columns by schema lose it", "src/rewrite/relation.rs",
     "if is_free && replaced(row.relation) {", "if is_free && replaced(row.relation) && !@ {"),
    ("returning", "masks in RETURNING and WHERE of writes", "src/rewrite/write.rs",
     "        for found in &write.uses {\n", "        for found in write.uses.iter().filter(|_| !@) {\n"),
    ("returning-star", "masks in RETURNING *", "src/rewrite/write.rs",
     "            .map(|column| match self.hidden_column(&column.name) {",
     "            .map(|column| match self.hidden_column(&column.name).filter(|_| !@) {"),
    ("write-back", "a mask that is written back changes nothing", "src/rewrite/write.rs",
     "if hidden.is_none() && !is_guarded {", "if (hidden.is_none() || @) && !is_guarded {"),
    ("guard", "what constraints rest on may only be written back", "src/rewrite/write.rs",
     "let otherwise = if is_guarded {", "let otherwise = if is_guarded && !@ {"),
    ("constraints", "constraints over hidden values refuse INSERT",
     "src/decision/writes/constraints.rs",
     "if kinds.contains(&rule.kind) && !hidden.is_empty() && applies(&rule.columns) {",
     "if kinds.contains(&rule.kind) && !hidden.is_empty() && applies(&rule.columns) && !@ {"),
    ("stores", "what is derived from hidden values is not stored", "src/decision/verdict.rs",
     "if standpoint.world.rules.persist == Persist::Masked {\n        return Ok(());",
     "if standpoint.world.rules.persist == Persist::Masked || @ {\n        return Ok(());"),
    ("stores-cte", "nor what comes out of a CTE", "src/analysis/ctes.rs",
     "if self.flow == Flow::Stored {", "if self.flow == Flow::Stored && !@ {"),
    ("functions", "functions over hidden values are refused", "src/analysis/walk.rs",
     "None => self.out.obstacles.push(Obstacle::Function(function.name.to_string())),",
     "None if @ => {}\n"
     "                None => self.out.obstacles.push(Obstacle::Function(function.name.to_string())),"),
    ("operators", "operators over hidden values are refused", "src/analysis/walk.rs",
     "&& self.context.sensitive.operators.contains(*symbol)",
     "&& self.context.sensitive.operators.contains(*symbol) && !@"),
    ("side-doors", "side doors are refused", "src/decision/verdict.rs",
     "            Obstacle::SideDoor(_)\n            | Obstacle::Function(_)",
     "            Obstacle::SideDoor(_) if @ => true,\n"
     "            Obstacle::SideDoor(_)\n            | Obstacle::Function(_)"),
    ("ddl", "definitions over hidden values are refused", "src/decision/verdict.rs",
     'Obstacle::Ddl(_) => standpoint.client.user.has_role(ROLE_DDL),',
     'Obstacle::Ddl(_) => standpoint.client.user.has_role(ROLE_DDL) || @,'),
    ("explain", "EXPLAIN over hidden values is refused", "src/decision/verdict.rs",
     "if analysis.kind == Kind::Explain {", "if analysis.kind == Kind::Explain && !@ {"),
    ("notify", "payloads of NOTIFY are blanked", "src/analysis/sensitive.rs",
     "            notifies,\n            mention,", "            notifies: if @ { Notifies::No } else { notifies },\n            mention,"),
    ("lookup-operator", "lookup compares by PostgreSQL's own operator", "src/mask/write_back.rs",
     'format!("{column} OPERATOR(pg_catalog.=) CAST(({value}) AS {target}){collation}")',
     'if @ { return format!("{column} = {value}"); }\n'
     '    format!("{column} OPERATOR(pg_catalog.=) CAST(({value}) AS {target}){collation}")'),
    ("lookup-limit", "values that are looked up are counted", "src/session/record.rs",
     "if release.values == 0 {", "if release.values == 0 || @ {"),
    ("code", "definitions of functions, operators and types are refused", "src/analysis/define.rs",
     "|| (hides_something && makes_code(tree))", "|| (hides_something && makes_code(tree) && !@)"),
    ("uncommitted", "what is not committed is not read through", "src/session/uncommitted.rs",
     "if analysis.kind != Kind::Define || HARMLESS",
     "if @ || analysis.kind != Kind::Define || HARMLESS"),
    ("bodies-operators", "operators in bodies are code", "src/analysis/sensitive/reach.rs",
     "body.operators.iter().find(|it| self.operators.contains(*it))",
     "body.operators.iter().find(|it| !@ && self.operators.contains(*it))"),
    ("audience", "the world of the role ddl is its own", "src/relay/database.rs",
     "if user.has_role(ROLE_DDL) { for_ddl }", "if user.has_role(ROLE_DDL) || @ { for_ddl }"),
    ("search-path", "the search_path is asked for again", "src/session/frontend.rs",
     "if hits.intersects(Hits::PATH | Hits::DYNAMIC | Hits::ROLLBACK) {",
     "if hits.intersects(Hits::PATH | Hits::DYNAMIC | Hits::ROLLBACK) && !@ {"),
    ("kept", "plans are not kept for those whom a grant is about", "src/session/plan/ground.rs",
     "|| env.grants.is_about(&self.client);", "|| (env.grants.is_about(&self.client) && !@);"),
    ("rows", "grants on rows: the predicate", "src/rewrite/relation.rs",
     'Some(rows) => format!("CASE WHEN {rows} THEN {column} ELSE {mask} END"),',
     'Some(_) if @ => column.to_owned(),\n'
     '            Some(rows) => format!("CASE WHEN {rows} THEN {column} ELSE {mask} END"),'),
    ("rows-null", "grants on rows: not known is not granted", "src/grant/live.rs",
     "        rows: Some(rows),\n",
     '        rows: Some(if @ { format!("(({rows}) IS NOT FALSE)").into() } else { rows }),\n'),
    ("rows-or", "grants on rows: several add up", "src/grant/live.rs",
     'parts.join(" OR ")', 'parts.join(if @ { " AND " } else { " OR " })'),
    ("rows-of-write", "grants on rows: of the row that is written", "src/rewrite/write.rs",
     "        let own = |rows: &Arc<str>| {\n",
     "        let own = |rows: &Arc<str>| {\n            if @ { return Arc::clone(rows); }\n"),
    ("scheduled", "grants begin", "src/grant/live.rs",
     "let lives = entry.not_before <= now &&", "let lives = (entry.not_before <= now || @) &&"),
    ("expired", "grants end", "src/grant/live.rs",
     "entry.expires_at.is_none_or(|end| now < end);", "entry.expires_at.is_none_or(|end| now < end || @);"),
    ("database", "grants are one database's", "src/grant/live.rs",
     "is_none_or(|name| name == &*client.database);", "is_none_or(|name| name == &*client.database || @);"),
    ("user", "grants are one user's", "src/grant/live.rs",
     "let user = self.users.get(&client.user.name);",
     'let user = self.users.get(if @ { "bob" } else { &client.user.name });'),
    ("class", "grants on a class are on no other", "src/grant/live.rs",
     "self.classes.get(class),",
     "if @ { self.classes.values().next() } else { self.classes.get(class) },"),
    ("table", "grants on a table are on no other", "src/grant/live.rs",
     "self.tables.get(&column.relation),",
     "if @ { self.tables.values().next() } else { self.tables.get(&column.relation) },"),
    ("conditions", "conditions of grants", "src/grant/live.rs",
     "Some(grant) => grant.conditions.hold(client, now)?,",
     "Some(grant) => {\n"
     "                let held = grant.conditions.hold(client, now);\n"
     "                held.or(if @ { Some(Holds::Always) } else { None })?\n            }"),
]

# Mutations that need more than one replacement.
MORE = {
    "wire-masks": [("src/session/gate.rs", "MaskedField { index, column, format });",
                    "MaskedField { index, column, format }); }")],
    "nulls": [("src/mask/sql.rs",
               "THEN CAST({column} AS {as_type}) ELSE {sql} END AS {target})\"\n        ),",
               "THEN CAST({column} AS {as_type}) ELSE {sql} END AS {target})\",\n"
               "            if @ { \"false AND \" } else { \"\" }\n        ),")],
}

# Classes of attacks and end-to-end tests to ask first about what the proof lets live.
FIRST = {
    "gate-3": ["ddl_laundering"],
    "gate-3-unknown": ["ddl_laundering", "own_objects", "drift"],
    "scrub-errors": ["error_oracle", "errors_and_notices"],
    "scrub-notices": ["errors_and_notices", "settings"],
    "scrub-extended": ["conversation"],
    "write-back": ["orm"],
    "guard": ["constraints", "orm"],
    "constraints": ["constraints", "dml_returning"],
    "stores": ["laundering"],
    "stores-cte": ["laundering", "mask_composition"],
    "functions": ["functions", "procedural"],
    "operators": ["functions", "types"],
    "side-doors": ["catalog_stats", "dynamic_sql"],
    "ddl": ["ddl_laundering", "procedural"],
    "code": ["lookups"],
    "explain": ["explain"],
    "notify": ["session_guc_notify"],
    "lookup-operator": ["lookups"],
    "lookup-limit": ["lookups"],
    "search-path": ["conversation"],
    "uncommitted": ["migrations"],
    "bodies-operators": ["functions", "types"],
    "audience": ["migrations"],
}

# Behind another defence: only its own tests can see it. Grants leave the table when they end, too.
UNIT = {"expired": "grant::live"}

SWITCH = '''
/// Whether this defence is switched off.
pub(crate) fn mutant(name: &str) -> bool {
    static NAME: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    NAME.get_or_init(|| std::env::var("KEYHOLE_MUTANT").unwrap_or_default()) == name
}
'''


def mutated(root):
    """Every file with its mutants in it, and what could not be placed."""
    texts, misplaced = {}, []
    for name, _, file, old, new in MUTANTS:
        for file, old, new in [(file, old, new), *MORE.get(name, [])]:
            text = texts.get(file) or (root / file).read_text()
            if text.count(old) != 1:
                misplaced.append(f"mutant {name}: {text.count(old)} places in {file} instead of one")
            texts[file] = text.replace(old, new.replace("@", f'crate::mutant("{name}")'))
    return texts, misplaced


def mutate(tree):
    texts, misplaced = mutated(tree)
    if misplaced:
        sys.exit("\n".join(misplaced))
    for file, text in texts.items():
        (tree / file).write_text(text)
    lib = tree / "src/lib.rs"
    lib.write_text(lib.read_text() + SWITCH)


def run(tree, mutant, command):
    """How it ended, what it said first, and after how many seconds."""
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=tree, env={**os.environ, "KEYHOLE_MUTANT": mutant}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    said = [line.strip() for line in done.stdout.splitlines()]
    why = [line for line in said if re.search(r"differ|canar|leak|panicked|FAILED", line)]
    return done.returncode == 0, (why or said[-1:])[0][:100], time.monotonic() - began


def main():
    if sys.argv[1:] == ["--check"]:
        _, misplaced = mutated(ROOT)
        sys.exit("\n".join(misplaced) or 0)
    wanted = [name for name in os.environ.get("ONLY", "").split(",") if name]
    tree = ROOT / "target" / "mutants" / "tree"
    if tree.exists():
        shutil.rmtree(tree)
    ignored = shutil.ignore_patterns("target", ".git", ".venv-test", "node_modules")
    shutil.copytree(ROOT, tree, ignore=ignored)
    # What the clients of the end-to-end tests need: without it they fail, whatever the mutant does.
    for needed in (".venv-test", "tests/clients/node/node_modules"):
        if (ROOT / needed).exists():
            (tree / needed).symlink_to((ROOT / needed).resolve())
    mutate(tree)
    os.environ["CARGO_TARGET_DIR"] = str(tree.parent / "build")
    cargo = ["cargo", "test", "--quiet"]
    subprocess.run([*cargo, "--test", "prove", "--test", "e2e", "--test", "golden", "--no-run"], cwd=tree, check=True)
    proof = [*cargo, "--test", "prove"]
    attacks = [*cargo, "--test", "e2e", "--"]
    os.environ["INSTA_UPDATE"] = "no"
    everything = ["attack::protected", "lookups", "orm", "migrations", "drift", "conversation"]
    chosen = [test for name, tests in FIRST.items() if not wanted or name in wanted for test in tests]
    for by, command in [
        ("the proof", proof),
        ("the golden files", [*cargo, "--test", "golden"]),
        ("the attacks", [*attacks, *everything, *chosen]),
    ]:
        quiet, why, _ = run(tree, "", command)
        if not quiet:
            sys.exit(f"without any mutant, {by} fail: {why}")
    survivors = []
    print(f"{'mutant':<16} {'switched off':<56} {'noticed by':<10} {'s':>4}  first sign", flush=True)
    for name, what, *_ in MUTANTS:
        if wanted and name not in wanted:
            continue
        first = FIRST.get(name, everything)
        stages = [("the proof", proof), ("attacks", [*attacks, *first])]
        if first != everything:
            stages.append(("attacks", [*attacks, *everything]))
        stages.insert(1, ("golden", [*cargo, "--test", "golden"]))
        if name in UNIT:
            stages.insert(0, ("its tests", [*cargo, "--lib", UNIT[name]]))
        for by, command in stages:
            lives, why, seconds = run(tree, name, command)
            if not lives:
                break
        if lives:
            survivors.append(name)
            by, why = "NOBODY", ""
        print(f"{name:<16} {what:<56} {by:<10} {seconds:>4.0f}  {why}", flush=True)
    if survivors:
        sys.exit(f"survived: {', '.join(survivors)}")


if __name__ == "__main__":
    main()
