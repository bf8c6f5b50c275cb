//! What is shipped for operators: every metric is in the reference, every metric that a dashboard or
//! an alert asks for exists, and what the dashboard says of itself is consistent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use keyhole::config::Config;
use keyhole::telemetry::{Described, Metrics};
use serde_json::Value;

const REFERENCE: &str = "docs/reference/metrics.md";
const RULES: &str = "deploy/prometheus/rules.yml";
const RULES_TESTS: &str = "deploy/prometheus/rules-test.yml";
const DASHBOARD: &str = "deploy/grafana/dashboards/keyhole.json";
const DATASOURCE: &str = "deploy/grafana/provisioning/datasources/prometheus.yml";

/// Set, the reference is written anew.
const UPDATE: &str = "UPDATE_REFERENCE";

fn described() -> Vec<Described> {
    Metrics::new().expect("metrics have different names").described()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names by which a query may ask: a histogram is three series.
fn series() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for Described { name, kind, .. } in described() {
        if kind == "histogram" {
            names.extend(["bucket", "count", "sum"].map(|end| format!("{name}_{end}")));
        } else {
            names.insert(name);
        }
    }
    names
}

/// Every word of the text that is the name of a metric of the proxy.
fn asked_for(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = text.split(|c| !is_part(c));
    words.filter(|word| word.starts_with("keyhole_")).collect()
}

fn reference() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         What `/metrics` of the port `http` in `[control]` exposes, in Prometheus' text format; `SHOW STATS` on\n\
         the console shows counters and gauges. Written from the code by `UPDATE_REFERENCE=1 cargo test --test\n\
         deploy`, and compared with it by `make test`. Labels take closed sets of values, or words of the\n\
         configuration and the catalog: `class`, `column` (`schema.table.column` as the catalog names it; of\n\
         databases that have the same names together; beyond 1,000 columns `other`), `sink`. No SQL, no value of\n\
         a column, nobody's name.\n\n\
         | metric | type | labels | what it says |\n| --- | --- | --- | --- |\n",
    );
    for Described { name, kind, labels, values, help } in described() {
        let labels = match (labels, values.as_slice()) {
            ([], _) => String::new(),
            (labels, []) => format!("`{}`", labels.join("`, `")),
            (labels, values) => format!("`{}`: {}", labels[0], values.join(", ")),
        };
        writeln!(text, "| `{name}` | {kind} | {labels} | {help} |").expect("a String takes it");
    }
    text
}

#[test]
fn every_metric_is_in_the_reference_and_nothing_else_is() {
    let written = reference();
    if std::env::var_os(UPDATE).is_some() {
        fs::create_dir_all("docs/reference").expect("the folder can be made");
        fs::write(REFERENCE, &written).expect("the reference can be written");
    }
    assert_eq!(read(REFERENCE), written, "{UPDATE}=1 cargo test --test deploy writes it anew");
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_exist() {
    let known = series();
    for path in [RULES, RULES_TESTS, DASHBOARD] {
        let text = read(path);
        let asked = asked_for(&text);
        assert!(asked.len() > 5, "{path} asks for next to nothing");
        let unknown: Vec<_> = asked.into_iter().filter(|name| !known.contains(*name)).collect();
        assert!(unknown.is_empty(), "{path} asks for {unknown:?}, which the proxy does not have");
    }
}

#[test]
fn label_values_of_rules_and_dashboard_exist() {
    let closed: BTreeMap<&str, BTreeSet<&str>> = described()
        .into_iter()
        .filter(|it| !it.values.is_empty())
        .flat_map(|it| it.labels.iter().map(move |label| (*label, it.values.clone())))
        .fold(BTreeMap::new(), |mut all, (label, values)| {
            all.entry(label).or_insert_with(BTreeSet::new).extend(values);
            all
        });
    for path in [RULES, DASHBOARD] {
        let text = read(path).replace("\\\"", "\"");
        for (label, values) in &closed {
            let start = format!("{label}=\"");
            for after in text.split(&start).skip(1) {
                let value = after.split('"').next().unwrap_or_default();
                assert!(values.contains(value), "{path}: {label}=\"{value}\" is never exposed");
            }
        }
    }
}

/// Alerts by name, with their text.
fn alerts() -> BTreeMap<String, String> {
    let text = read(RULES);
    let alert = |part: &str| {
        let name = part.lines().next().unwrap_or_default().trim().to_owned();
        (name, part.to_owned())
    };
    text.split("- alert:").skip(1).map(alert).collect()
}

#[test]
fn every_alert_has_a_test_and_says_what_to_do() {
    let tests = read(RULES_TESTS);
    let operations = read("docs/operations.md");
    let alerts = alerts();
    assert!(alerts.len() >= 10, "{:?}", alerts.keys());
    for (name, text) in alerts {
        for word in ["severity:", "summary:", "description:"] {
            assert!(text.contains(word), "{name} has no {word}");
        }
        assert!(tests.contains(&format!("alertname: {name}\n")), "{name} is in no test");
        assert!(operations.contains(&format!("`{name}`")), "docs/operations.md lacks {name}");
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).expect("the dashboard is JSON")
}

fn panels() -> Vec<Value> {
    let is_data = |panel: &&Value| panel["type"] != "row";
    let dashboard = dashboard();
    let all = dashboard["panels"].as_array().expect("there are panels");
    all.iter().filter(is_data).cloned().collect()
}

#[test]
fn every_panel_is_described_has_a_unit_and_asks_something() {
    let mut ids = BTreeSet::new();
    for panel in panels() {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64()), "{title}: its id is another's too");
        let has = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        assert!(has(&panel["description"]), "{title} has no description");
        assert!(has(&panel["fieldConfig"]["defaults"]["unit"]), "{title} has no unit");
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title} asks nothing");
        for target in targets {
            assert!(has(&target["expr"]), "{title} has an empty query");
            assert!(has(&target["legendFormat"]), "{title} has an unnamed series");
        }
    }
    assert!(ids.len() > 10);
}

