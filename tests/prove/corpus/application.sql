-- What hand-written applications send: lists, look-ups, reports, search, jobs, checkouts.

-- lists and details
SELECT id, full_name, email, phone FROM customers ORDER BY created_at DESC, id LIMIT 20 OFFSET 0
SELECT id, full_name, balance FROM customers WHERE balance > 50 ORDER BY balance DESC, id
SELECT c.id, c.full_name, c.email FROM customers AS c WHERE c.id > 20 ORDER BY c.id LIMIT 10
SELECT * FROM customers WHERE id = 17
SELECT * FROM orders WHERE customer_id = 7 ORDER BY placed_at DESC, id DESC
SELECT id, sku, name, price::text || ' EUR' AS price FROM products WHERE category IN (SELECT category FROM products WHERE id = 1) ORDER BY name, id
SELECT o.id, o.status, o.total, c.full_name AS customer FROM orders o INNER JOIN customers c ON o.customer_id = c.id WHERE o.status = 'paid' ORDER BY o.id
SELECT i.line_no, p.sku, p.name, i.qty, i.unit_price, i.qty * i.unit_price AS amount FROM order_items i JOIN products p ON p.id = i.product_id WHERE i.order_id = 3 ORDER BY i.line_no
SELECT p.id, p.order_id, p.card_number, p.amount, p.method FROM payments p WHERE p.order_id BETWEEN 1 AND 20 ORDER BY p.paid_at DESC, p.id
SELECT id, 'xxxx-' || right(card_number, 4) AS card FROM payments ORDER BY id
SELECT e.id, e.full_name, m.full_name AS manager FROM hr.employees e LEFT JOIN hr.employees m ON m.id = e.manager_id ORDER BY e.id
SELECT id, "E-mail", "Full Name", "Theme" FROM "UserProfiles" WHERE "Theme" <> 'dark' ORDER BY id
SELECT "ид", "имя", "город" FROM "клиенты" WHERE "город" IS NOT NULL ORDER BY "ид"
SELECT id, customer_id, at, kind, ip FROM events WHERE at >= '2024-01-15' AND at < '2024-02-15' ORDER BY at, id
SELECT customer_id, mime, scan IS NOT NULL AS has_scan FROM id_scans ORDER BY customer_id
SELECT t.id, t.body, t.agent FROM support_tickets t WHERE t.state = 'open' ORDER BY t.id
SELECT key, value FROM app_settings ORDER BY key

-- look-ups and search
SELECT id FROM customers WHERE lower(email) = lower('Somebody@Example.test')
SELECT id, full_name FROM customers WHERE email ILIKE '%@corp.test' ORDER BY id
SELECT id FROM customers WHERE full_name ILIKE '%ann%' OR email ILIKE '%ann%' OR phone LIKE '%55%' ORDER BY id
SELECT EXISTS (SELECT 1 FROM customers WHERE email = 'nobody@example.test')
SELECT id FROM customers WHERE phone IS NOT NULL AND right(phone, 2) = '12' ORDER BY id
SELECT count(*) AS total FROM customers WHERE email LIKE '%@mail.test'
SELECT 1 FROM newsletter WHERE addr = 'b***@mail.test' LIMIT 1
SELECT id FROM customers WHERE (full_name, dob) = ('***', '1955-01-01') ORDER BY id
SELECT id, email FROM customers WHERE id = ANY (ARRAY[3, 1, 4, 1, 5]) ORDER BY array_position(ARRAY[3, 1, 4, 5], id)
SELECT id FROM customers WHERE id NOT IN (SELECT customer_id FROM orders) ORDER BY id
SELECT p.* FROM products p WHERE to_tsvector('simple', p.name || ' ' || coalesce(p.description, '')) @@ plainto_tsquery('simple', 'item') ORDER BY p.id
SELECT id FROM hr.employees WHERE dept = 'it' AND national_id LIKE '%1%' ORDER BY id
SELECT id FROM "UserProfiles" WHERE prefs @> '{"lang": "no"}' ORDER BY id
SELECT id FROM "UserProfiles" WHERE prefs ? 'lang' ORDER BY id
SELECT customer_id FROM contact_points WHERE 'a@b.test' = ANY (emails) ORDER BY customer_id
SELECT customer_id FROM contact_points WHERE emails && ARRAY['a@b.test', 'b@b.test'] ORDER BY 1
SELECT id FROM events WHERE ip << inet '10.0.0.0/8' ORDER BY id
SELECT id, user_agent FROM events WHERE user_agent NOT LIKE '%bot%' AND kind = 'login' ORDER BY id
SELECT id FROM customers WHERE extract(month FROM dob) = extract(month FROM date '2024-01-09') AND extract(day FROM dob) = 1 ORDER BY id
SELECT id, date_part('year', age(date '2024-06-01', dob))::int AS age FROM customers WHERE dob <= date '2024-06-01' - interval '18 years' ORDER BY id

