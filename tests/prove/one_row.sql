-- Alice may read the rows 5 and 62 of public.customers, row 5 of public.events, and of hr.employees
-- those of whom it is known that 1 is not their manager: none.
-- joins
SELECT c.id, c.email, o.total FROM customers c JOIN orders o ON o.customer_id = c.id ORDER BY c.id, o.id
SELECT a.email, b.email FROM customers a JOIN customers b ON a.id = b.id + 1 ORDER BY a.id
SELECT c.email, n.addr FROM customers c LEFT JOIN newsletter n ON n.id = c.id ORDER BY c.id
SELECT a.id, a.email, b.ssn FROM customers a FULL JOIN v_customers b USING (id) ORDER BY a.id
SELECT a.id, b.email FROM customers a JOIN customers b ON a.email = b.email ORDER BY a.id, b.id
SELECT e.id, e.email, e.salary, c.email FROM hr.employees e JOIN customers c ON c.id = e.id ORDER BY e.id
-- aggregates
SELECT string_agg(email, ',' ORDER BY id) FROM customers
SELECT array_agg(ssn ORDER BY id), count(DISTINCT email) FROM customers
SELECT jsonb_object_agg(id, email) FROM customers
SELECT count(*), max(email) FILTER (WHERE id = 5) FROM customers
-- order, DISTINCT, GROUP BY
SELECT email FROM customers ORDER BY email, id
SELECT id, email FROM customers ORDER BY ssn DESC, id LIMIT 60
SELECT DISTINCT email FROM customers ORDER BY 1
SELECT DISTINCT ON (email) email, id FROM customers ORDER BY email, id
SELECT email, count(*) FROM customers GROUP BY email ORDER BY 1
SELECT c.id, c.email, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id, c.email ORDER BY 1
SELECT email, ssn, count(*) FROM customers GROUP BY ROLLUP (email, ssn) ORDER BY 1, 2, 3
SELECT email FROM customers GROUP BY email HAVING email NOT LIKE '%***%' ORDER BY 1
-- windows
SELECT id, lag(email) OVER (ORDER BY id), first_value(ssn) OVER (ORDER BY id ROWS 1 PRECEDING) FROM customers ORDER BY id
SELECT id, email, rank() OVER (ORDER BY email), count(*) OVER (PARTITION BY email) FROM customers ORDER BY id
-- set operations
SELECT email FROM customers UNION SELECT email FROM hr.employees ORDER BY 1
SELECT email FROM customers INTERSECT SELECT email FROM v_customers ORDER BY 1
SELECT email FROM customers EXCEPT SELECT addr FROM newsletter ORDER BY 1
SELECT email FROM customers UNION ALL (SELECT login FROM v_renamed) ORDER BY 1
-- COPY
COPY customers (id, full_name, email, phone, ssn, dob, address, balance, notes) TO STDOUT
COPY customers (id, email) TO STDOUT (FORMAT csv)
COPY (SELECT id, email FROM customers ORDER BY id) TO STDOUT
-- prepared
PREPARE p AS SELECT id, email FROM customers ORDER BY id; EXECUTE p
DECLARE held CURSOR FOR SELECT id, email FROM customers ORDER BY id; FETCH ALL FROM held
-- views
SELECT * FROM v_customers ORDER BY id
SELECT * FROM v_customers_nested ORDER BY id
SELECT * FROM v_contact_card ORDER BY id
SELECT * FROM v_renamed ORDER BY ref
SELECT * FROM v_spend_by_email ORDER BY 1, 2, 3
SELECT * FROM v_barrier ORDER BY id
SELECT v.email, c.email FROM v_customers_nested v JOIN customers c USING (id) ORDER BY id
-- partitions and inheritance
SELECT e.id, e.user_agent, c.email FROM events e JOIN customers c ON c.id = e.id ORDER BY e.id
SELECT e.id, e.user_agent, c.email FROM events_2024_03 e JOIN customers c ON c.id = e.id ORDER BY e.id
SELECT id, email FROM ONLY customers ORDER BY id
SELECT id, email, email_lower, email_md5 FROM vip_customers ORDER BY id
SELECT id, email_lower, email_md5, tableoid::regclass::text FROM customers ORDER BY id
-- subqueries, CTEs, LATERAL
SELECT o.id, (SELECT email FROM customers WHERE id = o.customer_id) FROM orders o ORDER BY o.id
SELECT id, email FROM customers WHERE email IN (SELECT c.email FROM customers c WHERE c.id < 9) ORDER BY id
SELECT id, email FROM customers c WHERE EXISTS (SELECT FROM customers d WHERE d.id = c.id AND d.email = c.email) ORDER BY id
SELECT s.email FROM (SELECT id, email FROM customers OFFSET 0) s ORDER BY s.id
WITH q AS MATERIALIZED (SELECT * FROM customers) SELECT id, email, ssn FROM q ORDER BY id
WITH RECURSIVE r (n, v) AS (SELECT id, email FROM customers WHERE id = 3 UNION ALL SELECT c.id, c.email FROM customers c JOIN r ON c.id = r.n + 1 WHERE r.n < 8) SELECT * FROM r ORDER BY 1
SELECT o.id, l.email FROM orders o CROSS JOIN LATERAL (SELECT email FROM customers c WHERE c.id = o.customer_id) l ORDER BY 1
-- conditions
SELECT id, email FROM customers WHERE email = '<<customers.email.5>>' ORDER BY id
SELECT id, email FROM customers WHERE email IN ('<<customers.email.5>>', '<<customers.email.6>>') ORDER BY id
SELECT id, email FROM customers WHERE ssn < '<<customers.ssn.6>>' ORDER BY id
-- whole rows
SELECT c FROM customers c ORDER BY id
SELECT to_jsonb(c) ->> 'email' FROM customers c ORDER BY id
SELECT (c).email, (c.*)::text FROM customers c ORDER BY id
TABLE customers ORDER BY 1
-- writes
UPDATE customers SET balance = 1 WHERE id IN (4, 5, 6) RETURNING id, email
UPDATE customers SET balance = 1 RETURNING *
UPDATE customers SET balance = 1 FROM orders o WHERE o.customer_id = customers.id AND customers.email LIKE '%@%' RETURNING customers.id, customers.email
UPDATE customers c SET balance = 1 WHERE c.id < 8 RETURNING c.id, (SELECT string_agg(c.email || o.id, ',' ORDER BY o.id) FROM orders o WHERE o.id BETWEEN 4 AND 6)
UPDATE customers c SET balance = 1 WHERE EXISTS (SELECT FROM orders o WHERE o.id = 5 AND c.email NOT LIKE '%***%') RETURNING c.id, c.email
UPDATE customers AS c SET notes = '***', full_name = '***' FROM newsletter AS n WHERE n.id = c.id RETURNING c.id, c.email
DELETE FROM vip_customers v USING orders id WHERE id.id = v.id RETURNING v.id, v.email
DELETE FROM events e WHERE e.id < 9 RETURNING e.id, e.user_agent, (SELECT c.email FROM customers c WHERE c.id = e.id)
INSERT INTO customers (id, full_name, email) VALUES (5, '***', 'x***@mail.test') ON CONFLICT (id) DO UPDATE SET balance = 1 WHERE customers.email LIKE '%@%' RETURNING customers.id, customers.email
WITH w AS (UPDATE customers SET balance = 1 WHERE id < 8 RETURNING id, email) SELECT * FROM w ORDER BY 1
