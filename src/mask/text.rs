//! Strings: `partial` and `email`. Characters are code points, as `length()` counts them in a
//! UTF-8 database; a combining character is one of its own.

use super::ApplyError;
use super::kind::Width;

/// Bytes of the longest `name` (NAMEDATALEN without its end).
const NAME_BYTES_MAX: usize = 63;

/// Keeps `keep_first` and `keep_last` characters, one star for each between; all stars when
/// nothing would lie between.
pub(super) fn partial(
    keep_first: usize,
    keep_last: usize,
    width: Width,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ApplyError> {
    let start = out.len();
    match read(width, value)? {
        Text::Ascii(bytes) => partial_ascii(keep_first, keep_last, bytes, out),
        Text::Utf8(text) => partial_utf8(keep_first, keep_last, text, out),
    }
    fit(width, out, start)
}

fn partial_utf8(keep_first: usize, keep_last: usize, text: &str, out: &mut Vec<u8>) {
    let length = text.chars().count();
    let hidden = length.saturating_sub(keep_first.saturating_add(keep_last));
    if hidden == 0 {
        return push_repeated(out, b'*', length);
    }
    let (head, rest) = text.split_at(offset_of(text, keep_first));
    let tail = &rest[offset_of(rest, hidden)..];
    out.extend_from_slice(head.as_bytes());
    push_repeated(out, b'*', hidden);
    out.extend_from_slice(tail.as_bytes());
}

fn partial_ascii(keep_first: usize, keep_last: usize, text: &[u8], out: &mut Vec<u8>) {
    let length = text.len();
    let hidden = length.saturating_sub(keep_first.saturating_add(keep_last));
    if hidden == 0 {
        return push_repeated(out, b'*', length);
    }
    out.extend_from_slice(&text[..keep_first]);
    push_repeated(out, b'*', hidden);
    out.extend_from_slice(&text[keep_first + hidden..]);
}

/// First character, `***`, and everything from the last `@`; `***` alone when there is no `@` or
/// nothing before it.
pub(super) fn email(width: Width, value: &[u8], out: &mut Vec<u8>) -> Result<(), ApplyError> {
    let start = out.len();
    let (bytes, first_len) = match read(width, value)? {
        Text::Ascii(bytes) => (bytes, 1),
        Text::Utf8(text) => (text.as_bytes(), offset_of(text, 1)),
    };
    // In UTF-8, the byte of an ASCII character is nothing else.
    match bytes.iter().rposition(|byte| *byte == b'@') {
        Some(at @ 1..) => {
            out.extend_from_slice(&bytes[..first_len]);
            out.extend_from_slice(b"***");
            out.extend_from_slice(&bytes[at..]);
        }
        Some(0) | None => out.extend_from_slice(b"***"),
    }
    fit(width, out, start)
}

/// Cuts or fills what was appended to `out` since `start`, as the explicit cast to the type does.
pub(super) fn fit(width: Width, out: &mut Vec<u8>, start: usize) -> Result<(), ApplyError> {
    if matches!(width, Width::Any | Width::Stripped) {
        return Ok(());
    }
    let written = &out[start..];
    let (end, length) = if written.is_ascii() {
        let end = match width {
            Width::Any | Width::Stripped => written.len(),
            Width::Chars(max) | Width::Padded(max) => written.len().min(max),
            Width::Name => written.len().min(NAME_BYTES_MAX),
        };
        (end, end)
    } else {
        let text = std::str::from_utf8(written).map_err(|_| ApplyError::Malformed)?;
        let end = match width {
            Width::Any | Width::Stripped => text.len(),
            Width::Chars(max) | Width::Padded(max) => offset_of(text, max),
            Width::Name => text.floor_char_boundary(NAME_BYTES_MAX),
        };
        (end, text[..end].chars().count())
    };
    let missing = match width {
        Width::Padded(wanted) => wanted.saturating_sub(length),
        Width::Any | Width::Stripped | Width::Chars(_) | Width::Name => 0,
    };
    out.truncate(start + end);
    push_repeated(out, b' ', missing);
    Ok(())
}

/// A value's characters. Most values are ASCII, of which each is a byte.
enum Text<'a> {
    Ascii(&'a [u8]),
    Utf8(&'a str),
}

/// The value without the spaces that mean nothing.
fn read(width: Width, value: &[u8]) -> Result<Text<'_>, ApplyError> {
    let value = match width {
        Width::Padded(_) | Width::Stripped => {
            let end = value.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
            &value[..end]
        }
        Width::Any | Width::Chars(_) | Width::Name => value,
    };
    if value.is_ascii() {
        return Ok(Text::Ascii(value));
    }
    std::str::from_utf8(value).map(Text::Utf8).map_err(|_| ApplyError::Malformed)
}

/// Where the character with this index begins, or the end of the text.
fn offset_of(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(offset, _)| offset)
}

