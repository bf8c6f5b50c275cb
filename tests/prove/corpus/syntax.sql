-- One of each: the places in PostgreSQL's grammar where a value can come from.

-- subqueries anywhere
SELECT (SELECT email FROM customers WHERE id = 5), (SELECT max(ssn) FROM customers)
SELECT id FROM products ORDER BY (SELECT c.email FROM customers c WHERE c.id = products.id), id
SELECT id FROM products LIMIT (SELECT count(*) FROM customers WHERE email LIKE 'b%')
SELECT id FROM orders GROUP BY id, (SELECT c.full_name FROM customers c WHERE c.id = orders.customer_id) ORDER BY id LIMIT 3
SELECT status FROM orders GROUP BY status HAVING count(*) > (SELECT count(*) FROM customers WHERE phone IS NULL) ORDER BY 1
SELECT ARRAY(SELECT email FROM customers WHERE id < 4 ORDER BY id)
SELECT CASE (SELECT left(email, 1) FROM customers WHERE id = 1) WHEN 'a' THEN 1 ELSE 2 END
SELECT id FROM customers WHERE email > ALL (SELECT addr FROM newsletter WHERE id < 3) ORDER BY id
SELECT id FROM customers WHERE (email, phone) = (SELECT email, phone FROM customers WHERE id = 8) ORDER BY id
SELECT id FROM customers WHERE (full_name, dob) IN (SELECT full_name, dob FROM customers WHERE id < 3) ORDER BY id
SELECT ROW(1, (SELECT email FROM customers WHERE id = 2)) = ROW(1, 'x')
SELECT * FROM generate_series(1, (SELECT count(*)::int FROM customers WHERE ssn LIKE '%2')) AS g ORDER BY g
SELECT sum(id) FILTER (WHERE id IN (SELECT id FROM customers WHERE dob > '1980-01-01')) FROM orders
SELECT count(*) FROM orders o JOIN customers c ON (SELECT o.customer_id) = c.id AND c.email <> (SELECT min(email) FROM customers)
SELECT x FROM (SELECT y AS x FROM (SELECT z AS y FROM (SELECT email AS z FROM customers WHERE id < 4) a) b) c ORDER BY 1
SELECT DISTINCT ON ((SELECT 1)) id, email FROM customers ORDER BY (SELECT 1), id

-- common table expressions
WITH customers AS (SELECT 1 AS id, 'mine' AS email) SELECT id, email FROM customers
WITH customers AS (SELECT * FROM customers WHERE id < 3) SELECT id, email FROM customers ORDER BY id
WITH a AS (WITH customers AS (SELECT 7 AS id) SELECT id FROM customers) SELECT c.id, c.email FROM a JOIN customers c USING (id)
WITH t(a, b) AS MATERIALIZED (SELECT id, email FROM customers) SELECT a, b FROM t WHERE a < 4 ORDER BY a
WITH t AS NOT MATERIALIZED (TABLE customers) SELECT count(*), min(email) FROM t
WITH RECURSIVE boss AS (SELECT id, manager_id, email, 1 AS level FROM hr.employees WHERE id = 20 UNION SELECT e.id, e.manager_id, e.email, b.level + 1 FROM hr.employees e JOIN boss b ON e.id = b.manager_id) SELECT * FROM boss ORDER BY level, id
WITH RECURSIVE t AS (SELECT id, manager_id, full_name FROM hr.employees WHERE manager_id IS NULL UNION ALL SELECT e.id, e.manager_id, e.full_name FROM hr.employees e JOIN t ON e.manager_id = t.id) SEARCH DEPTH FIRST BY id SET ord SELECT id, full_name FROM t ORDER BY ord
WITH RECURSIVE t AS (SELECT id, manager_id, email FROM hr.employees WHERE id = 9 UNION ALL SELECT e.id, e.manager_id, e.email FROM hr.employees e JOIN t ON e.id = t.manager_id) CYCLE id SET looped USING path SELECT id, email, looped FROM t ORDER BY id
WITH RECURSIVE s(i, rest) AS (SELECT 0, (SELECT email FROM customers WHERE id = 3) UNION ALL SELECT i + 1, substr(rest, 2) FROM s WHERE rest <> '' AND i < 20) SELECT i, rest FROM s ORDER BY i
WITH up AS (UPDATE customers SET balance = 9 WHERE id < 4 RETURNING id, email, balance) SELECT up.id, up.email, c.balance FROM up JOIN customers c USING (id) ORDER BY up.id
WITH a AS (SELECT id FROM customers WHERE email LIKE 'a%'), b AS (SELECT id FROM a UNION SELECT id FROM customers WHERE phone LIKE '%9') SELECT id FROM b ORDER BY id