-- keyset paging
SELECT id, email FROM customers WHERE (created_at, id) < ('2030-01-01', 30) ORDER BY created_at DESC, id DESC LIMIT 5
SELECT id, full_name FROM customers WHERE (full_name, id) > ('***', 12) ORDER BY full_name, id LIMIT 5
SELECT *, count(*) OVER () AS total_count FROM newsletter ORDER BY id LIMIT 3
SELECT * FROM (SELECT id, email, row_number() OVER (ORDER BY email, id) AS rn FROM customers) q WHERE rn BETWEEN 11 AND 15 ORDER BY rn
SELECT id, email FROM customers ORDER BY email COLLATE "C" DESC NULLS LAST, id FETCH FIRST 3 ROWS ONLY
SELECT id, balance FROM customers ORDER BY balance DESC FETCH FIRST 4 ROWS WITH TIES

-- presentation
SELECT id, initcap(full_name) AS name, coalesce(phone, 'n/a') AS phone FROM customers ORDER BY id
SELECT id, to_char(dob, 'DD.MM.YYYY') AS born FROM customers ORDER BY id
SELECT id, trim(both ' ' FROM full_name) || ', ' || coalesce(address->>'city', '?') AS label FROM customers ORDER BY id
SELECT id, CASE WHEN email LIKE '%@corp.test' THEN 'staff' WHEN balance > 40 THEN 'good' ELSE 'plain' END AS segment FROM customers ORDER BY id
SELECT id, substring(email FROM '@(.*)$') AS domain, position('@' IN email) FROM customers ORDER BY id
SELECT id, overlay(ssn PLACING 'xxx' FROM 1 FOR 3), char_length(ssn) FROM customers ORDER BY id
SELECT json_build_object('id', id, 'name', full_name, 'contact', json_build_object('email', email, 'phone', phone)) FROM customers WHERE id <= 5 ORDER BY id
SELECT json_agg(json_build_object('id', c.id, 'email', c.email) ORDER BY c.id) FROM customers c WHERE c.balance = 0
SELECT jsonb_build_array(id, full_name, dob) FROM customers WHERE id IN (2, 3) ORDER BY id
SELECT jsonb_object_agg(id::text, email) FROM customers WHERE id < 5
SELECT id, address->'geo', address#>>'{geo,lat}', address->>'street' FROM customers ORDER BY id
SELECT format('%s <%s>', full_name, email) AS "to" FROM customers WHERE id = 9
SELECT greatest(phone, email), least(phone, email) FROM customers WHERE id < 7 ORDER BY id
SELECT id, md5(lower(trim(email))) AS gravatar FROM customers ORDER BY id LIMIT 4
SELECT id, encode(convert_to(email, 'UTF8'), 'base64') FROM customers WHERE id < 4 ORDER BY id
SELECT id, regexp_replace(phone, '[^0-9*]', '', 'g') AS digits FROM customers ORDER BY id
SELECT id, translate(ssn, '-', ''), split_part(ssn, '-', 3) FROM customers ORDER BY id
SELECT id, salary IS NOT NULL AS paid, coalesce(salary, 0)::money AS pay FROM hr.employees ORDER BY id
SELECT customer_id, array_to_string(emails, ', ') AS emails, array_length(phones, 1) FROM contact_points ORDER BY customer_id
SELECT customer_id, unnest(emails) AS email FROM contact_points ORDER BY 1, 2
SELECT customer_id, octet_length(scan), encode(substring(scan FROM 1 FOR 4), 'hex') FROM id_scans ORDER BY customer_id
SELECT id, host(ip), masklen(ip), family(ip) FROM events ORDER BY id LIMIT 10
SELECT (who).full_name, (who).email, source FROM leads ORDER BY id

