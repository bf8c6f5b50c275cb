//! What is known around the values: names, comments, types, neighbours.

use std::cell::OnceCell;

use super::{Reason, meaning, values};
use crate::discovery::counts::Counts;
use crate::discovery::detect::Signal;
use crate::discovery::facts::Family;
use crate::discovery::vocabulary::{self, Hint, Topic, tokens};
use crate::discovery::{ColumnFacts, Country, Kind};

/// How much a comment's words count beside a name's.
const COMMENT: f64 = 0.55;
/// How much is left of a name's word where the column only refers to another table.
const REFERENCE: f64 = 0.15;

/// A word for a person, and none for a name, says this much at most.
const WEAK: u8 = 45;

/// Words of things whose numbers and names look like persons'.
const NUMBERED_THINGS: &str = "order orders invoice tracking sku isbn ean upc gtin asin barcode \
    serial version versions hash checksum digest etag sha md5 crc batch lot part ticket case \
    transaction txn reference receipt shipment parcel article product item epoch timestamp siren \
    siret vat ust duns lei company uuid guid build revision release commit model imo awb waybill \
    container voucher coupon sequence seq counter bestellung bestellnummer rechnung \
    rechnungsnummer artikelnummer seriennummer commande facture pedido factura ordine fattura \
    bestelling factuur zamowienie faktura build_number price cost amount total offset checkpoint \
    lsn xid oid port isrc iswc doi issn ndc cas";

#[derive(Debug)]
pub(super) struct Context<'a> {
    facts: &'a ColumnFacts,
    siblings: &'a [&'a str],
    pub(super) family: Family,
    /// Of the column, or of the path.
    words: Vec<String>,
    by_name: Vec<Hint>,
    by_type: Vec<Hint>,
    by_comment: Vec<Hint>,
    table: Topic,
    /// Neighbours that persons have: how many, and what they are called.
    neighbours: OnceCell<(Vec<Kind>, String)>,
    is_path: bool,
}

