//! Predicates: most of them ask about hidden columns, many for what is really stored there.

use super::super::shop::Type;
use super::Gen;
use crate::support::traps::{self, Variant};

/// Stored in A, where the guess is right; in B it is wrong.
const GUESSES: [(&str, &str); 9] = [
    ("mail", "customers.email"),
    ("login", "customers.email"),
    ("addr", "newsletter.addr"),
    ("ssn", "customers.ssn"),
    ("code", "customers.ssn"),
    ("national", "employees.national_id"),
    ("phone", "customers.phone"),
    ("card", "payments.card_number"),
    ("name", "customers.full_name"),
];

impl Gen {
    pub(super) fn condition(&mut self, depth: usize) -> String {
        if depth > 0 {
            let depth = depth - 1;
            match self.dice.below(10) {
                0 => return format!("NOT ({})", self.condition(depth)),
                1 | 2 => {
                    let word = self.dice.pick(&["AND", "OR"]);
                    let [one, two] = [0, 1].map(|_| self.condition(depth));
                    return format!("({one} {word} {two})");
                }
                3 if self.subqueries => return self.query_condition(),
                _ => {}
            }
        }
        match self.dice.below(12) {
            0..=4 => self.comparison(depth),
            5 => self.text_match(depth),
            6 => {
                let of = self.some_type();
                let not = self.dice.pick(&["", "NOT "]);
                format!("{} IS {not}NULL", self.value(of, depth))
            }
            7 => self.listed(),
            8 => self.whole_row_condition(),
            9 => self.between(),
            10 => self.structured(),
            _ => self.pairs(),
        }
    }

    fn comparison(&mut self, depth: usize) -> String {
        let of = self.some_type();
        // Composites are compared by their parts elsewhere.
        let of = if of == Type::Person { Type::Text } else { of };
        let left = self.value(of, depth.min(1));
        let right = if self.dice.chance(60) { self.needle(&left, of) } else { self.leaf(of) };
        let operators = ["=", "=", "=", "<>", "<", "<=", ">", ">="];
        let strange = ["IS DISTINCT FROM", "IS NOT DISTINCT FROM"];
        let operator = match self.dice.chance(15) {
            true => self.dice.pick(&strange),
            false => self.dice.pick(&operators),
        };
        format!("{left} {operator} {right}")
    }

    fn text_match(&mut self, depth: usize) -> String {
        let x = self.value(Type::Text, depth.min(1));
        match self.dice.below(7) {
            0 => {
                format!("{x} LIKE {}", self.dice.pick(&["'b%'", "'%mail.test'", "'_***%'", "'%5'"]))
            }
            1 => format!("{x} NOT LIKE '%example%'"),
            2 => format!("{x} ILIKE 'K%'"),
            3 => format!("{x} ~ {}", self.dice.pick(&["'^[a-m]'", "'[*]{3}'", "'[0-9]5'"])),
            4 => format!("starts_with({x}, {})", self.dice.pick(&["'*'", "'b'", "'900'"])),
            5 => format!("{x} SIMILAR TO '(b|c|d)%'"),
            _ => format!("{x} ^@ '***'"),
        }
    }

    fn listed(&mut self) -> String {
        let left = self.leaf(Type::Text);
        let list = [0, 1, 2].map(|_| self.needle(&left, Type::Text)).join(", ");
        match self.dice.below(4) {
            0 => format!("{left} IN ({list})"),
            1 => format!("{left} NOT IN ({list})"),
            2 => format!("{left} = ANY (ARRAY[{list}]::text[])"),
            _ => format!("{left} <> ALL (ARRAY[{list}]::text[])"),
        }
    }

    fn whole_row_condition(&mut self) -> String {
        let source = self.source();
        let alias = &source.alias;
        match self.dice.below(5) {
            0 => format!("{alias} IS NOT NULL"),
            1 => format!("({alias}.*) IS NULL"),
            2 => format!("{alias} = {alias}"),
            3 => format!("{alias}::text LIKE '%***%'"),
            _ => format!("to_jsonb({alias})::text ~ '5'"),
        }
    }

    fn between(&mut self) -> String {
        let of = *self.dice.of(&[Type::Text, Type::Date, Type::Num, Type::Int]);
        let [low, high] = [0, 1].map(|_| self.constant(of));
        let symmetric = self.dice.pick(&["", "SYMMETRIC "]);
        format!("{} BETWEEN {symmetric}{low} AND {high}", self.value(of, 1))
    }

