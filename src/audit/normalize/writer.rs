//! Tokens as text and fingerprint, with lists of constants folded.

use super::TEXT_BYTES_MAX;
use super::lexer::{Gap, Token, Unsure};

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a: fast on short input and the same in every release, which is all a fingerprint needs.
pub(super) fn hash_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(FNV_OFFSET, |hash, byte| mix(hash, *byte))
}

fn mix(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
}

/// Stands for a quoted identifier that is a value.
const VALUE: &[u8] = b"\"?\"";

/// More digits than a date has, which names of partitions end with.
const DIGITS_MAX: usize = 8;

/// Whether what stands in the place of a name is somebody's address or number: some make columns
/// of values (`AS "jane@example.com"`), and no name that means something looks like that.
fn is_value(identifier: &[u8]) -> bool {
    let digits = identifier.iter().filter(|byte| byte.is_ascii_digit()).count();
    digits > DIGITS_MAX || identifier.contains(&b'@')
}

pub(super) struct Writer {
    out: Vec<u8>,
    room: Room,
    hash: u64,
    depth: usize,
    /// The last symbol written: no space follows an opening one.
    last: Option<u8>,
    introduces: Introduces,
    semicolon: Semicolon,
    list: Option<List>,
    rows: Option<Rows>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Left,
    Full,
}

/// Held back until a further statement follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Semicolon {
    None,
    Pending,
}

/// What the last word introduces when a bracket follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Introduces {
    Nothing,
    /// `IN (` and `ARRAY [`.
    List,
    /// `VALUES (`.
    Rows,
}

#[derive(Clone, Copy)]
struct Mark {
    length: usize,
    room: Room,
    hash: u64,
}

/// A list that has held nothing but constants so far.
struct List {
    opened: Mark,
    items: usize,
    expects: Expects,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    Item,
    Separator,
}

/// The rows of VALUES; those that read like the one before are left out.
struct Rows {
    depth: usize,
    place: Place,
    /// The fingerprint before this row; the row's own is computed apart.
    before: u64,
    /// Right behind the last row that was kept, and that row's fingerprint.
    kept: Option<(Mark, u64)>,
    elided: Elided,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    InRow,
    BehindRow,
    BehindComma,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Elided {
    None,
    Some,
}

impl Writer {
    pub(super) fn new(input_bytes: usize, room: String) -> Self {
        let mut out = room.into_bytes();
        out.clear();
        out.reserve(input_bytes.min(TEXT_BYTES_MAX) + 8);
        Self {
            out,
            room: Room::Left,
            hash: FNV_OFFSET,
            depth: 0,
            last: None,
            introduces: Introduces::Nothing,
            semicolon: Semicolon::None,
            list: None,
            rows: None,
        }
    }

    pub(super) fn token(&mut self, gap: Gap, token: Token<'_>) {
        if token == Token::Symbol(b';') {
            self.semicolon = if self.out.is_empty() { self.semicolon } else { Semicolon::Pending };
            return;
        }
        if self.semicolon == Semicolon::Pending {
            self.semicolon = Semicolon::None;
            self.write(Gap::None, Token::Symbol(b';'));
        }
        self.write(gap, token);
    }

    pub(super) fn finish(mut self) -> Result<(String, u64), Unsure> {
        if self.room == Room::Full {
            self.out.extend_from_slice("…".as_bytes());
        }
        let text = String::from_utf8(self.out).map_err(|_| Unsure::Encoding)?;
        Ok((text, self.hash))
    }

    fn write(&mut self, gap: Gap, token: Token<'_>) {
        self.list_before(token);
        self.rows_before(token);
        self.put(gap, token);
        self.brackets_after(token);
        self.introduces = introduced(token);
    }

