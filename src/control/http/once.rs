//! `Idempotency-Key`: a request that is sent again is carried out once, and answered as before.
//!
//! Answers are kept in this process for a day, in bounds: a proxy beside this one does not know
//! them, nor does this one after a restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Body as Stream;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use utoipa::IntoParams;

use super::problem::Problem;
use super::sign_in::SignedIn;
use crate::control::Desk;
use crate::model::{Digest, SqlState, Timestamp};

const HEADER: &str = "idempotency-key";

/// Says that an answer is one of before.
const REPLAYED: &str = "idempotent-replayed";

/// Bytes of a key.
const KEY_LEN_MAX: usize = 255;

/// How long an answer is kept.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// Answers that are kept of a user, and of all of them, and their bytes; the oldest go first.
const KEPT_OF_USER_MAX: usize = 100;
const KEPT_MAX: usize = 4_000;
const KEPT_LEN_MAX: usize = 64 * 1024 * 1024;

/// Bytes of an answer that is kept.
const ANSWER_LEN_MAX: usize = 256 * 1024;

/// The header, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read by hand, as it is no query")]
pub(super) struct KeyHeader {
    /// Chosen by the client, 1 to 255 characters of ASCII. Sent again with the same body within 24
    /// hours, the request is carried out once, and answered as before (`Idempotent-Replayed`);
    /// with another body, it is refused. Each proxy keeps its own.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    idempotency_key: Option<String>,
}

/// A JSON document that is acted upon once, if it comes with a key.
pub(super) struct Once<T> {
    body: T,
    /// The key, and what the request says.
    key: Option<(String, Digest)>,
    kept: Kept,
    now: Timestamp,
}

impl<T: DeserializeOwned> FromRequest<Arc<Desk>> for Once<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, desk: &Arc<Desk>) -> Result<Self, Problem> {
        let (parts, stream) = request.into_parts();
        let kept = parts.extensions.get::<Kept>().cloned().unwrap_or_default();
        let key = key(&parts.headers)?;
        let said = format!("{} {}\n", parts.method, parts.uri.path());
        let read = Bytes::from_request(Request::from_parts(parts.clone(), stream), desk).await;
        let bytes = read.map_err(|rejection| {
            let state = SqlState::INVALID_PARAMETER_VALUE;
            Problem::new(rejection.status(), state, rejection.body_text())
        })?;
        let key = key.map(|key| (key, Digest::of(&[said.as_bytes(), &bytes].concat())));
        let whole = Request::from_parts(parts, Stream::from(bytes));
        let Json(body) = Json::from_request(whole, desk).await.map_err(Problem::from)?;
        Ok(Self { body, key, kept, now: (desk.clock)() })
    }
}

/// The key, in quotes or without.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let fits = (1..=KEY_LEN_MAX).contains(&bare.len());
    if values.next().is_some() || !fits || !bare.bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = "Idempotency-Key is one word of 1 to 255 characters of ASCII";
        let state = SqlState::INVALID_PARAMETER_VALUE;
        return Err(Problem::new(StatusCode::BAD_REQUEST, state, what));
    }
    Ok(Some(bare.to_owned()))
}

impl<T> Once<T> {
    /// Carries the request out, or answers as before.
    ///
    /// Cancel safety: with a key, it is carried out to its end even if nobody waits for it.
    ///
    /// # Errors
    /// The key was sent with something else, or its request is still under way.
    pub(super) async fn run<F>(
        self,
        who: SignedIn,
        act: impl FnOnce(SignedIn, T) -> F,
    ) -> Result<Response, Problem>
    where
        F: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        let Some((key, digest)) = self.key else { return act(who, self.body).await };
        let name = (who.user.name.to_string(), key);
        match self.kept.enter(&name, digest, self.now)? {
            Found::Known(answer) => Ok(answer.again()),
            Found::New => {
                let place = Place { kept: self.kept.clone(), name, answer: None };
                self.kept.carry_out(place, act(who, self.body)).await
            }
        }
    }
}

/// What was answered to whom.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Shelf>);

#[derive(Default)]
struct Shelf {
    entries: Mutex<HashMap<Name, Entry>>,
    under_way: Mutex<JoinSet<()>>,
}

