"""Connects with TLS as the environment says, and cancels a query by TLS, too (libpq 17 or newer)."""

import threading
import time

import psycopg

assert psycopg.pq.version() >= 170000, psycopg.pq.version()
connection = psycopg.connect(autocommit=True)
assert connection.pgconn.ssl_in_use
print("encrypted", flush=True)


def cancel():
    for _ in range(100):
        time.sleep(0.1)
        if running.is_set():
            time.sleep(0.3)
            connection.cancel_safe(timeout=20)
            return


running = threading.Event()
thread = threading.Thread(target=cancel)
thread.start()
try:
    running.set()
    connection.execute("SELECT pg_sleep(60)")
    print("not cancelled")
except psycopg.errors.QueryCanceled:
    print("cancelled")
thread.join()
print(connection.execute("SELECT 7").fetchone()[0])
