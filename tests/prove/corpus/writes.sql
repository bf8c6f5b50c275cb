-- Writes. None stores what a mask hides; what RETURNING shows of a row is what a SELECT would show.

-- one row
INSERT INTO customers (full_name, email) VALUES ('Per Hansen', 'per@x.test')
INSERT INTO customers (full_name, email, phone, dob, address, notes) VALUES ('Per', 'per@x.test', '+47 22', '1990-02-03', '{"city": "Bergen"}', NULL) RETURNING balance, created_at
INSERT INTO customers (id, full_name, email) OVERRIDING SYSTEM VALUE VALUES (5001, 'I', 'i@x.test') RETURNING id
INSERT INTO orders (customer_id, status, total) VALUES (1, 'new', 5) RETURNING customer_id, status, total, placed_at
INSERT INTO payments (order_id, card_number, iban, amount, paid_at, method) VALUES (1, '4929-1', 'NO1', 12, '2024-06-02', 'card') RETURNING amount, method
INSERT INTO events (id, customer_id, at, kind, ip, user_agent) VALUES (9001, 1, '2024-02-10', 'view', '10.0.0.1', 'x')
INSERT INTO events_2024_03 VALUES (9002, 2, '2024-03-10', 'view', NULL, NULL) RETURNING id, kind
INSERT INTO "UserProfiles" ("E-mail", "Full Name", prefs) VALUES ('z@x.test', 'Z', '{"a": 1}') RETURNING "Theme"
INSERT INTO "клиенты" VALUES (901, 'Анна', '+7 1', 'Омск') RETURNING "ид", "город"
INSERT INTO leads VALUES (901, ROW('N', 'n@x.test', '1'), 'web') RETURNING source
INSERT INTO leads (id, who.full_name, who.email, source) VALUES (902, 'N', 'n@x.test', 'web')
INSERT INTO contact_points (customer_id, emails[1], emails[2]) VALUES (901, 'a@x.test', 'b@x.test')
INSERT INTO newsletter (id, addr) VALUES (901, 'new@x.test')
INSERT INTO id_scans VALUES (901, '\xdeadbeef', 'image/gif') RETURNING customer_id
INSERT INTO kyc_checks (id, result, checked_on) VALUES (901, 'open', '2024-06-01') RETURNING result

-- many rows, from queries
INSERT INTO order_items SELECT 1, 10 + g, g, 1, 9.99 FROM generate_series(1, 3) g RETURNING line_no
INSERT INTO app_settings SELECT 'cat_' || category, count(*)::text FROM products GROUP BY category
INSERT INTO app_settings (key, value) SELECT 'orders_' || c.id, count(o.id)::text FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id < 4 GROUP BY c.id
WITH new AS (INSERT INTO orders (customer_id, total) VALUES (2, 1), (3, 2) RETURNING customer_id, total) SELECT c.id, c.email, new.total FROM new JOIN customers c ON c.id = new.customer_id ORDER BY c.id
WITH moved AS (DELETE FROM order_items WHERE order_id = 5 RETURNING *) INSERT INTO order_items SELECT 6, line_no + 10, product_id, qty, unit_price FROM moved RETURNING order_id, line_no
CREATE TEMP TABLE recent AS SELECT id, customer_id, total FROM orders WHERE id > 70
CREATE TEMP TABLE ids AS SELECT c.id, c.balance FROM customers c WHERE c.id < 9
SELECT id, total INTO TEMP big_orders FROM orders WHERE total > 100

-- upserts
INSERT INTO products (id, sku, name, category, price) VALUES (1, 'SKU-1', 'n', 'tools', 2) ON CONFLICT (sku) DO UPDATE SET price = excluded.price, stock = products.stock + 1 RETURNING sku, price, stock
INSERT INTO app_settings VALUES ('vat', '0.25') ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE app_settings.value IS DISTINCT FROM excluded.value RETURNING *
INSERT INTO app_settings VALUES ('vat', '1') ON CONFLICT ON CONSTRAINT app_settings_pkey DO NOTHING RETURNING key
INSERT INTO customers (id, full_name, email) VALUES (5, 'X', 'x@x.test') ON CONFLICT (id) DO NOTHING
INSERT INTO customers (id, full_name, email, phone) VALUES (6, 'X', 'x@x.test', '1') ON CONFLICT (id) DO UPDATE SET full_name = excluded.full_name, email = excluded.email, phone = excluded.phone RETURNING id, balance
INSERT INTO customers AS c (id, full_name, email, balance) VALUES (7, 'X', 'x@x.test', 3) ON CONFLICT (id) DO UPDATE SET balance = c.balance + excluded.balance RETURNING c.id, c.email, c.balance
INSERT INTO contact_points (customer_id, emails) VALUES (3, '{a@x.test}') ON CONFLICT (customer_id) DO UPDATE SET emails = excluded.emails, verified = false RETURNING verified
INSERT INTO newsletter VALUES (4, 'q@x.test', true) ON CONFLICT (id) DO UPDATE SET active = excluded.active RETURNING id, addr
MERGE INTO products p USING (VALUES ('SKU-1', 5), ('SKU-99', 7)) AS v(sku, n) ON p.sku = v.sku WHEN MATCHED THEN UPDATE SET stock = p.stock + v.n WHEN NOT MATCHED THEN INSERT (sku, name, category, price, stock) VALUES (v.sku, 'new', 'misc', 1, v.n)
MERGE INTO app_settings a USING app_settings b ON a.key = b.key AND a.key = 'vat' WHEN MATCHED THEN DELETE
MERGE INTO orders o USING (SELECT id FROM customers WHERE balance > 70) c ON o.customer_id = c.id WHEN MATCHED AND o.status = 'new' THEN UPDATE SET status = 'paid' WHEN NOT MATCHED THEN DO NOTHING
MERGE INTO newsletter n USING (VALUES (5, true)) AS v(id, active) ON n.id = v.id WHEN MATCHED THEN UPDATE SET active = v.active