-- baskets, stock and money
SELECT o.id, sum(i.qty * i.unit_price) AS computed, o.total FROM orders o JOIN order_items i ON i.order_id = o.id GROUP BY o.id ORDER BY o.id
SELECT order_total(3), vat(100)
SELECT id, price, vat(price) AS vat, price + vat(price) AS gross FROM products ORDER BY id LIMIT 8
SELECT p.id, p.stock - coalesce((SELECT sum(i.qty) FROM order_items i WHERE i.product_id = p.id), 0) AS free FROM products p ORDER BY p.id
SELECT o.id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.id) ORDER BY o.id
SELECT o.id, c.email, p.method, p.amount FROM orders o JOIN customers c ON c.id = o.customer_id LEFT JOIN payments p ON p.order_id = o.id AND p.amount > 0 WHERE o.total >= 10 ORDER BY o.id, p.id
SELECT c.id, c.email, (SELECT max(o.placed_at) FROM orders o WHERE o.customer_id = c.id) AS last_order FROM customers c ORDER BY c.id
SELECT c.id, c.full_name FROM customers c WHERE (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) >= 2 ORDER BY c.id
SELECT c.id, coalesce(s.n, 0) AS orders FROM customers c LEFT JOIN v_spend s ON s.customer_id = c.id ORDER BY c.id
SELECT sku, name, price FROM v_catalogue WHERE price < 50 ORDER BY price, sku
SELECT id, email, login FROM customers JOIN v_renamed ON ref = id WHERE login <> 'x' ORDER BY id LIMIT 5
SELECT c.label, k.label FROM contacts c FULL JOIN hr.contacts k USING (id) ORDER BY id
SELECT id, email FROM contacts WHERE email IS NOT NULL UNION ALL SELECT id, email FROM hr.contacts ORDER BY 1, 2

-- jobs
SELECT id, customer_id FROM orders WHERE status = 'new' ORDER BY id LIMIT 5 FOR UPDATE SKIP LOCKED
SELECT id, email FROM customers WHERE balance < 0 OR id = 3 ORDER BY id LIMIT 2 FOR NO KEY UPDATE
SELECT c.id, c.email FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.id = 4 FOR SHARE OF o
SELECT o.id, c.phone FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id IN (1, 2) ORDER BY o.id FOR UPDATE OF o NOWAIT
SELECT pg_advisory_xact_lock(42)
SELECT pg_try_advisory_xact_lock(hashtext('nightly'))
SELECT nextval('orders_id_seq') > 0
SELECT addr FROM newsletter WHERE active ORDER BY id LIMIT 100
SELECT k.id, k.ssn, k.result, c.full_name FROM kyc_checks k JOIN customers c ON c.id = k.id WHERE k.checked_on < '2030-01-01' ORDER BY k.id
SELECT table_name, op, count(*) FROM audit_log GROUP BY table_name, op ORDER BY 1, 2
SELECT id, row_data->>'email' AS old_email FROM audit_log ORDER BY id DESC LIMIT 5
CALL restock(3, 5)
NOTIFY jobs, 'orders'
LISTEN jobs
