//! Kinds of personal data that can be recognized.

use std::fmt;

use crate::catalog::{DatePrecision, Hiding, MaskSpec};

/// Who gives out a number: a country's code (ISO 3166-1 alpha-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country(pub &'static str);

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Email,
    Phone,
    /// Of a person, or the number of a passport or licence; None: which country's is not known.
    NationalId(Option<Country>),
    PaymentCard,
    Iban,
    Bic,
    /// A number of an account or of a bank that is no IBAN.
    BankAccount,
    PersonName,
    /// What somebody signs in as.
    UserName,
    PostalAddress,
    PostalCode,
    City,
    BirthDate,
    IpAddress,
    MacAddress,
    /// Of a telephone or another thing that somebody carries: IMEI, advertising identifiers.
    DeviceId,
    UrlWithIdentifier,
    Coordinates,
    /// Passwords, their hashes, keys and tokens.
    Secret,
    Health,
    /// Religion, ethnicity, opinions, orientation, union: article 9 of the GDPR without health.
    SpecialCategory,
    Gender,
    Pay,
    /// Prose, in which anything may stand about anybody.
    FreeText,
}

impl Kind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::NationalId(_) => "national_id",
            Self::PaymentCard => "payment_card",
            Self::Iban => "iban",
            Self::Bic => "bic",
            Self::BankAccount => "bank_account",
            Self::PersonName => "person_name",
            Self::UserName => "user_name",
            Self::PostalAddress => "postal_address",
            Self::PostalCode => "postal_code",
            Self::City => "city",
            Self::BirthDate => "birth_date",
            Self::IpAddress => "ip_address",
            Self::MacAddress => "mac_address",
            Self::DeviceId => "device_id",
            Self::UrlWithIdentifier => "url_with_identifier",
            Self::Coordinates => "coordinates",
            Self::Secret => "secret",
            Self::Health => "health",
            Self::SpecialCategory => "special_category",
            Self::Gender => "gender",
            Self::Pay => "pay",
            Self::FreeText => "free_text",
        }
    }

    /// The class of our catalogs that it belongs to.
    pub fn class(self) -> &'static str {
        match self {
            Self::PaymentCard => "card",
            Self::Iban | Self::Bic | Self::BankAccount => "bank_account",
            Self::PostalAddress | Self::PostalCode | Self::City => "postal_address",
            Self::IpAddress => "network_address",
            Self::MacAddress | Self::DeviceId => "device_id",
            Self::UrlWithIdentifier => "url",
            Self::Coordinates => "location",
            Self::Email
            | Self::Phone
            | Self::NationalId(_)
            | Self::PersonName
            | Self::UserName
            | Self::BirthDate
            | Self::Secret
            | Self::Health
            | Self::SpecialCategory
            | Self::Gender
            | Self::Pay
            | Self::FreeText => self.name(),
        }
    }

    /// How its class is best hidden.
    pub fn mask(self) -> Hiding {
        usual_hiding(self.class())
    }

    /// What a value of it is called, in the plural.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Email => "e-mail addresses",
            Self::Phone => "telephone numbers",
            Self::NationalId(_) => "national identity numbers",
            Self::PaymentCard => "payment card numbers",
            Self::Iban => "IBANs",
            Self::Bic => "BICs of banks",
            Self::BankAccount => "numbers of bank accounts",
            Self::PersonName => "names of persons",
            Self::UserName => "names that users sign in with",
            Self::PostalAddress => "postal addresses",
            Self::PostalCode => "postal codes",
            Self::City => "places",
            Self::BirthDate => "dates of birth",
            Self::IpAddress => "IP addresses",
            Self::MacAddress => "MAC addresses",
            Self::DeviceId => "identifiers of devices",
            Self::UrlWithIdentifier => "addresses of pages that identify somebody",
            Self::Coordinates => "coordinates",
            Self::Secret => "passwords, keys or tokens",
            Self::Health => "data on health",
            Self::SpecialCategory => "special categories of personal data",
            Self::Gender => "genders",
            Self::Pay => "pay",
            Self::FreeText => "free text",
        }
    }
}

/// How a class is hidden of which nobody says how: as in the catalog that comes with the demo, or
/// whole.
pub fn usual_hiding(class: &str) -> Hiding {
    Hiding::Mask(match class {
        "email" => MaskSpec::Email,
        "phone" => MaskSpec::Partial { keep_first: 0, keep_last: 2 },
        "national_id" | "card" => MaskSpec::Partial { keep_first: 0, keep_last: 4 },
        "bank_account" => MaskSpec::Partial { keep_first: 4, keep_last: 2 },
        "birth_date" => MaskSpec::Date { to: DatePrecision::Year },
        "network_address" => MaskSpec::Ip { v4_prefix: 24, v6_prefix: 48 },
        "pay" | "secret" => return Hiding::Deny,
        _ => MaskSpec::Redact,
    })
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Self::NationalId(Some(country)) = self { write!(f, " ({country})") } else { Ok(()) }
    }
}
