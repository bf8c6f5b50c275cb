//! `keyhole simulate`: what is said before a configuration counts, and what happens once it does.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::desk::{EMAIL, REQUEST, Shop, email, masked};
use crate::support::Keyhole;
use crate::support::keyhole::Config;
use crate::support::traps;

const BALANCE: &str = "SELECT id, balance FROM customers WHERE id = 5";

/// The exit code, and what is said.
struct Simulated {
    code: i32,
    report: Value,
    text: String,
}

impl Simulated {
    /// `user application column` (or the detail, where no column is meant) of each such change.
    fn of_kind(&self, kind: &str) -> Vec<String> {
        let rows = self.report["changes"].as_array().expect("changes");
        let said = |row: &Value| {
            let of = if row["column"].is_null() { &row["detail"] } else { &row["column"] };
            let cells = [&row["user"], &row["application"], of];
            cells.map(|cell| cell.as_str().unwrap_or("-").to_owned()).join(" ")
        };
        rows.iter().filter(|row| row["change"] == kind).map(said).collect()
    }

    fn count(&self, name: &str) -> u64 {
        self.report[name].as_u64().unwrap_or_else(|| panic!("{name}: {}", self.report))
    }

    /// Statements that are not replayed, by why.
    fn lost(&self) -> Vec<(String, u64)> {
        let rows = self.report["not_replayed"].as_array().expect("rows");
        let row = |row: &Value| {
            let why = row["why"].as_str().expect("words").to_owned();
            (why, row["statements"].as_u64().expect("a number"))
        };
        rows.iter().map(row).collect()
    }
}

impl Shop {
    fn beside(&self, name: &str) -> PathBuf {
        self.proxy.config.path().join(name)
    }

