//! One pass over a value's bytes that rules most detectors out.

/// Longest part of a value that is looked at.
pub(super) const LOOKED_AT_BYTES: usize = 4096;

pub(super) const DIGIT: u16 = 1;
pub(super) const UPPER: u16 = 1 << 1;
pub(super) const LOWER: u16 = 1 << 2;
pub(super) const SPACE: u16 = 1 << 3;
pub(super) const DOT: u16 = 1 << 4;
pub(super) const DASH: u16 = 1 << 5;
pub(super) const COLON: u16 = 1 << 6;
pub(super) const SLASH: u16 = 1 << 7;
pub(super) const COMMA: u16 = 1 << 8;
pub(super) const PLUS: u16 = 1 << 9;
pub(super) const PAREN: u16 = 1 << 10;
pub(super) const AT: u16 = 1 << 11;
pub(super) const QUOTE: u16 = 1 << 12;
pub(super) const OTHER: u16 = 1 << 13;
/// Bytes of characters beyond ASCII.
pub(super) const WIDE: u16 = 1 << 14;

pub(super) const LETTER: u16 = UPPER | LOWER;

static CLASSES: [u16; 256] = classes();

const fn classes() -> [u16; 256] {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b' ' | b'\t' | b'\n' | b'\r' => SPACE,
            b'.' => DOT,
            b'-' => DASH,
            b':' => COLON,
            b'/' => SLASH,
            b',' => COMMA,
            b'+' => PLUS,
            b'(' | b')' => PAREN,
            b'@' => AT,
            b'\'' | b'`' => QUOTE,
            0x80.. => WIDE,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
}

/// What a value consists of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape<'a> {
    pub(super) text: &'a str,
    /// Classes of bytes that occur.
    pub(super) has: u16,
    pub(super) digits: usize,
    pub(super) spaces: usize,
}

impl<'a> Shape<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let text = head(text.trim());
        let (mut has, mut digits, mut spaces) = (0, 0, 0);
        for byte in text.bytes() {
            let class = CLASSES[usize::from(byte)];
            has |= class;
            digits += usize::from(class == DIGIT);
            spaces += usize::from(class == SPACE);
        }
        Self { text, has, digits, spaces }
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn any(&self, classes: u16) -> bool {
        self.has & classes != 0
    }

    /// Whether it consists of these classes and no others.
    pub(super) fn only(&self, classes: u16) -> bool {
        self.has & !classes == 0
    }
}

/// The first [`LOOKED_AT_BYTES`], to a character's end.
fn head(text: &str) -> &str {
    if text.len() <= LOOKED_AT_BYTES {
        return text;
    }
    &text[..text.floor_char_boundary(LOOKED_AT_BYTES)]
}
