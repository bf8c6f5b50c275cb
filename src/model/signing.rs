use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Digest;

/// What a public key begins with as text.
const PREFIX: &str = "ed25519:";

/// An Ed25519 public key. As text: `ed25519:` and its 32 bytes in Base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// Names a public key: the first 16 bytes of its SHA-256, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

/// An Ed25519 signature. As text: its 64 bytes in Base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

/// A private key that signs. Never printed.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Ed25519KeyPair>,
    public: PublicKey,
}

/// Text or bytes that are no key or signature.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    #[error("a public key is \"ed25519:\" and 32 bytes in Base64")]
    Public,
    #[error("a signature is 64 bytes in Base64")]
    Signature,
    #[error("not a private key for Ed25519 in PKCS#8")]
    Private,
}

impl PublicKey {
    pub fn id(&self) -> KeyId {
        let digest = Digest::of(&self.0).to_string();
        KeyId(digest[..32].to_owned())
    }

    /// Whether the holder of the private key signed exactly this message.
    pub fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, &signature.0).is_ok()
    }
}

impl SigningKey {
    /// From PKCS#8 in DER, version 1 or 2.
    ///
    /// # Errors
    /// [`KeyError::Private`] when it is anything else.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::Private)?;
        Self::of(pair)
    }

    /// From the 32 bytes that a private key consists of.
    ///
    /// # Errors
    /// None that these can give; the type is the library's.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Private)?;
        Self::of(pair)
    }

    fn of(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Private)?;
        Ok(Self { pair: Arc::new(pair), public: PublicKey(public) })
    }

    pub fn public(&self) -> PublicKey {
        self.public
    }

    pub fn sign(&self, message: &[u8]) -> Signature {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(message).as_ref());
        Signature(bytes)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(KeyError::Public)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| KeyError::Public)?;
        bytes.try_into().map(Self).map_err(|_| KeyError::Public)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Signature {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| KeyError::Signature)?;
        bytes.try_into().map(Self).map_err(|_| KeyError::Signature)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2.
    const SEED: &str = "TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=";
    const PUBLIC: &str = "ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";
    const SIGNATURE: &str = "kqAJqfDUyrhyDoILX2QlQKKye1QWUD+Ps3YiI+vbadoIWsHkPhWZbkWPNhPQ\
                             8R2MOHsurrQwKu6wDSkWErsMAA==";

    fn seed() -> [u8; 32] {
        STANDARD.decode(SEED).unwrap().try_into().unwrap()
    }

    #[test]
    fn keys_and_signatures_are_those_of_the_rfc() {
        let key = SigningKey::from_seed(&seed()).unwrap();
        assert_eq!(key.public().to_string(), PUBLIC);
        let signature = key.sign(&[0x72]);
        assert_eq!(signature.to_string(), SIGNATURE);
        let public: PublicKey = PUBLIC.parse().unwrap();
        assert_eq!(public, key.public());
        assert!(public.verifies(&[0x72], &SIGNATURE.parse().unwrap()));
        assert!(!public.verifies(&[0x73], &signature));
        let other = SigningKey::from_seed(&[7; 32]).unwrap();
        assert!(!other.public().verifies(&[0x72], &signature));
        assert_ne!(other.public().id(), public.id());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "ed25519:", &PUBLIC[8..], "ed25519:AAAA"] {
            assert_eq!(text.parse::<PublicKey>(), Err(KeyError::Public), "{text}");
        }
        assert_eq!("AAAA".parse::<Signature>(), Err(KeyError::Signature));
        assert_eq!(SigningKey::from_pkcs8(b"none").unwrap_err(), KeyError::Private);
        assert!(!format!("{:?}", SigningKey::from_seed(&seed()).unwrap()).contains(&SEED[..4]));
    }
}