    fn put(&self, name: &str, text: &str) -> String {
        let path = self.beside(name);
        fs::write(&path, text).expect("a writable folder");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// What the log says is on the disk when a grant is acknowledged.
    fn is_on_record(&self) {
        self.dba().grant("public.customers.phone", "dora_s_cousin");
    }

    fn simulate(&self, more: &[&str]) -> Simulated {
        let config = self.proxy.config.file();
        let dir = self.beside("audit");
        let mut args = vec!["simulate", "--config", config.to_str().expect("UTF-8")];
        if !more.contains(&"--statements") {
            args.extend(["--dir", dir.to_str().expect("UTF-8")]);
        }
        args.extend(more);
        let run = |args: &[&str]| {
            let output = self.proxy.config.command(args).output().expect("it runs");
            let said = String::from_utf8(output.stderr).expect("UTF-8");
            let code = output.status.code().expect("it ends by itself");
            assert!(code != 2, "{said}");
            assert_eq!(said, "");
            (code, String::from_utf8(output.stdout).expect("UTF-8"))
        };
        let (code, text) = run(&args);
        let (same, json) = run(&[&args[..], &["--json"]].concat());
        assert_eq!(code, same);
        for text in [&text, &json] {
            assert!(!text.contains(&email()), "no value is told: {text}");
        }
        Simulated { code, report: serde_json::from_str(&json).expect("JSON"), text }
    }
}

/// The catalog with `balance` in it, too.
fn with_balance() -> String {
    let text = traps::CATALOG
        .replace("email = \"email\", phone", "balance = \"personal\", email = \"email\", phone");
    assert_ne!(text, traps::CATALOG);
    text
}

#[test]
fn a_new_catalog_names_exactly_those_who_then_see_masks() {
    let shop = Shop::open("simulate_catalog");
    let mut crm = shop.alice().option("application_name", "crm").connect();
    let mut bob = shop.bob().option("application_name", "till").connect();
    let before = crm.query(BALANCE).ok().rows();
    for _ in 0..3 {
        crm.query("SELECT id, balance FROM customers WHERE id = 6").ok();
    }
    crm.query(EMAIL).ok();
    bob.query("SELECT sku, price FROM products WHERE stock > 0").ok();
    bob.query("SELECT id, total FROM orders WHERE id = 1");
    shop.is_on_record();

    let same = shop.simulate(&[]);
    assert_eq!(same.code, 0, "{}", same.text);
    assert_eq!(same.report["changes"], Value::Array(Vec::new()), "{}", same.text);
    assert_eq!((same.count("replayed"), same.count("unchanged")), (7, 7), "{}", same.text);
    assert_eq!((same.count("log_agrees"), same.count("log_differs")), (7, 0), "{}", same.text);

    let catalog = shop.put("new.toml", &with_balance());
    let new = shop.simulate(&["--catalog", &catalog]);
    assert_eq!(new.code, 5, "{}", new.text);
    assert_eq!(new.of_kind("masked"), ["alice crm public.customers.balance"]);
    assert_eq!(new.of_kind("visible"), [""; 0]);
    let row =
        new.report["changes"].as_array().unwrap().iter().find(|row| row["change"] == "masked");
    let row = row.expect("the row");
    assert_eq!((&row["statements"], &row["shapes"]), (&4.into(), &1.into()), "{row}");
    assert_eq!((&row["class"], &row["detail"]), (&"personal".into(), &"redact".into()), "{row}");
    assert_eq!(row["example"], "SELECT id, balance FROM customers WHERE id = ?");
    assert_eq!(new.count("unchanged"), 3, "{}", new.text);
    insta::assert_snapshot!("simulate_catalog", new.text);
    let only_refused = shop.simulate(&["--catalog", &catalog, "--fail-on", "refused,visible"]);
    assert_eq!(only_refused.code, 0, "{}", only_refused.text);

    // And so it is, once the catalog counts.
    fs::write(shop.beside("shop.toml"), with_balance()).expect("a writable folder");
    shop.dba().say("RELOAD");
    let after = crm.query(BALANCE).ok().rows();
    assert_ne!(before, after);
    let mut direct = shop.direct().connect();
    let orders = "SELECT sku, price FROM products WHERE stock > 0";
    assert_eq!(bob.query(orders).ok().rows(), direct.query(orders).ok().rows());
}

#[test]
fn mode_observe_and_the_simulation_agree_and_enforcing_does_what_they_say() {
    let mut shop =
        Shop::open_with("simulate_observe", |config| config.set("enforcement", "mode", "observe"));
    let mut alice = shop.alice().option("application_name", "crm").connect();
    let mut bob = shop.bob().option("application_name", "till").connect();
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    alice.query("SELECT count(*) FROM customers WHERE email LIKE 'a%'").ok();
    alice.query("CREATE TEMP TABLE kept AS SELECT ssn FROM customers").ok();
    bob.query("SELECT sku FROM products").ok();
    shop.is_on_record();
    let told = shop.simulate(&[]);
    assert_eq!(told.code, 5, "{}", told.text);
    assert_eq!((told.count("log_agrees"), told.count("log_differs")), (4, 0), "{}", told.text);
    assert_eq!(told.of_kind("masked"), ["alice crm public.customers.email"]);
    assert_eq!(told.of_kind("refused"), ["alice crm public.customers.ssn"]);
    // What was observed is what would be hidden: nothing else, and all of it.
    let mut observed: Vec<String> = shop
        .proxy
        .audit_text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|record| record["decision"] == "observed")
        .flat_map(|record| record["raw_columns"].as_array().expect("columns").clone())
        .map(|column| column.as_str().expect("a name").to_owned())
        .collect();
    observed.sort();
    observed.dedup();
    assert_eq!(observed, ["public.customers.email", "public.customers.ssn"]);

    let text = shop.proxy.config.text().replace("\"observe\"", "\"enforce\"");
    shop.proxy.signal_and_wait("TERM");
    let catalog = fs::read_to_string(shop.beside("shop.toml")).expect("the catalog");
    let enforcing = Config::new().with_text(&text);
    fs::write(enforcing.path().join("shop.toml"), catalog).expect("a writable folder");
    shop.proxy = Keyhole::start(enforcing);
    let mut alice = shop.alice().connect();
    assert_eq!(alice.query(EMAIL).ok().scalar(), masked(&email()));
    let refused = alice.query("CREATE TEMP TABLE kept AS SELECT ssn FROM customers");
    assert_eq!(refused.code(), "42501");
}

