//! Whether two answers are the same, and what the proxy's refusals say.

use super::statement::Order;
use super::trio::{Heard, Trio};
use crate::support::message::Message;

const RECORD: u32 = 2249;
const RECORDS: u32 = 2287;

/// One message as it is compared and as it is shown.
pub(crate) type Line = (u8, Vec<u8>);

/// SQLSTATEs with which the proxy itself refuses.
const REFUSALS: [&str; 5] = ["42501", "54000", "54001", "0A000", "42601"];

/// What a client makes of the answer: everything but notices, the wording of errors, and where
/// columns come from.
pub(crate) fn as_seen(heard: &Heard, order: Order, trio: &Trio) -> Vec<Line> {
    let seen = heard.messages.iter().filter(|message| !matches!(message.tag, b'N' | b'S' | b'A'));
    let lines = seen.map(|message| match message.tag {
        b'T' => (b'T', columns(&message.body, trio)),
        b't' => (b't', types(&message.body, trio)),
        b'E' => (b'E', message.error().code().as_bytes().to_vec()),
        _ => (message.tag, message.body.clone()),
    });
    sorted(lines.collect(), order)
}

/// Byte for byte, but for the names of the databases, the process of a notification, and in whose
/// words a failed transaction refuses: that hangs on how soon the failure was known.
pub(crate) fn as_heard(heard: &Heard, order: Order, trio: &Trio) -> Vec<Line> {
    let lines = heard.messages.iter().map(|message| {
        let Message { tag, body } = message;
        let mut body = body.clone();
        for name in trio.names[1..].iter().map(String::as_str).chain(["shop_a", "shop_b"]) {
            body = replaced(body, name.as_bytes());
        }
        if *tag == b'A' {
            body.drain(..4);
        }
        if *tag == b'E' && message.error().code() == "25P02" {
            body = b"25P02".to_vec();
        }
        (*tag, body)
    });
    sorted(lines.collect(), order)
}

/// Rows without an order are compared as a set: each run of them is sorted.
fn sorted(mut lines: Vec<Line>, order: Order) -> Vec<Line> {
    if order == Order::Any {
        for run in lines.chunk_by_mut(|one, next| one.0 == next.0) {
            if matches!(run[0].0, b'D' | b'd') {
                run.sort();
            }
        }
    }
    lines
}

/// Names, types, sizes, modifiers, formats.
fn columns(body: &[u8], trio: &Trio) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &body[2..];
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let (name, after) = rest.split_at(end + 1);
        let (fields, next) = after.split_at(18);
        out.extend(name);
        let type_oid = u32::from_be_bytes(fields[6..10].try_into().expect("four bytes"));
        out.extend(format!("{} {:?}; ", as_record(type_oid, trio), &fields[10..]).bytes());
        rest = next;
    }
    out
}

fn types(body: &[u8], trio: &Trio) -> Vec<u8> {
    let oids = body[2..].chunks_exact(4).map(|oid| {
        let oid = u32::from_be_bytes(oid.try_into().expect("four bytes"));
        format!("{} ", as_record(oid, trio))
    });
    oids.collect::<String>().into_bytes()
}

/// The type of a whole row is `record`, whichever table's it is: a masked row is none of its rows.
fn as_record(type_oid: u32, trio: &Trio) -> u32 {
    let [rows, arrays] = &trio.row_types;
    match type_oid {
        oid if rows.contains(&oid) => RECORD,
        oid if arrays.contains(&oid) => RECORDS,
        oid => oid,
    }
}

fn replaced(body: Vec<u8>, name: &[u8]) -> Vec<u8> {
    if !body.windows(name.len()).any(|window| window == name) {
        return body;
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = &body[..];
    while let Some(at) = rest.windows(name.len()).position(|window| window == name) {
        out.extend_from_slice(&rest[..at]);
        out.extend(b"DATABASE");
        rest = &rest[at + name.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Where the answers part, or None.
pub(crate) fn difference(expected: &[Line], seen: &[Line]) -> Option<String> {
    let end = (b'-', b"nothing more".to_vec());
    let count = expected.len().max(seen.len());
    let at = |lines: &[Line], index: usize| lines.get(index).unwrap_or(&end).clone();
    let found = (0..count).find(|index| at(expected, *index) != at(seen, *index))?;
    let show = |lines: &[Line]| {
        let (tag, body) = at(lines, found);
        let text: String = body.escape_ascii().to_string().chars().take(600).collect();
        let rows = lines.iter().filter(|line| line.0 == b'D').count();
        format!("{} {text}   ({rows} rows)", char::from(tag))
    };
    Some(format!("    expected {}\n    seen     {}", show(expected), show(seen)))
}

/// SQLSTATE of the first error, empty without one.
pub(crate) fn code(heard: &Heard) -> String {
    let error = heard.messages.iter().find(|message| message.tag == b'E');
    error.map(|error| error.error().code().to_owned()).unwrap_or_default()
}

/// Why the proxy refused, without names of columns, if it did and the twin did not.
pub(crate) fn refusal(proxied: &Heard, twin: &Heard) -> Option<String> {
    let error = proxied.messages.iter().find(|message| message.tag == b'E')?.error();
    if !REFUSALS.contains(&error.code()) || error.code() == code(twin) {
        return None;
    }
    let detail = error.field('D').unwrap_or_default();
    let personal = error.text().starts_with("permission denied for personal data");
    let why = if personal { detail } else { error.text() };
    // The scrubbed errors of the server are no refusals.
    let scrubbed = detail.starts_with("The server's own words are hidden");
    (!scrubbed).then(|| format!("{} {}", error.code(), without_names(why)))
}

fn without_names(text: &str) -> String {
    let text = text.split_once("one of ").map_or(text, |(before, _)| before);
    let words = text
        .split(' ')
        .map(|word| if word.contains('.') && !word.ends_with('.') { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether the proxy says that it masked something.
pub(crate) fn masked(proxied: &Heard) -> bool {
    let mut notices = proxied.messages.iter().filter(|message| message.tag == b'N');
    notices.any(|notice| notice.error().text().starts_with("masked: "))
}

pub(crate) fn rows(heard: &Heard) -> usize {
    heard.messages.iter().filter(|message| matches!(message.tag, b'D' | b'd')).count()
}
