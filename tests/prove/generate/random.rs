//! Random statements over the sample schema: typed, so that most of them run, and drawn towards
//! hidden columns.

mod conditions;
mod queries;
mod scope;
mod selects;
mod sources;
mod values;
mod writes;

use super::dice::Dice;
use super::statement::{Order, Statement, Trust};
use scope::{Cte, Scope};

/// What is being written.
struct Gen {
    dice: Dice,
    /// Values of `$1`…
    params: Vec<String>,
    /// How many of a hundred constants become parameters.
    params_percent: usize,
    /// Sources that can be named, innermost last.
    scopes: Vec<Scope>,
    ctes: Vec<Cte>,
    /// Names of relations that mean something else now.
    shadowed: Vec<String>,
    names: usize,
    trust: Trust,
    /// Where a value may hold a query.
    subqueries: bool,
    /// How many of a hundred columns may come from outer scopes too.
    outer_percent: usize,
    /// How many of a hundred columns are named without their table, where that is clear.
    bare_percent: usize,
}

/// Statement `number` of the run with this seed.
pub(crate) fn statement(seed: u64, number: usize) -> (Statement, Dice) {
    let mut dice = Dice::new(seed, number as u64);
    let params_percent = if dice.chance(40) { 35 } else { 0 };
    let mut generator = Gen {
        dice,
        params: Vec::new(),
        params_percent,
        scopes: Vec::new(),
        ctes: Vec::new(),
        shadowed: Vec::new(),
        names: 0,
        trust: Trust::Twin,
        subqueries: true,
        outer_percent: 20,
        bare_percent: 25,
    };
    let (sql, order, check) = if generator.dice.chance(14) {
        let write = generator.write();
        (write.sql, Order::Any, Some(write.check))
    } else {
        let (sql, order) = generator.query();
        (sql, order, None)
    };
    let Gen { dice, params, trust, .. } = generator;
    let (sql, params) = compact(sql, params);
    let origin = "random".to_owned();
    (Statement { origin, number, sql, params, order, trust, check }, dice)
}

/// Without the parameters of expressions that were thrown away.
fn compact(mut sql: String, params: Vec<String>) -> (String, Vec<String>) {
    let mut used = Vec::new();
    for (index, value) in params.into_iter().enumerate() {
        let name = format!("${}", index + 1);
        if sql.contains(&name) {
            used.push(value);
            sql = sql.replace(&name, &format!("${}", used.len()));
        }
    }
    (sql, used)
}

impl Gen {
    /// A name that nothing else has.
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        match self.dice.below(12) {
            0 => format!("\"{prefix} Ж{}\"", self.names),
            _ => format!("{prefix}{}", self.names),
        }
    }
}
