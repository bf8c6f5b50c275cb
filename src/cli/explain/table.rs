//! Several users side by side: how the statement runs for each, and what becomes of each column.

use std::collections::BTreeSet;

use super::Explained;
use crate::session::Verdict;

/// A table with a column for each user.
pub(super) fn side_by_side(explained: &[Explained]) -> String {
    let columns: BTreeSet<&str> = explained
        .iter()
        .flat_map(|one| one.explanation.columns.iter().map(|column| column.column.as_str()))
        .collect();
    let mut rows = vec![row("", explained, |one| &one.user)];
    rows.push(row("way", explained, |one| way(one.explanation.verdict)));
    for name in columns {
        rows.push(row(name, explained, |one| {
            let mut columns = one.explanation.columns.iter();
            let found = columns.find(|column| column.column == name);
            found.map_or("-", |column| column.state.as_str())
        }));
    }
    laid_out(&rows)
}

fn row<'a>(
    head: &'a str,
    explained: &'a [Explained],
    cell: impl Fn(&'a Explained) -> &'a str,
) -> Vec<&'a str> {
    std::iter::once(head).chain(explained.iter().map(cell)).collect()
}

fn way(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clear => "clear",
        Verdict::Granted => "granted",
        Verdict::Shown => "shown",
        Verdict::Computed => "computed",
        Verdict::Refused => "refused",
    }
}

fn laid_out(rows: &[Vec<&str>]) -> String {
    let count = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..count)
        .map(|index| rows.iter().map(|row| row[index].chars().count()).max().unwrap_or(0))
        .collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let cells: Vec<String> = cells.collect();
        cells.join("  ").trim_end().to_owned()
    });
    let lines: Vec<String> = lines.collect();
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_below_each_other() {
        let rows = [vec!["", "alice", "bo"], vec!["way", "shown", "clear"]];
        assert_eq!(laid_out(&rows), "     alice  bo\nway  shown  clear\n");
    }
}
