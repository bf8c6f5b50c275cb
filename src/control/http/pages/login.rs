//! Signing in, for browsers.

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::layout;
use super::parts::trouble;

/// Whether people can sign in at an issuer of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control::http) enum Issuer {
    None,
    Offered,
}

/// Where somebody signs in who then goes on to `next`; `issuer`: somebody else can say who they are.
pub(in crate::control::http) fn login_page(next: &str, words: &str, issuer: Issuer) -> Response {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    let body = html! {
        (trouble(words))
        form.card.stack method="post" action="/login" {
            label.field { span { "User" }
                input name="user" required autofocus autocomplete="username" maxlength="256"; }
            label.field { span { "Password, or token" }
                input type="password" name="password" required autocomplete="current-password"; }
            input type="hidden" name="next" value=(next);
            button { "Sign in" }
        }
        @if issuer == Issuer::Offered {
            p { a.button.quiet href=(format!("/login/oidc?{query}")) {
                "Sign in at the identity provider"
            } }
        }
        p.soft { "Just-in-time access to personal data. Whatever you see here is recorded." }
    };
    layout::alone(StatusCode::OK, "Sign in", &html! {}, &body)
}

/// Leads on to a place of ours at once, as if somebody had followed a link on our page.
pub(in crate::control::http) fn going_to(place: &str) -> Response {
    let hurry = html! { meta http-equiv="refresh" content=(format!("0; url={place}")); };
    let body = html! { p { a href=(place) { "Go on" } } };
    layout::alone(StatusCode::OK, "Signed in", &hurry, &body)
}
