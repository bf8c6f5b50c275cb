//! What one value looks like: pure functions on text, cheap for values that are nothing.

mod bank;
mod card;
mod clock;
mod digits;
mod health;
mod mail;
mod names;
mod national;
mod network;
mod person;
mod phone;
mod place;
mod prose;
mod script;
mod secret;
mod shape;
mod url;

use national::Fit;
pub(super) use national::schemes;
use shape::{
    AT, COLON, DASH, DIGIT, DOT, LETTER, LOWER, OTHER, PAREN, PLUS, SLASH, SPACE, Shape, UPPER,
    WIDE,
};

/// What a value can show. Several can be true of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Signal {
    Email,
    /// With a country's code.
    PhoneInternational,
    /// Written as a country writes its own: an area code in parentheses, a leading zero.
    PhoneNational,
    /// Groups of digits that could be one.
    PhoneLoose,
    /// Digits only, as many as a telephone number has.
    PhoneBare,
    /// Length and prefix of an issuer.
    CardShaped,
    /// The check digit too.
    Card,
    IbanShaped,
    Iban,
    BicShaped,
    /// With an assigned country.
    Bic,
    /// 8 to 17 digits, or with a check digit of a country's own accounts.
    AccountBare,
    Ipv4,
    /// One with a part too large for a version's.
    Ipv4Large,
    Ipv6,
    Mac,
    Imei,
    Uuid,
    Url,
    UrlIdentifier,
    Date,
    /// In years in which living persons were born.
    BirthYear,
    /// After them.
    RecentYear,
    Latitude,
    /// Two numbers that are a place.
    CoordinatePair,
    /// A hash as password stores write it, or a token with a vendor's prefix.
    Secret,
    /// A long string of digits and letters without a pattern.
    Random,
    FirstName,
    LastName,
    FullName,
    /// And its surname is in a dictionary.
    KnownSurname,
    /// Two or more capitalized words.
    TitleCase,
    /// One capitalized word.
    Capitalized,
    Company,
    /// A street with a number.
    Street,
    /// A word for a street alone.
    StreetWord,
    /// Formats that say by themselves what they are: British, Canadian, Dutch ...
    PostalFormat,
    /// Digits only, four to six, or with a plus and four.
    PostalDigits,
    DiseaseCode,
    BloodGroup,
    /// Of the group 0.
    BloodGroupZero,
    GenderWord,
    /// Four words or more.
    Prose,
    /// In longer text.
    EmailWithin,
    PhoneWithin,
    CardWithin,
    IbanWithin,
    NationalWithin,
    NameWithin,
    /// Digits and nothing else.
    Digits,
    /// Five digits at least, and half of the value.
    ManyDigits,
    /// 12 to 19 digits, in groups or in one.
    LongNumber,
    Letters,
}

impl Signal {
    pub(super) const COUNT: usize = Self::Letters as usize + 1;
}

// They are the bits of a word.
const _: () = assert!(Signal::COUNT <= 64);

/// What was found in one value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hits {
    signals: u64,
    /// Of [`schemes`], a bit each.
    shaped: u64,
    valid: u64,
    /// Of a date.
    year: Option<u16>,
    /// Eight bits of a hash of a full name's surname: enough to tell a few words from many.
    surname: Option<u8>,
}

impl Hits {
    pub(super) fn year(&self) -> Option<u16> {
        self.year
    }

    pub(super) fn surname(&self) -> Option<u8> {
        self.surname
    }

    fn tell(&mut self, signal: Signal) {
        self.signals |= 1 << signal as u8;
    }

    #[expect(clippy::fn_params_excessive_bools, reason = "a detector's answer, said at once")]
    fn tell_if(&mut self, signal: Signal, holds: bool) {
        if holds {
            self.tell(signal);
        }
    }

    pub(super) fn has(&self, signal: Signal) -> bool {
        self.signals & (1 << signal as u8) != 0
    }

    /// Numbers of the signals.
    pub(super) fn signals(&self) -> impl Iterator<Item = usize> + use<> {
        bits(self.signals)
    }

    /// Numbers of the schemes whose form it has, and whether it is valid.
    pub(super) fn schemes(&self) -> impl Iterator<Item = (usize, bool)> + use<> {
        let valid = self.valid;
        bits(self.shaped).map(move |number| (number, valid & (1 << number) != 0))
    }
}

fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let number = word.trailing_zeros() as usize;
        word &= word - 1;
        Some(number)
    })
}

/// Longest value that can be a number, a name or a token of some kind; what is longer is prose.
const SHORT_BYTES: usize = 120;

/// Whether a word is in use for other things than names.
pub(super) fn is_common_word(word: &str) -> bool {
    names::look_up(word) & names::WORD != 0
}

