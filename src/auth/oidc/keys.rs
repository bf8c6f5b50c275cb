//! An issuer's public keys (JWK Set, RFC 7517).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;
use serde_json::Value;

use crate::config::Algorithm;

/// Keys beyond these are not kept: an issuer has a few.
const KEYS_MAX: usize = 100;

/// A public key that may check signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The only algorithm that it is for, if the issuer says so.
    algorithm: Option<String>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Points, uncompressed.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The document is no key set.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a JSON Web Key Set")]
pub(super) struct KeySetError;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can check signatures; the others are left out, as RFC 7517 (5) asks for.
pub(super) fn read_set(document: &[u8]) -> Result<Vec<Key>, KeySetError> {
    let Document { keys } = serde_json::from_slice(document).map_err(|_| KeySetError)?;
    let known = keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
    Ok(known.filter_map(Key::read).take(KEYS_MAX).collect())
}

impl Key {
    fn read(jwk: Jwk) -> Option<Self> {
        let Jwk { kty, kid, alg, used_for, key_ops, crv, n, e, x, y } = jwk;
        let for_signatures = used_for.is_none_or(|used_for| used_for == "sig");
        let may_verify = key_ops.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !for_signatures || !may_verify {
            return None;
        }
        let material = match (kty.as_str(), crv.as_deref()) {
            ("RSA", _) => Material::Rsa { n: number(n)?, e: number(e)? },
            ("EC", Some("P-256")) => Material::P256(point(32, x, y)?),
            ("EC", Some("P-384")) => Material::P384(point(48, x, y)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(x)?),
            // Other curves, and symmetric keys, which would let whoever reads the set sign.
            (_, _) => return None,
        };
        Some(Self { id: kid, algorithm: alg, material })
    }

    /// Whether it could have made such a signature: an algorithm goes with its own kind of key
    /// only, or a public key could serve as a secret that everybody knows.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        let meant = self.algorithm.as_ref().is_none_or(|own| own == algorithm.as_str());
        meant && self.method(algorithm).is_some()
    }

    pub(super) fn has_signed(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let Some(method) = self.method(algorithm).filter(|_| self.fits(algorithm)) else {
            return false;
        };
        match method {
            Method::Rsa(parameters, n, e) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            Method::Curve(curve, point) => {
                UnparsedPublicKey::new(curve, point).verify(message, signature).is_ok()
            }
        }
    }

    fn method(&self, algorithm: Algorithm) -> Option<Method<'_>> {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match (&self.material, algorithm) {
            (Material::Rsa { n, e }, algorithm) => {
                let parameters = match algorithm {
                    Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    Ps256 => &RSA_PSS_2048_8192_SHA256,
                    Ps384 => &RSA_PSS_2048_8192_SHA384,
                    Ps512 => &RSA_PSS_2048_8192_SHA512,
                    Es256 | Es384 | EdDsa => return None,
                };
                Some(Method::Rsa(parameters, n, e))
            }
            (Material::P256(point), Es256) => Some(Method::Curve(&ECDSA_P256_SHA256_FIXED, point)),
            (Material::P384(point), Es384) => Some(Method::Curve(&ECDSA_P384_SHA384_FIXED, point)),
            (Material::Ed25519(point), EdDsa) => Some(Method::Curve(&ED25519, point)),
            (Material::P256(_) | Material::P384(_) | Material::Ed25519(_), _) => None,
        }
    }
}

/// How to check a signature, with the key for it.
enum Method<'k> {
    Rsa(&'static RsaParameters, &'k [u8], &'k [u8]),
    Curve(&'static dyn VerificationAlgorithm, &'k [u8]),
}

fn bytes(text: Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

/// Without leading zeros, which some issuers write and ring does not take.
fn number(text: Option<String>) -> Option<Vec<u8>> {
    let bytes = bytes(text)?;
    let first = bytes.iter().position(|&byte| byte != 0)?;
    Some(bytes[first..].to_vec())
}

/// SEC 1's uncompressed form.
fn point(len: usize, x: Option<String>, y: Option<String>) -> Option<Vec<u8>> {
    let (x, y) = (bytes(x)?, bytes(y)?);
    (x.len() == len && y.len() == len).then(|| [&[4], &x[..], &y[..]].concat())
}
