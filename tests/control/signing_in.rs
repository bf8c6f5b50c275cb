//! Signing in over HTTP as browsers and machines do, on a clock that tests set.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// What HTTP answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    /// The session's cookie that it sets, as the browser sends it back.
    fn cookie(&self) -> String {
        let set = self.header("set-cookie").unwrap_or_else(|| panic!("no cookie: {self:?}"));
        let pair = set.split(';').next().expect("a pair");
        format!("Cookie: {pair}\r\n")
    }

    /// The token in the page's forms.
    fn form_token(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"csrf\" value=\"").expect("a form of ours");
        rest.split('"').next().expect("a value").to_owned()
    }

    pub(super) fn body(&self) -> &str {
        &self.body
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

pub(super) const OURS: &str = "Sec-Fetch-Site: same-origin\r\n";
const PAGE: &str = "Accept: text/html\r\n";

impl Office {
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        head: &str,
        kind: &str,
        body: &str,
    ) -> Answer {
        let kind =
            if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let mut stream = TcpStream::connect(self.http).expect("HTTP listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: keyhole\r\nConnection: close\r\n{head}{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("HTTP takes requests");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer in UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn look(&self, path: &str, head: &str) -> Answer {
        self.ask("GET", path, head, "", "")
    }

    fn form(&self, path: &str, head: &str, form: &str) -> Answer {
        self.ask("POST", path, head, "application/x-www-form-urlencoded", form)
    }

    pub(super) fn post(&self, path: &str, head: &str, body: &serde_json::Value) -> Answer {
        self.ask("POST", path, head, "application/json", &body.to_string())
    }

    fn log_in(&self, name: &str) -> Answer {
        let form = format!("user={name}&password={}", password(name).replace(' ', "+"));
        self.form("/login", OURS, &form)
    }

    /// A browser's session: its cookie, and the token of its forms.
    pub(super) fn browser(&self, name: &str) -> (String, String) {
        let cookie = self.log_in(name).cookie();
        let sessions = &self.desk.sign_in.sessions;
        let token = Secret::new(cookie.trim().split_once('=').expect("a pair").1);
        let session = sessions.find(&token, (self.desk.clock)(), LASTING).expect("a session");
        let form = sessions.form_token(&session);
        (cookie, form)
    }

    /// A session's token for programs.
    pub(super) fn session(&self, name: &str) -> String {
        let body = serde_json::json!({ "user": name, "password": password(name) });
        let answer = self.post("/api/v1/session", "", &body);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["token"].as_str().expect("a token").to_owned()
    }

    /// A machine's token of `user`, with these of the user's roles, for an hour.
    pub(super) fn machine(&self, user: &str, roles: &[&str]) -> String {
        let random = std::array::from_fn(|index| {
            self.tokens.lock().expect("unpoisoned").len() as u8 + index as u8
        });
        let text = token::text_of(random);
        let token = MachineToken {
            name: format!("of {user}"),
            digest: token::digest_of(&text),
            user: user.into(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            expires: (self.desk.clock)() + Duration::from_secs(3600),
        };
        self.tokens.lock().expect("unpoisoned").push(token);
        text.expose().to_owned()
    }

    pub(super) fn wait(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
    }
}

pub(super) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

const SESSION: &str = "/api/v1/session";

#[test]
fn a_browser_signs_in_looks_and_signs_out() {
    let office = Office::open();
    assert_eq!(office.look("/api/v1/requests/1", PAGE).status, 401, "the API has no pages");
    let shown = office.look("/requests/1?x=y", PAGE);
    assert_eq!(
        (shown.status, shown.header("location")),
        (303, Some("/login?next=%2Frequests%2F1%3Fx%3Dy"))
    );
    let page = office.look("/login?next=%2Frequests%2F1", PAGE);
    assert!(page.status == 200 && page.body.contains("value=\"/requests/1\""), "{page:?}");

    let form = format!("user=dora&password={}&next=%2Frequests%2F1", "secret+of+dora");
    let entered = office.form("/login", OURS, &form);
    assert_eq!((entered.status, entered.header("location")), (303, Some("/requests/1")));
    let cookie = entered.cookie();
    let set = entered.header("set-cookie").unwrap();
    for part in ["keyhole=khs_", "; Path=/", "; HttpOnly", "; SameSite=Strict", "; Max-Age=43"] {
        assert!(set.contains(part), "{part}: {set}");
    }
    let me = office.look(SESSION, &cookie).json();
    assert_eq!(
        (&me["user"], &me["roles"], &me["method"]),
        (&serde_json::json!("dora"), &serde_json::json!(["control"]), &serde_json::json!("scram"))
    );

    let login = format!("{cookie}{OURS}");
    let page = office.look("/login", &cookie);
    assert!(!page.body.contains("khs_"), "no page shows the token");
    let who = office.look("/requests/1", &format!("{cookie}{PAGE}"));
    assert_eq!(who.status, 404, "signed in, and there is none: {who:?}");
    for form in ["", "csrf=", "csrf=AAAA"] {
        assert_eq!(office.form("/logout", &login, form).status, 403, "{form}");
    }
    assert_eq!(office.look(SESSION, &cookie).status, 200, "still signed in");
    let token = office.desk.sign_in.sessions.find(
        &Secret::new(cookie.trim().split_once('=').unwrap().1),
        (office.desk.clock)(),
        LASTING,
    );
    let form = office.desk.sign_in.sessions.form_token(&token.expect("a session"));
    let left = office.form("/logout", &login, &format!("csrf={form}"));
    assert_eq!((left.status, left.header("location")), (303, Some("/login")));
    assert!(left.header("set-cookie").unwrap().contains("Max-Age=0"));
    let replayed = office.look(SESSION, &cookie);
    assert_eq!(
        (replayed.status, replayed.json()["detail"].as_str()),
        (401, Some("the token does not count. The session was signed out."))
    );
    let deeds: Vec<_> = office
        .deeds()
        .into_iter()
        .map(|(user, deed, refused)| (user, deed.verb(), refused))
        .collect();
    let ok = |verb| ("dora".to_owned(), verb, None);
    let refused = ("dora".to_owned(), "login", Some(SqlState::INVALID_PASSWORD));
    assert_eq!(deeds, [ok("login"), ok("sign out"), refused], "once each; a replay is told");
}

#[test]
fn a_wrong_password_shows_the_form_again_and_no_dialog() {
    let office = Office::open();
    let answer = office.form("/login", OURS, "user=dora&password=wrong&next=%2Frequests%2F7");
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("www-authenticate"), None);
    assert!(
        answer.body.contains("value=\"/requests/7\"") && answer.body.contains("role=\"alert\"")
    );
    assert!(!answer.body.contains("wrong"), "what was typed is not shown");
    for (head, form, status) in [
        ("", "user=dora&password=secret+of+dora", 403),
        ("Sec-Fetch-Site: cross-site\r\n", "user=dora&password=secret+of+dora", 403),
        ("Origin: https://evil.example\r\n", "user=dora&password=secret+of+dora", 403),
        ("Origin: null\r\n", "user=dora&password=secret+of+dora", 403),
        ("Origin: http://keyhole\r\n", "user=dora&password=secret+of+dora", 303),
        (OURS, "user=dora", 401),
        (OURS, "user=&password=x", 401),
    ] {
        assert_eq!(office.form("/login", head, form).status, status, "{head} {form}");
    }
    for next in ["//evil.example", "https://evil.example", "/\\evil.example", "/logout"] {
        let form = format!("user=dora&password=secret+of+dora&next={next}");
        let answer = office.form("/login", OURS, &form);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{next}");
    }
}

#[test]
fn a_link_from_elsewhere_is_followed_once_more_from_here() {
    let office = Office::open();
    let led = format!("{PAGE}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n");
    let answer = office.look("/requests/1?a=%22%3E", &led);
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("content=\"0; url=/requests/1?a=%22%3E\""), "{answer:?}");
    let ours = format!("{PAGE}Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n");
    assert_eq!(office.look("/requests/1", &ours).status, 303, "and then there is a form");
}