-- updates
UPDATE customers SET full_name = 'Someone Else' WHERE id = 9
UPDATE customers SET email = 'a@x.test', phone = '1', dob = '1980-01-01', notes = 'n' WHERE id = 10 RETURNING id, balance, created_at
UPDATE customers SET (full_name, balance) = ('A', 2) WHERE id = 11
UPDATE customers SET (full_name, balance) = (SELECT 'B', max(total) FROM orders) WHERE id = 12 RETURNING balance
UPDATE customers SET balance = balance * 2 WHERE email LIKE 'b%'
UPDATE customers SET balance = 1 WHERE dob < '1960-01-01' AND right(ssn, 2) = '05'
UPDATE customers c SET balance = c.balance + o.sum FROM (SELECT customer_id, sum(total) FROM orders GROUP BY 1) o WHERE o.customer_id = c.id AND c.id < 5 RETURNING c.id, c.full_name, c.balance
UPDATE orders SET total = total + 1 FROM customers c WHERE c.id = orders.customer_id AND c.email LIKE '%@corp.test' RETURNING orders.id, orders.total
UPDATE orders o SET status = 'cancelled' WHERE o.customer_id IN (SELECT id FROM customers WHERE full_name = '***' AND id < 4) RETURNING o.id, o.status
UPDATE ONLY customers SET balance = 0 WHERE id > 55
UPDATE products SET price = round(price * 1.1, 2), stock = stock - 1 WHERE category = 'tools' AND stock > 0 RETURNING id, price, stock
UPDATE contact_points SET emails[1] = 'z@x.test', verified = true WHERE customer_id = 4 RETURNING verified
UPDATE contact_points SET emails = array_append(ARRAY['a@x.test'], 'b@x.test') WHERE customer_id = 5
UPDATE leads SET who.email = 'l@x.test' WHERE id = 3 RETURNING source
UPDATE "UserProfiles" SET "Theme" = 'dark', "E-mail" = 'u@x.test' WHERE id = 2 RETURNING "Theme"
UPDATE hr.employees SET salary = 100, dept = 'ops' WHERE id = 3 RETURNING dept
UPDATE events SET kind = 'click' WHERE at < '2024-01-05' RETURNING id, kind, ip
UPDATE events SET at = '2024-03-05' WHERE id = 3
UPDATE support_tickets SET state = 'closed', agent = 'app' WHERE id = 3 RETURNING id, body, state
UPDATE v_catalogue SET price = 3 WHERE sku = 'SKU-2' RETURNING sku, price
UPDATE customers SET notes = DEFAULT, created_at = DEFAULT WHERE id = 13
UPDATE "клиенты" SET "город" = 'Тула' WHERE "ид" = 3 RETURNING "ид", "имя", "город"

-- deletes
DELETE FROM orders WHERE id = 79 AND total < 0
DELETE FROM order_items i USING products p WHERE p.id = i.product_id AND p.stock > 25 RETURNING i.order_id, i.line_no
DELETE FROM newsletter WHERE addr LIKE '%@mail.test' RETURNING id
DELETE FROM newsletter n WHERE EXISTS (SELECT FROM customers c WHERE c.id = n.id AND c.balance > 20) RETURNING n.*
DELETE FROM contact_points WHERE customer_id IN (SELECT id FROM customers WHERE email LIKE 'k%')
DELETE FROM events WHERE at < '2024-02-01' AND ip IS NULL
DELETE FROM audit_log WHERE op = 'UPDATE' AND id < 3
DELETE FROM id_scans WHERE mime = 'image/png' AND customer_id > 10 RETURNING customer_id, scan
WITH gone AS (DELETE FROM newsletter WHERE NOT active RETURNING id, addr) SELECT count(*), min(addr::text) FROM gone
TRUNCATE newsletter, contact_points
