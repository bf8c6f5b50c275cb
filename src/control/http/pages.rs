//! The pages that messages link to: a request or a grant, with what can be done about it. Plain
//! HTML and forms; nothing runs in the browser.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::body::Id;
use super::problem::{Problem, see};
use super::sign_in::{FORM_TOKEN, SignedForm, SignedIn};
use super::views::{GrantJson, LimitsView, RequestView};
use super::{grants, requests};
use crate::control::Desk;
use crate::control::grammar::{Command, Revoked};
use crate::grant::{GrantState, Proof, RequestState};
use crate::model::Secret;

const STYLE: &str = include_str!("pages/style.css");

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/requests/{id}", get(request).post(on_request))
        .route("/grants/{id}", get(grant).post(on_grant))
        .route("/style.css", get(style))
}

async fn style() -> ([(header::HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

/// What a form says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    deed: Deed,
    #[serde(default)]
    code: String,
    #[serde(default)]
    reason: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Deed {
    Approve,
    Deny,
    Cancel,
    Revoke,
    Review,
}

async fn request(State(desk): State<Arc<Desk>>, who: SignedIn, Id(id): Id) -> Response {
    request_page(&desk, &who, id, "")
}

async fn on_request(
    State(desk): State<Arc<Desk>>,
    Id(id): Id,
    SignedForm(who, Said { deed, code, reason }): SignedForm<Said>,
) -> Response {
    let done = async {
        match deed {
            Deed::Approve => {
                let code = Some(code.trim()).filter(|code| !code.is_empty());
                let proof = Proof { signature: None, code: code.map(Secret::new) };
                let approval = Command::Approve { request: id, proof };
                requests::decide(&desk, &who, id, approval).await.map(drop)
            }
            Deed::Deny => {
                let denial = requests::denial(id, reason)?;
                requests::decide(&desk, &who, id, denial).await.map(drop)
            }
            Deed::Cancel => requests::decide(&desk, &who, id, Command::Cancel(id)).await.map(drop),
            Deed::Revoke | Deed::Review => Err(requests::unreadable("that is done to grants")),
        }
    };
    match done.await {
        Ok(()) => see(&format!("/requests/{id}")),
        Err(problem) => {
            let status = problem.status;
            let page = request_page(&desk, &who, id, &problem.words());
            if page.status() == StatusCode::OK { (status, page).into_response() } else { page }
        }
    }
}

async fn grant(State(desk): State<Arc<Desk>>, who: SignedIn, Id(id): Id) -> Response {
    grant_page(&desk, &who, id, "")
}

async fn on_grant(
    State(desk): State<Arc<Desk>>,
    Id(id): Id,
    SignedForm(who, Said { deed, code: _, reason }): SignedForm<Said>,
) -> Response {
    let done = async {
        match deed {
            Deed::Revoke => {
                let command = Command::Revoke(Revoked::One(id));
                grants::change(&desk, &who, id, command).await.map(drop)
            }
            Deed::Review if reason.trim().is_empty() => {
                Err(requests::unreadable("the note is empty"))
            }
            Deed::Review => {
                let command = Command::Review { grant: id, note: reason };
                grants::change(&desk, &who, id, command).await.map(drop)
            }
            Deed::Approve | Deed::Deny | Deed::Cancel => {
                Err(requests::unreadable("that is done to requests"))
            }
        }
    };
    match done.await {
        Ok(()) => see(&format!("/grants/{id}")),
        Err(problem) => {
            let status = problem.status;
            let page = grant_page(&desk, &who, id, &problem.words());
            if page.status() == StatusCode::OK { (status, page).into_response() } else { page }
        }
    }
}

fn request_page(desk: &Desk, who: &SignedIn, id: u64, trouble: &str) -> Response {
    let request = match requests::visible(desk, who, id) {
        Ok(request) => request,
        Err(problem) => return message_page(&problem),
    };
    let view = RequestView::from(&request);
    let mut page = Html::begin(&format!("Request {id}"), &view.state, trouble);
    page.line("Who asks", &with_list(&view.requester, &view.groups));
    page.line("For", &format!("{} on {}", view.actions, view.resource));
    page.line("In database", &view.database);
    page.line("Rows", view.rows.as_deref().unwrap_or("all of them"));
    page.line("For how long", &format!("{} from {}", view.duration, view.runs_from));
    page.some("Not before", view.not_before.as_ref());
    page.limits(&view.limits);
    page.some("Only", view.conditions.as_ref());
    page.some("Instead of the end of grant", view.extends.as_ref());
    page.line("Reason", &view.reason);
    page.some("Ticket", view.ticket.as_ref());
    page.line("Policy", &view.policy);
    page.line("Asked at", &view.requested_at.to_string());
    page.some("To be decided by", view.decide_by.as_ref());
    let approved = format!("{} of {}", view.approved_by.len(), view.approvals_needed);
    page.line("Approvals", &with_list(&approved, &view.approved_by));
    page.line("Approvers", &view.approvers.join(", "));
    page.some("Closed by", view.closed_by.as_ref());
    page.some("Because", view.closed_reason.as_ref());
    if let Some(grant) = view.grant {
        page.link("Grant", &format!("/grants/{grant}"), &grant.to_string());
    }
    page.end_lines();
    if request.state == RequestState::Pending {
        if *request.requester == *who.user.name {
            page.form(who, "cancel", "Cancel", "");
        } else {
            page.form(who, "approve", "Approve", CODE);
            page.form(who, "deny", "Deny", REASON);
        }
    }
    page.end(Some(who))
}

fn grant_page(desk: &Desk, who: &SignedIn, id: u64, trouble: &str) -> Response {
    let grant = match grants::visible(desk, who, id) {
        Ok(grant) => grant,
        Err(problem) => return message_page(&problem),
    };
    let view = GrantJson::from(&grant);
    let mut page = Html::begin(&format!("Grant {id}"), &view.state, trouble);
    page.line("To", &view.subject);
    page.line("For", &format!("{} on {}", view.actions, view.resource));
    page.line("In database", view.database.as_deref().unwrap_or("every one"));
    page.line("Rows", view.rows.as_deref().unwrap_or("all of them"));
    page.some("From", view.not_before.as_ref());
    page.some("Until", view.expires_at.as_ref());
    page.some("From its first use, for", view.from_first_use.as_ref());
    page.limits(&view.limits);
    if let Some(used) = view.used {
        let used = format!("{} rows, {} uses, {} subjects", used.rows, used.uses, used.subjects);
        page.line("Used", &used);
    }
    page.some("Only", view.conditions.as_ref());
    page.line("Reason", &view.reason);
    page.some("Ticket", view.ticket.as_ref());
    page.line("Asked for by", &view.requester);
    page.line("Approved by", &view.approvers.join(", "));
    page.some("Policy", view.policy.as_ref());
    page.some("Ended at", view.ended_at.as_ref());
    page.some("Ended by", view.ended_by.as_ref());
    page.some("To be reviewed by", view.review_due.as_ref());
    page.some("Reviewed by", view.reviewed_by.as_ref());
    if let Some(request) = view.request {
        page.link("Request", &format!("/requests/{request}"), &request.to_string());
    }
    page.end_lines();
    if grant.is_open() && grant.state != GrantState::Standing {
        page.form(who, "revoke", "Revoke", "");
    }
    if view.review_due.is_some() && view.reviewed_by.is_none() {
        page.form(who, "review", "I have looked at it", REASON);
    }
    page.end(Some(who))
}

fn message_page(problem: &Problem) -> Response {
    let mut page = Html::begin("Keyhole", "", &problem.words());
    page.end_lines();
    (problem.status, page.end(None)).into_response()
}

fn with_list(first: &str, list: &[String]) -> String {
    if list.is_empty() { first.to_owned() } else { format!("{first} ({})", list.join(", ")) }
}

/// Where somebody signs in who then goes on to `next`; `issuer`: somebody else can say who they are.
pub(super) fn login_page(next: &str, trouble: &str, issuer: Issuer) -> Response {
    let mut page = Html::begin("Sign in", "", trouble);
    page.end_lines();
    page.raw(
        "<form method=\"post\" action=\"/login\"><label>User <input name=\"user\" required \
         autofocus autocomplete=\"username\" maxlength=\"256\"></label><label>Password, or token \
         <input type=\"password\" name=\"password\" required \
         autocomplete=\"current-password\"></label><input type=\"hidden\" name=\"next\" value=\"",
    );
    page.text(next);
    page.raw("\"><button>Sign in</button></form>");
    if issuer == Issuer::Offered {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        page.raw("<p><a href=\"/login/oidc?");
        page.text(&query);
        page.raw("\">Sign in at the identity provider</a></p>");
    }
    page.end(None)
}

/// Leads on to a place of ours at once, as if somebody had followed a link on our page.
pub(super) fn going_to(place: &str) -> Response {
    let mut page = Html(String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Keyhole</title>\
         <meta http-equiv=\"refresh\" content=\"0; url=",
    ));
    page.text(place);
    page.raw("\"></head><body><main><a href=\"");
    page.text(place);
    page.raw("\">Go on</a>");
    page.end(None)
}

/// Whether people can sign in at an issuer of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Issuer {
    None,
    Offered,
}

const CODE: &str = "<label>Code of the second factor, where one is asked for \
     <input name=\"code\" autocomplete=\"one-time-code\" maxlength=\"64\"></label>";
const REASON: &str = "<label>Reason <input name=\"reason\" required maxlength=\"1000\"></label>";

/// A page that is being written. What stands in it as data is escaped where it is written.
struct Html(String);

impl Html {
    fn begin(title: &str, state: &str, trouble: &str) -> Self {
        let mut html = Self(String::from(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <link rel=\"stylesheet\" href=\"/style.css\"><title>",
        ));
        html.text(title);
        html.raw("</title></head><body><main><h1>");
        html.text(title);
        html.raw("</h1>");
        if !state.is_empty() {
            html.raw("<p class=\"state\">");
            html.text(state);
            html.raw("</p>");
        }
        if !trouble.is_empty() {
            html.raw("<p class=\"trouble\" role=\"alert\">");
            html.text(trouble);
            html.raw("</p>");
        }
        html.raw("<dl>");
        html
    }

    fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
    }

    fn line(&mut self, term: &str, description: &str) {
        self.raw("<div><dt>");
        self.text(term);
        self.raw("</dt><dd>");
        self.text(description);
        self.raw("</dd></div>");
    }

    fn some(&mut self, term: &str, description: Option<&impl ToString>) {
        if let Some(description) = description {
            self.line(term, &description.to_string());
        }
    }

    fn limits(&mut self, limits: &LimitsView) {
        self.some("At most, rows", limits.max_rows.as_ref());
        self.some("At most, uses", limits.max_uses.as_ref());
        self.some("At most, subjects", limits.max_subjects.as_ref());
        self.some("Ends when unused for", limits.unused.as_ref());
    }

    fn link(&mut self, term: &str, place: &str, text: &str) {
        let _ = write!(self.0, "<div><dt>{term}</dt><dd><a href=\"{place}\">{text}</a></dd></div>");
    }

    fn end_lines(&mut self) {
        self.raw("</dl>");
    }

    fn form(&mut self, who: &SignedIn, deed: &str, label: &str, fields: &str) {
        self.raw("<form method=\"post\">");
        self.form_token(who);
        let _ = write!(
            self.0,
            "{fields}<button name=\"deed\" value=\"{deed}\">{label}</button></form>"
        );
    }

    /// What shows that the form is of this session.
    fn form_token(&mut self, who: &SignedIn) {
        if let Some(token) = &who.form_token {
            let _ =
                write!(self.0, "<input type=\"hidden\" name=\"{FORM_TOKEN}\" value=\"{token}\">");
        }
    }

    fn end(mut self, who: Option<&SignedIn>) -> Response {
        if let Some(who) = who {
            self.raw("<footer>Signed in as ");
            self.text(&who.user.name);
            if who.form_token.is_some() {
                self.raw("<form method=\"post\" action=\"/logout\">");
                self.form_token(who);
                self.raw("<button>Sign out</button></form>");
            }
            self.raw("</footer>");
        }
        self.raw("</main></body></html>");
        ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], self.0).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_text_on_a_page() {
        let mut html = Html(String::new());
        html.line("Reason", "<script>\"'&");
        assert!(html.0.contains("&lt;script&gt;&quot;&#39;&amp;"), "{}", html.0);
    }
}
