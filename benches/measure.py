"""One measurement of one endpoint, or of all in turns."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab import CLIENT_ENV, NAME, LabError, run

BYTES = 2_000_000_000
SHOWN = "SELECT id, email FROM people WHERE id = {key}"
COMPUTED = "SELECT upper(email) FROM people WHERE id = {key}"
GRANTED = "SELECT id, email FROM guests WHERE id = {key}"


@dataclass(frozen=True)
class Load:
    """pgbench for some seconds; more is better."""

    key: str
    title: str
    mode: str
    clients: int
    # None: one of pgbench's own scripts.
    sql: str | None = None
    script: str = "select-only"
    # Others get what Keyhole makes of the statement, so that the server's work is the same.
    rewritten: bool = False
    # Each statement on a connection of its own.
    connect: bool = False
    tls: bool = False
    unit = "statements/s"

    def run(self, lab, endpoint, options):
        command = [lab.programs.pgbench, "-n", "-M", self.mode, "-T", options.seconds,
                   "-c", self.clients, "-j", min(self.clients, os.cpu_count())]
        if self.connect:
            command.append("-C")
        if self.sql is None:
            command += ["-b", self.script]
        else:
            script = lab.dir / f"{self.key}.sql"
            sql = self.sql.format(key=":id")
            if self.rewritten and endpoint.name != "keyhole":
                sql = lab.rewritten(self.sql.format(key="1")).replace("id = 1", "id = :id")
            script.write_text(f"\\set id random(1, {lab.rows})\n{sql};\n")
            command += ["-f", script]
        cpu_before = endpoint.cpu_secs() if endpoint.pid else 0.0
        env = {**CLIENT_ENV, "PGSSLMODE": "require" if self.tls else "disable"}
        text = run([*command, *lab.login(endpoint), NAME], env=env)
        cpu_secs = endpoint.cpu_secs() - cpu_before if endpoint.pid else 0.0
        count = int(re.search(r"actually processed: (\d+)", text)[1])
        failed = re.search(r"failed transactions: (\d+)", text)
        if count == 0 or (failed and int(failed[1]) > 0):
            raise LabError(f"{self.title} at {endpoint.name}:\n{text}")
        rate = float(re.search(r"tps = ([\d.]+) \((?:without|including)", text)[1])
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
        if answer["rows"] != lab.rows and not self.key.startswith("fast_"):
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


@dataclass(frozen=True)
class Idle:
    """Sessions at rest, each after its login; less is better."""

    key: str
    title: str
    count: int
    unit = "KiB a session"

    def run(self, lab, endpoint, _options):
        if not endpoint.pid:
            return {"value": 0.0}
        before = endpoint.rss_kib()
        command = [str(lab.programs.relay), "idle", str(endpoint.port), str(self.count)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=CLIENT_ENV)
        with process:
            said = process.stdout.readline().strip()
            if said != f"open {self.count}":
                process.stdin.close()
                raise LabError(f"{self.title} at {endpoint.name}: {process.stderr.read()}")
            grown = endpoint.rss_kib() - before
            process.stdin.close()
        lab.wait_for_room()
        return {"value": max(grown, 0) / self.count}


def loads():
    for mode in ("simple", "extended", "prepared"):
        for clients in (1, 8, 32):
            title = f"select-only, {mode}, {clients} client{'s' if clients > 1 else ''}"
            yield Load(f"select_{mode}_{clients}", title, mode, clients)
    for mode in ("simple", "prepared"):
        title = f"TPC-B, {mode}, 8 clients"
        yield Load(f"tpcb_{mode}_8", title, mode, 8, script="tpcb-like")
    for name, sql, rewritten in (
        ("shown", SHOWN, False), ("computed", COMPUTED, True), ("granted", GRANTED, False),
    ):
        for clients in (1, 8, 32):
            title = f"lookup, {name}, {clients} client{'s' if clients > 1 else ''}"
            yield Load(f"lookup_{name}_{clients}", title, "prepared", clients, sql,
                       rewritten=rewritten)
    for tls in (False, True):
        title = "logins, SCRAM" + (" and TLS" if tls else "") + ", 8 clients"
        key = "logins_tls" if tls else "logins"
        yield Load(key, title, "simple", 8, connect=True, tls=tls)


LOADS = list(loads())

BULKS = [
    Bulk("bulk_select_clean", "bulk SELECT, clean", "SELECT * FROM places"),
    Bulk("bulk_copy_clean", "bulk COPY, clean", "COPY (SELECT * FROM places) TO STDOUT"),
    Bulk("bulk_select_masked", "bulk SELECT, 2 of 6 masked", "SELECT * FROM people"),
    Bulk("bulk_copy_masked", "bulk COPY, 2 of 6 masked", "COPY (SELECT * FROM people) TO STDOUT"),
]

# Replayed by a source that PostgreSQL's speed does not hold back.
FASTS = [
    Bulk(f"fast_{how}_{what}", f"fast source, {how.upper()}, {words}", sql)
    for how, form in (("select", "{}"), ("copy", "COPY ({}) TO STDOUT"))
    for what, words, table in (("clean", "clean", "places"), ("masked", "2 of 6 masked", "people"))
    for sql in [form.format(f"SELECT * FROM {table} /* replay {BYTES} */")]
]

IDLES = [
    Idle("idle_500", "500 sessions at rest", 500),
    # 20,000 open files are what a process may have on many machines: two a session.
    Idle("fast_idle_9500", "9,500 sessions at rest", 9_500),
]

LATENCIES = [
    Latency(
        "latency_select",
        "select-only, prepared",
        "SELECT abalance FROM pgbench_accounts WHERE aid = {key}",
    ),
    Latency("latency_shown", "masked lookup, shown", SHOWN),
]


def measure_row_bytes(lab):
    """How much each bulk read is when nothing is masked; also warms the tables."""
    lab.row_bytes = {}
    for bulk in (*BULKS, *FASTS):
        port = lab.of_key(bulk.key)[0].port
        answer, _ = timed_json([lab.programs.relay, "drain", port, bulk.sql])
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
