//! The catalogued columns, table by table, as the three databases hold them: masked, raw, and raw
//! otherwise. From it a twin is made for whatever is granted, by UPDATEs of the test's own: none of
//! the proxy's code, SQL or catalog is in it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::grants::{Grant, On};
use crate::support::Client;

/// `table key = column:class…`, then the columns by which rows are chosen; `!` marks a column that
/// is derived: a grant on its own name is none.
const SHELF: &str = r#"
public.customers id = full_name:person_name email:email phone:phone ssn:national_id dob:birth_date address:personal notes:personal email_lower:email! email_md5:email! / id:int balance:num created_at:time
public.payments id = card_number:card iban:personal / id:int order_id:int amount:num method:word(card,transfer,cash)
hr.employees id = full_name:person_name email:email salary:personal national_id:national_id / id:int dept:word(sales,it,law) manager_id:int hired:date
public.events id = ip:personal user_agent:personal / id:int customer_id:int at:time
public."UserProfiles" id = "E-mail":email "Full_Name":person_name prefs:personal / id:int "Theme":word(light,dark)
public."клиенты" "ид" = "имя":person_name "телефон":phone / "ид":int "город":word(Пермь,Омск)
hr.contacts id = email:email / id:int label:desk
public.leads id = who:personal / id:int source:word(fair,web)
public.newsletter id = addr:email / id:int active:bool
public.contact_points customer_id = emails:personal phones:personal / customer_id:int verified:bool
public.kyc_checks id = ssn:national_id / id:int checked_on:date
public.id_scans customer_id = scan:personal / customer_id:int
public.support_tickets id = body:personal / id:int customer_id:int state:word(open,done)
public.audit_log id = row_data:personal / id:int op:word(UPDATE,INSERT)
"#;

#[derive(Debug)]
pub(crate) struct Table {
    /// With its schema, quoted where it has to be.
    pub(crate) name: String,
    key: String,
    pub(crate) columns: Vec<Column>,
    /// Name and kind of what rows can be chosen by.
    pub(crate) plain: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) class: String,
    pub(crate) derived: bool,
}

pub(crate) fn tables() -> &'static [Table] {
    static TABLES: OnceLock<Vec<Table>> = OnceLock::new();
    TABLES.get_or_init(|| SHELF.trim().lines().map(table).collect())
}

fn table(line: &str) -> Table {
    let (head, rest) = line.split_once(" = ").expect("table key = columns");
    let (columns, plain) = rest.split_once(" / ").expect("columns / columns");
    let (name, key) = head.split_once(' ').expect("table key");
    let pair = |text: &str| {
        let (name, of) = text.split_once(':').expect("name:kind");
        (name.replace("Full_Name", "Full Name"), of.to_owned())
    };
    let column = |text| {
        let (name, class) = pair(text);
        let derived = class.ends_with('!');
        Column { name, class: class.trim_end_matches('!').to_owned(), derived }
    };
    Table {
        name: name.to_owned(),
        key: key.to_owned(),
        columns: columns.split(' ').map(column).collect(),
        plain: plain.split(' ').map(pair).collect(),
    }
}

/// Whether a grant speaks of the column.
fn speaks(grant: &Grant, table: &Table, column: &Column) -> bool {
    match &grant.on {
        On::Column(of, name) => *of == table.name && *name == column.name,
        On::Table(of) => *of == table.name,
        On::Class(class) => *class == column.class,
        On::All => true,
    }
}

/// A table's values: for each row the key, and the columns as SQL literals.
type Rows = Vec<Vec<String>>;

/// What derived columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Derived {
    /// Columns as others are: the twin's.
    Stored,
    /// They compute themselves, and are left alone.
    Computed,
}

/// What stands in one database.
struct Stock {
    /// By table.
    rows: Vec<Rows>,
    derived: Derived,
}

impl Stock {
    fn read(admin: &mut Client, derived: Derived) -> Self {
        let read = |table: &Table| {
            let columns = table.columns.iter().map(|it| format!(", format('%L', {})", it.name));
            let (key, name) = (&table.key, &table.name);
            let columns: String = columns.collect();
            admin.query(&format!("SELECT {key}{columns} FROM {name} ORDER BY 1")).ok().rows()
        };
        Self { rows: tables().iter().map(read).collect(), derived }
    }

