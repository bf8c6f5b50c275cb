//! SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL's server speaks it, without I/O: each state is
//! consumed by the next message.
//!
//! The user's name comes from the startup packet, the one in the exchange is ignored, as in
//! PostgreSQL. Channel binding is not offered. A user without a verifier gets an exchange like
//! anybody else's that fails at its end like a wrong password.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::Authenticated;
use crate::config::AuthMethod;
use crate::model::{Secret, SqlState};

/// The name of the mechanism.
pub const MECHANISM: &str = "SCRAM-SHA-256";

/// PostgreSQL's default number of iterations.
pub const ITERATIONS_DEFAULT: u32 = 4096;

/// Bytes of salt in verifiers that PostgreSQL makes.
pub const SALT_LEN: usize = 16;

/// Random bytes in the server's half of the nonce.
pub const NONCE_LEN: usize = 18;

type Key = [u8; 32];

/// What is stored instead of a password: it checks a proof and cannot make one.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
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

    /// A verifier that looks like one of PostgreSQL's and belongs to no password.
    fn mock(key: &MockKey, user: &str) -> Self {
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

/// Why an exchange ended without proof.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScramError {
    #[error("malformed SCRAM message")]
    Malformed,
    #[error("client requires SCRAM channel binding, but it is not supported")]
    ChannelBinding,
    #[error("SCRAM channel binding check failed")]
    ChannelBindingCheck,
    #[error("client uses authorization identity, but it is not supported")]
    AuthorizationIdentity,
    #[error("client requires an unsupported SCRAM extension")]
    Extension,
    #[error("non-printable characters in SCRAM nonce")]
    Nonce,
    #[error("SCRAM nonce does not match")]
    NonceCheck,
    /// The password is wrong or there is no such user.
    #[error("password authentication failed")]
    Proof,
}

impl ScramError {
    pub fn state(self) -> SqlState {
        match self {
            Self::Malformed | Self::ChannelBinding | Self::Nonce | Self::NonceCheck => {
                SqlState::PROTOCOL_VIOLATION
            }
            Self::AuthorizationIdentity | Self::Extension => SqlState::FEATURE_NOT_SUPPORTED,
            Self::ChannelBindingCheck => SqlState::INVALID_AUTHORIZATION,
            Self::Proof => SqlState::INVALID_PASSWORD,
        }
    }
}

/// Whether the user may pass at all, however good the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Known,
    Mock,
}

/// Waits for the client-first-message.
#[derive(Debug)]
pub struct ScramServer {
    user: Arc<str>,
    verifier: Verifier,
    standing: Standing,
    nonce: String,
}

/// Waits for the client-final-message.
#[derive(Debug)]
pub struct AwaitFinal {
    user: Arc<str>,
    verifier: Verifier,
    standing: Standing,
    /// Both halves.
    nonce: String,
    gs2_header: &'static str,
    /// client-first-message-bare and server-first-message.
    transcript: String,
}

impl ScramServer {
    /// `verifier` is None if `user` has none. `nonce` has to be random and used once.
    pub fn new(
        user: &str,
        verifier: Option<&Verifier>,
        mock_key: &MockKey,
        nonce: [u8; NONCE_LEN],
    ) -> Self {
        // Derived for everybody, so that the time taken does not tell who exists.
        let mock = Verifier::mock(mock_key, user);
        let (verifier, standing) = match verifier {
            Some(verifier) => (verifier.clone(), Standing::Known),
            None => (mock, Standing::Mock),
        };
        Self { user: user.into(), verifier, standing, nonce: STANDARD.encode(nonce) }
    }

    /// Takes the client-first-message; gives the server-first-message.
    ///
    /// # Errors
    /// Anything but `Proof`.
    pub fn first(self, message: &[u8]) -> Result<(Vec<u8>, AwaitFinal), ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let ClientFirst { gs2_header, bare, nonce } = ClientFirst::parse(message)?;
        let Self { user, verifier, standing, nonce: server_nonce } = self;
        let nonce = format!("{nonce}{server_nonce}");
        let salt = STANDARD.encode(&verifier.salt);
        let reply = format!("r={nonce},s={salt},i={}", verifier.iterations);
        let transcript = format!("{bare},{reply}");
        let next = AwaitFinal { user, verifier, standing, nonce, gs2_header, transcript };
        Ok((reply.into_bytes(), next))
    }
}

