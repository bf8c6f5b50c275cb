-- What dashboards and notebooks generate, and what analysts write by hand.

-- Metabase
SELECT "public"."customers"."id" AS "id", "public"."customers"."full_name" AS "full_name", "public"."customers"."email" AS "email", "public"."customers"."dob" AS "dob" FROM "public"."customers" ORDER BY "public"."customers"."id" ASC LIMIT 2000
SELECT "source"."domain" AS "domain", COUNT(*) AS "count" FROM (SELECT SUBSTRING("public"."customers"."email" FROM '@(.*)') AS "domain" FROM "public"."customers") AS "source" GROUP BY "source"."domain" ORDER BY "source"."domain" ASC
SELECT DATE_TRUNC('month', "public"."orders"."placed_at") AS "placed_at", SUM("public"."orders"."total") AS "sum" FROM "public"."orders" GROUP BY DATE_TRUNC('month', "public"."orders"."placed_at") ORDER BY DATE_TRUNC('month', "public"."orders"."placed_at") ASC
SELECT "Customers"."email" AS "Customers__email", COUNT(*) AS "count" FROM "public"."orders" LEFT JOIN "public"."customers" AS "Customers" ON "public"."orders"."customer_id" = "Customers"."id" GROUP BY "Customers"."email" ORDER BY "count" DESC, "Customers__email" ASC LIMIT 10
SELECT FLOOR((("public"."customers"."balance" - 0.0) / 20.0)) * 20.0 + 0.0 AS "balance", COUNT(*) AS "count" FROM "public"."customers" GROUP BY 1 ORDER BY 1 ASC
SELECT CAST("public"."customers"."dob" AS date) AS "dob", COUNT(distinct "public"."customers"."email") AS "count" FROM "public"."customers" WHERE ("public"."customers"."dob" >= date '1960-01-01') AND ("public"."customers"."dob" < date '1990-01-01') GROUP BY CAST("public"."customers"."dob" AS date) ORDER BY 1 ASC
SELECT SUBSTRING("public"."customers"."full_name", 1, 1234) AS "substring53" FROM "public"."customers" WHERE "public"."customers"."full_name" IS NOT NULL GROUP BY 1 LIMIT 1000
SELECT "public"."customers"."full_name" FROM "public"."customers" GROUP BY "public"."customers"."full_name" ORDER BY "public"."customers"."full_name" ASC LIMIT 1001
SELECT COUNT(DISTINCT "public"."customers"."ssn") AS "count", COUNT(DISTINCT "public"."customers"."phone") AS "count_2" FROM "public"."customers"
SELECT "source"."q" AS "q", AVG("source"."n") AS "avg" FROM (SELECT "c"."id" AS "id", EXTRACT(decade FROM "c"."dob") AS "q", COUNT("o"."id") AS "n" FROM "public"."customers" "c" LEFT JOIN "public"."orders" "o" ON "o"."customer_id" = "c"."id" GROUP BY "c"."id", EXTRACT(decade FROM "c"."dob")) "source" GROUP BY "source"."q" ORDER BY 1
SELECT CASE WHEN "public"."customers"."email" LIKE '%@corp.test' THEN 'corp' WHEN "public"."customers"."email" IS NULL THEN 'none' ELSE 'other' END AS "kind", SUM("public"."customers"."balance") AS "sum" FROM "public"."customers" GROUP BY CASE WHEN "public"."customers"."email" LIKE '%@corp.test' THEN 'corp' WHEN "public"."customers"."email" IS NULL THEN 'none' ELSE 'other' END ORDER BY 1
SELECT TRUE AS "_" FROM "public"."customers" WHERE 1 <> 1 LIMIT 0

