//! Comma separated values, as RFC 4180 has them: `schema,table,column,class,mask`.
//!
//! The first line names the columns, in any order; `schema` and `mask` may be missing or empty.
//! What a spreadsheet would take for a formula begins with an apostrophe, which is taken off again.

use super::tag::{mask, spelled};
use super::{Assumed, Reading, Said, Unclear};

const HEADER: [&str; 5] = ["schema", "table", "column", "class", "mask"];
/// Behind blanks too, and as wide as ideographs are.
const FORMULA: [char; 9] = ['=', '+', '-', '@', '\'', '＝', '＋', '－', '＠'];

pub fn written(said: &[Said]) -> String {
    let mut text = line(&HEADER.map(str::to_owned));
    for Said { column, class, hiding } in said {
        text.push_str(&line(&[
            column.relation.schema.clone(),
            column.relation.name.clone(),
            column.column.clone(),
            class.clone(),
            hiding.as_ref().map(spelled).unwrap_or_default(),
        ]));
    }
    text
}

fn line(cells: &[String]) -> String {
    cells.iter().map(|cell| written_cell(cell)).collect::<Vec<_>>().join(",") + "\r\n"
}

fn written_cell(text: &str) -> String {
    let guard = if is_formula(text) { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n']) || text.trim() != text {
        return format!("\"{guard}{}\"", text.replace('"', "\"\""));
    }
    format!("{guard}{text}")
}

pub fn read(text: &str, assumed: &Assumed) -> Reading {
    let mut reading = Reading::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = match lines(text) {
        Ok(lines) => lines.into_iter().enumerate(),
        Err(why) => {
            reading.unclear.push(Unclear::new("the file", why));
            return reading;
        }
    };
    let header = lines.next().map(|(_, cells)| cells).unwrap_or_default();
    let at = HEADER.map(|name| header.iter().position(|cell| cell.eq_ignore_ascii_case(name)));
    if at[1..4].iter().any(Option::is_none) {
        let why = "the first line does not name table, column and class";
        reading.unclear.push(Unclear::new("line 1", why));
        return reading;
    }
    for (number, cells) in lines {
        let place = || format!("record {}", number + 1);
        let [schema, table, column, class, hidden] =
            at.map(|at| at.and_then(|at| cells.get(at)).map_or("", |cell| cell));
        if [table, column, class].contains(&"") {
            if cells.iter().any(|cell| !cell.is_empty()) {
                reading.unclear.push(Unclear::new(place(), "table, column or class is empty"));
            }
            continue;
        }
        let schema = if schema.is_empty() { &assumed.schema } else { schema };
        let hiding = match (hidden, mask(hidden)) {
            ("", _) => None,
            (_, Some((hiding, ""))) => Some(hiding),
            (_, Some(_) | None) => {
                reading.unclear.push(Unclear::new(place(), "its mask is not known"));
                None
            }
        };
        let Some(column) = assumed.column(&[schema, table, column]) else { continue };
        reading.said.push(Said { column, class: class.to_owned(), hiding });
    }
    reading
}

/// The cells of each line.
fn lines(text: &str) -> Result<Vec<Vec<String>>, &'static str> {
    let mut lines = Vec::new();
    let mut cells = Vec::new();
    let mut rest = text;
    while !rest.is_empty() || !cells.is_empty() {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(inside) => quoted(inside)?,
            None => {
                let end = rest.find([',', '\r', '\n']).unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        cells.push(unguarded(cell));
        if let Some(after) = after.strip_prefix(',') {
            rest = after;
            continue;
        }
        let line_end = ["\r\n", "\n", "\r"].iter().find_map(|end| after.strip_prefix(end));
        rest = match line_end {
            Some(after) => after,
            None if after.is_empty() => "",
            None => return Err("something follows a quoted cell"),
        };
        lines.push(std::mem::take(&mut cells));
    }
    Ok(lines)
}

fn quoted(inside: &str) -> Result<(String, &str), &'static str> {
    let mut cell = String::new();
    let mut rest = inside;
    while let Some((before, after)) = rest.split_once('"') {
        cell.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                cell.push('"');
                rest = more;
            }
            None => return Ok((cell, after)),
        }
    }
    Err("a quoted cell does not end")
}

fn unguarded(cell: String) -> String {
    match cell.strip_prefix('\'') {
        Some(inner) if is_formula(inner) => inner.to_owned(),
        Some(_) | None => cell,
    }
}

fn is_formula(text: &str) -> bool {
    text.trim_start().starts_with(FORMULA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_behind_blanks_or_in_wide_letters_either() {
        for (cell, expected) in [
            ("a", "a"),
            ("=1+1", "'=1+1"),
            ("\t=1+1", "\"'\t=1+1\""),
            ("\r@sum(a1)", "\"'\r@sum(a1)\""),
            (" -1", "\"' -1\""),
            ("＝1", "'＝1"),
            ("'=1", "''=1"),
        ] {
            let written = written_cell(cell);
            assert_eq!(written, expected);
            assert_eq!(lines(&written), Ok(vec![vec![cell.to_owned()]]), "{cell:?}");
        }
    }
}
