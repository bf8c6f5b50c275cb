//! Sessions on the control port: a signed token says who signed in, how, and until when. Nothing is
//! kept of it here, so a restart signs nobody out, and proxies that share the key share sessions.
//!
//! It proves a login and nothing else: who the user is, with which roles, is looked up at each use,
//! and it counts only where the login would be asked for in the same way again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Authenticated, Proof};
use crate::config::AuthMethod;
use crate::model::{Secret, Timestamp};
use crate::store::signed_out::{SESSION_ID_LEN, SessionId, SignedOut, SignedOutError};

/// What records call a session that is refused.
pub const METHOD: &str = "session";

/// What whoever shows a session is told that was signed out.
pub const SIGNED_OUT: &str = "The session was signed out.";

/// What a session's token begins with.
pub const PREFIX: &str = "khs_";

/// Bytes of the key.
pub const KEY_LEN: usize = 32;

/// Bytes of the longest token: browsers keep cookies of 4,096, name and attributes among them.
const TOKEN_LEN_MAX: usize = 3_800;

/// By how much the clocks of proxies that share sessions may differ.
const LEEWAY: Duration = Duration::from_secs(60);

/// How old the token of a session in use gets before it is made anew.
const RENEWAL: Duration = Duration::from_secs(30);

// What the key signs, each in words of its own, so that nothing that is signed as one can be shown
// as another.
const SESSION: &[u8] = b"keyhole session 1\0";
const FORM: &[u8] = b"keyhole form 1\0";
const FLOW: &[u8] = b"keyhole sign-in 1\0";

/// For how long sessions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting {
    /// From their begin.
    pub life: Duration,
    /// Without use, where a browser keeps them; None: that does not matter.
    pub idle: Option<Duration>,
}

/// Who keeps a session's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// Somebody may leave it open, so it ends when it is not used.
    Browser,
    Program,
}

/// Makes sessions and knows them again.
pub struct Sessions {
    key: [u8; KEY_LEN],
    signed_out: SignedOut,
}

/// Somebody's session.
#[derive(Clone, Debug)]
pub struct Session {
    id: SessionId,
    authenticated: Authenticated,
    method: AuthMethod,
    issued: Timestamp,
    expires: Timestamp,
    /// When it was used last, as far as its token says; None: that does not matter.
    used: Option<Timestamp>,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("not a session of this proxy")]
    Unknown,
    #[error("the session of this user has expired")]
    Expired { user: Arc<str> },
    #[error("the session of this user was not used for too long")]
    Unused { user: Arc<str> },
    #[error("the session of this user was signed out")]
    SignedOut { user: Arc<str> },
    #[error("a token's holder gets no session")]
    Machine,
    #[error("the user is in too many groups for a session")]
    TooLong,
    #[error(transparent)]
    List(#[from] SignedOutError),
}

/// What is signed. Names are short, as a cookie is sent with every request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    /// User.
    u: String,
    /// Groups that the login brought, which nobody else could say later.
    g: Vec<String>,
    /// Method.
    m: String,
    /// Issued, in microseconds since 1970.
    i: i64,
    /// Expires, in seconds.
    e: i64,
    /// Id.
    n: String,
    /// Used last, likewise, where that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<i64>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(…)")
    }
}

impl Sessions {
    pub fn new(key: [u8; KEY_LEN], signed_out: SignedOut) -> Self {
        Self { key, signed_out }
    }

    /// A session for somebody who has just signed in, and its token. It ends after `life`, or with
    /// what the login was proven by. `id` has to come from a cryptographic generator.
    ///
    /// # Errors
    /// `Machine`, `TooLong`; `List`: nobody can say what of theirs was ended.
    pub fn begin(
        &self,
        authenticated: &Authenticated,
        keeper: Keeper,
        id: SessionId,
        now: Timestamp,
        life: Duration,
    ) -> Result<(Session, Secret), SessionError> {
        let Proof::Login(method) = authenticated.proof else { return Err(SessionError::Machine) };
        let latest = now.checked_add(life).unwrap_or(Timestamp::MAX);
        let session = Session {
            id,
            authenticated: authenticated.clone(),
            method,
            issued: self.after_all_ended(&authenticated.user, now)?,
            expires: authenticated.until.map_or(latest, |until| until.min(latest)),
            used: (keeper == Keeper::Browser).then_some(now),
        };
        let token = self.token(&session)?;
        // As whoever shows the token has it.
        Ok((Contents::of(&session).session().ok_or(SessionError::Unknown)?, token))
    }

    /// Now, or the first moment whose sessions count.
    fn after_all_ended(&self, user: &str, now: Timestamp) -> Result<Timestamp, SessionError> {
        let ended = self.signed_out.ended(user)?.map(Timestamp::as_microsecond);
        let next =
            ended.and_then(|ended| Timestamp::from_microsecond(ended.saturating_add(1)).ok());
        Ok(next.map_or(now, |next| next.max(now)))
    }

    /// The token of a session that goes on because it is used; None: that does not matter, or it
    /// has been made anew just now.
    pub fn renewed(&self, session: &Session, now: Timestamp) -> Option<Secret> {
        let age = Duration::try_from(now.duration_since(session.used?)).ok()?;
        if age < RENEWAL {
            return None;
        }
        // It is as long as the one that was shown.
        self.token(&Session { used: Some(now), ..session.clone() }).ok()
    }

    fn token(&self, session: &Session) -> Result<Secret, SessionError> {
        // Text and lists of text are always JSON.
        let body = serde_json::to_vec(&Contents::of(session)).map_err(|_| SessionError::TooLong)?;
        let mac = self.mac(SESSION, &body);
        let (body, mac) = (BASE64URL_NOPAD.encode(&body), BASE64URL_NOPAD.encode(&mac));
        let token = format!("{PREFIX}{body}.{mac}");
        if token.len() > TOKEN_LEN_MAX {
            return Err(SessionError::TooLong);
        }
        Ok(Secret::new(token))
    }

