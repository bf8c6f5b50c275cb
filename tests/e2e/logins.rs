//! Logins at the door: bound passwords, certificates, peers, the database's own, rules, guesses.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::desk::{EMAIL, Shop, email, masked};
use crate::support::keyhole::{Config, password};
use crate::support::programs::{self, Ran, run};
use crate::support::wait::until;
use crate::support::{Client, Target};

/// An authority of this test's own, and the files that it has made.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: PathBuf,
}

/// What a certificate says.
struct Person<'a> {
    name: &'a str,
    email: Option<&'a str>,
    serial: u64,
    until: i32,
}

fn person(name: &str, serial: u64) -> Person<'_> {
    Person { name, email: None, serial, until: 2050 }
}

impl Authority {
    fn new(dir: &Path, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(dir.join(format!("{name}.crt")), certificate.pem()).expect("writable");
        Self { issuer: Issuer::new(params, key), dir: dir.to_owned() }
    }

    /// Writes `file.crt` and `file.key`.
    fn issue(&self, file: &str, person: &Person<'_>) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, person.name);
        params.serial_number = Some(SerialNumber::from(person.serial));
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(person.until, 1, 1);
        if let Some(email) = person.email {
            let email = email.try_into().expect("an address");
            params.subject_alt_names.push(SanType::Rfc822Name(email));
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.write(&format!("{file}.crt"), &certificate.pem());
        self.write(&format!("{file}.key"), &key.serialize_pem());
    }

    fn revoke(&self, serials: &[u64]) {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2050, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        self.write("ca.crl", &list.signed_by(&self.issuer).expect("a list").pem().expect("PEM"));
    }

    fn write(&self, file: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.dir.join(file);
        std::fs::write(&path, text).expect("writable");
        // libpq takes no key that others can read.
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(path, mode).expect("ours");
    }
}

fn tls(config: Config, rest: &str) -> Config {
    let table: toml::Table =
        format!("cert = 'server.crt'\nkey = 'server.key'\n{rest}").parse().expect("TOML");
    config.set("data", "tls", table)
}

/// A shop with TLS and, in the folder of its configuration, `ca.crt`, `server.crt` and `server.key`.
fn shop(name: &str, rest: &str, rules: &[&str]) -> (Shop, Authority) {
    let mut made = None;
    let shop = Shop::open_with(name, |config| {
        let authority = Authority::new(config.path(), "ca");
        authority.issue("server", &person("localhost", 1));
        authority.revoke(&[66]);
        made = Some(authority);
        let mut config = tls(config, rest);
        for rule in rules {
            config.push("login", rule);
        }
        config
    });
    (shop, made.expect("an authority"))
}

/// psql as `user` with `settings` of libpq's environment.
fn psql(shop: &Shop, user: &str, settings: &[(&str, &str)]) -> Ran {
    let mut command = programs::psql(&shop.proxy.data(user, "shop"));
    let ca = shop.proxy.config.path().join("ca.crt");
    command.env("PGSSLMODE", "verify-ca").env("PGSSLROOTCERT", ca).envs(settings.iter().copied());
    command.args(["-At", "-c", EMAIL]);
    run(command, "")
}

/// The environment of somebody who has `file.crt`.
fn with_certificate(shop: &Shop, user: &str, file: &str) -> Ran {
    let path =
        |end: &str| shop.proxy.config.path().join(format!("{file}.{end}")).display().to_string();
    let (certificate, key) = (path("crt"), path("key"));
    psql(shop, user, &[("PGSSLCERT", &certificate), ("PGSSLKEY", &key), ("PGPASSWORD", "none")])
}

#[track_caller]
fn is_in(ran: Ran) {
    assert_eq!(ran.ok().out.trim(), masked(&email()));
}

#[track_caller]
fn is_refused(ran: &Ran, words: &str) {
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains(words), "{words}: {ran:?}");
}

#[test]
fn libpq_binds_its_login_to_the_certificate() {
    let (shop, _authority) = shop("logins_bound", "", &[]);
    let bound = ("PGCHANNELBINDING", "require");
    is_in(psql(&shop, "alice", &[bound]));
    is_in(psql(&shop, "alice", &[("PGCHANNELBINDING", "disable")]));
    let wrong = psql(&shop, "alice", &[bound, ("PGPASSWORD", "wrong")]);
    is_refused(&wrong, "password authentication failed for user \"alice\"");
    let unknown = psql(&shop, "nobody", &[bound, ("PGPASSWORD", "wrong")]);
    is_refused(&unknown, "password authentication failed for user \"nobody\"");
    let plain = psql(&shop, "alice", &[bound, ("PGSSLMODE", "disable")]);
    is_refused(&plain, "channel binding");
}

