//! SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL's server speaks it, without I/O: each state is
//! consumed by the next message.
//!
//! The user's name comes from the startup packet, the one in the exchange is ignored, as in
//! PostgreSQL. Over TLS, the proof can be bound to the certificate that the client saw: with another
//! one in between, it is worth nothing. A user without a verifier gets an exchange like
//! anybody else's that fails at its end like a wrong password.

mod verifier;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

pub use verifier::{MockKey, Verifier, VerifierError};

use super::Authenticated;
use crate::config::AuthMethod;
use crate::model::SqlState;
use crate::upstream::connect::passthrough::Channel;
use verifier::{Key, hmac, key_from_base64};

/// The name of the mechanism.
pub const MECHANISM: &str = "SCRAM-SHA-256";

/// The mechanism with channel binding.
pub const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// What a client that binds the channel says first: the only type that PostgreSQL knows.
const BOUND_HEADER: &str = "p=tls-server-end-point,,";

/// PostgreSQL's default number of iterations.
pub const ITERATIONS_DEFAULT: u32 = 4096;

/// Bytes of salt in verifiers that PostgreSQL makes.
pub const SALT_LEN: usize = 16;

/// Random bytes in the server's half of the nonce.
pub const NONCE_LEN: usize = 18;

/// Why an exchange ended without proof.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScramError {
    #[error("malformed SCRAM message")]
    Malformed,
    #[error("client selected an invalid SASL authentication mechanism")]
    Mechanism,
    #[error("the client's message does not fit the mechanism that it selected")]
    ChannelBinding,
    #[error("unsupported SCRAM channel-binding type")]
    ChannelBindingType,
    /// Somebody in between took the mechanism with channel binding off the list.
    #[error("SCRAM channel binding negotiation error")]
    Downgrade,
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
            Self::Malformed
            | Self::Mechanism
            | Self::ChannelBinding
            | Self::ChannelBindingType
            | Self::Nonce
            | Self::NonceCheck => SqlState::PROTOCOL_VIOLATION,
            Self::AuthorizationIdentity | Self::Extension => SqlState::FEATURE_NOT_SUPPORTED,
            Self::Downgrade | Self::ChannelBindingCheck => SqlState::INVALID_AUTHORIZATION,
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
    /// The hash of our certificate (`tls-server-end-point`); None: channel binding is not offered.
    end_point: Option<Arc<[u8]>>,
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
    /// What the client has to repeat: its header, and the hash if it binds the channel.
    binding: Vec<u8>,
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
        let nonce = STANDARD.encode(nonce);
        Self { end_point: None, user: user.into(), verifier, standing, nonce }
    }

    /// Offers channel binding to this certificate's hash; None: none is offered.
    pub fn binding_to(self, end_point: Option<Arc<[u8]>>) -> Self {
        Self { end_point, ..self }
    }

    /// The mechanisms that are offered.
    pub fn mechanisms(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        let plus = self.end_point.as_ref().map(|_| MECHANISM_PLUS);
        plus.into_iter().chain([MECHANISM])
    }

    /// Takes the mechanism that the client selected and its client-first-message; gives the
    /// server-first-message.
    ///
    /// # Errors
    /// Anything but `Proof`.
    pub fn first(
        self,
        mechanism: &str,
        message: &[u8],
    ) -> Result<(Vec<u8>, AwaitFinal), ScramError> {
        if !self.mechanisms().any(|offered| offered == mechanism) {
            return Err(ScramError::Mechanism);
        }
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let ClientFirst { flag, bare, nonce } = ClientFirst::parse(message)?;
        let Self { end_point, user, verifier, standing, nonce: server_nonce } = self;
        let binding = match (mechanism == MECHANISM_PLUS, flag, end_point) {
            (true, Flag::Bound, Some(hash)) => [BOUND_HEADER.as_bytes(), &hash].concat(),
            (true, _, _) | (false, Flag::Bound, _) => return Err(ScramError::ChannelBinding),
            (false, Flag::Unoffered, Some(_)) => return Err(ScramError::Downgrade),
            (false, Flag::Unoffered, None) => b"y,,".to_vec(),
            (false, Flag::Unable, _) => b"n,,".to_vec(),
        };
        let nonce = format!("{nonce}{server_nonce}");
        let salt = STANDARD.encode(&verifier.salt);
        let reply = format!("r={nonce},s={salt},i={}", verifier.iterations);
        let transcript = format!("{bare},{reply}");
        let next = AwaitFinal { user, verifier, standing, nonce, binding, transcript };
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
        let expected = STANDARD.encode(&self.binding);
        if !bool::from(binding.as_bytes().ct_eq(expected.as_bytes())) {
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

/// Looks at a client-first-message that is for another server, which offers channel binding or not
/// while the client was offered none.
///
/// # Errors
/// `Downgrade` for a client that would be taken for the victim of one; `Mechanism` and
/// `ChannelBinding` for one that binds what it was not offered; what a message is that no server
/// takes.
pub(super) fn look_through(
    mechanism: &str,
    message: &[u8],
    channel: Channel,
) -> Result<(), ScramError> {
    if mechanism != MECHANISM {
        return Err(ScramError::Mechanism);
    }
    let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
    match (ClientFirst::parse(message)?.flag, channel) {
        (Flag::Bound, _) => Err(ScramError::ChannelBinding),
        (Flag::Unoffered, Channel::Bindable) => Err(ScramError::Downgrade),
        (Flag::Unoffered, Channel::Unbound) | (Flag::Unable, _) => Ok(()),
    }
}

/// What a client says of channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    /// `n`: it cannot.
    Unable,
    /// `y`: it could, but it was not offered.
    Unoffered,
    /// `p`: it does.
    Bound,
}

/// `gs2-header client-first-message-bare`, e.g. `n,,n=,r=fyko+d2lbbFgONRv9qkxdawL`.
struct ClientFirst<'a> {
    flag: Flag,
    bare: &'a str,
    nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    fn parse(message: &'a str) -> Result<Self, ScramError> {
        let (binding, rest) = message.split_once(',').ok_or(ScramError::Malformed)?;
        let flag = match binding {
            "n" => Flag::Unable,
            "y" => Flag::Unoffered,
            "p=tls-server-end-point" => Flag::Bound,
            _ if binding.starts_with("p=") => return Err(ScramError::ChannelBindingType),
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
        Ok(Self { flag, bare, nonce })
    }
}

fn attribute<'a>(part: Option<&'a str>, name: &str) -> Result<&'a str, ScramError> {
    part.and_then(|part| part.strip_prefix(name)).ok_or(ScramError::Malformed)
}

/// Optional extensions are skipped if they have the shape of one: a letter, `=`, a value.
fn is_extension(part: &str) -> bool {
    matches!(part.as_bytes(), [letter, b'=', ..] if letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests;
