//! The API's routes, each with its name, so that a test can hold the document against them.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing;

use super::{
    at_issuer, audit, catalog, drift, explain, grants, openapi, policies, requests, restrictions,
    session, sessions, status,
};
use crate::control::Desk;

/// A router and what it routes.
#[derive(Default)]
pub(super) struct Routes {
    pub(super) router: Router<Arc<Desk>>,
    /// Methods, as the document writes them, and paths.
    pub(super) names: Vec<(&'static str, &'static str)>,
}

impl Routes {
    fn get<H: Handler<T, Arc<Desk>>, T: 'static>(mut self, path: &'static str, handler: H) -> Self {
        self.names.push(("get", path));
        Self { router: self.router.route(path, routing::get(handler)), ..self }
    }

    fn post<H: Handler<T, Arc<Desk>>, T: 'static>(
        mut self,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.names.push(("post", path));
        Self { router: self.router.route(path, routing::post(handler)), ..self }
    }

    fn delete<H: Handler<T, Arc<Desk>>, T: 'static>(
        mut self,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.names.push(("delete", path));
        Self { router: self.router.route(path, routing::delete(handler)), ..self }
    }
}

/// All of `/api/v1`.
pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/api/v1/openapi.json", openapi::show)
        .get("/api/v1/session", session::show)
        .post("/api/v1/session", session::create)
        .delete("/api/v1/session", session::end)
        .post("/api/v1/session/end_all", session::end_all)
        .get("/api/v1/session/oidc", at_issuer::known)
        .get("/api/v1/me", status::me)
        .get("/api/v1/status", status::status)
        .get("/api/v1/sinks", status::sinks)
        .get("/api/v1/requests", requests::list)
        .post("/api/v1/requests", requests::create)
        .get("/api/v1/requests/{id}", requests::show)
        .get("/api/v1/requests/{id}/challenge", requests::challenge)
        .post("/api/v1/requests/{id}/approve", requests::approve)
        .post("/api/v1/requests/{id}/deny", requests::deny)
        .post("/api/v1/requests/{id}/cancel", requests::cancel)
        .get("/api/v1/grants", grants::list)
        .post("/api/v1/grants", grants::grant)
        .post("/api/v1/grants/revoke", grants::revoke_all)
        .get("/api/v1/grants/{id}", grants::show)
        .post("/api/v1/grants/{id}/extend", grants::extend)
        .post("/api/v1/grants/{id}/revoke", grants::revoke)
        .post("/api/v1/grants/{id}/review", grants::review)
        .get("/api/v1/sessions", sessions::list)
        .post("/api/v1/sessions/{id}/kill", sessions::kill)
        .get("/api/v1/databases", catalog::databases)
        .get("/api/v1/catalog", catalog::columns)
        .get("/api/v1/catalog/access", catalog::access)
        .get("/api/v1/drift", drift::list)
        .get("/api/v1/policies", policies::list)
        .get("/api/v1/restrictions", restrictions::list)
        .post("/api/v1/restrictions", restrictions::suspend)
        .post("/api/v1/restrictions/{user}/lift", restrictions::lift)
        .post("/api/v1/explain", explain::explain)
        .get("/api/v1/audit/records", audit::records)
        .get("/api/v1/audit/report", audit::report)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::routes::ROUTES;
    use super::*;

    #[test]
    fn every_route_is_in_the_document_and_nothing_else() {
        let routed: BTreeSet<_> =
            routes().names.iter().map(|(method, path)| format!("{method} {path}")).collect();
        let document = openapi::document();
        let paths = document["paths"].as_object().expect("paths");
        let told = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods");
            methods.keys().map(move |method| format!("{method} {path}"))
        });
        assert_eq!(told.collect::<BTreeSet<_>>(), routed);
        let listed = ROUTES.iter().filter(|(_, path)| path.starts_with("/api/"));
        let listed = listed.map(|(method, path)| format!("{} {path}", method.to_lowercase()));
        assert_eq!(listed.collect::<BTreeSet<_>>(), routed, "in the list of all that is served");
    }
}