    fn put(&mut self, gap: Gap, token: Token<'_>) {
        let tight = matches!(token, Token::Symbol(b',' | b')' | b']' | b';'))
            || matches!(self.last, Some(b'(' | b'['));
        if gap == Gap::Space && !tight && !self.out.is_empty() {
            self.push(b" ");
        }
        self.last = None;
        match token {
            Token::Word(word) => {
                self.push(word);
                self.hash = mix(self.hash, b' ');
                self.hash =
                    word.iter().fold(self.hash, |hash, byte| mix(hash, byte.to_ascii_lowercase()));
            }
            Token::Quoted(identifier) => {
                let identifier = if is_value(identifier) { VALUE } else { identifier };
                self.push(identifier);
                self.hash = mix(self.hash, b' ');
                self.hash = identifier.iter().fold(self.hash, |hash, byte| mix(hash, *byte));
            }
            Token::Constant => {
                self.push(b"?");
                self.hash = mix(mix(self.hash, b' '), b'?');
            }
            Token::Parameter(parameter) => {
                self.push(parameter);
                self.hash = mix(mix(self.hash, b' '), b'$');
            }
            Token::Symbol(byte) => {
                self.push(&[byte]);
                self.hash = mix(self.hash, byte);
                self.last = Some(byte);
            }
            Token::Operator(byte) => {
                self.push(&[byte]);
                self.hash = mix(self.hash, byte);
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.room == Room::Left && self.out.len() + bytes.len() <= TEXT_BYTES_MAX {
            self.out.extend_from_slice(bytes);
        } else {
            self.room = Room::Full;
        }
    }

    fn mark(&self) -> Mark {
        Mark { length: self.out.len(), room: self.room, hash: self.hash }
    }

    fn rewind(&mut self, mark: Mark) {
        self.out.truncate(mark.length);
        self.room = mark.room;
        self.hash = mark.hash;
    }

    /// Follows a list of constants; at its end the items give way to `?, ...`.
    fn list_before(&mut self, token: Token<'_>) {
        let Some(mut list) = self.list.take() else { return };
        match (token, list.expects) {
            (Token::Constant | Token::Parameter(_), Expects::Item) => {
                list.items += 1;
                list.expects = Expects::Separator;
                self.list = Some(list);
            }
            (Token::Operator(b'-' | b'+'), Expects::Item) => self.list = Some(list),
            (Token::Symbol(b','), Expects::Separator) => {
                list.expects = Expects::Item;
                self.list = Some(list);
            }
            (Token::Symbol(b')' | b']'), Expects::Separator) => {
                self.rewind(list.opened);
                self.push(if list.items > 1 { b"?, ..." } else { b"?" });
                self.hash = mix(self.hash, b'?');
            }
            // Anything else: a list like any other text.
            (
                Token::Word(_)
                | Token::Quoted(_)
                | Token::Constant
                | Token::Parameter(_)
                | Token::Symbol(_)
                | Token::Operator(_),
                Expects::Item | Expects::Separator,
            ) => {}
        }
    }

    fn rows_before(&mut self, token: Token<'_>) {
        let Some(rows) = &mut self.rows else { return };
        match (rows.place, token) {
            (Place::InRow, _) => {}
            (Place::BehindRow, Token::Symbol(b',')) => rows.place = Place::BehindComma,
            (Place::BehindComma, Token::Symbol(b'(')) => {
                rows.place = Place::InRow;
                rows.before = self.hash;
                self.hash = FNV_OFFSET;
            }
            (Place::BehindRow | Place::BehindComma, _) => self.rows = None,
        }
    }

    fn brackets_after(&mut self, token: Token<'_>) {
        match token {
            Token::Symbol(b'(' | b'[') => {
                if self.introduces == Introduces::List {
                    self.list =
                        Some(List { opened: self.mark(), items: 0, expects: Expects::Item });
                }
                if self.introduces == Introduces::Rows && self.rows.is_none() {
                    self.rows = Some(Rows {
                        depth: self.depth,
                        place: Place::InRow,
                        before: self.hash,
                        kept: None,
                        elided: Elided::None,
                    });
                    self.hash = mix(FNV_OFFSET, b'(');
                }
                self.depth += 1;
            }
            Token::Symbol(b')' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                if let Some(rows) = self.rows.take() {
                    self.rows = Some(if rows.place == Place::InRow && rows.depth >= self.depth {
                        self.row_ends(rows)
                    } else {
                        rows
                    });
                }
            }
            Token::Word(_)
            | Token::Quoted(_)
            | Token::Constant
            | Token::Parameter(_)
            | Token::Symbol(_)
            | Token::Operator(_) => {}
        }
    }

    fn row_ends(&mut self, mut rows: Rows) -> Rows {
        let row = self.hash;
        rows.place = Place::BehindRow;
        match rows.kept {
            Some((mark, last)) if last == row => {
                self.rewind(mark);
                if rows.elided == Elided::None {
                    self.push(b", ...");
                    rows.elided = Elided::Some;
                }
            }
            Some(_) | None => {
                self.hash = row.to_le_bytes().iter().fold(rows.before, |hash, b| mix(hash, *b));
                rows.elided = Elided::None;
            }
        }
        rows.kept = Some((self.mark(), row));
        rows
    }
}

fn introduced(token: Token<'_>) -> Introduces {
    let Token::Word(word) = token else { return Introduces::Nothing };
    match word.len() {
        2 if word.eq_ignore_ascii_case(b"in") => Introduces::List,
        5 if word.eq_ignore_ascii_case(b"array") => Introduces::List,
        6 if word.eq_ignore_ascii_case(b"values") => Introduces::Rows,
        _ => Introduces::Nothing,
    }
}
