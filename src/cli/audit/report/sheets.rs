//! The tables of a report, whatever they are printed as.

mod accounts;

pub(super) use self::accounts::WEEKDAYS;
use super::told::{Told, time};
use crate::audit::report::{By, Granted, GrantedAs, Ranked, Row, Said, Table, Tally, parts};
use crate::cli::audit::cells::{cut, shown, table};
use crate::model::Timestamp;

/// The name of the table of what is told of the whole.
pub(super) const SUMMARY: &str = "summary";
const CELL_CHARS_MAX: usize = 80;

/// A table.
pub(super) struct Sheet {
    /// As `--csv` calls it.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) note: &'static str,
    columns: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// As `--csv` calls it.
    pub(super) name: &'static str,
    pub(super) is_number: bool,
}

const fn word(name: &'static str) -> Column {
    Column { name, is_number: false }
}

const fn number(name: &'static str) -> Column {
    Column { name, is_number: true }
}

/// What is counted of everybody and everything.
const COUNTED: [Column; 10] = [
    number("statements"),
    number("raw"),
    number("rows_raw"),
    number("looked_up"),
    number("masked"),
    number("refused"),
    number("cut"),
    number("observed"),
    number("sessions"),
    word("first"),
];
const LAST: Column = word("last");

fn counted(row: &Row) -> Vec<String> {
    let Tally { statements, raw, rows_raw, looked_up, masked, refused, cut, observed, .. } =
        row.tally;
    let counts = [statements, raw, rows_raw, looked_up, masked, refused, cut, observed];
    let mut cells: Vec<String> = counts.iter().map(u64::to_string).collect();
    let more = if row.sessions.more { "+" } else { "" };
    cells.push(format!("{}{more}", row.sessions.count()));
    cells.push(moment(row.first));
    cells.push(moment(row.last));
    cells
}

fn moment(at: Option<Timestamp>) -> String {
    at.map(time).unwrap_or_default()
}