-- set operations
(SELECT email FROM customers ORDER BY id LIMIT 2) UNION ALL (SELECT addr FROM newsletter ORDER BY id LIMIT 2) ORDER BY 1
SELECT id FROM customers EXCEPT ALL SELECT customer_id FROM orders ORDER BY 1
SELECT left(email, 1) FROM customers INTERSECT ALL SELECT left(addr, 1) FROM newsletter ORDER BY 1
SELECT dob FROM customers UNION SELECT hired FROM hr.employees ORDER BY 1 LIMIT 10
SELECT NULL UNION ALL SELECT ssn FROM customers WHERE id = 2 ORDER BY 1
TABLE newsletter UNION ALL TABLE newsletter ORDER BY 1 LIMIT 4
VALUES ('a', 1), ((SELECT email FROM customers WHERE id = 4), 2) ORDER BY 2
SELECT count(*) FROM ((SELECT ssn FROM customers) INTERSECT (SELECT ssn FROM kyc_checks UNION SELECT national_id FROM hr.employees)) s

-- joins
SELECT c.id, l.n FROM customers c CROSS JOIN LATERAL (SELECT length(c.email) AS n) l ORDER BY c.id
SELECT c.id, t.part FROM customers c, LATERAL regexp_split_to_table(c.email, '@') WITH ORDINALITY AS t(part, n) ORDER BY c.id, t.n
SELECT c.id, p.id FROM customers c LEFT JOIN LATERAL (SELECT id FROM payments p WHERE p.order_id = c.id ORDER BY id LIMIT 1) p ON true ORDER BY c.id
SELECT id, n.addr, k.ssn FROM newsletter n FULL JOIN kyc_checks k USING (id) ORDER BY id
SELECT id, email FROM hr.contacts NATURAL JOIN (SELECT id FROM contacts) x ORDER BY id
SELECT j.id, j.addr FROM (newsletter JOIN invitations USING (id)) AS j ORDER BY 1
SELECT u.id, ssn FROM newsletter JOIN kyc_checks USING (id) AS u ORDER BY 1
SELECT c.email, p.email FROM hr.contacts c RIGHT JOIN contacts p ON p.id = c.id + 10 ORDER BY p.id
SELECT count(*) FROM customers a CROSS JOIN customers b WHERE a.ssn < b.ssn
SELECT e.id, c.id FROM hr.employees e LEFT JOIN customers c ON e.full_name = c.full_name AND c.id = 1 ORDER BY e.id
SELECT a, b FROM ROWS FROM (generate_series(1, 2), unnest((SELECT array_agg(email ORDER BY id) FROM customers WHERE id < 3))) AS f(a, b) ORDER BY a
SELECT c.* FROM customers c, orders o WHERE o.customer_id = c.id AND o.id = 4
SELECT o.*, c.email FROM orders o NATURAL LEFT JOIN (SELECT id AS customer_id, email FROM customers) c ORDER BY o.id LIMIT 5