impl AwaitFinal {
    /// Takes the client-final-message; gives the server-final-message and the proof that the
    /// client knows the password.
    ///
    /// # Errors
    /// `Proof` for a wrong password and for users who do not exist.
    pub fn finish(self, message: &[u8]) -> Result<(Vec<u8>, Authenticated), ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let proof = key_from_base64(proof).ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attribute(attributes.next(), "c=")?;
        if binding != STANDARD.encode(self.gs2_header) {
            return Err(ScramError::ChannelBindingCheck);
        }
        if attribute(attributes.next(), "r=")? != self.nonce {
            return Err(ScramError::NonceCheck);
        }
        if attributes.any(|extension| !is_extension(extension)) {
            return Err(ScramError::Malformed);
        }

        let Verifier { stored_key, server_key, iterations: _, salt: _ } = &self.verifier;
        let transcript = [self.transcript.as_bytes(), b",", without_proof.as_bytes()];
        let signature = hmac(stored_key, &transcript);
        let mut client_key = proof;
        client_key.iter_mut().zip(signature).for_each(|(key, mask)| *key ^= mask);
        let claimed: Key = Sha256::digest(client_key).into();
        let known = Choice::from(u8::from(self.standing == Standing::Known));
        if !bool::from(claimed.ct_eq(stored_key) & known) {
            return Err(ScramError::Proof);
        }
        let reply = format!("v={}", STANDARD.encode(hmac(server_key, &transcript)));
        Ok((reply.into_bytes(), Authenticated::new(&self.user, Vec::new(), AuthMethod::Scram)))
    }
}

/// `gs2-header client-first-message-bare`, e.g. `n,,n=,r=fyko+d2lbbFgONRv9qkxdawL`.
struct ClientFirst<'a> {
    gs2_header: &'static str,
    bare: &'a str,
    nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    fn parse(message: &'a str) -> Result<Self, ScramError> {
        let (binding, rest) = message.split_once(',').ok_or(ScramError::Malformed)?;
        let gs2_header = match binding {
            "n" => "n,,",
            // "I could, but think that you cannot": right, as we do not offer -PLUS.
            "y" => "y,,",
            _ if binding.starts_with("p=") => return Err(ScramError::ChannelBinding),
            _ => return Err(ScramError::Malformed),
        };
        let (identity, bare) = rest.split_once(',').ok_or(ScramError::Malformed)?;
        if identity.starts_with("a=") {
            return Err(ScramError::AuthorizationIdentity);
        } else if !identity.is_empty() {
            return Err(ScramError::Malformed);
        } else if bare.starts_with("m=") {
            return Err(ScramError::Extension);
        }
        let mut attributes = bare.split(',');
        attribute(attributes.next(), "n=")?;
        let nonce = attribute(attributes.next(), "r=")?;
        if attributes.any(|extension| !is_extension(extension)) {
            return Err(ScramError::Malformed);
        }
        if nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ScramError::Nonce);
        }
        Ok(Self { gs2_header, bare, nonce })
    }
}

fn attribute<'a>(part: Option<&'a str>, name: &str) -> Result<&'a str, ScramError> {
    part.and_then(|part| part.strip_prefix(name)).ok_or(ScramError::Malformed)
}

/// Optional extensions are skipped if they have the shape of one: a letter, `=`, a value.
fn is_extension(part: &str) -> bool {
    matches!(part.as_bytes(), [letter, b'=', ..] if letter.is_ascii_alphabetic())
}

fn key_from_base64(text: &str) -> Option<Key> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// `Hi(SASLprep(password), salt, iterations)`: PBKDF2 with HMAC-SHA-256, one block.
fn salted_password(password: &str, salt: &[u8], iterations: u32) -> Key {
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

fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut mac = keyed(key);
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests;
