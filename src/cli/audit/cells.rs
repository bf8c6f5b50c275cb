//! What a log says, in cells: of a table for people, and of CSV for programs and spreadsheets.

use crate::model::misleads;

/// As it may be shown: nothing of it moves a cursor, ends a line or turns the reading direction.
pub(in crate::cli) fn shown(text: &str) -> String {
    text.chars().map(|c| if misleads(c) { ' ' } else { c }).collect()
}

/// The beginning, if it is longer.
pub(in crate::cli) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A line of CSV as RFC 4180 has it, line end included. No cell is a formula: what a spreadsheet
/// would take for one begins with an apostrophe.
pub(super) fn csv_line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells = cells.into_iter().map(|cell| csv_cell(cell.as_ref()));
    cells.collect::<Vec<_>>().join(",") + "\r\n"
}

fn csv_cell(text: &str) -> String {
    let text = shown(text);
    let first = text.trim_start().chars().next();
    let guard = if matches!(first, Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')) {
        "'"
    } else {
        ""
    };
    if guard.is_empty() && !text.contains([',', '"']) {
        return text;
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// As a page may hold it, in text and in attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in shown(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A table with a line of titles; columns of numbers (`right`) end where they end.
pub(in crate::cli) fn table(titles: &[&str], right: &[usize], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(at, title)| {
            let longest = rows.iter().map(|row| row[at].chars().count()).max();
            longest.unwrap_or_default().max(title.chars().count())
        })
        .collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
            if right.contains(&at) { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    line(&titles) + &rows.iter().map(|row| line(row)).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_ends_a_line() {
        for (cell, expected) in [
            ("alice", "alice"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@sum(a1)", "\"'@sum(a1)\""),
            ("\t=1", "\"' =1\""),
            ("\r\n-1", "\"'  -1\""),
            ("a\nb\u{1b}[2J", "a b [2J"),
            ("", ""),
        ] {
            assert_eq!(csv_cell(cell), expected, "{cell:?}");
        }
        assert_eq!(csv_line(["a", "=b"]), "a,\"'=b\"\r\n");
    }

    #[test]
    fn tables_are_aligned() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let told = table(&["a", "n", "b"], &[1], &[row(["é", "7", "x"]), row(["long", "10", ""])]);
        assert_eq!(told, "a      n  b\né      7  x\nlong  10\n");
        assert_eq!((cut("abcd", 3), cut("abc", 3)), ("abc…".to_owned(), "abc".to_owned()));
    }
}
