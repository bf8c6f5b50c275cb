//! Whom a client's certificate names. That an authority of ours signed it, that it is neither
//! expired nor revoked, and that the client owns its key, was found out by the handshake.

use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::config::{CertIdentity, IdentityMap};

/// How certificates name users.
#[derive(Clone, Debug)]
pub struct Certificates {
    pub identity: CertIdentity,
    pub map: IdentityMap,
}

impl Certificates {
    /// Whether the owner of the certificate (DER) may be `user`.
    pub(super) fn allow(&self, certificate: &[u8], user: &str) -> bool {
        identities(certificate, self.identity)
            .iter()
            .any(|identity| self.map.allows(identity, user))
    }

    /// Whom the owner of the certificate (DER) may be.
    pub(super) fn owners(&self, certificate: &[u8]) -> Vec<String> {
        let identities = identities(certificate, self.identity);
        identities.iter().flat_map(|identity| self.map.users(identity)).collect()
    }
}

/// The names of that kind in the certificate; none if it cannot be read.
fn identities(certificate: &[u8], kind: CertIdentity) -> Vec<String> {
    let Ok((rest, certificate)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    if !rest.is_empty() {
        return Vec::new();
    }
    let names = match kind {
        CertIdentity::Cn => common_name(certificate.subject()).into_iter().collect(),
        CertIdentity::Dn => distinguished_name(certificate.subject()).into_iter().collect(),
        CertIdentity::SanEmail | CertIdentity::SanDns | CertIdentity::SanUri => {
            alternative_names(&certificate, kind)
        }
    };
    // A name with a zero byte has been read in two ways before (CVE-2009-4034).
    let readable = |name: &String| !name.is_empty() && !name.chars().any(char::is_control);
    names.into_iter().filter(readable).collect()
}

/// None where there are several, as nobody can say which one counts.
fn common_name(name: &X509Name<'_>) -> Option<String> {
    let mut found = name.iter_common_name();
    let only = found.next().filter(|_| found.next().is_none())?;
    only.as_str().ok().map(str::to_owned)
}

/// As RFC 4514 writes it, the last part first: `CN=alice,OU=sales,O=example`.
fn distinguished_name(name: &X509Name<'_>) -> Option<String> {
    let mut parts = Vec::new();
    for set in name.iter_rdn() {
        let pairs: Option<Vec<String>> = set.iter().map(pair).collect();
        parts.push(pairs?.join("+"));
    }
    parts.reverse();
    Some(parts.join(","))
}

fn pair(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let value = attribute.as_str().ok()?;
    let oid = attribute.attr_type().to_id_string();
    let name = match oid.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.42" => "GN",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        other => other,
    };
    Some(format!("{name}={}", escaped(value)))
}

fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (index, letter) in value.chars().enumerate() {
        let special = matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';');
        let edge = (index == 0 && matches!(letter, ' ' | '#')) || (index == last && letter == ' ');
        if special || edge {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

fn alternative_names(certificate: &X509Certificate<'_>, kind: CertIdentity) -> Vec<String> {
    let mut names = Vec::new();
    for extension in certificate.extensions() {
        let ParsedExtension::SubjectAlternativeName(found) = extension.parsed_extension() else {
            continue;
        };
        for name in &found.general_names {
            match (kind, name) {
                (CertIdentity::SanEmail, GeneralName::RFC822Name(text))
                | (CertIdentity::SanDns, GeneralName::DNSName(text))
                | (CertIdentity::SanUri, GeneralName::URI(text)) => names.push((*text).to_owned()),
                _ => {}
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair, SanType};

    use super::*;

    fn certificate(subject: &[(DnType, &str)], names: &[SanType]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), DnValue::Utf8String((*value).to_owned()));
        }
        params.subject_alt_names = names.to_vec();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_has_names_of_five_kinds() {
        let names = [
            SanType::Rfc822Name("alice@example.com".try_into().unwrap()),
            SanType::DnsName("host.example.com".try_into().unwrap()),
            SanType::DnsName("other.example.com".try_into().unwrap()),
            SanType::URI("spiffe://example.com/alice".try_into().unwrap()),
        ];
        let subject = [
            (DnType::CountryName, "CH"),
            (DnType::OrganizationName, "Example, Inc."),
            (DnType::CommonName, "alice"),
        ];
        let certificate = certificate(&subject, &names);
        for (kind, expected) in [
            (CertIdentity::Cn, &["alice"][..]),
            (CertIdentity::Dn, &["CN=alice,O=Example\\, Inc.,C=CH"]),
            (CertIdentity::SanEmail, &["alice@example.com"]),
            (CertIdentity::SanDns, &["host.example.com", "other.example.com"]),
            (CertIdentity::SanUri, &["spiffe://example.com/alice"]),
        ] {
            assert_eq!(identities(&certificate, kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn nobody_is_named_in_two_ways() {
        for name in ["alice\0.evil.org", "alice\n", ""] {
            let certificate = certificate(&[(DnType::CommonName, name)], &[]);
            assert!(identities(&certificate, CertIdentity::Cn).is_empty(), "{name:?}");
        }
        assert!(identities(&certificate(&[], &[]), CertIdentity::Cn).is_empty());
        assert!(identities(b"\x30\x03\x02\x01\x00", CertIdentity::Cn).is_empty());
        let mut longer = certificate(&[(DnType::CommonName, "alice")], &[]);
        longer.push(0);
        assert!(identities(&longer, CertIdentity::Cn).is_empty());
    }

    #[test]
    fn what_looks_like_a_part_of_a_name_is_escaped() {
        for (value, text) in [
            ("a,CN=root", "a\\,CN=root"),
            ("a+b", "a\\+b"),
            ("#1", "\\#1"),
            (" a b ", "\\ a b\\ "),
            ("\\", "\\\\"),
        ] {
            assert_eq!(escaped(value), text);
        }
    }

    #[test]
    fn the_owner_of_a_certificate_is_whom_the_map_says() {
        let certificate = certificate(&[(DnType::CommonName, "alice")], &[]);
        let plain = Certificates { identity: CertIdentity::Cn, map: IdentityMap::default() };
        assert!(plain.allow(&certificate, "alice") && !plain.allow(&certificate, "bob"));
        let other = Certificates { identity: CertIdentity::SanEmail, ..plain };
        assert!(!other.allow(&certificate, "alice"));
    }
}
