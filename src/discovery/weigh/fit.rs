//! Whether a column's type and its values can be what its name says.

use super::context::Context;
use crate::discovery::Kind;
use crate::discovery::counts::Counts;
use crate::discovery::detect::Signal;
use crate::discovery::facts::Family;

impl Kind {
    /// The same kind, whatever the country.
    pub(super) fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::NationalId(one), Self::NationalId(other)) => {
                one == other || one.is_none() || other.is_none()
            }
            (one, other) => one == other,
        }
    }
}

/// Whether values of a type can be of a kind at all.
pub(super) fn type_allows(family: Family, kind: Kind) -> bool {
    match family {
        Family::Text => true,
        Family::Integer => matches!(
            kind,
            Kind::Phone
                | Kind::NationalId(_)
                | Kind::PaymentCard
                | Kind::BankAccount
                | Kind::PostalCode
                | Kind::Pay
                | Kind::BirthDate
                | Kind::Secret
                | Kind::Gender
                | Kind::DeviceId
                | Kind::Health
                | Kind::SpecialCategory
        ),
        Family::Decimal => matches!(
            kind,
            Kind::Coordinates
                | Kind::Pay
                | Kind::Phone
                | Kind::NationalId(_)
                | Kind::PaymentCard
                | Kind::BankAccount
                | Kind::Health
        ),
        Family::Boolean => matches!(kind, Kind::Health | Kind::SpecialCategory),
        Family::Date | Family::Timestamp => kind == Kind::BirthDate,
        Family::Network => kind == Kind::IpAddress,
        Family::Mac => kind == Kind::MacAddress,
        Family::Uuid => matches!(kind, Kind::DeviceId | Kind::Secret),
        Family::Point => kind == Kind::Coordinates,
        Family::Enum => matches!(kind, Kind::Gender | Kind::SpecialCategory | Kind::Health),
        // What is in documents is found by path; the name can still say what all of it is.
        Family::Json | Family::Hstore => matches!(
            kind,
            Kind::PersonName
                | Kind::PostalAddress
                | Kind::Email
                | Kind::Phone
                | Kind::Health
                | Kind::Coordinates
                | Kind::Secret
        ),
        Family::Opaque => kind == Kind::Secret,
    }
}

