"""One measurement of one endpoint, or of all in turns."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab import CLIENT_ENV, NAME, LabError, run

SHOWN = "SELECT id, email FROM people WHERE id = {key}"
COMPUTED = "SELECT upper(email) FROM people WHERE id = {key}"


@dataclass(frozen=True)
class Load:
    """pgbench for some seconds; more is better."""

    key: str
    title: str
    mode: str
    clients: int
    # None: pgbench's own select-only script.
    sql: str | None = None
    unit = "statements/s"

    def run(self, lab, endpoint, options):
        command = [lab.programs.pgbench, "-n", "-M", self.mode, "-T", options.seconds,
                   "-c", self.clients, "-j", min(self.clients, os.cpu_count())]
        if self.sql is None:
            command.append("-S")
        else:
            script = lab.dir / f"{self.key}.sql"
            sql = self.sql.format(key=":id")
            script.write_text(f"\\set id random(1, {lab.rows})\n{sql};\n")
            command += ["-f", script]
        cpu_before = endpoint.cpu_secs() if endpoint.pid else 0.0
        text = run([*command, *lab.login(endpoint), NAME], env=CLIENT_ENV)
        cpu_secs = endpoint.cpu_secs() - cpu_before if endpoint.pid else 0.0
        count = int(re.search(r"actually processed: (\d+)", text)[1])
        failed = re.search(r"failed transactions: (\d+)", text)
        if count == 0 or (failed and int(failed[1]) > 0):
            raise LabError(f"{self.title} at {endpoint.name}:\n{text}")
        rate = float(re.search(r"tps = ([\d.]+) \(without", text)[1])
        sample = {"value": rate}
        if endpoint.pid:
            sample["cpu_secs_per_100k"] = cpu_secs / count * 100_000
        return sample


@dataclass(frozen=True)
class Bulk:
    """One large result, read and thrown away; more is better."""

    key: str
    title: str
    sql: str
    unit = "MB/s"

    def run(self, lab, endpoint, _options):
        cpu_before = endpoint.cpu_secs() if endpoint.pid else 0.0
        command = [lab.programs.relay, "drain", endpoint.port, self.sql]
        answer, reader_cpu_secs = timed_json(command)
        if answer["rows"] != lab.rows:
            raise LabError(f"{self.title} at {endpoint.name}: {answer['rows']} rows")
        # The rate of the rows as they are stored: masks are shorter than what they hide, and a
        # proxy must not look slower for it.
        sample = {
            "value": lab.row_bytes[self.key] / answer["seconds"] / 1e6,
            "bytes": answer["bytes"],
            "reader_busy": min(1.0, reader_cpu_secs / answer["seconds"]),
        }
        if endpoint.pid:
            cpu_secs = endpoint.cpu_secs() - cpu_before
            sample["cpu_secs_per_gb"] = cpu_secs / lab.row_bytes[self.key] * 1e9
        return sample


@dataclass(frozen=True)
class Latency:
    """One client, one statement after the other, all endpoints in turns; less is better."""

    key: str
    title: str
    sql: str
    unit = "us, median"

    def run_all(self, lab, endpoints, options):
        ports = [endpoint.port for endpoint in endpoints]
        command = [lab.programs.relay, "latency", options.seconds, self.sql.format(key="$1"), *ports]
        answer, _ = timed_json(command)
        found = {endpoint.name: answer[str(endpoint.port)] for endpoint in endpoints}
        return {name: {"value": at["p50_us"], **at} for name, at in found.items()}


LOADS = [
    Load("select_simple_1", "select-only, simple, 1 client", "simple", 1),
    Load("select_simple_8", "select-only, simple, 8 clients", "simple", 8),
    Load("select_prepared_1", "select-only, prepared, 1 client", "prepared", 1),
    Load("select_prepared_8", "select-only, prepared, 8 clients", "prepared", 8),
    Load("lookup_shown_8", "masked lookup, shown, 8 clients", "prepared", 8, SHOWN),
    Load("lookup_computed_8", "masked lookup, computed, 8 clients", "prepared", 8, COMPUTED),
]

BULKS = [
    Bulk("bulk_select_clean", "bulk SELECT, clean", "SELECT * FROM places"),
    Bulk("bulk_copy_clean", "bulk COPY, clean", "COPY (SELECT * FROM places) TO STDOUT"),
    Bulk("bulk_select_masked", "bulk SELECT, 2 of 6 masked", "SELECT * FROM people"),
    Bulk("bulk_copy_masked", "bulk COPY, 2 of 6 masked", "COPY (SELECT * FROM people) TO STDOUT"),
]

LATENCIES = [
    Latency(
        "latency_select",
        "select-only, prepared",
        "SELECT abalance FROM pgbench_accounts WHERE aid = {key}",
    ),
    Latency("latency_shown", "masked lookup, shown", SHOWN),
]


def measure_row_bytes(lab, direct):
    """How much each bulk read is when nothing is masked; also warms the tables."""
    lab.row_bytes = {}
    for bulk in BULKS:
        answer, _ = timed_json([lab.programs.relay, "drain", direct.port, bulk.sql])
        lab.row_bytes[bulk.key] = answer["bytes"]


def timed_json(command):
    """What a program prints as JSON, and the CPU seconds that it used."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env=CLIENT_ENV,
    )
    try:
        out = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    except BaseException:
        process.kill()
        process.wait()
        raise
    with process.stdout, process.stderr:
        if process.returncode != 0:
            error = process.stderr.read().strip()
            raise LabError(f"{Path(command[0]).name} {command[1]}: {error}")
    return json.loads(out), used.ru_utime + used.ru_stime
