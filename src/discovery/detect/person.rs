//! Names of persons, and of companies.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::names::{COMPANY, FIRST, LAST, PARTICLE, SUFFIX, TITLE, WORD, look_up};
use super::shape::{AT, COLON, COMMA, DIGIT, PAREN, Shape, WIDE};
use super::{Hits, Signal, script};
/// Most words of a name, without titles.
const WORDS_MAX: usize = 5;

pub(super) fn look(shape: &Shape<'_>, hits: &mut Hits) {
    let text = shape.text;
    if shape.len() < 2 || shape.any(DIGIT | AT | COLON) {
        return;
    }
    look_at_list(shape, hits);
    if hits.has(Signal::FullName) || shape.len() > 60 || shape.spaces > 7 {
        return;
    }
    if shape.any(WIDE) && script::look(text, hits) {
        return;
    }
    look_at_name(shape, hits);
}

/// Of names with commas between them, however many.
pub(super) fn look_at_list(shape: &Shape<'_>, hits: &mut Hits) {
    let could_be = shape.any(COMMA) && shape.spaces > 2 && !shape.any(DIGIT | AT | COLON);
    if could_be && is_list_of_names(shape.text) {
        hits.tell(Signal::FullName);
        hits.tell(Signal::KnownSurname);
    }
}

/// `Jane Doe, John Miller and Ann Smith`: of the parts all are names.
fn is_list_of_names(text: &str) -> bool {
    let mut parts = 0;
    for part in text.split([',', '&', ';']).flat_map(|part| part.split(" and ")) {
        let part = Shape::of(part);
        parts += 1;
        let mut inner = Hits::default();
        if part.spaces > 0 && part.spaces < 5 && part.len() <= 40 {
            look_at_name(&part, &mut inner);
        }
        if !inner.has(Signal::FullName) {
            return false;
        }
    }
    parts >= 2
}

fn look_at_name(shape: &Shape<'_>, hits: &mut Hits) {
    let text = shape.text;
    let mut words = [""; WORDS_MAX];
    let (mut count, mut particles, mut plain) = (0, 0, true);
    // What is in parentheses behind a name is another one, of birth or of a place.
    let text = match text.split_once(" (") {
        Some((name, _)) if shape.any(PAREN) => name,
        _ => text,
    };
    let (family_first, text) = match text.split_once(", ") {
        Some((family, given)) if !given.contains(',') => (Some(family), given),
        _ => (None, text),
    };
    for word in text.split([' ', '\u{a0}']) {
        let bare = word.trim_matches(['.', ',', '"', '(', ')']);
        if bare.is_empty() && word != "&" {
            continue;
        }
        let known = look_up(bare);
        if (known & COMPANY != 0 || word == "&") && (count > 0 || particles > 0) {
            hits.tell(Signal::Company);
            return;
        }
        if count == 0 && known & TITLE != 0 && shape.spaces > 0 || count > 1 && known & SUFFIX != 0
        {
            continue;
        }
        if count > 0 && (known & PARTICLE != 0 || bare.len() == 1) {
            particles += 1;
            continue;
        }
        plain &= is_name_like(bare);
        let Some(slot) = words.get_mut(count) else { return };
        *slot = bare;
        count += 1;
    }
    if !plain || count == 0 {
        return;
    }
    let words = &words[..count];
    match family_first {
        Some(family) => {
            let fits = has(words[0], FIRST) && family.split(' ').all(is_name_like);
            hits.tell_if(Signal::FullName, fits);
            hits.tell_if(Signal::KnownSurname, fits && family.split(' ').any(|w| has(w, LAST)));
        }
        None => tell(words, particles, hits),
    }
}

