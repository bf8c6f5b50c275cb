//! Each column is asked about: on a terminal, or with answers that come line by line.

use std::io::{self, BufRead, Write};

use crate::catalog::Catalog;
use crate::cli::audit::cells::shown;
use crate::discovery::draft::Proposal;
use crate::discovery::report::{Column, Report, Standing};

/// What was decided.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Reviewed {
    pub(super) proposals: Vec<Proposal>,
    /// Something that looks like personal data is left as it is.
    pub(super) undecided: bool,
}

impl Reviewed {
    /// Nobody was asked.
    pub(super) fn unseen(report: &Report<'_>, catalog: &Catalog) -> Self {
        let proposals = Proposal::all(report, catalog);
        // A finding without a proposal stays a finding.
        let undecided = report.has_news() && proposals.is_empty();
        Self { proposals, undecided }
    }
}

enum Answer {
    Yes,
    No,
    Class(String),
    Skip,
    Why,
    Quit,
}

const HELP: &str = "y: into the catalog  n: no personal data (clear)  c NAME: of this class  \
                    s: skip  w: why  q: quit";

/// # Errors
/// If standard input cannot be read.
pub(super) fn review(report: &Report<'_>, catalog: &Catalog) -> Result<Reviewed, String> {
    let (mut from, mut to) = (io::stdin().lock(), io::stderr().lock());
    ask(report, catalog, &mut from, &mut to)
        .map_err(|error| format!("the answers could not be read: {error}"))
}

fn ask(
    report: &Report<'_>,
    catalog: &Catalog,
    from: &mut impl BufRead,
    to: &mut impl Write,
) -> io::Result<Reviewed> {
    let asked: Vec<&Column<'_>> = report.open().collect();
    let mut reviewed = Reviewed::default();
    let mut columns = asked.iter().enumerate();
    writeln!(to, "{HELP}")?;
    'columns: for (at, column) in &mut columns {
        write!(to, "\n[{}/{}] {}", at + 1, asked.len(), question(column))?;
        loop {
            write!(to, "? ")?;
            to.flush()?;
            let Some(answer) = answer(from)? else { continue };
            let (relation, scanned) = (&column.relation, column.scanned);
            let proposal = match answer {
                Answer::Yes => Proposal::of(relation, scanned, catalog, report.enough_for(column)),
                Answer::No => Some(Proposal::clear(relation, scanned)),
                Answer::Class(name) if name == crate::analysis::sensitive::CLASS_CLEAR => {
                    Some(Proposal::clear(relation, scanned))
                }
                Answer::Class(name) => {
                    if !catalog.classes.contains_key(&name) {
                        writeln!(to, "(a new class: {})", shown(&name))?;
                    }
                    Some(Proposal::chosen(relation, scanned, catalog, &name))
                }
                Answer::Why => {
                    why(column, to)?;
                    continue;
                }
                Answer::Skip => None,
                Answer::Quit => {
                    reviewed.undecided |= column.standing == Standing::New;
                    break 'columns;
                }
            };
            reviewed.undecided |= proposal.is_none() && column.standing == Standing::New;
            reviewed.proposals.extend(proposal);
            break;
        }
    }
    reviewed.undecided |= columns.any(|(_, column)| column.standing == Standing::New);
    let count = reviewed.proposals.len();
    writeln!(to, "\n{count} of {} columns decided", asked.len())?;
    Ok(reviewed)
}

fn question(column: &Column<'_>) -> String {
    let best = column.findings.first();
    let class = best.map_or("", |best| best.class.as_str());
    let confidence = best.map_or(0, |best| best.confidence);
    let known = column.catalogued.map_or(String::new(), |own| format!(", in the catalog {own}"));
    let name = shown(&format!("{}.{}", column.table, column.column));
    let reason = best.and_then(|best| best.reasons.first()).map_or("", String::as_str);
    let mut text = format!(
        "{name} ({}): {} {confidence} %{}\n  {}\n",
        shown(column.data_type),
        shown(class),
        shown(&known),
        shown(reason)
    );
    if !column.scanned.samples.is_empty() {
        text.push_str(&format!("  masked: {}\n", shown(&column.scanned.samples.join("  "))));
    }
    text
}

