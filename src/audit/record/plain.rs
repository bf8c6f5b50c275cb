//! Names that clients choose as they like, such as `application_name`: what is no name in them may
//! be somebody's address or number, and is not recorded.

use std::borrow::Cow;

/// Stands for what is left out.
const HIDDEN: &str = "?";

/// So many digits in a row, whatever separates them, may be the number of a person, a card or a
/// telephone. A version has fewer.
const DIGITS_MAX: usize = 5;

/// The words of a name that consist of letters, digits and `-_./:()[]`, without long numbers; in
/// the place of every other word stands `?`. Only spaces separate words.
pub fn plain_name(name: &str) -> Cow<'_, str> {
    let hidden = hidden_words(name);
    if !hidden.contains(&true) {
        return Cow::Borrowed(name);
    }
    let words = name.split(' ').zip(hidden);
    let words: Vec<_> = words.map(|(word, hide)| if hide { HIDDEN } else { word }).collect();
    Cow::Owned(words.join(" "))
}

/// For each word, whether it is left out. A number goes on over separators and spaces until a
/// letter comes.
fn hidden_words(name: &str) -> Vec<bool> {
    let mut hidden: Vec<bool> =
        name.split(' ').map(|word| word.chars().any(|c| !is_plain(c))).collect();
    let (mut digits, mut first) = (0, 0);
    for (index, word) in name.split(' ').enumerate() {
        for c in word.chars() {
            if c.is_ascii_digit() {
                if digits == 0 {
                    first = index;
                }
                digits += 1;
                if digits > DIGITS_MAX {
                    hidden[first..=index].fill(true);
                }
            } else if c.is_ascii_alphabetic() {
                digits = 0;
            }
        }
    }
    hidden
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./:()[]".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_programs_stay_and_values_do_not() {
        for (name, told) in [
            ("", ""),
            ("psql", "psql"),
            ("PostgreSQL JDBC Driver", "PostgreSQL JDBC Driver"),
            ("DBeaver 23.1.0 - Main <shop>", "DBeaver 23.1.0 - Main ?"),
            ("pgAdmin 4 - DB:shop", "pgAdmin 4 - DB:shop"),
            ("sidekiq 7.1.4 worker [0 of 5]", "sidekiq 7.1.4 worker [0 of 5]"),
            ("app jane.doe@example.com", "app ?"),
            ("jane.doe@example.com", "?"),
            ("export for 123-45-6789", "export for ?"),
            ("4111 1111 1111 1111", "? ? ? ?"),
            ("tel +49 30 1234567", "tel ? ? ?"),
            ("born 1980-05-04", "born ?"),
            ("Müller", "?"),
            ("a'b", "?"),
            ("12345", "12345"),
            ("123456", "?"),
            ("v12 v345 v678", "v12 v345 v678"),
        ] {
            assert_eq!(plain_name(name), told, "{name}");
        }
    }
}
