//! Certificates of the tests' own.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// What a certificate says.
pub(crate) struct Leaf<'a> {
    /// Common name, and the DNS name of a server.
    pub(crate) name: &'a str,
    pub(crate) usage: ExtendedKeyUsagePurpose,
    pub(crate) expired: bool,
}

/// PEM.
pub(crate) struct Issued {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl<'a> Leaf<'a> {
    pub(crate) fn server(name: &'a str) -> Self {
        Self { name, usage: ExtendedKeyUsagePurpose::ServerAuth, expired: false }
    }

    pub(crate) fn client(name: &'a str) -> Self {
        Self { name, usage: ExtendedKeyUsagePurpose::ClientAuth, expired: false }
    }
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn issue(&self, leaf: Leaf<'_>) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([leaf.name.to_owned()]).expect("a good name");
        params.distinguished_name.push(DnType::CommonName, leaf.name);
        params.extended_key_usages = vec![leaf.usage];
        if leaf.expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let cert = params.signed_by(&key, &self.issuer).expect("signed").pem();
        Issued { cert, key: key.serialize_pem() }
    }
}
