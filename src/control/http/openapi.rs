//! The document of the API (OpenAPI 3.1), made from the handlers and the types they speak in:
//! `/api/v1/openapi.json`, and `keyhole openapi` without a server.

use axum::Json;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::{
    at_issuer, audit, catalog, drift, explain, grants, policies, requests, restrictions, session,
    sessions, status,
};

/// What every answer of these statuses means, whatever was asked for.
const PROBLEMS: &[(&str, &str)] = &[
    ("400", "It cannot be read: a parameter, a header or the JSON of the body"),
    ("401", "Nobody is signed in, or the login is wrong"),
    ("403", "Whoever asks may not do that"),
    ("404", "There is no such thing, or it is none of theirs"),
    ("422", "It is read, and makes no sense"),
    ("429", "Too much of it in this time"),
    ("500", "A mistake of the proxy's"),
    ("503", "The store, or what logins rest on, cannot be reached now"),
];

const PROBLEMS_OF_POSTS: &[(&str, &str)] = &[
    ("409", "A request with the same Idempotency-Key is under way"),
    ("413", "The body is longer than 64 KiB"),
    ("415", "The body is not declared as application/json"),
];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Keyhole",
        description = "Just-in-time access to personal data: who asks for it, who decides, what is \
            granted, and what was done with it. Lists come in pages: `limit` says how long one is, \
            and `next_before` is the `before` of the next. What a user may see is what they own, \
            decide on or, with the role `control`, everything. Errors are problem details \
            (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        show,
        session::show,
        session::create,
        session::end,
        session::end_all,
        at_issuer::known,
        status::me,
        status::status,
        status::sinks,
        requests::list,
        requests::create,
        requests::show,
        requests::challenge,
        requests::approve,
        requests::deny,
        requests::cancel,
        grants::list,
        grants::grant,
        grants::revoke_all,
        grants::show,
        grants::extend,
        grants::revoke,
        grants::review,
        sessions::list,
        sessions::kill,
        catalog::databases,
        catalog::columns,
        catalog::access,
        drift::list,
        policies::list,
        restrictions::list,
        restrictions::suspend,
        restrictions::lift,
        explain::explain,
        audit::records,
        audit::report,
    ),
    components(schemas(super::problem::ProblemView))
)]
struct Document;

/// The document, as JSON.
pub fn document() -> Value {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["security"] = json!([{ "basic": [] }, { "bearer": [] }]);
    document["components"]["securitySchemes"] = json!({
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "A name and a password, as the [[login]] rules ask for it",
        },
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of the configuration, of an issuer, or of a session",
        },
    });
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    let answer = |about: &str| {
        let content = json!({ "application/problem+json": { "schema": problem } });
        json!({ "description": about, "content": content })
    };
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (method, operation) in paths.flat_map(|(_, item)| item.as_object_mut()).flatten() {
        // What everybody may read is refused to nobody.
        if operation["operationId"] == "openapi" {
            continue;
        }
        let posts = if method == "post" { PROBLEMS_OF_POSTS } else { &[] };
        for (status, about) in PROBLEMS.iter().chain(posts) {
            operation["responses"][*status] = answer(about);
        }
    }
    document
}

/// This document
///
/// Everybody may read it.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "proxy",
    operation_id = "openapi",
    security(()),
    responses((status = 200, description = "An OpenAPI document", body = Object)),
)]
pub(super) async fn show() -> Json<Value> {
    Json(document())
}
