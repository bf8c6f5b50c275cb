"""A made-up database of what a detector gets wrong: look-alikes, names that mislead, personal data
under names that say nothing, in other languages, in documents, arrays and prose.

The same seed makes the same data. `labels/adversarial.toml` says what each column is.
"""

import hashlib
import itertools
import json
import random
import string
import uuid

from faker import Faker

ROWS = 400
SEED = 20

random_ = random.Random(SEED)


def faker(locale):
    made = Faker(locale)
    made.seed_instance(SEED)
    return made


EN, GB, DE, FR, ES, IT, PL, SV, NL, BR = map(faker, (
    "en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "pl_PL", "sv_SE", "nl_NL", "pt_BR"))


def pick(*words):
    return lambda: random_.choice(words)


def digits(count, first="123456789"):
    return lambda: random_.choice(first) + "".join(random_.choices(string.digits, k=count - 1))


def hexes(count):
    return lambda: "".join(random_.choices("0123456789abcdef", k=count))


def token(prefix, count, alphabet=string.ascii_letters + string.digits):
    return lambda: prefix + "".join(random_.choices(alphabet, k=count))


def between(low, high, places=0):
    return lambda: round(random_.uniform(low, high), places) if places else random_.randint(low, high)


def counter(start=1, step=1):
    state = [start - step]

    def following():
        state[0] += step
        return state[0]
    return following


def luhn(payload):
    total = 0
    for position, digit in enumerate(reversed(payload)):
        doubled = int(digit) * (2 if position % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return payload + str(-total % 10)


def gtin(prefix):
    """A trade item's number with its check digit: EAN-13, and ISBN-13 with the prefix 978."""
    def made():
        payload = prefix + "".join(random_.choices(string.digits, k=12 - len(prefix)))
        total = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(payload))
        return payload + str(-total % 10)
    return made


def tax_id_de():
    """Steuer-IdNr: one digit of the first ten occurs twice, ISO 7064 MOD 11,10."""
    numbers = random_.sample(range(10), 9)
    numbers.insert(random_.randrange(1, 9), random_.choice(numbers))
    if numbers[0] == 0:
        numbers.reverse()
    product = 10
    for number in numbers:
        total = (number + product) % 10 or 10
        product = total * 2 % 11
    return "".join(map(str, numbers)) + str((11 - product) % 10)


def nir_fr():
    base = (f"{random_.choice('12')}{random_.randint(40, 99)}{random_.randint(1, 12):02}"
            f"{random_.randint(1, 95):02}{random_.randint(1, 900):03}{random_.randint(1, 999):03}")
    return base + f"{97 - int(base) % 97:02}"


def sentence(words):
    return lambda: EN.sentence(nb_words=words)


def log_line():
    return (f"{random_.choice(['GET', 'POST'])} /v{random_.randint(1, 3)}/items from {EN.ipv4_public()} "
            f"took {random_.randint(1, 900)} ms")


def ticket():
    """What a support desk writes down: two of five name somebody or how to reach them."""
    story = EN.paragraph(nb_sentences=2)
    if random_.random() < 0.4:
        return story + " " + random_.choice([
            f"Call {EN.name()} back on {EN.phone_number()}.",
            f"Customer wrote from {EN.email()}.",
            f"{EN.name()}, {EN.street_address()}, wants a refund to {GB.iban()}.",
        ])
    return story


def cards():
    return lambda: EN.credit_card_number(card_type=random_.choice(["visa", "mastercard", "amex"]))


def as_json(make):
    return lambda: json.dumps(make())


def document():
    name = EN.name()
    return {
        "contact": {"mail": EN.email(), "tel": EN.phone_number()},
        "who": {"fullName": name, "born": EN.date_of_birth().isoformat()},
        "cart": [{"sku": token("SKU-", 8, string.digits)(), "name": random_.choice(PRODUCTS),
                  "qty": random_.randint(1, 5)} for _ in range(random_.randint(1, 3))],
        "meta": {"ip": EN.ipv4_public(), "version": version(), "trace": str(EN.uuid4())},
    }


def version():
    return ".".join(str(random_.randint(0, 30)) for _ in range(4))


def sequenced(make):
    return lambda: "{" + ",".join(f'"{make()}"' for _ in range(random_.randint(1, 3))) + "}"


def settings():
    return (f'"mail"=>"{EN.email()}", "size"=>"{random_.choice("SML")}", '
            f'"phone_model"=>"{random_.choice(PHONES)}"')


def bcrypt():
    return "$2b$12$" + token("", 53, "./" + string.ascii_letters + string.digits)()


def jwt():
    part = string.ascii_letters + string.digits + "-_"
    return f"eyJ{token('', 33, part)()}.eyJ{token('', 60, part)()}.{token('', 43, part)()}"


def phone_anywhere():
    return random_.choice([
        f"+1 {random_.randint(201, 989)} 555 {random_.randint(1000, 9999)}",
        f"+49 30 {random_.randint(1000000, 9999999)}", f"+44 7{random_.randint(100000000, 999999999)}",
        f"+33 6 {random_.randint(10, 99)} {random_.randint(10, 99)} {random_.randint(10, 99)} 12",
        f"0049{random_.randint(15100000000, 17999999999)}", f"+81 90-{random_.randint(1000, 9999)}-4421"])


PRODUCTS = ("Ruby", "Jasmine", "Carmen", "Oliver", "Frances", "Mercedes", "Victoria", "Charlotte", "Max",
            "Billy", "Ivar", "Klippan", "Diana", "Sienna", "Amber", "Rose", "Olivia", "Daisy", "Henry", "Hugo")
PHONES = ("iPhone 14", "Galaxy S22", "Pixel 7", "Nokia 3310", "Xperia 5", "Moto G", "Redmi Note 12")
BRANDS = ("Ford", "Johnson & Johnson", "Ben & Jerry's", "Wells Fargo", "Ralph Lauren", "Morgan Stanley",
          "Harley-Davidson", "Dr. Martens", "Jack Daniel's", "Levi Strauss", "Marks & Spencer", "Calvin Klein")
TRACKS = ("Angie", "Layla", "Roxanne", "Jolene", "Michelle", "Eleanor Rigby", "Billie Jean", "Peggy Sue",
          "Hey Jude", "Sweet Caroline", "Come On Eileen", "Barbara Ann", "Mrs. Robinson", "Rosanna")
FLOWERS = ("Rose", "Lily", "Violet", "Iris", "Daisy", "Heather", "Jasmine", "Poppy", "Ivy", "Holly", "Myrtle")
STORMS = ("Andrew", "Katrina", "Camille", "Hugo", "Ivan", "Irma", "Maria", "Harvey", "Sandy", "Wilma", "Dean")
PLACES = ("Paris", "Florence", "Charlotte", "Austin", "Sydney", "Madison", "Jackson", "Orlando", "Lincoln",
          "Adelaide", "Victoria", "Houston", "Dallas", "Savannah", "Helena", "Santiago", "San Jose")
COUNTRIES = (("Chad", "TD", "+235", 15.45, 18.73), ("Georgia", "GE", "+995", 42.31, 43.35),
             ("Jordan", "JO", "+962", 30.58, 36.23), ("Germany", "DE", "+49", 51.16, 10.45),
             ("Israel", "IL", "+972", 31.04, 34.85), ("Cuba", "CU", "+53", 21.52, -77.78))
ICD = ("E11.9", "I10", "J45.909", "F32.1", "M54.5", "C50.911", "K21.9", "N18.3", "G43.109", "Z79.4")
DRUGS = ("metformin 500 mg", "lisinopril 10 mg", "sertraline 50 mg", "atorvastatin 20 mg", "insulin glargine")
TEAMS = ("Detroit Lions", "Chicago Bulls", "Houston Texans", "Boston Celtics", "Utah Jazz", "Miami Heat")


def country(at):
    """One after the other, so that what is in a row belongs together."""
    following = itertools.cycle(COUNTRIES)
    return lambda: next(following)[at]


# Table: columns as (name, type, how a value is made).
TABLES = {
    "orders": [
        ("id", "bigint PRIMARY KEY", counter()),
        ("order_no", "text", digits(16, "45")),             # one of ten passes Luhn
        ("gift_no", "text", lambda: luhn("6299" + digits(11)())),      # Luhn, but no issuer's range
        ("invoice", "bigint", counter(4111000011110000, 37)),
        ("tracking", "text", token("1Z", 16, string.ascii_uppercase + string.digits)),
        ("parcel", "text", lambda: digits(10)() + digits(10)()),
        ("request_id", "uuid", lambda: uuid.UUID(int=random_.getrandbits(128))),
        ("sku", "text", token("AB", 8, string.digits)),
        ("email_count", "integer", between(0, 9)),
        ("email_sent", "boolean", pick(True, False)),
        ("address_id", "integer", between(1, 99999)),
        ("phone_model", "text", pick(*PHONES)),
        ("card_type", "text", pick("visa", "mastercard", "amex")),
        ("iban_valid", "boolean", pick(True, False)),
        ("ip_version", "smallint", pick(4, 6)),
        ("ssn_verified", "boolean", pick(True, False)),
        ("birthday_discount", "numeric(4,2)", between(0, 20, 2)),
        ("name_length", "integer", between(3, 20)),
        ("unit_price", "numeric(9,6)", between(0, 90, 6)),
        ("shipping_price", "numeric(9,6)", between(0, 90, 6)),
        ("placed_epoch", "bigint", between(1500000000, 1790000000)),
        ("paid_ms", "text", lambda: str(random_.randint(1500000000000, 1790000000000))),
        ("etag", "text", hexes(32)),
        ("checksum", "text", lambda: hashlib.sha256(str(random_.random()).encode()).hexdigest()),
        ("commit", "text", hexes(40)),
        ("placed_on", "date", lambda: EN.date_between("-3y", "today")),
        ("status", "text", pick("new", "paid", "sent", "returned")),
        ("zip_file", "text", lambda: f"export-{random_.randint(10000, 99999)}.zip"),
    ],
    "products": [
        ("id", "integer PRIMARY KEY", counter()),
        ("name", "text", pick(*PRODUCTS)),
        ("brand", "text", pick(*BRANDS)),
        ("ean", "text", gtin("40")),
        ("isbn", "text", gtin("978")),
        ("part_number", "text", lambda: f"{random_.randint(100, 899)}-{random_.randint(10, 99)}-"
                                        f"{random_.randint(1000, 9999)}"),
        ("firmware", "text", version),
        ("dimensions", "text", lambda: f"{random_.randint(1, 90)}x{random_.randint(1, 90)}x3"),
        ("colour", "text", pick("Amber", "Scarlett", "Olive", "Violet", "Jade")),
        ("manual_url", "text", lambda: f"https://example.com/manuals/{random_.randint(1, 999)}.pdf"),
        ("description", "text", sentence(12)),
    ],
    "tracks": [
        ("id", "integer PRIMARY KEY", counter()),
        ("title", "text", pick(*TRACKS)),
        ("isrc", "text", lambda: f"US{token('', 3, string.ascii_uppercase)()}{digits(7)()}"),
        ("composer", "text", lambda: f"{EN.first_name()} {EN.last_name()}"),
        ("milliseconds", "integer", between(90000, 500000)),
    ],
    "flowers": [("id", "integer PRIMARY KEY", counter()), ("name", "text", pick(*FLOWERS))],
    "storms": [("id", "integer PRIMARY KEY", counter()), ("name", "text", pick(*STORMS)),
               ("landfall", "date", lambda: EN.date_between("-90y", "today"))],
    "teams": [("id", "integer PRIMARY KEY", counter()), ("name", "text", pick(*TEAMS)),
              ("founded", "date", lambda: EN.date_between("-110y", "-20y"))],
    "places": [("id", "integer PRIMARY KEY", counter()), ("name", "text", pick(*PLACES)),
               ("inhabitants", "integer", between(10000, 900000))],
    "countries": [
        ("name", "text", country(0)), ("iso", "char(2)", country(1)), ("phone_prefix", "text", country(2)),
        ("lat", "numeric", country(3)), ("lon", "numeric", country(4)),
    ],
    "companies": [
        ("id", "integer PRIMARY KEY", counter()),
        ("name", "text", EN.company),
        ("contact_person", "text", EN.name),
        ("contact_email", "text", EN.company_email),
        ("vat_no", "text", lambda: "DE" + digits(9)()),
        ("bic", "text", lambda: GB.swift(length=11)),
        ("industry", "text", EN.bs),
        ("domain", "text", EN.domain_name),
    ],
    "c_data": [
        ("c1", "text", EN.email), ("c2", "text", phone_anywhere), ("c3", "text", cards()),
        ("c4", "text", GB.iban), ("c5", "text", EN.ipv4_public), ("c6", "text", EN.mac_address),
        ("c7", "text", EN.street_address), ("c8", "text", bcrypt), ("c9", "text", jwt),
        ("attr_7", "text", EN.name), ("attr_8", "text", PL.pesel), ("attr_9", "text", BR.cpf),
        ("attr_10", "text", EN.ssn), ("attr_11", "text", hexes(24)), ("attr_12", "text", EN.catch_phrase),
        ("attr_13", "text", EN.job), ("attr_14", "text", lambda: ES.nif()), ("attr_15", "text", DE.last_name),
        ("attr_16", "text", EN.ipv6), ("attr_17", "text", digits(11)), ("attr_18", "text", digits(9)),
    ],
    "kunden": [
        ("kundennr", "integer PRIMARY KEY", counter(100001)),
        ("vorname", "text", DE.first_name), ("nachname", "text", DE.last_name),
        ("strasse", "text", DE.street_address), ("plz", "text", DE.postcode), ("ort", "text", DE.city),
        ("geburtsdatum", "date", lambda: DE.date_of_birth(minimum_age=18)),
        ("telefon", "text", DE.phone_number), ("steuer_id", "text", tax_id_de), ("iban", "text", DE.iban),
        ("blutgruppe", "text", pick("A+", "A-", "B+", "AB-", "0+", "0-")),
        ("angelegt_am", "date", lambda: DE.date_between("-3y", "today")),
        ("bestellungen", "integer", between(0, 40)),
    ],
    "abonnes": [
        ("id", "integer PRIMARY KEY", counter()),
        ("prenom", "text", FR.first_name), ("nom", "text", FR.last_name),
        ("courriel", "text", FR.email),
        ("adresse", "text", FR.street_address), ("code_postal", "text", FR.postcode),
        ("date_naissance", "date", lambda: FR.date_of_birth(minimum_age=18)),
        ("tel_portable", "text", FR.phone_number), ("num_secu", "text", nir_fr),
        ("salaire", "numeric(10,2)", between(1500, 9000, 2)),
        ("montant", "numeric(10,2)", between(5, 900, 2)),
    ],
    "clientes": [
        ("id", "integer PRIMARY KEY", counter()),
        ("nombre", "text", ES.first_name),
        ("apellidos", "text", lambda: f"{ES.last_name()} {ES.last_name()}"),
        ("correo", "text", ES.email), ("dni", "text", ES.nif), ("direccion", "text", ES.street_address),
        ("fecha_nacimiento", "date", lambda: ES.date_of_birth(minimum_age=18)),
        ("movil", "text", ES.phone_number), ("fecha_alta", "date", lambda: ES.date_between("-3y", "today")),
    ],
    "pazienti": [
        ("id", "integer PRIMARY KEY", counter()),
        ("nome", "text", IT.first_name), ("cognome", "text", IT.last_name),
        ("codice_fiscale", "text", IT.ssn),
        ("indirizzo", "text", IT.street_address), ("cap", "text", IT.postcode),
        ("diagnosi", "text", pick("diabete", "asma", "ipertensione", "emicrania")),
        ("icd10", "text", pick(*ICD)), ("farmaco", "text", pick(*DRUGS)),
        ("stanza", "integer", between(1, 60)),
    ],
    "osoby": [
        ("id", "integer PRIMARY KEY", counter()),
        ("imie", "text", PL.first_name), ("nazwisko", "text", PL.last_name), ("pesel", "text", PL.pesel),
        ("ulica", "text", PL.street_address), ("kod_pocztowy", "text", PL.postcode),
        ("kwota", "numeric(9,2)", between(1, 900, 2)),
    ],
    "personer": [
        ("id", "integer PRIMARY KEY", counter()),
        ("fornamn", "text", SV.first_name), ("efternamn", "text", SV.last_name),
        ("personnummer", "text", SV.ssn), ("gatuadress", "text", SV.street_address),
        ("mobil", "text", SV.phone_number), ("antal", "integer", between(0, 9)),
    ],
    "leden": [
        ("id", "integer PRIMARY KEY", counter()),
        ("voornaam", "text", NL.first_name), ("achternaam", "text", NL.last_name), ("bsn", "text", NL.ssn),
        ("straat", "text", NL.street_address), ("postcode", "text", NL.postcode),
        ("emailadres", "text", NL.email),
        ("lid_sinds", "date", lambda: NL.date_between("-9y", "today")),
    ],
    "cadastro": [
        ("id", "integer PRIMARY KEY", counter()),
        ("nome_completo", "text", BR.name), ("cpf", "text", BR.cpf), ("endereco", "text", BR.street_address),
        ("cep", "text", BR.postcode), ("nascimento", "date", lambda: BR.date_of_birth(minimum_age=18)),
        ("telefone", "text", BR.phone_number), ("saldo", "numeric(9,2)", between(1, 900, 2)),
    ],
    "documents": [
        ("id", "integer PRIMARY KEY", counter()),
        ("doc", "jsonb", as_json(document)),
        ("tags", "text[]", sequenced(pick("red", "new", "sale", "summer"))),
        ("recipients", "text[]", sequenced(EN.email)),
        ("attrs", "hstore", settings),
        ("note", "text", ticket),
        ("template", "text", sentence(20)),
        ("log_line", "text", log_line),
        ("link", "text", lambda: f"https://example.com/unsubscribe?email={EN.email().replace('@', '%40')}"
                                 f"&c={random_.randint(1, 99)}"),
        ("image", "text", lambda: f"https://cdn.example.com/{hexes(16)()}.png"),
    ],
    "visits": [
        ("id", "bigint PRIMARY KEY", counter()),
        ("session", "uuid", lambda: uuid.UUID(int=random_.getrandbits(128))),
        ("client", "inet", EN.ipv4_public),
        ("lat", "double precision", lambda: float(EN.latitude())),
        ("lng", "double precision", lambda: float(EN.longitude())),
        ("agent", "text", EN.user_agent), ("app_version", "text", version),
        ("referrer", "text", EN.url), ("score", "double precision", between(-90, 90, 6)),
        ("ratio", "double precision", between(0, 1, 6)),
    ],
    "logins": [
        ("id", "integer PRIMARY KEY", counter()),
        ("login", "text", EN.user_name), ("password", "text", bcrypt),
        ("api_key", "text", token("sk_live_", 24)),
        ("totp_secret", "text", token("", 32, string.ascii_uppercase + "234567")),
        ("last_ip", "text", EN.ipv4_public),
        ("password_changed_at", "timestamp", lambda: EN.date_time_between("-1y")),
        ("failed_attempts", "integer", between(0, 5)),
        ("locale", "text", EN.locale), ("timezone", "text", EN.timezone),
    ],
}


def load(connection):
    """Makes and fills every table, in an empty database."""
    connection.execute("CREATE EXTENSION hstore")
    for table, columns in TABLES.items():
        described = ", ".join(f'"{name}" {type_}' for name, type_, _ in columns)
        connection.execute(f'CREATE TABLE "{table}" ({described})')
        with connection.cursor().copy(f'COPY "{table}" FROM STDIN') as copy:
            for _ in range(ROWS):
                copy.write_row([make() for _, _, make in columns])
    connection.commit()
