-- A shop with invented customers: sixteen tables, about 120,000 rows, loaded in seconds.
--
-- Plain SQL without psql's commands, for any role that may create schemas in an empty database.
-- Every value follows from its row's number through md5, so every load gives the same rows. Nobody
-- in here exists: e-mail domains are those reserved for examples, phone numbers carry 555, cards and
-- bank accounts have correct check digits and belong to no one.

SET client_min_messages = warning;
SET search_path = public;

CREATE SCHEMA hr;

---------------------------------------------------------------- dice and words

-- A number in [0, sides), the same for the same salt and row on every server.
CREATE FUNCTION pg_temp.roll(salt text, n bigint, sides integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
  SELECT (('x' || substr(md5(salt || n::text), 1, 8))::bit(32)::bigint % sides)::integer
$$;

CREATE FUNCTION pg_temp.pick(words text[], salt text, n bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT words[1 + pg_temp.roll(salt, n, cardinality(words))]
$$;

-- A string of digits.
CREATE FUNCTION pg_temp.digits(salt text, n bigint, len integer) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT lpad((('x' || substr(md5(salt || n::text), 1, 14))::bit(56)::bigint
    % (10::numeric ^ len)::bigint)::text, len, '0')
$$;

-- The digits with their Luhn check digit (ISO/IEC 7812).
CREATE FUNCTION pg_temp.luhn(body text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT body || ((10 - sum(CASE WHEN (length(body) - i) % 2 = 0 THEN d * 2 - 9 * (d > 4)::integer
                                 ELSE d END) % 10) % 10)::text
  FROM generate_series(1, length(body)) i, LATERAL (SELECT substr(body, i, 1)::integer AS d) x
$$;

-- A German IBAN with its check digits (ISO 13616): 131400 is "DE00" in digits.
CREATE FUNCTION pg_temp.iban(bban text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT 'DE' || lpad((98 - (bban || '131400')::numeric % 97)::text, 2, '0') || bban
$$;

-- National identity numbers: a Polish PESEL, a Spanish DNI, else the shape of a US number out of
-- the range that is never issued.
CREATE FUNCTION pg_temp.national_id(country text, n bigint, dob date) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE country
    WHEN 'PL' THEN (
      SELECT body || ((10 - sum(substr(body, i, 1)::integer
                                * substr('1379137913', i, 1)::integer) % 10) % 10)::text
      FROM (SELECT lpad((extract(year FROM dob)::integer % 100)::text, 2, '0')
                || lpad((extract(month FROM dob)::integer
                         + CASE WHEN dob >= '2000-01-01' THEN 20 ELSE 0 END)::text, 2, '0')
                || lpad(extract(day FROM dob)::integer::text, 2, '0')
                || lpad((n % 10000)::text, 4, '0')) b(body),
           generate_series(1, 10) i
      GROUP BY body)
    WHEN 'ES' THEN (
      SELECT lpad(number::text, 8, '0')
          || substr('TRWAGMYFPDXBNJZSQVHLCKE', 1 + (number % 23)::integer, 1)
      FROM (SELECT 10000000 + n * 7919 % 80000000) d(number))
    ELSE (900 + n % 100)::text || '-' || lpad((10 + n / 100 % 90)::text, 2, '0')
      || '-' || pg_temp.digits('serial', n, 4)
  END
$$;

CREATE TEMP TABLE culture (
  id integer PRIMARY KEY, country text, calling_code text,
  given text[], given_ascii text[], family text[], family_ascii text[],
  cities text[], streets text[]
);

INSERT INTO culture VALUES
(0, 'US', '+1',
 '{James,Mary,Robert,Patricia,Michael,Linda,David,Barbara,William,Susan,Daniel,Karen,Matthew,Nancy,Anthony,Grace}',
 '{james,mary,robert,patricia,michael,linda,david,barbara,william,susan,daniel,karen,matthew,nancy,anthony,grace}',
 '{Smith,Johnson,Williams,Brown,Jones,Miller,Davis,Wilson,Anderson,Taylor,O''Neill,Walker,Young,Adams,Baker,Reed}',
 '{smith,johnson,williams,brown,jones,miller,davis,wilson,anderson,taylor,oneill,walker,young,adams,baker,reed}',
 '{Portland,Austin,Columbus,Madison,Tucson,Richmond}', '{"Maple Street","Oak Avenue","2nd Street","Hillcrest Road","Lake Drive"}'),
(1, 'DE', '+49',
 '{Jürgen,Anna,Björn,Käthe,Lukas,Sabine,Matthias,Renate,Sören,Ingrid,Felix,Ursula,Tobias,Heike,Jörg,Lena}',
 '{juergen,anna,bjoern,kaethe,lukas,sabine,matthias,renate,soeren,ingrid,felix,ursula,tobias,heike,joerg,lena}',
 '{Müller,Schmidt,Schäfer,Weiß,Köhler,Becker,Hoffmann,Krüger,Vogel,Böhm,Lehmann,Huber,Großmann,Peters,Jäger,Winkler}',
 '{mueller,schmidt,schaefer,weiss,koehler,becker,hoffmann,krueger,vogel,boehm,lehmann,huber,grossmann,peters,jaeger,winkler}',
 '{Köln,Leipzig,Nürnberg,Bremen,Kassel,Münster}', '{Hauptstraße,Gartenweg,Lindenallee,"Am Markt",Schillerstraße}'),
(2, 'ES', '+34',
 '{José,María,Ángel,Lucía,Íñigo,Begoña,Andrés,Sofía,Joaquín,Inés,Raúl,Núria,Óscar,Pilar,Tomás,Elena}',
 '{jose,maria,angel,lucia,inigo,begona,andres,sofia,joaquin,ines,raul,nuria,oscar,pilar,tomas,elena}',
 '{García,Fernández,Muñoz,Ibáñez,Rodríguez,Ortega,Núñez,Castro,Peña,Domínguez,Vázquez,Ramos,Gil,Serrano,Méndez,Cruz}',
 '{garcia,fernandez,munoz,ibanez,rodriguez,ortega,nunez,castro,pena,dominguez,vazquez,ramos,gil,serrano,mendez,cruz}',
 '{Zaragoza,Sevilla,Málaga,Bilbao,Valladolid,Murcia}', '{"Calle Mayor","Avenida del Mar","Plaza Nueva","Calle del Sol","Paseo Alto"}'),
(3, 'PL', '+48',
 '{Łukasz,Agnieszka,Paweł,Małgorzata,Michał,Żaneta,Wojciech,Zofia,Jarosław,Ewa,Grzegorz,Bożena,Tadeusz,Iwona,Stanisław,Hanna}',
 '{lukasz,agnieszka,pawel,malgorzata,michal,zaneta,wojciech,zofia,jaroslaw,ewa,grzegorz,bozena,tadeusz,iwona,stanislaw,hanna}',
 '{Nowak,Wiśniewski,Wójcik,Kamiński,Lewandowski,Dąbrowski,Szymański,Woźniak,Jabłoński,Mazur,Kaczmarek,Zając,Król,Sikora,Michalak,Łuczak}',
 '{nowak,wisniewski,wojcik,kaminski,lewandowski,dabrowski,szymanski,wozniak,jablonski,mazur,kaczmarek,zajac,krol,sikora,michalak,luczak}',
 '{Łódź,Kraków,Poznań,Gdynia,Wrocław,Lublin}', '{"ul. Polna","ul. Długa","ul. Ogrodowa","al. Lipowa","ul. Szkolna"}'),
(4, 'IN', '+91',
 '{Aarav,Priya,Rohan,Ananya,Vikram,Lakshmi,Arjun,Divya,Sanjay,Meera,Karthik,Pooja,Imran,Fatima,Harpreet,Nisha}',
 '{aarav,priya,rohan,ananya,vikram,lakshmi,arjun,divya,sanjay,meera,karthik,pooja,imran,fatima,harpreet,nisha}',
 '{Sharma,Patel,Iyer,Reddy,Nair,Gupta,Singh,Khan,Das,Mehta,Chatterjee,Rao,Joshi,Kaur,Pillai,Bose}',
 '{sharma,patel,iyer,reddy,nair,gupta,singh,khan,das,mehta,chatterjee,rao,joshi,kaur,pillai,bose}',
 '{Pune,Kochi,Jaipur,Chennai,Lucknow,Mysuru}', '{"MG Road","Temple Street","Station Road","Nehru Marg","Lake View Road"}'),
(5, 'JP', '+81',
 '{陽菜,翔太,さくら,健一,美咲,大輔,由美子,直樹,真理子,拓也,恵,蓮,葵,悠真,千夏,和也}',
 '{hina,shota,sakura,kenichi,misaki,daisuke,yumiko,naoki,mariko,takuya,megumi,ren,aoi,yuma,chinatsu,kazuya}',
 '{佐藤,鈴木,高橋,田中,伊藤,渡辺,山本,中村,小林,加藤,吉田,山田,松本,井上,木村,清水}',
 '{sato,suzuki,takahashi,tanaka,ito,watanabe,yamamoto,nakamura,kobayashi,kato,yoshida,yamada,matsumoto,inoue,kimura,shimizu}',
 '{札幌市,仙台市,名古屋市,京都市,神戸市,福岡市}', '{中央,本町,緑町,若葉台,港南}'),
(6, 'NG', '+234',
 '{Chinedu,Ngozi,Oluwaseun,Aisha,Emeka,Folake,Ibrahim,Chiamaka,Tunde,Zainab,Obinna,Yetunde,Musa,Ifeoma,Segun,Halima}',
 '{chinedu,ngozi,oluwaseun,aisha,emeka,folake,ibrahim,chiamaka,tunde,zainab,obinna,yetunde,musa,ifeoma,segun,halima}',
 '{Okafor,Adeyemi,Balogun,Nwosu,Abubakar,Eze,Ogunleye,Bello,Okonkwo,Adebayo,Danjuma,Igwe,Lawal,Obi,Suleiman,Uche}',
 '{okafor,adeyemi,balogun,nwosu,abubakar,eze,ogunleye,bello,okonkwo,adebayo,danjuma,igwe,lawal,obi,suleiman,uche}',
 '{Lagos,Ibadan,Enugu,Kano,Abuja,Jos}', '{"Allen Avenue","Broad Street","Awolowo Road","Marina Road","Unity Close"}'),
(7, 'FR', '+33',
 '{Chloé,Étienne,Amélie,François,Zoé,Rémi,Hélène,Théo,Inès,Benoît,Noémie,Gaël,Océane,Yann,Léa,Cédric}',
 '{chloe,etienne,amelie,francois,zoe,remi,helene,theo,ines,benoit,noemie,gael,oceane,yann,lea,cedric}',
 '{Lefèvre,Dubois,Benoît,Moreau,Girard,Noël,Fournier,Rousseau,Blanchard,Gauthier,Perrin,Mercier,Lambert,Rivière,Château,Marchand}',
 '{lefevre,dubois,benoit,moreau,girard,noel,fournier,rousseau,blanchard,gauthier,perrin,mercier,lambert,riviere,chateau,marchand}',
 '{Nantes,Lyon,Rennes,Dijon,Besançon,Orléans}', '{"rue de la Gare","place du Marché","allée des Tilleuls","rue Neuve","quai Saint-Michel"}');

-- Who the n-th person is; `salt` tells customers from employees.
CREATE FUNCTION pg_temp.person(salt text, n bigint)
RETURNS TABLE (country text, calling_code text, full_name text, login text, city text, street text)
LANGUAGE sql STABLE AS $$
  SELECT c.country, c.calling_code,
         CASE WHEN c.country = 'JP' THEN c.family[f] || ' ' || c.given[g]
              ELSE c.given[g] || ' ' || c.family[f] END,
         c.given_ascii[g] || '.' || c.family_ascii[f],
         pg_temp.pick(c.cities, salt || 'city', n), pg_temp.pick(c.streets, salt || 'street', n)
  FROM culture c,
       LATERAL (SELECT 1 + pg_temp.roll(salt || 'given', n, 16),
                       1 + pg_temp.roll(salt || 'family', n, 16)) d(g, f)
  WHERE c.id = pg_temp.roll(salt || 'culture', n, 8)
$$;

---------------------------------------------------------------- customers

CREATE TABLE customers (
  id                integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  full_name         text NOT NULL,
  email             varchar(120) NOT NULL UNIQUE,
  phone             text,
  ssn               text UNIQUE,
  dob               date,
  address           jsonb,
  country           char(2) NOT NULL,
  loyalty_tier      text NOT NULL DEFAULT 'basic'
                    CHECK (loyalty_tier IN ('basic', 'silver', 'gold')),
  marketing_consent boolean NOT NULL DEFAULT false,
  notes             text,
  created_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE customers IS 'People who have an account with the shop';
COMMENT ON COLUMN customers.ssn IS 'National identity number, kept for invoices above the limit';
COMMENT ON COLUMN customers.notes IS 'Free text of the sales team';

INSERT INTO customers (id, full_name, email, phone, ssn, dob, address, country, loyalty_tier,
                       marketing_consent, notes, created_at)
SELECT n, p.full_name,
       p.login || coalesce(nullif(row_number() OVER (PARTITION BY p.login ORDER BY n), 1)::text, '')
         || '@' || pg_temp.pick('{example.com,example.org,example.net,mail.example.com,post.example.org}', 'domain', n),
       CASE WHEN pg_temp.roll('no phone', n, 25) > 0
            THEN p.calling_code || ' ' || (100 + pg_temp.roll('area', n, 900)) || ' 555 '
                 || pg_temp.digits('phone', n, 4) END,
       CASE WHEN pg_temp.roll('no ssn', n, 12) > 0
            THEN pg_temp.national_id(p.country, n, b.dob) END,
       b.dob,
       jsonb_build_object('street', p.street || ' ' || (1 + pg_temp.roll('house', n, 180)),
                          'postcode', pg_temp.digits('postcode', n, 5),
                          'city', p.city, 'country', p.country),
       p.country,
       pg_temp.pick('{basic,basic,basic,silver,silver,gold}', 'tier', n),
       pg_temp.roll('consent', n, 3) = 0,
       CASE pg_temp.roll('note', n, 9)
         WHEN 0 THEN 'Asked to be called at ' || p.calling_code || ' 555 ' || pg_temp.digits('note', n, 4)
         WHEN 1 THEN p.full_name || ' prefers letters to e-mail'
         WHEN 2 THEN 'Pays late, always pays' END,
       timestamptz '2021-01-04 08:00+00' + n * interval '6 hours'
         + pg_temp.roll('hour', n, 300) * interval '1 minute'
FROM generate_series(1, 5000) n,
     LATERAL pg_temp.person('customer', n) p,
     LATERAL (SELECT date '1944-01-01' + pg_temp.roll('dob', n, 22800)) b(dob)
ORDER BY n;

CREATE INDEX customers_country_idx ON customers (country);
CREATE INDEX customers_lower_email_idx ON customers (lower(email));

CREATE TABLE addresses (
  id          integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers ON DELETE CASCADE,
  kind        text NOT NULL CHECK (kind IN ('billing', 'shipping')),
  recipient   text NOT NULL,
  street      text NOT NULL,
  postcode    text NOT NULL,
  city        text NOT NULL,
  country     char(2) NOT NULL
);
COMMENT ON TABLE addresses IS 'Where invoices and parcels go';

INSERT INTO addresses (customer_id, kind, recipient, street, postcode, city, country)
SELECT id, 'billing', full_name, address->>'street', address->>'postcode', address->>'city', country
FROM customers ORDER BY id;
INSERT INTO addresses (customer_id, kind, recipient, street, postcode, city, country)
SELECT id, 'shipping', p.full_name, p.street || ' ' || (1 + pg_temp.roll('gift house', id, 90)),
       pg_temp.digits('gift postcode', id, 5), p.city, p.country
FROM customers, LATERAL pg_temp.person('gift', id) p
WHERE pg_temp.roll('gift', id, 4) = 0 ORDER BY id;
CREATE INDEX addresses_customer_idx ON addresses (customer_id);

CREATE TABLE newsletter_subscribers (
  email         text PRIMARY KEY,
  language      char(2) NOT NULL,
  subscribed_at timestamptz NOT NULL,
  confirmed_ip  inet
);
INSERT INTO newsletter_subscribers
SELECT email, lower(country), created_at + interval '3 days',
       ('198.51.100.' || pg_temp.roll('newsletter', id, 256))::inet
FROM customers WHERE marketing_consent;

---------------------------------------------------------------- goods

CREATE TABLE categories (
  id   integer PRIMARY KEY,
  name text NOT NULL UNIQUE
);
INSERT INTO categories
SELECT n, name FROM unnest('{Kitchen,Garden,Books,Toys,Sports,Lighting,Office,Music}'::text[])
  WITH ORDINALITY c(name, n);

CREATE TABLE products (
  id          integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  category_id integer NOT NULL REFERENCES categories,
  sku         text NOT NULL UNIQUE,
  name        text NOT NULL,
  price       numeric(10, 2) NOT NULL CHECK (price > 0),
  in_stock    integer NOT NULL DEFAULT 0,
  tags        text[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE products IS 'What the shop sells; no personal data';
INSERT INTO products (category_id, sku, name, price, in_stock, tags)
SELECT 1 + pg_temp.roll('category', n, 8),
       'SKU-' || lpad(n::text, 5, '0'),
       pg_temp.pick('{Nordic,Classic,Mini,Deluxe,Folding,Recycled,Handmade,Silent,Travel,Magnetic}', 'style', n) || ' '
         || pg_temp.pick('{oak,steel,linen,bamboo,glass,ceramic,cork,copper}', 'material', n) || ' '
         || pg_temp.pick('{lamp,kettle,notebook,planter,puzzle,speaker,basket,clock,mug,stool,racket,easel}', 'thing', n),
       (4 + pg_temp.roll('price', n, 24000) / 100.0)::numeric(10, 2),
       pg_temp.roll('stock', n, 500),
       ARRAY[pg_temp.pick('{new,sale,gift,eco}', 'tag', n), pg_temp.pick('{indoor,outdoor}', 'where', n)]
FROM generate_series(1, 400) n;

---------------------------------------------------------------- orders

CREATE TYPE order_status AS ENUM ('new', 'paid', 'shipped', 'delivered', 'cancelled');

CREATE TABLE orders (
  id          integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers,
  status      order_status NOT NULL DEFAULT 'new',
  placed_at   timestamptz NOT NULL DEFAULT now(),
  channel     text NOT NULL DEFAULT 'web'
);
INSERT INTO orders (customer_id, status, placed_at, channel)
SELECT 1 + pg_temp.roll('buyer', n, 5000),
       pg_temp.pick('{new,paid,shipped,delivered,delivered,delivered,cancelled}', 'status', n)::order_status,
       timestamptz '2024-01-01 00:00+00' + n * interval '43 minutes',
       pg_temp.pick('{web,web,app,phone}', 'channel', n)
FROM generate_series(1, 12000) n;
COMMENT ON TABLE orders IS 'Who bought when; no personal data but the customer''s number';
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE INDEX orders_placed_idx ON orders (placed_at);

CREATE TABLE order_items (
  order_id   integer NOT NULL REFERENCES orders ON DELETE CASCADE,
  line       integer NOT NULL,
  product_id integer NOT NULL REFERENCES products,
  quantity   integer NOT NULL CHECK (quantity > 0),
  price      numeric(10, 2) NOT NULL,
  PRIMARY KEY (order_id, line)
);
INSERT INTO order_items
SELECT o.id, line, p.id, 1 + pg_temp.roll('quantity', o.id * 8 + line, 3), p.price
FROM orders o,
     LATERAL generate_series(1, 1 + pg_temp.roll('lines', o.id, 4)) line,
     LATERAL (SELECT 1 + pg_temp.roll('product', o.id * 8 + line, 400)) x(product_id)
     JOIN products p ON p.id = x.product_id;

CREATE TABLE payments (
  id           integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  order_id     integer NOT NULL REFERENCES orders,
  method       text NOT NULL CHECK (method IN ('card', 'transfer')),
  card_holder  text,
  card_number  text,
  card_expires char(5),
  iban         text,
  amount       numeric(12, 2) NOT NULL,
  paid_at      timestamptz
);
COMMENT ON COLUMN payments.card_number IS 'Full number; the payment provider still asks for it';
INSERT INTO payments (order_id, method, card_holder, card_number, card_expires, iban, amount, paid_at)
SELECT o.id, m.method,
       CASE m.method WHEN 'card' THEN upper(replace(
         regexp_replace(split_part(c.email, '@', 1), '[0-9]', '', 'g'), '.', ' ')) END,
       CASE m.method WHEN 'card' THEN pg_temp.luhn(
         pg_temp.pick('{4000,4539,5100,5425}', 'issuer', c.id) || pg_temp.digits('card', c.id, 11)) END,
       CASE m.method WHEN 'card' THEN lpad((1 + pg_temp.roll('month', c.id, 12))::text, 2, '0') || '/'
         || (26 + pg_temp.roll('year', c.id, 5)) END,
       CASE m.method WHEN 'transfer' THEN pg_temp.iban(pg_temp.digits('bank', c.id, 8)
         || pg_temp.digits('account', c.id, 10)) END,
       i.amount, o.placed_at + interval '20 minutes'
FROM orders o
     JOIN customers c ON c.id = o.customer_id
     JOIN (SELECT order_id, sum(quantity * price) AS amount FROM order_items GROUP BY order_id) i
       ON i.order_id = o.id,
     LATERAL (SELECT pg_temp.pick('{card,card,transfer}', 'method', c.id)) m(method)
WHERE o.status <> 'new'
ORDER BY o.id;
CREATE INDEX payments_order_idx ON payments (order_id);

CREATE TABLE shipments (
  id           integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  order_id     integer NOT NULL REFERENCES orders,
  address_id   integer NOT NULL REFERENCES addresses,
  carrier      text NOT NULL,
  tracking     text NOT NULL UNIQUE,
  signed_by    text,
  delivered_at timestamptz
);
INSERT INTO shipments (order_id, address_id, carrier, tracking, signed_by, delivered_at)
SELECT o.id, a.id, pg_temp.pick('{Northpost,Swift,Pigeon}', 'carrier', o.id),
       'TR' || pg_temp.luhn(lpad(o.id::text, 10, '0')),
       CASE o.status WHEN 'delivered' THEN a.recipient END,
       CASE o.status WHEN 'delivered' THEN o.placed_at + interval '3 days' END
FROM orders o
     JOIN addresses a ON a.customer_id = o.customer_id AND a.kind = 'billing'
WHERE o.status IN ('shipped', 'delivered')
ORDER BY o.id;
CREATE INDEX shipments_order_idx ON shipments (order_id);

CREATE TABLE reviews (
  id          integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  product_id  integer NOT NULL REFERENCES products,
  customer_id integer REFERENCES customers ON DELETE SET NULL,
  stars       smallint NOT NULL CHECK (stars BETWEEN 1 AND 5),
  headline    text NOT NULL,
  written_on  date NOT NULL
);
INSERT INTO reviews (product_id, customer_id, stars, headline, written_on)
SELECT 1 + pg_temp.roll('reviewed', n, 400), 1 + pg_temp.roll('reviewer', n, 5000),
       1 + pg_temp.roll('stars', n, 5),
       pg_temp.pick('{"Just right","Smaller than I thought","Would buy again","Broke in a week","A fine gift"}', 'headline', n),
       date '2024-02-01' + pg_temp.roll('written', n, 330)
FROM generate_series(1, 4000) n;

---------------------------------------------------------------- support

CREATE TABLE support_tickets (
  id          integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers,
  order_id    integer REFERENCES orders,
  subject     text NOT NULL,
  body        text NOT NULL,
  state       text NOT NULL DEFAULT 'open',
  opened_at   timestamptz NOT NULL
);
COMMENT ON COLUMN support_tickets.body IS 'What the customer wrote, word for word';
INSERT INTO support_tickets (customer_id, order_id, subject, body, state, opened_at)
SELECT c.id, o.id,
       pg_temp.pick('{"Where is my parcel?","Refund","Wrong item","Change of address","Invoice needed"}', 'subject', o.id),
       'Hello, this is ' || c.full_name || '. ' || CASE pg_temp.roll('body', o.id, 4)
         WHEN 0 THEN 'Order ' || o.id || ' has not arrived. Please call me at '
                     || coalesce(c.phone, 'my old number') || '.'
         WHEN 1 THEN 'Please refund order ' || o.id || ' and confirm to ' || c.email || '.'
         WHEN 2 THEN 'I moved: my address is ' || (c.address->>'street') || ', '
                     || (c.address->>'city') || ' now.'
         ELSE 'My date of birth is ' || coalesce(c.dob::text, 'on file')
              || ', as you asked for to find my account.' END,
       pg_temp.pick('{open,pending,closed,closed}', 'ticket', o.id),
       o.placed_at + interval '5 days'
FROM orders o JOIN customers c ON c.id = o.customer_id
WHERE pg_temp.roll('complains', o.id, 5) = 0
ORDER BY o.id;

CREATE TABLE ticket_messages (
  id         integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  ticket_id  integer NOT NULL REFERENCES support_tickets ON DELETE CASCADE,
  from_staff boolean NOT NULL,
  body       text NOT NULL,
  sent_at    timestamptz NOT NULL
);
INSERT INTO ticket_messages (ticket_id, from_staff, body, sent_at)
SELECT t.id, k = 1,
       CASE k WHEN 1 THEN 'Dear ' || c.full_name || ', we are looking into it.'
              ELSE 'Thank you. ' || split_part(c.full_name, ' ', 1) || ' (' || c.email || ')' END,
       t.opened_at + k * interval '4 hours'
FROM support_tickets t JOIN customers c ON c.id = t.customer_id, generate_series(1, 2) k
ORDER BY t.id, k;

---------------------------------------------------------------- traffic

CREATE TABLE sessions (
  id          uuid PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers ON DELETE CASCADE,
  ip          inet NOT NULL,
  user_agent  text NOT NULL,
  started_at  timestamptz NOT NULL
);
INSERT INTO sessions
SELECT md5('session' || n)::uuid, 1 + pg_temp.roll('visitor', n, 5000),
       CASE WHEN pg_temp.roll('v6', n, 5) = 0
            THEN ('2001:db8:' || to_hex(pg_temp.roll('net', n, 65536)) || '::'
                  || to_hex(1 + pg_temp.roll('host', n, 65535)))::inet
            ELSE ('203.0.113.' || pg_temp.roll('host', n, 256))::inet END,
       pg_temp.pick('{Firefox,Chrome,Safari,Edge}', 'agent', n) || '/'
         || (110 + pg_temp.roll('version', n, 30)),
       timestamptz '2024-01-01 00:00+00' + n * interval '65 minutes'
FROM generate_series(1, 8000) n;

CREATE TABLE events (
  id         bigint NOT NULL,
  session_id uuid NOT NULL,
  at         timestamptz NOT NULL,
  kind       text NOT NULL,
  ip         inet NOT NULL,
  payload    jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
COMMENT ON TABLE events IS 'What visitors did, one partition per half year';
CREATE TABLE events_2024_h1 PARTITION OF events FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-07-01 00:00+00');
CREATE TABLE events_2024_h2 PARTITION OF events FOR VALUES FROM ('2024-07-01 00:00+00') TO ('2025-01-01 00:00+00');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO events
SELECT row_number() OVER (ORDER BY s.started_at, s.id, k), s.id, s.started_at + k * interval '40 seconds',
       (ARRAY['view', 'search', 'cart'])[k], s.ip,
       jsonb_build_object('page', '/p/' || (1 + pg_temp.roll(s.id::text, k, 400)))
FROM sessions s, generate_series(1, 3) k;

---------------------------------------------------------------- staff

CREATE TABLE hr.departments (
  id   integer PRIMARY KEY,
  name text NOT NULL UNIQUE
);
INSERT INTO hr.departments
SELECT n, name FROM unnest('{Support,Warehouse,Finance,Engineering,Marketing}'::text[])
  WITH ORDINALITY d(name, n);

CREATE TABLE hr.employees (
  id            integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  department_id integer NOT NULL REFERENCES hr.departments,
  manager_id    integer REFERENCES hr.employees,
  full_name     text NOT NULL,
  work_email    text NOT NULL UNIQUE,
  phone         text,
  ssn           text,
  dob           date NOT NULL,
  iban          text NOT NULL,
  salary        numeric(10, 2) NOT NULL,
  hired_on      date NOT NULL
);
COMMENT ON TABLE hr.employees IS 'Staff, with what payroll needs';
INSERT INTO hr.employees (department_id, manager_id, full_name, work_email, phone, ssn, dob, iban,
                          salary, hired_on)
SELECT 1 + n % 5, CASE WHEN n > 5 THEN 1 + n % 5 END, p.full_name,
       p.login || n || '@shop.example', p.calling_code || ' 555 ' || pg_temp.digits('desk', n, 4),
       pg_temp.national_id(p.country, n + 6000, b.dob), b.dob,
       pg_temp.iban(pg_temp.digits('hr bank', n, 8) || pg_temp.digits('hr account', n, 10)),
       26000 + 100 * pg_temp.roll('salary', n, 700), date '2012-01-02' + pg_temp.roll('hired', n, 4200)
FROM generate_series(1, 240) n,
     LATERAL pg_temp.person('employee', n) p,
     LATERAL (SELECT date '1962-01-01' + pg_temp.roll('employee dob', n, 14000)) b(dob)
ORDER BY n;

---------------------------------------------------------------- views and functions

CREATE VIEW v_customers AS
SELECT id, full_name, email, country, loyalty_tier, address->>'city' AS city FROM customers;
COMMENT ON VIEW v_customers IS 'The customer list of the back office';

CREATE VIEW v_orders_by_customer AS
SELECT c.id AS customer_id, c.full_name, c.email, count(o.id) AS orders, max(o.placed_at) AS last_order
FROM customers c LEFT JOIN orders o ON o.customer_id = c.id
GROUP BY c.id;

CREATE FUNCTION public.customer_email(p_id integer) RETURNS text
LANGUAGE sql STABLE AS $$ SELECT email::text FROM public.customers WHERE id = p_id $$;
COMMENT ON FUNCTION public.customer_email(integer) IS 'The e-mail address of one customer';

CREATE FUNCTION public.order_total(p_id integer) RETURNS numeric
LANGUAGE sql STABLE AS $$
  SELECT sum(quantity * price) FROM public.order_items WHERE order_id = p_id
$$;

---------------------------------------------------------------- tidy up

-- Rows were given their own numbers: let the next one go on after them.
DO $$ BEGIN
  PERFORM setval(pg_get_serial_sequence('public.customers', 'id'), (SELECT max(id) FROM public.customers));
END $$;

DROP FUNCTION pg_temp.person(text, bigint);
DROP FUNCTION pg_temp.national_id(text, bigint, date);
DROP FUNCTION pg_temp.iban(text);
DROP FUNCTION pg_temp.luhn(text);
DROP FUNCTION pg_temp.digits(text, bigint, integer);
DROP FUNCTION pg_temp.pick(text[], text, bigint);
DROP FUNCTION pg_temp.roll(text, bigint, integer);
DROP TABLE culture;
ANALYZE customers, addresses, newsletter_subscribers, categories, products, orders, order_items,
  payments, shipments, reviews, support_tickets, ticket_messages, sessions, events, hr.departments,
  hr.employees;
RESET search_path;
RESET client_min_messages;