#[test]
fn nobody_is_challenged_by_a_dialog_whose_page_asks() {
    let office = Office::open();
    let challenges = |head: &str| {
        let answer = office.look("/api/v1/requests", head);
        assert_eq!(answer.status, 401, "{head}");
        let mut found: Vec<_> = answer
            .head
            .lines()
            .filter_map(|line| line.strip_prefix("www-authenticate: "))
            .map(|value| value.split(' ').next().unwrap().to_owned())
            .collect();
        found.sort();
        found.join(" ")
    };
    assert_eq!(challenges(""), "Basic Bearer");
    assert_eq!(challenges(&basic("dora", "wrong")), "Basic Bearer");
    assert_eq!(challenges("Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"), "Bearer");
    assert_eq!(challenges("Cookie: keyhole=khs_x.y\r\nSec-Fetch-Mode: cors\r\n"), "Bearer");
}

#[test]
fn a_script_of_ours_says_the_token_in_a_header() {
    let office = Office::open();
    let (cookie, form) = office.browser("alice");
    let wish = serde_json::json!({ "resource": "customers.email", "duration": "20 minutes", "reason": "INC-42" });
    for (head, status) in [
        (String::new(), 403),
        ("X-CSRF-Token: AAAA\r\n".to_owned(), 403),
        (format!("X-CSRF-Token: {form}\r\nSec-Fetch-Site: cross-site\r\n"), 403),
        (format!("X-CSRF-Token: {form}\r\n{OURS}"), 201),
    ] {
        let answer = office.post("/api/v1/requests", &format!("{cookie}{head}"), &wish);
        assert_eq!(answer.status, status, "{head}: {answer:?}");
    }
    let page = office.look("/requests/1", &format!("{cookie}{PAGE}"));
    assert_eq!(page.form_token(), form);
    let send = |form: &str| office.form("/requests/1", &format!("{cookie}{OURS}"), form).status;
    assert_eq!(send("deed=cancel"), 403);
    assert_eq!(send(&format!("deed=cancel&csrf={form}x")), 403);
    let other = office.log_in("dora");
    let others = office.look("/requests/1", &format!("{}{PAGE}", other.cookie())).form_token();
    assert_eq!(send(&format!("deed=cancel&csrf={others}")), 403);
    assert_eq!(send(&format!("deed=cancel&csrf={form}")), 303);
}

