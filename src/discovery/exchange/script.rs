//! A script for psql without what is no SQL: rows of `COPY`, and psql's own commands.

use crate::analysis::parse::COMMENTS_MAX;

/// What a line begins in.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Within {
    Statement,
    /// A string or a name, in these quotes; in `E''`, a backslash takes the next one's meaning.
    Quotes {
        quote: char,
        escapes: bool,
    },
    /// `$tag$`.
    Dollars(String),
    /// So many `/*` deep.
    Comment(usize),
}

/// The SQL of a script or a dump; None: its comments are deeper than PostgreSQL's scanner, which
/// takes quadratic time in them, may be trusted with.
pub(super) fn sql(text: &str) -> Option<String> {
    let mut kept = String::with_capacity(text.len());
    let mut rows = false;
    let mut within = Within::Statement;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\r', '\n']);
        if rows {
            rows = bare != "\\.";
            continue;
        }
        if within == Within::Statement {
            rows = bare.starts_with("COPY ") && bare.ends_with("FROM stdin;");
            if rows || bare.starts_with('\\') {
                continue;
            }
        }
        kept.push_str(line);
        within = after(line, within);
        if matches!(within, Within::Comment(depth) if depth > COMMENTS_MAX) {
            return None;
        }
    }
    Some(kept)
}

fn after(line: &str, mut within: Within) -> Within {
    let mut at = 0;
    while at < line.len() {
        let rest = &line[at..];
        let (length, then) = match &within {
            Within::Statement => opened(&line[..at], rest),
            Within::Quotes { quote, escapes } => match rest.find([*quote, '\\']) {
                Some(end) if rest[end..].starts_with(*quote) => (end + 1, Some(Within::Statement)),
                Some(end) if *escapes => {
                    let escaped = rest[end + 1..].chars().next().map_or(0, char::len_utf8);
                    (end + 1 + escaped, None)
                }
                Some(end) => (end + 1, None),
                None => (rest.len(), None),
            },
            Within::Dollars(tag) => match rest.find(tag.as_str()) {
                Some(end) => (end + tag.len(), Some(Within::Statement)),
                None => (rest.len(), None),
            },
            Within::Comment(depth) if *depth > COMMENTS_MAX => (rest.len(), None),
            Within::Comment(depth) => match mark(rest) {
                Some(at) if rest[at..].starts_with('/') => {
                    (at + 2, Some(Within::Comment(depth + 1)))
                }
                Some(at) if *depth > 1 => (at + 2, Some(Within::Comment(depth - 1))),
                Some(at) => (at + 2, Some(Within::Statement)),
                None => (rest.len(), None),
            },
        };
        at += length;
        within = then.unwrap_or(within);
    }
    within
}

/// Where the next `/*` or `*/` is.
fn mark(text: &str) -> Option<usize> {
    text.as_bytes().windows(2).position(|pair| matches!(pair, b"/*" | b"*/"))
}

/// How far a statement goes on plainly, and what begins there.
fn opened(before: &str, rest: &str) -> (usize, Option<Within>) {
    let Some(start) = rest.find(['\'', '"', '$', '-', '/']) else { return (rest.len(), None) };
    let here = &rest[start..];
    let in_word = |text: &str| text.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let plain = match start {
        0 => before,
        _ => &rest[..start],
    };
    if here.starts_with("--") {
        return (rest.len(), None);
    }
    if here.starts_with("/*") {
        return (start + 2, Some(Within::Comment(1)));
    }
    let quote = here.chars().next().filter(|c| matches!(c, '\'' | '"'));
    if let Some(quote) = quote {
        let marked = plain.strip_suffix(['e', 'E']).is_some_and(|word| !in_word(word));
        return (start + 1, Some(Within::Quotes { quote, escapes: quote == '\'' && marked }));
    }
    if let Some(tag) = dollars(here).filter(|_| !in_word(plain)) {
        return (start + tag.len(), Some(Within::Dollars(tag.to_owned())));
    }
    (start + 1, None)
}

/// `$tag$` with which the text begins.
fn dollars(text: &str) -> Option<&str> {
    let tag = text.strip_prefix('$')?;
    let end = tag.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    let closes = tag[end..].starts_with('$') && !tag.starts_with(|c: char| c.is_ascii_digit());
    closes.then(|| &text[..end + 2])
}

#[cfg(test)]
mod tests {
    use super::{COMMENTS_MAX, sql};

    #[test]
    fn what_is_quoted_is_no_command_and_no_row() {
        for kept in [
            "SELECT '\n\\x', \"\n\\y\";\n",
            "SELECT E'it\\'s\n\\x';\n",
            "SELECT $$\nCOPY t FROM stdin;\n$$;\n",
            "DO $a$ $b$\n\\x $a$;\n",
            "/* a /* b */\n\\x */ SELECT 1;\r\n",
            "SELECT 1 -- it's\n;\n",
            "SELECT a$1, $2\n",
        ] {
            assert_eq!(sql(kept).as_deref(), Some(kept));
        }
    }

    #[test]
    fn rows_and_commands_are_left_out() {
        let dump = "\\restrict a\nCOPY t (a) FROM stdin;\nit's\n\\\\.\n\\.\nSELECT ';\n\\';\n\\q\n";
        for (script, kept) in [
            (dump, "SELECT ';\n\\';\n"),
            ("SELECT e'\\'\n\\x';\n\\q", "SELECT e'\\'\n\\x';\n"),
            ("SELECT fine'\\'\n;\n\\q", "SELECT fine'\\'\n;\n"),
        ] {
            assert_eq!(sql(script).as_deref(), Some(kept));
        }
    }

    #[test]
    fn comments_without_end_within_comments_are_given_up() {
        let deep = |depth: usize| "/*".repeat(depth) + &"*/".repeat(depth);
        assert!(sql(&deep(COMMENTS_MAX)).is_some());
        assert_eq!(sql(&"/*".repeat(COMMENTS_MAX + 1)), None);
        assert_eq!(sql(&"/*".repeat(1_000_000)), None);
        // Within quotes they are none.
        assert!(sql(&format!("SELECT '{}';", "/*".repeat(1_000))).is_some());
    }
}
