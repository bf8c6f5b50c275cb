//! What a name means among its neighbours: words that several languages have, numbers of nobody.

use crate::discovery::Kind;
use crate::discovery::vocabulary::{self, Hint, Topic, tokens};

/// Of a word that means several things, what a neighbour speaks of too: `lon` is pay in Swedish,
/// and a longitude beside `lat`. Where no neighbour does, what is listed first.
pub(super) fn settled<'a>(
    hints: Vec<Hint>,
    neighbours: impl Iterator<Item = &'a str> + Clone,
) -> Vec<Hint> {
    let spoken_of = |kind: Kind| {
        neighbours
            .clone()
            .any(|name| vocabulary::hints(&tokens(name)).iter().any(|hint| hint.kind.is_like(kind)))
    };
    let mut kept: Vec<Hint> = Vec::new();
    for hint in &hints {
        let mut same = hints.iter().filter(|other| other.phrase == hint.phrase);
        let first = same.clone().next().is_some_and(|first| first.kind.is_like(hint.kind));
        let alone = same.clone().all(|other| other.kind.is_like(hint.kind));
        if alone || spoken_of(hint.kind) || first && !same.any(|other| spoken_of(other.kind)) {
            kept.push(hint.clone());
        }
    }
    kept
}

/// Whether a column's name says that its table is of persons, or refers to them.
pub(super) fn is_of_persons(name: &str) -> bool {
    let words = tokens(name);
    let short = |word: &String| matches!(&**word, "emp" | "empno" | "uid" | "userid");
    vocabulary::topic(&words) == Topic::Person
        || words.iter().any(short)
        || vocabulary::hints(&words).iter().any(|hint| is_persons(hint.kind))
}

fn is_persons(kind: Kind) -> bool {
    match kind {
        Kind::Email
        | Kind::Phone
        | Kind::NationalId(_)
        | Kind::PaymentCard
        | Kind::Iban
        | Kind::BankAccount
        | Kind::PersonName
        | Kind::UserName
        | Kind::PostalAddress
        | Kind::BirthDate
        | Kind::DeviceId
        | Kind::Secret
        | Kind::SpecialCategory
        | Kind::Gender => true,
        Kind::Bic
        | Kind::PostalCode
        | Kind::City
        | Kind::IpAddress
        | Kind::MacAddress
        | Kind::UrlWithIdentifier
        | Kind::Coordinates
        | Kind::Health
        | Kind::Pay
        | Kind::FreeText => false,
    }
}
