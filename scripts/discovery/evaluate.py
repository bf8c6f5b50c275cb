"""How well personal data is found in databases that nobody here made, and how fast, beside Presidio.

    evaluate.py --keyhole target/release/keyhole [--only chinook,febrl] [--rows 200]
                [--baseline keep|again|none] [--report FILE]

Fetches the databases (sources.py), loads each into a throwaway PostgreSQL, lets both tools read the
same number of rows of every table, and compares what they say with labels/*.toml. The baseline takes
minutes; its answers are kept in the working directory and used again unless told otherwise.
"""

import argparse
import json
import re
import resource
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import baseline
import scoring
from server import Server
from sources import SOURCES, fetched

HERE = Path(__file__).resolve().parent
WORK = HERE.parent.parent / "target" / "discovery"
# From which confidence on `keyhole scan` proposes a column, unless told otherwise.
PROPOSED = 60
TYPES_OF_DOCUMENTS = ("json", "jsonb", "hstore")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--keyhole", type=Path, required=True)
    parser.add_argument("--only", default=",".join(SOURCES))
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--baseline", choices=("keep", "again", "none"), default="keep")
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    downloads = WORK / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    outcomes = {}
    with Server() as server:
        for name in arguments.only.split(","):
            outcomes[name] = evaluate(server, name, downloads, arguments)
    report = written(outcomes, arguments.rows)
    print(report)
    if arguments.report:
        arguments.report.write_text(report)


def evaluate(server, name, downloads, arguments):
    source = SOURCES[name]
    with server.create(name) as connection:
        source.load(connection, *fetched(source, downloads))
        connection.execute("ANALYZE")
        connection.commit()
        labels = scoring.Labels.read(HERE / "labels" / f"{name}.toml")
        labels.check(columns_of(connection))
        outcome = {"labels": labels, "tools": {}}
        found, taken = keyhole(arguments.keyhole, server.url(name), arguments.rows)
        outcome["tools"]["keyhole"] = (*scoring.score(labels, found), taken, "")
        if arguments.baseline != "none":
            outcome["tools"]["presidio"] = presidio(connection, name, labels, arguments)
    return outcome


def columns_of(connection):
    return set(connection.execute(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace "
        "AND a.attnum > 0 AND NOT a.attisdropped").fetchall())


class Taken(NamedTuple):
    """Seconds by the clock, and of a processor: those hold on a busy machine too."""

    clock: float
    processor: float


def processor(usage):
    return usage.ru_utime + usage.ru_stime


def keyhole(program, url, rows):
    """What it proposes, and what the whole command took."""
    command = [program, "scan", "--url", url, "--rows", str(rows), "--json"]
    begin = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = Taken(end[0] - begin[0], processor(end[1]) - processor(begin[1]))
    try:
        columns = json.loads(done.stdout)["columns"]
    except (ValueError, KeyError):
        raise SystemExit(f"{command}: exit {done.returncode}\n{done.stderr}") from None
    findings = [(item["confidence"], column["table"], column["column"], item.get("path"), item["class"])
                for column in columns for item in column["findings"]]
    found = {}
    for confidence, table, column, path, kind in sorted(findings, key=lambda item: -item[0]):
        if confidence >= PROPOSED:
            table = table.removeprefix("public.").strip('"')
            found.setdefault(scoring.place(table, column, path), kind)
    return found, taken


def presidio(connection, name, labels, arguments):
    """The best that any threshold makes of it."""
    kept = WORK / f"presidio-{name}-{arguments.rows}.json"
    if arguments.baseline == "again" or not kept.exists():
        kept.write_text(json.dumps(ask_presidio(connection, arguments.rows)))
    answers = json.loads(kept.read_text())
    best = None
    for sure in baseline.SURE:
        for share in baseline.SHARES:
            found = {}
            for table, column, path, values, counts in answers["columns"]:
                kind = baseline.decide(counts, values, str(sure), share)
                if kind:
                    found[scoring.place(table, column, path)] = kind
            tallies, mistakes = scoring.score(labels, found)
            shared = {kind: tally for kind, tally in tallies.items() if kind in baseline.SHARED}
            f1 = scoring.overall(shared).f1() or 0
            if best is None or f1 > best[0]:
                best = (f1, tallies, mistakes, f"score ≥ {sure}, share ≥ {share:.0%}")
    _, tallies, mistakes, how = best
    return tallies, mistakes, Taken(*answers["taken"]), how


def ask_presidio(connection, rows):
    """Every column, asked of the recognizers of every country; timed with those on by default."""
    samples = list(sampled(connection, rows))
    every = baseline.Presidio(every=True)
    columns = []
    for table, column, path, values in samples:
        counts = every.column(column if path is None else path.split(".")[-1], values)
        columns.append((table, column, path, len(values), counts))
    begin = time.monotonic(), time.process_time()
    usual = baseline.Presidio()
    for _, column, _, values in sampled(connection, rows):
        usual.column(column, values)
    end = time.monotonic(), time.process_time()
    return {"taken": [end[0] - begin[0], end[1] - begin[1]], "columns": columns}


