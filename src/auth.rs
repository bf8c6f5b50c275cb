//! Who is at the other end: the client's login, up to the moment when the database can be asked.

pub mod bearer;
pub mod certificate;
pub mod ldap;
pub mod login;
pub mod oidc;
pub mod password;
mod peer;
pub mod rules;
pub mod scram;
pub mod session;
pub mod throttle;
pub mod token;

use std::collections::HashMap;
use std::sync::Arc;

use scram::{MockKey, Verifier};
use throttle::{Clock, Throttle};

use crate::config::AuthMethod;
use crate::model::{Secret, Timestamp, User};

/// Proof that somebody is who they say. It can only come out of a login.
#[derive(Clone, Debug)]
pub struct Authenticated {
    user: Arc<str>,
    groups: Arc<[String]>,
    proof: Proof,
    until: Option<Timestamp>,
    /// What is left of the user's roles; None: all of them.
    roles: Option<Arc<[String]>>,
}

/// How somebody was proven to be who they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Login(AuthMethod),
    /// A `[[token]]` of the configuration.
    Token,
}

impl Authenticated {
    /// `groups` are those that the login brought, beside any that the configuration gives.
    fn new(user: &str, groups: Vec<String>, method: AuthMethod) -> Self {
        let proof = Proof::Login(method);
        Self { user: user.into(), groups: groups.into(), proof, until: None, roles: None }
    }

    /// A machine that acts as `user`, with these roles of theirs at most.
    fn machine(user: &str, roles: Arc<[String]>, until: Timestamp) -> Self {
        let (groups, proof) = (Arc::new([]), Proof::Token);
        Self { user: user.into(), groups, proof, until: Some(until), roles: Some(roles) }
    }

    /// The proof does not hold for longer.
    fn ending(self, until: Option<Timestamp>) -> Self {
        Self { until, ..self }
    }

    /// The name that was proven: the one in the client's startup packet.
    pub fn user(&self) -> &Arc<str> {
        &self.user
    }

    /// The groups that the login itself brought.
    pub fn groups(&self) -> &Arc<[String]> {
        &self.groups
    }

    /// When the session has to end; None: the login says nothing of that.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// How it was proven, in the word of the records.
    pub fn method(&self) -> &'static str {
        match self.proof {
            Proof::Login(method) => method.as_str(),
            Proof::Token => token::METHOD,
        }
    }

    /// Of `user`, whom this login is about, what the login leaves them.
    pub fn narrow(&self, user: User) -> User {
        let Some(left) = &self.roles else { return user };
        let roles = user.roles.iter().filter(|role| left.contains(role)).cloned().collect();
        User { roles, ..user }
    }

    /// Whether the login is enough to be somebody, as another place keeps the list of people: a
    /// directory, an authority, the database. Otherwise only whom the configuration names is.
    pub fn proves_person(&self) -> bool {
        match self.proof {
            Proof::Login(
                AuthMethod::Cert
                | AuthMethod::Ldap
                | AuthMethod::Oidc
                | AuthMethod::OauthBearer
                | AuthMethod::Passthrough,
            ) => true,
            Proof::Token
            | Proof::Login(
                AuthMethod::Scram | AuthMethod::Peer | AuthMethod::Trust | AuthMethod::Reject,
            ) => false,
        }
    }
}

/// What outlives a configuration.
#[derive(Clone)]
pub struct Lasting {
    pub mock_key: MockKey,
    pub clock: Clock,
    pub throttle: Arc<Throttle>,
}

impl Lasting {
    /// `random` has to come from a cryptographic generator.
    pub fn new(random: [u8; 32], clock: Clock) -> Self {
        let throttle = Arc::new(Throttle::new(Arc::clone(&clock)));
        Self { mock_key: MockKey::new(random), clock, throttle }
    }
}

/// The verifiers of everybody who may log in with a password.
#[derive(Clone, Debug)]
pub struct Credentials {
    verifiers: HashMap<String, Verifier>,
    mock_key: MockKey,
}

impl Credentials {
    pub fn new(verifiers: HashMap<String, Verifier>, mock_key: MockKey) -> Self {
        Self { verifiers, mock_key }
    }

    /// Opens an exchange for `user`, known or not.
    fn scram(&self, user: &str, nonce: [u8; scram::NONCE_LEN]) -> scram::ScramServer {
        scram::ScramServer::new(user, self.verifiers.get(user), &self.mock_key, nonce)
    }

    /// Somebody whose password came in clear. Takes as long for those who are not known.
    fn check(&self, user: &str, password: &Secret) -> Option<Authenticated> {
        let known = self.verifiers.get(user);
        let verifier = known.cloned().unwrap_or_else(|| Verifier::mock(&self.mock_key, user));
        (verifier.fits(password) && known.is_some())
            .then(|| Authenticated::new(user, Vec::new(), AuthMethod::Scram))
    }
}
