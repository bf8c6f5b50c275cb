//! The sample schema as the generator knows it: relations, their columns in order, types, keys.

use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Type {
    Text,
    Int,
    Num,
    Date,
    Time,
    Bool,
    Json,
    Texts,
    Inet,
    Bytes,
    Person,
    Status,
}

impl Type {
    fn read(word: &str) -> Self {
        match word {
            "text" => Self::Text,
            "int" => Self::Int,
            "num" => Self::Num,
            "date" => Self::Date,
            "time" => Self::Time,
            "bool" => Self::Bool,
            "json" => Self::Json,
            "texts" => Self::Texts,
            "inet" => Self::Inet,
            "bytes" => Self::Bytes,
            "person" => Self::Person,
            "status" => Self::Status,
            other => panic!("no type {other}"),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Quoted where it has to be.
    pub(crate) name: String,
    pub(crate) of: Type,
    pub(crate) hidden: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    /// Rows of it cannot be locked or sampled.
    View,
}

#[derive(Debug)]
pub(crate) struct Relation {
    /// As it may be named under the default search path.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) columns: Vec<Column>,
    /// Names of columns that no two rows share.
    pub(crate) keys: Vec<String>,
    /// So often it is chosen.
    pub(crate) weight: usize,
}

impl Relation {
    /// With its schema.
    pub(crate) fn qualified(&self) -> String {
        let qualified = self.name.starts_with("hr.") || self.name.starts_with("public.");
        if qualified { self.name.to_owned() } else { format!("public.{}", self.name) }
    }
}

/// `weight kind name = column:type…`; `*` marks what is hidden, `!` a key.
const SHOP: &str = r#"
12 table customers = id:int! full_name:text* email:text* phone:text* ssn:text* dob:date* address:json* balance:num notes:text* created_at:time email_lower:text* email_md5:text*
3 table vip_customers = id:int! full_name:text* email:text* phone:text* ssn:text* dob:date* address:json* balance:num notes:text* created_at:time email_lower:text* email_md5:text* perks:text personal_phone:text
2 table products = id:int! sku:text name:text category:text price:num description:text stock:int
4 table orders = id:int! customer_id:int status:status total:num placed_at:time
2 table order_items = order_id:int! line_no:int! product_id:int qty:int unit_price:num
5 table payments = id:int! order_id:int card_number:text* iban:text* amount:num paid_at:time method:text
6 table hr.employees = id:int! full_name:text* email:text* salary:num* national_id:text* dept:text manager_id:int hired:date
4 table events = id:int! customer_id:int at:time kind:text ip:inet* user_agent:text*
2 table events_2024_01 = id:int! customer_id:int at:time kind:text ip:inet* user_agent:text*
2 table events_2024_03 = id:int! customer_id:int at:time kind:text ip:inet* user_agent:text*
4 table "UserProfiles" = id:int! "E-mail":text* "Full Name":text* "Theme":text prefs:json*
4 table "клиенты" = "ид":int! "имя":text* "телефон":text* "город":text
2 table public.contacts = id:int! label:text email:text
3 table hr.contacts = id:int! label:text email:text*
4 table leads = id:int! who:person* source:text
5 table newsletter = id:int! addr:text* active:bool
4 table contact_points = customer_id:int! emails:texts* phones:texts* verified:bool
4 table kyc_checks = id:int! ssn:text* result:text checked_on:date
3 table id_scans = customer_id:int! scan:bytes* mime:text
3 table support_tickets = id:int! customer_id:int body:text* agent:text state:text
2 table audit_log = id:int! table_name:text row_data:json* op:text
1 table app_settings = key:text! value:text
1 table memos = id:int! body:text
4 view v_customers = id:int! full_name:text* email:text* phone:text* ssn:text* balance:num
3 view v_customers_nested = id:int! full_name:text* email:text* phone:text* ssn:text* balance:num
3 view v_contact_card = id:int! card:text* remark:text* doy:int*
3 view v_renamed = ref:int! code:text* login:text*
2 view v_spend_by_email = email:text*! n:int total:num
1 view v_spend = customer_id:int! n:int total:num
2 view v_people_union = src:text! id:int! label:text*
1 view v_catalogue = sku:text! name:text price:num
2 view v_barrier = id:int! email:text* balance:num
2 view hr.v_payroll = id:int! dept:text cost:num* rnk:int*
1 view mv_customer_search = id:int! doc:text* tax_ref:text*
1 view mv_sales = category:text! qty:int revenue:num
"#;

pub(crate) fn relations() -> &'static [Relation] {
    static RELATIONS: OnceLock<Vec<Relation>> = OnceLock::new();
    RELATIONS.get_or_init(|| SHOP.trim().lines().map(relation).collect())
}

/// The relation of that name.
pub(crate) fn named(name: &str) -> &'static Relation {
    match relations().iter().find(|relation| relation.name == name) {
        Some(relation) => relation,
        None => panic!("no relation {name}"),
    }
}

fn relation(line: &'static str) -> Relation {
    let (head, columns) = line.split_once(" = ").expect("name = columns");
    let mut words = head.splitn(3, ' ');
    let mut word = || words.next().expect("weight, kind, name");
    let (weight, kind, name) = (word(), word(), word());
    let mut relation = Relation {
        name,
        kind: if kind == "table" { Kind::Table } else { Kind::View },
        columns: Vec::new(),
        keys: Vec::new(),
        weight: weight.parse().expect("a number"),
    };
    let mut rest = columns;
    while let Some((column, after)) = rest.split_once(':') {
        let (marked, next) = after.split_once(' ').unwrap_or((after, ""));
        let column = column.to_owned();
        if marked.ends_with('!') {
            relation.keys.push(column.clone());
        }
        let of = Type::read(marked.trim_end_matches(['*', '!']));
        relation.columns.push(Column { name: column, of, hidden: marked.contains('*') });
        rest = next;
    }
    relation
}
