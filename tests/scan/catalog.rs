//! Drafts, patches and reviews give catalogs that `keyhole check` takes.

use serde_json::Value;

use crate::support::Postgres;
use crate::{Bed, EVERYTHING, clean, columns, servers};

const CATALOG: &str = r#"# By hand.

[[class]]
name = "email"
mask = { kind = "email" }      # first letter and domain

[[class]]
name = "phone"
mask = { kind = "partial", keep_last = 2 }

[[table]]
name = "public.people"         # who has an account
[table.columns]
level = "phone"                # nothing shows why
email = "email"

[[table]]
name = "public.empty"
columns = { email = "clear" }
"#;

#[test]
fn a_draft_is_a_catalog() {
    for server in servers() {
        let bed = Bed::new(server, "scan_draft", EVERYTHING, "");
        let draft = bed.path("shop.toml");
        let ran = bed.scan(&["--draft", &draft]);
        assert_eq!(ran.code, Some(5), "{ran:?}");
        let text = bed.read("shop.toml");
        clean(&text);
        assert!(text.contains("name = \"\\\"Other Schema\\\".contacts\""), "{text}");
        let checked = bed.check().ok();
        assert!(checked.out.contains("catalogued columns"), "{}", checked.out);
        let ran = bed.scan(&[]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}

#[test]
fn a_patch_is_taken_by_patch_and_by_accept_alike() {
    let bed = Bed::new(Postgres::shared(), "scan_patch", EVERYTHING, CATALOG);
    let report = bed.json(&[]);
    assert_eq!(columns(&report, "agrees"), ["public.people.email"]);
    assert_eq!(columns(&report, "declared"), ["public.people.level"]);
    assert_eq!(columns(&report, "clear"), ["public.empty.email"]);
    let patch = bed.scan(&["--patch"]);
    assert_eq!(patch.code, Some(5), "{patch:?}");
    let mut command = std::process::Command::new("patch");
    command.args(["-p0", "--quiet", "-o", &bed.path("patched.toml"), &bed.path("shop.toml")]);
    let patched = crate::run(command, &patch.out).ok();
    assert_eq!(patched.err, "");
    assert_eq!(bed.read("shop.toml"), CATALOG);
    let ran = bed.scan(&["--accept"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(bed.read("shop.toml"), bed.read("patched.toml"));
    assert_eq!(bed.read("shop.toml.bak"), CATALOG);
    for kept in ["# By hand.", "# first letter and domain", "# who has", "# nothing shows why"] {
        assert!(bed.read("shop.toml").contains(kept), "{kept}");
    }
    bed.check().ok();
    let again = bed.scan(&["--accept"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.err.contains("there was nothing to change"), "{}", again.err);
}

#[test]
fn a_review_writes_what_was_answered() {
    let bed = Bed::new(Postgres::shared(), "scan_review", EVERYTHING, CATALOG);
    let only = ["--only", "public.wide", "--only", "public.parent", "--only", "public.child"];
    let args: Vec<&str> = ["--review", "--accept"].iter().chain(&only).copied().collect();
    // child.extra_email, parent.email, wide.*: no, why and yes, and the rest is left.
    let ran = bed.scan_with(&args, "n\nw\ny\nq\n");
    assert_eq!(ran.code, Some(5), "{ran:?}");
    let text = bed.read("shop.toml");
    assert!(text.contains("extra_email = \"clear\""), "{text}");
    assert!(text.contains("name = \"public.parent\"\n[table.columns]\n# "), "{text}");
    assert!(!text.contains("public.wide"), "{text}");
    bed.check().ok();
    let report: Value = bed.json(&only);
    assert_eq!(columns(&report, "clear"), ["public.child.extra_email"]);
    assert_eq!(columns(&report, "agrees"), ["public.parent.email"]);
}
