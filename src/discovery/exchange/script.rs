//! A script for psql without what is no SQL: rows of `COPY`, and psql's own commands.

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

/// The SQL of a script or a dump.
pub(super) fn sql(text: &str) -> String {
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
    }
    kept
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
            Within::Comment(depth) => match (rest.find("/*"), rest.find("*/")) {
                (Some(deeper), end) if end.is_none_or(|end| deeper < end) => {
                    (deeper + 2, Some(Within::Comment(depth + 1)))
                }
                (_, Some(end)) if *depth > 1 => (end + 2, Some(Within::Comment(depth - 1))),
                (_, Some(end)) => (end + 2, Some(Within::Statement)),
                (_, None) => (rest.len(), None),
            },
        };
        at += length;
        within = then.unwrap_or(within);
    }
    within
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
    use super::sql;

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
            assert_eq!(sql(kept), kept);
        }
    }

    #[test]
    fn rows_and_commands_are_left_out() {
        let dump = "\\restrict a\nCOPY t (a) FROM stdin;\nit's\n\\\\.\n\\.\nSELECT ';\n\\';\n\\q\n";
        assert_eq!(sql(dump), "SELECT ';\n\\';\n");
        assert_eq!(sql("SELECT e'\\'\n\\x';\n\\q"), "SELECT e'\\'\n\\x';\n");
        assert_eq!(sql("SELECT fine'\\'\n;\n\\q"), "SELECT fine'\\'\n;\n");
    }
}