#[test]
fn panels_do_not_lie_on_each_other() {
    let dashboard = dashboard();
    let all = dashboard["panels"].as_array().expect("there are panels");
    let mut taken = BTreeMap::new();
    for panel in all {
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        assert!(at("x") + at("w") <= 24, "{} is too wide", panel["title"]);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                let before = taken.insert((x, y), panel["title"].clone());
                assert_eq!(before, None, "{} lies on it", panel["title"]);
            }
        }
    }
}

#[test]
fn the_dashboard_uses_the_datasource_that_is_provisioned() {
    let uid = read(DATASOURCE);
    let uid = uid.lines().find_map(|line| line.trim().strip_prefix("uid: ")).expect("a uid");
    for panel in panels() {
        assert_eq!(panel["datasource"]["uid"], uid, "{}", panel["title"]);
    }
}

/// The text below `key: |` of a ConfigMap.
fn block(text: &str, key: &str) -> String {
    let start = format!("  {key}: |");
    let lines = text.lines().skip_while(|line| *line != start).skip(1);
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| format!("{}\n", line.trim_start_matches("    "))).collect()
}

#[test]
fn what_the_configurations_of_deploy_say_is_taken() {
    let manifest = read("deploy/kubernetes/configmap.yaml");
    let shop = read("catalog/shop.toml");
    for (name, text, catalog, its_text) in [
        ("compose", read("deploy/compose/proxy.toml"), "catalog/shop.toml", shop.clone()),
        (
            "Debian",
            read("deploy/debian/proxy.toml"),
            "catalog/example.toml",
            read("deploy/debian/catalog.toml"),
        ),
        ("Kubernetes", block(&manifest, "proxy.toml"), "shop.toml", block(&manifest, "shop.toml")),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("catalog")).expect("a writable folder");
        fs::create_dir(folder.path().join("keys")).expect("a writable folder");
        // What is made where it runs.
        for key in ["server.crt", "server.key", "tls.crt", "tls.key", "subjects.key"] {
            fs::write(folder.path().join("keys").join(key), "").expect("a writable folder");
        }
        let text = text.replace("/etc/keyhole-tls/", "keys/");
        fs::write(folder.path().join("proxy.toml"), text).expect("a writable folder");
        fs::write(folder.path().join(catalog), its_text).expect("a writable folder");
        let environment = |variable: &str| Some(format!("value of {variable}"));
        let loaded = Config::load_with(&folder.path().join("proxy.toml"), &environment);
        let config = loaded.unwrap_or_else(|problems| panic!("{name}: {problems}"));
        // What health checks, Prometheus and the manifests ask.
        assert_eq!(config.control.http.expect("HTTP is open").port(), 8432, "{name}");
        let audit = &config.audit.dir;
        assert_eq!(audit, Path::new("/var/lib/keyhole/audit"), "{name}");
        assert!(name == "Debian" || config.data.tls.is_some(), "{name}: passwords need TLS");
    }
}
