//! Rows for the shop. What a mask shows is the same in both variants; what it hides is not, and
//! appears nowhere else: letters without vowels, digits from 3 to 9.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::OnceLock;

use super::super::canary::Planted;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    A,
    B,
}

impl Variant {
    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::A => "traps_a",
            Self::B => "traps_b",
        }
    }
}

/// The statements that fill an empty shop, and what they hid in it.
pub(crate) struct Plan {
    pub(crate) sql: String,
    pub(crate) planted: Vec<Planted>,
}

pub(crate) fn plan(variant: Variant) -> &'static Plan {
    static PLANS: [OnceLock<Plan>; 2] = [OnceLock::new(), OnceLock::new()];
    PLANS[variant as usize].get_or_init(|| {
        let mut shop = Shop { variant, sql: String::new(), planted: Vec::new() };
        shop.open();
        shop.customers();
        shop.sales();
        shop.staff();
        shop.events();
        shop.odd_names();
        shop.odd_types();
        shop.papers();
        shop.close();
        Plan { sql: shop.sql, planted: shop.planted }
    })
}

const WHOLE: usize = usize::MAX;
const DOMAINS: [&str; 3] = ["example.test", "mail.test", "corp.test"];

struct Shop {
    variant: Variant,
    sql: String,
    planted: Vec<Planted>,
}

impl Shop {
    fn open(&mut self) {
        self.sql.push_str("SET ROLE app;\nSET search_path = public;\n");
        self.sql.push_str("SET client_min_messages = warning;\nSET timezone = 'UTC';\n");
    }

    fn close(&mut self) {
        for table in [
            "customers",
            "products",
            "orders",
            "payments",
            "hr.employees",
            "\"UserProfiles\"",
            "audit_log",
        ] {
            writeln!(self.sql, "SELECT setval(pg_get_serial_sequence('{table}','id'), 1000);")
                .expect("a string takes it");
        }
        for view in ["mv_customer_search", "mv_sales"] {
            writeln!(self.sql, "REFRESH MATERIALIZED VIEW {view};").expect("a string takes it");
        }
        self.sql.push_str("RESET ROLE;\nANALYZE;\n");
    }

    fn insert(&mut self, table: &str, columns: &str, rows: &[String]) {
        let rows = rows.join("),\n  (");
        writeln!(self.sql, "INSERT INTO {table} ({columns}) VALUES\n  ({rows});")
            .expect("a string takes it");
    }

    /// Notes the value and gives it as an SQL literal.
    fn plant(
        &mut self,
        column: &'static str,
        id: u32,
        value: String,
        hidden: Range<usize>,
        window: usize,
    ) -> String {
        let window = window.min(value[hidden.clone()].chars().count());
        let literal = quote(&value);
        self.planted.push(Planted { column, id, value, hidden, window });
        literal
    }

    fn secret(&self, column: &str, id: u32) -> Dice {
        Dice::new(&format!("{:?} {column} {id}", self.variant))
    }

    /// Nothing of it is shown.
    fn words(&mut self, column: &'static str, id: u32, lengths: &[usize]) -> String {
        let value = self.secret(column, id).words(lengths);
        let hidden = 0..value.len();
        self.plant(column, id, value, hidden, 5)
    }

    /// First letter and domain are shown.
    fn email(&mut self, column: &'static str, id: u32) -> String {
        let mut shown = Dice::new(&format!("{column} {id}"));
        let first = shown.letter();
        let domain = DOMAINS[shown.below(3)];
        let local = self.secret(column, id).letters(9);
        self.plant(column, id, format!("{first}{local}@{domain}"), 1..10, 5)
    }

    /// The last four are shown. `900-57-0042`
    fn ssn(&mut self, column: &'static str, id: u32, area: u32) -> String {
        // No digits that read, forwards or backwards, like the month of a date.
        let middle = |dice: &mut Dice| format!("{}{}", 1 + dice.below(9), dice.digits(1));
        let other = middle(&mut Dice::new(&format!("{:?} {column} {id}", Variant::A)));
        let mut dice = self.secret(column, id);
        let mut mine = middle(&mut dice);
        while self.variant == Variant::B && mine == other {
            mine = middle(&mut dice);
        }
        self.plant(column, id, format!("{area}-{mine}-{:04}", 1200 + id), 0..7, 5)
    }

