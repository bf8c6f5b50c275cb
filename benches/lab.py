"""What is measured: a throwaway PostgreSQL and the ways to it, each a process of its own.

Everything is started here and stopped by its pid, in reverse order, however the run ends.
"""

import ctypes
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECS = 30

# The same name, password and database at every endpoint: only the port differs.
NAME = "bench"
PASSWORD = "bench-secret"
CLIENT_ENV = {
    **{key: value for key, value in os.environ.items() if not key.startswith("PG")},
    "PGPASSWORD": PASSWORD,
    "PGSSLMODE": "disable",
}

POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "512MB",
    "fsync": "off",
    "max_connections": "700",
    "autovacuum": "off",
    "max_wal_size": "4GB",
}

# Six text columns; two of them are personal data in `people`. `places` holds the same bytes and is
# not in the catalog; what is personal in `guests` is granted.
PEOPLE = """
CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL,
                     phone text NOT NULL, city text NOT NULL, address text NOT NULL,
                     note text NOT NULL);
INSERT INTO people
SELECT i, 'Person ' || md5(i::text), 'user' || i || '@mail' || i % 97 || '.example',
       '+49 30 ' || lpad((i::bigint * 7919 % 100000000)::text, 8, '0'), 'City ' || i % 1000,
       'Street ' || i % 5000 || ', house ' || i % 300, repeat(md5((i * 3)::text), 11)
  FROM generate_series(1, {rows}) AS i;
CREATE TABLE places (LIKE people INCLUDING ALL);
INSERT INTO places SELECT * FROM people ORDER BY id;
CREATE TABLE guests (LIKE people INCLUDING ALL);
INSERT INTO guests SELECT * FROM people ORDER BY id LIMIT 100000;
VACUUM ANALYZE people;
VACUUM ANALYZE places;
VACUUM ANALYZE guests;
"""

CATALOG = """
[[class]]
name = "email"
mask = { kind = "email" }

[[class]]
name = "phone"
mask = { kind = "partial", keep_last = 2 }

[[table]]
name = "public.people"
columns = { email = "email", phone = "phone" }

[[table]]
name = "public.guests"
columns = { email = "email", phone = "phone" }
"""

CONFIG = """
[data]
listen = "127.0.0.1:0"
auth = "scram"
connections_max = 20000
connections_per_user = 20000
connections_per_address = 20000

[data.tls]
cert = "{dir}/server.crt"
key = "{dir}/server.key"

[control]
listen = "127.0.0.1:0"
http = "127.0.0.1:0"

[store]
url = "sqlite:keyhole.db"

[audit]
dir = "audit"

[enforcement]
notice = false

[[database]]
name = "bench"
upstream = "postgres://bench@127.0.0.1:{port}/bench?sslmode=disable"
password_env = "KEYHOLE_BENCH_PASSWORD"
catalog = ["catalog.toml"]

[[user]]
name = "bench"
scram_env = "KEYHOLE_BENCH_PASSWORD"

[[standing]]
subject = "bench"
resources = ["public.guests"]
actions = ["read"]
reason = "to see what a grant costs"
"""

PGBOUNCER = """
[databases]
bench = host=127.0.0.1 port={server} dbname=bench
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {dir}/users.txt
pool_mode = session
client_tls_sslmode = allow
client_tls_cert_file = {dir}/server.crt
client_tls_key_file = {dir}/server.key
default_pool_size = 600
max_client_conn = 2000
; Between clients, so that names of prepared statements are free again; no statement waits for it.
server_reset_query = DISCARD ALL
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
"""


class LabError(Exception):
    """Something that the benchmark needs is missing or did not start."""


@dataclass
class Endpoint:
    name: str
    port: int
    # None for PostgreSQL itself, whose own cost is not what is measured.
    pid: int | None = None

    def cpu_secs(self):
        """User and system time that the process has used so far."""
        text = Path(f"/proc/{self.pid}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_kib(self):
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1])

    def rss_peak_mib(self):
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) / 1024


