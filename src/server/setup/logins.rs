//! How clients log in: rules with all that their methods need, and the TLS of the ports.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::identity::Identity;
use crate::auth::certificate::Certificates;
use crate::auth::rules::{Method, Rule, Tls};
use crate::auth::scram::{ITERATIONS_DEFAULT, SALT_LEN, Verifier};
use crate::auth::token::MachineToken;
use crate::auth::{Credentials, Lasting};
use crate::config::{
    AuthMethod, CertIdentity, Config, Credential, IdentityMap, LoginWhen, TlsConfig, TlsDemand,
    TokenConfig, UserConfig,
};
use crate::net::tls::{ClientCertificates, TlsError, end_of, end_point_of, server_config};

/// The rules in order; `auth` of `[data]` where there are none.
pub(super) fn rules(
    config: &Config,
    lasting: &Lasting,
    identity: &Identity,
) -> Result<Vec<Rule>, String> {
    let mut methods = Methods { config, lasting, identity, credentials: None };
    if config.logins.is_empty() {
        let method = methods.make(config.data.auth, CertIdentity::Cn, &IdentityMap::default())?;
        return Ok(vec![Rule { when: LoginWhen::default(), method }]);
    }
    let mut list = Vec::new();
    for login in &config.logins {
        let method = methods
            .make(login.method, login.cert_identity, &login.map)
            .map_err(|error| format!("{}: {error}", login.place))?;
        list.push(Rule { when: login.when.clone(), method });
    }
    Ok(list)
}

/// The groups of the configured users.
pub(super) fn groups(config: &Config) -> HashMap<String, Arc<[String]>> {
    config.users.iter().map(|user| (user.name.clone(), user.groups.clone().into())).collect()
}

/// The tokens of machines.
pub(super) fn tokens(config: &Config) -> Arc<[MachineToken]> {
    let token = |token: &TokenConfig| MachineToken {
        name: token.name.clone(),
        digest: token.digest,
        user: token.user.as_str().into(),
        roles: token.roles.iter().map(|role| role.as_str().to_owned()).collect(),
        expires: token.expires,
    };
    config.tokens.iter().map(token).collect()
}

/// Makes methods; what several rules share is made once.
struct Methods<'a> {
    config: &'a Config,
    lasting: &'a Lasting,
    identity: &'a Identity,
    credentials: Option<Arc<Credentials>>,
}

impl Methods<'_> {
    fn make(
        &mut self,
        method: AuthMethod,
        name: CertIdentity,
        map: &IdentityMap,
    ) -> Result<Method, String> {
        match method {
            AuthMethod::Scram => self.credentials().map(Method::Scram),
            AuthMethod::Ldap => self.identity.directory().map(Method::Ldap),
            AuthMethod::Oidc => self.identity.issuer().map(Method::Oidc),
            AuthMethod::OauthBearer => self.identity.issuer().map(Method::OauthBearer),
            AuthMethod::Cert => {
                let map = map.clone();
                Ok(Method::Cert(Arc::new(Certificates { identity: name, map })))
            }
            AuthMethod::Peer => Ok(Method::Peer(Arc::new(map.clone()))),
            AuthMethod::Passthrough => Ok(Method::Passthrough),
            AuthMethod::Trust => Ok(Method::Trust),
            AuthMethod::Reject => Ok(Method::Reject),
        }
    }

    fn credentials(&mut self) -> Result<Arc<Credentials>, String> {
        if let Some(made) = &self.credentials {
            return Ok(Arc::clone(made));
        }
        let mut verifiers = HashMap::new();
        for user in &self.config.users {
            if let Some(verifier) = verifier(user)? {
                verifiers.insert(user.name.clone(), verifier);
            }
        }
        let made = Arc::new(Credentials::new(verifiers, self.lasting.mock_key.clone()));
        self.credentials = Some(Arc::clone(&made));
        Ok(made)
    }
}

fn verifier(user: &UserConfig) -> Result<Option<Verifier>, String> {
    match &user.credential {
        None => Ok(None),
        Some(Credential::Password(password)) => {
            let salt: [u8; SALT_LEN] = rand::random();
            Ok(Some(Verifier::from_password(password, &salt, ITERATIONS_DEFAULT)))
        }
        Some(Credential::ScramVerifier(text)) => Verifier::parse(text.expose())
            .map(Some)
            .map_err(|error| format!("{}: scram of user \"{}\": {error}", user.place, user.name)),
    }
}

/// The TLS of the ports.
pub(super) struct Encryption {
    pub(super) tls: Tls,
    /// The hash of the certificate, to which logins can be bound.
    pub(super) end_point: Option<Arc<[u8]>>,
    /// When the certificate, or one that vouches for it, ends, in seconds since 1970.
    pub(super) end: Option<i64>,
}

/// Reads certificates and keys.
pub(super) fn tls(config: Option<&TlsConfig>) -> Result<Encryption, String> {
    let Some(TlsConfig { cert, key, client_ca, crl, demand }) = config else {
        return Ok(Encryption { tls: Tls::Off, end_point: None, end: None });
    };
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let (cert_pem, key_pem) = (read(cert)?, read(key)?);
    let authority = client_ca.as_deref().map(read).transpose()?;
    let revoked = crl.as_deref().map(read).transpose()?;
    let clients = match &authority {
        Some(pem) => ClientCertificates::Verified { authorities: pem, revoked: revoked.as_deref() },
        None => ClientCertificates::Ignored,
    };
    let at_cert = |error: TlsError| format!("{}: {error}", cert.display());
    let settings = server_config(&cert_pem, &key_pem, clients).map_err(at_cert)?;
    let end_point = end_point_of(&cert_pem).map_err(at_cert)?.map(Arc::from);
    let end = end_of(&cert_pem).map_err(at_cert)?;
    let tls = match demand {
        TlsDemand::Prefer => Tls::Prefer(settings),
        TlsDemand::Require => Tls::Require(settings),
    };
    Ok(Encryption { tls, end_point, end })
}
