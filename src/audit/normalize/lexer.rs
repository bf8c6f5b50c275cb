//! PostgreSQL's lexical rules (`scan.l`), as far as it takes to tell constants from the rest.
//!
//! Where versions of PostgreSQL disagree about where a constant ends (`1e'…'` was two tokens up
//! to 14 and is an error since), the answer is [`Unsure`].

use super::Strings;
use super::writer::Writer;

/// Why a statement's text is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsure {
    #[error("(not shown: not UTF-8)")]
    Encoding,
    #[error("(not shown: unterminated string)")]
    String,
    #[error("(not shown: unterminated dollar-quoted string)")]
    DollarQuote,
    #[error("(not shown: unterminated quoted identifier)")]
    Identifier,
    #[error("(not shown: unterminated comment)")]
    Comment,
    #[error("(not shown: ambiguous backslash)")]
    Backslash,
    #[error("(not shown: ambiguous number)")]
    Number,
    #[error("(not shown: unexpected character)")]
    Character,
}

/// Whether white space or a comment came before a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    None,
    Space,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An unquoted identifier or a keyword.
    Word(&'a [u8]),
    /// A quoted identifier with its quotes and its `U&`.
    Quoted(&'a [u8]),
    Constant,
    /// `$1`, or `$` when the number is none that a parameter can have.
    Parameter(&'a [u8]),
    /// One of `,()[].;:`
    Symbol(u8),
    /// One character of an operator.
    Operator(u8),
}

/// What happens to a backslash inside a quoted constant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Backslash {
    Plain,
    Escapes,
    /// PostgreSQL refuses or reads it otherwise depending on settings that we do not know.
    Unsure,
}

/// Parameters have 16-bit numbers; longer ones are mistyped data.
const PARAMETER_DIGITS_MAX: usize = 5;

/// Writes the tokens of `sql`; answers the text, in the memory of `room`, and the fingerprint.
pub(super) fn run(sql: &str, strings: Strings, room: String) -> Result<(String, u64), Unsure> {
    let mut lexer = Lexer { sql: sql.as_bytes(), at: 0, strings };
    let mut writer = Writer::new(sql.len(), room);
    loop {
        let gap = lexer.skip_gap()?;
        match lexer.token()? {
            Some(token) => writer.token(gap, token),
            None => break,
        }
    }
    writer.finish()
}

struct Lexer<'a> {
    sql: &'a [u8],
    at: usize,
    strings: Strings,
}