/// How far the values are what a name says, from 0 to 1; 1 where they cannot tell.
pub(super) fn values_fit(context: &Context<'_>, counts: &Counts, kind: Kind) -> f64 {
    let seen = counts.seen();
    if seen < 3 {
        return 1.0;
    }
    let share = |signals: &[Signal]| counts.part(signals.iter().map(|s| counts.of(*s)).sum());
    let many_digits = counts.share(Signal::ManyDigits);
    let text = context.family == Family::Text;
    match kind {
        Kind::Email => scaled(share(&[Signal::Email]), 0.1),
        Kind::Phone => telephone_fit(counts, share(&[Signal::Url, Signal::Uuid, Signal::Date])),
        Kind::PaymentCard => {
            scaled(counts.share(Signal::CardShaped).max(counts.share(Signal::LongNumber)), 0.25)
        }
        Kind::Iban => scaled(share(&[Signal::IbanShaped]), 0.2),
        Kind::Bic => scaled(share(&[Signal::BicShaped]), 0.15),
        Kind::IpAddress => scaled(share(&[Signal::Ipv4, Signal::Ipv6]), 0.1),
        Kind::MacAddress => scaled(share(&[Signal::Mac]), 0.1),
        Kind::NationalId(_) | Kind::BankAccount => {
            let codes = many_digits.max(counts.part(shaped(counts)));
            let other = share(&[Signal::Uuid, Signal::Date, Signal::Url, Signal::Prose]);
            scaled((codes - other).max(0.0), 0.3)
        }
        Kind::PersonName => person_fit(counts, many_digits),
        Kind::UserName => {
            let other = share(&[Signal::Uuid, Signal::Url, Signal::Prose, Signal::Date]);
            (1.0 - other).max(0.1) * if many_digits > 0.8 { 0.5 } else { 1.0 }
        }
        Kind::PostalAddress | Kind::City => {
            let other = share(&[Signal::Email, Signal::Url, Signal::Uuid, Signal::Ipv4]);
            let numbers = if kind == Kind::City { many_digits } else { 0.0 };
            (1.0 - other - numbers).max(0.1)
        }
        Kind::PostalCode => {
            let fits = share(&[Signal::PostalDigits, Signal::PostalFormat]);
            // Codes of few letters and digits that no format here knows.
            scaled(fits.max(counts.share(Signal::Digits)), 0.5)
        }
        Kind::BirthDate => birth_fit(context, counts),
        Kind::Gender | Kind::SpecialCategory => {
            if seen > 50 && counts.distinct() > 400.0_f64.min(seen as f64 * 0.8) {
                0.3
            } else {
                1.0
            }
        }
        Kind::Coordinates if text => {
            scaled(share(&[Signal::CoordinatePair, Signal::Latitude]), 0.2)
        }
        Kind::Secret => {
            let few = seen > 40 && counts.distinct() < 4.0;
            let other = share(&[Signal::Date, Signal::Prose, Signal::Email]);
            (1.0 - other).max(0.1) * if few { 0.7 } else { 1.0 }
        }
        Kind::Pay if text => scaled(1.0 - counts.share(Signal::Letters), 0.2),
        Kind::FreeText => {
            let other = share(&[Signal::Digits, Signal::Uuid, Signal::Date, Signal::Url]);
            let prose = counts.share(Signal::Prose);
            let labels = if counts.is_enumeration() && prose < 0.5 { 0.3 } else { 1.0 };
            (1.0 - other).max(0.1) * labels * (0.75 + 0.25 * prose)
        }
        Kind::UrlWithIdentifier => 0.4 + 0.6 * counts.share(Signal::Url),
        Kind::DeviceId | Kind::Health | Kind::Coordinates | Kind::Pay => 1.0,
    }
}

/// From `floor` where nothing fits to 1 where half of the values do.
fn scaled(share: f64, floor: f64) -> f64 {
    (floor + (1.0 - floor) * (share / 0.5)).min(1.0)
}

/// Values of the form of a state's number, of the scheme that most have.
fn shaped(counts: &Counts) -> u64 {
    counts.schemes().map(|(shaped, _)| shaped).max().unwrap_or(0)
}

fn telephone_fit(counts: &Counts, other: f64) -> f64 {
    let formatted = counts.of(Signal::PhoneInternational)
        + counts.of(Signal::PhoneNational)
        + counts.of(Signal::PhoneLoose)
        + counts.of(Signal::PhoneBare);
    let fits = counts.part(formatted).max(counts.share(Signal::ManyDigits) - other);
    scaled(fits.max(0.0), 0.1)
}

/// Names have no digits; words in one list of labels are no persons'.
fn person_fit(counts: &Counts, many_digits: f64) -> f64 {
    let wordy = [Signal::Prose, Signal::Email, Signal::Url, Signal::Uuid, Signal::Street]
        .iter()
        .map(|signal| counts.share(*signal))
        .fold(many_digits, f64::max);
    let labels = if counts.is_enumeration() { 0.8 } else { 1.0 };
    let companies = 1.0 - 0.7 * (counts.share(Signal::Company) / 0.4).min(1.0);
    (1.0 - wordy).max(0.1) * labels * companies
}

fn birth_fit(context: &Context<'_>, counts: &Counts) -> f64 {
    match context.family {
        Family::Date | Family::Timestamp | Family::Text => {
            let dates = counts.share(Signal::Date);
            let recent = counts.share(Signal::RecentYear);
            let digits =
                if context.family == Family::Text { counts.share(Signal::Digits) } else { 0.0 };
            scaled(dates.max(digits), 0.3) * if recent > 0.9 { 0.55 } else { 1.0 }
        }
        Family::Integer
        | Family::Decimal
        | Family::Boolean
        | Family::Network
        | Family::Mac
        | Family::Uuid
        | Family::Json
        | Family::Hstore
        | Family::Point
        | Family::Enum
        | Family::Opaque => 1.0,
    }
}
