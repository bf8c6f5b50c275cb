//! Every key of a catalog file, told: the reference is made from this, and tests hold it against
//! what is read.

/// A key of a catalog file.
#[derive(Clone, Copy, Debug)]
pub struct CatalogKey {
    /// `class` for `[[class]]`.
    pub section: &'static str,
    pub name: &'static str,
    /// As it may stand in a file.
    pub example: &'static str,
    pub about: &'static str,
}

const fn key(
    section: &'static str,
    name: &'static str,
    example: &'static str,
    about: &'static str,
) -> CatalogKey {
    CatalogKey { section, name, example, about }
}

/// The sections of a catalog file, and what each is for.
pub const CATALOG_SECTIONS: &[(&str, &str)] = &[
    ("class", "A kind of personal data, and how it is hidden"),
    ("table", "A table with personal data; views, partitions and children follow from it"),
    ("function", "A function that reads personal data, and what it returns"),
    ("honey", "Decoys: rows made up to see who reads them"),
];

pub const CATALOG_KEYS: &[CatalogKey] = &[
    key("class", "name", "'email'", "what [table.columns] and grants (class:email) call it"),
    key(
        "class",
        "mask",
        "{ kind = 'email' }",
        "what is shown instead: one of the masks below; either this or deny = true",
    ),
    key(
        "class",
        "deny",
        "true",
        "a statement that touches it without a grant is refused instead of masked",
    ),
    key("class", "sensitivity", "'high'", "a word of one's own, which the catalog shows"),
    key(
        "table",
        "name",
        "'public.customers'",
        "schema and table; in double quotes where a name has capitals",
    ),
    key("table", "columns", "{ email = 'email' }", "the class of each column, or clear"),
    key(
        "table",
        "subject",
        "['customer_id', 'owner_id']",
        "a column or a list: whose data a row is, by each; without it, the primary key says",
    ),
    key("function", "name", "'public.customer_email(integer)'", "with the types of its arguments"),
    key("function", "class", "'email'", "of what it returns, or clear"),
    key("honey", "table", "'public.customers'", "a table of the catalog"),
    key("honey", "key", "'id'", "the column that tells its rows apart"),
    key("honey", "values", "['999901']", "of the key, in the decoys: in PostgreSQL's text form"),
];

/// Every mask as `mask` of a class has it, and what is shown.
pub const MASKS: &[(&str, &str)] = &[
    ("{ kind = 'redact' }", "*** for strings, NULL for every other type"),
    ("{ kind = 'null' }", "NULL"),
    (
        "{ kind = 'constant', value = 'hidden' }",
        "the same value for every row, in PostgreSQL's text form",
    ),
    (
        "{ kind = 'partial', keep_first = 0, keep_last = 4 }",
        "the first and last characters (0 unless said), one * for each between them; values too \
         short to hide anything are all stars",
    ),
    ("{ kind = 'email' }", "first letter and domain: a***@example.com"),
    ("{ kind = 'date', to = 'year' }", "dates and timestamps cut to the year or month"),
    ("{ kind = 'bucket', size = 10 }", "numbers, rounded down to a multiple of size"),
    (
        "{ kind = 'ip', v4_prefix = 24, v6_prefix = 48 }",
        "the address's network, of so many bits: 10.2.3.4 is 10.2.3.0/24",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::raw::CatalogFile;
    use super::*;
    use crate::catalog::MaskSpec;

    fn section(name: &str) -> String {
        let keys = CATALOG_KEYS.iter().filter(|key| key.section == name);
        let lines = keys.map(|key| format!("{} = {}\n", key.name, key.example));
        format!("[[{name}]]\n{}", lines.collect::<String>())
    }

    /// What serde says it expected instead.
    fn expected(text: &str) -> BTreeSet<String> {
        let error = toml::from_str::<CatalogFile>(text).unwrap_err().to_string();
        let (_, list) = error.rsplit_once("expected ").expect("a list of what is known");
        list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_key_is_told_and_nothing_else() {
        let names: BTreeSet<_> =
            CATALOG_SECTIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(expected("nothing = 1"), names);
        for name in &names {
            let text = section(name);
            toml::from_str::<CatalogFile>(&text).unwrap_or_else(|error| panic!("{text}{error}"));
            let told = CATALOG_KEYS.iter().filter(|key| key.section == name);
            let told: BTreeSet<_> = told.map(|key| key.name.to_owned()).collect();
            let known = expected(&format!("[[{name}]]\nnothing = 1"));
            assert_eq!(known, told, "[[{name}]]");
        }
    }

    #[test]
    fn every_mask_is_told() {
        let parsed = MASKS.iter().map(|(text, _)| {
            let file = format!("[[class]]\nname = 'x'\nmask = {text}");
            let file = toml::from_str::<CatalogFile>(&file).unwrap_or_else(|e| panic!("{text}{e}"));
            let mask = file.class[0].get_ref().mask.as_ref().expect("a mask").get_ref().clone();
            match mask {
                MaskSpec::Redact => 0,
                MaskSpec::Null => 1,
                MaskSpec::Constant { .. } => 2,
                MaskSpec::Partial { .. } => 3,
                MaskSpec::Email => 4,
                MaskSpec::Date { .. } => 5,
                MaskSpec::Bucket { .. } => 6,
                MaskSpec::Ip { .. } => 7,
            }
        });
        assert_eq!(parsed.collect::<BTreeSet<_>>().len(), 8);
        let known = expected("[[class]]\nname = 'x'\nmask = { kind = 'nothing' }");
        assert_eq!(known.len(), MASKS.len(), "{known:?}");
    }
}
