//! Tokens of machines: named in the configuration by their hash, so that whoever reads it cannot
//! use them.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;

use super::Authenticated;
use crate::model::{Digest, Secret, Timestamp};

/// What records call it.
pub const METHOD: &str = "token";

/// What a token begins with, so that people and scanners for secrets know one when they see it.
pub const PREFIX: &str = "kht_";

/// Bytes of chance in a token.
const TOKEN_LEN: usize = 32;

/// A token as the configuration knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineToken {
    pub name: String,
    /// SHA-256 of its text.
    pub digest: Digest,
    /// As whom its holder acts.
    pub user: Arc<str>,
    /// Of the user's roles, those that it has.
    pub roles: Arc<[String]>,
    pub expires: Timestamp,
}

/// Why a token does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    Unknown,
    Expired { user: Arc<str> },
}

/// A new token. `random` has to come from a cryptographic generator.
pub fn text_of(random: [u8; TOKEN_LEN]) -> Secret {
    Secret::new(format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&random)))
}

/// What the configuration says of a token.
pub fn digest_of(token: &Secret) -> Digest {
    Digest::of(token.expose().as_bytes())
}

/// Who holds the token. Every token that there is gets compared, in constant time.
pub(super) fn find(
    tokens: &[MachineToken],
    token: &Secret,
    now: Timestamp,
) -> Result<Authenticated, Rejected> {
    let digest = digest_of(token);
    let mut found = None;
    for known in tokens {
        if bool::from(known.digest.as_bytes().ct_eq(digest.as_bytes())) {
            found = Some(known);
        }
    }
    let MachineToken { name: _, digest: _, user, roles, expires } =
        found.ok_or(Rejected::Unknown)?;
    if now >= *expires {
        return Err(Rejected::Expired { user: Arc::clone(user) });
    }
    Ok(Authenticated::machine(user, Arc::clone(roles), *expires))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::User;

    fn known(token: &Secret, name: &str, roles: &[&str]) -> MachineToken {
        MachineToken {
            name: name.to_owned(),
            digest: digest_of(token),
            user: name.into(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            expires: Timestamp::from_second(100).unwrap(),
        }
    }

    #[test]
    fn a_token_is_its_users_until_it_expires() {
        let (one, other) = (text_of([1; 32]), text_of([2; 32]));
        let tokens = [known(&one, "ci", &["control"]), known(&other, "bot", &[])];
        let at = |second| Timestamp::from_second(second).unwrap();
        let found = find(&tokens, &one, at(99)).unwrap();
        assert_eq!((&**found.user(), found.until()), ("ci", Some(at(100))));
        assert_eq!(&**find(&tokens, &other, at(0)).unwrap().user(), "bot");
        let expired = Rejected::Expired { user: "ci".into() };
        assert_eq!(find(&tokens, &one, at(100)).unwrap_err(), expired);
        assert_eq!(find(&tokens, &text_of([3; 32]), at(0)).unwrap_err(), Rejected::Unknown);
        assert_eq!(find(&[], &one, at(0)).unwrap_err(), Rejected::Unknown);
    }

    #[test]
    fn a_token_has_no_role_that_its_user_has_not() {
        let token = text_of([1; 32]);
        let now = Timestamp::UNIX_EPOCH;
        let roles = |has: &[&str], left: &[&str]| {
            let user = User {
                roles: has.iter().map(|role| (*role).to_owned()).collect(),
                ..User::nobody("ci")
            };
            find(&[known(&token, "ci", left)], &token, now).unwrap().narrow(user).roles
        };
        assert_eq!(*roles(&["control", "ddl"], &["control"]), ["control"]);
        assert!(roles(&["ddl"], &["control"]).is_empty());
        assert!(roles(&["control"], &[]).is_empty());
    }

    #[test]
    fn a_token_says_what_it_is_and_is_never_printed() {
        let token = text_of([0xff; 32]);
        assert!(token.expose().starts_with("kht___") && token.expose().len() == 47);
        assert!(!format!("{token:?}").contains("kht_"));
    }
}
