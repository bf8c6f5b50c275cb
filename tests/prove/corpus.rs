//! Statements of real programs, one a line, in `tests/prove/corpus/*.sql`; `--` begins a comment.

use std::path::Path;

use super::statement::{Order, Statement, Trust};

/// Every statement of every file, in the order of file names and lines.
pub(crate) fn read() -> Vec<Statement> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prove/corpus");
    let mut files: Vec<_> = std::fs::read_dir(&dir)
        .expect("the corpus is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "sql"))
        .collect();
    files.sort();
    files.iter().flat_map(|file| statements(file)).collect()
}

fn statements(file: &Path) -> Vec<Statement> {
    let origin = file.file_stem().expect("a name").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).expect("UTF-8");
    of_text(&origin, &text)
}

/// Statements, one a line.
pub(crate) fn of_text(origin: &str, text: &str) -> Vec<Statement> {
    let lines = text.lines().map(str::trim).enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with("--"))
        .map(|(number, sql)| statement(origin, number + 1, sql))
        .collect()
}

pub(crate) fn statement(origin: &str, number: usize, sql: &str) -> Statement {
    Statement {
        origin: origin.to_owned(),
        number,
        sql: sql.trim_end_matches(';').to_owned(),
        params: Vec::new(),
        order: if ends_ordered(sql) { Order::Total } else { Order::Any },
        trust: Trust::Twin,
        check: None,
    }
}

/// Whether an ORDER BY stands outside all parentheses; such statements of the corpus order totally.
fn ends_ordered(sql: &str) -> bool {
    let upper = sql.to_ascii_uppercase();
    let depth_at = |at: usize| {
        let before = &sql.as_bytes()[..at];
        let count = |byte: u8| before.iter().filter(|b| **b == byte).count();
        count(b'(').wrapping_sub(count(b')'))
    };
    let copied = usize::from(upper.starts_with("COPY"));
    upper.match_indices("ORDER BY").any(|(at, _)| depth_at(at) == copied)
}
