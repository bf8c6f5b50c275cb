//! Random grants: what counts for the session, and what looks like it but must change nothing.

use super::dice::Dice;
use super::shelf::{Table, tables};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// Of a table with its schema.
    Column(String, String),
    Table(String),
    Class(String),
    All,
}

/// Whom, where and when it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// alice
    User,
    /// A group of hers.
    Group,
    /// Somebody else.
    Other,
    OtherGroup,
    OtherDatabase,
    /// Its time has not come.
    Tomorrow,
}

#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) on: On,
    /// A condition on rows: SQL, and a row predicate of grants.
    pub(crate) rows: Option<String>,
    pub(crate) whom: For,
}

impl Grant {
    /// Whether it shows anything to alice now.
    pub(crate) fn counts(&self) -> bool {
        matches!(self.whom, For::User | For::Group)
    }

    /// The console's command, or None for what the console does not give.
    pub(crate) fn command(&self, database: &str, tomorrow: &str) -> Option<String> {
        let database = if self.whom == For::OtherDatabase { "shop_c" } else { database };
        let on = match &self.on {
            On::Column(table, column) => format!("{database}.{table}.{column}"),
            On::Table(table) => format!("{database}.{table}"),
            On::Class(class) => format!("CLASS {class} IN {database}"),
            On::All => return None,
        };
        let rows = self.rows.as_ref().map(|rows| format!(" WHERE {rows}")).unwrap_or_default();
        let to = match self.whom {
            For::User | For::OtherDatabase | For::Tomorrow => "alice",
            For::Group => "GROUP support",
            For::Other => "bob",
            For::OtherGroup => "GROUP sales",
        };
        let starting = match self.whom {
            For::Tomorrow => format!(" STARTING '{tomorrow}'"),
            For::User | For::Group | For::Other | For::OtherGroup | For::OtherDatabase => {
                String::new()
            }
        };
        Some(format!("GRANT READ ON {on}{rows} TO {to} FOR '30 minutes'{starting} REASON 'proof'"))
    }
}

/// By what rows are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The key only, which no statement changes.
    Key,
    /// Any plain column: whoever changes it moves rows into a grant, and out of it. No twin is
    /// made for that, so that these rounds only read.
    Anything,
}

/// What is held for a number of statements.
pub(crate) struct Round {
    pub(crate) grants: Vec<Grant>,
    pub(crate) by: By,
}

impl Round {
    /// Round `number` of the run with this seed.
    pub(crate) fn new(seed: u64, number: usize) -> Self {
        let mut dice = Dice::new(seed ^ 0x6772_616e_7473, number as u64);
        let by = if dice.chance(40) { By::Key } else { By::Anything };
        Self { grants: grants(&mut dice, by), by }
    }
}

fn grants(dice: &mut Dice, by: By) -> Vec<Grant> {
    if dice.chance(5) {
        return vec![Grant { on: On::All, rows: None, whom: For::User }];
    }
    let count = [0, 1, 1, 1, 2, 2, 3, 3, 4, 6][dice.below(10)];
    let mut grants: Vec<Grant> = (0..count).map(|_| grant(dice, by, For::User)).collect();
    for grant in &mut grants {
        if dice.chance(25) {
            grant.whom = For::Group;
        }
    }
    // Of the same table, another column or other rows.
    if let Some(On::Column(table, _) | On::Table(table)) = grants.first().map(|it| it.on.clone())
        && dice.chance(50)
    {
        let table = tables().iter().find(|it| it.name == table).expect("one of ours");
        grants.push(on_table(dice, by, table, For::User));
    }
    let others = [For::Other, For::OtherGroup, For::OtherDatabase, For::Tomorrow];
    for _ in 0..dice.below(4) {
        let whom = *dice.of(&others);
        grants.push(grant(dice, by, whom));
    }
    grants
}

fn grant(dice: &mut Dice, by: By, whom: For) -> Grant {
    let table = match dice.chance(30) {
        true => &tables()[0],
        false => dice.of(tables()),
    };
    if dice.chance(20) {
        let class = dice.of(&table.columns).class.clone();
        return Grant { on: On::Class(class), rows: None, whom };
    }
    on_table(dice, by, table, whom)
}

fn on_table(dice: &mut Dice, by: By, table: &Table, whom: For) -> Grant {
    let name = table.name.clone();
    let on = match dice.chance(40) {
        true => On::Table(name),
        false => {
            let named: Vec<_> = table.columns.iter().filter(|column| !column.derived).collect();
            On::Column(name, dice.of(&named).name.clone())
        }
    };
    let rows = dice.chance(65).then(|| condition(dice, by, table, 2));
    Grant { on, rows, whom }
}

/// A row predicate, which is SQL too.
pub(crate) fn condition(dice: &mut Dice, by: By, table: &Table, depth: usize) -> String {
    if depth > 0 && dice.chance(25) {
        let [one, two] = [0, 1].map(|_| condition(dice, by, table, depth - 1));
        return match dice.below(3) {
            0 => format!("({one}) AND ({two})"),
            1 => format!("({one}) OR ({two})"),
            _ => format!("NOT ({one})"),
        };
    }
    // Mostly by the key.
    let by_key = by == By::Key || dice.chance(50);
    let (name, kind) = if by_key { &table.plain[0] } else { dice.of(&table.plain) };
    if dice.chance(8) {
        return format!("{name} IS {}NULL", dice.pick(&["", "NOT "]));
    }
    let values: Vec<String> = match kind.as_str() {
        "int" => (0..3).map(|_| dice.between(1, 24).to_string()).collect(),
        "num" => ["0.25", "10.25", "40.25", "12.00", "7"].map(str::to_owned).to_vec(),
        "bool" => return format!("{name} = {}", dice.pick(&["true", "false"])),
        "time" => ["2024-01-03 00:00:00+00", "2024-02-05 00:00:00+00", "2024-06-01 00:00:00+00"]
            .map(|text| format!("'{text}'"))
            .to_vec(),
        "date" => ["2023-01-02", "2024-05-03", "2024-05-07"].map(|it| format!("'{it}'")).to_vec(),
        "desk" => (0..3).map(|_| format!("'desk {}'", dice.between(1, 15))).collect(),
        words => {
            let list = words.trim_start_matches("word(").trim_end_matches(')').split(',');
            let mut values: Vec<String> = list.map(|word| format!("'{word}'")).collect();
            values.push("'it''s'".to_owned());
            values
        }
    };
    let value = |dice: &mut Dice| dice.of(&values).clone();
    match dice.below(8) {
        0..=2 => format!("{name} = {}", value(dice)),
        3 => format!("{name} {} {}", dice.pick(&["<", "<=", ">", ">=", "<>"]), value(dice)),
        4 | 5 => format!("{name} IN ({}, {})", value(dice), value(dice)),
        6 => format!("{name} NOT IN ({}, {})", value(dice), value(dice)),
        _ => format!("{name} BETWEEN {} AND {}", value(dice), value(dice)),
    }
}
