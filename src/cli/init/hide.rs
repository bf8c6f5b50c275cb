//! `public.people.email=email`: a column, and how it is hidden.

use std::str::FromStr;

/// A column of `--hide`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hide {
    /// With its schema.
    pub(super) table: String,
    pub(super) column: String,
    pub(super) kind: Kind,
}

/// How it is hidden, and what the catalog calls that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Email,
    Number,
    Date,
    Ip,
    Text,
    Deny,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Email, Self::Number, Self::Date, Self::Ip, Self::Text, Self::Deny];

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Number => "number",
            Self::Date => "date",
            Self::Ip => "ip",
            Self::Text => "text",
            Self::Deny => "deny",
        }
    }

    /// As the catalog says it.
    pub(super) fn hiding(self) -> &'static str {
        match self {
            Self::Email => "mask = { kind = \"email\" }",
            Self::Number => "mask = { kind = \"partial\", keep_last = 4 }",
            Self::Date => "mask = { kind = \"date\", to = \"year\" }",
            Self::Ip => "mask = { kind = \"ip\", v4_prefix = 24, v6_prefix = 48 }",
            Self::Text => "mask = { kind = \"redact\" }",
            Self::Deny => "deny = true",
        }
    }

    /// What a column of that name most likely holds; what is not known is hidden whole.
    fn of_name(column: &str) -> Self {
        let column = column.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| column.contains(word));
        if has(&["mail"]) {
            Self::Email
        } else if has(&["phone", "mobile", "ssn", "iban", "card", "passport", "tax_id"]) {
            Self::Number
        } else if has(&["birth", "dob"]) {
            Self::Date
        } else if column == "ip" || has(&["ip_addr", "_ip"]) {
            Self::Ip
        } else {
            Self::Text
        }
    }
}

impl FromStr for Hide {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, kind) = match text.rsplit_once('=') {
            Some((path, kind)) => (path, Some(kind)),
            None => (text, None),
        };
        let parts: Vec<&str> = path.split('.').collect();
        let &[schema, table, column] = parts.as_slice() else {
            return Err("it is SCHEMA.TABLE.COLUMN or SCHEMA.TABLE.COLUMN=KIND".to_owned());
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err("it is SCHEMA.TABLE.COLUMN or SCHEMA.TABLE.COLUMN=KIND".to_owned());
        }
        let kind = match kind {
            None => Kind::of_name(column),
            Some(word) => Kind::ALL
                .into_iter()
                .find(|kind| kind.class() == word)
                .ok_or("the kinds are email, number, date, ip, text and deny")?,
        };
        Ok(Self { table: format!("{schema}.{table}"), column: column.to_owned(), kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_said_or_guessed_from_the_name() {
        for (text, kind) in [
            ("public.people.email", Kind::Email),
            ("public.people.Phone", Kind::Number),
            ("public.people.date_of_birth", Kind::Date),
            ("public.visits.client_ip", Kind::Ip),
            ("public.people.full_name", Kind::Text),
            ("public.people.email=deny", Kind::Deny),
        ] {
            let hide: Hide = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(hide.kind, kind, "{text}");
        }
        for wrong in ["email", "people.email", "public.people.", "public.people.email=hash"] {
            assert!(wrong.parse::<Hide>().is_err(), "{wrong}");
        }
    }
}
