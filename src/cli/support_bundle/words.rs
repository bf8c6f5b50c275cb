//! Lines from elsewhere, reduced to words that are nobody's.

use std::fmt::Write as _;

use serde_json::Value;

/// Characters of the longest word that is kept.
const WORD_LEN_MAX: usize = 20;
/// Digits of the longest number that is kept: enough for counts, too few for people.
const DIGITS_MAX: usize = 6;
/// Lines of a log that are kept, the last ones.
const LINES_MAX: usize = 2000;

/// The text with `?` for each word that is not plain: quoted, with digits, dots or signs in it. What
/// follows `database` is a name.
pub(super) fn plain(text: &str) -> String {
    let mut quoted = false;
    let mut named = false;
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let quotes = word.matches(['"', '\'', '`']).count();
        let inside = quoted;
        quoted ^= quotes % 2 == 1;
        let kept = if !inside && quotes == 0 && !named && is_plain(word) { word } else { "?" };
        named = matches!(word, "database" | "user" | "role" | "host" | "sink");
        // One mark for several words of a name.
        if kept != "?" || words.last() != Some(&"?") {
            words.push(kept);
        }
    }
    words.join(" ")
}

/// [`plain`], line by line.
pub(super) fn plain_lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", plain(line))).collect()
}

fn is_plain(word: &str) -> bool {
    let core = word.trim_matches(['(', ')', ',', ';', ':', '.']);
    let digits = core.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let is_number = !digits.is_empty()
        && digits.len() <= DIGITS_MAX
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && core.len() - digits.len() <= 3;
    let is_word = core.len() <= WORD_LEN_MAX
        && core.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_');
    is_number || is_word
}

/// Log lines in either format: time, level, place, and the plain words of the message; no fields.
pub(super) fn log(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut kept = String::new();
    let mut unknown = 0;
    for line in &lines[lines.len().saturating_sub(LINES_MAX)..] {
        match of_json(line).or_else(|| of_text(line)) {
            Some(line) => {
                kept.push_str(&line);
                kept.push('\n');
            }
            None => unknown += 1,
        }
    }
    // Writing to a String cannot fail.
    let _ = writeln!(kept, "{unknown} lines of another form are left out");
    kept
}

fn of_json(line: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| value[key].as_str();
    head(text("timestamp")?, text("level")?, text("target")?, text("message").unwrap_or_default())
}

fn of_text(line: &str) -> Option<String> {
    let (time, rest) = line.split_once(' ')?;
    let (level, rest) = rest.trim_start().split_once(' ')?;
    let (target, message) = rest.trim_start().split_once(": ")?;
    // What has a name is a field.
    let message = message.split_whitespace().take_while(|word| !word.contains('='));
    head(time, level, target, &message.collect::<Vec<_>>().join(" "))
}

fn head(time: &str, level: &str, target: &str, message: &str) -> Option<String> {
    let time: jiff::Timestamp = time.parse().ok()?;
    let level = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].into_iter().find(|it| *it == level)?;
    let part = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let is_place = target.starts_with("keyhole") && target.split("::").all(part);
    let target = if is_place { target } else { "?" };
    Some(format!("{time} {level} {target}: {}", plain(message)))
}

/// What `/metrics` says, without the series of columns and without label values that are no words.
pub(super) fn metrics(text: &str) -> String {
    let mut kept = String::new();
    for line in text.lines().filter(|line| !line.starts_with("keyhole_column_")) {
        let Some((name, rest)) = line.split_once('{').filter(|_| !line.starts_with('#')) else {
            kept.push_str(line);
            kept.push('\n');
            continue;
        };
        let (labels, sample) = rest.rsplit_once('}').unwrap_or((rest, ""));
        let labels = labels.split("\",").map(|label| {
            let (label, value) = label.split_once("=\"").unwrap_or((label, ""));
            let value = value.trim_end_matches('"');
            let is_word = value.len() <= WORD_LEN_MAX
                && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+.".contains(&b));
            format!("{label}=\"{}\"", if is_word { value } else { "?" })
        });
        let labels: Vec<_> = labels.collect();
        let _ = writeln!(kept, "{name}{{{}}}{sample}", labels.join(","));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_are_left() {
        for (said, left) in [
            ("out of reach: no grant counts", "out of reach: no grant counts"),
            ("no answer within 30s", "no answer within 30s"),
            ("password failed for user \"ap p\" at 10.2.3.4", "password failed for user ? at ?"),
            (
                "database shop: connection refused (os error 111)",
                "database ? connection refused (os error 111)",
            ),
            ("ask ada@example.com or db.example.com", "ask ? or ?"),
            ("number 5310123456789 is", "number ? is"),
            ("hunter2 and s3cr3t", "?and ?"),
        ] {
            let left = left.replace("?and", "? and");
            assert_eq!(plain(said), left);
        }
    }

    #[test]
    fn a_line_of_a_log_loses_its_fields() {
        let json = r#"{"timestamp":"2026-03-01T12:00:00Z","level":"WARN","message":"schema not read","reason":"ada","target":"keyhole::server"}"#;
        let text = "2026-03-01T12:00:00Z  WARN keyhole::server: schema not read reason=ada is gone";
        let left = "2026-03-01T12:00:00Z WARN keyhole::server: schema not read\n";
        for line in [json, text] {
            let kept = log(&format!("{line}\npanicked at ada\n"));
            assert_eq!(kept, format!("{left}1 lines of another form are left out\n"));
        }
    }

    #[test]
    fn series_keep_words_only() {
        let text = "# TYPE keyhole_a counter\nkeyhole_a{class=\"email\",sink=\"a b\"} 3\n\
                    keyhole_column_raw_cells_total{column=\"public.t.x\"} 1\nkeyhole_b 2\n";
        let left =
            "# TYPE keyhole_a counter\nkeyhole_a{class=\"email\",sink=\"?\"} 3\nkeyhole_b 2\n";
        assert_eq!(metrics(text), left);
    }
}
