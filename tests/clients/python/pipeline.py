"""psycopg's pipeline mode: many statements in flight, one of which fails."""

import sys

import psycopg

with psycopg.connect(autocommit=True) as conn:
    with conn.pipeline():
        curs = [conn.execute("SELECT %s::int, name FROM products WHERE id = %s", (i, i)) for i in range(1, 11)]
    assert [cur.fetchone() for cur in curs] == [(i, f"thing {i}") for i in range(1, 11)]

    masked = None
    try:
        with conn.pipeline() as pipe:
            good = conn.execute("SELECT email FROM customers WHERE id = 5")
            pipe.sync()
            masked = good.fetchone()[0]
            conn.execute("SELECT 1/0")
            conn.execute("INSERT INTO app_settings VALUES ('never', 'x')")
            pipe.sync()
        sys.exit("the division went through")
    except psycopg.errors.DivisionByZero:
        pass
    except psycopg.errors.PipelineAborted:
        pass

    with conn.pipeline():
        after = conn.execute("SELECT count(*) FROM app_settings WHERE key = 'never'")
    assert after.fetchone()[0] == 0

    with conn.transaction(), conn.pipeline():
        for i in range(200):
            conn.execute("INSERT INTO app_settings VALUES (%s, %s)", (f"k{i}", str(i)))
    assert conn.execute("SELECT count(*) FROM app_settings WHERE key LIKE 'k%'").fetchone()[0] == 200
    print(masked)
