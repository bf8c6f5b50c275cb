//! The tokens of a console query, each with its place in the text.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, Tokenizer};

use super::SyntaxError;

/// A token that means something, and where it stands in the text (bytes).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Cuts the text into tokens; blanks and comments are dropped.
///
/// # Errors
/// Strings, comments or quoted names without an end.
pub(super) fn lex(text: &str) -> Result<Vec<Lexeme>, SyntaxError> {
    let tokens =
        Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().map_err(|error| {
            let position = byte_at(text, &mut Place::START.clone(), error.location);
            SyntaxError::new(error.message.to_ascii_lowercase(), super::HELP_HINT, text, position)
        })?;
    // Locations only grow, so one walk over the text finds them all.
    let mut place = Place::START;
    let mut lexemes = Vec::with_capacity(tokens.len());
    for token in tokens {
        let start = byte_at(text, &mut place, token.span.start);
        let end = byte_at(text, &mut place, token.span.end);
        match token.token {
            Token::Whitespace(_) | Token::EOF => {}
            token => lexemes.push(Lexeme { token, start, end }),
        }
    }
    Ok(lexemes)
}

#[derive(Clone)]
struct Place {
    byte: usize,
    line: u64,
    column: u64,
}

impl Place {
    const START: Self = Self { byte: 0, line: 1, column: 1 };
}

/// The byte at which a location lies, walking on from `place`.
fn byte_at(text: &str, place: &mut Place, location: Location) -> usize {
    for c in text[place.byte..].chars() {
        if (place.line, place.column) >= (location.line, location.column) {
            break;
        }
        place.byte += c.len_utf8();
        if c == '\n' {
            place.line += 1;
            place.column = 1;
        } else {
            place.column += 1;
        }
    }
    place.byte
}

/// Reads one command's tokens from left to right.
pub(super) struct Cursor<'a> {
    text: &'a str,
    lexemes: &'a [Lexeme],
    next: usize,
    /// Shown with every error: the form of the command that is being read.
    hint: &'static str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, lexemes: &'a [Lexeme], hint: &'static str) -> Self {
        Self { text, lexemes, next: 0, hint }
    }

    pub(super) fn expect_form(&mut self, hint: &'static str) {
        self.hint = hint;
    }

    pub(super) fn peek(&self) -> Option<&'a Lexeme> {
        self.lexemes.get(self.next)
    }

    pub(super) fn advance(&mut self) -> Option<&'a Lexeme> {
        let lexeme = self.lexemes.get(self.next)?;
        self.next += 1;
        Some(lexeme)
    }

    /// Where the next token starts, or where the last one ended.
    pub(super) fn position(&self) -> usize {
        self.peek().map_or_else(|| self.lexemes.last().map_or(0, |last| last.end), |l| l.start)
    }

    pub(super) fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError::new(message.into(), self.hint, self.text, self.position())
    }

    /// `message`, with the place `lexemes` tokens back.
    pub(super) fn error_at(&self, message: impl Into<String>, byte: usize) -> SyntaxError {
        SyntaxError::new(message.into(), self.hint, self.text, byte)
    }

    /// An error that says what was expected and what stands there instead.
    pub(super) fn unexpected(&self, expected: &str) -> SyntaxError {
        match self.peek() {
            Some(lexeme) => {
                let found = &self.text[lexeme.start..lexeme.end];
                self.error(format!("expected {expected}, found {found}"))
            }
            None => self.error(format!("expected {expected} at the end of the command")),
        }
    }

    pub(super) fn at(&self, keyword: &str) -> bool {
        self.peek().is_some_and(|lexeme| is_word(lexeme, keyword))
    }

    pub(super) fn take(&mut self, keyword: &str) -> Option<()> {
        self.at(keyword).then(|| self.next += 1)
    }

    pub(super) fn expect(&mut self, keyword: &str) -> Result<(), SyntaxError> {
        self.take(keyword).ok_or_else(|| self.unexpected(keyword))
    }

    pub(super) fn take_token(&mut self, token: &Token) -> Option<()> {
        (self.peek()?.token == *token).then(|| self.next += 1)
    }


    /// A name as PostgreSQL reads it: folded to lower case unless quoted.
    pub(super) fn name(&mut self, what: &str) -> Result<String, SyntaxError> {
        let name = match self.peek().map(|lexeme| &lexeme.token) {
            Some(Token::Word(word)) if word.quote_style == Some('"') => word.value.clone(),
            Some(Token::Word(word)) if word.quote_style.is_none() => {
                word.value.to_ascii_lowercase()
            }
            _ => return Err(self.unexpected(what)),
        };
        if name.is_empty() {
            return Err(self.unexpected(what));
        }
        self.next += 1;
        Ok(name)
    }

    /// A string constant.
    pub(super) fn string(&mut self, what: &str) -> Result<String, SyntaxError> {
        let text = match self.peek().map(|lexeme| &lexeme.token) {
            Some(Token::SingleQuotedString(text)) => text.clone(),
            Some(Token::EscapedStringLiteral(text)) => text.clone(),
            Some(Token::DollarQuotedString(quoted)) => quoted.value.clone(),
            _ => return Err(self.unexpected(what)),
        };
        self.next += 1;
        Ok(text)
    }

    /// A whole number, as SHOW prints identifiers.
    pub(super) fn number(&mut self, what: &str) -> Result<u64, SyntaxError> {
        let Some(Token::Number(digits, false)) = self.peek().map(|lexeme| &lexeme.token) else {
            return Err(self.unexpected(what));
        };
        let number = digits.parse().map_err(|_| self.unexpected(what))?;
        self.next += 1;
        Ok(number)
    }

    pub(super) fn end(&self) -> Result<(), SyntaxError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end of the command")),
        }
    }

    /// The text up to the first `keyword` outside parentheses, as it was written; `keyword` itself
    /// is left. A `SIMILAR TO` is no `TO`.
    pub(super) fn text_until(&mut self, keyword: &str) -> Result<&'a str, SyntaxError> {
        let first = self.next;
        let mut depth = 0_u32;
        while let Some(lexeme) = self.peek() {
            match &lexeme.token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket => {
                    depth = depth.checked_sub(1).ok_or_else(|| self.unexpected(keyword))?;
                }
                _ => {
                    let similar =
                        self.next > first && is_word(&self.lexemes[self.next - 1], "SIMILAR");
                    if depth == 0 && !similar && is_word(lexeme, keyword) {
                        break;
                    }
                }
            }
            self.next += 1;
        }
        let inside = &self.lexemes[first..self.next];
        let (Some(start), Some(end)) = (inside.first(), inside.last()) else {
            return Err(self.unexpected("a condition"));
        };
        let text = &self.text[start.start..end.end];
        // What is handed on must be what was read here.
        let same = lex(text)
            .is_ok_and(|again| again.iter().map(|l| &l.token).eq(inside.iter().map(|l| &l.token)));
        if same { Ok(text) } else { Err(self.error_at("the condition is unclear", start.start)) }
    }
}

/// Whether the token is this word, unquoted, in upper or lower case.
fn is_word(lexeme: &Lexeme, keyword: &str) -> bool {
    match &lexeme.token {
        Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword),
        _ => false,
    }
}

/// The word as it stands, for choosing a command.
pub(super) fn keyword(lexeme: &Lexeme) -> Option<String> {
    match &lexeme.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_uppercase()),
        _ => None,
    }
}

/// Whether the tokenizer knows the word as one of SQL's.
pub(super) fn is_sql_keyword(lexeme: &Lexeme) -> bool {
    matches!(&lexeme.token, Token::Word(word) if word.keyword != Keyword::NoKeyword)
}
