//! What requests carry, read as the API wants it: whatever cannot be read is a [`Problem`].

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use super::problem::Problem;
use super::views::Page;
use crate::model::SqlState;

/// Entries of a page, if nothing else is said, and at most.
const PAGE_LEN: u64 = 100;
const PAGE_LEN_MAX: u64 = 1_000;

/// A JSON document. It has to be declared as one, which a form on another site's page cannot do.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read: Result<Json<T>, JsonRejection> = Json::from_request(request, state).await;
        let Json(body) = read?;
        Ok(Self(body))
    }
}

/// The id in the path.
pub(super) struct Id(pub(super) u64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<Path<u64>, PathRejection> = Path::from_request_parts(parts, state).await;
        let Path(id) = read?;
        Ok(Self(id))
    }
}

/// The parameters behind the path.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        let Query(parameters) = read?;
        Ok(Self(parameters))
    }
}

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Entries of a page: 100 unless said otherwise.
    #[serde(deserialize_with = "page_len")]
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<u64>,
    /// Those behind this number: the `next_before` of the page before.
    #[serde(deserialize_with = "number")]
    pub(super) before: Option<u64>,
}

/// Names and values behind a path.
pub(super) type Pairs = Vec<(String, String)>;

impl Paging {
    /// The part of a list that a query asks for, and all else that the query says.
    ///
    /// # Errors
    /// There is no such part.
    pub(super) fn split(query: &str) -> Result<(Self, Pairs), Problem> {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        let (own, others): (Pairs, Pairs) =
            pairs.partition(|(name, _)| name == "limit" || name == "before");
        Ok((read(&own)?, others))
    }

    /// How many are wanted.
    pub(super) fn len(self) -> usize {
        let len = self.limit.unwrap_or(PAGE_LEN);
        usize::try_from(len).unwrap_or(usize::MAX)
    }

    /// That part of a list, newest first.
    pub(super) fn newest<T>(self, mut list: Vec<T>, id: impl Fn(&T) -> u64) -> Page<T> {
        let (limit, before) = (self.len(), self.before);
        list.retain(|one| before.is_none_or(|before| id(one) < before));
        list.sort_by_key(|one| std::cmp::Reverse(id(one)));
        let is_more = list.len() > limit;
        list.truncate(limit);
        let next_before = if is_more { list.last().map(&id) } else { None };
        Page { items: list, next_before }
    }

    /// That part of a list without ids, in its own order: its entries are numbered from its end.
    pub(super) fn in_order<T>(self, list: Vec<T>) -> Page<T> {
        let count = list.len() as u64;
        let numbered = (0..count).rev().map(|number| number + 1).zip(list).collect();
        let Page { items, next_before } = self.newest(numbered, |(number, _)| *number);
        Page { items: items.into_iter().map(|(_, one)| one).collect(), next_before }
    }
}

/// What is asked of a list: which of its entries, and which part of those.
pub(super) struct Listed<T>(pub(super) T, pub(super) Paging);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Listed<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let (paging, others) = Paging::split(parts.uri.query().unwrap_or_default())?;
        Ok(Self(read(&others)?, paging))
    }
}

fn read<T: DeserializeOwned>(pairs: &Pairs) -> Result<T, Problem> {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let uri = Uri::try_from(format!("/?{query}")).map_err(|_| {
        let what = "what stands behind the path is too long";
        Problem::new(StatusCode::BAD_REQUEST, SqlState::INVALID_PARAMETER_VALUE, what)
    })?;
    let Query(read) = Query::try_from_uri(&uri)?;
    Ok(read)
}

/// How long a page is to be.
fn page_len<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let len = Option::<u64>::deserialize(from)?;
    match len.is_none_or(|len| (1..=PAGE_LEN_MAX).contains(&len)) {
        true => Ok(len),
        false => Err(Error::custom(format!("limit is 1 to {PAGE_LEN_MAX}"))),
    }
}

/// A number as the document has it, which ends where that of signed ones does.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<u64>::deserialize(from)?;
    match number.is_none_or(|number| i64::try_from(number).is_ok()) {
        true => Ok(number),
        false => Err(Error::custom("the number is too large")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let list = vec![3, 1, 7, 5, 4];
            let paging = Paging { limit: Some(2), before };
            let Page { items, next_before } = paging.newest(list, |id| *id);
            assert!(items.len() <= 2);
            seen.extend(items);
            match next_before {
                Some(_) => before = next_before,
                None => break,
            }
        }
        assert_eq!(seen, [7, 5, 4, 3, 1]);
        let paging = Paging { limit: Some(2), before: None };
        let first = paging.in_order(vec!["a", "b", "c"]);
        assert_eq!((first.items, first.next_before), (vec!["a", "b"], Some(2)));
        let paging = Paging { before: first.next_before, ..paging };
        let last = paging.in_order(vec!["a", "b", "c"]);
        assert_eq!((last.items, last.next_before), (vec!["c"], None));
    }

    #[test]
    fn a_query_says_which_entries_and_which_part_of_them() {
        let (paging, others) =
            Paging::split("state=open&limit=7&before=9&state=x%26y").ok().unwrap();
        assert_eq!((paging.limit, paging.before), (Some(7), Some(9)));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(others, [pair("state", "open"), pair("state", "x&y")]);
        for wrong in ["limit=0", "limit=1001", "limit=many", "before=-1", "limit=1&limit=2"] {
            assert!(Paging::split(wrong).is_err(), "{wrong}");
        }
    }
}