fn push_repeated(out: &mut Vec<u8>, byte: u8, count: usize) {
    out.resize(out.len() + count, byte);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(mask: impl Fn(&[u8], &mut Vec<u8>) -> Result<(), ApplyError>, value: &str) -> String {
        let mut out = Vec::new();
        mask(value.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn partial_keeps_the_ends_and_hides_at_least_one_character() {
        for (first, last, value, expected) in [
            (0, 4, "123-45-6789", "*******6789"),
            (2, 2, "abcdef", "ab**ef"),
            (2, 2, "abcde", "ab*de"),
            (2, 2, "abcd", "****"),
            (2, 2, "a", "*"),
            (0, 0, "abc", "***"),
            (0, 0, "", ""),
            (1, 1, "žluťoučký", "ž*******ý"),
            (1, 1, "👩‍🚀x", "👩**x"),
            (1, 1, "e\u{301}a\u{308}", "e**\u{308}"),
            (9_000, 9_000, "abc", "***"),
        ] {
            let mask = |v: &[u8], out: &mut Vec<u8>| partial(first, last, Width::Any, v, out);
            assert_eq!(masked(mask, value), expected, "{value}");
        }
    }

    #[test]
    fn email_keeps_the_first_letter_and_the_domain() {
        for (value, expected) in [
            ("alice@example.com", "a***@example.com"),
            ("a@b", "a***@b"),
            ("Žofie@Příklad.cz", "Ž***@Příklad.cz"),
            ("\"x@y\"@host", "\"***@host"),
            ("@host", "***"),
            ("nobody", "***"),
            ("", "***"),
            ("alice@", "a***@"),
            ("@@", "@***@"),
            ("👩@x", "👩***@x"),
        ] {
            assert_eq!(masked(|v, out| email(Width::Any, v, out), value), expected, "{value}");
        }
    }

    #[test]
    fn results_fit_the_type() {
        for (width, value, expected) in [
            (Width::Chars(5), "a@bbb", "a***@"),
            (Width::Padded(10), "al@bb     ", "a***@bb   "),
            (Width::Padded(5), "é@bb ", "é***@"),
            (Width::Stripped, "al@bb     ", "a***@bb"),
        ] {
            assert_eq!(masked(|v, out| email(width, v, out), value), expected);
        }
        let long = format!("al@{}é", "b".repeat(58));
        let cut = masked(|v, out| email(Width::Name, v, out), &long);
        assert_eq!(cut, format!("a***@{}", "b".repeat(58)));
        let mask = |v: &[u8], out: &mut Vec<u8>| partial(0, 2, Width::Padded(6), v, out);
        assert_eq!(masked(mask, "abcd  "), "**cd  ");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for value in [&b"\xff\xfe"[..], b"abc\xc3"] {
            let mut out = Vec::new();
            assert_eq!(email(Width::Any, value, &mut out), Err(ApplyError::Malformed));
            assert_eq!(partial(1, 1, Width::Any, value, &mut out), Err(ApplyError::Malformed));
            assert!(out.is_empty());
        }
    }
}
