//! The tokens of a console query, each with its place in the text.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Location, Token, Tokenizer};

use super::SyntaxError;

/// A token that means something, and where it stands in the text (bytes).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lexeme {
    pub(super) piece: Piece,
    token: Token,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What the console's language is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A word without quotes, as written.
    Word(String),
    /// What stands in double quotes.
    Quoted(String),
    /// What a string constant says.
    Text(String),
    /// Digits, maybe with point and exponent.
    Number(String),
    Comma,
    Period,
    Semicolon,
    Open,
    Close,
    /// May stand in a condition and nowhere else.
    Other,
}

impl Piece {
    /// None for blanks and comments.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not ours is no piece of ours")]
    fn of(token: &Token) -> Option<Self> {
        Some(match token {
            Token::Whitespace(_) | Token::EOF => return None,
            Token::Word(word) if word.quote_style.is_none() => Self::Word(word.value.clone()),
            Token::Word(word) if word.quote_style == Some('"') => Self::Quoted(word.value.clone()),
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => {
                Self::Text(text.clone())
            }
            Token::DollarQuotedString(quoted) => Self::Text(quoted.value.clone()),
            Token::Number(digits, false) => Self::Number(digits.clone()),
            Token::Comma => Self::Comma,
            Token::Period => Self::Period,
            Token::SemiColon => Self::Semicolon,
            Token::LParen | Token::LBracket => Self::Open,
            Token::RParen | Token::RBracket => Self::Close,
            _ => Self::Other,
        })
    }
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
        if let Some(piece) = Piece::of(&token.token) {
            lexemes.push(Lexeme { piece, token: token.token, start, end });
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

    /// The next token, if it is a word without quotes.
    pub(super) fn word(&self) -> Option<&'a str> {
        match &self.peek()?.piece {
            Piece::Word(word) => Some(word),
            Piece::Quoted(_)
            | Piece::Text(_)
            | Piece::Number(_)
            | Piece::Comma
            | Piece::Period
            | Piece::Semicolon
            | Piece::Open
            | Piece::Close
            | Piece::Other => None,
        }
    }

    /// The command's first token as it was written.
    pub(super) fn first(&self) -> &'a str {
        self.lexemes.first().map_or("", |first| &self.text[first.start..first.end])
    }

    /// What is left of the command.
    pub(super) fn rest(&self) -> &'a [Lexeme] {
        self.lexemes.get(self.next..).unwrap_or_default()
    }

    /// Where the next token starts, or where the last one ended.
    pub(super) fn position(&self) -> usize {
        self.peek().map_or_else(|| self.lexemes.last().map_or(0, |last| last.end), |l| l.start)
    }

    pub(super) fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError::new(message.into(), self.hint, self.text, self.position())
    }

    /// An error about what stands at `byte`.
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

    pub(super) fn take_piece(&mut self, piece: &Piece) -> Option<()> {
        (self.peek()?.piece == *piece).then(|| self.next += 1)
    }

    /// A name as PostgreSQL reads it: folded to lower case unless quoted.
    pub(super) fn name(&mut self, what: &str) -> Result<String, SyntaxError> {
        let name = match self.peek().map(|lexeme| &lexeme.piece) {
            Some(Piece::Quoted(name)) => name.clone(),
            Some(Piece::Word(name)) => name.to_ascii_lowercase(),
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
        let Some(Piece::Text(text)) = self.peek().map(|lexeme| &lexeme.piece) else {
            return Err(self.unexpected(what));
        };
        self.next += 1;
        Ok(text.clone())
    }

    /// A whole number, as SHOW prints identifiers.
    pub(super) fn number(&mut self, what: &str) -> Result<u64, SyntaxError> {
        let Some(Piece::Number(digits)) = self.peek().map(|lexeme| &lexeme.piece) else {
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
            match &lexeme.piece {
                Piece::Open => depth += 1,
                Piece::Close => {
                    depth = depth.checked_sub(1).ok_or_else(|| self.unexpected(keyword))?;
                }
                Piece::Word(word) if depth == 0 && word.eq_ignore_ascii_case(keyword) => {
                    let before = self.lexemes[first..self.next].last();
                    if !before.is_some_and(|before| is_word(before, "SIMILAR")) {
                        break;
                    }
                }
                Piece::Word(_)
                | Piece::Quoted(_)
                | Piece::Text(_)
                | Piece::Number(_)
                | Piece::Comma
                | Piece::Period
                | Piece::Semicolon
                | Piece::Other => {}
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

/// Whether it is this word, unquoted, in upper or lower case.
fn is_word(lexeme: &Lexeme, keyword: &str) -> bool {
    matches!(&lexeme.piece, Piece::Word(word) if word.eq_ignore_ascii_case(keyword))
}
