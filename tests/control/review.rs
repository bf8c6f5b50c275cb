//! What scans found, on its page: chosen, and taken along.

use keyhole::discovery::report::{Found, Mask, ScannedColumn, ScannedTable, TableKind};
use keyhole::store::findings::Findings;

use super::matrix::Sent::Form;
use super::signing_in::{Answer, basic};
use super::*;

/// What somebody who may create tables can call one, and a column.
pub(super) const TABLE: &str = "<b>\u{202e}\"x\"\n[[class]]\nname = 1";
pub(super) const COLUMN: &str = "</code><script>a\u{1b}[2J\u{2066}\n\"";

/// Columns of the widest table.
pub(super) const WIDTH: i16 = 410;

const PLACE: &str = "/map/findings";

const CATALOG: &str = r#"# Ours.
[[class]]
name = "email"
mask = { kind = "email" }

[[class]]
name = "phone"
mask = { kind = "partial", keep_last = 2 }

[[table]]
name = "public.customers"
columns = { email = "email", phone = "phone" }
"#;

fn column(name: &str, class: &str, confidence: u8) -> ScannedColumn {
    ScannedColumn {
        name: name.to_owned(),
        data_type: "text".to_owned(),
        findings: vec![Found {
            kind: class.to_owned(),
            class: class.to_owned(),
            confidence,
            reasons: vec![format!("the name says {class}"), "one".into(), "two".into()],
            path: None,
            seen: 9,
            matched: 9,
            mask: Some(Mask(MaskSpec::Partial { keep_first: 0, keep_last: 2 })),
        }],
        value: None,
        samples: Vec::new(),
    }
}

fn table(name: &str, columns: Vec<ScannedColumn>) -> ScannedTable {
    ScannedTable {
        schema: "public".to_owned(),
        name: name.to_owned(),
        kind: TableKind::Table,
        rows: 9,
        skipped: None,
        note: None,
        columns,
    }
}

impl Office {
    /// As if a scan had found: the id to be a number of a person (new), the e-mail to be a phone
    /// (differs), the strange column to be a secret (doubtful), and one that is gone.
    fn scanned(&self) {
        let customers = vec![
            column("id", "national_id", 80),
            column("email", "phone", 90),
            column("dropped", "email", 90),
        ];
        let tables =
            [table("customers", customers), table(TABLE, vec![column(COLUMN, "secret", 40)])];
        self.leave(&Findings::new("shop", Timestamp::now(), 60, &tables).text().expect("JSON"));
        std::fs::write(self.folder.path().join("shop.toml"), CATALOG).expect("a catalog");
    }

    fn leave(&self, findings: &str) {
        std::fs::write(self.folder.path().join("findings.json"), findings).expect("a file");
    }

    fn found(&self, query: &str) -> String {
        let answer = self.ask("GET", &format!("{PLACE}{query}"), &dora(), "", "");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body().to_owned()
    }

    fn decide(&self, deed: &str, decisions: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("deed", deed).append_pair("database", "shop").extend_pairs(decisions);
        let form = form.finish().leak();
        self.send(("POST", PLACE), &dora(), Form(form))
    }
}

fn dora() -> String {
    basic("dora", &password("dora"))
}

/// The fields of the page, in its order.
fn fields(page: &str) -> Vec<&str> {
    let selects = page.split("<select name=\"").skip(1);
    selects.map(|rest| rest.split('"').next().expect("a name")).collect()
}

#[test]
fn what_was_found_is_chosen_and_taken_along() {
    with_office(|office| async move {
        assert!(office.found("").contains("No scan has left anything yet"));
        office.scanned();
        let page = office.found("");
        assert!(page.contains("3 columns to look at"), "{page}");
        assert!(page.contains("1 more are no longer in the database"), "{page}");
        for told in ["new", "differs", "doubtful", "in the catalog email", "national_id 80 %"] {
            assert!(page.contains(told), "{told}: {page}");
        }
        let [id, email, strange] = fields(&page)[..] else { panic!("three columns: {page}") };
        let filtered = office.found("?q=NATIONAL");
        assert_eq!(fields(&filtered), [id]);
        let preset = office.found("?preset=proposed");
        assert_eq!(preset.matches(" selected").count(), 1, "the new one: {preset}");

        let chosen = [(id, "national_id_redacted"), (email, "phone"), (strange, "clear")];
        let shown = office.decide("show", &chosen);
        assert_eq!(shown.status, 200, "{shown:?}");
        assert!(shown.body().contains("The change: 3 columns"), "{shown:?}");
        assert!(shown.body().contains("+++ catalog/shop.toml"), "{shown:?}");
        assert_eq!(shown.body().matches(" selected").count(), 3, "what is chosen stays chosen");

        let patch = office.decide("patch", &chosen);
        assert_eq!(
            (patch.status, patch.header("content-disposition")),
            (200, Some("attachment; filename=\"shop.patch\""))
        );
        for line in [
            "-columns = { email = \"email\", phone = \"phone\" }",
            "+# id: 80 %: the name says national_id; one; two",
            "+columns = { email = \"phone\", phone = \"phone\", id = \"national_id_redacted\" }",
        ] {
            assert!(patch.body().lines().any(|own| own == line), "{line}: {}", patch.body());
        }

        // A catalog of its own, for whoever has none.
        let catalog = office.decide("catalog", &[(id, "email_redacted")]);
        assert!(catalog.body().contains("id = \"email_redacted\""), "{catalog:?}");
        let on_disk = std::fs::read_to_string(office.folder.path().join("shop.toml"));
        assert_eq!(on_disk.expect("it is there"), CATALOG, "nothing is written");
    });
}

