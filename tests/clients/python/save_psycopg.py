"""Reads whole rows with psycopg and saves every column: literals, server-side parameters in text and
binary, upserts."""

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from whole_rows import GENERATED, TABLES, changed, outcome_of, report


def named(table):
    return sql.Identifier(*table["table"].split("."))


def read(conn, table):
    query = sql.SQL("SELECT * FROM {} WHERE {}").format(named(table), where(table))
    row = conn.execute(query, list(table["key"].values())).fetchone()
    row = {column: value for column, value in row.items() if column not in GENERATED}
    row[table["field"]] = changed(row[table["field"]])
    return row


def where(table):
    return sql.SQL(" AND ").join(sql.SQL("{} = {}").format(sql.Identifier(k), sql.Placeholder()) for k in table["key"])


def update(conn, table, placeholder="%s", **options):
    row = read(conn, table)
    sets = sql.SQL(", ").join(sql.SQL("{} = " + placeholder).format(sql.Identifier(c)) for c in row)
    query = sql.SQL("UPDATE {} SET {} WHERE {}").format(named(table), sets, where(table))
    values = [*row.values(), *table["key"].values()]
    assert conn.execute(query, values, **options).rowcount == 1


def client_side(conn, table):
    row = read(conn, table)
    sets = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(c), sql.Literal(v)) for c, v in row.items())
    keys = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(c), sql.Literal(v)) for c, v in table["key"].items()
    )
    with psycopg.ClientCursor(conn) as cur:
        cur.execute(sql.SQL("UPDATE {} SET {} WHERE {}").format(named(table), sets, keys))
        assert cur.rowcount == 1


def upsert(conn, table, **options):
    if table.get("no_upsert"):
        return
    row = read(conn, table)
    columns = sql.SQL(", ").join(map(sql.Identifier, row))
    sets = sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(c)) for c in row)
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}").format(
        named(table),
        columns,
        sql.SQL(", ").join([sql.Placeholder()] * len(row)),
        sql.SQL(", ").join(map(sql.Identifier, table["key"])),
        sets,
    )
    assert conn.execute(query, list(row.values()), **options).rowcount == 1


WAYS = {
    "literals": client_side,
    "server-side": update,
    "server-side, prepared": lambda conn, table: update(conn, table, prepare=True),
    "server-side, binary": lambda conn, table: update(conn, table, placeholder="%b"),
    "upsert": upsert,
    "upsert, prepared": lambda conn, table: upsert(conn, table, prepare=True),
}


def main():
    outcomes = {}
    with psycopg.connect(autocommit=True, row_factory=dict_row) as conn:
        for table in TABLES:
            for name, way in WAYS.items():
                try:
                    way(conn, table)
                    outcomes[f"{table['table']}: {name}"] = "saved"
                except Exception as error:
                    outcomes[f"{table['table']}: {name}"] = outcome_of(error)
    report(outcomes)


main()
