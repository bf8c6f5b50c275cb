//! Properties of the mention gate: a name that a statement uses is always noticed, and what is
//! noticed is what a naive search notices.

use keyhole::analysis::mention::{Hits, Mention};
use proptest::prelude::*;

/// Names as PostgreSQL may store them: folded, quoted, with quotes, dashes, spaces and letters
/// beyond ASCII, up to 63 bytes.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_][a-z0-9_$]{0,20}",
        "[a-zA-Z0-9\" \\-$éж.]{1,20}",
        "[a-z]{58,63}",
        "[ж]{30,31}",
    ]
}

/// What may stand around a token, words that hit by themselves aside.
fn surroundings() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("SELECT 1".to_owned()),
        Just("é".to_owned()),
        "[ -~]{0,12}",
        "[a-zа-я0-9(),.;'\"$ \n]{0,12}",
    ]
}

fn mention(names: &[&str]) -> Mention {
    Mention::new(names.iter().copied(), []).expect("a gate")
}

#[derive(Clone, Copy, Debug)]
enum Letters {
    AsStored,
    Upper,
}

/// A spelling of an identifier that PostgreSQL reads as `name`: quoted, or bare in any case.
fn spelled(name: &str, letters: Letters) -> String {
    let mut chars = name.chars();
    let is_bare = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_' || !c.is_ascii())
        && chars.all(|c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '$' || !c.is_ascii()
        });
    match (is_bare, letters) {
        (true, Letters::Upper) => name.to_ascii_uppercase(),
        (true, Letters::AsStored) => name.to_owned(),
        (false, _) => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Whether a bare token would be part of a longer one: PostgreSQL's own rule for identifiers.
fn continues(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

proptest! {
    #[test]
    fn a_name_used_as_a_token_always_hits(
        name in name(), others in proptest::collection::vec(name(), 0..5),
        letters in prop_oneof![Just(Letters::AsStored), Just(Letters::Upper)],
        before in surroundings(), after in surroundings(),
    ) {
        let mut names: Vec<&str> = others.iter().map(String::as_str).collect();
        names.push(&name);
        let token = spelled(&name, letters);
        // A digit may touch the token, a letter may not.
        let gap = |byte: Option<&u8>| match byte {
            Some(byte) if continues(*byte) && !token.starts_with('"') => " ",
            _ => "",
        };
        let lead = if before.ends_with(|c: char| c.is_ascii_digit()) && !before.contains('$') {
            ""
        } else {
            gap(before.as_bytes().last())
        };
        let statement = format!("{before}{lead}{token}{}{after}", gap(after.as_bytes().first()));
        let hits = mention(&names).scan(statement.as_bytes());
        prop_assert!(hits.contains(Hits::NAME), "{statement:?}");
    }

    #[test]
    fn a_spelling_that_is_cut_to_the_name_hits(tail in "[a-zж]{0,40}", name in "[a-z]{58}[a-zж]{2,5}") {
        let mut end = name.len().min(63);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        // What PostgreSQL stores of a longer name, and a statement that uses the long spelling.
        let stored = &name[..end];
        let long = if name.len() >= 63 { format!("{name}{tail}") } else { name.clone() };
        let hits = mention(&[stored]).scan(format!("TABLE {long}").as_bytes());
        prop_assert!(hits.contains(Hits::NAME), "{long}");
    }

    #[test]
    fn the_gate_finds_what_a_naive_search_finds(
        names in proptest::collection::vec("[ab_]{1,4}", 1..6),
        statement in proptest::collection::vec(
            prop_oneof![Just(b'a'), Just(b'B'), Just(b'_'), Just(b' '), Just(b'"'), Just(b'1'),
                        Just(b'$'), Just(0xc3), Just(b'(')], 0..30),
    ) {
        let gate = mention(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let naive = names.iter().any(|name| naive(&statement, name.as_bytes()));
        prop_assert_eq!(gate.scan(&statement).contains(Hits::NAME), naive);
    }

    #[test]
    fn any_bytes_can_be_scanned(statement: Vec<u8>) {
        mention(&["customers"]).scan(&statement);
    }
}

fn naive(text: &[u8], name: &[u8]) -> bool {
    let joins_next = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b >= 0x80;
    let joins_previous = |b: u8| joins_next(b) || b.is_ascii_digit();
    (0..text.len()).any(|start| {
        let end = start + name.len();
        end <= text.len()
            && text[start..end].eq_ignore_ascii_case(name)
            && (start == 0 || !joins_next(text[start - 1]))
            && (end == text.len() || !joins_previous(text[end]))
    })
}
