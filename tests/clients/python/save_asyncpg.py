"""Reads whole rows with asyncpg and saves every column: parameters and results are binary."""

import asyncio
import os

import asyncpg

from whole_rows import GENERATED, TABLES, changed, outcome_of, qualified, quoted, report


async def read(conn, table):
    keys = " AND ".join(f"{quoted(k)} = ${n}" for n, k in enumerate(table["key"], 1))
    row = await conn.fetchrow(f"SELECT * FROM {qualified(table['table'])} WHERE {keys}", *table["key"].values())
    row = {column: value for column, value in row.items() if column not in GENERATED}
    row[table["field"]] = changed(row[table["field"]])
    return row


async def update(conn, table):
    row = await read(conn, table)
    sets = ", ".join(f"{quoted(c)} = ${n}" for n, c in enumerate(row, 1))
    keys = " AND ".join(f"{quoted(k)} = ${n}" for n, k in enumerate(table["key"], len(row) + 1))
    query = f"UPDATE {qualified(table['table'])} SET {sets} WHERE {keys}"
    assert await conn.execute(query, *row.values(), *table["key"].values()) == "UPDATE 1"


async def upsert(conn, table):
    if table.get("no_upsert"):
        return
    row = await read(conn, table)
    columns = ", ".join(map(quoted, row))
    values = ", ".join(f"${n}" for n in range(1, len(row) + 1))
    keys = ", ".join(map(quoted, table["key"]))
    sets = ", ".join(f"{quoted(c)} = EXCLUDED.{quoted(c)}" for c in row)
    query = (
        f"INSERT INTO {qualified(table['table'])} ({columns}) VALUES ({values}) "
        f"ON CONFLICT ({keys}) DO UPDATE SET {sets}"
    )
    assert await conn.execute(query, *row.values()) == "INSERT 0 1"


async def main():
    conn = await asyncpg.connect(ssl=False, host=os.environ["PGHOST"])
    outcomes = {}
    for table in TABLES:
        for name, way in {"update": update, "upsert": upsert}.items():
            try:
                await way(conn, table)
                outcomes[f"{table['table']}: {name}"] = "saved"
            except Exception as error:
                outcomes[f"{table['table']}: {name}"] = outcome_of(error)
    report(outcomes)


asyncio.run(main())