/// What a value looks like.
pub(super) fn look(value: &str) -> Hits {
    let shape = Shape::of(value);
    let mut hits = Hits::default();
    if shape.len() == 0 {
        return hits;
    }
    hits.tell_if(Signal::Digits, shape.only(DIGIT));
    hits.tell_if(Signal::ManyDigits, shape.digits >= 5 && shape.digits * 2 >= shape.len());
    hits.tell_if(
        Signal::LongNumber,
        (12..=19).contains(&shape.digits) && shape.only(DIGIT | SPACE | DASH),
    );
    hits.tell_if(Signal::Letters, shape.only(LETTER | WIDE));
    if shape.any(COLON) && shape.any(SLASH) {
        url::look(&shape, &mut hits);
    }
    if shape.len() > SHORT_BYTES || shape.spaces > 9 {
        secret::look(&shape, &mut hits);
        person::look_at_list(&shape, &mut hits);
        if !hits.has(Signal::FullName) {
            prose::look(&shape, &mut hits);
        }
        return hits;
    }
    if shape.any(AT) {
        mail::look(&shape, &mut hits);
    }
    if !shape.any(LETTER | WIDE) {
        look_at_numbers(&shape, &mut hits);
        return hits;
    }
    if shape.any(DIGIT) {
        look_at_codes(&shape, &mut hits);
    }
    look_at_words(&shape, &mut hits);
    if shape.spaces >= 3 && !hits.has(Signal::FullName) {
        prose::look(&shape, &mut hits);
    }
    hits
}

/// Digits and punctuation.
fn look_at_numbers(shape: &Shape<'_>, hits: &mut Hits) {
    if shape.digits < 3 || shape.any(OTHER) && !shape.any(PLUS) {
        return;
    }
    if clock::look(shape, hits) {
        return;
    }
    if shape.any(DOT | COLON) {
        network::look(shape, hits);
    }
    if shape.any(DOT) {
        place::look_at_coordinates(shape, hits);
    }
    if shape.only(DIGIT | SPACE | DASH | DOT | SLASH | PLUS | PAREN) {
        phone::look(shape, hits);
        place::look_at_postal_digits(shape, hits);
        if !shape.any(PAREN | PLUS) {
            look_at_check_digits(shape, hits);
        }
    }
}

/// Numbers with check digits.
fn look_at_check_digits(shape: &Shape<'_>, hits: &mut Hits) {
    // A number of 8 digits to 19, and few separators. One full stop is a decimal point.
    if !(8..=24).contains(&shape.digits) || shape.len() > shape.digits + 6 {
        return;
    }
    if shape.any(DOT) && shape.text.matches('.').count() == 1 && shape.only(DIGIT | DOT) {
        return;
    }
    card::look(shape, hits);
    bank::look_at_digits(shape, hits);
    look_at_national(shape, hits);
}

fn look_at_national(shape: &Shape<'_>, hits: &mut Hits) {
    let Some(candidate) = national::Candidate::of(shape.text) else { return };
    national::look(&candidate, |number, fit| {
        hits.shaped |= 1 << number;
        if fit == Fit::Valid {
            hits.valid |= 1 << number;
        }
    });
}

/// Letters and digits together.
fn look_at_codes(shape: &Shape<'_>, hits: &mut Hits) {
    // As ISO 8601 has a time behind a date.
    if shape.text.as_bytes().get(10) == Some(&b'T') && clock::look(shape, hits) {
        return;
    }
    if shape.only(DIGIT | LETTER | COLON | DOT | DASH | SLASH | OTHER) {
        network::look(shape, hits);
        if hits.has(Signal::Uuid) {
            return;
        }
    }
    if shape.only(DIGIT | UPPER | LOWER | SPACE | DASH | DOT | SLASH | PLUS)
        && (8..=42).contains(&shape.len())
    {
        bank::look(shape, hits);
        if shape.digits >= 4 && shape.len() <= 24 {
            look_at_national(shape, hits);
        }
    }
    if shape.digits >= 7 && shape.len() <= 40 {
        phone::look_with_extension(shape, hits);
    }
    if shape.len() <= 10 {
        place::look_at_postal_format(shape, hits);
        health::look(shape, hits);
    }
    secret::look(shape, hits);
}

/// Names, places, words.
fn look_at_words(shape: &Shape<'_>, hits: &mut Hits) {
    if shape.len() <= 11 {
        health::look_at_words(shape, hits);
        if !shape.any(DIGIT) {
            bank::look(shape, hits);
        }
    }
    if !shape.any(DIGIT) {
        person::look(shape, hits);
        if shape.text.starts_with("-----") {
            secret::look(shape, hits);
        }
    }
    if shape.len() >= 6 && shape.any(SPACE | WIDE) {
        place::look_at_streets(shape, hits);
    }
}

#[cfg(test)]
mod tests;
