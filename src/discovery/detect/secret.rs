//! Passwords, their hashes, keys and tokens.

use super::shape::{DASH, DIGIT, DOT, LOWER, OTHER, PLUS, SLASH, SPACE, Shape, UPPER};
use super::{Hits, Signal};

/// Beginnings that say by themselves what a value is: of password hashes (crypt(5), PostgreSQL,
/// Django, LDAP), of encoded keys, and of vendors' tokens as they document them.
const BEGINNINGS: &[(&str, usize)] = &[
    ("$2a$", 50),
    ("$2b$", 50),
    ("$2y$", 50),
    ("$2x$", 50),
    ("$1$", 20),
    ("$5$", 30),
    ("$6$", 60),
    ("$y$", 30),
    ("$7$", 30),
    ("$argon2", 30),
    ("$scrypt$", 30),
    ("$pbkdf2", 30),
    ("$apr1$", 25),
    ("$P$", 30),
    ("$H$", 30),
    ("SCRAM-SHA-", 50),
    ("pbkdf2_sha", 40),
    ("pbkdf2:", 40),
    ("scrypt:", 40),
    ("bcrypt$", 40),
    ("bcrypt_sha256$", 40),
    ("argon2$", 40),
    ("{SSHA", 20),
    ("{SHA", 20),
    ("{MD5}", 20),
    ("{CRYPT}", 15),
    ("{bcrypt}", 50),
    ("sha1$", 40),
    ("-----BEGIN ", 40),
    ("ssh-rsa ", 60),
    ("ssh-ed25519 ", 60),
    ("ecdsa-sha2-", 60),
    ("PuTTY-User-Key", 40),
    ("AGE-SECRET-KEY-", 60),
    ("AKIA", 20),
    ("ASIA", 20),
    ("ghp_", 36),
    ("gho_", 36),
    ("ghu_", 36),
    ("ghs_", 36),
    ("ghr_", 36),
    ("github_pat_", 40),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxa-", 20),
    ("xoxr-", 20),
    ("xapp-", 20),
    ("sk_live_", 24),
    ("sk_test_", 24),
    ("rk_live_", 24),
    ("rk_test_", 24),
    ("pk_live_", 24),
    ("pk_test_", 24),
    ("whsec_", 24),
    ("sk-ant-", 24),
    ("sk-proj-", 24),
    ("AIza", 39),
    ("ya29.", 30),
    ("SG.", 40),
    ("npm_", 36),
    ("pypi-", 40),
    ("dop_v1_", 40),
    ("shpat_", 32),
    ("hf_", 30),
    ("key-", 32),
    ("EAACEdEose0cBA", 30),
    ("AC", 34),
    ("otpauth://", 20),
    ("vault:v", 20),
    ("hvs.", 24),
];

pub(super) fn look(shape: &Shape<'_>, hits: &mut Hits) {
    let text = shape.text;
    if text.len() < 15 {
        return;
    }
    if has_known_beginning(text) || is_json_web_token(text) || is_postgres_md5(text) {
        hits.tell(Signal::Secret);
        return;
    }
    if text.len() >= 20 && !shape.any(SPACE) && !hits.has(Signal::Uuid) && !hits.has(Signal::Url) {
        hits.tell_if(Signal::Random, is_random(shape));
    }
}

fn has_known_beginning(text: &str) -> bool {
    let first = text.as_bytes()[0];
    let Some((beginning, _)) = BEGINNINGS.iter().find(|(beginning, length)| {
        beginning.as_bytes()[0] == first && text.len() >= *length && text.starts_with(beginning)
    }) else {
        return false;
    };
    match *beginning {
        // Two letters alone prove little: the rest must be what the vendor says.
        "AC" => text.len() == 34 && text[2..].bytes().all(|b| b.is_ascii_hexdigit()),
        "AKIA" | "ASIA" => {
            text.len() == 20 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        }
        "key-" => text[4..].bytes().all(|byte| byte.is_ascii_hexdigit()),
        "-----BEGIN " => text.contains("KEY-----"),
        _ => !text.as_bytes()[..text.len().min(40)].ends_with(b" "),
    }
}

/// RFC 7519: three parts in base64url, of which the first two are JSON objects.
fn is_json_web_token(text: &str) -> bool {
    if !text.starts_with("eyJ") || text.contains(' ') {
        return false;
    }
    let mut parts = text.split('.');
    let (_, payload, signature) = (parts.next(), parts.next(), parts.next());
    payload.is_some_and(|payload| payload.starts_with("eyJ")) && signature.is_some()
}

/// As `pg_authid.rolpassword` has them: md5 and 32 digits.
fn is_postgres_md5(text: &str) -> bool {
    text.len() == 35
        && text.starts_with("md5")
        && text[3..].bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Bits of a character from which on a string reads like one that nobody thought of.
const ENTROPY_BITS_MIN: f64 = 2.9;

/// Hexadecimal or base64 without words: digits among the letters, and no character often.
fn is_random(shape: &Shape<'_>) -> bool {
    let text = shape.text.as_bytes();
    let alphabet = DIGIT | UPPER | LOWER | DASH | DOT | SLASH | PLUS | OTHER;
    if !shape.any(DIGIT) || !shape.any(UPPER | LOWER) || !shape.only(alphabet) {
        return false;
    }
    // Words with numbers behind them have few changes between letters and digits.
    let changes =
        text.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    let case_changes = text
        .windows(2)
        .filter(|pair| pair[0].is_ascii_uppercase() && pair[1].is_ascii_lowercase())
        .count();
    changes + case_changes >= text.len() / 5 && entropy_bits(text) >= ENTROPY_BITS_MIN
}

/// Rényi's entropy of order two of the bytes, in bits of a byte: one logarithm, where Shannon's
/// takes one for each letter.
fn entropy_bits(text: &[u8]) -> f64 {
    let mut counts = [0_u16; 128];
    for &byte in text {
        counts[usize::from(byte & 0x7f)] += 1;
    }
    let pairs: u32 = counts.iter().map(|&count| u32::from(count) * u32::from(count)).sum();
    let all = text.len() as f64;
    -(f64::from(pairs) / (all * all)).log2()
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    /// Documentation's examples, or made up to the documented form.
    #[test]
    fn hashes_and_tokens() {
        for secret in [
            "$2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaQ",
            "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0$c3RvcmVka2V5c3RvcmVka2V5:c2VydmVya2V5",
            "md5a3556571e93b0d20722ba62be61e8c2d",
            "pbkdf2_sha256$260000$abcdefghijkl$c29tZXRoaW5nIGxvbmdlciB0aGFuIHRoaXM=",
            "AKIAIOSFODNN7EXAMPLE",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
        ] {
            assert!(look(secret).has(Signal::Secret), "{secret}");
        }
        for other in [
            "AKIA",
            "Ski resort of the year",
            "key-ring with a bell",
            "AC/DC Live at Donington, disc one",
        ] {
            assert!(!look(other).has(Signal::Secret), "{other}");
        }
    }

    #[test]
    fn random_strings_and_words() {
        for random in
            ["8cb2237d0679ca88db6464eac60da96345513964", "b2JqZWN0MTIzNDU2Nzg5MGFiY2RlZg9"]
        {
            assert!(look(random).has(Signal::Random), "{random}");
        }
        for other in [
            "customer-relationship-2024-final",
            "0190163d-8694-739b-aea5-966c26f8ad91",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(!look(other).has(Signal::Random), "{other}");
        }
    }
}