#[test]
fn requests_are_asked_again_and_grants_that_would_not_be_had_are_missed() {
    let shop = Shop::open("simulate_policies");
    let mut alice = shop.alice().option("application_name", "crm").connect();
    let mut bob = shop.bob().option("application_name", "till").connect();
    alice.query(REQUEST).ok();
    shop.dba().approve("alice");
    assert_eq!(alice.query(EMAIL).ok().scalar(), email());
    bob.query("SELECT phone FROM customers WHERE id = 5").ok();
    shop.is_on_record();
    let same = shop.simulate(&[]);
    assert_eq!(same.code, 0, "{}", same.text);
    assert_eq!((same.count("log_differs"), same.count("requests")), (0, 1), "{}", same.text);
    assert_eq!(
        same.lost(),
        [("the proxy itself answered it".to_owned(), 1)],
        "the request itself: {}",
        same.text
    );

    let nobody = "[[policy]]\nname = 'only bob'\nsubjects = ['bob']\nresources = ['*']\n\
                  actions = ['read']\nmax_duration = '1h'\napprovals = 0\n";
    let nobody = shop.put("nobody.toml", nobody);
    let told = shop.simulate(&["--policy", &nobody]);
    assert_eq!(told.code, 5, "{}", told.text);
    assert_eq!(told.of_kind("masked"), ["alice crm public.customers.email"]);
    let request = &told.report["requests_changed"][0];
    assert_eq!((&request["user"], &request["requests"]), (&"alice".into(), &1.into()));
    assert_eq!(request["before"], "after an approval");
    assert_eq!(request["after"], "refused");

    let at_once = "[[policy]]\nname = 'at once'\nsubjects = ['*']\nresources = ['*']\n\
                   actions = ['read']\nmax_duration = '1h'\napprovals = 0\n\
                   [[standing]]\nsubject = 'bob'\nresources = ['public.customers.phone']\n\
                   actions = ['read']\napplications = ['till']\nreason = 'calls back'\n";
    let at_once = shop.put("at_once.toml", at_once);
    let told = shop.simulate(&["--policy", &at_once]);
    assert_eq!(told.code, 5, "{}", told.text);
    assert_eq!(told.of_kind("visible"), ["bob till public.customers.phone"]);
    assert_eq!(told.of_kind("masked"), [""; 0]);
    assert_eq!(told.report["requests_changed"][0]["after"], "at once");
    let harmless = shop.simulate(&["--policy", &at_once, "--fail-on", "masked,refused,requests"]);
    assert_eq!(harmless.code, 0, "sooner is not worse: {}", harmless.text);
}