/// A user and their key.
type Name = (String, String);

struct Entry {
    digest: Digest,
    until: Timestamp,
    /// None: under way.
    answer: Option<Answer>,
}

enum Found {
    New,
    Known(Answer),
}

/// An answer that can be given again.
#[derive(Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Kept {
    fn entries(&self) -> MutexGuard<'_, HashMap<Name, Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, name: &Name, digest: Digest, now: Timestamp) -> Result<Found, Problem> {
        let mut entries = self.entries();
        entries.retain(|_, entry| entry.answer.is_none() || now < entry.until);
        if let Some(entry) = entries.get(name) {
            if entry.digest != digest {
                let what = "this Idempotency-Key was sent with another request";
                let state = SqlState::INVALID_PARAMETER_VALUE;
                return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, state, what)
                    .of_type("idempotency-key-reused"));
            }
            return match &entry.answer {
                Some(answer) => Ok(Found::Known(answer.clone())),
                None => {
                    let what = "a request with this Idempotency-Key is under way";
                    let state = SqlState::OBJECT_IN_USE;
                    Err(Problem::new(StatusCode::CONFLICT, state, what))
                }
            };
        }
        let of_user = entries.keys().filter(|(user, _)| *user == name.0).count();
        if of_user >= KEPT_OF_USER_MAX {
            forget_oldest(&mut entries, Some(&name.0));
        }
        if entries.len() >= KEPT_MAX {
            forget_oldest(&mut entries, None);
        }
        let until = now.checked_add(LIFE).unwrap_or(Timestamp::MAX);
        entries.insert(name.clone(), Entry { digest, until, answer: None });
        Ok(Found::New)
    }

    async fn carry_out(
        &self,
        mut place: Place,
        acting: impl Future<Output = Result<Response, Problem>> + Send + 'static,
    ) -> Result<Response, Problem> {
        let (told, answered) = oneshot::channel();
        {
            let mut tasks = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(async move {
                let response = acting.await.unwrap_or_else(IntoResponse::into_response);
                let answer = Answer::of(response).await;
                place.answer = Some(answer.clone());
                drop(place);
                // Whoever waited has gone; the answer is kept for when they ask again.
                let _ = told.send(answer);
            });
        }
        let failed = |_| {
            let what = "the request was not carried out to its end";
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(status, SqlState::INTERNAL_ERROR, what)
        };
        answered.await.map(Answer::response).map_err(failed)
    }
}

/// Makes room: an answer goes, nothing that is under way.
fn forget_oldest(entries: &mut HashMap<Name, Entry>, of: Option<&str>) {
    let done = entries.iter().filter(|(_, entry)| entry.answer.is_some());
    let own = done.filter(|((user, _), _)| of.is_none_or(|of| of == user));
    if let Some(name) = own.min_by_key(|(_, entry)| entry.until).map(|(name, _)| name.clone()) {
        entries.remove(&name);
    }
}

/// Bytes of all answers.
fn kept_len(entries: &HashMap<Name, Entry>) -> usize {
    entries.values().filter_map(|entry| entry.answer.as_ref()).map(|answer| answer.body.len()).sum()
}

