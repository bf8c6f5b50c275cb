//! An OpenID provider: `oidc-provider` on Node, over https, with keys that can be replaced.

use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::certificates;
use super::keyhole::Process;
use super::postgres::free_port;
use super::wait::now;

/// How long one start may take, on a machine that is busy.
const START: Duration = Duration::from_secs(45);

/// A running provider; ends when dropped and with the test process.
pub(crate) struct Issuer {
    dir: TempDir,
    port: u16,
    process: Option<Process>,
}

impl Issuer {
    /// The first of the keys signs; one whose name begins with `ec` is for ES256, others for RSA.
    #[track_caller]
    pub(crate) fn start(keys: &[&str]) -> Self {
        let mut issuer = Self::prepared();
        issuer.serve(keys);
        issuer
    }

    /// Nobody listens yet.
    pub(crate) fn prepared() -> Self {
        let dir = tempfile::Builder::new().prefix("keyhole-oidc-").tempdir().expect("a directory");
        certificates::make(dir.path());
        let issuer = Self { dir, port: free_port(), process: None };
        issuer.people(&json!({ "ada": { "groups": ["dba", "staff"] }, "ben": {} }));
        issuer
    }

    /// Starts it, or starts it again with other keys.
    #[track_caller]
    pub(crate) fn serve(&mut self, keys: &[&str]) {
        self.process = None;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/node/issuer.mjs");
        let mut command = Command::new("node");
        command
            .arg(script)
            .arg(self.port.to_string())
            .arg(self.dir.path())
            .args(keys)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        // Node has been seen to sit there without listening, once in some hundred starts.
        for attempt in 1..=3 {
            let log = self.dir.path().join(format!("provider-{attempt}.log"));
            let file = File::create(&log).expect("the directory is ours");
            self.process = Some(Process::spawn(command.stderr(file)));
            if self.listens_within(START) {
                return;
            }
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            eprintln!("the provider does not listen, attempt {attempt}: {said}");
            // Killed before the next one needs its port.
            self.process = None;
        }
        panic!("the provider does not listen");
    }

    #[track_caller]
    fn listens_within(&mut self, limit: Duration) -> bool {
        let end = now() + limit;
        while now() < end {
            let process = self.process.as_mut().expect("it was just started");
            if let Some(status) = process.ended() {
                panic!("the provider ended with {status}; run `make setup`");
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    /// Who exists, and with which claims; somebody new exists after the next [`Issuer::serve`].
    pub(crate) fn people(&self, people: &Value) {
        let file = self.dir.path().join("people.json");
        std::fs::write(file, people.to_string()).expect("a writable directory");
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn authority(&self) -> String {
        self.dir.path().join("ca.pem").to_str().expect("UTF-8").to_owned()
    }

    /// A token for this proxy that lives for an hour.
    #[track_caller]
    pub(crate) fn token(&self, person: &str) -> String {
        self.token_of(person, "keyhole", 3600, "RS256")
    }

    #[track_caller]
    pub(crate) fn token_of(&self, person: &str, audience: &str, secs: u32, alg: &str) -> String {
        let resource = format!("resource=urn:{audience}:{secs}:{alg}");
        let asked = Command::new("curl")
            .args(["-sS", "--cacert", &self.authority(), "-u", &format!("{person}:secret")])
            .args(["-d", "grant_type=client_credentials", "-d", "scope=openid", "-d", &resource])
            .arg(format!("{}/token", self.url()))
            .output()
            .expect("curl is installed; run `make setup`");
        let answer: Value = serde_json::from_slice(&asked.stdout).unwrap_or_default();
        let token = answer["access_token"].as_str();
        token.unwrap_or_else(|| panic!("no token: {answer} {asked:?}")).to_owned()
    }

    /// The modulus of a key, as the provider publishes it.
    pub(crate) fn modulus(&self, key: &str) -> Vec<u8> {
        let file = self.dir.path().join(format!("{key}.json"));
        let jwk: Value =
            serde_json::from_slice(&std::fs::read(file).expect("the key was made")).expect("JSON");
        URL_SAFE_NO_PAD.decode(jwk["n"].as_str().expect("an RSA key")).expect("base64url")
    }
}

/// `token` with `header` and changed claims, and the signature as it was.
pub(crate) fn changed(
    token: &str,
    header: Option<Value>,
    change: impl FnOnce(&mut Value),
) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut claims: Value = serde_json::from_slice(&decode(parts[1])).expect("JSON");
    change(&mut claims);
    let header = header.map_or_else(|| parts[0].to_owned(), |header| encode(&header));
    format!("{header}.{}.{}", encode(&claims), parts[2])
}
