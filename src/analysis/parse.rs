//! Text to syntax trees by PostgreSQL's own grammar, within limits that keep the stack whole.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pg_query::protobuf::Token as Kind;

use super::near::{self, SyntaxError};
use super::tree::{self, Node, Value};

/// Longest text that is analysed, in bytes; PostgreSQL itself would take up to 1 GiB.
pub const TEXT_LEN_MAX: usize = 4 << 20;
/// Most tokens of one text: a tree holds about one node per token, 200 bytes each.
pub const TOKENS_MAX: usize = 200_000;
/// Deepest nesting of parentheses, brackets and CASE.
pub const NESTING_MAX: usize = 160;
/// Longest run of tokens between commas, ANDs and ORs: operators nest to the left without brackets.
pub const RUN_MAX: usize = 2_000;
/// Most joins and set operations on one level: they nest to the left as well.
pub const JOINS_MAX: usize = 300;
/// Deepest nesting of comments; PostgreSQL's scanner takes quadratic time in it.
pub const COMMENTS_MAX: usize = 32;

/// A token of the text; comments are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
}

/// A text that PostgreSQL's grammar accepted.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub tokens: Vec<Token>,
    pub statements: Vec<Statement>,
}

/// One of the statements of a text.
#[derive(Clone, Debug)]
pub struct Statement {
    pub tree: Node,
    /// Its bytes in the text, without the semicolon.
    pub span: Range<usize>,
}

/// Why a text was not analysed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    #[error("statement is too long to be checked")]
    Length,
    #[error("statement nests too deeply to be checked")]
    Nesting,
    #[error("statement has too many parts to be checked")]
    Size,
    #[error("{}", .0.message)]
    Syntax(SyntaxError),
    #[error("the parser gave up on the statement")]
    Parser,
}

/// Parses `text` into its statements.
///
/// # Errors
/// [`ParseError`]: over a limit, or not PostgreSQL's SQL.
pub fn parse(text: &str) -> Result<Parsed, ParseError> {
    if text.len() > TEXT_LEN_MAX {
        return Err(ParseError::Length);
    }
    if comment_depth(text.as_bytes()) > COMMENTS_MAX {
        return Err(ParseError::Nesting);
    }
    // Of no tokens the crate makes a slice from a null pointer.
    if text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)) {
        return Ok(Parsed { tokens: Vec::new(), statements: Vec::new() });
    }
    let tokens = scan(text)?;
    within_limits(&tokens)?;
    let parsed = guarded(text)?.map_err(|error| blame(text, &tokens, error))?;
    let mut statements = Vec::with_capacity(parsed.protobuf.stmts.len());
    for raw in &parsed.protobuf.stmts {
        let stmt = raw.stmt.as_ref().ok_or(ParseError::Parser)?;
        let Value::Node(tree) = tree::read(stmt.as_ref()).map_err(|_| ParseError::Parser)? else {
            return Err(ParseError::Parser);
        };
        let start = usize::try_from(raw.stmt_location).map_err(|_| ParseError::Parser)?;
        let len = usize::try_from(raw.stmt_len).map_err(|_| ParseError::Parser)?;
        let end = if len == 0 { text.len() } else { start + len };
        if end > text.len() {
            return Err(ParseError::Parser);
        }
        statements.push(Statement { tree: *tree, span: start..end });
    }
    Ok(Parsed { tokens, statements })
}

type Outcome = Result<pg_query::ParseResult, pg_query::Error>;

/// The crate computes summaries of the tree that can panic on shapes they do not expect.
fn guarded(text: &str) -> Result<Outcome, ParseError> {
    catch_unwind(AssertUnwindSafe(|| pg_query::parse(text, 0))).map_err(|_| ParseError::Parser)
}

fn scan(text: &str) -> Result<Vec<Token>, ParseError> {
    let scanned = pg_query::scan_tokens(text).map_err(|error| blame(text, &[], error))?;
    let mut tokens = Vec::with_capacity(scanned.len());
    for token in scanned {
        let kind = token.token();
        if matches!(kind, Kind::SqlComment | Kind::CComment) {
            continue;
        }
        let start = usize::try_from(token.start).map_err(|_| ParseError::Parser)?;
        let end = usize::try_from(token.end).map_err(|_| ParseError::Parser)?;
        tokens.push(Token { start, end, kind });
    }
    Ok(tokens)
}

/// `tokens`: none if it could not be scanned.
fn blame(text: &str, tokens: &[Token], error: pg_query::Error) -> ParseError {
    let fails = |text: &str| match guarded(text) {
        Ok(Err(pg_query::Error::Parse(message))) => Some(message),
        Ok(Ok(_) | Err(_)) | Err(_) => None,
    };
    match error {
        pg_query::Error::Parse(message) | pg_query::Error::Scan(message) => {
            ParseError::Syntax(near::locate(text, tokens, message, fails))
        }
        pg_query::Error::Conversion(_)
        | pg_query::Error::Decode(_)
        | pg_query::Error::InvalidJson(_)
        | pg_query::Error::InvalidPointer
        | pg_query::Error::IsUtility(_)
        | pg_query::Error::Split(_) => ParseError::Parser,
    }
}

