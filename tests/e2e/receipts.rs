//! Approvals that are signed, proven by keys and codes, and checked without the proxy.

use std::process::Output;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE32_NOPAD;
use ring::hmac;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::desk::{EMAIL, REQUEST, Shop, email, masked};
use crate::support::canary::without_digests;
use crate::support::keyhole::Config;

const ASK: &str =
    "SELECT * FROM keyhole.request('customers.email', '10 minutes', 'INC-9: once more')";

/// RFC 6238's.
const TOTP_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const RECOVERY: &str = "ABCD-EFGH-IJKL-MNOP";

/// `keyhole …` beside the configuration.
fn run(config: &Config, args: &[&str]) -> (i32, String) {
    let output: Output = config.command(args).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    let code = output.status.code().expect("it exits");
    (code, String::from_utf8(text).expect("UTF-8"))
}

impl Shop {
    fn path(&self, name: &str) -> String {
        self.proxy.config.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn run(&self, args: &[&str]) -> (i32, String) {
        run(&self.proxy.config, args)
    }

    fn verify(&self, more: &[&str]) -> (i32, String) {
        let (dir, key) = (self.path("audit"), self.path("keyhole.key.pub"));
        let args = ["audit", "verify", "--dir", &dir, "--receipt-key", &key];
        self.run(&[&args, more].concat())
    }

    fn why(&self, seq: u64, more: &[&str]) -> (i32, String) {
        let (dir, key, seq) = (self.path("audit"), self.path("keyhole.key.pub"), seq.to_string());
        let args = ["audit", "why", "--dir", &dir, "--receipt-key", &key, "--record", &seq];
        self.run(&[&args, more].concat())
    }

    fn records(&self) -> Vec<Value> {
        let read = |line: &str| serde_json::from_str(line).expect("JSON");
        self.proxy.audit_text().lines().map(read).collect()
    }

    /// The last release.
    fn release(&self) -> Value {
        let records = self.records();
        let found = records.iter().rfind(|record| record["kind"] == "release");
        found.expect("something was released").clone()
    }

    /// The numbers of the requests that the user files with these words.
    fn request(&self, sql: &str) -> u64 {
        let reply = self.alice().connect().query(sql).ok();
        reply.rows()[0][0].parse().expect("a number")
    }
}

/// Sets keys in dora's `[[user]]`.
fn dora(config: Config, keys: &str) -> Config {
    let text = config.text().replace("name = \"dora\"", &format!("name = \"dora\"\n{keys}"));
    config.with_text(&text)
}

/// The code that a device shows.
#[expect(clippy::disallowed_methods, reason = "a device asks for the time")]
fn code() -> String {
    let secs = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let secret = BASE32_NOPAD.decode(TOTP_SECRET.as_bytes()).expect("Base32");
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
    let tag = hmac::sign(&key, &(secs / 30).to_be_bytes());
    let start = usize::from(tag.as_ref()[19] & 15);
    let bytes: [u8; 4] = tag.as_ref()[start..start + 4].try_into().expect("four bytes");
    format!("{:06}", (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 1_000_000)
}

#[test]
fn what_was_shown_is_explained_without_the_proxy() {
    let shop = Shop::open("receipts_why");
    let mut alice = shop.alice().connect();
    alice.query(REQUEST).ok();
    shop.dba().approve("alice");
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    let release = shop.release();
    let seq = release["seq"].as_u64().expect("a number");
    shop.dba().grant("public.customers.ssn", "alice");

    let (code, said) = shop.verify(&[]);
    assert!(code == 0 && said.contains("ok, ") && said.contains(" records, 3 receipts"), "{said}");
    let (ok, said) = shop.proxy.audit_verify();
    assert!(ok && said.ends_with(" records\n"), "as before without keys: {said}");
    let (code, said) = shop.why(seq, &[]);
    for part in [
        "released public.customers.email",
        "request 1 of alice: INC-42: refund",
        "policy \"anything, approved by a DBA\"",
        "approved by dora at ",
        "receipt valid (key ",
        "explained: every link holds",
    ] {
        assert!(code == 0 && said.contains(part), "{part}: {said}");
    }
    let numbers = [&release["session"], &release["statement"]].map(Value::to_string);
    let (dir, key) = (shop.path("audit"), shop.path("keyhole.key.pub"));
    let args = ["audit", "why", "--dir", &dir, "--receipt-key", &key, "--json", "--session"];
    let (code, said) = shop.run(&[&args[..], &[&numbers[0], "--statement", &numbers[1]]].concat());
    let told: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((code, &told["ok"], &told["record"]), (0, &Value::from(true), &release["seq"]));

    let (code, public) = {
        let file = shop.path("proxy.toml");
        shop.run(&["receipts", "public-key", "--config", &file])
    };
    let kept = std::fs::read_to_string(shop.path("keyhole.key.pub")).expect("it is kept");
    assert_eq!((code, public), (0, kept));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(shop.path("keyhole.key")).expect("it is there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_log_that_is_written_anew_without_the_key_is_found() {
    let mut shop = Shop::open("receipts_forged");
    let mut alice = shop.alice().connect();
    alice.query(REQUEST).ok();
    shop.dba().approve("alice");
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    let seq = shop.release()["seq"].as_u64().expect("a number");
    shop.proxy.signal_and_wait("TERM");
    let untouched = shop.proxy.audit_text();
    // Who forges the log cannot sign checkpoints, so there are none.
    let mut whole = shop.records();
    let is_checkpoint = |record: &Value| record["kind"] == "checkpoint";
    let before = whole.iter().filter(|r| is_checkpoint(r) && r["seq"].as_u64() < Some(seq));
    let seq = seq - before.count() as u64;
    whole.retain(|record| !is_checkpoint(record));
    let position = |step: &str| whole.iter().position(|r| r["step"] == step).expect("it is there");
    let (approved, granted) = (position("approved"), position("granted"));
    let with = |index: usize, change: &dyn Fn(&mut Value)| {
        let mut records = whole.clone();
        change(&mut records[index]);
        records
    };
    let mut unapproved = whole.clone();
    unapproved.remove(approved);
    for (records, said) in [
        (with(granted, &|r| r["expires_at"] = "2099-01-01T00:00:00.000000Z".into()), "expires_at"),
        (with(granted, &|r| r["approvers"] = Value::from(vec!["bob"])), "its approvers"),
        (with(granted, &|r| r["receipt"]["approvals"][0]["by"] = "bob".into()), "signature"),
        (with(granted, &|r| drop(r.as_object_mut().unwrap().remove("receipt"))), "no receipt"),
        (with(approved, &|r| r["by"] = "bob".into()), "its by"),
        (unapproved, "the approval by dora has no receipt"),
    ] {
        write(&shop.path("audit"), &records);
        let (ok, chain) = shop.proxy.audit_verify();
        assert!(ok, "the chain alone is whole: {chain}");
        let (code, found) = shop.verify(&[]);
        assert!(code == 1 && found.contains(said), "{said}: {found}");
        assert!(found.contains("no checkpoint: nothing in this log is signed"), "{found}");
        let moved = if records.len() < whole.len() { seq - 1 } else { seq };
        let (code, why) = shop.why(moved, &[]);
        assert!(code == 1 && why.contains("NOT explained"), "{said}: {why}");
    }
    write(&shop.path("audit"), &whole);
    assert_eq!((shop.verify(&[]).0, shop.why(seq, &[]).0), (1, 0), "all but the checkpoints");
    std::fs::write(shop.path("audit/audit-00000001.jsonl"), untouched).expect("writable");
    assert_eq!(shop.verify(&[]).0, 0, "and as it was, it is right");
    std::fs::write(shop.path("other.pub"), "ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=")
        .expect("writable");
    let (dir, other) = (shop.path("audit"), shop.path("other.pub"));
    let (code, said) = shop.run(&["audit", "verify", "--dir", &dir, "--receipt-key", &other]);
    assert!(code == 1 && said.contains("not among the keys given"), "{said}");
}

/// Writes the log as somebody would who can write the files, chain and all.
fn write(dir: &str, records: &[Value]) {
    let hex = |bytes: &[u8]| -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let (mut prev, mut text) = ("0".repeat(64), String::new());
    for (seq, record) in (1..).zip(records) {
        let mut fields = record.as_object().expect("an object").clone();
        for name in ["seq", "prev", "hash"] {
            fields.remove(name);
        }
        let rest = serde_json::to_string(&fields).expect("JSON");
        let body = format!("{{\"seq\":{seq},{},\"prev\":\"{prev}\"", &rest[1..rest.len() - 1]);
        let line = format!("{body},\"hash\":\"{}\"}}", hex(body.as_bytes()));
        prev = hex(line.as_bytes());
        text.push_str(&line);
        text.push('\n');
    }
    std::fs::write(format!("{dir}/audit-00000001.jsonl"), text).expect("writable");
}

#[test]
fn an_approver_with_a_key_of_her_own_signs_what_she_approves() {
    let config = Config::new();
    let key = config.path().join("dora.key");
    let key = key.to_str().expect("UTF-8").to_owned();
    let (code, line) = run(&config, &["approvals", "key", "--key", &key]);
    assert_eq!(code, 0, "{line}");
    let line = line.lines().next().expect("the line for the configuration").to_owned();
    let shop = Shop::open_with("receipts_own_key", |config| dora(config, &line));
    let mut dba = shop.dba();
    let (first, second) = (shop.request(REQUEST), shop.request(ASK));
    let challenge = |dba: &mut crate::desk::Dba, id: u64| {
        let reply = dba.say(&format!("SHOW CHALLENGE {id}"));
        let row = reply.rows().remove(0);
        assert_eq!((&*row[2], &*row[4]), ("alice", "public.customers.email"), "{row:?}");
        row[1].clone()
    };
    let sign = |challenge: &str| {
        let (code, said) = run(&config, &["approvals", "sign", "--key", &key, challenge]);
        assert_eq!(code, 0, "{said}");
        said.trim().to_owned()
    };
    let of_first = sign(&challenge(&mut dba, first));
    assert_eq!(dba.try_say(&format!("APPROVE {first}")).code(), "42501");
    let other = dba.try_say(&format!("APPROVE {second} SIGNATURE '{of_first}'"));
    assert_eq!(other.code(), "42501", "a signature is of one request");
    let (code, said) = run(&config, &["approvals", "sign", "--key", &key, "anything else"]);
    assert_eq!(code, 2, "a key signs challenges only: {said}");
    let (_, said, _) = shop.run_as("dora", &["challenge", &first.to_string()]);
    assert!(said.starts_with("keyhole-approval-v1:"), "{said}");
    let args = ["approve", &first.to_string(), "--signature", &of_first];
    let (code, said, why) = shop.run_as("dora", &args);
    assert_eq!(code, 0, "{said}{why}");
    assert_eq!(shop.alice().connect().query(EMAIL).ok().scalar(), email());

    let public = line.split('"').nth(1).expect("a key in quotes");
    let approver = format!("dora={public}");
    let seq = shop.release()["seq"].as_u64().expect("a number");
    let (code, said) = shop.why(seq, &["--approver", &approver]);
    assert!(code == 0 && said.contains("signed by their own key"), "{said}");
    assert_eq!(shop.verify(&["--approver", &approver]).0, 0);
    let wrong = "dora=ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";
    let (code, said) = shop.verify(&["--approver", wrong]);
    assert!(code == 1 && said.contains("lacks the signature of their own key"), "{said}");
}

#[test]
fn a_policy_with_a_second_factor_takes_each_code_once() {
    let hash: String = Sha256::digest(RECOVERY.replace('-', ""))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let keys = format!("totp_file = 'dora.totp'\nrecovery_codes = ['sha256:{hash}']");
    let mut shop = Shop::open_with("receipts_totp", |config| {
        std::fs::write(config.path().join("dora.totp"), TOTP_SECRET).expect("writable");
        let config = dora(config, &keys);
        let text = config.text().replace("approvals = 1", "approvals = 1\nsecond_factor = 'totp'");
        config.with_text(&text)
    });
    let ids = [REQUEST, ASK, ASK, ASK].map(|sql| shop.request(sql));
    let mut dba = shop.dba();
    let refused = |reply: crate::support::Reply| assert_eq!(reply.code(), "42501");
    refused(dba.try_say(&format!("APPROVE {}", ids[0])));
    refused(dba.try_say(&format!("APPROVE {} CODE '12345'", ids[0])));
    assert_eq!(shop.alice().connect().query(EMAIL).ok().scalar(), masked(&email()));
    let once = code();
    dba.say(&format!("APPROVE {} CODE '{once}'", ids[0]));
    assert_eq!(shop.alice().connect().query(EMAIL).ok().scalar(), email());
    refused(dba.try_say(&format!("APPROVE {} CODE '{once}'", ids[1])));
    dba.say(&format!("APPROVE {} CODE '{RECOVERY}'", ids[1]));
    shop.proxy.restart();
    let mut dba = shop.dba();
    refused(dba.try_say(&format!("APPROVE {} CODE '{RECOVERY}'", ids[2])));
    refused(dba.try_say(&format!("APPROVE {} CODE '{once}'", ids[2])));

    let records = shop.records();
    let steps = |step: &str| records.iter().filter(|record| record["step"] == step).count();
    assert_eq!((steps("factor_used"), steps("factor_failed")), (2, 4));
    let text = without_digests(&(shop.proxy.audit_text() + &shop.proxy.log()));
    assert!(!text.contains(&once) && !text.contains(RECOVERY) && !text.contains(TOTP_SECRET));
    for _ in 0..5 {
        refused(dba.try_say(&format!("APPROVE {} CODE 'WRONG'", ids[2])));
    }
    let locked = dba.try_say(&format!("APPROVE {} CODE '{}'", ids[2], code()));
    assert!(locked.error().is_some_and(|error| error.text().contains("too many wrong codes")));
    assert_eq!(shop.verify(&[]).0, 0);
}

#[test]
fn keys_that_prove_nothing_are_refused_at_the_start() {
    let mut shop = Shop::open("receipts_keys");
    let public = std::fs::read_to_string(shop.path("keyhole.key.pub")).expect("it is kept");
    shop.proxy.signal_and_wait("TERM");
    let file = shop.path("proxy.toml");
    let good = std::fs::read_to_string(&file).expect("it is there");
    let start = |text: &str| {
        std::fs::write(&file, text).expect("writable");
        shop.run(&["serve", "--config", &file])
    };
    let own = format!("name = \"dora\"\napproval_key = \"{}\"", public.trim());
    let (code, said) = start(&good.replace("name = \"dora\"", &own));
    assert!(code == 2 && said.contains("which is no user's own"), "{said}");
    let loose = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(shop.path("keyhole.key"), loose).expect("ours");
    let (code, said) = start(&good);
    assert!(code == 2 && said.contains("may be read by others"), "{said}");
}
