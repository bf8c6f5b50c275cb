//! Putting a person's name into filters and distinguished names, and reading a group's name out
//! of one.

use ldap3::{dn_escape, ldap_escape};

/// `template` with the user's name for `{user}`, as a value in a distinguished name (RFC 4514).
pub(super) fn dn(template: &str, user: &str) -> String {
    template.replace("{user}", &dn_escape(user))
}

/// `template` with the values for `{user}` and `{dn}`, as values in a filter (RFC 4515). A value
/// is not looked into: a user called `{dn}` stays one.
pub(super) fn filter(template: &str, user: &str, dn: &str) -> String {
    let (user, dn) = (ldap_escape(user), ldap_escape(dn));
    let mut filled = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, placeholder) = rest.split_at(at);
        filled.push_str(before);
        if let Some(after) = placeholder.strip_prefix("{user}") {
            filled.push_str(&user);
            rest = after;
        } else if let Some(after) = placeholder.strip_prefix("{dn}") {
            filled.push_str(&dn);
            rest = after;
        } else {
            filled.push('{');
            rest = &placeholder[1..];
        }
    }
    filled.push_str(rest);
    filled
}

/// The name of the group that a value of `memberOf` stands for: the value of the first part of a
/// distinguished name (`dba` for `cn=dba,ou=groups,…`). With a base, it has to lie below that:
/// whoever may make groups elsewhere makes none that count here.
pub(super) fn group(value: &str, base: Option<&str>) -> Option<String> {
    let parts = parts(value);
    if let Some(base) = base {
        let base = self::parts(base);
        let below = parts.len() > base.len()
            && parts[parts.len() - base.len()..].iter().zip(&base).all(|(a, b)| same(a, b));
        if !below {
            return None;
        }
    }
    let (_, name) = parts.first()?.split_once('=')?;
    let name = unescape(name.trim())?;
    (!name.is_empty()).then_some(name)
}

/// The parts of a distinguished name, escapes kept.
fn parts(dn: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, byte) in dn.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => {
                parts.push(dn[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(dn[start..].trim());
    parts
}

/// Whether two parts are the same without a doubt; other spellings of the same are not.
fn same(a: &str, b: &str) -> bool {
    let split = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.trim().to_lowercase(), value.trim().to_lowercase())
    };
    split(a) == split(b)
}

/// The value behind RFC 4514's escapes: a backslash and a character, or two hexadecimal digits
/// for a byte. None for what is more than one attribute, or no text.
fn unescape(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' | b'"' | b';' | b'<' | b'>' => return None,
            b'\\' => {
                let (&next, after) = rest.split_first()?;
                let pair = after.first().and_then(|&low| {
                    let digit = |byte: u8| char::from(byte).to_digit(16);
                    u8::try_from(digit(next)? * 16 + digit(low)?).ok()
                });
                match pair {
                    Some(byte) => {
                        bytes.push(byte);
                        rest = &after[1..];
                    }
                    None => {
                        bytes.push(next);
                        rest = after;
                    }
                }
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_stays_one_value_of_a_distinguished_name() {
        let template = "uid={user},ou=people";
        for (user, expected) in [
            ("alice", "uid=alice,ou=people"),
            ("a,ou=admins", "uid=a\\2cou\\3dadmins,ou=people"),
            ("a+cn=root", "uid=a\\2bcn\\3droot,ou=people"),
            (" #x ", "uid=\\20#x\\20,ou=people"),
            ("#x", "uid=\\23x,ou=people"),
            ("a\\b\"c", "uid=a\\5cb\\22c,ou=people"),
            ("жук", "uid=жук,ou=people"),
        ] {
            assert_eq!(dn(template, user), expected);
        }
    }

    #[test]
    fn a_name_stays_one_value_of_a_filter() {
        let template = "(&(uid={user})(objectClass=person))";
        for (user, expected) in [
            ("alice", "(&(uid=alice)(objectClass=person))"),
            ("*", "(&(uid=\\2a)(objectClass=person))"),
            ("a)(uid=*", "(&(uid=a\\29\\28uid=\\2a)(objectClass=person))"),
            ("a\\2a", "(&(uid=a\\5c2a)(objectClass=person))"),
        ] {
            assert_eq!(filter(template, user, ""), expected);
        }
        let dn = "uid=a\\2cb(c),ou=people";
        let expected = "(member=uid=a\\5c2cb\\28c\\29,ou=people)";
        assert_eq!(filter("(member={dn})", "a", dn), expected);
        assert_eq!(filter("({user}={dn}{x})", "{dn}", "{user}"), "({dn}={user}{x})");
    }

    #[test]
    fn groups_are_called_by_their_first_part() {
        let base = Some("ou=Groups, dc=example,dc=com");
        for (value, base, name) in [
            ("cn=dba,ou=groups,dc=example,dc=com", base, Some("dba")),
            ("CN=Data Base,OU=Groups,DC=example,DC=com", base, Some("Data Base")),
            ("cn=a,ou=sub,ou=groups,dc=example,dc=com", base, Some("a")),
            ("cn=dba,ou=mine,dc=example,dc=com", base, None),
            ("cn=dba\\,ou=groups,dc=example,dc=com", base, None),
            ("ou=groups,dc=example,dc=com", base, None),
            ("dba", base, None),
            ("cn=dba,ou=mine", None, Some("dba")),
            ("cn=a\\2cb\\+c,ou=x", None, Some("a,b+c")),
            ("cn=\\d0\\b6,ou=x", None, Some("ж")),
            ("cn=a+ou=b,ou=x", None, None),
            ("cn=,ou=x", None, None),
            ("cn=x\\", None, None),
            ("", None, None),
        ] {
            assert_eq!(group(value, base).as_deref(), name, "{value}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_directory_says_panics(value in ".{0,60}", base in ".{0,30}") {
            let _ = group(&value, Some(&base));
            let _ = group(&value, None);
        }

        #[test]
        fn a_group_is_called_what_its_escaped_name_says(name in "[ -~а-я]{1,20}") {
            let value = dn("cn={user},ou=groups", &name);
            prop_assert_eq!(group(&value, Some("ou=groups")), Some(name));
        }

        #[test]
        fn a_filter_with_any_name_is_one_filter(name in ".{0,30}") {
            let filled = filter("(&(uid={user})(x=y))", &name, "");
            prop_assert!(ldap3::parse_filter(&filled).is_ok(), "{}", filled);
            prop_assert_eq!(filled.matches('(').count(), 3);
        }
    }
}