    /// The session of a token, if it has neither ended nor lasted longer than it may.
    ///
    /// # Errors
    /// `Unknown`, `Expired`, `Unused`, `SignedOut`; `List`: nobody can say whether it was signed out.
    pub fn find(
        &self,
        token: &Secret,
        now: Timestamp,
        Lasting { life, idle }: Lasting,
    ) -> Result<Session, SessionError> {
        let contents = self.contents(token).ok_or(SessionError::Unknown)?;
        let session = contents.session().ok_or(SessionError::Unknown)?;
        let user = || Arc::clone(session.authenticated.user());
        let issued = session.issued;
        // One from the future is none: clocks do not go back here.
        if issued.checked_sub(LEEWAY).unwrap_or(Timestamp::MIN) > now {
            return Err(SessionError::Unknown);
        }
        let over = issued.checked_add(life).is_ok_and(|over| now >= over);
        if over || now >= session.expires {
            return Err(SessionError::Expired { user: user() });
        }
        let idle = idle.zip(session.used).and_then(|(idle, used)| used.checked_add(idle).ok());
        if idle.is_some_and(|idle| now >= idle) {
            return Err(SessionError::Unused { user: user() });
        }
        if self.signed_out.has(&session.id, &session.authenticated.user, issued)? {
            return Err(SessionError::SignedOut { user: user() });
        }
        Ok(session)
    }

    /// Ends a session before its time, for good. Blocks.
    ///
    /// # Errors
    /// It goes on.
    pub fn end(&self, session: &Session, now: Timestamp) -> Result<(), SignedOutError> {
        self.signed_out.add(session.id, &session.authenticated.user, session.expires, now)
    }

    /// Ends all sessions of this user that have begun. Blocks.
    ///
    /// # Errors
    /// They go on.
    pub fn end_all(&self, user: &str, now: Timestamp) -> Result<(), SignedOutError> {
        self.signed_out.add_all(user, now)
    }

    /// What forms of the session's pages carry, which no other site knows.
    pub fn form_token(&self, session: &Session) -> String {
        BASE64URL_NOPAD.encode(&self.mac(FORM, &session.id))
    }

    /// Whether a form is of one of the session's pages. Takes as long whatever is wrong with it.
    pub fn is_form_token(&self, session: &Session, token: &str) -> bool {
        let given = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap_or_default();
        self.keyed(FORM, &session.id).verify_slice(&given).is_ok()
    }

    /// Signs what a browser carries from one page of a sign-in to the next.
    pub fn seal(&self, text: &str) -> String {
        let mac = BASE64URL_NOPAD.encode(&self.mac(FLOW, text.as_bytes()));
        format!("{}.{mac}", BASE64URL_NOPAD.encode(text.as_bytes()))
    }

    /// What was sealed; None: not by us.
    pub fn unseal(&self, sealed: &str) -> Option<String> {
        let (text, mac) = sealed.split_once('.')?;
        let text = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let mac = BASE64URL_NOPAD.decode(mac.as_bytes()).ok()?;
        self.keyed(FLOW, &text).verify_slice(&mac).ok()?;
        String::from_utf8(text).ok()
    }

    /// What the key has signed.
    fn contents(&self, token: &Secret) -> Option<Contents> {
        let token = token.expose();
        if token.len() > TOKEN_LEN_MAX {
            return None;
        }
        let (body, mac) = token.strip_prefix(PREFIX)?.split_once('.')?;
        let body = BASE64URL_NOPAD.decode(body.as_bytes()).ok()?;
        let mac = BASE64URL_NOPAD.decode(mac.as_bytes()).ok()?;
        self.keyed(SESSION, &body).verify_slice(&mac).ok()?;
        serde_json::from_slice(&body).ok()
    }

    fn mac(&self, what: &[u8], text: &[u8]) -> Vec<u8> {
        self.keyed(what, text).finalize().into_bytes().to_vec()
    }

    fn keyed(&self, what: &[u8], text: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(what);
        mac.update(text);
        mac
    }
}

impl Session {
    pub fn authenticated(&self) -> &Authenticated {
        &self.authenticated
    }

    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// How long ago it was begun.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.duration_since(self.issued).try_into().unwrap_or_default()
    }

    /// How it was begun.
    pub(super) fn method(&self) -> AuthMethod {
        self.method
    }
}

impl Contents {
    fn of(session: &Session) -> Self {
        let Session { id, authenticated, method, issued, expires, used } = session;
        Self {
            u: authenticated.user.to_string(),
            g: authenticated.groups.to_vec(),
            m: method.as_str().to_owned(),
            i: issued.as_microsecond(),
            e: expires.as_second(),
            n: BASE64URL_NOPAD.encode(id),
            a: used.map(Timestamp::as_second),
        }
    }

    fn session(&self) -> Option<Session> {
        let Self { u, g, m, i, e, n, a } = self;
        let method = AuthMethod::parse(m)?;
        let issued = Timestamp::from_microsecond(*i).ok()?;
        let expires = Timestamp::from_second(*e).ok()?;
        let id = BASE64URL_NOPAD.decode(n.as_bytes()).ok()?;
        let id: [u8; SESSION_ID_LEN] = id.try_into().ok()?;
        let used = a.map(Timestamp::from_second).transpose().ok()?;
        let authenticated = Authenticated::new(u, g.clone(), method).ending(Some(expires));
        Some(Session { id, authenticated, method, issued, expires, used })
    }
}

#[cfg(test)]
mod tests;