    /// The last two are shown.
    fn phone(&mut self, column: &'static str, id: u32) -> String {
        let mut dice = self.secret(column, id);
        let [area, one, two] = [dice.digits(3), dice.digits(2), dice.digits(2)];
        let value = format!("+47 {area} {one} {two} {:02}", id % 100);
        let hidden = 0..value.len() - 2;
        self.plant(column, id, value, hidden, 5)
    }

    /// The year is shown.
    fn birthday(&mut self, column: &'static str, id: u32) -> String {
        let mut dice = self.secret(column, id);
        let (month, day) = (1 + dice.below(12), 10 + dice.below(18));
        let value = format!("{}-{month:02}-{day:02}", 1950 + id % 50);
        self.plant(column, id, value, 0..10, WHOLE)
    }

    fn json(&mut self, column: &'static str, id: u32, keys: &[&str]) -> String {
        let mut dice = self.secret(column, id);
        let mut text = String::from("{");
        let mut hidden = Vec::new();
        for key in keys {
            let value = dice.letters(9);
            let glue = if hidden.is_empty() { "" } else { ", " };
            write!(text, "{glue}\"{key}\": \"{value}\"").expect("a string takes it");
            hidden.push(value);
        }
        let lat = format!("5{}.{}", dice.digits(1), dice.digits(6));
        write!(text, ", \"geo\": {{\"lat\": {lat}}}}}").expect("a string takes it");
        for value in hidden {
            let whole = 0..value.len();
            self.plant(column, id, value, whole, 5);
        }
        let whole = 0..lat.len();
        self.plant(column, id, lat, whole, 7);
        quote(&text)
    }

    fn customers(&mut self) {
        let mut rows = Vec::new();
        let mut vips = Vec::new();
        for id in 1..=65 {
            // In A two customers share a name; in B they do not.
            let shared = self.variant == Variant::A && id == 11;
            let name = if shared { 10 } else { id };
            let name = self.words("customers.full_name", name, &[7, 8]);
            let email = self.email("customers.email", id);
            let phone = self.phone("customers.phone", id);
            let ssn = self.ssn("customers.ssn", id, 900);
            let dob = self.birthday("customers.dob", id);
            let address = self.json("customers.address", id, &["street", "city"]);
            let length = if self.variant == Variant::B && id > 62 { 12 } else { 8 };
            let notes = match id % 7 {
                0 => "NULL".to_owned(),
                _ => self.words("customers.notes", id, &[6, length]),
            };
            let row = format!(
                "{id}, {name}, {email}, {phone}, {ssn}, {dob}, {address}, {}.25, {notes}",
                id % 9 * 10
            );
            if id <= 60 {
                rows.push(row);
            } else {
                vips.push(format!("{row}, 'lounge', '0800 {id}'"));
            }
        }
        let columns = "id, full_name, email, phone, ssn, dob, address, balance, notes";
        self.insert("customers", columns, &rows);
        self.insert("vip_customers", &format!("{columns}, perks, personal_phone"), &vips);
    }

