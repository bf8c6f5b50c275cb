COPY customers TO STDOUT

COPY customers (id, ssn) TO STDOUT

copy/**/ ( select ssn from customers where id<4 ) /* x */ to -- y
 stdout

COPY (SELECT ssn FROM customers) TO '/tmp/x'

COPY orders TO STDOUT

COPY orders FROM PROGRAM 'cat /etc/passwd'

PREPARE p AS SELECT email FROM customers WHERE id = $1

EXECUTE p(1)

DECLARE c CURSOR WITH HOLD FOR SELECT email FROM customers

FETCH 3 FROM c

EXPLAIN SELECT id FROM customers WHERE ssn < '9'

EXPLAIN SELECT id FROM customers WHERE id < 9

EXPLAIN (ANALYZE) INSERT INTO orders (total) SELECT length(ssn) FROM customers

CREATE TABLE t AS SELECT email FROM customers

CREATE TEMP TABLE t AS SELECT id FROM customers

SELECT email INTO t FROM customers

CREATE VIEW v AS SELECT email FROM customers

CREATE FUNCTION f() RETURNS text LANGUAGE sql AS E'select email from cust\x6fmers'

CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ begin execute 'x'; end $$

CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS $$ select a + 1 $$

CREATE TABLE other (id int, created_at timestamptz)

ALTER TABLE customers RENAME TO c2

ALTER TABLE orders ADD COLUMN note text

CREATE RULE r AS ON INSERT TO orders DO ALSO INSERT INTO orders SELECT 1, 1, length(ssn) FROM customers

CREATE INDEX ON customers ((email::int))

DROP TABLE customers

DO $$ begin raise info '%', (select email from customers limit 1); end $$

DO $$ begin perform 1; end $$

DO $$ begin execute 'select ema' || 'il from cust' || 'omers'; end $$

CREATE FOREIGN TABLE ft (a text) SERVER s OPTIONS (table_name 'x')

IMPORT FOREIGN SCHEMA public FROM SERVER s INTO x

LOAD 'auto_explain'

LOCK TABLE customers IN ACCESS SHARE MODE

TRUNCATE customers

ANALYZE customers

SET search_path = hr

REINDEX TABLE customers

CLUSTER customers USING customers_ssn_key

NOTIFY customers, 'x'

COMMENT ON TABLE customers IS 'x'

GRANT SELECT ON customers TO public

ALTER ROLE app PASSWORD 'x'

GRANT SELECT ON ALL TABLES IN SCHEMA public TO bob

GRANT SELECT ON orders TO bob

GRANT app TO bob

CREATE ROLE eve LOGIN