#[test]
fn names_in_what_was_found_are_nothing_but_names() {
    with_office(|office| async move {
        office.scanned();
        let page = office.found("");
        let strange = *fields(&page).last().expect("columns");
        let chosen = [(strange, "secret")];
        let shown = office.decide("show", &chosen);
        for page in [page.as_str(), shown.body()] {
            assert!(page.contains("&lt;/code&gt;&lt;script&gt;a"), "{page}");
            assert_eq!(page.matches("<script").count(), 1, "our own: {page}");
            for c in ['\u{202e}', '\u{2066}', '\u{1b}'] {
                assert!(!page.contains(c), "{c:?}: {page}");
            }
        }
        for deed in ["patch", "catalog"] {
            let taken = office.decide(deed, &chosen);
            assert_eq!(taken.status, 200, "{taken:?}");
            let text = taken.body();
            for c in ['\u{202e}', '\u{2066}', '\u{1b}'] {
                assert!(!text.contains(c), "{deed} {c:?}: {text}");
            }
            let added = |line: &str| line.trim_start_matches('+').starts_with("[[class]]");
            assert_eq!(text.lines().filter(|line| added(line)).count(), 1, "secret only: {text}");
            assert!(
                text.contains(r#""</code><script>a\u001B[2J\u2066\u000A\"" = "secret""#),
                "{text}"
            );
        }
    });
}

#[test]
fn what_is_not_offered_is_not_taken() {
    with_office(|office| async move {
        office.scanned();
        let page = office.found("");
        let [id, ..] = fields(&page)[..] else { panic!("columns: {page}") };
        let other = "of-00000000000000000000000000000000";
        for decisions in [
            &[][..],
            &[(id, "")],
            &[(id, "made_up")],
            // Digits of a number are not hidden in part.
            &[(id, "national_id")],
            &[(other, "email")],
            &[(id, "clear"), (other, "clear")],
            &[(id, "clear"), (id, "email")],
        ] {
            for deed in ["show", "patch", "catalog"] {
                let refused = office.decide(deed, decisions);
                assert_eq!(refused.status, 422, "{decisions:?} {deed}: {refused:?}");
                assert!(refused.body().contains("role=\"alert\""), "{refused:?}");
            }
        }
        assert_eq!(office.decide("accept", &[(id, "clear")]).status, 422);
        // What was decided elsewhere meanwhile is asked about anew.
        let tables = [table("customers", vec![column("email", "phone", 90)])];
        office.leave(&Findings::new("shop", Timestamp::now(), 60, &tables).text().expect("JSON"));
        let refused = office.decide("patch", &[(id, "clear")]);
        assert!(refused.status == 422 && refused.body().contains("look again"), "{refused:?}");
    });
}

#[test]
fn many_columns_are_on_pages() {
    with_office(|office| async move {
        office.scanned();
        let columns = (1..=WIDTH).map(|number| column(&format!("c{number}"), "email", 90));
        let tables = [table("wide", columns.collect())];
        office.leave(&Findings::new("shop", Timestamp::now(), 60, &tables).text().expect("JSON"));
        let page = |query: &str| office.found(query);
        let first = page("");
        let next = "href=\"/map/findings?database=shop&amp;q=&amp;page=2\"";
        assert!(first.contains("Page 1 of 3") && first.contains(next), "{first}");
        assert!(!first.contains("Page before"), "{first}");
        let kept = "href=\"/map/findings?database=shop&amp;q=&amp;preset=proposed&amp;page=2\"";
        assert!(page("?preset=proposed").contains(kept), "it is chosen on the next page, too");
        let (second, last) = (page("?page=2"), page("?page=3"));
        assert!(second.contains("Page before") && second.contains("Next page"), "{second}");
        assert!(last.contains("Page before") && !last.contains("Next page"), "{last}");
        let all = [&first, &second, &last].map(|page| fields(page));
        assert_eq!(all.each_ref().map(Vec::len), [200, 200, 10]);
        let mut each: Vec<_> = all.concat();
        each.sort_unstable();
        each.dedup();
        assert_eq!(each.len(), 410, "each is on one page");
        // What is asked for beyond is the last one, and what is none the first.
        assert_eq!(fields(&page("?page=99")), all[2]);
        for none in ["?page=0", "?page=-1", "?page=x"] {
            assert_eq!(fields(&page(none)), all[0], "{none}");
        }
        assert!(!page("?q=wide.c41").contains("Page 1"), "they fit on one");
        let shown = office.decide("show", &[("page", "3"), (all[2][0], "clear")]);
        assert_eq!(shown.body().matches(" selected").count(), 1, "{shown:?}");
        assert_eq!(fields(shown.body()), all[2]);
    });
}

#[test]
fn what_no_scan_left_is_told_and_not_shown() {
    with_office(|office| async move {
        office.leave("{\"version\":1}");
        let answer = office.ask("GET", PLACE, &dora(), "", "");
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.body().contains("is not what a scan leaves"), "{answer:?}");
        office.scanned();
        std::fs::remove_file(office.folder.path().join("shop.toml")).expect("it was there");
        let answer = office.ask("GET", PLACE, &dora(), "", "");
        assert!(answer.status == 503 && answer.body().contains("shop.toml cannot be read"));
        let other = office.ask("GET", &format!("{PLACE}?database=other"), &dora(), "", "");
        assert!(
            other.status == 200 && other.body().contains("Scans of this database leave nothing")
        );
        let map = office.ask("GET", "/map", &dora(), "", "");
        assert!(map.body().contains("href=\"/map/findings\""), "{map:?}");
        let map = office.ask("GET", "/map", &basic("alice", &password("alice")), "", "");
        assert!(!map.body().contains("href=\"/map/findings\""), "{map:?}");
    });
}
