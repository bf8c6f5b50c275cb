//! Waiting until the server has answered everything, where what comes next depends on it.
//!
//! A name stands for the last making of it only if the server has accepted that: a Bind of a
//! portal's name that is taken fails, and the old portal lives on behind the next Sync. Within a
//! batch nothing needs to be known, as whatever follows a failure is ignored.
//!
//! **Invariant:** a statement runs under the decision that was made for it, whatever else was to
//! have its name.

use super::copy_in::CopyIn;
use super::frontend::Pending;
use super::{Effects, Env, Hold, Session};
use crate::wire::frontend::{Frontend, Target};
use crate::wire::write;

/// Whether a message of the client waits until everything is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Settling {
    #[default]
    No,
    Yes,
}

impl Session {
    /// Whether the message refers to a name of which it is not known yet what it stands for.
    pub(super) fn is_uncertain(&self, message: &Frontend<'_>) -> bool {
        match message {
            Frontend::Bind(bind) => self.tables.is_uncertain_statement(bind.statement),
            Frontend::Describe(Target::Statement(name)) => self.tables.is_uncertain_statement(name),
            Frontend::Describe(Target::Portal(name)) => self.tables.is_uncertain_portal(name),
            Frontend::Execute(execute) => self.tables.is_uncertain_portal(execute.portal),
            Frontend::Query(_)
            | Frontend::Parse(_)
            | Frontend::Close(_)
            | Frontend::Flush
            | Frontend::Sync
            | Frontend::Terminate
            | Frontend::CopyData(_)
            | Frontend::CopyDone
            | Frontend::CopyFail
            | Frontend::FunctionCall
            | Frontend::Password(_) => false,
        }
    }

    /// The message, `kept` or left where it is, is looked at again when everything before it is
    /// answered.
    pub(super) fn wait_until_settled(&mut self, kept: Option<Pending>, out: &mut Effects) {
        // Without it, answers may wait for a Sync that the client sends later.
        write::flush(&mut out.to_server);
        self.hold = Some(Hold::Server);
        self.after = kept;
        self.settling = Settling::Yes;
    }

    /// After each of the server's messages.
    pub(super) fn settle(&mut self, env: Env<'_>, out: &mut Effects) {
        if !self.queue.is_empty() {
            return;
        }
        // The COPY was the last that was sent, as whatever follows it waits.
        let copied = std::mem::take(&mut self.copy_in) != CopyIn::None;
        let settled = std::mem::take(&mut self.settling) == Settling::Yes;
        if settled || (copied && matches!(self.hold, Some(Hold::Server))) {
            self.go_on(env, out);
        }
    }
}
