//! What values alone say.

use super::Reason;
use crate::discovery::Kind;
use crate::discovery::counts::Counts;
use crate::discovery::detect::{Signal, schemes};
use crate::discovery::facts::Family;

/// What the values say of a kind.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    pub(super) kind: Kind,
    /// From 0 to 1.
    pub(super) weight: f64,
    pub(super) matched: u64,
    pub(super) reasons: Vec<Reason>,
}

impl Witness {
    /// The values say nothing of it.
    pub(super) fn silent(kind: Kind) -> Self {
        Self { kind, weight: 0.0, matched: 0, reasons: Vec::new() }
    }
}

/// Nats of surprise at which half of the weight is given: one value of a kind that one value in
/// three would be by chance is not much, five are.
const SURPRISE_HALF: f64 = 1.6;
/// Share of the values from which on a column is one of the kind throughout: PII in one value of
/// four is PII, where no others look like it.
const WHOLE_SHARE: f64 = 0.25;

/// How much it says that a share of `seen` values has a signal which others have by chance.
fn evidence(seen: u64, matched: u64, chance: f64) -> f64 {
    if matched == 0 || seen == 0 {
        return 0.0;
    }
    let share = matched as f64 / seen as f64;
    let whole = (WHOLE_SHARE + 2.0 * chance).min(0.95);
    (excess(share, chance) / whole).min(1.0).powf(0.75) * surprise(seen, share, chance)
}

/// How much check digits say that hold for `valid` of `shaped` values, where they do for a share by
/// chance.
fn check_digit_evidence(seen: u64, shaped: u64, valid: u64, chance: f64) -> f64 {
    if valid == 0 || shaped == 0 || seen == 0 {
        return 0.0;
    }
    let share = valid as f64 / shaped as f64;
    let covered = (valid as f64 / seen as f64 / WHOLE_SHARE).min(1.0).powf(0.75);
    excess(share, chance).powi(2) * surprise(shaped, share, chance) * covered
}

/// Of a share what chance does not explain, from 0 to 1.
fn excess(share: f64, chance: f64) -> f64 {
    ((share - chance) / (1.0 - chance)).max(0.0)
}

/// How surprising the share is, from 0 to 1: the binomial's divergence (Kullback-Leibler) in nats.
fn surprise(count: u64, share: f64, chance: f64) -> f64 {
    if share <= chance {
        return 0.0;
    }
    let rest = 1.0 - share;
    let rest = if rest > 0.0 { rest * (rest / (1.0 - chance)).ln() } else { 0.0 };
    let nats = count as f64 * (share * (share / chance).ln() + rest);
    1.0 - (-nats.max(0.0) * std::f64::consts::LN_2 / SURPRISE_HALF).exp()
}

/// Full names from which on it means something that their surnames differ.
const SURNAMES_MIN: u64 = 20;

/// Blood groups from which on it means something that none is 0.
const BLOOD_GROUPS_MIN: u64 = 20;

pub(super) fn witnesses(family: Family, counts: &Counts) -> Vec<Witness> {
    let mut all = Vec::new();
    if counts.seen() == 0 {
        return all;
    }
    simple(counts, &mut all);
    blood_groups(counts, &mut all);
    telephones(counts, &mut all);
    check_digits(counts, &mut all);
    persons(counts, &mut all);
    networks(family, counts, &mut all);
    births(family, counts, &mut all);
    texts(counts, &mut all);
    all.retain(|witness| witness.weight > 0.0);
    all
}

/// Kinds that one signal tells: how much it weighs, and how often other values look like it.
const SIMPLE: &[(Kind, Signal, f64, f64)] = &[
    (Kind::Email, Signal::Email, 0.96, 0.001),
    (Kind::UrlWithIdentifier, Signal::UrlIdentifier, 0.66, 0.05),
    (Kind::Bic, Signal::Bic, 0.5, 0.35),
    (Kind::PostalAddress, Signal::Street, 0.82, 0.03),
    (Kind::PostalCode, Signal::PostalFormat, 0.62, 0.02),
    (Kind::MacAddress, Signal::Mac, 0.9, 0.001),
    (Kind::DeviceId, Signal::Imei, 0.62, 0.1),
    (Kind::Coordinates, Signal::CoordinatePair, 0.7, 0.02),
    (Kind::Coordinates, Signal::Latitude, 0.25, 0.2),
    (Kind::Secret, Signal::Secret, 0.95, 0.001),
    (Kind::Secret, Signal::Random, 0.35, 0.05),
    (Kind::Health, Signal::DiseaseCode, 0.35, 0.1),
    (Kind::Gender, Signal::GenderWord, 0.25, 0.1),
];

fn simple(counts: &Counts, all: &mut Vec<Witness>) {
    let seen = counts.seen();
    for (kind, signal, weight, chance) in SIMPLE {
        let matched = counts.of(*signal);
        let weight = weight * evidence(seen, matched, *chance);
        push(all, *kind, weight, matched, seen);
    }
}

