//! Who is at the other end: the client's login, up to the moment when the database can be asked.

pub mod login;
pub mod scram;

use std::collections::HashMap;
use std::sync::Arc;

use scram::{MockKey, Verifier};

/// Proof that somebody is who they say. It can only come out of a login.
#[derive(Debug)]
pub struct Authenticated {
    user: Arc<str>,
}

impl Authenticated {
    /// The name that was proven, exactly as the client gave it.
    pub fn user(&self) -> &Arc<str> {
        &self.user
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
}
