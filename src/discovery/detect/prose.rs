//! Text in which personal data may stand.

use super::digits::{Digits, luhn};
use super::shape::Shape;
use super::{Hits, Signal, bank, card, mail, person, schemes};

/// Words from which on a value is a text.
const WORDS_MIN: usize = 4;

/// Words of one number that spaces part: an IBAN in groups of four.
const GROUPS_MAX: usize = 9;

pub(super) fn look(shape: &Shape<'_>, hits: &mut Hits) {
    let (mut words, mut small, mut before) = (0, 0, "");
    // Where everything is in capitals, they tell nothing.
    let capitals_only = !shape.any(super::LOWER);
    let mut run = Run::default();
    for word in shape.text.split_ascii_whitespace() {
        let word = trim(word);
        if word.is_empty() {
            continue;
        }
        if word.contains('@') && mail::is_address(word) {
            hits.tell(Signal::EmailWithin);
        }
        let numeric = word.bytes().any(|byte| byte.is_ascii_digit());
        words += usize::from(word.len() >= 2 && !numeric);
        small += usize::from(word.len() >= 2 && !numeric && !word.starts_with(char::is_uppercase));
        if !numeric && person::is_first_and_last(before, word) {
            hits.tell(Signal::NameWithin);
        }
        run.push(word, hits);
        before = word;
    }
    // Titles are written with capitals, sentences are not.
    let sentence = capitals_only || small * 5 >= words * 2 || strong(hits);
    hits.tell_if(Signal::Prose, words >= WORDS_MIN && sentence);
}

/// Whether something within the text is told by more than words.
fn strong(hits: &Hits) -> bool {
    [Signal::EmailWithin, Signal::PhoneWithin, Signal::IbanWithin, Signal::CardWithin]
        .iter()
        .any(|signal| hits.has(*signal))
}

/// Without the punctuation of a text.
fn trim(word: &str) -> &str {
    let plain = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    if plain(word.bytes().next()) && plain(word.bytes().next_back()) {
        return word;
    }
    word.trim_matches(|c: char| ",.;:!?\"'()[]<>{}".contains(c))
}

/// Words with digits that follow each other.
#[derive(Default)]
struct Run {
    text: String,
    groups: usize,
}

impl Run {
    fn push(&mut self, word: &str, hits: &mut Hits) {
        let numeric = word.bytes().any(|byte| byte.is_ascii_digit());
        let opens = numeric && (word.starts_with('+') || self.groups >= GROUPS_MAX);
        // Groups of an IBAN can be letters only: NWBK.
        let inner =
            self.groups > 0 && word.len() == 4 && word.bytes().all(|b| b.is_ascii_uppercase());
        if !numeric && !inner || opens {
            self.text.clear();
            self.groups = 0;
        }
        if !numeric && !inner || word.len() > 42 {
            return;
        }
        if self.groups > 0 {
            self.text.push(' ');
        }
        self.text.push_str(word);
        self.groups += 1;
        look_at_number(word, hits);
        if self.groups > 1 {
            look_at_number(&self.text, hits);
        }
    }
}

fn look_at_number(text: &str, hits: &mut Hits) {
    if !(9..=42).contains(&text.len()) {
        return;
    }
    hits.tell_if(Signal::IbanWithin, bank::iban(text) == Some(true));
    let shape = Shape::of(text);
    if shape.digits < 7 || shape.any(super::LETTER | super::WIDE) {
        return;
    }
    if let Some(digits) = Digits::of(text) {
        let digits = digits.as_slice();
        hits.tell_if(Signal::CardWithin, card::is_issued(digits) && luhn(digits));
    }
    let mut inner = Hits::default();
    super::look_at_numbers(&shape, &mut inner);
    let formatted = inner.has(Signal::PhoneInternational)
        || inner.has(Signal::PhoneNational) && shape.digits >= 9;
    hits.tell_if(Signal::PhoneWithin, formatted);
    // The one number of nine digits that its hyphens give away.
    let social_security = inner.schemes().any(|(number, valid)| {
        let scheme = schemes().nth(number);
        valid && scheme.is_some_and(|scheme| scheme.country.0 == "US")
    });
    hits.tell_if(Signal::NationalWithin, social_security);
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    #[test]
    fn what_stands_within_a_text_is_found() {
        for (text, signal) in [
            ("Please write to jane.doe@example.com, thanks a lot.", Signal::EmailWithin),
            ("She can be called at +44 20 7946 0958 after six.", Signal::PhoneWithin),
            ("Call her under (202) 555-0143 if it is urgent.", Signal::PhoneWithin),
            ("Refund to DE89 3704 0044 0532 0130 00 as agreed.", Signal::IbanWithin),
            ("Refund to GB29 NWBK 6016 1331 9268 19 as agreed.", Signal::IbanWithin),
            ("Paid with card 4111 1111 1111 1111 on Monday.", Signal::CardWithin),
            ("His number is 078-05-1120 as the form says.", Signal::NationalWithin),
            ("I talked with Robert Miller about the broken lamp.", Signal::NameWithin),
        ] {
            let hits = look(text);
            assert!(hits.has(signal) && hits.has(Signal::Prose), "{text}");
        }
        let hits = look("The lamp of 2024-01-31 came in 12 parts, order 4111111111111112.");
        assert!(hits.has(Signal::Prose));
        for signal in [Signal::CardWithin, Signal::PhoneWithin, Signal::NameWithin] {
            assert!(!hits.has(signal), "{signal:?}");
        }
    }
}
