-- What object-relational mappers emit.

-- SQLAlchemy
SELECT customers.id, customers.full_name, customers.email, customers.phone, customers.ssn, customers.dob, customers.address, customers.balance, customers.notes, customers.created_at FROM customers WHERE customers.id = 5
SELECT customers.id AS customers_id, customers.full_name AS customers_full_name, customers.email AS customers_email FROM customers ORDER BY customers.id LIMIT 10 OFFSET 5
SELECT customers_1.id AS customers_1_id, customers_1.email AS customers_1_email, orders.id AS orders_id, orders.total AS orders_total FROM orders LEFT OUTER JOIN customers AS customers_1 ON customers_1.id = orders.customer_id ORDER BY orders.id
SELECT anon_1.customers_id AS anon_1_customers_id, anon_1.customers_email AS anon_1_customers_email, orders_1.id AS orders_1_id, orders_1.status AS orders_1_status FROM (SELECT customers.id AS customers_id, customers.email AS customers_email FROM customers ORDER BY customers.id LIMIT 5) AS anon_1 LEFT OUTER JOIN orders AS orders_1 ON anon_1.customers_id = orders_1.customer_id ORDER BY anon_1.customers_id, orders_1.id
SELECT orders.customer_id AS orders_customer_id, orders.id AS orders_id, orders.status AS orders_status FROM orders WHERE orders.customer_id IN (1, 2, 3, 4) ORDER BY orders.id
SELECT count(*) AS count_1 FROM (SELECT customers.id AS customers_id, customers.full_name AS customers_full_name, customers.email AS customers_email FROM customers WHERE customers.balance > 10) AS anon_1
SELECT count(customers.id) AS count_1 FROM customers WHERE customers.email LIKE 'b%%'
SELECT EXISTS (SELECT * FROM customers WHERE customers.id = 3) AS anon_1
SELECT customers.id, customers.email FROM customers WHERE (customers.email LIKE '%' || 'mail' || '%') ORDER BY customers.email DESC, customers.id
SELECT lower(customers.email) AS lower_1, customers.id FROM customers WHERE lower(customers.email) = lower('A@B.test') ORDER BY customers.id
SELECT customers.id, customers.full_name FROM customers WHERE EXISTS (SELECT 1 FROM orders WHERE customers.id = orders.customer_id AND orders.status = 'new') ORDER BY customers.id
SELECT employees_1.id AS id_1, employees_1.full_name AS full_name_1, hr.employees.id, hr.employees.full_name FROM hr.employees LEFT OUTER JOIN hr.employees AS employees_1 ON employees_1.id = hr.employees.manager_id ORDER BY hr.employees.id
SELECT customers.address ->> 'city' AS anon_1, (customers.address #>> '{geo, lat}') AS anon_2 FROM customers WHERE CAST((customers.address ->> 'zip') AS INTEGER) = 12 ORDER BY customers.id
WITH RECURSIVE chain(id, full_name, manager_id, depth) AS (SELECT hr.employees.id AS id, hr.employees.full_name AS full_name, hr.employees.manager_id AS manager_id, 0 AS depth FROM hr.employees WHERE hr.employees.manager_id IS NULL UNION ALL SELECT e.id AS id, e.full_name AS full_name, e.manager_id AS manager_id, chain.depth + 1 AS anon_1 FROM hr.employees AS e JOIN chain ON e.manager_id = chain.id) SELECT chain.id, chain.full_name, chain.depth FROM chain ORDER BY chain.depth, chain.id
SELECT customers.id, customers.email FROM customers WHERE customers.id = 5 FOR UPDATE
SELECT customers.id FROM customers WHERE customers.dob IS NOT NULL AND EXTRACT(year FROM customers.dob) > 1980 ORDER BY customers.id
INSERT INTO customers (full_name, email, phone, balance) VALUES ('A B', 'a.b@x.test', '+47 1', 0) RETURNING customers.id IS NOT NULL
INSERT INTO orders (customer_id, status, total) SELECT p0::INTEGER, p1::order_status, p2::NUMERIC FROM (VALUES (1, 'new', 10.0, 0), (2, 'paid', 20.0, 1)) AS imp_sen(p0, p1, p2, sen_counter) ORDER BY sen_counter RETURNING orders.customer_id
UPDATE customers SET full_name='New Name', notes='called' WHERE customers.id = 5
UPDATE customers SET balance=(customers.balance + 5) WHERE customers.id = 8 RETURNING customers.balance
DELETE FROM newsletter WHERE newsletter.id IN (3, 4)
SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p']) AND pg_catalog.pg_class.relpersistence != 't' AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog' ORDER BY 1
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) AS DEFAULT, a.attnotnull, a.attnum, pgd.description AS comment FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_description pgd ON (pgd.objoid = a.attrelid AND pgd.objsubid = a.attnum) WHERE a.attrelid = 'orders'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
SELECT typname AS name, typelem AS has_elem FROM pg_type WHERE typname = 'order_status'
select pg_catalog.version() IS NOT NULL
select current_schema()
show standard_conforming_strings

