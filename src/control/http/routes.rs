//! Every route there is. What is not in this list is not served, so that nobody forgets to say, and
//! to test, who may ask for it.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::model::SqlState;

/// Method and path, with `{id}` for what differs. HEAD goes with GET.
pub type Route = (&'static str, &'static str);

/// In the order of the paths.
pub const ROUTES: &[Route] = &[
    ("GET", "/"),
    ("POST", "/"),
    ("GET", "/api"),
    ("GET", "/api/v1/audit/records"),
    ("GET", "/api/v1/audit/report"),
    ("GET", "/api/v1/catalog"),
    ("GET", "/api/v1/catalog/access"),
    ("GET", "/api/v1/databases"),
    ("GET", "/api/v1/drift"),
    ("POST", "/api/v1/explain"),
    ("GET", "/api/v1/grants"),
    ("POST", "/api/v1/grants"),
    ("POST", "/api/v1/grants/revoke"),
    ("GET", "/api/v1/grants/{id}"),
    ("POST", "/api/v1/grants/{id}/extend"),
    ("POST", "/api/v1/grants/{id}/review"),
    ("POST", "/api/v1/grants/{id}/revoke"),
    ("GET", "/api/v1/me"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/api/v1/policies"),
    ("GET", "/api/v1/requests"),
    ("POST", "/api/v1/requests"),
    ("GET", "/api/v1/requests/{id}"),
    ("POST", "/api/v1/requests/{id}/approve"),
    ("POST", "/api/v1/requests/{id}/cancel"),
    ("GET", "/api/v1/requests/{id}/challenge"),
    ("POST", "/api/v1/requests/{id}/deny"),
    ("GET", "/api/v1/restrictions"),
    ("POST", "/api/v1/restrictions"),
    ("POST", "/api/v1/restrictions/{user}/lift"),
    ("DELETE", "/api/v1/session"),
    ("GET", "/api/v1/session"),
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/session/end_all"),
    ("GET", "/api/v1/session/oidc"),
    ("GET", "/api/v1/sessions"),
    ("POST", "/api/v1/sessions/{id}/kill"),
    ("GET", "/api/v1/sinks"),
    ("GET", "/api/v1/status"),
    ("GET", "/audit"),
    ("GET", "/console.js"),
    ("GET", "/grants/{id}"),
    ("POST", "/grants/{id}"),
    ("GET", "/healthz"),
    ("GET", "/icon.svg"),
    ("GET", "/inbox"),
    ("POST", "/inbox"),
    ("GET", "/live"),
    ("POST", "/live"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/login/oidc"),
    ("GET", "/login/oidc/callback"),
    ("POST", "/logout"),
    ("GET", "/map"),
    ("GET", "/map/findings"),
    ("POST", "/map/findings"),
    ("GET", "/metrics"),
    ("GET", "/policy"),
    ("GET", "/readyz"),
    ("GET", "/requests/{id}"),
    ("POST", "/requests/{id}"),
    ("GET", "/risk"),
    ("GET", "/style.css"),
];

/// Lets through what the list has, and what no route matches, which is answered as such.
pub(super) async fn listed(request: Request, next: Next) -> Response {
    let Some(matched) = request.extensions().get::<MatchedPath>() else {
        return next.run(request).await;
    };
    let (method, path) = (request.method(), matched.as_str());
    let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
    if ROUTES.contains(&(method.as_str(), path)) {
        return next.run(request).await;
    }
    let allowed: Vec<&str> =
        ROUTES.iter().filter(|(_, own)| *own == path).map(|(method, _)| *method).collect();
    let mut response = not_so().await.into_response();
    if let Ok(allowed) = HeaderValue::try_from(allowed.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

pub(super) async fn not_so() -> Problem {
    let what = "this is not done with that method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, SqlState::FEATURE_NOT_SUPPORTED, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order() {
        let by_path = |(method, path): &Route| (*path, *method);
        assert!(ROUTES.is_sorted_by_key(by_path));
        let mut once = ROUTES.to_vec();
        once.dedup();
        assert_eq!(once.len(), ROUTES.len());
    }
}
