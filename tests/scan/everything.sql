-- A schema with one of everything. Values with `zq7` in them are canaries: none may be seen anywhere.

CREATE DOMAIN mail_address AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE level AS ENUM ('low', 'high');

CREATE TABLE people (
  id integer PRIMARY KEY,
  dropped text,
  email mail_address NOT NULL UNIQUE,
  phone varchar(20),
  note text,
  level level,
  active boolean,
  photo bytea,
  tags text[],
  profile jsonb,
  lower_email text GENERATED ALWAYS AS (lower(email)) STORED
);
ALTER TABLE people DROP COLUMN dropped;
COMMENT ON TABLE people IS 'who has an account';
COMMENT ON COLUMN people.phone IS 'mobile number';
INSERT INTO people (id, email, phone, note, level, active, photo, tags, profile)
SELECT n, 'zq7person' || n || '@example.com', '+49 30 9018' || (1000 + n), 'zq7 note ' || n, 'low', true,
       '\x7a7137', ARRAY['zq7tag' || n],
       jsonb_build_object('contact', jsonb_build_object('email', 'zq7json' || n || '@example.com'))
FROM generate_series(1, 300) n;

CREATE TABLE "Weird ""Table""" ("E-Mail Address" text, "üñï" text);
INSERT INTO "Weird ""Table""" SELECT 'zq7weird' || n || '@example.com', 'x' FROM generate_series(1, 50) n;

CREATE TABLE events (id integer, at date NOT NULL, user_email text) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 (user_email text, at date NOT NULL, id integer);
ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
  PARTITION BY LIST (id);
CREATE TABLE events_2026_one PARTITION OF events_2026 FOR VALUES IN (1);
INSERT INTO events SELECT 1, date '2025-01-01' + n, 'zq7event' || n || '@example.com'
FROM generate_series(0, 400) n;

CREATE TABLE parent (id integer, email text);
CREATE TABLE child (extra_email text) INHERITS (parent);
INSERT INTO child SELECT n, 'zq7c' || n || '@example.com', 'zq7x' || n || '@example.com'
FROM generate_series(1, 20) n;

CREATE TABLE nothing ();
CREATE TABLE empty (email text);
CREATE UNLOGGED TABLE wide AS
SELECT n AS id, repeat('zq7wide ', 100000) AS body, 'zq7w' || n || '@example.com' AS email
FROM generate_series(1, 40) n;

CREATE TABLE large AS SELECT n AS id, 'zq7large' || n || '@example.com' AS email
FROM generate_series(1, 100000) n;
ANALYZE large;

CREATE VIEW v_people AS SELECT id, email FROM people;
CREATE MATERIALIZED VIEW m_people AS SELECT id, email FROM people;

CREATE SCHEMA "Other Schema";
CREATE TABLE "Other Schema".contacts (mail text);
INSERT INTO "Other Schema".contacts VALUES ('zq7other@example.com');