#[test]
fn a_log_of_many_kinds_of_statements_says_what_the_simulation_does() {
    let shop = Shop::open("simulate_agrees");
    let mut said = 0;
    for file in ["application", "basics", "bi", "orm", "syntax", "writes", "admin"] {
        let path = format!("{}/tests/prove/corpus/{file}.sql", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(path).expect("statements");
        let mut alice = shop.alice().option("application_name", file).connect();
        for sql in text.lines() {
            if sql.trim().is_empty() || sql.starts_with("--") {
                continue;
            }
            alice.query(sql);
            alice.query("ROLLBACK");
            said += 1;
        }
    }
    shop.is_on_record();
    let told = shop.simulate(&[]);
    assert_eq!(told.code, 0, "{}", told.text);
    assert!(told.count("replayed") > said, "{}", told.text);
    let (agrees, differs) = (told.count("log_agrees"), told.count("log_differs"));
    eprintln!("{agrees} agree, {differs} differ: {:?}\n{}", told.lost(), told.text);
    // pg_dump's statements empty the search_path, which a constant says: afterwards two
    // statements find no table where the simulation does. That is told, and nothing else differs.
    let differing = told.report["differing"].as_array().expect("examples");
    let unqualified = |row: &Value| {
        let example = row["example"].as_str().expect("a statement");
        row["log"] == "refused" && example.starts_with("COPY (SELECT id, ")
    };
    assert!(differing.iter().all(unqualified), "{}", told.text);
    assert_eq!(differs, 2, "{}", told.text);
    // A table whose name is written in so many digits that it could be somebody's number.
    let hidden = "a quoted name in it is not on record, as it looks like a value".to_owned();
    assert_eq!(told.lost(), [(hidden, 1)], "{}", told.text);
    assert_eq!(agrees + differs, told.count("replayed"), "{}", told.text);
}

#[test]
fn a_file_of_statements_is_decided_for_whom_it_says() {
    let shop = Shop::open("simulate_file");
    let address = email();
    let file = shop.put(
        "statements.sql",
        &format!(
            "-- user: alice\n-- application: crm\nSELECT id FROM customers WHERE email = '{address}';\n\
             -- count: 40\nSELECT id, balance\n  FROM customers; SELECT 1;\n\
             -- user: zoe\nSELECT balance FROM customers WHERE notes <> ';';\nEXECUTE p;\nSELECT FROM WHERE;\n"
        ),
    );
    let catalog = shop.put("new.toml", &with_balance());
    let told = shop.simulate(&["--statements", &file, "--catalog", &catalog]);
    assert_eq!(told.code, 5, "{}", told.text);
    assert_eq!(
        told.of_kind("masked"),
        ["alice crm public.customers.balance", "zoe crm public.customers.balance"]
    );
    assert_eq!((told.count("read"), told.count("replayed")), (45, 43), "{}", told.text);
    assert_eq!(
        told.lost(),
        [
            ("it does not parse without its constants".to_owned(), 1),
            ("what it runs was prepared or opened earlier, and is looked at there".to_owned(), 1)
        ]
    );
    let lines = shop.put("lines.sql", "SELECT balance FROM customers\nSELECT 1\n");
    let all = &["--statements", &lines, "--lines", "--catalog", &catalog][..];
    let told = shop.simulate(all);
    let by = ["alice - public.customers.balance", "bob - public.customers.balance"];
    assert_eq!(told.of_kind("masked")[..2], by, "everybody: {}", told.text);
    let told = shop.simulate(&[all, &["--as", "bob"]].concat());
    assert_eq!(told.of_kind("masked"), [by[1]], "{}", told.text);
}

#[test]
fn what_is_wrong_with_the_proposal_is_told_with_its_line() {
    let shop = Shop::open("simulate_wrong");
    let config = shop.proxy.config.file();
    let config = config.to_str().unwrap();
    let failed = |args: &[&str]| {
        let args = [&["simulate", "--config", config], args].concat();
        let output = shop.proxy.config.command(&args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let policy = shop.put("policy.toml", "[[policy]]\nname = 'x'\nsubject = ['bob']\n");
    let said = failed(&["--policy", &policy]);
    assert!(said.contains("policy.toml:3: unknown key \"subject\""), "{said}");
    let whole = shop.put("whole.toml", &shop.proxy.config.text());
    let said = failed(&["--policy", &whole]);
    assert!(said.contains("unknown table"), "{said}");
    let catalog = shop.put(
        "catalog.toml",
        "\n[[table]]\nname = 'public.customers'\ncolumns = { email = 'mail' }\n",
    );
    let said = failed(&["--catalog", &catalog]);
    assert!(said.contains("catalog.toml:4: there is no class \"mail\""), "{said}");
    let said = failed(&["--catalog", "nowhere.toml"]);
    assert!(said.contains("nowhere.toml"), "{said}");
    // A policy may not name what the proposed catalog does not have.
    let small = "[[class]]\nname = 'email'\nmask = { kind = 'email' }\n[[table]]\n\
                 name = 'public.customers'\ncolumns = { email = 'email' }\n";
    let small = shop.put("small.toml", small);
    let of_phone = "[[policy]]\nname = 'x'\nsubjects = ['bob']\nresources = ['customers.phone']\n\
                    actions = ['read']\nmax_duration = '1h'\napprovals = 0\n";
    let of_phone = shop.put("of_phone.toml", of_phone);
    let said = failed(&["--catalog", &small, "--policy", &of_phone]);
    assert!(said.contains("of_phone.toml:4: policy \"x\": resources:"), "{said}");
    let missing = shop.beside("none").to_str().unwrap().to_owned();
    let args = ["simulate", "--config", config, "--dir", &missing];
    let output = shop.proxy.config.command(&args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "a log that is not there: {output:?}");
}
