//! TLS settings from PEM.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};

/// The name of PostgreSQL's protocol in ALPN. A client that offers other protocols only is not
/// talking to us (cross-protocol attacks).
const ALPN: &[u8] = b"postgresql";

/// What is wrong with certificates or keys.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{what}: {source}")]
    Pem { what: &'static str, source: rustls::pki_types::pem::Error },
    #[error("{0} holds no certificate")]
    Empty(&'static str),
    #[error("certificate authority: {0}")]
    Authority(rustls::client::VerifierBuilderError),
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// What the proxy asks of its clients' certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates<'a> {
    Ignored,
    /// Whoever shows one has to show one that these authorities (PEM) signed.
    Verified(&'a [u8]),
    /// Without one that these authorities (PEM) signed there is no handshake.
    Required(&'a [u8]),
}

/// What the proxy asks of the database's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerCertificate<'a> {
    /// Encrypts only, as libpq's `require` without a root certificate does: whoever sits in
    /// between can read along.
    Unverified,
    /// Signed by one of these authorities (PEM), for the name or address that was asked for:
    /// libpq's `verify-full`.
    Verified(&'a [u8]),
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
    let verifier = |pem| {
        Ok::<_, TlsError>(WebPkiClientVerifier::builder_with_provider(roots(pem)?, provider()))
    };
    let builder = match clients {
        ClientCertificates::Ignored => builder.with_no_client_auth(),
        ClientCertificates::Verified(pem) => builder.with_client_cert_verifier(
            verifier(pem)?.allow_unauthenticated().build().map_err(TlsError::Authority)?,
        ),
        ClientCertificates::Required(pem) => {
            builder.with_client_cert_verifier(verifier(pem)?.build().map_err(TlsError::Authority)?)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

/// Settings for connecting to the database.
///
/// # Errors
/// PEM that cannot be read.
pub fn client_config(server: ServerCertificate<'_>) -> Result<Arc<ClientConfig>, TlsError> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let verifier: Arc<dyn ServerCertVerifier> = match server {
        ServerCertificate::Unverified => Arc::new(EncryptOnly { provider: provider() }),
        ServerCertificate::Verified(pem) => {
            WebPkiServerVerifier::builder_with_provider(roots(pem)?, provider())
                .build()
                .map_err(TlsError::Authority)?
        }
    };
    let mut config =
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
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

pub(super) fn roots(pem: &[u8]) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates("certificate authority", pem)? {
        roots.add(authority)?;
    }
    Ok(Arc::new(roots))
}

/// Takes any certificate, but checks that the peer owns it.
#[derive(Debug)]
struct EncryptOnly {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for EncryptOnly {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