    fn sales(&mut self) {
        let products: Vec<_> = (1..=10)
            .map(|id| {
                let category = ["tools", "paper", "light"][id % 3];
                format!("{id}, 'SKU-{id}', 'thing {id}', '{category}', {id}.50, 'good', {}", id * 3)
            })
            .collect();
        let columns = "id, sku, name, category, price, description, stock";
        self.insert("products", columns, &products);
        let orders: Vec<_> = (1..=80)
            .map(|id| {
                let status = ["new", "paid", "shipped", "cancelled"][id % 4];
                format!("{id}, {}, '{status}', {}.75", id % 60 + 1, id * 2)
            })
            .collect();
        self.insert("orders", "id, customer_id, status, total", &orders);
        let items: Vec<_> = (1..=80)
            .flat_map(|order| (1..=2).map(move |line| (order, line)))
            .map(|(order, line)| {
                let product = (order + line) % 10 + 1;
                format!("{order}, {line}, {product}, {line}, {product}.50")
            })
            .collect();
        self.insert("order_items", "order_id, line_no, product_id, qty, unit_price", &items);
        let mut payments = Vec::new();
        for id in 1..=40 {
            let mut dice = self.secret("payments.card_number", id);
            let [one, two] = [dice.digits(4), dice.digits(4)];
            let card = format!("4929-{one}-{two}-{:04}", 2000 + id);
            let card = self.plant("payments.card_number", id, card, 5..15, 5);
            let iban = self.secret("payments.iban", id).letters(14).to_uppercase();
            let iban = self.plant("payments.iban", id, format!("GB{iban}"), 2..16, 5);
            let method = ["card", "transfer"][id as usize % 2];
            let paid = format!("'2024-06-{:02} 00:00:00+00'", 1 + id % 9);
            payments.push(format!("{id}, {id}, {card}, {iban}, {id}.00, {paid}, '{method}'"));
        }
        let columns = "id, order_id, card_number, iban, amount, paid_at, method";
        self.insert("payments", columns, &payments);
        self.sql.push_str("INSERT INTO app_settings VALUES ('vat', '0.19'), ('shop', 'Trap');\n");
    }

    fn staff(&mut self) {
        let mut rows = Vec::new();
        for id in 1..=25 {
            let name = self.words("employees.full_name", id, &[6, 9]);
            let email = self.email("employees.email", id);
            let salary = self.secret("employees.salary", id).digits(6);
            self.plant("employees.salary", id, salary.clone(), 0..6, WHOLE);
            let mut dice = self.secret("employees.national_id", id);
            let card = format!("{}-{:04}", dice.letters(7), 3000 + id);
            let card = self.plant("employees.national_id", id, card, 0..8, 5);
            let dept = ["sales", "it"][id as usize % 2];
            let boss = if id > 3 { "1" } else { "NULL" };
            rows.push(format!(
                "{id}, {name}, {email}, {salary}.50, {card}, '{dept}', {boss}, '2023-01-02'"
            ));
        }
        let columns = "id, full_name, email, salary, national_id, dept, manager_id, hired";
        self.insert("hr.employees", columns, &rows);
    }

    fn events(&mut self) {
        let mut rows = Vec::new();
        for id in 1..=120 {
            // Few addresses, so that statistics know the most common ones.
            let whose = id % 5;
            let mut dice = self.secret("events.ip", whose);
            let part = |dice: &mut Dice| 33 + dice.below(200);
            let octets = [part(&mut dice), part(&mut dice), part(&mut dice), part(&mut dice)];
            let ip = octets.map(|octet| octet.to_string()).join(".");
            let whole = 0..ip.len();
            let ip = self.plant("events.ip", whose, ip, whole, WHOLE);
            let agent = self.words("events.user_agent", whose, &[14]);
            let at = format!("'2024-{:02}-{:02} 00:00:00+00'", id % 3 + 1, id % 9 + 1);
            rows.push(format!("{id}, {}, {at}, 'view', {ip}, {agent}", id % 60 + 1));
        }
        self.insert("events", "id, customer_id, at, kind, ip, user_agent", &rows);
    }

    fn odd_names(&mut self) {
        let mut profiles = Vec::new();
        let mut clients = Vec::new();
        let mut public_contacts = Vec::new();
        let mut contacts = Vec::new();
        for id in 1..=15 {
            let email = self.email("UserProfiles.E-mail", id);
            let name = self.words("UserProfiles.Full Name", id, &[8, 6]);
            let prefs = self.json("UserProfiles.prefs", id, &["nick"]);
            profiles.push(format!("{id}, {email}, {name}, {prefs}"));
            let name = self.secret("клиенты.имя", id).cyrillic(9);
            let whole = 0..name.len();
            let name = self.plant("клиенты.имя", id, name, whole, 5);
            let phone = self.phone("клиенты.телефон", id);
            clients.push(format!("{id}, {name}, {phone}, 'Пермь'"));
            public_contacts.push(format!("{id}, 'desk {id}', 'desk{id}@shop.test'"));
            let email = self.email("hr.contacts.email", id);
            contacts.push(format!("{id}, 'desk {id}', {email}"));
        }
        self.insert("\"UserProfiles\"", "id, \"E-mail\", \"Full Name\", prefs", &profiles);
        self.insert("\"клиенты\"", "\"ид\", \"имя\", \"телефон\", \"город\"", &clients);
        self.insert("public.contacts", "id, label, email", &public_contacts);
        self.insert("hr.contacts", "id, label, email", &contacts);
    }