def sampled(connection, rows):
    """(table, column, path, values as text); documents and arrays taken apart for the tool."""
    columns = connection.execute(
        "SELECT c.relname, a.attname, t.typname FROM pg_class c "
        "JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace "
        "AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum").fetchall()
    tables = defaultdict(list)
    for table, column, type_ in columns:
        tables[table].append((column, type_))
    for table, described in tables.items():
        wanted = ", ".join(f'to_jsonb("{column}")' if type_ in TYPES_OF_DOCUMENTS or type_[0] == "_"
                           else f'"{column}"::text' for column, type_ in described)
        lines = connection.execute(f'SELECT {wanted} FROM "{table}" LIMIT {rows}').fetchall()
        for (column, _), values in zip(described, zip(*lines)):
            leaves = defaultdict(list)
            for value in values:
                for path, leaf in leaves_of(value, None):
                    leaves[path].append(leaf)
            for path, texts in leaves.items():
                yield table, column, path, texts


def leaves_of(value, path):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves_of(inner, f"{path or '$'}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves_of(inner, path)
    elif value not in (None, ""):
        yield path, str(value)


def written(outcomes, rows):
    lines = [f"Up to {rows} rows of each table.", ""]
    lines += ["| database | package | licence | tables | columns | personal |",
              "| --- | --- | --- | ---: | ---: | ---: |"]
    for name, outcome in outcomes.items():
        source, labels = SOURCES[name], outcome["labels"]
        lines.append(f"| {name}: {source.what} | {source.package} | {source.licence} | "
                     f"{len({table for table, _ in labels.columns})} | {len(labels.columns)} | "
                     f"{len(labels.must)} |")
    tools = list(dict.fromkeys(tool for outcome in outcomes.values() for tool in outcome["tools"]))
    for title, chosen in [*((name, [name]) for name in outcomes), ("all", list(outcomes))]:
        lines += ["", f"**{title}**", "", *by_class(outcomes, chosen, tools)]
    lines += ["", "| seconds | " + "".join(f"{tool} | of a processor | " for tool in tools)
              + "ratio | of a processor |", "| --- |" + " ---: |" * (2 * len(tools) + 2)]
    for name, outcome in outcomes.items():
        taken = [outcome["tools"][tool][2] for tool in tools]
        lines.append(f"| {name} |" + "".join(f" {one.clock:.2f} | {one.processor:.2f} |" for one in taken)
                     + f" {taken[-1].clock / taken[0].clock:.0f} |"
                     + f" {taken[-1].processor / taken[0].processor:.0f} |")
    for tool in tools:
        lines += ["", f"**What {tool} gets wrong**", ""]
        for name, outcome in outcomes.items():
            _, mistakes, _, how = outcome["tools"][tool]
            lines += [f"{name} {f'({how})' if how else ''}", ""]
            lines += [f"- {'.'.join(part for part in spot if part)}: "
                      f"{kind or 'nothing'} (is {expected or 'none'})"
                      for spot, expected, kind in sorted(mistakes, key=str)] + [""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def by_class(outcomes, chosen, tools):
    sums = {tool: defaultdict(scoring.Tally) for tool in tools}
    for name in chosen:
        for tool, (tallies, *_) in outcomes[name]["tools"].items():
            for kind, tally in tallies.items():
                sums[tool][kind] += tally
    kinds = sorted({kind for tool in tools for kind in sums[tool]})
    yield "| class | places |" + "".join(f" {tool} P | R | F1 |" for tool in tools)
    yield "| --- | ---: |" + " ---: |" * (3 * len(tools))
    for kind in kinds:
        places = sum(found == kind for name in chosen
                     for found in outcomes[name]["labels"].must.values())
        yield row(kind, places, [sums[tool][kind] for tool in tools])
    shared = [kind for kind in kinds if kind in baseline.SHARED]
    yield row("shared classes", sum(found in shared for name in chosen
                                    for found in outcomes[name]["labels"].must.values()),
              [scoring.overall({kind: sums[tool][kind] for kind in shared}) for tool in tools])
    yield row("every class", sum(len(outcomes[name]["labels"].must) for name in chosen),
              [scoring.overall(sums[tool]) for tool in tools])


def row(title, places, tallies):
    def shown(value):
        return "–" if value is None else f"{value:.2f}"
    return f"| {title} | {places} |" + "".join(
        f" {shown(tally.precision())} | {shown(tally.recall())} | {shown(tally.f1())} |"
        for tally in tallies)


if __name__ == "__main__":
    main()