fn why(column: &Column<'_>, to: &mut impl Write) -> io::Result<()> {
    for found in column.findings {
        let place = found.path.as_ref().map_or(String::new(), |path| format!(" at {path}"));
        let place = shown(&format!("{}{place}", found.class));
        writeln!(to, "  {place}: {} %", found.confidence)?;
        for reason in &found.reasons {
            writeln!(to, "    {}", shown(reason))?;
        }
    }
    Ok(())
}

/// None: it was not understood. At the end of the input, it is over.
fn answer(from: &mut impl BufRead) -> io::Result<Option<Answer>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(Some(Answer::Quit));
    }
    let mut words = line.split_whitespace();
    Ok(match (words.next(), words.next(), words.next()) {
        (Some("y" | "yes"), None, None) => Some(Answer::Yes),
        (Some("n" | "no"), None, None) => Some(Answer::No),
        (Some("c" | "class"), Some(name), None) => Some(Answer::Class(name.to_owned())),
        (Some("s" | "skip"), None, None) => Some(Answer::Skip),
        (Some("w" | "why"), None, None) => Some(Answer::Why),
        (Some("q" | "quit"), None, None) => Some(Answer::Quit),
        (_, _, _) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::report::{Found, ScannedColumn, ScannedTable, TableKind};

    fn table() -> ScannedTable {
        let column = |name: &str, confidence: u8| ScannedColumn {
            name: name.to_owned(),
            data_type: "text".to_owned(),
            findings: vec![Found {
                kind: "email".to_owned(),
                class: "email".to_owned(),
                confidence,
                reasons: vec!["the name says so".to_owned()],
                path: None,
                seen: 9,
                matched: 9,
                mask: None,
            }],
            value: None,
            samples: Vec::new(),
        };
        ScannedTable {
            schema: "public".to_owned(),
            name: "people".to_owned(),
            kind: TableKind::Table,
            rows: 9,
            skipped: None,
            note: None,
            columns: vec![column("a", 90), column("b", 90), column("c", 40), column("d", 90)],
        }
    }

    fn reviewed(answers: &str) -> (Vec<(String, String)>, bool, String) {
        let (tables, catalog) = (vec![table()], Catalog::default());
        let report = Report::new("shop", &tables, &catalog, 60);
        let mut said = Vec::new();
        let reviewed =
            ask(&report, &catalog, &mut answers.as_bytes(), &mut said).expect("it is read");
        let proposals = reviewed.proposals.into_iter().map(|it| (it.column, it.class)).collect();
        (proposals, reviewed.undecided, String::from_utf8(said).expect("UTF-8"))
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
    }

    #[test]
    fn every_answer_is_taken() {
        let (proposals, undecided, said) = reviewed("y\nn\nwhat?\nw\ny\nc mail\n");
        let expected = [("a", "email"), ("b", "clear"), ("c", "email"), ("d", "mail")];
        assert_eq!(proposals, owned(&expected));
        assert!(!undecided, "{said}");
        assert!(said.contains("[3/4] public.people.c (text): email 40 %"), "{said}");
        assert!(said.contains("    the name says so") && said.contains("a new class: mail"));
    }

    #[test]
    fn no_question_steers_the_terminal() {
        let mut table = table();
        let column = &mut table.columns[0];
        "public.\"\u{1b}[2J\u{202e}\"".clone_into(&mut column.data_type);
        column.findings[0].path = Some("$.\u{1b}c".to_owned());
        let (tables, catalog) = (vec![table], Catalog::default());
        let report = Report::new("shop", &tables, &catalog, 60);
        let mut said = Vec::new();
        ask(&report, &catalog, &mut &b"w\nc \x1b[2J\n"[..], &mut said).expect("it is read");
        let said = String::from_utf8(said).expect("UTF-8");
        assert!(
            said.contains("public.\" [2J \"") && !said.contains(['\u{1b}', '\u{202e}']),
            "{said:?}"
        );
    }

    #[test]
    fn what_nobody_decided_is_left() {
        for (answers, expected) in [("y\ns\n", vec![("a", "email")]), ("q\n", vec![]), ("", vec![])]
        {
            let (proposals, undecided, _) = reviewed(answers);
            assert_eq!((proposals, undecided), (owned(&expected), true), "{answers:?}");
        }
        let (proposals, undecided, _) = reviewed("y\ny\ns\ny\n");
        assert_eq!((proposals.len(), undecided), (3, false), "a doubtful one may be left");
    }
}