#[test]
fn a_session_ends_on_the_clock_and_with_the_account() {
    let office = Office::open();
    let token = office.session("dora");
    let cookie = office.log_in("dora").cookie();
    let status = |head: &str| office.look(SESSION, head).status;
    let mut cookie = cookie;
    for _ in 0..24 {
        office.wait(1_795);
        let answer = office.look(SESSION, &cookie);
        assert_eq!((answer.status, status(&bearer(&token))), (200, 200));
        // As browsers do.
        cookie = answer.cookie();
    }
    office.wait(60);
    office.is_demoted.store(true, Ordering::SeqCst);
    assert_eq!(office.look(SESSION, &cookie).json()["roles"], serde_json::json!([]), "at once");
    office.wait(61);
    assert_eq!((status(&bearer(&token)), status(&cookie)), (401, 401));
    let page = office.look("/requests/1", &format!("{cookie}{PAGE}"));
    assert_eq!(page.status, 303, "back to the form");
    let again = office.log_in("dora").cookie();
    assert_eq!(status(&again), 200);
}

#[test]
fn a_browser_that_is_left_open_is_signed_out() {
    let office = Office::open();
    let token = office.session("dora");
    let first = office.log_in("dora").cookie();
    assert_eq!(office.look("/", &first).header("set-cookie"), None, "it is new");
    office.wait(1_700);
    // A page that reads itself again, with nobody before it.
    let by_itself = format!("{first}{PAGE}Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n");
    let read = office.look("/inbox", &by_itself);
    assert_eq!((read.status, read.header("set-cookie")), (200, None));
    let looked = office.look("/inbox", &format!("{first}{PAGE}"));
    let set = looked.header("set-cookie").expect("a new cookie");
    assert!(set.contains("; HttpOnly; SameSite=Strict; Max-Age=41"), "{set}");
    let second = looked.cookie();
    office.wait(200);
    let status = |head: &str| office.look(SESSION, head).status;
    assert_eq!((status(&second), status(&bearer(&token))), (200, 200));
    let unused = office.look(SESSION, &first);
    assert_eq!(
        (unused.status, unused.json()["detail"].as_str()),
        (401, Some("the token does not count. The session was not used for too long."))
    );
    assert_eq!(office.look("/inbox", &format!("{first}{PAGE}")).status, 303, "sign in");
    // As a bearer it lasts no longer.
    let copied = second.trim().split_once('=').unwrap().1.to_owned();
    assert_eq!(status(&bearer(&copied)), 200);
    office.wait(1_700);
    assert_eq!(status(&bearer(&copied)), 401);
    // Who signs out keeps no cookie, also if it would have been time for a new one.
    let cookie = office.log_in("dora").cookie();
    let form = office.look("/", &format!("{cookie}{PAGE}")).form_token();
    office.wait(100);
    let left = office.form("/logout", &format!("{cookie}{OURS}"), &format!("csrf={form}"));
    let set: Vec<_> = left.head.lines().filter(|line| line.starts_with("set-cookie")).collect();
    assert_eq!(set.len(), 2, "{set:?}");
    assert!(set.iter().all(|line| line.contains("Max-Age=0")), "{set:?}");
}

