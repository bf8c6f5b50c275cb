//! How clients log in: rules with all that their methods need, and the TLS of the ports.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::identity::Identity;
use crate::auth::Credentials;
use crate::auth::rules::{Method, Rule, Tls};
use crate::auth::scram::{ITERATIONS_DEFAULT, MockKey, SALT_LEN, Verifier};
use crate::config::{AuthMethod, Config, Credential, LoginWhen, TlsConfig, TlsDemand, UserConfig};
use crate::net::tls::{ClientCertificates, server_config};

/// The rules in order; `auth` of `[data]` where there are none.
pub(super) fn rules(
    config: &Config,
    mock_key: &MockKey,
    identity: &Identity,
) -> Result<Vec<Rule>, String> {
    let mut methods = Methods { config, mock_key, identity, credentials: None };
    if config.logins.is_empty() {
        let method = methods.make(config.data.auth)?;
        return Ok(vec![Rule { when: LoginWhen::default(), method }]);
    }
    let mut list = Vec::new();
    for login in &config.logins {
        let method =
            methods.make(login.method).map_err(|error| format!("{}: {error}", login.place))?;
        list.push(Rule { when: login.when.clone(), method });
    }
    Ok(list)
}

/// The groups of the configured users.
pub(super) fn groups(config: &Config) -> HashMap<String, Arc<[String]>> {
    config.users.iter().map(|user| (user.name.clone(), user.groups.clone().into())).collect()
}

/// Makes methods; what several rules share is made once.
struct Methods<'a> {
    config: &'a Config,
    mock_key: &'a MockKey,
    identity: &'a Identity,
    credentials: Option<Arc<Credentials>>,
}

impl Methods<'_> {
    fn make(&mut self, method: AuthMethod) -> Result<Method, String> {
        match method {
            AuthMethod::Scram => self.credentials().map(Method::Scram),
            AuthMethod::Ldap => self.identity.directory().map(Method::Ldap),
            AuthMethod::Oidc => self.identity.issuer().map(Method::Oidc),
            AuthMethod::OauthBearer => self.identity.issuer().map(Method::OauthBearer),
            AuthMethod::Trust => Ok(Method::Trust),
            AuthMethod::Reject => Ok(Method::Reject),
            AuthMethod::Cert | AuthMethod::Passthrough | AuthMethod::Peer => {
                Err(format!("method \"{}\" is not supported yet", method.as_str()))
            }
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
        let made = Arc::new(Credentials::new(verifiers, self.mock_key.clone()));
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

pub(super) fn tls(config: Option<&TlsConfig>) -> Result<Tls, String> {
    let Some(TlsConfig { cert, key, client_ca, demand }) = config else {
        return Ok(Tls::Off);
    };
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let (cert_pem, key_pem) = (read(cert)?, read(key)?);
    let authority = client_ca.as_deref().map(read).transpose()?;
    let clients = match &authority {
        Some(pem) => ClientCertificates::Verified(pem),
        None => ClientCertificates::Ignored,
    };
    let settings = server_config(&cert_pem, &key_pem, clients)
        .map_err(|error| format!("{}: {error}", cert.display()))?;
    Ok(match demand {
        TlsDemand::Prefer => Tls::Prefer(settings),
        TlsDemand::Require => Tls::Require(settings),
    })
}
