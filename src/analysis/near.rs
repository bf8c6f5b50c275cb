//! Where in a text PostgreSQL's grammar stopped. The library tells in which words and at which
//! token, but not where that token is.

use super::parse::Token;

/// What PostgreSQL says of a text that it cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// In PostgreSQL's words.
    pub message: String,
    /// The character, from 1, at which it stopped, as in the field `P` of an ErrorResponse; None
    /// where the words do not tell.
    pub position: Option<usize>,
}

/// In longer texts, a place that takes parsing again is not looked for.
const TEXT_LEN_MAX: usize = 64 << 10;

/// Finds the place in `text`; `tokens` are as far as it could be scanned. `fails` parses the text up
/// to a byte, and says with which message that fails.
pub(super) fn locate(
    text: &str,
    tokens: &[Token],
    message: String,
    fails: impl Fn(&str) -> Option<String>,
) -> SyntaxError {
    let byte = place(text, tokens, &message, fails);
    let position = byte.map(|byte| text[..byte].chars().count() + 1);
    SyntaxError { message, position }
}

fn place(
    text: &str,
    tokens: &[Token],
    message: &str,
    fails: impl Fn(&str) -> Option<String>,
) -> Option<usize> {
    if message.ends_with(" at end of input") {
        return Some(text.len());
    }
    let (_, near) = message.split_once(" at or near \"")?;
    let near = near.strip_suffix('"')?;
    // Of what cannot be scanned, the rest of the text is named.
    if tokens.is_empty() {
        return text.ends_with(near).then(|| text.len() - near.len());
    }
    let like: Vec<&Token> =
        tokens.iter().filter(|token| &text[token.start..token.end] == near).collect();
    if let [only] = like.as_slice() {
        return Some(only.start);
    }
    if text.len() > TEXT_LEN_MAX {
        return None;
    }
    // The error is there as soon as the token is.
    let before =
        like.partition_point(|token| fails(&text[..token.end]).is_none_or(|said| said != message));
    like.get(before).map(|token| token.start)
}

#[cfg(test)]
mod tests {
    use super::super::parse::{ParseError, parse};

    fn position(text: &str) -> Option<usize> {
        match parse(text) {
            Err(ParseError::Syntax(error)) => error.position,
            other => panic!("{text}: {other:?}"),
        }
    }

    /// As PostgreSQL 15 says it.
    #[test]
    fn the_place_is_postgresqls() {
        for (text, place) in [
            ("selec 1", 1),
            ("create table t (a int,)", 23),
            ("create table t (a int) create", 24),
            ("select a, a from from a", 18),
            ("select 'é' from from", 17),
            ("create", 7),
            ("create table", 13),
            ("select 1 +", 11),
            ("select 'a", 8),
            ("do $$ x", 4),
            ("select 1; create table t (; create table u (a int)", 27),
            ("select a not not in (1)", 14),
        ] {
            assert_eq!(position(text), Some(place), "{text}");
        }
    }

    /// Places are those of characters, wherever the scanner has cut.
    #[test]
    fn texts_with_other_letters_have_places_too() {
        for text in [
            "select 1é from",
            "select $1é é from from é",
            "é",
            "é é é",
            "select 0xé",
            "select 1_é",
            "select 1eé",
            "select 'é",
            "select $é$ é",
            "select U&'\\é'",
            "select U&\"é\" UESCAPE 'é' é é",
            "/* é",
            "select \u{1F600}.\u{1F600} from from \u{1F600}",
            "select \u{FFFD} \u{FFFD} from from",
            "create é create é create é (",
        ] {
            if let Err(ParseError::Syntax(error)) = parse(text) {
                let chars = text.chars().count();
                assert!(error.position.is_none_or(|at| at <= chars + 1), "{text}: {error:?}");
            }
        }
    }

    #[test]
    fn not_every_message_tells() {
        assert_eq!(position("select 1 from t fetch first 2 rows with ties"), None);
    }
}
