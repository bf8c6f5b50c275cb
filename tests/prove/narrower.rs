//! A grant with one more field never shows more. Whoever holds the wider one reads everything,
//! cell by cell; then whoever holds the narrower one reads it again, and runs random statements:
//! each cell is as the wider one showed it or masked, and no piece of a hidden value is heard that
//! the wider one did not show.

use super::dice::Dice;
use super::generate;
use super::grants::{By, condition};
use super::holder::Holder;
use super::shelf::{Table, tables};
use super::statement::{Form, Statement};
use crate::support::traps::{self, Variant};

/// Statements for each pair of grants.
const STATEMENTS_PER_PAIR: usize = 8;

/// What a grant says after the rows: the wider and the narrower one, and conditions on rows.
struct Pair {
    wide: String,
    narrow: String,
}

/// What every cell of the catalogued tables shows, and the bytes that were heard.
struct Seen {
    cells: Vec<Vec<Vec<String>>>,
    bytes: Vec<u8>,
}

/// Goes through so many random pairs, and says what differs.
pub(crate) fn differences(
    holder: &mut Holder,
    seed: u64,
    pairs: usize,
    wants: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    holder.give(&[]);
    let masked = see(holder);
    let (mut ran, mut told) = (0, 0);
    for number in (0..pairs).filter(|number| wants(&format!("narrower:{number}"))) {
        let mut dice = Dice::new(seed ^ 0x6e61_7272_6f77, number as u64);
        let Pair { wide, narrow } = pair(&mut dice);
        let asked: Vec<(Statement, Form)> =
            (0..STATEMENTS_PER_PAIR).map(|turn| statement(seed, number, turn)).collect();
        // What they make of masks alone is a coincidence where it looks like a value.
        holder.give(&[]);
        let of_masks: Vec<Vec<u8>> =
            asked.iter().map(|(asked, form)| holder.heard(&asked.script(*form))).collect();
        holder.give(std::slice::from_ref(&wide));
        let shown = see(holder);
        ran += 1;
        told += usize::from(shown.cells != masked.cells);
        holder.give(std::slice::from_ref(&narrow));
        let mut why = Vec::new();
        for ((asked, form), of_masks) in asked.iter().zip(&of_masks) {
            let innocent = [&shown.bytes[..], of_masks].concat();
            why.extend(more_than(holder, asked, *form, &innocent));
        }
        let seen = see(holder);
        why.extend(other_cells(&seen, &shown, &masked));
        if !why.is_empty() {
            let why = why.join("\n    ");
            found.push(format!("ONLY=narrower:{number}\n  {wide}\n  {narrow}\n    {why}"));
        }
    }
    assert!(ran < 10 || told * 3 > ran, "{told} of {ran} grants show anything");
    found
}

/// What a pair's holder runs, and how.
fn statement(seed: u64, number: usize, turn: usize) -> (Statement, Form) {
    let (mut made, mut dice) = generate::statement(seed, number * STATEMENTS_PER_PAIR + turn);
    (made.origin, made.number) = ("narrower".to_owned(), number);
    let form = *dice.of(&Form::of(&made));
    (made, form)
}

/// Two commands of the console, the second with one more field.
fn pair(dice: &mut Dice) -> Pair {
    let table = dice.of(tables());
    let named: Vec<_> = table.columns.iter().filter(|column| !column.derived).collect();
    let column = dice.of(&named);
    let on = match dice.below(4) {
        0 => format!("CLASS {} IN shop_a", column.class),
        1 | 2 => format!("shop_a.{}", table.name),
        _ => format!("shop_a.{}.{}", table.name, column.name),
    };
    let is_class = on.starts_with("CLASS");
    let rows = match is_class || dice.chance(50) {
        true => None,
        false => Some(condition(dice, By::Anything, table, 1)),
    };
    let wide = Words { actions: "READ, EXPORT", on, rows, to: "GROUP support", more: "" };
    let narrow = if is_class { one_more(dice, &wide) } else { with_rows(dice, table, &wide) };
    Pair { wide: wide.command(), narrow: narrow.command() }
}

/// Asked for instead of granted: under the conditions of a policy, which hold or do not.
const ASK: &str = "asked for";

#[derive(Clone)]
struct Words {
    actions: &'static str,
    on: String,
    rows: Option<String>,
    to: &'static str,
    more: &'static str,
}

