-- What administrators and their tools send: psql's backslash commands, pg_dump, monitoring, settings.

-- psql
SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'p' THEN 'partitioned table' END as "Type", pg_catalog.pg_get_userbyid(c.relowner) as "Owner" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam WHERE c.relkind IN ('r','p','v','m','S','f','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2
SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(customers)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3
SELECT c.relchecks, c.relkind, c.relhasindex, c.relhasrules, c.relhastriggers, c.relrowsecurity, c.relforcerowsecurity, false AS relhasoids, c.relispartition, '', c.reltablespace, CASE WHEN c.reloftype = 0 THEN '' ELSE c.reloftype::pg_catalog.regtype::pg_catalog.text END, c.relpersistence, c.relreplident, am.amname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class tc ON (c.reltoastrelid = tc.oid) LEFT JOIN pg_catalog.pg_am am ON (c.relam = am.oid) WHERE c.oid = 'orders'::regclass
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull, (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation, a.attidentity, a.attgenerated FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'payments'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
SELECT c2.relname, i.indisprimary, i.indisunique, i.indisclustered, i.indisvalid, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), pg_catalog.pg_get_constraintdef(con.oid, true), contype, condeferrable, condeferred, i.indisreplident, c2.reltablespace FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i LEFT JOIN pg_catalog.pg_constraint con ON (conrelid = i.indrelid AND conindid = i.indexrelid AND contype IN ('p','u','x')) WHERE c.oid = 'customers'::regclass AND c.oid = i.indrelid AND i.indexrelid = c2.oid ORDER BY i.indisprimary DESC, c2.relname
SELECT r.conname, pg_catalog.pg_get_constraintdef(r.oid, true) FROM pg_catalog.pg_constraint r WHERE r.conrelid = 'products'::regclass AND r.contype = 'c' ORDER BY 1
SELECT conname, conrelid::pg_catalog.regclass AS ontable, pg_catalog.pg_get_constraintdef(oid, true) AS condef FROM pg_catalog.pg_constraint c WHERE confrelid IN (SELECT pg_catalog.pg_partition_ancestors('customers') UNION ALL VALUES ('customers'::pg_catalog.regclass)) AND contype = 'f' AND conparentid = 0 ORDER BY conname
SELECT pol.polname, pol.polpermissive, pg_catalog.pg_get_expr(pol.polqual, pol.polrelid), pol.polcmd FROM pg_catalog.pg_policy pol WHERE pol.polrelid = 'support_tickets'::regclass ORDER BY 1
SELECT c.oid::pg_catalog.regclass, c.relkind, inhdetachpending, pg_catalog.pg_get_expr(c.relpartbound, c.oid) FROM pg_catalog.pg_class c, pg_catalog.pg_inherits i WHERE c.oid = i.inhrelid AND i.inhparent = 'events'::regclass ORDER BY pg_catalog.pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', c.oid::pg_catalog.regclass::pg_catalog.text
SELECT t.tgname, pg_catalog.pg_get_triggerdef(t.oid, true), t.tgenabled, t.tgisinternal FROM pg_catalog.pg_trigger t WHERE t.tgrelid = 'newsletter'::regclass AND NOT t.tgisinternal ORDER BY 1
SELECT pg_catalog.pg_get_viewdef('v_customers'::regclass, true)
SELECT n.nspname as "Schema", p.proname as "Name", pg_catalog.pg_get_function_result(p.oid) as "Result data type", pg_catalog.pg_get_function_arguments(p.oid) as "Argument data types", CASE p.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' WHEN 'p' THEN 'proc' ELSE 'func' END as "Type" FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE pg_catalog.pg_function_is_visible(p.oid) AND n.nspname = 'public' AND p.prolang IN (SELECT oid FROM pg_language WHERE lanname IN ('sql', 'plpgsql')) ORDER BY 1, 2, 4
SELECT pg_catalog.pg_get_functiondef('vat'::regproc)
SELECT r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolconnlimit, ARRAY(SELECT b.rolname FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles b ON (m.roleid = b.oid) WHERE m.member = r.oid) as memberof FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1
SELECT n.nspname AS "Name", pg_catalog.pg_get_userbyid(n.nspowner) AS "Owner" FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1
SELECT n.nspname as "Schema", pg_catalog.format_type(t.oid, NULL) AS "Name", t.typname AS "Internal name", pg_catalog.array_to_string(ARRAY(SELECT e.enumlabel FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder), E'\n') AS "Elements" FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)) AND NOT EXISTS(SELECT 1 FROM pg_catalog.pg_type el WHERE el.oid = t.typelem AND el.typarray = t.oid) AND n.nspname = 'public' ORDER BY 1, 2
SELECT e.extname AS "Name", n.nspname AS "Schema" FROM pg_catalog.pg_extension e LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'plpgsql' ORDER BY 1
SELECT n.nspname as "Schema", t.typname as "Name", pg_catalog.format_type(t.typbasetype, t.typtypmod) as "Type", pg_catalog.array_to_string(ARRAY(SELECT pg_catalog.pg_get_constraintdef(r.oid, true) FROM pg_catalog.pg_constraint r WHERE t.oid = r.contypid ORDER BY r.conname), ' ') as "Check" FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'd' AND n.nspname = 'public' ORDER BY 1, 2
SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN 'r' THEN 'table' ELSE 'other' END as "Type", CASE WHEN pg_catalog.array_length(c.relacl, 1) = 0 THEN '(none)' ELSE pg_catalog.array_to_string(c.relacl, E'\n') END AS "Access privileges" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'hr' AND c.relkind IN ('r','v') ORDER BY 1, 2
SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'v') AND (c.relname) LIKE 'cust%' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1 LIMIT 1000
SELECT pg_catalog.quote_ident(attname) FROM pg_catalog.pg_attribute a, pg_catalog.pg_class c WHERE c.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped AND pg_catalog.quote_ident(attname) LIKE 'em%' AND pg_catalog.quote_ident(relname) = 'customers' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1 LIMIT 1000
SELECT stxname, pg_catalog.pg_get_statisticsobjdef_columns(oid) FROM pg_catalog.pg_statistic_ext WHERE stxnamespace = 'public'::regnamespace ORDER BY 1