#[test]
fn a_certificate_is_a_login() {
    let rule = "method = 'cert'\nusers = ['alice', 'zoe', 'carla']";
    let mapped = "method = 'cert'\nusers = ['dora']\ncert_identity = 'san:email'\n\
                  map = [{ identity = '(.*)@example\\.com', user = '\\1' }]";
    let demand = "client_ca = 'ca.crt'\ncrl = 'ca.crl'";
    let (shop, authority) = shop("logins_cert", demand, &[rule, mapped, "method = 'scram'"]);
    authority.issue("alice", &person("alice", 10));
    authority.issue("zoe", &person("zoe", 11));
    authority.issue("expired", &Person { until: 2021, ..person("alice", 12) });
    authority.issue("revoked", &person("alice", 66));
    authority.issue("dora", &Person { email: Some("dora@example.com"), ..person("x", 13) });
    std::fs::create_dir(authority.dir.join("other")).expect("a folder");
    let other = Authority::new(&authority.dir.join("other"), "ca");
    other.issue("alice", &person("alice", 10));

    is_in(with_certificate(&shop, "alice", "alice"));
    // No [[user]] names her: the authority does.
    is_in(with_certificate(&shop, "zoe", "zoe"));
    is_in(with_certificate(&shop, "dora", "dora"));
    let nobody = psql(&shop, "alice", &[("PGSSLCERT", "/none")]);
    is_refused(&nobody, "requires a valid client certificate");
    let plain = psql(&shop, "alice", &[("PGSSLMODE", "disable")]);
    is_refused(&plain, "requires a valid client certificate");
    let failed = "certificate authentication failed for user";
    is_refused(&with_certificate(&shop, "carla", "alice"), failed);
    is_refused(&with_certificate(&shop, "dora", "alice"), failed);
    is_refused(&with_certificate(&shop, "alice", "expired"), "expired");
    is_refused(&with_certificate(&shop, "alice", "revoked"), "revoked");
    is_refused(&with_certificate(&shop, "alice", "other/alice"), "SSL");
    // Who has no certificate to show logs in as before.
    is_in(psql(&shop, "bob", &[]));
    // A record may follow what the client is told.
    let log = until("all three certificates are on record", || {
        let log = shop.proxy.audit_text();
        (log.matches(r#""reason":"certificate""#).count() == 3).then_some(log)
    });
    assert!(log.contains(r#""method":"cert""#), "{log}");
}

fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

/// What HTTP answers to who shows `file.crt`; None: there was no conversation.
fn over_http(shop: &Shop, file: Option<&str>, head: &str, body: &str) -> Option<(u16, Value)> {
    let dir = shop.proxy.config.path();
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(dir.join("ca.crt")).expect("an authority");
    roots.add(ca).expect("an authority");
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = match file {
        None => config.with_no_client_auth(),
        Some(file) => {
            let path = |end: &str| dir.join(format!("{file}.{end}"));
            let chain = vec![CertificateDer::from_pem_file(path("crt")).expect("a certificate")];
            let key = PrivateKeyDer::from_pem_file(path("key")).expect("a key");
            config.with_client_auth_cert(chain, key).expect("a pair")
        }
    };
    let name = "localhost".try_into().expect("a name");
    let tls = ClientConnection::new(Arc::new(config), name).expect("a client");
    let tcp = TcpStream::connect(("127.0.0.1", shop.proxy.http_port())).expect("HTTP listens");
    let mut stream = StreamOwned::new(tls, tcp);
    let method = if body.is_empty() { "GET" } else { "POST" };
    let request = format!(
        "{method} /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = String::new();
    let asked = stream.write_all(request.as_bytes());
    // With TLS 1.3 a client is told in the place of the answer that its certificate is none.
    asked.and_then(|()| stream.read_to_string(&mut answer)).ok()?;
    let status = answer.split(' ').nth(1)?.parse().expect("a status");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    Some((status, serde_json::from_str(body).expect("JSON")))
}

#[test]
fn a_certificate_is_a_login_over_http() {
    let rule = "method = 'cert'\nusers = ['alice', 'zoe', 'dora']";
    let demand = "client_ca = 'ca.crt'\ncrl = 'ca.crl'";
    let (shop, authority) = shop("logins_cert_http", demand, &[rule, "method = 'scram'"]);
    authority.issue("alice", &person("alice", 10));
    authority.issue("dora", &person("dora", 13));
    authority.issue("expired", &Person { until: 2021, ..person("alice", 12) });
    authority.issue("revoked", &person("alice", 66));
    authority.issue("bob", &person("bob", 14));
    std::fs::create_dir(authority.dir.join("other")).expect("a folder");
    let other = Authority::new(&authority.dir.join("other"), "ca");
    other.issue("alice", &person("alice", 10));

    let look = |file, head: &str| over_http(&shop, file, head, "");
    let status = |file, head: &str| look(file, head).map(|(status, _)| status);
    let (_, me) = look(Some("dora"), "").expect("an answer");
    assert_eq!(
        (&me["user"], &me["method"], &me["roles"][0]),
        (&json!("dora"), &json!("cert"), &json!("control"))
    );
    for refused in ["expired", "revoked", "other/alice"] {
        assert_eq!(status(Some(refused), ""), None, "{refused}: no handshake");
    }
    assert_eq!(status(None, ""), Some(401), "no certificate");
    assert_eq!(status(Some("bob"), ""), Some(401), "no rule asks bob for one");
    // Whose certificate it is not, may not say so, nor with a password of theirs.
    for (name, secret) in [("alice", ""), ("alice", password("alice")), ("bob", "")] {
        assert_eq!(status(Some("dora"), &basic(name, secret)), Some(401), "{name}");
    }
    assert_eq!(status(Some("dora"), &basic("bob", password("bob"))), Some(200));

    // A session of hers counts where the certificate is, and while it does.
    let proof = json!({ "user": "alice", "password": "" }).to_string();
    let (begun, session) = over_http(&shop, Some("alice"), "", &proof).expect("an answer");
    assert_eq!(begun, 201, "{session}");
    let token = session["token"].as_str().expect("a token");
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let cookie = format!("Cookie: __Host-keyhole={token}\r\n");
    for head in [&bearer, &cookie] {
        assert_eq!(status(Some("alice"), head), Some(200));
        for file in [None, Some("dora"), Some("bob")] {
            assert_eq!(status(file, head), Some(401), "a copy of it: {file:?}");
        }
    }
    authority.revoke(&[66, 10]);
    shop.proxy.signal("HUP");
    until("the list is read again", || (status(Some("alice"), &bearer).is_none()).then_some(()));
}

#[test]
fn certificates_are_read_again_on_reload() {
    let demand = "client_ca = 'ca.crt'\ncrl = 'ca.crl'";
    let (shop, authority) = shop("logins_reload", demand, &["method = 'cert'"]);
    authority.issue("alice", &person("alice", 10));
    is_in(with_certificate(&shop, "alice", "alice"));
    authority.revoke(&[66, 10]);
    is_in(with_certificate(&shop, "alice", "alice"));
    shop.proxy.signal("HUP");
    until("the list is read again", || {
        let ran = with_certificate(&shop, "alice", "alice");
        ran.err.contains("revoked").then_some(())
    });
    // Another authority: what the old one signed counts for nothing, the server's included.
    let other = Authority::new(&authority.dir, "ca");
    other.issue("server", &person("localhost", 1));
    other.issue("alice", &person("alice", 10));
    other.revoke(&[66]);
    shop.proxy.signal("HUP");
    until("the certificates are read again", || {
        (with_certificate(&shop, "alice", "alice").code == Some(0)).then_some(())
    });
}

#[test]
fn the_first_rule_decides() {
    let rules = [
        "method = 'reject'\nusers = ['alice']\nnetworks = ['127.0.0.0/8']",
        "method = 'scram'\nusers = ['alice', 'bob']\ndatabases = ['shop']\ntls = 'require'",
        "method = 'scram'\ndatabases = ['keyhole']",
    ];
    let (shop, _authority) = shop("logins_rules", "", &rules);
    is_in(psql(&shop, "bob", &[]));
    is_refused(&psql(&shop, "alice", &[]), "a [[login]] rule rejects host \"127.0.0.1\"");
    let plain = psql(&shop, "bob", &[("PGSSLMODE", "disable")]);
    is_refused(&plain, "no [[login]] rule for host \"127.0.0.1\", user \"bob\"");
    is_refused(&psql(&shop, "dora", &[]), "no [[login]] rule");
    let mut console = programs::psql(&shop.proxy.control("dora"));
    console.args(["-At", "-c", "SHOW SESSIONS"]);
    run(console, "").ok();
}

#[test]
fn rules_are_read_again_on_reload() {
    let mut shop = Shop::open("logins_rules_reload");
    let (mut alice, mut bob) = (shop.alice().connect(), shop.bob().connect());
    let (alice_again, bob_again) = (shop.alice(), shop.bob());
    let mut reload = |rules: &[&str]| {
        let config = &mut shop.proxy.config;
        config.remove("login");
        rules.iter().for_each(|rule| config.push("login", rule));
        config.write();
        shop.proxy.signal("HUP");
    };
    let code = |target: &Target| {
        let refused = Client::connect(target).err();
        refused.map_or(String::new(), |error| error.code().to_owned())
    };
    reload(&["method = 'reject'\nusers = ['alice']", "method = 'scram'"]);
    until("alice is let in no more", || (code(&alice_again) == "28000").then_some(()));
    assert_eq!(code(&bob_again), "", "the second rule is bob's");
    for session in [&mut alice, &mut bob] {
        assert_eq!(session.query(EMAIL).ok().scalar(), masked(&email()), "who is in, stays");
    }
    reload(&["method = 'reject'\nusers = ['bob']", "method = 'scram'"]);
    until("bob is let in no more", || (code(&bob_again) == "28000").then_some(()));
    assert_eq!(code(&alice_again), "");
    // What cannot be read changes nothing.
    reload(&["method = 'guess'"]);
    let told = || shop.proxy.log().contains("the configuration is not taken over");
    until("the mistake is told", || told().then_some(()));
    assert_eq!((code(&alice_again), code(&bob_again)), (String::new(), "28000".to_owned()));
}

#[test]
fn a_peer_is_who_the_system_says() {
    let shop = Shop::open_with("logins_peer", |mut config| {
        config.push(
            "login",
            "method = 'peer'\nnetworks = ['local']\nmap = [{ identity = '.*', user = 'alice' }]",
        );
        let unix = format!("unix:{}", config.path().display());
        let places = ["127.0.0.1:0", &unix].map(toml::Value::from).to_vec();
        config.set("data", "listen", places)
    });
    let dir = shop.proxy.config.path().display().to_string();
    let local = |user: &str| psql(&shop, user, &[("PGHOST", &dir), ("PGSSLMODE", "disable")]);
    is_in(local("alice"));
    is_refused(&local("bob"), "peer authentication failed for user \"bob\"");
    let far = psql(&shop, "alice", &[("PGSSLMODE", "disable")]);
    is_refused(&far, "no [[login]] rule for host \"127.0.0.1\"");
}

/// A startup packet, and a first message of SCRAM without an honest proof behind it.
fn guess(port: u16, user: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let body = format!("\0\x03\0\0user\0{user}\0database\0shop\0\0");
    let len = u32::try_from(body.len() + 4).expect("short");
    let mut out = len.to_be_bytes().to_vec();
    out.extend(body.as_bytes());
    let message = |out: &mut Vec<u8>, body: &[u8]| {
        out.push(b'p');
        out.extend(u32::try_from(body.len() + 4).expect("short").to_be_bytes());
        out.extend(body);
    };
    let first = b"n,,n=,r=abc";
    let mut initial = b"SCRAM-SHA-256\0".to_vec();
    initial.extend(u32::try_from(first.len()).expect("short").to_be_bytes());
    initial.extend(first);
    message(&mut out, &initial);
    stream.write_all(&out).expect("it reads");
    let mut heard = Vec::new();
    let mut buffer = [0; 512];
    let nonce = loop {
        let count = stream.read(&mut buffer).expect("an answer");
        assert_ne!(count, 0, "{}", heard.escape_ascii());
        heard.extend(&buffer[..count]);
        let text = String::from_utf8_lossy(&heard).into_owned();
        if let Some((before, _)) = text.split_once(",i=4096") {
            let nonce = before.rsplit_once("r=").expect("a nonce").1;
            break nonce.split(',').next().expect("a nonce").to_owned();
        }
    };
    let proof = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let mut last = Vec::new();
    message(&mut last, format!("c=biws,r={nonce},p={proof}").as_bytes());
    stream.write_all(&last).expect("it reads");
    stream
}

#[test]
fn five_thousand_guesses_keep_nobody_out() {
    let shop = Shop::open("logins_guesses");
    let port = shop.proxy.data_port();
    let mut waiting = Vec::new();
    for number in 0..5000 {
        waiting.push(guess(port, if number % 2 == 0 { "alice" } else { "mallory" }));
        if waiting.len() > 100 {
            waiting.remove(0);
        }
        if number % 1000 == 999 {
            is_in(psql(&shop, "alice", &[("PGSSLMODE", "disable")]));
            is_in(psql(&shop, "bob", &[("PGSSLMODE", "disable")]));
        }
    }
    drop(waiting);
    let (_, metrics) = shop.proxy.http("/metrics");
    let delays = |outcome: &str| {
        let name = format!("keyhole_login_delays_total{{outcome=\"{outcome}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.and_then(|number| number.parse::<u64>().ok()).expect("a metric")
    };
    assert!(delays("waited") + delays("crowded") > 0, "{metrics}");
    until("every failure is on record", || {
        let log = shop.proxy.audit_text();
        let failed = log.lines().filter(|line| line.contains(r#""kind":"login_failed""#)).count();
        (failed >= 5000).then_some(())
    });
}
