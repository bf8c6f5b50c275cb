//! What requests carry, read as the API wants it: whatever cannot be read is a [`Problem`].

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::views::Page;

/// Entries of a page, if nothing else is said, and at most.
const PAGE_LEN: usize = 100;
const PAGE_LEN_MAX: usize = 1_000;

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

/// Which part of a list is asked for.
pub(super) struct Paging {
    pub(super) limit: Option<usize>,
    pub(super) before: Option<u64>,
}

/// That part of a list, newest first.
pub(super) fn page<T>(mut list: Vec<T>, id: impl Fn(&T) -> u64, paging: Paging) -> Page<T> {
    let Paging { limit, before } = paging;
    let limit = limit.unwrap_or(PAGE_LEN).clamp(1, PAGE_LEN_MAX);
    list.retain(|one| before.is_none_or(|before| id(one) < before));
    list.sort_by_key(|one| std::cmp::Reverse(id(one)));
    let is_more = list.len() > limit;
    list.truncate(limit);
    let next_before = if is_more { list.last().map(&id) } else { None };
    Page { items: list, next_before }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let list = vec![3, 1, 7, 5, 4];
            let Page { items, next_before } =
                page(list, |id| *id, Paging { limit: Some(2), before });
            assert!(items.len() <= 2);
            seen.extend(items);
            match next_before {
                Some(_) => before = next_before,
                None => break,
            }
        }
        assert_eq!(seen, [7, 5, 4, 3, 1]);
    }
}