-- pg_dump and its like
SET statement_timeout = 0
SET lock_timeout = 0
SET idle_in_transaction_session_timeout = 0
SET client_encoding = 'UTF8'
SET standard_conforming_strings = on
SELECT pg_catalog.set_config('search_path', '', false)
SET check_function_bodies = false
SET xmloption = content
SET row_security = off
SET extra_float_digits TO 3
SET DATESTYLE = ISO
SET INTERVALSTYLE = POSTGRES
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY
LOCK TABLE public.customers IN ACCESS SHARE MODE
LOCK TABLE public.orders, public.products IN ACCESS SHARE MODE
COPY public.customers (id, full_name, email, phone, ssn, dob, address, balance, notes, created_at) TO stdout
COPY public.orders (id, customer_id, status, total, placed_at) TO stdout
COPY hr.employees (id, full_name, email, salary, national_id, dept, manager_id, hired) TO stdout
COPY public."UserProfiles" (id, "E-mail", "Full Name", "Theme", prefs) TO stdout
COPY public."клиенты" ("ид", "имя", "телефон", "город") TO stdout
COPY public.events_2024_02 (id, customer_id, at, kind, ip, user_agent) TO stdout
COPY (SELECT * FROM ONLY public.customers ORDER BY id) TO STDOUT WITH (FORMAT text, NULL '\N')
COPY (SELECT id, email, dob FROM customers ORDER BY 1) TO STDOUT WITH CSV HEADER QUOTE '"' FORCE QUOTE email
COPY products TO STDOUT WITH (FORMAT csv, DELIMITER ';', HEADER)
COPY (SELECT id, ip FROM events WHERE id < 20 ORDER BY id) TO STDOUT (FORMAT binary)
SELECT tableoid, oid, nspname, nspowner FROM pg_namespace WHERE nspname IN ('public', 'hr') ORDER BY 3
SELECT sequencename, start_value, increment_by, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1
SELECT last_value, is_called FROM public.customers_id_seq
SELECT pg_catalog.pg_get_serial_sequence('customers', 'id')
SELECT pg_catalog.pg_get_userbyid(d.datdba), d.encoding, d.datcollate FROM pg_catalog.pg_database d WHERE d.datname = 'template1'

