//! TLS settings for asking servers that are not databases: directories, identity providers. Their
//! certificates are always verified.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::tls::{TlsError, provider, roots};

/// Settings that trust these authorities (PEM), or else those of the system, where there are any.
///
/// # Errors
/// PEM that cannot be read.
pub fn trusting(authorities: Option<&[u8]>) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = match authorities {
        Some(pem) => roots(pem)?,
        None => system_roots(),
    };
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Single certificates that cannot be read are left out, as OpenSSL does.
fn system_roots() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
}
