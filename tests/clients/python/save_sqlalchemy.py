"""SQLAlchemy's ORM over reflected tables: every attribute flagged as modified, then saved."""

from sqlalchemy import MetaData, Table, create_engine, inspect
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, registry
from sqlalchemy.orm.attributes import flag_modified

from whole_rows import GENERATED, TABLES, changed, outcome_of, report, url


def mapped(engine, table):
    schema, name = table["table"].split(".")
    schema = None if schema == "public" else schema
    reflected = Table(name, MetaData(), schema=schema, autoload_with=engine)
    kind = type("Row", (), {})
    registry().map_imperatively(kind, reflected, primary_key=[reflected.c[key] for key in table["key"]])
    return kind


def all_fields(engine, kind, table):
    with Session(engine) as session:
        row = session.get(kind, tuple(table["key"].values()))
        setattr(row, table["field"], changed(getattr(row, table["field"])))
        for attribute in inspect(kind).column_attrs:
            if attribute.key not in GENERATED and attribute.key not in table["key"]:
                flag_modified(row, attribute.key)
        session.commit()


def upsert(engine, kind, table):
    if table.get("no_upsert"):
        return
    with Session(engine) as session:
        row = session.get(kind, tuple(table["key"].values()))
        columns = [a.key for a in inspect(kind).column_attrs if a.key not in GENERATED]
        values = {column: getattr(row, column) for column in columns}
        values[table["field"]] = changed(values[table["field"]])
        statement = insert(kind).values(values)
        sets = {column: statement.excluded[column] for column in columns}
        session.execute(statement.on_conflict_do_update(index_elements=list(table["key"]), set_=sets))
        session.commit()


def main():
    outcomes = {}
    engine = create_engine(f"postgresql+psycopg://{url()}")
    for table in TABLES:
        kind = mapped(engine, table)
        for name, way in {"all fields": all_fields, "upsert": upsert}.items():
            try:
                way(engine, kind, table)
                outcomes[f"{table['table']}: {name}"] = "saved"
            except Exception as error:
                outcomes[f"{table['table']}: {name}"] = outcome_of(error)
    report(outcomes)


main()
