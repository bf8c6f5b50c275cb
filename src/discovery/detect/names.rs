//! What words are: first names, surnames, parts of addresses; `names/README.md` says where the
//! lists are from.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

pub(super) const FIRST: u16 = 1;
pub(super) const LAST: u16 = 1 << 1;
/// A common word of a language: it proves little that it is a name too.
pub(super) const WORD: u16 = 1 << 2;
/// Of companies and bodies.
pub(super) const COMPANY: u16 = 1 << 3;
/// Before a name.
pub(super) const TITLE: u16 = 1 << 4;
/// Behind a name.
pub(super) const SUFFIX: u16 = 1 << 5;
/// Between the parts of a name.
pub(super) const PARTICLE: u16 = 1 << 6;
/// Of streets.
pub(super) const STREET: u16 = 1 << 7;
/// Of streets too, where a number stands before.
pub(super) const STREET_SUFFIX: u16 = 1 << 8;

/// Longest name of the lists.
const NAME_BYTES_MAX: usize = 24;

static NAMES: LazyLock<HashMap<&'static str, u16, FixedState>> = LazyLock::new(|| {
    let lists = [
        (include_str!("names/first.txt"), FIRST),
        (include_str!("names/last.txt"), LAST),
        (include_str!("names/first-world.txt"), FIRST),
        (include_str!("names/last-world.txt"), LAST),
        (include_str!("names/words.txt"), WORD),
        (include_str!("names/companies.txt"), COMPANY),
        (include_str!("names/titles.txt"), TITLE),
        (include_str!("names/suffixes.txt"), SUFFIX),
        (include_str!("names/particles.txt"), PARTICLE),
        (include_str!("names/streets.txt"), STREET),
        (include_str!("names/suffixes-of-streets.txt"), STREET_SUFFIX),
    ];
    let mut names = HashMap::with_capacity_and_hasher(32_768, FixedState::default());
    for (list, bit) in lists {
        for name in list.lines().filter(|line| !line.starts_with('#')) {
            for name in name.split_ascii_whitespace() {
                *names.entry(name).or_insert(0) |= bit;
            }
        }
    }
    names
});

/// The lists that a word is in, whatever its case and its accents.
pub(super) fn look_up(word: &str) -> u16 {
    let mut folded = [0; NAME_BYTES_MAX];
    fold(word, &mut folded).and_then(|word| NAMES.get(word)).copied().unwrap_or(0)
}

/// In lower case and without accents; None: too long or not Latin.
fn fold<'a>(word: &str, buffer: &'a mut [u8; NAME_BYTES_MAX]) -> Option<&'a str> {
    let mut len = 0;
    let mut push = |byte: u8| {
        buffer.get_mut(len).map(|slot| *slot = byte)?;
        len += 1;
        Some(())
    };
    for letter in word.chars() {
        match letter {
            'a'..='z' | 'A'..='Z' => push(letter.to_ascii_lowercase() as u8)?,
            '\'' | '’' | '`' | '-' | '.' | '/' => {}
            _ => unaccented(letter)?.bytes().try_for_each(&mut push)?,
        }
    }
    str::from_utf8(&buffer[..len]).ok()
}

/// What a letter of Latin-1 or Latin Extended-A is without its accent.
fn unaccented(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à'..='å' | 'À'..='Å' | 'ā' | 'ă' | 'ą' | 'Ā' | 'Ă' | 'Ą' => "a",
        'æ' | 'Æ' => "ae",
        'ç' | 'Ç' | 'ć' | 'č' | 'Ć' | 'Č' => "c",
        'ď' | 'đ' | 'Ď' | 'Đ' | 'ð' | 'Ð' => "d",
        'è'..='ë' | 'È'..='Ë' | 'ē' | 'ė' | 'ę' | 'ě' | 'Ē' | 'Ė' | 'Ę' | 'Ě' => "e",
        'ğ' | 'Ğ' => "g",
        'ì'..='ï' | 'Ì'..='Ï' | 'ī' | 'ı' | 'İ' => "i",
        'ł' | 'Ł' | 'ľ' | 'Ľ' => "l",
        'ñ' | 'Ñ' | 'ń' | 'ň' | 'Ń' | 'Ň' => "n",
        'ò'..='ö' | 'ø' | 'Ò'..='Ö' | 'Ø' | 'ő' | 'Ő' => "o",
        'œ' | 'Œ' => "oe",
        'ř' | 'Ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' | 'Ś' | 'Š' | 'Ş' | 'Ș' => "s",
        'ß' => "ss",
        'ť' | 'ț' | 'ţ' | 'Ť' | 'Ț' | 'Ţ' | 'þ' | 'Þ' => "t",
        'ù'..='ü' | 'Ù'..='Ü' | 'ū' | 'ů' | 'ű' | 'Ū' | 'Ů' | 'Ű' => "u",
        'ý' | 'ÿ' | 'Ý' => "y",
        'ź' | 'ż' | 'ž' | 'Ź' | 'Ż' | 'Ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_matter() {
        assert_eq!(look_up("MARY") & FIRST, FIRST);
        assert_eq!(look_up("José") & FIRST, FIRST);
        assert_eq!(look_up("Müller") & LAST, LAST);
        assert_eq!(look_up("O'Brien") & LAST, LAST);
        assert_eq!(look_up("Łukasz") & FIRST, FIRST);
        assert_eq!(look_up("qwertz"), 0);
        assert_eq!(look_up("名"), 0);
        assert_eq!(look_up(&"a".repeat(1000)), 0);
    }

    /// They are written as they are looked up.
    #[test]
    fn the_lists_are_folded() {
        for (name, _) in NAMES.iter() {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
            assert!(name.len() <= NAME_BYTES_MAX, "{name}");
        }
    }
}