-- whole rows and composites
SELECT (SELECT c FROM customers c WHERE id = 2)::text
SELECT to_json(c)->'email', to_jsonb(c) - 'id' FROM customers c WHERE id = 3
SELECT json_agg(n ORDER BY n.id) FROM newsletter n WHERE n.id < 3
SELECT count(DISTINCT n), count(n.*) FROM newsletter n
SELECT (n).* FROM newsletter n WHERE id = 2
SELECT (x.n).addr FROM (SELECT n FROM newsletter n WHERE id < 3) x ORDER BY (x.n).id
SELECT ROW(n.*) IS NOT NULL, n.* IS NULL FROM newsletter n WHERE id < 3 ORDER BY id
SELECT n.id FROM newsletter n ORDER BY n
SELECT n.id FROM newsletter n WHERE n = (SELECT m FROM newsletter m WHERE id = 4)
SELECT n.id FROM newsletter n GROUP BY n.id, n ORDER BY 1
SELECT hash_record(n) = hash_record(m) FROM newsletter n JOIN newsletter m ON n.id = m.id WHERE n.id < 3 ORDER BY n.id
SELECT email(c), c.id FROM customers c WHERE id < 4 ORDER BY 2
SELECT format('%s', n), concat(n, '!') FROM newsletter n WHERE id = 1
SELECT who, (who).ssn, who IS NULL, row_to_json(who) FROM leads ORDER BY id
SELECT (SELECT l FROM leads l WHERE id = 3)::text
SELECT max(n::text) FROM newsletter n
SELECT unnest(ARRAY[n.addr::text, n.active::text]) FROM newsletter n WHERE id = 3 ORDER BY 1
SELECT r.who, r.id FROM residents r ORDER BY r.id
SELECT * FROM json_populate_record(NULL::newsletter, '{"id": 1, "addr": "a@b.test"}')
SELECT id, email FROM jsonb_to_recordset((SELECT jsonb_agg(c) FROM customers c WHERE id < 4)) AS r(id int, email text) ORDER BY id
SELECT (json_each_text(row_to_json(k))).* FROM kyc_checks k WHERE id = 2 ORDER BY 1
SELECT (jsonb_populate_record(NULL::products, to_jsonb(p))).sku FROM products p ORDER BY 1

-- arrays, JSON, XML, ranges, text search
SELECT customer_id, emails[1:1], emails[array_upper(emails, 1)], emails @> ARRAY['x'] FROM contact_points ORDER BY 1
SELECT customer_id FROM contact_points WHERE 'x' <> ALL (emails) OR emails IS NULL ORDER BY 1
SELECT e FROM contact_points, unnest(emails, phones) AS u(e, p) ORDER BY e
SELECT jsonb_path_query(address, '$.geo.lat') FROM customers
SELECT id FROM customers WHERE address @? '$.geo ? (@.lat > 50)' OR jsonb_path_exists(address, '$.street') ORDER BY id
SELECT id, prefs['lang'], prefs - 'x', jsonb_typeof(prefs) FROM "UserProfiles" ORDER BY id
SELECT k, v FROM "UserProfiles" p, jsonb_each_text(p.prefs) AS j(k, v) ORDER BY k, v
SELECT id, jsonb_set(coalesce(address, '{}'), '{city}', to_jsonb(left(email, 1))) FROM customers WHERE id < 5 ORDER BY id
SELECT xmlelement(name customer, xmlattributes(id AS id), xmlforest(email, dob))::text FROM customers WHERE id < 3 ORDER BY id
SELECT (xpath('/a/text()', xmlelement(name a, ssn)))[1]::text FROM customers WHERE id = 1
SELECT id FROM customers WHERE daterange(dob, dob, '[]') && daterange('1960-01-01', '1962-01-01') ORDER BY id
SELECT range_agg(daterange(dob, (dob + 1)))::text FROM customers WHERE id IN (1, 51)
SELECT id, to_tsvector('simple', email) FROM customers WHERE to_tsvector('simple', full_name) @@ to_tsquery('simple', 'x') ORDER BY id
SELECT id, similarity(email, 'test'), email % 'mail.test' FROM customers WHERE id < 6 ORDER BY id
SELECT id, email::citext = 'B***@MAIL.TEST' FROM customers ORDER BY id LIMIT 8
SELECT id, hstore(n)->'addr' FROM newsletter n WHERE id < 4 ORDER BY id
SELECT num_nulls(phone, notes, address), num_nonnulls(VARIADIC ARRAY[email, ssn]) FROM customers WHERE id < 9 ORDER BY id

