"""One asyncpg session (results are binary) that asks for the same address in every way it has."""

import asyncio
import io
import json
import os
import sys

import asyncpg

SQL = "SELECT email FROM customers WHERE id = $1"
REQUEST = "SELECT * FROM keyhole.request('customers.email', '30 minutes', 'INC-42: refund')"


async def read(conn, kept):
    ways = {
        "fetchval": await conn.fetchval(SQL, 5),
        "fetch": (await conn.fetch(SQL, 5))[0]["email"],
        "kept statement": await kept.fetchval(5),
        "computed": await conn.fetchval("SELECT lower(email) FROM customers WHERE id = $1", 5),
    }
    async with conn.transaction():
        cursor = await conn.cursor(SQL, 5)
        ways["cursor"] = (await cursor.fetchrow())["email"]
    out = io.BytesIO()
    await conn.copy_from_query(SQL.replace("$1", "5"), output=out)
    ways["copy"] = out.getvalue().decode().strip()
    return ways


async def main():
    conn = await asyncpg.connect(ssl=False, host=os.environ["PGHOST"])
    kept = await conn.prepare(SQL)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "read":
            print(json.dumps(await read(conn, kept)), flush=True)
        else:
            await conn.fetch(REQUEST)
            print("requested", flush=True)


asyncio.run(main())
