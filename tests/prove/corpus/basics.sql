-- One statement a line. Through the proxy each answers what it answers on the masked twin.
-- Without ORDER BY the order of rows is not compared.

-- shown as they are
SELECT email FROM customers WHERE id = 5
SELECT id, full_name, email, phone, ssn, dob, address, balance, notes FROM customers ORDER BY id
SELECT * FROM customers ORDER BY id
SELECT c.* FROM customers c WHERE c.id BETWEEN 3 AND 7 ORDER BY c.id
SELECT id, email AS contact FROM customers ORDER BY id LIMIT 5 OFFSET 3
TABLE newsletter ORDER BY id
SELECT * FROM hr.employees ORDER BY id
SELECT * FROM payments ORDER BY id
SELECT * FROM events ORDER BY id
SELECT * FROM events_2024_02 ORDER BY id
SELECT * FROM "UserProfiles" ORDER BY id
SELECT * FROM "клиенты" ORDER BY 1
SELECT * FROM leads ORDER BY id
SELECT * FROM contact_points ORDER BY customer_id
SELECT * FROM id_scans ORDER BY customer_id
SELECT id, ssn, personal_phone FROM vip_customers ORDER BY id
SELECT id, email FROM ONLY customers ORDER BY id

-- computed
SELECT upper(email), length(ssn), left(phone, 4) FROM customers ORDER BY id
SELECT id, full_name || ' <' || email || '>' FROM customers ORDER BY id
SELECT id, extract(year FROM dob), extract(doy FROM dob), age(timestamp '2024-01-01', dob) FROM customers ORDER BY id
SELECT id, coalesce(notes, 'none'), notes IS NULL FROM customers ORDER BY id
SELECT id, CASE WHEN dob < '1970-01-01' THEN 'old' ELSE email END FROM customers ORDER BY id
SELECT id, split_part(email, '@', 2) AS domain FROM customers ORDER BY domain, id
SELECT id, md5(email), reverse(ssn) FROM customers ORDER BY id
SELECT id, ssn::char(6), email::varchar(3) FROM customers ORDER BY id
SELECT id, address->'geo'->>'lat', address IS NULL FROM customers ORDER BY id
SELECT p.customer_id, emails[1], cardinality(phones), o.id FROM contact_points p JOIN orders o USING (customer_id) ORDER BY o.id
SELECT id, salary * 2, salary IS NULL FROM hr.employees ORDER BY id
SELECT concat_ws('|', id, full_name, email, phone) FROM customers ORDER BY id

-- predicates
SELECT id FROM customers WHERE email LIKE 'b%' ORDER BY id
SELECT id FROM customers WHERE email LIKE '%@mail.test' ORDER BY id
SELECT id FROM customers WHERE ssn = '*******1205'
SELECT id FROM customers WHERE right(ssn, 4) = '1230'
SELECT id FROM customers WHERE ssn > '900-5' ORDER BY id
SELECT id FROM customers WHERE dob BETWEEN '1960-01-01' AND '1969-12-31' ORDER BY id
SELECT id FROM customers WHERE full_name = '***' ORDER BY id LIMIT 3
SELECT id FROM customers WHERE notes IS NULL ORDER BY id
SELECT id FROM customers WHERE phone IN ('+47 555 55 55 05', '**************05')
SELECT id FROM hr.employees WHERE salary > 500000 ORDER BY id
SELECT count(*) FROM events WHERE ip = '10.0.0.1'
SELECT count(*) FROM customers WHERE email ~ '^[a-m]'

-- grouping, ordering, windows
SELECT split_part(email, '@', 2), count(*) FROM customers GROUP BY 1 ORDER BY 1
SELECT left(email, 1) AS letter, count(*), min(id) FROM customers GROUP BY letter ORDER BY letter
SELECT email, count(*) FROM customers GROUP BY email ORDER BY email
SELECT DISTINCT full_name FROM customers
SELECT count(DISTINCT email), count(DISTINCT ssn), count(DISTINCT full_name), count(notes) FROM customers
SELECT id, email FROM customers ORDER BY email, id
SELECT id FROM customers ORDER BY dob DESC, id LIMIT 10
SELECT id, rank() OVER (ORDER BY email), row_number() OVER (PARTITION BY dob ORDER BY id) FROM customers ORDER BY id
SELECT id, lag(email) OVER (ORDER BY id) FROM customers ORDER BY id
SELECT min(email), max(ssn), min(dob), max(phone) FROM customers
SELECT string_agg(email, ',' ORDER BY id) FROM customers WHERE id < 9
SELECT DISTINCT ON (left(email, 1)) id, email FROM customers ORDER BY left(email, 1), id
SELECT dept, sum(salary), avg(salary), count(salary) FROM hr.employees GROUP BY dept ORDER BY dept
SELECT c.id, c.email, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY c.id