/// The deepest nesting of `/*` without regard to quotes: at most one less than the scanner's own.
fn comment_depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut at) = (0_usize, 0, 0);
    while let Some(pair) = text.get(at..at + 2) {
        at += match pair {
            b"/*" => {
                depth += 1;
                deepest = deepest.max(depth);
                2
            }
            b"*/" if depth > 0 => {
                depth -= 1;
                2
            }
            _ => 1,
        };
    }
    deepest
}

#[derive(Clone, Copy, Default)]
struct Level {
    run: usize,
    joins: usize,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every other token counts the same")]
fn within_limits(tokens: &[Token]) -> Result<(), ParseError> {
    if tokens.len() > TOKENS_MAX {
        return Err(ParseError::Size);
    }
    let mut levels = vec![Level::default()];
    for token in tokens {
        match token.kind {
            Kind::Ascii40 | Kind::Ascii91 | Kind::Case => levels.push(Level::default()),
            Kind::Ascii41 | Kind::Ascii93 | Kind::EndP if levels.len() > 1 => {
                levels.pop();
            }
            Kind::Ascii44 | Kind::And | Kind::Or => {
                if let Some(level) = levels.last_mut() {
                    level.run = 0;
                }
            }
            Kind::Ascii59 => levels = vec![Level::default()],
            kind => {
                let Some(level) = levels.last_mut() else { continue };
                level.run += 1;
                if matches!(kind, Kind::Join | Kind::Union | Kind::Intersect | Kind::Except) {
                    level.joins += 1;
                }
                if level.run > RUN_MAX || level.joins > JOINS_MAX {
                    return Err(ParseError::Nesting);
                }
            }
        }
        if levels.len() > NESTING_MAX {
            return Err(ParseError::Nesting);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_a_worker_stack<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::Builder::new()
            .stack_size(16 << 20)
            .spawn(job)
            .expect("a thread")
            .join()
            .expect("no overflow")
    }

    #[test]
    fn statements_keep_their_bytes() {
        let text = "select 1; /* x */ select 'é', b from t";
        let parsed = parse(text).expect("parses");
        assert_eq!(parsed.statements.len(), 2);
        assert_eq!(text[parsed.statements[1].span.clone()].trim(), "select 'é', b from t");
        let select = &parsed.statements[1].tree;
        assert_eq!(select.kind, "SelectStmt");
        let from = select.nodes("from_clause").next().expect("a relation");
        assert_eq!((from.kind, from.text("relname")), ("RangeVar", "t"));
        assert_eq!(from.location(), text.rfind('t'));
    }

    #[test]
    fn what_is_within_the_limits_fits_the_stack() {
        on_a_worker_stack(|| {
            for text in [
                format!("select {}1{}", "(".repeat(NESTING_MAX - 1), ")".repeat(NESTING_MAX - 1)),
                format!(
                    "select {}1{}",
                    "(select ".repeat(NESTING_MAX - 1),
                    ")".repeat(NESTING_MAX - 1)
                ),
                format!("select 1{}", " + 1".repeat(RUN_MAX / 2 - 2)),
                format!("select {}1", "- ".repeat(RUN_MAX - 2)),
                format!("select 1 from a{}", " join a on true".repeat(JOINS_MAX)),
                format!("select 1{}", " union select 1".repeat(JOINS_MAX)),
            ] {
                eprintln!("{}", &text[..40]);
                assert!(parse(&text).is_ok(), "{}", &text[..40]);
            }
        });
    }

    #[test]
    fn what_is_over_a_limit_is_refused() {
        for (text, error) in [
            ("(".repeat(10_000), ParseError::Nesting),
            (format!("select {}1", "- ".repeat(100_000)), ParseError::Nesting),
            (format!("select 1 from a{}", " join a on true".repeat(1_000)), ParseError::Nesting),
            (format!("select 1 {}", "/*".repeat(50_000)), ParseError::Nesting),
            (format!("select {}1", "1,".repeat(TOKENS_MAX)), ParseError::Size),
            (" ".repeat(TEXT_LEN_MAX + 1), ParseError::Length),
        ] {
            assert_eq!(parse(&text).map(|_| ()), Err(error));
        }
    }

    #[test]
    fn nonsense_is_a_syntax_error() {
        assert!(matches!(parse("selec 1"), Err(ParseError::Syntax(_))));
        assert!(matches!(parse("select 'a"), Err(ParseError::Syntax(_))));
        assert!(matches!(parse("select \0"), Err(ParseError::Parser)));
    }
}