-- Tableau
SELECT "customers"."id" AS "id", CAST("customers"."email" AS TEXT) AS "email", "customers"."dob" AS "dob" FROM "public"."customers" "customers" ORDER BY 1 LIMIT 100
SELECT CAST("customers"."full_name" AS TEXT) AS "full_name", SUM(1) AS "cnt:full_name:ok" FROM "public"."customers" "customers" GROUP BY 1
SELECT EXTRACT(YEAR FROM "customers"."dob") AS "yr:dob:ok", SUM("orders"."total") AS "sum:total:ok" FROM "public"."customers" "customers" INNER JOIN "public"."orders" "orders" ON ("customers"."id" = "orders"."customer_id") GROUP BY 1 ORDER BY 1
SELECT "t0"."x" AS "x", "t1"."y" AS "y" FROM (SELECT "customers"."full_name" AS "x", MIN("customers"."id") AS "m" FROM "public"."customers" "customers" GROUP BY 1) "t0" INNER JOIN (SELECT MIN("orders"."id") AS "m", COUNT(1) AS "y" FROM "public"."orders" "orders") "t1" ON ("t0"."m" = "t1"."m")
SELECT MIN("customers"."dob") AS "TEMP(min)", MAX("customers"."dob") AS "TEMP(max)", COUNT("customers"."dob") AS "n" FROM "public"."customers" "customers" HAVING (COUNT(1) > 0)
SELECT "customers"."email" AS "email" FROM "public"."customers" "customers" WHERE (("customers"."email" >= 'b') AND ("customers"."email" <= 'd')) GROUP BY 1 ORDER BY 1 ASC NULLS FIRST
SELECT "Custom SQL Query"."id", "Custom SQL Query"."email" FROM ( select * from customers where balance > 10 ) "Custom SQL Query" WHERE "Custom SQL Query"."id" < 30 ORDER BY 1
SELECT (CASE WHEN ("payments"."amount" < 10) THEN 'low' ELSE 'high' END) AS "bin", COUNT(DISTINCT "payments"."iban") AS "ctd:iban:ok" FROM "public"."payments" "payments" GROUP BY 1 ORDER BY 1

-- Power BI
select "_"."id", "_"."full_name", "_"."email", "_"."balance" from ( select "id", "full_name", "email", "balance" from "public"."customers" "$Table" ) "_" where "_"."balance" > 20 and "_"."email" is not null order by "_"."id" limit 1000
select "rows"."dept" as "dept", sum("rows"."salary") as "a0", count(*) as "a1" from ( select "dept", "salary" from "hr"."employees" "$Table" ) "rows" group by "dept" order by 1 limit 1000001
select "$Outer"."id", "$Outer"."email", "$Inner"."total" from "public"."customers" "$Outer" left outer join ( select "_"."customer_id" as "customer_id", "_"."total" as "total" from "public"."orders" "_" ) "$Inner" on ("$Outer"."id" = "$Inner"."customer_id") order by 1, 3 limit 50
select count(*) as "c", cast(min("$Table"."email") as varchar) as "m" from "public"."customers" "$Table"
select "basetable0"."c1" as "c20" from (select cast(date_trunc('year', "dob") as date) as "c1" from "public"."customers") "basetable0" group by "basetable0"."c1" order by 1

-- Superset and Looker
SELECT DATE_TRUNC('day', paid_at) AS __timestamp, method AS method, sum(amount) AS "SUM(amount)" FROM public.payments JOIN (SELECT method AS method__, sum(amount) AS mme_inner__ FROM public.payments GROUP BY method ORDER BY mme_inner__ DESC LIMIT 100) AS series_limit ON method = method__ GROUP BY method, DATE_TRUNC('day', paid_at) ORDER BY 1, 2 LIMIT 50000
SELECT email AS email, COUNT(*) AS count FROM (SELECT c.email, o.total FROM customers c JOIN orders o ON o.customer_id = c.id) AS virtual_table GROUP BY email ORDER BY count DESC, email LIMIT 1000
SELECT * FROM (SELECT *, DENSE_RANK() OVER (ORDER BY z___min_rank) AS z___pivot_row_rank FROM (SELECT *, MIN(z___rank) OVER (PARTITION BY "customers.domain") AS z___min_rank FROM (SELECT *, RANK() OVER (ORDER BY "orders.count" DESC, "customers.domain") AS z___rank FROM (SELECT split_part(customers.email, '@', 2) AS "customers.domain", COUNT(DISTINCT orders.id) AS "orders.count" FROM public.orders AS orders LEFT JOIN public.customers AS customers ON orders.customer_id = customers.id GROUP BY 1) ww) bb) aa) xx ORDER BY z___pivot_row_rank
SELECT COALESCE(COALESCE(CAST((SUM(DISTINCT (CAST(FLOOR(COALESCE(o.total, 0) * 1000000) AS DECIMAL(38,0)))+ o.id * 1.0) - SUM(DISTINCT o.id * 1.0)) AS DOUBLE PRECISION) / CAST(1000000 AS DOUBLE PRECISION), 0), 0) AS "orders.total" FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE c.email LIKE '%test'
WITH customer_facts AS (SELECT customer_id, MIN(placed_at) AS first_order, COUNT(*) AS orders FROM orders GROUP BY 1) SELECT c.full_name AS "customers.name", TO_CHAR(DATE_TRUNC('month', f.first_order), 'YYYY-MM') AS "facts.month", f.orders FROM customers c LEFT JOIN customer_facts f ON f.customer_id = c.id ORDER BY c.id LIMIT 500
SELECT "Theme", COUNT(DISTINCT "E-mail") AS n FROM "UserProfiles" GROUP BY ROLLUP ("Theme") ORDER BY "Theme" NULLS LAST

