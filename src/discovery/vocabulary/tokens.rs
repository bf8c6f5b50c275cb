//! Names cut into words.

/// Longest name that is cut: PostgreSQL's own limit, and room for comments' words.
const WORDS_MAX: usize = 400;

/// The words of a name or of a text: in lower case, without accents; `customerEmail2` and
/// `customer_email_2` alike, and `customeremail` too as far as its parts are known words.
pub(in crate::discovery) fn tokens(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = None::<char>;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_alphanumeric() {
            push(&mut words, &mut word);
            before = None;
            continue;
        }
        let next_is_lower = letters.peek().is_some_and(|next| next.is_lowercase());
        let opens = before.is_some_and(|before| {
            before.is_lowercase() && letter.is_uppercase()
                || before.is_uppercase() && letter.is_uppercase() && next_is_lower
                || before.is_numeric() != letter.is_numeric()
        });
        if opens {
            push(&mut words, &mut word);
        }
        fold(letter, &mut word);
        before = Some(letter);
        if words.len() >= WORDS_MAX {
            break;
        }
    }
    push(&mut words, &mut word);
    words
}

fn push(words: &mut Vec<String>, word: &mut String) {
    if word.is_empty() {
        return;
    }
    let word = std::mem::take(word);
    if super::is_word(&word) || word.len() < 6 {
        words.push(word);
        return;
    }
    match parts(&word, 3) {
        Some(parts) => words.extend(parts),
        None => words.push(word),
    }
}

/// The word as known words one behind the other, as few as possible.
fn parts(word: &str, parts_max: usize) -> Option<Vec<String>> {
    if super::is_word(word) {
        return Some(vec![word.to_owned()]);
    }
    if parts_max == 1 {
        return None;
    }
    // The longest beginning first; parts of two letters are mostly chance.
    let mut best: Option<Vec<String>> = None;
    for end in (2..word.len().saturating_sub(1)).rev() {
        if !word.is_char_boundary(end) || !super::is_word(&word[..end]) {
            continue;
        }
        if let Some(rest) = parts(&word[end..], parts_max - 1)
            && best.as_ref().is_none_or(|best| rest.len() + 1 < best.len())
        {
            best = Some([vec![word[..end].to_owned()], rest].concat());
        }
    }
    best
}

/// As names are written where accents are avoided: `prénom` as `prenom`, `straße` as `strasse`.
fn fold(letter: char, into: &mut String) {
    let plain = match letter {
        'à'..='å' | 'À'..='Å' | 'ā' | 'ă' | 'ą' | 'Ą' => "a",
        'æ' | 'Æ' => "ae",
        'ç' | 'Ç' | 'ć' | 'č' | 'Ć' | 'Č' => "c",
        'è'..='ë' | 'È'..='Ë' | 'ę' | 'ě' | 'Ę' | 'Ě' => "e",
        'ì'..='ï' | 'Ì'..='Ï' | 'ı' | 'İ' => "i",
        'ł' | 'Ł' => "l",
        'ñ' | 'Ñ' | 'ń' | 'ň' | 'Ń' => "n",
        'ò'..='ö' | 'ø' | 'Ò'..='Ö' | 'Ø' | 'ő' => "o",
        'ř' | 'Ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' | 'Ś' | 'Š' => "s",
        'ß' => "ss",
        'ù'..='ü' | 'Ù'..='Ü' | 'ů' | 'ű' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' | 'Ź' | 'Ż' | 'Ž' => "z",
        'đ' | 'Đ' | 'ď' => "d",
        'ğ' => "g",
        letter => return into.extend(letter.to_lowercase()),
    };
    into.push_str(plain);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_where_their_words_meet() {
        for (name, words) in [
            ("customerEmail2", "customer email 2"),
            ("CUSTOMER_EMAIL", "customer email"),
            ("customeremail", "customer email"),
            ("kundenvorname", "kunden vorname"),
            ("IPAddress", "ip address"),
            ("Geburtsdatum", "geburtsdatum"),
            ("Prénom", "prenom"),
            ("date de naissance", "date de naissance"),
            ("telefonnummer", "telefonnummer"),
            ("дата_рождения", "дата рождения"),
            ("xyzzyplugh", "xyzzyplugh"),
        ] {
            assert_eq!(tokens(name).join(" "), words, "{name}");
        }
    }
}