    fn odd_types(&mut self) {
        let [mut leads, mut letters, mut points, mut scans] = [const { Vec::new() }; 4];
        for id in 1..=15 {
            let name = self.words("leads.who", id, &[7, 7]);
            let email = self.email("leads.who", id);
            let ssn = self.ssn("leads.who", id, 901);
            leads.push(format!("{id}, ROW({name}, {email}, {ssn})::person_t, 'fair'"));
            let addr = self.email("newsletter.addr", id);
            letters.push(format!("{id}, {addr}, {}", id % 2 == 0));
            let [one, two] = [
                self.email("contact_points.emails", id),
                self.email("contact_points.emails", id + 50),
            ];
            let [home, work] = [
                self.phone("contact_points.phones", id),
                self.phone("contact_points.phones", id + 50),
            ];
            points.push(format!("{id}, ARRAY[{one}, {two}], ARRAY[{home}, {work}]"));
            let scan = self.words("id_scans.scan", id, &[20]);
            scans.push(format!("{id}, convert_to({scan}, 'UTF8'), 'image/png'"));
        }
        self.insert("leads", "id, who, source", &leads);
        self.insert("newsletter", "id, addr, active", &letters);
        self.insert("contact_points", "customer_id, emails, phones", &points);
        self.insert("id_scans", "customer_id, scan, mime", &scans);
    }

    fn papers(&mut self) {
        let [mut checks, mut tickets, mut log] = [const { Vec::new() }; 3];
        for id in 1..=20 {
            let found = self.planted.iter().find(|v| v.column == "customers.ssn" && v.id == id);
            let ssn = quote(&found.expect("customers come first").value);
            checks.push(format!("{id}, {ssn}, 'ok', '2024-05-0{}'", 1 + id % 9));
            let body = self.words("support_tickets.body", id, &[6, 6, 6]);
            tickets.push(format!("{id}, {id}, {body}, 'app', 'open'"));
            if id <= 5 {
                let row = self.json("audit_log.row_data", id, &["email"]);
                log.push(format!("'customers', {row}, 'UPDATE'"));
            }
        }
        let memos = (1..=5).map(|id| format!("{id}, 'memo {id}'")).collect::<Vec<_>>();
        self.insert("memos", "id, body", &memos);
        self.insert("kyc_checks", "id, ssn, result, checked_on", &checks);
        self.insert("support_tickets", "id, customer_id, body, agent, state", &tickets);
        self.insert("audit_log", "table_name, row_data, op", &log);
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The same throws for the same name, on every machine.
struct Dice(u64);

impl Dice {
    fn new(name: &str) -> Self {
        // FNV-1a; `below` mixes further.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        Self(hash)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).expect("31 bits") % limit
    }

    fn letter(&mut self) -> char {
        char::from(b"bcdfghjkmnpqrtvwxz"[self.below(18)])
    }

    fn letters(&mut self, count: usize) -> String {
        (0..count).map(|_| self.letter()).collect()
    }

    fn cyrillic(&mut self, count: usize) -> String {
        let letters: Vec<char> = "бвгджзклмнпрстфхцчшщ".chars().collect();
        (0..count).map(|_| letters[self.below(letters.len())]).collect()
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b"3456789"[self.below(7)])).collect()
    }

    /// `Qzvkhrt wtbxmpr`
    fn words(&mut self, lengths: &[usize]) -> String {
        let words: Vec<_> = lengths.iter().map(|length| self.letters(*length)).collect();
        let text = words.join(" ");
        text[..1].to_uppercase() + &text[1..]
    }
}
