"""Django's ORM: Model.save() writes all fields, by default."""

import os

import django
from django.conf import settings

from whole_rows import TABLES, changed, outcome_of, report

DATABASE = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": os.environ["PGDATABASE"],
    "USER": os.environ["PGUSER"],
    "PASSWORD": os.environ["PGPASSWORD"],
    "HOST": os.environ["PGHOST"],
    "PORT": os.environ["PGPORT"],
}
DATABASES = {
    "default": DATABASE,
    "server_side": {**DATABASE, "OPTIONS": {"server_side_binding": True}},
}
settings.configure(DATABASES=DATABASES, USE_TZ=True, TIME_ZONE="UTC")
django.setup()

from django.contrib.postgres.fields import ArrayField  # noqa: E402
from django.db import models  # noqa: E402


def model(table, **fields):
    schema, name = table.split(".")
    place = name if schema == "public" else f'{schema}"."{name}'
    meta = type("Meta", (), {"managed": False, "db_table": place, "app_label": "shop"})
    kind = "".join(part.title() for part in table.split("."))
    return type(models.Model)(kind, (models.Model,), {"__module__": __name__, "Meta": meta, **fields})


def text(**options):
    return models.TextField(null=True, **options)


def key(**options):
    return models.IntegerField(primary_key=True, **options)


MODELS = {
    "public.people": dict(
        id=key(),
        full_name=text(),
        email=models.CharField(max_length=80, null=True),
        dob=models.DateField(null=True),
        seen=models.DateTimeField(null=True),
        profile=models.JSONField(null=True),
        pay=models.DecimalField(max_digits=12, decimal_places=2, null=True),
        # GenericIPAddressField takes no networks, and a network is what the mask shows.
        ip=text(),
        phones=ArrayField(models.TextField(), null=True),
        scan=models.BinaryField(null=True),
        score=models.DecimalField(max_digits=12, decimal_places=2),
    ),
    "public.customers": dict(
        id=key(),
        full_name=text(),
        email=text(),
        phone=text(),
        ssn=text(),
        dob=models.DateField(null=True),
        address=models.JSONField(null=True),
        balance=models.DecimalField(max_digits=12, decimal_places=2),
        notes=text(),
        created_at=models.DateTimeField(),
    ),
    "public.payments": dict(
        id=key(),
        order_id=models.IntegerField(),
        card_number=text(),
        iban=text(),
        amount=models.DecimalField(max_digits=12, decimal_places=2),
        paid_at=models.DateTimeField(),
        method=text(),
    ),
    "hr.employees": dict(
        id=key(),
        full_name=text(),
        email=text(),
        salary=models.DecimalField(max_digits=12, decimal_places=2, null=True),
        national_id=text(),
        dept=text(),
        manager_id=models.IntegerField(null=True),
        hired=models.DateField(),
    ),
    "public.events": dict(
        id=models.BigIntegerField(primary_key=True),
        customer_id=models.IntegerField(null=True),
        at=models.DateTimeField(),
        kind=text(),
        ip=models.GenericIPAddressField(null=True),
        user_agent=text(),
    ),
    "public.UserProfiles": dict(
        id=key(),
        email=text(db_column="E-mail"),
        full_name=text(db_column="Full Name"),
        Theme=text(db_column="Theme"),
        prefs=models.JSONField(null=True),
    ),
    "public.клиенты": dict(
        ид=key(), имя=text(), телефон=text(), город=text(),
    ),
    "public.leads": dict(id=key(), who=text(), source=text()),
    "public.newsletter": dict(id=key(), addr=text(), active=models.BooleanField()),
    "public.contact_points": dict(
        customer_id=key(),
        emails=ArrayField(models.TextField(), null=True),
        phones=ArrayField(models.TextField(), null=True),
        verified=models.BooleanField(),
    ),
    "public.kyc_checks": dict(id=key(), ssn=text(), result=text(), checked_on=models.DateField()),
    "public.id_scans": dict(customer_id=key(), scan=models.BinaryField(null=True), mime=text()),
    "public.support_tickets": dict(
        id=key(), customer_id=models.IntegerField(null=True), body=text(), agent=text(), state=text(),
    ),
}


def save(kind, alias, table):
    row = kind.objects.using(alias).get(**table["key"])
    setattr(row, table["field"], changed(getattr(row, table["field"])))
    row.save()


def upsert(kind, alias, table):
    if table.get("no_upsert"):
        return
    row = kind.objects.using(alias).get(**table["key"])
    setattr(row, table["field"], changed(getattr(row, table["field"])))
    names = [field.name for field in kind._meta.fields if not field.primary_key]
    kind.objects.using(alias).bulk_create(
        [row], update_conflicts=True, unique_fields=list(table["key"]), update_fields=names
    )


def main():
    outcomes = {}
    for table in TABLES:
        kind = model(table["table"], **MODELS[table["table"]])
        for alias in DATABASES:
            for name, way in {"save": save, "upsert": upsert}.items():
                try:
                    way(kind, alias, table)
                    outcomes[f"{table['table']}: {alias} {name}"] = "saved"
                except Exception as error:
                    outcomes[f"{table['table']}: {alias} {name}"] = outcome_of(error)
    report(outcomes)


main()