class Lab:
    """A context: inside it, everything runs; after it, nothing does."""

    def __init__(self, programs, rows):
        self.programs = programs
        self.rows = rows
        self.stack = ExitStack()
        self.endpoints = []
        self.processes = {}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *error):
        self._stop()

    def _stop(self):
        # A second Ctrl-C must not leave anything behind.
        for kind in (signal.SIGINT, signal.SIGTERM):
            signal.signal(kind, signal.SIG_IGN)
        self.stack.close()

    def _start(self):
        self.dir = Path(tempfile.mkdtemp(prefix="keyhole-bench-"))
        self.stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        self.dir.chmod(0o755)
        # Both servers refuse to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None
        direct = self._postgres()
        self._fill(direct)
        self.endpoints = [direct, self._relay(direct), *self._pgbouncer(direct)]
        self.endpoints.append(self._keyhole(direct))
        # The same ways to a server that is faster than PostgreSQL.
        source = self._helper("source", direct, name="direct", log="source")
        self.fast_endpoints = [source, self._relay(source, log="fast-relay")]
        self.fast_endpoints.append(self._helper("small", source, name="small", log="small"))
        self.fast_endpoints.append(self._keyhole(source, log="fast-keyhole", check=False))

    def of_key(self, key):
        """What is measured there."""
        return self.fast_endpoints if key.startswith("fast_") else self.endpoints

    def _certificate(self, where, owner=None):
        """What a server needs for TLS: a key that is its own alone."""
        for name in ("server.crt", "server.key"):
            source = ROOT / "src/auth/login/tests" / name.replace("server", "localhost")
            path = where / name
            path.write_bytes(source.read_bytes())
            path.chmod(0o600)
            if owner:
                entry = pwd.getpwnam(owner)
                os.chown(path, entry.pw_uid, entry.pw_gid)

    def _subdir(self, name, owner=None):
        path = self.dir / name
        path.mkdir(mode=0o700)
        if owner:
            entry = pwd.getpwnam(owner)
            os.chown(path, entry.pw_uid, entry.pw_gid)
        return path

    def _postgres(self):
        data = self._subdir("postgres", self.user)
        secret = data.parent / "password"
        secret.write_text(PASSWORD)
        say("initdb")
        run(
            [self.programs.initdb, "-D", data / "data", "-U", "postgres", "-E", "UTF8",
             "--locale=C", "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync"],
            **as_user(self.user),
        )
        port = free_port()
        self._certificate(data, self.user)
        settings = {**POSTGRES_SETTINGS, "port": port, "unix_socket_directories": "", "ssl": "on",
                    "ssl_cert_file": data / "server.crt", "ssl_key_file": data / "server.key"}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        command = [self.programs.postgres, "-D", data / "data", *options]
        pid = self._spawn("postgres", command, signal.SIGINT, user=self.user)
        endpoint = Endpoint("direct", port)
        self._wait_for_login(endpoint, pid, "postgres", "postgres", "postgres")
        return endpoint

    def _fill(self, direct):
        say(f"loading: pgbench scale 10, people and places with {self.rows} rows")
        self.psql(direct, f"CREATE ROLE {NAME} LOGIN PASSWORD '{PASSWORD}'", user="postgres")
        self.psql(direct, f"CREATE DATABASE {NAME} OWNER {NAME}", user="postgres")
        command = [self.programs.pgbench, "-i", "-q", "-s", "10", *self.login(direct), NAME]
        run(command, env=CLIENT_ENV)
        # One statement a message, as VACUUM wants it.
        for statement in PEOPLE.format(rows=self.rows).strip().rstrip(";").split(";"):
            self.psql(direct, statement)
        self.psql(direct, "CHECKPOINT", user="postgres", database=NAME)

    def _relay(self, direct, log="relay"):
        return self._helper("forward", direct, name="relay", log=log)

    def _helper(self, what, behind, name, log):
        """The small program of this directory, in front of another endpoint."""
        command = [self.programs.relay, what, str(behind.port)]
        pid = self._spawn(log, command, env={"PGPASSWORD": PASSWORD})
        port = int(self._wait_for_log(log, r"listening on 127\.0\.0\.1:(\d+)")[1])
        return Endpoint(name, port, None if name == "direct" else pid)

    def _pgbouncer(self, direct):
        if not self.programs.pgbouncer:
            return
        where = self._subdir("pgbouncer", self.user)
        port = free_port()
        (where / "users.txt").write_text(f'"{NAME}" "{PASSWORD}"\n')
        self._certificate(where, self.user)
        config = where / "pgbouncer.ini"
        config.write_text(PGBOUNCER.format(server=direct.port, port=port, dir=where))
        command = [self.programs.pgbouncer, "-q", config]
        pid = self._spawn("pgbouncer", command, user=self.user)
        endpoint = Endpoint("pgbouncer", port, pid)
        self._wait_for_login(endpoint, pid, "pgbouncer")
        yield endpoint

    def _keyhole(self, direct, log="keyhole", check=True):
        where = self._subdir(log)
        self._certificate(where)
        (where / "proxy.toml").write_text(CONFIG.format(port=direct.port, dir=where))
        (where / "catalog.toml").write_text(CATALOG)
        command = [self.programs.keyhole, "serve", "--config", where / "proxy.toml"]
        pid = self._spawn(log, command, env={"KEYHOLE_BENCH_PASSWORD": PASSWORD})
        port = int(self._wait_for_log(log, r"ready.*?data\W+127\.0\.0\.1:(\d+)")[1])
        endpoint = Endpoint("keyhole", port, pid)
        self._wait_for_login(endpoint, pid, log)
        if check:
            self._assert_hidden(direct, endpoint)
        return endpoint

    def _assert_hidden(self, direct, keyhole):
        """A proxy that hides nothing would be fast, too."""
        for sql in [
            "SELECT email FROM people WHERE id = 1",
            "SELECT upper(email) FROM people WHERE id = 1",
            "SELECT phone FROM people WHERE id = 1",
            "COPY (SELECT phone FROM people WHERE id = 1) TO STDOUT",
        ]:
            raw, masked = self.psql(direct, sql), self.psql(keyhole, sql)
            if raw == masked or "*" not in masked:
                raise LabError(f"keyhole does not mask: {sql}")
        for table in ("places", "guests"):
            sql = f"SELECT * FROM {table} WHERE id < 100 ORDER BY id"
            if self.psql(direct, sql) != self.psql(keyhole, sql):
                raise LabError(f"keyhole changes what it should not: {sql}")

    def rewritten(self, sql):
        """What Keyhole sends to the server in place of the statement."""
        text = sql.replace("'", "''")
        keyhole = self.endpoints[-1]
        ask = f"SELECT value FROM keyhole.explain('{text}') WHERE item = 'runs'"
        text = self.psql(keyhole, ask).strip()
        if not text or text == sql:
            raise LabError(f"keyhole does not rewrite: {sql}")
        return text

    def audit_mib(self):
        files = (self.dir / "keyhole" / "audit").glob("*.jsonl")
        return sum(file.stat().st_size for file in files) / 2**20

    @staticmethod
    def login(endpoint, user=NAME):
        return ["-h", "127.0.0.1", "-p", str(endpoint.port), "-U", user]

    def psql(self, endpoint, sql, user=NAME, database=None):
        database = database or (NAME if user == NAME else "postgres")
        command = [self.programs.psql, *self.login(endpoint, user), "-d", database, "-XAtq",
                   "-v", "ON_ERROR_STOP=1", "-c", sql]
        return run(command, env=CLIENT_ENV)

    def wait_for_room(self):
        """The server ends sessions whose clients are gone in its own time."""
        direct = self.endpoints[0]
        for _ in range(600):
            try:
                if int(self.psql(direct, "SELECT count(*) FROM pg_stat_activity")) < 60:
                    return
            except LabError:
                pass                        # there is not even room to ask
            time.sleep(0.1)
        raise LabError("sessions of the last measurement do not end")

    def _spawn(self, name, command, stop=signal.SIGTERM, user=None, env=None):
        with open(self.dir / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, **(env or {})},
                # Ctrl-C is for this program, which then stops them in order.
                start_new_session=True,
                preexec_fn=lambda: end_with_parent(stop),
                **as_user(user),
            )
        self.stack.callback(end, process, stop)
        self.processes[process.pid] = process
        return process.pid

    def _wait_for_login(self, endpoint, pid, name, user=NAME, database=None):
        until = time.monotonic() + PATIENCE_SECS
        while True:
            try:
                self.psql(endpoint, "SELECT 1", user, database)
                return
            except LabError as error:
                if self.processes[pid].poll() is not None or time.monotonic() > until:
                    raise LabError(f"{name} did not start: {error}\n{self._log(name)}") from None
            time.sleep(0.05)

    def _wait_for_log(self, name, pattern):
        until = time.monotonic() + PATIENCE_SECS
        while time.monotonic() < until:
            if found := re.search(pattern, self._log(name)):
                return found
            time.sleep(0.02)
        raise LabError(f"{name} did not start:\n{self._log(name)}")

    def _log(self, name):
        text = (self.dir / f"{name}.log").read_text(errors="replace")
        # Colours of a log that thinks it writes to a terminal.
        return re.sub(r"\x1b\[[0-9;]*m", "", text)[-4000:]


def as_user(name):
    if name is None:
        return {}
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def end_with_parent(stop):
    """Even if this program is killed, nothing of it stays (Linux only)."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, stop)


def end(process, stop):
    process.send_signal(stop)
    try:
        process.wait(PATIENCE_SECS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command, **options):
    """Runs to the end and returns what it printed. pgbench succeeds with a PREPARE that failed."""
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", **options)
    if done.returncode != 0 or "ERROR" in done.stderr:
        raise LabError(f"{Path(command[0]).name}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def say(text):
    print(f"bench: {text}", flush=True)
