//! What signing in over HTTP needs of the process.

use std::sync::Arc;

use super::desk::Source;
use super::pace::Pace;
use crate::auth::bearer::Known;
use crate::auth::session::{Lasting, Sessions};
use crate::auth::token::MachineToken;
use crate::config::RequestLimits;

/// Shared by all connections.
pub struct SignIn {
    pub sessions: Sessions,
    pub pace: Pace,
    /// What holds now.
    pub terms: Source<Terms>,
}

/// What the configuration says of signing in.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How long somebody stays signed in.
    pub lasting: Lasting,
    pub requests: RequestLimits,
    /// Where people find the console; None: nobody said.
    pub console_url: Option<String>,
    pub tokens: Arc<[MachineToken]>,
}

impl SignIn {
    pub fn new(sessions: Sessions, terms: Source<Terms>) -> Self {
        Self { sessions, pace: Pace::default(), terms }
    }

    /// The tokens that count.
    pub(super) fn known<'a>(&'a self, terms: &'a Terms) -> Known<'a> {
        Known { tokens: &terms.tokens, sessions: &self.sessions, lasting: terms.lasting }
    }
}
