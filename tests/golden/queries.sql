SELECT 1

SELECT total FROM orders

SELECT id, balance FROM customers WHERE id = 5

SELECT count(*) FROM customers

SELECT 'customers' AS label

SELECT id, email FROM customers ORDER BY id LIMIT 5

SELECT * FROM customers

SELECT c.* FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.total > 5

SELECT ssn AS product_code FROM customers ORDER BY id LIMIT 5

SELECT ssn AS product_code FROM customers ORDER BY product_code

SELECT email, id FROM customers ORDER BY 1

SELECT email FROM customers WHERE ssn LIKE '900%'

SELECT upper(email) FROM customers c

SELECT customers FROM customers

SELECT c.row_to_json FROM customers c

SELECT c.email, to_jsonb(c) FROM customers AS c

SELECT x.b FROM customers AS x(a, b)

SELECT DISTINCT email FROM customers

SELECT email, count(*) FROM customers GROUP BY email

WITH customers AS (SELECT 1 AS id) SELECT * FROM customers

WITH c AS (SELECT * FROM customers) SELECT c.email FROM c

WITH RECURSIVE customers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM customers WHERE n < 3) SELECT * FROM customers

SELECT o.total, (SELECT email FROM customers WHERE id = o.customer_id) FROM orders o

SELECT total FROM orders UNION ALL SELECT length(ssn) FROM customers

TABLE customers

SELECT * FROM ONLY customers

SELECT * FROM ONLY (public.customers) c

SELECT id FROM customers *

SELECT email FROM customers TABLESAMPLE system (10)

SELECT email FROM customers NATURAL JOIN orders

SELECT email FROM customers FOR UPDATE

SELECT ctid, upper(email) FROM customers

SELECT ctid, * FROM (SELECT ctid, * FROM customers) c

SELECT email FROM contacts

SELECT email FROM hr.contacts

SELECT email FROM public.contacts

SELECT email FROM v_customers

SELECT v.id FROM v_customers v JOIN customers c USING (id)

SELECT salary FROM hr.employees

SELECT id FROM hr.employees

SELECT * FROM employees

SELECT most_common_vals FROM pg_stats

SELECT query_to_xml('select 1', true, true, '')

SELECT query FROM pg_stat_activity

SELECT 1; SELECT email FROM customers; SELECT upper(ssn) FROM customers

SELECT email FROM customers c WHERE c.id IN (SELECT id FROM customers WHERE ssn = '900-57-0005')

VALUES ((SELECT ssn FROM customers LIMIT 1))

SELECT "customers"."email" FROM "public"."customers"

SELECT U&"\0065mail" FROM customers

SELECT U&"!0065mail" UESCAPE '!' FROM U&"c\0075stomers"

SELECT coalesce(c.email, 'none'), c.id FROM orders LEFT JOIN customers c ON c.id = customer_id

SELECT email FROM customers AS x TABLESAMPLE bernoulli (50) REPEATABLE (1) WHERE id > 3

SELECT c.id, c.email, count(*) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY c.balance

SELECT id, email FROM customers GROUP BY id HAVING count(*) > 0

SELECT c.email, count(*) FROM customers c GROUP BY ROLLUP (c.email)

SELECT rank() OVER (ORDER BY ssn) FROM customers

SELECT c.email FROM customers c, LATERAL (SELECT max(total) FROM orders o WHERE o.customer_id = c.id) m

SELECT id FROM customers WHERE email IN ('a', 'b') AND ARRAY[ssn] = ARRAY['x']

SELECT public.customers.id, public.customers.email || '' FROM public.customers WHERE public.customers.id = 5

SELECT public.customers.* FROM customers ORDER BY public.customers.email

SELECT (SELECT max(public.customers.email) FROM public.customers), c.email FROM public.customers c

SELECT email FROM v_customers TABLESAMPLE system (1)

SELECT upper(email)FROM customers"c"

SELECT upper(email)FROM"customers"WHERE"customers".id=1

SELECT t.c FROM customers t (a, b, c) TABLESAMPLE BERNOULLI (60)
