//! What clients cancel their queries with: the process id of the database's own session and a
//! secret of ours.

use std::sync::Arc;

use dashmap::DashMap;

use crate::relay::CancelCall;

/// Bytes of the secret under protocol 3.0, which knows no other length.
const SECRET_LEN: usize = 4;
/// Bytes of the secret under protocol 3.2.
const SECRET_LEN_LONG: usize = 32;

/// A session as a CancelRequest names it.
type Key = (i32, Vec<u8>);

/// The keys of all sessions.
#[derive(Default)]
pub(super) struct Keys {
    calls: DashMap<Key, CancelCall>,
}

/// A session's key, valid until it is dropped.
pub(super) struct Issued {
    keys: Arc<Keys>,
    key: Key,
}

impl Keys {
    /// A key under which `call` can be made. The process id stays the database's: clients compare
    /// it with what `pg_backend_pid()` and notifications say.
    pub(super) fn issue(self: &Arc<Self>, pid: i32, minor: u16, call: CancelCall) -> Issued {
        let random: [u8; SECRET_LEN_LONG] = rand::random();
        let len = if minor >= 2 { SECRET_LEN_LONG } else { SECRET_LEN };
        let key = (pid, random[..len].to_vec());
        self.calls.insert(key.clone(), call);
        Issued { keys: Arc::clone(self), key }
    }

    /// The call of the session with this key.
    pub(super) fn find(&self, pid: i32, secret: Vec<u8>) -> Option<CancelCall> {
        self.calls.get(&(pid, secret)).map(|call| Arc::clone(&call))
    }
}

impl Issued {
    pub(super) fn pid(&self) -> i32 {
        self.key.0
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.key.1
    }
}

impl Drop for Issued {
    fn drop(&mut self) {
        self.keys.calls.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_good_for_its_session_and_no_longer() {
        let keys = Arc::new(Keys::default());
        let call: CancelCall = Arc::new(|| Box::pin(async {}));
        let issued = keys.issue(42, 0, call);
        let secret = issued.secret().to_vec();
        assert_eq!(secret.len(), SECRET_LEN);
        assert!(keys.find(42, secret.clone()).is_some());
        assert!(keys.find(43, secret.clone()).is_none());
        assert!(keys.find(42, vec![0; SECRET_LEN_LONG]).is_none());
        drop(issued);
        assert!(keys.find(42, secret).is_none());
    }
}