-- Django
SELECT "customers"."id", "customers"."full_name", "customers"."email", "customers"."phone", "customers"."ssn", "customers"."dob" FROM "customers" WHERE "customers"."id" = 5 LIMIT 21
SELECT "customers"."id", "customers"."email" FROM "customers" WHERE UPPER("customers"."email"::text) LIKE UPPER('%mail%') ORDER BY "customers"."email" ASC, "customers"."id" ASC
SELECT "orders"."id", "orders"."total", "customers"."id", "customers"."full_name", "customers"."email" FROM "orders" INNER JOIN "customers" ON ("orders"."customer_id" = "customers"."id") WHERE "orders"."total" > '10' ORDER BY "orders"."id" DESC LIMIT 5
SELECT COUNT(*) AS "__count" FROM "customers" WHERE "customers"."balance" >= '0'
SELECT (1) AS "a" FROM "customers" WHERE "customers"."email" = 'x@y.test' LIMIT 1
SELECT "customers"."id", "customers"."full_name", COUNT("orders"."id") AS "n" FROM "customers" LEFT OUTER JOIN "orders" ON ("customers"."id" = "orders"."customer_id") GROUP BY "customers"."id" HAVING COUNT("orders"."id") > 0 ORDER BY "n" DESC, "customers"."id" ASC
SELECT DISTINCT "customers"."email" FROM "customers" INNER JOIN "orders" ON ("customers"."id" = "orders"."customer_id") ORDER BY "customers"."email" ASC
SELECT U0."id" FROM "customers" U0 WHERE U0."full_name" IS NOT NULL ORDER BY U0."id"
SELECT "orders"."id" FROM "orders" WHERE "orders"."customer_id" IN (SELECT U0."id" FROM "customers" U0 WHERE U0."email"::text LIKE 'b%') ORDER BY "orders"."id" ASC
SELECT "customers"."id", EXISTS(SELECT (1) AS "a" FROM "orders" U0 WHERE U0."customer_id" = ("customers"."id") LIMIT 1) AS "has_orders" FROM "customers" WHERE NOT ("customers"."email" = '' AND "customers"."email" IS NOT NULL) ORDER BY "customers"."id" ASC
SELECT "customers"."id", CASE WHEN "customers"."dob" < '1975-01-01'::date THEN 'a' WHEN "customers"."dob" IS NULL THEN NULL ELSE 'b' END AS "band" FROM "customers" ORDER BY "band" ASC, "customers"."id" ASC
SELECT AVG("__col1"), SUM("__col2") FROM (SELECT "orders"."customer_id" AS "__col1", "orders"."total" AS "__col2" FROM "orders" ORDER BY "orders"."id" LIMIT 10) subquery
SELECT DATE_TRUNC('year', "customers"."dob" AT TIME ZONE 'UTC') AS "y", COUNT(*) AS "n" FROM "customers" GROUP BY 1 ORDER BY 1 ASC
SELECT ("customers"."address" -> 'city') AS "city" FROM "customers" WHERE ("customers"."address" #> '{geo,lat}') IS NOT NULL ORDER BY "customers"."id"
SELECT "contact_points"."customer_id", "contact_points"."emails" FROM "contact_points" WHERE "contact_points"."emails" @> (ARRAY['x'])::text[] ORDER BY 1
SELECT "customers"."id" FROM "customers" WHERE ("customers"."created_at" AT TIME ZONE 'UTC')::date = '2024-06-01'::date ORDER BY "customers"."id" ASC
SELECT "customers"."id", "customers"."email" FROM "customers" WHERE "customers"."id" = 6 LIMIT 21 FOR UPDATE
SELECT "UserProfiles"."id", "UserProfiles"."E-mail", "UserProfiles"."Full Name" FROM "UserProfiles" ORDER BY "UserProfiles"."id" ASC LIMIT 4
INSERT INTO "hr"."employees" ("full_name", "email", "salary", "national_id", "dept", "manager_id", "hired") VALUES ('N N', 'n@x.test', '1000', '1', 'none', NULL, '2024-01-01'::date) RETURNING "hr"."employees"."dept"
INSERT INTO "support_tickets" ("id", "customer_id", "body", "agent", "state") VALUES (7001, 1, 'help', 'app', 'open'), (7002, 2, 'more help', 'app', 'open')
UPDATE "customers" SET "full_name" = 'Kari', "email" = 'kari@x.test', "phone" = NULL, "balance" = '12.50' WHERE "customers"."id" = 7
UPDATE "orders" SET "status" = (CASE WHEN ("orders"."id" = 1) THEN 'paid' WHEN ("orders"."id" = 2) THEN 'shipped' ELSE NULL END)::order_status WHERE "orders"."id" IN (1, 2)
DELETE FROM "order_items" WHERE "order_items"."order_id" IN (2)
SAVEPOINT "s140_x1"
SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END, obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1
SELECT s.relname AS sequence_name, a.attname AS colname FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass JOIN pg_attribute a ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum JOIN pg_class tbl ON tbl.oid = d.refobjid AND tbl.relname = 'orders' WHERE s.relkind = 'S' ORDER BY 1

-- Hibernate
select c1_0.id,c1_0.address,c1_0.balance,c1_0.created_at,c1_0.dob,c1_0.email,c1_0.full_name,c1_0.notes,c1_0.phone,c1_0.ssn from customers c1_0 where c1_0.id=5
select c1_0.id,c1_0.email,o1_0.customer_id,o1_0.id,o1_0.placed_at,o1_0.status,o1_0.total from customers c1_0 left join orders o1_0 on c1_0.id=o1_0.customer_id where c1_0.id<4 order by c1_0.id,o1_0.id
select o1_0.id,c1_0.id,c1_0.full_name,i1_0.order_id,i1_0.line_no,i1_0.qty from orders o1_0 join customers c1_0 on c1_0.id=o1_0.customer_id left join order_items i1_0 on o1_0.id=i1_0.order_id where o1_0.id=1 order by i1_0.line_no
select distinct c1_0.full_name,c1_0.email from customers c1_0 join orders o1_0 on o1_0.customer_id=c1_0.id where o1_0.status in ('new','paid')
select count(c1_0.id) from customers c1_0 where c1_0.email like '%test' escape ''
select c1_0.id from customers c1_0 where c1_0.email like 'b!_%' escape '!' order by 1 offset 0 rows fetch first 10 rows only
select c1_0.id,c1_0.email from customers c1_0 where c1_0.id=9 for no key update
select e1_0.id,e1_0.dept,e1_0.email,m1_0.id,m1_0.email from hr.employees e1_0 left join hr.employees m1_0 on m1_0.id=e1_0.manager_id where e1_0.dept in (select e2_0.dept from hr.employees e2_0 group by e2_0.dept having count(e2_0.id)>1) order by e1_0.id
select v1_0.id,v1_0.email,v1_0.perks,v1_0.personal_phone from vip_customers v1_0 order by v1_0.id
select c1_0.id, case when c1_1.id is not null then 1 when c1_0.id is not null then 0 end, c1_0.email, c1_1.perks from customers c1_0 left join vip_customers c1_1 on c1_0.id=c1_1.id order by c1_0.id
select nextval('customers_id_seq')>0
insert into orders (customer_id,placed_at,status,total) values (3,'2024-02-01 10:00:00+00','new',99.50)
update customers set address=null,balance=3,dob='1970-01-01',email='new@x.test',full_name='N',notes=null,phone=null where id=9
update orders set status='paid',total=100 where id=4 and total>=0
delete from order_items where order_id=3 and line_no=1
select c1_0.email||'',upper(c1_0.full_name),character_length(c1_0.ssn) from customers c1_0 where coalesce(c1_0.phone,'')<>'' order by c1_0.id
select c1_0.id from customers c1_0 where c1_0.dob=(select max(c2_0.dob) from customers c2_0) order by 1

-- ActiveRecord
SELECT "customers".* FROM "customers" WHERE "customers"."id" = 11 LIMIT 1
SELECT "customers".* FROM "customers" ORDER BY "customers"."id" ASC LIMIT 1
SELECT "customers".* FROM "customers" WHERE "customers"."email" = 'a@b.test' LIMIT 1
SELECT 1 AS one FROM "customers" WHERE "customers"."ssn" = '900' LIMIT 1
SELECT 1 AS one FROM "customers" WHERE LOWER("customers"."email") = LOWER('A@b.test') AND "customers"."id" != 5 LIMIT 1
SELECT "orders".* FROM "orders" WHERE "orders"."customer_id" IN (1, 2, 3) ORDER BY "orders"."id"
SELECT "customers"."id" AS t0_r0, "customers"."full_name" AS t0_r1, "customers"."email" AS t0_r2, "orders"."id" AS t1_r0, "orders"."total" AS t1_r1 FROM "customers" LEFT OUTER JOIN "orders" ON "orders"."customer_id" = "customers"."id" WHERE "orders"."total" > 5 ORDER BY t0_r0, t1_r0
SELECT DISTINCT "customers".* FROM "customers" INNER JOIN "orders" ON "orders"."customer_id" = "customers"."id" WHERE "orders"."status" = 'paid'
SELECT DISTINCT "customers"."full_name", "customers"."dob" FROM "customers"
SELECT COUNT(*) FROM (SELECT 1 AS one FROM "customers" WHERE (email LIKE '%corp%') LIMIT 10) subquery_for_count
SELECT "customers"."id", "customers"."email" FROM "customers" WHERE "customers"."id" > 10 ORDER BY "customers"."id" ASC LIMIT 1000
SELECT COUNT(*) AS "count_all", "customers"."dob" AS "customers_dob" FROM "customers" GROUP BY "customers"."dob" ORDER BY "customers"."dob"
SELECT MAX("customers"."created_at") FROM "customers"
SELECT "customers".* FROM "customers" WHERE NOT ("customers"."phone" IS NULL) AND "customers"."dob" BETWEEN '1960-01-01' AND '1965-12-31' ORDER BY "customers"."id"
SELECT "customers".* FROM "customers" WHERE "customers"."id" = 12 LIMIT 1 FOR UPDATE
INSERT INTO "customers" ("full_name", "email", "phone", "balance", "notes", "created_at") VALUES ('Ola', 'ola@x.test', NULL, 0.0, NULL, '2024-05-01 00:00:00') RETURNING "balance"
INSERT INTO "app_settings" ("key","value") VALUES ('a', '1'), ('b', '2') ON CONFLICT ("key") DO UPDATE SET "value"=excluded."value" RETURNING "key"
UPDATE "customers" SET "notes" = 'seen', "balance" = 1 WHERE "customers"."id" = 12
UPDATE "products" SET "stock" = COALESCE("stock", 0) + 1 WHERE "products"."id" = 5
DELETE FROM "newsletter" WHERE "newsletter"."id" = 9
SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.atttypid, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment, attidentity AS identity, attgenerated as attgenerated FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum LEFT JOIN pg_type t ON a.atttypid = t.oid LEFT JOIN pg_collation c ON a.attcollation = c.oid AND a.attcollation <> t.typcollation WHERE a.attrelid = '"products"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
SELECT distinct i.relname, d.indisunique, d.indkey::text, pg_get_indexdef(d.indexrelid), obj_description(i.oid, 'pg_class') AS comment FROM pg_class t INNER JOIN pg_index d ON t.oid = d.indrelid INNER JOIN pg_class i ON d.indexrelid = i.oid LEFT JOIN pg_namespace n ON n.oid = t.relnamespace WHERE i.relkind IN ('i', 'I') AND d.indisprimary = 'f' AND t.relname = 'customers' AND n.nspname = ANY (current_schemas(false)) ORDER BY i.relname
SELECT t2.oid::regclass::text AS to_table, a1.attname AS column, c.conname AS name, c.confupdtype AS on_update, c.condeferrable AS deferrable FROM pg_constraint c JOIN pg_class t1 ON c.conrelid = t1.oid JOIN pg_class t2 ON c.confrelid = t2.oid JOIN pg_attribute a1 ON a1.attnum = c.conkey[1] AND a1.attrelid = t1.oid JOIN pg_namespace t3 ON c.connamespace = t3.oid WHERE c.contype = 'f' AND t1.relname = 'payments' AND t3.nspname = ANY (current_schemas(false)) ORDER BY c.conname
SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype FROM pg_type as t LEFT JOIN pg_range as r ON oid = rngtypid WHERE t.typname IN ('int4', 'text', 'bool', 'jsonb') ORDER BY t.oid
SET client_min_messages TO 'warning'
SET SESSION timezone TO 'UTC'
SHOW max_identifier_length
SELECT pg_try_advisory_lock(4242)
SELECT pg_advisory_unlock(4242)

-- Prisma
SELECT "public"."customers"."id", "public"."customers"."full_name", "public"."customers"."email", "public"."customers"."address" FROM "public"."customers" WHERE ("public"."customers"."id" = 5 AND 1=1) LIMIT 1 OFFSET 0
SELECT "public"."customers"."id", "public"."customers"."email" FROM "public"."customers" WHERE ("public"."customers"."email"::text LIKE '%mail%' AND "public"."customers"."id" IN (1,2,3,4,5,6)) ORDER BY "public"."customers"."id" ASC OFFSET 0
SELECT COUNT(*) FROM (SELECT "public"."customers"."id" FROM "public"."customers" WHERE 1=1 OFFSET 0) AS "sub"
SELECT "t0"."id", "t0"."email", "t1"."__prisma_data__" AS "orders" FROM "public"."customers" AS "t0" LEFT JOIN LATERAL (SELECT COALESCE(JSONB_AGG("__prisma_data__"), '[]') AS "__prisma_data__" FROM (SELECT "t3"."__prisma_data__" FROM (SELECT JSONB_BUILD_OBJECT('id', "t2"."id", 'total', "t2"."total") AS "__prisma_data__" FROM (SELECT "t1".* FROM "public"."orders" AS "t1" WHERE "t0"."id" = "t1"."customer_id" ORDER BY "t1"."id") AS "t2") AS "t3") AS "t4") AS "t1" ON TRUE WHERE "t0"."id" < 4 ORDER BY "t0"."id"
SELECT "t0"."id", JSONB_BUILD_OBJECT('id', "t1"."id", 'email', "t1"."email", 'dob', "t1"."dob") AS "customer" FROM "public"."orders" AS "t0" LEFT JOIN LATERAL (SELECT "t2".* FROM "public"."customers" AS "t2" WHERE "t0"."customer_id" = "t2"."id" LIMIT 1) AS "t1" ON TRUE ORDER BY "t0"."id" ASC LIMIT 4
UPDATE "public"."customers" SET "full_name" = 'P', "notes" = NULL WHERE ("public"."customers"."id" = 14 AND 1=1) RETURNING "public"."customers"."id", "public"."customers"."balance"
DELETE FROM "public"."newsletter" WHERE ("public"."newsletter"."id" = 7 AND 1=1) RETURNING "public"."newsletter"."id", "public"."newsletter"."addr", "public"."newsletter"."active"
SELECT "public"."customers"."id", COUNT("aggr_selection_0_orders"."_aggr_count_orders") FROM "public"."customers" LEFT JOIN (SELECT "public"."orders"."customer_id", COUNT(*) AS "_aggr_count_orders" FROM "public"."orders" WHERE 1=1 GROUP BY "public"."orders"."customer_id") AS "aggr_selection_0_orders" ON ("public"."customers"."id" = "aggr_selection_0_orders"."customer_id") GROUP BY "public"."customers"."id" ORDER BY 1

-- TypeORM and Sequelize
SELECT "c"."id" AS "c_id", "c"."full_name" AS "c_full_name", "c"."email" AS "c_email", "c"."phone" AS "c_phone" FROM "customers" "c" WHERE "c"."email" = 'x@x.test' ORDER BY "c_id" ASC LIMIT 1
SELECT DISTINCT "distinctAlias"."c_id" AS "ids_c_id" FROM (SELECT "c"."id" AS "c_id", "c"."email" AS "c_email", "o"."id" AS "o_id" FROM "customers" "c" LEFT JOIN "orders" "o" ON "o"."customer_id"="c"."id") "distinctAlias" ORDER BY "c_id" ASC LIMIT 6
SELECT COUNT(DISTINCT("c"."id")) AS "cnt" FROM "customers" "c" LEFT JOIN "orders" "o" ON "o"."customer_id"="c"."id" WHERE "c"."full_name" ILIKE '%a%'
SELECT COUNT(1) AS "cnt" FROM "customers" "c"
INSERT INTO "contact_points"("customer_id", "emails", "phones", "verified") VALUES (900, '{"a@x.test","b@x.test"}', DEFAULT, DEFAULT) RETURNING "verified"
INSERT INTO "products"("id", "sku", "name", "category", "price", "description", "stock") VALUES (DEFAULT, 'S-900', 'n', 'c', 1, DEFAULT, DEFAULT) RETURNING "stock"
UPDATE "customers" SET "address" = '{"city":"Oslo"}', "notes" = 'x' WHERE "id" IN (15)
SELECT "id", "full_name", "email", "phone", "balance" FROM "customers" AS "Customer" WHERE ("Customer"."balance" >= 10 AND "Customer"."email" LIKE '%test') ORDER BY "Customer"."balance" DESC, "Customer"."id" LIMIT 10 OFFSET 2
SELECT "Customer"."id", "Customer"."email", "Orders"."id" AS "Orders.id", "Orders"."total" AS "Orders.total" FROM "customers" AS "Customer" INNER JOIN "orders" AS "Orders" ON "Customer"."id" = "Orders"."customer_id" AND "Orders"."status" = 'paid' ORDER BY 1, 3
SELECT "Customer".*, "Orders"."id" AS "Orders.id" FROM (SELECT "Customer"."id", "Customer"."email", "Customer"."dob" FROM "customers" AS "Customer" ORDER BY "Customer"."id" ASC LIMIT 3) AS "Customer" LEFT OUTER JOIN "orders" AS "Orders" ON "Customer"."id" = "Orders"."customer_id" ORDER BY "Customer"."id" ASC, "Orders"."id"
SELECT count(*) AS "count" FROM "customers" AS "Customer" WHERE "Customer"."dob" IS NULL
INSERT INTO "memos" ("id","body") VALUES (801,'hello') ON CONFLICT ("id") DO NOTHING
SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'orders' ORDER BY ordinal_position
SELECT "table_schema", "table_name" FROM "information_schema"."tables" WHERE "table_schema" IN ('public', 'hr') AND "table_type" = 'BASE TABLE' ORDER BY 1, 2

-- GORM, Ecto, Entity Framework, jOOQ, Doctrine
SELECT * FROM "customers" WHERE "customers"."id" = 16 ORDER BY "customers"."id" LIMIT 1
SELECT count(*) FROM "customers" WHERE email LIKE 'k%' AND "customers"."phone" IS NOT NULL
SELECT "Customer__id","Orders"."total" FROM (SELECT id AS "Customer__id" FROM "customers" WHERE balance > 0) x LEFT JOIN "orders" "Orders" ON "Orders"."customer_id" = "Customer__id" ORDER BY 1, 2
SELECT c0."id", c0."email", o1."id" FROM "customers" AS c0 INNER JOIN "orders" AS o1 ON o1."customer_id" = c0."id" WHERE (c0."email" = ANY('{a@b.test,c@d.test}')) ORDER BY c0."id", o1."id"
SELECT sc0."email", count(so0."id") FROM (SELECT ssc0."id" AS "id", ssc0."email" AS "email" FROM "customers" AS ssc0 ORDER BY ssc0."id" LIMIT 20) AS sc0 LEFT OUTER JOIN "orders" AS so0 ON so0."customer_id" = sc0."id" GROUP BY sc0."email" ORDER BY 2 DESC, 1
SELECT c."Id", c."Email", t.n FROM (SELECT x.id AS "Id", x.email AS "Email" FROM customers AS x) AS c LEFT JOIN LATERAL (SELECT count(*)::int AS n FROM orders AS o WHERE o.customer_id = c."Id") AS t ON TRUE WHERE c."Email" IS NOT NULL ORDER BY c."Id" LIMIT 7
SELECT c.id, c.full_name, c.email FROM customers AS c WHERE c.id = ANY (ARRAY[1,2,3]::integer[]) AND strpos(c.email, '@') > 0 ORDER BY c.id
select "public"."customers"."id", (select coalesce(jsonb_agg(jsonb_build_array("v0", "v1")), jsonb_build_array()) from (select "o"."id" as "v0", "o"."total" as "v1" from "public"."orders" as "o" where "o"."customer_id" = "public"."customers"."id" order by "o"."id") as "t") as "orders", "public"."customers"."email" from "public"."customers" where "public"."customers"."id" < 4 order by "public"."customers"."id"
SELECT t0.id AS id_1, t0.full_name AS full_name_2, t0.email AS email_3 FROM customers t0 WHERE t0.id = 18 LIMIT 1
SELECT DISTINCT id_0 FROM (SELECT c0_.id AS id_0, c0_.email AS email_1 FROM customers c0_ LEFT JOIN orders o1_ ON c0_.id = o1_.customer_id ORDER BY c0_.email ASC) dctrn_result ORDER BY id_0 LIMIT 5