-- cohorts, funnels, retention
WITH first AS (SELECT customer_id, min(at) AS at FROM events GROUP BY 1) SELECT date_trunc('month', f.at) AS cohort, date_trunc('month', e.at) AS month, count(DISTINCT e.customer_id) FROM first f JOIN events e USING (customer_id) GROUP BY 1, 2 ORDER BY 1, 2
SELECT count(DISTINCT customer_id) FILTER (WHERE kind = 'view') AS viewed, count(DISTINCT ip) AS addresses, count(DISTINCT user_agent) AS agents FROM events
SELECT date_trunc('week', at) AS week, count(*), count(DISTINCT user_agent) FROM events GROUP BY week ORDER BY week
SELECT date_bin('7 days', at, timestamptz '2024-01-01'), count(ip) FROM events GROUP BY 1 ORDER BY 1
SELECT g.day::date, count(e.id) FROM generate_series(timestamptz '2024-01-01', '2024-01-12', '1 day') AS g(day) LEFT JOIN events e ON date_trunc('day', e.at) = g.day GROUP BY 1 ORDER BY 1
SELECT customer_id, at - lag(at) OVER (PARTITION BY customer_id ORDER BY at, id) AS gap, ip FROM events ORDER BY customer_id, at, id LIMIT 30
SELECT customer_id, sum(CASE WHEN gap > interval '30 minutes' THEN 1 ELSE 0 END) OVER w AS session, user_agent FROM (SELECT id, customer_id, at, user_agent, at - lag(at, 1, at) OVER (PARTITION BY customer_id ORDER BY at, id) AS gap FROM events) e WINDOW w AS (PARTITION BY customer_id ORDER BY at, id) ORDER BY customer_id, id LIMIT 20
SELECT family(ip), set_masklen(ip::cidr, 24), count(*) FROM events GROUP BY 1, 2 ORDER BY 1, 2

