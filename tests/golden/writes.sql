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