impl<'a> Context<'a> {
    pub(super) fn of_column(facts: &'a ColumnFacts, siblings: &'a [&'a str]) -> Self {
        let words = tokens(&facts.column);
        let others = siblings.iter().copied().filter(|sibling| **sibling != facts.column);
        let hints = |words: &[String]| meaning::settled(vocabulary::hints(words), others.clone());
        let by_name = hints(&words);
        let family = facts.family();
        let builtin = ["text", "citext", "name", "xml", "unknown"].contains(&facts.type_name())
            || facts.type_name().contains("char");
        let by_type = if family == Family::Text && !builtin {
            hints(&tokens(facts.type_name()))
        } else {
            Vec::new()
        };
        let by_comment =
            facts.comment.as_deref().map(|text| hints(&tokens(text))).unwrap_or_default();
        let table = table_topic(facts);
        Self {
            facts,
            siblings,
            family,
            words,
            by_name,
            by_type,
            by_comment,
            table,
            neighbours: OnceCell::new(),
            is_path: false,
        }
    }

    /// Of a path within the column's documents: its last key has the word, and the keys above it
    /// say whose it is; `paths` are all of them.
    pub(super) fn of_path(&self, path: &str, paths: &[&str]) -> Self {
        let others = paths.iter().filter(|other| **other != path);
        let others = others.filter_map(|other| other.rsplit('.').next());
        let keys: Vec<_> =
            path.split(['.', '[']).filter(|key| !matches!(*key, "$" | "*" | "*]" | "")).collect();
        let (last, above) = match keys.split_last() {
            Some((last, above)) => (tokens(last), above.join("_")),
            None => (self.words.clone(), String::new()),
        };
        let above = tokens(&format!("{}_{above}", self.facts.column));
        let table = match vocabulary::topic(&above) {
            Topic::Unknown => self.table,
            topic @ (Topic::Person | Topic::Thing) => topic,
        };
        Self {
            facts: self.facts,
            siblings: &[],
            family: Family::Text,
            by_name: meaning::settled(vocabulary::hints(&last), others),
            words: last,
            by_type: Vec::new(),
            by_comment: Vec::new(),
            table,
            neighbours: OnceCell::new(),
            is_path: true,
        }
    }

    pub(super) fn hints(&self) -> Vec<Hint> {
        let mut hints = [&self.by_name[..], &self.by_type[..], &self.by_comment[..]].concat();
        if let Some((strength, phrase)) = self.plain_name() {
            hints.push(Hint { kind: Kind::PersonName, strength, phrase });
        }
        if let Some(kind) = self.by_constraint() {
            hints.push(Hint { kind, strength: 0, phrase: String::new() });
        }
        hints
    }

    /// What names say of a kind, from 0 to 1.
    pub(super) fn by_name(&self, kind: Kind, reasons: &mut Vec<Reason>) -> f64 {
        let mut doubt = 1.0;
        let plain = if kind == Kind::PersonName { self.plain_name() } else { None };
        let hint = best(&self.by_name, kind);
        if let Some((strength, words)) = plain
            && hint.is_none_or(|hint| hint.strength < strength)
        {
            doubt *= 1.0 - f64::from(strength) / 100.0;
            reasons.push(Reason::NameOfPerson { words });
        } else if let Some(hint) = hint {
            doubt *= 1.0 - f64::from(hint.strength) / 100.0;
            reasons.push(Reason::Name { kind: hint.kind, words: hint.phrase.clone() });
        }
        if let Some(hint) = best(&self.by_type, kind) {
            doubt *= 1.0 - f64::from(hint.strength) / 100.0 * 0.9;
            reasons.push(Reason::Type(self.facts.type_name().to_owned()));
        }
        if let Some(hint) = best(&self.by_comment, kind) {
            doubt *= 1.0 - f64::from(hint.strength) / 100.0 * COMMENT;
            reasons.push(Reason::Comment { kind: hint.kind, words: hint.phrase.clone() });
        }
        if self.by_constraint().is_some_and(|constrained| constrained.is_like(kind)) {
            doubt *= 0.5;
            reasons.push(Reason::Constraint(kind));
        }
        if doubt < 1.0 {
            doubt *= self.doubt_by_neighbours(kind, reasons);
        }
        let mut sure = 1.0 - doubt;
        if let Some(table) = &self.facts.references
            && sure > 0.0
            && !self.is_path
        {
            sure *= REFERENCE;
            reasons.push(Reason::ForeignKey { table: table.to_string() });
        }
        // A shop has a place too, and a river.
        if kind == Kind::Coordinates && self.table == Topic::Thing && sure > 0.0 {
            sure *= 0.65;
            reasons.push(Reason::Thing { words: self.facts.table.name.clone() });
        }
        if sure > 0.0 && self.is_nobodys_number(kind) {
            sure *= 0.6;
            reasons.push(Reason::Nobodys);
        }
        if matches!(self.family, Family::Json | Family::Hstore) {
            sure *= 0.7;
        }
        sure
    }

    /// Numbers of the sick and wages of a century are about everybody: a person's stand beside
    /// something that says whose they are.
    fn is_nobodys_number(&self, kind: Kind) -> bool {
        let number = matches!(self.family, Family::Integer | Family::Decimal);
        let others = || self.siblings.iter().filter(|sibling| **sibling != self.facts.column);
        number
            && matches!(kind, Kind::Health | Kind::Pay)
            && self.table != Topic::Person
            && vocabulary::topic(&self.words) != Topic::Person
            && best(&vocabulary::hints(&tokens(&self.facts.table.name)), kind).is_none()
            && others().next().is_some()
            && !others().any(|sibling| meaning::is_of_persons(sibling))
    }

    /// A place beside a street or a person's name is part of an address, and so is its code.
    fn doubt_by_neighbours(&self, kind: Kind, reasons: &mut Vec<Reason>) -> f64 {
        if !matches!(kind, Kind::City | Kind::PostalCode) {
            return 1.0;
        }
        let (kinds, names) = self.neighbours();
        let lives_there = kinds.iter().any(|kind| {
            matches!(
                kind,
                Kind::PostalAddress
                    | Kind::PostalCode
                    | Kind::PersonName
                    | Kind::Email
                    | Kind::BirthDate
            )
        });
        if !lives_there && self.table != Topic::Person {
            return 1.0;
        }
        if !names.is_empty() {
            reasons.push(Reason::Siblings(names.clone()));
        }
        0.7
    }

    /// A column called "name" and nothing more is a person's where the table is one of persons or
    /// its columns are what persons have.
    fn plain_name(&self) -> Option<(u8, String)> {
        let said = best(&self.by_name, Kind::PersonName).map_or(0, |hint| hint.strength);
        if said > WEAK || self.table_of_names_only() {
            return None;
        }
        let name = self.words.iter().position(|word| vocabulary::is_name_word(word));
        let others: Vec<_> = self
            .words
            .iter()
            .enumerate()
            .filter(|(place, word)| Some(*place) != name && !is_number(word))
            .map(|(_, word)| word.clone())
            .collect();
        let half = matches!(&*self.words.join(" "), "first" | "last" | "given" | "middle" | "vor");
        if name.is_none() && !half {
            return None;
        }
        if half {
            let both = self.siblings.iter().any(|sibling| {
                matches!(&*sibling.to_lowercase(), "last" | "first" | "family" | "given")
            });
            return both.then(|| (70, self.words.join(" ")));
        }
        let reversed = name.is_some_and(|at| is_half(&self.words[at + 1..]));
        match (vocabulary::topic(&others), others.is_empty(), self.table) {
            (Topic::Person | Topic::Unknown, ..) if reversed => Some((85, self.words.join(" "))),
            (Topic::Person, ..) => Some((76, others.join(" "))),
            (Topic::Thing, ..) => None,
            (Topic::Unknown, true, Topic::Person) => Some((70, self.facts.table.name.clone())),
            (Topic::Unknown, true, Topic::Thing) => None,
            (Topic::Unknown, true, Topic::Unknown) => {
                let (kinds, names) = self.neighbours();
                let personal = kinds.iter().any(|kind| {
                    matches!(
                        kind,
                        Kind::Email
                            | Kind::BirthDate
                            | Kind::NationalId(_)
                            | Kind::Gender
                            | Kind::Secret
                    )
                });
                Some(if personal { (60, names.clone()) } else { (15, self.words.join(" ")) })
            }
            (Topic::Unknown, false, _) => Some((15, others.join(" "))),
        }
    }

    fn table_of_names_only(&self) -> bool {
        self.words.is_empty()
    }

    fn neighbours(&self) -> &(Vec<Kind>, String) {
        self.neighbours.get_or_init(|| {
            let (mut kinds, mut names) = (Vec::new(), Vec::new());
            for sibling in self.siblings.iter().filter(|sibling| **sibling != self.facts.column) {
                let hints = vocabulary::hints(&tokens(sibling));
                let Some(hint) = hints.iter().max_by_key(|hint| hint.strength) else { continue };
                if hint.strength >= 50 && hint.kind != Kind::City {
                    kinds.push(hint.kind);
                    names.push(*sibling);
                }
            }
            names.truncate(3);
            (kinds, names.join(", "))
        })
    }

    /// What a check constraint's regular expression describes.
    fn by_constraint(&self) -> Option<Kind> {
        self.facts.checks.iter().find_map(|check| {
            let matches = check.contains('~') || check.to_lowercase().contains(" like ");
            let social_security = ["[0-9]{3}-[0-9]{2}-[0-9]{4}", r"\d{3}-\d{2}-\d{4}"]
                .iter()
                .any(|p| check.contains(p));
            if social_security {
                Some(Kind::NationalId(Some(Country("US"))))
            } else if matches && check.contains('@') {
                Some(Kind::Email)
            } else {
                None
            }
        })
    }

    /// What takes away from the values' word: how much is left of it, and why.
    pub(super) fn against(&self, kind: Kind, counts: &Counts) -> Option<(f64, Reason)> {
        let numbered = self.words.iter().find(|word| is_numbered_thing(word));
        match kind {
            Kind::PersonName => {
                let companies = counts.of(Signal::Company);
                if counts.part(companies) > 0.1 {
                    let seen = counts.seen();
                    return Some((0.35, Reason::Companies { matched: companies, seen }));
                }
                let left = if values::are_whole_names(counts) { 0.85 } else { 0.3 };
                self.thing().map(|words| (left, Reason::Thing { words }))
            }
            Kind::PaymentCard
            | Kind::NationalId(_)
            | Kind::Phone
            | Kind::IpAddress
            | Kind::DeviceId
            | Kind::Coordinates
            | Kind::Bic
            | Kind::PostalCode
            | Kind::Secret
            | Kind::Health => {
                let words = numbered?.clone();
                let named = best(&self.by_name, kind).is_some_and(|hint| hint.strength >= 50);
                (!named).then_some((0.35, Reason::Thing { words }))
            }
            Kind::Email
            | Kind::Iban
            | Kind::BankAccount
            | Kind::UserName
            | Kind::PostalAddress
            | Kind::City
            | Kind::BirthDate
            | Kind::MacAddress
            | Kind::UrlWithIdentifier
            | Kind::SpecialCategory
            | Kind::Gender
            | Kind::Pay
            | Kind::FreeText => None,
        }
    }

    /// Words that say that what looks like a person's name is a thing's.
    fn thing(&self) -> Option<String> {
        if best(&self.by_name, Kind::PersonName).is_some() {
            return None;
        }
        let plain = self.words.iter().all(|word| {
            vocabulary::is_name_word(word)
                || matches!(&**word, "title" | "label" | "code")
                || is_number(word)
        });
        match vocabulary::topic(&self.words) {
            Topic::Thing => Some(self.words.join(" ")),
            Topic::Unknown if plain && self.table == Topic::Thing => {
                Some(self.facts.table.name.clone())
            }
            Topic::Person | Topic::Unknown => {
                self.words.iter().find(|word| is_numbered_thing(word)).cloned()
            }
        }
    }

    /// The country that the name tells, where the values do not.
    pub(super) fn country(&self, kind: Kind) -> Kind {
        match (kind, best(&self.by_name, kind)) {
            (Kind::NationalId(None), Some(hint)) => hint.kind,
            _ => kind,
        }
    }
}

fn table_topic(facts: &ColumnFacts) -> Topic {
    match vocabulary::topic(&tokens(&facts.table.name)) {
        Topic::Unknown => match vocabulary::topic(&tokens(&facts.table.schema)) {
            Topic::Person => Topic::Person,
            Topic::Thing | Topic::Unknown => Topic::Unknown,
        },
        topic @ (Topic::Person | Topic::Thing) => topic,
    }
}

fn best(hints: &[Hint], kind: Kind) -> Option<&Hint> {
    hints.iter().filter(|hint| hint.kind.is_like(kind)).max_by_key(|hint| hint.strength)
}

/// Which part of a name it is: behind the word for one, as in `nameFirst`.
fn is_half(behind: &[String]) -> bool {
    matches!(behind, [half] if matches!(
        &**half, "first" | "last" | "given" | "middle" | "family" | "maiden" | "birth"
    ))
}

fn is_numbered_thing(word: &str) -> bool {
    NUMBERED_THINGS.split_ascii_whitespace().any(|known| known == word)
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}