    fn structured(&mut self) -> String {
        match self.dice.below(7) {
            0 => format!("{} @> '{{}}'", self.value(Type::Json, 1)),
            1 => format!("{} ? 'street'", self.value(Type::Json, 1)),
            2 => format!("{} && ARRAY['a', '***']", self.value(Type::Texts, 1)),
            3 => format!("'***' = ANY ({})", self.value(Type::Texts, 1)),
            4 => format!("{} << inet '10.0.0.0/8'", self.leaf(Type::Inet)),
            5 => format!("({}).email LIKE 'b%'", self.leaf(Type::Person)),
            _ => format!(
                "({}) IS {}",
                self.value(Type::Bool, 1),
                self.dice.pick(&["TRUE", "NOT TRUE"])
            ),
        }
    }

    /// Row against row.
    fn pairs(&mut self) -> String {
        let one = self.leaf(Type::Text);
        let [needle, number] = [self.needle(&one, Type::Text), self.constant(Type::Int)];
        let two = self.leaf(Type::Int);
        let operator = self.dice.pick(&["=", "<", ">=", "<>", "IS DISTINCT FROM"]);
        format!("({one}, {two}) {operator} ({needle}, {number})")
    }

    /// What to look for in `subject`: what is stored there in A, what its mask shows, anything.
    pub(super) fn needle(&mut self, subject: &str, of: Type) -> String {
        if of == Type::Date && self.dice.chance(50) {
            let id = self.dice.between(1, 60) as u32;
            let stored = traps::stored(Variant::A, "customers.dob", id);
            let year = format!("{}-01-01", &stored[..4]);
            let value = if self.dice.chance(50) { stored } else { year };
            return format!("{}::date", self.literal(&value));
        }
        if of != Type::Text || self.dice.chance(15) {
            return self.constant(of);
        }
        let named = GUESSES.iter().find(|(part, _)| subject.to_lowercase().contains(part));
        let (_, column) = named.unwrap_or_else(|| &GUESSES[self.dice.below(GUESSES.len())]);
        // In A, customer 11 has the name of another.
        let id = self.dice.between(1, 10) as u32;
        let stored = traps::stored(Variant::A, column, id);
        let value = if self.dice.chance(45) { stored } else { mask(column, &stored) };
        self.literal(&value)
    }

    /// The same by what a query says.
    fn query_condition(&mut self) -> String {
        match self.dice.below(6) {
            0 | 1 => {
                let not = self.dice.pick(&["", "NOT "]);
                format!("{not}EXISTS ({})", self.exists_query())
            }
            2 => {
                let of = self.list_type();
                let left = self.value(of, 1);
                let not = self.dice.pick(&["", "NOT "]);
                format!("{left} {not}IN ({})", self.list_query(&[of]))
            }
            3 => {
                let of = self.list_type();
                let left = self.value(of, 1);
                let operator = self.dice.pick(&["= ANY", "<> ALL", "< SOME", ">= ALL"]);
                format!("{left} {operator} ({})", self.list_query(&[of]))
            }
            4 => {
                let [one, two] = [self.leaf(Type::Text), self.leaf(Type::Int)];
                format!("({one}, {two}) IN ({})", self.list_query(&[Type::Text, Type::Int]))
            }
            _ => {
                let of = self.list_type();
                format!("{} = {}", self.leaf(of), self.scalar_query(of))
            }
        }
    }

    fn list_type(&mut self) -> Type {
        *self.dice.of(&[Type::Text, Type::Text, Type::Int, Type::Date])
    }
}

/// What the catalog's mask shows of a stored value, by the word of the catalog file.
pub(super) fn mask(column: &str, stored: &str) -> String {
    let keep_last = |count: usize| {
        let shown = stored.chars().count() - count;
        "*".repeat(shown) + &stored.chars().skip(shown).collect::<String>()
    };
    match column {
        "customers.email" | "newsletter.addr" => {
            let at = stored.find('@').expect("an address");
            format!("{}***{}", &stored[..1], &stored[at..])
        }
        "customers.ssn" | "employees.national_id" | "payments.card_number" => keep_last(4),
        "customers.phone" => keep_last(2),
        _ => "***".to_owned(),
    }
}