-- joins, subqueries, sets
SELECT o.id, c.email FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id
SELECT c.id, k.result FROM customers c JOIN kyc_checks k USING (ssn) ORDER BY c.id
SELECT c.id, k.result FROM customers c NATURAL JOIN (SELECT ssn, result FROM kyc_checks) k ORDER BY c.id
SELECT p.id, c.email FROM products p LEFT JOIN customers c ON c.id = p.id + 58 ORDER BY p.id
SELECT a.id, b.id FROM customers a JOIN customers b ON a.email = b.email AND a.id < b.id ORDER BY 1, 2
SELECT id, (SELECT c.email FROM customers c WHERE c.id = o.customer_id) FROM orders o ORDER BY id
SELECT id FROM orders o WHERE EXISTS (SELECT FROM customers c WHERE c.id = o.customer_id AND c.email LIKE 'k%') ORDER BY id
SELECT p.id, l.email FROM products p, LATERAL (SELECT email FROM customers c WHERE c.id = p.id) l ORDER BY p.id
WITH x AS (SELECT id, email FROM customers WHERE id < 9) SELECT x.email, y.email FROM x JOIN x y ON y.id = x.id + 1 ORDER BY x.id
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT n, email FROM r JOIN customers ON id = n ORDER BY n
SELECT email FROM customers WHERE id < 4 UNION SELECT sku FROM products WHERE id < 3 ORDER BY 1
SELECT full_name FROM customers INTERSECT SELECT full_name FROM hr.employees
SELECT ssn FROM customers WHERE id < 9 EXCEPT SELECT ssn FROM kyc_checks WHERE id < 5 ORDER BY 1
SELECT id FROM customers WHERE ssn = ANY (SELECT ssn FROM kyc_checks WHERE result = 'ok') ORDER BY id

-- whole rows
SELECT c FROM customers c WHERE id < 4 ORDER BY id
SELECT row_to_json(c) FROM customers c WHERE id < 4 ORDER BY id
SELECT to_jsonb(n)->>'addr' FROM newsletter n ORDER BY id
SELECT array_agg(n::text ORDER BY id) FROM newsletter n WHERE id < 4
SELECT (c).email, c IS NULL FROM customers c WHERE id < 4 ORDER BY id

-- views
SELECT * FROM v_customers ORDER BY id
SELECT * FROM v_customers_nested WHERE id < 9 ORDER BY id
SELECT * FROM v_contact_card ORDER BY id
SELECT * FROM v_renamed ORDER BY ref
SELECT * FROM v_spend_by_email ORDER BY email
SELECT * FROM v_people_union ORDER BY src, id
SELECT * FROM v_barrier WHERE email LIKE 'b%' ORDER BY id
SELECT * FROM hr.v_payroll ORDER BY id

-- locks, cursors, copies, explicit types
SELECT email FROM customers WHERE id = 5 FOR UPDATE
SELECT email FROM customers c TABLESAMPLE SYSTEM (100) ORDER BY id
COPY (SELECT id, email FROM customers ORDER BY id) TO STDOUT
COPY newsletter TO STDOUT
COPY customers (id, email, ssn) TO STDOUT (FORMAT csv, HEADER)

-- writes that read nothing hidden
UPDATE customers SET balance = balance + 1 WHERE id = 5
UPDATE customers SET balance = 0 WHERE id = 6 RETURNING id, email, balance
UPDATE newsletter SET active = true WHERE id = 900
DELETE FROM newsletter WHERE id = 15
DELETE FROM contact_points WHERE customer_id = 15 RETURNING customer_id, emails
