//! TLS settings from PEM.

mod end_point;
mod toward;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

pub use end_point::end_point;
pub use toward::{OwnCertificate, ServerCertificate, client_config, system_roots};

/// The name of PostgreSQL's protocol in ALPN. A client that offers other protocols only is not
/// talking to us (cross-protocol attacks).
pub const ALPN: &[u8] = b"postgresql";

/// What is wrong with certificates or keys.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{what}: {source}")]
    Pem { what: &'static str, source: rustls::pki_types::pem::Error },
    #[error("{0} holds no certificate")]
    Empty(&'static str),
    #[error("there is no {0} in it")]
    Nothing(&'static str),
    #[error("certificate authority: {0}")]
    Authority(rustls::client::VerifierBuilderError),
    #[error("the system trusts no certificate authority")]
    NoSystemRoots,
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// What the proxy asks of its clients' certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates<'a> {
    Ignored,
    /// Whoever shows one has to show one that these authorities (PEM) signed and that none of
    /// these lists (PEM) revokes.
    Verified {
        authorities: &'a [u8],
        revoked: Option<&'a [u8]>,
    },
}

/// Settings for accepting clients.
///
/// # Errors
/// PEM that cannot be read, a key that does not belong to the certificate.
pub fn server_config(
    certificates_pem: &[u8],
    key_pem: &[u8],
    clients: ClientCertificates<'_>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates("certificate", certificates_pem)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem)
        .map_err(|source| TlsError::Pem { what: "private key", source })?;
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match clients {
        ClientCertificates::Ignored => builder.with_no_client_auth(),
        ClientCertificates::Verified { authorities, revoked } => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots(authorities)?, provider())
                    .allow_unauthenticated();
            // As in PostgreSQL, every authority of the chain needs a list, and a list that is out
            // of date proves nothing.
            let verifier = match revoked {
                None => verifier,
                Some(pem) => verifier.with_crls(revocations(pem)?).enforce_revocation_expiration(),
            };
            builder.with_client_cert_verifier(verifier.build().map_err(TlsError::Authority)?)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // As in PostgreSQL: a resumed session would be somebody whose certificate was looked at long
    // ago, and may have expired since.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// The hash of the first certificate (PEM), to which clients can bind their logins.
///
/// # Errors
/// PEM that cannot be read.
pub fn end_point_of(certificates_pem: &[u8]) -> Result<Option<Vec<u8>>, TlsError> {
    let chain = certificates("certificate", certificates_pem)?;
    Ok(chain.first().and_then(|certificate| end_point(certificate)))
}

/// When the first of these certificates (PEM) that ends does so, in seconds since 1970; None where
/// a certificate cannot be read.
///
/// # Errors
/// PEM that cannot be read.
pub fn end_of(certificates_pem: &[u8]) -> Result<Option<i64>, TlsError> {
    let ends = certificates("certificate", certificates_pem)?
        .iter()
        .map(|der| {
            let (_, certificate) = X509Certificate::from_der(der).ok()?;
            Some(certificate.validity().not_after.timestamp())
        })
        .collect::<Option<Vec<i64>>>();
    Ok(ends.and_then(|ends| ends.into_iter().min()))
}

fn revocations(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let what = "revocation list";
    let lists = CertificateRevocationListDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::Pem { what, source })?;
    if lists.is_empty() { Err(TlsError::Nothing(what)) } else { Ok(lists) }
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::Pem { what, source })?;
    if chain.is_empty() { Err(TlsError::Empty(what)) } else { Ok(chain) }
}

/// The authorities of a PEM file.
///
/// # Errors
/// PEM that cannot be read, or holds none.
pub fn roots(pem: &[u8]) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates("certificate authority", pem)? {
        roots.add(authority)?;
    }
    Ok(Arc::new(roots))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_chain_is_the_first_end_in_it() {
        let made = |year| {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            params.self_signed(&key).unwrap().pem()
        };
        let chain = format!("{}{}", made(2041), made(2040));
        assert_eq!(end_of(chain.as_bytes()).unwrap(), Some(2_208_988_800));
        assert!(end_of(b"nothing").is_err());
    }

    #[test]
    fn no_session_is_resumed_on_the_word_of_an_earlier_handshake() {
        let cert = include_bytes!("../auth/login/tests/localhost.crt");
        let key = include_bytes!("../auth/login/tests/localhost.key");
        let clients = ClientCertificates::Verified { authorities: cert, revoked: None };
        let config = server_config(cert, key, clients).unwrap();
        assert!(!config.session_storage.can_cache() && !config.ticketer.enabled());
        assert_eq!(config.send_tls13_tickets, 0);
    }
}
