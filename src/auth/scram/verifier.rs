//! What is kept instead of a password, and the arithmetic of SCRAM.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{ITERATIONS_DEFAULT, MECHANISM, SALT_LEN};
use crate::model::Secret;

pub(super) type Key = [u8; 32];

/// What is stored instead of a password: it checks a proof and cannot make one.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pub(super) iterations: u32,
    pub(super) salt: Vec<u8>,
    pub(super) stored_key: Key,
    pub(super) server_key: Key,
}

/// Text that is not a verifier.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not of the form SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>")]
pub struct VerifierError;

impl Verifier {
    /// Reads what PostgreSQL keeps in `pg_authid.rolpassword`.
    pub fn parse(text: &str) -> Result<Self, VerifierError> {
        let mut parts = text.split('$');
        let (Some(MECHANISM), Some(salting), Some(keys), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(VerifierError);
        };
        let (iterations, salt) = salting.split_once(':').ok_or(VerifierError)?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(VerifierError)?;
        let iterations = iterations.parse().map_err(|_| VerifierError)?;
        let salt = STANDARD.decode(salt).map_err(|_| VerifierError)?;
        if iterations == 0 || salt.is_empty() {
            return Err(VerifierError);
        }
        Ok(Self {
            iterations,
            salt,
            stored_key: key_from_base64(stored_key).ok_or(VerifierError)?,
            server_key: key_from_base64(server_key).ok_or(VerifierError)?,
        })
    }

    /// Derives the verifier of a password. Takes milliseconds, by design.
    pub fn from_password(password: &Secret, salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password.expose(), salt, iterations);
        Self {
            iterations: iterations.max(1),
            salt: salt.to_vec(),
            stored_key: Sha256::digest(hmac(&salted, &[b"Client Key"])).into(),
            server_key: hmac(&salted, &[b"Server Key"]),
        }
    }

    /// Whether it was derived from this password. Takes milliseconds, by design.
    pub(in crate::auth) fn fits(&self, password: &Secret) -> bool {
        let derived = Self::from_password(password, &self.salt, self.iterations);
        derived.stored_key.ct_eq(&self.stored_key).into()
    }

    /// A verifier that looks like one of PostgreSQL's and belongs to no password.
    pub(in crate::auth) fn mock(key: &MockKey, user: &str) -> Self {
        Self {
            iterations: ITERATIONS_DEFAULT,
            salt: hmac(&key.0, &[b"salt", user.as_bytes()])[..SALT_LEN].to_vec(),
            stored_key: hmac(&key.0, &[b"StoredKey", user.as_bytes()]),
            server_key: hmac(&key.0, &[b"ServerKey", user.as_bytes()]),
        }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { iterations, salt, stored_key, server_key } = self;
        let [salt, stored_key, server_key] =
            [&salt[..], stored_key, server_key].map(|bytes| STANDARD.encode(bytes));
        write!(f, "{MECHANISM}${iterations}:{salt}${stored_key}:{server_key}")
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(…)")
    }
}

/// The secret behind the salts of users who do not exist: the same user gets the same salt as long
/// as this stays the same, as a real user would.
#[derive(Clone)]
pub struct MockKey(Key);

impl MockKey {
    /// `random` has to come from a cryptographic generator.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }
}

impl fmt::Debug for MockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockKey(…)")
    }
}

pub(super) fn key_from_base64(text: &str) -> Option<Key> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// `Hi(SASLprep(password), salt, iterations)`: PBKDF2 with HMAC-SHA-256, one block.
pub(super) fn salted_password(password: &str, salt: &[u8], iterations: u32) -> Key {
    // PostgreSQL takes passwords that SASLprep prohibits, or prepares to nothing, as they are.
    let prepared = stringprep::saslprep(password).ok().filter(|prepared| !prepared.is_empty());
    let keyed = keyed(prepared.as_deref().unwrap_or(password).as_bytes());
    let round = |input: &[&[u8]]| -> Key {
        let mut mac = keyed.clone();
        input.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let mut previous = round(&[salt, &1_u32.to_be_bytes()]);
    let mut sum = previous;
    for _ in 1..iterations {
        previous = round(&[&previous]);
        sum.iter_mut().zip(previous).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut mac = keyed(key);
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}
