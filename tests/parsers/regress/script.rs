//! psql's scripts: cut into statements the way psql does it, with what stands between them.

/// One thing that psql would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Sql(String),
    /// `COPY … FROM STDIN` and the lines up to `\.`.
    CopyIn(String, String),
    /// A statement that psql would change or send in another way, and why it is not run.
    Skipped(String, &'static str),
}

/// Cuts a script.
pub(crate) fn steps(text: &str) -> Vec<Step> {
    let mut cutter =
        Cutter { rest: text, sql: String::new(), depth: 0, begins: 0, steps: Vec::new() };
    while !cutter.rest.is_empty() {
        cutter.next();
    }
    cutter.steps
}

struct Cutter<'a> {
    rest: &'a str,
    sql: String,
    /// Open parentheses.
    depth: usize,
    /// Open `BEGIN ATOMIC` and `CASE` of a function's body.
    begins: usize,
    steps: Vec<Step>,
}

impl<'a> Cutter<'a> {
    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }

    fn keep(&mut self, len: usize) {
        let taken = self.take(len);
        self.sql.push_str(taken);
    }

    fn next(&mut self) {
        let rest = self.rest;
        let first = rest.chars().next().expect("not at the end");
        match first {
            '-' if rest.starts_with("--") => {
                let end = rest.find('\n').unwrap_or(rest.len());
                self.take(end);
            }
            '/' if rest.starts_with("/*") => self.keep(comment_len(rest)),
            '\'' => {
                let escapes = self.sql.ends_with(['e', 'E'])
                    && !self.sql[..self.sql.len() - 1].ends_with(is_word);
                let backslash = if escapes { Backslash::Escapes } else { Backslash::Stands };
                self.keep(quoted_len(rest, '\'', backslash));
            }
            '"' => self.keep(quoted_len(rest, '"', Backslash::Stands)),
            '$' => self.keep(dollar_len(rest, &self.sql)),
            '\\' => self.meta(),
            ';' => {
                self.keep(1);
                if self.depth == 0 && self.begins == 0 {
                    self.end(None);
                }
            }
            '(' => {
                self.depth += 1;
                self.keep(1);
            }
            ')' => {
                self.depth = self.depth.saturating_sub(1);
                self.keep(1);
            }
            c if is_word(c) => {
                let len = rest.find(|c: char| !is_word(c) && c != '$').unwrap_or(rest.len());
                self.word(&rest[..len]);
                self.keep(len);
            }
            c => self.keep(c.len_utf8()),
        }
    }

    fn word(&mut self, word: &str) {
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        let begin = self.sql.trim_end().to_ascii_lowercase().ends_with("begin");
        if (is("atomic") && begin) || (is("case") && self.begins > 0) {
            self.begins += 1;
        } else if is("end") && self.begins > 0 {
            self.begins -= 1;
        }
    }

    /// A backslash command, up to the end of the line; those that send the statement skip it.
    fn meta(&mut self) {
        if self.rest.starts_with("\\;") {
            self.take(1);
            return self.keep(1);
        }
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let line = self.take(end);
        let name = line[1..].split_whitespace().next().unwrap_or_default();
        let sends = ["g", "gx", "gset", "gexec", "gdesc", "crosstabview", "watch"];
        if sends.contains(&name) {
            self.end((!matches!(name, "g" | "gx")).then_some("psql makes more of it"));
        } else if matches!(name, "r" | "c" | "connect") {
            self.sql.clear();
        }
    }

    fn end(&mut self, skipped: Option<&'static str>) {
        (self.depth, self.begins) = (0, 0);
        let sql = std::mem::take(&mut self.sql).trim().to_owned();
        if sql.is_empty() || sql == ";" {
            return;
        }
        if let Some(why) = skipped.or_else(|| has_variable(&sql).then_some("psql's variables")) {
            return self.steps.push(Step::Skipped(sql, why));
        }
        let words = sql.to_ascii_lowercase();
        if words.starts_with("copy") && words.contains("from stdin") {
            let after = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
            self.take(after);
            let end = self.rest.find("\\.\n").unwrap_or(self.rest.len());
            let data = self.take(end).to_owned();
            self.take(3.min(self.rest.len()));
            return self.steps.push(Step::CopyIn(sql, data));
        }
        self.steps.push(Step::Sql(sql));
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn comment_len(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(pair) = text.as_bytes().get(at..at + 2) {
        match pair {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Backslash {
    Escapes,
    Stands,
}

fn quoted_len(text: &str, quote: char, backslash: Backslash) -> usize {
    let mut escaped = true;
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' && backslash == Backslash::Escapes {
            escaped = true;
        } else if c == quote {
            // A doubled quote is the end of one string and the start of another, all the same.
            return at + 1;
        }
    }
    text.len()
}

fn dollar_len(text: &str, before: &str) -> usize {
    let tag = text[1..].find('$').map(|end| &text[..end + 2]);
    let is_tag = |tag: &&str| {
        let name = &tag[1..tag.len() - 1];
        name.chars().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    match tag.filter(is_tag) {
        Some(tag) if !before.ends_with(is_word) => {
            text[tag.len()..].find(tag).map_or(text.len(), |end| end + 2 * tag.len())
        }
        Some(_) | None => 1,
    }
}

/// `:name`, `:'name'`, `:"name"`, but no cast, slice or assignment. Quotes are not looked at: what
/// is skipped in vain is counted.
fn has_variable(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    let in_quotes = |at: usize| sql[..at].matches('\'').count() % 2 == 1;
    (0..bytes.len()).any(|at| {
        let next = bytes.get(at + 1).copied().unwrap_or(b' ');
        bytes[at] == b':'
            && (at == 0 || !matches!(bytes[at - 1], b':' | b'0'..=b'9' | b']'))
            && (next.is_ascii_alphabetic() || matches!(next, b'\'' | b'"' | b'_'))
            && !in_quotes(at)
            && !sql.contains("$$")
    })
}

#[test]
fn scripts_are_cut_where_psql_cuts_them() {
    let text = "-- a comment; with a semicolon\nSELECT 1; select ';', $a$ ; $a$, E'\\';' /* ; */;\n\
                \\d tenk1\nCREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);\n\
                COPY t FROM stdin;\n1\t;\n\\.\n\
                CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;\n\
                SELECT 3 \\gset\nSELECT :x;SELECT a::text, b[1:2] FROM t;";
    let sql = |text: &str| Step::Sql(text.to_owned());
    assert_eq!(
        steps(text),
        [
            sql("SELECT 1;"),
            sql("select ';', $a$ ; $a$, E'\\';' /* ; */;"),
            sql("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);"),
            Step::CopyIn("COPY t FROM stdin;".to_owned(), "1\t;\n".to_owned()),
            sql(
                "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;"
            ),
            Step::Skipped("SELECT 3".to_owned(), "psql makes more of it"),
            Step::Skipped("SELECT :x;".to_owned(), "psql's variables"),
            sql("SELECT a::text, b[1:2] FROM t;"),
        ]
    );
}
