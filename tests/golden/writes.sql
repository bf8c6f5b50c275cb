INSERT INTO customers (id, name) VALUES (1, 'x')

INSERT INTO customers (name, email, ssn) VALUES ('x', 'x@x.test', '900-57-0005')

INSERT INTO customers VALUES (1, 'x', 'y')

INSERT INTO customers (id, email) VALUES (1, 'a@b.c') RETURNING id, email

INSERT INTO customers (id, email) VALUES (1, 'a@b.c') ON CONFLICT (id) DO UPDATE SET email = excluded.email

INSERT INTO customers (id, email) VALUES (1, 'a@b.c') ON CONFLICT (ssn) DO NOTHING

INSERT INTO orders (total) SELECT balance FROM customers

INSERT INTO orders (total) SELECT length(email) FROM customers

UPDATE customers SET balance = balance + 1 WHERE id = 5

UPDATE customers SET balance = balance + 1 WHERE id = 5 RETURNING ssn, email AS x

UPDATE customers SET balance = 1 RETURNING *

UPDATE customers SET balance = 1 RETURNING to_jsonb(customers)

UPDATE customers SET email = 'j***@example.com' WHERE id = 5

UPDATE customers c SET email = $1, name = $2::text WHERE id = $3

UPDATE customers SET email = DEFAULT WHERE id = 5

UPDATE customers SET email = 'x@' || ssn

UPDATE customers SET balance = length(ssn)

UPDATE customers SET (balance, name) = (SELECT 1, email)

UPDATE customers SET ssn = '900' WHERE id = 5

UPDATE customers SET balance = 0 WHERE ssn = '900-57-0005'

UPDATE customers SET balance = o.total FROM orders o WHERE o.customer_id = customers.id AND email LIKE 'a%'

UPDATE orders SET total = length(c.email) FROM customers c WHERE c.id = customer_id

UPDATE orders SET total = 0 FROM customers c WHERE c.id = customer_id AND c.ssn = '900'

DELETE FROM customers WHERE email = 'a@b.c'

DELETE FROM customers WHERE id = 1 RETURNING name

DELETE FROM orders USING customers c WHERE c.id = customer_id AND c.ssn = 'x'

WITH gone AS (DELETE FROM customers WHERE id = 1 RETURNING email) SELECT email FROM gone

MERGE INTO customers c USING orders o ON c.id = o.customer_id WHEN MATCHED THEN UPDATE SET balance = 1

MERGE INTO orders o USING customers c ON c.ssn = 'x' WHEN MATCHED THEN DELETE

UPDATE v_customers SET email = 'x'

COPY customers (id, name) FROM STDIN

COPY customers (id, ssn) FROM STDIN

MERGE INTO customers c USING (VALUES (5, 'j***@example.com')) AS v(id, mail) ON c.id = v.id WHEN MATCHED THEN UPDATE SET email = v.mail WHEN NOT MATCHED THEN INSERT (id, email) VALUES (v.id, v.mail)

MERGE INTO customers c USING (VALUES (5, 'x')) AS v(id, mail) ON c.email = v.mail WHEN MATCHED AND c.ssn LIKE '900%' THEN DELETE WHEN MATCHED THEN UPDATE SET balance = length(c.name) WHEN NOT MATCHED THEN DO NOTHING

MERGE INTO customers c USING (VALUES (5, 'x')) AS v(id, mail) ON email = v.mail WHEN MATCHED THEN DELETE

MERGE INTO customers c USING orders o ON c.id = o.customer_id WHEN MATCHED AND c.name = 'x' THEN UPDATE SET balance = $1, email = $2 WHEN NOT MATCHED THEN INSERT (id, name) VALUES (o.id, 'new')

MERGE INTO customers c USING orders o ON c.id = o.customer_id WHEN MATCHED THEN UPDATE SET balance = 2 RETURNING merge_action(), c.id, c.email, c.*

MERGE INTO customers c USING customers d ON c.id = d.id WHEN NOT MATCHED THEN INSERT (id, email) VALUES (d.id, d.email)

MERGE INTO orders o USING customers c ON c.id = o.customer_id WHEN MATCHED THEN UPDATE SET total = length(c.email)

MERGE INTO orders o USING customers c ON c.id = o.customer_id WHEN NOT MATCHED THEN INSERT (id, total) VALUES (c.id, length(c.email))

UPDATE customers c SET email = v.email FROM (VALUES (1, 'a***@b.c')) AS v(id, email) WHERE c.id = v.id

WITH v(id, email) AS (VALUES (1, 'a***@b.c')) UPDATE customers c SET email = v.email FROM v WHERE c.id = v.id

WITH v AS (SELECT id, email FROM customers) UPDATE customers c SET email = v.email FROM v WHERE c.id = v.id

WITH RECURSIVE v AS (SELECT id, m FROM w), w AS (SELECT id, email AS m FROM customers) UPDATE customers c SET email = v.m FROM v WHERE c.id = v.id

UPDATE customers c SET balance = 1 RETURNING c

UPDATE customers SET balance = 1 RETURNING row_to_json(customers), customers AS whole

UPDATE customers SET balance = 1 RETURNING (customers).email

UPDATE customers SET balance = 1 RETURNING old.email, new.email AS now, old.id, old.*

UPDATE customers SET balance = 1 RETURNING WITH (OLD AS o, NEW AS n) o.email || '', n.name, o

UPDATE customers SET balance = 1 RETURNING z.email || ''

DELETE FROM customers c USING orders old WHERE old.customer_id = c.id RETURNING old.total, c.email

WITH v AS (SELECT id, email AS m FROM customers) UPDATE customers c SET email = v.m FROM v WHERE c.id = v.id

WITH v AS (SELECT id, email AS m FROM customers) UPDATE customers SET email = m FROM v WHERE customers.id = v.id

WITH v AS (SELECT id, email AS m FROM customers) UPDATE orders SET note = (SELECT m FROM v LIMIT 1)

UPDATE orders o SET note = s.m FROM (SELECT id, email AS m FROM customers) s WHERE s.id = o.customer_id

UPDATE orders o SET total = 0 FROM (SELECT id, email AS m FROM customers) s WHERE s.id = o.customer_id AND s.m LIKE 'a%'

WITH v AS (SELECT id, email AS m FROM customers) INSERT INTO orders (note) SELECT m FROM v

WITH v AS (UPDATE customers SET balance = 0 RETURNING email AS m) INSERT INTO orders (note) SELECT m FROM v

WITH v AS (SELECT id FROM customers WHERE email LIKE 'a%') DELETE FROM orders USING v WHERE v.id = customer_id

UPDATE customers SET name = $1, email = $2, ssn = $3, balance = $4 WHERE id = $5

UPDATE customers SET ssn = lower($1) WHERE id = 5

UPDATE public.customers SET balance = 1 WHERE public.customers.id = 5 AND public.customers.email = 'x' RETURNING public.customers.email

UPDATE customers SET balance=1 RETURNING"email"

UPDATE customers SET balance = 1 WHERE email[1] = 'x' RETURNING name[1], email::varchar(3), CASE WHEN true THEN 1 ELSE ssn END

UPDATE orders SET note = b FROM customers AS l (a, b, c) WHERE a = 5