fn tell(words: &[&str], particles: usize, hits: &mut Hits) {
    let capitalized = words.iter().all(|word| is_capitalized(word));
    match words {
        [word] => {
            hits.tell_if(Signal::Capitalized, capitalized);
            hits.tell_if(Signal::FirstName, particles == 0 && has(word, FIRST));
            hits.tell_if(Signal::LastName, has(word, LAST));
        }
        [first, .., last] => {
            hits.tell_if(Signal::TitleCase, capitalized);
            let (known, before) = (look_up(last), look_up(first));
            // A word that is a name too needs a surname behind it that is no word.
            let last_fits = if before & WORD != 0 {
                known & (LAST | WORD) == LAST
            } else {
                let unknown = capitalized && words.len() <= 3 && known & WORD == 0;
                known & (LAST | FIRST) != 0 || unknown && last.len() > 2 && first.len() > 2
            };
            let initial = first.len() == 1 && known & LAST != 0;
            let given_first = has(first, FIRST) && last_fits || initial;
            // As registers write it, and some languages: the surname is no other name and no word.
            let family_first = !given_first
                && words.len() == 2
                && capitalized
                && first.len() > 2
                && before & (FIRST | WORD) == 0
                && known & (FIRST | WORD) == FIRST;
            let (family, lists) = if family_first { (first, before) } else { (last, known) };
            let full = given_first || family_first;
            hits.tell_if(Signal::FullName, full);
            hits.surname = full.then(|| FixedState::default().hash_one(*family) as u8);
            hits.tell_if(Signal::KnownSurname, full && lists & (LAST | WORD) == LAST);
            let all_first = words.iter().all(|word| has(word, FIRST));
            hits.tell_if(Signal::FirstName, words.len() == 2 && all_first);
        }
        [] => {}
    }
}

/// Whether two words that follow each other in a text are a first name and a surname.
pub(super) fn is_first_and_last(first: &str, last: &str) -> bool {
    first.len() > 2
        && last.len() > 2
        && is_capitalized(first)
        && is_capitalized(last)
        && look_up(first) & (FIRST | WORD) == FIRST
        && look_up(last) & LAST == LAST
}

/// The name or, of a double one, its first part is in the dictionary.
fn has(word: &str, list: u16) -> bool {
    look_up(word) & list != 0
        || word.split_once(['-', '\'']).is_some_and(|(first, second)| {
            look_up(first) & list != 0 || first.len() <= 2 && look_up(second) & list != 0
        })
}

/// Letters, and what stands between the letters of a name; of no genitive.
fn is_name_like(word: &str) -> bool {
    !word.ends_with("'s")
        && word.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’' | '`' | '.'))
}

fn is_capitalized(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    #[test]
    fn names_of_persons() {
        for name in [
            "Maria Anders",
            "MARY SMITH",
            "Dr. Jürgen Müller",
            "van Dyke, Charles",
            "Jean-Pierre Dupont",
            "Ludwig van Beethoven",
            "José Pedro Freyre",
            "Smith, John",
            "William J. Clinton Jr.",
            "Doe, Mrs. John Bradley (Florence Miller)",
            "Angus Young, Malcolm Young, Brian Johnson",
            "Yang Wang",
            "J. Smith",
            "Hanna Moos",
            "Faymonville Luc",
            "Takács István",
        ] {
            assert!(look(name).has(Signal::FullName), "{name}");
        }
        for name in ["Nancy", "Jean-Pierre", "MARY", "Zoë"] {
            assert!(look(name).has(Signal::FirstName), "{name}");
        }
        for name in ["Davolio", "O'Brien", "García", "Müller", "Smith"] {
            let hits = look(name);
            assert!(hits.has(Signal::LastName) || hits.has(Signal::Capitalized), "{name}");
        }
    }

    #[test]
    fn companies_and_things() {
        for company in ["Alfreds Futterkiste GmbH", "Ernst Handel AG", "Smith & Sons", "Mary Bank"]
        {
            let hits = look(company);
            assert!(hits.has(Signal::Company) && !hits.has(Signal::FullName), "{company}");
        }
        for thing in
            ["Hard Drive", "Grocery List", "North America", "In Progress", "Sir Rodney's Scones"]
        {
            assert!(!look(thing).has(Signal::FullName), "{thing}");
        }
    }
}
