//! People who sign in over HTTP on a real provider's pages: in a browser (curl), and with
//! `keyhole login` on a device without one.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::tokens::trusting;
use crate::support::Keyhole;
use crate::support::issuer::{Issuer, changed};
use crate::support::postgres::free_port;

/// A proxy at a known place, and a browser.
struct Place {
    issuer: Issuer,
    proxy: Keyhole,
    url: String,
    folder: tempfile::TempDir,
}

impl Place {
    fn open() -> Self {
        let issuer = Issuer::start(&["a"]);
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let config = trusting(&issuer)
            .set("oidc", "client_id", "console")
            .set("notify", "console_url", url.clone())
            .set("control", "http", format!("127.0.0.1:{port}"));
        let proxy = Keyhole::start(config);
        Self { issuer, proxy, url, folder: tempfile::tempdir().expect("a folder") }
    }

    fn jar(&self) -> PathBuf {
        self.folder.path().join("cookies")
    }

    /// What a browser shows in the end, and where that is.
    #[track_caller]
    fn browse(&self, address: &str, more: &[&str]) -> (String, String) {
        let asked = Command::new("curl")
            .args(["-sS", "-L", "--max-redirs", "10", "--cacert", &self.issuer.authority()])
            .args(["-H", "Accept: text/html", "-w", "\n%{http_code} %{url_effective}"])
            .arg("-b")
            .arg(self.jar())
            .arg("-c")
            .arg(self.jar())
            .args(more)
            .arg(address)
            .output()
            .expect("curl is installed");
        let text = String::from_utf8(asked.stdout).expect("UTF-8");
        let (page, place) = text.rsplit_once('\n').unwrap_or_else(|| panic!("{:?}", asked.stderr));
        (page.to_owned(), place.to_owned())
    }

    fn me(&self) -> Value {
        let (page, _) = self.browse(&format!("{}/api/v1/session", self.url), &[]);
        serde_json::from_str(&page).unwrap_or_else(|_| panic!("no JSON: {page}"))
    }
}

#[test]
fn somebody_signs_in_on_the_issuers_pages() {
    let place = Place::open();
    let (page, _) = place.browse(&format!("{}/login?next=/requests/1", place.url), &[]);
    assert!(page.contains("href=\"/login/oidc?next=%2Frequests%2F1\""), "{page}");
    let begin = format!("{}/login/oidc?next=%2Frequests%2F1", place.url);
    let (page, end) = place.browse(&begin, &[]);
    assert!(end.contains("200") && end.contains("/login/oidc/callback?code="), "{end} {page}");
    assert!(page.contains("0; url=/requests/1"), "{page}");
    let me = place.me();
    assert_eq!((&me["user"], &me["method"]), (&json!("ada"), &json!("oidc")), "{me}");
    assert_eq!(me["groups"], json!(["dba", "staff"]));
    assert_eq!(me["roles"], json!(["control"]), "those of the group");

    // The same answer again, in this browser and in another one.
    let callback = end.split_once(' ').expect("a place").1.to_owned();
    let (page, again) = place.browse(&callback, &[]);
    assert!(
        again.starts_with("403") && page.contains("not begun in this browser"),
        "{again} {page}"
    );
    std::fs::remove_file(place.jar()).expect("cookies");
    let (_, other) = place.browse(&callback, &[]);
    assert!(other.starts_with("403"), "{other}");
    assert_eq!(place.me()["status"], 401, "nobody is signed in there");

    // Begun here, and another answer.
    for said in ["state=x&code=y", "error=access_denied", ""] {
        place.browse(&begin, &["--max-redirs", "0"]);
        let (_, end) = place.browse(&format!("{}/login/oidc/callback?{said}", place.url), &[]);
        assert!(end.starts_with("403"), "{said}: {end}");
    }
    assert_eq!(place.me()["status"], 401);
    let told = format!("{}{}", place.proxy.log(), place.proxy.audit_text());
    let code = callback.split_once("code=").expect("a code").1.split('&').next().expect("a code");
    assert!(!told.contains(code) && !told.contains("khs_") && !told.contains("eyJ"), "{told}");
}

#[test]
fn a_token_of_the_issuer_is_taken_as_bearer_where_the_rules_say_so() {
    let place = Place::open();
    let ask = |token: &str| {
        let header = format!("Authorization: Bearer {token}");
        let (page, _) = place.browse(&format!("{}/api/v1/session", place.url), &["-H", &header]);
        serde_json::from_str::<Value>(&page).expect("JSON")
    };
    let ada = place.issuer.token("ada");
    assert_eq!(ask(&ada)["user"], "ada");
    assert_eq!(ask(&place.issuer.token_of("ada", "other", 60, "RS256"))["status"], 401);
    let forged = changed(&ada, None, |claims| claims["sub"] = json!("ben"));
    assert_eq!(ask(&forged)["status"], 401);
    let none = changed(&ada, Some(json!({ "alg": "none" })), |_| ());
    assert_eq!(ask(&none)["status"], 401);
    let begin = |proof: Value| {
        let kind = ["-H", "Content-Type: application/json", "-d"];
        let body = proof.to_string();
        let url = format!("{}/api/v1/session", place.url);
        let (page, _) = place.browse(&url, &[&kind[..], &[&*body]].concat());
        serde_json::from_str::<Value>(&page).expect("JSON")
    };
    let session = begin(json!({ "token": ada }));
    assert_eq!(ask(session["token"].as_str().expect("a token"))["user"], "ada");
    assert_eq!(begin(json!({ "id_token": ada }))["status"], 401, "it says nothing of a sign-in");
    let told = format!("{}{}", place.proxy.log(), place.proxy.audit_text());
    assert!(!told.contains(&ada) && !told.contains("khs_"));
}

#[test]
fn the_command_line_signs_in_by_a_code_that_somebody_confirms() {
    let place = Place::open();
    let home = place.folder.path().join("home");
    let keyhole = |args: &[&str]| {
        let mut command = place.proxy.config.command(args);
        command
            .env("KEYHOLE_URL", &place.url)
            .env("XDG_CONFIG_HOME", &home)
            .env_remove("KEYHOLE_PASSWORD")
            .env_remove("KEYHOLE_USER")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    };
    let authority = place.issuer.authority();
    let mut child = keyhole(&["login", "--oidc", "--ca", &authority]).spawn().expect("it runs");
    let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("Open ").unwrap_or_else(|| {
        let mut rest = String::new();
        let _ = said.read_to_string(&mut rest);
        panic!("{line}{rest}")
    });
    // The page sends its form by itself, and then asks.
    let value = |page: &str, name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect(page);
        rest.split('"').next().expect("a value").to_owned()
    };
    let (page, _) = place.browse(address, &[]);
    let form = |page: &str, more: &str| {
        format!("xsrf={}&user_code={}{more}", value(page, "xsrf"), value(page, "user_code"))
    };
    let device = address.split('?').next().expect("an address");
    let (page, _) = place.browse(device, &["-d", &form(&page, "")]);
    let (page, end) = place.browse(device, &["-d", &form(&page, "&confirm=yes")]);
    assert!(end.starts_with("200"), "{end} {page}");
    let output = child.wait_with_output().expect("it ends");
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("UTF-8");
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success() && told.starts_with("signed in as ada until"), "{told}{rest}");

    let run = |args: &[&str]| {
        let output = keyhole(args).output().expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("UTF-8"))
    };
    assert_eq!(run(&["requests"]).0, Some(0));
    assert_eq!(run(&["logout"]), (Some(0), "signed out\n".to_owned()));
    assert_eq!(run(&["logout"]).0, Some(2), "nobody is signed in");
}