fn push(all: &mut Vec<Witness>, kind: Kind, weight: f64, matched: u64, seen: u64) {
    if weight <= 0.0 {
        return;
    }
    let reasons = vec![Reason::Values { kind, matched, seen }];
    match all.iter_mut().find(|witness| witness.kind == kind) {
        Some(witness) if witness.weight >= weight => {}
        Some(witness) => *witness = Witness { kind, weight, matched, reasons },
        None => all.push(Witness { kind, weight, matched, reasons }),
    }
}

/// Grades and charges are written alike, but among the people of any country one in four has the
/// group 0.
fn blood_groups(counts: &Counts, all: &mut Vec<Witness>) {
    let (seen, matched) = (counts.seen(), counts.of(Signal::BloodGroup));
    let nobodys = matched >= BLOOD_GROUPS_MIN && counts.of(Signal::BloodGroupZero) == 0;
    let weight = if nobodys { 0.3 } else { 0.8 };
    push(all, Kind::Health, weight * evidence(seen, matched, 0.05), matched, seen);
}

/// A country's code says most, a zero or parentheses much, groups of digits little.
fn telephones(counts: &Counts, all: &mut Vec<Witness>) {
    let seen = counts.seen();
    let (abroad, home, loose) = (
        counts.of(Signal::PhoneInternational),
        counts.of(Signal::PhoneNational),
        counts.of(Signal::PhoneLoose),
    );
    let matched = abroad + home + loose;
    if matched == 0 {
        return;
    }
    let sum = 0.86 * abroad as f64 + 0.74 * home as f64 + 0.28 * loose as f64;
    let mut weight = sum / matched as f64;
    // Where some have a country's code, the others are what a country writes for itself.
    if counts.part(abroad) > 0.15 {
        weight = weight.max(0.8);
    }
    let weight = weight * evidence(seen, matched, 0.04);
    push(all, Kind::Phone, weight, matched, seen);
}

fn check_digits(counts: &Counts, all: &mut Vec<Witness>) {
    let seen = counts.seen();
    let numbers_follow = counts.is_sequence();
    for (kind, shaped, valid, chance, weight, what) in [
        (Kind::PaymentCard, Signal::CardShaped, Signal::Card, 0.1, 0.93, "payment card numbers"),
        (Kind::Iban, Signal::IbanShaped, Signal::Iban, 0.011, 0.97, "IBANs"),
    ] {
        let (shaped, valid) = (counts.of(shaped), counts.of(valid));
        let weight = weight * check_digit_evidence(seen, shaped, valid, chance);
        if weight > 0.0 && !numbers_follow {
            let reasons = vec![
                Reason::Values { kind, matched: valid, seen },
                Reason::CheckDigits { what, valid, shaped },
            ];
            all.push(Witness { kind, weight, matched: valid, reasons });
        }
    }
    if numbers_follow {
        return;
    }
    let mut national: Vec<Witness> = Vec::new();
    for (scheme, (shaped, valid)) in schemes().zip(counts.schemes()) {
        let weight = scheme.weight * check_digit_evidence(seen, shaped, valid, scheme.chance);
        if weight > 0.05 {
            let kind = Kind::NationalId(Some(scheme.country));
            let reason = Reason::CheckDigits { what: scheme.plural, valid, shaped };
            national.push(Witness { kind, weight, matched: valid, reasons: vec![reason] });
        }
    }
    national.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    // Where the best are as good as each other, the country is not known; each is heard all the
    // same, as the name may tell which.
    if let [first, second, ..] = &national[..]
        && second.weight > first.weight * 0.97
        && second.kind != first.kind
    {
        let mut either = first.clone();
        either.kind = Kind::NationalId(None);
        either.reasons.push(Reason::Ambiguous);
        all.push(either);
    }
    all.extend(national);
}

fn persons(counts: &Counts, all: &mut Vec<Witness>) {
    let seen = counts.seen();
    let (full, first, last) =
        (counts.of(Signal::FullName), counts.of(Signal::FirstName), counts.of(Signal::LastName));
    // Places, goods and words are names too: of a list of cities one in six is a first name.
    // Of persons' surnames a dictionary knows every fourth at least, or they are many different
    // ones: "Oscar Desk" is neither.
    let known = counts.of(Signal::KnownSurname) as f64 / full.max(1) as f64;
    let surnames = (known / 0.25).min(1.0).max(if has_many_surnames(counts) { 0.95 } else { 0.0 });
    let whole = 0.8 * surnames * evidence(seen, full, 0.06);
    let half = (0.62 * evidence(seen, first, 0.2)).max(0.5 * evidence(seen, last, 0.4));
    // Storms and flowers are called by first names too, but by a dozen of them.
    let (whole_few, half_few) = (counts.is_enumeration(), counts.is_closed_set());
    let half = if whole_few || half_few { half * 0.3 } else { half };
    let weight = half.max(if whole_few { whole * 0.3 } else { whole });
    let matched = full.max(first).max(last);
    push(all, Kind::PersonName, weight, matched, seen);
    if (whole_few || half_few && weight <= half)
        && let Some(witness) = all.iter_mut().find(|witness| witness.kind == Kind::PersonName)
    {
        witness.reasons.push(Reason::Few);
    }
}