/// Where an answer is to stand. Without one worth keeping it is free again.
struct Place {
    kept: Kept,
    name: Name,
    answer: Option<Answer>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let answer = self.answer.take().filter(Answer::is_final);
        let mut entries = self.kept.entries();
        match answer {
            Some(answer) => {
                while kept_len(&entries) + answer.body.len() > KEPT_LEN_MAX {
                    forget_oldest(&mut entries, None);
                }
                if let Some(entry) = entries.get_mut(&self.name) {
                    entry.answer = Some(answer);
                }
            }
            None => {
                entries.remove(&self.name);
            }
        }
    }
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, ANSWER_LEN_MAX).await.unwrap_or_default();
        Self { status: parts.status, headers: parts.headers, body }
    }

    /// Whether the same request would be answered so again.
    fn is_final(&self) -> bool {
        !self.status.is_server_error() && self.status != StatusCode::TOO_MANY_REQUESTS
    }

    fn response(self) -> Response {
        (self.status, self.headers, self.body).into_response()
    }

    fn again(self) -> Response {
        let mut response = self.response();
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(user: &str, key: &str) -> Name {
        (user.to_owned(), key.to_owned())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn answer(status: u16) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: HeaderMap::new(), body: Bytes::from_static(b"{}") }
    }

    fn enter(kept: &Kept, name: &Name, body: &str, second: i64) -> u16 {
        match kept.enter(name, Digest::of(body.as_bytes()), at(second)) {
            Ok(Found::New) => 0,
            Ok(Found::Known(answer)) => answer.status.as_u16(),
            Err(problem) => problem.status.as_u16(),
        }
    }

    fn leave(kept: &Kept, name: &Name, with: Option<Answer>) {
        drop(Place { kept: kept.clone(), name: name.clone(), answer: with });
    }

    #[test]
    fn a_key_stands_for_one_request_of_one_user_for_a_day() {
        let kept = Kept::default();
        let one = name("alice", "k1");
        assert_eq!(enter(&kept, &one, "a", 0), 0);
        assert_eq!(enter(&kept, &one, "a", 1), 409);
        leave(&kept, &one, Some(answer(201)));
        assert_eq!(enter(&kept, &one, "a", 2), 201);
        assert_eq!(enter(&kept, &one, "b", 2), 422);
        assert_eq!(enter(&kept, &name("bob", "k1"), "b", 2), 0);
        assert_eq!(enter(&kept, &one, "b", 24 * 3600), 0, "a day is over");
    }

    #[test]
    fn what_may_go_well_next_time_is_not_kept() {
        let kept = Kept::default();
        let one = name("alice", "k1");
        for with in [Some(answer(503)), Some(answer(429)), None] {
            assert_eq!(enter(&kept, &one, "a", 0), 0);
            leave(&kept, &one, with);
        }
        assert_eq!(enter(&kept, &one, "a", 0), 0);
        leave(&kept, &one, Some(answer(403)));
        assert_eq!(enter(&kept, &one, "a", 0), 403);
    }

    #[test]
    fn a_user_can_fill_no_more_than_a_share() {
        let kept = Kept::default();
        let seconds = i64::try_from(KEPT_OF_USER_MAX).unwrap() + 20;
        for second in 0..seconds {
            let one = name("alice", &format!("k{second}"));
            assert_eq!(enter(&kept, &one, "a", second), 0);
            leave(&kept, &one, Some(answer(201)));
        }
        assert_eq!(kept.entries().len(), KEPT_OF_USER_MAX);
        assert_eq!(enter(&kept, &name("alice", "k0"), "a", seconds), 0, "the oldest went");
        let last = format!("k{}", seconds - 1);
        assert_eq!(enter(&kept, &name("alice", &last), "a", seconds), 201);
    }

    #[test]
    fn long_answers_take_the_places_of_the_oldest() {
        let kept = Kept::default();
        let body = Bytes::from(vec![b' '; ANSWER_LEN_MAX]);
        let fit = i64::try_from(KEPT_LEN_MAX / ANSWER_LEN_MAX).unwrap();
        let one = |second: i64| name(&format!("user{}", second / 50), &format!("k{second}"));
        for second in 0..fit + 3 {
            assert_eq!(enter(&kept, &one(second), "a", second), 0);
            leave(&kept, &one(second), Some(Answer { body: body.clone(), ..answer(201) }));
        }
        assert_eq!(kept_len(&kept.entries()), KEPT_LEN_MAX);
        assert_eq!(enter(&kept, &one(fit + 2), "a", fit + 3), 201);
        assert_eq!(enter(&kept, &one(2), "a", fit + 3), 0, "the oldest went");
    }

    #[test]
    fn keys_are_words() {
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_static(value));
            key(&headers).map_err(|problem| problem.status.as_u16())
        };
        assert_eq!(read("\"8e03\""), Ok(Some("8e03".to_owned())));
        assert_eq!(read(" 8e03 "), Ok(Some("8e03".to_owned())));
        for wrong in ["", "\"\"", "a b"] {
            assert_eq!(read(wrong), Err(400), "{wrong}");
        }
        assert_eq!(key(&HeaderMap::new()).map_err(|_| ()), Ok(None));
    }
}