impl Sheet {
    fn new(
        name: &'static str,
        title: &'static str,
        note: &'static str,
        columns: impl IntoIterator<Item = Column>,
    ) -> Self {
        Self { name, title, note, columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// One whose columns begin with these and go on with what is counted.
    fn counting(
        name: &'static str,
        title: &'static str,
        note: &'static str,
        keys: &[Column],
    ) -> Self {
        let columns = keys.iter().copied().chain(COUNTED).chain([LAST]);
        Self::new(name, title, note, columns)
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// As a table for the screen.
    pub(super) fn text(&self, rows_max: usize) -> String {
        let mut text = format!("{}\n", self.title);
        if self.rows.is_empty() {
            return text + "  none\n";
        }
        let titles: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        let numbers = self.columns.iter().enumerate().filter(|(_, column)| column.is_number);
        let right: Vec<usize> = numbers.map(|(at, _)| at).collect();
        let cell = |cell: &String| cut(&shown(cell), CELL_CHARS_MAX);
        let rows: Vec<Vec<String>> =
            self.rows.iter().take(rows_max).map(|row| row.iter().map(cell).collect()).collect();
        for line in table(&titles, &right, &rows).lines() {
            text += &format!("  {line}\n");
        }
        if self.rows.len() > rows_max {
            text += &format!("  and {} more: --by, --csv\n", self.rows.len() - rows_max);
        }
        text
    }
}

/// The tables that are asked for.
pub(super) fn sheets(told: &Told<'_>, by: Option<By>) -> Vec<Sheet> {
    let wanted = |what| by.is_none_or(|by| by == what);
    let mut sheets = Vec::new();
    if by.is_none() {
        sheets.push(accounts::summary(told));
    }
    if wanted(By::Person) {
        sheets.push(people(&told.sums.people));
    }
    if wanted(By::Column) {
        sheets.push(columns(told));
    }
    if wanted(By::Class) && told.asked.knows_classes() {
        sheets.push(classes(&told.sums.classes));
    }
    if wanted(By::Grant) {
        sheets.extend(grants(told));
        sheets.push(approvals(&told.sums.approvals));
    }
    if wanted(By::Day) {
        sheets.push(days(&told.sums.days));
        sheets.push(accounts::hours(told));
    }
    if by.is_none() {
        sheets.push(accounts::signals(told));
        sheets.push(accounts::changes(told));
    }
    sheets
}

/// The name under which the rest of a table is told.
const OTHERS: &str = "(others)";

/// Rows of a table and, last, all others.
fn rows(table: &Table) -> impl Iterator<Item = (&str, &Row)> {
    let Ranked { rows, others } = table.ranked();
    rows.into_iter().chain(others.map(|row| (OTHERS, row)))
}

fn people(table: &Table) -> Sheet {
    let keys = [word("person")];
    let mut sheet = Sheet::counting("person", "People", "Whoever logged in, or tried to.", &keys);
    sheet.columns.extend(
        ["logins", "logins_failed", "requests", "approved", "denied", "signals"].map(number),
    );
    for (person, row) in rows(table) {
        let Tally { logins, logins_failed, requests, approved, denied, signals, .. } = row.tally;
        let more = [logins, logins_failed, requests, approved, denied, signals];
        let mut cells = vec![person.to_owned()];
        cells.extend(counted(row));
        cells.extend(more.iter().map(u64::to_string));
        sheet.rows.push(cells);
    }
    sheet
}

fn columns(told: &Told<'_>) -> Sheet {
    let keys = [word("database"), word("column"), word("class")];
    let note = "Columns with personal data that statements touched.";
    let mut sheet = Sheet::counting("column", "Columns", note, &keys);
    for (key, row) in rows(&told.sums.columns) {
        let (database, column) = if key == OTHERS { ("", OTHERS) } else { parts(key) };
        let class = told.asked.class(database, column).unwrap_or_default();
        let mut cells = vec![database.to_owned(), column.to_owned(), class.to_owned()];
        cells.extend(counted(row));
        sheet.rows.push(cells);
    }
    sheet
}

fn classes(table: &Table) -> Sheet {
    let note = "Classes of the catalogs that the configuration names now.";
    let mut sheet = Sheet::counting("class", "Classes", note, &[word("class")]);
    sheet.rows =
        rows(table).map(|(class, row)| [vec![class.to_owned()], counted(row)].concat()).collect();
    sheet
}

const GRANT: [Column; 14] = [
    number("grant"),
    word("state"),
    word("subject"),
    word("database"),
    word("resources"),
    number("request"),
    word("by"),
    word("approvers"),
    word("policy"),
    word("reason"),
    word("granted"),
    word("expires"),
    word("ended"),
    word("reviewed"),
];

/// Grants, with break-glass access and standing ones apart.
fn grants(told: &Told<'_>) -> [Sheet; 3] {
    let mut ordinary = Sheet::counting("grant", "Grants", "What was granted on request.", &GRANT);
    let note = "Access that somebody took in an emergency, before anybody was asked.";
    let mut break_glass = Sheet::counting("break_glass", "Break-glass access", note, &GRANT);
    let note = "What the configuration grants, without an end.";
    let mut standing = Sheet::counting("standing", "Standing grants", note, &GRANT);
    for Granted { id, said, row } in told.sums.granted(told.asked) {
        let sheet = match GrantedAs::of(&said) {
            GrantedAs::BreakGlass => &mut break_glass,
            GrantedAs::Standing => &mut standing,
            GrantedAs::Ordinary => &mut ordinary,
        };
        sheet.rows.push(granted(told, id.to_string(), &said, &row));
    }
    if let Some(row) = told.sums.grants.ranked().others {
        ordinary.rows.push(granted(told, OTHERS.to_owned(), &Said::default(), row));
    }
    [ordinary, break_glass, standing]
}

fn granted(told: &Told<'_>, id: String, said: &Said, row: &Row) -> Vec<String> {
    let state = if row.tally.statements > 0 { "used" } else { "unused" };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let ended = said.ended.map(|(step, at)| format!("{} {}", step.as_str(), time(at)));
    let mut cells = vec![
        id,
        state.to_owned(),
        text(&said.subject),
        text(&said.database),
        said.resources.join(" "),
        said.request.map(|request| request.to_string()).unwrap_or_default(),
        told.sums.book.requester(said).unwrap_or_default().to_owned(),
        said.approvers.join(" "),
        text(&said.policy),
        text(&said.reason),
        moment(said.granted),
        moment(said.expires_at),
        ended.unwrap_or_default(),
        moment(said.reviewed),
    ];
    cells.extend(counted(row));
    cells
}

fn approvals(table: &Table) -> Sheet {
    let mut sheet = Sheet::new(
        "approval",
        "Who decided for whom",
        "Requests of the subject that the approver approved or denied.",
        [word("approver"), word("subject")]
            .into_iter()
            .chain(["approved", "denied", "reviewed"].map(number))
            .chain([word("first"), LAST]),
    );
    for (key, row) in rows(table) {
        let (approver, subject) = parts(key);
        let Tally { approved, denied, reviewed, .. } = row.tally;
        let mut cells = vec![approver.to_owned(), subject.to_owned()];
        cells.extend([approved, denied, reviewed].iter().map(u64::to_string));
        cells.extend([moment(row.first), moment(row.last)]);
        sheet.rows.push(cells);
    }
    sheet
}

fn days(table: &Table) -> Sheet {
    let keys = [word("day")];
    let mut sheet = Sheet::counting("day", "Days", "UTC, those on which something was.", &keys);
    sheet.columns.extend(["logins", "logins_failed"].map(number));
    for (day, row) in rows(table) {
        let mut cells = vec![day.to_owned()];
        cells.extend(counted(row));
        cells.extend([row.tally.logins, row.tally.logins_failed].iter().map(u64::to_string));
        sheet.rows.push(cells);
    }
    sheet.rows.sort();
    sheet
}