#[test]
fn all_of_somebodys_sessions_are_ended_by_them_or_by_an_operator() {
    let office = Office::open();
    let end = |head: &str, body: serde_json::Value| {
        office.post("/api/v1/session/end_all", head, &body).status
    };
    let status = |head: &str| office.look(SESSION, head).status;
    let (browser, program) = (office.log_in("alice").cookie(), bearer(&office.session("alice")));
    let others = bearer(&office.session("bert"));
    for user in ["alice", "nobody"] {
        assert_eq!(end(&others, serde_json::json!({ "user": user })), 403, "{user}");
    }
    let long = "x".repeat(256);
    for wrong in ["", "a\u{202e}b", &long] {
        let dora = basic("dora", &password("dora"));
        assert_eq!(end(&dora, serde_json::json!({ "user": wrong })), 422, "{wrong}");
    }
    assert_eq!(end(&browser, serde_json::json!({})), 403, "without the form's token");
    assert_eq!((status(&browser), status(&program)), (200, 200));
    assert_eq!(end(&program, serde_json::json!({})), 204);
    assert_eq!((status(&browser), status(&program), status(&others)), (401, 401, 200));
    let (browser, program) = (office.log_in("alice").cookie(), bearer(&office.session("alice")));
    assert_eq!((status(&browser), status(&program)), (200, 200), "at once");
    let form = office.look("/", &format!("{browser}{PAGE}")).form_token();
    let fields = format!("csrf={form}&everywhere=yes");
    assert_eq!(office.form("/logout", &format!("{browser}{OURS}"), &fields).status, 303);
    assert_eq!((status(&browser), status(&program), status(&others)), (401, 401, 200));
    let dora = bearer(&office.session("dora"));
    assert_eq!(end(&dora, serde_json::json!({ "user": "bert" })), 204);
    assert_eq!((status(&others), status(&dora)), (401, 200));
    let all = office.occurrences.lock().unwrap();
    let ended = all.iter().filter(|one| one.deed == Deed::SignOutAll);
    let ended: Vec<_> = ended.map(|one| (&*one.user.name, one.about.as_deref().unwrap())).collect();
    assert_eq!(ended, [("alice", "alice"), ("alice", "alice"), ("dora", "bert")]);
}

#[test]
fn a_program_signs_in_and_out() {
    let office = Office::open();
    let (token, other) = (office.session("dora"), office.session("dora"));
    assert_eq!(office.look(SESSION, &bearer(&token)).json()["user"], "dora");
    assert_eq!(office.ask("DELETE", SESSION, &bearer(&token), "", "").status, 204);
    assert_eq!(office.look(SESSION, &bearer(&token)).status, 401);
    assert_eq!(office.look(SESSION, &bearer(&other)).status, 200, "the other one goes on");
    assert_eq!(
        office.ask("DELETE", SESSION, &basic("dora", &password("dora")), "", "").status,
        404
    );
    for (body, status) in [
        (serde_json::json!({ "user": "dora", "password": "wrong" }), 401),
        (serde_json::json!({ "user": "dora" }), 422),
        (serde_json::json!({ "user": "dora", "password": "x", "roles": [] }), 422),
        (serde_json::json!({ "token": other }), 401),
        (serde_json::json!({ "token": office.machine("dora", &[]) }), 401),
    ] {
        assert_eq!(office.post(SESSION, "", &body).status, status, "{body}");
    }
}

