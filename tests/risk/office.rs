//! An office at work: forty users, by day and by night, with their typing errors.

use serde_json::json;

use super::script::{Script, day, hour};

pub(crate) const COLUMNS: [&str; 6] = [
    "public.customers.email",
    "public.customers.phone",
    "public.customers.name",
    "public.customers.street",
    "public.orders.address",
    "public.payments.iban",
];

pub(crate) const AGENTS: usize = 22;
const NIGHT_AGENTS: usize = 2;
const ANALYSTS: usize = 10;
const DBAS: usize = 4;
const LEADS: [&str; 2] = ["lead0", "lead1"];
const CUSTOMERS: u64 = 50_000;

/// A generator of its own: the same numbers on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between both, the second excluded.
    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        least + i64::try_from(self.next() % most.abs_diff(least)).unwrap()
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    fn column(&mut self) -> &'static str {
        COLUMNS[usize::try_from(self.next() % 6).unwrap()]
    }

    /// Keys of customers, as records have them.
    pub(crate) fn subjects(&mut self, count: i64) -> serde_json::Value {
        let keys: Vec<String> = (0..count).map(|_| key(self.next() % CUSTOMERS)).collect();
        json!({"public.customers": {"keys": keys, "rows": count, "more": 0}})
    }
}

pub(crate) fn key(customer: u64) -> String {
    format!("{:016x}", customer.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

pub(crate) struct Office {
    dice: Dice,
    grant: u64,
}

impl Office {
    pub(crate) fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), grant: 100 }
    }

    /// What happens on a day; the first is a Monday.
    pub(crate) fn day(&mut self, number: i64) -> Script {
        let mut script = Script::default();
        if number == 0 {
            for (grant, service) in [(1, "webapp"), (2, "bi_nightly"), (3, "mailer")] {
                script.granted(0, grant, service, &[]);
            }
        }
        let weekday = number % 7;
        for agent in 0..AGENTS {
            // Some work on Saturdays.
            if weekday < 5 || (weekday == 5 && agent % 4 == 0) {
                self.agent(&mut script, number, agent);
            }
        }
        for analyst in 0..ANALYSTS {
            if weekday < 5 {
                self.analyst(&mut script, number, analyst);
            }
        }
        for dba in 0..DBAS {
            if weekday < 5 {
                self.dba(&mut script, number, dba);
            }
        }
        self.webapp(&mut script, number);
        self.jobs(&mut script, number);
        script
    }

    /// The first seconds of work, with a wrong password now and then.
    fn comes(&mut self, script: &mut Script, at: i64, user: &str, group: &str) {
        if self.dice.percent(15) {
            for attempt in 0..self.dice.between(1, 4) {
                script.login_failed(at - 60 + 5 * attempt, user, "10.0.0.1");
            }
        }
        script.login(at, user, group);
    }

    fn agent(&mut self, script: &mut Script, number: i64, agent: usize) {
        let name = format!("agent{agent}");
        let who = (name.as_str(), "support");
        let nights = agent < NIGHT_AGENTS && (number / 7 + i64::try_from(agent).unwrap()) % 2 == 1;
        let shift = if nights { 21 } else { 7 + i64::try_from(agent % 3).unwrap() };
        let begin = day(number) + hour(shift) + self.dice.between(-900, 2_700);
        self.comes(script, begin, who.0, who.1);
        // A screen of the support tool asks three things at once.
        for _ in 0..self.dice.between(15, 60) {
            let at = begin + self.dice.between(60, hour(8));
            for question in 0..3 {
                script.masked(at + question, who, self.dice.column());
            }
        }
        for _ in 0..self.dice.between(0, 4) {
            let at = begin + self.dice.between(600, hour(7));
            self.ticket(script, at, who);
        }
        if self.dice.percent(10) {
            // Something that cannot be masked, tried again.
            let at = begin + self.dice.between(600, hour(7));
            for attempt in 0..self.dice.between(1, 4) {
                let more = json!({"pii_columns": [COLUMNS[0]], "decision": "refused",
                                  "sqlstate": "42501"});
                script.statement(at + 20 * attempt, who, more);
            }
        }
    }

    /// A grant that a lead approves, used for a customer or a few.
    fn ticket(&mut self, script: &mut Script, at: i64, who: (&str, &str)) {
        self.grant += 1;
        let (grant, column) = (self.grant, self.dice.column());
        script.granted(at, grant, who.0, &[LEADS[0]]);
        for _ in 0..self.dice.between(1, 8) {
            let when = at + self.dice.between(10, 1_700);
            let count = self.dice.between(1, 4);
            if self.dice.percent(30) {
                let more = json!({"pii_columns": [column], "looked_up_columns": [column],
                                  "masked_columns": [column], "grants": [grant],
                                  "fingerprint": "lookup"});
                script.statement(when, who, more);
            } else {
                let more = json!({"grants": [grant], "rows": count, "bytes": 60 * count,
                                  "subjects": self.dice.subjects(count)});
                script.raw(when, who, column, more);
            }
        }
        script.grant_ends(at + 1_800, grant);
    }

    fn analyst(&mut self, script: &mut Script, number: i64, analyst: usize) {
        let name = format!("analyst{analyst}");
        let who = (name.as_str(), "analysts");
        let begin = day(number) + hour(9) + self.dice.between(-1_800, 3_600);
        self.comes(script, begin, who.0, who.1);
        // Dashboards: a dozen at once, again and again.
        for _ in 0..self.dice.between(5, 20) {
            let at = begin + self.dice.between(60, hour(9));
            for tile in 0..12 {
                script.masked(at + tile / 4, who, self.dice.column());
            }
        }
        for _ in 0..self.dice.between(0, 12) {
            let at = begin + self.dice.between(60, hour(9));
            // Typing errors, divisions by zero.
            let codes = ["42601", "42703", "22012", "22P02"];
            let code = codes[usize::try_from(self.dice.between(0, 4)).unwrap()];
            let more = json!({"pii_columns": [COLUMNS[4]], "sqlstate": code});
            script.statement(at, who, more);
        }
        for _ in 0..self.dice.between(0, 5) {
            let at = begin + self.dice.between(60, hour(9));
            let more = json!({"pii_columns": [COLUMNS[5]], "decision": "refused",
                              "sqlstate": "42501"});
            script.statement(at, who, more);
        }
        if self.dice.percent(25) {
            self.grant += 1;
            let (grant, rows) = (self.grant, self.dice.between(200, 3_000));
            let at = begin + self.dice.between(600, hour(6));
            script.granted(at, grant, who.0, &[LEADS[1]]);
            let more = json!({"grants": [grant], "rows": rows, "bytes": 80 * rows});
            script.raw(at + 300, who, self.dice.column(), more);
            script.grant_ends(at + 1_800, grant);
        }
    }

    fn dba(&mut self, script: &mut Script, number: i64, dba: usize) {
        let name = format!("dba{dba}");
        let who = (name.as_str(), "dba");
        let begin = day(number) + hour(8) + self.dice.between(0, 3_600);
        self.comes(script, begin, who.0, who.1);
        for _ in 0..self.dice.between(5, 40) {
            script.masked(begin + self.dice.between(60, hour(9)), who, self.dice.column());
        }
        if self.dice.percent(10) {
            self.ticket(script, begin + hour(3), who);
        }
    }

    /// The shop itself, through an ORM: few statements by night, many by day, and a rush now and
    /// then. It finds customers who log in, and is told that an address is taken.
    fn webapp(&mut self, script: &mut Script, number: i64) {
        let who = ("webapp", "services");
        for of_day in 0..24 {
            let begin = day(number) + hour(of_day);
            let busy = if (8..22).contains(&of_day) { 5 } else { 1 };
            for _ in 0..self.dice.between(60, 120) * busy {
                let at = begin + self.dice.between(0, 3_600);
                if self.dice.percent(30) {
                    let more = json!({"pii_columns": [COLUMNS[0]],
                                      "looked_up_columns": [COLUMNS[0]], "grants": [1],
                                      "fingerprint": "by_email"});
                    script.statement(at, who, more);
                } else {
                    script.masked(at, who, self.dice.column());
                }
            }
            for _ in 0..self.dice.between(0, 4) {
                let more = json!({"pii_columns": [COLUMNS[0]], "sqlstate": "23505"});
                script.statement(begin + self.dice.between(0, 3_600), who, more);
            }
        }
        if self.dice.percent(15) {
            let at = day(number) + hour(self.dice.between(10, 20));
            for _ in 0..self.dice.between(200, 400) {
                script.masked(at + self.dice.between(0, 90), who, self.dice.column());
            }
        }
    }

    fn jobs(&mut self, script: &mut Script, number: i64) {
        let who = ("bi_nightly", "services");
        script.login(day(number) + hour(2), who.0, who.1);
        for table in 0..4 {
            let rows = self.dice.between(8_000, 12_000);
            let column = COLUMNS[usize::try_from(table).unwrap()];
            let more = json!({"grants": [2], "rows": rows, "bytes": 90 * rows});
            script.raw(day(number) + hour(2) + 300 * table, who, column, more);
        }
        let who = ("mailer", "services");
        for of_day in [6, 12, 18] {
            let count = self.dice.between(100, 200);
            let more = json!({"grants": [3], "rows": count, "bytes": 50 * count,
                              "subjects": self.dice.subjects(count)});
            script.raw(day(number) + hour(of_day), who, COLUMNS[0], more);
        }
        // A masked dump of everything.
        for column in COLUMNS {
            script.masked(day(number) + hour(4), ("etl", "services"), column);
        }
    }
}
