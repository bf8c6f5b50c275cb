//! TLS towards the database.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor as verify_signed;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{ALPN, TlsError, certificates, provider};

/// What the proxy asks of the database's certificate.
#[derive(Clone, Debug)]
pub enum ServerCertificate {
    /// Encrypts only, as libpq's `require` without a root certificate does: whoever sits in
    /// between can read along.
    Unverified,
    /// Signed by one of these authorities, for whomever: libpq's `verify-ca`.
    Signed(Arc<RootCertStore>),
    /// Signed by one of these authorities, for the name or address that was asked for: libpq's
    /// `verify-full`.
    Verified(Arc<RootCertStore>),
}

/// What the proxy shows when the database asks for a certificate: PEM.
#[derive(Clone, Copy)]
pub struct OwnCertificate<'a> {
    pub chain: &'a [u8],
    pub key: &'a [u8],
}

/// The authorities that the operating system trusts.
///
/// # Errors
/// If it trusts none.
pub fn system_roots() -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "a certificate authority of the system cannot be read");
    }
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 { Err(TlsError::NoSystemRoots) } else { Ok(Arc::new(roots)) }
}

/// Settings for connecting to the database.
///
/// # Errors
/// PEM that cannot be read, a key that does not belong to the certificate.
pub fn client_config(
    server: ServerCertificate,
    own: Option<OwnCertificate<'_>>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let verifier: Arc<dyn ServerCertVerifier> = match server {
        ServerCertificate::Unverified => Arc::new(AnyName { provider: provider(), roots: None }),
        ServerCertificate::Signed(roots) => {
            Arc::new(AnyName { provider: provider(), roots: Some(roots) })
        }
        ServerCertificate::Verified(roots) => {
            WebPkiServerVerifier::builder_with_provider(roots, provider())
                .build()
                .map_err(TlsError::Authority)?
        }
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(OwnCertificate { chain, key }) => {
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|source| TlsError::Pem { what: "private key", source })?;
            builder.with_client_auth_cert(certificates("certificate", chain)?, key)?
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

/// Asks for no name; for a signature by an authority if there are any; and always that the peer
/// owns the certificate.
#[derive(Debug)]
struct AnyName {
    provider: Arc<CryptoProvider>,
    roots: Option<Arc<RootCertStore>>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let algorithms = self.provider.signature_verification_algorithms.all;
            let parsed = ParsedCertificate::try_from(end_entity)?;
            verify_signed(&parsed, roots, intermediates, now, algorithms)?;
        }
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