impl<'a> Lexer<'a> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.sql.get(self.at + ahead).copied()
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.sql.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !wanted(*byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn since(&self, start: usize) -> &'a [u8] {
        self.sql.get(start..self.at).unwrap_or_default()
    }

    fn skip_gap(&mut self) -> Result<Gap, Unsure> {
        let start = self.at;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(byte), _) if is_space(byte) => self.at += 1,
                (Some(b'-'), Some(b'-')) => self.skip_line(),
                (Some(b'/'), Some(b'*')) => self.skip_comment()?,
                (Some(_) | None, _) => break,
            }
        }
        Ok(if self.at == start { Gap::None } else { Gap::Space })
    }

    fn skip_line(&mut self) {
        self.take_while(|byte| byte != b'\n' && byte != b'\r');
    }

    /// Comments nest, and `/*/` opens without closing.
    fn skip_comment(&mut self) -> Result<(), Unsure> {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                (Some(_), _) => self.at += 1,
                (None, _) => return Err(Unsure::Comment),
            }
        }
    }

    fn token(&mut self) -> Result<Option<Token<'a>>, Unsure> {
        let Some(first) = self.peek(0) else { return Ok(None) };
        let token = match first {
            _ if is(first, WORD_START) => self.word()?,
            _ if is(first, DIGIT) => self.number()?,
            b'.' if self.peek(1).is_some_and(|byte| byte.is_ascii_digit()) => self.number()?,
            b'\'' => self.plain_string()?,
            b'"' => self.quoted_identifier(self.at)?,
            b'$' => self.dollar()?,
            _ if is(first, SYMBOL) => {
                self.at += 1;
                Token::Symbol(first)
            }
            _ if is(first, OPERATOR) => {
                self.at += 1;
                Token::Operator(first)
            }
            // Braces, backslashes and control characters: no SQL outside constants.
            _ => return Err(Unsure::Character),
        };
        Ok(Some(token))
    }

    fn word(&mut self) -> Result<Token<'a>, Unsure> {
        let start = self.at;
        let word = self.take_while(is_word_part);
        match (word, self.peek(0), self.peek(1)) {
            (b"e" | b"E", Some(b'\''), _) => self.string(Backslash::Escapes),
            (b"b" | b"B" | b"x" | b"X", Some(b'\''), _) => self.string(self.odd_backslash()),
            (b"n" | b"N", Some(b'\''), _) => self.plain_string(),
            (b"u" | b"U", Some(b'&'), Some(b'\'')) => {
                self.at += 1;
                self.string(self.odd_backslash())
            }
            (b"u" | b"U", Some(b'&'), Some(b'"')) => {
                self.at += 1;
                self.quoted_identifier(start)
            }
            (_, _, _) => Ok(Token::Word(word)),
        }
    }

    fn plain_string(&mut self) -> Result<Token<'a>, Unsure> {
        match self.strings {
            Strings::Standard => self.string(Backslash::Plain),
            Strings::Escapes => self.string(Backslash::Escapes),
        }
    }

    /// `B''`, `X''` and `U&''` know no escaping backslash, but are not at home where plain
    /// strings do.
    fn odd_backslash(&self) -> Backslash {
        match self.strings {
            Strings::Standard => Backslash::Plain,
            Strings::Escapes => Backslash::Unsure,
        }
    }

    /// From the opening quote to the closing one, and through the parts that follow on other
    /// lines: they are read as the first one is.
    fn string(&mut self, backslash: Backslash) -> Result<Token<'a>, Unsure> {
        loop {
            self.at += 1;
            let odd = self.string_part(backslash)?;
            // `'a\'b`: an escape after all, of a server whose setting we were told wrong.
            if odd && self.peek(0).is_some_and(is_word_part) {
                return Err(Unsure::Backslash);
            }
            if !self.continues() {
                return Ok(Token::Constant);
            }
        }
    }

    /// Up to behind the closing quote; whether a plain backslash came right before it.
    fn string_part(&mut self, backslash: Backslash) -> Result<bool, Unsure> {
        let mut slashes = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (None, _) => return Err(Unsure::String),
                (Some(b'\''), Some(b'\'')) => {
                    self.at += 2;
                    slashes = 0;
                }
                (Some(b'\''), _) => {
                    self.at += 1;
                    return Ok(slashes % 2 == 1);
                }
                (Some(b'\\'), next) => match backslash {
                    Backslash::Plain => {
                        self.at += 1;
                        slashes += 1;
                    }
                    Backslash::Escapes if next.is_some() => self.at += 2,
                    Backslash::Escapes => return Err(Unsure::String),
                    Backslash::Unsure => return Err(Unsure::Backslash),
                },
                (Some(_), _) => {
                    self.at += 1;
                    slashes = 0;
                }
            }
        }
    }

    /// Moves to the quote that continues the string: behind white space and `--` comments with
    /// at least one line end.
    fn continues(&mut self) -> bool {
        let closed = self.at;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(byte), _) if is_space(byte) => self.at += 1,
                (Some(b'-'), Some(b'-')) => self.skip_line(),
                (Some(b'\''), _) if self.since(closed).iter().any(|b| b"\n\r".contains(b)) => {
                    return true;
                }
                (Some(_) | None, _) => break,
            }
        }
        self.at = closed;
        false
    }

    fn quoted_identifier(&mut self, start: usize) -> Result<Token<'a>, Unsure> {
        self.at += 1;
        loop {
            match (self.peek(0), self.peek(1)) {
                (None | Some(0), _) => return Err(Unsure::Identifier),
                (Some(b'"'), Some(b'"')) => self.at += 2,
                (Some(b'"'), _) => {
                    self.at += 1;
                    return Ok(Token::Quoted(self.since(start)));
                }
                (Some(_), _) => self.at += 1,
            }
        }
    }

    /// Takes everything that any version could call a number, and what is stuck to it.
    fn number(&mut self) -> Result<Token<'a>, Unsure> {
        let start = self.at;
        loop {
            let part = self.take_while(|byte| is_word_part(byte) && byte != b'$' || byte == b'.');
            let exponent = matches!(part.last(), Some(b'e' | b'E'))
                && matches!(self.peek(0), Some(b'+' | b'-'))
                && self.peek(1).is_some_and(|byte| byte.is_ascii_digit());
            if !exponent {
                break;
            }
            self.at += 1;
        }
        let digits_only = self.since(start).iter().all(|b| b.is_ascii_digit() || *b == b'.');
        match self.peek(0) {
            Some(b'\'' | b'$' | b'&') if !digits_only => Err(Unsure::Number),
            Some(_) | None => Ok(Token::Constant),
        }
    }

    fn dollar(&mut self) -> Result<Token<'a>, Unsure> {
        let start = self.at;
        self.at += 1;
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return self.dollar_quoted(start);
        }
        let number = self.since(start);
        let junk = self.take_while(|byte| is_word_part(byte) && byte != b'$');
        if !junk.is_empty() && matches!(self.peek(0), Some(b'\'' | b'$' | b'&')) {
            return Err(Unsure::Number);
        }
        let known = digits.len() <= PARAMETER_DIGITS_MAX;
        Ok(Token::Parameter(if known { number } else { b"$" }))
    }

    /// `$tag$ … $tag$`; tags may have any letters, non-ASCII ones included.
    fn dollar_quoted(&mut self, start: usize) -> Result<Token<'a>, Unsure> {
        self.take_while(|byte| is_word_part(byte) && byte != b'$');
        if self.peek(0) != Some(b'$') {
            return Err(Unsure::Character);
        }
        self.at += 1;
        let delimiter = self.since(start);
        loop {
            self.take_while(|byte| byte != b'$');
            let rest = self.sql.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                return Err(Unsure::DollarQuote);
            }
            if rest.starts_with(delimiter) {
                self.at += delimiter.len();
                return Ok(Token::Constant);
            }
            self.at += 1;
        }
    }
}