-- totals and shares
SELECT o.status, p.category, sum(i.qty) FROM orders o JOIN order_items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id GROUP BY CUBE (o.status, p.category) ORDER BY 1, 2
SELECT split_part(email, '@', 2) AS domain, left(email, 1) AS letter, count(*), grouping(split_part(email, '@', 2), left(email, 1)) AS level FROM customers GROUP BY ROLLUP (1, 2) ORDER BY domain, letter, level
SELECT dept, extract(year FROM hired) AS y, count(*), max(national_id) FROM hr.employees GROUP BY GROUPING SETS ((dept), (extract(year FROM hired)), ()) ORDER BY 1, 2
SELECT dob, count(*), round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS share FROM customers GROUP BY dob ORDER BY dob
SELECT email, total, total / sum(total) OVER () AS share, sum(total) OVER (ORDER BY total DESC, email) AS running FROM v_spend_by_email ORDER BY total DESC, email LIMIT 15
SELECT p.category, percentile_cont(0.5) WITHIN GROUP (ORDER BY i.unit_price) AS median FROM order_items i JOIN products p ON p.id = i.product_id GROUP BY p.category ORDER BY 1
SELECT percentile_disc(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY dob) FROM customers
SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY salary) AS p90, stddev_samp(salary), variance(salary), regr_slope(salary, id) FROM hr.employees
SELECT mode() WITHIN GROUP (ORDER BY split_part(email, '@', 2)) AS commonest FROM customers
SELECT rank(date '1970-06-01') WITHIN GROUP (ORDER BY dob), dense_rank('m') WITHIN GROUP (ORDER BY email), cume_dist('m') WITHIN GROUP (ORDER BY email) FROM customers
SELECT width_bucket(balance, 0, 100, 5) AS bucket, count(*), min(email), max(email) FROM customers GROUP BY bucket ORDER BY bucket
SELECT ntile(4) OVER (ORDER BY balance, id) AS quartile, id, full_name FROM customers ORDER BY 1, 2
SELECT id, email, first_value(email) OVER w, last_value(email) OVER w, nth_value(email, 2) OVER w FROM customers WINDOW w AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) ORDER BY id
SELECT id, count(*) OVER (ORDER BY dob RANGE BETWEEN '1 year' PRECEDING AND CURRENT ROW) AS near FROM customers ORDER BY id
SELECT id, avg(balance) OVER (ORDER BY dob, id GROUPS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM customers ORDER BY id
SELECT id, percent_rank() OVER (ORDER BY email), cume_dist() OVER (PARTITION BY left(email, 1) ORDER BY id) FROM customers ORDER BY id
SELECT bool_and(email LIKE '%test'), bool_or(phone IS NULL), every(ssn LIKE '%-%'), bit_and(id) FROM customers
SELECT corr(balance, id), covar_pop(balance, extract(year FROM dob)) FROM customers
SELECT array_agg(DISTINCT left(email, 1) ORDER BY left(email, 1)) FROM customers
SELECT string_agg(DISTINCT split_part(email, '@', 2), '; ') FROM customers WHERE id = 1
SELECT jsonb_agg(to_jsonb(t)) FROM (SELECT left(email, 1) AS l, count(*) AS n FROM customers GROUP BY 1 ORDER BY 1) t WHERE l < 'f'
SELECT c.yr, c.n, o.n AS orders FROM (SELECT date_trunc('year', dob) AS yr, count(*) AS n FROM customers GROUP BY 1) c FULL JOIN (SELECT date_trunc('year', placed_at) AS yr, count(*) AS n FROM orders GROUP BY 1) o ON o.yr = c.yr ORDER BY coalesce(c.yr, o.yr)
SELECT sum(total) FILTER (WHERE status = 'paid') AS paid, sum(total) FILTER (WHERE status <> 'paid') AS rest, count(DISTINCT c.email) FILTER (WHERE total > 50) FROM orders o JOIN customers c ON c.id = o.customer_id
SELECT p.category, s.revenue FROM (SELECT DISTINCT category FROM products) p JOIN mv_sales s USING (category) ORDER BY revenue DESC
SELECT * FROM mv_sales ORDER BY category
SELECT id, cost, rnk FROM hr.v_payroll WHERE cost IS NULL OR cost > 10 ORDER BY rnk, id
SELECT card, doy FROM v_contact_card WHERE remark IS NOT NULL ORDER BY id LIMIT 5
SELECT src, count(*), count(DISTINCT label) FROM v_people_union GROUP BY src ORDER BY src
SELECT login, length(code) FROM v_renamed ORDER BY ref DESC LIMIT 3
SELECT n.id, c.email FROM newsletter n LEFT JOIN customers c ON c.email = n.addr::text ORDER BY n.id, c.id
SELECT a.id, count(b.id) FROM customers a LEFT JOIN customers b ON a.dob = b.dob AND a.id <> b.id GROUP BY a.id ORDER BY a.id
SELECT left(ssn, 3) AS area, count(*) FROM customers GROUP BY 1 HAVING count(*) > 1 ORDER BY 1
SELECT id FROM (SELECT id, email, count(*) OVER (PARTITION BY email) AS n FROM customers) d WHERE n > 1 ORDER BY id
SELECT x.letter, coalesce(y.n, 0) FROM (SELECT chr(97 + i) AS letter FROM generate_series(0, 25) AS i) x LEFT JOIN (SELECT left(email, 1) AS letter, count(*) AS n FROM customers GROUP BY 1) y USING (letter) ORDER BY 1
SELECT * FROM (VALUES ('a', 1), ('b', 2)) AS v(letter, w) JOIN customers c ON left(c.email, 1) = v.letter ORDER BY c.id
SELECT id, tax_ref FROM mv_customer_search ORDER BY id
SELECT left(tax_ref, 3) AS area, count(*) FROM mv_customer_search GROUP BY 1 ORDER BY 1
SELECT m.id, o.total FROM mv_customer_search m JOIN orders o ON o.customer_id = m.id WHERE m.tax_ref LIKE '%1205' ORDER BY 1, 2