-- grouping
SELECT dob, left(email, 1), count(*) FROM customers WHERE id < 12 GROUP BY GROUPING SETS ((1), (2), (1, 2), ()) ORDER BY 1, 2
SELECT left(email, 1) AS l, dob IS NULL AS d, count(*) FROM customers GROUP BY DISTINCT ROLLUP (l, d), ROLLUP (l) ORDER BY 1, 2
SELECT c.id, c.email, c.balance * 2, max(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY c.id LIMIT 9
SELECT c.*, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY c.id
SELECT DISTINCT left(email, 1), dob FROM customers WHERE id < 9 ORDER BY 2, 1
SELECT count(*) FROM customers HAVING min(email) > 'a'
SELECT array_agg(id ORDER BY email DESC, id) FROM customers WHERE id < 9
SELECT ordinality, e FROM unnest(ARRAY(SELECT email FROM customers WHERE id < 4 ORDER BY id)) WITH ORDINALITY AS u(e, ordinality) ORDER BY 1

-- relations in every disguise
SELECT id, email FROM customers * WHERE id > 58 ORDER BY id
SELECT id, email FROM ONLY (customers) WHERE id > 58 ORDER BY id
SELECT count(email) FROM customers TABLESAMPLE BERNOULLI (100) REPEATABLE (3)
SELECT e.ip FROM ONLY events AS e TABLESAMPLE SYSTEM (100)
SELECT tableoid::regclass::text, id, email FROM customers WHERE id IN (1, 61) ORDER BY id
SELECT tableoid::regclass, count(*), count(ip) FROM events GROUP BY 1 ORDER BY 1::text
SELECT count(ctid) > 0, bool_and(xmin::text <> '0'), count(email) FROM customers
SELECT cmin = cmin, xmax = '0' OR true AS ok, email FROM customers WHERE id = 6
SELECT id, addr FROM public.newsletter AS "Ny""hets" WHERE "Ny""hets".active ORDER BY 1
SELECT "CUSTOMERS".email FROM customers "CUSTOMERS" WHERE "CUSTOMERS".id = 3
SELECT CuStOmErS.EMAIL FROM Public.Customers WHERE Customers.Id = 3
SELECT a.b, a.e FROM customers AS a(b, c, e) WHERE a.b = 4
SELECT клиенты.имя, "телефон" AS "Телефон №" FROM клиенты ORDER BY ид LIMIT 3
SELECT U&"\0438\043C\044F" FROM U&"\043A\043B\0438\0435\043D\0442\044B" ORDER BY U&"\0438\0434" LIMIT 2
SELECT id, email AS "select", full_name "from" FROM customers "where" ORDER BY id LIMIT 2
SELECT $$email$$, E'email\n', U&'\0061', B'1010', email FROM customers WHERE id = 2
SELECT /* email /* nested */ FROM customers */ id FROM products ORDER BY id -- , ssn FROM customers
SELECT id, email FROM customers WHERE email <> $q$it's$q$ AND id = 1 -- the end
SELECT email_lower, email_md5 FROM customers WHERE id < 4 ORDER BY id
SELECT id FROM customers WHERE email_lower = 'x' OR email_md5 LIKE 'a%'
SELECT id, addr::text, addr IS NULL, addr || '' FROM newsletter WHERE addr::varchar(2) <> 'x' ORDER BY id
SELECT 'a@b'::email_addr, CAST(email AS email_addr) FROM customers WHERE id = 4
SELECT id, ref, code FROM v_customers_nested JOIN v_renamed ON ref = id WHERE id < 5 ORDER BY id
SELECT v.id, v.email FROM v_barrier v WHERE v.email LIKE '%test' AND v.id < 6 ORDER BY 1
SELECT t.email FROM v_customers AS t (id, n, email) WHERE t.id = 7
SELECT doc, tax_ref FROM mv_customer_search WHERE false
SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'customers' AND 'email' <> 'ssn'

-- row locks, cursors, prepared statements
SELECT id, email FROM customers WHERE id < 4 ORDER BY id FOR KEY SHARE NOWAIT
SELECT a.id, b.email FROM customers a JOIN customers b ON a.id = b.id WHERE a.id = 3 FOR UPDATE OF a FOR SHARE OF b SKIP LOCKED
SELECT * FROM (SELECT id, email FROM customers WHERE id = 4 FOR UPDATE) x
DECLARE c1 CURSOR FOR SELECT id, email FROM customers ORDER BY id
DECLARE c2 NO SCROLL BINARY CURSOR WITHOUT HOLD FOR SELECT upper(email) FROM customers ORDER BY id
PREPARE p1 (int) AS SELECT email FROM customers WHERE id = $1
PREPARE p2 AS UPDATE customers SET full_name = $1, email = $2 WHERE id = $3
COPY (WITH x AS (SELECT id, upper(email) AS e FROM customers) SELECT * FROM x WHERE id < 5 ORDER BY id) TO STDOUT
COPY (UPDATE customers SET balance = 3 WHERE id = 5 RETURNING id, email) TO STDOUT
COPY (VALUES (1, 'customers'), (2, 'ssn')) TO STDOUT

-- operators, casts, types
SELECT id, email COLLATE "C" < 'm', email IS DISTINCT FROM phone, email IS NOT DISTINCT FROM email FROM customers ORDER BY id LIMIT 6
SELECT id, (dob, interval '1 year') OVERLAPS (date '1970-01-01', date '1980-01-01') FROM customers ORDER BY id LIMIT 6
SELECT id, email SIMILAR TO '%@(mail|corp).test', email ~* 'TEST$', email !~~ 'a%' FROM customers ORDER BY id LIMIT 6
SELECT id, email OPERATOR(pg_catalog.=) 'x', phone OPERATOR(pg_catalog.||) '!' FROM customers ORDER BY id LIMIT 3
SELECT id, dob + 1, dob - date '1950-01-01', dob::timestamp AT TIME ZONE 'UTC', extract(epoch FROM dob) FROM customers ORDER BY id LIMIT 4
SELECT id, salary::int, -salary, salary BETWEEN SYMMETRIC 5 AND 1, salary IN (1, 2) IS NOT TRUE FROM hr.employees ORDER BY id LIMIT 4
SELECT id, coalesce(ip, inet '0.0.0.0') & inet '255.0.0.0', nullif(kind, user_agent) FROM events ORDER BY id LIMIT 4
SELECT row(id, email) < row(3, 'x'), array[email, phone] && array['x'] FROM customers WHERE id < 4 ORDER BY id
SELECT id, (email LIKE 'a%')::int + (phone IS NULL)::int AS score FROM customers ORDER BY score DESC, id LIMIT 5
SELECT @+@ id, harmless(id) FROM customers WHERE email <> '' ORDER BY id LIMIT 3
SELECT pg_typeof(email), pg_typeof(dob), pg_typeof(addr) FROM customers JOIN newsletter USING (id) WHERE id = 1
SELECT email FROM customers WHERE id = 1 OFFSET NULL LIMIT ALL
SELECT FROM customers WHERE email LIKE 'a%'
SELECT 1 / 0 FROM customers WHERE id = 1
SELECT email::int FROM customers WHERE id = 1
