"""A throwaway PostgreSQL: its own directory, port and user; gone when the program ends."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

BINARIES = (os.environ.get("KEYHOLE_TEST_PG15_BIN"), "/usr/lib/postgresql/15/bin", "/usr/pgsql-15/bin")
SETTINGS = {"fsync": "off", "shared_buffers": "128MB", "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "", "autovacuum": "off"}
PATIENCE_SECS = 60


class Server:
    """Started by `with`; `url(database)` is how to reach it, without a password."""

    def __enter__(self):
        self.user = unprivileged()
        self.bin = next(Path(d) for d in BINARIES if d and (Path(d) / "initdb").exists())
        self.dir = Path(tempfile.mkdtemp(prefix="keyhole-discovery-"))
        owner = self.user or pwd.getpwuid(os.getuid()).pw_name
        shutil.chown(self.dir, owner)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        data = self.dir / "data"
        subprocess.run([self.bin / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8",
                        "--locale=C", "--auth=trust", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL, cwd="/", **self._as_user())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = {**SETTINGS, "port": str(self.port)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", data, *options], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd="/", start_new_session=True,
                preexec_fn=end_with_parent, **self._as_user())
        deadline = time.monotonic() + PATIENCE_SECS
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.dir / "log").read_text()) from None
                time.sleep(0.05)

    def __exit__(self, *_):
        process = getattr(self, "process", None)
        if process:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_SECS)
        shutil.rmtree(self.dir, ignore_errors=True)

    def url(self, database):
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def create(self, database):
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}")
        return psycopg.connect(self.url(database))

    def _as_user(self):
        return {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid,
                "extra_groups": []} if self.user else {}


def unprivileged():
    """PostgreSQL refuses to run as root; None: nothing to change."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def end_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
