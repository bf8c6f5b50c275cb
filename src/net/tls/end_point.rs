//! What SCRAM binds a login to: `tls-server-end-point` of RFC 5929.

use sha2::{Digest, Sha256, Sha384, Sha512};

// SEQUENCE and OBJECT IDENTIFIER of DER.
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

// PKCS #1 (1.2.840.113549.1.1.*) and ECDSA (1.2.840.10045.4.*) as DER has them.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];

/// The hash of a certificate (DER) by the hash of its own signature, SHA-256 in the place of MD5 and
/// SHA-1. None where the signature names no such hash (Ed25519, RSA-PSS): PostgreSQL offers no
/// channel binding with these either.
pub fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = signature_algorithm(certificate)?;
    let sha256 = || Some(Sha256::digest(certificate).to_vec());
    let sha384 = || Some(Sha384::digest(certificate).to_vec());
    let sha512 = || Some(Sha512::digest(certificate).to_vec());
    if let Some(last) = algorithm.strip_prefix(RSA) {
        return match last {
            // md5, sha1, sha256
            [4 | 5 | 11] => sha256(),
            [12] => sha384(),
            [13] => sha512(),
            _ => None,
        };
    }
    match algorithm.strip_prefix(ECDSA) {
        Some([2]) => sha256(),
        Some([3]) => sha384(),
        Some([4]) => sha512(),
        Some(_) => None,
        None => {
            if algorithm == ECDSA_SHA1 {
                sha256()
            } else {
                None
            }
        }
    }
}

/// The identifier in `Certificate ::= SEQUENCE { tbs SEQUENCE, SEQUENCE { algorithm OID … } … }`.
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (inside, _) = element(certificate, SEQUENCE)?;
    let (_, after_tbs) = element(inside, SEQUENCE)?;
    let (algorithm, _) = element(after_tbs, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    Some(identifier)
}

/// Content of the element of that tag at the start of `bytes`, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (len, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (len, rest) = match usize::from(*len) {
        short @ 0..=0x7f => (short, rest),
        // More than four bytes of length is no certificate.
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(long - 0x80)?;
            (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    const LOCALHOST: &[u8] = include_bytes!("../../auth/login/tests/localhost.crt");

    /// A certificate with nothing in it but its signature's algorithm.
    fn signed_with(identifier: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| {
            let len = u8::try_from(content.len()).unwrap();
            [&[tag, len], content].concat()
        };
        let algorithm = wrap(SEQUENCE, &wrap(OBJECT_IDENTIFIER, identifier));
        wrap(SEQUENCE, &[wrap(SEQUENCE, b""), algorithm].concat())
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        let rsa = |last: u8| signed_with(&[RSA, &[last]].concat());
        let ecdsa = |last: u8| signed_with(&[ECDSA, &[last]].concat());
        for (certificate, len) in [
            (rsa(4), Some(32)),
            (rsa(5), Some(32)),
            (rsa(11), Some(32)),
            (rsa(12), Some(48)),
            (rsa(13), Some(64)),
            (rsa(10), None),
            (signed_with(ECDSA_SHA1), Some(32)),
            (ecdsa(2), Some(32)),
            (ecdsa(3), Some(48)),
            (ecdsa(4), Some(64)),
            (signed_with(&[0x2b, 0x65, 0x70]), None),
            (b"\x30\x03\x30".to_vec(), None),
            (b"\x30\x85\0\0\0\0\0".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(end_point(&certificate).map(|hash| hash.len()), len, "{certificate:02x?}");
        }
        let real = CertificateDer::from_pem_slice(LOCALHOST).unwrap();
        assert_eq!(end_point(&real), Some(Sha256::digest(&real).to_vec()));
    }
}
