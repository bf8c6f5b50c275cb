#!/usr/bin/env python3
"""What Keyhole costs, as ratios in one run.

The same statements go to PostgreSQL directly, through a relay that only copies bytes, through
PgBouncer (session pooling, where installed) and through Keyhole. Repetitions are interleaved, and
ratios are made within a repetition, so that a machine that gets slower does not favour anybody.
Needs a PostgreSQL 15 or newer with its server binaries, Rust, Linux; nothing else of Python than
its standard library.
"""

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import report
from lab import POSTGRES_SETTINGS, ROOT, Lab, LabError, run, say
from measure import BULKS, FASTS, IDLES, LATENCIES, LOADS, measure_row_bytes

# 500 bytes each on the wire: 200 MB.
ROWS = 400_000
ROWS_QUICK = 100_000


@dataclass
class Programs:
    initdb: Path
    postgres: Path
    psql: Path
    pgbench: Path
    pgbouncer: str | None
    relay: Path
    keyhole: Path


def main():
    options = arguments()
    # SIGTERM, too, is to stop what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        bench(options)
    except LabError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reps", type=int, help="interleaved repetitions (3)")
    parser.add_argument("--seconds", type=float, help="length of each pgbench run (3)")
    parser.add_argument("--quick", action="store_true", help="2 short repetitions: a smoke test")
    parser.add_argument("--only", help="measurements whose key holds this text")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    parser.add_argument("--out", type=Path, default=ROOT / "bench", help="directory of the results")
    options = parser.parse_args()
    # pgbench counts whole seconds.
    options.seconds = max(1, round(options.seconds or (1 if options.quick else 3)))
    options.reps = max(1, options.reps or (2 if options.quick else 3))
    options.rows = ROWS_QUICK if options.quick else ROWS
    return options


def bench(options):
    started = time.monotonic()
    programs = find_programs(options)
    wanted = [
        [measurement for measurement in group if (options.only or "") in measurement.key]
        for group in (LOADS, BULKS, FASTS, IDLES, LATENCIES)
    ]
    with Lab(programs, options.rows) as lab:
        measure_row_bytes(lab)
        load_before = os.getloadavg()[0]
        samples = measure(lab, wanted, options)
        results = {
            "notes": notes(programs, lab, load_before),
            "options": {"reps": options.reps, "seconds": options.seconds, "rows": options.rows},
            "postgres_settings": POSTGRES_SETTINGS,
            "endpoints": [endpoint.name for endpoint in lab.endpoints],
            "groups": dict(
                zip(["loads", "bulks", "fasts", "idles", "latencies"], ([m.key for m in g] for g in wanted))
            ),
            "summary": report.summarise(samples, [m for group in wanted for m in group]),
            "rss_peak_mib": {e.name: e.rss_peak_mib() for e in lab.endpoints if e.pid},
            "samples": samples,
        }
    print()
    print(report.table(results))
    options.out.mkdir(exist_ok=True)
    report.write_json(options.out / "results.json", results)
    (options.out / "results.svg").write_text(report.plot(results))
    print()
    took = time.monotonic() - started
    say(f"{options.out}/results.json and results.svg written; {took:.0f} s in all")


def measure(lab, wanted, options):
    *single, latencies = wanted
    everything = [measurement for group in wanted for measurement in group]
    samples = {m.key: {e.name: [] for e in lab.of_key(m.key)} for m in everything}
    for repetition in range(options.reps):
        # Nobody always comes first.
        turn = repetition % len(lab.endpoints)
        order = lab.endpoints[turn:] + lab.endpoints[:turn]
        for measurement in [measurement for group in single for measurement in group]:
            fast = lab.of_key(measurement.key) is lab.fast_endpoints
            for endpoint in lab.fast_endpoints if fast else order:
                sample = measurement.run(lab, endpoint, options)
                samples[measurement.key][endpoint.name].append(sample)
            progress(repetition, options, measurement, samples)
        for measurement in latencies:
            for name, sample in measurement.run_all(lab, order, options).items():
                samples[measurement.key][name].append(sample)
            progress(repetition, options, measurement, samples)
    return samples


def progress(repetition, options, measurement, samples):
    last = {name: own[-1]["value"] for name, own in samples[measurement.key].items()}
    cells = "  ".join(f"{name} {value:,.0f}" for name, value in last.items())
    say(f"{repetition + 1}/{options.reps} {measurement.title} ({measurement.unit}): {cells}")


def notes(programs, lab, load_before):
    version = run([programs.postgres, "--version"]).strip()
    found = [f"{platform.machine()}, {os.cpu_count()} CPUs, {cpu_model()}; {version}"]
    if programs.pgbouncer:
        found[0] += f"; {run([programs.pgbouncer, '--version']).splitlines()[0]}"
    found.append(
        "clients, proxies and server share the machine; TCP over loopback, no TLS; fsync off"
    )
    found.append(
        "keyhole: SCRAM, audit on, masks email and partial on 2 of 6 text columns, notice = false"
    )
    found.append(f"audit log written in this run: {lab.audit_mib():.0f} MiB")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    )
    if commit.returncode == 0:
        found.append(f"commit {commit.stdout.strip()}")
    if load_before > 0.7 * os.cpu_count():
        found.append(f"the machine was busy with other work before: load average {load_before:.1f}")
    return found


def cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


def find_programs(options):
    if not options.no_build:
        say("cargo build --release --bin keyhole --example relay")
        build = ["cargo", "build", "--release", "--bin", "keyhole", "--example", "relay"]
        if subprocess.run(build, cwd=ROOT).returncode != 0:
            raise LabError("the build failed")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    dirs = [os.environ.get("KEYHOLE_TEST_PG15_BIN", ""), "/usr/lib/postgresql/15/bin",
            "/usr/pgsql-15/bin", "/opt/homebrew/opt/postgresql@15/bin"]
    postgres = next((Path(d) for d in dirs if d and (Path(d) / "initdb").exists()), None)
    if postgres is None:
        raise LabError("no PostgreSQL server binaries; KEYHOLE_TEST_PG15_BIN says where they are")
    programs = Programs(
        *(postgres / name for name in ("initdb", "postgres", "psql", "pgbench")),
        pgbouncer=shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin"),
        relay=target / "examples" / "relay",
        keyhole=target / "keyhole",
    )
    for path in (programs.psql, programs.pgbench, programs.relay, programs.keyhole):
        if not path.exists():
            raise LabError(f"{path} is missing")
    return programs


if __name__ == "__main__":
    main()
