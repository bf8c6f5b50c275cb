"""One psycopg session that asks for the same address in every way psycopg has.

Reads commands from stdin: `read` answers a JSON object (way -> address), `request` asks for access.
"""

import json
import sys

import psycopg

SQL = "SELECT email FROM customers WHERE id = %s"
REQUEST = "SELECT * FROM keyhole.request('customers.email', '30 minutes', 'INC-42: refund')"


def read(conn):
    ways = {}
    with psycopg.ClientCursor(conn) as cur:
        ways["simple"] = cur.execute(SQL, (5,)).fetchone()[0]
    ways["extended"] = conn.execute(SQL, (5,)).fetchone()[0]
    for turn in range(3):
        ways[f"prepared {turn}"] = conn.execute(SQL, (5,), prepare=True).fetchone()[0]
    ways["binary"] = conn.execute(SQL, (5,), binary=True).fetchone()[0]
    ways["binary prepared"] = conn.execute(SQL, (5,), prepare=True, binary=True).fetchone()[0]
    with conn.transaction(), conn.cursor(name="portal") as cur:
        ways["named cursor"] = cur.execute(SQL, (5,)).fetchone()[0]
    with conn.cursor() as cur, cur.copy("COPY (SELECT email FROM customers WHERE id = 5) TO STDOUT") as copy:
        ways["copy"] = b"".join(bytes(block) for block in copy).decode().strip()
    with conn.pipeline():
        first = conn.execute(SQL, (5,))
        second = conn.execute("SELECT lower(email) FROM customers WHERE id = %s", (5,))
    ways["pipeline"] = first.fetchone()[0]
    ways["pipeline, computed"] = second.fetchone()[0]
    with conn.cursor() as cur:
        cur.executemany(SQL, [(5,), (5,)], returning=True)
        ways["executemany"] = cur.fetchone()[0]
    return ways


def main():
    with psycopg.connect(autocommit=True) as conn:
        for line in sys.stdin:
            if line.strip() == "read":
                print(json.dumps(read(conn)), flush=True)
            else:
                conn.execute(REQUEST).fetchall()
                print("requested", flush=True)


main()