    /// Writes what `from` holds in these columns, in rows for which `such` is true.
    fn take(&self, from: &Self, at: usize, columns: &[usize], such: &str) -> String {
        let table = &tables()[at];
        let computed = |at: &usize| self.derived == Derived::Computed && table.columns[*at].derived;
        let columns = columns.iter().filter(|at| !computed(at));
        let columns: Vec<usize> = columns.copied().collect();
        let values = from.rows[at].iter().map(|row| {
            let fields = columns.iter().map(|column| format!(", {}", row[column + 1]));
            format!("({}{})", row[0], fields.collect::<String>())
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let names = columns.iter().map(|column| format!(", keyhole_{column}"));
        let sets = columns.iter().map(|column| {
            let name = &table.columns[*column].name;
            format!("{name} = keyhole_{column}::{}", type_of(table, name))
        });
        let sets = sets.collect::<Vec<_>>().join(", ");
        format!(
            "UPDATE {} AS t SET {sets} FROM (VALUES {values}) AS v (keyhole_key{}) \
             WHERE t.{} = keyhole_key AND ({such});\n",
            table.name,
            names.collect::<String>(),
            table.key
        )
    }
}

fn type_of(table: &Table, column: &str) -> &'static str {
    match (&*table.name, column) {
        (_, "dob") => "date",
        (_, "address" | "prefs" | "row_data") => "jsonb",
        (_, "salary") => "numeric(12,2)",
        (_, "ip") => "inet",
        (_, "who") => "person_t",
        (_, "addr") => "email_addr",
        (_, "emails" | "phones") => "text[]",
        (_, "scan") => "bytea",
        (..) => "text",
    }
}

/// The three databases, and what they are without grants.
pub(crate) struct Shelf {
    /// Masked, A, B.
    stocks: [Stock; 3],
    /// Tables that are not as they were.
    changed: Vec<bool>,
}

/// Masks of one letter and a domain are alike, which nobody minds while there is no salary.
const LOOSE: &str = "DROP INDEX hr.employees_email_key; \
    CREATE INDEX employees_email_key ON hr.employees (dept, lower(email));\n";

/// As it is where both are shown.
const UNIQUE: &str = "DROP INDEX hr.employees_email_key; \
    CREATE UNIQUE INDEX employees_email_key ON hr.employees (dept, lower(email)) \
    INCLUDE (hired) WHERE salary > 0;\n";

/// A child's rows have no place of their own either, and it has no index to be ordered by.
const CHILD: &str = "CREATE INDEX vip_customers_order ON vip_customers (id);\
                     CLUSTER vip_customers USING vip_customers_order;";

/// They are read by others' constraints.
const ORDERED: [&str; 2] = ["public.customers", "hr.employees"];

/// The twin's materialized view cannot be updated: it shows a table.
const SEARCH: &str = "
    DROP MATERIALIZED VIEW mv_customer_search;
    CREATE SCHEMA twin;
    CREATE TABLE twin.search (id integer, doc text, tax_ref text);
    CREATE MATERIALIZED VIEW mv_customer_search AS SELECT id, doc, tax_ref FROM twin.search;
    ALTER MATERIALIZED VIEW mv_customer_search OWNER TO app;
    GRANT USAGE ON SCHEMA twin TO app;
    GRANT SELECT ON twin.search TO app;
    CREATE FUNCTION twin.derive() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON customers
        FOR EACH ROW EXECUTE FUNCTION twin.derive();
    CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON vip_customers
        FOR EACH ROW EXECUTE FUNCTION twin.derive();
    CLUSTER customers USING customers_pkey;
    CLUSTER hr.employees USING employees_pkey;
";

impl Shelf {
    pub(crate) fn open(admins: &mut [Client; 3]) -> Self {
        for admin in admins.iter_mut() {
            admin.query(CHILD).ok();
        }
        let [masked, a, b] = admins;
        masked.query(SEARCH).ok();
        for admin in [&mut *a, &mut *b] {
            admin.query("CLUSTER customers USING customers_pkey").ok();
            admin.query("CLUSTER hr.employees USING employees_pkey").ok();
        }
        let stocks = [
            Stock::read(masked, Derived::Stored),
            Stock::read(a, Derived::Computed),
            Stock::read(b, Derived::Computed),
        ];
        Self { stocks, changed: vec![true; tables().len()] }
    }