#[test]
fn a_machine_has_its_users_roles_at_most_until_its_token_expires() {
    let office = Office::open();
    let (all, none) = (office.machine("dora", &["control", "ddl"]), office.machine("dora", &[]));
    let roles = |token: &str| office.look(SESSION, &bearer(token)).json()["roles"].clone();
    assert_eq!(roles(&all), serde_json::json!(["control"]));
    assert_eq!(roles(&none), serde_json::json!([]));
    let wish = serde_json::json!({ "resource": "customers.email", "duration": "20 minutes", "reason": "INC-42", "subject": "alice" });
    assert_eq!(office.post("/api/v1/grants", &bearer(&none), &wish).status, 403);
    assert_eq!(office.post("/api/v1/grants", &bearer(&all), &wish).status, 201);
    let unknown = token::text_of([0x77; 32]);
    let refused = office.look(SESSION, &bearer(unknown.expose()));
    assert_eq!(refused.status, 401);
    office.wait(3601);
    let expired = office.look(SESSION, &bearer(&all));
    assert_eq!(
        (expired.status, expired.json()["detail"].as_str()),
        (401, Some("the token does not count. The token has expired."))
    );
    office.tokens.lock().unwrap().clear();
    assert_eq!(
        office.look(SESSION, &bearer(&none)).json()["detail"],
        "the token does not count",
        "revoked"
    );
    let failures: Vec<_> = office
        .occurrences
        .lock()
        .unwrap()
        .iter()
        .filter(|o| o.refused.is_some() && o.deed.verb() == "login")
        .map(|o| (o.user.name.to_string(), o.deed))
        .collect();
    let login = Deed::Login { method: "token" };
    assert_eq!(
        failures,
        [(String::new(), login), ("dora".to_owned(), login), (String::new(), login)]
    );
    let all_told = format!("{:?}", office.occurrences.lock().unwrap());
    assert!(!all_told.contains("kht_"), "no token is remembered");
}

#[test]
fn who_sends_too_many_requests_has_to_wait() {
    let office = Office::open_with(RequestLimits { per_user: 5, per_address: 3 });
    let token = office.session("dora");
    let me = || office.look(SESSION, &bearer(&token));
    assert!((0..5).all(|_| me().status == 200));
    let refused = me();
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() <= 13);
    office.wait(12);
    assert_eq!(me().status, 200);
    // Somebody who is not signed in pays by address, one of which signing in was.
    office.wait(60);
    let nobody = || office.look("/api/v1/requests", "").status;
    assert_eq!([nobody(), nobody(), nobody(), nobody()], [401, 401, 401, 429]);
    assert_eq!(
        office.look(SESSION, &basic("dora", &password("dora"))).status,
        429,
        "no more passwords"
    );
    assert_eq!(me().status, 200, "who is signed in does not wait for others");
    assert_eq!(office.look("/healthz", "").status, 200, "nor do machines that watch");
}

#[test]
fn many_guesses_at_a_time_are_no_more_than_one_after_the_other() {
    let office = Arc::new(Office::open_with(RequestLimits { per_user: 5, per_address: 4 }));
    // Everybody has a name of their own, so that nothing but their number is in their way.
    let guess = |number: u32| {
        let office = Arc::clone(&office);
        let head = basic(&format!("guest{number}"), "wrong");
        std::thread::spawn(move || office.look(SESSION, &head).status)
    };
    let guesses: Vec<_> = (0..24).map(guess).collect();
    let answers = guesses.into_iter().map(|guess| guess.join().expect("an answer"));
    assert_eq!(answers.filter(|status| *status == 401).count(), 4, "the others: 429");
    // What is not answered so was not looked at: a right one among them would have been told.
    assert_eq!(office.deeds().iter().filter(|(_, _, refused)| refused.is_some()).count(), 4);
    office.wait(60);
    let right = || office.look(SESSION, &basic("dora", &password("dora"))).status;
    assert!((0..5).all(|_| right() == 200), "a right one is given back");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it is about how long answers take")]
fn guesses_are_answered_later_and_later() {
    let office = Office::open();
    let guess = |user: &str| {
        let began = std::time::Instant::now();
        assert_eq!(office.look(SESSION, &basic(user, "wrong")).status, 401);
        began.elapsed()
    };
    let waits: Vec<_> = (0..5).map(|_| guess("alice")).collect();
    assert!(waits[2] >= Duration::from_millis(200), "{waits:?}");
    assert!(waits[4] >= Duration::from_millis(800), "{waits:?}");
    let began = std::time::Instant::now();
    let token = token::text_of([0x55; 32]);
    for _ in 0..4 {
        assert_eq!(office.look(SESSION, &bearer(token.expose())).status, 401);
    }
    assert!(began.elapsed() >= Duration::from_millis(600), "tokens too");
    let delayed =
        office.desk.metrics.login_delays.of(keyhole::telemetry::labels::LoginDelay::Waited);
    assert_eq!(delayed.get(), 5);
}