-- monitoring
SELECT 1
SELECT pg_is_in_recovery()
SELECT count(*) >= 0 FROM pg_stat_database
SELECT relname, n_live_tup >= 0, seq_scan >= 0 FROM pg_stat_user_tables WHERE relname = 'orders'
SELECT indexrelname, idx_scan >= 0 FROM pg_stat_user_indexes WHERE schemaname = 'public' ORDER BY 1
SELECT count(*) > 0 FROM pg_settings WHERE name LIKE 'autovacuum%'
SELECT name, setting, unit FROM pg_settings WHERE name IN ('max_identifier_length', 'block_size') ORDER BY 1
SELECT pg_size_pretty(pg_total_relation_size('products'))
SELECT pg_relation_size('order_items') > 0, pg_table_size('app_settings') > 0, pg_indexes_size('orders') > 0
SELECT c.oid::regclass::text AS "table", pg_total_relation_size(c.oid) >= 0 AS sized FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 1
SELECT relname, reltuples::bigint AS estimate FROM pg_class WHERE relname IN ('customers', 'orders') ORDER BY 1
SELECT datname IS NOT NULL, age(datfrozenxid) > 0 FROM pg_database WHERE datname = 'postgres'
SELECT pg_postmaster_start_time() < now(), now() - pg_conf_load_time() > interval '0'
SELECT pg_backend_pid() > 0
SELECT inet_server_port() IS NULL OR inet_server_port() > 0
SELECT current_user = session_user, current_setting('server_version_num')::int >= 150000
SELECT has_table_privilege('customers', 'SELECT'), has_schema_privilege('hr', 'USAGE')
SELECT to_regclass('public.customers')::text, to_regclass('nowhere.customers')
SELECT pg_stat_get_numscans('orders'::regclass) >= 0
SELECT checkpoints_timed >= 0 FROM pg_stat_bgwriter
SELECT slot_name FROM pg_replication_slots
SELECT client_addr FROM pg_stat_replication
SELECT wait_event_type, count(*) > 0 FROM pg_stat_activity WHERE pid = pg_backend_pid() GROUP BY 1
SELECT schemaname, tablename, attname FROM pg_stats WHERE tablename = 'products' ORDER BY 3

-- information_schema
SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_schema = 'hr' ORDER BY 2
SELECT column_name, data_type, character_maximum_length, numeric_precision FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'kyc_checks' ORDER BY ordinal_position
SELECT tc.constraint_name, kcu.column_name, ccu.table_name AS foreign_table FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kcu ON kcu.constraint_name = tc.constraint_name JOIN information_schema.constraint_column_usage ccu ON ccu.constraint_name = tc.constraint_name WHERE tc.constraint_type = 'FOREIGN KEY' AND tc.table_name = 'orders' ORDER BY 1, 2, 3
SELECT routine_name, data_type FROM information_schema.routines WHERE routine_schema = 'public' AND routine_name LIKE 'get_%' ORDER BY 1
SELECT table_name FROM information_schema.views WHERE table_schema = 'public' AND table_name LIKE 'v_cat%' ORDER BY 1
SELECT trigger_name, event_manipulation FROM information_schema.triggers WHERE event_object_table = 'payments' ORDER BY 1, 2

-- settings
SHOW search_path
SHOW server_version
SHOW transaction_isolation
SHOW DateStyle
SET search_path TO hr, public
SET LOCAL work_mem = '8MB'
SET ROLE reporting
RESET ROLE
RESET ALL
SET application_name = 'nightly report'
SET LOCAL enable_seqscan = off
SELECT set_config('statement_timeout', '30s', true)
SELECT current_setting('search_path'), current_setting('nosuch.setting', true)
SET CONSTRAINTS ALL DEFERRED
DEALLOCATE ALL
DISCARD PLANS
UNLISTEN *
ANALYZE customers
ANALYZE orders (total)
EXPLAIN (COSTS OFF) SELECT count(*) FROM products
EXPLAIN (COSTS OFF, FORMAT JSON) SELECT id FROM orders WHERE customer_id = 3
EXPLAIN (COSTS OFF) SELECT email FROM customers WHERE id = 5
COMMENT ON TABLE app_settings IS 'keys and values'
CREATE TEMP TABLE staging (id integer, v text)
CREATE INDEX ON app_settings (value)
ALTER TABLE products ADD COLUMN weight numeric
CREATE VIEW v_cheap AS SELECT id, sku FROM products WHERE price < 5
GRANT SELECT ON products TO reporting
TRUNCATE app_settings
REFRESH MATERIALIZED VIEW mv_sales
REINDEX TABLE app_settings
ALTER SEQUENCE orders_id_seq RESTART WITH 2000