/// What a byte can be outside constants: bits of [`CLASSES`].
const SPACE: u8 = 1;
const WORD_START: u8 = 2;
const DIGIT: u8 = 4;
const DOLLAR: u8 = 8;
const SYMBOL: u8 = 16;
const OPERATOR: u8 = 32;
const WORD_PART: u8 = WORD_START | DIGIT | DOLLAR;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        classes[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => SPACE,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => WORD_START,
            b'0'..=b'9' => DIGIT,
            b'$' => DOLLAR,
            b',' | b'(' | b')' | b'[' | b']' | b'.' | b';' | b':' => SYMBOL,
            b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' | b'~' | b'!' | b'@' | b'#' | b'%'
            | b'^' | b'&' | b'|' | b'`' | b'?' => OPERATOR,
            // Quotes, and what SQL does not have outside them.
            0..=0x08 | 0x0e..=0x1f | b'"' | b'\'' | b'\\' | b'{' | b'}' | 0x7f => 0,
        };
        if byte == u8::MAX {
            return classes;
        }
        byte += 1;
    }
}

fn is(byte: u8, class: u8) -> bool {
    CLASSES[usize::from(byte)] & class != 0
}

fn is_space(byte: u8) -> bool {
    is(byte, SPACE)
}

fn is_word_part(byte: u8) -> bool {
    is(byte, WORD_PART)
}
