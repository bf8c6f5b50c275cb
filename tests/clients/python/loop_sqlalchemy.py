"""One SQLAlchemy connection: text, Core with a reflected table, and the ORM."""

import json
import os
import sys

from sqlalchemy import MetaData, Table, create_engine, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

REQUEST = "SELECT * FROM keyhole.request('customers.email', '30 minutes', 'INC-42: refund')"


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    full_name: Mapped[str]


def read(conn, customers):
    ways = {
        "text": conn.scalar(text("SELECT email FROM customers WHERE id = :id"), {"id": 5}),
        "core": conn.scalar(select(customers.c.email).where(customers.c.id == 5)),
        "core, whole row": conn.execute(select(customers).where(customers.c.id == 5)).one().email,
        "core, computed": conn.scalar(select(func.lower(customers.c.email)).where(customers.c.id == 5)),
    }
    with Session(bind=conn) as session:
        ways["orm"] = session.get(Customer, 5).email
        ways["orm, query"] = session.scalars(select(Customer).where(Customer.id == 5)).one().email
    return ways


def main():
    env = os.environ
    url = f"postgresql+psycopg://{env['PGUSER']}:{env['PGPASSWORD']}@{env['PGHOST']}:{env['PGPORT']}/{env['PGDATABASE']}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        customers = Table("customers", MetaData(), autoload_with=conn)
        for line in sys.stdin:
            if line.strip() == "read":
                print(json.dumps(read(conn, customers)), flush=True)
            else:
                conn.execute(text(REQUEST)).fetchall()
                print("requested", flush=True)


main()
