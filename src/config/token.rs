//! `[[token]]`: what machines sign in with on the control port.

use std::collections::BTreeSet;

use toml::Spanned;

use super::builder::Builder;
use super::raw;
use super::source::Place;
use super::{Role, UserConfig};
use crate::model::{Digest, Timestamp};

/// A token, known by its hash. Taken out of the file, it counts no more after the next reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenConfig {
    pub name: String,
    /// SHA-256 of the token.
    pub digest: Digest,
    /// As whom its holder acts.
    pub user: String,
    /// Of the user's roles, those that the token has. Empty: none.
    pub roles: Vec<Role>,
    pub expires: Timestamp,
    pub place: Place,
}

pub(super) fn build(
    builder: &mut Builder<'_>,
    raw: Vec<Spanned<raw::Token>>,
    users: &[UserConfig],
) -> Vec<TokenConfig> {
    let mut tokens: Vec<TokenConfig> = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in raw {
        let place = builder.source.place(entry.span());
        let raw = entry.into_inner();
        let name = raw.name.get_ref().clone();
        let of = |key: &str| format!("{key} of token \"{name}\"");
        if name.is_empty() || !seen.insert(name.clone()) {
            let problem = if name.is_empty() { "has no name" } else { "is defined twice" };
            builder.wrong(raw.name.span(), format!("token \"{name}\" {problem}"));
        }
        let user = raw.user.get_ref().clone();
        if !users.iter().any(|known| known.name == user) {
            let known: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
            let message = Builder::unknown_name("[[user]]", &user, &known);
            builder.wrong(raw.user.span(), format!("{}: {message}", of("user")));
        }
        let roles = builder.words(&of("roles"), raw.roles, &Role::WORDS);
        let digest = match raw.sha256.get_ref().parse::<Digest>() {
            Ok(digest) => Some(digest),
            Err(_) => {
                let message = format!(
                    "{} is 64 hexadecimal digits in lower case, as `keyhole token new` prints them",
                    of("sha256")
                );
                builder.wrong(raw.sha256.span(), message);
                None
            }
        };
        let twin = digest.and_then(|digest| tokens.iter().find(|token| token.digest == digest));
        if let Some(twin) = twin {
            let message = format!("{} is that of token \"{}\"", of("sha256"), twin.name);
            builder.wrong(raw.sha256.span(), message);
        }
        let expires =
            builder.parsed(&of("expires"), Some(raw.expires), Timestamp::UNIX_EPOCH, |text| {
                text.parse().map_err(|_| "a time is 2027-01-31T00:00:00Z".to_owned())
            });
        if let Some(digest) = digest {
            tokens.push(TokenConfig { name, digest, user, roles, expires, place });
        }
    }
    tokens
}