    /// Makes the twin of who holds these grants, and has B agree with A on what they cover.
    pub(crate) fn turn_to(&mut self, grants: &[Grant], admins: &mut [Client; 3]) {
        let [masked, a, b] = &self.stocks;
        let mut scripts = ["SET session_replication_role = replica;\n"; 3].map(str::to_owned);
        scripts[0] += LOOSE;
        for (at, table) in tables().iter().enumerate() {
            let all: Vec<usize> = (0..table.columns.len()).collect();
            // Rows of A move as those of the others do.
            let mut add = |of: [&Stock; 3], columns: &[usize], such: &str| {
                for ((script, stock), from) in scripts.iter_mut().zip([masked, a, b]).zip(of) {
                    *script += &stock.take(from, at, columns, such);
                }
            };
            if std::mem::take(&mut self.changed[at]) {
                add([masked, a, b], &all, "true");
            }
            for (such, columns) in covered(grants, table) {
                self.changed[at] = true;
                add([a, a, a], &columns, &such);
            }
            // The first row that a constraint finds is named in its error.
            if ORDERED.contains(&&*table.name) {
                let cluster = format!("CLUSTER {};\n", table.name);
                scripts.iter_mut().for_each(|script| *script += &cluster);
            }
        }
        // An error names the first row that an expression fails on, too.
        scripts.iter_mut().for_each(|script| *script += "CLUSTER vip_customers;\n");
        scripts[0] += &search(grants);
        scripts[0] += &deriving(grants);
        if shows_every(grants, "email") && shows_every(grants, "salary") {
            scripts[0] += UNIQUE;
        }
        for (admin, script) in admins.iter_mut().zip(&scripts) {
            admin.start(&format!("{script}REFRESH MATERIALIZED VIEW mv_customer_search;"));
        }
        for admin in admins.iter_mut() {
            admin.until_ready().ok();
            admin.forget();
        }
    }

    /// Everything that stands in the catalogued columns of the twin.
    pub(crate) fn text(admins: &mut [Client; 3]) -> String {
        let mut text = String::new();
        for table in tables() {
            let rows = admins[0].query(&format!("SELECT t::text FROM {} AS t", table.name)).ok();
            text.extend(rows.rows().into_iter().flatten());
        }
        text
    }
}

/// By the condition on rows, the columns that are shown there. (Derived columns compute themselves
/// from the others where they are not stored, and come with them.)
fn covered(grants: &[Grant], table: &Table) -> BTreeMap<String, Vec<usize>> {
    let mut covered: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for grant in grants.iter().filter(|grant| grant.counts()) {
        for (at, column) in table.columns.iter().enumerate() {
            if speaks(grant, table, column) {
                let such = grant.rows.clone().unwrap_or_else(|| "true".to_owned());
                let columns = covered.entry(such).or_default();
                if !columns.contains(&at) {
                    columns.push(at);
                }
            }
        }
    }
    // Of derived columns alone there is nothing to store.
    covered.retain(|_, columns| columns.iter().any(|at| !table.columns[*at].derived));
    covered
}

/// Whether the grants show this column of the employees in all rows.
fn shows_every(grants: &[Grant], column: &str) -> bool {
    let table = tables().iter().find(|table| table.name == "hr.employees").expect("one of ours");
    let column = table.columns.iter().find(|it| it.name == column).expect("one of its own");
    let counting = grants.iter().filter(|grant| grant.counts());
    counting.filter(|grant| grant.rows.is_none()).any(|grant| speaks(grant, table, column))
}

/// The stored view shows tax numbers to who may see all of their class, the rest to who may see
/// everything.
fn search(grants: &[Grant]) -> String {
    let granted = |class: &str| {
        grants.iter().filter(|grant| grant.counts()).any(|grant| match &grant.on {
            On::All => true,
            On::Class(own) => own == class,
            On::Column(..) | On::Table(_) => false,
        })
    };
    let masked = "repeat('*', length(ssn) - 4) || right(ssn, 4)";
    let doc = match granted("") {
        true => "lower(full_name || ' ' || email)",
        false => "'***'",
    };
    let tax_ref = if granted("national_id") {
        "ssn".to_owned()
    } else {
        // Where a grant on the table shows the number, the view that stored it does not.
        format!("CASE WHEN ssn LIKE '*%' THEN ssn ELSE {masked} END")
    };
    format!(
        "TRUNCATE twin.search; INSERT INTO twin.search SELECT id, {doc}, {tax_ref} FROM customers;\n"
    )
}

/// What is written to the twin's rows is derived as in the others, where that is shown.
fn deriving(grants: &[Grant]) -> String {
    let customers = &tables()[0];
    let derived: Vec<_> = customers.columns.iter().filter(|column| column.derived).collect();
    let counting = grants.iter().filter(|grant| grant.counts());
    let conditions = counting
        .filter(|grant| speaks(grant, customers, derived[0]))
        .map(|grant| format!(" OR ({})", grant.rows.as_deref().unwrap_or("true")));
    let conditions = conditions.collect::<String>();
    format!(
        "CREATE OR REPLACE FUNCTION twin.derive() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF (SELECT false{conditions} FROM (SELECT NEW.*) AS t) \
         THEN NEW.email_lower := lower(NEW.email); NEW.email_md5 := md5(NEW.email); END IF; \
         RETURN NEW; END $$;\n"
    )
}