/// Whether the surnames of full names differ as those of different people do.
fn has_many_surnames(counts: &Counts) -> bool {
    let full = counts.of(Signal::FullName);
    let expected = 256.0 * (1.0 - (-(full as f64) / 256.0).exp());
    full >= SURNAMES_MIN && f64::from(counts.surnames()) > 0.7 * expected
}

/// A thing may be called after somebody, but not most of many after different people: courses of
/// such names are for them.
pub(super) fn are_whole_names(counts: &Counts) -> bool {
    counts.share(Signal::FullName) > 0.5 && has_many_surnames(counts)
}

/// Versions have four parts too, but small ones.
fn networks(family: Family, counts: &Counts, all: &mut Vec<Witness>) {
    let seen = counts.seen();
    let (four, large, six) =
        (counts.of(Signal::Ipv4), counts.of(Signal::Ipv4Large), counts.of(Signal::Ipv6));
    let matched = four + six;
    let plausible = (large + six) as f64 / matched.max(1) as f64;
    let typed = family == Family::Network;
    let weight = match plausible {
        _ if typed => 0.9,
        share if share > 0.6 => 0.86,
        share if share > 0.3 => 0.5,
        _ => 0.15,
    };
    push(all, Kind::IpAddress, weight * evidence(seen, matched, 0.005), matched, seen);
}

/// Dates of births lie in many decades, those of events in one or two.
fn births(family: Family, counts: &Counts, all: &mut Vec<Witness>) {
    let seen = counts.seen();
    let born = counts.of(Signal::BirthYear);
    let recent = counts.share(Signal::RecentYear);
    let decades = counts.decades();
    if family == Family::Timestamp || seen < 10 || decades < 4 || recent > 0.3 {
        return;
    }
    let weight = (0.12 * (decades as f64 - 2.0)).min(0.5) * evidence(seen, born, 0.3);
    let reasons = vec![Reason::Decades(decades)];
    all.push(Witness { kind: Kind::BirthDate, weight, matched: born, reasons });
}

/// Personal data in one text of fifty makes a column of texts one to hide.
fn texts(counts: &Counts, all: &mut Vec<Witness>) {
    const WITHIN: &[(Signal, &str, f64)] = &[
        (Signal::EmailWithin, "e-mail addresses", 0.8),
        (Signal::PhoneWithin, "telephone numbers", 0.75),
        (Signal::IbanWithin, "IBANs", 0.8),
        (Signal::CardWithin, "payment card numbers", 0.78),
        (Signal::NationalWithin, "social security numbers", 0.78),
        (Signal::NameWithin, "names of persons", 0.62),
    ];
    let (seen, prose) = (counts.seen(), counts.of(Signal::Prose));
    if counts.part(prose) < 0.2 {
        return;
    }
    let (mut doubt, mut reasons, mut most) = (1.0, Vec::new(), 0);
    for (signal, what, weight) in WITHIN {
        let matched = counts.of(*signal);
        let share = matched as f64 / prose as f64;
        // Two capitalized words of a title look like a name more often than an address does.
        let floor = if *signal == Signal::NameWithin { 0.08 } else { 0.005 };
        if matched == 0 || share <= floor {
            continue;
        }
        let slope = if *signal == Signal::NameWithin { 0.25 } else { 0.08 };
        let weight = weight * ((share - floor) / slope).min(1.0).sqrt();
        doubt *= 1.0 - weight;
        most = most.max(matched);
        reasons.push(Reason::Within { what, matched, seen });
    }
    let kind = Kind::FreeText;
    let weight = 1.0 - doubt * 0.9;
    if reasons.is_empty() {
        reasons.push(Reason::Values { kind, matched: prose, seen });
        most = prose;
    }
    all.push(Witness { kind, weight, matched: most, reasons });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chance_explains_is_no_evidence() {
        let digits = |shaped, valid| check_digit_evidence(1000, shaped, valid, 0.1);
        assert!(digits(1000, 100) < 0.01);
        assert!(digits(1000, 120) < 0.01);
        assert!(digits(1000, 1000) > 0.99);
        assert!(check_digit_evidence(1, 1, 1, 0.1) < 0.7);
        assert!(check_digit_evidence(3, 3, 3, 0.1) > 0.9);
        assert!(digits(0, 0).abs() < f64::EPSILON);
        assert!(evidence(1000, 60, 0.06).abs() < 0.01);
    }

    /// A column that is half empty words and half addresses is to be hidden.
    #[test]
    fn a_part_of_the_values_suffices_where_nothing_else_looks_alike() {
        assert!(evidence(1000, 250, 0.001) > 0.95);
        assert!(check_digit_evidence(1000, 300, 300, 0.1) > 0.95);
        assert!(evidence(1000, 250, 0.2) < 0.25);
    }

    #[test]
    fn more_that_fit_never_say_less() {
        let (mut before, mut before_digits) = (0.0, 0.0);
        for matched in 0..=200 {
            let now = evidence(200, matched, 0.1);
            let digits = check_digit_evidence(200, 200, matched, 0.1);
            assert!(now >= before && digits >= before_digits, "{matched}");
            (before, before_digits) = (now, digits);
        }
    }
}
