"""Which rows the saving programs read and save, and how they change the one field they mean to.

TABLES comes from the test: table, key (column -> value) and field, one of each that is no personal
data. Every program prints a JSON object, table -> "saved" or what went wrong.
"""

import datetime
import decimal
import json
import os

TABLES = json.loads(os.environ["KEYHOLE_TABLES"])

# PostgreSQL computes these itself.
GENERATED = {"email_lower", "email_md5"}


def changed(value):
    if isinstance(value, bool):
        # A toggle would be undone by the next way of saving.
        return True
    if isinstance(value, str):
        return value + "!"
    if isinstance(value, (int, decimal.Decimal)):
        return value + 1
    if isinstance(value, datetime.date):
        return value + datetime.timedelta(days=1)
    raise TypeError(f"a field of type {type(value)}")


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def qualified(table):
    return ".".join(quoted(part) for part in table.split("."))


def url():
    env = os.environ
    return f"{env['PGUSER']}:{env['PGPASSWORD']}@{env['PGHOST']}:{env['PGPORT']}/{env['PGDATABASE']}"


def report(outcomes):
    print(json.dumps(outcomes))


def outcome_of(error):
    return f"{type(error).__name__}: {error}"
