//! As whom a client's session runs at the database, and what the database's own logs call it.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use super::builder::Builder;
use super::raw;
use super::upstream::{CertificateFiles, Roots, SslMode, UpstreamUrl};
use super::{AccountConfig, ApplicationName};
use crate::grant::Subject;
use crate::model::User;

/// PostgreSQL cuts names off here: a longer one would be somebody else's.
pub const NAME_LEN_MAX: usize = 63;

const USER: &str = "{user}";
const APPLICATION: &str = "{application}";

impl AccountConfig {
    /// Whether the entry is for `user`.
    pub fn serves(&self, user: &User) -> bool {
        self.users.iter().any(|subject| subject.includes(user))
    }

    /// The account of `user`; None if it has no name that PostgreSQL would keep.
    pub fn name_for(&self, user: &str) -> Option<String> {
        let name = self.user.replace(USER, user);
        (name.len() <= NAME_LEN_MAX).then_some(name)
    }

    /// The account, if it is the same for everybody.
    pub fn fixed_name(&self) -> Option<&str> {
        (!self.user.contains(USER)).then_some(&self.user)
    }
}

impl ApplicationName {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        braces(text, &[USER, APPLICATION])?;
        Ok(Self(text.to_owned()))
    }

    /// What the session of `user` calls itself, whose own name for it is `application`. The user
    /// is kept whole where anything is cut off; PostgreSQL takes printable ASCII only.
    pub fn of(&self, user: &str, application: &str) -> String {
        let ascii = |text: &str| -> String {
            let bytes = text.bytes().map(char::from);
            bytes.map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
        };
        let parts: Vec<String> =
            self.0.split(APPLICATION).map(|part| ascii(&part.replace(USER, user))).collect();
        let (times, taken) = (parts.len() - 1, parts.iter().map(String::len).sum());
        let room = NAME_LEN_MAX.saturating_sub(taken).checked_div(times).unwrap_or_default();
        let mut application = ascii(application);
        application.truncate(room);
        let mut name = parts.join(&application).trim().to_owned();
        name.truncate(NAME_LEN_MAX);
        name
    }
}

impl Builder<'_> {
    /// The URL with its paths relative to the folder of the configuration.
    pub(super) fn beside_all(
        &mut self,
        mut upstream: UpstreamUrl,
        key: &str,
        span: Range<usize>,
    ) -> UpstreamUrl {
        if let Roots::File(path) = &upstream.tls.roots {
            upstream.tls.roots =
                Roots::File(self.named(&format!("sslrootcert in {key}"), path, span.clone()));
        }
        if let Some(CertificateFiles { cert, key: own }) = &upstream.tls.certificate {
            upstream.tls.certificate = Some(CertificateFiles {
                cert: self.named(&format!("sslcert in {key}"), cert, span.clone()),
                key: self.named(&format!("sslkey in {key}"), own, span),
            });
        }
        upstream
    }

    pub(super) fn accounts(
        &mut self,
        raw: Vec<Spanned<raw::Account>>,
        database: &str,
        mode: SslMode,
    ) -> Vec<AccountConfig> {
        let mut accounts = Vec::new();
        for entry in raw {
            let place = self.source.place(entry.span());
            let whole = entry.span();
            let raw = entry.into_inner();
            let of = |key: &str| format!("{key} in [[database.account]] of \"{database}\"");
            let mut users = Vec::new();
            if raw.users.get_ref().is_empty() {
                self.wrong(raw.users.span(), format!("{} names nobody", of("users")));
            }
            for subject in raw.users.into_inner() {
                match Subject::parse(subject.get_ref()) {
                    Ok(known) => users.push(known),
                    Err(error) => self.wrong(subject.span(), format!("{}: {error}", of("users"))),
                }
            }
            let user = raw.user.get_ref().clone();
            let problem = match braces(&user, &[USER]) {
                Ok(()) if user.is_empty() => Some("is empty".to_owned()),
                Ok(()) if user.len() > NAME_LEN_MAX => {
                    Some(format!("is longer than {NAME_LEN_MAX} bytes"))
                }
                Ok(()) => None,
                Err(message) => Some(message),
            };
            if let Some(problem) = problem {
                self.wrong(raw.user.span(), format!("{}: {problem}", of("user")));
            }
            let password = self.password(&of, raw.password_env, raw.password_file);
            let certificate = match (raw.sslcert, raw.sslkey) {
                (None, None) => None,
                (Some(cert), Some(key)) => Some(CertificateFiles {
                    cert: self.named(&of("sslcert"), Path::new(cert.get_ref()), cert.span()),
                    key: self.named(&of("sslkey"), Path::new(key.get_ref()), key.span()),
                }),
                (Some(_), None) | (None, Some(_)) => {
                    self.wrong(whole.clone(), format!("{} goes with sslkey", of("sslcert")));
                    None
                }
            };
            if certificate.is_some() && mode < SslMode::Require {
                let message = format!(
                    "{} takes an sslmode of the upstream that insists on TLS",
                    of("sslcert")
                );
                self.wrong(whole, message);
            }
            accounts.push(AccountConfig { users, user, password, certificate, place });
        }
        accounts
    }
}

/// Whether every brace belongs to one of the placeholders `known`.
fn braces(text: &str, known: &[&str]) -> Result<(), String> {
    let rest =
        known.iter().fold(text.to_owned(), |rest, placeholder| rest.replace(placeholder, ""));
    if rest.contains(['{', '}']) {
        return Err(format!("braces stand around {} only", known.join(" and ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_named_with_its_user() {
        let name = ApplicationName::parse("{application} [{user}]").expect("a good template");
        assert_eq!(name.of("alice", "psql"), "psql [alice]");
        assert_eq!(name.of("alice", ""), "[alice]");
        assert_eq!(name.of("zoë", "a\tb"), "a?b [zo??]");
        let long = name.of("alice", &"x".repeat(100));
        assert_eq!(long.len(), 63);
        assert!(long.ends_with("x [alice]"), "{long}");
        assert_eq!(name.of(&"y".repeat(100), "psql").len(), 63);
        // What a user calls themselves is no placeholder.
        let both = ApplicationName::parse("{user}/{application}").expect("a good template");
        assert_eq!(both.of("bob", "{user}"), "bob/{user}");
        assert_eq!(both.of("{application}", "psql"), "{application}/psql");
        for wrong in ["{application", "{group}", "a}b"] {
            assert!(ApplicationName::parse(wrong).is_err(), "{wrong}");
        }
    }
}