impl Words {
    /// The command of the console, or the request of the session.
    fn command(&self) -> String {
        let Self { actions, on, rows, to, more } = self;
        if *more == ASK {
            let on =
                on.replace("shop_a.", "").replace(" IN shop_a", "").replace("CLASS ", "class:");
            let rows = rows.iter().map(|it| format!(", rows => '{}'", it.replace('\'', "''")));
            return format!(
                "SELECT * FROM keyhole.request('{on}', '30 minutes', 'proof', \
                 actions => 'read, export'{})",
                rows.collect::<String>()
            );
        }
        let rows = rows.as_ref().map(|rows| format!(" WHERE {rows}")).unwrap_or_default();
        let duration = if more.contains("FOR ") { "" } else { " FOR '30 minutes'" };
        format!("GRANT {actions} ON {on}{rows} TO {to}{duration} REASON 'proof'{more}")
    }
}

fn with_rows(dice: &mut Dice, table: &Table, wide: &Words) -> Words {
    if dice.chance(50) {
        return one_more(dice, wide);
    }
    let new = condition(dice, By::Anything, table, 1);
    let rows = match &wide.rows {
        Some(rows) => format!("({rows}) AND ({new})"),
        None => new,
    };
    Words { rows: Some(rows), ..wide.clone() }
}

fn one_more(dice: &mut Dice, wide: &Words) -> Words {
    const MORE: [&str; 10] = [
        ASK,
        " MAX 5 ROWS",
        " MAX 1 ROWS",
        " MAX 3 USES",
        " MAX 2 SUBJECTS",
        " UNUSED '1 minute'",
        " FROM FIRST USE",
        " STARTING 'TOMORROW'",
        " FOR '20 minutes'",
        " FOR '1ms'",
    ];
    match dice.below(14) {
        0 => Words { actions: "READ", ..wide.clone() },
        1 => Words { actions: "EXPORT", ..wide.clone() },
        2 => Words { to: "bob", ..wide.clone() },
        _ => {
            let more = dice.pick(&MORE);
            // What is counted can only be read.
            let counted = more.contains("ROWS") || more.contains("SUBJECTS");
            let actions = if counted { "READ" } else { wide.actions };
            Words { actions, more, ..wide.clone() }
        }
    }
}

/// Reads every catalogued table, a row at a time as clients do.
fn see(holder: &mut Holder) -> Seen {
    let mut cells = Vec::new();
    let mut bytes = Vec::new();
    for table in tables() {
        let heard = holder.asked(&format!("SELECT * FROM {} ORDER BY 1", table.name));
        for message in &heard.messages {
            bytes.extend(&message.body);
            bytes.push(0);
        }
        cells.push(heard.ok().rows());
    }
    Seen { cells, bytes }
}

/// Cells that are neither masked nor as the wider grant showed them.
fn other_cells(seen: &Seen, wide: &Seen, masked: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    for (at, table) in tables().iter().enumerate() {
        let rows = seen.cells[at].iter().zip(&wide.cells[at]).zip(&masked.cells[at]);
        for ((seen, wide), masked) in rows {
            let cells = seen.iter().zip(wide).zip(masked);
            let odd = cells.filter(|((seen, wide), masked)| seen != wide && seen != masked);
            found.extend(odd.map(|(pair, _)| format!("{}: {pair:?}", table.name)));
        }
    }
    found
}

/// Pieces of hidden values that the statement shows and the wider grant did not.
fn more_than(
    holder: &mut Holder,
    statement: &Statement,
    form: Form,
    shown: &[u8],
) -> Option<String> {
    let script = statement.script(form);
    let heard = holder.heard(&script);
    let innocent = [&script.bytes[..], shown, &disguised(shown)].concat();
    let leaks = traps::finder(Variant::A).find(&heard, &innocent);
    (!leaks.is_empty()).then(|| format!("{form:?}: {}: {leaks:?}", statement.literal()))
}

/// What statements may make of what is shown: the same backwards, and as the bytes that it spells.
fn disguised(shown: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(shown);
    let mut made: Vec<u8> = text.chars().rev().collect::<String>().into_bytes();
    for spelled in text.split("\\x").skip(1) {
        let digits: Vec<u32> = spelled.chars().map_while(|c| c.to_digit(16)).collect();
        let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).unwrap_or_default();
        made.push(b'\n');
        made.extend(digits.chunks_exact(2).map(byte));
    }
    made
}
