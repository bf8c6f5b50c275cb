//! The web console: pages that a browser shows with or without script. What is done on them are
//! forms, which answer with the way to a page, or with the same page and what is wrong.

mod access;
mod asking;
mod audit;
mod before;
mod case;
mod chart;
mod drifted;
mod findings;
mod form;
mod grant;
mod inbox;
mod layout;
mod live;
mod login;
mod map;
mod parts;
mod picker;
mod policy;
mod request;
mod restrict;
mod risk;
mod statics;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use super::problem::{Problem, see};
use crate::control::Desk;
use crate::model::SqlState;

pub(super) use login::{Issuer, going_to, login_page};

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/", get(access::show).post(access::take))
        .route("/inbox", get(inbox::show).post(inbox::take))
        .route("/live", get(live::show).post(live::take))
        .route("/map", get(map::show))
        .route("/map/findings", get(findings::show).post(findings::take))
        .route("/audit", get(audit::show))
        .route("/risk", get(risk::show))
        .route("/policy", get(policy::show))
        .route("/requests/{id}", get(request::show).post(request::take))
        .route("/grants/{id}", get(grant::show).post(grant::take))
        .merge(statics::routes())
}

/// A page for those at the console's desk only.
fn operators_only() -> Problem {
    let what = "this page is for operators";
    let problem = Problem::new(StatusCode::FORBIDDEN, SqlState::INSUFFICIENT_PRIVILEGE, what);
    problem.hint("It needs the role \"control\".")
}
